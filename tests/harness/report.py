# SPDX-License-Identifier: GPL-2.0
"""Steps of a demonstration, shown as they happen."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time

from . import images


class StepFailed(Exception):
    """A step did not hold; the text says what was seen instead."""


def expect(condition: bool, otherwise: str):
    if not condition:
        raise StepFailed(otherwise)


class Report:
    """Prints each step with its outcome and time."""

    def __init__(self):
        self.begin = time.monotonic()

    @contextlib.contextmanager
    def step(self, title: str):
        begin = time.monotonic()
        print(f"  {title:<62}", end="", flush=True)
        try:
            yield
        except BaseException:
            print("FAILED", flush=True)
            raise
        print(f"ok {time.monotonic() - begin:6.1f} s", flush=True)


def build_module(report: Report, kernel: str):
    with report.step("build igb_rs.ko"):
        done = subprocess.run(
            [images.CLONE / "tests/build-module"],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "IGB_RS_FLAVOUR": kernel},
        )
        expect(done.returncode == 0, f"build failed\n{done.stdout[-3000:]}{done.stderr[-6000:]}")
