# SPDX-License-Identifier: GPL-2.0
"""Virtual functions: created, used by the stock igbvf, and taken away in every order."""

import itertools
import re

import pytest
from support.mailbox import raw_vfs
from support.registers import IOVCTL, REUSE_VFQ, Filters

from harness.topology import PEER, PF_HOST, PF_PCI
from harness.traffic import frames, mac_of, ping, tcp_stream

DEVICE = f"/sys/bus/pci/devices/{PF_PCI}"
LOAD_AND_NUMVFS = 20
SIZES = range(60, 1515, 97)

# errno as bash prints it
EINVAL = "Invalid argument"
ERANGE = "Numerical result out of range"
EBUSY = "Device or resource busy"


def numvfs(guest) -> int:
    return int(guest.read(f"{DEVICE}/sriov_numvfs"))


def vf_count(guest) -> int:
    """VFs on the bus: the device, not its bookkeeping."""
    return int(guest.run("lspci -d 8086:10ca | wc -l").text)


def test_sysfs_answers(lan):
    guest = lan.guest
    assert guest.read(f"{DEVICE}/sriov_totalvfs") == "7"
    assert numvfs(guest) == 0
    assert lan.set_numvfs(0).rc == 0, "no change is no error"
    for text, errno in (("8", ERANGE), ("65536", EINVAL), ("-1", EINVAL), ("x", EINVAL)):
        result = guest.write(f"{DEVICE}/sriov_numvfs", text)
        assert result.rc != 0 and errno in result.err, (text, result)
    assert (numvfs(guest), vf_count(guest)) == (0, 0)
    raw_vfs(lan, 2)
    assert lan.set_numvfs(2).rc == 0
    for count in (1, 3, 7):
        result = lan.set_numvfs(count)
        assert result.rc != 0 and EBUSY in result.err, (count, result)
    assert ERANGE in lan.set_numvfs(8).err
    assert (numvfs(guest), vf_count(guest)) == (2, 2)
    assert lan.set_numvfs(0).rc == 0
    assert (numvfs(guest), vf_count(guest)) == (0, 0)
    lan.wait_carrier(PF_HOST)
    assert ping(guest, PF_HOST, PEER.ipv4, count=2).complete


def test_more_vlans_than_can_be_filtered_with_vfs(lan):
    guest = lan.guest
    guest.run("""modprobe 8021q
        for n in $(seq 101 118); do
            ip link add link dut name dut.$n type vlan id $n && ip link set dut.$n up || exit
        done""")
    assert lan.set_numvfs(7).rc == 0
    assert (numvfs(guest), vf_count(guest)) == (7, 7)
    lan.wait_carrier(PF_HOST)
    assert ping(guest, PF_HOST, PEER.ipv4, count=2).complete


@pytest.mark.parametrize("vfs", [7], indirect=True)
def test_seven_vfs_reach_everyone(lan, vfs):
    """Each VF with the peer, with the PF and with every other VF."""
    guest = lan.guest
    bound = guest.run("ls -d /sys/bus/pci/drivers/igbvf/0000:*").out.split()
    assert len(bound) == 7
    assert len({mac_of(guest, vf) for vf in vfs}) == 7
    for vf in vfs:
        assert ping(guest, vf, PEER.ipv4, count=3).complete, vf
        assert ping(guest, vf, PF_HOST.ipv4, count=3).complete, vf
        assert ping(guest, vf, PEER.ipv6, count=2).complete, vf
    for one, other in itertools.combinations(vfs, 2):
        assert ping(guest, one, other.ipv4, count=1).complete, (one, other)
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete


@pytest.mark.parametrize("vfs", [7], indirect=True)
def test_content_in_every_direction(lan, vfs):
    for source, target in itertools.permutations((PF_HOST, PEER, vfs[0], vfs[6]), 2):
        delivery = frames(lan.guest, source, target, SIZES)
        assert delivery.perfect, (source, target, delivery)


def test_tcp_between_all_kinds(lan, vfs):
    for source, target in ((vfs[0], PEER), (PEER, vfs[0]), (vfs[0], vfs[1]), (vfs[1], PF_HOST)):
        stream = tcp_stream(lan.guest, source, target)
        assert stream.bytes > 1 << 20, (source, target, stream)


def test_traffic_between_vfs_stays_inside(lan, vfs):
    """What one VF sends to another is not seen on the wire."""
    counter = "cat /sys/class/net/peer/statistics/rx_packets"
    assert ping(lan.guest, vfs[0], vfs[1].ipv4, count=2).complete
    before = int(lan.guest.run(counter, netns=PEER.netns).text)
    assert frames(lan.guest, vfs[0], vfs[1], [500] * 50).perfect
    assert int(lan.guest.run(counter, netns=PEER.netns).text) - before < 25


