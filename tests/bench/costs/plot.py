# SPDX-License-Identifier: GPL-2.0
"""Draws the cost of a packet, split into the driver's own code and the kernel's helpers."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from .boot import Outcome
from .row import BURSTS, SENT, TRANSACTIONS

matplotlib.use("Agg")
from matplotlib import pyplot

BARS = (
    ("Tx 60 B", "tx60", SENT),
    ("Tx 1500 B", "tx1500", SENT),
    ("Rx 60 B", "rx60-burst32", BURSTS),
    ("request/response", "rr18", TRANSACTIONS),
)
COLOURS = {"igb": ("#8a8f98", "#c9ccd1"), "igb_rs": ("#b7410e", "#e8a87c")}


def _split(outcome: Outcome, phase: str, count: int) -> tuple[float, float]:
    """Instructions per packet in the module, and in what it called."""
    own = sum(
        insns
        for (_, module), insns in outcome.phases[phase].by_function(outcome.names).items()
        if module
    )
    return own / count, (outcome.phases[phase].total - own) / count


def draw(outcomes: list[Outcome], base: Path):
    """Writes `base`.png and `base`.svg."""
    figure, axes = pyplot.subplots(1, len(BARS), figsize=(10, 4), layout="constrained")
    for axis, (title, phase, count) in zip(axes, BARS, strict=True):
        for place, outcome in enumerate(outcomes):
            own, helpers = _split(outcome, phase, count)
            dark, light = COLOURS[outcome.driver]
            axis.bar(place, own, color=dark, label="driver" if place else None)
            axis.bar(place, helpers, bottom=own, color=light)
            for low, height in ((0, own), (own, helpers)):
                axis.text(
                    place, low + height / 2, f"{height:.0f}", ha="center", va="center", fontsize=8
                )
            axis.text(place, own + helpers, f"{own + helpers:.0f}", ha="center", va="bottom")
        axis.set_title(title)
        axis.set_xticks(range(len(outcomes)), [outcome.driver for outcome in outcomes])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("instructions per packet or transaction")
    figure.suptitle("Below: code of the module. Above: kernel helpers it calls.", fontsize=10)
    for suffix in (".png", ".svg"):
        figure.savefig(base.with_suffix(suffix), dpi=120)
    pyplot.close(figure)
