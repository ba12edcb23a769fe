# SPDX-License-Identifier: GPL-2.0
"""Accesses 32-bit registers of a PCI function by mapping its BAR 0.

    registers.py BDF <plan          prints a JSON list with one value per read
    registers.py BDF forever <plan  the plan over and over, until it is killed

The plan is a list of ["r", offset], ["w", offset, value] and ["s", seconds] to sleep. A function
without a driver has to be enabled first; one with a driver needs iomem=relaxed on the kernel command
line.
"""

import json
import mmap
import os
import sys
import time


def open_bar(bdf):
    """BAR 0 as a sequence of 32-bit registers: each access is exactly one load or store."""
    file = os.open(f"/sys/bus/pci/devices/{bdf}/resource0", os.O_RDWR | os.O_SYNC)
    size = os.fstat(file).st_size
    return memoryview(mmap.mmap(file, size)).cast("I")


def main():
    bar = open_bar(sys.argv[1])
    plan = json.load(sys.stdin)
    while sys.argv[2:] == ["forever"]:
        run(bar, plan)
    print(json.dumps(run(bar, plan)))


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


if __name__ == "__main__":
    main()
