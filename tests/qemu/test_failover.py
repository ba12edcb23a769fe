# SPDX-License-Identifier: GPL-2.0
"""A failover pair of a virtual machine: a VF, and a virtio-net on the bridge with the PF that stands in
for the VF while that is unplugged. Documentation/virtual-machines.rst has the figures."""

import itertools
import re
import statistics
import time

import pytest
from support.libvirt import Domain, Libvirt, failover_pair
from support.registers import Filters
from support.tenants import Place, answered, reaches

from harness.nested import HOST_OF_GUESTS, Nested, VmHost, on_tap, vm_host
from harness.report import StepFailed
from harness.topology import PEER, PF_PCI

pytestmark = [
    pytest.mark.guest(**HOST_OF_GUESTS),
    pytest.mark.driver("igb_rs"),
    pytest.mark.timeout(1800),
    pytest.mark.long,
]

MAC = "02:00:00:00:00:f0"
BRIDGE, TAP = "br0", "standby"
# Names of QEMU's.
VF, STANDBY, PORT = "vf0", "standby0", "port0"
INTERVAL = 0.05  # seconds between two echo requests
# The longest time without an answer in seconds: of each change, and of most. A machine that is busy with
# something else may take as many times as long as for everything else.
LONGEST, USUAL = 10, 2
# The VF's driver in the virtual machine.
OF_THE_VF = "/sys/bus/pci/drivers/igbvf/0000:*/net/*"


class Stream:
    """Echo requests until `end`. Times are by the clock of who sends them."""

    def __init__(self, source: Place, target: str):
        self.source = source
        self.changes: list[float] = []
        self._job = source.shell.start(
            f"ping -n -D -i {INTERVAL} {target}", timeout=1500, netns=source.host.netns
        )

    def mark(self):
        """A change begins."""
        self.changes.append(float(self.source.shell.run("date +%s.%N").text))

    def end(self) -> list[float]:
        """Seconds of each change, until the next one began, in which no answer came."""
        self.mark()
        self._job.kill(2)
        found = re.findall(r"^\[([\d.]+)\] \d+ bytes from", self._job.wait(check=False).out, re.M)
        times = list(map(float, found))
        return [
            longest(begin, *(at for at in times if begin < at < end), end)
            for begin, end in itertools.pairwise(self.changes)
        ]


def longest(*times: float) -> float:
    return max(later - earlier for earlier, later in itertools.pairwise(times))


class ByQemu:
    """Whoever starts QEMU sets the address through the PF, and plugs and unplugs by QEMU's commands."""

    def __init__(self, host: VmHost):
        self.host = host
        (self.pci,) = host.create_vfs(1)
        assert host.lan.link_set(f"vf 0 mac {MAC}").rc == 0
        host.guest.run(
            f"ip tuntap add {TAP} mode tap vnet_hdr && ip link set {TAP} master {BRIDGE} up"
        )

    @property
    def _properties(self) -> dict[str, str]:
        return {"host": self.pci, "bus": PORT, "failover_pair_id": STANDBY}

    def boot(self) -> Nested:
        primary = ",".join(f"{name}={value}" for name, value in self._properties.items())
        self.vm = self.host.boot(
            [
                *("-device", f"pcie-root-port,id={PORT},chassis=1"),
                *on_tap(f"virtio-net-pci,failover=on,id={STANDBY}", TAP, MAC),
                # Which QEMU keeps from the guest until that knows what to do with it.
                *("-device", f"vfio-pci,id={VF},{primary}"),
            ]
        )
        return self.vm

    def unplug(self):
        self.vm.unplug(VF)

    def plug(self):
        self.vm.plug("vfio-pci", VF, **self._properties)

    def remove(self):
        self.vm.power_off()


class ByLibvirt:
    """libvirt's <teaming>. It sets the address when it plugs the VF in, and takes it back afterwards."""

    def __init__(self, host: VmHost):
        host.create_vfs(1)
        self.libvirt = Libvirt(host)
        self.pair = failover_pair(MAC, BRIDGE, TAP)

    def boot(self) -> Nested:
        self.domain = Domain(self.libvirt, *self.pair)
        return self.domain.wait_ready()

    def unplug(self):
        self.domain.unplug("ua-vf0")

    def plug(self):
        self.domain.plug(self.pair[1])

    def remove(self):
        self.domain.power_off()
        self.libvirt.close()


