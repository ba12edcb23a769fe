# SPDX-License-Identifier: GPL-2.0
"""A guest that means harm: drives the registers of its VF, which has no driver.

    hostile.py BDF ATTACK SECONDS       prints {"rounds": n}

flood      a message after the other, granted or not, without waiting for answers
hold       takes the mailbox buffer and rings without ever giving it back
reset      resets the VF without pause, by register
registers  random values into every register of the VF but the mailbox, which has its own attacks
rings      queues whose descriptors are noise, at addresses that are and are not the guest's
spin       reads a register and does nothing with it: what a busy but honest guest costs
"""

import ctypes
import json
import mmap
import os
import random
import subprocess
import sys
import time

from registers import open_bar

CTRL, STATUS = 0x0, 0x8
CTRL_RST = 1 << 26
V2PMAILBOX, VMBMEM = 0xC40, 0x800
REQ, ACK, VFU = 1, 2, 4
RX, TX = 0x2800, 0x3800  # + 0x100 for the second queue
BAL, BAH, LEN, TAIL, DCTL = 0x00, 0x04, 0x08, 0x18, 0x28
ENABLE = 1 << 25
RING_BYTES = 4096
PAGE = 4096

REGISTERS = [
    offset for offset in range(0, 0x4000, 4) if not 0x800 <= offset < 0x840 and offset != V2PMAILBOX
]
# VF_RESET, SET_MAC_ADDR, SET_MULTICAST, SET_VLAN, SET_LPE, SET_PROMISC, and what is none of them
KINDS = (1, 2, 3, 4, 5, 6, 7, 0x0100, 0xFFFF)


def enable(bdf):
    """Memory accesses and bus mastering, as a driver would."""
    with open(f"/sys/bus/pci/devices/{bdf}/enable", "w", encoding="ascii") as file:
        file.write("1")
    subprocess.run(["setpci", "-s", bdf, "COMMAND=6:6"], check=True)


def noise_page():
    """A page of random bytes that stays where it is, and its physical address."""
    page = mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    page[:] = os.urandom(PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    if ctypes.CDLL(None).mlock(ctypes.c_void_p(address), PAGE):
        raise OSError("mlock failed")
    with open("/proc/self/pagemap", "rb") as pagemap:
        pagemap.seek(address // PAGE * 8)
        entry = int.from_bytes(pagemap.read(8), "little")
    return page, (entry & (1 << 55) - 1) * PAGE


class Attacker:
    def __init__(self, bdf, seed=1):
        self.bar = open_bar(bdf)
        self.random = random.Random(seed)
        self.page, self.physical = noise_page()

    def write(self, offset, value):
        self.bar[offset // 4] = value & 0xFFFFFFFF

    def noise(self):
        return self.random.getrandbits(32)

    def flood(self):
        self.write(V2PMAILBOX, VFU)
        words = [
            self.random.choice(KINDS) | self.noise() & 0xFFFF0000,
            *(self.noise() for _ in range(15)),
        ]
        for index, word in enumerate(words):
            self.write(VMBMEM + 4 * index, word)
        self.write(V2PMAILBOX, REQ)

    def hold(self):
        self.write(V2PMAILBOX, VFU)
        self.write(V2PMAILBOX, VFU | REQ | ACK)

    def reset(self):
        self.write(CTRL, CTRL_RST)

    def registers(self):
        self.write(self.random.choice(REGISTERS), self.noise())

    def rings(self):
        where = self.random.choice((self.physical, self.noise() << 12, 0xFFFFFFFF << 12, 0))
        for base in (RX, TX):
            self.write(base + DCTL, 0)
            self.write(base + BAL, where & 0xFFFFFFFF)
            self.write(base + BAH, where >> 32)
            self.write(base + LEN, RING_BYTES)
            self.write(base + DCTL, ENABLE)
            self.write(base + TAIL, self.random.randrange(RING_BYTES // 16))

    def spin(self):
        return self.bar[STATUS // 4]


def main():
    bdf, attack, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    enable(bdf)
    strike = getattr(Attacker(bdf), attack)
    rounds = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(10):
            strike()
        rounds += 10
    print(json.dumps({"rounds": rounds}))


if __name__ == "__main__":
    main()
