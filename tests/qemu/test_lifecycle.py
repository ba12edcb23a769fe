# SPDX-License-Identifier: GPL-2.0
"""Coming, going and coming back: module, device, interface, system."""

import json
import re
import time
from pathlib import Path

import pytest
from support import bus, counters, snapshots
from support.life import DEVICE, reach_peer, reattach, works
from support.registers import (
    CTRL,
    FW_PHY0,
    ICS,
    ICS_LSC,
    RCTL,
    STATUS,
    SW_FW_SYNC,
    VFRE,
    VFTE,
    Registers,
    txdctl,
)

from harness import Guest, kmod
from harness.health import KernelLog, left_behind, reports
from harness.tally import uncounted
from harness.topology import PEER, PF_HOST, PF_PCI, Lan, vf_host
from harness.traffic import frames, is_silent, ping, tcp_stream

TXDCTL_ENABLE = 1 << 25
CTRL_GIO_MASTER_DISABLE = 1 << 2
WUFC, WUFC_MAG = 0x5808, 1 << 1
RCTL_EN = 1 << 1
LATE_PAGES = Path(__file__).parent / "support/late_pages"
ROUNDS = 20


def test_load_and_unload(guest):
    """Twenty times, and the last one works; nothing is left in between."""
    for _ in range(ROUNDS):
        guest.load()
        guest.wait_netdev(PF_PCI)
        guest.run(f"ip link set $(ls {DEVICE}/net) up")
        guest.unload()
        assert PF_PCI not in guest.run("cat /proc/interrupts").out
        assert not guest.succeeds(f"test -e {DEVICE}/driver")
    lan = Lan(guest)
    lan.up()
    assert works(lan)
    lan.down()


def test_unload_with_vlans(lan):
    """8021q takes its VLANs away, VLAN 0 as well, while the device can still do that."""
    lan.guest.run(
        "modprobe 8021q && ip link set dut down && ip link set dut up &&"
        "ip link add link dut name dut.100 type vlan id 100 && ip link set dut.100 up"
    )
    lan.wait_carrier(PF_HOST)
    log = KernelLog(lan.guest, "unload")
    lan.guest.unload()
    assert not [line for line in log.lines() if "kill vid" in line]
    lan.guest.load()
    reattach(lan)
    assert works(lan)


def test_unbind_and_bind(lan):
    driver = f"/sys/bus/pci/drivers/{lan.guest.config.driver}"
    for _ in range(5):
        lan.guest.run(f"echo {PF_PCI} >{driver}/unbind && echo {PF_PCI} >{driver}/bind")
        reattach(lan)
    assert works(lan)


def test_devices_added_by_id(lan):
    """Without a number, with that of an entry of the table, and with one no entry has."""
    guest = lan.guest
    driver = f"/sys/bus/pci/drivers/{guest.config.driver}"
    assert guest.write(f"{driver}/new_id", "8086 fff1").rc == 0
    refused = guest.write(f"{driver}/new_id", "8086 fff2 ffffffff ffffffff 0 0 1f")
    assert refused.rc != 0 and "Invalid argument" in refused.err, refused
    # The card itself: what was added is looked at first.
    guest.run(f"""echo {PF_PCI} >{driver}/unbind
        echo 8086 10c9 ffffffff ffffffff 0 0 0 >{driver}/new_id""")
    reattach(lan)
    assert works(lan)
    guest.run(f"echo 8086 10c9 >{driver}/remove_id; echo 8086 fff1 >{driver}/remove_id")


def test_unload_with_vfs_in_use(lan, vfs):
    job = lan.guest.start(f"ping -f -w 20 {PEER.ipv4}", netns=vfs[0].netns)
    assert ping(lan.guest, vfs[1], PEER.ipv4, count=3).complete
    lan.guest.unload()
    job.kill()
    assert lan.guest.run("lspci -d 8086:10ca").out == ""
    lan.guest.load()
    reattach(lan)
    assert lan.guest.read(f"{DEVICE}/sriov_numvfs") == "0" and works(lan)


def test_numvfs_zero_with_vfs_in_use(lan, vfs):
    job = lan.guest.start(f"ping -f -w 20 {PEER.ipv4}", netns=vfs[0].netns)
    lan.guest.run("sleep 1")
    lan.vfs_down()
    job.kill()
    assert works(lan)


