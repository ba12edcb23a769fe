# SPDX-License-Identifier: GPL-2.0
"""Rules of `ethtool -N`: which frames go to a queue. The device model has none of the filters, so it is
what they are told that is looked at."""

import re

import pytest
from support.registers import QUEUE_FILTERS, Registers

from harness.topology import PEER, PF_HOST
from harness.traffic import ping

pytestmark = [
    pytest.mark.driver("igb_rs"),  # C igb has no rules on this controller
    pytest.mark.allow_trace(QUEUE_FILTERS),
]

UNKNOWN = re.compile(r"regs_write_unknown .*register 0x(\w+), 4 byte\(s\), value: 0x(\w+)")
ETQF, FTQF = range(0x5CB0, 0x5CD0, 4), range(0x59E0, 0x5A00, 4)
# Of the clock.
RESERVED = 3
LLDP = "flow-type ether proto 0x88cc action 1"
WEB = "flow-type tcp4 dst-ip 192.0.2.1 dst-port 80 action 1"
# A rule, and words of the reason.
REFUSED = {
    "flow-type tcp4 dst-port 80 action 2 loc 1": "Invalid argument",
    "flow-type tcp4 dst-port 80 action 0 loc 14": "Invalid argument",
    "flow-type tcp4 dst-ip 192.0.2.0 m 0.0.0.255 action 0 loc 1": "Invalid argument",
    "flow-type tcp4 dst-port 80 action -1 loc 1": "not supported",
    "flow-type tcp4 tos 1 action 0 loc 1": "not supported",
    "flow-type tcp6 dst-port 80 action 0 loc 1": "not supported",
    "flow-type ether proto 0x0800 action 0 loc 1": "not supported",
    "flow-type ether proto 0x88f7 action 0 loc 1": "not supported",
    "flow-type ether dst 02:00:00:00:00:01 action 0 loc 1": "not supported",
    f"{WEB} vlan 5 loc 1": "not supported",
}


def test_rules(silicon):
    guest = silicon.guest

    def types() -> list[int]:
        return [value for value in Registers(guest).read(*ETQF) if value]

    start = guest.machine.trace_log.stat().st_size
    guest.run(f"ethtool -N dut {WEB} loc 2")
    with open(guest.machine.trace_log, encoding="utf-8", errors="replace") as log:
        log.seek(start)
        written = {int(m[1], 16): int(m[2], 16) for m in map(UNKNOWN.search, log) if m}
    # Queue 1, TCP; neither pool, nor address and port of the source.
    assert written[FTQF[0]] == 0xA0018106 and FTQF[RESERVED] not in written, written
    guest.run(f"ethtool -N dut {LLDP}")
    assert types() == [0x840188CC]
    shown = guest.run("ethtool -n dut").out
    assert "Total 2 rules" in shown and "Filter: 2" in shown, shown
    assert re.search(r"TCP over IPv4(?s:.)*Dest IP addr: 192.0.2.1 mask: 0.0.0.0", shown), shown
    assert re.search(r"Dest port: 80 mask: 0x0\n(?s:.)*Action: Direct to queue 1", shown), shown
    assert "Ethertype: 0x88CC mask: 0x0" in shown, shown
    guest.run("echo 1 > /sys/class/net/dut/device/reset")
    assert types() == [0x840188CC]
    for rule, reason in REFUSED.items():
        refused = guest.run(f"ethtool -N dut {rule}", check=False)
        assert refused.rc and reason in refused.err, (rule, refused)
    assert guest.run("ethtool -n dut").out == shown
    # A queue that a rule names stays.
    assert guest.run("ethtool -L dut combined 1", check=False).rc
    # With VFs the filters would take frames away from them.
    silicon.vfs_up(1)
    assert not types()
    refused = guest.run(f"ethtool -N dut {LLDP} loc 1", check=False)
    assert "busy" in refused.err, refused
    silicon.vfs_down()
    assert types() == [0x840188CC]
    guest.run("ethtool -N dut delete 2")
    assert guest.run("ethtool -N dut delete 2", check=False).rc
    assert "Total 1 rules" in guest.run("ethtool -n dut").out
    guest.run("ethtool -K dut ntuple off && ethtool -K dut ntuple on")
    assert "Total 0 rules" in guest.run("ethtool -n dut").out and not types()
    silicon.wait_carrier(PF_HOST)
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete


def test_a_model_without_filters_has_no_rules(lan):
    """A rule that is accepted and does nothing would mislead."""
    refused = lan.guest.run(f"ethtool -N dut {WEB} loc 0", check=False)
    assert refused.rc and "not supported" in refused.err, refused
    assert "ntuple-filters: off [fixed]" in lan.guest.run("ethtool -k dut").out