@pytest.mark.driver("igb_rs")  # C igb leaves all VFs open after each reset
def test_closed_until_the_handshake(lan):
    vfs = raw_vfs(lan, 3)
    closed = Filters.read(lan.guest)
    pf_only = 1 << closed.default_pool
    assert closed.default_pool >= 3
    assert (closed.vfre, closed.vfte) == (pf_only, pf_only)
    vfs[1].handshake()
    opened = Filters.read(lan.guest)
    assert (opened.vfre, opened.vfte) == (pf_only | 0b010, pf_only | 0b010)
    lan.guest.run("ip link set dut down && ip link set dut up")
    assert Filters.read(lan.guest).vfre == pf_only | 0b010  # no reset, so nothing to close
    lan.guest.run("echo 1 >/sys/class/net/dut/device/reset")
    lan.wait_carrier(PF_HOST)
    again = Filters.read(lan.guest)
    assert (again.vfre, again.vfte) == (pf_only, pf_only)


@pytest.mark.driver("igb_rs")  # C igb resets the controller each time
def test_queues_are_given_back_and_taken(lan):
    """The controller lets the PF have the VFs' queues when they have gone, and not while they are there.
    The model does not have the register, and says what was written to it."""
    trace = lan.guest.machine.trace_log
    before = len(trace.read_text(encoding="utf-8"))
    raw_vfs(lan, 1)
    assert lan.set_numvfs(0).rc == 0
    raw_vfs(lan, 1)
    written = re.findall(
        rf"Write to unknown register {IOVCTL:#x}, .*value: (\w+)",
        trace.read_text(encoding="utf-8")[before:],
    )
    assert [int(value, 0) for value in written] == [0, REUSE_VFQ, 0]


@pytest.mark.long
def test_twenty_times_seven(lan):
    """The last round's VFs still work, and nothing is left after any round."""
    guest = lan.guest
    guest.run(f"echo 0 >{DEVICE}/sriov_drivers_autoprobe")
    for _ in range(LOAD_AND_NUMVFS - 1):
        assert lan.set_numvfs(7).rc == 0
        assert lan.set_numvfs(0).rc == 0
    guest.run(f"echo 1 >{DEVICE}/sriov_drivers_autoprobe")
    assert vf_count(guest) == 0
    vfs = lan.vfs_up(7)
    assert ping(guest, vfs[6], PEER.ipv4, count=3).complete
    lan.vfs_down()
    assert vf_count(guest) == 0
    lan.wait_carrier(PF_HOST)
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete


@pytest.mark.driver("igb_rs")  # with C igb a VF is dead while the PF's interface is down
def test_vf_works_while_the_interface_is_down(lan):
    lan.guest.run("ip link set dut down")
    vfs = lan.vfs_up(2)
    assert ping(lan.guest, vfs[0], PEER.ipv4, count=3).complete
    assert ping(lan.guest, vfs[0], vfs[1].ipv4, count=3).complete
    lan.guest.run("ip link set dut up")
    lan.wait_carrier(PF_HOST)
    for vf in vfs:
        lan.wait_carrier(vf)
    assert ping(lan.guest, vfs[0], PF_HOST.ipv4, count=3).complete
    lan.guest.run("ip link set dut down")
    for vf in vfs:
        lan.wait_carrier(vf)
    lan.guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 15, netns=vfs[0].netns)
    assert ping(lan.guest, vfs[0], PEER.ipv4, count=5).complete


def test_vf_returns_after_a_reset_of_the_pf(lan, vfs):
    """A new MTU resets the PF; its VFs come back by themselves."""
    lan.guest.run("ip link set dut mtu 1400 && ip link set dut mtu 1500")
    lan.wait_carrier(PF_HOST)
    for vf in vfs:
        lan.guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 20, netns=vf.netns)
        assert ping(lan.guest, vf, PEER.ipv4, count=3).complete


def test_vf_driver_unbind_and_bind(lan, vfs):
    pci = lan.vf_pci(0)
    for _ in range(3):
        lan.detach(vfs[0])
        lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/unbind")
        assert ping(lan.guest, vfs[1], PEER.ipv4, count=2).complete
        lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/bind")
        lan.attach(vfs[0], pci)
        lan.wait_carrier(vfs[0])
        assert ping(lan.guest, vfs[0], PEER.ipv4, count=3).complete


def test_vf_function_level_reset(lan, vfs):
    """A reset under a bound driver: others do not notice, and rebinding brings the VF back."""
    pci = lan.vf_pci(0)
    lan.guest.run(f"echo 1 >/sys/bus/pci/devices/{pci}/reset")
    assert ping(lan.guest, vfs[1], PEER.ipv4, count=3).complete
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=3).complete
    lan.detach(vfs[0])
    lan.guest.run(
        f"echo {pci} >/sys/bus/pci/drivers/igbvf/unbind;echo {pci} >/sys/bus/pci/drivers/igbvf/bind"
    )
    lan.attach(vfs[0], pci)
    lan.wait_carrier(vfs[0])
    assert ping(lan.guest, vfs[0], PEER.ipv4, count=3).complete
