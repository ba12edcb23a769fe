# SPDX-License-Identifier: GPL-2.0
"""What users of other SR-IOV cards have reported, tried here: traffic, and what goes on beside it.
Documentation/reports.rst has the reports of each test, and the results with C igb."""

import contextlib
import json
import re

import pytest
from support import ONE_CPU
from support.groups import MDNS, hear
from support.life import DEVICE, reach_peer, rebind_vf
from support.vfs import shown
from support.wire import BURST, arrive, captured

from harness.health import KernelLog
from harness.topology import PEER, PF_HOST, Host, vf_host
from harness.traffic import frames, is_silent, mac_of, ping

pytestmark = ONE_CPU

GIVEN = "02:00:00:00:00:d0"
STRANGER = "02:00:00:00:00:99"
GROUP = "01:00:5e:7f:12:34"
# Behind a bridge that is in a VF's machine.
INNER = Host("inner", "inner", 51)
BETWEEN_PINGS = 0.02


@contextlib.contextmanager
def without_loss(lan, source: Host, target: str, size: int = 56):
    """No echo request is lost while the block runs, and the interface keeps its carrier."""
    guest = lan.guest
    output, changes = "/run/pings", f"/sys/class/net/{source.name}/carrier_changes"
    before = guest.run(f"cat {changes}", netns=source.netns).text
    guest.put(output, b"")
    job = guest.start(
        f"exec stdbuf -oL ping -n -M do -s {size} -i {BETWEEN_PINGS} -W 10 {target} >{output}",
        timeout=120,
        netns=source.netns,
    )
    guest.wait_file(output, 20, "bytes from")
    yield
    # The answers to what was sent meanwhile.
    last = int(re.findall(r"icmp_seq=(\d+)", guest.read(output))[-1])
    guest.wait_file(output, 20, f"icmp_seq={last + 20} ")
    job.kill(2)
    job.wait(check=False)
    seen = {int(number) for number in re.findall(r"icmp_seq=(\d+)", guest.read(output))}
    assert len(seen) >= last and set(range(1, last)) <= seen, sorted(set(range(1, last)) - seen)
    assert guest.run(f"cat {changes}", netns=source.netns).text == before


def test_trust_and_checks_under_traffic(lan, vfs):
    """Elsewhere a change of trust resets the VF, and the spoof check comes back by itself."""
    guest, vf = lan.guest, vfs[0]
    log = KernelLog(guest, "settings")
    with without_loss(lan, vf, PEER.ipv4):
        for setting in ("trust on", "spoofchk off", "max_tx_rate 500", "trust off", "trust on"):
            assert lan.link_set(f"vf 0 {setting}").rc == 0
    assert not [line for line in log.lines() if "igbvf" in line]
    guest.run("ip link set vf0 down && ip link set vf0 up", netns=vf.netns)
    lan.detach(vf)
    lan.attach(vf, lan.vf_pci(0))
    guest.run(f"ip link set vf0 address {GIVEN}", netns=vf.netns)
    guest.run("ip link set dut down; ip link set dut up")
    lan.wait_carrier(PF_HOST)
    reach_peer(lan, vf)
    entry = shown(lan.guest)[0]
    assert entry["trust"] and not entry["spoofchk"] and entry["rate"]["max_tx"] == 500


RESETS = {
    "reset": f"echo 1 >{DEVICE}/virtfn1/reset",
    "driver": f"""
        vf=$(basename $(readlink {DEVICE}/virtfn1))
        echo $vf >/sys/bus/pci/drivers/igbvf/unbind; echo $vf >/sys/bus/pci/drivers/igbvf/bind""",
    "number": f"echo 0 >{DEVICE}/sriov_numvfs; echo 3 >{DEVICE}/sriov_numvfs",
}


@pytest.mark.parametrize("event", RESETS)
def test_bridge_of_the_host(lan, vfs, event):
    """A machine with a VF starts or stops; the bridge on the port, with other machines, stays as it is."""
    guest = lan.guest
    for vf in vfs:
        lan.detach(vf)
    if event == "reset":
        guest.run(
            f"echo $(basename $(readlink {DEVICE}/virtfn1)) >/sys/bus/pci/drivers/igbvf/unbind"
        )
    guest.run("ip link add br0 up type bridge forward_delay 0 && ip link set dut master br0")
    guest.wait_until("bridge link show dev dut | grep -q 'state forwarding'", 30)
    changes, log = guest.read("/sys/class/net/dut/carrier_changes"), KernelLog(guest, "bridge")
    guest.run(RESETS[event])
    lan.wait_carrier(PF_HOST)
    assert not [line for line in log.lines() if "br0: port 1" in line]
    assert guest.read("/sys/class/net/dut/carrier_changes") == changes
    guest.run("ip link del br0")


