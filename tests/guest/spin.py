# SPDX-License-Identifier: GPL-2.0
"""Has a CPU to itself: a busy loop of the scheduling class SCHED_FIFO, until it is killed.

    spin.py CPU PRIORITY [MICROSECONDS]

With MICROSECONDS a timer interrupts the loop as often. That gives nobody else the CPU. Where QEMU counts
instructions as time, its one thread runs the CPUs in turn, and a turn is as long as no timer of any CPU is
due: without such a timer the other CPUs would stand still for milliseconds.
"""

import os
import signal
import sys


def main():
    cpu, priority, *interval = map(int, sys.argv[1:])
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    if interval:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, interval[0] / 1e6, interval[0] / 1e6)
    while True:
        pass


if __name__ == "__main__":
    main()
