# SPDX-License-Identifier: GPL-2.0
"""Groups of machines with VFs: routers that share an address (VRRP), and names by mDNS."""

import contextlib
import itertools
import re
import signal

import pytest
from support import ONE_CPU
from support.bonds import bring_up, set_numvfs
from support.clocks import INSTRUCTIONS
from support.groups import MDNS, hear
from support.programs import ROUTER, USE_VMAC, VIRTUAL, VMAC, Router, avahi
from support.registers import Filters

from harness.topology import PEER, PF_HOST, PF_PCI, Host
from harness.traffic import is_silent, mac_of, ping

pytestmark = [pytest.mark.long, pytest.mark.timeout(900), ONE_CPU]

VRRP = {"group": "224.0.0.18", "protocol": 112, "port": None}


def but(host: Host, *hosts: Host) -> set[str]:
    """All but one."""
    return {other.name for other in hosts} - {host.name}


@pytest.mark.driver("igb_rs")  # C igb has no switch modes
def test_mdns(lan, vfs):
    """VFs, PF and peer hear each other. The model returns a VF what it sends, which the stack takes for forged
    unless it is told otherwise. With VEPA nothing comes back, and functions of the port hear each other only
    if the neighbour sends their frames back, which a hub does not."""
    guest = lan.guest
    hosts = (PF_HOST, PEER, *vfs)
    heard = hear(guest, MDNS, *hosts)
    assert heard == {host.name: but(host, *hosts) for host in hosts}
    for vf in vfs:
        guest.run(f"echo 1 >/proc/sys/net/ipv4/conf/{vf.name}/accept_local", netns=vf.netns)
    heard = hear(guest, MDNS, *hosts)
    assert heard[PF_HOST.name] == but(PF_HOST, *hosts)
    for vf in vfs:
        assert heard[vf.name] == but(vf, *hosts) | {vf.name}
    guest.run("bridge link set dev dut hwmode vepa")
    heard = hear(guest, MDNS, *hosts)
    assert heard[PEER.name] == but(PEER, *hosts)
    for host in (PF_HOST, *vfs):
        assert heard[host.name] == {PEER.name}, host


@pytest.mark.driver("igb_rs")
def test_mdns_in_another_vlan(lan, vfs):
    """Nothing is heard that is not meant to be."""
    guest, (inside, outside) = lan.guest, vfs
    assert lan.link_set("vf 0 vlan 100").rc == 0
    heard = hear(guest, MDNS, PF_HOST, PEER, *vfs)
    assert heard[inside.name] <= {inside.name}
    assert heard[outside.name] >= {PF_HOST.name, PEER.name}
    assert all(inside.name not in heard[host.name] for host in (PF_HOST, PEER, outside))


def restart(guest, vf: Host):
    """Has igbvf ask for its addresses anew."""
    guest.run(f"ip link set {ROUTER} down && ip link set {ROUTER} up", netns=vf.netns)


def add_router(guest, vf: Host):
    """The interface that keepalived makes, whether or not this one is the master."""
    guest.run(
        f"""
        for which in all default {vf.name}; do
            echo 1 >/proc/sys/net/ipv4/conf/$which/arp_ignore
            # Else a question for the peer tells it that the other interface has the virtual address.
            echo 2 >/proc/sys/net/ipv4/conf/$which/arp_announce
        done
        echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
        ip link add {ROUTER} link {vf.name} address {VMAC} type macvlan mode private
        ip link set {ROUTER} up""",
        netns=vf.netns,
    )


def become_master(guest, vf: Host):
    guest.run(
        f"ip addr add {VIRTUAL}/32 dev {ROUTER}; arping -q -A -c 1 -I {ROUTER} {VIRTUAL}",
        check=False,
        netns=vf.netns,
    )
    # The peer did not hear it if it knew nothing.
    guest.run(f"ip neigh flush to {VIRTUAL}", netns=PEER.netns)


def works(guest) -> bool:
    return ping(guest, PEER, VIRTUAL, count=5).complete


def set_own_addresses(guest, value: int):
    guest.run(
        f"devlink dev param set pci/{PF_PCI} name vf_own_addresses value {value} cmode runtime"
    )


