# SPDX-License-Identifier: GPL-2.0
"""A module that breaks a rule of the kernel while it is loaded, and then refuses to stay."""

from __future__ import annotations

from pathlib import Path

from harness import Guest, kmod

SOURCE = Path(__file__).with_name("break_rule")


def breaking(guest: Guest, rule: str) -> str:
    """The command that breaks a rule. It fails with "canceled" when that is done."""
    guest.put("/tmp/break_rule.ko", kmod.build(SOURCE, guest.config.boots))
    return f"insmod /tmp/break_rule.ko rule={rule}"
