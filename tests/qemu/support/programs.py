# SPDX-License-Identifier: GPL-2.0
"""Programs that share a group of machines, as Debian packages them, in namespaces that have a VF each."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from harness import Guest
from harness.topology import Host

# The address of the virtual router, and that of Ethernet that it has with `USE_VMAC`, at an interface of that name.
VIRTUAL, VMAC, ROUTER = "192.0.2.100", "00:00:5e:00:01:07", "vrrp7"
USE_VMAC = f"use_vmac {ROUTER}"

_KEEPALIVED = """
vrrp_instance group {{
    state BACKUP
    interface {interface}
    {option}
    virtual_router_id 7
    priority {priority}
    advert_int 1
    virtual_ipaddress {{
        {address}/24
    }}
}}
"""


# Each daemon is the only one of its machine, with a /run of its own.
_ALONE = "exec unshare --mount sh -c 'mount -t tmpfs tmpfs /run && exec \"$@\"' alone "


class Router:
    """keepalived in the namespace of a host. What it says goes to the guest's console."""

    def __init__(self, guest: Guest, host: Host, address: str, priority: int, option: str = ""):
        self.guest, self.host, self.address = guest, host, address
        file = f"/tmp/keepalived.{host.name}"
        text = _KEEPALIVED.format(
            interface=host.name, option=option, priority=priority, address=address
        )
        guest.put(file, text.encode())
        self._job = guest.start(
            f"{_ALONE} keepalived --vrrp --dont-fork --log-console --use-file={file}",
            timeout=None,
            netns=host.netns,
        )

    def wait(self, is_master: bool, seconds: float = 30):
        """Until it has the address of the virtual router, or has it no more."""
        has = f"ip -4 addr show to {self.address} | grep -q ."
        self.guest.wait_until(has if is_master else f"! {has}", seconds, netns=self.host.netns)

    def end(self):
        self._job.kill(signal.SIGTERM)
        self._job.wait(check=False)


_AVAHI = """
[server]
host-name={name}
allow-interfaces={name}
use-ipv4=yes
use-ipv6=yes
[wide-area]
enable-wide-area=no
[publish]
publish-workstation=no
"""

# With a bus of its own.
_AVAHI_STARTS = """
mkdir /run/dbus || exit
dbus-daemon --system --nofork --nopidfile &
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
echo $$ >{file}.pid
exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --debug -f {file}.conf >{file} 2>&1
"""


class Avahi:
    """The mDNS responder in the namespace of a host, whose name it announces."""

    def __init__(self, guest: Guest, host: Host):
        self.guest, self.host = guest, host
        self.log = f"/tmp/avahi.{host.name}"
        guest.put(f"{self.log}.conf", _AVAHI.format(name=host.name).encode())
        guest.put(f"{self.log}.sh", _AVAHI_STARTS.format(file=self.log).encode())
        guest.run(f"rm -f {self.log} {self.log}.pid")
        self._job = guest.start(f"{_ALONE} sh {self.log}.sh", timeout=None, netns=host.netns)

    def wait_announced(self):
        self.guest.wait_file(self.log, 60, "Server startup complete")

    def resolves(self, name: str, family: int) -> str:
        """The address that it finds for a name of `.local`; empty if it finds none."""
        found = self.guest.run(
            f"nsenter --mount --target $(cat {self.log}.pid)"
            f" timeout 20 avahi-resolve -{family} --name {name}.local",
            check=False,
            netns=self.host.netns,
        )
        return found.text.split()[-1] if found.rc == 0 and found.text else ""

    def end(self):
        """And its bus."""
        self._job.kill(signal.SIGTERM)
        self._job.wait(check=False)


@contextlib.contextmanager
def avahi(guest: Guest, *hosts: Host) -> Iterator[list[Avahi]]:
    """One at each host, with their names announced."""
    daemons = [Avahi(guest, host) for host in hosts]
    try:
        for daemon in daemons:
            daemon.wait_announced()
        yield daemons
    finally:
        for daemon in daemons:
            daemon.end()
