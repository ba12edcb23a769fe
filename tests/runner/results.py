# SPDX-License-Identifier: GPL-2.0
"""What became of the tests in guests with one kernel."""

from __future__ import annotations

import threading
from pathlib import Path

from .counts import Counts

PHASES = ("setup", "call", "teardown")
# Lines of a failed test that are shown once more, at the end of the run.
WORDS = 6


def short(test: str) -> str:
    """A test without the directory of its file."""
    path, colons, name = test.partition("::")
    return path.rpartition("/")[2] + colons + name


class Results:
    """Outcomes by test. Usable from several threads."""

    def __init__(self, kernel: str):
        self.kernel = kernel
        self.expected = 0
        self.tests: dict[str, dict] = {}  # messages of worker.py, and `group`
        self.complaints: list[str] = []  # not about a test
        self._lock = threading.Lock()

    def add(self, message: dict, group: str):
        with self._lock:
            self.tests[message["ends"]] = {**message, "group": group}

    def broken(self, complaint: str):
        with self._lock:
            self.complaints.append(complaint)

    def line(self, message: dict) -> str:
        """About a test that has just ended; in full if it failed."""
        width = len(str(self.expected))
        outcome = "ok" if message["outcome"] == "passed" else message["outcome"]
        seconds = sum(message["seconds"].values())
        text = (
            f"[{len(self.tests):{width}}/{self.expected}] {self.kernel:<6} "
            f"{short(message['ends'])}  {outcome.upper() if outcome == 'failed' else outcome}"
            f"  {seconds:.1f} s"
        )
        if outcome == "skipped":
            text += f"  ({message['reason']})"
        return f"{text}\n{message['text']}\n" if outcome == "failed" else text

    def failed(self) -> list[str]:
        return [test for test, result in self.tests.items() if result["outcome"] == "failed"]

    def doubtful(self) -> list[str]:
        """Failed, but not with a report of the kernel: what was seen once need not show again."""
        return [test for test in self.failed() if not self.tests[test]["reported"]]

    def replace(self, other: Results) -> list[str]:
        """What a repetition has found counts; returns the tests that passed then."""
        self.tests.update(other.tests)
        self.complaints += other.complaints
        return [test for test, result in other.tests.items() if result["outcome"] == "passed"]

    def why(self, test: str) -> str:
        """The first lines of what a failed test says is wrong."""
        lines = self.tests[test]["text"].splitlines()
        said = [line[1:].strip() for line in lines if line.startswith("E ")] or lines[-WORDS:]
        return "\n".join(f"    {line}" for line in said[:WORDS])

    def counts(self) -> Counts:
        counts = Counts.of(*(result["outcome"] for result in self.tests.values()))
        counts.failed += len(self.complaints)
        missing = self.expected - len(self.tests)
        if missing > 0 and not counts.failed:
            counts.failed += 1  # not all have run, and nothing else says why
        return counts


def table(runs: list[Results]) -> list[str]:
    """One row per test, whatever its parameters; one column per kernel."""
    cells: dict[str, dict[str, Counts]] = {}
    for run in runs:
        for test, result in run.tests.items():
            row = cells.setdefault(_row_name(test), {})
            row.setdefault(run.kernel, Counts()).__iadd__(Counts.of(result["outcome"]))
    width = max(map(len, cells), default=0)
    kernels = [run.kernel for run in runs]
    return [
        " ".join(["test".ljust(width), *(kernel.ljust(12) for kernel in kernels)]),
        *(
            " ".join(
                [
                    name.ljust(width),
                    *(_cell(cells[name].get(kernel)).ljust(12) for kernel in kernels),
                ]
            ).rstrip()
            for name in sorted(cells)
        ),
    ]


def _row_name(test: str) -> str:
    return Path(test.split("[")[0]).name.replace(".py::", ".")


def _cell(counts: Counts | None) -> str:
    """`-`: not for this kernel, or not part of this run."""
    if counts is None:
        return "-"
    total = counts.passed + counts.failed + counts.skipped
    if counts.failed:
        return f"FAILED {counts.failed}/{total}"
    if not counts.passed:
        return "skipped"
    return "ok" if total == 1 else f"ok {counts.passed}/{total}"
