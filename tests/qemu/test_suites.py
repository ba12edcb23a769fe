# SPDX-License-Identifier: GPL-2.0
"""Cases of other people's suites for SR-IOV, in our own words. Documentation/suites.rst says which
of their cases is which of these, or of what other tests."""

import itertools

import pytest
from support import ONE_CPU
from support.life import DEVICE, rebind_vf
from support.vfs import shown
from support.wire import tag

from harness.topology import PEER, PF_HOST
from harness.traffic import mac_of, ping

pytestmark = ONE_CPU

FIRST, SECOND, THIRD = "02:00:00:00:00:e1", "02:00:00:00:00:e2", "02:00:00:00:00:e3"
VLAN, QOS = 100, 5


def set_vf(lan, index: int, *settings: str):
    for setting in settings:
        result = lan.link_set(f"vf {index} {setting}")
        assert result.rc == 0, result


def line_of(lan, index: int) -> str:
    """What `ip link show` prints of a VF, which suites look for words in."""
    lines = lan.guest.run("ip link show dut").out.splitlines()
    (line,) = [line for line in lines if line.strip().startswith(f"vf {index} ")]
    return line


def test_containers_with_vfs(lan, vfs):
    """Incus: what the host shows of the VF of a container that starts, is set anew while it runs, stops,
    and starts with another address. No interface is left over or missing."""
    guest = lan.guest
    before = len(guest.links())
    for vf in vfs:
        lan.detach(vf)
    assert len(guest.links()) == before + len(vfs)
    for address in (FIRST, SECOND):
        set_vf(lan, 0, "spoofchk off", f"mac {address}")
        rebind_vf(lan, 0)
        assert "spoof checking off" in line_of(lan, 0) and address in line_of(lan, 0)
        assert mac_of(guest, vfs[0]) == address
        set_vf(lan, 0, f"vlan {VLAN}")
        assert f"vlan {VLAN}" in line_of(lan, 0)
        set_vf(lan, 0, "spoofchk on")
        assert "spoof checking on" in line_of(lan, 0)
        set_vf(lan, 0, "vlan 0")
        assert "vlan" not in line_of(lan, 0)
        assert ping(guest, vfs[0], PEER.ipv4, count=3).complete
        # A second one is attached while the first runs.
        set_vf(lan, 1, "spoofchk on", f"mac {THIRD}")
        rebind_vf(lan, 1)
        assert THIRD in line_of(lan, 1) and "spoof checking on" in line_of(lan, 1)
        assert ping(guest, vfs[1], PEER.ipv4, count=3).complete
        for vf in vfs:
            lan.detach(vf)
    assert len(guest.links()) == before + len(vfs)


@pytest.mark.parametrize("vlan", (None, VLAN), ids=("untagged", "VLAN"))
def test_every_combination_of_settings(lan, vfs, vlan):
    """rhel-sriov-test: address, spoof check, trust, VLAN with and without priority, and rate, each with all
    others: the peer reaches the VF."""
    guest, vf = lan.guest, vfs[0]
    set_vf(lan, 0, f"mac {FIRST}")
    rebind_vf(lan, 0)
    outside = PEER.ipv4
    if vlan:
        outside = tag(guest, PEER, vlan).ipv4
        guest.run(f"ip addr add 192.0.2.110/25 dev {vf.name}", netns=vf.netns)
        guest.run(f"ip addr del {vf.ipv4}/24 dev {vf.name}", netns=vf.netns)
    priorities = ("", f" qos {QOS}") if vlan else ("",)
    for spoof, trust, rate, priority in itertools.product(
        ("on", "off"), ("on", "off"), (0, 10), priorities
    ):
        set_vf(lan, 0, f"spoofchk {spoof}", f"trust {trust}", f"max_tx_rate {rate}")
        set_vf(lan, 0, f"vlan {vlan or 0}{priority}")
        assert ping(guest, vf, outside, count=2).complete, (spoof, trust, rate, priority)
    entry = shown(guest)[0]
    assert entry["address"] == FIRST and entry["rate"]["max_tx"] == 10


def test_trust_and_the_address_shown(lan, vfs):
    """rhel-sriov-test, NetworkManager-ci: a trusted VF replaces the address it was given, and the host shows
    which it has; without trust it cannot."""
    guest, vf = lan.guest, vfs[0]
    set_vf(lan, 0, f"mac {FIRST}", "trust on")
    rebind_vf(lan, 0)
    guest.run(f"ip link set vf0 address {SECOND}", netns=vf.netns)
    assert SECOND in line_of(lan, 0)
    assert ping(guest, vf, PEER.ipv4, count=3).complete
    set_vf(lan, 0, "trust off")
    guest.run(f"ip link set vf0 address {THIRD}", check=False, netns=vf.netns)
    assert THIRD not in line_of(lan, 0) and mac_of(guest, vf) != THIRD


def test_addresses_are_swapped(lan):
    """rhel-sriov-test swaps the addresses of two VFs by giving the second's to the first. Here an address
    is given once; who takes one back first can swap them."""
    assert lan.set_numvfs(2).rc == 0
    set_vf(lan, 0, f"mac {FIRST}")
    set_vf(lan, 1, f"mac {SECOND}")
    refused = lan.link_set(f"vf 0 mac {SECOND}")
    if lan.guest.config.driver == "igb_rs":
        assert refused.rc != 0 and "Address already in use" in refused.err, refused
    set_vf(lan, 1, "mac 00:00:00:00:00:00")
    set_vf(lan, 0, f"mac {SECOND}")
    set_vf(lan, 1, f"mac {FIRST}")
    assert [vf["address"] for vf in shown(lan.guest)] == [SECOND, FIRST]


def test_switch_above_a_vlan_of_the_port(lan):
    """rhel-sriov-test: a switch on a VLAN of the PF is found by IPv6, before and after there is a VF in
    another VLAN."""
    guest = lan.guest
    guest.run("modprobe 8021q")
    outside = tag(guest, PEER, 7)
    inside = "2001:db8:2::42"
    guest.run(f"""
        ip link add link dut name dut.7 type vlan id 7 && ip link set dut.7 up promisc on
        ip link add br0 up type bridge forward_delay 0 && ip link set dut.7 master br0
        ip addr add {inside}/64 dev br0 nodad""")
    guest.wait_until("bridge link show dev dut.7 | grep -q 'state forwarding'", 30)
    assert ping(guest, outside, inside, count=3).complete
    lan.vfs_up(1)
    set_vf(lan, 0, "vlan 8")
    guest.run(f"ip -6 neigh flush dev {outside.name}", netns=outside.netns)
    assert ping(guest, outside, inside, count=3).complete
    guest.run("ip link del br0; ip link del dut.7")


def test_number_of_vfs_goes_up_and_down(lan):
    """nmstate, NetworkManager-ci, systemd: 2, 5, 1, 0, by way of 0, each with what was set before gone."""
    guest = lan.guest
    for count in (2, 5, 1):
        assert lan.set_numvfs(count).rc == 0
        there = shown(guest)
        assert len(there) == count and FIRST not in (vf["address"] for vf in there)
        set_vf(lan, 0, f"mac {FIRST}", "trust on", "spoofchk off", f"vlan {VLAN} qos {QOS}")
        assert len(guest.run(f"ls -d {DEVICE}/virtfn*/net/*").out.split()) == count
        assert lan.set_numvfs(0).rc == 0
        assert not shown(guest)
    assert "vf 0" not in guest.run("ip link show dut").out
    lan.wait_carrier(PF_HOST)