def test_up_and_down_under_traffic(lan):
    server = lan.guest.start("iperf3 -s", netns=PEER.netns, timeout=200)
    client = lan.guest.start(
        "while :; do iperf3 -c 192.0.2.2 -t 100 --bidir; sleep 0.2; done", timeout=200
    )
    for _ in range(ROUNDS):
        lan.guest.run("ip link set dut down && ip link set dut up")
    lan.wait_carrier(PF_HOST)
    for job in (client, server):
        job.kill()
    assert works(lan) and frames(lan.guest, PEER, PF_HOST, range(60, 1515, 97)).perfect


def test_reconfiguration_under_traffic(lan):
    server = lan.guest.start("iperf3 -s", netns=PEER.netns, timeout=200)
    client = lan.guest.start(
        "while :; do iperf3 -c 192.0.2.2 -t 100 --bidir; sleep 0.2; done", timeout=200
    )
    for size, channels, mtu in ((64, 1, 1400), (4096, 8, 9000), (256, 2, 1500)):
        for step in (
            f"ethtool -G dut rx {size} tx {size}",
            f"ethtool -L dut combined {channels}",
            f"ip link set dut mtu {mtu}",
            "ethtool -K dut tso off gro off",
            "ethtool -K dut tso on gro on",
        ):
            lan.guest.run(step)
    lan.wait_carrier(PF_HOST)
    for job in (client, server):
        job.kill()
    assert works(lan) and frames(lan.guest, PF_HOST, PEER, range(60, 1515, 97)).perfect


DATAGRAMS = 40
RESIZE = ("ethtool -G dut rx 512 tx 512", "ethtool -G dut rx 256 tx 256")


@pytest.mark.driver("igb_rs")  # C igb resets the controller
def test_link_stays_when_queues_change(lan):
    """Nobody who watches the interface hears of it, not even when the link is just looked at."""
    changes = "/sys/class/net/dut/carrier_changes"
    before = lan.guest.read(changes)
    with Registers(lan.guest).again_and_again(ICS, ICS_LSC, seconds=0.005):
        for _ in range(ROUNDS):
            lan.guest.run(
                "; ".join(
                    (
                        *RESIZE,
                        "ethtool -L dut combined 1",
                        "ethtool -L dut combined 2",
                        "ip link set dut mtu 1400",
                        "ip link set dut mtu 1500",
                    )
                )
            )
    assert lan.guest.read(changes) == before
    assert works(lan)


@pytest.mark.driver("igb_rs")
def test_packets_wait_for_new_queues(lan):
    """What the stack is given while queues change is sent right afterwards, not with the next
    packet; and the driver gets none that it has no queue for."""
    before = counters.link(lan.guest)["tx_dropped"]
    # The peer counts what comes for a port that nobody has. There is no next packet before that.
    count = r"sed -n 's/^Udp: [0-9]* \([0-9]*\) .*/\1/p' /proc/net/snmp"
    arrived = f"$(ip netns exec {PEER.netns} {count})"
    job = lan.guest.start(f"while :; do {RESIZE[0]}; {RESIZE[1]}; sleep 0.05; done", 300)
    lan.guest.run(
        f"n={arrived}; for i in $(seq {DATAGRAMS}); do echo $i >/dev/udp/{PEER.ipv4}/9; tries=0; "
        f"until [ {arrived} -ge $((n + i)) ]; do "
        'tries=$((tries + 1)); [ $tries -lt 50 ] || { echo "no datagram $i" >&2; exit 1; }; '
        "sleep 0.1; done; done",
        timeout=120,
    )
    flood = lan.guest.run(f"ping -q -f -w 2 {PEER.ipv4}", timeout=60, check=False).out
    job.kill()
    assert counters.link(lan.guest)["tx_dropped"] == before, flood
    assert works(lan)


def test_remove_and_rescan(lan, vfs):
    """The device leaves the bus with its VFs, and is found again."""
    assert ping(lan.guest, vfs[0], PEER.ipv4, count=2).complete
    lan.guest.run(f"echo 1 >{DEVICE}/remove")
    assert not lan.guest.succeeds(f"test -e {DEVICE}")
    assert lan.guest.run("lspci -d 8086:").out.count("82576") == 0
    lan.guest.run("echo 1 >/sys/bus/pci/rescan")
    reattach(lan)
    assert works(lan)
    for host in vfs:
        lan.detach(host)
    vfs = lan.vfs_up(2)
    assert ping(lan.guest, vfs[1], PEER.ipv4, count=3).complete


