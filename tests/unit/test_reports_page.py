# SPDX-License-Identifier: GPL-2.0
"""Documentation/reports.rst and suites.rst: the tests that they name exist, each report has a test with results,
and no test of the reports is missing."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / "qemu"
PAGES = TESTS.parents[1] / "Documentation"
NAME = re.compile(r"``(test_\w+\.py)::(test_\w+)``")
FILES = ("test_reports.py", "test_reports_traffic.py")


def names_in(file: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)\(", (TESTS / file).read_text("utf-8"), re.M))


@pytest.mark.parametrize("page", ("reports.rst", "suites.rst"))
def test_tests_exist(page):
    named = NAME.findall((PAGES / page).read_text("utf-8"))
    assert len(named) > 15
    assert not [(file, test) for file, test in named if test not in names_in(file)]


def test_every_test_of_a_report_is_named():
    named = set(NAME.findall((PAGES / "reports.rst").read_text("utf-8")))
    assert {(file, test) for file in FILES for test in names_in(file)} <= named


def test_each_report_has_a_link_and_a_test_with_results():
    text = (PAGES / "reports.rst").read_text("utf-8")
    links = dict(re.findall(r"^\.\. _(.+?): (https?://\S+)$", text, re.M))
    sections = re.split(r"\n(?=``test_\w+\.py::test_\w+``\n-+\n)", text)[1:]
    reports = []
    for section in sections:
        assert re.search(r"^:C igb: ", section, re.M) and re.search(r"^:here: ", section, re.M)
        found = re.findall(r"^\* `(.+?)`_: \S", section, re.M)
        assert found, section
        reports += found
    assert sorted(reports) == sorted(links) and len(reports) == len(set(reports)) >= 50
