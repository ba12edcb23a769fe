# SPDX-License-Identifier: GPL-2.0
"""Snapshots of the registers, as devlink keeps them."""

import json
import re

from harness import Guest
from harness.topology import PF_PCI

REGION = f"pci/{PF_PCI}/registers"


def kept(guest: Guest) -> list[int]:
    """Numbers of the snapshots there are."""
    shown = json.loads(guest.run(f"devlink -j region show {REGION}").out)["regions"][REGION]
    return shown.get("snapshot") or []


def registers(guest: Guest, number: int) -> dict[int, int]:
    """Values by offset."""
    dump = guest.run(f"devlink region dump {REGION} snapshot {number}").out
    rows = re.findall(r"^[0-9a-f]{16} ((?:[0-9a-f]{2} ?)+)$", dump.replace(" \n", "\n"), re.M)
    data = bytes.fromhex("".join(rows))
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    return dict(zip(words[::2], words[1::2]))
