# SPDX-License-Identifier: GPL-2.0
"""The switch between PF, VFs and wire, as `bridge` sets it."""

import contextlib
import random
import re
import time

import pytest
from support import ONE_CPU, counters
from support.life import DEVICE, reach_peer, rebind_vf
from support.registers import QUEUE_FILTERS, Filters
from support.wire import arrive, captured, tag, tcp_contents
from support.xdp import Programs

from harness.topology import PEER, PF_HOST, Host
from harness.traffic import count_frames, mac_of, ping

pytestmark = [ONE_CPU, pytest.mark.driver("igb_rs")]  # C igb has no switch modes

DTXSWC_LOOPBACK = 1 << 31
# On a bridge of the PF's host, and that host.
BEHIND = Host("behind", "behind", 40)
BROADCAST = "ff:ff:ff:ff:ff:ff"
# More VLANs than the PF finds room for beside seven VFs.
BUSY = range(2000, 2024)
BESIDE = Host("beside", "beside", 41)
HOST = Host("br0", None, 42)
OWN_COPIES = "ethtool -S dut | awk '/_own_copies:/ { sum += $2 } END { print sum }'"
STRANGER = "02:00:00:00:00:99"
# Of a VF, and of who stands in for it.
SHARED = "02:00:00:00:00:77"


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


def own_copies(guest) -> int:
    return sum(value for name, value in counters.ethtool(guest) if name.endswith("_own_copies"))


def bridge_with(guest, *hosts: Host, address: str = ""):
    """A bridge with the PF and `hosts`, which have IPv6 addresses that are checked for duplicates."""
    guest.run("ip link add br0 type bridge forward_delay 0 && ip link set dut master br0")
    for host in hosts:
        port, into = f"{host.name}-port", f"ip -n {host.netns}"
        guest.run(f"""
            ip netns add {host.netns}
            ip link add {port} type veth peer name {host.name} netns {host.netns}
            {into} link set {host.name} {address and f"address {address}"}
            ip link set {port} master br0 up
            {into} addr add {host.ipv4}/24 dev {host.name}
            {into} addr add {host.ipv6}/64 dev {host.name}""")
    guest.run("ip link set br0 up")
    guest.wait_until("bridge link show dev dut | grep -q 'state forwarding'", 60)
    for host in hosts:
        guest.run(f"ip link set {host.name} up", netns=host.netns)


def addresses_are_unique(guest, *hosts: Host):
    """Waits until none of their addresses is tentative; none was found to be another's."""
    for host in hosts:
        shown = f"ip -6 addr show dev {host.name}"
        guest.wait_until(f"! {shown} | grep -q tentative", 30, netns=host.netns)
        assert "dadfailed" not in guest.run(shown, netns=host.netns).out


def test_hosts_behind_a_bridge(lan, vfs):
    """They, VFs and the peer reach each other, without a word to the bridge or the PF; as does the
    bridge's own host."""
    guest, vf = lan.guest, vfs[0]
    bridge_with(guest, BEHIND, BESIDE)
    addresses_are_unique(guest, BEHIND, BESIDE)
    for host in (BEHIND, BESIDE):
        for other in (PEER, vf):
            for source, target in ((host, other), (other, host)):
                assert ping(guest, source, target.ipv4, count=3).complete, (source, target)
                assert ping(guest, source, target.ipv6, count=3).complete, (source, target)
    assert ping(guest, BEHIND, BESIDE.ipv4, count=3).complete
    assert ping(guest, BESIDE, BEHIND.ipv6, count=3).complete
    tcp_contents(guest, (vf, BEHIND, "ipv4"), (BEHIND, vf, "ipv6"), megabytes=1)
    assert own_copies(guest) > 0
    pf = 1 << Filters.read(guest).default_pool
    for host in (BEHIND, BESIDE):
        assert Filters.read(guest).pools_of(mac_of(guest, host)) == pf
    # No port has learned an address that is behind another.
    learned = guest.run("bridge fdb show br br0 dynamic").out
    for host in (BEHIND, BESIDE):
        assert f"{mac_of(guest, host)} dev {host.name}-port" in learned
    # A bridge's address of its own, which is none of a port.
    guest.run(f"""
        ip link set br0 address {STRANGER} && ip addr add {HOST.ipv4}/32 dev br0
        ip route add {vf.ipv4}/32 dev br0 src {HOST.ipv4}""")
    assert Filters.read(guest).pools_of(STRANGER) == pf
    assert ping(guest, vf, HOST.ipv4, count=3).complete
    # A host that goes takes its address with it.
    gone = mac_of(guest, BESIDE)
    guest.run(f"ip link del {BESIDE.name}-port")
    assert not Filters.read(guest).pools_of(gone)
    # A PF that leaves and comes back reads what the bridge knows.
    behind = mac_of(guest, BEHIND)
    guest.run("ip link set dut nomaster")
    assert not Filters.read(guest).pools_of(behind)
    assert not Filters.read(guest).pools_of(STRANGER)
    guest.run("ip link set dut master br0")
    assert Filters.read(guest).pools_of(behind) == pf
    guest.run(f"ip link del br0; ip link del {BEHIND.name}-port")


