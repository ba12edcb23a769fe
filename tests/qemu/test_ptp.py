# SPDX-License-Identifier: GPL-2.0
"""The PTP hardware clock, and frames that are stamped with its time."""

import errno
import re

import pytest
from support import ONE_CPU, counters
from support.clocks import (
    ALL,
    ANNOUNCE,
    DELAY_REQ,
    FOLLOW_UP,
    NONE,
    PDELAY_REQ,
    PDELAY_RESP,
    PEER_TO_PEER,
    SYNC,
    TX_OFF,
    TX_ON,
    V1_DELAY_REQ,
    V1_SYNC,
    V2_EVENT,
    Clock,
    config,
    message,
    over_udp,
)

from harness.topology import PF, PF_PCI

MS = 10**6
SECOND = 10**9
YEAR = 366 * 86400 * SECOND

pytestmark = [ONE_CPU, pytest.mark.driver("igb_rs")]


@pytest.fixture
def clock(lan):
    clock = Clock(lan.guest, PF)
    assert clock.number is not None
    yield clock
    assert clock.rate(0) == 0
    assert config(lan.guest, PF, TX_OFF, NONE) == (TX_OFF, NONE)


def stats(guest) -> dict[str, int]:
    return dict(counters.ethtool(guest))


def listen(lan):
    """The PF receives the messages of PTP, as a program that has joined its groups would have it."""
    lan.guest.run(
        f"ip maddress add 01:1b:19:00:00:00 dev {PF}; ip maddress add 01:80:c2:00:00:0e dev {PF};"
        f"ip maddress add 01:00:5e:00:01:81 dev {PF}"
    )


def test_it_is_named_and_shows_the_time_of_the_system(lan, clock):
    directory = f"/sys/class/ptp/ptp{clock.number}"
    address = lan.guest.read(f"/sys/class/net/{PF}/address").strip()
    assert lan.guest.read(f"{directory}/clock_name").strip() == address
    assert lan.guest.read(f"{directory}/max_adjustment").strip() == "999999999"
    for before, _, after in clock.samples(25):
        assert before <= after
    assert abs(clock.offset()) < 600 * SECOND


def test_it_is_set_and_moved(clock):
    for ns in (0, 5 * SECOND, 30 * YEAR, 1_700_000_000 * SECOND + 123_456_789):
        assert clock.set(ns) == 0
        assert 0 <= clock.time() - ns < SECOND
    for delta in (1, -1, 999_999_999, -SECOND, 100 * YEAR, -100 * YEAR):
        before = clock.offset()
        assert clock.shift(delta) == 0
        assert abs(clock.offset() - before - delta) < MS
    # What the kernel could not express is refused, and changes nothing.
    before = clock.offset()
    assert clock.shift((1 << 63) - 1) == errno.EINVAL
    assert clock.rate(1_000_000_001) == errno.ERANGE
    assert abs(clock.offset() - before) < MS


def test_its_rate_is_changed_without_a_jump(lan, clock):
    """A clock whose register is changed for this jumps by minutes in this model."""
    for ppb in (500_000_000, -500_000_000, 999_999_999, 100, 0):
        before, begin, _ = clock.samples(1)[0]
        assert clock.rate(ppb) == 0
        early, start, _ = clock.samples(1)[0]
        # At the old or at the new rate.
        assert 0 <= start - begin <= 2 * (early - before) + MS
        lan.guest.run("sleep 0.05")
        late, end, _ = clock.samples(1)[0]
        passed = late - early
        assert abs((end - start) - passed * (1 + ppb / SECOND)) < passed / 20 + MS


