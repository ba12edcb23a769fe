# SPDX-License-Identifier: GPL-2.0
"""What the host says of VFs."""

from __future__ import annotations

import json

from harness import Guest


def shown(guest: Guest) -> list[dict]:
    """The VF entries of `ip link show`."""
    (link,) = json.loads(guest.run("ip -j -d link show dut").out)
    return link.get("vfinfo_list", [])
