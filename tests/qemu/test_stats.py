# SPDX-License-Identifier: GPL-2.0
"""Counters: right, the same everywhere, and never backwards."""

import itertools
import json
import re

import pytest
from support import counters
from support.life import DEVICE, rebind_vf
from support.mailbox import raw_vfs
from support.registers import ICS, ICS_LSC, Registers
from support.upstream import Upstream

from harness.topology import PEER, PF_HOST
from harness.traffic import frames, mac_of, tcp_stream

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
    lan.guest.run("sleep 3")  # a driver may read the device's counters once in two seconds
    seen = delta(before, counters.link(lan.guest))
    assert COUNT <= seen["rx_multicast"] < COUNT + NOISE


@pytest.mark.driver("igb_rs")  # C igb has the device's multicast packets, with those of its VFs
def test_unicast_is_what_is_not_multicast(lan, vfs):
    """A group that a VF has joined: the port has no more multicast packets than packets, so that programs can
    take one from the other, as snmpd does for unicast packets."""
    group, guest = "01:00:5e:7f:00:01", lan.guest
    for member in (vfs, [PF_HOST]):
        for host in member:
            guest.run(f"ip maddr add {group} dev {host.name}", netns=host.netns)
        before = counters.link(guest)
        assert frames(guest, PEER, member[0], [SIZE] * COUNT, destination=group).perfect
        assert frames(guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
        counters.ethtool(guest)  # has the driver read the device's counters
        after = counters.link(guest)
        assert after["rx_packets"] >= after["rx_multicast"]
        seen = delta(before, after)
        assert COUNT <= seen["rx_packets"] - seen["rx_multicast"] < COUNT + NOISE, seen
    assert seen["rx_multicast"] >= COUNT


@pytest.mark.driver("igb_rs")  # C igb forgets what a queue had counted when its number changes
def test_statistics_survive_reconfiguration(lan):
    """Down and up, other rings, other queues, another MTU: no counter loses what it had."""
    guest = lan.guest
    tcp_stream(guest, PF_HOST, PEER)
    assert frames(guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
    for step in (
        "ip link set dut down",
        "ip link set dut up",
        "ethtool -G dut rx 512 tx 512",
        "ethtool -L dut combined 1",
        "ethtool -L dut combined 4",
        "ip link set dut mtu 2000",
        "ethtool -L dut combined 2",
    ):
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


@pytest.mark.driver("igb_rs")  # C igb has no queue statistics
def test_queue_statistics_agree_with_the_link(lan, qstats):
    before, before_link = qstats(), counters.link(lan.guest)
    assert frames(lan.guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
    assert frames(lan.guest, PF_HOST, PEER, [SIZE] * COUNT).perfect
    seen, link = delta(before, qstats()), delta(before_link, counters.link(lan.guest))
    for name in ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes"):
        unit = 200 if "bytes" in name else 1
        assert abs(seen[name] - link[name]) <= NOISE * unit, (name, seen, link)
    assert seen["rx_packets"] >= COUNT and seen["tx_packets"] >= COUNT


@pytest.mark.driver("igb_rs")  # C igb has no queue statistics
def test_queue_statistics_survive_reconfiguration(lan, qstats):
    assert frames(lan.guest, PEER, PF_HOST, [SIZE] * COUNT).perfect
    for step in (
        "ip link set dut down",
        "ip link set dut up",
        "ethtool -L dut combined 1",
        "ethtool -G dut rx 512",
    ):
        before = qstats()
        lan.guest.run(step)
        after = qstats()
        assert all(after[name] >= before[name] for name in before), (step, before, after)


def of_vf(guest, index: int) -> dict[str, int]:
    """What `ip -s link show` counts for a VF."""
    (entry,) = json.loads(guest.run("ip -j -s link show dut").out)
    stats = entry["vfinfo_list"][index]["stats"]
    return {
        "rx_packets": stats["rx"]["packets"],
        "rx_bytes": stats["rx"]["bytes"],
        "tx_packets": stats["tx"]["tx_packets"],
        "tx_bytes": stats["tx"]["tx_bytes"],
    }


def assert_passed(lan, host, index: int):
    """Frames both ways between a VF and the peer are counted, each once."""
    before = of_vf(lan.guest, index)
    assert frames(lan.guest, host, PEER, [SIZE] * COUNT).perfect
    assert frames(lan.guest, PEER, host, [SIZE] * COUNT).perfect
    seen = delta(before, of_vf(lan.guest, index))
    for way in ("rx", "tx"):
        assert COUNT <= seen[f"{way}_packets"] < COUNT + NOISE, seen
        # With the check sequence.
        assert 0 <= seen[f"{way}_bytes"] - COUNT * (SIZE + 4) < NOISE * 200, seen


def assert_vf_agrees(guest, index: int):
    """`ethtool -S` of the PF shows what `ip -s link` does."""
    for _ in range(20):
        before, read, after = (
            of_vf(guest, index),
            dict(counters.ethtool(guest)),
            of_vf(guest, index),
        )
        if before == after:
            break
    else:
        pytest.fail("the VF is never quiet")
    assert {name: read[f"vf{index}_{name}"] for name in before} == before


@pytest.mark.driver("igb_rs")  # C igb shows VF statistics that are always zero
def test_vf_statistics_are_shown(lan, vfs):
    other = of_vf(lan.guest, 1)
    assert_passed(lan, vfs[0], 0)
    assert_vf_agrees(lan.guest, 0)
    assert delta(other, of_vf(lan.guest, 1))["tx_packets"] < NOISE
    # Those of the next VFs begin at zero.
    lan.vfs_down()
    raw_vfs(lan, 2)
    assert of_vf(lan.guest, 0)["tx_packets"] < NOISE


# The model takes DRSTA for a timer's cause, which has a vector of its own: LSC brings it along.
ICS_DRSTA = ICS_LSC | 1 << 30


def as_the_controller_asks(guest):
    """A reset by the work item that a transmit hang schedules as well."""
    before = dict(counters.ethtool(guest))["resets"]
    Registers(guest).write(ICS, ICS_DRSTA)
    guest.wait_until(f"ethtool -S dut | grep -q '^ *resets: {before + 1}$'", 30)


# What happens, in which namespace, and whether the VF's driver has to be bound anew.
RESETS = {
    "VF down and up": ("ip link set vf0 down; ip link set vf0 up", "vf0", False),
    "VF FLR": (f"echo 1 >{DEVICE}/virtfn0/reset", None, True),
    "PF down and up": ("ip link set dut down; ip link set dut up", None, False),
    "PF FLR": (f"echo 1 >{DEVICE}/reset", None, False),
    "PF by its work item": (as_the_controller_asks, None, False),
}


@pytest.mark.driver("igb_rs")  # C igb shows VF statistics that are always zero
@pytest.mark.guest(smp=3)  # drivers of VFs that start over keep two busy
def test_vf_statistics_survive_resets(lan, vfs):
    """What a VF has counted is never lost, and goes on from there."""
    guest, (first, _) = lan.guest, vfs
    for event, (command, netns, rebind) in RESETS.items():
        assert_passed(lan, first, 0)
        before = of_vf(guest, 0)
        # At the reset nobody has looked at these yet.
        assert frames(guest, first, PEER, [SIZE] * COUNT).perfect
        if callable(command):
            command(guest)
        else:
            guest.run(command, netns=netns)
        after = of_vf(guest, 0)
        lan.wait_carrier(PF_HOST)
        if rebind:
            rebind_vf(lan, 0)
        guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 60, netns=first.netns)
        later = of_vf(guest, 0)
        before["tx_packets"] += COUNT
        before["tx_bytes"] += COUNT * (SIZE + 4)
        for name, value in before.items():
            assert value <= after[name] <= later[name], (event, name, before, after, later)
            # Nothing is counted twice: all that passes meanwhile is a VF that comes up.
            limit = 10 * NOISE * (1 if "packets" in name else 200)
            assert later[name] - value < limit, (event, name, before, later)
    assert_passed(lan, first, 0)


# Steps that change how many queues and VFs there are; `-L` more than once in each, being quick.
CHANGES = [
    "ethtool -L dut combined 1",
    "echo 2 >/sys/class/net/dut/device/sriov_numvfs",
    "ethtool -L dut combined 2",
    "ethtool -L dut combined 1",
    "echo 0 >/sys/class/net/dut/device/sriov_numvfs",
    "ethtool -L dut combined 2",
]


@pytest.mark.driver("igb_rs")  # C igb: "cannot get stats information", now and then
def test_ethtool_never_fails_to_read_counters(lan):
    """Readers beside 54 changes of what there is to count: the same names each time, and values."""
    guest = lan.guest
    names = [name for name, _ in counters.ethtool(guest)]
    assert any(name.startswith("vf6_") for name in names)
    autoprobe = "/sys/class/net/dut/device/sriov_drivers_autoprobe"
    read = "ethtool -S dut 2>&1 || echo failed; echo read"
    loop = f"while [ ! -e /tmp/changed ]; do {read}; done | cut -d: -f1 | sort | uniq -c"
    guest.run(f"rm -f /tmp/changed; echo 0 >{autoprobe}")
    try:
        readers = [guest.start(loop, 120) for _ in range(2)]
        for _ in range(9):
            guest.run(" && ".join(CHANGES))
        guest.run("touch /tmp/changed")
        found = [reader.wait().out for reader in readers]
    finally:
        guest.run(f"touch /tmp/changed; echo 1 >{autoprobe}")
    for text in found:
        seen = {line.split(None, 1)[1]: int(line.split()[0]) for line in text.splitlines()}
        reads = seen.pop("read")
        assert reads >= 20
        seen.pop("NIC statistics")
        assert seen == dict.fromkeys(names, reads), {
            name: count for name, count in seen.items() if count != reads
        }


# The kernel's packet generator sends exactly as many frames as it is told to.
PKTGEN = """
modprobe pktgen
echo rem_device_all >/proc/net/pktgen/kpktgend_0
echo "add_device {name}" >/proc/net/pktgen/kpktgend_0
for word in "count {count}" "pkt_size {size}" "delay 0" "dst 192.0.2.99" "dst_mac {mac}"; do
    echo "$word" >/proc/net/pktgen/{name}
done
echo start >/proc/net/pktgen/pgctrl
cat /proc/net/pktgen/{name}
rmmod pktgen
"""


def flood(guest, source, target, count: int):
    script = PKTGEN.format(name=source.name, count=count, size=SIZE, mac=mac_of(guest, target))
    assert "Result: OK" in guest.run(script, netns=source.netns, timeout=600).out


def agreed(guest, qstats) -> dict[str, int]:
    """What rtnetlink, the queue statistics and ethtool say alike, to the packet."""
    names = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")
    for _ in range(20):
        before, queues = counters.link(guest), qstats()
        listed, after = counters.ethtool(guest), counters.link(guest)
        if all(before[name] == after[name] for name in names):
            break
    else:
        pytest.fail("the interface is never quiet")
    for name in names:
        of_queue = re.compile(name.replace("_", r"_queue_\d_"))
        total = sum(value for key, value in listed if of_queue.fullmatch(key))
        assert after[name] == queues[name] == total, (name, after, queues, listed)
    return {name: after[name] for name in names}


def frames_between_changes(lan, qstats, count: int, changes: int, also=lambda step: None):
    """Frames both ways after each change of the number of queues and VFs: none is lost, and none counted
    twice. `also` looks as well whenever all is looked at."""
    guest = lan.guest
    guest.run(f"echo 0 >{DEVICE}/sriov_drivers_autoprobe")
    share = count // changes // 2
    before, sent = agreed(guest, qstats), 0
    for number, step in enumerate(itertools.islice(itertools.cycle(CHANGES), changes)):
        guest.run(step)
        lan.wait_carrier(PF_HOST)
        flood(guest, PF_HOST, PEER, share)
        flood(guest, PEER, PF_HOST, share)
        sent += share
        if number % 2 == 0:
            continue
        after = agreed(guest, qstats)
        also(step)
        seen = delta(before, after)
        assert sent <= seen["tx_packets"] < sent + 4 * NOISE, (step, seen)
        assert sent * SIZE <= seen["tx_bytes"] < sent * SIZE + 4 * NOISE * 200, (step, seen)
        # The device model drops what finds no descriptor, and does not count it.
        assert sent / 2 <= seen["rx_packets"] < sent + 4 * NOISE, (step, seen)
        before, sent = after, 0


@pytest.mark.driver("igb_rs")  # C igb has no queue statistics, and forgets those of old queues
def test_all_readers_agree(lan, qstats):
    frames_between_changes(lan, qstats, 3000, len(CHANGES))


EXPORTER = "127.0.0.1:9100"
COLLECTORS = ("netdev", "netclass", "ethtool")
# Names of `ip -s link`, and of node_exporter's collector `netdev`.
EXPORTED = {
    "rx_packets": "receive_packets_total",
    "rx_bytes": "receive_bytes_total",
    "tx_packets": "transmit_packets_total",
    "tx_bytes": "transmit_bytes_total",
    "rx_errors": "receive_errs_total",
    "tx_errors": "transmit_errs_total",
}


@pytest.fixture
def exporter(guest):
    """Callable: what node_exporter tells of `dut`. It runs beside the test."""
    options = " ".join(f"--collector.{name}" for name in COLLECTORS)
    guest.start(
        f"exec prometheus-node-exporter --web.listen-address={EXPORTER} --collector.disable-defaults"
        f" {options} >/tmp/exporter.log 2>&1",
        timeout=None,
    )
    guest.wait_listening(int(EXPORTER.split(":")[1]))

    def scrape() -> dict[str, int]:
        text = guest.run(f"busybox wget -q -O - http://{EXPORTER}/metrics").out
        for name in COLLECTORS:
            assert f'node_scrape_collector_success{{collector="{name}"}} 1' in text, text
        found = re.findall(r'^node_(\w+){device="dut"} (\S+)$', text, re.MULTILINE)
        return {name: int(float(value)) for name, value in found}

    return scrape


def exported_name(name: str) -> str:
    """What node_exporter makes of a name of `ethtool -S`."""
    name = re.sub(r"(^|_)rx(_|$)", r"\1received\2", name)
    return "ethtool_" + re.sub(r"(^|_)tx(_|$)", r"\1transmitted\2", name)


def assert_exporter_agrees(guest, scrape) -> dict[str, int]:
    """Each counter of `ip -s link` and of `ethtool -S` is shown, with its value, while nothing passes."""
    for _ in range(20):
        before, listed = counters.link(guest), dict(counters.ethtool(guest))
        shown = scrape()
        if before == counters.link(guest) and listed == dict(counters.ethtool(guest)):
            break
    else:
        pytest.fail("the interface is never quiet")
    assert {name: shown[f"network_{other}"] for name, other in EXPORTED.items()} == {
        name: before[name] for name in EXPORTED
    }
    # A few that most drivers have get the ending of the others.
    plain = {name.removesuffix("_total"): value for name, value in shown.items()}
    assert {name: plain.get(exported_name(name)) for name in listed} == listed
    lost = re.search(r"Link Down Events: (\d+)", guest.run("ethtool -I dut").out)
    assert shown["network_carrier_down_changes_total"] >= int(lost[1])
    return shown


@pytest.mark.driver("igb_rs")  # C igb: counters of queues that are gone are missing
@pytest.mark.guest(image="vm")
@pytest.mark.long
@pytest.mark.timeout(5400)
def test_all_readers_agree_over_a_million_frames(lan, qstats, exporter):
    """And 50 changes: `ip -s link`, the queue statistics, `ethtool -S` and node_exporter."""
    guest = lan.guest
    begin = counters.link(guest)
    names = set(assert_exporter_agrees(guest, exporter))

    def exporter_agrees(step: str):
        assert set(assert_exporter_agrees(guest, exporter)) == names, step

    frames_between_changes(lan, qstats, 1_000_000, 50, exporter_agrees)
    seen = delta(begin, counters.link(guest))
    print(f"{seen['tx_packets']} frames sent, {seen['rx_packets']} received")


@pytest.mark.driver("igb_rs")  # C igb: counters of queues that are gone are missing
@pytest.mark.guest(image="vm")
@pytest.mark.long
@pytest.mark.timeout(900)
def test_node_exporter_agrees(lan, exporter):
    """What monitoring is told of PF and VFs, between changes of their number: the same metrics each time."""
    guest = lan.guest
    guest.run(f"echo 0 >{DEVICE}/sriov_drivers_autoprobe")
    names = set(assert_exporter_agrees(guest, exporter))
    for step in CHANGES:
        guest.run(step)
        lan.wait_carrier(PF_HOST)
        flood(guest, PF_HOST, PEER, COUNT)
        flood(guest, PEER, PF_HOST, COUNT)
        assert set(assert_exporter_agrees(guest, exporter)) == names, step
    guest.run(f"echo 1 >{DEVICE}/sriov_drivers_autoprobe")
    (vf,) = lan.vfs_up(1)
    before = exporter()
    assert_passed(lan, vf, 0)
    after = assert_exporter_agrees(guest, exporter)
    for way in ("received", "transmitted"):
        name = f"ethtool_vf0_{way}_packets"
        assert COUNT <= after[name] - before[name] < COUNT + NOISE
