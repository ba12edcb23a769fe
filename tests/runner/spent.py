# SPDX-License-Identifier: GPL-2.0
"""The table of where the time of a run went, and the same as JSON."""

from __future__ import annotations

import json

from . import RESULTS, record
from .pool import Stretch
from .results import PHASES, Results, short

SLOWEST = 10
COUNTED = ("boots", "loads", "calls", "waits")
# What a capability that is still to come may add to `make test`, in seconds of a slow machine.
BUDGET = 90


def as_json(runs: list[Results], stretches: list[Stretch], total: float) -> dict:
    return {
        "seconds": round(total, 1),
        "jobs": [vars(stretch) for stretch in stretches],
        "kernels": {
            run.kernel: {
                "files": by_file(run),
                "tests": {
                    test: {key: result[key] for key in ("outcome", "group", "seconds", "spent")}
                    for test, result in run.tests.items()
                },
            }
            for run in runs
        },
    }


def by_file(results: Results) -> dict[str, dict]:
    """Number of tests, seconds by phase, and counts."""
    files: dict[str, dict] = {}
    for test, result in results.tests.items():
        file = files.setdefault(
            short(test).split("::")[0],
            {"tests": 0, **dict.fromkeys(PHASES, 0.0), **dict.fromkeys(COUNTED, 0)},
        )
        file["tests"] += 1
        for phase in PHASES:
            file[phase] = round(file[phase] + result["seconds"].get(phase, 0), 2)
        for what in COUNTED:
            file[what] += result["spent"].get(what, 0)
    return files


def _row(name: str, file: dict, recorded: float | None) -> str:
    phases = f"{file['setup']:9.0f}{file['call']:9.0f}{file['teardown']:11.0f}"
    counts = "".join(f"{file[what]:7}" for what in COUNTED)
    known = "-" if recorded is None else f"{recorded:.0f}"
    return f"  {name:<28}{file['tests']:6}{phases}{counts}{known:>10}"


def _recorded(kernel: str) -> dict[str, float]:
    """Seconds by file."""
    files: dict[str, float] = {}
    for group, seconds in record.seconds(kernel).items():
        name = short(group.split(" ")[0])
        files[name] = files.get(name, 0) + seconds
    return files


def _of_kernel(results: Results) -> list[str]:
    files, recorded = by_file(results), _recorded(results.kernel)
    total = {key: sum(file[key] for file in files.values()) for key in ("tests", *PHASES, *COUNTED)}
    known = sum(recorded.get(file, 0) for file in files)
    ordered = sorted(files, key=lambda name: -sum(files[name][phase] for phase in PHASES))
    lines = [
        f"kernel {results.kernel}, seconds",
        f"  {'file':<28}{'tests':>6}{'set-up':>9}{'call':>9}{'take-down':>11}"
        f"{'boots':>7}{'loads':>7}{'calls':>7}{'waits':>7}{'recorded':>10}",
        *(_row(name, files[name], recorded.get(name)) for name in ordered),
        _row("all", total, known or None),
    ]
    slowest = sorted(results.tests, key=lambda test: -sum(results.tests[test]["seconds"].values()))
    lines += [f"  the {SLOWEST} slowest tests"]
    lines += [
        f"  {sum(results.tests[test]['seconds'].values()):8.1f}  {short(test)}"
        for test in slowest[:SLOWEST]
    ]
    return lines


def table(runs: list[Results], stretches: list[Stretch], total: float, places: int) -> list[str]:
    """For people. What runs in a place keeps it, even while it waits."""
    lines = ["where the time went"]
    for run in runs:
        lines += _of_kernel(run) if run.tests else []
    busy = sum(stretch.seconds for stretch in stretches if stretch.place is not None)
    lines += ["jobs, seconds"]
    lines += [
        f"  {stretch.seconds:8.1f}  {stretch.job}"
        for stretch in sorted(stretches, key=lambda stretch: -stretch.seconds)
    ]
    lines += [
        f"  {total:8.1f}  all, {places} jobs at a time; of their places idle: "
        f"{100 * max(0.0, 1 - busy / (places * max(total, 0.1))):.0f} %"
    ]
    if runs:
        lines.append(
            f"A capability to come may add {BUDGET} s on a slow machine; what is longer is "
            "for make test-all."
        )
    return lines


def write(runs: list[Results], stretches: list[Stretch], total: float):
    path = RESULTS / "time.json"
    path.write_text(json.dumps(as_json(runs, stretches, total), indent=1) + "\n", encoding="utf-8")
