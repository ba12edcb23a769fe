# SPDX-License-Identifier: GPL-2.0
"""Sums of passed, failed and skipped tests."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __iadd__(self, other: Counts) -> Counts:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    @classmethod
    def of(cls, *outcomes: str) -> Counts:
        """Of "passed", "failed" and "skipped"."""
        return cls(*(outcomes.count(field.name) for field in dataclasses.fields(cls)))
