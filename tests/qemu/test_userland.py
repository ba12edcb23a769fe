# SPDX-License-Identifier: GPL-2.0
"""Other people's programs that manage VFs, as Debian packages them: udev, systemd-networkd,
NetworkManager, libvirt."""

import contextlib

import pytest
from support import tenants
from support.daemons import UNITS, dbus, network_manager, networkd, udev
from support.libvirt import Domain, Libvirt, vf_interface
from support.vfs import shown

from harness.nested import HOST_OF_GUESTS, VmHost
from harness.topology import PEER, PF_HOST, PF_PCI, Lan
from harness.traffic import ping

pytestmark = [
    pytest.mark.guest(**HOST_OF_GUESTS),
    pytest.mark.driver("igb_rs"),
    pytest.mark.timeout(900),
    pytest.mark.long,
]

DEVICE = f"/sys/bus/pci/devices/{PF_PCI}"
MACS = ("02:00:00:00:00:b0", "02:00:00:00:00:b1", "02:00:00:00:00:b2")
NO_MAC = "00:00:00:00:00:00"


def vlan_of(vf: dict) -> int:
    """The VLAN the administrator has put a VF in; 0 if none."""
    return vf.get("vlan_list", [{}])[0].get("vlan", 0)


def create_vfs(lan, count: int):
    """VFs without a driver, as a host that hands them to guests has them."""
    lan.guest.run(f"echo 0 >{DEVICE}/sriov_drivers_autoprobe")
    assert lan.set_numvfs(count).rc == 0


SECTION_0 = f"""
[SR-IOV]
VirtualFunction=0
MACAddress={MACS[0]}
VLANId=100
QualityOfService=3
VLANProtocol=802.1Q
MACSpoofCheck=no
Trust=yes
LinkState=auto
QueryReceiveSideScaling=no
"""
SECTION_1 = f"""
[SR-IOV]
VirtualFunction=1
MACAddress={MACS[1]}
LinkState=no
"""
# What the 82576 cannot do, and the errno it is answered with.
UNSUPPORTED = {
    "LinkState=yes": "Operation not supported",
    "QueryReceiveSideScaling=yes": "Operation not supported",
    "VLANId=100\nVLANProtocol=802.1ad": "Protocol not supported",
}
# The kernel takes a section's options in an order of its own and stops at the first it cannot do:
# address and spoof check come before the state of the link, trust after it.
SECTION_2 = f"""
[SR-IOV]
VirtualFunction=2
MACAddress={MACS[2]}
MACSpoofCheck=no
LinkState=yes
Trust=yes
"""


def check_sections(guest):
    """What SECTION_0 and SECTION_1 ask for."""
    first, second = shown(guest)[:2]
    assert first["address"] == MACS[0] and second["address"] == MACS[1]
    assert first["vlan_list"][0]["vlan"] == 100 and first["vlan_list"][0]["qos"] == 3
    assert not first["spoofchk"] and first["trust"]
    assert first["link_state"] == "auto" and second["link_state"] == "disable"
    assert second["spoofchk"] and not second["trust"]


@pytest.fixture
def unloaded(guest):
    """The guest before the driver under test is loaded."""
    yield guest
    Lan(guest).down()


def test_udev_link_file(unloaded):
    """SR-IOVVirtualFunctions= and [SR-IOV] in a .link file: VFs exist, configured, as soon as the
    driver is loaded. udev tolerates every errno: an option the card does not have ends its own
    section, and the others are done."""
    guest = unloaded
    with udev(guest):
        guest.put(
            f"{UNITS}/10-dut.link",
            f"[Match]\nDriver=igb_rs\n[Link]\nName=dut\nSR-IOVVirtualFunctions=3\n"
            f"{SECTION_2}{SECTION_0}{SECTION_1}".encode(),
        )
        guest.run("udevadm control --reload")
        guest.load()
        guest.wait_until("[ -e /sys/class/net/dut ] && udevadm settle --timeout=30", 60)
        guest.wait_file(f"{DEVICE}/sriov_numvfs", 60, "^3$")
        guest.wait_until("udevadm settle --timeout=30", 60)
        check_sections(guest)
        _, _, third = shown(guest)
        assert third["address"] == MACS[2] and not third["spoofchk"]
        assert third["link_state"] == "auto" and not third["trust"]


