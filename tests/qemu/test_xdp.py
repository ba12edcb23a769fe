# SPDX-License-Identifier: GPL-2.0
"""Programs that decide on received frames before the stack does (XDP)."""

import errno
import re

import pytest
from support import clocks, counters
from support.bonds import bring_up
from support.wire import tag, tcp_content, tcp_contents
from support.xdp import OBJECT, Hints, Programs

from harness.tally import uncounted
from harness.topology import PEER, PF_HOST, Host
from harness.traffic import frames, mac_of, ping, send_frames

# Around the shortest frame, the largest that is copied to be sent, and the largest of all.
SIZES = [*range(60, 80), *range(250, 264), 512, 1024, *range(1500, 1515)]
MAX_MTU = 3050
HEADER = 14
VID = 5
JUMBO = 9216
# Bytes of a buffer with an MTU that takes several.
BUFFER = 3072
JUMBO_SIZES = [
    60,
    1514,
    *(count * BUFFER + more for count in (1, 2, 3) for more in (-1, 0, 1, 5)),
    BUFFER + 100,
    9000,
    *range(JUMBO, JUMBO + HEADER + 1),
]
SECOND_PORT = "0000:02:00.0"
# Kinds of frames of xdp_hints.bpf.c, and what a hash is of (XDP_RSS_L3_IPV4, L4, L4_TCP).
TEST, TCP, PTP = range(3)
IPV4_TCP = 1 << 0 | 1 << 3 | 1 << 4
ROUNDS = 20
NEAR = Host("near", None, 40)
FAR = Host("far", "far", 41)


@pytest.fixture
def programs(lan):
    return Programs(lan.guest)


def bounced(guest, sizes=SIZES, target: Host = PEER):
    """Frames from the peer to the PF, and which of them came back."""
    return frames(guest, PEER, target, sizes, destination=mac_of(guest, PF_HOST))


def see(guest, count: int, counter: str):
    """Sends frames to the PF: they are counted as that, and nothing else is counted."""
    before = counters.programs(guest)
    send_frames(guest, PEER, mac_of(guest, PF_HOST), [100] * count)
    with uncounted():
        for _ in range(50):
            if counters.programs_since(guest, before).get(counter, 0) >= count:
                break
            guest.run("sleep 0.1")
    assert counters.programs_since(guest, before) == {counter: count}


@pytest.fixture
def veth(lan):
    """A pair of devices that take and run programs: `near` beside the PF, `far` elsewhere."""
    lan.guest.run(
        f"ip netns add {FAR.netns} && modprobe veth && ip link add {NEAR.name} up "
        f"type veth peer name {FAR.name} netns {FAR.netns} && "
        f"ip -n {FAR.netns} link set {FAR.name} up"
    )
    yield
    lan.guest.run(f"ip link del {NEAR.name}; ip netns del {FAR.netns}", check=False)


def test_pass(lan, programs):
    """Nothing changes for the stack."""
    programs.attach("pass")
    for source, target in ((PEER, PF_HOST), (PF_HOST, PEER)):
        assert frames(lan.guest, source, target, SIZES).perfect
    tcp_contents(lan.guest, (PEER, PF_HOST, "ipv4"), (PF_HOST, PEER, "ipv4"))


@pytest.mark.driver("igb_rs")
def test_drop(lan, programs):
    """No frame arrives, each is counted, and others are not affected."""
    guest = lan.guest
    for program, counter in (
        ("drop", "rx_xdp_drop"),
        ("abort", "rx_xdp_failed"),
        ("unknown", "rx_xdp_failed"),
    ):
        programs.attach(program)
        before, received = counters.programs(guest), counters.link(guest)["rx_packets"]
        delivery = frames(guest, PEER, PF_HOST, SIZES)
        assert len(delivery.missing) == delivery.sent, (program, delivery)
        assert counters.programs_since(guest, before) == {counter: len(SIZES)}, program
        assert counters.link(guest)["rx_packets"] - received >= len(SIZES)
        assert ping(guest, PEER, PF_HOST.ipv4).complete


@pytest.mark.driver("igb_rs")
def test_tx(lan, programs):
    """Each frame comes back to its sender, unchanged."""
    guest = lan.guest
    programs.attach("bounce")
    before, sent = counters.programs(guest), counters.link(guest)["tx_packets"]
    delivery = bounced(guest)
    assert delivery.perfect, delivery
    assert counters.programs_since(guest, before) == {"rx_xdp_tx": len(SIZES), "tx_xdp": len(SIZES)}
    guest.wait_until(
        f"[ $(cat /sys/class/net/dut/statistics/tx_packets) -ge {sent + len(SIZES)} ]", 10
    )
    tcp_content(guest, PF_HOST, PEER)


