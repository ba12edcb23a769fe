# SPDX-License-Identifier: GPL-2.0
"""The harness itself: a judge that cannot say no proves nothing."""

import hashlib
import time

import pytest
from support.rules import breaking

from harness import CommandFailed
from harness.health import KernelLog, ModelTrace, stalled_pools
from harness.topology import PEER, PF_HOST, PF_PCI
from harness.traffic import frames, is_silent, mac_of, ping


def test_results_come_back_exactly(guest):
    result = guest.run("printf 'out\\377'; echo err >&2; exit 3", check=False)
    assert (result.rc, result.out, result.err) == (3, "out\udcff", "err\n")
    with pytest.raises(CommandFailed):
        guest.run("false")


def test_timeout_kills_the_whole_group(guest):
    result = guest.run("sleep 1000 & sleep 1000", timeout=1, check=False)
    assert result.timed_out
    guest.wait_until("! pgrep -x sleep", 5)


def test_commands_run_at_once(guest):
    begin = time.monotonic()
    jobs = [guest.start("sleep 3") for _ in range(4)]
    for job in jobs:
        job.wait()
    assert time.monotonic() - begin < 9


def test_the_kernel_asked_for_and_no_other_driver(guest):
    assert guest.run("uname -r").text == guest.config.boots.release
    other = {"igb_rs": "igb", "igb": "igb_rs"}[guest.config.driver]
    assert not guest.succeeds(f"test -d /sys/module/{other}")


def test_process_substitution_works(guest):
    assert guest.run("cat <(echo yes)").text == "yes"


def test_a_worker_that_dies_or_hangs_is_replaced(guest):
    with pytest.raises(CommandFailed) as failure:
        guest.ask("steps", value=[("wait", "/nowhere", None, False, 100)], timeout=1)
    assert failure.value.result.timed_out
    job = guest.start_ask("steps", value=[("wait", "/nowhere", None, False, 100)])
    job.kill()
    assert job.wait(check=False).rc == -9
    assert guest.batch([("exists", "/proc"), ("exists", "/nowhere")]) == [True, False]


def test_files_and_their_errors(guest):
    path = "/tmp/harness test"
    data = bytes(range(256)) * 10_000
    guest.put(path, data)
    assert guest.run(f"sha256sum '{path}'").out.split()[0] == hashlib.sha256(data).hexdigest()
    assert guest.write(path, "one\ntwo\n").rc == 0 and guest.read(path) == "one\ntwo"
    guest.wait_file(path, 5, "^two$")
    with pytest.raises(TimeoutError):
        guest.wait_file(path, 0.1, "^three$")
    refused = guest.write("/sys/bus/pci/devices/0000:01:00.0/enable", "x")
    assert refused.rc and "Invalid argument" in refused.err
    with pytest.raises(CommandFailed, match="No such file"):
        guest.read("/nowhere")


@pytest.mark.allow_log("harness test report")
def test_kernel_reports_are_seen(guest):
    log = KernelLog(guest, "deliberate")
    guest.run("echo '<4>WARNING: harness test report' >/dev/kmsg")
    assert len(log.complaints()) == 1
    assert not log.complaints(["harness test report"])


REMOVED = (
    "WARNING: drivers/pci/remove.c:1 at pci_stop_and_remove_bus_device+0x1/0x2",
    "Call Trace:",
    "sriov_disable+0x1/0x2",
)
RACE = "BUG: KCSAN: data-race in one / other", "write to 0x1 of 4 bytes by task 1 on cpu 0:"


@pytest.mark.allow_log("drivers/pci/remove.c|KCSAN: data-race in one")
@pytest.mark.parametrize(
    "report, complaints",
    [
        ((*REMOVED, "pci_device_remove+0x1/0x2", "---[ end trace 0000000000000000 ]---"), 0),
        ((*REMOVED, "igb_configure+0x1/0x2", "---[ end trace 0000000000000000 ]---"), 1),
        ((*RACE, "one+0x1/0x2", "=" * 66), 0),
        ((*RACE, "one+0x1/0x2 [igb_rs]", "=" * 66), 1),
        (RACE, 1),
    ],
    ids=["unbound", "by the driver", "race elsewhere", "race in the driver", "no end"],
)
def test_reports_of_others_are_known_by_their_stack(guest, report, complaints):
    log = KernelLog(guest, "somebody's")
    for line in report:
        guest.run(f"echo '<4>{line}' >/dev/kmsg")
    assert len(log.complaints()) == complaints


def test_pages_that_do_not_come_back_are_seen(guest):
    assert not stalled_pools(guest)
    job = guest.start(breaking(guest, "pages"), timeout=60)
    guest.wait_until("python3 -S /payload/page_pools.py | grep -q 'detached.: true'", 8)
    assert "1 pages are missing" in "".join(stalled_pools(guest, patience=0))
    assert "canceled" in job.wait(check=False).err
    assert not stalled_pools(guest)


