# SPDX-License-Identifier: GPL-2.0
"""tests/silicon/try-card, which the owner of a card runs: here with two ports of the model on one wire. What can
be tried on the model is, and C igb has its ports back, whatever ends the program."""

import re
from pathlib import Path

import pytest

from harness.topology import PF_PCI

SECOND = "0000:02:00.0"
FILES = Path(__file__).parents[1] / "silicon"
STATE = "/run/igb_rs-try-card.json"
RUN = f"/tmp/silicon/try-card --module /payload/igb_rs.ko --for 4 --report /tmp/report {PF_PCI} {SECOND}"

# What QEMU's model has no part for.
NOT_TRIED = {"The SFP module": "not supported"}

pytestmark = [
    pytest.mark.driver("igb_rs"),
    pytest.mark.guest(duts=2, peer=None),
    # What C igb reads and writes.
    pytest.mark.allow_trace("e1000e_wrn_regs_(read|write)_unknown"),
]


@pytest.fixture
def ports(guest):
    """Two ports that C igb has, and the program."""
    for path in FILES.iterdir():
        if path.is_file():
            guest.put(f"/tmp/silicon/{path.name}", path.read_bytes(), 0o755)
    guest.run("modprobe igbvf && modprobe igb")
    guest.wait_file(f"/sys/bus/pci/drivers/igb/{SECOND}/vendor", 20)
    yield guest
    guest.run("modprobe -r igb; modprobe -r igbvf; true")


def are_back(guest) -> bool:
    overrides = [
        guest.read(f"/sys/bus/pci/devices/{pci}/driver_override") for pci in (PF_PCI, SECOND)
    ]
    drivers = guest.run(f"ls -d /sys/bus/pci/drivers/igb/{{{PF_PCI},{SECOND}}}", check=False)
    return (
        [text.strip() for text in overrides] == ["(null)"] * 2
        and drivers.rc == 0
        and not guest.succeeds("test -e /sys/module/igb_rs")
        and not guest.succeeds(f"test -e {STATE}")
        and not guest.run("ip netns list").out.strip()
    )


def test_card_is_tried(ports):
    result = ports.run(RUN, timeout=300, check=False)
    report = ports.read("/tmp/report")
    assert result.rc == 0, result.text + report
    verdicts = dict(re.findall(r"^(\S.*?) +\d+\.\d s  (.*)$", result.out, re.M))
    assert len(verdicts) == 12
    for title, verdict in verdicts.items():
        words = next((text for name, text in NOT_TRIED.items() if title == name), None)
        assert words in verdict if words else verdict == "ok", (title, verdict)
    assert "RFCTL     0x00010000" in report and "TCP from the far port" in report
    assert not re.search(r"(?i)[0-9a-f]{2}(:[0-9a-f]{2}){5}", report)
    assert are_back(ports)


@pytest.mark.parametrize("signal", ("TERM", "KILL"))
def test_ports_are_given_back(ports, signal):
    job = ports.start(RUN)
    ports.wait_file(STATE, 30)
    ports.wait_file(f"/sys/bus/pci/drivers/igb_rs/{SECOND}/vendor", 60)
    ports.run(f"pkill -{signal} -f silicon/try-card")
    job.wait(check=False)
    if signal == "KILL":
        assert not are_back(ports)
        ports.run("/tmp/silicon/try-card --give-back")
    assert are_back(ports)


def test_ports_in_use_are_left_alone(ports):
    name = ports.run(f"ls /sys/bus/pci/devices/{PF_PCI}/net").out.strip()
    ports.run(f"ip address add 192.0.2.7/24 dev {name}")
    for port, words in ((PF_PCI, "is in use"), ("0000:00:00.0", "no 82576"), ("03:00.0", "no PCI")):
        result = ports.run(f"/tmp/silicon/try-card {port}", check=False)
        assert result.rc == 1 and words in result.err, result
    assert are_back(ports)
    ports.run(f"ip address flush dev {name}")
