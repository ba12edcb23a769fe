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
PF_PCI = "0000:01:00.0"
CARRIER_SECONDS = 30


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


def _interface(pci: str) -> str:
    """Shell expression for the interface of a PCI function."""
    base = f"/sys/bus/pci/devices/{pci}"
    return f"$(ls -d {base}/net/* {base}/virtio*/net/* 2>/dev/null | sed s,.*/,,)"


class Lan:
    """Builds and takes down the network of one guest."""

    def __init__(self, guest: Guest):
        self.guest = guest
        self.peer_pci = f"0000:{guest.config.duts + 1:02x}:00.0"
        self.peer_driver = (guest.config.peer or "").replace("virtio-net-pci", "virtio_net")

    # ---- hosts -------------------------------------------------------------------------------

    def attach(self, host: Host, pci: str):
        """Names the interface of `pci`, moves it into its namespace, addresses it, brings it up.
        Does not wait for the carrier."""
        into = f"-n {host.netns}" if host.netns else ""
        script = [f"i={_interface(pci)}", f"ip link set $i down name {host.name}"]
        if host.netns:
            script += [f"ip netns add {host.netns}", f"ip -n {host.netns} link set lo up",
                       f"ip link set {host.name} netns {host.netns}"]
        script += [
            f"ip {into} addr add {host.ipv4}/24 dev {host.name}",
            f"ip {into} addr add {host.ipv6}/64 dev {host.name} nodad",
            f"ip {into} link set {host.name} up"]
        self.guest.run(" && ".join(script))

    def wait_carrier(self, host: Host, seconds: float = CARRIER_SECONDS):
        self.guest.wait_until(f"grep -q 1 /sys/class/net/{host.name}/carrier", seconds,
                              netns=host.netns)

    def detach(self, host: Host):
        """Ends whatever runs in the namespace and removes it; a PCI interface returns to the
        root namespace by itself."""
        if host.netns is None:
            self.guest.run(f"ip link set {host.name} down; ip addr flush dev {host.name}",
                           check=False)
            return
        self.guest.run(f"ip netns pids {host.netns} | xargs -r kill -9; "
                       f"ip netns del {host.netns}", check=False)

    # ---- the whole network -------------------------------------------------------------------

    def up(self):
        """Driver loaded, PF and peer up with carrier."""
        self.guest.load()
        self.attach(PF_HOST, PF_PCI)
        if self.guest.config.peer:
            self.guest.run(f"modprobe {self.peer_driver}")
            self.attach(PEER, self.peer_pci)
            self.wait_carrier(PEER)
        self.wait_carrier(PF_HOST)

    def down(self):
        """Back to a guest without namespaces, VFs and the driver under test."""
        self.guest.run("ip -all netns pids 2>/dev/null | xargs -r kill -9;"
                       "for n in $(ls /run/netns); do ip netns pids $n | xargs -r kill -9;"
                       "  ip netns del $n; done", check=False)
        self.guest.run(f"if [ -d /sys/module/{self.guest.config.driver} ]; then"
                       f"  rmmod {self.guest.config.driver}; fi")
        self.guest.run(f"modprobe -r igbvf; modprobe -r {self.peer_driver or 'dummy'}",
                       check=False)

    # ---- virtual functions -------------------------------------------------------------------

    def set_numvfs(self, count: int):
        """Writes sriov_numvfs and returns the Result, whose `err` has the errno's text."""
        return self.guest.write(f"/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs", str(count))

    def vf_pci(self, index: int) -> str:
        link = self.guest.run(f"readlink /sys/bus/pci/devices/{PF_PCI}/virtfn{index}").text
        return link.rsplit("/", 1)[-1]

    def vfs_up(self, count: int) -> list[Host]:
        """Creates VFs, waits until igbvf has bound each, and gives each its namespace."""
        result = self.set_numvfs(count)
        if result.rc:
            raise AssertionError(f"sriov_numvfs={count}: {result.err}")
        hosts = [vf_host(index) for index in range(count)]
        for index, host in enumerate(hosts):
            pci = self.vf_pci(index)
            self.guest.wait_until(f"[ -n \"$(ls /sys/bus/pci/devices/{pci}/net 2>/dev/null)\" ]",
                                  20)
            self.attach(host, pci)
        for host in hosts:
            self.wait_carrier(host)
        return hosts

    def vfs_down(self):
        result = self.set_numvfs(0)
        if result.rc:
            raise AssertionError(f"sriov_numvfs=0: {result.err}")
        self.guest.run("for n in $(ls /run/netns | grep ^vf); do ip netns del $n; done",
                       check=False)

    def link_set(self, arguments: str):
        """`ip link set dut ARGUMENTS`, for `vf N mac ...` and the like."""
        return self.guest.run(f"ip link set {shlex.quote(PF)} {arguments}", check=False)
