# SPDX-License-Identifier: GPL-2.0
"""Defects that are put into a copy of the driver, and that the fuzzer of a VF's registers has to find
(tests/window/defects.toml)."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from harness import images
from harness.topology import Lan

LIST = images.CLONE / "tests/window/defects.toml"
# The copy, and the module that is built of it.
TREE, MODULE = (images.CLONE / "build/window" / name for name in ("tree", "module"))
COPIED = ("Kbuild", "drivers", "rust")
IN_GUEST = "/payload/igb_rs.ko"


@dataclasses.dataclass(frozen=True)
class Defect:
    name: str
    file: str  # below drivers/igb
    old: str
    new: str
    finds: str  # regular expression of what the fuzzer has to say
    steps: int  # that are left at most

    @property
    def path(self) -> str:
        return f"drivers/igb/{self.file}"

    def put_in(self, source: str) -> str:
        """The file with the defect."""
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name} does not fit {self.path}: bring it up to date")
        return source.replace(self.old, self.new)


def read_list() -> list[Defect]:
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["defect"]
    return [Defect(**entry) for entry in entries]


def build(defect: Defect) -> Path:
    """The module with the defect, for the stock kernel. What is equal keeps its time, so that little
    is built anew."""
    wanted = {}
    for name in COPIED:
        top = images.CLONE / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file():
                wanted[path.relative_to(images.CLONE)] = path.read_bytes()
    source = Path(defect.path)
    wanted[source] = defect.put_in(wanted[source].decode()).encode()
    for path, data in wanted.items():
        copy = TREE / path
        if not copy.exists() or copy.read_bytes() != data:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
    output = MODULE.relative_to(images.CLONE)
    subprocess.run(["tests/build-module", output, "-s", f"M={TREE}"], cwd=images.CLONE, check=True)
    return MODULE / "igb_rs.ko"


@contextlib.contextmanager
def driver_with(lan: Lan, defect: Defect) -> Iterator[None]:
    """The network with that driver in the place of the one under test."""
    guest = lan.guest
    sound = guest.config.boots.module
    # A clock that passes over idle time leaves an idle guest no rest.
    guest.qmp("stop")
    broken = build(defect)
    guest.qmp("cont")
    lan.down()
    guest.put(IN_GUEST, images.stripped(broken))
    try:
        lan.ready()
        yield
    finally:
        lan.down()
        guest.put(IN_GUEST, images.stripped(sound))
