# SPDX-License-Identifier: GPL-2.0
"""Coming and going again and again, with traffic running: what one orderly round does not show.

Written for the kernel that watches; under the stock kernel they show that the driver survives."""

from __future__ import annotations

import pytest
from support import bus
from support.life import DEVICE, reach_peer, reattach
from support.load import mailbox_flood, traffic
from support.mailbox import VF_RESET, raw_vfs
from support.registers import Filters

from harness.topology import PEER, PF, PF_HOST, PF_PCI, Lan, vf_host
from harness.traffic import frames, ping

pytestmark = [pytest.mark.driver("igb_rs"), pytest.mark.timeout(400)]

DRIVER = "/sys/bus/pci/drivers/igb_rs"
SIZES = range(60, 1515, 97)
FEW, MANY = 3, 10


def intact(lan: Lan, *vfs):
    """Everyone reaches the peer, and what arrives is what was sent."""
    guest = lan.guest
    lan.wait_carrier(PF_HOST)
    for host in (PF_HOST, *vfs):
        reach_peer(lan, host, seconds=30)
        assert frames(guest, host, PEER, SIZES).perfect, host
        assert frames(guest, PEER, host, SIZES).perfect, host


def vf_drivers_up(lan: Lan, count: int):
    """That many VFs with igbvf, their interfaces up, in no namespace; all at once."""
    result = lan.set_numvfs(count)
    assert result.rc == 0, result
    lan.guest.wait_until(f"[ $(ls -d {DEVICE}/virtfn*/net/* | wc -l) = {count} ]", 60)
    lan.guest.run(f"for i in {DEVICE}/virtfn*/net/*; do ip link set $(basename $i) up; done")


# ---- the driver ----------------------------------------------------------------------------------


def test_load_and_unload(lan):
    with traffic(lan) as flows:
        for _ in range(FEW):
            lan.guest.unload()
            lan.guest.load()
            reattach(lan)
            flows()
    intact(lan)


def test_bind_and_unbind_with_vfs(lan):
    for _ in range(FEW):
        vfs = lan.vfs_up(2)
        with traffic(lan, vfs):
            lan.guest.run(f"echo {PF_PCI} >{DRIVER}/unbind; echo {PF_PCI} >{DRIVER}/bind")
            for host in vfs:
                lan.detach(host)
            reattach(lan)
        assert lan.guest.read(f"{DEVICE}/sriov_numvfs") == "0"
    intact(lan, *lan.vfs_up(1))


# ---- virtual functions ---------------------------------------------------------------------------


def test_seven_and_none(lan):
    with traffic(lan) as flows:
        for _ in range(FEW):
            vf_drivers_up(lan, 7)
            flows()
            assert lan.set_numvfs(0).rc == 0
    vfs = lan.vfs_up(2)
    with traffic(lan, vfs):
        assert lan.set_numvfs(0).rc == 0
        for host in vfs:
            lan.detach(host)
    assert lan.guest.run("lspci -d 8086:10ca").out == ""
    intact(lan, *lan.vfs_up(1))


def test_interface_up_and_down_against_mailbox_traffic(lan):
    vfs = raw_vfs(lan, 3)
    with mailbox_flood(vfs) as counts:
        for _ in range(MANY):
            lan.guest.run(f"ip link set {PF} down; ip link set {PF} up")
    assert all(count.get("answers") and count.get("handshakes") for count in counts), counts
    after_a_flood(lan, vfs)


def after_a_flood(lan: Lan, vfs):
    """Each VF gets in again by its own reset, and the PF has not noticed a thing."""
    for vf in vfs:
        # VTCTRL.RST. One that was made to wait is let in within seconds.
        replies = vf.script(
            ("release",),
            ("write", 0, 1 << 26),
            *(("send", [VF_RESET], 3) for _ in range(5)),
            timeout=60,
        )
        assert any(reply["reply"] for reply in replies[2:]), replies
    pf = Filters.read(lan.guest).default_pool
    assert Filters.read(lan.guest).vfre >> pf & 1
    intact(lan)


def test_resets_of_a_vf_beside_another(lan):
    """Function level resets of one without a driver, while the other is busy."""
    victim, pci = lan.vfs_up(2)[0], lan.vf_pci(1)
    lan.detach(vf_host(1))
    lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/unbind")
    with traffic(lan, [victim]):
        for _ in range(MANY):
            lan.guest.run(f"echo 1 >/sys/bus/pci/devices/{pci}/reset")
    intact(lan, victim)
    lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/bind")
    lan.attach(vf_host(1), pci)
    lan.wait_carrier(vf_host(1))
    intact(lan, vf_host(1))


# ---- the device ----------------------------------------------------------------------------------


@pytest.mark.long
def test_remove_and_rescan_under_load(lan):
    for _ in range(FEW):
        vfs = lan.vfs_up(2)
        with traffic(lan, vfs):
            lan.guest.run(f"sleep 1; echo 1 >{DEVICE}/remove")
            assert not lan.guest.succeeds(f"test -e {DEVICE}")
        for host in vfs:
            lan.detach(host)
        lan.guest.run("echo 1 >/sys/bus/pci/rescan")
        reattach(lan)
    intact(lan, *lan.vfs_up(1))


