# SPDX-License-Identifier: GPL-2.0
"""What concerns the board: the PHY, the PCI function, what the NVM and firmware say, module parameters.

What QEMU's model has no part for is tested on the host (tests/host/tests/all/board.rs)."""

import contextlib
import re
import time

import pytest
from support.registers import QUEUE_FILTERS, TCTL, Registers

from harness.shell import CARRIER_SECONDS
from harness.topology import PF_HOST, PF_PCI

RFCTL, WUC, GCR, SRRCTL = 0x5008, 0x5800, 0x5B00, 0xC00C
EPERM, EIO = 1, 5
# Registers of the PHY.
BMCR, PHYID1, ANAR, PORT_CTRL, POWER_MGMT = 0, 2, 4, 18, 25
LPLU_D0 = 1 << 1
DROP_EN = 1 << 31


def mii(guest, *plan) -> list[int]:
    return guest.ask("mii", "dut", value=list(plan))


def drops(guest) -> list[bool]:
    """Which of the queues that are used drop frames that they have no buffer for."""
    registers = [SRRCTL + 0x40 * queue for queue in range(2)]
    return [bool(value & DROP_EN) for value in Registers(guest).read(*registers)]


def wait_drops(guest, expected: list[bool]):
    """Waits until that is so: the link is negotiated anew first."""
    deadline = time.monotonic() + CARRIER_SECONDS
    while drops(guest) != expected:
        assert time.monotonic() < deadline, expected
        time.sleep(0.2)


def test_phy_registers(lan):
    """As mii-tool reads and writes them; above 15 there are pages."""
    assert mii(lan.guest, ["phy"], ["r", PHYID1]) == [1, 0x02A8]
    (offered,) = mii(lan.guest, ["r", ANAR])
    written = mii(lan.guest, ["w", ANAR, offered & ~0x0400], ["r", ANAR], ["w", ANAR, offered])
    assert written == [0, offered & ~0x0400, 0]
    (crossover,) = mii(lan.guest, ["r", PORT_CTRL])
    assert crossover & 0x1000
    # A register that the PHY does not have.
    assert mii(lan.guest, ["r", 24]) == [-EIO]
    # The number has five bits.
    assert mii(lan.guest, ["r", 32 + PHYID1]) == [0x02A8]


def test_phy_registers_are_for_the_administrator(lan):
    answers = lan.guest.ask("mii", "dut", "65534", value=[["phy"], ["r", PHYID1], ["w", BMCR, 0]])
    assert answers == [-EPERM] * 3


def test_there_is_no_module(lan):
    """Copper has no cage."""
    answer = lan.guest.run("ethtool -m dut", check=False)
    assert answer.rc != 0 and "not supported" in answer.err


@pytest.mark.driver("igb_rs")
def test_registers_that_silicon_needs(lan):
    rfctl, wuc, gcr, tctl = Registers(lan.guest).read(RFCTL, WUC, GCR, TCTL)
    assert rfctl == 1 << 16
    assert wuc == 0
    # Requests are not repeated. The timeout is in Device Control 2, which the model does not keep.
    assert gcr & 1 << 16 == 0 and gcr & 1 << 18 and gcr & 0xF000 == 0
    # Of the transmitter nothing was changed but what has a name.
    assert tctl == 0xA504_00FA
    lan.guest.run("echo 1 > /sys/class/net/dut/device/reset")
    lan.wait_carrier(PF_HOST)
    assert Registers(lan.guest).read(RFCTL, WUC, GCR, TCTL) == [rfctl, wuc, gcr, tctl]


@pytest.mark.driver("igb_rs")
def test_queues_wait_for_buffers_only_where_pause_is_sent(lan):
    assert drops(lan.guest) == [False, False]
    lan.guest.run("ethtool -A dut tx off")
    try:
        wait_drops(lan.guest, [True, True])
    finally:
        lan.guest.run("ethtool -A dut tx on")
    wait_drops(lan.guest, [False, False])
    # A link that is lost and comes back as it was changes nothing.
    lan.guest.qmp("set_link", name="dut0", up=False)
    lan.guest.wait_carrier("dut", None, timeout=10, up=False)
    assert drops(lan.guest) == [False, False]
    lan.guest.qmp("set_link", name="dut0", up=True)
    lan.wait_carrier(PF_HOST)
    assert drops(lan.guest) == [False, False]
    # VFs are not to be held up by a queue of the PF. It has the queues 1 and 9 then.
    lan.set_numvfs(1)
    (srrctl,) = Registers(lan.guest).read(SRRCTL + 0x40)
    assert srrctl & DROP_EN
    lan.set_numvfs(0)
    assert drops(lan.guest) == [False, False]


# What the driver calls when queues are opened anew, and when it shows a carrier.
TRACING = "/sys/kernel/tracing"
PROBES = "echo p:anew netif_device_detach; echo p:carrier netif_carrier_on"


