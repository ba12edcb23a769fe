# SPDX-License-Identifier: GPL-2.0
"""The link follows the wire."""

import json
import re
import time

import pytest
from support import ONE_CPU
from support.mailbox import V2PMAILBOX, VMBMEM
from support.times import logged

from harness.health import KernelLog
from harness.topology import PEER, PF_HOST, PF_PCI
from harness.traffic import Ping, ping

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


def link_down_events(lan) -> int | None:
    """How often the link was lost, if the driver says so."""
    found = re.search(r"Link Down Events: (\d+)", lan.guest.run("ethtool -I dut").out)
    return found and int(found[1])


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
    lost = link_down_events(lan)
    plug(lan, False)
    wait_carrier(lan, 0, 5)
    if lost is not None:  # C igb does not count them
        assert link_down_events(lan) == lost + 1
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


# igbvf looks at its link once in two seconds, if it is told to. Seconds, by the guest's clock.
SEEN = 3
# It does not start over twice within this time.
STARTS_OVER = 10
COUNTED = ("msg_reset", "flr")


def clock(guest) -> float:
    return float(guest.read("/proc/uptime").split()[0])


def resets(guest, index: int) -> list[int]:
    """Handshakes and resets of a VF. C igb counts neither."""
    text = guest.run("ethtool -S dut").out
    found = [re.search(rf"vf{index}_{name}: (\d+)", text) for name in COUNTED]
    return [int(match[1]) for match in found if match]


def follow(lan, vfs, up: bool, change: str | None = None) -> float:
    """Runs `change`, or plugs the wire in or pulls it, and waits until the drivers of VFs have seen it.
    Returns how long that took them by the log, since the command began or the PF has seen it."""
    guest = lan.guest
    state = "Up" if up else "Down"
    log = KernelLog(guest, "change")
    if change is None:
        plug(lan, up)
    else:
        guest.run(f"echo '<6>begin' >/dev/kmsg; {change}")
    begins = rf"dut: (igb: dut )?NIC Link is {state}" if change is None else "begin$"
    guest.wait_carriers([(vf.name, vf.netns) for vf in vfs], timeout=10, up=up)
    lines = log.lines()
    ends = [rf"igbvf {lan.vf_pci(vf.number - 10)}.*Link is {state}" for vf in vfs]
    return max(logged(lines, end) for end in ends) - logged(lines, begins)


# C igb: VFs never see a change of the port's link, and it has no state of a VF's link.
@pytest.mark.driver("igb_rs")
def test_vfs_follow_the_link(lan, vfs):
    """The port's link, the one the administrator allows, and none for a VF that is cut off: stock igbvf
    sees each change and none of another VF's, without a reset."""
    guest = lan.guest
    first, second = vfs
    # It sends nothing by itself: frames that still wait when its link goes, igbvf drops by a reset.
    guest.run(f"echo 1 >/proc/sys/net/ipv6/conf/{first.name}/disable_ipv6", netns=first.netns)
    seen = SEEN * guest.slowness
    before, started = [resets(guest, 0), resets(guest, 1)], clock(guest)
    assert follow(lan, vfs, False) <= seen
    assert follow(lan, vfs, True) <= seen

    changes = f"/sys/class/net/{second.name}/carrier_changes"
    seen_by_second = guest.run(f"cat {changes}", netns=second.netns).text
    plan = {"address": PEER.ipv4, "count": 120, "size": 56, "interval": 0.1}
    beside = guest.start_ask(
        "echo", value={**plan, "patience": 10, "whole": False}, timeout=120, netns=second.netns
    )
    assert follow(lan, [first], False, "ip link set dut vf 0 state disable") <= seen
    assert follow(lan, [first], True, "ip link set dut vf 0 state auto") <= seen
    assert [resets(guest, 0), resets(guest, 1)] == before

    guest.run(f"devlink dev param set pci/{PF_PCI} name vf_offence_limit value 1 cmode runtime")
    # Written only: what is read of the register that rings is lost for igbvf.
    offend = [("write", VMBMEM, 0x77), ("write", V2PMAILBOX, 1)]
    guest.ask("mailbox", lan.vf_pci(0), value=offend)
    guest.wait_carrier(first.name, first.netns, up=False)
    assert "vf0_quarantined: 1" in guest.run("ethtool -S dut").out
    time.sleep(max(0, started + STARTS_OVER + 0.5 - clock(guest)))
    # Nothing is left of what it had asked for, so this one is a new start of its driver.
    assert follow(lan, [first], True, "ip link set dut vf 0 state auto") <= seen
    assert ping(guest, first, PEER.ipv4, count=3).complete

    sent = Ping(**json.loads(beside.wait().out))
    assert sent.complete, sent
    assert guest.run(f"cat {changes}", netns=second.netns).text == seen_by_second
    assert resets(guest, 1) == before[1] and resets(guest, 0) != before[0]
