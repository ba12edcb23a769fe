# SPDX-License-Identifier: GPL-2.0
"""Bonds of two VFs, in a namespace of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
import signal

from harness import Guest
from harness.health import KernelLog
from harness.topology import PEER, Host

from .times import logged

BOND = Host("bond0", "bond", 20)
STATE = f"/proc/net/bonding/{BOND.name}"
# How often the bond looks at the carriers of its interfaces, in milliseconds.
MIIMON = 100
# Seconds between two pings.
INTERVAL = 0.05
OUTPUT = "/run/answers"
DEVICES = "/sys/bus/pci/devices"


@dataclasses.dataclass(frozen=True)
class Slave:
    """A VF that the bond is made of."""

    name: str
    port: str  # PCI function of the PF
    index: int
    mac: str  # of the administrator's, if it is given one

    def pci(self, guest: Guest) -> str:
        (link,) = guest.batch([("link", f"{DEVICES}/{self.port}/virtfn{self.index}")])
        return link.rsplit("/", 1)[-1]


def pair(first: str, second: str) -> tuple[Slave, Slave]:
    """Of two ports, or of one."""
    return (
        Slave("one", first, 0, "02:00:00:00:00:a0"),
        Slave("two", second, int(first == second), "02:00:00:00:00:a1"),
    )


def bring_up(guest: Guest, port: str) -> str:
    """The second port, as `lan` does it with the first. Its interface."""
    name = guest.wait_netdev(port)
    guest.run(f"ip link set {name} up")
    guest.wait_carrier(name)
    return name


def set_numvfs(guest: Guest, port: str, count: int):
    result = guest.write(f"{DEVICES}/{port}/sriov_numvfs", str(count))
    assert result.rc == 0, result


def make_namespace(guest: Guest):
    """Without IPv6: it takes its own frames that the model returns for those of another."""
    guest.run("modprobe bonding max_bonds=0")
    guest.run(f"ip netns add {BOND.netns}")
    for which in ("all", "default"):
        guest.run(f"echo 1 >/proc/sys/net/ipv6/conf/{which}/disable_ipv6", netns=BOND.netns)


def hand_over(guest: Guest, slaves: tuple[Slave, ...], given: bool = False, trust: bool = False):
    """Makes the VFs and moves their interfaces to the namespace. `given`: each has an address of the
    administrator's."""
    for port in {slave.port for slave in slaves}:
        set_numvfs(guest, port, sum(slave.port == port for slave in slaves))
    for slave in slaves:
        pf, pci = guest.wait_netdev(slave.port), slave.pci(guest)
        settings = [f"mac {slave.mac}"] * given + ["trust on"] * trust
        for setting in settings:
            guest.run(f"ip link set {pf} vf {slave.index} {setting}")
        if settings:
            # The driver learns of the address when it starts, and only then asks again for one of its own
            # that it was refused.
            guest.run(f"""
                echo {pci} >/sys/bus/pci/drivers/igbvf/unbind
                echo {pci} >/sys/bus/pci/drivers/igbvf/bind""")
        guest.run(f"""
            ip link set {guest.wait_netdev(pci)} name {slave.name} &&
            ip link set {slave.name} netns {BOND.netns}""")


def make(guest: Guest, slaves: tuple[Slave, ...], options: str):
    """The Result of the command that makes the bond, which is down."""
    joins = " && ".join(f"ip link set {slave.name} master {BOND.name}" for slave in slaves)
    return guest.run(
        f"ip link add {BOND.name} type bond miimon {MIIMON} {options} && {joins}",
        check=False,
        netns=BOND.netns,
    )


def take_back(guest: Guest, slaves: tuple[Slave, ...]):
    guest.run(f"ip link del {BOND.name}", netns=BOND.netns)
    for port in {slave.port for slave in slaves}:
        set_numvfs(guest, port, 0)


def start(guest: Guest, options: str = ""):
    """Brings the bond up with its address, and waits until it reaches the peer. `options` are those that name
    its interfaces."""
    guest.run(
        f"ip addr add {BOND.ipv4}/24 dev {BOND.name} && ip link set {BOND.name} up",
        netns=BOND.netns,
    )
    if options:
        guest.run(f"ip link set {BOND.name} type bond {options}", netns=BOND.netns)
    guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30, netns=BOND.netns)


def wait_active(guest: Guest, slave: Slave, seconds: float):
    line = f"Currently Active Slave: {slave.name}"
    guest.wait_until(f"grep -q '{line}' {STATE}", seconds, netns=BOND.netns)


def moved(guest: Guest, to: Slave, begins: str, change) -> float:
    """Seconds by the guest's clock from the line of the log that `begins`, which `change` causes, until the bond
    uses another VF."""
    log = KernelLog(guest, "change")
    change()
    wait_active(guest, to, 10)
    lines = log.lines()
    return logged(lines, rf"\(slave {to.name}\): making interface the new active") - logged(
        lines, begins
    )


class Answers:
    """When the peer answered."""

    def __init__(self):
        self.times: list[float] = []

    @property
    def longest_gap(self) -> float:
        """In seconds by the guest's clock."""
        assert len(self.times) > 10, "hardly an answer"
        return max(later - earlier for earlier, later in itertools.pairwise(self.times))


@contextlib.contextmanager
def pinging(guest: Guest):
    """Has the bond ping the peer until the block ends; the answers, which are complete then. There has been one
    when the block begins."""
    command = f"exec stdbuf -oL ping -n -D -i {INTERVAL} {PEER.ipv4} >{OUTPUT}"
    guest.put(OUTPUT, b"")
    job = guest.start(command, timeout=600, netns=BOND.netns)
    guest.wait_file(OUTPUT, 20, "bytes from")
    answers = Answers()
    yield answers
    job.kill(signal.SIGINT)
    job.wait(check=False)
    found = re.findall(r"^\[([\d.]+)\] \d+ bytes from", guest.read(OUTPUT), re.MULTILINE)
    answers.times += map(float, found)
