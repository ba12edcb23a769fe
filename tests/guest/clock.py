# SPDX-License-Identifier: GPL-2.0
"""PTP hardware clocks, and frames that are stamped with their time.

answer([operation, ...], value), called by the agent ("ask"):

index INTERFACE                     N of /dev/ptpN, None if there is none
samples N [COUNT]                   (system before, clock, system after), in ns
set N NS, shift N NS, rate N PPB    as clock_settime() and clock_adjtime() have it: 0 or errno
config INTERFACE [TX RX]            SIOCGHWTSTAMP, SIOCSHWTSTAMP: (tx, rx), or the errno
send INTERFACE                      sends the frames of `value`, each hexadecimal, and waits for a
                                    stamp of each: {stamp, software, waited}
spin INTERFACE SECONDS PRIORITY     the same, by a task of SCHED_FIFO that does not sleep while it waits, for
                                    each at most SECONDS: {stamp, waited}, without a stamp if it came
                                    only when the task slept again
burst INTERFACE                     as send, but waits when all are sent: the stamps that came
receive INTERFACE NETNS SENDER      has SENDER in NETNS send the frames of `value`, and receives
                                    as many here: [frame, stamp], of those that were stamped
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import time

ETHERTYPE = 0x88F7
SO_TIMESTAMPING, SOL_PACKET, PACKET_TX_TIMESTAMP = 37, 263, 16
TX_HARDWARE, TX_SOFTWARE, RX_HARDWARE, SOFTWARE, RAW_HARDWARE = 1, 2, 4, 16, 64
# struct ptp_sys_offset_extended: at most 25 samples.
OFFSET_SIZE = 16 + 25 * 48
PTP_SYS_OFFSET_EXTENDED = 3 << 30 | OFFSET_SIZE << 16 | ord("=") << 8 | 9
SIOCSHWTSTAMP, SIOCGHWTSTAMP = 0x89B0, 0x89B1
ADJ_FREQUENCY, ADJ_SETOFFSET, ADJ_NANO = 2, 0x100, 0x2000
SECOND = 10**9


class Timex(ctypes.Structure):
    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("sec", ctypes.c_long),
        ("usec", ctypes.c_long),
        ("rest", ctypes.c_long * 32),
    ]


class Clock:
    def __init__(self, number):
        self.fd = os.open(f"/dev/ptp{number}", os.O_RDWR | os.O_CLOEXEC)
        self.id = (~self.fd << 3) | 3

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def time(self):
        return time.clock_gettime_ns(self.id)

    def samples(self, count):
        request = bytearray(OFFSET_SIZE)
        struct.pack_into("I", request, 0, count)
        fcntl.ioctl(self.fd, PTP_SYS_OFFSET_EXTENDED, request)
        times = [
            sec * SECOND + ns
            for sec, ns, _ in struct.iter_unpack("qII", request[16 : 16 + 48 * count])
        ]
        return list(zip(times[::3], times[1::3], times[2::3]))

    def adjust(self, **fields):
        libc = ctypes.CDLL(None, use_errno=True)
        request = Timex(**fields)
        if libc.clock_adjtime(ctypes.c_int(self.id), ctypes.byref(request)) < 0:
            return ctypes.get_errno()
        return 0


def index(interface):
    directory = f"/sys/class/net/{interface}/device/ptp"
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return int(names[0].removeprefix("ptp")) if names else None


def samples(number, count="5"):
    with Clock(number) as clock:
        return clock.samples(int(count))


def set_time(number, ns):
    with Clock(number) as clock:
        try:
            time.clock_settime_ns(clock.id, int(ns))
        except OSError as error:
            return error.errno
    return 0


def shift(number, ns):
    sec, rest = divmod(int(ns), SECOND)
    with Clock(number) as clock:
        return clock.adjust(modes=ADJ_SETOFFSET | ADJ_NANO, sec=sec, usec=rest)


def rate(number, ppb):
    with Clock(number) as clock:
        return clock.adjust(modes=ADJ_FREQUENCY, freq=int(int(ppb) * 65.536))


def ahead(clock):
    """How far a clock is ahead of the system's, and how exact that is: by the sample that took the
    shortest."""
    before, now, after = min(clock.samples(25), key=lambda sample: sample[2] - sample[0])
    return now - (before + after) // 2


def track(number, other, seconds, interval):
    found = []
    begin = time.monotonic_ns()
    with Clock(number) as first, Clock(other) as second:
        while (passed := time.monotonic_ns() - begin) < float(seconds) * SECOND:
            found.append((passed, ahead(second) - ahead(first)))
            time.sleep(float(interval))
    return found


def config(interface, tx=None, rx=None):
    values = (ctypes.c_int * 3)(0, int(tx or 0), int(rx or 0))
    request = struct.pack("16sQ16x", interface.encode(), ctypes.addressof(values))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            fcntl.ioctl(sock, SIOCGHWTSTAMP if tx is None else SIOCSHWTSTAMP, request)
        except OSError as error:
            return error.errno
    return [values[1], values[2]]


def raw_socket(interface, flags):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
    sock.bind((interface, 0))
    return sock


def stamps_of(ancillary):
    """The software and the hardware stamp of a message, None if it has none."""
    for _, kind, data in ancillary:
        if kind == SO_TIMESTAMPING:
            times = [sec * SECOND + ns for sec, ns in struct.iter_unpack("qq", data)]
            return times[0] or None, times[2] or None
    return None, None


def error_queue(sock, seconds):
    """The next stamps of a sent frame within that time."""
    poll = select.poll()
    poll.register(sock, select.POLLPRI)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            try:
                return stamps_of(sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)[1])
            except BlockingIOError:
                continue
    return None, None


WANTED = TX_HARDWARE | TX_SOFTWARE | SOFTWARE | RAW_HARDWARE


def send(frames, interface, seconds="2"):
    found = []
    with raw_socket(interface, WANTED) as sock:
        for frame in frames:
            begin = time.monotonic_ns()
            sock.send(bytes.fromhex(frame))
            software, stamp = error_queue(sock, float(seconds))
            found.append(
                {"stamp": stamp, "software": software, "waited": time.monotonic_ns() - begin}
            )
    return found


@contextlib.contextmanager
def real_time(priority):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def spin(frames, interface, seconds, priority):
    longest = float(seconds) * SECOND
    found = []
    with raw_socket(interface, WANTED) as sock:
        for frame in frames:
            stamp, waited = None, 0
            with real_time(int(priority)):
                begin = time.monotonic_ns()
                sock.send(bytes.fromhex(frame))
                while stamp is None and waited < longest:
                    with contextlib.suppress(BlockingIOError):
                        flags = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                        stamp = stamps_of(sock.recvmsg(2048, 512, flags)[1])[1]
                    waited = time.monotonic_ns() - begin
            if stamp is None:
                error_queue(sock, 2)
            found.append({"stamp": stamp, "waited": waited})
    return found


def burst(frames, interface):
    with raw_socket(interface, WANTED) as sock:
        for frame in frames:
            sock.send(bytes.fromhex(frame))
        return [error_queue(sock, 2) for _ in frames]


def receive(frames, interface, netns, sender):
    found = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, RX_HARDWARE | RAW_HARDWARE)
        sock.bind((interface, 3))
        sock.settimeout(5)
        child = os.fork()
        if child == 0:
            with open(f"/run/netns/{netns}", encoding="ascii") as file:
                os.setns(file.fileno(), os.CLONE_NEWNET)
            with raw_socket(sender, 0) as out:
                for frame in frames:
                    out.send(bytes.fromhex(frame))
            os._exit(0)
        wanted = set(frames)
        for _ in frames:
            while True:
                try:
                    data, ancillary, _, address = sock.recvmsg(2048, 512)
                except TimeoutError:
                    os.waitpid(child, 0)
                    return found
                # Not what is sent here, nor other frames.
                if address[2] != socket.PACKET_OUTGOING and data.hex() in wanted:
                    break
            found.append([data.hex(), stamps_of(ancillary)[1]])
        os.waitpid(child, 0)
    return found


def answer(argv, value):
    operation, *rest = argv
    operations = {"index": index, "samples": samples, "set": set_time, "shift": shift}
    operations |= {"rate": rate, "config": config, "track": track}
    if operation in operations:
        return operations[operation](*rest)
    try:
        operations = {"send": send, "spin": spin, "burst": burst, "receive": receive}
        return operations[operation](value, *rest)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
