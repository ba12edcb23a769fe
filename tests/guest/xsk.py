# SPDX-License-Identifier: GPL-2.0
"""An AF_XDP socket on a queue of an interface, until SIGTERM; then prints a JSON object of counts.

    xsk.py <plan

The plan is an object:

    interface, queue    what it is bound to
    mode                "zero_copy" or "copy": which one is insisted on
    wakeup              it is told when it has to wake the driver
    chunk, chunks       bytes of a buffer; how many there are, which is also the size of each ring
    map                 id of an XSKMAP that is to have the socket at `queue`, or null
    task                "bounce": sends each frame back where it came from
                        "drop": gives each buffer back
                        "keep": gives none back
                        "send": sends frames of `sizes` to `destination`, then waits. With a map,
                        half of the buffers are for frames that are received meanwhile
    ready               path of a file that is made when it is bound, and all of `send` is reported

Linux: Documentation/networking/af_xdp.rst.
"""

import contextlib
import ctypes
import errno
import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time

AF_XDP, SOL_XDP = 44, 283
MMAP_OFFSETS, RX_RING, TX_RING, UMEM_REG, FILL_RING, COMPLETION_RING, STATISTICS, OPTIONS = range(
    1, 9
)
PAGE_OFFSETS = {
    RX_RING: 0,
    TX_RING: 0x8000_0000,
    FILL_RING: 0x1_0000_0000,
    COMPLETION_RING: 0x1_8000_0000,
}
COPY, ZERO_COPY, USE_NEED_WAKEUP = 1 << 1, 1 << 2, 1 << 3
NEED_WAKEUP = 1
DESC = struct.Struct("QII")
ADDR = struct.Struct("Q")
ETHERTYPE = b"\x88\xb5"
SYS_BPF, MAP_UPDATE_ELEM, MAP_GET_FD_BY_ID = 321, 2, 14
# What a socket may be told while its queue is opened anew.
PASSING = {errno.EAGAIN, errno.EBUSY, errno.ENOBUFS, errno.ENETDOWN, errno.ENXIO}

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return checked(libc.syscall(SYS_BPF, command, buffer, len(attributes)), "bpf")


def address_of(text):
    return bytes.fromhex(text.replace(":", ""))


class Ring:
    """A ring shared with the kernel: this end produces or consumes."""

    def __init__(self, link, kind, entries, offsets, entry):
        link.setsockopt(SOL_XDP, kind, entries)
        producer, consumer, first, flags = offsets
        area = mmap.mmap(
            link.fileno(),
            first + entries * entry.size,
            flags=mmap.MAP_SHARED | mmap.MAP_POPULATE,
            offset=PAGE_OFFSETS[kind],
        )
        words = memoryview(area).cast("I")
        self.area, self.words, self.entry, self.entries = area, words, entry, entries
        self.producer, self.consumer, self.flags = producer // 4, consumer // 4, flags // 4
        self.first = first
        self.at = 0  # where this end is

    def _offset(self, position):
        return self.first + position % self.entries * self.entry.size

    def take(self):
        """All entries there are."""
        end = self.words[self.producer]
        found = []
        while self.at != end:
            found.append(self.entry.unpack_from(self.area, self._offset(self.at)))
            self.at = self.at + 1 & 0xFFFF_FFFF
        self.words[self.consumer] = self.at
        return found

    def put(self, entries):
        """There is room for them."""
        for entry in entries:
            self.entry.pack_into(self.area, self._offset(self.at), *entry)
            self.at = self.at + 1 & 0xFFFF_FFFF
        self.words[self.producer] = self.at

    def wants_wakeup(self):
        return bool(self.words[self.flags] & NEED_WAKEUP)


