# SPDX-License-Identifier: GPL-2.0
"""Has the PF's driver find that the controller has stopped queues, which the device model never does.

    stopped.py PF PAGE LVMMC WVBR        raises the interrupt for it, once, with these values to be read

PAGE is an ivshmem device (tests/qemu/support/bus.py). Its memory takes the place of the page that has both
registers until the interrupt is over. Nothing else reads or writes this page meanwhile: there is one processor, and
this program does not let go of it.
"""

import mmap
import os

from away import BAR_2, DEVICES, Config
from by_hand import by_hand
from registers import open_bar

STATUS, ICS, DOUTSYNC = 0x0008, 0x00C8, 1 << 28
REGISTERS, LVMMC, WVBR = 0x3000, 0x548, 0x554
# An interrupt comes between two accesses.
READS = 100


def fill(page, lvmmc, wvbr):
    with open(f"{DEVICES}/{page}/resource2", "r+b") as file:
        words = memoryview(mmap.mmap(file.fileno(), mmap.PAGESIZE)).cast("I")
    words[LVMMC // 4], words[WVBR // 4] = lvmmc, wvbr


def answer(arguments, _):
    pf, page, lvmmc, wvbr = arguments
    if os.cpu_count() != 1:
        raise ValueError("the work item would run on another processor")
    bar, config = open_bar(pf), Config(page)
    place = config.read(BAR_2, "<I")
    config.decode(True)
    fill(page, int(lvmmc, 0), int(wvbr, 0))
    config.decode(False)
    with open(f"{DEVICES}/{pf}/resource", encoding="ascii") as file:
        config.write(BAR_2, "<I", int(file.readline().split()[0], 16) + REGISTERS)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    config.decode(True)
    bar[ICS // 4] = DOUTSYNC
    for _ in range(READS):
        bar[STATUS // 4]
    config.decode(False)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    config.write(BAR_2, "<I", place)


if __name__ == "__main__":
    by_hand(answer)
