# SPDX-License-Identifier: GPL-2.0
"""Bonds of VFs of two ports. Documentation/sriov.rst has what was seen."""

import contextlib
import re

import pytest
from support.bonds import (
    BOND,
    MIIMON,
    STATE,
    bring_up,
    hand_over,
    make,
    make_namespace,
    moved,
    pair,
    pinging,
    start,
    take_back,
    wait_active,
)

from harness.health import KernelLog
from harness.topology import PEER, PF_PCI
from harness.traffic import ping

pytestmark = [pytest.mark.long, pytest.mark.guest(duts=2, smp=1)]

SECOND_PORT = "0000:02:00.0"
SLAVES = pair(PF_PCI, SECOND_PORT)
# igbvf looks at its link once in two seconds, if it is told to. Seconds, by the guest's clock.
SEEN = 3 + MIIMON / 1000

# How both VFs of a bond may have what it wants: the bond's option, whether they have addresses of the
# administrator's, and trust.
BONDS = {
    "own addresses": ("none", False, False),
    "trusted": ("none", True, True),
    "given addresses": ("active", True, False),
}


@pytest.fixture
def second(lan):
    """The interface of the second port, up, beside the namespace for a bond."""
    make_namespace(lan.guest)
    return bring_up(lan.guest, SECOND_PORT)


@contextlib.contextmanager
def bonded(guest, how: str):
    """A bond that works, and goes back to its first VF as soon as that has a link."""
    fail_over_mac, given, trust = BONDS[how]
    hand_over(guest, SLAVES, given, trust)
    made = make(guest, SLAVES, f"mode active-backup fail_over_mac {fail_over_mac}")
    assert made.rc == 0, made
    start(guest, f"primary {SLAVES[0].name}")
    wait_active(guest, SLAVES[0], 10)
    yield
    take_back(guest, SLAVES)


def plug(guest, up: bool):
    guest.qmp("set_link", name="dut0", up=up)


def fails_over(guest, begins: tuple[str, str], changes):
    """To the second VF by the first change, and back by the other, under traffic."""
    seen = SEEN * guest.slowness
    first, second = SLAVES
    with pinging(guest) as answers:
        there = moved(guest, second, begins[0], changes[0])
        # What is sent by the second VF is answered.
        assert ping(guest, BOND, PEER.ipv4, count=5).complete
        back = moved(guest, first, begins[1], changes[1])
        assert ping(guest, BOND, PEER.ipv4, count=5).complete
    print(f"{there:.2f} s, back {back:.2f} s; {answers.longest_gap:.2f} s without an answer")
    assert there <= seen and back <= seen
    # Until then nothing was answered, or the traffic was none.
    assert there / 2 <= answers.longest_gap <= seen


# C igb: VFs never see that the port's link has gone, so the bond goes on sending there.
@pytest.mark.driver("igb_rs")
@pytest.mark.parametrize("how", BONDS)
def test_bond_follows_the_link_of_a_port(lan, second, how):
    guest = lan.guest
    # The PF's own line, of either driver.
    begins = tuple(rf"dut: (igb: dut )?NIC Link is {state}" for state in ("Down", "Up"))
    with bonded(guest, how):
        fails_over(guest, begins, [lambda: plug(guest, False), lambda: plug(guest, True)])


# C igb has no state of a VF's link.
@pytest.mark.driver("igb_rs")
@pytest.mark.parametrize("how", BONDS)
def test_bond_follows_the_state_of_a_vf(lan, second, how):
    guest = lan.guest

    def setting(state: str):
        return lambda: guest.run(f"echo '<6>begin' >/dev/kmsg; ip link set dut vf 0 state {state}")

    with bonded(guest, how):
        fails_over(guest, ("begin$",) * 2, [setting("disable"), setting("auto")])


ONE_PORT = pair(PF_PCI, PF_PCI)
# vf_own_addresses, whether the administrator gave addresses, trust, the VFs, the bond's option, and whether
# the bond can be made.
RULES = {
    "own addresses": (1, False, False, SLAVES, "none", True),
    "any own addresses": (2, False, False, SLAVES, "none", True),
    "no own addresses": (0, False, False, SLAVES, "none", False),
    "no own addresses, trusted": (0, False, True, SLAVES, "none", True),
    "given addresses": (1, True, False, SLAVES, "none", False),
    "given addresses, trusted": (1, True, True, SLAVES, "none", True),
    "given addresses, active": (1, True, False, SLAVES, "active", True),
    "one port, trusted": (1, False, True, ONE_PORT, "none", False),
    "one port, active": (1, False, False, ONE_PORT, "active", True),
}


