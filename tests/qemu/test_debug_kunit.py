# SPDX-License-Identifier: GPL-2.0
"""The unit tests, run by the kernel: every one in the sources, each once."""

from __future__ import annotations

import pytest

from harness.health import KernelLog
from harness.kunit import failures, parse, reasons, written

pytestmark = [pytest.mark.kernel("debug", "kcsan"), pytest.mark.driver("igb_rs")]

FILTER = "/sys/module/kunit/parameters/filter_glob"


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
    failed = failures(found, expected)
    assert not failed, "\n".join([*failed, "---", *reasons(lines)])
    assert set(found) == set(expected)
    print(f"{len(expected)} suites, {sum(map(len, expected.values()))} tests")
