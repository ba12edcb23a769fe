# SPDX-License-Identifier: GPL-2.0
"""When something happened, by the guest's clock."""

from __future__ import annotations

import re


def logged(lines: list[str], pattern: str) -> float:
    """When the kernel last said what the regular expression is found in, in seconds."""
    found = [line for line in lines if re.search(pattern, line)]
    assert found, (pattern, lines)
    return float(re.search(r"\[ *([\d.]+)\]", found[-1])[1])