def test_bridge_in_a_machine(lan, vfs):
    """Containers behind a bridge in a VF's machine are reached once the bridge's port has their
    addresses; no VF receives what it has no address for."""
    guest, (vf, other) = lan.guest, vfs
    mac = "02:00:00:00:00:51"
    guest.run(f"""
        ip -n {vf.netns} link add br0 up type bridge forward_delay 0
        ip -n {vf.netns} link set vf0 master br0
        ip netns add inner
        ip -n {vf.netns} link add port type veth peer name inner netns inner
        ip -n {vf.netns} link set port master br0 up
        ip -n inner link set inner address {mac} up
        ip -n inner addr add {INNER.ipv4}/24 dev inner""")
    guest.wait_until("bridge link show dev vf0 | grep -q 'state forwarding'", 30, netns=vf.netns)
    assert is_silent(guest, PEER, INNER.ipv4)
    guest.run(f"bridge fdb add {mac} dev vf0 self", netns=vf.netns)
    for host in (PEER, PF_HOST, other):
        assert ping(guest, host, INNER.ipv4, count=3).complete, host
        assert ping(guest, INNER, host.ipv4, count=3).complete, host
    guest.run(f"bridge fdb del {mac} dev vf0 self", netns=vf.netns)
    assert not arrive(guest, PEER, vf, mac)


def test_macvtap_of_a_vf(lan, vfs):
    """What libvirt's "passthrough" makes: the machine's address is the VF's, with what it sends and gets."""
    guest, vf = lan.guest, vfs[0]
    guest.run(
        "ip link add link vf0 name tap0 type macvtap mode passthru &&"
        f" ip link set tap0 address {GIVEN} && ip link set tap0 up",
        netns=vf.netns,
    )
    assert mac_of(guest, vf) == GIVEN
    tap = Host("tap0", vf.netns, 10)
    assert frames(guest, PEER, tap, range(60, 1515, 101), destination=GIVEN).perfect
    guest.run(f"ip maddr add {GROUP} dev tap0", netns=vf.netns)
    assert arrive(guest, PEER, tap, GROUP)


def test_groups_that_come_and_go(lan, vfs):
    """A machine in which containers start and stop joins and leaves groups, and has addresses, all the
    time; neighbours still find it by IPv6."""
    guest, vf = lan.guest, vfs[0]
    guest.run(
        """
        for number in $(seq 40); do
            ip maddr add 33:33:00:00:01:$(printf %02x $number) dev vf0
            [ $number -le 20 ] || ip maddr del 33:33:00:00:01:$(printf %02x $((number - 20))) dev vf0
        done
        for number in $(seq 12); do
            ip link add link vf0 name mv type macvlan && ip link set mv up && ip link del mv
        done""",
        netns=vf.netns,
        timeout=120,
    )
    assert arrive(guest, PEER, vf, "33:33:00:00:01:28")
    for host in (PEER, vfs[1]):
        guest.run(f"ip -6 neigh flush dev {host.name}", netns=host.netns)
        guest.run(f"ip -6 neigh flush dev {vf.name}", netns=vf.netns)
        assert ping(guest, host, vf.ipv6, count=3).complete, host


def test_mtu_of_the_port_and_of_vfs(lan, vfs):
    """Elsewhere the port's limits what VFs receive, and a change of it takes them down."""
    guest, (vf, other) = lan.guest, vfs
    for host in (vf, PEER):
        guest.run(f"ip link set {host.name} mtu 4000", netns=host.netns)
    guest.run("ip link set vf1 mtu 1300", netns=other.netns)
    reach_peer(lan, *vfs)
    with without_loss(lan, vf, PEER.ipv4, size=3900):
        for mtu in (1400, 9000, 1280, 1500):
            guest.run(f"ip link set dut mtu {mtu}")
    lan.wait_carrier(PF_HOST)
    assert ping(guest, other, PEER.ipv4, count=3).complete
    assert ping(guest, PEER, vf.ipv4, count=3, size=3972, whole=True).complete


