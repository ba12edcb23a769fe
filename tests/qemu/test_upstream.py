# SPDX-License-Identifier: GPL-2.0
"""The kernel's own selftests of network drivers, unmodified, from the kernel's source package.

FLOOR names the sub-tests that pass with the C igb driver on this device model; a driver must not
do worse. BETTER names those C igb fails.
"""

import re

import pytest
from support.upstream import MOUNT, Upstream

# irq.py sets an affinity mask that takes three processors.
pytestmark = pytest.mark.guest(smp=4)

ENVIRONMENT = {
    "NETIF": "dut",
    "LOCAL_V4": "192.0.2.1",
    "REMOTE_V4": "192.0.2.2",
    "LOCAL_V6": "2001:db8:1::1",
    "REMOTE_V6": "2001:db8:1::2",
    "LOCAL_PREFIX_V6": "2001:db8:2::0/64",
    "REMOTE_TYPE": "netns",
    "REMOTE_ARGS": "peer",
}
RESULT = re.compile(r"^(ok|not ok) \d+ (\S+)(?: # (SKIP|XFAIL).*)?$", re.MULTILINE)

FLOOR = {
    "drivers/net/ping.py": {
        "test_default_v4",
        "test_default_v6",
        "test_xdp_generic_sb",
        "test_xdp_generic_mb",
        "test_xdp_native_sb",
    },
    "drivers/net/xdp.py": {
        f"test_xdp_native_{action}_sb.{family}"
        for action in ("pass", "drop", "tx")
        for family in ("ipv4", "ipv6")
    },
    "drivers/net/queues.py": {"get_queues", "addremove_queues", "check_down", "check_xsk"},
    "drivers/net/napi_id.py": {"test_napi_id"},
    "drivers/net/hw/csum.py": {
        "ipv4_rx_tcp",
        "ipv4_rx_tcp_invalid",
        "ipv4_rx_udp",
        "ipv4_rx_udp_invalid",
        "ipv4_tx_udp_csum_offload",
        "ipv4_tx_udp_zero_checksum",
        "ipv6_rx_tcp",
        "ipv6_rx_tcp_invalid",
        "ipv6_rx_udp",
        "ipv6_rx_udp_invalid",
        "ipv6_tx_udp_csum_offload",
        "ipv6_tx_udp_zero_checksum",
    },
    "drivers/net/stats.py": {"procfs_hammer", "procfs_downup_hammer"},
    "drivers/net/ring_reconfig.py": {"channels"},
    "drivers/net/hw/nic_timestamp.py": {
        f"test_hwtstamp_{way}_{request}" for way in ("tx", "rx") for request in ("ioctl", "netlink")
    },
    "drivers/net/hw/irq.py": {"check_irqs_reported", "check_reconfig_xdp", "check_down"},
}
# Their programs are fitted to the kernel by its BTF when they are loaded.
NEED_BTF = {"drivers/net/xdp.py"}
BETTER = {
    # Statistics of the queues and of pause frames.
    "drivers/net/stats.py": {"check_pause", "pkt_byte_sum", "qstat_by_ifindex", "check_down"},
    # Programs' frames are counted as received and sent, also while the queues change.
    "drivers/net/xdp.py": {
        f"test_xdp_native_qstats.{action}_{family}"
        for action in ("pass", "drop", "tx")
        for family in ("ipv4", "ipv6")
    },
    # Rings of no descriptors are refused.
    "drivers/net/ring_reconfig.py": {"ringparam"},
    # The affinity of an interrupt is not lost with the number of queues.
    "drivers/net/hw/irq.py": {"check_reconfig_queues"},
}


def run(upstream: Upstream, script: str) -> dict[str, str]:
    """Runs one script; its sub-tests and what became of them: pass, fail, skip or xfail."""
    directory, _, name = script.rpartition("/")
    variables = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
    result = upstream.guest.run(
        f"cd {MOUNT}/tools/testing/selftests/{directory} && {variables} python3 ./{name}",
        timeout=280,
        check=False,
    )
    outcome = {}
    for verdict, case, directive in RESULT.findall(result.out):
        fate = {"SKIP": "skip", "XFAIL": "xfail"}.get(directive, "pass")
        outcome[case.split(".", 1)[1]] = "fail" if verdict == "not ok" else fate
    assert outcome, result
    print(result.out)
    return outcome


@pytest.mark.parametrize("script", FLOOR)
def test_upstream(lan, script):
    if script in NEED_BTF and not lan.guest.succeeds("test -e /sys/kernel/btf/vmlinux"):
        pytest.skip(f"{script} needs a kernel with CONFIG_DEBUG_INFO_BTF; test_xdp.py does not")
    outcome = run(Upstream(lan.guest), script)
    fates = list(outcome.values())
    print(script, {fate: fates.count(fate) for fate in ("pass", "fail", "skip", "xfail")})
    expected = FLOOR[script]
    if lan.guest.config.driver == "igb_rs":
        expected = expected | BETTER.get(script, set())
    assert {case: outcome.get(case) for case in expected} == dict.fromkeys(expected, "pass")
