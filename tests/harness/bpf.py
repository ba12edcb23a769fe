# SPDX-License-Identifier: GPL-2.0
"""Programs in C that a guest's kernel runs (BPF)."""

import subprocess
from pathlib import Path

FLAGS = ("-O2", "-g", "-Wall", "-Werror", "--target=bpf", "-mcpu=v3")


def compile_bpf(source: Path, output: Path):
    """They may include headers of this directory."""
    includes = ("-I/usr/include/x86_64-linux-gnu", f"-I{Path(__file__).parent}")
    subprocess.run(["clang-19", *FLAGS, *includes, "-c", source, "-o", output], check=True)
