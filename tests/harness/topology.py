# SPDX-License-Identifier: GPL-2.0
"""Interface names, addresses and namespaces of the test network.

    root namespace            namespaces
    dut  (PF)  192.0.2.1      peer        192.0.2.2       the other NIC on the wire
                              vf0..vf6    192.0.2.10..16  one VF each, when created

IPv6 is the same host number (in hexadecimal) in 2001:db8:1::/64.
"""

from __future__ import annotations

import dataclasses
import shlex

from .guest import Guest

PF = "dut"
PF_PCI = Guest.PF
CARRIER_SECONDS = 30
MAX_VFS = 7


@dataclasses.dataclass(frozen=True)
class Host:
    """One end of the network: an interface in a namespace (None: the guest's root)."""

    name: str
    netns: str | None
    number: int

    @property
    def ipv4(self) -> str:
        return f"192.0.2.{self.number}"

    @property
    def ipv6(self) -> str:
        return f"2001:db8:1::{self.number:x}"


PF_HOST = Host(PF, None, 1)
PEER = Host("peer", "peer", 2)


def vf_host(index: int) -> Host:
    return Host(f"vf{index}", f"vf{index}", 10 + index)


def _plan(host: Host, pci: str) -> dict:
    """What tests/guest/network.py attaches."""
    return {
        "pci": pci,
        "name": host.name,
        "netns": host.netns,
        "addresses": [f"{host.ipv4}/24", f"{host.ipv6}/64"],
    }


class Lan:
    """Builds and takes down the network of one guest."""

    def __init__(self, guest: Guest):
        self.guest = guest
        self.peer_pci = f"0000:{guest.config.duts + 1:02x}:00.0"
        self.peer_driver = (guest.config.peer or "").replace("virtio-net-pci", "virtio_net")
        self._defaults: dict | None = None  # the state that a test finds (tests/guest/state.py)

    # ---- hosts -------------------------------------------------------------------------------

    def attach(self, host: Host, pci: str):
        """Names the interface of `pci`, moves it into its namespace, addresses it, brings it up.
        Does not wait for the carrier."""
        self.guest.attach([_plan(host, pci)], carrier=None)

    def wait_carrier(self, host: Host, seconds: float = CARRIER_SECONDS):
        self.guest.wait_carrier(host.name, host.netns, seconds)

    def detach(self, host: Host):
        """Ends whatever runs in the namespace and removes it; a PCI interface returns to the
        root namespace by itself."""
        if host.netns is None:
            self.guest.run(
                f"ip link set {host.name} down; ip addr flush dev {host.name}", check=False
            )
            return
        self.guest.detach([host.netns])

    # ---- the whole network -------------------------------------------------------------------

    def up(self):
        """Driver loaded, PF and peer up with carrier."""
        self.guest.load()
        plans = [_plan(PF_HOST, PF_PCI)]
        if self.guest.config.peer:
            self.guest.run(f"modprobe {self.peer_driver}")
            plans.append(_plan(PEER, self.peer_pci))
        self.guest.attach(plans, carrier=CARRIER_SECONDS)

    def down(self):
        """Back to a guest without namespaces, VFs and the driver under test."""
        self._defaults = None
        self.guest.detach(None)
        self.guest.run(
            f"if [ -d {self.guest.bound} ]; then {self.guest.ends_driver}; fi;"
            f"modprobe -r igbvf; modprobe -r {self.peer_driver or 'dummy'} || true"
        )

    # ---- from one test to the next -----------------------------------------------------------

    def ready(self):
        """The network as `up` leaves it, which is kept until `down`."""
        if self._defaults is None:
            self.up()
            self._defaults = self.guest.ask("state", "read", PF_PCI)
        else:
            hosts = (PF_HOST, PEER) if self.guest.config.peer else (PF_HOST,)
            self.guest.wait_carriers([(host.name, host.netns) for host in hosts])

    def restore(self) -> list[str]:
        """Ends what a test has left running, and undoes what it has set. What cannot be undone is
        returned; the network is down then, and when its driver has gone."""
        self.guest.agent.kill_all()
        if not self._stands():
            self.down()
            return []
        left = self.guest.ask("state", "restore", PF_PCI, value=self._defaults, timeout=90)
        if left:
            self.down()
        return left

    def _stands(self) -> bool:
        """Whether the interfaces are there whose state was noted."""
        return (
            self._defaults is not None
            and PF in self.guest.links()
            and (
                not self.guest.config.peer
                or (
                    self.guest.batch([("exists", f"/run/netns/{PEER.netns}")])[0]
                    and PEER.name in self.guest.links(PEER.netns)
                )
            )
        )

    # ---- virtual functions -------------------------------------------------------------------

    def set_numvfs(self, count: int):
        """Writes sriov_numvfs and returns the Result, whose `err` has the errno's text."""
        return self.guest.write(f"/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs", str(count))

    def vf_pci(self, index: int) -> str:
        (link,) = self.guest.batch([("link", f"/sys/bus/pci/devices/{PF_PCI}/virtfn{index}")])
        return link.rsplit("/", 1)[-1]

    def vfs_up(self, count: int) -> list[Host]:
        """Creates VFs, waits until igbvf has bound each, and gives each its namespace."""
        result = self.set_numvfs(count)
        if result.rc:
            raise AssertionError(f"sriov_numvfs={count}: {result.err}")
        hosts = [vf_host(index) for index in range(count)]
        self.guest.attach(
            [_plan(host, self.vf_pci(host.number - 10)) for host in hosts], carrier=CARRIER_SECONDS
        )
        self.settle()
        return hosts

    def settle(self):
        """Waits for the PF's link, if that is up, which it negotiates anew when the number of VFs
        has changed."""
        if self.guest.links()[PF]["up"]:
            self.wait_carrier(PF_HOST)

    def vfs_down(self):
        result = self.set_numvfs(0)
        if result.rc:
            raise AssertionError(f"sriov_numvfs=0: {result.err}")
        self.guest.detach([vf_host(index).netns for index in range(MAX_VFS)])

    def link_set(self, arguments: str):
        """`ip link set dut ARGUMENTS`, for `vf N mac ...` and the like."""
        return self.guest.run(f"ip link set {shlex.quote(PF)} {arguments}", check=False)
