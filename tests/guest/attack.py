# SPDX-License-Identifier: GPL-2.0
"""A VF in the hands of somebody who owns the guest: drives the VF's registers as fast as it can.

    attack.py BDF KIND SECONDS [SEED [CPU]]     prints {"operations": n, "seconds": s, "seed": s}

No driver must be bound to the VF. Kinds:

    harmless    reads a register of its own: what any guest may do all day, to compare with
    ring        rings for a message it has not written
    hold        holds the mailbox and rings
    ack         acknowledges what was never sent
    reset       VF_RESET messages, without waiting for an answer
    flr         resets its own function
    relapse     VF_RESET, and resets its own function before the PF has let it in
    garbage     random words for a message
    random      any of these, and random values in its other registers, a few at a time

What is left out: a VF's queues. What they may read and write in memory is up to the IOMMU.
"""

import json
import os
import random
import sys
import time
from mailbox import ACK, PFACK, REQ, V2PMAILBOX, VFU, VMBMEM, WORDS

from registers import open_bar

CTRL = 0x0000 // 4
CTRL_RST = 1 << 26
STATUS = 0x0008 // 4
VF_RESET = 0x01

# Registers of a VF besides mailbox and queues: control, interrupts, vector allocation.
OTHERS = [
    offset // 4
    for offset in (
        0x0000,
        0x1520,
        0x1524,
        0x1528,
        0x152C,
        0x1530,
        0x1580,
        0x1680,
        0x1684,
        0x1688,
        0x1700,
        0x1740,
    )
]
# First words that lead somewhere.
KINDS_OF_MESSAGE = [
    0x00001,
    0x00002,
    0x10002,
    0x20002,
    0x80003,
    0x1E0003,
    0x9E0003,
    0x00004,
    0x10004,
    0x00005,
    0x20006,
    0x30006,
    0x00100,
]


class Attacker:
    """One operation per call of a method."""

    def __init__(self, bar, seed):
        self.bar = bar
        self.random = random.Random(seed)
        self.methods = [
            self.ring,
            self.hold,
            self.ack,
            self.reset,
            self.relapse,
            self.garbage,
            self.message,
            self.other,
        ]

    def harmless(self):
        return self.bar[STATUS]

    def ring(self):
        self.bar[V2PMAILBOX] = REQ

    def hold(self):
        self.bar[V2PMAILBOX] = VFU | REQ

    def ack(self):
        self.bar[V2PMAILBOX] = ACK

    def reset(self):
        self.bar[VMBMEM] = VF_RESET
        self.bar[V2PMAILBOX] = REQ

    def flr(self):
        self.bar[CTRL] = CTRL_RST

    def relapse(self):
        self.reset()
        for _ in range(10000):
            if self.bar[V2PMAILBOX] & PFACK:
                break
        self.flr()

    def garbage(self):
        for word in range(WORDS):
            self.bar[VMBMEM + word] = self.random.getrandbits(32)
        self.bar[V2PMAILBOX] = REQ | self.random.choice((0, VFU))

    def message(self):
        """Something the PF understands, most of the time."""
        self.bar[VMBMEM] = self.random.choice(KINDS_OF_MESSAGE)
        self.bar[VMBMEM + 1] = self.random.choice(
            (self.random.randrange(4097), self.random.getrandbits(32), 0x9F000600)
        )
        self.bar[VMBMEM + 2] = self.random.choice((0, self.random.getrandbits(16)))
        self.bar[V2PMAILBOX] = REQ

    def other(self):
        self.bar[self.random.choice(OTHERS)] = self.random.getrandbits(32)

    def mixed(self):
        """Now a burst of one thing, now of another, now a pause in which the PF catches up."""
        method = self.random.choice(self.methods)
        for _ in range(self.random.choice((1, 1, 5, 50))):
            method()
        time.sleep(self.random.choice((0, 0, 0.001, 0.01)))


def main():
    pci, kind, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    if len(sys.argv) > 5:
        os.sched_setaffinity(0, {int(sys.argv[5])})
    attacker = Attacker(open_bar(pci), seed)
    operation = attacker.mixed if kind == "random" else getattr(attacker, kind)
    operations, begin = 0, time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        operation()
        operations += 1
    print(json.dumps({"operations": operations, "seconds": now - begin, "seed": seed}))


if __name__ == "__main__":
    main()
