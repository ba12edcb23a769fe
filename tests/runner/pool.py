# SPDX-License-Identifier: GPL-2.0
"""Runs so many jobs at a time (`places`), in order, each as soon as it can.

A job is an object with these attributes:

    name          for people
    alone         nothing else may run at the same time; such jobs come last
    background    it only waits, so it takes none of the places
    ready()       whether it can be started now; asked again whenever a job has ended
    finished()    whether it need not be started any more
    run()         does it

A job that stays ready after it was started is started once more, beside itself. `ready()` and
`finished()` are called with the lock of the pool held.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import traceback


@dataclasses.dataclass
class Stretch:
    """What one job took, in seconds since the pool began."""

    job: str
    begin: float
    seconds: float
    place: int | None  # None: a job in the background


class Task:
    """A job that is done once, after others. Subclasses define `work`, which says whether what
    comes after it can be done."""

    alone = False
    background = False

    def __init__(self, name: str, after: tuple[Task, ...] = ()):
        self.name = name
        self.after = after
        self.reset()

    def reset(self):
        """It is not done."""
        self.started = False
        self.succeeded: bool | None = None

    def ready(self) -> bool:
        return not self.started and all(job.succeeded for job in self.after)

    def finished(self) -> bool:
        return self.succeeded is not None or self.impossible()

    def impossible(self) -> bool:
        """Whether something it needs could not be done."""
        return not self.started and any(
            job.succeeded is False or job.impossible() for job in self.after
        )

    def claim(self):
        self.started = True

    def run(self):
        self.succeeded = self.work() is not False

    def work(self) -> bool | None:
        raise NotImplementedError


class Pool:
    """Jobs earlier in the list go first."""

    def __init__(self, jobs: list, places: int, console):
        self.jobs = jobs
        self.places = places
        self.console = console
        self.changed = threading.Condition()
        self.running: list = []
        self.stretches: list[Stretch] = []
        self.broken: list[str] = []
        self.begin = time.monotonic()

    def run(self):
        """Until every job is finished. What a job raises ends up in `broken`."""
        threads = [
            threading.Thread(target=self._place, args=(number,), daemon=True)
            for number in range(self.places)
        ]
        threads += [
            threading.Thread(target=self._background, args=(job,), daemon=True)
            for job in self.jobs
            if job.background
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.5)  # in pieces, so that an interrupt is seen

    def notify(self):
        """Something outside of the pool has changed what is ready."""
        with self.changed:
            self.changed.notify_all()

    def _place(self, number: int):
        while (job := self._next()) is not None:
            self._do(job, number)

    def _background(self, job):
        with self.changed:
            while not (job.ready() or job.finished()):
                self.changed.wait()
            if job.finished():
                return
            job.claim()
        self._do(job, None)

    def _next(self):
        with self.changed:
            while True:
                if all(job.finished() for job in self.jobs):
                    self.changed.notify_all()
                    return None
                job = self._startable()
                if job is not None:
                    job.claim()
                    self.running.append(job)
                    return job
                self.changed.wait()

    def _startable(self):
        if any(job.alone for job in self.running):
            return None
        jobs = [job for job in self.jobs if not job.background]
        for job in jobs:
            if not job.alone and job.ready():
                return job
        if self.running or not all(job.finished() for job in self.jobs if not job.alone):
            return None
        return next((job for job in jobs if job.ready()), None)

    def _do(self, job, place: int | None):
        begin = time.monotonic()
        who = object()
        self.console.runs(who, job.name)
        try:
            job.run()
        except BaseException:
            self.broken.append(f"{job.name}:\n{traceback.format_exc()}")
            job.succeeded = False
        finally:
            self.console.runs(who, None)
            with self.changed:
                if job in self.running:
                    self.running.remove(job)
                self.stretches.append(
                    Stretch(job.name, begin - self.begin, time.monotonic() - begin, place)
                )
                self.changed.notify_all()
