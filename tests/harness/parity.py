# SPDX-License-Identifier: GPL-2.0
"""The tests that Documentation/parity.rst names, each as the proof of a row."""

import functools
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "Documentation/parity.rst"
NAME = re.compile(r"``(test_\w+\.py::test_\w+)``")


@functools.cache
def named() -> frozenset[str]:
    """Names of files and tests, as `test_link.py::test_ten_flaps`."""
    return frozenset(NAME.findall(PAGE.read_text(encoding="utf-8")))
