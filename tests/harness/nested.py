# SPDX-License-Identifier: GPL-2.0
"""Guests of the test guest: virtual machines that own a VF, as on a real host.

The test guest (L1) runs QEMU with KVM, an emulated IOMMU and the driver under test; its guests
(L2) boot the stock kernel, and the same file system and command agent, so whatever can be run in
one can be run in the other. An L2's agent is reached through a port of L1 that is relayed to it.

    @pytest.mark.guest(**HOST_OF_GUESTS)
    def test_something(lan):
        host = VmHost(lan)
        vf, = host.create_vfs(1)
        with host.boot(passed_through(vf)) as vm:
            vm.join(vm_host(0))
            vm.run("ping -c 1 192.0.2.2")
"""

from __future__ import annotations

import contextlib
import queue
import shlex
import time
from pathlib import Path
from typing import Any

from . import kmod
from .agent import Agent, AgentGone, CommandFailed
from .machine import AGENT_PORT
from .shell import Shell
from .topology import CARRIER_SECONDS, PF_PCI, Host, Lan

# Fields of Config for a guest that can have guests. With `iommu=pt` the IOMMU translates only for
# devices that are handed to a guest. One CPU: with two, each a thread of TCG, nested guests have
# stopped for good, whatever their network card. Why is not proven. By reading, QEMU's VMRUN leaves
# the vector it injected pending, and a stop of the thread on behalf of the other CPU's can deliver
# it once more, also where the nested guest has interrupts off.
# Less than 2816 MiB: from there on the firmware places VFs' BARs above 4 GiB, where QEMU 10.0.2 loses
# them (qemu.rst).
HOST_OF_GUESTS = {
    "image": "vm",
    "nested": 4,
    "smp": 1,
    "memory": "2750M",
    "machine": "q35,kernel-irqchip=split",
    "first_devices": ("intel-iommu,intremap=on",),
    "cmdline": "intel_iommu=on iommu=pt",
}

BOOT_SECONDS = 600  # limit, not expectation: 15 s under TCG on an idle host, 3 min under `debug`
MEGABYTES = 256
# Linux uses the HPET until it has found its local APIC's timer. QEMU's goes on after that, in about
# every second boot: its main loop wakes up 250 times a second, and signals an interrupt that is masked.
# Where the host is emulated and its kernel has detectors, that leaves no time for another guest.
MACHINE = "q35,hpet=off,memory-backend=ram"
# In huge pages: QEMU's card does not send a buffer that is contiguous for the guest, crosses a page and
# is not contiguous for the host (net_tx_pkt_add_raw_fragment_pci()). It says nothing, and as TCP sends
# the same buffer again, its stream stands still.
MEMORY = "memory-backend-memfd,id=ram,size={}M,hugetlb=on,hugetlbsize=2M"


def vm_host(index: int) -> Host:
    """Name and address of the NIC in the guest that is number `index` on the network."""
    return Host(f"vm{index}", None, 10 + index)


class CannotNest(Exception):
    """What the guest lacks to have guests of its own."""


def passed_through(pci: str) -> list[str]:
    """QEMU arguments that hand a function, bound to vfio-pci, to a guest."""
    return ["-device", f"vfio-pci,host={pci},rombar=0"]


def on_tap(model: str, tap: str, mac: str, vhost: bool = False) -> list[str]:
    """QEMU arguments for an emulated NIC whose other end is the interface `tap` of the host."""
    return [
        "-netdev",
        f"tap,id=net,ifname={tap},script=no,downscript=no,vhost={'on' if vhost else 'off'}",
        "-device",
        f"{model},netdev=net,mac={mac},romfile=",
    ]


# At an NMI, which only `explain` sends, the kernel shows where it is, the tasks that do not wake
# up, and its log.
SPEAKS = "unknown_nmi_panic panic_sys_info=blocked_tasks panic_console_replay"
CMDLINE = (
    "console=ttyS0 loglevel=4 panic=-1 rdinit=/init iomem=relaxed mitigations=off "
    "modprobe.blacklist=igb " + SPEAKS
)
VMLINUX = "/boot/vmlinux"
INITRD = "/payload/nested.cpio"

