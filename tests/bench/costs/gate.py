# SPDX-License-Identifier: GPL-2.0
"""Compares igb_rs with what it needed when tests/bench/ceilings.json was written."""

from __future__ import annotations

import json

from . import BENCH
from .row import GATE, Row

CEILINGS = BENCH / "ceilings.json"
# What counts a handful of events moves by one of them when the start of a phase does. So do the
# instructions of those events: an interrupt more in a thousand sent frames is worth three of each.
SLACK = {
    "rr18-irq": 0.04,
    "rr18-mmio": 0.04,
    "tx-irq": 0.004,
    "rx-irq": 0.006,
    "tx32-mmio": 3,
    "tx32-4096-mmio": 5,
    "tx32-1500-mmio": 5,
    "rx-mmio": 5,
    "rr18": 20,
    "rr1400": 40,
    "tx60": 6,
    "rx60": 4,
    "rx1500": 4,
    "strict-tx60": 6,
    "strict-rr1400": 40,
    # The kernel finds a program's address by comparing it with others', so it depends on where they are.
    "xdp-drop": 5,
    "xdp-tx": 5,
    "xdp-out": 5,
    "xsk-rx": 5,
    "xsk-fwd": 5,
}


def record(values: dict[str, float]):
    """Writes the ceilings: what rows came to, by key."""
    ceilings = {key: round(value, 4) for key, value in values.items()}
    CEILINGS.write_text(json.dumps(ceilings, indent=1) + "\n", encoding="utf-8")


def compare(rows: list[Row], values: dict[str, float]) -> list[str]:
    """Prints one line for each row, which has a ceiling; returns those above it."""
    ceilings = json.loads(CEILINGS.read_text(encoding="utf-8"))
    worse = []
    for row in rows:
        value = values[row.key]
        limit = max(ceilings[row.key] * GATE, ceilings[row.key] + SLACK.get(row.key, 0))
        line = f"{row.title}: {value:.4g}, recorded {ceilings[row.key]:.4g}, limit {limit:.4g}"
        if value > limit:
            worse.append(line)
            line = f"FAILED  {line}"
        else:
            line = f"ok      {line}"
        print(line)
    return worse
