# SPDX-License-Identifier: GPL-2.0
"""Traffic whose arrival, or absence, a test wants to see."""

from __future__ import annotations

from harness import Guest
from harness.topology import Host
from harness.traffic import count_frames

# Frames sent to see whether they arrive, and what else may arrive meanwhile.
BURST = 100
NOISE = 20
# Of TCP transfers: the first port, and seconds in which nothing moves.
PORT = 5000
PATIENCE = 20


def arrivals(guest: Guest, source: Host, target: Host, destination: str) -> int:
    """How many packets `target` counts while `source` sends BURST frames to a MAC address."""
    return count_frames(guest, source, target, [200] * BURST, destination, patience=0.3)


def arrive(guest: Guest, source: Host, target: Host, destination: str) -> bool:
    """Whether they arrive: all of them, or none but for noise."""
    seen = arrivals(guest, source, target, destination)
    assert seen >= BURST or seen < NOISE, f"{seen} packets where {BURST} or none were expected"
    return seen >= BURST


def tcp_contents(guest: Guest, *ways: tuple[Host, Host, str], megabytes: int = 4):
    """Sends random data by TCP from one host to another, over "ipv4" or "ipv6", all ways at once,
    and compares what arrives; bad checksums on the way are an error too."""
    directions = [
        {
            "source": source.netns,
            "target": target.netns,
            "address": getattr(target, version),
            "port": PORT + number,
        }
        for number, (source, target, version) in enumerate(ways)
    ]
    size = megabytes << 20
    results = guest.ask("streams", size, PATIENCE * guest.slowness, value=directions, timeout=120)
    for (source, target, version), result in zip(ways, results, strict=True):
        assert result == {"received": size, "differs": None, "checksum_errors": 0}, (
            f"{source.name} -> {target.name}, {version}: {result}"
        )


def tcp_content(guest: Guest, source: Host, target: Host, ipv6: bool = False, megabytes: int = 4):
    """The same for one way."""
    tcp_contents(guest, (source, target, "ipv6" if ipv6 else "ipv4"), megabytes=megabytes)


def tag(guest: Guest, host: Host, vid: int) -> Host:
    """Adds a VLAN interface on top of `host`, up, with addresses of its own."""
    tagged = Host(f"{host.name}.{vid}", host.netns, host.number + 100)
    into = f"-n {host.netns}" if host.netns else ""
    guest.run(
        f"ip {into} link add link {host.name} name {tagged.name} type vlan id {vid} &&"
        f"ip {into} addr add {tagged.ipv4}/25 dev {tagged.name} &&"
        f"ip {into} addr add 2001:db8:2::{tagged.number:x}/64 dev {tagged.name} nodad &&"
        f"ip {into} link set {tagged.name} up"
    )
    return tagged