# What the threads of a hypervisor do, and what relays to its guest.
_THREADS = """
for task in /proc/$(cat {pid_file})/task/*; do
    state=$(grep ^State $task/status) ran=$(cut -d ' ' -f 1 $task/schedstat)
    echo "$(cat $task/comm): $state, ran for $ran ns, in $(cat $task/wchan)"
done
pgrep -a socat"""
# Both ends of a log: the kernel's begins with what it said at the NMI, which also ends it.
_LOGS = """
for f in qemu.log console.log; do
    echo "--- $f"
    head -n 80 {directory}/$f
    tail -n +81 {directory}/$f | tail -n 60
done"""


class Nested(Shell):
    """A guest of the guest, whoever starts it: the way to its agent, and its network."""

    def __init__(self, host: VmHost, slot: int):
        self.host = host
        self.slot = slot
        self.directory = f"/tmp/vm{slot}"
        self.agent = host.agents[slot]
        self.nic: str | None = None
        self._forget_earlier()
        self._begin = time.monotonic()
        host.guest.run(f"rm -rf {self.directory} && mkdir {self.directory}")
        self._relay = host.guest.start(self._relay_command(), timeout=None)

    @property
    def slowness(self) -> int:
        """It boots the stock kernel, but each of its exits is handled by its host's."""
        return self.host.guest.slowness

    def _relay_command(self) -> str:
        """Connects the agent's end of this guest with the port of its host."""
        return (
            f"port=$(grep -l '^org.igb-rs.nested{self.slot}$'"
            " /sys/class/virtio-ports/*/name | cut -d/ -f5);"
            f"until socat UNIX-CONNECT:{self.directory}/agent /dev/$port 2>/dev/null;"
            " do sleep 0.1; done"
        )

    def _forget_earlier(self):
        """What an earlier guest at this port still had to say."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.agent.ready.get_nowait()

    def wait_ready(self):
        """Until the agent runs; says what the guest said if it does not come to that."""
        limit = self._begin + BOOT_SECONDS * self.slowness
        while not self.agent.is_ready(timeout=5):
            if time.monotonic() > limit or self.has_ended() or self.agent.is_gone():
                raise AgentGone(self.explain("a nested guest did not boot"))
        self.agent.wait_ready(0)
        self.boot_seconds = time.monotonic() - self._begin
        return self

    def has_ended(self) -> bool:
        """Whether it is known to run no more."""
        return False

    def disconnect(self):
        """After its end."""
        self._relay.kill(9)

    def explain(self, what: str) -> str:
        """For one that does not answer: it is over with it then."""
        seen = "" if self.has_ended() else self._examined()
        logs = self.host.guest.run(_LOGS.format(directory=self.directory), check=False)
        return f"vm{self.slot}: {what}\n{seen}{logs.out}"

    def _examined(self) -> str:
        """What its processor and its hypervisor do. Its kernel writes the rest to its console."""
        host, seen = self.host.guest, []
        try:
            seen.append(host.run(_THREADS.format(pid_file=self.pid_file), check=False).out)
            for command in (*["info registers"] * 3, "info lapic", "nmi"):
                seen.append(self.ask_hypervisor(command))
            host.wait_until(f"! kill -0 $(cat {self.pid_file})", 30, interval=1)
        except (AgentGone, CommandFailed, TimeoutError) as error:
            seen.append(f"no end by an NMI: {error}\n")
        return "\n".join(seen)

    @property
    def pid_file(self) -> str:
        """Of its hypervisor, in the guest that runs that."""
        return f"{self.directory}/pid"

    def ask_hypervisor(self, command: str) -> str:
        """The answer to a command of QEMU's monitor for people."""
        raise NotImplementedError

    # ---- the network as this guest sees it ---------------------------------------------------

    def join(self, host: Host, driver: str = "igbvf", carrier: bool = True):
        """Loads the NIC's driver, names the interface after `host` and gives it its addresses."""
        self.run(f"""modprobe {driver} || exit
            until i=$(ls /sys/class/net | grep -v '^lo$'); do sleep 0.1; done
            ip link set $i down
            [ $i = {host.name} ] || ip link set $i name {host.name}
            ip addr add {host.ipv4}/24 dev {host.name} &&
                ip addr add {host.ipv6}/64 dev {host.name} nodad && ip link set {host.name} up""")
        self.nic = host.name
        if carrier:
            self.wait_link()

    def wait_link(self):
        """Waits until its own interface has carrier."""
        self.wait_carrier(self.nic, timeout=CARRIER_SECONDS * 2)

    def mac(self) -> str:
        return self.read(f"/sys/class/net/{self.nic}/address")


