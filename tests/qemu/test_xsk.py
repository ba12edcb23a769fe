# SPDX-License-Identifier: GPL-2.0
"""AF_XDP sockets whose buffers the controller reads and writes itself (zero copy)."""

import json
import signal

import pytest
from support import counters
from support.xdp import Programs
from support.xsk import socket

from harness.topology import PEER, PF_HOST
from harness.traffic import frames, mac_of, ping, plan, send_frames

pytestmark = pytest.mark.driver("igb_rs")

SIZES = [*range(60, 68), *range(250, 264), 512, 1024, *range(1500, 1515)]
# What a frame has besides payload in a buffer, as the kernel counts it; and what is in front.
OVERHEAD, HEADROOM = 26, 256


@pytest.fixture
def table(lan):
    """The map of the program that passes the tests' frames to the socket of their queue."""
    programs = Programs(lan.guest)
    programs.attach("socket")
    return programs.table()


def bounced(guest, sizes=SIZES):
    """Frames from the peer to the PF, and which of them the socket sent back."""
    return frames(guest, PEER, PEER, sizes, destination=mac_of(guest, PF_HOST))


def is_bouncing(guest):
    delivery = bounced(guest)
    assert delivery.perfect, delivery


@pytest.mark.parametrize(
    ("mode", "wakeup", "chunk"),
    [
        pytest.param("zero_copy", True, 4096, marks=pytest.mark.watched),
        ("zero_copy", False, 2048),
        ("copy", True, 4096),
    ],
)
def test_forward(lan, table, mode, wakeup, chunk):
    """Each frame comes back to its sender, unchanged; the stack's go on."""
    guest = lan.guest
    with socket(guest, "bounce", table, mode=mode, wakeup=wakeup, chunk=chunk) as bound:
        before = counters.programs(guest)
        is_bouncing(guest)
        assert ping(guest, PEER, PF_HOST.ipv4).complete
        seen = counters.programs_since(guest, before)
        count = bound.stop()
    number = len(SIZES)
    assert count["zero_copy"] == (mode == "zero_copy")
    assert count["received"] == count["sent"] == count["completed"] == number, count
    assert seen == {"rx_xdp_redirect": number} | ({"tx_xsk": number} if count["zero_copy"] else {})


def wait_counted(guest, name: str, least: int):
    """Until the PF's queues have counted that much, together."""
    total = f"awk '/ rx_queue_[0-9]+_{name}:/ {{ n += $2 }} END {{ exit n < {least} }}'"
    guest.wait_until(f"ethtool -S dut | {total}", 20)


def test_receive(lan, table):
    """More frames than there are buffers: all arrive, as they are given back meanwhile."""
    guest = lan.guest
    with socket(guest, "drop", table, chunks=512) as bound:
        before = counters.programs(guest)["rx_xdp_redirect"]
        for sent in range(200, 1601, 200):
            send_frames(guest, PEER, mac_of(guest, PF_HOST), [100] * 200)
            # Twice as many find a buffer, should the socket be late.
            wait_counted(guest, "xdp_redirect", before + sent)
        count = bound.stop()
    assert count["received"] == 1600, count


def test_send_without_a_program(lan):
    """Also frames that are shorter than Ethernet allows; and the stack receives and sends."""
    guest = lan.guest
    sizes = [14, 15, 30, 59, 60, 61, 1000, 1513, 1514] * 50
    before = counters.link(guest)["tx_packets"]
    known = counters.programs(guest)
    with socket(guest, "send", sizes=sizes, destination=mac_of(guest, PEER), chunks=64) as bound:
        assert ping(guest, PEER, PF_HOST.ipv4).complete
        count = bound.stop()
    assert count["sent"] == count["completed"] == len(sizes) and count["zero_copy"], count
    assert counters.programs_since(guest, known) == {"tx_xsk": len(sizes)}
    assert counters.link(guest)["tx_packets"] - before >= len(sizes)


def test_socket_that_does_not_read(lan, table):
    """Its buffers run out, which is its own affair. The stack has the queue back afterwards."""
    guest = lan.guest
    with socket(guest, "keep", table, chunks=64) as bound:
        send_frames(guest, PEER, mac_of(guest, PF_HOST), [100] * 600)
        count = bound.stop()
    assert count["received"] == 64, count
    assert ping(guest, PEER, PF_HOST.ipv4).complete
    assert frames(guest, PF_HOST, PEER, SIZES).perfect


ECHOES = 400


def echoes(target) -> dict:
    """What tests/guest/echo.py is to send: not more than there is room for, however slow the guest."""
    return {
        "address": target.ipv4,
        "count": ECHOES,
        "size": 100,
        "interval": 0.01,
        "patience": 10,
        "whole": False,
    }