@pytest.mark.allow_log("log overflowed|harness test flood")
def test_flooded_log_is_seen(guest):
    log = KernelLog(guest, "flood")
    guest.run("dmesg --clear; echo '<6>harness test flood' >/dev/kmsg")
    assert any("overflowed" in line for line in log.complaints())


@pytest.mark.guest(peer=None)
@pytest.mark.allow_trace("0x10ff0")
def test_unknown_register_access_is_seen(guest):
    trace = ModelTrace(guest)
    # Offset 0x10ff0 of BAR0 is no register of the 82576.
    guest.run("echo 1 >/sys/bus/pci/devices/0000:01:00.0/enable")
    guest.run(
        'python3 -c "import mmap, os;'
        "f = os.open('/sys/bus/pci/devices/0000:01:00.0/resource0', os.O_RDWR);"
        'm = mmap.mmap(f, 0x20000); m[0x10ff0:0x10ff4]"'
    )
    guest.run("echo 0 >/sys/bus/pci/devices/0000:01:00.0/enable")
    assert any("0x10ff0" in line for line in trace.complaints())


def test_frames_tool_sees_losses(lan):
    """Frames to a MAC nobody has do not arrive."""
    lost = frames(lan.guest, PEER, PF_HOST, [60, 100, 1514], destination="02:00:00:00:00:99")
    assert lost.intact == 0 and lost.missing == [0, 1, 2]
    assert frames(lan.guest, PEER, PF_HOST, [60, 100, 1514]).perfect


def test_ping_sees_losses(lan):
    assert mac_of(lan.guest, PEER) != mac_of(lan.guest, PF_HOST)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=3).complete
    assert is_silent(lan.guest, PF_HOST, "192.0.2.99")


def test_commands_see_their_namespace(lan):
    """Its interfaces, and where they ask for it its /sys."""
    for command in ("ip -o link show", "ls /sys/class/net"):
        assert PEER.name in lan.guest.run(command, netns=PEER.netns).out
        assert PF_HOST.name not in lan.guest.run(command, netns=PEER.netns).out
        assert PF_HOST.name in lan.guest.run(command).out


def test_waiting_for_a_carrier_ends(lan):
    with pytest.raises(TimeoutError, match="no carrier: nobody"):
        lan.guest.wait_carriers([("dut", None), ("nobody", PEER.netns)], timeout=1)
    with pytest.raises(TimeoutError, match="has no interface"):
        lan.guest.wait_netdev("0000:00:00.0", timeout=0.5)


def test_interfaces_return_from_a_namespace(lan):
    """With what runs there ended, all at once."""
    guest = lan.guest
    sleeper = guest.start("sleep 1000", netns=PEER.netns)
    guest.detach(None)
    assert sleeper.wait(check=False).rc == -9
    assert "peer" in guest.links() and not guest.run("ls /run/netns").out
    guest.attach(
        [
            {
                "pci": lan.peer_pci,
                "name": "peer",
                "netns": "elsewhere",
                "addresses": [f"{PEER.ipv4}/24"],
            }
        ]
    )
    assert ping(guest, PF_HOST, PEER.ipv4, count=2).complete
    assert guest.links("elsewhere")["lo"]["up"]


def test_link_events_reach_the_guest(lan):
    lan.guest.qmp("set_link", name="dut0", up=False)
    lan.guest.wait_carrier("dut", timeout=10, up=False)
    lan.guest.qmp("set_link", name="dut0", up=True)
    lan.wait_carrier(PF_HOST)


def test_what_a_test_has_set_is_undone(lan):
    """VFs, a VLAN, addresses, a queueing discipline, settings, and a command that still runs."""
    guest = lan.guest
    show = "ethtool -g dut; ethtool -l dut; ethtool -k dut"
    before = guest.run(show).out
    assert lan.link_set("mtu 1400").rc == 0
    guest.run(
        "ethtool -G dut rx 128; ethtool -K dut gro off; ethtool -L dut combined 1;"
        "ip addr add 192.0.2.77/24 dev dut; ip link set dut promisc on;"
        "tc qdisc add dev dut clsact; modprobe 8021q;"
        "ip link add link dut name dut.5 type vlan id 5; ip netns add stray"
    )
    lan.vfs_up(1)
    assert guest.run(show).out != before
    job = guest.start("sleep 1000", timeout=2000)
    assert lan.restore() == []
    assert not guest.succeeds("pgrep -x sleep"), job.command
    assert guest.read("/sys/class/net/dut/mtu") == "1500"
    assert guest.read(f"/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs") == "0"
    assert guest.run(show).out == before
    said = guest.run("ip -d addr show; tc qdisc show dev dut; ip netns; cat /proc/modules").out
    for left in ("192.0.2.77", "dut.5", "clsact", "stray", "PROMISC", "8021q"):
        assert left not in said, left


def test_what_cannot_be_undone_is_told(lan):
    """It fails the test that has left it."""
    wanted = lan.guest.ask("state", "read", PF_PCI)
    wanted["namespaces"][""]["settings"]["dut"]["channels"] = "00" * 36
    left = lan.guest.ask("state", "restore", PF_PCI, value=wanted)
    assert len(left) == 1 and "dut channels" in left[0], left
