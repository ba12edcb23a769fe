# SPDX-License-Identifier: GPL-2.0
"""Devices and kernels the module is not for: one clear line, the right errno, no harm."""

import pytest
from support.irqs import limited

from harness import images
from harness.health import KernelLog
from harness.topology import PEER, PF_HOST, PF_PCI, Lan
from harness.traffic import ping

# What C igb does with devices it was not made for is its own affair.
pytestmark = pytest.mark.driver("igb_rs")

DRIVER = "/sys/bus/pci/drivers/igb_rs"


def own_lines(log: KernelLog) -> list[str]:
    return [line for line in log.lines() if "igb_rs" in line]


@pytest.mark.guest(devices=("e1000e,id=stranger,addr=0x9,romfile=",))
def test_another_device(lan):
    """Forced onto another network card, and onto something that is none."""
    guest = lan.guest
    for device in ("0000:00:09.0", "0000:00:1f.3"):
        path = f"/sys/bus/pci/devices/{device}"
        guest.run(f"[ ! -e {path}/driver ] || echo {device} >{path}/driver/unbind")
        log = KernelLog(guest, device)
        guest.run(f"echo igb_rs >{path}/driver_override")
        result = guest.write(f"{DRIVER}/bind", device)
        guest.run(f"echo >{path}/driver_override")
        assert result.rc != 0 and "No such device" in result.err, result
        assert not guest.succeeds(f"test -e {path}/driver")
        lines = own_lines(log)
        assert len(lines) == 1 and device in lines[0], lines
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete


def test_no_interrupt_at_all(guest):
    log = KernelLog(guest, "no interrupt")
    with limited(guest):
        guest.load()
        assert not guest.succeeds(f"test -e /sys/bus/pci/devices/{PF_PCI}/driver")
        assert guest.run("ls /sys/class/net").text.split().count("dut") == 0
        lines = [
            line
            for line in own_lines(log)
            if "interrupt" in line.lower() or "vector" in line.lower() or "probe" in line.lower()
        ]
        assert lines, log.lines()
        # Nor is it left enabled.
        assert guest.read(f"/sys/bus/pci/devices/{PF_PCI}/enable") == "0"
        guest.unload()
    lan = Lan(guest)
    lan.up()
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete
    lan.down()


def test_module_for_another_kernel(guest):
    release = guest.config.boots.release.encode()
    other = release.replace(b"7.", b"6.", 1)
    module = images.stripped(guest.config.boots.module)
    assert b"vermagic=" + release in module
    guest.put("/tmp/other/igb_rs.ko", module.replace(b"vermagic=" + release, b"vermagic=" + other))
    log = KernelLog(guest, "vermagic")
    result = guest.run("insmod /tmp/other/igb_rs.ko", check=False)
    assert result.rc != 0 and "Invalid module format" in result.err, result
    assert any("version magic" in line for line in own_lines(log)), log.lines()


def test_two_drivers_do_not_fight(lan):
    """The C driver finds the device taken, and leaves it alone."""
    result = lan.guest.run("modprobe igb", check=False)
    driver = lan.guest.run(f"readlink /sys/bus/pci/devices/{PF_PCI}/driver").text
    assert result.rc == 0 and driver.endswith("/igb_rs")
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=3).complete
    lan.guest.run("rmmod igb")
