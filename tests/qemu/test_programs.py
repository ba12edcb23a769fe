# SPDX-License-Identifier: GPL-2.0
"""Programs of users on the PF and in machines with VFs, as Debian packages them. Documentation/suites.rst has
what was tried, and the results with C igb."""

import contextlib

import pytest
from support import ONE_CPU, kexec
from support.bonds import BOND, bring_up, hand_over, make_namespace, pair, pinging, set_numvfs
from support.life import DEVICE, reach_peer
from support.programs import (
    HIGH_SPEED,
    OPER_STATUS,
    Authenticator,
    Snmp,
    Supplicant,
    Team,
    lldp,
    open_vswitch,
)
from support.registers import Filters
from support.vfs import shown
from support.wire import arrive, captured, tag

from harness.health import KernelLog
from harness.nested import HOST_OF_GUESTS
from harness.topology import MAX_VFS, PEER, PF_HOST, PF_PCI, Host, Lan
from harness.traffic import frames, mac_of, ping, tcp_stream

pytestmark = pytest.mark.timeout(600)

VLAN, OTHER_VLAN = 300, 301
GIVEN = "02:00:00:00:00:e1"
UP, DOWN = 1, 2


# The guest with the programs.
MACHINES = pytest.mark.guest(image="vm", smp=1)


# ---- tcpdump -----------------------------------------------------------------------------------


@pytest.mark.long
@ONE_CPU
def test_tcpdump_of_vlans(lan, vfs):
    """A filter of a VLAN finds frames with its tag, which the card has taken out of them, in both directions, and
    none of another VLAN's. The machine of a VF that was put into a VLAN sees no tag."""
    guest, (own, put) = lan.guest, vfs
    guest.run("modprobe 8021q")
    outside, inside = tag(guest, PEER, VLAN), tag(guest, own, VLAN)
    assert lan.link_set(f"vf 1 vlan {VLAN}").rc == 0
    guest.run(
        f"ip addr add 192.0.2.111/25 dev {put.name} && ip addr del {put.ipv4}/24 dev {put.name}",
        netns=put.netns,
    )
    with contextlib.ExitStack() as captures:

        def at(host: Host, count: int, expression: str, options: str = ""):
            return captures.enter_context(captured(guest, host, count, expression, options))

        tagged = at(own, 4, f"vlan {VLAN} and icmp", "-e")
        foreign = at(own, 1, f"vlan {OTHER_VLAN}")
        bare = at(put, 4, "icmp", "-e")
        strange = at(put, 1, "vlan")
        for host in (inside, Host(put.name, put.netns, 111)):
            assert ping(guest, host, outside.ipv4, count=2).complete, host
        lines = [line for line in tagged.ended().splitlines() if "ICMP" in line]
        assert len(lines) == 4 and all(f"vlan {VLAN}, p 0" in line for line in lines), lines
        lines = bare.ended().splitlines()
        assert len(lines) == 4 and not any("vlan" in line for line in lines), lines
        assert foreign.stopped() == 0 and strange.stopped() == 0


# ---- interrupts --------------------------------------------------------------------------------


def queue_vectors(guest) -> dict[int, list[int]]:
    """Interrupts so far of each vector of a queue, on each processor."""
    found = {}
    for line in guest.run("cat /proc/interrupts").out.splitlines():
        if line.endswith(tuple("0123456789")) and "dut-TxRx-" in line:
            number, *words = line.split()
            found[int(number.rstrip(":"))] = [int(word) for word in words[: guest.config.smp]]
    return found


def affinity(guest, vectors) -> dict[int, str]:
    files = [f"/proc/irq/{vector}/smp_affinity_list" for vector in vectors]
    return dict(zip(vectors, guest.run(f"cat {' '.join(files)}").out.split(), strict=True))


def to_all_queues(guest):
    """Streams enough that no queue is without one."""
    assert tcp_stream(guest, PEER, PF_HOST, options="--parallel 8").bytes > 1 << 20


