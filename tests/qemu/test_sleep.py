# SPDX-License-Identifier: GPL-2.0
"""A port that sleeps while nobody needs it (runtime power management)."""

import pytest
from support import ONE_CPU, counters, snapshots
from support.clocks import Clock
from support.life import DEVICE, reattach, works
from support.registers import (
    ALL_ACCESSES,
    CTRL_EXT,
    DRV_LOAD,
    QUEUE_FILTERS,
    RAL,
    STATUS,
    WUC,
    WUFC,
    Registers,
    accesses,
)

from harness.topology import PEER, PF_HOST, PF_PCI
from harness.traffic import ping

pytestmark = ONE_CPU

POWER = f"{DEVICE}/power"


def wait_power(guest, state: str):
    """Until the port is `active`, or `suspended` in D3hot."""
    guest.wait_until(f"[ $(cat {POWER}/runtime_status) = {state} ]", 30)
    assert guest.read(f"{DEVICE}/power_state").strip() == ("D0" if state == "active" else "D3hot")


@pytest.fixture
def sleepy(lan):
    """The port sleeps when nobody needs it, soon if the driver lets the administrator say when."""
    guest = lan.guest
    delay = f"{POWER}/autosuspend_delay_ms"
    guest.run(f"echo auto >{POWER}/control")
    usual = guest.run(f"cat {delay}", check=False).text
    if usual:
        guest.run(f"echo 100 >{delay}")
    yield lan
    guest.run(f"echo on >{POWER}/control")
    if usual:
        guest.run(f"echo {usual} >{delay}")


@pytest.mark.watched
def test_sleep_of_a_port_that_is_down(sleepy):
    """Whoever wants it wakes it. What was set meanwhile holds then."""
    lan, guest = sleepy, sleepy.guest
    assert guest.read(f"{POWER}/runtime_status").strip() == "active"
    for wish in ("ethtool -d dut raw on >/tmp/dump", "ip link set dut up"):
        guest.run("ip link set dut down")
        wait_power(guest, "suspended")
        guest.run(wish)
        if "ethtool" in wish:
            # What does not answer reads as ones.
            ones = int(
                guest.run("od -v -An -w4 -tx4 /tmp/dump | grep -c ffffffff", check=False).text
            )
            assert ones < 20
            wait_power(guest, "suspended")
    wait_power(guest, "active")
    lan.wait_carrier(PF_HOST)
    assert works(lan)


@pytest.mark.driver("igb_rs")  # C igb refuses settings of a port that sleeps, and has VFs of it
def test_what_a_sleeping_port_does(sleepy):
    lan, guest = sleepy, sleepy.guest
    guest.run("ip link set dut down")
    wait_power(guest, "suspended")
    address = guest.read("/sys/class/net/dut/address").strip()
    guest.run("ip link set dut address 02:00:00:00:00:77 mtu 1400")
    assert snapshots.kept(guest) == []
    guest.run(f"devlink region new {snapshots.REGION} snapshot 1")
    assert snapshots.registers(guest, 1)[STATUS] != 0xFFFFFFFF
    guest.run(f"devlink region del {snapshots.REGION} snapshot 1")
    wait_power(guest, "suspended")
    # As long as there are VFs it is awake.
    vfs = lan.vfs_up(1)
    wait_power(guest, "active")
    assert ping(guest, vfs[0], PEER.ipv4).complete
    assert guest.read(f"{POWER}/runtime_status").strip() == "active"
    lan.vfs_down()
    wait_power(guest, "suspended")
    # The clock goes on by the system's.
    clock = Clock(guest, "dut")
    before = clock.offset()
    guest.run("ip link set dut up")
    assert abs(clock.offset() - before) < 2 * 10**6
    registers = Registers(guest)
    assert registers.read(RAL[0]) == [0x00000002]
    lan.wait_carrier(PF_HOST)
    guest.run(f"ip link set dut mtu 1500 address {address}")
    # Neither the sleep of the system nor a reset finds it asleep; it sleeps again afterwards.
    for act in (lambda: guest.suspend(test="devices"), lambda: guest.write(f"{DEVICE}/reset", "1")):
        guest.run("ip link set dut down")
        wait_power(guest, "suspended")
        act()
        wait_power(guest, "suspended")
        guest.run("ip link set dut up")
        lan.wait_carrier(PF_HOST)
        assert works(lan)
    # It is unbound in its sleep, and bound again.
    guest.run("ip link set dut down")
    wait_power(guest, "suspended")
    driver = f"/sys/bus/pci/drivers/{guest.config.driver}"
    guest.run(f"echo {PF_PCI} >{driver}/unbind && echo {PF_PCI} >{driver}/bind")
    reattach(lan)
    assert works(lan)


