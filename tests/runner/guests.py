# SPDX-License-Identifier: GPL-2.0
"""Runs tests in guests: starts workers (worker.py), hands groups of tests to them, and listens."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import threading
import time

from . import RESULTS
from .groups import Group, Queue, grouped
from .pool import Task
from .processes import started
from .results import Results

# pytest's exit status when it ran to its end: nothing failed, or something did.
RAN = (0, 1)
# The same when a selection matches nothing.
NOTHING_SELECTED = 5


@dataclasses.dataclass
class Run:
    """Tests with one kernel."""

    driver: str
    kernel: str
    arguments: list[str]  # of pytest
    recorded: dict[str, float]  # seconds, by name of a group
    module: Task | None = None  # what has to be there first
    vm: Task | None = None  # the image of a host of guests
    name: str = ""  # of a repetition
    only: set[str] | None = None  # of the tests, these

    def __post_init__(self):
        self.results = Results(self.kernel)
        self.queue = Queue()
        self.directory = RESULTS / (self.kernel + self.name)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.workers = 0  # started so far
        self.given_up = False  # no worker is to be started any more
        self.lock = threading.Lock()  # of the queue
        self.changed = lambda: None  # tells the pool that the queue has

    def is_over(self) -> bool:
        """Whether no test will run any more, whatever is left."""
        return self.given_up or (
            self.module is not None and (self.module.succeeded is False or self.module.impossible())
        )


class GuestTests:
    """The job of the pool: each processor that takes it runs one worker. With `alone`, those tests
    that nothing may run beside."""

    background = False

    def __init__(self, console, run: Run, alone: bool = False):
        self.console = console
        self.of = run
        self.alone = alone
        self.name = f"tests in the guest, kernel {run.kernel}"
        self.collecting = False
        self.active = 0

    # ---- for the pool ------------------------------------------------------------------------

    def ready(self) -> bool:
        if self.of.is_over() or self.collecting or not _done(self.of.module):
            return False
        if self.of.queue.groups is None:
            return not self.alone
        return self.of.queue.has(self.alone, self._images())

    def finished(self) -> bool:
        if self.of.is_over():
            return not self.active
        if self.of.queue.groups is None or self.active:
            return False
        return self.of.queue.is_empty(self.alone)

    def claim(self):
        self.active += 1
        self.collecting = self.of.queue.groups is None

    def _images(self) -> set[str]:
        """Those that are there. Without one, its tests say what is missing."""
        return {"guest"} if self._image_will_come() else {"guest", "vm"}

    def _image_will_come(self) -> bool:
        return self.of.vm is not None and self.of.vm.succeeded is None

    # ---- one worker --------------------------------------------------------------------------

    def run(self):
        with self.of.lock:
            self.of.workers += 1
            number = self.of.workers
        try:
            Serving(self, number).run()
        finally:
            self.active -= 1
            self.collecting = False


def _done(task: Task | None) -> bool:
    return task is None or bool(task.succeeded)


class Serving:
    """One worker, from its start to its end."""

    def __init__(self, job: GuestTests, number: int):
        self.job = job
        self.of = job.of
        self.number = number
        self.log = self.of.directory / f"worker{number}.log"
        self.group: Group | None = None
        self.left: list[str] = []  # of the group
        self.current: str | None = None
        self.since = 0.0

    def run(self):
        ours, theirs = socket.socketpair()
        environment = {
            "IGB_RS_WORKER": str(theirs.fileno()),
            "IGB_RS_RUNS": str(self.of.directory),
            "IGB_RS_ONLY": json.dumps(sorted(self.of.only or ())),
        }
        with (
            open(self.log, "wb") as log,
            started(
                self._command(),
                environment,
                pass_fds=[theirs.fileno()],
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            theirs.close()
            with ours, ours.makefile("rw", encoding="utf-8") as stream:
                self._serve(stream)
            status = process.wait()
        self._conclude(status)

    def _command(self) -> list[str]:
        junit = self.of.directory / f"worker{self.number}.xml"
        return [
            "python3",
            "-m",
            "pytest",
            "-p",
            "runner.worker",
            *self.of.arguments,
            "--driver",
            self.of.driver,
            "--kernel",
            self.of.kernel,
            f"--junitxml={junit}",
        ]

    def _serve(self, stream):
        for line in stream:
            message = json.loads(line)
            if "tests" in message:
                self._collected(message["tests"])
                self._hand_out(stream)
            elif "starts" in message:
                self.current, self.since = message["starts"], time.monotonic()
                self.job.console.runs(self, message["starts"].rpartition("/")[2])
            elif "ends" in message:
                self._ended(message)
                if not self.left:
                    self._hand_out(stream)
            elif "broken" in message:
                self.of.results.broken(
                    f"the guests of worker {self.number} could not be ended:\n" + message["broken"]
                )

    def _collected(self, tests: list[dict]):
        with self.of.lock:
            if self.of.queue.groups is None:
                self.of.results.expected = len(tests)
            self.of.queue.fill(grouped(tests, self.of.recorded))
        self.job.collecting = False
        self.of.changed()

    def _hand_out(self, stream):
        with self.of.lock:
            self.group = self.of.queue.take(self, self.job.alone, self.job._images())
        self.left = list(self.group.tests) if self.group else []
        self.job.console.runs(self, None)
        stream.write(json.dumps({"run": self.left}) + "\n")
        stream.flush()

    def _ended(self, message: dict):
        self.left.remove(message["ends"])
        self.current = None
        self.of.results.add(message, self.group.name)
        self.job.console.say(self.of.results.line(message))

    def _conclude(self, status: int):
        self.job.console.runs(self, None)
        self.of.queue.leave(self)
        if self.current is not None:
            self._died()
        elif self.of.queue.groups is None or status not in (*RAN, NOTHING_SELECTED):
            self.of.given_up = True
            self.of.results.broken(
                f"pytest ended with status {status}:\n"
                + self.log.read_text(encoding="utf-8", errors="replace")
            )
        elif self.group is not None:
            self.of.given_up = True  # as the arguments of pytest ask, e.g. -x

    def _died(self):
        """The test at hand has failed. The others of the group are for the next worker."""
        self.left.remove(self.current)
        message = {
            "ends": self.current,
            "outcome": "failed",
            "reported": False,
            "reason": "",
            "text": f"the worker ended, see {self.log}",
            "spent": {},
            "seconds": {"call": round(time.monotonic() - self.since, 2)},
        }
        self.of.results.add(message, self.group.name)
        self.job.console.say(self.of.results.line(message))
        if self.left:
            with self.of.lock:
                self.of.queue.put_back(dataclasses.replace(self.group, tests=self.left))
