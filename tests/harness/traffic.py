# SPDX-License-Identifier: GPL-2.0
"""Sends traffic between two hosts of the test network and says what arrived."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable

from .agent import CommandFailed
from .shell import Shell
from .topology import Host


@dataclasses.dataclass(frozen=True)
class Ping:
    """Counts and round-trip times in milliseconds."""

    sent: int
    received: int
    rtt_min: float | None = None
    rtt_avg: float | None = None

    @property
    def complete(self) -> bool:
        return self.received == self.sent


def ping(guest: Shell, source: Host, target: str, count: int = 5, size: int = 56,
         interval: float = 0.05, options: str = "") -> Ping:
    """Echo requests from `source` to the address `target`. Losses are reported, not raised."""
    command = f"ping -n -q -c {count} -i {interval} -s {size} -W 2 {options} {target}"
    result = guest.run(command, timeout=count * interval + 30, check=False, netns=source.netns)
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", result.out)
    if counts is None:
        raise CommandFailed(result)
    times = re.search(r"= ([\d.]+)/([\d.]+)/", result.out)
    return Ping(int(counts[1]), int(counts[2]), *(map(float, times.groups()) if times else ()))


@dataclasses.dataclass(frozen=True)
class Stream:
    """A TCP stream as its receiver saw it."""

    mbit_per_s: float
    bytes: int
    retransmits: int


def tcp_stream(guest: Shell, source: Host, target: Host, seconds: float = 2,
               options: str = "", at: Shell | None = None, amount: str | None = None) -> Stream:
    """iperf3 from `source` to `target`, which is in the guest `at` if that is another. Under a slow
    kernel, or if an `amount` is given ("1M"), so many bytes in whatever time they take."""
    other = at or guest
    if amount is None and guest.slowness != 1:
        amount = "4M"
    length = f"--bytes {amount}" if amount else f"--time {seconds}"
    server = other.start("iperf3 --server --one-off --forceflush", timeout=seconds + 100,
                         netns=target.netns)
    other.wait_until("ss -Hltn sport = :5201 | grep -q .", 30, netns=target.netns)
    client = guest.run(f"iperf3 --json --client {target.ipv4} {length} {options}",
                       timeout=seconds + 60, check=False, netns=source.netns)
    if client.rc:
        server.kill()
        raise CommandFailed(client)
    server.wait()
    end = json.loads(client.out)["end"]
    received = end["sum_received"]
    return Stream(received["bits_per_second"] / 1e6, received["bytes"],
                  end["sum_sent"].get("retransmits", 0))


@dataclasses.dataclass(frozen=True)
class Delivery:
    """Raw frames with known content: what the receiver found."""

    sent: int
    intact: int
    damaged: list[int]
    missing: list[int]
    repeated: int
    reordered: int

    @property
    def perfect(self) -> bool:
        return self.intact == self.sent and not self.repeated and not self.reordered


def mac_of(guest: Shell, host: Host) -> str:
    return guest.run(f"cat /sys/class/net/{host.name}/address", netns=host.netns).text


def frames(guest: Shell, source: Host, target: Host, sizes: Iterable[int], seed: int = 1,
           destination: str | None = None, timeout: float = 60) -> Delivery:
    """One Ethernet frame of each size (with header, without FCS) from `source` to `target`,
    compared byte for byte (tests/guest/frames.py)."""
    listed = list(sizes)
    destination = destination or mac_of(guest, target)
    plan = json.dumps({"sizes": listed, "seed": seed})
    guest.run(f"rm -f /tmp/frames.{target.name}*")
    receiver = guest.start(f"python3 -I -S /payload/frames.py receive {target.name}", timeout,
                           netns=target.netns, stdin=plan)
    ready = f"/tmp/frames.{target.name}"
    guest.wait_until(f"[ -e {ready} ]", 20)
    guest.run(f"python3 -I -S /payload/frames.py send {source.name} {destination}", timeout,
              netns=source.netns, stdin=plan)
    guest.run(f"touch {ready}.sent")
    return Delivery(len(listed), **json.loads(receiver.wait().out))