@pytest.mark.guest(cmdline="unplug")  # a guest of its own: it changes devices
@pytest.mark.long
def test_unplug_and_plug_under_load(lan):
    """The card is pulled; on the second time, the one that was put in its place."""
    guest = lan.guest
    for number in range(1, 3):
        vfs = lan.vfs_up(2)
        with traffic(lan, vfs):
            guest.run("sleep 1")
            guest.qmp("device_del", id=f"dut{number - 1}")
            guest.wait_file(DEVICE, 60, absent=True)
        for host in vfs:
            lan.detach(host)
        guest.machine.wait_event("DEVICE_DELETED", 60 * guest.config.boots.slowness)
        guest.qmp(
            "device_add",
            driver="igb",
            id=f"dut{number}",
            bus="rp0",
            netdev="wire0",
            mac="52:54:00:82:57:00",
            romfile="",
        )
        guest.wait_file(DEVICE, 60)
        reattach(lan)
    intact(lan, *lan.vfs_up(1))


@bus.recovers
@pytest.mark.long
def test_errors_of_the_bus_that_are_not_fatal(lan):
    """The PF gets over them, and its VFs too."""
    vfs = lan.vfs_up(2)
    with traffic(lan, vfs):
        for _ in range(FEW):
            bus.inject(lan, "correctable")
            bus.inject(lan, "nonfatal")
            reach_peer(lan, *vfs)
    intact(lan, *vfs)


@pytest.mark.guest(cmdline="fatal")
@pytest.mark.long
def test_errors_of_the_bus_that_are_fatal(lan):
    """Where a reset of the slot does not bring the link back, the device is given up: without harm,
    and until it is found anew. It has lost its base addresses, so to bind its driver is not enough;
    the driver says so."""
    with traffic(lan):
        bus.inject(lan, "fatal")
        lan.guest.wait_until("dmesg | grep -q 'device recovery failed'", 60)
    lan.guest.unload()
    lan.guest.load()
    assert lan.guest.succeeds("dmesg | tail -n 5 | grep -q 'does not answer.*rescan'")
    lan.guest.run(f"echo 1 >{DEVICE}/remove; echo 1 >/sys/bus/pci/rescan")
    reattach(lan)
    intact(lan)


@pytest.mark.guest(s3=True, cmdline="sleep")
@pytest.mark.long
def test_sleep_with_vfs(lan):
    """Devices suspended and resumed with VFs under load."""
    vfs = lan.vfs_up(2)
    for _ in range(FEW):
        with traffic(lan, vfs):
            lan.guest.suspend(test="devices")
            reach_peer(lan, *vfs)
        assert lan.guest.read(f"{DEVICE}/sriov_numvfs") == "2"
        intact(lan, *vfs)


# ---- other machines ------------------------------------------------------------------------------


def everything(lan: Lan):
    """A bit of all there is."""
    vfs = lan.vfs_up(2)
    with traffic(lan, vfs):
        for mtu in (1400, 1500):
            lan.guest.run(f"ip link set {PF} mtu {mtu}")
        lan.guest.run(f"ethtool -G {PF} rx 512 && ethtool -L {PF} combined 1")
        lan.guest.run(f"echo 1 >{DEVICE}/reset")
        reach_peer(lan, *vfs)
    for host in vfs:
        assert ping(lan.guest, host, PF_HOST.ipv4, count=3).complete
    intact(lan, *vfs)


@pytest.mark.guest(cmdline="pci=nomsi")
def test_without_message_signalled_interrupts(lan):
    with traffic(lan) as flows:
        for _ in range(FEW):
            lan.guest.run(
                f"ip link set {PF} mtu 1400; ip link set {PF} mtu 1500;echo 1 >{DEVICE}/reset"
            )
            lan.wait_carrier(PF_HOST)
            flows()
    intact(lan)


@pytest.mark.guest(smp=1)
@pytest.mark.long
def test_one_processor(lan):
    """With VFs whose drivers are elsewhere: igbvf waits for its PF in a loop, and would keep the
    only processor from it."""
    vfs = raw_vfs(lan, 2)
    with mailbox_flood(vfs), traffic(lan):
        for mtu in (1400, 1500):
            lan.guest.run(f"ip link set {PF} mtu {mtu}")
        lan.guest.run(
            f"ethtool -G {PF} rx 512; echo 1 >{DEVICE}/reset;"
            f"ip link set {PF} down; ip link set {PF} up"
        )
    after_a_flood(lan, vfs)


@pytest.mark.guest(cmdline="swiotlb=force")
@pytest.mark.long
def test_bounce_buffers(lan):
    """Each transfer goes through a copy: a sync that is missing or goes the wrong way shows."""
    assert "force" in lan.guest.read("/proc/cmdline")
    everything(lan)
    print(lan.guest.run("grep . /sys/kernel/debug/swiotlb/*; dmesg | grep -i tlb").out)


@pytest.mark.guest(
    first_devices=("intel-iommu,intremap=on",),
    cmdline="intel_iommu=on iommu.strict=1",
)
@pytest.mark.long
def test_strict_iommu(lan):
    """An access to memory that was unmapped is a fault, which fails the test."""
    assert lan.guest.succeeds(f"test -e {DEVICE}/iommu_group"), "the PF is behind no IOMMU"
    assert lan.guest.read(f"{DEVICE}/iommu_group/type") == "DMA"
    everything(lan)