@pytest.mark.driver("igb_rs")  # C igb has no such parameter
@pytest.mark.parametrize("rule", RULES)
def test_which_bonds_can_be_made(lan, second, rule):
    """What attacks.rst says of addresses."""
    own, given, trust, slaves, fail_over_mac, expected = RULES[rule]
    guest = lan.guest

    def allow(value: int):
        for port in {slave.port for slave in slaves}:
            guest.run(
                f"devlink dev param set pci/{port} name vf_own_addresses value {value} cmode runtime"
            )

    allow(own)
    hand_over(guest, slaves, given, trust)
    made = make(guest, slaves, f"mode active-backup fail_over_mac {fail_over_mac}")
    assert (made.rc == 0) == expected, made
    if expected:
        start(guest)
        assert ping(guest, BOND, PEER.ipv4, count=5).complete
    else:
        assert "Cannot assign requested address" in made.err
    take_back(guest, slaves)
    allow(1)


# The second port has a wire of its own, with nothing else on it: on the hub each port would receive what the
# other sends, which a switch keeps from it.
FAR_PORT = "0000:03:00.0"
FAR = (
    "-netdev",
    "hubport,id=far,hubid=1",
    "-device",
    "pcie-root-port,id=rpfar,chassis=8,slot=8,addr=0x8",
    "-device",
    "igb,id=dut1,bus=rpfar,netdev=far,mac=52:54:00:82:57:10,romfile=",
    # LACP wants to know both.
    "-global",
    "virtio-net-device.speed=1000",
    "-global",
    "virtio-net-device.duplex=full",
)
LACP = "mode 802.3ad lacp_rate fast"
PARTNER = "partner"
NOBODY = "00:00:00:00:00:00"
LOOPBACK = r"\(slave {}\): An illegal loopback occurred"


def partner_of(name: str) -> str:
    """The command that tells the system LACP has found at the other end of one of the bond's links."""
    return (
        f"awk '/^Slave Interface: {name}$/ {{ here = 1 }} here && /partner lacp pdu/ {{ its = 1 }}"
        f" its && /system mac address/ {{ print $4; exit }}' {STATE}"
    )


def wait_partner(guest, name: str, address: str):
    guest.wait_until(f'[ "$({partner_of(name)})" = {address} ]', 15, netns=BOND.netns)


def start_partner(guest):
    """The peer as the other end of an aggregate."""
    guest.run(
        f"""
        ip link set {PEER.name} down && ip addr flush dev {PEER.name}
        ip link add {PARTNER} type bond miimon {MIIMON} {LACP} &&
        ip link set {PEER.name} master {PARTNER} && ip link set {PARTNER} up &&
        ip addr add {PEER.ipv4}/24 dev {PARTNER}""",
        netns=PEER.netns,
    )


@pytest.mark.driver("igb_rs")  # C igb has no switch modes
@pytest.mark.guest(smp=1, arguments=FAR)
def test_lacp(lan):
    """VEB: the model returns a VF its own LACPDUs. The bond logs each, and does not see that its partner has
    gone. VEPA: nothing comes back."""
    guest = lan.guest
    make_namespace(guest)
    far = bring_up(guest, FAR_PORT)
    slaves = pair(PF_PCI, FAR_PORT)
    one, two = (slave.name for slave in slaves)
    hand_over(guest, slaves)
    start_partner(guest)
    partner = guest.links(PEER.netns)[PARTNER]["address"]

    log = KernelLog(guest, "VEB")
    made = make(guest, slaves, LACP)
    assert made.rc == 0, made
    start(guest)
    wait_partner(guest, one, partner)
    # Both ends know each other before both distribute.
    guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30, netns=BOND.netns)
    assert ping(guest, BOND, PEER.ipv4, count=5).complete
    guest.run(f"ip link set {PARTNER} down", netns=PEER.netns)
    # Three seconds without a partner would do, and the bond sends once a second.
    gone = KernelLog(guest, "VEB, without a partner")
    loops = f"dmesg | sed -n '/{gone.mark}/,$p' | grep -c '(slave {one}): An illegal loopback'"
    guest.wait_until(f"[ $({loops}) -ge 10 ]", 30)
    assert guest.run(partner_of(one), netns=BOND.netns).text == partner
    text = "\n".join(log.lines())
    assert all(re.search(LOOPBACK.format(name), text) for name in (one, two))

    for port in ("dut", far):
        guest.run(f"bridge link set dev {port} hwmode vepa")
    guest.run(f"ip link set {PARTNER} up", netns=PEER.netns)
    log = KernelLog(guest, "VEPA")
    guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30, netns=BOND.netns)
    wait_partner(guest, one, partner)
    assert ping(guest, BOND, PEER.ipv4, count=5).complete
    guest.run(f"ip link set {PARTNER} down", netns=PEER.netns)
    wait_partner(guest, one, NOBODY)
    assert not [line for line in log.lines() if "illegal loopback" in line]
    take_back(guest, slaves)
