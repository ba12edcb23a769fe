# SPDX-License-Identifier: GPL-2.0
"""Which tests a worker runs next.

Tests of one file that ask for the same guest stay together. A worker goes on with groups of the
guest it has; else it takes the guest with most work left that no other worker has. Within a guest
the longest group comes first. So few guests are booted, and the workers end at about the same time.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

# Of a test that nobody has recorded, in seconds: an ordinary one, and one marked `long`.
UNKNOWN, UNKNOWN_LONG = 8.0, 100.0


@dataclasses.dataclass
class Group:
    """Tests of one file with the same guest."""

    file: str
    guest: str  # the fields of its configuration that are not the usual ones
    image: str
    alone: bool
    tests: list[str]
    seconds: float = 0.0  # how long it is expected to take

    @property
    def name(self) -> str:
        """By which it is recorded."""
        return f"{self.file} {self.guest}".strip()


def grouped(tests: list[dict], recorded: dict[str, float]) -> list[Group]:
    """Groups of what a worker has collected. `recorded`: seconds by name of the group."""
    groups: dict[tuple, Group] = {}
    unknown: dict[tuple, float] = defaultdict(float)
    for test in tests:
        key = test["file"], test["guest"], test["image"], test["alone"]
        groups.setdefault(key, Group(*key, [])).tests.append(test["id"])
        unknown[key] += UNKNOWN_LONG if test["long"] else UNKNOWN
    for key, group in groups.items():
        group.seconds = recorded.get(group.name, unknown[key])
    return list(groups.values())


class Queue:
    """The groups of one kernel that nobody has taken. Not locked."""

    def __init__(self):
        self.groups: list[Group] | None = None  # None: not known yet
        self.guests: dict[object, str] = {}  # of each worker

    def fill(self, groups: list[Group]):
        if self.groups is None:
            self.groups = groups

    def put_back(self, group: Group):
        self.groups.append(group)

    def has(self, alone: bool, images: set[str]) -> bool:
        """Whether there is something to take."""
        return bool(self._takeable(alone, images))

    def is_empty(self, alone: bool) -> bool:
        return self.groups is not None and not any(group.alone == alone for group in self.groups)

    def take(self, worker: object, alone: bool, images: set[str]) -> Group | None:
        """The best group for a worker, of those whose image is there."""
        takeable = self._takeable(alone, images)
        if not takeable:
            self.guests.pop(worker, None)
            return None
        left: dict[str, float] = defaultdict(float)
        for group in takeable:
            left[group.guest] += group.seconds
        guest = self.guests.get(worker)
        if guest not in left:
            others = {of for who, of in self.guests.items() if who is not worker}
            guest = max(left, key=lambda guest: (guest not in others, left[guest]))
        self.guests[worker] = guest
        best = max(
            (group for group in takeable if group.guest == guest), key=lambda group: group.seconds
        )
        self.groups.remove(best)
        return best

    def needs(self, image: str) -> bool | None:
        """Whether a group that is left has that image; None if that is not known yet."""
        return None if self.groups is None else any(group.image == image for group in self.groups)

    def leave(self, worker: object):
        self.guests.pop(worker, None)

    def _takeable(self, alone: bool, images: set[str]) -> list[Group]:
        return [
            group for group in self.groups or () if group.alone == alone and group.image in images
        ]
