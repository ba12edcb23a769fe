# SPDX-License-Identifier: GPL-2.0
"""What `ethtool` sets and refuses with a reason, and its self-tests."""

import json
import re

import pytest
from support.life import works
from support.mailbox import raw_vfs
from support.registers import (
    CTRL,
    CTRL_RFCE,
    CTRL_TFCE,
    CTRL_VME,
    MRQC,
    MRQC_TCP4,
    MRQC_TCP6,
    MRQC_UDP4,
    MRQC_UDP6,
    RETA,
    RSSRK,
    RXCSUM,
    RXCSUM_OFFLOADS,
    Registers,
    eitr,
)

from harness.topology import PEER, PF_HOST
from harness.traffic import ping

pytestmark = pytest.mark.driver("igb_rs")

EBUSY = 16

# Command line, and words of the reason the user is told.
REFUSALS = {
    "-G dut rx 0": "64 to 4096",
    "-G dut tx 63": "64 to 4096",
    "-G dut rx 4097": "exceeds maximum",
    "-L dut combined 9": "exceeds maximum",
    "-L dut other 0": "Invalid argument",
    "-C dut rx-usecs 8192": "4 to 8191",
    "-C dut rx-usecs 2": "or a mode: 1 or 3",
    "-C dut tx-usecs 5": "unsupported parameter",
    "-X dut weight 1 1 1": "",
    "-N dut rx-flow-hash tcp4 s": "Invalid argument",
    "-N dut rx-flow-hash ah4 sdfn": "Invalid argument",
    "-N dut rx-flow-hash udp4 s": "Invalid argument",
    "-s dut wol a": "unsupported WoL",
    "-s dut speed 2500 autoneg off": "Invalid argument",
    "-s dut speed 1000 duplex half autoneg off": "Invalid argument",
    "-s dut autoneg on advertise 0x1000": "Invalid argument",
    "-E dut magic 0x10c98086 offset 0 value 1": "not supported",
}

# A setting, what shows it, what is shown then, and what sets it back.
SETTINGS = {
    "ring sizes round up": (
        "-G dut rx 65 tx 2050",
        "-g dut",
        r"(?s)Current.*RX:\s+128.*TX:\s+4096",
        "-G dut rx 256 tx 256",
    ),
    "moderation": (
        "-C dut adaptive-rx off rx-usecs 8191",
        "-c dut",
        r"(?s)Adaptive RX: off.*rx-usecs:\s+8191",
        "-C dut adaptive-rx on rx-usecs 50",
    ),
    "pause": ("-A dut rx off", "-a dut", r"(?s)RX:\s+off.*TX:\s+on", "-A dut rx on"),
    "forced pause": (
        "-A dut autoneg off rx on tx off",
        "-a dut",
        r"(?s)Autonegotiate:\s+off.*RX:\s+on.*TX:\s+off",
        "-A dut autoneg on rx on tx on",
    ),
    "one queue": (
        "-X dut weight 0 1",
        "-x dut",
        r"(?s)0:\s+1( +1)+.*120:\s+1( +1)+\n",
        "-X dut default",
    ),
    "key": ("-X dut hkey " + ":".join(["5a"] * 40), "-x dut", r"5a(:5a){39}\n", "-X dut default"),
    "UDP ports": (
        "-N dut rx-flow-hash udp6 sdfn",
        "-n dut rx-flow-hash udp6",
        "L4 bytes 0",
        "-N dut rx-flow-hash udp6 sd",
    ),
    "TCP addresses": (
        "-N dut rx-flow-hash tcp4 sd",
        "-n dut rx-flow-hash tcp4",
        r"IP SA\nIP DA\n\s*$",
        "-N dut rx-flow-hash tcp4 sdfn",
    ),
    "wake": ("-s dut wol pumb", "dut", "Wake-on: pumb\n", "-s dut wol g"),
    "message level": ("-s dut msglvl 0x7", "dut", r"message level: 0x00000007", "-s dut msglvl 4"),
    "forced speed": (
        "-s dut speed 10 duplex half autoneg off",
        "dut",
        r"(?s)Speed: 10Mb/s.*Duplex: Half.*Auto-negotiation: off",
        "-s dut autoneg on",
    ),
    "gigabit is negotiated": (
        "-s dut speed 1000 duplex full autoneg off",
        "dut",
        r"(?s)Advertised link modes:  1000baseT/Full\n.*Auto-negotiation: on",
        "-s dut autoneg on advertise 0x2f",
    ),
    "crossover": ("-s dut mdix on", "dut", r"MDI-X: .*forced", "-s dut mdix auto"),
}


