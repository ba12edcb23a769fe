# SPDX-License-Identifier: GPL-2.0
"""Builds the plugin, the load generator, and the programs of XDP."""

import subprocess

from harness.bpf import compile_bpf

from . import BENCH, BUILD

WARNINGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")
PLUGIN = BUILD / "cost.so"
PROBE = BUILD / "probe"
PROGRAMS = BUILD / "xdp.o"


def build():
    """A second at most, so always."""
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "gcc-14",
            *WARNINGS,
            "-fPIC",
            "-shared",
            "-fvisibility=hidden",
            "-o",
            PLUGIN,
            BENCH / "plugin/cost.c",
            "-l:libglib-2.0.so.0",
        ],
        check=True,
    )
    sources = [BENCH / "guest" / name for name in ("probe.c", "frames.c")]
    subprocess.run(["gcc-14", *WARNINGS, "-static", "-s", "-o", PROBE, *sources], check=True)
    compile_bpf(BENCH / "guest/xdp.bpf.c", PROGRAMS)