def overfill(lan, sizes: list[int]):
    """Bounces more frames than a ring of 64 descriptors holds: some may be lost, none changed, and the stack
    goes on."""
    lan.guest.run("ethtool -G dut tx 64")
    lan.wait_carrier(PF_HOST)
    delivery = bounced(lan.guest, sizes)
    assert delivery.intact > 64 and not delivery.damaged and not delivery.repeated, delivery
    tcp_content(lan.guest, PF_HOST, PEER)


def test_tx_of_more_than_a_ring_holds(lan, programs):
    programs.attach("bounce")
    overfill(lan, [1500] * 3000)


def test_short_frames_are_padded_with_zeroes(lan, programs):
    programs.attach("bounce_short")
    delivery = bounced(lan.guest, [40] * 50)
    assert delivery.perfect, delivery


def test_head_grows(lan, programs):
    """A tag is pushed in front: for the stack, and for a frame that is sent back."""
    guest = lan.guest
    tagged_pf, tagged_peer = tag(guest, PF_HOST, VID), tag(guest, PEER, VID)
    sizes = [size for size in SIZES if size <= 1500]
    programs.attach("pass_tagged")
    delivery = frames(guest, PEER, tagged_pf, sizes)
    assert delivery.perfect, delivery
    programs.attach("bounce_tagged")
    delivery = bounced(guest, sizes, tagged_peer)
    assert delivery.perfect, delivery


def test_metadata_reaches_the_stack(lan, programs):
    guest = lan.guest
    guest.run(
        f"tc qdisc add dev dut clsact && tc filter add dev dut ingress "
        f"bpf direct-action obj {OBJECT} sec tc/keep_marked"
    )
    assert frames(guest, PEER, PF_HOST, [100] * 20).missing == [*range(20)]
    programs.attach("mark")
    delivery = frames(guest, PEER, PF_HOST, SIZES)
    assert delivery.perfect, delivery


@pytest.mark.driver("igb_rs")
def test_redirect_from_and_to(lan, programs, veth):
    """To another device and from there, unchanged; without a program of its own for the latter."""
    guest = lan.guest
    programs.attach("pass", FAR)
    programs.redirect(PF_HOST, NEAR)
    before = counters.programs(guest)
    delivery = frames(guest, PEER, FAR, SIZES, destination=mac_of(guest, PF_HOST))
    assert delivery.perfect, delivery
    assert counters.programs_since(guest, before) == {"rx_xdp_redirect": len(SIZES)}

    programs.detach()
    programs.redirect(NEAR, PF_HOST)
    before = counters.programs(guest)
    delivery = frames(guest, FAR, PEER, SIZES)
    assert delivery.perfect, delivery
    assert counters.programs_since(guest, before) == {"tx_xdp": len(SIZES)}

    # There is nobody to take them; then there is again.
    guest.run("ip link set dut down")
    assert frames(guest, FAR, PEER, [100] * 10).intact == 0
    guest.run("ip link set dut up")
    lan.wait_carrier(PF_HOST)
    assert frames(guest, FAR, PEER, SIZES).perfect


@pytest.mark.driver("igb_rs")
def test_redirect_to_nowhere_is_a_failure(lan, programs):
    """The table names no device."""
    programs.attach("redirect")
    see(lan.guest, 20, "rx_xdp_failed")


@pytest.mark.driver("igb_rs")
def test_mtu_and_programs(lan, programs):
    """A frame has to fit into one buffer: neither is changed to what the other cannot stand."""
    guest = lan.guest
    guest.run(f"ip link set dut mtu {MAX_MTU + 1}")
    refusal = programs.try_attach("pass")
    assert refusal.rc and f"at most {MAX_MTU}" in refusal.out, refusal
    assert programs.attached() is None

    guest.run(f"ip link set dut mtu {MAX_MTU}")
    programs.attach("pass")
    refusal = guest.run(f"ip link set dut mtu {MAX_MTU + 1} 2>&1", check=False)
    assert refusal.rc and "greater than device maximum" in refusal.out, refusal
    guest.run(f"ip link set peer mtu {MAX_MTU}", netns=PEER.netns)
    lan.wait_carrier(PF_HOST)
    sizes = [60, 1514, *range(2030, 2070), *range(MAX_MTU, MAX_MTU + HEADER + 1)]
    assert frames(guest, PEER, PF_HOST, sizes).perfect
    programs.attach("bounce")
    assert bounced(guest, sizes).perfect

    programs.detach()
    guest.run("ip link set dut mtu 9216")


