# SPDX-License-Identifier: GPL-2.0
"""libvirtd in the test guest, and its domains."""

from __future__ import annotations

import contextlib

from harness.agent import AgentGone
from harness.machine import AGENT_PORT
from harness.nested import CMDLINE, INITRD, VMLINUX, Nested, VmHost

# There is neither systemd nor a user for QEMU here.
_QEMU_CONF = b"""
user = "root"
group = "root"
stdio_handler = "file"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
"""

# VFs of the PF, for whichever domain asks.
_NETWORK = """
<network>
  <name>card</name>
  <forward mode='hostdev' managed='yes'><pf dev='dut'/></forward>
</network>
"""

_DOMAIN = """
<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{cmdline}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough'/>
  <clock offset='utc'><timer name='hpet' present='no'/></clock>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/><source dev='/dev/vda'/><target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    {interfaces}
    <serial type='file'><source path='{directory}/console.log'/></serial>
    <channel type='unix'>
      <source mode='bind' path='{directory}/agent'/>
      <target type='virtio' name='{agent}'/>
    </channel>
    <memballoon model='none'/>
  </devices>
</domain>
"""

# The VF of a domain.
_VF = """
<interface type='network'>
  <source network='card'/>
  <mac address='{mac}'/>
  {more}
  <rom enabled='no'/>
</interface>
"""

# What stands in for it while it is unplugged. libvirt has names of a user begin with "ua-".
_STANDBY = """
<interface type='bridge'>
  <source bridge='{bridge}'/>
  <target dev='{tap}'/>
  <mac address='{mac}'/>
  <model type='virtio'/>
  <teaming type='persistent'/>
  <alias name='ua-standby0'/>
  <rom enabled='no'/>
</interface>
"""
_TEAMED = "<teaming type='transient' persistent='ua-standby0'/><alias name='ua-vf0'/>"


def vf_interface(mac: str, vlan: int | None = None) -> str:
    """A VF with that address, in that VLAN."""
    return _VF.format(mac=mac, more=f"<vlan><tag id='{vlan}'/></vlan>" if vlan else "")


def failover_pair(mac: str, bridge: str, tap: str) -> tuple[str, str]:
    """The standby, whose other end is the interface `tap` in a bridge, and the VF, which is `ua-vf0`; both with
    that address."""
    return _STANDBY.format(mac=mac, bridge=bridge, tap=tap), _VF.format(mac=mac, more=_TEAMED)


class Libvirt:
    """The daemon with a network whose interfaces are VFs of `dut`."""

    def __init__(self, host: VmHost):
        self.host = host
        guest = host.guest
        guest.run("mkdir -p /run/libvirt /var/log/libvirt/qemu")
        guest.put("/etc/libvirt/qemu.conf", _QEMU_CONF)
        guest.run("libvirtd --daemon")
        guest.wait_until("virsh --quiet uri >/dev/null 2>&1", 60)
        guest.put("/tmp/card.xml", _NETWORK.encode())
        self.virsh("net-define /tmp/card.xml")
        self.virsh("net-start card")

    def virsh(self, command: str, timeout: float = 120):
        return self.host.guest.run(f"virsh --quiet --connect qemu:///system {command}", timeout)

    def close(self):
        """Ends what it manages, and itself."""
        self.host.guest.run(
            "for d in $(virsh list --name); do virsh destroy $d; done;"
            "virsh net-destroy card; virsh net-undefine card; kill $(cat /run/libvirtd.pid);"
            "while [ -e /run/libvirtd.pid ]; do sleep 0.1; done",
            timeout=120,
            check=False,
        )


class Domain(Nested):
    """A domain of libvirt, with the agent the other nested guests have."""

    def __init__(self, libvirt: Libvirt, *interfaces: str, slot: int = 0):
        super().__init__(libvirt.host, slot)
        self.libvirt = libvirt
        xml = _DOMAIN.format(
            name=self.name,
            kernel=VMLINUX,
            initrd=INITRD,
            cmdline=CMDLINE,
            interfaces="".join(interfaces),
            directory=self.directory,
            agent=AGENT_PORT,
        )
        self.host.guest.put(f"/tmp/{self.name}.xml", xml.encode())
        libvirt.virsh(f"create /tmp/{self.name}.xml", timeout=180)

    @property
    def name(self) -> str:
        return f"domain{self.slot}"

    def explain(self, what: str) -> str:
        seen = super().explain(what)
        log = self.host.guest.run(f"tail -n 25 /var/log/libvirt/qemu/{self.name}.log", check=False)
        return seen + log.out

    @property
    def pid_file(self) -> str:
        return f"/run/libvirt/qemu/{self.name}.pid"

    def ask_hypervisor(self, command: str) -> str:
        return self.libvirt.virsh(f"qemu-monitor-command {self.name} --hmp '{command}'").out

    def _has(self, alias: str) -> str:
        """The command that tells whether it has the device of that name."""
        return f"virsh --quiet dumpxml {self.name} | grep -q {alias}"

    def plug(self, interface: str):
        """Adds an interface while the guest runs. Does not wait for the guest's driver."""
        self.host.guest.put(f"/tmp/{self.name}.interface.xml", interface.encode())
        self.libvirt.virsh(f"attach-device {self.name} /tmp/{self.name}.interface.xml --live")

    def unplug(self, alias: str):
        """Asks the guest to give a device up, and waits until libvirt has it no more."""
        self.libvirt.virsh(f"detach-device-alias {self.name} {alias} --live")
        self.host.guest.wait_until(f"! {self._has(alias)}", 60)

    def _wait_gone(self):
        self.host.guest.wait_until(f"! virsh --quiet domid {self.name} >/dev/null 2>&1", 60)
        self.disconnect()

    def destroy(self):
        """As when the plug is pulled."""
        self.libvirt.virsh(f"destroy {self.name}")
        self._wait_gone()

    def power_off(self):
        """The guest shuts itself down."""
        with contextlib.suppress(AgentGone):
            self.agent.start("busybox poweroff -f")
        self._wait_gone()
