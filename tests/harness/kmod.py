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
    return _built(["tests/build-module", output, "-s", f"M={source}"], kernel, output)


def second_driver(kernel: Kernel) -> bytes:
    """The module of tests/second-driver."""
    return _built(
        ["tests/build-second-driver", "-s"], kernel, Path("build/second-driver") / kernel.name
    )


def _built(command: list, kernel: Kernel, output: Path) -> bytes:
    """The only module in `output`, where the command puts it."""
    subprocess.run(
        command, check=True, cwd=images.CLONE, env={**os.environ, "IGB_RS_FLAVOUR": kernel.name}
    )
    (module,) = (images.CLONE / output).glob("*.ko")
    return images.stripped(module)
