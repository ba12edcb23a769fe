# SPDX-License-Identifier: GPL-2.0
"""Two processors get in each other's way on purpose.

The administrator, hostile VFs and resets of the PF at the same time, each in a loop of its own.
Nothing may come of it: no report, nobody stuck, and the administrator's last word stands."""

from __future__ import annotations

import pytest
from support.load import mailbox_flood, running
from support.mailbox import VF_RESET, raw_vfs
from support.registers import Filters

from harness.topology import PEER, PF, PF_HOST, PF_PCI, Lan
from harness.traffic import frames, ping

pytestmark = [
    pytest.mark.driver("igb_rs"),
    pytest.mark.timeout(300),
    pytest.mark.watched("kcsan", "rt"),
]

# How often each loop is gone through under the stock kernel. Slower ones have two passes at least.
PASSES = 6
SYSFS = f"/sys/bus/pci/devices/{PF_PCI}"
MACS = [f"02:00:00:00:00:{number:02x}" for number in range(0x10, 0x13)]

# Loops. Each step may be refused (a device that is being reset), but not for ever.
ADMIN = [
    f"ip link set {PF} vf $(($RANDOM % 3)) {setting}"
    for setting in (
        "mac 02:00:00:00:00:$((20 + RANDOM % 20))",
        "vlan $((RANDOM % 5 * 100)) qos 0",
        "spoofchk off",
        "spoofchk on",
        "trust on",
        "trust off",
        "state disable",
        "state auto",
        "max_tx_rate $((RANDOM % 100))",
    )
]
READER = [f"ip -s link show {PF}", f"ethtool -S {PF}", f"ethtool -d {PF}", "cat /proc/net/dev"]
RESETS = [f"echo 1 >{SYSFS}/reset"]
SETTINGS = [
    f"ip link set {PF} mtu 1400",
    f"ethtool -G {PF} rx 512",
    f"ethtool -L {PF} combined 1",
    f"ip link set {PF} mtu 1500",
    f"ethtool -G {PF} rx 256",
    f"ethtool -L {PF} combined 2",
]
UP_AND_DOWN = [f"ip link set {PF} down", f"ip link set {PF} up"]
FILTERS = [
    f"ip link set {PF} promisc on",
    f"ip maddr add 01:00:5e:01:02:03 dev {PF}",
    f"ip link set {PF} promisc off",
    f"ip maddr del 01:00:5e:01:02:03 dev {PF}",
]


def settle(lan: Lan, vfs):
    """When it is over: what the administrator says now holds, and everyone gets in."""
    guest = lan.guest
    guest.run(f"ip link set {PF} mtu 1500; ip link set {PF} up")
    lan.wait_carrier(PF_HOST)
    for vf, mac in zip(vfs, MACS):
        for setting in (
            f"mac {mac}",
            "vlan 0",
            "spoofchk on",
            "trust off",
            "state auto",
            "max_tx_rate 0",
        ):
            result = lan.link_set(f"vf {vf.index} {setting}")
            assert result.rc == 0, (setting, result)
        replies = vf.script(
            ("release",),
            ("write", 0, 1 << 26),
            *(("send", [VF_RESET], 3) for _ in range(5)),
            timeout=60,
        )
        assert any(reply["reply"] for reply in replies[2:]), replies
    filters = Filters.read(guest)
    for vf, mac in zip(vfs, MACS):
        assert filters.pools_of(mac) == 1 << vf.index, (vf.index, filters)
    guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30)
    assert ping(guest, PF_HOST, PEER.ipv4, count=5).complete
    assert frames(guest, PEER, PF_HOST, range(60, 1515, 97)).perfect
    assert frames(guest, PF_HOST, PEER, range(60, 1515, 97)).perfect


@pytest.mark.parametrize(
    "loops",
    [
        pytest.param((ADMIN, RESETS), id="administrator and resets", marks=pytest.mark.watched),
        pytest.param((ADMIN, SETTINGS), id="administrator and settings", marks=pytest.mark.long),
        pytest.param((UP_AND_DOWN, READER), id="up and down, and readers", marks=pytest.mark.long),
        pytest.param(
            (FILTERS, SETTINGS, READER), id="filters, settings and readers", marks=pytest.mark.long
        ),
    ],
)
def test_against_hostile_vfs(lan, loops):
    vfs = raw_vfs(lan, 3)
    # The last, so that the PF is busy.
    flood = ([f"ping -q -f -s 1400 -w 5 {PF_HOST.ipv4}"], PEER.netns)
    with (
        mailbox_flood(vfs[:2]) as counts,
        running(lan.guest, *((loop, None) for loop in loops), flood) as racing,
    ):
        for loop in racing[:-1]:
            loop.wait_passes(max(2, PASSES // lan.guest.slowness))
    print(counts)
    # Beside resets and under a kernel that watches there is no time for each.
    assert all(loop.succeeded() for loop in racing[:-1])
    settle(lan, vfs)
