# SPDX-License-Identifier: GPL-2.0
"""How soon the stamp of a sent frame is told while real-time tasks have CPUs to themselves.

Time is the number of instructions, so that a busy machine makes no difference: a nanosecond each, of
whichever CPU. So beside one busy CPU what this one does takes twice as long, and beside three four times.
"""

from __future__ import annotations

import contextlib

import pytest
from support.clocks import INSTRUCTIONS, NONE, SYNC, TX_ON, config, message, middle

from harness.topology import PF

US, MS = 1000, 10**6
LIMIT = MS
FRAMES = 100
# The highest priority there is.
HIGHEST = 99
# Microseconds between two interruptions of a loop (tests/guest/spin.py).
SLICE = 50
# How long who does not sleep waits for a stamp, in seconds.
PATIENCE = 0.02

pytestmark = [pytest.mark.timeout(600), pytest.mark.kernel("stock")]


def hosts(*numbers: int):
    """Parameters: guests with so many CPUs. All but the loops is on the first."""
    return pytest.mark.parametrize(
        "cpus",
        [
            pytest.param(
                cpus,
                marks=[
                    pytest.mark.guest(smp=cpus, cmdline=f"isolcpus=1-{cpus - 1}", **INSTRUCTIONS),
                    *([] if cpus == 2 else [pytest.mark.long]),
                ],
            )
            for cpus in numbers
        ],
    )


@contextlib.contextmanager
def loops(guest, cpus: int):
    """Busy loops on all CPUs but the first. Nobody gets a share of these by the scheduler's word. Each must have
    had its CPU nearly all of the time."""
    before = guest.read("/proc/sys/kernel/sched_rt_runtime_us")
    guest.run("echo -1 >/proc/sys/kernel/sched_rt_runtime_us")
    jobs = [guest.start_call("spin", cpu, HIGHEST, SLICE, timeout=3600) for cpu in range(1, cpus)]
    guest.wait_until(f"[ $(ps -C spin -o cls= | grep -c FF) = {len(jobs)} ]", 60)
    begin = times(guest)
    yield
    shares = [
        (used - used_before) / (now - start)
        for (start, used_before), (now, used) in zip(begin, times(guest), strict=True)
    ]
    for job in jobs:
        job.kill()
        job.wait(check=False)
    guest.run(f"echo {before} >/proc/sys/kernel/sched_rt_runtime_us")
    print("share of the loops:", [round(share, 2) for share in shares])
    assert len(shares) == cpus - 1 and min(shares) > 0.9, shares


def times(guest) -> list[tuple[int, int]]:
    """The system's time, and what each loop has had of its CPU, in nanoseconds."""
    lines = guest.run(
        "for pid in $(pgrep -x spin); do"
        " read used _ </proc/$pid/schedstat; echo $(date +%s%N) $used; done"
    ).out.splitlines()
    return [(int(now), int(used)) for now, used in map(str.split, lines)]


def told(name: str, guest, waited: list[int]):
    print(
        f"{guest.config.driver} {guest.config.kernel} {name}: {len(waited)} stamps after"
        f" {min(waited) / US:.0f} to {max(waited) / US:.0f} us, median {middle(waited) / US:.0f}"
    )


@hosts(2, 4)
def test_stamps_are_told_beside_busy_loops(lan, cpus):
    """On every other CPU. Who waits sleeps, as ptp4l does."""
    guest = lan.guest
    assert config(guest, PF, TX_ON, NONE) == (TX_ON, NONE)
    with loops(guest, cpus):
        sent = guest.ask("clock", "send", PF, value=[message(SYNC, n) for n in range(FRAMES)])
    assert all(one["stamp"] for one in sent)
    waited = [one["waited"] for one in sent]
    told(f"{cpus} CPUs", guest, waited)
    if guest.config.driver == "igb":
        return  # Most in time, and one in some hundred after 0.9 s.
    assert max(waited) < LIMIT


@hosts(2)
def test_stamps_are_told_to_who_does_not_sleep(lan, cpus):
    """It is such a loop itself, so that no CPU is left to anybody else. A work item, as C igb has one, waits until
    it sleeps."""
    guest = lan.guest
    assert config(guest, PF, TX_ON, NONE) == (TX_ON, NONE)
    frames = [message(SYNC, n) for n in range(20)]
    with loops(guest, cpus):
        sent = guest.ask("clock", "spin", PF, PATIENCE, HIGHEST, value=frames, timeout=120)
    waited = [one["waited"] for one in sent]
    told("a CPU of nobody's", guest, waited)
    if guest.config.driver == "igb":
        assert [one["stamp"] for one in sent] == [None] * len(frames)
        return
    assert all(one["stamp"] for one in sent)
    assert max(waited) < LIMIT