class Pair:
    """The virtual machine whose card it is, the VF plugged in."""

    def __init__(self, host: VmHost, manager: type[ByQemu | ByLibvirt]):
        self.host, self.guest = host, host.guest
        self.guest.run(
            f"ip link add {BRIDGE} type bridge forward_delay 0 && ip link set dut master {BRIDGE} &&"
            f"ip link set {BRIDGE} up"
        )
        self.manager = manager(host)
        self.pools = {True: 0b01, False: 1 << Filters.read(self.guest).default_pool}
        self.vm = self.manager.boot()
        self._join()

    def _join(self):
        """The one interface over both."""
        host = vm_host(0)
        self.vm.run("modprobe -a igbvf virtio_net")
        self.vm.wait_until(f"ls -d {OF_THE_VF}/master", 60)
        pair = self.vm.run(f"basename $(readlink {OF_THE_VF}/master)").text
        assert "driver: net_failover" in self.vm.run(f"ethtool -i {pair}").out
        self.vm.run(
            f"ip link set {pair} name {host.name} && ip addr add {host.ipv4}/24 dev {host.name} &&"
            f"ip addr add {host.ipv6}/64 dev {host.name} nodad && ip link set {host.name} up"
        )
        self.vm.nic = host.name
        assert self.vm.mac() == MAC
        self._settle(True)

    def unplug(self):
        self.manager.unplug()
        self._settle(False)

    def plug(self):
        self.manager.plug()
        self._settle(True)

    def _settle(self, plugged: bool):
        """Waits until the address and the traffic are where they belong."""
        if plugged:
            self.vm.wait_until(f"grep -q 1 {OF_THE_VF}/carrier", 60, interval=0.5)
        else:
            assert not self.vm.succeeds(f"ls -d {OF_THE_VF}")
        until = time.monotonic() + self.guest.limit(30)
        while (pools := Filters.read(self.guest).pools_of(MAC)) != self.pools[plugged]:
            assert time.monotonic() < until, (
                f"VF plugged in: {plugged}, {MAC} is in pools {pools:#x}"
            )
        peer = Place(self.guest, PEER)
        reaches(peer, vm_host(0).ipv4)
        before = self._carried()
        try:
            for address in (vm_host(0).ipv4, vm_host(0).ipv6):
                answered(peer, address, count=20)
            answered(Place(self.vm, vm_host(0)), PEER.ipv4, count=20)
        except StepFailed as error:
            raise AssertionError(f"VF plugged in: {plugged}, {error}\n{self._seen()}") from error
        carried = [after - earlier for earlier, after in zip(before, self._carried())]
        assert (max(carried) < 20) if plugged else (min(carried) >= 60), carried

    def _seen(self) -> str:
        """What PF, bridge and virtual machine have done of late."""
        debugfs = f"/sys/kernel/debug/igb_rs-{PF_PCI}"
        of_host = self.guest.run(
            f"ethtool -S dut | grep vf0_; tail -n 20 {debugfs}/mailbox {debugfs}/filters;"
            f" bridge fdb show | grep {MAC}; dmesg | tail -n 20; cat /proc/uptime",
            check=False,
        )
        of_peer = self.guest.run("ip neigh", check=False, netns=PEER.netns)
        of_vm = self.vm.run("dmesg | tail -n 20; cat /proc/uptime; ip neigh", check=False)
        return "\n".join(place.out for place in (of_host, of_peer, of_vm))

    def _carried(self) -> list[int]:
        """Frames of the standby, from the virtual machine and to it."""
        counters = f"/sys/class/net/{TAP}/statistics"
        return [int(self.guest.read(f"{counters}/{way}_packets")) for way in ("rx", "tx")]

    def remove(self):
        self.manager.remove()
        self.host.remove_vfs()
        self.guest.run(f"ip link del {BRIDGE}; ip link del {TAP} 2>/dev/null; true")


# Who starts the machine, and how often the VF is unplugged and plugged in.
MANAGERS = {"QEMU's failover=on": (ByQemu, 10), "libvirt's teaming": (ByLibvirt, 3)}


@pytest.mark.parametrize("how", MANAGERS)
def test_vf_unplugged_and_plugged_in(vmhost, record_property, how):
    """The virtual machine goes on under its address, and the VF takes that back with its handshake, again and
    again, under traffic both ways."""
    manager, rounds = MANAGERS[how]
    pair = Pair(vmhost, manager)
    streams = {
        "peer to machine": Stream(Place(pair.guest, PEER), vm_host(0).ipv4),
        "machine to peer": Stream(Place(pair.vm, vm_host(0)), PEER.ipv4),
    }
    for _ in range(rounds):
        for change in (pair.unplug, pair.plug):
            for stream in streams.values():
                stream.mark()
            change()
    for way, stream in streams.items():
        outages = stream.end()
        assert len(outages) == 2 * rounds
        for what, some in (("unplugged", outages[::2]), ("plugged in", outages[1::2])):
            figures = f"{statistics.median(some):.2f} s, {min(some):.2f} to {max(some):.2f} s"
            print(f"{how}: {what}, {way}: {figures} without an answer")
            record_property(f"{what}, {way}", figures)
            assert statistics.median(some) < pair.guest.limit(USUAL), (way, what, some)
            assert max(some) < pair.guest.limit(LONGEST), (way, what, some)
    pair.remove()
