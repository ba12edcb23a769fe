# SPDX-License-Identifier: GPL-2.0
"""Counters: right, the same everywhere, and never backwards."""

import json

import pytest

from harness.topology import PEER, PF_HOST
from harness.traffic import frames, tcp_stream
from support import STANDARD, counters
from support.upstream import Upstream

pytestmark = STANDARD

SIZE, COUNT = 500, 300
# Other packets that may pass during a test: neighbour discovery and the like.
NOISE = 20


@pytest.fixture
def qstats(guest):
    """Callable: the queue statistics of `dut`, summed by the kernel over its queues."""
    upstream = Upstream(guest)
    index = "cat /sys/class/net/dut/ifindex"

    def get() -> dict[str, int]:
        request = json.dumps({"ifindex": int(guest.run(index).text)})
        found = upstream.ynl("netdev", "qstats-get", request, dump=True)
        mine = [entry for entry in found if entry["ifindex"] == json.loads(request)["ifindex"]]
        assert len(mine) == 1, found
        return {name.replace("-", "_"): value for name, value in mine[0].items()}
    return get


def delta(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in before}


def test_link_statistics_count_what_passed(lan):
    """Packets, and bytes with the Ethernet header but without the check sequence."""
    for source, target in ((PEER, PF_HOST), (PF_HOST, PEER)):
        way = "rx" if target == PF_HOST else "tx"
        before = counters.link(lan.guest)
        assert frames(lan.guest, source, target, [SIZE] * COUNT).perfect
        seen = delta(before, counters.link(lan.guest))
        assert COUNT <= seen[f"{way}_packets"] < COUNT + NOISE
        assert COUNT * SIZE <= seen[f"{way}_bytes"] < COUNT * SIZE + NOISE * 200
        assert not any(value for name, value in seen.items() if "error" in name), seen


def test_multicast_is_counted(lan):
    group = "01:00:5e:7f:00:01"
    lan.guest.run(f"ip maddr add {group} dev dut")
    before = counters.link(lan.guest)
    assert frames(lan.guest, PEER, PF_HOST, [SIZE] * COUNT, destination=group).perfect
    lan.guest.run("sleep 3")        # a driver may read the device's counters once in two seconds
    seen = delta(before, counters.link(lan.guest))
    assert COUNT <= seen["rx_multicast"] < COUNT + NOISE


@pytest.mark.driver("igb_rs")   # C igb forgets what a queue had counted when its number changes
def test_statistics_survive_reconfiguration(lan):
    """Down and up, other rings, other queues, another MTU: no counter loses what it had."""
    guest = lan.guest
    tcp_stream(guest, PF_HOST, PEER, seconds=1)
    assert frames(guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
    for step in ("ip link set dut down", "ip link set dut up", "ethtool -G dut rx 512 tx 512",
                 "ethtool -L dut combined 1", "ethtool -L dut combined 4",
                 "ip link set dut mtu 2000", "ethtool -L dut combined 2"):
        before = counters.link(guest)
        guest.run(step)
        after = counters.link(guest)
        lost = {name: (before[name], after[name]) for name in before if after[name] < before[name]}
        assert not lost, (step, lost)
    lan.wait_carrier(PF_HOST)


def test_ethtool_counts_the_same_frames(lan):
    """The device's own counters, as far as ethtool names them like this."""
    before = dict(counters.ethtool(lan.guest))
    assert frames(lan.guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
    after = dict(counters.ethtool(lan.guest))
    grown = {name: after[name] - before[name] for name in before if after[name] != before[name]}
    assert any(COUNT <= value < COUNT + NOISE for value in grown.values()), grown


@pytest.mark.driver("igb_rs")   # C igb has no queue statistics
def test_queue_statistics_agree_with_the_link(lan, qstats):
    before, before_link = qstats(), counters.link(lan.guest)
    assert frames(lan.guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
    assert frames(lan.guest, PF_HOST, PEER, [SIZE] * COUNT).perfect
    seen, link = delta(before, qstats()), delta(before_link, counters.link(lan.guest))
    for name in ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes"):
        unit = 200 if "bytes" in name else 1
        assert abs(seen[name] - link[name]) <= NOISE * unit, (name, seen, link)
    assert seen["rx_packets"] >= COUNT and seen["tx_packets"] >= COUNT


@pytest.mark.driver("igb_rs")   # C igb has no queue statistics
def test_queue_statistics_survive_reconfiguration(lan, qstats):
    assert frames(lan.guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
    for step in ("ip link set dut down", "ip link set dut up", "ethtool -L dut combined 1",
                 "ethtool -G dut rx 512"):
        before = qstats()
        lan.guest.run(step)
        after = qstats()
        assert all(after[name] >= before[name] for name in before), (step, before, after)


@pytest.mark.driver("igb_rs")   # C igb shows VF statistics that are always zero
def test_vf_statistics_are_shown(lan, vfs):
    def shown():
        entry, = json.loads(lan.guest.run("ip -j -s link show dut").out)
        return [vf["stats"] for vf in entry["vfinfo_list"]]

    before = shown()
    assert frames(lan.guest, vfs[0], PEER, [SIZE] * COUNT).perfect
    assert frames(lan.guest, PEER, vfs[0], [SIZE] * COUNT).perfect
    first, second = ({way: after[way] for way in ("rx", "tx")} for after in shown())
    assert first["rx"]["packets"] - before[0]["rx"]["packets"] >= COUNT
    assert first["tx"]["tx_packets"] - before[0]["tx"]["tx_packets"] >= COUNT
    assert first["rx"]["bytes"] - before[0]["rx"]["bytes"] >= COUNT * SIZE
    assert second["tx"]["tx_packets"] - before[1]["tx"]["tx_packets"] < NOISE
