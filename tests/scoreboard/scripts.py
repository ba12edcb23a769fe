# SPDX-License-Identifier: GPL-2.0
"""The scripts: which there are, how each is called, and what its output says."""

from __future__ import annotations

import dataclasses
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SELFTESTS = "tools/testing/selftests"

# What became of a sub-test. An expected failure (XFAIL) counts as skipped: the script itself says that
# it cannot tell.
PASS, SKIP, FAIL, ABSENT = "pass", "skip", "fail", "absent"
# A script that has no result of its own, or did not come to its end.
WHOLE = "(script)"
# Exit status of kselftest for "skipped".
KSFT_SKIP = 4


@dataclasses.dataclass(frozen=True)
class Script:
    """One entry of scripts.toml, which describes the fields."""

    name: str
    fast: bool = False
    debug: bool = False
    btf: bool = False
    waits: bool = False
    wire: str = "remote"
    peer: str = "virtio-net-pci"
    arguments: tuple[str, ...] = ()
    prepare: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    limit: int = 150

    @property
    def directory(self) -> str:
        return f"{SELFTESTS}/{self.name.rpartition('/')[0]}"

    @property
    def program(self) -> str:
        """How it is started in its directory. Not every one of them has the x bit."""
        base = self.name.rpartition("/")[2]
        interpreter = {"py": "python3", "sh": "bash"}.get(base.rpartition(".")[2], "")
        return shlex.join([*filter(None, [interpreter]), f"./{base}", *self.arguments])


def load() -> dict[str, Script]:
    """All scripts by name."""
    with open(HERE / "scripts.toml", "rb") as file:
        entries = tomllib.load(file)["script"]
    found = {}
    for entry in entries:
        fields = {
            key: tuple(value.items())
            if isinstance(value, dict)
            else tuple(value)
            if isinstance(value, list)
            else value
            for key, value in entry.items()
        }
        if entry["name"] in found:
            raise ValueError(f"{entry['name']} is there twice")
        found[entry["name"]] = Script(**fields)
    return found


def unlisted(source: Path, known: set[str]) -> list[str]:
    """Scripts of the two directories of driver tests that scripts.toml does not have."""
    listed = []
    for directory in ("drivers/net", "drivers/net/hw"):
        for path in sorted((source / SELFTESTS / directory).iterdir()):
            name = f"{directory}/{path.name}"
            is_script = path.suffix in (".py", ".sh") and "_lib." not in path.name
            if is_script and name not in known:
                listed.append(name)
    return listed


@dataclasses.dataclass(frozen=True)
class Fate:
    """What became of a sub-test, and what the script said of that."""

    fate: str
    said: str = ""


_KTAP = re.compile(r"^(ok|not ok) \d+ (?:- )?(.*?)(?: *# *(SKIP|XFAIL)\b *(.*))?$")
# Of net/forwarding/lib.sh, with what it adds of what went wrong.
_LOGGED = re.compile(r"^TEST: (.*?)\s+\[ *(OK|FAIL|SKIP|XFAIL|XPASS) *\]$")
_LOGGED_FATES = {"OK": PASS, "XPASS": PASS, "FAIL": FAIL, "SKIP": SKIP, "XFAIL": SKIP}
# Of programs that use kselftest.h and say it twice.
_SAID_TWICE = re.compile(r"^(?:PASS|FAIL|SKIP|XFAIL): ")
_PLAN = re.compile(r"^1\.\.(\d+)(?: *# *SKIP *(.*))?$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _results(output: str) -> Iterator[tuple[str, Fate]]:
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if found := _KTAP.match(line):
            verdict, case, directive, said = found.groups()
            fate = FAIL if verdict == "not ok" else SKIP if directive else PASS
            yield _SAID_TWICE.sub("", case.strip()), Fate(fate, (said or "").strip())
        elif (found := _LOGGED.match(line)) and found[1].startswith("SKIP: "):
            yield WHOLE, Fate(SKIP, found[1].removeprefix("SKIP: "))
        elif found:
            said = lines[number + 1].strip() if number + 1 < len(lines) else ""
            fate = _LOGGED_FATES[found[2]]
            wordless = fate == PASS or _LOGGED.match(said)
            yield found[1].strip(), Fate(fate, "" if wordless else said)


def _last_word(output: str) -> str:
    lines = [line.strip("# ") for line in output.splitlines() if line.strip("# ")]
    return lines[-1] if lines else ""


def judge(script: Script, status: int, timed_out: bool, output: str) -> dict[str, Fate]:
    """The sub-tests of a script that ended with this status. Two of one name are told apart by a
    number."""
    output = _COLOUR.sub("", output)
    base = script.name.rpartition("/")[2].rpartition(".")[0]
    found: dict[str, Fate] = {}
    for case, fate in _results(output):
        name = unique = case.removeprefix(f"{base}.")
        number = 1
        while unique in found:
            number += 1
            unique = f"{name} ({number})"
        found[unique] = fate
    plan = _PLAN.search(output)
    if timed_out:
        found[WHOLE] = Fate(FAIL, f"did not end within {script.limit} s")
    elif plan and plan[2] is not None:
        found[WHOLE] = Fate(SKIP, plan[2].strip())
    elif plan and int(plan[1]) > len(found):
        found[WHOLE] = Fate(FAIL, f"ended before sub-test {len(found) + 1}: {_last_word(output)}")
    elif not found:
        fate = SKIP if status == KSFT_SKIP else FAIL
        found[WHOLE] = Fate(fate, _last_word(output))
    return found
