# SPDX-License-Identifier: GPL-2.0
"""Traffic whose arrival, or absence, a test wants to see."""

from __future__ import annotations

import contextlib
import re
import signal

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
    results = guest.ask("streams", size, guest.limit(PATIENCE), value=directions, timeout=120)
    for (source, target, version), result in zip(ways, results, strict=True):
        assert result == {"received": size, "differs": None, "checksum_errors": 0}, (
            f"{source.name} -> {target.name}, {version}: {result}"
        )


def tcp_content(guest: Guest, source: Host, target: Host, ipv6: bool = False, megabytes: int = 4):
    """The same for one way."""
    tcp_contents(guest, (source, target, "ipv6" if ipv6 else "ipv4"), megabytes=megabytes)


class Capture:
    """tcpdump on one host; made by `captured`."""

    def __init__(self, guest: Guest, host: Host, command: str):
        self._guest = guest
        self._log = f"/run/capture-{host.name}"
        guest.put(self._log, b"")
        self._job = guest.start(f"exec {command} 2>{self._log}", netns=host.netns)
        self._is_over = False
        # Before it has its filter it drops what it got.
        guest.wait_until(f"grep -qs 'listening on' {self._log}", 20)

    def ended(self) -> str:
        """What it printed of as many packets as it was asked for."""
        self._is_over = True
        return self._job.wait().out

    def stopped(self) -> int:
        """How many packets it saw until now."""
        if not self._job.has_ended():
            self._job.kill(signal.SIGINT)
        self.ended()
        said = self._guest.read(self._log)
        return int(re.search(r"^(\d+) packets? captured", said, re.M)[1])

    def close(self):
        if not self._is_over:
            self._job.kill()
            self._job.wait(check=False)


def captured(guest: Guest, host: Host, count: int, expression: str, options: str = ""):
    """Captures `count` packets until the end of the block."""
    command = f"tcpdump -Z root -i {host.name} -n {options} -c {count} '{expression}'"
    return contextlib.closing(Capture(guest, host, command))


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
