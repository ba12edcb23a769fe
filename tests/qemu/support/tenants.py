# SPDX-License-Identifier: GPL-2.0
"""Two nested guests, each with a VF of its own, and what can be shown with them. Each function
raises StepFailed when it does not hold, and returns what is worth reading."""

from __future__ import annotations

import dataclasses
import json
import time

from harness.nested import Vm, VmHost, passed_through, vm_host
from harness.report import expect
from harness.shell import Shell
from harness.topology import PEER, PF_HOST, Host
from harness.traffic import is_silent, mac_of, ping, tcp_stream

from .registers import Filters

ADMIN_MAC = "02:00:00:00:00:a0"
VLAN = 100
OLD_MAC = "02:00:00:00:00:77"
OLD_VLAN = 55
PEER_IN_VLAN = Host("peer.100", PEER.netns, 3)
# A TCP stream: a megabyte, in whatever time that takes where the host and its guests share one CPU
# that is emulated on a busy machine. What is in the sockets at its end does not count as received.
MEGABYTES = 1
SOCKET_BUFFERS = "-w 128K"
RECEIVED_AT_LEAST = 1 << 19
# Shows that a stream has begun: more than TCP sends before the first acknowledgement.
UNDER_WAY_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class Place:
    """An end of a conversation: where its commands run, and what its interface is."""

    shell: Shell
    host: Host


@dataclasses.dataclass
class Tenants:
    """The stage: two VFs and the guests that have them."""

    host: VmHost
    vfs: list[str]
    vms: list[Vm]

    @property
    def guest(self):
        return self.host.guest

    def place(self, name: str) -> Place:
        """`pf`, `peer`, `vm0` or `vm1`."""
        if name.startswith("vm"):
            number = int(name[2:])
            return Place(self.vms[number], vm_host(number))
        return Place(self.guest, {"pf": PF_HOST, "peer": PEER}[name])

    def link_set(self, setting: str):
        result = self.host.lan.link_set(setting)
        expect(result.rc == 0, str(result))


def vf_in(vm) -> str:
    """PCI address of the VF as the guest has it."""
    return "0000:" + vm.run("lspci -d 8086:10ca").text.split()[0]


def move_in(host: VmHost, count: int = 2) -> Tenants:
    """VFs, guests and their networks, up."""
    vfs = host.create_vfs(count)
    tenants = Tenants(host, vfs, host.boot_all(*map(passed_through, vfs)))
    for index, vm in enumerate(tenants.vms):
        vm.join(vm_host(index))
    return tenants


# ---- reaching each other ---------------------------------------------------------------------


def reaches(source: Place, target: str, seconds: float = 30):
    """Waits until an echo request to the address is answered."""
    source.shell.wait_until(f"ping -c 1 -W 1 -q {target}", seconds, netns=source.host.netns)


def answered(source: Place, target: str, count: int = 3, size: int = 56):
    """Ping statistics, all answered."""
    result = ping(source.shell, source.host, target, count=count, size=size)
    expect(
        result.complete,
        f"{source.host.name} -> {target}: {result.received} of "
        f"{result.sent} echo requests were answered, but not {result.missing}",
    )
    return result


def silent(source: Place, target: str):
    """No echo request to the address is answered, for a second."""
    expect(
        is_silent(source.shell, source.host, target),
        f"{source.host.name} -> {target}: echo requests were answered, none should be",
    )


def talk(tenants: Tenants, one: str, other: str) -> str:
    """Ping over both protocols and TCP both ways between two places."""
    a, b = tenants.place(one), tenants.place(other)
    rtt = answered(a, b.host.ipv4, count=5)
    answered(a, b.host.ipv6)
    streams = [
        tcp_stream(x.shell, x.host, y.host, options=SOCKET_BUFFERS, at=y.shell, megabytes=MEGABYTES)
        for x, y in ((a, b), (b, a))
    ]
    for stream in streams:
        expect(stream.bytes >= RECEIVED_AT_LEAST, f"{one} <-> {other}: TCP carried only {stream}")
    return (
        f"{one} <-> {other}: ping {rtt.rtt_avg:.1f} ms, TCP {streams[0].mbit_per_s:.0f} and "
        f"{streams[1].mbit_per_s:.0f} Mbit/s"
    )


# ---- what is shown ---------------------------------------------------------------------------


