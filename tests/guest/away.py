# SPDX-License-Identifier: GPL-2.0
"""A controller that does not answer for a moment while VFs are enabled: registers of the PF read as ones, a reader
notices, and they are back.

    away.py PF ONES INTERFACE N      enables N VFs: whether it was while that went on, and what a register of the
                                     PHY is right afterwards, or a negative errno

ONES is an ivshmem device (tests/qemu/support/bus.py), whose memory takes the place of the PF's registers.
"""

import contextlib
import mmap
import os
import socket
import struct
import threading

import mii
from by_hand import by_hand

DEVICES = "/sys/bus/pci/devices"
PF_BAR_BYTES = 0x2_0000
COMMAND, BAR_2 = 0x04, 0x18
MEMORY = 1 << 1
EXTENDED, SRIOV, SRIOV_CONTROL, VF_ENABLE = 0x100, 0x10, 0x08, 1
PHYID1 = 2


class Config:
    """Configuration space of a function."""

    def __init__(self, pci):
        self.file = os.open(f"{DEVICES}/{pci}/config", os.O_RDWR | os.O_CLOEXEC)

    def read(self, offset, form):
        return struct.unpack(form, os.pread(self.file, struct.calcsize(form), offset))[0]

    def write(self, offset, form, value):
        os.pwrite(self.file, struct.pack(form, value), offset)

    def decode(self, on):
        """Whether it answers in memory."""
        command = self.read(COMMAND, "<H")
        self.write(COMMAND, "<H", command | MEMORY if on else command & ~MEMORY)

    def extended(self, kind):
        """Where a capability is."""
        at = EXTENDED
        while at:
            head = self.read(at, "<I")
            if head & 0xFFFF == kind:
                return at
            at = head >> 20
        raise LookupError(kind)


class Curtain:
    """What is put before the PF's registers."""

    def __init__(self, pf, ones, name):
        self.pf, self.ones, self.name = Config(pf), Config(ones), name
        with open(f"{DEVICES}/{pf}/resource", encoding="ascii") as file:
            self.bar = int(file.readline().split()[0], 16)
        self.place = self.ones.read(BAR_2, "<I")
        self.ones.decode(True)
        with open(f"{DEVICES}/{ones}/resource2", "r+b") as file:
            mmap.mmap(file.fileno(), PF_BAR_BYTES)[:] = bytes([255]) * PF_BAR_BYTES
        self.ones.decode(False)

    def phy(self):
        """A register of the PHY, or a negative errno: the driver reads it at once."""
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            return mii.access(sock, self.name, "r", PHYID1)

    def moment(self):
        """The PF does not answer, and answers again."""
        self.ones.write(BAR_2, "<I", self.bar)
        self.pf.decode(False)
        self.ones.decode(True)
        found = self.phy()
        self.ones.decode(False)
        self.ones.write(BAR_2, "<I", self.place)
        self.pf.decode(True)
        if found >= 0:
            raise AssertionError(f"it is not noticed that the controller is away: {found}")


def enable(curtain, pf, nr_vfs):
    done = threading.Event()

    def write():
        with open(f"{DEVICES}/{pf}/sriov_numvfs", "w", encoding="ascii") as file:
            file.write(str(nr_vfs))
        done.set()

    control = curtain.pf.extended(SRIOV) + SRIOV_CONTROL
    writer = threading.Thread(target=write)
    writer.start()
    while not curtain.pf.read(control, "<H") & VF_ENABLE and not done.is_set():
        pass
    curtain.moment()
    within = not done.is_set()
    writer.join()
    return {"within": within, "phy": curtain.phy()}


def answer(arguments, _):
    pf, ones, name, nr_vfs = arguments
    return enable(Curtain(pf, ones, name), pf, int(nr_vfs))


if __name__ == "__main__":
    by_hand(answer)