def resets(lan):
    """Everything that takes the controller out of service, or its queues."""
    device = f"/sys/bus/pci/devices/{PF_PCI}"
    yield "sysfs", lambda: lan.guest.run(f"echo 1 >{device}/reset")
    yield "link", lambda: lan.guest.run(f"ip link set {PF} down; sleep 0.1; ip link set {PF} up")
    yield "mtu", lambda: lan.guest.run(f"ip link set {PF} mtu 9000; ip link set {PF} mtu 1500")
    yield "offline", lambda: lan.guest.run(f"ethtool -t {PF} offline", check=False)
    yield "vfs", lambda: (lan.vfs_up(1), lan.vfs_down())
    yield "suspend", lambda: lan.guest.suspend(test="devices")


def test_it_goes_on_over_resets(lan, clock):
    """As does what is stamped."""
    assert config(lan.guest, PF, TX_ON, V2_EVENT) == (TX_ON, V2_EVENT)
    assert clock.set(1_000 * SECOND) == 0
    for name, act in resets(lan):
        before = clock.offset()
        act()
        moved = clock.offset() - before
        assert abs(moved) < 2 * MS, f"{name}: {moved} ns"
        assert config(lan.guest, PF) == (TX_ON, V2_EVENT), name
    lan.settle()
    (sent,) = lan.guest.ask("clock", "send", PF, value=[message(SYNC, 1)])
    assert 0 <= clock.time() - sent["stamp"] < SECOND


def test_what_can_be_stamped_is_told(lan, clock):
    text = lan.guest.run(f"ethtool -T {PF}").out
    for word in ("hardware-transmit", "hardware-receive", "hardware-raw-clock", "ptpv2-event"):
        assert word in text
    assert re.search(rf"PTP Hardware Clock: {clock.number}\b|index: {clock.number}\b", text)


def test_configurations(lan, clock):
    guest = lan.guest
    for tx in (TX_OFF, TX_ON):
        for rx in (NONE, V1_SYNC, V1_DELAY_REQ, V2_EVENT):
            assert config(guest, PF, tx, rx) == (tx, rx)
            assert config(guest, PF) == (tx, rx)
    # Parts of version 2 are stamped with all of it.
    for rx in (6, 7, 8, 9, 10, 11, 13, 14):
        assert config(guest, PF, TX_ON, rx) == (TX_ON, V2_EVENT)
    # What the controller cannot do changes nothing.
    for tx, rx in ((2, NONE), (3, NONE), (TX_ON, ALL), (TX_ON, 3), (TX_ON, 15)):
        assert config(guest, PF, tx, rx) == errno.ERANGE
        assert config(guest, PF) == (TX_ON, V2_EVENT)


@pytest.mark.watched
def test_sent_frames_are_stamped(lan, clock):
    guest = lan.guest
    frames = [message(kind, n) for n, kind in enumerate([SYNC, DELAY_REQ, ANNOUNCE] * 4)]
    before = stats(guest)
    assert config(guest, PF, TX_ON, NONE) == (TX_ON, NONE)
    begin = clock.time()
    sent = guest.ask("clock", "send", PF, value=frames)
    end = clock.time()
    stamps = [one["stamp"] for one in sent]
    assert None not in stamps
    assert [begin, *stamps, end] == sorted([begin, *stamps, end])
    # The stack tells of the device's stamp alone.
    assert {one["software"] for one in sent} == {None}
    after = stats(guest)
    for name in ("tx_hwtstamp_timeouts", "tx_hwtstamp_skipped", "rx_hwtstamp_cleared"):
        assert after[name] == before[name]
    text = guest.run(f"ethtool -I -T {PF}").out
    assert re.search(r"tx_pkts: *\d\d", text), text


@pytest.mark.watched
def test_one_frame_is_stamped_at_a_time(lan, clock):
    """The others get the time of the stack, and are counted."""
    guest = lan.guest
    assert config(guest, PF, TX_ON, NONE) == (TX_ON, NONE)
    before = stats(guest)
    found = guest.ask("clock", "burst", PF, value=[message(SYNC, n) for n in range(40)])
    skipped = stats(guest)["tx_hwtstamp_skipped"] - before["tx_hwtstamp_skipped"]
    # In the order in which they were told.
    assert all(bool(software) != bool(stamp) for software, stamp in found)
    by_hardware = [stamp for _, stamp in found if stamp]
    assert by_hardware and len(by_hardware) + skipped == len(found)
    assert by_hardware == sorted(by_hardware)