@pytest.fixture
def jumbo(lan):
    """Frames take several buffers."""
    lan.guest.run(f"ip link set dut mtu {JUMBO}")
    lan.guest.run(f"ip link set peer mtu {JUMBO}", netns=PEER.netns)
    lan.wait_carrier(PF_HOST)


@pytest.mark.watched
@pytest.mark.driver("igb_rs")
def test_frags_by_each_verdict(lan, programs, jumbo):
    """Frames of several buffers: unchanged, also where a program has their last buffer shrink and
    grow, and their first grow."""
    guest, count = lan.guest, len(JUMBO_SIZES)
    for program in ("pass_frags", "pass_breathed_frags"):
        programs.attach(program)
        delivery = frames(guest, PEER, PF_HOST, JUMBO_SIZES)
        assert delivery.perfect, (program, delivery)
    tcp_content(guest, PEER, PF_HOST)

    for program in ("bounce_frags", "bounce_breathed_frags"):
        programs.attach(program)
        before = counters.programs(guest)
        delivery = bounced(guest, JUMBO_SIZES)
        assert delivery.perfect, (program, delivery)
        assert counters.programs_since(guest, before) == {"rx_xdp_tx": count, "tx_xdp": count}

    programs.attach("drop_frags")
    before = counters.programs(guest)
    delivery = frames(guest, PEER, PF_HOST, JUMBO_SIZES)
    assert len(delivery.missing) == delivery.sent, delivery
    assert counters.programs_since(guest, before) == {"rx_xdp_drop": count}
    assert ping(guest, PEER, PF_HOST.ipv4).complete


@pytest.mark.driver("igb_rs")
def test_head_of_frags_grows(lan, programs, jumbo):
    guest = lan.guest
    tagged_peer = tag(guest, PEER, VID)
    programs.attach("bounce_tagged_frags")
    delivery = bounced(guest, JUMBO_SIZES, tagged_peer)
    assert delivery.perfect, delivery


@pytest.mark.driver("igb_rs")
def test_frags_of_more_than_a_ring_holds(lan, programs, jumbo):
    programs.attach("bounce_frags")
    overfill(lan, [9000] * 500)


@pytest.mark.driver("igb_rs")
def test_frags_redirected_from_and_to(lan, programs, jumbo, veth):
    """To another device and from there, whose buffers are others."""
    guest = lan.guest
    for host in (NEAR, FAR):
        guest.run(f"ip link set {host.name} mtu {JUMBO}", netns=host.netns)
    programs.attach("pass_frags", FAR)
    programs.redirect(PF_HOST, NEAR, "redirect_frags")
    before = counters.programs(guest)
    delivery = frames(guest, PEER, FAR, JUMBO_SIZES, destination=mac_of(guest, PF_HOST))
    assert delivery.perfect, delivery
    assert counters.programs_since(guest, before) == {"rx_xdp_redirect": len(JUMBO_SIZES)}

    programs.detach()
    programs.redirect(NEAR, PF_HOST, "redirect_frags")
    before = counters.programs(guest)
    delivery = frames(guest, FAR, PEER, JUMBO_SIZES)
    assert delivery.perfect, delivery
    assert counters.programs_since(guest, before) == {"tx_xdp": len(JUMBO_SIZES)}


@pytest.mark.driver("igb_rs")
@pytest.mark.guest(duts=2)
def test_frags_between_two_ports(lan, programs, jumbo):
    """What one port receives leaves by the other, back to who has sent it: all are on one wire."""
    guest = lan.guest
    second = Host(bring_up(guest, SECOND_PORT), None, 0)
    guest.run(f"ip link set {second.name} mtu {JUMBO}")
    guest.wait_carrier(second.name)
    programs.redirect(PF_HOST, second, "turn_frags")
    before = counters.programs(guest)
    delivery = bounced(guest, JUMBO_SIZES)
    found = counters.programs_since(guest, before), counters.programs(guest, second.name)
    assert delivery.perfect, (delivery, found)
    assert found[0] == {"rx_xdp_redirect": len(JUMBO_SIZES)}
    assert found[1]["tx_xdp"] == len(JUMBO_SIZES)


@pytest.mark.driver("igb_rs")
def test_a_program_without_frags_takes_one_buffer(lan, programs):
    """Neither such a program nor an MTU it cannot stand is taken, nor one of them for one that can."""
    guest = lan.guest
    guest.run(f"ip link set dut mtu {JUMBO}")
    programs.attach("pass_frags")
    first = programs.attached()
    refusal = programs.try_attach("pass", options="-force")
    assert refusal.rc and f"at most {MAX_MTU}" in refusal.out, refusal
    assert programs.attached() == first

    guest.run(f"ip link set dut mtu {MAX_MTU}")
    programs.attach("pass")
    assert guest.run(f"ip link set dut mtu {JUMBO}", check=False).rc
    programs.attach("pass_frags")
    guest.run(f"ip link set dut mtu {JUMBO}")


