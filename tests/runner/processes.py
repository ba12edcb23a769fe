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


def output_of(command: list[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Status, and all that was printed."""
    with started(
        command,
        environment,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        output, _ = process.communicate()
        return process.returncode, output


def shown(command: list[str], say: Callable[[str], None]) -> int:
    """Status. Each line that is printed is said at once."""
    with started(
        command,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout:
            say(line.rstrip())
        return process.wait()


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