# What some of them are in registers: offset, mask, value.
EITR_USECS = 0x7FFC
IN_REGISTERS = {
    "moderation": [(eitr(vector), EITR_USECS, 8191 << 2) for vector in (1, 2)],
    "forced pause": [(CTRL, CTRL_RFCE | CTRL_TFCE, CTRL_RFCE)],
    "one queue": [(RETA, 0xFFFFFFFF, 0x01010101)],
    "key": [(RSSRK, 0xFFFFFFFF, 0x5A5A5A5A)],
    "UDP ports": [(MRQC, MRQC_UDP4 | MRQC_UDP6, MRQC_UDP6)],
    "TCP addresses": [(MRQC, MRQC_TCP4 | MRQC_TCP6, MRQC_TCP6)],
}


def assert_in_registers(lan, name: str):
    if name not in IN_REGISTERS:
        return
    # Pause is a matter of the link.
    lan.wait_carrier(PF_HOST)
    for offset, mask, value in IN_REGISTERS[name]:
        (found,) = Registers(lan.guest).read(offset)
        assert found & mask == value, f"{name}: {offset:#x} is {found:#x}"


def self_test(guest, mode: str) -> dict[str, int]:
    """Results of the tests by the first word of their names; 0 is a pass."""
    report = guest.run(f"ethtool -t dut {mode}", timeout=60, check=False)
    results = {
        name.lower(): int(code)
        for name, code in re.findall(r"^(\w+) test .*\t\s*(\d+)$", report.out, re.M)
    }
    assert len(results) == 5, report.text
    assert ("result is PASS" in report.out) == (not any(results.values())), report.text
    return results


def counters(guest) -> dict[str, int]:
    return {
        name: int(value)
        for name, value in re.findall(r"^ +(\S+): (\d+)$", guest.run("ethtool -S dut").out, re.M)
    }


def standard(guest, group: str) -> dict:
    (report,) = json.loads(guest.run(f"ethtool --json -S dut --groups {group}").out)
    return report[group]


def registers(guest) -> dict[int, int]:
    """The register dump: offset and value."""
    guest.run("ethtool -d dut raw on > /tmp/registers")
    pairs = guest.run("od -An -v -tu4 -w8 /tmp/registers").out.splitlines()
    return {int(offset): int(value) for offset, value in map(str.split, pairs)}


def test_refused_with_a_reason(lan):
    look = "ethtool -g dut; ethtool -l dut; ethtool -c dut; ethtool -x dut; ethtool dut"
    before = lan.guest.run(look).out
    answers = {command: lan.guest.run(f"ethtool {command}", check=False) for command in REFUSALS}
    wrong = {
        command: answer.text
        for command, answer in answers.items()
        if answer.rc == 0 or REFUSALS[command] not in answer.err
    }
    assert not wrong
    assert lan.guest.run(look).out == before


@pytest.mark.parametrize("name", SETTINGS)
def test_set_and_survives_a_reset(lan, name):
    change, look, shown, restore = SETTINGS[name]
    lan.guest.run(f"ethtool {change}")
    try:
        assert re.search(shown, lan.guest.run(f"ethtool {look}").out)
        assert_in_registers(lan, name)
        lan.guest.run(
            "ip link set dut down; echo 1 > /sys/class/net/dut/device/reset; ip link set dut up"
        )
        assert re.search(shown, lan.guest.run(f"ethtool {look}").out)
        assert_in_registers(lan, name)
    finally:
        lan.guest.run(f"ethtool {restore}")
    assert works(lan)


def test_features_survive_a_reset(lan):
    """The controller strips tags and verifies checksums, or does neither."""
    for state, wanted in (("off", (0, 0)), ("on", (CTRL_VME, RXCSUM_OFFLOADS))):
        lan.guest.run(f"ethtool -K dut rxvlan {state} rx {state}")
        for reset in ("true", "echo 1 > /sys/class/net/dut/device/reset"):
            lan.guest.run(reset)
            ctrl, rxcsum = Registers(lan.guest).read(CTRL, RXCSUM)
            assert (ctrl & CTRL_VME, rxcsum & RXCSUM_OFFLOADS) == wanted, (state, reset)
    assert works(lan)


def test_queues_are_counted_and_spread_over(lan):
    lan.guest.run("ethtool -X dut weight 0 1; ethtool -X dut default; ethtool -L dut combined 3")
    try:
        table = lan.guest.run("ethtool -x dut").out
        assert "with 3 RX ring(s)" in table and re.search(r"    0:      0     1     2     0", table)
        assert ping(lan.guest, PEER, PF_HOST.ipv4).complete
        counted = counters(lan.guest)["rx_queue_2_packets"]
    finally:
        lan.guest.run("ethtool -L dut combined 2")
    assert "with 2 RX ring(s)" in lan.guest.run("ethtool -x dut").out
    assert counters(lan.guest)["rx_queue_2_packets"] >= counted


