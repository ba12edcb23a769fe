# SPDX-License-Identifier: GPL-2.0
"""Which jobs a run of tests/run-all consists of."""

import subprocess
from pathlib import Path

from . import CLONE, parts, record
from .counts import Counts
from .guests import GuestTests, Run

TEST_PATHS = ("tests/qemu", "tests/unit")


def selections(options, rest):
    """The runs of pytest: each a kernel and arguments."""
    chosen = []
    if "guest" in options.part:
        # Looking for races costs most and finds least in a test that does one thing at a time.
        chosen += [
            (kernel, ["--share", *rest] if kernel in ("kcsan", "rt") else rest)
            for kernel in options.kernel or ["stock"]
        ]
    if "debug" in options.part:
        chosen.append(("debug", ["--share", *rest]))
    return chosen


def with_paths(arguments, selected):
    """Paths first: they lead to the file that defines the options. What needs no guest runs with
    the host tests, unless it is selected."""
    if any(argument.startswith("tests/") for argument in arguments):
        return arguments
    return [*(TEST_PATHS if selected else TEST_PATHS[:1]), *arguments]


def left_out(arguments):
    """Names of jobs that a list of --only leaves out: its lines "without NAME"."""
    lists = [word.removeprefix("--only=") for word in arguments if word.startswith("--only=")]
    lines = [line for file in lists for line in Path(file).read_text("utf-8").splitlines()]
    return {line.removeprefix("without ") for line in lines if line.startswith("without ")}


class Plan:
    """The jobs of a run."""

    def __init__(self, console, options, rest):
        self.console = console
        # Whether the tests are those that tests/qemu/recorded.json is about.
        self.is_usual = not rest and not options.kernel and options.driver == "igb_rs"
        self.options = options
        self.is_long = "--long" in rest
        self.commands = []
        self.runs = []
        self.modules = {}
        self.vm = parts.Product(console, "vm", self._vm_is_needed)
        self.guest_jobs = []
        self._add_commands()
        for kernel, arguments in selections(options, rest):
            self._add_run(kernel, with_paths(arguments, options.selected))
        self._leave_out(left_out(rest))

    def _leave_out(self, names):
        unknown = names - {command.name for command in self.commands}
        if unknown:
            raise SystemExit(f"no jobs to leave out: {', '.join(sorted(unknown))}")
        kept = [command for command in self.commands if command.name not in names]
        needed = {task for job in [*kept, *self.modules.values()] for task in job.after}
        lost = {task for job in self.commands if job not in kept for task in job.after} - needed
        for product in lost:
            if isinstance(product, parts.Product):
                product.give_up()
                kept.remove(product)
        self.commands = kept

    def _vm_is_needed(self):
        needs = [run.queue.needs("vm") for run in self.runs if not run.is_over()]
        return True if True in needs else None if None in needs else False

    def jobs(self):
        """Short ones first; modules before what needs them."""
        waiting = [self.vm] if self.runs else []
        return [*self.modules.values(), *self.commands, *waiting, *self.guest_jobs]

    def _module(self, kernel):
        """Also in the list of jobs, once."""
        if kernel not in self.modules:
            after = ()
            if kernel != "stock":
                after = (parts.Product(self.console, kernel),)
                self.commands += after
            self.modules[kernel] = parts.Module(self.console, kernel, after)
        return self.modules[kernel]

    def _before(self, check):
        """What a check has to wait for."""
        if check == "stack_frames":
            return (self._module("stock"),)
        if check == "debian_package":
            debian = parts.Product(self.console, "debian")
            self.commands.append(debian)
            return (debian,)
        return ()

    def _add_commands(self):
        console, part = self.console, self.options.part
        own = self.options.driver == "igb_rs"
        if "host" in part:
            self.commands += [parts.HostTests(console), parts.UnitTests(console)]
        if "check" in part:
            names = subprocess.run(
                [CLONE / "tests/check", "--list"], check=True, capture_output=True, text=True
            ).stdout.split()
            self.commands += [parts.Check(console, name, self._before(name)) for name in names]
        if "gate" in part and own:
            self.commands.append(parts.Gate(console, self._module("stock")))
        if "run" in part and own:
            self._add_older()
        if "series" in part and own and self.is_long:
            product = parts.Product(console, "series")
            self.commands += [product, parts.Series(console, (product,))]
        if "run" in part:
            self.commands.append(
                parts.Demonstration(
                    console, self.options.driver, (self._module("stock"),) if own else ()
                )
            )

    def _add_older(self):
        """The module for the kernel of the older series. To make that takes longer than a run should
        for it; `make matrix` does, and boots it."""
        older = parts.Product(self.console, "older")
        if older.is_at_hand():
            self._module("older")
        else:
            self.console.say(
                "not built for the kernel of the older series, which is not in the cache:"
                " 'make matrix' makes it"
            )

    def _add_run(self, kernel, arguments):
        options = self.options
        module = self._module(kernel) if options.driver == "igb_rs" else None
        if module and kernel == "debug" and not options.selected:
            self.commands.append(parts.SecondDriver(self.console, kernel, module.after))
        run = Run(options.driver, kernel, arguments, record.seconds(kernel), module, self.vm)
        self.runs.append(run)
        self.guest_jobs += [
            GuestTests(self.console, run),
            GuestTests(self.console, run, alone=True),
        ]

    def counts(self):
        counts = Counts()
        for job in self.jobs():
            counts += getattr(job, "counts", Counts())
        for run in self.runs:
            counts += run.results.counts()
        return counts
