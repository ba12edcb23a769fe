# SPDX-License-Identifier: GPL-2.0
"""Lets the n-th allocation of one operation fail, for n = 1, 2, .. until none is left to fail.

    faults.py OPERATION [--within REGEX] [--interface dut] [--address 192.0.2.1]
                        [--pci 0000:01:00.0] [--samples N | --nth N]

Prints one JSON object, and in it one of each operation, of which a setting has two, there and back:
how many allocations the operation makes, every how manyth of them had its turn (`step`), how many
were made to fail, with which errno the operation failed how often, and with which n first, the n
after which no allocation was left, and what went wrong. After every injected failure the same
operation has to succeed without one: a failure that leaves something behind shows there. With
--samples, that many allocations fail, evenly spread over all there are. With --within, only those
count that are made by the function of the driver whose symbol matches, and by what it calls. With
--nth, one allocation fails, and the kernel log has its stack.

The kernel counts in /proc/thread-self/fail-nth, for this thread only: operations are therefore
system calls made right here, not commands. Receiving is the work of another thread, NAPI's: it is
given one of its own, and the kernel counts there.
"""

import argparse
import collections
import ctypes
import errno
import fcntl
import gc
import glob
import json
import os
import re
import socket
import struct
import sys
import time

DEBUGFS = "/sys/kernel/debug"
MODULE = "/payload/igb_rs.ko"
NETNS_OF_PEER = "/run/netns/peer"
SYS_FINIT_MODULE = 313
SYS_DELETE_MODULE = 176
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFMTU, SIOCETHTOOL = 0x8913, 0x8914, 0x8922, 0x8946
IFF_UP = 1
ETHTOOL_GRINGPARAM, ETHTOOL_SRINGPARAM = 0x10, 0x11
ETHTOOL_GCHANNELS, ETHTOOL_SCHANNELS = 0x3C, 0x3D
SO_RCVBUFFORCE, SO_MEMINFO = 33, 55

libc = ctypes.CDLL(None, use_errno=True)


