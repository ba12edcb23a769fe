# SPDX-License-Identifier: GPL-2.0
"""The jobs of `make test` that are one command each."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from harness.health import reports

from . import BUILD
from .counts import Counts
from .pool import Task
from .processes import output_of, shown

# What tests/env/beside.sh shares with the command it makes products for.
BESIDE = "/run/beside"
# Lines that are shown once more, at the end of the run, of what failed.
LAST_WORDS = 25


class Command(Task):
    """One command. Its output is shown when it failed, and its end once more at the end of the run;
    `lines` picks what is shown otherwise."""

    lines = re.compile(r"(?!)")
    # Whether it can fail by chance, as on a busy machine.
    repeatable = False

    def __init__(
        self,
        console,
        name: str,
        command: list[str],
        after: tuple[Task, ...] = (),
        environment: dict[str, str] | None = None,
    ):
        super().__init__(name, after)
        self.console = console
        self.command = command
        self.environment = environment
        self.counts = Counts()
        self.output = ""

    def work(self) -> bool:
        begin = time.monotonic()
        status, output = self.perform()
        self.output = output
        self.counts = self.count(status, output)
        good = not self.counts.failed
        title = f"{'ok' if good else 'FAILED':<7} {self.name}  {time.monotonic() - begin:.1f} s"
        picked = [line for line in output.splitlines() if self.lines.search(line)]
        self.console.say("\n".join([title, *picked] if good else [title, output.rstrip()]))
        return good

    def last_words(self) -> str:
        """The end of what it printed, where it says what went wrong."""
        lines = self.output.rstrip().splitlines()
        return "\n".join(f"    {line}" for line in lines[-LAST_WORDS:])

    def is_doubtful(self) -> bool:
        """Whether it failed in a way that a busy machine may have caused: not with a report of the
        kernel."""
        return bool(
            self.repeatable and self.counts.failed and not reports(self.output.splitlines())
        )

    def perform(self) -> tuple[int, str]:
        """Status, and what is shown if it failed."""
        return output_of(self.command, self.environment)

    def count(self, status: int, _output: str) -> Counts:
        """What it adds to the sums."""
        return Counts(failed=1) if status else Counts(passed=1)


class Check(Command):
    """One of tests/check, which says by itself how it is called."""

    def __init__(self, console, check: str, after: tuple[Task, ...] = ()):
        super().__init__(console, f"check {check}", ["tests/check", check], after)


class HostTests(Command):
    """igb_core by cargo; a build failure counts as one failed test."""

    def __init__(self, console):
        super().__init__(
            console,
            "tests of igb_core on the host",
            ["cargo", "test", "--locked", "--manifest-path", "tests/host/Cargo.toml"],
            environment={"CARGO_TARGET_DIR": str(BUILD / "host")},
        )

    def count(self, status: int, output: str) -> Counts:
        counts = Counts()
        for found in re.finditer(
            r"^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored", output, re.MULTILINE
        ):
            counts += Counts(*map(int, found.groups()))
        if (status and not counts.failed) or (not status and not counts.passed):
            counts.failed += 1
        return counts


class UnitTests(Command):
    """What of the harness and of the programs needs no guest."""

    def __init__(self, console):
        super().__init__(
            console,
            "tests of the harness on the host",
            ["python3", "-m", "pytest", "-q", "--tb=short", "tests/unit"],
        )

    def count(self, status: int, output: str) -> Counts:
        found = {
            word: int(number)
            for number, word in re.findall(
                r"\b(\d+) (passed|failed|skipped|errors?)\b", output.rpartition("\n=")[2] or output
            )
        }
        errors = found.get("error", 0) + found.get("errors", 0)
        counts = Counts(
            found.get("passed", 0), found.get("failed", 0) + errors, found.get("skipped", 0)
        )
        if (status and not counts.failed) or not counts.passed:
            counts.failed += 1
        return counts


class Gate(Command):
    """Whether a packet costs more than recorded: one count for each row. What costs more does so twice;
    how polls and frames meet differs now and then."""

    repeatable = True

    lines = re.compile(r"^ok  ")

    def __init__(self, console, module: Task):
        super().__init__(console, "cost of a packet", ["tests/bench/run", "--gate"], (module,))

    def count(self, status: int, output: str) -> Counts:
        found = re.search(r"^gate: (\d+) passed, (\d+) failed$", output, re.MULTILINE)
        if found is None or (status != 0) != (int(found[2]) != 0):
            return Counts(failed=1)
        return Counts(int(found[1]), int(found[2]))


class Demonstration(Command):
    """`make run`, as a user would see it."""

    repeatable = True

    lines = re.compile(r"^Every step held")

    def __init__(self, console, driver: str, after: tuple[Task, ...]):
        super().__init__(console, "make run", ["tests/programs/run", "--driver", driver], after)


class Series(Command):
    """`make series`: builds each patch, and boots the kernel with all of them."""

    lines = re.compile(r"^Every step held")

    def __init__(self, console, after: tuple[Task, ...]):
        super().__init__(console, "make series", ["tests/series/make", "all"], after)


class Module(Command):
    def __init__(self, console, kernel: str, after: tuple[Task, ...] = ()):
        super().__init__(
            console,
            f"module for the kernel {kernel}",
            ["tests/build-module"],
            after,
            {"IGB_RS_FLAVOUR": kernel},
        )


class SecondDriver(Module):
    """The module of tests/second-driver for another kernel than the stock one, for which tests/check
    builds it. Its tests would; here that is done beside others."""

    def __init__(self, console, kernel: str, after: tuple[Task, ...] = ()):
        super().__init__(console, kernel, after)
        self.name = f"second driver for the kernel {kernel}"
        self.command = ["tests/build-second-driver"]


class Product(Command):
    """Waits for something that may still be made beside this run (tests/env/await), and shows how
    far it is."""

    background = True

    def __init__(self, console, product: str, needed: Callable[[], bool | None] = lambda: True):
        """`needed` returns None while that is not known."""
        super().__init__(console, f"{product}: made beside the tests", ["tests/env/await", product])
        self.product = product
        self.path = f"/{product}" if product in ("vm", "debian") else f"/{product}-kernel"
        self.needed = needed

    def give_up(self) -> None:
        """Nothing of this run needs it: it is not made, unless that has begun."""
        if os.path.exists(f"{BESIDE}/{self.product}.product"):
            with open(f"{BESIDE}/{self.product}.unwanted", "w", encoding="ascii"):
                pass

    def is_at_hand(self) -> bool:
        """Whether it is there, or on its way."""
        return os.path.exists(f"{self.path}/.manifest") or os.path.exists(
            f"{BESIDE}/{self.product}.product"
        )

    def ready(self) -> bool:
        return self.needed() is True and super().ready()

    def finished(self) -> bool:
        return super().finished() or (not self.started and self.needed() is False)

    def work(self) -> bool:
        # Most often it is there, and then nothing is said and counted. The directory alone may be a
        # place where nothing is mounted yet.
        return os.path.exists(f"{self.path}/.manifest") or super().work()

    def perform(self) -> tuple[int, str]:
        return shown(self.command, lambda line: self.console.say(f"        {line.rstrip()}")), ""

    def count(self, status: int, _output: str) -> Counts:
        return Counts(failed=1) if status else Counts()
