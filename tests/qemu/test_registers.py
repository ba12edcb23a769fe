# SPDX-License-Identifier: GPL-2.0
"""The driver touches only registers the device model knows, but for an explained list."""

import re
from pathlib import Path

import pytest
from support.registers import CTRL_EXT, RCTL, TCTL, VT_CTL, Registers

from harness.health import ModelTrace
from harness.topology import PEER, PF_HOST, PF_PCI, Lan
from harness.traffic import frames, ping

DRV_LOAD = 1 << 28
PFRSTD = 1 << 14
ENABLED = 1 << 1

PAGE = Path(__file__).parents[2] / "Documentation/registers.rst"
# A row: name, range of an array, offset, bytes between elements, access, value after a reset, and that
# of the model if it is another.
ROW = re.compile(
    r"^(?P<name>\w+)(\[(?P<first>\d+)\.\.(?P<last>\d+)\])? +"
    r"0x(?P<offset>[0-9a-f]{5,})( \+ 0x(?P<stride>[0-9a-f]+) i)? +"
    r"(?P<access>RW|RO|WO|RC|W1C|W1S|RS) +(?P<reset>\w+)(  +(?P<qemu>0x[0-9a-f]+|0))?  +\S"
)
# The address of the device, the queues that are enabled, and what the model keeps over a reset.
OTHERWISE = re.compile(r"(RAL|RAH|RXDCTL|TXDCTL)\[0\]|EITR\[\d+\]")


def documented_resets() -> dict[str, tuple[int, int]]:
    """Of each register that can be read: offset, and what a reset of the model leaves."""
    rows = [
        match for match in map(ROW.match, PAGE.read_text(encoding="utf-8").splitlines()) if match
    ]
    found = {}
    for row in rows:
        if row["access"] == "WO":
            continue
        value = int(row["qemu"] or row["reset"], 0)
        if row["first"] is None:
            found[row["name"]] = (int(row["offset"], 16), value)
            continue
        first = int(row["first"])
        for n in range(first, int(row["last"]) + 1):
            offset = int(row["offset"], 16) + int(row["stride"], 16) * (n - first)
            found[f"{row['name']}[{n}]"] = (offset, value)
    return found


@pytest.mark.driver("igb_rs")
def test_no_unknown_register(guest):
    """Over everything that programs the device: load, traffic, VFs, settings, dumps, unload."""
    trace = ModelTrace(guest)
    lan = Lan(guest)
    lan.up()
    guest.run("modprobe 8021q && ip link add link dut name dut.100 type vlan id 100")
    for command in (
        "ethtool -d dut",
        "ethtool -S dut",
        "ethtool dut",
        "ethtool -c dut",
        "ethtool -r dut",
        "ip link set dut promisc on",
        "ip link set dut promisc off",
        "ip link set dut allmulticast on",
        "ip link set dut mtu 9000",
        "ethtool -G dut rx 512",
        "ethtool -L dut combined 8",
        "ethtool -C dut rx-usecs 20",
        "ethtool -X dut equal 2",
        "ethtool -K dut rxvlan off",
        "ip link set dut down",
        "ip link set dut up",
    ):
        guest.run(command)
    lan.wait_carrier(PF_HOST)
    assert frames(guest, PF_HOST, PEER, range(60, 1515, 97)).perfect
    vfs = lan.vfs_up(7)
    assert ping(guest, vfs[6], PEER.ipv4, count=3).complete
    for setting in (
        "mac 02:00:00:00:00:10",
        "vlan 100 qos 3",
        "spoofchk off",
        "trust on",
        "max_tx_rate 100",
    ):
        assert lan.link_set(f"vf 0 {setting}").rc == 0
    guest.run("ip link set dut down && ip link set dut up")
    lan.vfs_down()
    lan.down()
    assert not trace.complaints()


def test_device_is_quiet_after_unload(lan):
    """No receiver, no transmitter, and firmware knows that no driver is there."""
    registers = Registers(lan.guest)
    running = registers.read(RCTL, TCTL, CTRL_EXT)
    assert all(value & ENABLED for value in running[:2]) and running[2] & DRV_LOAD
    lan.set_numvfs(2)
    assert registers.read(CTRL_EXT)[0] & PFRSTD
    assert registers.read(VT_CTL)[0] >> 7 & 7 >= 2
    lan.guest.unload()
    lan.guest.run("echo 1 >/sys/bus/pci/devices/0000:01:00.0/enable")
    stopped = registers.read(RCTL, TCTL, CTRL_EXT)
    lan.guest.run("echo 0 >/sys/bus/pci/devices/0000:01:00.0/enable")
    assert not any(value & ENABLED for value in stopped[:2]) and not stopped[2] & DRV_LOAD


@pytest.mark.allow_trace("e1000e_wrn_regs_read_unknown")
def test_documented_resets_are_those_of_the_model(lan):
    """All registers in Documentation/registers.rst that can be read, after a reset of the function."""
    documented = documented_resets()
    assert len(documented) > 900
    documented = {
        name: entry for name, entry in documented.items() if not OTHERWISE.fullmatch(name)
    }
    lan.guest.unload()
    pci = f"/sys/bus/pci/devices/{PF_PCI}"
    lan.guest.run(f"echo 1 >{pci}/enable && echo 1 >{pci}/reset")
    values = Registers(lan.guest).read(*(offset for offset, _ in documented.values()))
    lan.guest.run(f"echo 0 >{pci}/enable")
    wrong = {
        name: f"{value:#x} instead of {should:#x}"
        for (name, (_, should)), value in zip(documented.items(), values)
        if value != should
    }
    assert not wrong
