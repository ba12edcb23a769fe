# SPDX-License-Identifier: GPL-2.0
"""What users of other SR-IOV cards have reported, tried here: how VFs are made, set and handed on.
Documentation/reports.rst has the reports of each test, and the results with C igb."""

from support import ONE_CPU
from support.life import DEVICE, reach_peer, rebind_vf
from support.mailbox import raw_vfs
from support.registers import Filters
from support.vfs import shown
from support.wire import arrive, tag

from harness.health import KernelLog
from harness.topology import MAX_VFS, PEER, PF_HOST, vf_host
from harness.traffic import frames, mac_of, ping

pytestmark = ONE_CPU

GIVEN, OTHER = "02:00:00:00:00:d0", "02:00:00:00:00:d1"
NO_MAC = "00:00:00:00:00:00"
SYSFS = "/sys/bus/pci"


def done(lan, *settings: str):
    """Each is accepted."""
    for setting in settings:
        result = lan.link_set(setting)
        assert result.rc == 0, result


def bind(lan, index: int, driver: str = "igbvf"):
    lan.guest.run(f"echo {lan.vf_pci(index)} >{SYSFS}/drivers/{driver}/bind")


def test_interfaces_are_there_at_once(lan):
    """Who has made VFs looks for their interfaces next. And another number of them, with interfaces
    that were in use."""
    guest = lan.guest
    for count in (MAX_VFS, 3):
        listed = guest.run(f"echo {count} >{DEVICE}/sriov_numvfs; ls -d {DEVICE}/virtfn*/net/*")
        assert len(listed.out.split()) == count, listed
        assert lan.set_numvfs(0).rc == 0
    for count in (1, 2):
        hosts = lan.vfs_up(count)
        for host in hosts:
            assert ping(guest, host, PEER.ipv4, count=3).complete
        lan.vfs_down()


def test_settings_beside_a_reset(lan):
    """Whoever starts a machine resets its VF and sets it up, in any order. No setting is refused as
    the VF is not ready, and the driver that comes next has them."""
    guest = lan.guest
    raw_vfs(lan, 2)
    pci = lan.vf_pci(0)
    for number in range(1, 5):
        settings = f"mac {GIVEN[:-1]}{number} vlan {100 + number} trust on"
        together = "&" if number % 2 else ";"
        result = guest.run(
            f"echo 1 >{SYSFS}/devices/{pci}/reset {together} ip link set dut vf 0 {settings}; wait",
            check=False,
        )
        assert result.rc == 0 and not result.err, result
        vf = shown(lan.guest)[0]
        assert vf["address"] == f"{GIVEN[:-1]}{number}", vf
        assert vf["vlan_list"][0]["vlan"] == 100 + number and vf["trust"]
    done(lan, "vf 0 vlan 0", f"vf 0 mac {GIVEN}")
    bind(lan, 0)
    lan.attach(vf_host(0), pci)
    lan.wait_carrier(vf_host(0))
    assert mac_of(guest, vf_host(0)) == GIVEN
    assert ping(guest, vf_host(0), PEER.ipv4, count=3).complete


def test_address_moves_to_another_vf(lan, vfs):
    """A container had chosen an address and is gone; the one that takes its place has another VF."""
    guest, (old, new) = lan.guest, vfs
    guest.run(f"ip link set vf0 address {GIVEN}", netns=old.netns)
    assert ping(guest, old, PEER.ipv4, count=3).complete
    lan.detach(old)
    left = guest.wait_netdev(lan.vf_pci(0))
    guest.run(f"ip link set {left} up")
    done(lan, f"vf 1 mac {GIVEN}")
    rebind_vf(lan, 1)
    assert mac_of(guest, new) == GIVEN
    assert ping(guest, new, PEER.ipv4, count=3).complete
    assert frames(guest, PEER, new, range(60, 1515, 101), destination=GIVEN).perfect
    assert Filters.read(guest).pools_of(GIVEN) == 0b10


def test_address_that_is_set_already(lan, vfs):
    """Programs set the address that the VF has, once more. Another one needs trust."""
    guest, vf = lan.guest, vfs[0]
    done(lan, f"vf 0 mac {GIVEN}")
    rebind_vf(lan, 0)
    log = KernelLog(guest, "address")
    for _ in range(3):
        guest.run(
            f"ip link set vf0 down && ip link set vf0 address {GIVEN} && ip link set vf0 up",
            netns=vf.netns,
        )
    lan.wait_carrier(vf)
    assert ping(guest, vf, PEER.ipv4, count=3).complete
    assert not [line for line in log.lines() if "VF 0" in line]
    assert guest.run(f"ip link set vf0 address {OTHER}", check=False, netns=vf.netns).rc != 0
    assert mac_of(guest, vf) == GIVEN and arrive(guest, PEER, vf, GIVEN)
    done(lan, "vf 0 trust on")
    guest.run(f"ip link set vf0 address {OTHER}", netns=vf.netns)
    assert arrive(guest, PEER, vf, OTHER) and not arrive(guest, PEER, vf, GIVEN)


def test_address_of_the_administrator_comes_and_goes(lan, vfs):
    """What libvirt and CNI plugins do: give an address, bind another driver, take it back."""
    guest, vf = lan.guest, vfs[0]
    for given in (GIVEN, OTHER):
        done(lan, f"vf 0 mac {given}")
        rebind_vf(lan, 0)
        assert mac_of(guest, vf) == given
        assert ping(guest, vf, PEER.ipv4, count=3).complete
    done(lan, f"vf 0 mac {NO_MAC}")
    rebind_vf(lan, 0)
    chosen = mac_of(guest, vf)
    assert chosen not in (GIVEN, OTHER, NO_MAC)
    guest.run(f"ip link set vf0 address {GIVEN}", netns=vf.netns)
    assert arrive(guest, PEER, vf, GIVEN)