def test_nothing_is_stamped_unless_it_is_wanted(lan, clock):
    guest = lan.guest
    listen(lan)
    (sent,) = guest.ask("clock", "send", PF, value=[message(SYNC, 1)])
    assert sent["stamp"] is None and sent["software"]
    received = guest.ask("clock", "receive", PF, "peer", "peer", value=[message(SYNC, 1)])
    assert received == [[message(SYNC, 1), None]]


def test_received_messages_are_stamped(lan, clock):
    """Each event message, whatever it is sent over: what the model does not stamp gets its time in the
    poll. Of those that it stamps, any number one after the other."""
    guest = lan.guest
    listen(lan)
    assert config(guest, PF, TX_OFF, V2_EVENT) == (TX_OFF, V2_EVENT)
    events = [
        message(kind, kind, where)
        for kind, where in (
            (SYNC, "011b19000000"),
            (DELAY_REQ, "011b19000000"),
            (PDELAY_REQ, PEER_TO_PEER),
            (PDELAY_RESP, PEER_TO_PEER),
        )
    ]
    events += [message(SYNC, n) for n in range(10, 20)]
    events.append(over_udp(bytes([1, 2]).ljust(44, b"\0")))
    others = [
        message(FOLLOW_UP, 1),
        message(ANNOUNCE, 1),
        over_udp(bytes([11, 2]).ljust(44, b"\0")),
    ]
    others.append(over_udp(bytes([1, 2]).ljust(44, b"\0"), port=320))
    frames = [*events, *others]
    cleared = stats(guest)["rx_hwtstamp_cleared"]
    begin = clock.time()
    # Datagrams come to another queue, and not in order with the others.
    received = dict(guest.ask("clock", "receive", PF, "peer", "peer", value=frames))
    end = clock.time()
    assert received.keys() == set(frames)
    assert all(begin <= (received[frame] or 0) <= end for frame in events)
    assert [received[frame] for frame in others] == [None] * len(others)
    assert stats(guest)["rx_hwtstamp_cleared"] == cleared


def test_a_stamp_that_nobody_reads_is_thrown_away(lan, clock):
    """That of a frame to somebody else, which the controller stamps before it looks for whom it is."""
    guest = lan.guest
    listen(lan)
    assert config(guest, PF, TX_OFF, V2_EVENT) == (TX_OFF, V2_EVENT)
    before = stats(guest)["rx_hwtstamp_cleared"]
    stray = message(SYNC, 1, "02000000bb02")
    guest.ask("clock", "send", "peer", "0", value=[stray], netns="peer")
    guest.wait_until(
        f"[ $(ethtool -S {PF} | sed -n 's/.*rx_hwtstamp_cleared: //p') -gt {before} ]", timeout=20
    )
    received = guest.ask("clock", "receive", PF, "peer", "peer", value=[message(SYNC, 2)])
    assert received[0][1]


def test_with_vfs(lan, vfs, clock):
    """The PF's frames are stamped as without, and a copy of one that comes back takes no stamp."""
    guest = lan.guest
    listen(lan)
    assert config(guest, PF, TX_ON, V2_EVENT) == (TX_ON, V2_EVENT)
    cleared = stats(guest)["rx_hwtstamp_cleared"]
    frames = [message(SYNC, n) for n in range(8)]
    sent = guest.ask("clock", "send", PF, value=frames)
    assert all(one["stamp"] for one in sent)
    received = guest.ask("clock", "receive", PF, "peer", "peer", value=frames)
    assert len(received) == 8 and all(stamp for _, stamp in received)
    assert stats(guest)["rx_hwtstamp_cleared"] == cleared
