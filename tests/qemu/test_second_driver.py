# SPDX-License-Identifier: GPL-2.0
"""Two modules on copies of the same crates: igb_rs with its card, and the example of a driver,
tests/second-driver, with QEMU's e1000e at the other end of the wire."""

import re

import pytest
from support import counters
from support.registers import TCTL, Registers
from support.wire import tcp_contents

from harness import kmod
from harness.topology import PEER, PF_HOST, PF_PCI, Lan
from harness.traffic import is_silent, ping

pytestmark = [pytest.mark.guest(peer="e1000e"), pytest.mark.driver("igb_rs")]

MODULE = "/tmp/e1000e_rs.ko"
FCS = 4
BOTH_WAYS = [
    (source, target, version)
    for source, target in ((PF_HOST, PEER), (PEER, PF_HOST))
    for version in ("ipv4", "ipv6")
]
ENDS = (PF_HOST, PEER)
STREAMS = "while :; do iperf3 -c 192.0.2.2 -t 100 --bidir; sleep 0.2; done"


@pytest.fixture
def pair(guest, is_last):
    """Both drivers loaded, and their interfaces up: that of igb_rs and, in the namespace of the peer,
    that of the second driver. They stay for the other tests."""
    network = Lan(guest)
    if not guest.succeeds("test -d /sys/module/e1000e_rs"):
        guest.put(MODULE, kmod.second_driver(guest.config.boots))
        guest.load()
        load_second(guest)
        connect(network)
    yield network
    guest.agent.kill_all()
    if is_last:
        guest.detach(None)
        guest.run("rmmod igb_rs e1000e_rs")


def load_second(guest):
    guest.run(f"insmod {MODULE}")


def connect(network):
    network.attach(PF_HOST, PF_PCI)
    network.attach(PEER, network.peer_pci)
    wait_carriers(network)


def wait_carriers(network):
    network.guest.wait_carriers([(host.name, host.netns) for host in ENDS])


def sent_and_received(guest, host):
    """Packets and bytes as the interface counts them."""
    counted = counters.link(guest, host)
    return {way: (counted[f"{way}_packets"], counted[f"{way}_bytes"]) for way in ("tx", "rx")}


def counted_by_controller(guest, host):
    """The same by the controller, which counts each frame with its FCS (ethtool, IEEE 802.3)."""
    text = guest.run(f"ethtool -S {host.name} --groups eth-mac", netns=host.netns).out
    counted = {name: int(value) for name, value in re.findall(r"eth-mac-(\w+): (\d+)", text)}
    return {
        way: (
            counted[f"Frames{name}OK"],
            counted[f"Octets{name}OK"] - FCS * counted[f"Frames{name}OK"],
        )
        for way, name in (("tx", "Transmitted"), ("rx", "Received"))
    }


def both(guest):
    """Readings of both ends between which nothing was sent: of something that is on its way one end
    would know, and the other not."""
    for _ in range(50):
        before, after = ([sent_and_received(guest, host) for host in ENDS] for _ in range(2))
        if before == after:
            return before
    raise AssertionError("the wire is never silent")


def agree(*readings):
    """Whether they are the same, each of which may be a packet ahead of the others for a moment."""
    for _ in range(50):
        first, *others = (reading() for reading in readings)
        if all(other == first for other in others):
            return True
    return False


def test_tcp_both_ways(pair):
    """Random data over IPv4 and IPv6 at once, compared, with checksums by the devices."""
    guest = pair.guest
    features = guest.run("ethtool -k peer", netns=PEER.netns).out
    assert "tx-checksumming: on" in features and "rx-checksumming: on" in features
    tcp_contents(guest, *BOTH_WAYS, megabytes=2 if guest.slowness == 1 else 1)


