# SPDX-License-Identifier: GPL-2.0
"""The series in other configurations (variants.toml): what a compiler says, without a kernel that boots.

Built in a copy of the build directory, at the same place, so that the kernel's own objects stay as they are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import build
import state


@dataclass
class Variant:
    mark: str
    title: str
    options: dict[str, str]
    make: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that is asked for."""
        return json.dumps([self.options, self.make], sort_keys=True)


def all_of_them() -> list[Variant]:
    text = (state.HERE / "variants.toml").read_text()
    return [Variant(**entry) for entry in tomllib.loads(text)["variant"]]


def otherwise(text: str, options: dict[str, str]) -> list[str]:
    """Those that a .config does not have as they were asked for."""
    return [
        f"{option}={value}"
        for option, value in options.items()
        if (f"CONFIG_{option}=" in text if value == "n" else build.line(option, value) not in text)
    ]


@contextmanager
def directory(place: Path):
    """A fresh copy of the build directory in its place."""
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run(["cp", "-a", build.KDIR, place], check=True)
    subprocess.run(["busybox", "mount", "-o", "bind", place, build.KDIR], check=True)
    try:
        yield
    finally:
        subprocess.run(["busybox", "umount", build.KDIR], check=True)
        shutil.rmtree(place)


def build_objects(place: Path, variant: Variant):
    with directory(place):
        build.configure(variant.options)
        wanted = dict.fromkeys(build.OPTIONS, "y") | variant.options
        wrong = otherwise((build.KDIR / ".config").read_text(), wanted)
        if wrong:
            raise build.Failed(f"Kconfig does not permit {', '.join(wrong)}")
        build.quiet(build.kbuild("prepare"))
        build.quiet(build.kbuild(*(variant.make or [f"{state.DRIVER}/"])))
