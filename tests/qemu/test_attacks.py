# SPDX-License-Identifier: GPL-2.0
"""A VF whose owner is an attacker, against the PF, the other VFs and the administrator.

The F-numbers are those of Documentation/attacks.rst, which has the answer of C igb to each: run
with `--driver igb --any-driver` to see it.
"""

import errno
import os
import random
import re
import statistics

import pytest
from support.attack import (
    COUNTED,
    STORMS,
    Attack,
    HardInterrupts,
    busy,
    confined,
    cost,
    lines_a_minute,
    log_times,
    recovered,
    under,
)
from support.mailbox import (
    ACK,
    MAC_FILTER_ADD,
    MAC_FILTER_CLR,
    NACK,
    PROMISC_MULTICAST,
    SET_LPE,
    SET_MAC_ADDR,
    SET_MULTICAST,
    SET_PROMISC,
    SET_VLAN,
    V2PMAILBOX,
    VMBMEM,
    address,
    message,
    raw_vfs,
)
from support.registers import VMOLR_LPE, VMOLR_MPME, VMOLR_RLPML, Filters

from harness.tally import uncounted
from harness.topology import PEER, PF_HOST, PF_PCI, vf_host
from harness.traffic import mac_of, ping, tcp_stream

pytestmark = pytest.mark.driver("igb_rs")

# Share of a CPU all attacks of one VF may cost the host. A slow kernel makes it larger, as what the
# attacker itself does is no slower there.
COST = 0.05
# Share of a CPU in hard interrupts, of all VFs together.
HARD = 0.02
# What seven VFs flood with, and for how long.
FLOODS = (
    "reset",
    "flr",
    *(pytest.param(kind, marks=pytest.mark.long) for kind in ("message", "ring", "garbage")),
)
FLOOD_SECONDS = 5
# Log lines one VF may cause in a minute: five, and one when it is cut off.
LINES = 6


@pytest.fixture
def pair(lan):
    """Two VFs without drivers, after their handshake."""
    both = raw_vfs(lan, 2)
    for vf in both:
        vf.handshake()
    return both


@pytest.fixture
def seen(lan):
    """What the PF does is done by CPU 0."""
    with confined(lan.guest):
        yield


def add(number: int) -> list[int]:
    return message(SET_MAC_ADDR, MAC_FILTER_ADD, *address(f"02:00:00:00:01:{number:02x}"))


def is_granted(reply: int | None) -> bool:
    return reply is not None and bool(reply & ACK)


def is_refused(reply: int | None) -> bool:
    return reply is not None and bool(reply & NACK)


# ---- one test for each way in which C igb fails ----------------------------------------------


def test_f01_clearing_filters(lan, pair):
    """F1: igbvf clears its filters with a zero address. C igb refuses, so they stay for ever."""
    vf, _ = pair
    assert is_granted(vf.ask(add(1))[0])
    assert is_granted(vf.ask(message(SET_MAC_ADDR, MAC_FILTER_CLR, 0, 0))[0])
    assert not Filters.read(lan.guest).pools_of("02:00:00:00:01:01")


@pytest.mark.parametrize("port_vlan", [0, 100])
def test_f02_frame_size(lan, pair, port_vlan):
    """F2: C igb ORs the frame size into VMOLR: promiscuity, and untagged frames in spite of the
    administrator's VLAN."""
    vf, _ = pair
    if port_vlan:
        assert lan.link_set(f"vf 0 vlan {port_vlan}").rc == 0
        vf.handshake()
    size = VMOLR_RLPML | VMOLR_LPE
    before = Filters.read(lan.guest).vmolr[0] & ~size
    for value in (0x9F000600, 0x81000600, 0x80000000, 0xFFFFFFFF):
        vf.ask(message(SET_LPE, 0, value))
        assert Filters.read(lan.guest).vmolr[0] & ~size == before, hex(value)


def test_f03_address_of_the_pf(lan, pair):
    """F3: C igb hands the PF's address to the VF that asks, and the host is off the network."""
    vf, _ = pair
    assert is_refused(
        vf.ask(message(SET_MAC_ADDR, MAC_FILTER_ADD, *address(mac_of(lan.guest, PF_HOST))))[0]
    )
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete


def test_f03_address_of_another_vf(lan, pair):
    """F3: nor does a VF get an address another VF has, chosen or extra."""
    vf, victim = pair
    own = message(SET_MAC_ADDR, 0, *address("02:00:00:00:02:01"))
    assert all(map(is_granted, victim.ask(own, add(1))))
    before = Filters.read(lan.guest)
    steal = message(SET_MAC_ADDR, MAC_FILTER_ADD, *own[1:])
    assert all(map(is_refused, vf.ask(steal, own, add(1))))
    assert Filters.read(lan.guest).addresses == before.addresses


