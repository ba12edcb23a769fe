# SPDX-License-Identifier: GPL-2.0
"""Holds what tests asked of their guests against what is recorded: counts, no clock.

tests/qemu/recorded.json has, by kernel and group of tests, the seconds a group took where it was
recorded, by which groups are handed out, and how many boots, loads of the driver and calls to the
agent it needed. What a boot takes that only brings the guest of a group up does not count: whether
a worker still has such a guest is up to chance.
"""

from __future__ import annotations

import json

from . import CLONE
from .results import Results

RECORDED = CLONE / "tests/qemu/recorded.json"
COUNTED = ("boots", "loads", "calls")
# What may be more than recorded: this part of it, and that many at least.
GROWTH = 0.25
SLACK = {"boots": 1, "loads": 2, "calls": 30}


def read() -> dict[str, dict[str, dict]]:
    return json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}


def seconds(kernel: str) -> dict[str, float]:
    """How long each group is expected to take."""
    return {group: found["seconds"] for group, found in read().get(kernel, {}).items()}


def measured(results: Results) -> dict[str, dict]:
    """By group: seconds and counts."""
    groups: dict[str, dict] = {}
    for result in results.tests.values():
        group = groups.setdefault(result["group"], {"seconds": 0.0, **dict.fromkeys(COUNTED, 0)})
        group["seconds"] += sum(result["seconds"].values())
        for what in COUNTED:
            group[what] += result["spent"].get(what, 0)
        group["boots"] -= result.get("fresh", False)
    for group in groups.values():
        group["seconds"] = round(group["seconds"], 1)
    return groups


def write(runs: list[Results]):
    """Records all groups of these kernels anew."""
    everything = read()
    for results in runs:
        everything[results.kernel] = measured(results)
    RECORDED.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def by_file(groups: dict[str, dict]) -> dict[str, dict[str, int]]:
    files: dict[str, dict[str, int]] = {}
    for group, found in groups.items():
        file = files.setdefault(group.split(" ")[0], dict.fromkeys(COUNTED, 0))
        for what in COUNTED:
            file[what] += found[what]
    return files


def complaints(results: Results, repeated: set[str]) -> list[str]:
    """Files that need more than recorded. A file with a test that failed, or was repeated, has
    had other things to do."""
    disturbed = {test.split("::")[0] for test in {*results.failed(), *repeated}}
    recorded = by_file(read().get(results.kernel, {}))
    if not recorded:
        return [f"nothing is recorded for the kernel {results.kernel}"]
    found = []
    for file, counts in sorted(by_file(measured(results)).items()):
        if file in disturbed:
            continue
        if file not in recorded:
            found.append(f"{file}: not recorded for the kernel {results.kernel}")
            continue
        for what in COUNTED:
            limit = max(recorded[file][what] * (1 + GROWTH), recorded[file][what] + SLACK[what])
            if counts[what] > limit:
                found.append(
                    f"{file}, kernel {results.kernel}: {counts[what]} {what}, recorded "
                    f"{recorded[file][what]}, limit {limit:.0f}"
                )
    return found