@pytest.mark.watched  # by lockdep: the stack tells the driver in a softirq
@pytest.mark.allow_log("NETDEV WATCHDOG|timed out|Tx Unit Hang")
def test_transmit_hang(lan):
    """Queues that stop behind the driver's back are noticed and the device is set up anew."""
    assert works(lan)
    registers = Registers(lan.guest)
    registers.access([("w", txdctl(queue), 0) for queue in range(16)])
    assert is_silent(lan.guest, PF_HOST, PEER.ipv4), "control: it does hang"
    flood = lan.guest.start("ping -f -w 25 192.0.2.2", timeout=40)
    lan.guest.wait_until("ping -c 1 -W 1 -q 192.0.2.2", 30)
    flood.kill()
    assert any(value & TXDCTL_ENABLE for value in registers.read(*map(txdctl, range(16))))
    assert works(lan)
    assert tcp_stream(lan.guest, PF_HOST, PEER).bytes > 1 << 20
    if lan.guest.config.driver == "igb_rs":
        assert_hang_was_reported(lan.guest)
        assert_registers_were_kept(lan.guest)


def assert_hang_was_reported(guest):
    """To whoever monitors devlink: it is over."""
    device = f"pci/{PF_PCI}"
    shown = json.loads(guest.run(f"devlink -j health show {device} reporter tx").out)
    (reporter,) = shown["health"][device]
    assert reporter["state"] == "healthy" and reporter["error"] >= 1
    diagnosis = json.loads(guest.run(f"devlink -j health diagnose {device} reporter tx").out)
    assert diagnosis["timeouts"] >= reporter["error"]


def assert_registers_were_kept(guest):
    """As they were before the reset: no queue was enabled."""
    first, *_ = numbers = snapshots.kept(guest)
    before = snapshots.registers(guest, first)
    assert not any(before[txdctl(queue)] & TXDCTL_ENABLE for queue in range(16))
    assert before[RCTL] & RCTL_EN
    for number in numbers:
        assert f"is snapshot {number} of the devlink region registers" in guest.run("dmesg").out
        guest.run(f"devlink region del {snapshots.REGION} snapshot {number}")


@pytest.mark.driver("igb_rs")  # C igb has no page pools
def test_memory_for_the_queues_is_long_in_coming(lan):
    """Queues that are closed are not taken for stuck, which would reset the controller with all its
    VFs: the stack's watchdog would say so in the log."""
    guest = lan.guest
    guest.put("/tmp/late_pages.ko", kmod.build(LATE_PAGES, guest.config.boots))
    guest.run("insmod /tmp/late_pages.ko ms=12000")
    sender = guest.start(f"ping -i 0.5 -w 16 {PEER.ipv4}", timeout=60)
    try:
        begin = time.monotonic()
        guest.run("ethtool -G dut rx 1024", timeout=90)
        assert time.monotonic() - begin > 12, "control: it does take long"
    finally:
        guest.run("rmmod late_pages")
    sender.wait(check=False)
    assert works(lan)


@pytest.mark.driver("igb_rs")  # C igb resets the controller, with all VFs
def test_frames_are_given_back_when_the_link_is_lost(lan):
    """The controller sends nothing without a link: frames would be held until it is there again."""
    assert works(lan)
    registers = Registers(lan.guest)
    queues = [queue for queue in range(16) if registers.read(txdctl(queue))[0] & TXDCTL_ENABLE]
    registers.access([("w", txdctl(queue), 0) for queue in queues])
    assert is_silent(lan.guest, PF_HOST, PEER.ipv4), "control"
    lan.guest.qmp("set_link", name="dut0", up=False)
    try:
        # By queues that are opened anew.
        with uncounted():
            for _ in range(50):
                if all(value & TXDCTL_ENABLE for value in registers.read(*map(txdctl, queues))):
                    break
                lan.guest.run("sleep 0.2")
        assert all(value & TXDCTL_ENABLE for value in registers.read(*map(txdctl, queues)))
        assert lan.guest.read("/sys/class/net/dut/carrier") == "0"
    finally:
        lan.guest.qmp("set_link", name="dut0", up=True)
    assert works(lan)


