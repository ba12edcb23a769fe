# SPDX-License-Identifier: GPL-2.0
"""Unit tests of the sources, and what the kernel says of them."""

from __future__ import annotations

import re

from . import images

SUITE = re.compile(r"kunit_tests\((\w+)\)")
TEST = re.compile(r"#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)")


# What a kernel with the driver in it has no use for.
OUT_OF_TREE = ("rust/net/compat.rs",)


def written(left_out: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """Names of the tests of each suite, as the sources have them, but for some files. A suite is the
    last thing in its file."""
    suites = {}
    for top in ("drivers", "rust"):
        for path in sorted((images.CLONE / top).rglob("*.rs")):
            if str(path.relative_to(images.CLONE)) in left_out:
                continue
            parts = SUITE.split(path.read_text(encoding="utf-8"))
            for name, body in zip(parts[1::2], parts[2::2]):
                suites[name] = set(TEST.findall(body))
    return suites


def parse(lines: list[str]) -> dict[str, dict[str, str]]:
    """Outcome of each test of each suite in KTAP lines of the kernel log; the outcome of the
    suite itself is under its own name."""
    suites: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in lines:
        text = re.sub(r"^\[ *[\d.]+\] ", "", line)
        if begin := re.match(r" {4}# Subtest: (\w+)", text):
            current = suites.setdefault(begin[1], {})
        elif outcome := re.match(r"( {4})?(ok|not ok) \d+ (\w+)(.*)", text):
            current[outcome[3]] = (outcome[2] + outcome[4]).strip()
    return suites


def failures(found: dict[str, dict[str, str]], expected: dict[str, set[str]]) -> list[str]:
    """What did not run, or did not pass."""
    return [
        f"{suite}: {test}: {outcome}"
        for suite, tests in expected.items()
        for test in sorted(tests | {suite})
        if (outcome := found.get(suite, {}).get(test, "did not run")) != "ok"
    ]


def reasons(lines: list[str]) -> list[str]:
    """The lines that say why."""
    return [line for line in lines if "ASSERTION" in line or "EXPECTATION" in line]