def test_flap_is_seen_once(lan, vfs):
    """Elsewhere a VF says that its link is up, again and again; or not that it was down."""
    guest = lan.guest

    def changes() -> list[int]:
        return [
            int(guest.run(f"cat /sys/class/net/{vf.name}/carrier_changes", netns=vf.netns).out)
            for vf in vfs
        ]

    before, log = changes(), KernelLog(guest, "flap")
    for up in (False, True):
        guest.qmp("set_link", name="dut0", up=up)
        guest.wait_carriers([(vf.name, vf.netns) for vf in vfs], timeout=15, up=up)
    reach_peer(lan, *vfs)
    for setting in ("trust on", "spoofchk off", "max_tx_rate 100", f"mac {GIVEN}"):
        assert lan.link_set(f"vf 1 {setting}").rc == 0
    assert ping(guest, vfs[0], PEER.ipv4, count=200, interval=0.02).complete
    assert changes() == [count + 2 for count in before]
    for index, _ in enumerate(vfs):
        said = [line for line in log.lines() if f"igbvf {lan.vf_pci(index)}" in line]
        assert sum("Link is Up" in line for line in said) == 1, said


def test_promiscuous_vf(lan, vfs):
    """It sees what is sent to it, and nobody else's."""
    guest, (vf, other) = lan.guest, vfs
    guest.run("ip link set vf0 promisc on && ip link set vf0 allmulticast on", netns=vf.netns)
    assert arrive(guest, PEER, vf, mac_of(guest, vf))
    for destination in (STRANGER, GROUP, mac_of(guest, other), mac_of(guest, PF_HOST)):
        assert not arrive(guest, PEER, vf, destination), destination
    assert not arrive(guest, other, vf, mac_of(guest, PF_HOST))
    guest.run("ip link set vf0 promisc off && ip link set vf0 allmulticast off", netns=vf.netns)
    assert ping(guest, vf, PEER.ipv4, count=3).complete


def test_promiscuous_port(lan, vfs):
    """A software switch that is no bridge of the kernel's makes the port promiscuous. What a VF sends to
    machines behind it arrives when the port has their addresses."""
    guest, vf = lan.guest, vfs[0]
    guest.run("ip link set dut promisc on")
    assert arrive(guest, PEER, PF_HOST, STRANGER)
    print("from a VF, without:", arrive(guest, vf, PF_HOST, STRANGER))
    guest.run(f"bridge fdb add {STRANGER} dev dut self")
    assert arrive(guest, vf, PF_HOST, STRANGER)
    assert arrive(guest, PEER, PF_HOST, STRANGER)
    assert not arrive(guest, vf, PEER, STRANGER)
    guest.run(f"bridge fdb del {STRANGER} dev dut self && ip link set dut promisc off")


def test_own_multicast(lan, vfs):
    """Routers that share an address take their own adverts, when they come back, for a rival's. The check
    for duplicates of IPv6 says so as well."""
    guest = lan.guest
    assert hear(guest, MDNS, PF_HOST, PEER)[PF_HOST.name] == {PEER.name}
    guest.run("ip addr add 2001:db8:5::1/64 dev dut")
    guest.wait_until("! ip -6 addr show dev dut | grep -q tentative", 30)
    assert "dadfailed" not in guest.run("ip -6 addr show dev dut").out


def test_host_sees_the_traffic_of_vfs(lan, vfs):
    """The only place where it can be counted when the VF is in a machine."""
    guest, (vf, other) = lan.guest, vfs

    def traffic() -> dict[str, int]:
        (link,) = json.loads(guest.run("ip -s -j -d link show dut").out)
        stats = link["vfinfo_list"][0]["stats"]
        return {way: stats[way]["packets" if way == "rx" else "tx_packets"] for way in ("rx", "tx")}

    def on_the_wire() -> int:
        text = guest.run("ethtool -S dut --groups eth-mac").out
        return int(re.search(r"FramesTransmittedOK: (\d+)", text)[1])

    before, wire = traffic(), on_the_wire()
    assert arrive(guest, vf, PEER, mac_of(guest, PEER))
    assert arrive(guest, PEER, vf, mac_of(guest, vf))
    after = traffic()
    assert all(after[way] - before[way] >= BURST for way in ("rx", "tx")), (before, after)
    assert on_the_wire() - wire >= BURST
    assert arrive(guest, vf, other, mac_of(guest, other))
    assert traffic()["tx"] - after["tx"] >= BURST
    rebind_vf(lan, 0)
    again = traffic()
    assert again["tx"] >= after["tx"] + BURST and again["rx"] >= after["rx"]


def test_priority_of_a_port_vlan(lan, vfs):
    """The neighbour sees VLAN and priority, the VF neither."""
    guest, vf = lan.guest, vfs[0]
    assert lan.link_set("vf 0 vlan 100 qos 5").rc == 0
    with captured(guest, PEER, 1, "vlan 100 and arp", "-e") as capture:
        ping(guest, vf, PEER.ipv4, count=2, patience=1)
        seen = capture.ended()
    assert "vlan 100, p 5" in seen
    assert mac_of(guest, vf_host(0)) in seen
