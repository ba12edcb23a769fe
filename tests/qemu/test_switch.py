# SPDX-License-Identifier: GPL-2.0
"""The switch between PF, VFs and wire, as `bridge` sets it."""

import re
import time

import pytest
from support import ONE_CPU
from support.life import DEVICE, reach_peer
from support.registers import Filters
from support.wire import arrive, tag

from harness.topology import PEER, PF_HOST, Host
from harness.traffic import is_silent, mac_of, ping

pytestmark = [ONE_CPU, pytest.mark.driver("igb_rs")]  # C igb has no switch modes

DTXSWC_LOOPBACK = 1 << 31
# On a bridge of the PF's host.
BEHIND = Host("behind", "behind", 40)
BROADCAST = "ff:ff:ff:ff:ff:ff"
# More VLANs than the PF finds room for beside seven VFs.
BUSY = range(2000, 2024)


def mode(lan) -> str:
    return lan.guest.run("bridge -d link show dev dut").out


def test_frames_between_vfs(lan, vfs):
    """VEB: inside the device. VEPA: on the wire, and it is up to the neighbour to send them back."""
    guest, (first, second) = lan.guest, vfs
    to_second = mac_of(guest, second)
    assert "hwmode VEB" in mode(lan)
    guest.run("ip link set peer promisc on", netns=PEER.netns)
    for name, inside in (("veb", True), ("vepa", False), ("veb", True)):
        guest.run(f"bridge link set dev dut hwmode {name}")
        assert f"hwmode {name.upper()}" in mode(lan)
        assert bool(Filters.read(guest).dtxswc & DTXSWC_LOOPBACK) == inside
        assert arrive(guest, first, second, to_second) == inside
        assert arrive(guest, first, PEER, to_second) != inside
        assert ping(guest, first, PEER.ipv4, count=3).complete
    guest.run("ip link set peer promisc off", netns=PEER.netns)


def test_switch_mode_survives_resets(lan, vfs):
    guest = lan.guest
    guest.run("bridge link set dev dut hwmode vepa")
    for reset in ("ip link set dut down; ip link set dut up", f"echo 1 >{DEVICE}/reset"):
        guest.run(reset)
        lan.wait_carrier(PF_HOST)
        assert not Filters.read(guest).dtxswc & DTXSWC_LOOPBACK, reset
        assert "hwmode VEPA" in mode(lan)
        reach_peer(lan, *vfs)


def test_no_switch_without_vfs(lan, vfs):
    """What was set goes with the VFs: it could not be seen until there are others."""
    lan.guest.run("bridge link set dev dut hwmode vepa")
    assert lan.set_numvfs(0).rc == 0
    answer = lan.guest.run("bridge link set dev dut hwmode vepa", check=False)
    assert answer.rc != 0 and "no switch without VFs" in answer.err
    assert "hwmode" not in mode(lan)
    assert lan.set_numvfs(1).rc == 0
    assert "hwmode VEB" in mode(lan)


def test_host_behind_a_bridge(lan, vfs):
    """It reaches a VF, and the VF reaches it when the bridge's host tells the PF its address."""
    guest, vf = lan.guest, vfs[0]
    guest.run(f"""
        ip netns add {BEHIND.netns}
        ip link add br0 type bridge && ip link add port0 type veth peer name {BEHIND.name}
        ip link set {BEHIND.name} netns {BEHIND.netns}
        ip -n {BEHIND.netns} addr add {BEHIND.ipv4}/24 dev {BEHIND.name}
        ip -n {BEHIND.netns} link set {BEHIND.name} up
        ip link set port0 master br0 up && ip link set dut master br0 && ip link set br0 up""")
    mac = mac_of(guest, BEHIND)
    guest.wait_until("bridge link show dev port0 | grep -q 'state forwarding'", 60)
    guest.wait_until("bridge link show dev dut | grep -q 'state forwarding'", 60)
    # The device model gives the PF its own multicast back, from which the bridge would learn that the
    # host is on the other side.
    guest.run(f"bridge fdb replace {mac} dev port0 master static sticky")
    assert is_silent(guest, vf, BEHIND.ipv4), "control"
    guest.run(f"bridge fdb add {mac} dev dut self")
    assert Filters.read(guest).pools_of(mac) == 1 << Filters.read(guest).default_pool
    assert ping(guest, vf, BEHIND.ipv4, count=5).complete
    assert ping(guest, BEHIND, vf.ipv4, count=5).complete

    guest.run("ip link set dut down; ip link set dut up")
    lan.wait_carrier(PF_HOST)
    guest.wait_until(f"ping -c 1 -W 1 -q {BEHIND.ipv4}", 60, netns=vf.netns)
    guest.run(f"bridge fdb del {mac} dev dut self")
    assert not Filters.read(guest).pools_of(mac)
    assert is_silent(guest, vf, BEHIND.ipv4)
    guest.run("ip link del br0; ip link del port0")