@pytest.mark.driver("igb_rs")
@pytest.mark.allow_trace(ALL_ACCESSES)
def test_firmware_has_a_port_that_sleeps(sleepy):
    """It is told that no driver has the controller, and the reverse when the port wakes. That is no reset that
    anybody wants counted."""
    guest = sleepy.guest
    resets = dict(counters.ethtool(guest))["resets"]

    def told(seen) -> list[bool]:
        return [bool(value & DRV_LOAD) for kind, at, value in seen if (kind, at) == ("w", CTRL_EXT)]

    with accesses(guest) as seen:
        guest.run("ip link set dut down")
        wait_power(guest, "suspended")
    assert told(seen)[-1:] == [False]
    with accesses(guest) as seen:
        guest.run("ip link set dut up")
        sleepy.wait_carrier(PF_HOST)
    assert told(seen)[-1:] == [True]
    assert dict(counters.ethtool(guest))["resets"] == resets


@pytest.fixture
def pulled(request, lan):
    """A port that is up, is taken for hardware that a link wakes, and has no cable."""
    guest = lan.guest
    if guest.config.driver == "igb_rs":
        request.getfixturevalue("silicon")
    request.getfixturevalue("sleepy")
    plug(guest, False)
    yield lan
    plug(guest, True)


def plug(guest, up: bool):
    """Of the cable."""
    guest.qmp("set_link", name="dut0", up=up)


@pytest.mark.allow_trace(QUEUE_FILTERS)
def test_a_port_without_a_link_sleeps(pulled):
    """Also one that is up. C igb, which takes the model for hardware as well, is not woken by the link either: the
    model tells nobody of it."""
    lan, guest = pulled, pulled.guest
    wait_power(guest, "suspended")
    assert guest.links()["dut"]["up"]
    plug(guest, True)
    assert guest.read(f"{POWER}/runtime_status").strip() == "suspended"
    if guest.config.driver == "igb":
        # Woken without RTNL, as by a signal, it opens its queues without, and the kernel warns of it.
        guest.run("ethtool dut")
    else:
        guest.run(f"echo on >{POWER}/control")
    wait_power(guest, "active")
    lan.wait_carrier(PF_HOST)
    assert works(lan)


@pytest.mark.driver("igb_rs")
@pytest.mark.allow_trace(QUEUE_FILTERS)
@pytest.mark.allow_trace(ALL_ACCESSES)
def test_what_a_port_that_waits_for_a_link_does(pulled):
    """It watches for a link, and whoever wants it wakes it, and has what was set meanwhile."""
    lan, guest = pulled, pulled.guest
    with accesses(guest) as seen:
        wait_power(guest, "suspended")
    written = {at: value for kind, at, value in seen if kind == "w"}
    # PME is enabled, and a change of the link signals it; no driver has the controller.
    assert (written[WUC], written[WUFC]) == (2, 1)
    assert not written[CTRL_EXT] & DRV_LOAD
    # Those who have RTNL wait for the port, which does not wait for them.
    guest.run("ethtool -d dut raw on >/tmp/dump")
    assert int(guest.run("od -v -An -w4 -tx4 /tmp/dump | grep -c ffffffff", check=False).text) < 20
    wait_power(guest, "suspended")
    guest.run("ip link set dut mtu 1400")
    guest.run("ip link set dut down; ip link set dut up")
    wait_power(guest, "active")
    wait_power(guest, "suspended")
    vfs = lan.set_numvfs(1)
    assert vfs.rc == 0
    wait_power(guest, "active")
    plug(guest, True)
    lan.wait_carrier(PF_HOST)
    assert works(lan)
    lan.vfs_down()
    # It has a link, and stays awake.
    lan.wait_carrier(PF_HOST)
    guest.wait_until(f"[ $(cat {POWER}/runtime_usage) -ge 1 ]", 20)
    assert guest.read(f"{POWER}/runtime_status").strip() == "active"
    assert guest.read("/sys/class/net/dut/mtu").strip() == "1400"
    guest.run("ip link set dut mtu 1500")
