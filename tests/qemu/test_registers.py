# SPDX-License-Identifier: GPL-2.0
"""The driver touches only registers the device model knows, but for an explained list."""

import re

import pytest
from support.mailbox import raw_vfs
from support.registers import (
    ALL_ACCESSES,
    CTRL,
    CTRL_EXT,
    DRV_LOAD,
    MRQC,
    RCTL,
    TCTL,
    VT_CTL,
    Registers,
    accesses,
    documented,
)

from harness.health import ModelTrace
from harness.topology import PEER, PF_HOST, PF_PCI, Lan
from harness.traffic import frames, ping

PFRSTD = 1 << 14
ENABLED = 1 << 1
CTRL_RST = 1 << 26
RXDCTL, TXDCTL = (range(base + 0x28, base + 0x400, 0x40) for base in (0xC000, 0xE000))
QUEUE_ENABLED = 1 << 25
# Packets that a VF has received, and all that is counted for VFs: also what their queues have dropped.
VF_PACKETS = range(0x10010, 0x10710, 0x100)
VF_COUNTERS = (*range(0x10000, 0x10800, 4), *range(0xC030, 0xC430, 0x40))

# The address of the device, the queues that are enabled, what the model keeps over a reset, and a clock
# that runs in the model without being told to.
OTHERWISE = re.compile(r"(RAL|RAH|RXDCTL|TXDCTL)\[0\]|EITR\[\d+\]|SYSTIM[LH]")


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
    readable = {
        name: (register.offset, int(register.reset, 0))
        for name, register in documented().items()
        if register.access != "WO"
    }
    assert len(readable) > 900
    readable = {name: entry for name, entry in readable.items() if not OTHERWISE.fullmatch(name)}
    lan.guest.unload()
    pci = f"/sys/bus/pci/devices/{PF_PCI}"
    lan.guest.run(f"echo 1 >{pci}/enable && echo 1 >{pci}/reset")
    values = Registers(lan.guest).read(*(offset for offset, _ in readable.values()))
    lan.guest.run(f"echo 0 >{pci}/enable")
    wrong = {
        name: f"{value:#x} instead of {should:#x}"
        for (name, (_, should)), value in zip(readable.items(), values)
        if value != should
    }
    assert not wrong


@pytest.mark.driver("igb_rs")
@pytest.mark.allow_trace(ALL_ACCESSES)
def test_nothing_is_received_before_it_is_known_for_whom(lan):
    """After a reset: no queue runs and the receiver is off until it is written how frames are spread over
    pools and queues."""
    raw_vfs(lan, 2)
    with accesses(lan.guest) as seen:
        lan.guest.run("echo 1 >/sys/class/net/dut/device/reset")
        lan.wait_carrier(PF_HOST)
    writes = [(offset, value) for kind, offset, value in seen if kind == "w"]
    resets = [n for n, (offset, value) in enumerate(writes) if offset == CTRL and value & CTRL_RST]
    after = writes[resets[-1] + 1 :]
    spread = next(n for n, (offset, _) in enumerate(after) if offset == MRQC)
    running = [
        n
        for n, (offset, value) in enumerate(after)
        if (offset == RCTL and value & ENABLED)
        or (offset in (*RXDCTL, *TXDCTL) and value & QUEUE_ENABLED)
    ]
    print(f"{len(after)} writes: MRQC is number {spread}, what has something run {running[0]}")
    assert spread < running[0]
    assert any(after[n][0] == RCTL for n in running)


@pytest.mark.driver("igb_rs")
@pytest.mark.allow_trace(ALL_ACCESSES)
def test_the_split_takes_few_accesses_in_a_row(lan):
    """Where interrupts are off, which is while nothing is received: reads are slow, and VFs of other ports
    wait. Only the counters of VFs are read then with interrupts on in between: they begin when nothing is
    received that could be counted."""
    for vfs in (7, 0):
        with accesses(lan.guest) as seen:
            assert lan.set_numvfs(vfs).rc == 0
        enables = [
            (n, bool(value & ENABLED))
            for n, (kind, offset, value) in enumerate(seen)
            if (kind, offset) == ("w", RCTL)
        ]
        off = next(n for n, on in enables if not on)
        on = next(n for n, on in enables if on and n > off)
        reads = [offset for kind, offset, _ in seen[off:on] if kind == "r"]
        assert set(reads) >= set(VF_PACKETS), "each VF's counters begin in between"
        others = [offset for offset in reads if offset not in VF_COUNTERS]
        row = on - off - len(reads) + len(others)
        print(f"{vfs} VFs: {row} accesses in a row, {len(others)} of them reads")
        assert len(others) < 30 and row < 500
