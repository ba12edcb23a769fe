# SPDX-License-Identifier: GPL-2.0
"""Builds the plugin and the load generator."""

import subprocess

from . import BENCH, BUILD

WARNINGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")
PLUGIN = BUILD / "cost.so"
PROBE = BUILD / "probe"


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
    subprocess.run(
        ["gcc-14", *WARNINGS, "-static", "-s", "-o", PROBE, BENCH / "guest/probe.c"], check=True
    )
