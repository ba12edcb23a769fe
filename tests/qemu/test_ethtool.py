# SPDX-License-Identifier: GPL-2.0
"""What ethtool shows and changes."""

import json
import re

import pytest
from support import counters

from harness.topology import PEER, PF_HOST, PF_PCI
from harness.traffic import ping, tcp_stream

RETA_ENTRIES = 128


def show(guest, option: str) -> dict:
    """`ethtool OPTION dut` as JSON."""
    (entry,) = json.loads(guest.run(f"ethtool --json {option} dut").out)
    return entry


def channels(guest) -> int:
    """Current number of combined channels (this option has no JSON)."""
    current = guest.run("ethtool -l dut").out.split("Current")[1]
    return int(re.search(r"Combined:\s+(\d+)", current)[1])


def refused(guest, arguments: str) -> bool:
    return guest.run(f"ethtool {arguments}", check=False).rc != 0


def works(lan) -> bool:
    lan.wait_carrier(PF_HOST)
    return ping(lan.guest, PF_HOST, PEER.ipv4, count=3).complete


def test_driver_information(lan):
    shown = dict(
        line.split(": ", 1)
        for line in lan.guest.run("ethtool -i dut").out.splitlines()
        if ": " in line
    )
    assert shown["driver"] == lan.guest.config.driver
    assert shown["bus-info"] == PF_PCI
    assert shown["supports-statistics"] == "yes"


def test_rings(lan):
    guest = lan.guest
    limits = show(guest, "-g")
    assert (limits["rx-max"], limits["tx-max"]) == (4096, 4096)
    for rx, tx in ((4096, 4096), (64, 64), (1024, 512)):
        guest.run(f"ethtool -G dut rx {rx} tx {tx}")
        assert (show(guest, "-g")["rx"], show(guest, "-g")["tx"]) == (rx, tx)
        assert works(lan)
    assert tcp_stream(guest, PF_HOST, PEER).bytes > 1 << 20
    for bad in ("rx 4104", "tx 8192", "rx-mini 64", "rx-jumbo 64"):
        assert refused(guest, f"-G dut {bad}"), bad
    assert (show(guest, "-g")["rx"], show(guest, "-g")["tx"]) == (1024, 512)
    assert works(lan)


def test_rings_while_down(lan):
    lan.guest.run("ip link set dut down && ethtool -G dut rx 128 tx 512 && ip link set dut up")
    assert (show(lan.guest, "-g")["rx"], show(lan.guest, "-g")["tx"]) == (128, 512)
    assert works(lan)


@pytest.mark.driver("igb_rs")  # C igb makes 64 of it without a word
def test_rings_too_small_are_refused(lan):
    for bad in ("rx 0", "tx 0", "rx 8"):
        assert refused(lan.guest, f"-G dut {bad}"), bad
    assert works(lan)


def test_channels(lan):
    guest = lan.guest
    for count in (1, 3, 8, 2):
        guest.run(f"ethtool -L dut combined {count}")
        assert channels(guest) == count
        assert works(lan)
    for bad in ("combined 0", "combined 9", "rx 1", "tx 1"):
        assert refused(guest, f"-L dut {bad}"), bad
    assert channels(guest) == 2 and works(lan)


def test_channels_with_vfs(lan):
    """A PF that shares the device has less; asking for more is refused and changes nothing."""
    lan.set_numvfs(2)
    lan.wait_carrier(PF_HOST)
    before = channels(lan.guest)
    assert before <= 2
    assert refused(lan.guest, "-L dut combined 8")
    assert channels(lan.guest) == before and works(lan)
    lan.guest.run("ethtool -L dut combined 1")
    assert works(lan)


def test_coalescing(lan):
    guest = lan.guest
    intervals = [0, 4, 10, 100, 8191, 50]
    if guest.config.driver == "igb":
        # It has none from 4 to 9.
        intervals.remove(4)
        assert refused(guest, "-C dut rx-usecs 4")
    for usecs in intervals:
        guest.run(f"ethtool -C dut rx-usecs {usecs}")
        assert show(guest, "-c")["rx-usecs"] == usecs
        assert works(lan)
    for bad in ("rx-usecs 10001", "rx-frames 4", "stats-block-usecs 1"):
        assert refused(guest, f"-C dut {bad}"), bad
    assert show(guest, "-c")["rx-usecs"] == 50
    guest.run("ip link set dut down && ip link set dut up")
    assert show(guest, "-c")["rx-usecs"] == 50 and works(lan)