class Xsk:
    def __init__(self, plan):
        self.plan = plan
        self.chunk, count = plan["chunk"], plan["chunks"]
        self.link = socket.socket(AF_XDP, socket.SOCK_RAW)
        self.memory = mmap.mmap(-1, self.chunk * count)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.link.setsockopt(
            SOL_XDP, UMEM_REG, struct.pack("QQIIII", address, len(self.memory), self.chunk, 0, 0, 0)
        )
        self.fill, self.completion, self.rx, self.tx = self._rings(count)
        self.free = [index * self.chunk for index in range(count)]
        self.counts = {"received": 0, "sent": 0, "completed": 0}
        if plan["task"] != "send":
            self._give()
        elif plan["map"] is not None:
            # It may receive as well.
            kept, self.free = self.free[count // 2 :], self.free[: count // 2]
            self._give()
            self.free = kept
        self._bind()

    def _rings(self, count):
        kinds = (RX_RING, TX_RING, FILL_RING, COMPLETION_RING)
        offsets = struct.unpack("16Q", self.link.getsockopt(SOL_XDP, MMAP_OFFSETS, 128))
        of = {kind: offsets[4 * n : 4 * n + 4] for n, kind in enumerate(kinds)}
        return tuple(
            Ring(self.link, kind, count, of[kind], entry)
            for kind, entry in (
                (FILL_RING, ADDR),
                (COMPLETION_RING, ADDR),
                (RX_RING, DESC),
                (TX_RING, DESC),
            )
        )

    def _bind(self):
        plan = self.plan
        flags = {"zero_copy": ZERO_COPY, "copy": COPY}[plan["mode"]]
        if plan["wakeup"]:
            flags |= USE_NEED_WAKEUP
        index = socket.if_nametoindex(plan["interface"])
        where = struct.pack("HHIII", AF_XDP, flags, index, plan["queue"], 0)
        # The queue is busy until the kernel has taken it back from the socket before, by a work item.
        until = time.monotonic() + 10
        while libc.bind(self.link.fileno(), where, len(where)) < 0:
            if ctypes.get_errno() != errno.EBUSY or time.monotonic() > until:
                checked(-1, "bind")
            time.sleep(0.01)
        if plan["map"] is not None:
            table = bpf(MAP_GET_FD_BY_ID, struct.pack("III", plan["map"], 0, 0))
            key = ctypes.c_uint32(plan["queue"])
            value = ctypes.c_uint32(self.link.fileno())
            bpf(
                MAP_UPDATE_ELEM,
                struct.pack("IIQQQ", table, 0, ctypes.addressof(key), ctypes.addressof(value), 0),
            )

    def _give(self):
        """All free buffers to the kernel."""
        self.fill.put((address,) for address in self.free)
        self.free = []

    def send(self, descs):
        self.tx.put(descs)
        self.counts["sent"] += len(descs)
        self.kick()

    def kick(self):
        """Wakes the driver, if there is something it may not know of."""
        if not self.plan["wakeup"] or self.tx.wants_wakeup():
            self._ask(lambda: self.link.send(b"", socket.MSG_DONTWAIT))

    @staticmethod
    def _ask(call):
        try:
            call()
        except OSError as error:
            if error.errno not in PASSING:
                raise

    def complete(self):
        done = self.completion.take()
        self.counts["completed"] += len(done)
        self.free += [address & -self.chunk for (address,) in done]

    def turn(self):
        """What there is to do now."""
        got = self.rx.take()
        self.counts["received"] += len(got)
        task = self.plan["task"]
        if task == "bounce":
            for address, *_ in got:
                header = self.memory[address : address + 12]
                self.memory[address : address + 12] = header[6:] + header[:6]
            if got:
                self.send(got)
        elif task == "drop":
            self.free += [address & -self.chunk for address, *_ in got]
        self.complete()
        if task in ("bounce", "drop"):
            self._give()
        if self.counts["completed"] < self.counts["sent"]:
            self.kick()

    def run(self):
        poll = select.poll()
        poll.register(self.link, select.POLLIN)
        while True:
            # Waits, and wakes the driver if that is needed.
            poll.poll(2 if self.counts["completed"] < self.counts["sent"] else 50)
            self.turn()

    def send_all(self):
        """Frames of all sizes of the plan, as buffers become free; until all are reported."""
        with open(f"/sys/class/net/{self.plan['interface']}/address", encoding="ascii") as file:
            own = file.read().strip()
        header = address_of(self.plan["destination"]) + address_of(own) + ETHERTYPE
        sizes = list(self.plan["sizes"])
        poll = select.poll()
        poll.register(self.link, select.POLLOUT)
        while sizes or self.counts["completed"] < self.counts["sent"]:
            batch, sizes = sizes[: len(self.free)], sizes[len(self.free) :]
            descs = []
            for number, size in enumerate(batch):
                address = self.free[number]
                frame = (header + bytes(max(size - len(header), 0)))[:size]
                self.memory[address : address + size] = frame
                descs.append((address, size, 0))
            del self.free[: len(batch)]
            self.send(descs)
            poll.poll(1)
            self.kick()
            self.complete()

    def report(self):
        names = (
            "rx_dropped",
            "rx_invalid",
            "tx_invalid",
            "rx_ring_full",
            "fill_empty",
            "tx_empty",
        )
        values = struct.unpack("6Q", self.link.getsockopt(SOL_XDP, STATISTICS, 48))
        (options,) = struct.unpack("I", self.link.getsockopt(SOL_XDP, OPTIONS, 4))
        self.complete()
        return {
            **self.counts,
            **dict(zip(names, values, strict=True)),
            "zero_copy": bool(options & 1),
        }


def main():
    plan = json.loads(sys.stdin.read())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    xsk = Xsk(plan)
    try:
        if plan["task"] == "send":
            xsk.send_all()
        with open(plan["ready"], "w", encoding="ascii"):
            pass
        xsk.run()
    finally:
        with contextlib.suppress(OSError):
            print(json.dumps(xsk.report()), flush=True)


if __name__ == "__main__":
    main()