@pytest.mark.long
def test_affinity_script(lan):
    """What the scripts of vendors do: each vector of a queue to one processor, by the names in /proc/interrupts
    and the list in sysfs, and the queue's sending as well. It interrupts that processor, and no other."""
    guest = lan.guest
    # A vector moves when it interrupts for the next time.
    vectors = sorted(queue_vectors(guest))
    listed = {int(name) for name in guest.run(f"ls {DEVICE}/msi_irqs").out.split()}
    assert len(vectors) >= 2 and set(vectors) <= listed
    for turn in range(guest.config.smp):
        places = {
            vector: (number + turn) % guest.config.smp for number, vector in enumerate(vectors)
        }
        for number, (vector, cpu) in enumerate(places.items()):
            guest.run(f"""
                echo {cpu} >/proc/irq/{vector}/smp_affinity_list &&
                echo {1 << cpu:x} >/sys/class/net/dut/queues/tx-{number}/xps_cpus""")
        to_all_queues(guest)
        before = queue_vectors(guest)
        to_all_queues(guest)
        after = queue_vectors(guest)
        for vector, cpu in places.items():
            seen = [now - then for now, then in zip(after[vector], before[vector])]
            assert seen[cpu] > 0 and sum(seen) == seen[cpu], (vector, cpu, seen)


@pytest.mark.long
@pytest.mark.guest(image="vm", smp=2)
def test_irqbalance(lan):
    """All vectors are on one processor, and traffic flows: the daemon moves some of them, and no answer is lost."""
    guest = lan.guest
    vectors = sorted(queue_vectors(guest))
    for vector in vectors:
        guest.run(f"echo 0 >/proc/irq/{vector}/smp_affinity_list")
    to_all_queues(guest)
    assert set(affinity(guest, vectors).values()) == {"0"}
    daemon = guest.start("exec irqbalance --foreground --interval=1 >/tmp/balance 2>&1", 300)
    pings = guest.start(f"exec ping -q -i 0.02 -W 10 {PEER.ipv4}", 300)
    files = " ".join(f"/proc/irq/{vector}/smp_affinity_list" for vector in vectors)
    try:
        guest.wait_until(f"[ $(sort -u {files} | grep -cx '[01]') = 2 ]", 60, interval=0.5)
    finally:
        print(guest.read("/tmp/balance"), affinity(guest, vectors))
    before = queue_vectors(guest)
    to_all_queues(guest)
    after = queue_vectors(guest)
    assert all(
        sum(now[cpu] - then[cpu] for now, then in zip(after.values(), before.values())) > 0
        for cpu in range(2)
    ), (before, after)
    pings.kill(2)
    assert ", 0% packet loss" in pings.wait(check=False).out
    daemon.kill(15)
    daemon.wait(check=False)


# ---- what is said of the port ------------------------------------------------------------------


@pytest.mark.long
@MACHINES
def test_lldpd(lan, vfs):
    """Port and neighbour find each other, and a VF in a VLAN hears nothing of it. One without is heard by all, as the
    card cannot keep it from it; in a VLAN it is not the port's neighbour any more, nor hears one."""
    guest, (vf, other) = lan.guest, vfs
    assert lan.link_set(f"vf 1 vlan {OTHER_VLAN}").rc == 0
    with (
        captured(guest, other, 1, "ether proto 0x88cc", "-p") as unasked,
        lldp(guest, PF_HOST, PEER) as (port, neighbour),
    ):
        port.wait_heard("peer")
        neighbour.wait_heard("dut")
        with lldp(guest, vf) as (machine,):
            machine.wait_heard("dut", "peer")
            port.wait_heard("peer", "vf0")
            neighbour.wait_heard("dut", "vf0")
            assert lan.link_set(f"vf 0 vlan {VLAN}").rc == 0
            port.wait_heard("peer")
            machine.wait_heard()
            with captured(guest, PEER, 2, f"vlan {VLAN} and ether proto 0x88cc", "-e") as tagged:
                assert tagged.ended().count(mac_of(guest, vf)) == 2
        assert unasked.stopped() == 0