@pytest.mark.usefixtures("seen")
def test_f04_held_mailbox(lan, pair):
    """F4: C igb waits for a held mailbox in its interrupt handler, 11 ms each time, and logs each."""
    vf, _ = pair
    before = log_times(lan.guest)
    with under(vf, "hold"):
        # Far below what C igb does, which is all there is, and far above what a loaded machine or a
        # slow kernel makes of next to nothing.
        assert min(busy(lan.guest) for _ in range(4)) < 1 - 0.5 / lan.guest.slowness
    assert lines_a_minute(lan.guest, before) <= LINES
    assert recovered(vf)


def test_f05_quotas(lan, pair):
    """F5: one VF of C igb takes all filters; the next gets none."""
    greedy, other = pair
    addresses = greedy.ask(*map(add, range(24)))
    vlans = greedy.ask(*(message(SET_VLAN, 1, 100 + number) for number in range(32)))
    assert sum(map(is_granted, addresses)) == 3 and sum(map(is_granted, vlans)) == 8
    assert is_granted(other.ask(add(99))[0])
    assert is_granted(other.ask(message(SET_VLAN, 1, 999))[0])


def test_f06_multicast_promiscuous(lan, pair):
    """F6: C igb gives all multicast to VFs nobody trusts, by either of two messages."""
    vf, _ = pair
    assert is_refused(vf.ask(message(SET_PROMISC, PROMISC_MULTICAST))[0])
    vf.ask(message(SET_MULTICAST, 31))
    vf.ask(message(SET_MULTICAST, 0x80 | 30))
    vf.ask(message(SET_MULTICAST, 255))
    assert not Filters.read(lan.guest).vmolr[0] & VMOLR_MPME


def test_f07_spoof_check(lan, pair):
    """F7: C igb forgets the spoof check at each reset, and shows it as set."""
    assert lan.link_set("vf 0 spoofchk off").rc == 0
    before = Filters.read(lan.guest).dtxswc
    lan.guest.run("ip link set dut down && ip link set dut up")
    lan.wait_carrier(PF_HOST)
    assert Filters.read(lan.guest).dtxswc == before
    assert pair


def test_f08_vlan_settings(lan, pair):
    """F8: C igb takes the reserved VLAN and a priority without a VLAN, and has an error number of
    its own for a full table."""
    assert lan.link_set("vf 0 vlan 4095").rc != 0
    assert lan.link_set("vf 0 vlan 0 qos 3").rc != 0
    greedy, _ = pair
    greedy.ask(*(message(SET_VLAN, 1, 100 + number) for number in range(31)))
    result = lan.link_set("vf 1 vlan 999")
    assert result.rc == 0, f"a guaranteed share was taken: {result.err}"


@pytest.mark.guest(
    machine="q35,kernel-irqchip=split",
    first_devices=("intel-iommu,intremap=on",),
    cmdline="intel_iommu=on",
    memory="2G",
)
def test_f09_vf_in_use_by_a_guest(lan):
    """F9: with C igb `echo 0 >sriov_numvfs` waits for the guest that has a VF, for ever."""
    guest = lan.guest
    _, vf = raw_vfs(lan, 2)
    # An open device is told by its being enabled, which is what mapping its registers took.
    guest.run(f"""echo 0 >/sys/bus/pci/devices/{vf.pci}/enable
        modprobe vfio-pci
        echo vfio-pci >/sys/bus/pci/devices/{vf.pci}/driver_override
        echo {vf.pci} >/sys/bus/pci/drivers_probe""")
    holder = guest.start_call("vfio", vf.pci, "/tmp/vfio", timeout=120)
    guest.wait_file("/tmp/vfio", 20)
    try:
        result = guest.run(
            f"echo 0 >/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs", timeout=15, check=False
        )
        assert result.rc != 0 and "Device or resource busy" in result.err
        assert guest.succeeds("dmesg | grep -q 'VF 1 is in use through vfio-pci'")
        assert guest.read(f"/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs") == "2"
    finally:
        holder.kill()
    guest.wait_until(f"echo 0 >/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs", 20)
    assert guest.run("lspci -d 8086:10ca").out == ""
    guest.run("rmmod vfio_pci")