@pytest.mark.parametrize("vfs", [1], indirect=True)
def test_attach_and_detach_under_traffic(lan, vfs, table):
    """Of the second queue, while the first and a VF lose nothing. With VFs all frames for the PF come
    to its first queue."""
    guest = lan.guest
    (vf,) = vfs
    jobs = [
        guest.start_ask("echo", value=echoes(target), timeout=120, netns=PEER.netns)
        for target in (PF_HOST, vf)
    ]
    rounds = 0
    while rounds < 3 or not all(job.has_ended() for job in jobs):
        with socket(guest, "keep", table, queue=1, chunks=64) as bound:
            assert bound.stop()["zero_copy"]
        rounds += 1
    for job in jobs:
        answers = json.loads(job.wait().out)
        assert answers["received"] == answers["sent"] == ECHOES, (rounds, answers)


@pytest.mark.parametrize("vfs", [1], indirect=True)
def test_forward_with_vfs(lan, vfs, table):
    """Frames to a group that the socket sends do not come back to the PF, and VFs have them."""
    guest = lan.guest
    with socket(guest, "bounce", table) as bound:
        is_bouncing(guest)
        assert ping(guest, vfs[0], PF_HOST.ipv4).complete
        assert bound.stop()["received"] == len(SIZES)
    broadcast = "ff:ff:ff:ff:ff:ff"
    own = dict(counters.ethtool(guest))["rx_queue_0_own_copies"]
    with socket(guest, "send", table, sizes=[100] * 20, destination=broadcast) as bound:
        # All have come back.
        wait_counted(guest, "own_copies", own + 20)
        count = bound.stop()
    assert count["completed"] == 20 and count["received"] == 0, count


def test_dead_owner(lan, table):
    """It is killed under traffic: the device goes down and comes up as without it."""
    guest = lan.guest
    with socket(guest, "bounce", table) as bound:
        wanted = plan(PEER, PEER, [100] * 3000, destination=mac_of(guest, PF_HOST))
        traffic = guest.start_ask("frames", "send", value=wanted)
        bound.end(signal.SIGKILL)
        guest.run("ip link set dut down", timeout=10)
    guest.run("ip link set dut up")
    lan.wait_carrier(PF_HOST)
    traffic.wait()
    assert ping(guest, PEER, PF_HOST.ipv4).complete


@pytest.mark.parametrize(
    "change",
    [
        "ip link set dut down; ip link set dut up",
        "ip link set dut mtu 1400; ip link set dut mtu 1500",
        "ethtool -G dut rx 512 tx 1024",
        "ethtool -L dut combined 1",
        "echo 1 >/sys/bus/pci/devices/0000:01:00.0/reset",
        "ip link set dut xdpdrv off",
    ],
)
def test_settings_while_attached(lan, table, change):
    """The socket goes on afterwards."""
    guest = lan.guest
    with socket(guest, "bounce", table) as bound:
        is_bouncing(guest)
        guest.run(change)
        lan.wait_carrier(PF_HOST)
        assert ping(guest, PEER, PF_HOST.ipv4).complete
        if "xdpdrv off" in change:
            assert bounced(guest, [100] * 5).intact == 0
            return
        is_bouncing(guest)
        count = bound.stop()
    assert count["received"] == count["completed"] == 2 * len(SIZES), count


def test_program_comes_and_goes(lan):
    """A socket that is bound first, and a program that is attached, replaced, and detached."""
    guest = lan.guest
    programs = Programs(guest)
    programs.attach("socket")
    table = programs.table()
    with socket(guest, "bounce", table) as bound:
        is_bouncing(guest)
        programs.attach("bounce")
        is_bouncing(guest)
        programs.attach("pass")
        assert frames(guest, PEER, PF_HOST, SIZES).perfect
        programs.detach()
        assert frames(guest, PEER, PF_HOST, SIZES).perfect
        programs.attach("drop")
        assert frames(guest, PEER, PF_HOST, [100] * 5).intact == 0
        programs.detach()
        assert bound.stop()["received"] == len(SIZES)
    # The kernel takes the pool back in a work item of its own; the queue is closed for a moment.
    assert any(ping(guest, PEER, PF_HOST.ipv4).complete for _ in range(3))


def test_limits(lan, table):
    """What does not fit into a buffer is refused, and so is a queue that does not exist."""
    guest = lan.guest
    largest = 2048 - HEADROOM - OVERHEAD
    with socket(guest, "bounce", table, chunk=2048):
        guest.run(f"ip link set dut mtu {largest}")
        refusal = guest.run(f"ip link set dut mtu {largest + 1}", check=False)
        assert refusal.rc and "maximum" in refusal.err, refusal
        is_bouncing(guest)
        # A queue whose socket has buffers of its own cannot go.
        with socket(guest, "keep", queue=1, chunk=2048, chunks=64):
            assert not guest.succeeds("ethtool -L dut combined 1")
        # Frames of any length would be written beyond the buffers.
        shown = guest.run("ethtool -K dut rx-all on; ethtool -k dut").out
        assert "rx-all: off [requested on]" in shown
    guest.run("ethtool -K dut rx-all off", check=False)
    guest.run(f"ip link set dut mtu {largest + 1} && ip link set dut mtu 1500")


@pytest.mark.fresh
def test_unloading_with_a_socket(lan, table):
    """It stays, bound to nothing."""
    guest = lan.guest
    with socket(guest, "bounce", table) as bound:
        is_bouncing(guest)
        guest.unload()
        bound.end(signal.SIGKILL)