def run_networkd(lan, text: str) -> tuple[str, str]:
    """Runs systemd-networkd with these settings of `dut` until it has come to a result: what it
    says of the link, and its log."""
    guest = lan.guest
    guest.put(f"{UNITS}/10-dut.network", text.encode())
    state = f"/run/systemd/netif/links/{guest.read('/sys/class/net/dut/ifindex')}"
    guest.run(f"rm -f {state} /tmp/networkd.log")
    with networkd(guest):
        guest.wait_until(
            f"grep -q ADMIN_STATE=configured {state} || grep -q 'dut: Failed' /tmp/networkd.log", 60
        )
        shown = guest.read(state)
    return shown, guest.run("grep -i -e sr-iov -e dut /tmp/networkd.log | tail -n 40").out


NETWORK = f"""
[Match]
Name=dut
[Network]
Address={PF_HOST.ipv4}/24
LinkLocalAddressing=no
"""


def test_networkd(lan):
    """[SR-IOV] sections in a .network file: every option there is, with what a 82576 can do. When
    networkd starts again it asks for all of it again, which changes nothing."""
    create_vfs(lan, 2)
    for _ in range(2):
        with udev(lan.guest):
            state, log = run_networkd(lan, NETWORK + SECTION_0 + SECTION_1)
        assert "ADMIN_STATE=configured" in state, log
        check_sections(lan.guest)
    lan.wait_carrier(PF_HOST)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=3).complete


@pytest.mark.parametrize("option", UNSUPPORTED, ids=lambda option: option.split("\n")[-1])
def test_networkd_asks_for_what_the_card_cannot_do(lan, option):
    """The errno of every driver without the operation. systemd-networkd 257 forgives no errno but
    EEXIST, so it says why and gives the link up; what the PF does for its VFs stays."""
    create_vfs(lan, 2)
    assert lan.link_set(f"vf 1 mac {MACS[1]}").rc == 0
    with udev(lan.guest):
        state, log = run_networkd(lan, f"{NETWORK}\n[SR-IOV]\nVirtualFunction=0\n{option}\n")
    assert "ADMIN_STATE=configured" not in state
    assert f"Could not set up SR-IOV: {UNSUPPORTED[option]}" in log, log
    first, second = shown(lan.guest)
    assert first["link_state"] == "auto" and vlan_of(first) == 0
    assert second["address"] == MACS[1]


@contextlib.contextmanager
def connection(lan, sriov_vfs: str, count: int = 3):
    """A connection of NetworkManager with these settings of VFs, activated; its log."""
    guest = lan.guest
    with udev(guest), dbus(guest), network_manager(guest):
        guest.run(
            "nmcli connection add type ethernet ifname dut con-name card autoconnect no"
            f" ipv4.method manual ipv4.addresses {PF_HOST.ipv4}/24 ipv6.method disabled"
            f" sriov.total-vfs {count} sriov.autoprobe-drivers false"
            f" sriov.vfs '{sriov_vfs}'"
        )
        up = guest.run("nmcli --wait 60 connection up card", timeout=90, check=False)
        log = guest.run("grep -i -e sriov -e sr-iov -e ' dut' /tmp/nm.log | tail -n 30").out
        assert up.rc == 0, f"{up}\n{log}"
        lan.wait_carrier(PF_HOST)
        guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30)
        yield log
        guest.run("nmcli --wait 60 connection down card && nmcli connection delete card")
        guest.wait_file(f"{DEVICE}/sriov_numvfs", 30, "^0$")