def test_counters_agree(pair):
    """Of what one end sends the other receives as much, and the controller has counted as much as the
    driver."""
    guest = pair.guest
    # Or the two tell each other of groups the other does not listen to.
    for host in ENDS:
        guest.run(f"ip link set {host.name} allmulticast on", netns=host.netns)
    here, there = both(guest)
    assert ping(guest, PF_HOST, PEER.ipv4, count=20, size=1400).complete

    def since(host, way, before):
        now = sent_and_received(guest, host)[way]
        return tuple(after - value for after, value in zip(now, before[way], strict=True))

    assert agree(lambda: since(PF_HOST, "tx", here), lambda: since(PEER, "rx", there))
    assert agree(lambda: since(PEER, "tx", there), lambda: since(PF_HOST, "rx", here))
    assert since(PEER, "tx", there)[0] >= 20
    assert agree(lambda: sent_and_received(guest, PEER), lambda: counted_by_controller(guest, PEER))


def test_link_follows_the_wire(pair):
    guest = pair.guest
    settings = guest.run("ethtool peer", netns=PEER.netns).out
    assert "Speed: 1000Mb/s" in settings and "Link detected: yes" in settings
    guest.qmp("set_link", name="peer", up=False)
    guest.wait_carrier(PEER.name, PEER.netns, timeout=10, up=False)
    settings = guest.run("ethtool peer", netns=PEER.netns).out
    assert "Speed: Unknown!" in settings and "Link detected: no" in settings
    guest.qmp("set_link", name="peer", up=True)
    wait_carriers(pair)
    assert ping(guest, PEER, PF_HOST.ipv4, count=3).complete


@pytest.mark.allow_log("NETDEV WATCHDOG|timed out")
def test_stuck_queue(pair):
    """A controller that has stopped sending is reset."""
    guest = pair.guest
    Registers(guest, pair.peer_pci).write(TCTL, 0)
    assert is_silent(guest, PEER, PF_HOST.ipv4), "control: it does hang"
    # Enough for the stack to hold back.
    flood = guest.start(f"ping -f -w 25 {PF_HOST.ipv4}", timeout=40, netns=PEER.netns)
    guest.wait_until(f"ping -c 1 -W 1 -q {PF_HOST.ipv4}", 30, netns=PEER.netns)
    flood.kill()
    assert "e1000e_rs" in guest.run("dmesg | grep 'is stuck'").out
    assert ping(guest, PEER, PF_HOST.ipv4, count=3).complete


@pytest.mark.watched
def test_unload_under_traffic(pair):
    """Either module goes and comes back while its interface is busy, and the other works on. They share
    no symbol."""
    guest = pair.guest
    depends = guest.run(f"modinfo -F depends {MODULE} /payload/igb_rs.ko").out
    assert "_rs" not in depends
    copies = guest.run("grep ' nbh_tx_sent\\s' /proc/kallsyms").out.split()
    assert {"[igb_rs]", "[e1000e_rs]"} <= set(copies)
    # A connection that nobody has any more, whose other end is gone, is given up after minutes. A frame that came
    # out of order keeps a page until then.
    for netns in (None, PEER.netns):
        guest.run("echo 1 >/proc/sys/net/ipv4/tcp_orphan_retries", netns=netns)
    for module in ("e1000e_rs", "igb_rs"):
        guest.start("iperf3 -s", netns=PEER.netns, timeout=200)
        guest.start(STREAMS, timeout=200)
        guest.wait_until("ss -Htn state established dport = 5201 | grep -q .", 30)
        guest.run(f"rmmod {module}")
        guest.agent.kill_all()
        loaded = set(guest.run("ls /sys/module").out.split())
        assert loaded & {"e1000e_rs", "igb_rs"} == {"e1000e_rs", "igb_rs"} - {module}
        if module == "igb_rs":
            guest.load()
            pair.attach(PF_HOST, PF_PCI)
        else:
            load_second(guest)
            pair.attach(PEER, pair.peer_pci)
        wait_carriers(pair)
        assert ping(guest, PF_HOST, PEER.ipv4, count=5).complete
    guest.wait_until("grep -q 'orphan 0 ' /proc/net/sockstat", 60)
    for netns in (None, PEER.netns):
        guest.run("echo 0 >/proc/sys/net/ipv4/tcp_orphan_retries", netns=netns)