def test_statistics_names_and_values(lan):
    """Every name once, and no value runs backwards."""
    before = counters.ethtool(lan.guest)
    names = [name for name, _ in before]
    assert len(names) == len(set(names)) and len(names) > 10
    tcp_stream(lan.guest, PF_HOST, PEER)
    after = counters.ethtool(lan.guest)
    assert [name for name, _ in after] == names
    backwards = [name for (name, old), (_, new) in zip(before, after) if new < old]
    assert not backwards
    assert sum(value for _, value in after) > sum(value for _, value in before)


def test_indirection_table(lan):
    guest = lan.guest
    table = show(guest, "-x")["rss-indirection-table"]
    assert len(table) == RETA_ENTRIES and set(table) == {0, 1}
    guest.run("ethtool -X dut equal 1")
    assert set(show(guest, "-x")["rss-indirection-table"]) == {0}
    assert works(lan)
    guest.run("ethtool -X dut weight 1 3")
    table = show(guest, "-x")["rss-indirection-table"]
    assert (table.count(0), table.count(1)) == (RETA_ENTRIES // 4, RETA_ENTRIES * 3 // 4)
    guest.run("ip link set dut down && ip link set dut up")
    assert show(guest, "-x")["rss-indirection-table"] == table
    assert works(lan)
    guest.run("ethtool -X dut default")
    table = show(guest, "-x")["rss-indirection-table"]
    assert table.count(0) == table.count(1) == RETA_ENTRIES // 2
    assert refused(guest, "-X dut equal 3"), "there are two queues"
    if guest.config.driver == "igb":
        # What it begins with is another order than its default.
        guest.run("ethtool -X dut weight 1 1")


def test_hash_key(lan):
    key = bytes(range(40)).hex(":")
    lan.guest.run(f"ethtool -X dut hkey {key}")
    lan.guest.run("ip link set dut down && ip link set dut up")
    assert key in lan.guest.run("ethtool -x dut").out
    assert works(lan)


def test_features(lan):
    """Whatever can be changed, can be changed off and on, with the interface working."""
    guest = lan.guest
    shown = show(guest, "-k")
    free = [
        name
        for name, state in shown.items()
        if isinstance(state, dict) and state["fixed"] is False and state["active"]
    ]
    for name in (
        "rx-checksumming",
        "scatter-gather",
        "tcp-segmentation-offload",
        "generic-receive-offload",
        "rx-vlan-offload",
        "tx-vlan-offload",
        "receive-hashing",
    ):
        assert shown[name]["active"], name
    single = [name for name in free if shown[name]["requested"] is not None]
    assert len(single) > 8
    # A driver may tie the two VLAN offloads together, as the device does.
    vlan = [name for name in single if "vlan-offload" in name]
    for names in [[name] for name in single if name not in vlan] + [vlan]:
        guest.run("ethtool -K dut " + " ".join(f"{name} off" for name in names))
        assert not any(show(guest, "-k")[name]["active"] for name in names), names
        guest.run("ethtool -K dut " + " ".join(f"{name} on" for name in names))
    assert show(guest, "-k") == shown
    assert works(lan)


def test_pause(lan):
    shown = show(lan.guest, "-a")
    assert shown["autonegotiate"] is True
    assert isinstance(shown["rx"], bool) and isinstance(shown["tx"], bool)


def test_register_dump(lan):
    """STATUS is in the dump, with the link up and full duplex."""
    raw = lan.guest.run("ethtool -d dut raw on | base64 -w0").text
    assert len(raw) > 1000
    text = lan.guest.run("ethtool -d dut").out
    assert re.search(r"STATUS|^Offset", text, re.MULTILINE), text[:300]


def test_restart_of_negotiation(lan):
    changes = "/sys/class/net/dut/carrier_changes"
    before = int(lan.guest.read(changes))
    lan.guest.run("ethtool -r dut")
    lan.guest.wait_until(f"[ $(cat {changes}) -ge {before + 2} ]", 10)
    assert works(lan)


def test_not_supported_is_said_so(lan):
    for option in ("--show-eee dut", "-m dut", "-n dut rx-flow-hash tcp4 context 1"):
        result = lan.guest.run(f"ethtool {option}", check=False)
        assert result.rc != 0, option
    assert works(lan)


def test_message_level_and_timestamping_queries(lan):
    """Queries that must never fail."""
    assert (
        "SOF_TIMESTAMPING" in lan.guest.run("ethtool -T dut").out
        or "software-" in lan.guest.run("ethtool -T dut").out
    )
    assert lan.guest.run("ethtool dut").out.count("\n") > 10
