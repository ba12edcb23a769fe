# SPDX-License-Identifier: GPL-2.0
"""The link follows the wire."""

import time

from support import ONE_CPU

from harness.health import KernelLog
from harness.topology import PEER, PF_HOST
from harness.traffic import ping

pytestmark = ONE_CPU

CARRIER = "/sys/class/net/dut/carrier"
# The device model negotiates for half a second before it reports the link.
NEGOTIATION = 0.5


def plug(lan, up: bool):
    lan.guest.qmp("set_link", name="dut0", up=up)


def wait_carrier(lan, state: int, seconds: float) -> float:
    """Waits for the carrier; the time it took."""
    begin = time.monotonic()
    lan.guest.wait_carrier(PF_HOST.name, timeout=seconds + 10, up=state == 1)
    return time.monotonic() - begin


def test_carrier_within_a_second(lan):
    second = lan.guest.slowness
    plug(lan, False)
    assert wait_carrier(lan, 0, second) < second
    plug(lan, True)
    assert wait_carrier(lan, 1, second + NEGOTIATION) < second + NEGOTIATION


def test_ten_flaps(lan):
    """Each is seen, none leaves the interface deaf."""
    changes = "/sys/class/net/dut/carrier_changes"
    before = int(lan.guest.read(changes))
    for _ in range(10):
        plug(lan, False)
        wait_carrier(lan, 0, 5)
        plug(lan, True)
        wait_carrier(lan, 1, 5)
    assert int(lan.guest.read(changes)) - before == 20
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete


def test_flaps_faster_than_negotiation(lan):
    for _ in range(10):
        plug(lan, False)
        plug(lan, True)
    wait_carrier(lan, 1, 5)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete


def test_settings_with_and_without_link(lan):
    up = lan.guest.run("ethtool dut").out
    for line in (
        "Speed: 1000Mb/s",
        "Duplex: Full",
        "Auto-negotiation: on",
        "Port: Twisted Pair",
        "Link detected: yes",
    ):
        assert line in up, line
    assert "1000baseT/Full" in up.split("Advertised link modes:")[1]
    assert lan.guest.read("/sys/class/net/dut/speed") == "1000"
    assert lan.guest.read("/sys/class/net/dut/duplex") == "full"
    plug(lan, False)
    wait_carrier(lan, 0, 5)
    down = lan.guest.run("ethtool dut").out
    assert "Speed: Unknown!" in down and "Link detected: no" in down
    plug(lan, True)
    wait_carrier(lan, 1, 5)


def test_wire_pulled_while_the_interface_is_down(lan):
    lan.guest.run("ip link set dut down")
    plug(lan, False)
    lan.guest.run("ip link set dut up")
    time.sleep(2 * lan.guest.slowness)
    assert lan.guest.read(CARRIER) == "0"
    plug(lan, True)
    wait_carrier(lan, 1, 5)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=3).complete


def test_changes_are_logged(lan):
    """The two lines people look for."""
    log = KernelLog(lan.guest, "link")
    plug(lan, False)
    wait_carrier(lan, 0, 5)
    plug(lan, True)
    wait_carrier(lan, 1, 5)
    text = "\n".join(line for line in log.lines() if "dut" in line)
    assert "Link is Down" in text and "Link is Up 1000 Mbps Full Duplex" in text


def test_vfs_work_after_a_flap(lan, vfs):
    """That VFs are told is a matter of the mailbox tests: the device model raises the wrong vector
    of a VF, so that igbvf does not notice."""
    plug(lan, False)
    wait_carrier(lan, 0, 5)
    plug(lan, True)
    wait_carrier(lan, 1, 5)
    for vf in vfs:
        lan.wait_carrier(vf)
        assert ping(lan.guest, vf, PEER.ipv4, count=3).complete