def test_bridge_above_a_vlan(lan, vfs):
    """The port of the bridge is a VLAN device on the PF. What else the PF is told comes first."""
    guest = lan.guest
    guest.run(
        "modprobe 8021q && ip link add link dut name dut.7 type vlan id 7 && ip link set dut.7 up"
    )
    guest.run("ip link add br0 up type bridge && ip link set dut.7 master br0")
    # Not the lowest address, which would be the bridge's own.
    guest.run("ip link add port0 up address fe:00:00:00:00:01 master br0 type dummy")
    macs = [f"02:00:00:00:03:{number:02x}" for number in range(30)]
    for mac in macs:
        guest.run(f"bridge fdb add {mac} dev port0 master static")
    filters = Filters.read(guest)
    have = [mac for mac in macs if filters.pools_of(mac)]
    # 21 with two VFs, of which one is promised to each.
    assert len(have) == 19
    (line,) = re.findall(r"no receive address is left for (\d+) addresses", guest.run("dmesg").out)
    assert line == "1"
    guest.run(f"bridge fdb add {STRANGER} dev dut self")
    filters = Filters.read(guest)
    assert filters.pools_of(STRANGER) == 1 << filters.default_pool
    assert sum(bool(filters.pools_of(mac)) for mac in macs) == 18
    guest.run(f"bridge fdb del {STRANGER} dev dut self; ip link del br0; ip link del port0")
    assert not any(Filters.read(guest).pools_of(mac) for mac in macs)
    guest.run("ip link del dut.7")


def test_entries_of_other_bridges(lan, vfs):
    """Who has a bridge in a network namespace of his own, and a port with the number of another, says nothing
    of that. An entry that is moved to the PF's side, of which the bridge only tells where it is now, is
    behind the bridge no more."""
    guest = lan.guest
    guest.run(f"""
        ip link add br0 up type bridge && ip link set dut master br0
        ip link add port0 up type dummy && ip link set port0 master br0
        bridge fdb add {STRANGER} dev port0 master static""")
    pf = 1 << Filters.read(guest).default_pool
    assert Filters.read(guest).pools_of(STRANGER) == pf
    index = int(guest.read("/sys/class/net/port0/ifindex"))
    guest.run(f"""
        ip netns add other && ip -n other link add br1 type bridge
        ip -n other link add port1 index {index} type dummy && ip -n other link set port1 master br1
        bridge -n other fdb add {STRANGER} dev port1 master static""")
    assert Filters.read(guest).pools_of(STRANGER) == pf
    guest.run(f"bridge fdb replace {STRANGER} dev dut master static")
    assert not Filters.read(guest).pools_of(STRANGER)
    guest.run("ip netns del other; ip link del br0; ip link del port0")


