# SPDX-License-Identifier: GPL-2.0
"""Plugin of a pytest that runs the tests it is told to, one group after the other.

`guests.py` starts it with `-p runner.worker` and the number of a connected socket in
$IGB_RS_WORKER. $IGB_RS_ONLY is a JSON list of the tests there are; all, if it is empty. One JSON
object a line, from here:

    {"tests": [{"id", "file", "guest", "image", "alone", "long"}, ...]}     what was collected, at first
    {"starts": id}
    {"ends": id, "outcome", "text", "reported", "reason", "begin", "seconds": {phase: s},
     "spent": {what: number}, "fresh": whether the guest was booted for it and its group}
    {"broken": text}        the guests could not be ended

and to here, at first and after each group: {"run": [id, ...]}, or {"run": []} for the end.
"""

from __future__ import annotations

import json
import os
import socket
import time
import traceback

import pytest

from harness.tally import spent


def pytest_configure(config):
    if "IGB_RS_WORKER" in os.environ:
        connection = socket.socket(fileno=int(os.environ["IGB_RS_WORKER"]))
        config.pluginmanager.register(Worker(connection), "igb_rs worker")


def described(item) -> dict:
    """What a test needs in order to be run together with its like."""
    marker = item.get_closest_marker("guest")
    wanted = marker.kwargs if marker else {}
    return {
        "id": item.nodeid,
        "file": item.nodeid.split("::")[0],
        "guest": " ".join(f"{name}={wanted[name]!r}" for name in sorted(wanted)),
        "image": wanted.get("image", "guest"),
        "alone": item.get_closest_marker("alone") is not None,
        "long": item.get_closest_marker("long") is not None,
    }


class Report:
    """What the phases of one test came to."""

    def __init__(self):
        self.begin = time.time()
        self.before = spent.copy()
        self.outcome = "passed"
        self.reason = ""
        self.text: list[str] = []
        self.reported = False
        self.seconds: dict[str, float] = {}
        self.boots = 0  # during the setup

    def add(self, report):
        if report.when == "setup":
            self.boots = spent["boots"] - self.before["boots"]
        self.seconds[report.when] = round(report.duration, 2)
        if report.failed:
            self.outcome = "failed"
            self.text += [f"---- {report.when} ----", report.longreprtext]
            for title, content in report.sections:
                self.text += [f"---- {title} ----", content.rstrip()]
        elif report.skipped and self.outcome == "passed":
            self.outcome = "skipped"
            self.reason = _reason(report)
        self.reported = self.reported or "report" in dict(report.user_properties)

    def message(self, test: str, first: bool) -> dict:
        return {
            "ends": test,
            "outcome": self.outcome,
            "text": "\n".join(self.text),
            "reported": self.reported,
            "reason": self.reason,
            "begin": self.begin,
            "seconds": self.seconds,
            "spent": dict(spent - self.before),
            "fresh": first and self.boots > 0,
        }


def _reason(report) -> str:
    """Why a test was skipped."""
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


class Worker:
    """Replaces pytest's loop over the tests by one that asks what is next."""

    def __init__(self, connection: socket.socket):
        self.stream = connection.makefile("rw", encoding="utf-8")
        self.report: Report | None = None
        self.only = set(json.loads(os.environ["IGB_RS_ONLY"]))

    def _say(self, **message):
        self.stream.write(json.dumps(message) + "\n")
        self.stream.flush()

    def _next(self) -> list[str]:
        return json.loads(self.stream.readline() or '{"run": []}')["run"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        """Before conftest.py looks which test is the last of its kind."""
        if self.only:
            items[:] = [item for item in items if item.nodeid in self.only]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        if session.testsfailed:
            return None  # not everything could be collected: pytest says so
        items = {item.nodeid: item for item in session.items}
        self._say(tests=[described(item) for item in session.items])
        while chosen := self._next():
            self._run_group(session, [items[test] for test in chosen])
        try:
            # Here, not after the loop, so that guests that do not end are told.
            session._setupstate.teardown_exact(None)
        except Exception:
            self._say(broken=traceback.format_exc())
        return True

    def _run_group(self, session, items: list):
        for item, following in zip(items, [*items[1:], session]):
            self.report = Report()
            self._say(starts=item.nodeid)
            # After the last test of a group all is taken down but what belongs to the session.
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self._say(**self.report.message(item.nodeid, item is items[0]))
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    def pytest_runtest_logreport(self, report):
        self.report.add(report)