def pci_device(tenants: Tenants) -> str:
    """The VF is a PCI device of the guest, with MSI-X and the stock driver."""
    shown = []
    for vm in tenants.vms:
        line = vm.run("lspci -nn -d 8086:10ca").text
        expect(
            line.count("\n") == 0 and "82576 Virtual Function" in line,
            f"lspci in vm{vm.slot}: {line!r}",
        )
        address = line.split()[0]
        driver = vm.run(f"basename $(readlink /sys/bus/pci/devices/0000:{address}/driver)").text
        expect(driver == "igbvf", f"driver in vm{vm.slot}: {driver}")
        stock = vm.run("modinfo -F intree igbvf").text
        expect(stock == "Y", "igbvf is not the kernel's own")
        vectors = vm.run(f"ls /sys/bus/pci/devices/0000:{address}/msi_irqs | wc -l").text
        expect(int(vectors) == 3, f"vm{vm.slot}: {vectors} vectors, not 3")
        shown.append(f"vm{vm.slot}: {line}; driver {driver}, {vectors} MSI-X vectors")
    return "\n".join(shown)


def traffic_stays_inside(tenants: Tenants) -> str:
    """What one guest sends to another passes the card's switch and not the wire."""
    counter = "cat /sys/class/net/peer/statistics/rx_packets"
    one, other = tenants.place("vm0"), tenants.place("vm1")
    answered(one, other.host.ipv4)
    before = int(tenants.guest.run(counter, netns=PEER.netns).text)
    answered(one, other.host.ipv4, count=50)
    seen = int(tenants.guest.run(counter, netns=PEER.netns).text) - before
    expect(seen < 25, f"the peer saw {seen} of 50 echo requests between the guests")
    return f"50 echo requests between the guests, {seen} frames on the wire meanwhile"


def vlan(tenants: Tenants) -> str:
    """A port VLAN takes a running guest out of one network and into another."""
    vm0 = tenants.place("vm0")
    tenants.guest.run(
        f"ip link add link peer name peer.100 type vlan id {VLAN} &&"
        f"ip addr add {PEER_IN_VLAN.ipv4}/24 dev peer.100 &&"
        "ip link set peer.100 up",
        netns=PEER.netns,
    )
    tenants.link_set(f"vf 0 vlan {VLAN}")
    # The peer has both addresses on one network: which interface an answer leaves by must not
    # depend on the order of routes.
    into_vlan = f"ip route add {vm0.host.ipv4}/32 dev peer.100"
    tenants.guest.run(into_vlan, netns=PEER.netns)
    reaches(vm0, PEER_IN_VLAN.ipv4)
    answered(vm0, PEER_IN_VLAN.ipv4)
    silent(vm0, PF_HOST.ipv4)
    silent(vm0, tenants.place("vm1").host.ipv4)
    tenants.guest.run(f"{into_vlan.replace('add', 'del')}; ip link del peer.100", netns=PEER.netns)
    tenants.link_set("vf 0 vlan 0")
    reaches(vm0, PEER.ipv4)
    answered(vm0, PEER.ipv4)
    return f"vlan {VLAN}: vm0 reached the peer's VLAN and nobody else; vlan 0: back"


def link_state(tenants: Tenants) -> str:
    """A disabled VF neither sends nor receives; the neighbour does not notice."""
    vm0, vm1 = tenants.place("vm0"), tenants.place("vm1")
    tenants.link_set("vf 0 state disable")
    silent(vm0, PEER.ipv4)
    silent(tenants.place("peer"), vm0.host.ipv4)
    answered(vm1, PEER.ipv4)
    tenants.link_set("vf 0 state auto")
    begin = time.monotonic()
    reaches(vm0, PEER.ipv4)
    return f"state disable: silent; state auto: back after {time.monotonic() - begin:.1f} s"


def shown_vf(tenants: Tenants, index: int) -> dict:
    (link,) = json.loads(tenants.guest.run("ip -j -d link show dut").out)
    return link["vfinfo_list"][index]


def rate(tenants: Tenants) -> str:
    """A rate limit is taken while the guest runs, and is no disturbance. QEMU's model has no
    limiter, so that it limits can only be shown on hardware."""
    tenants.link_set("vf 0 max_tx_rate 100")
    expect(shown_vf(tenants, 0)["rate"]["max_tx"] == 100, "the rate is not shown")
    answered(tenants.place("vm0"), PEER.ipv4)
    tenants.link_set("vf 0 max_tx_rate 0")
    expect(shown_vf(tenants, 0)["rate"]["max_tx"] == 0, "the rate is still shown")
    answered(tenants.place("vm0"), PEER.ipv4)
    return "max_tx_rate 100: kept and shown (the device model itself limits nothing)"


def mac_after_reset(tenants: Tenants) -> str:
    """The administrator's address is the guest's once its driver has reset the VF."""
    vm0 = tenants.place("vm0")
    before = tenants.vms[0].mac()
    tenants.link_set(f"vf 0 mac {ADMIN_MAC}")
    vm0.shell.run(f"ip link set {vm0.host.name} down && ip link set {vm0.host.name} up")
    tenants.vms[0].wait_link()
    after = tenants.vms[0].mac()
    expect(after == ADMIN_MAC, f"address after the reset: {after}")
    # The others learn the new address from the first frame they are sent.
    vm0.shell.run(f"arping -q -U -c 2 -I {vm0.host.name} {vm0.host.ipv4}", check=False)
    reaches(vm0, PEER.ipv4)
    answered(tenants.place("vm1"), vm0.host.ipv4)
    return f"{before} until the reset, {after} after it"