def test_network_manager(lan):
    """The sriov settings of a connection: applied when it is activated, gone with it."""
    settings = (
        f"0 mac={MACS[0]} spoof-check=false trust=true max-tx-rate=100 vlans=100.3, 1 mac={MACS[1]}"
    )
    with connection(lan, settings):
        there = shown(lan.guest)
        assert len(there) == 3
        assert there[0]["address"] == MACS[0] and there[1]["address"] == MACS[1]
        assert there[0]["vlan_list"][0]["vlan"] == 100 and there[0]["vlan_list"][0]["qos"] == 3
        assert not there[0]["spoofchk"] and there[0]["trust"]
        assert there[0]["rate"]["max_tx"] == 100


@pytest.mark.parametrize("option", ["min-tx-rate=10", "vlans=100.0.ad"])
def test_network_manager_asks_for_what_the_card_cannot_do(lan, option):
    """NetworkManager tolerates every errno: it says so and brings the connection up. It asks for
    all VFs in one request, of which the kernel does what comes before that option."""
    settings = f"0 mac={MACS[0]} trust=true, 1 mac={MACS[1]} {option} trust=true"
    with connection(lan, settings) as log:
        assert "failed to apply SR-IOV VF configurations" in log
        first, second, _ = shown(lan.guest)
        assert first["address"] == MACS[0] and first["trust"]
        assert second["address"] == MACS[1] and not second["trust"]
        assert vlan_of(second) == 0 and second["rate"]["min_tx"] == 0


@pytest.fixture
def libvirt(vmhost: VmHost):
    create_vfs(vmhost.lan, 2)
    daemon = Libvirt(vmhost)
    yield daemon
    daemon.close()
    vmhost.remove_vfs()


def administrative(guest) -> tuple[str, int]:
    """What the administrator has set for VF 0: address and VLAN."""
    first = shown(guest)[0]
    return first["address"], vlan_of(first)


@pytest.mark.parametrize("before", [NO_MAC, MACS[1]], ids=["no address", "own address"])
def test_libvirt_network_of_vfs(libvirt, before):
    """A pool of the PF's VFs. libvirt gives address and VLAN to the VF of a domain through the PF,
    and gives back what the administrator had set; start, stop, start."""
    guest, lan = libvirt.host.guest, libvirt.host.lan
    if before != NO_MAC:
        assert lan.link_set(f"vf 0 mac {before}").rc == 0
    assert libvirt.virsh("net-dumpxml card").out.count("<address type='pci'") == 2
    for stop in (Domain.power_off, Domain.destroy):
        domain = Domain(libvirt, vf_interface(MACS[0]))
        domain.wait_ready()
        assert administrative(guest) == (MACS[0], 0)
        domain.join(tenants.vm_host(0))
        assert domain.mac() == MACS[0]
        place = tenants.Place(domain, tenants.vm_host(0))
        tenants.reaches(place, PEER.ipv4)
        tenants.answered(place, PF_HOST.ipv4)
        stop(domain)
        assert administrative(guest) == (before, 0)


def test_libvirt_vlan(libvirt):
    """A domain in a VLAN reaches that VLAN and nothing else; afterwards the VF is in none."""
    guest = libvirt.host.guest
    guest.run(
        f"ip link add link peer name peer.100 type vlan id {tenants.VLAN} &&"
        f"ip addr add {tenants.PEER_IN_VLAN.ipv4}/24 dev peer.100 &&"
        "ip link set peer.100 up &&"
        f"ip route add {tenants.vm_host(0).ipv4}/32 dev peer.100",
        netns=PEER.netns,
    )
    domain = Domain(libvirt, vf_interface(MACS[0], tenants.VLAN))
    domain.wait_ready()
    assert administrative(guest) == (MACS[0], tenants.VLAN)
    domain.join(tenants.vm_host(0))
    place = tenants.Place(domain, tenants.vm_host(0))
    tenants.reaches(place, tenants.PEER_IN_VLAN.ipv4)
    tenants.silent(place, PF_HOST.ipv4)
    domain.destroy()
    assert administrative(guest) == (NO_MAC, 0)