@pytest.fixture
def hints(lan):
    if not lan.guest.succeeds("test -e /sys/kernel/btf/vmlinux"):
        pytest.skip("metadata kfuncs need a kernel with CONFIG_DEBUG_INFO_BTF")
    found = Hints(lan.guest)
    yield found
    found.end()


@pytest.mark.driver("igb_rs")
def test_hints_say_what_the_stack_is_told(lan, hints):
    """Hash, tag, and stamp: where the controller has them."""
    guest = lan.guest
    assert frames(guest, PEER, PF_HOST, [100]).perfect
    seen = hints.seen(TEST)
    assert {seen[f"{hint}_error"] for hint in ("hash", "vlan", "stamp")} == {-errno.ENODATA}, seen

    assert frames(guest, tag(guest, PEER, VID), tag(guest, PF_HOST, VID), [100]).perfect
    seen = hints.seen(TEST)
    assert (seen["vlan_error"], seen["protocol"], seen["tci"]) == (0, 0x8100, VID), seen

    tcp_content(guest, PEER, PF_HOST)
    seen = hints.seen(TCP)
    assert (seen["hash_error"], seen["hashed"]) == (0, IPV4_TCP) and seen["hash"], seen
    guest.run("ethtool -K dut rxhash off")
    lan.wait_carrier(PF_HOST)
    tcp_content(guest, PEER, PF_HOST)
    assert hints.seen(TCP)["hash_error"] == -errno.ENODATA

    guest.run("ip maddress add 01:1b:19:00:00:00 dev dut")
    assert clocks.config(guest, "dut", clocks.TX_OFF, clocks.V2_EVENT)
    for kind in (clocks.SYNC, clocks.DELAY_REQ):
        # The model stamps one of them, and the poll the other.
        sent = clocks.message(kind, 1)
        received = dict(guest.ask("clock", "receive", "dut", "peer", "peer", value=[sent]))
        seen = hints.seen(PTP)
        assert seen["stamp_error"] == 0 and seen["stamp"] == received[sent], (kind, seen, received)
    clocks.config(guest, "dut", clocks.TX_OFF, clocks.NONE)


@pytest.mark.driver("igb_rs")
def test_replacing_keeps_the_queues(lan, programs):
    """Not a frame is lost when a program comes, is replaced, or goes; VFs notice nothing."""
    guest = lan.guest
    (vf,) = lan.vfs_up(1)
    idle, before = programs.loaded(), dict(counters.ethtool(guest))
    guest.run("rm -f /tmp/stop")
    pings = [
        guest.start(
            f"ping -q -i 0.01 {host.ipv4} & until [ -e /tmp/stop ]; do sleep 0.1; "
            "done; kill -INT $!; wait $!",
            180,
            netns=netns,
        )
        for host, netns in ((PF_HOST, PEER.netns), (PEER, vf.netns))
    ]
    programs.churn(ROUNDS)
    guest.run("touch /tmp/stop")
    for job in pings:
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", job.wait().out)
        sent, received = map(int, counts.groups())
        # The last one may still be on its way.
        assert sent > ROUNDS and sent - received <= 1, counts[0]
    assert dict(counters.ethtool(guest))["resets"] == before["resets"]
    programs.wait_loaded(idle)


@pytest.mark.driver("igb_rs")
def test_a_program_stays_when_queues_change(lan, programs):
    """Down and up, other rings, other channels, a reset."""
    guest = lan.guest
    guest.run("ip link set dut down")
    programs.attach("drop")
    total = counters.programs(guest)["rx_xdp_drop"]
    for change in (
        "ip link set dut up",
        "ethtool -G dut rx 1024",
        "ethtool -L dut combined 1",
        "ethtool -L dut combined 2",
        "echo 1 >/sys/bus/pci/devices/0000:01:00.0/reset",
    ):
        guest.run(change)
        lan.wait_carrier(PF_HOST)
        guest.wait_until(f"ping -c 1 -W 1 -q {PF_HOST.ipv4}", 20, netns=PEER.netns)
        total = total + 20
        see(guest, 20, "rx_xdp_drop")
        # None is forgotten with the queue it was counted for, if that is in use.
        assert "combined 1" in change or counters.programs(guest)["rx_xdp_drop"] == total, change


def test_unloading_with_a_program(lan, programs):
    guest = lan.guest
    idle = programs.loaded()
    programs.attach("bounce")
    assert programs.loaded() == idle + 1
    guest.unload()
    programs.wait_loaded(idle)