@pytest.mark.long
@MACHINES
def test_snmpd(lan, vfs):
    """IF-MIB has the kernel's counters, of 64 bits, and the state of the link, for the PF and for a VF."""
    guest, vf = lan.guest, vfs[0]
    agents = [Snmp(guest, host) for host in (PF_HOST, vf)]
    before = [agent.wait_agrees() for agent in agents]
    assert frames(guest, PEER, PF_HOST, [1514] * 500).perfect
    assert frames(guest, vf, PEER, [1514] * 500).perfect
    after = [agent.wait_agrees() for agent in agents]
    assert after[0]["rx_bytes"] - before[0]["rx_bytes"] >= 500 * 1500
    assert after[1]["tx_bytes"] - before[1]["tx_bytes"] >= 500 * 1500
    for agent in agents:
        agent.wait(HIGH_SPEED, 1000)
        agent.wait(OPER_STATUS, UP)
    guest.qmp("set_link", name="dut0", up=False)
    agents[0].wait(OPER_STATUS, DOWN)
    if guest.config.driver == "igb_rs":  # With C igb a VF does not see it.
        agents[1].wait(OPER_STATUS, DOWN)
    guest.qmp("set_link", name="dut0", up=True)
    for agent in agents:
        agent.wait(OPER_STATUS, UP)
        agent.end()


# ---- who may be there --------------------------------------------------------------------------


@pytest.mark.long
@MACHINES
@pytest.mark.parametrize("group", [False, True], ids=["to the VF", "to the group"])
def test_supplicant(lan, vfs, group):
    """802.1X from a VF to the switch behind the wire: it is let in by its password, and not by another. A VF in
    another VLAN sees nothing of it, whether the switch answers to the VF or to the protocol's group."""
    guest, (vf, other) = lan.guest, vfs
    assert lan.link_set(f"vf 1 vlan {OTHER_VLAN}").rc == 0
    switch = Authenticator(guest, PEER, group)
    with captured(guest, other, 1, "ether proto 0x888e", "-p") as unasked:
        for password, event in (
            (Authenticator.PASSWORD, "CTRL-EVENT-EAP-SUCCESS"),
            ("another", "CTRL-EVENT-EAP-FAILURE"),
        ):
            machine = Supplicant(guest, vf, Authenticator.USER, password)
            machine.wait(event)
            machine.end()
        assert unasked.stopped() == 0
    switch.end()


# ---- more than one function --------------------------------------------------------------------

SECOND_PORT = "0000:02:00.0"
SLAVES = pair(PF_PCI, SECOND_PORT)


@pytest.mark.driver("igb_rs")  # C igb: no VF sees that the link of its port has gone
@pytest.mark.long
@pytest.mark.guest(image="vm", smp=1, duts=2)
@pytest.mark.parametrize("policy", ["same_all", "by_active", "only_active"])
def test_teamd(lan, policy):
    """A team of VFs of two ports, which have the same address or one each: the link of the first one's port goes,
    and the other takes over; it comes back, and so does the first."""
    guest = lan.guest
    make_namespace(guest)
    bring_up(guest, SECOND_PORT)
    hand_over(guest, SLAVES)
    team = Team(guest, BOND, [slave.name for slave in SLAVES], policy)
    guest.run(
        f"ip addr add {BOND.ipv4}/24 dev {BOND.name} && ip link set {BOND.name} up",
        netns=BOND.netns,
    )
    team.wait_active(SLAVES[0].name, 30)
    guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30, netns=BOND.netns)
    with pinging(guest) as answers:
        for up in (False, True):
            guest.qmp("set_link", name="dut0", up=up)
            team.wait_active(SLAVES[up is False].name)
            guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30, netns=BOND.netns)
            assert ping(guest, BOND, PEER.ipv4, count=5).complete
    print(f"{policy}: {answers.longest_gap:.2f} s without an answer")
    team.end()
    for port in (PF_PCI, SECOND_PORT):
        set_numvfs(guest, port, 0)


