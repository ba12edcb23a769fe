# SPDX-License-Identifier: GPL-2.0
"""The figures of one run, kept beside the text that speaks of them.

`recorded.json` has the summary of that run; the tables in the text are made from it, and
test_comparison.py fails when they differ.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from harness import images

from .nics import NICS
from .summary import (
    BASE,
    METRICS,
    Figure,
    aligned,
    from_json,
    number,
    reasons_rows,
    totals_rows,
    widths,
)

RECORDED = Path(__file__).with_name("recorded.json")
TEXT = images.CLONE / "Documentation/virtual-machines.rst"
# Lines of the text between which the tables stand: comments of reStructuredText.
BEGIN, END = ".. the figures of make compare --", ".. -- end of the figures"
OTHERS = [nic.key for nic in NICS if nic.key != BASE]
HEADINGS = {"vf": "VF", "vhost": "vhost", "virtio": "virtio", "e1000e": "e1000e"}
WORKLOADS = {"udp": "UDP echo", "small_out": "datagrams out"}


def _quantity(value: float, unit: str) -> str:
    if unit == "µs" and value >= 1000:
        value, unit = value / 1000, "ms"
    space = "" if not unit or unit.startswith("1/") else " "
    return f"{number(value, 2)}{space}{unit.replace('1/', ' /')}"


def _spread(middle: str, low: float, high: float) -> str:
    return f"{middle} ({number(low, 2)}-{number(high, 2)})"


def _absolute(figure: Figure, unit: str) -> str:
    scale = 1000 if unit == "µs" and figure.median >= 1000 else 1
    return _spread(_quantity(figure.median, unit), figure.low / scale, figure.high / scale)


def _ratio(figure: Figure) -> str:
    """`~`: the rounds do not agree on who is ahead."""
    if figure.ratio is None:
        return "-"
    unsure = "~ " if figure.ratio_low < 1 < figure.ratio_high else ""
    return unsure + _spread(number(figure.ratio, 2), figure.ratio_low, figure.ratio_high)


def _grid(rows: list[list[str]]) -> str:
    """A simple table of reStructuredText; the first row is its heading."""
    rule = ["=" * width for width in widths(rows)]
    return "\n".join(aligned([rule, rows[0], rule, *rows[1:], rule]))


def _by_better(figures: dict, better: str) -> str:
    rows = [[f"{better} is better", "VF", *(HEADINGS[key] for key in OTHERS)]]
    for metric in METRICS:
        if metric.better == better:
            cards = figures[metric.key]
            rows.append(
                [
                    metric.title,
                    _absolute(cards[BASE], metric.unit),
                    *(_ratio(cards[key]) for key in OTHERS),
                ]
            )
    return _grid(rows)


def tables(recorded: dict) -> str:
    """What stands in the text."""
    figures = from_json(recorded["summary"])
    reasons = {WORKLOADS[workload]: cards for workload, cards in recorded["reasons"].items()}
    return "\n\n".join(
        [
            "\n".join(textwrap.wrap(recorded["note"] + ".", 99)),
            _by_better(figures, "less"),
            _by_better(figures, "more"),
            _grid(totals_rows(recorded["totals"], HEADINGS)),
            _grid(reasons_rows(reasons, HEADINGS, digits=2)),
        ]
    )


def shown() -> str:
    """The tables as they stand in the text."""
    return TEXT.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()


def write(**recorded):
    """Makes these figures (note, summary, totals, reasons) those of the text."""
    RECORDED.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
    before, rest = TEXT.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    TEXT.write_text(f"{before}{BEGIN}\n\n{tables(recorded)}\n\n{END}{after}", encoding="utf-8")
