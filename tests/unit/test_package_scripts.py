# SPDX-License-Identifier: GPL-2.0
"""debian/igb-rs-dkms.postinst, with small stand-ins for the programs it calls."""

import os
import subprocess
from pathlib import Path

import pytest

POSTINST = Path(__file__).resolve().parents[2] / "debian/igb-rs-dkms.postinst"
RELEASE = "0.0.1+none"


def configure(directory: Path, programs: dict[str, str]) -> subprocess.CompletedProcess:
    """The script, with these in the place of programs."""
    for name, text in programs.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    done = subprocess.run(
        ["sh", POSTINST, "configure"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": f"{directory}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("status", [0, 1])
def test_metadata_is_made_and_what_is_missing_fails_nothing(tmp_path, status):
    """For a kernel with Rust; without the hooks in /etc/kernel, which are not installed here."""
    configure(
        tmp_path,
        {
            "ls": f"echo {RELEASE}",
            "grep": "exit 0",
            "mokutil": "exit 1",
            "linux-rust-metadata": f'echo "$*" >>{tmp_path}/asked; exit {status}',
        },
    )
    assert (tmp_path / "asked").read_text(encoding="utf-8") == f"make {RELEASE}\n"


@pytest.mark.parametrize(
    ("state", "key", "told"),
    [
        ("SecureBoot enabled", "/var/lib/dkms/mok.pub is not enrolled", True),
        ("SecureBoot enabled", "/var/lib/dkms/mok.pub is already enrolled", False),
        ("SecureBoot disabled", "/var/lib/dkms/mok.pub is not enrolled", False),
    ],
)
def test_a_key_that_is_not_enrolled_is_named(tmp_path, state, key, told):
    """With Secure Boot only; DKMS itself says nothing."""
    done = configure(
        tmp_path,
        {
            "ls": "exit 0",
            "mokutil": f'case $1 in --sb-state) echo "{state}" ;; *) echo "{key}" ;; esac',
        },
    )
    assert ("mokutil --import /var/lib/dkms/mok.pub" in done.stderr) == told, done.stderr