def test_addresses_for_a_bridge_are_limited(lan, vfs):
    """ENOSPC when no register is left for the PF; those before it stay, and a VF keeps its share."""
    guest = lan.guest
    macs = [f"02:00:00:00:02:{number:02x}" for number in range(30)]
    answers = [guest.run(f"bridge fdb add {mac} dev dut self", check=False) for mac in macs]
    refused = [answer for answer in answers if answer.rc]
    assert refused and all("No space left" in answer.err for answer in refused)
    filters = Filters.read(guest)
    for mac, answer in zip(macs, answers):
        assert bool(filters.pools_of(mac)) == (answer.rc == 0), mac
    for mac, answer in zip(macs, answers):
        if answer.rc == 0:
            guest.run(f"bridge fdb del {mac} dev dut self")
    assert ping(guest, vfs[0], PF_HOST.ipv4, count=3).complete


def test_trunk_beside_seven_vfs(lan):
    """A bridge with all VLANs: those that are used are served, and VFs keep theirs."""
    guest = lan.guest
    guest.run("modprobe -a bridge 8021q")
    guest.run(f"echo 0 >{DEVICE}/sriov_drivers_autoprobe")
    assert lan.set_numvfs(7).rc == 0
    guest.run(" && ".join(f"ip link set dut vf {vf} vlan {100 + vf}" for vf in range(7)))
    before = Filters.read(guest)
    guest.run(
        "ip link add br0 type bridge vlan_filtering 1 && ip link set dut master br0 &&"
        "ip link set br0 up"
    )
    start = time.monotonic()
    guest.run("bridge vlan add vid 2-4094 dev dut", timeout=120)
    assert time.monotonic() - start < 10 * guest.slowness
    lan.wait_carrier(PF_HOST)

    trunk = Filters.read(guest)
    assert trunk.vlan_table == set(range(4095))
    assert {vid: trunk.vlans[vid] for vid in before.vlans} == {
        vid: pools | (0x80 if vid else 0) for vid, pools in before.vlans.items()
    }
    assert 3000 not in trunk.vlans
    guest.run("bridge vlan add vid 3000 dev br0 self")
    ours, theirs = tag(guest, Host("br0", None, 1), 3000), tag(guest, PEER, 3000)
    # Each asks by broadcast.
    for source, target in ((ours, theirs), (theirs, ours)):
        ask = f"arping -c 1 -w 1 -I {source.name} {target.ipv4}"
        guest.wait_until(ask, 30, netns=source.netns)
    assert Filters.read(guest).vlans[3000] == 0x80
    assert arrive(guest, theirs, ours, BROADCAST)

    # Their interfaces tell the neighbours that they are there.
    guest.run(
        f"bridge vlan add vid {BUSY[0]}-{BUSY[-1]} dev br0 self;"
        f"for vid in $(seq {BUSY[0]} {BUSY[-1]}); do"
        "  ip link add link br0 name br0.$vid type vlan id $vid; ip link set br0.$vid up;"
        "done"
    )
    said = "dmesg | grep 'VLANs that are used find no room'"
    guest.wait_until(said, 30)
    full = Filters.read(guest)
    assert sum(vid in full.vlans for vid in BUSY) >= 16
    assert {vid: full.vlans[vid] for vid in before.vlans} == {
        vid: trunk.vlans[vid] for vid in before.vlans
    }
    guest.run("ip link del br0.3000; bridge vlan del vid 2-4094 dev dut; ip link del br0")
    guest.run("ip link del peer.3000", netns=PEER.netns)
    assert Filters.read(guest) == before
    (line,) = guest.run(said).out.splitlines()
    assert int(re.search(r": (\d+) VLANs", line)[1]) in range(1, len(BUSY) + 2)
