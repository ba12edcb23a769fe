# SPDX-License-Identifier: GPL-2.0
"""What the plugin counted, by phase of a run."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

KINDS = ("xmit", "poll", "irq", "frames", "wakeup", "mailbox")
DATA_PATH = 5  # of them
# Bytes that string instructions copy for the price of one instruction: about what a processor copies
# in a cycle.
COPIED_AT_ONCE = 32


class Invalid(Exception):
    """The run did not measure what it was to measure."""


@dataclasses.dataclass
class Phase:
    """Sums over one phase. The driver's functions and what they called: `insns`."""

    calls: Counter = dataclasses.field(default_factory=Counter)  # by address
    insns: dict[int, list[int]] = dataclasses.field(default_factory=dict)  # address: per kind
    copies: dict[int, list[int]] = dataclasses.field(default_factory=dict)  # bytes, the same
    reads: Counter = dataclasses.field(default_factory=Counter)  # by register
    writes: Counter = dataclasses.field(default_factory=Counter)

    def of_kind(self, kind: str) -> float:
        index = KINDS.index(kind)
        copied = sum(counts[index] for counts in self.copies.values())
        return sum(counts[index] for counts in self.insns.values()) + copied / COPIED_AT_ONCE

    @property
    def total(self) -> float:
        """Of the data path, with what is copied."""
        executed = sum(sum(counts[:DATA_PATH]) for counts in self.insns.values())
        return executed + self.copied / COPIED_AT_ONCE

    @property
    def copied(self) -> int:
        """Bytes that string instructions of the data path copied."""
        return sum(sum(counts[:DATA_PATH]) for counts in self.copies.values())

    @property
    def registers(self) -> int:
        """Reads and writes."""
        return self.reads.total() + self.writes.total()

    def by_function(self, names: dict[int, tuple[str, str]]) -> Counter:
        """Instructions of each (function, module)."""
        sums = Counter()
        for address, counts in self.insns.items():
            sums[names[address]] += sum(counts)
        for address, counts in self.copies.items():
            sums[names[address]] += sum(counts) / COPIED_AT_ONCE
        return sums


def parse(path: Path) -> dict[int, Phase]:
    """The phases in a file the plugin wrote, by number."""
    phases: dict[int, Phase] = {}
    phase = None
    for line in path.read_text(encoding="ascii").splitlines():
        word, *rest = line.split()
        if word == "error":
            raise Invalid(f"plugin: {' '.join(rest)}")
        if word == "phase":
            phase = phases[int(rest[0])] = Phase()
        elif word == "insn":
            phase.insns[int(rest[0], 16)] = [int(count) for count in rest[1:]]
        elif word == "bytes":
            phase.copies[int(rest[0], 16)] = [int(count) for count in rest[1:]]
        elif word == "calls":
            phase.calls[int(rest[0], 16)] += int(rest[1])
        elif word == "read":
            phase.reads[int(rest[0], 16)] += int(rest[1])
        elif word == "write":
            phase.writes[int(rest[0], 16)] += int(rest[1])
    return phases