def test_counters_count(lan):
    before, mac = counters(lan.guest), standard(lan.guest, "eth-mac")
    sizes = standard(lan.guest, "rmon")
    assert ping(lan.guest, PEER, PF_HOST.ipv4, count=10, size=200).complete
    after, now = counters(lan.guest), standard(lan.guest, "eth-mac")
    for name in ("rx_good", "tx_good", "rx_128_255", "tx_128_255"):
        assert after[name] - before[name] >= 10, name
    assert (
        sum(
            value - before[name]
            for name, value in after.items()
            if re.fullmatch(r"rx_queue_\d_packets", name)
        )
        >= 10
    )
    assert now["FramesReceivedOK"] - mac["FramesReceivedOK"] >= 10
    assert standard(lan.guest, "rmon") != sizes


def test_counters_of_vfs(lan):
    """Of all there can be, all 0 if they are not there."""
    before = counters(lan.guest)
    assert {"vf0_rx_packets", "vf6_msg_reset", "vf0_refused_address_in_use"} <= set(before)
    assert not any(value for name, value in before.items() if name.startswith("vf"))
    for vf in raw_vfs(lan, 2):
        vf.handshake()
    names = counters(lan.guest)
    assert names.keys() == before.keys() and names["vf1_msg_reset"] == 1
    assert max(map(len, names)) < 32


def test_register_dump_is_pairs_of_offset_and_value(lan):
    shown = registers(lan.guest)
    assert shown[0x0008] & 2  # STATUS.LU
    assert shown[0x0100] & 2  # RCTL.EN
    mac = lan.guest.read("/sys/class/net/dut/address").strip()
    assert shown[0x5400].to_bytes(4, "little") == bytes.fromhex(mac.replace(":", ""))[:4]


def test_nvm_is_shown_at_any_offset(lan):
    lan.guest.run(
        "ethtool -e dut raw on > /tmp/nvm; ethtool -e dut raw on offset 5 length 131 > /tmp/part"
    )
    whole, part = (
        bytes.fromhex(lan.guest.run(f"od -An -v -tx1 /tmp/{name}").out.replace("\n", ""))
        for name in ("nvm", "part")
    )
    assert part == whole[5 : 5 + 131]
    words = (int.from_bytes(whole[n : n + 2], "little") for n in range(0, 128, 2))
    assert sum(words) % 0x10000 == 0xBABA


def test_lamp_is_left_as_it_was(lan):
    ledctl = 0x0E00
    before = registers(lan.guest)[ledctl]
    job = lan.guest.start("ethtool -p dut 2")
    lan.guest.run("sleep 1")
    assert registers(lan.guest)[ledctl] == 0x8E8E8E8E  # on and blinking, all four
    job.wait()
    assert registers(lan.guest)[ledctl] == before


@pytest.mark.parametrize("up", (True, False), ids=("up", "down"))
def test_self_test_passes(lan, up):
    if not up:
        lan.guest.run("ip link set dut down")
    assert not any(self_test(lan.guest, "offline").values())
    lan.guest.run("ip link set dut up")
    lan.wait_carrier(PF_HOST)
    assert not any(self_test(lan.guest, "online").values())
    assert works(lan)


def test_self_test_amid_traffic(lan):
    job = lan.guest.start(f"ping -q -f -w 20 {PF_HOST.ipv4}", netns=PEER.netns)
    for _ in range(3):
        assert not any(self_test(lan.guest, "offline").values())
    job.kill()
    assert works(lan)


def test_self_test_finds_a_dead_link(lan):
    lan.guest.qmp("set_link", name="dut0", up=False)
    try:
        results = self_test(lan.guest, "offline")
    finally:
        lan.guest.qmp("set_link", name="dut0", up=True)
    assert results["link"] != 0
    assert results["register"] == results["interrupt"] == results["nvm"] == 0
    lan.wait_carrier(PF_HOST)


def test_offline_self_test_spares_vfs(lan):
    (vf,) = lan.vfs_up(1)
    job = lan.guest.start(f"ping -n -q -i 0.1 -c 50 {PF_HOST.ipv4}", netns=vf.netns)
    results = self_test(lan.guest, "offline")
    assert results["register"] == results["interrupt"] == results["loopback"] == EBUSY
    assert results["nvm"] == results["link"] == 0
    assert " 0% packet loss" in job.wait().out
    lan.vfs_down()


@pytest.mark.guest(cmdline="pci=nomsi")
def test_self_test_with_one_interrupt(lan):
    assert not any(self_test(lan.guest, "offline").values())
    assert works(lan)
