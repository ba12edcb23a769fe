# SPDX-License-Identifier: GPL-2.0
"""What a port is after something has gone wrong with it; and lists of addresses that cannot be had."""

import pytest
from support import counters
from support.life import DEVICE, works
from support.mailbox import raw_vfs

from harness.health import KernelLog
from harness.tally import uncounted
from harness.topology import PF_PCI

pytestmark = pytest.mark.driver("igb_rs")


def resets(guest) -> int:
    return dict(counters.ethtool(guest))["resets"]


def test_looked_at_again_after_vfs_came_or_went(lan):
    """The controller did not answer for a moment, as it may when VFs come or go. It is not taken for gone,
    and needs no reset."""
    guest = lan.guest
    tries = 5
    with uncounted():
        for _ in range(tries):
            raw_vfs(lan, 2)
            before = resets(guest)
            guest.run(
                f"""setpci -s {PF_PCI} COMMAND=0:2 && ethtool -S dut | grep -q rx_good
                setpci -s {PF_PCI} COMMAND=2:2 && echo 0 >{DEVICE}/sriov_numvfs"""
            )
            # Whoever looks next would have it reset, which comes with a number of VFs.
            assert works(lan)
            # Unless the look that comes every two seconds came in between.
            if resets(guest) == before:
                break
        else:
            pytest.fail(f"reset in each of {tries} tries")


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