@pytest.mark.driver("igb_rs")  # C igb is dead until its interface goes down and up
def test_function_level_reset(lan):
    assert "flr" in lan.guest.read(f"{DEVICE}/reset_method")
    for _ in range(3):
        lan.guest.run(f"echo 1 >{DEVICE}/reset")
        assert works(lan)
    assert tcp_stream(lan.guest, PEER, PF_HOST).bytes > 1 << 20


@pytest.mark.driver("igb_rs")
def test_receives_what_was_wanted_during_a_reset(lan):
    """Addresses that come while the device is away: neighbours are asked for them by multicast."""
    for number in range(20):
        address = f"2001:db8:1::5:{number:x}"
        # The speed of a device that is away cannot be read.
        said = lan.guest.run(
            f"""
            mkfifo /tmp/batch
            ip -6 -batch /tmp/batch & ip=$!
            exec 9>/tmp/batch; rm /tmp/batch
            echo 1 >{DEVICE}/reset 9>&- & reset=$!
            while kill -0 $reset && read speed </sys/class/net/dut/speed; do :; done 2>/dev/null
            echo address add {address}/64 dev dut nodad >&9; exec 9>&-
            wait $ip
            read speed </sys/class/net/dut/speed && echo late
            wait $reset""",
            check=False,
        ).out
        if "late" not in said:
            break
    assert "late" not in said, "control: none came at the right moment"
    assert works(lan)
    assert ping(lan.guest, PEER, address, count=3).received


@pytest.mark.driver("igb_rs")
def test_firmware_keeps_the_phy_during_a_reset(lan):
    """The port comes back without a link, and with one as soon as that can be."""
    registers = Registers(lan.guest)
    with registers.again_and_again(SW_FW_SYNC, FW_PHY0, seconds=0.001):
        lan.guest.run("sleep 1")
        log = KernelLog(lan.guest, "PHY")
        lan.guest.run(f"echo 1 >{DEVICE}/reset", timeout=120)
        lan.guest.run("sleep 3")
        assert any(
            re.search(r"cannot start the link: (EBUSY|Error\(16\))", line) for line in log.lines()
        ), log.lines()
        assert not lan.guest.succeeds("ip link show dut | grep -q LOWER_UP")
    registers.write(SW_FW_SYNC, 0)
    assert works(lan)
    (vf,) = lan.vfs_up(1)
    assert ping(lan.guest, vf, PEER.ipv4, count=3).complete


def exchange(lan: Lan, vfs):
    """PF and VFs reach the peer, whole frames pass, and VFs reach each other. No driver is helped, but
    those of VFs are waited for: after a reset of the PF a VF reaches the peer, and then for up to two
    seconds does not, which is how often igbvf looks at its link."""
    assert works(lan)
    reach_peer(lan, *vfs)
    for host in (PF_HOST, *vfs):
        if host is not PF_HOST and not ping(lan.guest, host, PEER.ipv4, count=3).complete:
            reach_peer(lan, host)
        assert ping(lan.guest, host, PEER.ipv4, count=3).complete
        assert frames(lan.guest, host, PEER, range(60, 1515, 97)).perfect, host
        assert frames(lan.guest, PEER, host, range(60, 1515, 97)).perfect, host
    if vfs:
        assert ping(lan.guest, vfs[0], vfs[-1].ipv4, count=3).complete


@pytest.mark.driver("igb_rs")  # with C igb neither the PF nor the VFs come back
def test_function_level_reset_with_vfs(lan, vfs):
    """The VFs' own PCI setup goes with it, and comes back with it."""
    lan.link_set("vf 0 vlan 100")
    lan.link_set("vf 0 vlan 0")
    for _ in range(2):
        exchange(lan, vfs)
        lan.guest.run(f"echo 1 >{DEVICE}/reset")
    exchange(lan, vfs)
    assert lan.guest.read(f"{DEVICE}/sriov_numvfs") == "2"


@bus.recovers
@pytest.mark.parametrize("kind", ["nonfatal", "fatal"])
@pytest.mark.driver("igb_rs")  # with C igb the PF does not come back
def test_error_of_the_bus_with_vfs(lan, vfs, kind):
    """The bus resets the slot, as igbvf asks for that whatever the error was."""
    exchange(lan, vfs)
    bus.recover(lan, kind)
    exchange(lan, vfs)
    assert lan.guest.read(f"{DEVICE}/sriov_numvfs") == "2"


