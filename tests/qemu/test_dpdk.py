# SPDX-License-Identifier: GPL-2.0
"""A VF in the hands of DPDK: its VF driver speaks the mailbox protocol in its own way."""

import re

import pytest
from support.dpdk import TestPmd
from support.mailbox import raw_vfs
from support.registers import VMOLR_MPME, VMOLR_RLPML, Filters

from harness.topology import PEER, PF_HOST
from harness.traffic import is_silent, mac_of, ping

# VFIO wants an IOMMU, and testpmd large pages.
pytestmark = pytest.mark.guest(
    machine="q35,kernel-irqchip=split",
    first_devices=("intel-iommu,intremap=on",),
    cmdline="intel_iommu=on",
    memory="2G",
)

MAC = "02:00:00:00:00:10"
# Any address will do: testpmd answers for all of them.
ECHO = "192.0.2.50"


@pytest.fixture
def testpmd(lan):
    """Forwarding on VF 0 of two."""
    vf, _ = raw_vfs(lan, 2)
    pmd = TestPmd(lan.guest, vf.pci)
    pmd.run("start")
    yield pmd
    pmd.quit()
    lan.guest.run("echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    assert lan.set_numvfs(0).rc == 0
    lan.guest.run("rmmod vfio_pci")


def address(testpmd) -> str:
    return re.search(r"MAC address: (\S+)", testpmd.run("show port info 0"))[1].lower()


def test_testpmd(lan, testpmd):
    """Traffic, and another address."""
    guest = lan.guest
    own = address(testpmd)
    assert Filters.read(guest).pools_of(own) == 0b01, "the address it gave itself"
    assert ping(guest, PEER, ECHO, count=10).complete

    testpmd.run(f"mac_addr set 0 {MAC}")
    filters = Filters.read(guest)
    assert filters.pools_of(MAC) == 0b01 and not filters.pools_of(own)
    # testpmd goes on telling the old address in answers to ARP.
    guest.run(f"ip neigh replace {ECHO} lladdr {MAC} dev peer nud permanent", netns=PEER.netns)
    assert ping(guest, PEER, ECHO, count=5).complete
    # testpmd would answer in the place of those who are asked.
    for source, target in ((PF_HOST, PEER), (PEER, PF_HOST)):
        guest.run(
            f"ip neigh replace {target.ipv4} lladdr {mac_of(guest, target)} "
            f"dev {source.name} nud permanent",
            netns=source.netns,
        )
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete


@pytest.mark.driver("igb_rs")  # C igb gives all multicast to any VF that asks
def test_testpmd_promiscuous(lan, testpmd):
    """SET_PROMISC, which no other client sends: granted to the trusted, as far as it goes."""
    guest = lan.guest
    for command in ("set promisc 0 on", "set allmulti 0 on"):
        testpmd.run("set promisc 0 off", "set allmulti 0 off", command)
        assert not Filters.read(guest).vmolr[0] & VMOLR_MPME, command
    testpmd.run("set promisc 0 off", "set allmulti 0 off")
    assert lan.link_set("vf 0 trust on").rc == 0
    testpmd.run("set allmulti 0 on")
    assert Filters.read(guest).vmolr[0] & VMOLR_MPME
    testpmd.run("set allmulti 0 off")
    assert not Filters.read(guest).vmolr[0] & VMOLR_MPME
    counters = guest.run("ethtool -S dut").out
    assert "vf0_msg_set_promisc: 0" not in counters and "vf0_malformed: 0" in counters
    assert ping(guest, PEER, ECHO, count=5).complete


VID, TAGGED = 100, "198.51.100.50"
COUNT = 50


def arrive(lan, testpmd) -> bool:
    """Whether tagged frames from the peer do; some others may pass as well."""
    before = testpmd.received()
    ping(lan.guest, PEER, TAGGED, count=COUNT, interval=0.01)
    return testpmd.received() - before >= COUNT


def test_testpmd_vlan(lan, testpmd):
    """SET_VLAN, and once more for each VLAN after a reset of the VF.

    `vlan set filter on` never reaches the PF: the VF driver has no such operation (vlan_offload_set),
    and ethdev says -ENOTSUP. It is a choice made while the port is stopped."""
    guest = lan.guest
    guest.run(
        f"""
        ip link add link peer name peer.{VID} type vlan id {VID}
        ip addr add 198.51.100.2/24 dev peer.{VID}
        ip link set peer.{VID} up
        ip neigh replace {TAGGED} lladdr {address(testpmd)} dev peer.{VID} nud permanent""",
        netns=PEER.netns,
    )
    assert "diag=-95" in testpmd.run("vlan set filter on 0")
    testpmd.stopped("port config 0 rx_offload vlan_filter on")
    assert not arrive(lan, testpmd), "control: a VLAN nobody has joined"

    assert "fail" not in testpmd.run(f"rx_vlan add {VID} 0")
    assert Filters.read(guest).vlans[VID] & 0b01
    assert arrive(lan, testpmd)
    testpmd.stopped()
    assert Filters.read(guest).vlans[VID] & 0b01
    assert arrive(lan, testpmd)

    assert "fail" not in testpmd.run(f"rx_vlan rm {VID} 0")
    assert not Filters.read(guest).vlans.get(VID, 0) & 0b01
    assert not arrive(lan, testpmd)


def longest_frame(guest) -> int:
    return Filters.read(guest).vmolr[0] & VMOLR_RLPML


def test_testpmd_mtu(lan, testpmd):
    """SET_LPE, which the VF driver sends when the port is started.

    testpmd's commands for a port that is configured never reach the PF: the VF driver has no such
    operation (mtu_set), and ethdev says -ENOTSUP. A port that will be configured anew is not asked."""
    guest = lan.guest
    guest.run("ip link set peer mtu 3000", netns=PEER.netns)

    def passes(octets: int) -> bool:
        return ping(guest, PEER, ECHO, count=3, size=octets - 28, whole=True).complete

    def set_mtu(octets: int):
        said = testpmd.stopped("port config all rxd 256", f"port config mtu 0 {octets}")
        assert "MTU" not in said, said

    before = longest_frame(guest)
    assert 1518 <= before < 1600
    assert "diag=-95" in testpmd.run("port config mtu 0 2000")
    assert "Failed to set MTU" in testpmd.stopped("port config all max-pkt-len 2018")
    assert longest_frame(guest) == before and passes(1500) and not passes(2000)

    set_mtu(2000)
    assert longest_frame(guest) == before + 500 and passes(2000) and not passes(2500)
    set_mtu(1500)
    assert longest_frame(guest) == before and passes(1500) and not passes(2000)
    guest.run("ip link set peer mtu 1500", netns=PEER.netns)


def link(testpmd) -> str:
    """As the VF driver finds it when it is asked."""
    return re.search(r"Link status: (\w+)", testpmd.run("show port info 0"))[1]


def follow_the_port(lan, testpmd):
    guest = lan.guest
    for up in (False, True):
        guest.qmp("set_link", name="dut0", up=up)
        guest.wait_carrier(PF_HOST.name, up=up)
        assert link(testpmd) == ("up" if up else "down")
        if up:
            assert ping(guest, PEER, ECHO, count=5).complete
        else:
            assert is_silent(guest, PEER, ECHO)


@pytest.mark.long
def test_testpmd_sees_the_link_of_the_port(lan, testpmd):
    """In its own status register, whenever it is asked."""
    assert link(testpmd) == "up"
    assert ping(lan.guest, PEER, ECHO, count=5).complete
    follow_the_port(lan, testpmd)


@pytest.mark.long
@pytest.mark.driver("igb_rs")  # C igb has no state of a VF's link
def test_testpmd_does_not_see_that_its_vf_is_disabled(lan, testpmd):
    """Its link is that of the port; nothing passes all the same. It works again without a reset."""
    guest = lan.guest
    assert ping(guest, PEER, ECHO, count=5).complete
    assert lan.link_set("vf 0 state disable").rc == 0
    assert is_silent(guest, PEER, ECHO)
    assert link(testpmd) == "up"
    assert lan.link_set("vf 0 state auto").rc == 0
    assert link(testpmd) == "up"
    assert ping(guest, PEER, ECHO, count=5).complete
    follow_the_port(lan, testpmd)
