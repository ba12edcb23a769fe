# SPDX-License-Identifier: GPL-2.0
"""Frames as they are on the wire: of any length, and with a check sequence."""

import json
import zlib

import pytest
from support import counters
from support.registers import QUEUE_FILTERS, RCTL, Registers
from support.wire import captured
from support.xdp import Programs

from harness.topology import PEER, PF_HOST
from harness.traffic import frames, mac_of, ping

pytestmark = pytest.mark.driver("igb_rs")  # C igb has rx-all, without a thought for its VFs

SBP, SECRC = 1 << 2, 1 << 26
STANDARD = 1514
# Longer than a frame of the MTU with a tag, up to more buffers than a packet may have.
LONG = [STANDARD + 5, 2044, 2045, 2048, 2049, 4096, 4097, 9014, 16000, 30000]
TOO_LONG = 60000
EPROTONOSUPPORT = 93


def is_active(guest, name: str) -> bool:
    (shown,) = json.loads(guest.run("ethtool --json -k dut").out)
    return shown[name]["active"]


def reach(lan, sizes: list[int]) -> list[int]:
    """Those of the sizes the PF receives, each byte for byte."""
    guest = lan.guest
    delivery = frames(guest, PEER, PF_HOST, sizes)
    assert not delivery.damaged and not delivery.repeated, delivery
    return [size for number, size in enumerate(sizes) if number not in delivery.missing]


def test_frames_of_any_length(lan):
    """With `rx-all`: the buffers hold all that comes, or none of it."""
    guest = lan.guest
    guest.run("ip link set peer mtu 65000", netns=PEER.netns)
    assert reach(lan, [60, STANDARD, *LONG]) == [60, STANDARD]
    guest.run("ethtool -K dut rx-all on")
    lan.wait_carrier(PF_HOST)
    assert Registers(guest).read(RCTL)[0] & SBP
    assert reach(lan, [60, STANDARD, *LONG]) == [60, STANDARD, *LONG]
    before = counters.link(guest)["rx_errors"]
    assert reach(lan, [TOO_LONG, STANDARD, TOO_LONG, 60]) == [STANDARD, 60]
    assert counters.link(guest)["rx_errors"] == before + 2
    guest.run("echo 1 > /sys/class/net/dut/device/reset")
    lan.wait_carrier(PF_HOST)
    assert reach(lan, LONG[:2]) == LONG[:2]
    guest.run("ethtool -K dut rx-all off")
    lan.wait_carrier(PF_HOST)
    assert reach(lan, [60, *LONG]) == [60]
    assert ping(guest, PF_HOST, PEER.ipv4, count=3, size=1472).complete


def test_vfs_get_no_raw_frames(lan):
    """A VF would get them into buffers that are made for its MTU: while there are VFs, the PF does
    without."""
    guest = lan.guest
    guest.run("ip link set peer mtu 9000", netns=PEER.netns)
    guest.run("ethtool -K dut rx-all on")
    (vf,) = lan.vfs_up(1)
    assert not is_active(guest, "rx-all") and not Registers(guest).read(RCTL)[0] & SBP
    refused = guest.run("ethtool -K dut rx-all off; ethtool -K dut rx-all on; ethtool -k dut").out
    assert "rx-all: off [requested on]" in refused
    assert ping(guest, PEER, vf.ipv4, count=2).complete
    assert not reach(lan, [9000])
    lan.vfs_down()
    lan.wait_carrier(PF_HOST)
    assert is_active(guest, "rx-all") and reach(lan, [9000]) == [9000]


def test_a_model_without_check_sequences_has_none(lan):
    """Those it shows are zeros, and those it is given are data."""
    guest = lan.guest
    assert "fixed" in guest.run("ethtool -k dut | grep rx-fcs").out
    assert guest.ask("inject", "own-fcs", "dut", value=["ff" * 64]) == [EPROTONOSUPPORT]


@pytest.mark.allow_trace(QUEUE_FILTERS)
def test_check_sequences(silicon):
    """Received frames keep theirs, and one that is sent with one gets no other and no padding. The device
    model has zeros for the former, and sends the latter as it is."""
    guest = silicon.guest
    guest.run("ethtool -K dut rx-fcs on")
    assert not Registers(guest).read(RCTL)[0] & SECRC
    assert ping(guest, PF_HOST, PEER.ipv4, count=3, size=1472).complete
    with captured(guest, PF_HOST, 1, "ether proto 0x88b5", "-xx") as capture:
        frames(guest, PEER, PF_HOST, [STANDARD])
        shown = capture.ended()
    assert f"length {STANDARD + 4}" in shown and shown.split()[-2:] == ["0000", "0000"], shown
    # A program that sends a frame on would send what is behind it as well.
    programs = Programs(guest)
    refused = programs.try_attach("pass")
    assert refused.rc and "rx-fcs is on" in refused.out, refused
    assert programs.attached() is None
    guest.run("ethtool -K dut rx-fcs off")
    assert Registers(guest).read(RCTL)[0] & SECRC
    programs.attach("pass")
    # It says whether it has changed anything.
    guest.run("ethtool -K dut rx-fcs on", check=False)
    assert not is_active(guest, "rx-fcs") and Registers(guest).read(RCTL)[0] & SECRC
    guest.run("ethtool -K dut rx-fcs off")
    programs.detach()
    body = bytes.fromhex(mac_of(guest, PEER).replace(":", "") + "020000000001" + "88b5") + b"short"
    frame = body + zlib.crc32(body).to_bytes(4, "little")
    with captured(guest, PEER, 1, "ether proto 0x88b5", "-xx") as capture:
        assert guest.ask("inject", "own-fcs", "dut", value=[frame.hex()]) == [0]
        shown = capture.ended()
    found = "".join(word for line in shown.splitlines()[1:] for word in line.split()[1:])
    assert found == frame.hex(), shown