def test_address_that_a_vf_has_chosen(lan, vfs):
    """A VF without an address of the administrator's has one all the same, and the host sees which."""
    guest = lan.guest
    for vf, entry in zip(vfs, shown(lan.guest), strict=True):
        assert mac_of(guest, vf) != NO_MAC
        assert entry["address"] == mac_of(guest, vf)
    guest.run(f"ip link set vf0 address {GIVEN}", netns=vfs[0].netns)
    assert shown(lan.guest)[0]["address"] == GIVEN


def test_vlan_0_spares_the_vlans_of_a_vf(lan, vfs):
    """Programs that have no VLAN to set, set 0."""
    guest = lan.guest
    guest.run("modprobe 8021q")
    inside, outside = tag(guest, vfs[0], 300), tag(guest, PEER, 300)
    assert ping(guest, inside, outside.ipv4, count=3).complete
    for setting in ("vlan 0", "vlan 0 qos 0", "vlan 0 qos 0 proto 802.1q"):
        done(lan, f"vf 0 {setting}")
        assert ping(guest, inside, outside.ipv4, count=3).complete, setting
        assert ping(guest, vfs[0], PEER.ipv4, count=3).complete, setting


def test_forms_of_a_vlan(lan):
    """The kernel has two forms of the request; libraries use either."""
    raw_vfs(lan, 1)
    for setting, qos in (
        ("vlan 100", None),
        ("vlan 101 proto 802.1q", None),
        ("vlan 102 qos 3", 3),
        ("vlan 103 qos 3 proto 802.1q", 3),
    ):
        done(lan, f"vf 0 {setting}")
        (entry,) = shown(lan.guest)[0]["vlan_list"]
        assert entry["vlan"] == int(setting.split()[1]) and entry.get("qos") == qos
    done(lan, "vf 0 vlan 0")
    assert shown(lan.guest)[0].get("vlan_list", [{"vlan": 0}])[0].get("vlan", 0) == 0


def test_forms_of_a_rate(lan):
    """Old programs have one number, new ones two, and "none" is 0."""
    raw_vfs(lan, 1)
    lan.wait_carrier(PF_HOST)

    def limits() -> tuple[int, int]:
        rate = shown(lan.guest)[0]["rate"]
        return rate["min_tx"], rate["max_tx"]

    for setting, limit in (
        ("rate 100", 100),
        ("max_tx_rate 200 min_tx_rate 0", 200),
        ("min_tx_rate 0", 200),
        ("rate 0", 0),
        ("max_tx_rate 300", 300),
        ("max_tx_rate 0 min_tx_rate 0", 0),
    ):
        done(lan, f"vf 0 {setting}")
        assert limits() == (0, limit), setting
    done(lan, "vf 0 max_tx_rate 300")
    for setting in ("min_tx_rate 10", "max_tx_rate 400 min_tx_rate 10"):
        assert lan.link_set(f"vf 0 {setting}").rc != 0
        assert limits() == (0, 300), setting


def test_what_is_refused_can_be_taken_back(lan):
    """A container that asks for what the card cannot do fails half-way; the next one finds a VF as
    new. The order is that of the SR-IOV CNI."""
    raw_vfs(lan, 2)
    lan.wait_carrier(PF_HOST)
    fresh = shown(lan.guest)
    for _ in range(2):
        done(
            lan,
            f"vf 0 mac {GIVEN}",
            "vf 0 vlan 100 qos 3 proto 802.1q",
            "vf 0 max_tx_rate 100 min_tx_rate 0",
            "vf 0 spoofchk off",
            "vf 0 trust on",
        )
        assert lan.link_set("vf 0 state enable").rc != 0
        done(
            lan,
            "vf 0 vlan 0 qos 0 proto 802.1q",
            "vf 0 spoofchk on",
            "vf 0 trust off",
            f"vf 0 mac {NO_MAC}",
            "vf 0 max_tx_rate 0 min_tx_rate 0",
            "vf 0 state auto",
        )
        assert shown(lan.guest) == fresh


def test_namespace_that_goes(lan, vfs):
    """A container ends without a word, with its VF in it, which was set up while it was there. Its
    interface comes back, and serves the next one."""
    guest, (vf, other) = lan.guest, vfs
    for number in range(2):
        vlan = 100 if number % 2 else 0
        done(lan, f"vf 0 vlan {vlan}", f"vf 0 mac {GIVEN}")
        if vlan:
            assert not arrive(guest, PEER, vf, "ff:ff:ff:ff:ff:ff")
        guest.start("exec sleep infinity", timeout=None, netns=vf.netns)
        lan.detach(vf)
        lan.attach(vf, lan.vf_pci(0))
        lan.wait_carrier(vf)
        done(lan, "vf 0 vlan 0")
        guest.run(f"ip link set vf0 address {GIVEN}", netns=vf.netns)
        reach_peer(lan, vf)
    assert ping(guest, other, PEER.ipv4, count=3).complete


def test_message_of_seven_fits(lan):
    """Libraries read the answer about an interface into a page of memory: libmnl, and Go's until 2018."""
    raw_vfs(lan, MAX_VFS)
    program = """
import socket, struct
index = socket.if_nametoindex("dut")
route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
body = struct.pack("BxHiII", 0, 0, index, 0, 0) + struct.pack("HHI", 8, 29, 1)
route.send(struct.pack("IHHII", 16 + len(body), 18, 1, 1, 0) + body)
print(len(route.recv(1 << 16)))
"""
    size = int(lan.guest.run("python3 -", stdin=program).out)
    print(f"{size} octets")
    assert size <= 4096
