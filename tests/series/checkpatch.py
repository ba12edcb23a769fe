# SPDX-License-Identifier: GPL-2.0
"""checkpatch.pl --strict over the patches, with exceptions that are argued for.

The file exceptions.toml lists them: type, where, and why. What is not listed fails, and so does what is listed
and is not found.
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
# "path:line: LEVEL:TYPE: text" and, on the next line, what it is about.
REPORT = re.compile(
    r"^(?:(?P<file>[^\s:]*):(?P<line>\d*):? )?(?P<level>ERROR|WARNING|CHECK):(?P<type>[A-Z_0-9]+): "
    r"(?P<text>.*)\n(?P<code>.*)",
    re.M,
)


def exceptions() -> list[dict]:
    return tomllib.loads((HERE / "exceptions.toml").read_text())["exception"]


def reports(output: str) -> list[dict]:
    return [match.groupdict(default="") for match in REPORT.finditer(output)]


def excepts(exception: dict, report: dict) -> bool:
    return (
        exception["type"] == report["type"]
        and fnmatch.fnmatchcase(report["file"], exception.get("file", "*"))
        and re.search(exception.get("text", ""), f"{report['text']}\n{report['code']}") is not None
    )


def judge(found: list[dict], allowed: list[dict]) -> list[str]:
    """What is wrong: reports without an exception, exceptions without a report."""
    wrong = [
        f"{report['level']}:{report['type']}: {report['file']}:{report['line']}: {report['text']}"
        f"\n    {report['code']}"
        for report in found
        if not any(excepts(exception, report) for exception in allowed)
    ]
    return wrong + [
        f"exceptions.toml: nothing of the kind is found any more: {exception['type']}"
        f" {exception.get('file', '')} {exception.get('text', '')}".rstrip()
        for exception in allowed
        if not any(excepts(exception, report) for report in found)
    ]


def run(source: Path, patches: list[Path]) -> list[dict]:
    """The reports on all patches."""
    done = subprocess.run(
        [
            "perl",
            source / "scripts/checkpatch.pl",
            "--strict",
            "--show-types",
            "--showfile",
            "--no-summary",
            "--color=never",
            f"--root={source}",
            *patches,
        ],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if "total:" not in done.stdout and done.returncode not in (0, 1):
        raise RuntimeError(f"checkpatch.pl:\n{done.stdout[-2000:]}")
    return reports(done.stdout)
