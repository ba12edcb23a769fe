# SPDX-License-Identifier: GPL-2.0
"""What a port is after something has gone wrong with it; and lists of addresses that cannot be had."""

import json
import re

import pytest
from support import bus, counters
from support.life import DEVICE, reach_peer, works
from support.mailbox import NACK, PF_CONTROL_MSG, SET_MULTICAST, granted, message, raw_vfs
from support.registers import Filters

from harness.health import KernelLog
from harness.tally import uncounted
from harness.topology import PEER, PF, PF_HOST, PF_PCI, Host
from harness.traffic import ping

pytestmark = pytest.mark.driver("igb_rs")


def resets(guest, host: Host = PF_HOST) -> int:
    return dict(counters.ethtool(guest, host.name, host.netns))["resets"]


@pytest.mark.guest(arguments=(*bus.RECOVERS, *bus.BEHIND_A_SWITCH))
@pytest.mark.allow_trace("e1000e_wrn")  # of the other function
def test_a_neighbour_on_the_bus_asks_for_a_reset(lan):
    """An error of the switch that a port gets over without a reset. The driver of the function beside it asks
    for one, which resets all below the switch. The port has been in service until then."""
    guest = lan.guest
    far = Host(guest.wait_netdev(bus.FAR_PORT), "far", 40)
    lan.attach(far, bus.FAR_PORT)
    lan.wait_carrier(far)
    reach_peer(lan, far)
    guest.run(f"modprobe e1000e && [ -d /sys/bus/pci/drivers/e1000e/{bus.NEIGHBOUR} ]")
    before = resets(guest, far)
    bus.recover(lan, "nonfatal", bus.SWITCH)
    assert resets(guest, far) == before + 1
    # Its registers are written and its rings are there. If they were not, the port would be reset anew as soon
    # as a frame had waited for five seconds.
    lan.wait_carrier(far)
    assert ping(guest, far, PEER.ipv4, count=5).complete
    assert resets(guest, far) == before + 1
    # As often as it was disabled.
    assert guest.read(f"/sys/bus/pci/devices/{bus.FAR_PORT}/enable") == "1"
    # Another port has nothing to do with it.
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete
    guest.run("modprobe -r e1000e")
    lan.detach(far)


away = pytest.mark.guest(arguments=(*bus.RECOVERS, *bus.ONES))


def not_taken_for_gone(lan, prepare, look):
    """The controller was away, as it may be for a moment when VFs come or go, and is looked at again by what `look`
    does: it needs no reset."""
    tries = 5
    with uncounted():
        for _ in range(tries):
            prepare()
            lan.guest.run(bus.ONES_READY)
            before = resets(lan.guest)
            look()
            assert works(lan)
            # Unless the look that comes every two seconds came in between.
            if resets(lan.guest) == before:
                break
        else:
            pytest.fail(f"reset in each of {tries} tries")


@away
@pytest.mark.timeout(600)
def test_looked_at_again_after_vfs_came(lan):
    """It is away while they are enabled, and read right afterwards."""
    guest, nr_vfs = lan.guest, 7
    within = 0
    with uncounted():
        autoprobe = f"{DEVICE}/sriov_drivers_autoprobe"
        assert guest.write(autoprobe, "0").rc == 0
        for _ in range(10):
            seen = guest.ask("away", PF_PCI, bus.ONES_PCI, PF, str(nr_vfs), timeout=60)
            within += seen["within"]
            # Unless it was away only when they had come already.
            assert seen["phy"] > 0 or not seen["within"], seen
            assert lan.set_numvfs(0).rc == 0
            if within == 2:
                break
        assert guest.write(autoprobe, "1").rc == 0
    assert within == 2
    assert works(lan)


@away
def test_looked_at_again_after_vfs_went(lan):
    # Whoever takes it for gone resets it, as the number of VFs changes.
    disable = f"{bus.AWAY} echo 0 >{DEVICE}/sriov_numvfs"
    not_taken_for_gone(lan, lambda: raw_vfs(lan, 2), lambda: lan.guest.run(disable))


@away
def test_looked_at_again_after_an_error(lan):
    """One that is got over without a reset."""

    def error():
        bus.recover(lan, "nonfatal", before=bus.AWAY)
        # Whoever takes it for gone resets it now.
        raw_vfs(lan, 1)
        assert lan.set_numvfs(0).rc == 0

    not_taken_for_gone(lan, lambda: lan.guest.run("modprobe aer_inject"), error)


