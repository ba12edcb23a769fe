# SPDX-License-Identifier: GPL-2.0
"""How long a VF is without service while something happens to the PF. Documentation/sriov.rst has
the figures."""

import math
import re

import pytest

from harness.topology import PEER, PF_HOST
from support.attack import COUNTED

pytestmark = [
    pytest.mark.driver("igb_rs"),       # C igb resets all VFs each time
    pytest.mark.guest(cmdline="iomem=relaxed", **{**COUNTED, "smp": 2}),
    pytest.mark.timeout(600)]

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
    "features": ("ethtool -K dut rx off; ethtool -K dut rxvlan off", "ethtool -K dut rx on rxvlan on",
                 NONE),
    "another VF": ("ip link set dut vf 1 vlan 100 qos 3; ip link set dut vf 1 trust on",
                   "ip link set dut vf 1 vlan 0", NONE),
    "reset": ("echo 1 >/sys/class/net/dut/device/reset", "", HANDSHAKE),
}
USUAL = ("down and up", "reset")


def longest_gap(lan, host, command: str, seconds: int) -> float:
    """Longest time between two answers to `host`, while `command` runs in the host of the PF."""
    guest = lan.guest
    job = guest.start(f"exec ping -n -D -i {INTERVAL} -w {seconds} {PEER.ipv4}",
                      timeout=seconds + 60, netns=host.netns)
    guest.run(f"sleep 1; {command}", timeout=60)
    times = [float(found) for found in re.findall(r"^\[([\d.]+)\] \d+ bytes from",
                                                  job.wait(check=False).out, re.MULTILINE)]
    assert len(times) > 10
    # It must work again before the time is over.
    assert times[-1] - times[0] > seconds - 2, "not back"
    return max(later - earlier for earlier, later in zip(times, times[1:]))


@pytest.mark.parametrize("event", [
    event if event in USUAL else pytest.param(event, marks=pytest.mark.long) for event in EVENTS])
def test_downtime(lan, vfs, event):
    command, undo, limit = EVENTS[event]
    gaps = []
    # A busy machine makes gaps longer, never shorter.
    while len(gaps) < 3 and not any(gap < limit for gap in gaps):
        gaps.append(longest_gap(lan, vfs[0], command, math.ceil(4 + 1.5 * limit)))
        lan.guest.run(undo or "true")
        lan.wait_carrier(PF_HOST)
    print(f"{event}: {min(gaps):.2f} s without service")
    assert min(gaps) < limit