@bus.recovers
def test_error_of_the_bus_without_vfs(lan):
    """One that is not fatal is got over without a reset, and without a packet lost."""
    assert works(lan)
    job = lan.guest.start(f"exec ping -n -q -i 0.05 -c 80 -W 10 {PEER.ipv4}")
    bus.recover(lan, "nonfatal")
    assert " 0% packet loss" in job.wait().out
    bus.recover(lan, "fatal")
    exchange(lan, [])


@pytest.mark.driver("igb_rs")  # C igb leaves the VFs' pools as they are
def test_vfs_are_closed_while_wake_up_is_armed(lan, vfs):
    """The receiver runs to hear what wakes the system, and writes into no memory of a VF."""
    exchange(lan, vfs)
    lan.guest.run("ethtool -s dut wol g")
    base = int(lan.guest.read(f"{DEVICE}/resource").split()[0], 16)

    def register(offset: int) -> int:
        command = f"xp /1wx {base + offset:#x}"
        answer = lan.guest.qmp("human-monitor-command", **{"command-line": command})
        return int(answer.split()[-1], 16)

    assert register(VFRE) == 0b111, "control: all are open"
    job = lan.guest.start(
        "echo devices >/sys/power/pm_test; echo mem >/sys/power/state", timeout=90
    )
    # Programs are frozen now: it is the device model that says what its registers hold.
    armed, open_pools, masters = False, 0, 0
    with uncounted():
        while not job.has_ended():
            if register(WUFC) & WUFC_MAG and register(RCTL) & RCTL_EN:
                armed = True
                open_pools |= register(VFRE) | register(VFTE)
                masters |= ~register(CTRL) & CTRL_GIO_MASTER_DISABLE
            time.sleep(0.05)
    assert armed and open_pools == 0b100
    # The PF asks for nothing on the bus either, which it would lose when its power state changes.
    assert not masters
    assert register(CTRL) & CTRL_GIO_MASTER_DISABLE == 0, "control: it does again"
    lan.guest.run("ethtool -s dut wol d")
    exchange(lan, vfs)


@pytest.mark.parametrize("numvfs", [0, 2])
def test_suspend_of_devices(lan, numvfs):
    """The devices' half of suspend to memory and back."""
    vfs = lan.vfs_up(numvfs) if numvfs else []
    exchange(lan, vfs)
    assert lan.guest.suspend(test="devices").rc == 0
    exchange(lan, vfs)


@pytest.mark.guest(s3=True, cmdline="sleep")
def test_suspend_to_memory(lan):
    """The machine loses all power but that of its memory. Without VFs: those of the emulated card do
    not come back from there."""
    exchange(lan, [])
    assert lan.guest.suspend().rc == 0
    lan.wait_carrier(PF_HOST)
    exchange(lan, [])


@pytest.mark.driver("igb_rs")  # C igb counts them, but shows none and serves none
@pytest.mark.parametrize("bound", [False, True], ids=["VFs without drivers", "VFs with drivers"])
def test_adopts_vfs_left_enabled(guest, bound):
    """Another driver of the PF went and left VFs; ours takes them over, and they work. Drivers they
    have never had an answer of a PF."""
    driver = "/sys/bus/pci/drivers/pci-pf-stub"
    guest.run(f"""
        modprobe pci-pf-stub
        echo pci-pf-stub >{DEVICE}/driver_override
        echo {PF_PCI} >{driver}/bind
        modprobe igbvf
        echo {int(bound)} >{DEVICE}/sriov_drivers_autoprobe
        echo 2 >{DEVICE}/sriov_numvfs
        for i in {DEVICE}/virtfn*/net/*; do [ ! -e $i ] || ip link set ${{i##*/}} up; done
        echo {PF_PCI} >{driver}/unbind
        echo >{DEVICE}/driver_override
        rmmod pci-pf-stub""")
    assert guest.read(f"{DEVICE}/sriov_numvfs") == "2"
    lan = Lan(guest)
    lan.up()
    try:
        assert guest.read(f"{DEVICE}/sriov_numvfs") == "2"
        assert guest.run("ip link show dut").out.count(" vf ") == 2
        guest.run(f"echo 1 >{DEVICE}/sriov_drivers_autoprobe")
        for index in range(2):
            pci, host = lan.vf_pci(index), vf_host(index)
            if bound:
                guest.wait_until(f"grep -q 1 /sys/bus/pci/devices/{pci}/net/*/carrier", 40)
            else:
                guest.run(f"echo {pci} >/sys/bus/pci/drivers_probe")
            lan.attach(host, pci)
            lan.wait_carrier(host)
            assert ping(guest, host, PEER.ipv4, count=3).complete
        lan.vfs_down()
        assert works(lan)
    finally:
        lan.down()


