# SPDX-License-Identifier: GPL-2.0
"""What the plugin counted, by phase of a run."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

KINDS = ("xmit", "poll", "irq", "mailbox")
DATA_PATH = 3  # of them


class Invalid(Exception):
    """The run did not measure what it was to measure."""


@dataclasses.dataclass
class Phase:
    """Sums over one phase. The driver's functions and what they called: `insns`."""

    calls: Counter = dataclasses.field(default_factory=Counter)  # by address
    insns: dict[int, list[int]] = dataclasses.field(default_factory=dict)  # address: per kind
    reads: Counter = dataclasses.field(default_factory=Counter)  # by register
    writes: Counter = dataclasses.field(default_factory=Counter)

    def of_kind(self, kind: str) -> int:
        index = KINDS.index(kind)
        return sum(counts[index] for counts in self.insns.values())

    @property
    def total(self) -> int:
        """Of the data path."""
        return sum(sum(counts[:DATA_PATH]) for counts in self.insns.values())

    @property
    def registers(self) -> int:
        """Reads and writes."""
        return self.reads.total() + self.writes.total()

    def by_function(self, names: dict[int, tuple[str, str]]) -> Counter:
        """Instructions of each (function, module)."""
        sums = Counter()
        for address, counts in self.insns.items():
            sums[names[address]] += sum(counts)
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
        elif word == "calls":
            phase.calls[int(rest[0], 16)] += int(rest[1])
        elif word == "read":
            phase.reads[int(rest[0], 16)] += int(rest[1])
        elif word == "write":
            phase.writes[int(rest[0], 16)] += int(rest[1])
    return phases