@pytest.mark.long
@MACHINES
def test_open_vswitch(lan, vfs):
    """The PF is a port of the switch, with all VLANs; a machine behind the switch is in one of them, as the peer is.
    A VF reaches a machine without a VLAN once the PF has its address."""
    guest, vf = lan.guest, vfs[0]
    inner, plain = Host("inner", "inner", 120), Host("plain", "plain", 200)
    outside = tag(guest, PEER, VLAN)
    with open_vswitch(guest):
        guest.run(f"""
            ovs-vsctl add-br switch -- set bridge switch fail_mode=standalone
            ovs-vsctl add-port switch dut
            ovs-vsctl add-port switch inner tag={VLAN} -- set interface inner type=internal
            ovs-vsctl add-port switch plain -- set interface plain type=internal
            ip netns add inner && ip link set inner netns inner up
            ip netns add plain && ip link set plain netns plain up
            ip -n inner addr add {inner.ipv4}/25 dev inner
            ip -n plain addr add {plain.ipv4}/24 dev plain""")
        assert ping(guest, inner, outside.ipv4, count=3).complete
        assert ping(guest, outside, inner.ipv4, count=3).complete
        assert ping(guest, PEER, plain.ipv4, count=3).complete
        assert frames(guest, PEER, plain, range(60, 1515, 101)).perfect
        print("from a VF, without:", ping(guest, vf, plain.ipv4, count=2, patience=2).received)
        guest.run(f"bridge fdb add {mac_of(guest, plain)} dev dut self")
        assert ping(guest, vf, plain.ipv4, count=3).complete
        assert ping(guest, plain, vf.ipv4, count=3).complete
        guest.run(f"bridge fdb del {mac_of(guest, plain)} dev dut self")


@pytest.mark.long
@pytest.mark.guest(**HOST_OF_GUESTS)
def test_driverctl(lan, vfs):
    """A VF is given to vfio-pci and back to its own driver. Meanwhile its neighbour goes on, and what the
    administrator has set of it stays."""
    guest, (vf, other) = lan.guest, vfs
    pci = lan.vf_pci(0)
    guest.run("modprobe vfio-pci")
    assert lan.link_set(f"vf 0 mac {GIVEN}").rc == 0

    def driver() -> str:
        return guest.run(f"basename $(readlink {DEVICE}/virtfn0/driver)").text

    for _ in range(2):
        lan.detach(vf)
        guest.run(f"driverctl --nosave set-override {pci} vfio-pci")
        assert driver() == "vfio-pci"
        assert f"{pci} vfio-pci" in guest.run("driverctl list-overrides").out
        assert ping(guest, other, PEER.ipv4, count=3).complete
        guest.run(f"driverctl --nosave unset-override {pci}")
        assert driver() == "igbvf"
        lan.attach(vf, pci)
        lan.wait_carrier(vf)
        assert mac_of(guest, vf) == GIVEN and shown(guest)[0]["address"] == GIVEN
        reach_peer(lan, vf)
        assert ping(guest, vf, other.ipv4, count=3).complete
        assert arrive(guest, PEER, vf, GIVEN)


# ---- the next kernel ---------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.guest(image="vm", smp=2, memory="2G", cmdline=kexec.RESERVED)
@pytest.mark.parametrize("end", [kexec.execute, kexec.crash], ids=["kexec", "kdump"])
def test_next_kernel(own_guest, end):
    """A kernel with seven VFs that are up and busy is replaced by another: as at a shutdown, or after a crash, when
    nobody has told a device. That one comes up, reads what the first has left of itself, finds the card with nothing
    of the VFs in it, and makes seven again."""
    guest, lan = own_guest, Lan(own_guest)
    lan.up()
    kexec.load(guest, end is kexec.crash)
    vfs = lan.vfs_up(MAX_VFS)
    addresses = [mac_of(guest, vf) for vf in vfs]
    for vf in vfs:
        guest.start(f"exec ping -q -f -s 1400 {PEER.ipv4}", None, vf.netns)
    for vf in vfs:
        received = f"$(cat /sys/class/net/{vf.name}/statistics/rx_packets)"
        guest.wait_until(f"[ {received} -gt 100 ]", 60, netns=vf.netns)
    end(guest)
    assert not KernelLog.of_boot(guest)
    assert guest.read(f"{DEVICE}/sriov_numvfs") == "0"
    if end is kexec.crash:
        guest.run("makedumpfile --dump-dmesg /proc/vmcore /tmp/log")
        assert "sysrq triggered crash" in guest.read("/tmp/log")
    lan = Lan(guest)
    lan.up()
    filters = Filters.read(guest)
    assert not any(filters.pools_of(address) for address in addresses)
    assert ping(guest, PF_HOST, PEER.ipv4, count=3).complete
    for vf in lan.vfs_up(MAX_VFS):
        reach_peer(lan, vf)
        assert ping(guest, vf, PEER.ipv4, count=3).complete, vf
    lan.vfs_down()
