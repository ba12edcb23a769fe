# SPDX-License-Identifier: GPL-2.0
"""What the driver shows in debugfs."""

from harness.topology import PF_PCI, Lan

DIRECTORY = f"/sys/kernel/debug/igb_rs-{PF_PCI}"


def show(lan: Lan, name: str) -> list[str]:
    """Lines of one of the PF's files."""
    lan.guest.run("mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug")
    return lan.guest.run(f"cat {DIRECTORY}/{name}").out.splitlines()
