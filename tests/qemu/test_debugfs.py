# SPDX-License-Identifier: GPL-2.0
"""What the administrator sees of mailboxes and filters in debugfs."""

import pytest
from support import ONE_CPU
from support.debugfs import DIRECTORY, show
from support.mailbox import NACK, SET_MAC_ADDR, SET_VLAN, VF_RESET, address, message, raw_vfs

from harness.topology import PF_HOST, PF_PCI

pytestmark = [ONE_CPU, pytest.mark.driver("igb_rs")]

MAC = "02:00:00:00:00:10"


def test_messages(lan):
    """Each message with its answer, and why it was refused; resets; the oldest first."""
    vf, _ = raw_vfs(lan, 2)
    vf.handshake()
    vf.ask(message(SET_MAC_ADDR, 0, *address("01:00:00:00:00:01")))
    vf.ask([0x7F, 0, 0])
    heading, *lines = show(lan, "mailbox")
    assert int(heading.split()[0]) >= len(lines)
    mine = [line.split(": ", 1)[1] for line in lines if " VF 0: " in line]
    handshake = mine.index(f"{VF_RESET:#010x} 0x00000000 0x00000000 -> {VF_RESET | NACK:#010x}")
    bad, unknown = mine[handshake + 1 :]
    assert bad.startswith(f"{SET_MAC_ADDR:#010x} 0x00000001 0x00000100 -> ")
    assert bad.endswith("(invalid address)")
    assert unknown.startswith("0x0000007f 0x00000000 0x00000000 -> ") and "(malformed: " in unknown
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times) and times[0] > 0


def test_messages_are_kept_within_bounds(lan):
    vf, _ = raw_vfs(lan, 2)
    vf.handshake()
    vf.ask(*(message(SET_VLAN, 1, 5) for _ in range(70)))
    heading, *lines = show(lan, "mailbox")
    assert len(lines) == 64
    assert int(heading.split()[0]) > 70
    assert all(" VF 0: " in line for line in lines)


def test_filters(lan):
    """Who owns an address and a VLAN, and the registers that changed for it."""
    first, second = raw_vfs(lan, 2)
    lan.guest.run("echo 1 >/sys/class/net/dut/device/reset")
    assert lan.link_set(f"vf 0 mac {MAC}").rc == 0
    first.handshake()
    second.handshake()
    second.ask(message(SET_VLAN, 1, 7))
    lines = show(lan, "filters")
    vlans = lines.index("VLANs:")
    changes = next(n for n, line in enumerate(lines) if "changes of registers" in line)
    assert lines[0] == "addresses:"
    assert lines[1].startswith("RAR 0: ") and lines[1].endswith(" PF")
    assert [line for line in lines[2:vlans] if line.endswith(f" {MAC} VF 0")]
    assert [
        line
        for line in lines[vlans:changes]
        if line.startswith("VLVF ") and line.endswith(": 7 VF 1")
    ]
    registers = [line.split()[1] for line in lines[changes + 1 :]]
    assert any(name.startswith("RAH[") for name in registers)
    assert any(name.startswith("VLVF[") for name in registers)
    assert "VFRE" in registers
    # One line stands for all of a reset.
    assert "all," in registers and len(registers) <= 128


def test_rate_limit_is_for_the_speed_of_the_link(lan):
    """The device model has no registers for it, so what was written to them is looked at."""
    raw_vfs(lan, 2)
    lan.wait_carrier(PF_HOST)
    assert lan.link_set("vf 0 max_tx_rate 100").rc == 0
    written = [line.split()[-1] for line in show(lan, "filters") if " RTTBCNRC = " in line]
    # A tenth of 1000 Mb/s, with 14 bits of fraction; and next to nothing for the second queue.
    assert written[-2:] == ["0x80028000", "0x8fffffff"]


def test_gone_with_the_driver(lan):
    guest = lan.guest
    assert show(lan, "filters")
    guest.run(f"echo {PF_PCI} >/sys/bus/pci/drivers/igb_rs/unbind")
    assert guest.run(f"test -e {DIRECTORY}", check=False).rc != 0
    guest.run(f"echo {PF_PCI} >/sys/bus/pci/drivers/igb_rs/bind")
    assert show(lan, "filters")


def test_an_open_file_keeps_the_module(lan):
    """Its code is needed until the file is closed; the device can be taken away meanwhile."""
    guest = lan.guest
    show(lan, "filters")
    reader = guest.start(f"exec sleep 60 <{DIRECTORY}/filters", timeout=60)
    guest.wait_until("ls -l /proc/[0-9]*/fd/0 2>/dev/null | grep -q filters", 10)
    guest.run(f"echo {PF_PCI} >/sys/bus/pci/drivers/igb_rs/unbind")
    assert "in use" in guest.run("rmmod igb_rs", check=False).err
    reader.kill()
    guest.wait_until("rmmod igb_rs", 10)