# C igb gives any VF any address.
@pytest.mark.driver("igb_rs")
def test_vrrp(lan, vfs):
    """The address of a virtual router is one that only a trusted VF may have, or any with vf_own_addresses 2;
    and one VF of a port at a time. Adverts need nothing."""
    guest, (master, backup) = lan.guest, vfs

    def owners() -> int:
        return Filters.read(guest).pools_of(VMAC)

    for vf in vfs:
        add_router(guest, vf)
    become_master(guest, master)
    assert owners() == 0 and is_silent(guest, PEER, VIRTUAL)
    # A macvlan takes what another router sends, with its own address, for what it has sent itself, and has it
    # alone: so keepalived listens there.
    routers = {vf.name: ROUTER for vf in vfs}
    heard = hear(guest, VRRP, PF_HOST, PEER, *vfs, at=routers)
    assert heard == {host.name: but(host, PF_HOST, PEER, *vfs) for host in (PF_HOST, PEER, *vfs)}

    set_own_addresses(guest, 2)
    restart(guest, master)
    restart(guest, backup)
    assert owners() == 0b01 and works(guest)
    # The master's machine is gone: nobody has told the backup's driver that the address is free now.
    lan.detach(master)
    guest.run(f"echo {lan.vf_pci(0)} >/sys/bus/pci/drivers/igbvf/unbind")
    become_master(guest, backup)
    before = owners()
    restart(guest, backup)
    assert owners() == 0b10 and works(guest)
    print(f"pools that had the address before the backup asked again: {before:#b}")

    set_own_addresses(guest, 1)
    assert owners() == 0 and is_silent(guest, PEER, VIRTUAL)
    assert lan.link_set("vf 1 trust on").rc == 0
    restart(guest, backup)
    assert owners() == 0b10 and works(guest)


MACHINES = {"image": "vm", "smp": 1}


@pytest.mark.guest(**MACHINES)
def test_avahi(lan, vfs):
    """Each finds the name of each other, over IPv4 and IPv6. What the model returns to a VF of its own
    announcement is not taken for that of another who has the same name."""
    guest = lan.guest
    hosts = (PF_HOST, PEER, *vfs)
    with avahi(guest, *hosts) as daemons:
        for daemon, host in itertools.permutations(zip(daemons, hosts), 2):
            asks, name = daemon[0], host[1].name
            assert asks.resolves(name, 4) == host[1].ipv4, (asks.host.name, name)
            assert asks.resolves(name, 6), (asks.host.name, name)
        for daemon in daemons:
            log = guest.read(daemon.log)
            assert f"Host name is {daemon.host.name}.local." in log
            assert "conflict" not in log.lower(), log


# vf_own_addresses, and whether keepalived may have the address of a virtual router without trust.
MAY_BE_ROUTER = [(2, True), (1, False), (0, False)]


@pytest.mark.driver("igb_rs")  # C igb has no such parameter
@pytest.mark.guest(**MACHINES)
def test_which_routers_have_their_address(lan, vfs):
    """What attacks.rst says of keepalived with use_vmac. It takes itself for the master all the same."""
    guest, (vf, _) = lan.guest, vfs
    guest.run(
        f"ip neigh replace {VIRTUAL} lladdr {VMAC} dev {PEER.name} nud permanent",
        netns=PEER.netns,
    )
    for own, may in MAY_BE_ROUTER:
        set_own_addresses(guest, own)
        router = Router(guest, vf, VIRTUAL, 100, USE_VMAC)
        router.wait(True)
        assert Filters.read(guest).pools_of(VMAC) == (0b01 if may else 0), own
        assert works(guest) if may else is_silent(guest, PEER, VIRTUAL), own
        router.end()
        assert not Filters.read(guest).pools_of(VMAC)
    assert "vf0_malformed: 0" in guest.run("ethtool -S dut").out
    answers_with_its_own_address(lan, vf)