class Vm(Nested):
    """A guest in a QEMU of its own; as a context manager it is killed at the end."""

    def __init__(
        self,
        host: VmHost,
        slot: int,
        nic: list[str],
        cmdline: str = "",
        megabytes: int = MEGABYTES,
    ):
        super().__init__(host, slot)
        self.megabytes = megabytes
        self.cmdline = f"{CMDLINE} {cmdline}"
        self.qemu = host.guest.start(
            shlex.join(self._command(nic)) + f" 2>{self.directory}/qemu.log", timeout=None
        )

    def _command(self, nic: list[str]) -> list[str]:
        return [
            "exec",
            "qemu-system-x86_64",
            "-name",
            f"vm{self.slot},debug-threads=on",
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-M",
            MACHINE,
            "-smp",
            "1",
            "-m",
            f"{self.megabytes}M",
            "-object",
            MEMORY.format(self.megabytes),
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-kernel",
            VMLINUX,
            "-initrd",
            INITRD,
            "-append",
            self.cmdline,
            "-serial",
            f"file:{self.directory}/console.log",
            "-drive",
            "if=none,id=root,format=raw,readonly=on,file=/dev/vda",
            "-device",
            "virtio-blk-pci,drive=root,addr=0x10",
            "-device",
            "virtio-serial-pci,addr=0x11",
            "-chardev",
            f"socket,id=agent,path={self.directory}/agent,server=on,wait=off",
            "-device",
            f"virtserialport,chardev=agent,name={AGENT_PORT}",
            "-qmp",
            f"unix:{self.directory}/monitor,server=on,wait=off",
            "-pidfile",
            f"{self.directory}/pid",
            *nic,
        ]

    @property
    def pid(self) -> int:
        """QEMU's, in the guest that runs it."""
        return int(self.host.guest.read(self.pid_file))

    # ---- standing still ----------------------------------------------------------------------

    def pause(self):
        """It neither runs nor sees time pass. A guest that has nothing to do still wakes up for its
        timers, and its host, emulated below, for each of them."""
        self._monitor("stop")

    def resume(self):
        self._monitor("cont")

    # ---- devices that come and go ------------------------------------------------------------

    def plug(self, driver: str, name: str, **properties: str):
        """Adds a device of QEMU while the guest runs. Does not wait for the guest's driver."""
        self._monitor("device_add", driver=driver, id=name, **properties)

    def unplug(self, name: str):
        """Asks the guest to give a device up, and waits until it has and QEMU has removed it."""
        self._monitor("device_del", "DEVICE_DELETED", id=name)

    def ask_hypervisor(self, command: str) -> str:
        return self._monitor("human-monitor-command", **{"command-line": command})

    def _monitor(self, command: str, *events: str, **arguments: str) -> Any:
        """Executes a command, and waits for its reply, which is returned, and those events."""
        monitor = f"{self.directory}/monitor"
        return self.host.guest.ask("qmp", monitor, command, *events, value=arguments)

    def __enter__(self) -> Vm:
        return self

    def __exit__(self, *_):
        self.kill()

    # ---- the end -----------------------------------------------------------------------------

    def has_ended(self) -> bool:
        return self.qemu.has_ended()

    def _gone(self, seconds: float) -> bool:
        try:
            self.qemu.wait(check=False, timeout=seconds * self.slowness)
        except AgentGone:
            return False
        return True

    def power_off(self, seconds: float = 60):
        """Ordinary shutdown, with the drivers' shutdown methods."""
        self.agent.start("busybox poweroff -f")
        if not self._gone(seconds):
            raise AgentGone(self.explain(f"no power off within {seconds} s"))
        self._clean_up()

    def kill(self):
        """SIGKILL to QEMU; nothing happens if it has ended already."""
        if self in self.host.running:
            self.qemu.kill(9)
            if not self._gone(60):
                raise AgentGone(f"vm{self.slot}: QEMU is not gone 60 s after SIGKILL")
            self._clean_up()

    def _clean_up(self):
        self.disconnect()
        self.host.running.remove(self)


