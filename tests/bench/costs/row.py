# SPDX-License-Identifier: GPL-2.0
"""What a row of the table is, and how it gets its value out of what was measured."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable

from .boot import Outcome

SENT, BURSTS, TRANSACTIONS, KILOBYTES = 2000, 2016, 200, 1024
WARM_UP = 640  # of the bursts of xdp.sh
STREAMS = 5
ROUNDS = 9
GATE = 1.01
SETTINGS = 50
TENANTS = 50
LARGE, SMALL = 4096, 256  # receive descriptors


@dataclasses.dataclass(frozen=True)
class Target:
    """A limit for igb_rs: a number, or a multiple of what igb has."""

    limit: float
    relative: bool = True
    least: bool = False  # the limit is a lower one

    def met(self, igb: float, igb_rs: float) -> bool:
        limit = self.limit * igb if self.relative else self.limit
        # What was counted exactly is compared as exactly as it is printed.
        return igb_rs >= limit - 5e-4 if self.least else igb_rs <= limit + 5e-4

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        return f"{sign} {self.limit:.2f}×" if self.relative else f"{sign} {self.limit:g}"


def at_most(limit: float) -> Target:
    return Target(limit, relative=False)


def at_least(limit: float) -> Target:
    return Target(limit, relative=False, least=True)


def factor(limit: float) -> Target:
    return Target(limit)


def at_least_factor(limit: float) -> Target:
    return Target(limit, least=True)


@dataclasses.dataclass(frozen=True)
class Row:
    """`value` of an outcome; `known` are the bounds between which igb's has to be. `gate`: much the
    same in every run of igb_rs, so that a rise by more than GATE is a regression."""

    key: str
    title: str
    value: Callable[[Outcome], float]
    least: Target | None
    aim: Target | None
    known: tuple[float, float] | None = None
    gate: bool = False
    copied: Callable[[Outcome], float] | None = None  # bytes, where instructions are counted


def insns(phase: str, count: int) -> Callable[[Outcome], float]:
    return lambda outcome: outcome.phases[phase].total / count


def copied(phase: str, count: int) -> Callable[[Outcome], float]:
    return lambda outcome: outcome.phases[phase].copied / count


def mailbox(phase: str, count: int) -> Callable[[Outcome], float]:
    """Instructions in the mailbox's interrupt."""
    return lambda outcome: outcome.phases[phase].of_kind("mailbox") / count


def writes(phase: str, count: int, per: int = 1) -> Callable[[Outcome], float]:
    """Register writes; the reads of a statistics update may fall into any phase."""
    return lambda outcome: outcome.phases[phase].writes.total() * per / count


def interrupts(phase: str, count: int) -> Callable[[Outcome], float]:
    return lambda outcome: outcome.calls(phase, "irq") / count


def value(name: str, scale: float = 1) -> Callable[[Outcome], float]:
    return lambda outcome: outcome.values[name] * scale


def stream(outcome: Outcome) -> float:
    return statistics.median(
        outcome.phases[f"tcp-tx.{number}"].total / KILOBYTES for number in range(1, STREAMS + 1)
    )


def stream_copied(outcome: Outcome) -> float:
    return statistics.median(
        outcome.phases[f"tcp-tx.{number}"].copied / KILOBYTES for number in range(1, STREAMS + 1)
    )


def sent(phase: str) -> Callable[[Outcome], float]:
    """Instructions per packet where their number depends on the CPUs."""
    return lambda outcome: outcome.phases[phase].total / outcome.calls(phase, "xmit")


def worst_reply(outcome: Outcome) -> float:
    return (
        statistics.median(
            outcome.values[f"worst-reply.{number}"] for number in range(1, ROUNDS + 1)
        )
        * 1e-6
    )


# ICR, MBVFICR, VFLRE, VFRE, VFTE, EIMS: of any interrupt of a mailbox, and of opening and closing.
SHARED = (0x00C0, 0x0C80, 0x0C88, 0x0C8C, 0x0C90, 0x1524)
VMBMEM = range(0x0800, 0x0A00)


def clearing(phase: str) -> Callable[[Outcome], float]:
    """Register accesses by which a VF's registers are cleared: all but those to know that there is
    something to do, and to read the message."""

    def count(outcome: Outcome) -> float:
        found = outcome.phases[phase]
        reads = sum(n for at, n in found.reads.items() if at not in SHARED and at not in VMBMEM)
        writes = sum(n for at, n in found.writes.items() if at not in SHARED)
        return (reads + writes) / TENANTS

    return count
