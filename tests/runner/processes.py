# SPDX-License-Identifier: GPL-2.0
"""Child processes, which all end when run-all does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable

from . import CLONE

_alive: set[subprocess.Popen] = set()
_lock = threading.Lock()
_ending = threading.Event()


class Ended(Exception):
    """run-all is about to end."""


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str] | None = None, **options):
    """Runs it in the clone; ended with the block."""
    with _lock:
        if _ending.is_set():
            raise Ended(f"{command[0]} is not started any more")
        process = subprocess.Popen(
            command,
            cwd=CLONE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            **options,
        )
        _alive.add(process)
    try:
        yield process
    finally:
        _end(process)
        with _lock:
            _alive.discard(process)


def shown(
    command: list[str], say: Callable[[str], None], environment: dict[str, str] | None = None
) -> int:
    """Status. Each line that is printed is said at once, with its end."""
    with started(
        command,
        environment,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout:
            say(line)
        return process.wait()


def output_of(command: list[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Status, and all that was printed."""
    lines: list[str] = []
    status = shown(command, lines.append, environment)
    return status, "".join(lines)


# What a guest and its QEMU may take; a host of guests has 3 GiB.
BYTES_OF_A_GUEST = 5 << 29


def at_once() -> int:
    """How many jobs to do at a time: one and a half for each processor, and one more, as a guest waits
    for a third of its time (for links, timers, the watchdogs of drivers); or as many as there is memory
    for."""
    with open("/proc/meminfo", encoding="ascii") as file:
        words = next(line for line in file if line.startswith("MemAvailable:")).split()
    enough = int(words[1]) * 1024 // BYTES_OF_A_GUEST
    return max(1, min(len(os.sched_getaffinity(0)) * 3 // 2 + 1, enough))


def end_all():
    """For an interrupt: whoever waits for a process sees its end, and can start no other."""
    _ending.set()
    with _lock:
        processes = list(_alive)
    for process in processes:
        _end(process)


def _end(process: subprocess.Popen):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
