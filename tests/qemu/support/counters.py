# SPDX-License-Identifier: GPL-2.0
"""Counters of an interface, from every place that has some."""

from __future__ import annotations

import re

from harness import Guest
from harness.topology import PF_HOST, PF_PCI, Host


def link(guest: Guest, host: Host = PF_HOST) -> dict[str, int]:
    """rtnetlink's 64-bit statistics as `rx_packets` and so on."""
    return guest.links(host.netns)[host.name]["counters"]


def ethtool(
    guest: Guest, interface: str = "dut", netns: str | None = None
) -> list[tuple[str, int]]:
    """Names and values of `ethtool -S`, in order."""
    lines = guest.run(f"ethtool -S {interface}", netns=netns).out.splitlines()[1:]
    found = [re.fullmatch(r"\s+(\S.*): (\d+)", line) for line in lines]
    assert lines and all(found), lines
    return [(match[1], int(match[2])) for match in found]


def programs(guest: Guest, interface: str = "dut") -> dict[str, int]:
    """Of programs and sockets, summed over the queues: `rx_xdp_drop` and so on."""
    sums: dict[str, int] = {}
    for name, value in ethtool(guest, interface):
        match = re.fullmatch(r"([rt]x)_queue_\d+_(xdp\w*|xsk)", name)
        if match:
            key = f"{match[1]}_{match[2]}"
            sums[key] = sums.get(key, 0) + value
    return sums


def programs_since(guest: Guest, before: dict[str, int]) -> dict[str, int]:
    """What was counted since then; names that were not are left out."""
    return {
        name: value - before[name]
        for name, value in programs(guest).items()
        if value != before[name]
    }


def interrupts(guest: Guest) -> dict[str, int]:
    """Interrupts so far of each vector of the PF, by the name it was requested with."""
    counts = {}
    for line in guest.run("cat /proc/interrupts").out.splitlines():
        words = line.split()
        if f"-{PF_PCI}" in line or words[-1].startswith((PF_HOST.name, "igb_rs")):
            per_cpu = [int(word) for word in words[1:] if word.isdigit()][: guest.config.smp]
            counts[words[-1]] = sum(per_cpu)
    return counts
