# SPDX-License-Identifier: GPL-2.0
"""Kernel modules that only tests need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from . import images
from .kernels import Kernel


def build(source: Path, kernel: Kernel) -> bytes:
    """The module of the directory `source`, which has the module's name, for a kernel."""
    output = Path("build") / source.name / kernel.name
    subprocess.run(
        ["tests/build-module", output, "-s", f"M={source}"],
        check=True,
        cwd=images.CLONE,
        env={**os.environ, "IGB_RS_FLAVOUR": kernel.name},
    )
    return images.stripped(images.CLONE / output / f"{source.name}.ko")