@contextlib.contextmanager
def order(guest):
    """In which order queues were opened anew and a carrier was shown while the block ran."""
    seen = []
    guest.run(
        f"cd {TRACING} && {{ {PROBES}; }} >kprobe_events && echo 1 >events/kprobes/enable && echo >trace"
    )
    try:
        yield seen
        seen += re.findall(r" (anew|carrier): \(", guest.read(f"{TRACING}/trace"))
    finally:
        guest.run(f"cd {TRACING} && echo 0 >events/kprobes/enable && echo >kprobe_events")


@pytest.mark.driver("igb_rs")
def test_carrier_waits_for_queues_that_are_opened_anew(lan):
    """If the partner does not pause as it did, queues are opened anew, and nothing is sent that would be lost
    with them."""
    guest = lan.guest
    guest.run("ethtool -A dut tx off")
    wait_drops(guest, [True, True])
    # Nothing was agreed on that could be expected again.
    guest.run("ip link set dut down && ethtool -A dut tx on")
    for expected in (["anew", "carrier"], ["carrier"]):
        with order(guest) as seen:
            guest.run("ip link set dut up")
            lan.wait_carrier(PF_HOST)
        assert seen == expected
        assert drops(guest) == [False, False]
        guest.run("ip link set dut down")
    # Nor is anything opened anew for a partner without PAUSE.
    guest.run("ethtool -A dut tx off")
    with order(guest) as seen:
        guest.run("ip link set dut up")
        lan.wait_carrier(PF_HOST)
    assert seen == ["carrier"] and drops(guest) == [True, True]
    guest.run("ethtool -A dut tx on")
    wait_drops(guest, [False, False])


# As C igb takes them: modes 1 and 3, no mode 2.
MODES = {1: (16, "on"), 3: (50, "on"), 0: (0, "off"), 20: (20, "off")}


@pytest.mark.driver("igb_rs")
def test_modes_of_moderation(lan):
    for usecs, (shown, adaptive) in MODES.items():
        lan.guest.run(f"ethtool -C dut adaptive-rx off rx-usecs {usecs}")
        found = lan.guest.run("ethtool -c dut").out
        assert re.search(rf"Adaptive RX: {adaptive}\b", found), usecs
        assert re.search(rf"(?m)^rx-usecs:\s+{shown}$", found), usecs
    refused = lan.guest.run("ethtool -C dut rx-usecs 2", check=False)
    assert refused.rc != 0
    lan.guest.run("ethtool -C dut adaptive-rx on rx-usecs 16")


@pytest.mark.driver("igb_rs")
@pytest.mark.allow_trace(QUEUE_FILTERS)
def test_phy_is_brought_up_on_hardware(lan):
    """Once a driver: the PHY is reset and does not prefer low speeds. Not on the model, whose PHY is always
    ready and never says so."""
    guest = lan.guest
    (power,) = mii(guest, ["r", POWER_MGMT])
    for value, cleared in ((2, False), (1, True)):
        guest.unload()
        guest.load(f"controller={value}")
        guest.run(f"ip link set $(ls /sys/bus/pci/devices/{PF_PCI}/net) name dut")
        mii(guest, ["w", POWER_MGMT, power | LPLU_D0])
        guest.run("ip link set dut up")
        guest.wait_file("/sys/class/net/dut/carrier", 30, "1")
        assert mii(guest, ["r", POWER_MGMT]) == [power if cleared else power | LPLU_D0]
    # It survives what the link goes through.
    mii(guest, ["w", POWER_MGMT, power | LPLU_D0])
    guest.run("ip link set dut down && ip link set dut up")
    guest.wait_file("/sys/class/net/dut/carrier", 30, "1")
    assert mii(guest, ["r", POWER_MGMT]) == [power | LPLU_D0]
    mii(guest, ["w", POWER_MGMT, power])


@pytest.mark.allow_log("deprecated|Maximum of 7 VFs|VFs allocated|is the most there can be")
def test_vfs_by_module_parameter(lan):
    """Deprecated, and more than there are are as many as there are."""
    guest = lan.guest
    for wanted, there in ((2, 2), (9, 7)):
        guest.unload()
        mark = f"test: max_vfs={wanted}"
        guest.run(f"echo '<6>{mark}' >/dev/kmsg")
        guest.load(f"max_vfs={wanted}")
        assert guest.read(f"/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs").strip() == str(there)
        assert "deprecated" in guest.run(f"dmesg | sed '1,/{mark}/d'").out
    guest.run(f"echo 0 >/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs")


def test_debug_sets_the_message_level(lan):
    """How many kinds of messages, from the first on; else the usual ones."""
    guest = lan.guest
    name = f"$(ls /sys/bus/pci/devices/{PF_PCI}/net)"
    usual = re.search(r"message level: (0x\w+)", guest.run(f"ethtool {name}").out)[1]
    for value, level in (("0", "0x00000000"), ("4", "0x0000000f"), ("32", usual)):
        guest.unload()
        guest.load(f"debug={value}")
        assert f"message level: {level}" in guest.run(f"ethtool {name}").out, value
