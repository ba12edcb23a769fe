# SPDX-License-Identifier: GPL-2.0
"""debian/igb-rs-dkms.postinst, with small stand-ins for the programs it calls."""

import os
import subprocess
from pathlib import Path

import pytest

POSTINST = Path(__file__).resolve().parents[2] / "debian/igb-rs-dkms.postinst"
RELEASE = "0.0.1+none"


@pytest.mark.parametrize("status", [0, 1])
def test_metadata_is_made_and_what_is_missing_fails_nothing(tmp_path, status):
    """For a kernel with Rust; without the hooks in /etc/kernel, which are not installed here."""
    for name, text in {
        "ls": f"echo {RELEASE}",
        "grep": "exit 0",
        "linux-rust-metadata": f'echo "$*" >>{tmp_path}/asked; exit {status}',
    }.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    done = subprocess.run(
        ["sh", POSTINST, "configure"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text(encoding="utf-8") == f"make {RELEASE}\n"