def write(path, text):
    """One write() of a sysfs file."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def system_call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Operation:
    """`do` is what an allocation fails in; `undo` makes it possible again, whether or not `do`
    succeeded; `settled` is true when what is wanted is there, `promised` when what `do` promises
    by raising no error is."""

    def __init__(self, options):
        self.options = options
        # The thread that does it.
        self.thread = "/proc/thread-self"
        self.device = "/sys/bus/pci/devices/" + options.pci
        self.driver = "/sys/bus/pci/drivers/igb_rs"

    @classmethod
    def ways(cls, options):
        """The operations of one sweep."""
        return [cls(options)]

    def undo(self):
        pass

    def settled(self):
        return True

    def promised(self):
        return self.settled()


class Load(Operation):
    """insmod, with probe. That a probe failed is in the kernel log, and no error of insmod."""

    def __init__(self, options):
        super().__init__(options)
        self.file = os.open(MODULE, os.O_RDONLY)

    def do(self):
        system_call(SYS_FINIT_MODULE, self.file, ctypes.c_char_p(b""), 0)

    def undo(self):
        if os.path.exists("/sys/module/igb_rs"):
            system_call(SYS_DELETE_MODULE, ctypes.c_char_p(b"igb_rs"), 0)

    def settled(self):
        return bool(glob.glob(self.device + "/net/*"))

    def promised(self):
        return os.path.exists("/sys/module/igb_rs")


class Bind(Operation):
    """Probe alone."""

    def do(self):
        write(self.driver + "/bind", self.options.pci)

    def undo(self):
        if os.path.exists(self.device + "/driver"):
            write(self.driver + "/unbind", self.options.pci)

    def settled(self):
        return bool(glob.glob(self.device + "/net/*"))


class Interface(Operation):
    """Something asked of an interface."""

    def __init__(self, options):
        super().__init__(options)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def request(self, code, payload):
        """An ioctl on a struct ifreq with that union member; returns the member."""
        buffer = bytearray(struct.pack("16s24s", self.options.interface.encode(), payload))
        fcntl.ioctl(self.socket, code, buffer)
        return bytes(buffer[16:])

    def ethtool(self, command, words, count):
        """An ethtool ioctl whose structure is `count` words after the command."""
        data = ctypes.create_string_buffer(
            struct.pack(f"{count + 1}I", command, *words, *[0] * (count - len(words)))
        )
        self.request(SIOCETHTOOL, struct.pack("P", ctypes.addressof(data)))
        return struct.unpack(f"{count + 1}I", data.raw[: 4 * (count + 1)])[1:]

    def flags(self):
        return struct.unpack_from("H", self.request(SIOCGIFFLAGS, b""))[0]

    def set_up(self, up):
        flags = self.flags() | IFF_UP if up else self.flags() & ~IFF_UP
        self.request(SIOCSIFFLAGS, struct.pack("H", flags))

    def settled(self):
        return bool(self.flags() & IFF_UP)


class Up(Interface):
    """ip link set up."""

    def do(self):
        self.set_up(True)

    def undo(self):
        self.set_up(False)


class Change(Interface):
    """A setting that goes from one value to another. There and back are two operations: growing and
    shrinking do not allocate alike."""

    values = ()

    def __init__(self, options, before, after):
        super().__init__(options)
        self.before, self.after = before, after

    @classmethod
    def ways(cls, options):
        return [cls(options, *cls.values), cls(options, *reversed(cls.values))]

    def current(self):
        raise NotImplementedError

    def change(self, value):
        raise NotImplementedError

    def do(self):
        self.change(self.after)

    def undo(self):
        # A device that stayed down after a failure is brought up by the next change's user.
        if not self.flags() & IFF_UP:
            self.set_up(True)
        if self.current() != self.before:
            self.change(self.before)

    def settled(self):
        return super().settled() and self.current() == self.after


class Mtu(Change):
    """ip link set mtu."""

    values = (1500, 9000)

    def current(self):
        with open(f"/sys/class/net/{self.options.interface}/mtu", encoding="ascii") as file:
            return int(file.read())

    def change(self, value):
        self.request(SIOCSIFMTU, struct.pack("i", value))


class Rings(Change):
    """ethtool -G."""

    values = (64, 128)

    def current(self):
        return self.ethtool(ETHTOOL_GRINGPARAM, (), 8)[4]

    def change(self, value):
        words = list(self.ethtool(ETHTOOL_GRINGPARAM, (), 8))
        words[4] = words[7] = value
        self.ethtool(ETHTOOL_SRINGPARAM, words, 8)


class Channels(Change):
    """ethtool -L."""

    values = (1, 2)

    def current(self):
        return self.ethtool(ETHTOOL_GCHANNELS, (), 8)[7]

    def change(self, value):
        words = list(self.ethtool(ETHTOOL_GCHANNELS, (), 8))
        words[7] = value
        self.ethtool(ETHTOOL_SCHANNELS, words, 8)


class Numvfs(Operation):
    """echo 7 > sriov_numvfs. Which driver VFs get is another matter: none."""

    def __init__(self, options):
        super().__init__(options)
        write(self.device + "/sriov_drivers_autoprobe", "0")

    def do(self):
        write(self.device + "/sriov_numvfs", "7")

    def undo(self):
        if self.enabled():
            write(self.device + "/sriov_numvfs", "0")

    def enabled(self):
        with open(self.device + "/sriov_numvfs", encoding="ascii") as file:
            return int(file.read())

    def settled(self):
        return self.enabled() == 7 and len(glob.glob(self.device + "/virtfn*")) == 7


class Receive(Operation):
    """Datagrams from the peer, fewer than there are descriptors. Nobody reads them: were their pages
    to come back, the ring would be filled with those, and none be allocated."""

    DATAGRAMS = 48
    PAYLOAD = bytes(1400)
    PATIENCE = 2.0

    def __init__(self, options):
        super().__init__(options)
        write(f"/sys/class/net/{options.interface}/threaded", "1")
        self.thread = os.path.dirname(self.only_thread())
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 29)
        self.receiver.bind((options.address, 0))
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        os.setns(os.open(NETNS_OF_PEER, os.O_RDONLY), os.CLONE_NEWNET)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.connect(self.receiver.getsockname())
        os.setns(own, os.CLONE_NEWNET)
        # What one of them counts for.
        self.size = self.arrived(1, 1)
        if not self.size:
            raise SystemExit("nothing arrives, although nothing was made to fail")

    def only_thread(self):
        prefix = f"napi/{self.options.interface}-"
        found = []
        for name in glob.glob("/proc/[0-9]*/comm"):
            with open(name, encoding="utf-8") as file:
                if file.read().startswith(prefix):
                    found.append(name)
        if len(found) != 1:
            raise SystemExit(f"{len(found)} threads of NAPI, not one")
        return found[0]

    def held(self):
        """Memory of what arrived."""
        return struct.unpack_from("I", self.receiver.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64))[
            0
        ]

    def arrived(self, datagrams, memory):
        """Sends some, and waits until so much memory is taken, or it will not be; how much is."""
        before, end = self.held(), time.monotonic() + self.PATIENCE
        for _ in range(datagrams):
            self.sender.send(self.PAYLOAD)
        while self.held() - before < memory and time.monotonic() < end:
            time.sleep(0.01)
        return self.held() - before

    def do(self):
        if self.arrived(self.DATAGRAMS, self.DATAGRAMS * self.size) < self.DATAGRAMS * self.size:
            raise OSError(errno.ENOBUFS, "datagrams are lost")


OPERATIONS = {
    "load": Load,
    "bind": Bind,
    "up": Up,
    "mtu": Mtu,
    "rings": Rings,
    "channels": Channels,
    "numvfs": Numvfs,
    "receive": Receive,
}


# Functions of kernel/dma/debug.c, which lie side by side.
DMA_DEBUG = ("debug_dma_", "add_dma_entry", "active_cacheline_insert", "dma_entry_alloc")
DMA_DEBUG_AT_MOST = 1 << 16


def symbols():
    """Address, name and module, if any, of each function, in the order of addresses."""
    with open("/proc/kallsyms", encoding="ascii") as file:
        words = [line.split() for line in file]
    return sorted(
        (int(word[0], 16), word[2], word[3] if len(word) > 3 else "")
        for word in words
        if word[1] in "tT"
    )


def text_of_dma_debug():
    """First address of the detector of DMA errors, and the first one after it."""
    text = [(address, name) for address, name, module in symbols() if not module]
    own = [number for number, (_, name) in enumerate(text) if name.startswith(DMA_DEBUG)]
    first, last = text[own[0]][0], text[own[-1] + 1][0]
    if last - first > DMA_DEBUG_AT_MOST:
        raise SystemExit(f"the DMA debugging code is not in one place: {first:#x} to {last:#x}")
    return first, last


def text_of(pattern):
    """The same of a function of the driver."""
    text = [(address, name) for address, name, module in symbols() if module == "[igb_rs]"]
    found = [number for number, (_, name) in enumerate(text) if re.search(pattern, name)]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} functions of the driver match {pattern}")
    return text[found[0]][0], text[found[0] + 1][0]


def text_of_driver():
    """The same of all of the driver."""
    text = [address for address, _, module in symbols() if module == "[igb_rs]"]
    return text[0], text[-1]


EVERYWHERE = 0, (1 << 64) - 1


def arm(required, stacks=False):
    """Allocations that may sleep are failed too; that is most of them. Those of the detector of DMA
    errors are not: it would give up at the first."""
    rejected = text_of_dma_debug()
    for kind in ("failslab", "fail_page_alloc"):
        write(f"{DEBUGFS}/{kind}/ignore-gfp-wait", "N")
        write(f"{DEBUGFS}/{kind}/stacktrace-depth", "32")
        # Announced without its stack, in which a report of another processor could hide.
        write(f"{DEBUGFS}/{kind}/verbose", "2" if stacks else "1")
        for name, bounds in (("reject", rejected), ("require", required)):
            for end, address in zip(("start", "end"), bounds):
                write(f"{DEBUGFS}/{kind}/{name}-{end}", f"{address:#x}")
    write(f"{DEBUGFS}/fail_page_alloc/ignore-gfp-highmem", "N")
    write(f"{DEBUGFS}/fail_page_alloc/min-order", "0")
    # What is not an allocation, but a packet that is copied on purpose, is counted as well, unless it
    # belongs to another interface.
    write(f"{DEBUGFS}/fail_skb_realloc/devname", "none")


MANY = 1 << 30
ROUNDS = 4


class Sweep:
    """One operation, each time with a later allocation that fails."""

    def __init__(self, operation, samples, nth):
        self.operation = operation
        self.once = nth is not None
        self.counter = os.open(operation.thread + "/fail-nth", os.O_RDWR)
        total = self.usual_allocations()
        step = -(-total // samples) if samples else 1
        self.nth = nth or (1 + step // 2 if samples else 1)
        # Retries make an operation with failures longer than one without.
        self.limit = 4 * total + 2 * step
        self.tries_left = ROUNDS
        self.goes_on = True
        self.result = {
            "allocations": total,
            "step": step,
            "failed": 0,
            "codes": collections.Counter(),
            "first": {},
            "wrong": [],
            "end": None,
        }

    def allocations(self):
        """How many the operation makes when none fails."""
        self.operation.undo()
        self.set_counter(MANY)
        self.operation.do()
        left = self.left()
        self.set_counter(0)
        if not self.operation.settled():
            raise SystemExit("the operation has no effect, although nothing was made to fail")
        return MANY - left

    def usual_allocations(self):
        """How many the operation makes at least, over some rounds. More are made when a cache has to
        be filled: always in the first round, and now and then in any other."""
        self.allocations()
        return min(self.allocations() for _ in range(ROUNDS))

    def set_counter(self, nth):
        os.pwrite(self.counter, b"%d" % nth, 0)

    def left(self):
        return int(os.pread(self.counter, 20, 0).split(b"\0")[0])

    def attempt(self):
        """Does it with an allocation failing. Returns whether one was failed, and the errno."""
        code = 0
        self.set_counter(self.nth)
        try:
            self.operation.do()
        except OSError as error:
            code = error.errno
        failed = self.left() == 0
        self.set_counter(0)
        return failed, code

    def again(self, code):
        """The next try after a failure; returns what is wrong with it."""
        try:
            self.operation.undo()
            self.operation.do()
        except OSError as error:
            return f"after {os.strerror(code)}, the next try fails: {error}"
        if not self.operation.settled():
            return f"after {os.strerror(code)}, the next try has no effect"
        return None

    def advance(self):
        """The turn of the next allocation."""
        self.operation.undo()
        injected, code = self.attempt()
        trouble = None
        if not injected:
            if code or not self.operation.settled():
                trouble = "nothing was made to fail: " + (os.strerror(code) or "no effect")
            elif self.nth <= self.result["allocations"] and self.tries_left:
                # It had something left from the round before. That is not so in every round.
                self.tries_left -= 1
                return
            self.result["end"] = self.nth
        else:
            self.tries_left = ROUNDS
            self.result["failed"] += 1
            name = errno.errorcode.get(code, str(code)) if code else "tolerated"
            self.result["codes"][name] += 1
            self.result["first"].setdefault(name, self.nth)
            if code == 0 and not self.operation.promised():
                self.result["wrong"].append([self.nth, "reported as done, but it is not"])
            trouble = self.again(code)
        if trouble:
            self.result["wrong"].append([self.nth, trouble])
        self.nth += self.result["step"]
        self.goes_on = injected and not trouble and self.nth < self.limit and not self.once


def sweep(operations, samples, nth):
    """All of them in turn, as one undoes what the other did: then nothing else has to."""
    sweeps = [Sweep(operation, samples, nth) for operation in operations]
    while any(each.goes_on for each in sweeps):
        for each in sweeps:
            if each.goes_on:
                each.advance()
    operations[0].undo()
    return [each.result for each in sweeps]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("--within")
    parser.add_argument("--interface", default="dut")
    parser.add_argument("--address", default="192.0.2.1")
    parser.add_argument("--pci", default="0000:01:00.0")
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--nth", type=int)
    options = parser.parse_args()
    arm(text_of(options.within) if options.within else EVERYWHERE, options.nth is not None)
    gc.disable()
    begin = time.monotonic()
    results = sweep(OPERATIONS[options.operation].ways(options), options.samples, options.nth)
    json.dump({"sweeps": results, "seconds": round(time.monotonic() - begin, 1)}, sys.stdout)


if __name__ == "__main__":
    main()