class VmHost:
    """The test guest in its role as a host: its VFs and its guests."""

    def __init__(self, lan: Lan):
        self.lan = lan
        self.guest = lan.guest
        self.running: list[Vm] = []
        self.agents = nested_agents(lan.guest)
        self._prepare()
        self._reserve_memory()

    def _reserve_memory(self):
        """Huge pages for as many guests as there can be, while the host's memory is in one piece."""
        pages = len(self.agents) * MEGABYTES // 2
        self.guest.run(
            f"cd /sys/kernel/mm/hugepages/hugepages-2048kB &&"
            f"echo {pages} >nr_hugepages && [ $(cat nr_hugepages) = {pages} ]"
        )

    def _prepare(self):
        self.guest.run(
            "modprobe -a vfio-pci tun vhost_net;"
            "modprobe -q kvm_amd || modprobe -q kvm_intel || true"
        )
        if not self.guest.succeeds("test -c /dev/kvm"):
            raise CannotNest(
                "the guest has no /dev/kvm: this host's KVM does not offer nested "
                "virtualization (parameter nested=1 of kvm_intel or kvm_amd); "
                "--accel tcg does"
            )
        if not self.guest.succeeds("ls -d /sys/kernel/iommu_groups/*"):
            raise CannotNest("the guest has no IOMMU")
        if self.guest.machine.accel == "tcg" and not self.guest.succeeds(
            "test -d /sys/module/tcg_svm"
        ):
            self.guest.put(
                "/tmp/tcg_svm.ko",
                kmod.build(Path(__file__).with_name("tcg_svm"), self.guest.config.boots),
            )
            self.guest.run("insmod /tmp/tcg_svm.ko")

    # ---- functions ---------------------------------------------------------------------------

    def create_vfs(self, count: int) -> list[str]:
        """VFs bound to vfio-pci, by PCI address."""
        device = f"/sys/bus/pci/devices/{PF_PCI}"
        self.guest.run(f"echo 0 >{device}/sriov_drivers_autoprobe")
        result = self.lan.set_numvfs(count)
        if result.rc:
            raise AssertionError(f"sriov_numvfs={count}: {result.err}")
        vfs = [self.lan.vf_pci(index) for index in range(count)]
        for vf in vfs:
            self.guest.run(
                f"echo vfio-pci >/sys/bus/pci/devices/{vf}/driver_override &&"
                f"echo {vf} >/sys/bus/pci/drivers_probe &&"
                f"test -e /sys/bus/pci/drivers/vfio-pci/{vf}"
            )
        return vfs

    def remove_vfs(self):
        result = self.lan.set_numvfs(0)
        if result.rc:
            raise AssertionError(f"sriov_numvfs=0: {result.err}")
        self.guest.run(f"echo 1 >/sys/bus/pci/devices/{PF_PCI}/sriov_drivers_autoprobe")

    # ---- guests ------------------------------------------------------------------------------

    def start(self, nic: list[str], cmdline: str = "", megabytes: int = MEGABYTES) -> Vm:
        """Starts a guest, with more words for its kernel, and does not wait for it. All together may
        have as much memory as was reserved."""
        free = set(range(len(self.agents))) - {vm.slot for vm in self.running}
        vm = Vm(self, min(free), nic, cmdline, megabytes)
        self.running.append(vm)
        return vm

    def boot(self, nic: list[str], cmdline: str = "", megabytes: int = MEGABYTES) -> Vm:
        return self.start(nic, cmdline, megabytes).wait_ready()

    def boot_all(self, *nics: list[str]) -> list[Vm]:
        """Several guests, one after the other: at the same time takes longer on one CPU."""
        return [self.boot(nic) for nic in nics]

    def close(self):
        for vm in list(self.running):
            vm.kill()


def nested_agents(guest) -> list[Agent]:
    """One connection per port for the life of the guest, whichever nested guest is behind it."""
    if guest.nested_agents is None:
        guest.nested_agents = [
            Agent(connection, guest.slowness) for connection in guest.machine.nested_sockets
        ]
    return guest.nested_agents
