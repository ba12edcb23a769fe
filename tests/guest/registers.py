# SPDX-License-Identifier: GPL-2.0
"""Accesses 32-bit registers of a PCI function by mapping its BAR 0.

    registers.py BDF <plan          a list with one value per read
    registers.py BDF forever <plan  the plan over and over, until it is killed

The plan is a list of ["r", offset], ["w", offset, value] and ["s", seconds] to sleep. A function
without a driver has to be enabled first; one with a driver needs iomem=relaxed on the kernel command
line.
"""

import mmap
import os
import time

from by_hand import by_hand


def open_bar(bdf):
    """BAR 0 as a sequence of 32-bit registers: each access is exactly one load or store."""
    file = os.open(f"/sys/bus/pci/devices/{bdf}/resource0", os.O_RDWR | os.O_SYNC)
    try:
        return memoryview(mmap.mmap(file, os.fstat(file).st_size)).cast("I")
    finally:
        os.close(file)


def run(bar, plan):
    values = []
    for access, offset, *value in plan:
        if access == "r":
            values.append(bar[offset // 4])
        elif access == "s":
            time.sleep(offset)
        else:
            bar[offset // 4] = value[0]
    return values


def answer(arguments, plan):
    bar = open_bar(arguments[0])
    while arguments[1:] == ["forever"]:
        run(bar, plan)
    return run(bar, plan)


if __name__ == "__main__":
    by_hand(answer)
