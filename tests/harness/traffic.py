# SPDX-License-Identifier: GPL-2.0
"""Sends traffic between two hosts of the test network and says what arrived."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

from .agent import CommandFailed
from .shell import Shell
from .topology import Host

# Seconds that an answer may take. It costs them only where there is none.
PATIENCE = 10.0


@dataclasses.dataclass(frozen=True)
class Ping:
    """Counts and round-trip times in milliseconds."""

    sent: int
    received: int
    rtt_min: float | None = None
    rtt_avg: float | None = None
    error: str | None = None  # of sending, the last
    missing: Sequence[int] = ()  # which had no answer, from 0; the first of them

    @property
    def complete(self) -> bool:
        return self.received == self.sent


def ping(
    guest: Shell,
    source: Host,
    target: str,
    count: int = 5,
    size: int = 56,
    interval: float = 0.01,
    patience: float = PATIENCE,
    whole: bool = False,
) -> Ping:
    """Echo requests from `source` to the address `target`, none of them in fragments if `whole`. Losses
    are reported, not raised: what has no answer after `patience` seconds is lost."""
    patience *= guest.slowness
    plan = {
        "address": target,
        "count": count,
        "size": size,
        "interval": interval,
        "patience": patience,
        "whole": whole,
    }
    timeout = count * interval + patience + 30
    return Ping(**guest.ask("echo", value=plan, timeout=timeout, netns=source.netns))


def is_silent(guest: Shell, source: Host, target: str) -> bool:
    """Whether nothing answers, for a second."""
    return ping(guest, source, target, count=2, patience=1).received == 0


@dataclasses.dataclass(frozen=True)
class Stream:
    """A TCP stream as its receiver saw it."""

    mbit_per_s: float
    bytes: int
    retransmits: int


def tcp_stream(
    guest: Shell,
    source: Host,
    target: Host,
    megabytes: int = 8,
    options: str = "",
    at: Shell | None = None,
    seconds: float | None = None,
) -> Stream:
    """iperf3 from `source` to `target`, which is in the guest `at` if that is another: so many
    megabytes in whatever time they take, at most 4 under a slow kernel. To measure a rate: so many
    `seconds`, where the kernel is not slow."""
    other = at or guest
    if seconds is not None and guest.slowness == 1:
        length = f"--time {seconds}"
    else:
        length = f"--bytes {megabytes if guest.slowness == 1 else min(megabytes, 4)}M"
    server = other.start("iperf3 --server --one-off --forceflush", timeout=100, netns=target.netns)
    other.wait_listening(5201, target.netns)
    client = guest.run(
        f"iperf3 --json --client {target.ipv4} {length} {options}",
        timeout=60,
        check=False,
        netns=source.netns,
    )
    if client.rc:
        server.kill()
        raise CommandFailed(client)
    server.wait()
    end = json.loads(client.out)["end"]
    received = end["sum_received"]
    return Stream(
        received["bits_per_second"] / 1e6, received["bytes"], end["sum_sent"].get("retransmits", 0)
    )


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
    return guest.links(host.netns)[host.name]["address"]


# How long the tool waits for frames after the last one that came.
QUIET_SECONDS = 2.0


def _end(host: Host) -> dict:
    return {"name": host.name, "netns": host.netns}


def plan(
    source: Host,
    target: Host,
    sizes: Iterable[int],
    seed: int = 1,
    destination: str | None = None,
    patience: float = QUIET_SECONDS,
) -> dict:
    """What tests/guest/frames.py is to do."""
    return {
        "sizes": list(sizes),
        "seed": seed,
        "source": _end(source),
        "target": _end(target),
        "destination": destination,
        "patience": patience,
    }


def frames(
    guest: Shell,
    source: Host,
    target: Host,
    sizes: Iterable[int],
    seed: int = 1,
    destination: str | None = None,
    timeout: float = 60,
) -> Delivery:
    """One Ethernet frame of each size (with header, without FCS) from `source` to `target`,
    compared byte for byte."""
    wanted = plan(source, target, sizes, seed, destination)
    return Delivery(
        len(wanted["sizes"]), **guest.ask("frames", "exchange", value=wanted, timeout=timeout)
    )


def send_frames(guest: Shell, source: Host, destination: str, sizes: Iterable[int]):
    """The same frames to a MAC address, whoever gets them."""
    guest.ask("frames", "send", value=plan(source, source, sizes, destination=destination))


def count_frames(
    guest: Shell,
    source: Host,
    target: Host,
    sizes: Iterable[int],
    destination: str,
    patience: float,
) -> int:
    """How many packets `target` counts while they are sent to a MAC address, and `patience` seconds
    longer unless it has counted as many."""
    return guest.ask(
        "frames",
        "count",
        value=plan(source, target, sizes, 1, destination, patience * guest.slowness),
    )