def test_f10_answer_to_what_could_not_be_read(lan, pair):
    """F10: when C igb cannot get a VF's words it answers with what is on its stack."""
    vf, _ = pair
    words = message(SET_MULTICAST)
    lock, request, ring = 1 << 2, [("write", VMBMEM, words[0])], 1 << 0
    for milliseconds in (0, 5, 12, 15, 20, 30):
        results = vf.script(
            ("sleep", 0.1),
            ("read", V2PMAILBOX),
            ("write", V2PMAILBOX, lock),
            *request,
            ("write", V2PMAILBOX, lock | ring),
            ("sleep", milliseconds / 1000),
            ("write", V2PMAILBOX, 0),
            ("sleep", 0.1),
            ("read", VMBMEM),
        )
        assert results[-1] & 0xFFFF == words[0], f"{results[-1]:#010x} after {milliseconds} ms"
    assert recovered(vf) and lan


def test_f11_filters_are_freed(lan, pair):
    """F11: C igb loses the filters a VF had at each reset of the PF or the VF."""
    vf, _ = pair
    resets = (
        "ip link set dut down && ip link set dut up",
        f"echo 1 >/sys/bus/pci/devices/{vf.pci}/reset; setpci -s {vf.pci} COMMAND=0002",
    )
    # C igb does not survive the last one.
    resets = (*resets * 4, f"echo 1 >/sys/bus/pci/devices/{PF_PCI}/reset", "true")
    for number, reset in enumerate(resets):
        assert all(map(is_granted, vf.ask(*(add(3 * number + n) for n in range(3))))), number
        lan.guest.run(reset)
        lan.wait_carrier(PF_HOST)
        vf.handshake()


def test_f12_self_test_with_vfs(lan, vfs):
    """F12: with C igb the offline self test fails when there are VFs, and takes their link away. It is
    refused while there are any."""
    result = lan.guest.run("ethtool -t dut offline", timeout=60, check=False)
    loopback = re.search(r"Loopback.*\s(\d+)$", result.out, re.MULTILINE)
    assert loopback and int(loopback[1]) in (0, errno.EBUSY), result.out
    assert ping(lan.guest, vfs[0], PEER.ipv4, count=5).complete


# ---- at any rate, at the worst moment --------------------------------------------------------


@pytest.mark.guest(**COUNTED)
@pytest.mark.timeout(900)
def test_storms_cost_the_host_little(lan, pair):
    """Every kind of attack that goes on without pause: CPU time, log lines, recovery."""
    vf, _ = pair
    figures = {}
    for kind in STORMS:
        before = log_times(lan.guest)
        figures[kind] = cost(vf, kind)
        lines = lines_a_minute(lan.guest, before)
        print(f"{kind}: {figures[kind]:.1%} of a CPU, {lines} log lines")
        assert lines <= LINES, kind
        assert recovered(vf), kind
    assert max(figures.values()) < COST * lan.guest.slowness, figures


@pytest.mark.guest(**COUNTED)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", FLOODS)
def test_flood_of_seven_in_hard_interrupts(lan, kind):
    """All VFs at once, with their whole rations: what the host can do nothing about meanwhile."""
    vfs = raw_vfs(lan, 7)
    for vf in vfs:
        vf.handshake()
    lan.guest.run("sleep 1")
    with HardInterrupts(lan.guest) as taken:
        attacks = [Attack(vf, kind, FLOOD_SECONDS) for vf in vfs]
        done = [attack.wait() for attack in attacks]
    print(
        f"{kind}: {taken.share:.2%} of a CPU in {taken.count} interrupts, "
        f"{sum(done):.0f} operations a second"
    )
    assert taken.count > 100 and min(done) > 0
    assert taken.share < HARD, taken.share


@pytest.mark.guest(**COUNTED)
@pytest.mark.timeout(900)
@pytest.mark.long
def test_storm_from_quarantine(lan, pair):
    """Who was cut off may go on for ever: it costs no more."""
    vf, other = pair
    lan.guest.run(
        f"devlink dev param set pci/{PF_PCI} name vf_offence_limit value 10 cmode runtime"
    )
    vf.exchange(*[message(0x77)] * 12, seconds=0.3)
    assert not Filters.read(lan.guest).vfre & 0b01
    for kind in ("ring", "hold", "ack", "flr"):
        figure = cost(vf, kind)
        print(f"{kind}: {figure:.1%} of a CPU")
        assert figure < COST * lan.guest.slowness, kind
        assert is_granted(other.ask(message(SET_MULTICAST))[0])
    assert lan.link_set("vf 0 state auto").rc == 0
    assert recovered(vf)


def test_reset_between_question_and_answer(lan, pair):
    """The PF lets a VF in that has been reset since it asked. It can be shut out all the same."""
    vf, other = pair
    for _ in range(40):
        Attack(vf, "relapse", 0.001).wait()
        assert lan.link_set("vf 0 state disable").rc == 0
        filters = Filters.read(lan.guest)
        assert (filters.vfre & 0b11, filters.vfte & 0b11) == (0b10, 0b10)
        assert lan.link_set("vf 0 state auto").rc == 0
    assert recovered(vf) and is_granted(other.ask(message(SET_MULTICAST))[0])


