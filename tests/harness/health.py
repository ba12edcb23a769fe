# SPDX-License-Identifier: GPL-2.0
"""Judges what a guest's kernel and device model reported while a test ran."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable
from pathlib import Path

from .config import DRIVERS
from .guest import Guest

# Whatever the kernel prints when it found something wrong with itself or with a driver.
REPORTS = re.compile(
    r"BUG:|WARNING:|Oops|Call Trace|general protection|unable to handle|Kernel panic"
    r"|invalid opcode|\bleak|refcount|blocked for more than|soft lockup|hard LOCKUP"
    r"|detected stall|rcu.*stall|UBSAN|KASAN|KCSAN|KFENCE|DMA-API|stack-protector"
    r"|scheduling while atomic|sleeping function called|possible (circular|recursive) locking"
    r"|inconsistent lock state|suspicious RCU|NETDEV WATCHDOG|transmit queue \d+ timed out"
    r"|pagealloc: (memory corruption|single bit error)|ODEBUG disabled"
    r"|unregister_netdevice: waiting|ref_tracker: .* users at"
    r"|page_pool_release_retry|still in use|DMAR.*fault|Tx Unit Hang|nobody cared"
    r"|areas of DMA memory"
)

# Of these, what begins a report wherever it stands: another processor may have something to say in
# the middle of somebody else's stack.
_HEADINGS = re.compile(
    r"BUG: |WARNING: |UBSAN: |DMA-API: .* device driver|general protection fault"
    r"|unable to handle|pagealloc: (memory corruption|single bit error)"
)

NO_ANSWER = "the guest does not answer after the test"
# Complaints that a machine busy with something else can cause.
OF_TIME = re.compile(rf"stall|blocked for more than|lockup|LOCKUP|timed out|{NO_ANSWER}")

# Lines of no report: announcements of fault injection (which bring no stack when asked not to), of
# the detectors themselves, the page a report was about, and what unit tests provoke. Which leaks kmemleak has found is asked
# for (Leaks).
HARMLESS = re.compile(
    r"FAULT_INJECTION: forcing a failure"
    r"|kmemleak: (Kernel memory leak detector|Automatic memory scanning"
    r"|Cannot insert|Disabled|\d+ new suspected)"
    r"|DMA-API: (preallocated|debugging enabled)"
    r"|kasan: KernelAddressSanitizer initialized"
    r"|kcsan: (enabled|selftest)|refcount.*tracker|page: refcount:\d"
    r"|net-kunit-\d+: \d+ areas of DMA memory"
)

# Reports that every driver of their kind provokes: how one begins, and what its stack has. The PCI
# core wants a lock held while functions are removed, which whoever unbinds a driver does not take:
# and the driver cannot, as somebody who removes its whole device holds it already.
_OF_ANY_DRIVER = (
    (
        re.compile(r"WARNING: drivers/pci/remove\.c:\d+ at pci_stop_and_remove_bus_device\+"),
        re.compile(r"\bsriov_disable\+.*\bpci_device_remove\+", re.DOTALL),
    ),
    # The other end of the wire waits while the device under test does not receive.
    (re.compile(r"\] virtio_net virtio\d+ \S+: NETDEV WATCHDOG"), re.compile("")),
)
# The kernel has data races of its own. One counts when a module under test has a part in it.
_RACE = re.compile(r"KCSAN: data-race")
_UNDER_TEST = re.compile(rf"\[({'|'.join(DRIVERS)}|break_rule)\]")

# How a report of many lines ends, by how it begins. What it spans is shown with it.
_ENDS = (
    (re.compile(r"KASAN|KCSAN|UBSAN"), re.compile(r"={40}|---\[ end")),
    (
        re.compile(
            r"WARNING: \S+:\d+ at |WARNING: CPU: |kernel BUG|Oops|general protection|unable to handle"
        ),
        re.compile(r"---\[ end trace"),
    ),
    (re.compile(""), re.compile(r"</TASK>")),
)
LONGEST_REPORT = 250
# A line that is no heading but followed by a stack has it within this many lines, the processor's
# registers among them; lockdep prints both chains first.
STACK_WITHIN = 25
_LOCKDEP = re.compile(
    r"possible (circular|recursive|irq)|inconsistent lock|lock held|suspicious RCU"
    r"|invalid wait context|bad unlock|lock order"
)

_marks = itertools.count(1)


def _last_line(lines: list[str], first: int) -> int:
    """Index of the last line of the report that begins at `first`."""
    heading = lines[first]
    end = next(end for begin, end in _ENDS if begin.search(heading))
    window = lines[first + 1 : first + LONGEST_REPORT]
    if (
        not _LOCKDEP.search(heading)
        and not _RACE.search(heading)
        and not any("Call Trace" in line for line in window[:STACK_WITHIN])
    ):
        return first
    for number, line in enumerate(window, first + 1):
        if _HEADINGS.search(line):
            return number - 1
        if end.search(line):
            return number
    return first


def reports(lines: list[str]) -> list[list[str]]:
    """The reports among the lines of a kernel log: each its heading and what belongs to it."""
    found = []
    number = 0
    while number < len(lines):
        if not REPORTS.search(lines[number]) or HARMLESS.search(lines[number]):
            number += 1
            continue
        last = _last_line(lines, number)
        found.append(lines[number : last + 1])
        number = last + 1
    return found


def _is_of_others(report: list[str]) -> bool:
    """Whether the module under test has no part in it. A report without its end may be anyone's."""
    text = "\n".join(report)
    if _RACE.search(report[0]):
        return len(report) > 1 and not _UNDER_TEST.search(text)
    return any(
        heading.search(report[0]) and stack.search(text) for heading, stack in _OF_ANY_DRIVER
    )


