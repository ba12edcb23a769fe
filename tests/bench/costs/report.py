# SPDX-License-Identifier: GPL-2.0
"""Judges a pair of outcomes: is it valid, and what did it find."""

from __future__ import annotations

import dataclasses

from .boot import Outcome
from .row import BURSTS, SENT, TRANSACTIONS, WARM_UP, Row

# Calls there must have been, by phase, within EDGE of it: frames of the stack's own, and packets
# that were refused and came again.
TRANSMITTED = {
    "tx60": SENT,
    "tx1500": SENT,
    "tx60-burst32": BURSTS,
    "rr18": TRANSACTIONS,
    "rr1400": TRANSACTIONS,
    "tx60-vfs": SENT,
    "tx60-burst32-ring4096": BURSTS,
    "tx1500-burst32-ring4096": BURSTS,
    "forward60": BURSTS,
}
DELIVERED = {
    "rx60-burst32": BURSTS,
    "rx60-vfs": BURSTS,
    "rr18": TRANSACTIONS,
    "rr1400": TRANSACTIONS,
    "xdp-pass": BURSTS,
    "forward60": BURSTS,
}
# What scripts say: by how much a counter of the PF has grown, and how many frames a socket has had. In
# some there are those before a phase.
COUNTED = {
    **{
        f"count.{phase}": BURSTS
        for phase in (
            *("xdp-drop", "xdp-pass", "xdp-tx", "xdp-out", "xdp-port"),
            *("xsk-rx", "xsk-fwd", "forward60"),
        )
    },
    "count.xdp-in": WARM_UP + BURSTS,
    "socket.xsk-rx": WARM_UP + BURSTS,
    "socket.xsk-fwd": WARM_UP + BURSTS,
    "xsk-tx": BURSTS,
}
EDGE = 0.02


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the table."""

    row: Row
    igb: float | None
    igb_rs: float | None
    copied: tuple[float | None, float | None] = (None, None)  # bytes: of igb, of igb_rs

    @property
    def ratio(self) -> float | None:
        return self.igb_rs / self.igb if self.igb and self.igb_rs is not None else None

    @property
    def verdict(self) -> str:
        if self.igb is None or self.igb_rs is None or self.row.least is None:
            return ""
        if self.row.aim is not None and self.row.aim.met(self.igb, self.igb_rs):
            return "aim"
        return "met" if self.row.least.met(self.igb, self.igb_rs) else "MISSED"


def validate(outcome: Outcome) -> list[str]:
    """Why not every packet of the workload was counted."""
    reasons = []
    for what, expected, count in (
        ("sent by the driver", TRANSMITTED, lambda phase: outcome.calls(phase, "xmit")),
        ("delivered to the stack", DELIVERED, outcome.delivered),
    ):
        for phase, packets in expected.items():
            if phase in outcome.phases and abs(count(phase) - packets) > packets * EDGE:
                reasons.append(
                    f"{outcome.driver}, {phase}: {count(phase)} packets {what}, {packets} expected"
                )
    for name, packets in COUNTED.items():
        found = outcome.values.get(name, packets)
        if abs(found - packets) > packets * EDGE:
            reasons.append(f"{outcome.driver}: {name} is {found:.0f}, {packets} expected")
    return reasons


def unexpected(rows: tuple[Row, ...], igb: Outcome | None) -> list[str]:
    """Where the C driver did not need what it is known to need."""
    reasons = []
    for row in rows if igb is not None else ():
        value = row.value(igb)
        if row.known is not None and not row.known[0] <= value <= row.known[1]:
            reasons.append(
                f"C igb, {row.title}: {value:.4g}, but {row.known[0]:g} to "
                f"{row.known[1]:g} are known: another kernel or QEMU, or the workload "
                "is not what it was"
            )
    return reasons


def findings(rows: tuple[Row, ...], igb: Outcome | None, igb_rs: Outcome | None) -> list[Finding]:
    pair = (igb, igb_rs)
    return [
        Finding(
            row,
            *(outcome and row.value(outcome) for outcome in pair),
            tuple(outcome and row.copied and row.copied(outcome) for outcome in pair),
        )
        for row in rows
    ]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 1000 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _copied(finding: Finding) -> str:
    """Bytes copied by C igb / igb_rs, which are part of the instructions."""
    if finding.row.copied is None:
        return ""
    return " / ".join("–" if copied is None else f"{copied:.0f}" for copied in finding.copied)


def table(found: list[Finding]) -> str:
    """As text, one line for each row."""
    head = ("metric", "C igb", "igb_rs", "ratio", "copied B", "at least", "aim", "verdict")
    lines = [head]
    for finding in found:
        ratio = f"{finding.ratio:.2f}" if finding.ratio is not None else "–"
        lines.append(
            (
                finding.row.title,
                _number(finding.igb),
                _number(finding.igb_rs),
                ratio,
                _copied(finding),
                str(finding.row.least or ""),
                str(finding.row.aim or ""),
                finding.verdict,
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_json(found: list[Finding]) -> list[dict]:
    return [
        {
            "key": finding.row.key,
            "title": finding.row.title,
            "igb": finding.igb,
            "igb_rs": finding.igb_rs,
            "ratio": finding.ratio,
            "copied": finding.copied,
            "at_least": str(finding.row.least or ""),
            "aim": str(finding.row.aim or ""),
            "verdict": finding.verdict,
        }
        for finding in found
    ]


def profile(outcome: Outcome, phase: str) -> str:
    """Instructions per packet and function, most first."""
    count = (
        TRANSMITTED.get(phase)
        or DELIVERED.get(phase)
        or (BURSTS if phase.startswith(("xdp-", "xsk-")) else 1)
    )
    sums = outcome.phases[phase].by_function(outcome.names)
    lines = [f"{outcome.driver}, {phase}: {sums.total() / count:.1f}"]
    lines += [
        f"{insns / count:9.2f}  {name}{f' [{module}]' if module else ''}"
        for (name, module), insns in sums.most_common(30)
    ]
    return "\n".join(lines)
