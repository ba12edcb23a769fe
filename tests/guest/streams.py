# SPDX-License-Identifier: GPL-2.0
"""Random data by TCP in several directions at once, compared byte for byte where it arrives.

    streams.py BYTES SECONDS <directions

A direction is {"source": namespace or null, "target": namespace or null, "address": that of the target,
"port": number}. The answer is a list with an object for each: {"received": bytes, "differs": at which byte
for the first time, or null, "checksum_errors": TCP checksum errors that the two namespaces counted
meanwhile}. Ends at the first difference, when all has arrived, or when nothing moves for so long.
"""

import functools
import os
import select
import socket

from by_hand import by_hand
from namespaces import inside

CHUNK = 1 << 18


def checksum_errors(netns):
    """Number of TCP segments with a bad checksum so far."""
    with inside(netns), open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        names, values = (line.split() for line in file if line.startswith("Tcp:"))
    return int(values[names.index("InCsumErrors")])


class Direction:
    """A connection, and how much of the data has gone through it."""

    def __init__(self, plan, data):
        self.data = data
        self.ends = (plan["source"], plan["target"])
        self.sent = self.received = 0
        self.differs = None
        self.errors_before = self._errors()
        family = socket.AF_INET6 if ":" in plan["address"] else socket.AF_INET
        where = (plan["address"], plan["port"])
        with inside(plan["target"]):
            listener = socket.create_server(where, family=family)
        with inside(plan["source"]):
            self.sender = socket.socket(family)
        self.sender.settimeout(plan["patience"])
        self.sender.connect(where)
        self.receiver, _ = listener.accept()
        listener.close()
        for end in (self.sender, self.receiver):
            end.setblocking(False)

    def _errors(self):
        return sum(map(checksum_errors, self.ends))

    def push(self):
        """Sends some; whether there is more."""
        self.sent += self.sender.send(self.data[self.sent : self.sent + CHUNK])
        if self.sent == len(self.data):
            self.sender.shutdown(socket.SHUT_WR)
        return self.sent < len(self.data)

    def pull(self):
        """Compares what is there; whether there may be more."""
        chunk = self.receiver.recv(CHUNK)
        expected = self.data[self.received : self.received + len(chunk)]
        if chunk != expected:
            self.differs = self.received + next(
                (index for index, (one, other) in enumerate(zip(chunk, expected)) if one != other),
                len(expected),
            )
        self.received += len(chunk)
        return bool(chunk) and self.differs is None

    def summary(self):
        return {
            "received": self.received,
            "differs": self.differs,
            "checksum_errors": self._errors() - self.errors_before,
        }


def transfer(directions, seconds):
    """Moves everything."""
    poll = select.poll()
    waiting = {}
    for direction in directions:
        for end, event, move in (
            (direction.sender, select.POLLOUT, direction.push),
            (direction.receiver, select.POLLIN, direction.pull),
        ):
            waiting[end.fileno()] = move
            poll.register(end, event)
    while waiting:
        ready = poll.poll(1000 * seconds)
        if not ready:
            return
        for fd, _ in ready:
            if not waiting[fd]():
                poll.unregister(fd)
                del waiting[fd]


@functools.cache
def random_data(size):
    return memoryview(os.urandom(size))


def answer(arguments, plans):
    size, seconds = int(arguments[0]), float(arguments[1])
    directions = [Direction({**plan, "patience": seconds}, random_data(size)) for plan in plans]
    transfer(directions, seconds)
    return [direction.summary() for direction in directions]


if __name__ == "__main__":
    by_hand(answer)