def judge(lines: list[str], allowed: Iterable[str] = ()) -> list[str]:
    """The reports among the lines of a kernel log that fail a test, with their stacks: not those
    whose heading matches a regular expression of `allowed`."""
    excused = [re.compile(pattern) for pattern in allowed]
    return [
        "\n".join(report)
        for report in reports(lines)
        if not _is_of_others(report) and not any(e.search(report[0]) for e in excused)
    ]


class KernelLog:
    """The part of the kernel log written after construction."""

    @staticmethod
    def of_boot(guest: Guest) -> list[str]:
        """Reports so far."""
        return judge(guest.run("dmesg").out.splitlines())

    def __init__(self, guest: Guest, label: str):
        self.guest = guest
        self.mark = f"harness mark {next(_marks)}:"
        guest.write("/dev/kmsg", f"<6>{self.mark} {label}\n")

    def lines(self) -> list[str]:
        """What was logged since. The mark itself is missing if the log was flooded."""
        found = self.guest.run(f"dmesg | sed -n '/{self.mark}/,$p'").out.splitlines()
        if found:
            return found[1:]
        return [
            "BUG: harness: the kernel log overflowed during the test",
            *self.guest.run("dmesg").out.splitlines(),
        ]

    def complaints(self, allowed: Iterable[str] = ()) -> list[str]:
        """Reports that fail a test, with their stacks, except those whose heading matches a
        regular expression of `allowed`."""
        return judge(self.lines(), allowed)


def watches_locks(guest: Guest) -> bool:
    """Whether lockdep is at work. It ends its watch at its first report, and when something else
    has gone wrong that makes it doubt what it sees."""
    return guest.config.boots.watches("lockdep") and guest.succeeds(
        "grep -q 'debug_locks: *1' /proc/lockdep_stats"
    )


# The kernel's own, where an allocation is made to fail: ida_alloc_range() forgets the bitmap it has just
# allocated when there is no memory for the node that is to hold it.
_FORGOTTEN_BITMAP = re.compile(r"backtrace[^\n]*\n\s+\S*alloc\S*\n\s+ida_alloc_range\+")


def leaks(text: str) -> list[str]:
    """The leaks in what kmemleak shows, each with its stack."""
    return [
        f"leak: {leak}".rstrip()
        for leak in text.split("unreferenced object ")[1:]
        if not _FORGOTTEN_BITMAP.search(leak)
    ]


class Leaks:
    """Memory that nothing refers to any more, as kmemleak finds it."""

    FILE = "/sys/kernel/debug/kmemleak"
    # kmemleak leaves alone what is younger.
    MINIMAL_AGE = 5

    def __init__(self, guest: Guest):
        self.guest = guest

    def forget(self):
        """What leaked before does not count any more."""
        self.guest.run(f"echo clear >{self.FILE}")

    def found(self) -> list[str]:
        """Each leak with the stack that allocated it. An object is reported by a scan that finds
        it as the scan before left it, so never by the first one. A pointer that was on its way
        from one place to another during a scan looks like a leak: only one more scan decides."""
        self.guest.run(
            f"sleep {self.MINIMAL_AGE}; echo scan >{self.FILE}; echo scan >{self.FILE}", timeout=60
        )
        if not self.guest.succeeds(f"grep -q . {self.FILE}"):
            return []
        self.guest.run(f"sleep 1; echo scan >{self.FILE}", timeout=60)
        return leaks(self.guest.run(f"cat {self.FILE}").out)


# A processor is told to free packets that another one has done with, and does so when it receives something
# the next time: so each receives something.
RECEIVE_ON_EACH_CPU = """
    for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
        taskset -c ${cpu##*cpu} ping -c 1 -q 127.0.0.1
    done"""


def stalled_pools(guest: Guest, patience: float = 10) -> list[str]:
    """Page pools that were given up, and are still kept for pages that did not come back. Those of
    packets somebody has not read yet do come back."""
    end = time.monotonic() + patience * guest.slowness
    while True:
        pools = guest.ask("page_pools")
        stalled = [
            f"page pool {pool['id']}: given up, {pool['inflight']} pages are missing"
            for pool in pools
            if pool["detached"]
        ]
        if not stalled or time.monotonic() > end:
            return stalled
        guest.run(RECEIVE_ON_EACH_CPU, check=False)
        time.sleep(0.5)


def left_behind(guest: Guest) -> list[str]:
    """What the guest's kernel was not given back, as far as it can tell."""
    leaked = Leaks(guest).found() if guest.config.boots.watches("kmemleak") else []
    return leaked + stalled_pools(guest)


def _allow_list() -> list[re.Pattern]:
    text = Path(__file__).with_name("traces.allow").read_text(encoding="utf-8")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [re.compile(line) for line in lines if line]


class ModelTrace:
    """Register accesses unknown to the device model since construction."""

    def __init__(self, guest: Guest):
        self.path = guest.machine.trace_log
        self.start = self.path.stat().st_size

    def complaints(self, allowed: Iterable[str] = ()) -> list[str]:
        """Each different line once, except those the allow-list or `allowed` explains."""
        excused = [*_allow_list(), *map(re.compile, allowed)]
        with open(self.path, encoding="utf-8", errors="replace") as file:
            file.seek(self.start)
            lines = [line.strip() for line in file]
        seen = {line for line in lines if line and not any(e.search(line) for e in excused)}
        return sorted(seen)
