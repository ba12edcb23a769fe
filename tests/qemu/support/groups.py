# SPDX-License-Identifier: GPL-2.0
"""Who hears whom in a multicast group."""

from __future__ import annotations

from harness import Guest
from harness.topology import Host

MDNS = {"group": "224.0.0.251", "protocol": 17, "port": 5353}


def hear(guest: Guest, group: dict, *hosts: Host, at: dict | None = None) -> dict[str, set[str]]:
    """Whom each host hears when all have sent one packet to the group. `at`: another interface of a host, by
    which it sends and where it listens."""
    plan = {
        **group,
        "ttl": 255,
        "patience": guest.slowness,
        "hosts": [
            {
                "name": host.name,
                "netns": host.netns,
                "interface": (at or {}).get(host.name, host.name),
            }
            for host in hosts
        ],
    }
    return {name: set(heard) for name, heard in guest.ask("groups", value=plan).items()}
