# SPDX-License-Identifier: GPL-2.0
"""Kernel modules that only tests need."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import images
from .kernels import Kernel


def build(source: Path, kernel: Kernel) -> bytes:
    """The module of the directory `source`, which has the module's name, for a kernel."""
    output = images.CLONE / "build" / source.name / kernel.name
    output.mkdir(parents=True, exist_ok=True)
    subprocess.run(["make", "-s", f"M={source}", f"MO={output}", *kernel.module_build], check=True)
    return images.stripped(output / f"{source.name}.ko")
