# SPDX-License-Identifier: GPL-2.0
"""A port that sleeps while nobody needs it (runtime power management)."""

import pytest
from support import ONE_CPU, counters, snapshots
from support.clocks import Clock
from support.life import DEVICE, reattach, works
from support.registers import ALL_ACCESSES, CTRL_EXT, DRV_LOAD, RAL, STATUS, Registers, accesses

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
