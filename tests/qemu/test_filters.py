# SPDX-License-Identifier: GPL-2.0
"""Which frames an interface receives. Each case sees frames arrive, and the same stay away."""

import pytest
from support import ONE_CPU
from support.wire import arrive

from harness.topology import PEER, PF_HOST
from harness.traffic import frames, mac_of, ping

pytestmark = ONE_CPU

GROUP = "01:00:5e:7f:12:34"
STRANGER = "02:00:00:00:00:99"
BROADCAST = "ff:ff:ff:ff:ff:ff"
# More than the device has registers for addresses.
MANY = 30


def test_own_address_and_broadcast(lan):
    guest = lan.guest
    assert arrive(guest, PEER, PF_HOST, mac_of(guest, PF_HOST))
    assert arrive(guest, PEER, PF_HOST, BROADCAST)
    assert not arrive(guest, PEER, PF_HOST, STRANGER)


def test_address_can_be_changed(lan):
    """To others than STRANGER: IPv6 joins a group of each, and the device model lets a unicast address through that
    has the hash of a group, as that one would have in tests to come."""
    guest = lan.guest
    burnt_in = mac_of(guest, PF_HOST)
    first, second = "02:00:00:00:00:55", "02:00:00:00:00:66"
    for old, new in ((second, first), (first, second)):
        guest.run(f"ip link set dut address {new}")
        assert arrive(guest, PEER, PF_HOST, new)
        assert not arrive(guest, PEER, PF_HOST, old)
    assert guest.run(f"ip link set dut address {GROUP}", check=False).rc != 0
    guest.run("ip link set dut down && ip link set dut up")
    lan.wait_carrier(PF_HOST)
    assert arrive(guest, PEER, PF_HOST, second)
    guest.run(f"ip link set dut address {burnt_in}")
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete


@pytest.mark.parametrize("numvfs", [0, 2])
def test_multicast(lan, numvfs):
    guest = lan.guest
    lan.set_numvfs(numvfs)
    lan.wait_carrier(PF_HOST)
    assert not arrive(guest, PEER, PF_HOST, GROUP)
    guest.run(f"ip maddr add {GROUP} dev dut")
    assert arrive(guest, PEER, PF_HOST, GROUP)
    guest.run("ip link set dut down; ip link set dut up")
    lan.wait_carrier(PF_HOST)
    assert arrive(guest, PEER, PF_HOST, GROUP)
    guest.run(f"ip maddr del {GROUP} dev dut")
    assert not arrive(guest, PEER, PF_HOST, GROUP)


def test_promiscuous(lan):
    guest = lan.guest
    guest.run("ip link set dut promisc on")
    assert arrive(guest, PEER, PF_HOST, STRANGER)
    assert arrive(guest, PEER, PF_HOST, GROUP)
    guest.run("ip link set dut promisc off")
    assert not arrive(guest, PEER, PF_HOST, STRANGER)


@pytest.mark.parametrize("numvfs", [0, pytest.param(2, marks=pytest.mark.driver("igb_rs"))])
# With VFs C igb sets only a bit the device model does not know.
def test_all_multicast(lan, numvfs):
    guest = lan.guest
    lan.set_numvfs(numvfs)
    lan.wait_carrier(PF_HOST)
    guest.run("ip link set dut allmulticast on")
    assert arrive(guest, PEER, PF_HOST, GROUP)
    guest.run("ip link set dut allmulticast off")
    assert not arrive(guest, PEER, PF_HOST, GROUP)


@pytest.mark.parametrize("numvfs", [0, 2])
def test_many_unicast_addresses(lan, numvfs):
    """Beyond the registers it has, the device must let everything in rather than lose some."""
    guest = lan.guest
    lan.set_numvfs(numvfs)
    lan.wait_carrier(PF_HOST)
    addresses = [f"02:00:00:00:02:{number:02x}" for number in range(MANY)]
    guest.run(
        "modprobe macvlan && "
        + " && ".join(
            f"ip link add link dut name mv{number} address {mac} type macvlan && "
            f"ip link set mv{number} up"
            for number, mac in enumerate(addresses)
        ),
        timeout=120,
    )
    for mac in (addresses[0], addresses[-1]):
        assert arrive(guest, PEER, PF_HOST, mac), mac
    guest.run("; ".join(f"ip link del mv{number}" for number in range(MANY)))
    if not numvfs:  # with VFs the device model hands unknown unicast to the PF in any case
        assert not arrive(guest, PEER, PF_HOST, addresses[-1])


def test_vf_receives_its_own_and_no_more(lan, vfs):
    guest = lan.guest
    first, second = vfs
    assert arrive(guest, PEER, first, mac_of(guest, first))
    assert not arrive(guest, PEER, first, mac_of(guest, second))
    assert not arrive(guest, PEER, first, mac_of(guest, PF_HOST))
    assert not arrive(guest, PEER, first, STRANGER)
    assert not arrive(guest, PEER, PF_HOST, mac_of(guest, first))
    assert arrive(guest, PEER, first, BROADCAST)


def test_vf_multicast(lan, vfs):
    guest = lan.guest
    first, _ = vfs
    assert not arrive(guest, PEER, first, GROUP)
    guest.run(f"ip maddr add {GROUP} dev vf0", netns=first.netns)
    assert arrive(guest, PEER, first, GROUP)
    guest.run(f"ip maddr del {GROUP} dev vf0", netns=first.netns)
    assert not arrive(guest, PEER, first, GROUP)


def test_vf_changes_its_address(lan, vfs):
    guest = lan.guest
    first, _ = vfs
    guest.run(f"ip link set vf0 address {STRANGER}", netns=first.netns)
    assert arrive(guest, PEER, first, STRANGER)
    assert frames(guest, PEER, first, range(60, 1515, 101), destination=STRANGER).perfect
    assert ping(guest, first, PEER.ipv4, count=3).complete


def test_vf_vlan(lan, vfs):
    """A VLAN the VF joins by itself: tagged traffic with the peer, and with nobody else's."""
    guest = lan.guest
    guest.run("modprobe 8021q")
    for host in (vfs[0], PEER):
        guest.run(
            f"ip link add link {host.name} name tagged type vlan id 300 &&"
            f"ip addr add 198.51.100.{host.number}/24 dev tagged &&"
            "ip link set tagged up",
            netns=host.netns,
        )
    assert ping(guest, vfs[0], f"198.51.100.{PEER.number}", count=3).complete
    guest.run("ip link del tagged", netns=vfs[0].netns)
    assert ping(guest, vfs[0], PEER.ipv4, count=3).complete


def test_vf_mtu(lan, vfs):
    """A VF's frame size does not depend on the PF's MTU."""
    guest = lan.guest
    for host in (vfs[0], PEER):
        guest.run(f"ip link set {host.name} mtu 4000", netns=host.netns)
    guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 20, netns=vfs[0].netns)
    assert ping(guest, vfs[0], PEER.ipv4, count=3, size=3972, whole=True).complete
    assert ping(guest, vfs[1], PEER.ipv4, count=3).complete
