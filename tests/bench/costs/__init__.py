# SPDX-License-Identifier: GPL-2.0
"""What the driver costs, next to the stock C driver: see Documentation/performance.rst."""

from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
CLONE = BENCH.parents[1]
BUILD = CLONE / "build/bench"
