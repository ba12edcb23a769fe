# SPDX-License-Identifier: GPL-2.0
"""Kernel modules that only tests need, built for the stock kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import images

_COMPILER = ("CC=x86_64-linux-gnu-gcc-14", "CROSS_COMPILE=x86_64-linux-gnu-")


def build(source: Path) -> bytes:
    """The module of the directory `source`, which has the module's name."""
    output = images.CLONE / "build" / source.name
    output.mkdir(parents=True, exist_ok=True)
    subprocess.run(["make", "-s", "-C", images.KERNEL / "kdir", f"M={source}", f"MO={output}",
                    *_COMPILER, "modules"], check=True)
    return images.stripped(output / f"{source.name}.ko")
