# SPDX-License-Identifier: GPL-2.0
"""The board: what became of each sub-test with each driver, and whether each is explained."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

from .scripts import ABSENT, FAIL, HERE, PASS, SKIP, WHOLE, Fate, load

KEPT = HERE / "scoreboard.json"
DRIVERS = ("igb", "igb_rs")
CLONE = HERE.parents[1]
# Whose limit it is that a sub-test does not pass.
OWNERS = {
    "hardware": "the 82576 has it not",
    "model": "QEMU's device model has it not, or differently",
    "kernel": "Debian's kernel is built without it",
    "tool": "a program of Debian 13 has it not, or there is none",
    "script": "the script itself",
    "setup": "it takes another test network than two ports on one wire",
    "machine": "an emulated machine is too slow for it, or not steady enough",
    "drivers": "neither driver has it",
    "igb": "C igb has it not, or is wrong",
    "igb_rs": "igb_rs has it not",
}


@dataclasses.dataclass(frozen=True)
class Reason:
    """One entry of reasons.toml, which describes the fields."""

    script: str
    owner: str
    where: str
    why: str
    cases: tuple[str, ...] = ("*",)
    drivers: tuple[str, ...] = DRIVERS
    varies: bool = False

    def covers(self, script: str, case: str, driver: str) -> bool:
        return (
            fnmatch.fnmatchcase(script, self.script)
            and driver in self.drivers
            and any(fnmatch.fnmatchcase(case, pattern) for pattern in self.cases)
        )


def reasons() -> list[Reason]:
    with open(HERE / "reasons.toml", "rb") as file:
        entries = tomllib.load(file).get("reason", [])
    return [
        Reason(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in e.items()}
        )
        for e in entries
    ]


class Board:
    """Results by script, sub-test and driver."""

    def __init__(self, kept: dict):
        self.kernel: str = kept.get("kernel", "")
        self.qemu: str = kept.get("qemu", "")
        self.scripts: dict[str, dict[str, dict[str, str]]] = kept.get("scripts", {})
        # What a script says of what it skips.
        self.said: dict[str, dict[str, str]] = kept.get("said", {})

    @classmethod
    def kept(cls) -> Board:
        return cls(json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {})

    def keep(self):
        value = {
            "kernel": self.kernel,
            "qemu": self.qemu,
            "scripts": self.scripts,
            "said": self.said,
        }
        KEPT.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def replace(self, script: str, results: dict[str, dict[str, Fate]]):
        """What became of the sub-tests of a script, by driver. What was there of these drivers goes."""
        cases = {
            case: {d: f for d, f in fates.items() if d not in results}
            for case, fates in self.scripts.get(script, {}).items()
        }
        said = dict(self.said.get(script, {}))
        for driver, found in results.items():
            for case, fate in found.items():
                cases.setdefault(case, {})[driver] = fate.fate
                if fate.fate == SKIP:
                    said[case] = fate.said
        self.scripts[script] = {case: fates for case, fates in cases.items() if fates}
        left = {
            c: words
            for c, words in said.items()
            if SKIP in self.scripts[script].get(c, {}).values()
        }
        self.said.pop(script, None)
        if left:
            self.said[script] = left

    def fates(self, script: str, driver: str) -> dict[str, str]:
        """Of the sub-tests of a script with a driver."""
        return {
            case: fates[driver]
            for case, fates in self.scripts.get(script, {}).items()
            if driver in fates
        }

    def has_run(self, reason: Reason) -> bool:
        """Whether all the scripts a reason is about have run with its drivers."""
        names = [name for name in load() if fnmatch.fnmatchcase(name, reason.script)]
        return all(self.fates(name, driver) for name in names for driver in reason.drivers)

    def rows(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Script, sub-test, and its fate with each driver."""
        for script, cases in sorted(self.scripts.items()):
            for case, fates in sorted(cases.items()):
                yield script, case, {driver: fates.get(driver, ABSENT) for driver in DRIVERS}

    def counts(self, driver: str, script: str | None = None) -> dict[str, int]:
        listed = [
            fates[driver] for name, _, fates in self.rows() if script is None or name == script
        ]
        return {fate: listed.count(fate) for fate in (PASS, SKIP, FAIL)}