@pytest.mark.allow_trace("igbvf_wrn_io_addr_unknown|e1000e_wrn_regs_write")
def test_random_attack(lan):
    """Whatever a VF does: the registers of the PF and of the other VF stay as they are."""
    seed = int(os.environ.get("IGB_RS_SEED") or random.SystemRandom().getrandbits(32))
    print(f"seed {seed}: IGB_RS_SEED={seed} repeats it")
    vf, victim = raw_vfs(lan, 2)
    victim.handshake()
    assert all(
        map(
            is_granted,
            victim.ask(
                message(SET_MAC_ADDR, 0, *address("02:00:00:00:02:01")),
                add(1),
                message(SET_VLAN, 1, 300),
            ),
        )
    )
    before, times = Filters.read(lan.guest), log_times(lan.guest)
    attack = Attack(vf, "random", 10, seed)
    with uncounted():
        while not attack.job.has_ended():
            assert _of_others(Filters.read(lan.guest)) == _of_others(before)
            assert ping(lan.guest, PF_HOST, PEER.ipv4, count=2).complete
    assert attack.wait() > 10
    assert _of_others(Filters.read(lan.guest)) == _of_others(before)
    assert lines_a_minute(lan.guest, times) <= LINES
    assert recovered(vf)


def _of_others(filters: Filters) -> tuple:
    """What the registers say about all pools but that of VF 0."""
    mine = 0b01
    return (
        {mac: pools & ~mine for mac, pools in filters.addresses.items() if pools & ~mine},
        {vid: pools & ~mine for vid, pools in filters.vlans.items() if pools & ~mine},
        filters.vmolr[1:],
        filters.vmvir[1:],
        filters.dtxswc & ~0x0101,
        filters.default_pool,
        filters.vfre & ~mine,
        filters.vfte & ~mine,
    )


# ---- victims ---------------------------------------------------------------------------------


def _measure(lan, hosts) -> dict[str, tuple[float, float]]:
    """Round-trip time in ms and Mbit/s of each host with the peer."""
    figures = {}
    for host in hosts:
        answers = ping(lan.guest, host, PEER.ipv4, count=50, interval=0.02)
        assert answers.received >= 48, (host, answers)
        stream = tcp_stream(lan.guest, host, PEER, seconds=1.5)
        figures[host.name] = (answers.rtt_avg, stream.mbit_per_s)
    return figures


def _keeps_service(lan, kind: str, rounds: int):
    """The PF and a VF with igbvf, measured in turn under the attack and next to a guest that only
    reads registers of its own; they keep half the throughput, and three times the latency is the
    most they see. Afterwards all is as before."""
    attacker, *_ = raw_vfs(lan, 2)
    # The attack is to last as long as the rounds do, and not to end in quarantine, which is what
    # happens to garbage.
    lan.guest.run(f"devlink dev param set pci/{PF_PCI} name vf_offence_limit value 0 cmode runtime")
    victim = vf_host(1)
    pci = lan.vf_pci(1)
    lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers_probe")
    lan.guest.wait_netdev(pci)
    lan.attach(victim, pci)
    lan.wait_carrier(victim)
    attacker.handshake()
    hosts = (PF_HOST, victim)
    calm, attacked = [], []
    for _ in range(rounds):
        with under(attacker, "harmless"):
            calm.append(_measure(lan, hosts))
        with under(attacker, kind):
            attacked.append(_measure(lan, hosts))
    for host in hosts:
        rtt, rtt_attacked = (
            statistics.median(figures[host.name][0] for figures in each)
            for each in (calm, attacked)
        )
        rate, rate_attacked = (
            statistics.median(figures[host.name][1] for figures in each)
            for each in (calm, attacked)
        )
        print(
            f"{kind}, {host.name}: rtt {rtt:.2f} ms, under attack {rtt_attacked:.2f} ms; "
            f"TCP {rate:.0f} Mbit/s, under attack {rate_attacked:.0f} Mbit/s"
        )
        assert rate_attacked > rate / 2 and rtt_attacked < 3 * rtt + 1
    assert recovered(attacker)
    for host in hosts:
        assert ping(lan.guest, host, PEER.ipv4, count=5).complete


@pytest.mark.guest(**{**COUNTED, "smp": 2})
@pytest.mark.timeout(600)
def test_victims_keep_service(lan):
    _keeps_service(lan, "hold", rounds=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.guest(**{**COUNTED, "smp": 2})
@pytest.mark.parametrize("kind", STORMS)
def test_victims_keep_service_for_long(lan, kind):
    _keeps_service(lan, kind, rounds=5)
