# SPDX-License-Identifier: GPL-2.0
"""Frames and streams between the PF and the peer arrive complete and unchanged."""

import re

import pytest
from support import counters
from support.clocks import INSTRUCTIONS
from support.wire import arrive, captured, tag, tcp_content, tcp_contents

from harness.topology import PEER, PF_HOST
from harness.traffic import frames, mac_of, ping, tcp_stream

BOTH_WAYS = ((PF_HOST, PEER), (PEER, PF_HOST))
HEADER = 14
MAX_MTU = 9216
# Settings of `ethtool -K` under which everything must still arrive.
OFFLOADS = [
    "tso off",
    "tso off gso off",
    "tx off",
    "rx off",
    "sg off",
    "gro off",
    "rxhash off",
    "rxvlan off txvlan off",
]


def socket_plan(source, target, ipv6: bool = False, **more) -> dict:
    """What tests/guest/sockets.py is to do."""
    return {
        "source": source.netns,
        "target": target.netns,
        "address": target.ipv6 if ipv6 else target.ipv4,
        **more,
    }


def datagrams(lan, sizes: range, expected: list[int], ipv6: bool = False) -> list[int]:
    """Lengths of what the peer gets when the stack is given the bytes of two datagrams in one."""
    guest = lan.guest
    before = counters.link(guest)["tx_dropped"]
    plan = socket_plan(
        PF_HOST, PEER, ipv6, sizes=list(sizes), expected=len(expected), patience=guest.limit(3)
    )
    assert ping(guest, PF_HOST, plan["address"], count=1).complete
    seen = guest.ask("sockets", "segmented", value=plan)
    assert counters.link(guest)["tx_dropped"] == before
    return seen


@pytest.mark.driver(
    "igb_rs"
)  # C igb has QEMU segment: it makes one datagram of it, in IP fragments
@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_datagrams_are_segmented(lan, ipv6):
    for sizes in (range(2, 64), range(1300, 1310)):
        halves = [length for size in sizes for length in ((size + 1) // 2, size // 2)]
        assert datagrams(lan, sizes, halves, ipv6) == halves


@pytest.mark.driver("igb_rs")
def test_few_bytes_to_be_segmented_are_sent(lan):
    """All of them together are shorter than the shortest frame. What QEMU makes of them is one
    datagram, in fragments of at least eight bytes."""
    sizes = list(range(15, 60 - 14 - 20 - 8))
    lan.guest.run("ethtool -K dut tx-udp-segmentation on")
    try:
        assert datagrams(lan, sizes, sizes) == sizes
    finally:
        lan.guest.run("ethtool -K dut tx-udp-segmentation off")


def test_every_standard_size(lan):
    """60 to 1514 bytes, each once, in order, byte for byte."""
    for source, target in BOTH_WAYS:
        delivery = frames(lan.guest, source, target, range(60, 1515))
        assert delivery.perfect, (source.name, delivery)


def test_frames_shorter_than_ethernet_allows(lan):
    """The sender pads them."""
    delivery = frames(lan.guest, PF_HOST, PEER, range(HEADER + 4, 60))
    assert delivery.perfect, delivery


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_checksum_of_padded_frames(lan, ipv6):
    """Padding is no part of what a checksum covers: the receiver computes it once more."""
    guest = lan.guest
    sizes = list(range(1, 40))
    with captured(guest, PEER, len(sizes), "udp dst port 9", "-vv") as capture:
        guest.ask("sockets", "short", value=socket_plan(PF_HOST, PEER, ipv6, sizes=sizes))
        seen = capture.ended()
    assert seen.count("udp sum ok") == len(sizes), seen


def test_sctp(lan):
    """Its CRC is another sum than the Internet checksum, and short chunks are padded."""
    guest = lan.guest
    guest.run("modprobe sctp")
    errors = "awk '/SctpChecksumErrors/ { print $2 }' /proc/net/sctp/snmp"
    for source, target in BOTH_WAYS:
        plan = socket_plan(source, target, patience=guest.limit(20))
        assert guest.ask("sockets", "sctp", value=plan) == "ping"
        for host in (source, target):
            assert guest.run(errors, netns=host.netns).text == "0", host.name


def test_jumbo_frames(lan):
    """Up to the largest MTU, around every boundary of a buffer size."""
    guest = lan.guest
    limit = int(guest.run("ip -d -j link show peer | jq .[0].max_mtu", netns=PEER.netns).text)
    mtu = min(MAX_MTU, limit or MAX_MTU)
    guest.run(f"ip link set dut mtu {mtu}")
    guest.run(f"ip link set peer mtu {mtu}", netns=PEER.netns)
    lan.wait_carrier(PF_HOST)
    largest = mtu + HEADER
    edges = [
        edge + offset
        for edge in (1514, 1536, 2048, 3072, 4096, 6144, 8192)
        for offset in range(-6, 7)
    ]
    sizes = [*range(60, largest, 331), *edges, *range(largest - 8, largest + 1)]
    for source, target in BOTH_WAYS:
        delivery = frames(guest, source, target, sizes)
        assert delivery.perfect, (source.name, delivery)
    tcp_contents(guest, *((source, target, "ipv4") for source, target in BOTH_WAYS))


def test_largest_frame_between_pf_and_vf(lan, vfs):
    """An MTU of 9216: frames of 9234 bytes with their check sequence."""
    guest = lan.guest
    guest.run(f"ip link set dut mtu {MAX_MTU}")
    guest.run(f"ip link set vf0 mtu {MAX_MTU}", netns=vfs[0].netns)
    lan.wait_carrier(PF_HOST)
    guest.wait_until(f"ping -c 1 -W 1 -q {PF_HOST.ipv4}", 20, netns=vfs[0].netns)
    sizes = [60, 1514, 1515, 2048, 4096, *range(MAX_MTU - 4, MAX_MTU + HEADER + 1)]
    for source, target in ((PF_HOST, vfs[0]), (vfs[0], PF_HOST)):
        delivery = frames(guest, source, target, sizes)
        assert delivery.perfect, (source.name, delivery)


def test_mtu_limits(lan):
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=2, size=1472, whole=True).complete
    for mtu in (67, 9217):
        assert lan.guest.run(f"ip link set dut mtu {mtu}", check=False).rc != 0
    lan.guest.run("ip link set dut mtu 68")
    lan.guest.run("ip link set dut mtu 1500")
    lan.wait_carrier(PF_HOST)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=2, size=1472, whole=True).complete


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_tcp_content(lan, ipv6):
    version = "ipv6" if ipv6 else "ipv4"
    tcp_contents(lan.guest, *((source, target, version) for source, target in BOTH_WAYS))


