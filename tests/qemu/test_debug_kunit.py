# SPDX-License-Identifier: GPL-2.0
"""The unit tests, run by the kernel: every one in the sources, each once."""

from __future__ import annotations

import re

import pytest

from harness import images
from harness.health import KernelLog

pytestmark = [pytest.mark.kernel("debug", "kcsan"), pytest.mark.driver("igb_rs")]

SUITE = re.compile(r"kunit_tests\((\w+)\)")
TEST = re.compile(r"#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)")
FILTER = "/sys/module/kunit/parameters/filter_glob"


def written() -> dict[str, set[str]]:
    """Names of the tests of each suite, as the sources have them. A suite is the last thing in
    its file."""
    suites = {}
    for top in ("drivers", "rust"):
        for path in sorted((images.CLONE / top).rglob("*.rs")):
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


def test_the_parser_sees_failures_and_omissions():
    suites = parse(
        [
            "[    1.0]     # Subtest: one",
            "[    1.0]     ok 1 first",
            "[    1.0]     # second: ASSERTION FAILED",
            "[    1.0]     not ok 2 second",
            "[    1.0] not ok 1 one",
            "[    1.0]     # Subtest: two",
            "[    1.0]     ok 1 third # SKIP",
            "[    1.0] ok 2 two",
        ]
    )
    assert suites == {
        "one": {"first": "ok", "second": "not ok", "one": "not ok"},
        "two": {"third": "ok # SKIP", "two": "ok"},
    }


def test_every_suite_of_the_sources_passes(guest):
    expected = written()
    assert len(expected) > 20
    log = KernelLog(guest, "kunit")
    # Without a newline, which would be part of the pattern.
    assert guest.write(FILTER, "*").rc == 0
    try:
        guest.load()
        lines = log.lines()
        guest.unload()
    finally:
        guest.write(FILTER, "none")
    found = parse(lines)
    failures = []
    for suite, tests in expected.items():
        for test in sorted(tests | {suite}):
            outcome = found.get(suite, {}).get(test, "did not run")
            if outcome != "ok":
                failures.append(f"{suite}: {test}: {outcome}")
    assert not failures, "\n".join(
        [
            *failures,
            "---",
            *(line for line in lines if "ASSERTION" in line or "EXPECTATION" in line),
        ]
    )
    assert set(found) == set(expected)
    print(f"{len(expected)} suites, {sum(map(len, expected.values()))} tests")
