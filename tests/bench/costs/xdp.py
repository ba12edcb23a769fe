# SPDX-License-Identifier: GPL-2.0
"""Rows of XDP, AF_XDP, and of packets from one port to another: frames of 60 bytes, 32 at a time."""

from __future__ import annotations

from .row import BURSTS, Row, copied, factor, insns

# By phase: the title, of what igb needs the limit and the aim are, and what igb is known to need.
_SHAPES = {
    "xdp-drop": ("XDP drop", (1.00, 0.60), (165, 182)),
    "xdp-pass": ("XDP pass", (1.00, 0.60), (450, 480)),
    "xdp-tx": ("XDP tx", (1.00, 0.60), (785, 840)),
    "xdp-out": ("XDP redirect to another device", (1.00, 0.60), (187, 206)),
    "xdp-in": ("XDP redirect from another device", (1.00, 0.60), (620, 680)),
    "xdp-port": ("XDP redirect from one port to another", (1.00, 0.60), (705, 760)),
    "xsk-rx": ("AF_XDP zero copy, received", (1.00, 0.60), (105, 118)),
    "xsk-tx": ("AF_XDP zero copy, sent", (1.00, 0.60), (168, 180)),
    "xsk-fwd": ("AF_XDP zero copy, sent back", (1.00, 0.60), (235, 265)),
    "forward60": ("forwarded to another port", (1.00, 0.70), (1065, 1130)),
}

XDP = tuple(
    Row(
        phase,
        f"{title}: instructions",
        insns(phase, BURSTS),
        *(factor(limit) for limit in limits),
        known,
        gate=True,
        copied=copied(phase, BURSTS),
    )
    for phase, (title, limits, known) in _SHAPES.items()
)