def test_ping_sizes(lan):
    """Fragmented and not, IPv4 and IPv6."""
    for size in (0, 1, 1472, 1473, 8000, 65507):
        assert ping(lan.guest, PF_HOST, PEER.ipv4, count=2, size=size).complete, size
    for size in (0, 1452, 1453, 60000):
        assert ping(lan.guest, PF_HOST, PEER.ipv6, count=2, size=size).complete, size


def test_without_offloads(lan):
    """Each offload switched off by itself, then all together."""
    for setting in (*OFFLOADS, " ".join(OFFLOADS)):
        lan.guest.run(f"ethtool -K dut {setting}")
        lan.wait_carrier(PF_HOST)
        tcp_contents(
            lan.guest,
            *(
                (source, target, version)
                for source, target in BOTH_WAYS
                for version in ("ipv4", "ipv6")
            ),
            megabytes=1,
        )
        lan.guest.run(f"ethtool -K dut {setting.replace('off', 'on')}")


def test_segmentation_offload_is_used(lan):
    """The driver is handed packets of many segments, and only with TSO."""
    for setting, seen in (("tso off gso off", 0), ("tso on gso on", 1)):
        lan.guest.run(f"ethtool -K dut {setting}")
        lan.wait_carrier(PF_HOST)
        with captured(lan.guest, PF_HOST, 1, "tcp dst port 5201 and greater 3000") as capture:
            tcp_stream(lan.guest, PF_HOST, PEER)
            assert capture.stopped() == seen, setting


def segmented(guest) -> int:
    """Packets the device was given to segment. C igb does not count them."""
    return sum(value for name, value in counters.ethtool(guest) if name.endswith("_gso"))


# Seconds from close() to the end of file at the peer. TCP waits longer than that before it sends anything again.
ENDS = 0.05


@pytest.mark.driver("igb_rs")  # C igb: each waits for the retransmission
@pytest.mark.guest(smp=1, **INSTRUCTIONS)
@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_a_stream_ends_when_it_is_closed(lan, ipv6):
    """What the device model segments has FIN no more, so that the peer sees the end when FIN is sent
    again. The last packet of each connection is one that it would segment."""
    guest = lan.guest
    connections = 200 if guest.slowness == 1 else 20
    plan = socket_plan(
        PF_HOST, PEER, ipv6, connections=connections, size=40_000, patience=guest.limit(20)
    )
    assert ping(guest, PF_HOST, plan["address"], count=1).complete
    before = segmented(guest)
    seen = guest.ask("sockets", "closed", value=plan, timeout=200)
    if guest.config.driver == "igb_rs":
        assert segmented(guest) - before >= connections, "nothing was left to the device"
    times = sorted(seen["times"])
    shown = [f"{1000 * times[connections * part // 100 - 1]:.2f}" for part in (50, 99, 100)]
    print(f"{seen['retransmitted']} segments sent again; {'/'.join(shown)} ms until the end")
    assert seen["retransmitted"] == 0 and times[-1] < ENDS