@away
@pytest.mark.timeout(600)
def test_looked_at_again_by_a_reset(lan):
    """The self test resets the controller, and then writes ones to registers, which count as 0 for whoever takes
    the controller for gone. Tests before the reset may fail."""
    with uncounted():
        # As the look that comes every two seconds may come in between.
        for _ in range(3):
            lan.guest.run(bus.ONES_READY)
            command = f"{bus.AWAY} ethtool -t {PF} offline"
            report = lan.guest.run(command, timeout=60, check=False).out
            assert re.search(r"^Register test .*\s0$", report, re.MULTILINE), report
    assert works(lan)


@away
def test_looked_at_again_every_two_seconds(lan):
    """Nobody asks for anything. What was lost meanwhile is written anew."""
    guest = lan.guest
    guest.run(bus.ONES_READY)
    before = resets(guest)
    with uncounted():
        guest.run(bus.AWAY)
    guest.wait_until(f"[ $(ethtool -S {PF} | sed -n 's/^ *resets: //p') -gt {before} ]", 60)
    assert works(lan)


def test_lists_of_addresses_fill_no_log(lan):
    """An address of the administrator's for a VF stays there, however often the PF asks for it."""
    guest = lan.guest
    raw_vfs(lan, 1)
    mac = "02:00:00:00:02:01"
    assert lan.link_set(f"vf 0 mac {mac}").rc == 0
    log = KernelLog(guest, "asked")
    guest.run(
        f"""for n in $(seq 20); do
            bridge fdb add {mac} dev dut self && bridge fdb del {mac} dev dut self
        done""",
        check=False,
    )
    lines = [line for line in log.lines() if "stay there" in line]
    assert 1 <= len(lines) <= 5, log.lines()


def healthy(guest) -> dict[str, bool]:
    """What devlink says of each reporter."""
    shown = json.loads(guest.run(f"devlink -j health show pci/{PF_PCI}").out)["health"]
    return {entry["reporter"]: entry["state"] == "healthy" for entry in shown[f"pci/{PF_PCI}"]}


def stop_queues(guest, lvmmc: int, wvbr: int):
    guest.ask("stopped", PF_PCI, bus.PAGE_PCI, f"{lvmmc:#x}", f"{wvbr:#x}")


# Of LVMMC: a cause for which a queue is stopped. The upper half of WVBR has the queues, 16 bits for eight pools.
STOPS, STOPPED = 4, 16


@pytest.mark.guest(smp=1, arguments=bus.PAGE)
def test_queues_that_the_controller_has_stopped(lan):
    """The registers say so, which the device model's never do. The VF is closed, counted and told of, and starts
    over; another is not touched. For a queue of the PF's own the controller is reset."""
    guest = lan.guest
    first, second = vfs = raw_vfs(lan, 2)
    for vf in vfs:
        vf.handshake()
    log = KernelLog(guest, "stopped")
    monitor = guest.start("exec timeout 120 stdbuf -oL devlink monitor health >/tmp/events")
    guest.wait_until("pgrep -x devlink", 10)
    before = resets(guest)

    stop_queues(guest, STOPS, 1 << STOPPED)
    guest.wait_file("/tmp/events", 10, "vf0")
    filters = Filters.read(guest)
    assert (filters.vfre & 0b11, filters.vfte & 0b11) == (0b10, 0b10)
    # It is told every two seconds, by two words in turn, until its handshake.
    (told,) = first.script(("receive", 5))
    assert told["reply"] and told["reply"][0] in (PF_CONTROL_MSG | NACK, PF_CONTROL_MSG)
    assert healthy(guest) == {**dict.fromkeys(healthy(guest), True), "vf0": False}
    counted = dict(counters.ethtool(guest))
    assert (counted["vf0_malicious"], counted["vf1_malicious"]) == (1, 0)
    assert [line for line in log.lines() if "VF 0: " in line], log.lines()
    words = message(SET_MULTICAST)
    assert second.ask(words) == [granted(words)]
    first.handshake()
    assert first.ask(words) == [granted(words)]
    guest.wait_until("grep -c vf0 /tmp/events | grep -qx 2", 10)
    assert all(healthy(guest).values())
    monitor.kill()
    assert resets(guest) == before

    # The PF's pool is the one after theirs. VFs have nothing to do with it, and begin anew.
    stop_queues(guest, STOPS, 1 << STOPPED + len(vfs))
    guest.wait_until(f"ethtool -S {PF} | grep -q '^ *resets: {before + 1}$'", 30)
    assert works(lan)
    second.handshake()
    counted = dict(counters.ethtool(guest))
    assert (counted["vf0_malicious"], counted["vf1_malicious"]) == (1, 0)