def take_liberties(tenants: Tenants) -> str:
    """A tenant takes what a VF may: an address of its own, VLANs, multicast, jumbo frames."""
    vm1 = tenants.place("vm1")
    name = vm1.host.name
    vm1.shell.run(
        f"ip link set {name} down && ip link set {name} address {OLD_MAC} &&"
        f"ip link set {name} mtu 4000 up"
    )
    tenants.vms[1].wait_link()
    vm1.shell.run(
        f"ip link add link {name} name old type vlan id {OLD_VLAN} && ip link set old up &&"
        f"ip maddr add 01:00:5e:7f:00:55 dev {name}"
    )
    vm1.shell.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 30)
    held = Filters.read(tenants.guest)
    pool = 1 << 1
    expect(held.pools_of(OLD_MAC) == pool, "the tenant's own address is not filtered")
    expect(held.vlans.get(OLD_VLAN, 0) & pool != 0, "the tenant's VLAN is not filtered")
    heard_all = heard(tenants, 1)
    expect(
        min(heard_all.values()) > 0, f"the tenant hears nothing of what it asked for: {heard_all}"
    )
    return "vm1 has an address of its own, a VLAN, a multicast group and an MTU of 4000"


def nothing_left(tenants: Tenants) -> str:
    """After the guest is gone, its VF's filters are those of a VF nobody ever had."""
    pool = 1 << 1
    held = Filters.read(tenants.guest)
    expect(not held.pools_of(OLD_MAC), "its address is still filtered")
    expect(not held.vlans.get(OLD_VLAN, 0) & pool, "its VLAN is still filtered")
    expect(
        not [mac for mac, pools in held.addresses.items() if pools & pool],
        f"addresses of the VF: {held.addresses}",
    )
    expect(not held.vfre & pool and not held.vfte & pool, "the VF is still open")
    return "no address, no VLAN; the VF is closed until its next handshake"


def new_tenant(tenants: Tenants) -> str:
    """Another guest gets the VF and finds nothing of the one before it."""
    tenants.vms[1] = tenants.host.boot(passed_through(tenants.vfs[1]))
    vm1 = tenants.place("vm1")
    tenants.vms[1].join(vm1.host)
    mac = mac_of(vm1.shell, vm1.host)
    expect(mac != OLD_MAC, "it has the address of the tenant before it")
    mtu = tenants.vms[1].read(f"/sys/class/net/{vm1.host.name}/mtu")
    expect(mtu == "1500", f"MTU {mtu}")
    reaches(vm1, PEER.ipv4)
    old = heard(tenants, 1)
    expect(not any(old.values()), f"it receives what was meant for the one before it: {old}")
    return f"vm1 now has {mac}, hears nothing meant for the one before it; " + talk(
        tenants, "vm1", "peer"
    )


def heard(tenants: Tenants, index: int) -> dict[str, int]:
    """How many of the frames to the address and in the VLAN of `take_liberties` the guest gets."""
    vm = tenants.vms[index]
    listening = f"/tmp/stray.{vm.nic}"
    vm.run(f"rm -f {listening}")
    counter = vm.start_call("stray", "count", vm.nic)
    vm.wait_file(listening, 30)
    tenants.guest.call("stray", "send", PEER.name, OLD_MAC, OLD_VLAN, netns=PEER.netns)
    return json.loads(counter.wait().out)


def kill_mid_traffic(tenants: Tenants, index: int):
    """SIGKILL to a guest's hypervisor while frames go both ways; nothing of it stays open."""
    vm, place = tenants.vms[index], tenants.place(f"vm{index}")
    if vm.nic is None:
        vm.join(place.host)
    server = tenants.guest.start("iperf3 --server --one-off", timeout=120, netns=PEER.netns)
    tenants.guest.wait_listening(5201, PEER.netns)
    vm.start(f"iperf3 --client {PEER.ipv4} --bidir --time 60")
    counter = f"/sys/class/net/{PEER.name}/statistics/rx_bytes"
    before = int(tenants.guest.run(f"cat {counter}", netns=PEER.netns).text)
    tenants.guest.wait_until(
        f"[ $(cat {counter}) -gt {before + UNDER_WAY_BYTES} ]", 60, netns=PEER.netns
    )
    vm.kill()
    server.kill()
    pool = 1 << index
    held = Filters.read(tenants.guest)
    expect(not held.vfre & pool and not held.vfte & pool, "the VF of a dead guest is still open")
    expect(
        not any(pools & pool for pools in held.addresses.values()),
        f"addresses of a dead guest: {held.addresses}",
    )
