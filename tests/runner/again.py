# SPDX-License-Identifier: GPL-2.0
"""Does the jobs of a run, and once more what may have failed because the machine was busy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from .console import Console
from .guests import GuestTests, Run
from .plan import Plan
from .pool import Pool, Stretch
from .processes import at_once

# With more failed tests than this, none is repeated.
REPEATED_AT_MOST = 6


@dataclasses.dataclass
class Repeated:
    """What passed when it was repeated, with what it had said at first."""

    tests: dict[str, dict[str, str]]  # by kernel
    commands: dict[str, str]


def run_jobs(jobs: list, runs: Iterable[Run], console: Console) -> Pool:
    """All of them, to their ends."""
    pool = Pool(jobs, at_once(), console)
    for run in runs:
        run.changed = pool.notify
    pool.run()
    return pool


def repeat(plan: Plan, console: Console) -> tuple[Repeated, list[Stretch]]:
    """Tests in new guests, if they are few, and commands; with the time that took."""
    first = {
        run.kernel: {test: run.results.why(test) for test in run.results.doubtful()}
        for run in plan.runs
        if len(run.results.failed()) <= REPEATED_AT_MOST
    }
    again = {
        run.kernel: Run(
            run.driver,
            run.kernel,
            run.arguments,
            run.recorded,
            name="-again",
            only=set(first[run.kernel]),
        )
        for run in plan.runs
        if first.get(run.kernel)
    }
    commands = [command for command in plan.commands if command.is_doubtful()]
    if not again and not commands:
        return Repeated({}, {}), []
    names = [command.name for command in commands]
    names += [
        f"{len(run.only)} tests that failed, kernel {kernel}" for kernel, run in again.items()
    ]
    console.say(f"\n==> once more: {', '.join(names)}")
    said = {command: command.last_words() for command in commands}
    for command in commands:
        command.reset()
    jobs = [GuestTests(console, run, alone) for run in again.values() for alone in (False, True)]
    pool = run_jobs([*commands, *jobs], again.values(), console)
    repeated = Repeated({}, {})
    for run in plan.runs:
        if run.kernel in again:
            passed = run.results.replace(again[run.kernel].results)
            repeated.tests[run.kernel] = {test: first[run.kernel][test] for test in passed}
    repeated.commands = {
        command.name: words for command, words in said.items() if not command.counts.failed
    }
    return repeated, pool.stretches