def tell_everything(guest: Guest):
    """Warnings too on the console, which a kernel that goes down still writes to."""
    guest.run("dmesg --console-level debug")


def assert_quiet(guest: Guest):
    """Nothing bad on the console since the guest told everything."""
    console = guest.machine.console_log.read_text(encoding="utf-8", errors="replace")
    bad = reports(console.splitlines())
    assert not bad, "\n".join("\n".join(report) for report in bad)


# What the device model is told: registers, and words of the function's configuration.
WRITTEN = re.compile(r"e1000e_core_write Write to register 0x(\w+), 4 byte\(s\), value: 0x(\w+)")
CONFIGURED = re.compile(r"pci_cfg_write igb 01:00\.0 @0x(\w+) <- 0x(\w+)")
# Power management: the state. The device model has no PME to be enabled.
PMCSR, D3HOT = 0x44, 3


def last_written(guest: Guest, kind: re.Pattern, start: int) -> dict[int, int]:
    """By offset the last value in the trace from a position on."""
    with open(guest.machine.trace_log, encoding="utf-8", errors="replace") as log:
        log.seek(start)
        found = [kind.search(line) for line in log]
    return {int(match[1], 16): int(match[2], 16) for match in found if match}


@pytest.mark.parametrize("how", ["poweroff", "reboot"])
def test_system_goes_down_with_vfs_in_use(own_guest, how):
    """One that is switched off is to be woken by a magic packet, unless its driver is C igb: it takes
    the NVM of the emulated card to say that it cannot."""
    lan = Lan(own_guest)
    lan.up()
    tell_everything(own_guest)
    vfs = lan.vfs_up(3)
    assert ping(own_guest, vfs[2], PEER.ipv4, count=3).complete
    own_guest.start(f"ping -f {PEER.ipv4}", netns=vfs[0].netns)
    start = own_guest.machine.trace_log.stat().st_size
    for event in ("e1000e_core_write", "pci_cfg_write"):
        own_guest.qmp("trace-event-set-state", name=event, enable=True)
    own_guest.agent.start(f"sleep 0.5; busybox {how} -f")
    assert own_guest.machine.wait(60 * own_guest.slowness), "the guest does not go down"
    assert_quiet(own_guest)
    if own_guest.config.driver == "igb_rs":
        registers = last_written(own_guest, WRITTEN, start)
        power = last_written(own_guest, CONFIGURED, start).get(PMCSR, 0)
        armed = registers.get(WUFC) == WUFC_MAG and registers[RCTL] & RCTL_EN != 0
        assert (armed, power & D3HOT == D3HOT) == (how == "poweroff",) * 2, (registers, power)
        # The pools of the VFs are closed. Behind them is the PF's.
        assert not registers[VFRE] & 0b111, registers


def test_hot_unplug_and_plug(own_guest):
    """Pulled under traffic and with VFs in use; put back, everything works again."""
    lan = Lan(own_guest)
    lan.up()
    log = KernelLog(own_guest, "hot unplug")
    vfs = lan.vfs_up(2)
    assert ping(own_guest, vfs[0], PEER.ipv4, count=2).complete
    jobs = [own_guest.start(f"ping -f {PEER.ipv4}", netns=host.netns) for host in (PF_HOST, vfs[0])]
    own_guest.qmp("device_del", id="dut0")
    own_guest.wait_file(DEVICE, 30, absent=True)
    for job in jobs:
        job.kill()
    for host in vfs:
        lan.detach(host)
    own_guest.run("sleep 2")
    own_guest.qmp(
        "device_add",
        driver="igb",
        id="dut1",
        bus="rp0",
        netdev="wire0",
        mac="52:54:00:82:57:00",
        romfile="",
    )
    own_guest.wait_file(DEVICE, 30)
    reattach(lan)
    assert works(lan)
    vfs = lan.vfs_up(2)
    assert ping(own_guest, vfs[0], vfs[1].ipv4, count=3).complete
    assert counters.link(own_guest)["rx_packets"] > 0
    assert Registers(own_guest).read(STATUS)[0] >> 14 & 0xF == 2
    lan.down()
    assert not log.complaints()
    assert not left_behind(own_guest)