@pytest.mark.parametrize("setting", ["rxvlan on txvlan on", "rxvlan off txvlan off"])
def test_vlan(lan, setting):
    """Tagged by the device, or by the network stack."""
    lan.guest.run("modprobe 8021q")
    lan.guest.run(f"ethtool -K dut {setting}")
    ours, theirs = tag(lan.guest, PF_HOST, 100), tag(lan.guest, PEER, 100)
    lan.wait_carrier(PF_HOST)
    assert ping(lan.guest, ours, theirs.ipv4, count=3).complete
    for source, target in ((ours, theirs), (theirs, ours)):
        delivery = frames(lan.guest, source, target, range(60, 1515, 13))
        assert delivery.perfect, (source.name, delivery)
        tcp_content(lan.guest, source, target)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=2).complete, "untagged"
    lan.guest.run(f"ip link del {ours.name}")


@pytest.mark.parametrize("numvfs", [0, 1])
def test_vlan_filter(lan, numvfs):
    """Only VLANs that were asked for; they survive an interface that goes down and up."""
    guest = lan.guest
    guest.run("modprobe 8021q")
    lan.set_numvfs(numvfs)
    mac = mac_of(guest, PF_HOST)
    theirs = {vid: tag(guest, PEER, vid) for vid in (100, 200)}
    ours = tag(guest, PF_HOST, 100)
    guest.run("ip link set dut down; ip link set dut up")
    lan.wait_carrier(PF_HOST)
    assert arrive(guest, theirs[100], PF_HOST, mac)
    # With VFs the device model hands what no VF wants to the PF, whatever its VLAN.
    if not numvfs:
        assert not arrive(guest, theirs[200], PF_HOST, mac)
    guest.run(f"ip link del {ours.name}")
    if not numvfs:
        assert not arrive(guest, theirs[100], PF_HOST, mac)


def test_both_queues_work(lan):
    """Many connections are spread over the vectors of both queues."""
    before = counters.interrupts(lan.guest)
    tcp_stream(lan.guest, PEER, PF_HOST, 32, options="-P 16")
    tcp_stream(lan.guest, PF_HOST, PEER, 32, options="-P 16")
    after = counters.interrupts(lan.guest)
    busy = [name for name in after if after[name] - before[name] > 20]
    assert len(busy) >= 2, (before, after)


@pytest.mark.parametrize("channels", [1, 8])
def test_number_of_queues(lan, channels):
    lan.guest.run(f"ethtool -L dut combined {channels}")
    lan.wait_carrier(PF_HOST)
    assert tcp_stream(lan.guest, PF_HOST, PEER, 32, options="-P 16").bytes > 1 << 20
    assert tcp_stream(lan.guest, PEER, PF_HOST, 32, options="-P 16").bytes > 1 << 20
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete


PKTGEN = """
modprobe pktgen
echo rem_device_all >/proc/net/pktgen/kpktgend_0
echo "add_device dut" >/proc/net/pktgen/kpktgend_0
for word in "count {count}" "burst {burst}" "clone_skb 1" "pkt_size 200" "delay 0" \\
            "dst 192.0.2.2" "dst_mac {mac}"; do
    echo "$word" >/proc/net/pktgen/dut
done
echo start >/proc/net/pktgen/pgctrl
cat /proc/net/pktgen/dut
rmmod pktgen
"""
# TDT of the sixteen queues: 0xe018 + 0x40 n.
TAIL = re.compile(r"e1000e_core_write Write to register 0xe[0-3][159d]8,")


@pytest.mark.allow_trace("e1000e_core_write")
def test_one_doorbell_per_batch(lan):
    """A burst of the packet generator moves the tail of the ring once, not once per packet."""
    count, burst = 2000, 20
    guest = lan.guest
    script = PKTGEN.format(count=count, burst=burst, mac=mac_of(guest, PEER))
    received = counters.link(guest, PEER)["rx_packets"]
    start = guest.machine.trace_log.stat().st_size
    guest.qmp("trace-event-set-state", name="e1000e_core_write", enable=True)
    try:
        result = guest.run(script)
    finally:
        guest.qmp("trace-event-set-state", name="e1000e_core_write", enable=False)
    assert "Result: OK" in result.out, result
    with open(guest.machine.trace_log, encoding="utf-8", errors="replace") as log:
        log.seek(start)
        doorbells = sum(bool(TAIL.search(line)) for line in log)
    assert counters.link(guest, PEER)["rx_packets"] - received >= count * 0.9
    # More than one a batch where the ring was full in the middle of it.
    assert count / burst <= doorbells < count / 4, doorbells