def test_stand_in_for_a_vf(lan, vfs):
    """While the VF is closed, a machine behind the bridge has its address, as the standby of a failover
    pair does; when the VF has made its handshake, it has it back."""
    guest, (vf, other) = lan.guest, vfs
    assert lan.link_set(f"vf 0 mac {SHARED}").rc == 0
    rebind_vf(lan, 0)
    reach_peer(lan, vf)
    pf = 1 << Filters.read(guest).default_pool
    stand_in = Host("standby", "standby", vf.number)
    bridge_with(guest, stand_in, address=SHARED)
    # It speaks, and is learned, while the VF works: the VF keeps its address, so the stand-in asks for
    # nobody's. It would not be answered, and its stack drops for three seconds what it sends to them.
    # Each frame of the VF to a group has the bridge believe otherwise again.
    announce = f"arping -q -U -c 1 -I standby {stand_in.ipv4}"
    guest.wait_until(
        f"""ip netns exec {stand_in.netns} {announce}
            bridge fdb show br br0 brport standby-port dynamic | grep -q {SHARED}""",
        20,
    )
    assert Filters.read(guest).pools_of(SHARED) == 0b01
    assert ping(guest, other, vf.ipv4, count=3).complete

    # As a hypervisor does that takes the VF from its guest.
    lan.detach(vf)
    pci = lan.vf_pci(0)
    guest.run(
        f"echo {pci} >/sys/bus/pci/drivers/igbvf/unbind; echo 1 >/sys/bus/pci/devices/{pci}/reset"
    )
    guest.run(announce, netns=stand_in.netns, check=False)
    assert Filters.read(guest).pools_of(SHARED) == pf
    # The VF had it when the stand-in looked whether anybody has.
    guest.run(
        f"ip addr del {stand_in.ipv6}/64 dev standby; ip addr add {stand_in.ipv6}/64 dev standby nodad",
        netns=stand_in.netns,
    )
    for source in (other, PEER):
        assert ping(guest, source, stand_in.ipv4, count=3).complete, source
        assert ping(guest, source, stand_in.ipv6, count=3).complete, source
    assert ping(guest, stand_in, other.ipv4, count=3).complete

    guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/bind")
    lan.attach(vf, pci)
    lan.wait_carrier(vf)
    assert Filters.read(guest).pools_of(SHARED) == 0b01
    guest.run("ip link set standby down", netns=stand_in.netns)
    reach_peer(lan, vf)
    for source in (other, PEER):
        assert ping(guest, source, vf.ipv4, count=3).complete, source
    guest.run("ip link del br0; ip link del standby-port")


def send_and_count(guest, source: Host, sizes: list[int]):
    """Broadcasts, until the PF's interface has counted all."""
    assert count_frames(guest, source, PF_HOST, sizes, BROADCAST, patience=5) >= len(sizes)


def assert_copies(guest, before: int, frames: int):
    """Of `frames` that were sent, and of a few that the stack sends by itself to groups."""
    assert frames <= own_copies(guest) - before <= frames + 8


@contextlib.contextmanager
def only_from_the_wire(lan, sizes: list[int], end: int = 100):
    """What broadcasts the stack gets until the block ends: none. Then the peer sends some of `sizes`,
    with the PF's address as their source."""
    guest = lan.guest
    expression, options = "ether proto 0x88b5", "-e -Q in --immediate-mode"
    with captured(guest, PF_HOST, len(sizes) + 1, expression, options) as capture:
        yield
        guest.run(f"ip link set peer address {mac_of(guest, PF_HOST)}", netns=PEER.netns)
        guest.wait_carrier(PEER.name, PEER.netns)
        send_and_count(guest, PEER, [*sizes, end])
        lengths = re.findall(r"length (\d+):", capture.ended())
    assert [int(length) for length in lengths] == [*sizes, end]


