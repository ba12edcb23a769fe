# SPDX-License-Identifier: GPL-2.0
"""Kernel modules that only tests need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from . import images
from .kernels import Kernel


def build(source: Path, kernel: Kernel) -> bytes:
    """The only module of the directory `source` for a kernel. What has been built is kept."""
    output = images.CLONE / "build" / source.name / kernel.name
    subprocess.run(
        ["tests/build-module", output.relative_to(images.CLONE), "-s", f"M={source}"],
        check=True,
        cwd=images.CLONE,
        env={**os.environ, "IGB_RS_FLAVOUR": kernel.name},
    )
    (module,) = output.glob("*.ko")
    return images.stripped(module)
