# SPDX-License-Identifier: GPL-2.0
"""How long a VF is without service while something happens to the PF. Documentation/sriov.rst has
the figures."""

import itertools
import math
import re
import statistics

import pytest
from support import bus
from support.attack import COUNTED
from support.life import reach_peer

from harness.topology import PEER, PF_HOST

pytestmark = [
    pytest.mark.driver("igb_rs"),  # C igb resets all VFs each time
    pytest.mark.guest(
        **{**COUNTED, "smp": 2, "arguments": (*COUNTED["arguments"], *bus.RECOVERS)},
    ),
    pytest.mark.timeout(600),
]

# Seconds between two pings, and the longest gap that is taken for none on a busy machine.
INTERVAL, NONE = 0.02, 0.5
# Until the PF's link is up again, and the VF's driver has seen that: it looks once in two seconds.
HANDSHAKE = 15

# What happens, what undoes it, and the longest gap in seconds.
EVENTS = {
    "down and up": ("ip link set dut down; ip link set dut up", "", NONE),
    "MTU": ("ip link set dut mtu 1400", "ip link set dut mtu 1500", NONE),
    "rings": ("ethtool -G dut rx 512 tx 512", "ethtool -G dut rx 256 tx 256", NONE),
    "channels": ("ethtool -L dut combined 1", "ethtool -L dut combined 2", NONE),
    "features": (
        "ethtool -K dut rx off; ethtool -K dut rxvlan off",
        "ethtool -K dut rx on rxvlan on",
        NONE,
    ),
    "another VF": (
        "ip link set dut vf 1 vlan 100 qos 3; ip link set dut vf 1 trust on",
        "ip link set dut vf 1 vlan 0",
        NONE,
    ),
    "reset": ("echo 1 >/sys/class/net/dut/device/reset", "", HANDSHAKE),
}
USUAL = ("down and up", "reset")

# Without the pause in which a test of a sleep does nothing.
SLEEP = (
    "echo 0 >/sys/module/suspend/parameters/pm_test_delay;"
    "echo devices >/sys/power/pm_test; echo mem >/sys/power/state"
)
# igbvf starts over twice, with the PF gone the first time, when it gives up after seconds; and one
# VF comes after the other.
RECOVERY = 20
HARD_EVENTS = {
    "suspend and resume": (SLEEP, HANDSHAKE),
    "PCIe error, not fatal": (bus.command("nonfatal"), RECOVERY),
    "PCIe error, fatal": (bus.command("fatal"), RECOVERY),
}


def longest_gaps(lan, hosts, command: str, seconds: int) -> list[float]:
    """Longest time between two answers to each host, while `command` runs in the host of the PF."""
    guest = lan.guest
    # Not "-w": that ends with the first error, as when nobody answers ARP any more.
    jobs = [
        guest.start(
            f"exec timeout -s INT {seconds} ping -n -D -i {INTERVAL} {PEER.ipv4}",
            timeout=seconds + 60,
            netns=host.netns,
        )
        for host in hosts
    ]
    guest.run(f"sleep 1; {command}", timeout=120)
    return [_longest(job.wait(check=False).out, seconds) for job in jobs]


def _longest(output: str, seconds: int) -> float:
    times = [
        float(found) for found in re.findall(r"^\[([\d.]+)\] \d+ bytes from", output, re.MULTILINE)
    ]
    assert len(times) > 10
    # It must work again before the time is over.
    assert times[-1] - times[0] > seconds - 2, "not back"
    return max(later - earlier for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    "event",
    [event if event in USUAL else pytest.param(event, marks=pytest.mark.long) for event in EVENTS],
)
def test_downtime(lan, vfs, event):
    command, undo, limit = EVENTS[event]
    limit *= lan.guest.slowness
    gaps = []
    # A busy machine makes gaps longer, never shorter.
    while len(gaps) < 3 and not any(gap < limit for gap in gaps):
        gaps += longest_gaps(lan, vfs[:1], command, math.ceil(4 + 1.5 * limit))
        lan.guest.run(undo or "true")
        lan.wait_carrier(PF_HOST)
    print(f"{event}: {min(gaps):.2f} s without service")
    assert min(gaps) < limit


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("event", HARD_EVENTS)
def test_downtime_of_all(lan, vfs, event):
    """Those after which a VF makes its handshake with a PF that was away: each VF, three times."""
    command, limit = HARD_EVENTS[event]
    limit *= lan.guest.slowness
    rounds = []
    for _ in range(3):
        rounds.append(longest_gaps(lan, vfs, command, limit + 5))
        reach_peer(lan, PF_HOST, *vfs)
    for number, gaps in enumerate(zip(*rounds)):
        print(f"{event}, VF {number}: {_figures(gaps)}")
        assert statistics.median(gaps) < limit


def _figures(gaps) -> str:
    return f"{statistics.median(gaps):.2f} s without service, {min(gaps):.2f} to {max(gaps):.2f} s"