def test_own_broadcasts_do_not_come_back(lan, vfs):
    """Each is dropped once, whatever its length; a genuine duplicate from the wire is received, as is
    what has the same length."""
    guest = lan.guest
    sizes = [60, 61, 62, 127, 1513, 1514] * 5
    before = own_copies(guest)
    with only_from_the_wire(lan, sizes):
        send_and_count(guest, PF_HOST, sizes)
        assert_copies(guest, before, len(sizes))
    assert_copies(guest, before, len(sizes))
    # In frames of several buffers.
    for host in (PF_HOST, PEER):
        guest.run(f"ip link set {host.name} mtu 9000", netns=host.netns)
        lan.wait_carrier(host)
    large, before = [9014, 5000, 3072, 3073] * 3, own_copies(guest)
    with only_from_the_wire(lan, large):
        send_and_count(guest, PF_HOST, large)
    assert_copies(guest, before, len(large))


@pytest.mark.allow_trace(QUEUE_FILTERS)
def test_own_broadcasts_are_not_looked_for_on_hardware(silicon):
    """There the controller returns none. What the model returns all the same is received."""
    guest = silicon.guest
    silicon.vfs_up(1)
    sizes = [60, 61, 1514] * 3
    expression, options = "ether proto 0x88b5", "-Q in --immediate-mode"
    with captured(guest, PF_HOST, len(sizes), expression, options) as capture:
        send_and_count(guest, PF_HOST, sizes)
        capture.ended()
    assert own_copies(guest) == 0


def test_own_broadcasts_are_no_business_of_a_program(lan, vfs):
    guest = lan.guest
    programs = Programs(guest)
    programs.attach("drop")
    before, dropped = own_copies(guest), dict(counters.ethtool(guest))["rx_queue_0_xdp_drop"]
    send_and_count(guest, PF_HOST, [200] * 20)
    assert_copies(guest, before, 20)
    assert dict(counters.ethtool(guest))["rx_queue_0_xdp_drop"] == dropped
    programs.detach()


def test_own_broadcasts_with_what_the_controller_adds(lan, vfs):
    """A checksum, a tag, or both."""
    guest = lan.guest
    tagged = tag(guest, PF_HOST, 8)
    for interface, address in (("dut", "192.0.2.255"), (tagged.name, "192.0.2.127")):
        before = own_copies(guest)
        with captured(guest, PF_HOST, 1, "udp port 9", "-Q in --immediate-mode") as capture:
            guest.run(
                "for size in 1 100 1400; do head -c $size /dev/zero |"
                f"socat -u - UDP-DATAGRAM:{address}:9,broadcast,bindtodevice={interface}; done"
            )
            guest.wait_until(f"[ $({OWN_COPIES}) -ge {before + 3} ]", 5)
            assert capture.stopped() == 0
    guest.run(f"ip link del {tagged.name}")


def test_addresses_for_a_bridge_are_limited(lan, vfs):
    """ENOSPC when no register is left for the PF; those before it stay, and a VF keeps its share."""
    guest = lan.guest
    macs = [f"02:00:00:00:02:{number:02x}" for number in range(30)]
    answers = [guest.run(f"bridge fdb add {mac} dev dut self", check=False) for mac in macs]
    refused = [answer for answer in answers if answer.rc]
    # iproute2 shows the driver's words instead of the errno, where there are some.
    ours = guest.config.driver == "igb_rs"
    words = "no receive address register is left" if ours else "No space left"
    assert refused and all(words in answer.err for answer in refused)
    # One that is there already is said to be there, not to find no room.
    again = guest.run(f"bridge fdb add {macs[0]} dev dut self", check=False)
    assert again.rc and "File exists" in again.err
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
    # They go in an order that has nothing to do with how they came.
    steps = [
        f"bridge vlan del vid {vid}-{min(vid + 62, 4094)} dev dut" for vid in range(2, 4095, 63)
    ]
    steps += [f"ip link del br0.{vid}" for vid in (3000, *BUSY)]
    random.Random(1).shuffle(steps)
    guest.run("set -e\n" + "\n".join(steps), timeout=120)
    guest.run("ip link del br0")
    guest.run("ip link del peer.3000", netns=PEER.netns)
    assert Filters.read(guest) == before
    (line,) = guest.run(said).out.splitlines()
    assert int(re.search(r": (\d+) VLANs", line)[1]) in range(1, len(BUSY) + 2)
