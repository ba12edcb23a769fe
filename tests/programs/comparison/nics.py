# SPDX-License-Identifier: GPL-2.0
"""The kinds of network card a virtual machine can have."""

from __future__ import annotations

import contextlib
import dataclasses

from harness import Guest
from harness.nested import Vm, VmHost, on_tap, passed_through, vm_host
from harness.topology import PEER
from harness.traffic import mac_of

BRIDGE = "br0"


@dataclasses.dataclass(frozen=True)
class Nic:
    key: str
    title: str
    driver: str  # in the virtual machine
    model: str | None = None  # QEMU's, on a tap; None: a VF
    vhost: bool = False

    @property
    def bridged(self) -> bool:
        return self.model is not None


NICS = (
    Nic("vf", "VF (igbvf, VFIO)", "igbvf"),
    Nic("vhost", "virtio-net, vhost", "virtio_net", "virtio-net-pci", vhost=True),
    Nic("virtio", "virtio-net, QEMU", "virtio_net", "virtio-net-pci"),
    Nic("e1000e", "emulated e1000e", "e1000e", "e1000e"),
)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A virtual machine with one of the cards."""

    nic: Nic
    vm: Vm
    number: int

    @property
    def host(self):
        return vm_host(self.number)


def _on_bridge(guest: Guest, nic: Nic, number: int) -> list[str]:
    """A tap in the bridge, and the QEMU arguments of a card on it.

    The device model sends a broadcast back to the function it came from, which hardware does not
    do. The bridge must not learn from that where a virtual machine is: it is told."""
    tap, mac = f"tap-{nic.key}", f"02:00:00:00:01:{number:02x}"
    guest.run(
        f"ip tuntap add {tap} mode tap vnet_hdr && ip link set {tap} master {BRIDGE} up &&"
        f"bridge fdb add {mac} dev {tap} master static"
    )
    return on_tap(nic.model, tap, mac, nic.vhost)


def start_all(host: VmHost) -> list[Subject]:
    """One virtual machine per kind of card, its card up, each standing still. They boot one after
    the other, while those before stand still: the host has one CPU."""
    host.guest.run(f"ip link add {BRIDGE} type bridge && ip link set {BRIDGE} up")
    (vf,) = host.create_vfs(1)
    subjects = []
    for number, nic in enumerate(NICS):
        subject = Subject(
            nic,
            host.boot(_on_bridge(host.guest, nic, number) if nic.bridged else passed_through(vf)),
            number,
        )
        subject.vm.join(subject.host, nic.driver)
        subject.vm.run("netserver")
        subject.vm.pause()
        subjects.append(subject)
    return subjects


@contextlib.contextmanager
def plugged(subject: Subject):
    """This machine alone runs, and reaches the peer."""
    vm = subject.vm
    plug(vm.host.guest, subject.nic)
    vm.resume()
    vm.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 60)
    yield
    vm.pause()


def plug(guest: Guest, nic: Nic):
    """Puts the PF into the bridge for the cards that need it there, and only for those: a bridge
    makes the PF promiscuous, so that it would get a copy of what the VF sends."""
    if nic.bridged:
        peer = mac_of(guest, PEER)
        guest.run(
            f"ip link set dut master {BRIDGE} && bridge link set dev dut learning off &&"
            f"bridge fdb replace {peer} dev dut master static"
        )
    else:
        guest.run("ip link set dut nomaster")
