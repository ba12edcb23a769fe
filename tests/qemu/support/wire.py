# SPDX-License-Identifier: GPL-2.0
"""Traffic whose arrival, or absence, a test wants to see."""

from __future__ import annotations

import json

from harness import Guest
from harness.topology import Host

from . import counters

# Frames sent to see whether they arrive, and what else may arrive meanwhile.
BURST = 100
NOISE = 20


def arrivals(guest: Guest, source: Host, target: Host, destination: str) -> int:
    """How many packets `target` counts while `source` sends BURST frames to a MAC address."""
    before = counters.link(guest, target)["rx_packets"]
    plan = json.dumps({"sizes": [200] * BURST, "seed": 1})
    guest.run(f"python3 -I -S /payload/frames.py send {source.name} {destination}",
              netns=source.netns, stdin=plan)
    guest.run(f"sleep {0.3 * guest.slowness}")
    return counters.link(guest, target)["rx_packets"] - before


def arrive(guest: Guest, source: Host, target: Host, destination: str) -> bool:
    """Whether they arrive: all of them, or none but for noise."""
    seen = arrivals(guest, source, target, destination)
    assert seen >= BURST or seen < NOISE, f"{seen} packets where {BURST} or none were expected"
    return seen >= BURST


def tcp_content(guest: Guest, source: Host, target: Host, ipv6: bool = False,
                megabytes: int = 4):
    """Sends random data by TCP and compares digests; bad checksums on the way are an error too."""
    address = f"TCP6:[{target.ipv6}]" if ipv6 else f"TCP4:{target.ipv4}"
    listen = "TCP6-LISTEN" if ipv6 else "TCP4-LISTEN"
    errors = "nstat -asz TcpInCsumErrors | awk '/TcpInCsumErrors/ { print $2 }'"
    before = [guest.run(errors, netns=host.netns).text for host in (source, target)]
    data = f"/tmp/data{megabytes}"
    guest.run(f"[ -e {data} ] || head -c {megabytes}M /dev/urandom >{data}")
    receiver = guest.start(f"socat -u {listen}:5000,reuseaddr - | sha256sum", netns=target.netns)
    guest.wait_until("ss -Hltn sport = :5000 | grep -q .", 20, netns=target.netns)
    guest.run(f"socat -u FILE:{data} {address}:5000", netns=source.netns)
    assert receiver.wait().text == guest.run(f"sha256sum <{data}").text
    after = [guest.run(errors, netns=host.netns).text for host in (source, target)]
    assert after == before, f"TCP checksum errors: {before} before, {after} after"


def tag(guest: Guest, host: Host, vid: int) -> Host:
    """Adds a VLAN interface on top of `host`, up, with addresses of its own."""
    tagged = Host(f"{host.name}.{vid}", host.netns, host.number + 100)
    into = f"-n {host.netns}" if host.netns else ""
    guest.run(f"ip {into} link add link {host.name} name {tagged.name} type vlan id {vid} &&"
              f"ip {into} addr add {tagged.ipv4}/25 dev {tagged.name} &&"
              f"ip {into} addr add 2001:db8:2::{tagged.number:x}/64 dev {tagged.name} nodad &&"
              f"ip {into} link set {tagged.name} up")
    return tagged