def explanation(why: list[Reason], script: str, case: str, driver: str) -> Reason | None:
    """The first reason that covers a sub-test: special ones stand before general ones."""
    return next((reason for reason in why if reason.covers(script, case, driver)), None)


def complaints(board: Board, why: list[Reason]) -> Iterator[str]:
    """What is wrong with the board: one line each."""
    used = set()
    for script, case, fates in board.rows():
        for driver, fate in fates.items():
            reason = explanation(why, script, case, driver)
            if reason and (fate != PASS or reason.varies):
                used.add(reason)
            if fate in (SKIP, FAIL) and reason is None:
                yield f"{script} {case}: {fate} with {driver}, and reasons.toml has no reason"
        lost = fates["igb"] == PASS and fates["igb_rs"] != PASS and board.fates(script, "igb_rs")
        reason = explanation(why, script, case, "igb_rs")
        if lost and not (reason and (reason.varies or reason.owner == "igb_rs")):
            yield f"{script} {case}: passes with C igb, {fates['igb_rs']} with igb_rs"
    for reason in why:
        if reason not in used and board.has_run(reason):
            yield f"stale: {reason.script} {' '.join(reason.cases)} passes now: remove the reason"
    listed = load()
    yield from (f"{name}: not in scripts.toml" for name in board.scripts if name not in listed)


def not_run(board: Board) -> Iterator[str]:
    """Scripts without a result, with the drivers that have none."""
    for name in load():
        missing = [driver for driver in DRIVERS if not board.fates(name, driver)]
        if missing:
            yield f"{name}: has not run with {' and '.join(missing)}"


def unexplained(script: str, driver: str, found: dict[str, Fate]) -> list[str]:
    """Sub-tests that failed for no known reason."""
    why = reasons()
    return [
        case
        for case, fate in found.items()
        if fate.fate == FAIL and explanation(why, script, case, driver) is None
    ]


def better(first: dict[str, Fate], second: dict[str, Fate]) -> dict[str, Fate]:
    """Of two runs of a script, the better of each sub-test. What only one of them has says that the
    other did not come to its end; that one counts if both did not."""
    if WHOLE in first or WHOLE in second:
        return first if WHOLE not in first else second
    order = (PASS, SKIP, FAIL)
    return {
        case: min(
            (run[case] for run in (first, second) if case in run), key=lambda f: order.index(f.fate)
        )
        for case in {**first, **second}
    }


# Directories of the kernel's source that a reason may name.
_OF_THE_KERNEL = ("drivers", "include", "net", "tools", "Documentation", "kernel")


def misplaced(why: list[Reason], source: Path) -> Iterator[str]:
    """Places that reasons name and that are not there: `path:line` in the kernel's source or in this
    tree (`./path:line`). Others, such as QEMU's source, begin with a name and a colon."""
    for reason in why:
        if reason.owner not in OWNERS:
            yield f"{reason.script}: no such owner: {reason.owner}"
        path, _, line = reason.where.partition(":")
        ours = path.startswith("./")
        if not ours and path.split("/")[0] not in _OF_THE_KERNEL:
            continue
        file = (CLONE if ours else source) / path
        if not file.is_file():
            yield f"{reason.script}: no file {reason.where}"
        elif line and int(line) > len(file.read_text(encoding="utf-8").splitlines()):
            yield f"{reason.script}: {path} is shorter than {line} lines"


def differences(board: Board, script: str, driver: str, found: dict[str, Fate]) -> Iterator[str]:
    """What is not as the board has it; but for what varies from run to run."""
    why = reasons()
    known = board.fates(script, driver)
    for case in sorted(known.keys() | found.keys()):
        before, now = known.get(case, ABSENT), found.get(case, Fate(ABSENT))
        reason = explanation(why, script, case, driver)
        if before != now.fate and not (reason and reason.varies):
            yield f"{case}: {before} on the board, {now.fate} now. {now.said}".rstrip()