def answers_with_its_own_address(lan, vf: Host):
    """Trust that comes after 0 gives the VF the router's address. But the router's answers leave by the interface
    of the VF, which looks for the neighbour with its own address. That was refused: the driver asks for it when
    the interface goes down."""
    guest = lan.guest

    def owners(address: str) -> int:
        return Filters.read(guest).pools_of(address)

    own = mac_of(guest, vf)
    assert lan.link_set("vf 0 trust on").rc == 0
    router = Router(guest, vf, VIRTUAL, 100, USE_VMAC)
    router.wait(True)
    assert owners(VMAC) == 0b01 and owners(own) == 0
    guest.run("ip neigh flush all", netns=vf.netns)
    assert is_silent(guest, PEER, VIRTUAL)
    guest.run(f"ip link set {vf.name} down && ip link set {vf.name} up", netns=vf.netns)
    guest.wait_until(f"ping -c 1 -W 1 -q {VIRTUAL}", 60, netns=PEER.netns)
    assert owners(VMAC) == owners(own) == 0b01
    assert works(guest)
    router.end()


SECOND_PORT = "0000:02:00.0"
# The routers of one group, on different ports.
ROUTERS = tuple(Host(f"router{number}", f"router{number}", 30 + number) for number in (0, 1))
# How the router has the address, and what its VF needs for that.
ROUTER_OPTIONS = {"its own address": ("", ()), "use_vmac": (USE_VMAC, ("trust on",))}
# The least and the most that may pass without an answer: three adverts that do not come, the first up to a second
# after the latest, and the part of one that a priority of 100 has to wait longer.
TAKES_OVER = (2, 4)
# Seconds between two pings.
INTERVAL = 0.05


@contextlib.contextmanager
def answers(guest, gaps: list[float]):
    """Has the peer ping the virtual router; the longest time without an answer goes to `gaps`."""
    job = guest.start(
        f"exec ping -n -D -i {INTERVAL} {VIRTUAL} >/tmp/answers", timeout=900, netns=PEER.netns
    )
    guest.wait_until("[ $(grep -c 'bytes from' /tmp/answers) -ge 10 ]", 20)
    yield
    # What is sent after the change is answered.
    guest.wait_until(f"ping -c 5 -i {INTERVAL} -W 1 -q {VIRTUAL}", 30, netns=PEER.netns)
    job.kill(signal.SIGINT)
    job.wait(check=False)
    found = re.findall(r"^\[([\d.]+)\] \d+ bytes from", guest.read("/tmp/answers"), re.M)
    gaps.append(max(float(b) - float(a) for a, b in itertools.pairwise(found)))


@pytest.mark.driver("igb_rs")  # C igb: no VF sees that the link of its port has gone
@pytest.mark.guest(**MACHINES, duts=2, **INSTRUCTIONS)
@pytest.mark.parametrize("how", ROUTER_OPTIONS)
def test_keepalived(lan, how):
    """Two routers on VFs of two ports: the link of the master's port goes, and the other takes over; it comes
    back, and so does the master."""
    guest = lan.guest
    option, settings = ROUTER_OPTIONS[how]
    bring_up(guest, SECOND_PORT)
    for host, port in zip(ROUTERS, (PF_PCI, SECOND_PORT)):
        set_numvfs(guest, port, 1)
        pf, vf = guest.wait_netdev(port), f"/sys/bus/pci/devices/{port}/virtfn0"
        for setting in settings:
            guest.run(f"ip link set {pf} vf 0 {setting}")
        lan.attach(host, guest.run(f"basename $(readlink {vf})").text)
        lan.wait_carrier(host)
    routers = [
        Router(guest, host, VIRTUAL, priority, option)
        for host, priority in zip(ROUTERS, (200, 100))
    ]
    first, second = routers
    first.wait(True)
    second.wait(False)
    guest.wait_until(f"ping -c 1 -W 1 -q {VIRTUAL}", 30, netns=PEER.netns)

    gaps: list[float] = []
    for up in (False, True):
        with answers(guest, gaps):
            guest.qmp("set_link", name="dut0", up=up)
            first.wait(up)
            second.wait(not up)
    print(f"{how}: no answer for {gaps[0]:.2f} s, and for {gaps[1]:.2f} s when the master is back")
    assert TAKES_OVER[0] < gaps[0] <= TAKES_OVER[1] and gaps[1] <= 0.5
    for router in routers:
        router.end()
    for port in (PF_PCI, SECOND_PORT):
        set_numvfs(guest, port, 0)
