# SPDX-License-Identifier: GPL-2.0
"""Programs that share a group of machines, as Debian packages them, in namespaces that have a VF each."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator, Sequence

from harness import Guest
from harness.topology import Host

from . import counters

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


class Lldp:
    """lldpd at the interface of a host, which it names as its port. It says so every second, and forgets who
    has said nothing for a few."""

    def __init__(self, guest: Guest, host: Host):
        self.guest, self.host = guest, host
        socket = f"/tmp/lldpd.{host.name}"
        self._command = f"lldpcli -u {socket}"
        self._job = guest.start(
            f"{_ALONE} lldpd -d -I {host.name} -u {socket}", timeout=None, netns=host.netns
        )
        # It may set up itself by its own files after it has answered.
        guest.wait_until(
            f"{{ {self._command} configure lldp tx-interval 1 &&"
            f" {self._command} show configuration | grep -q 'milliseconds: 1000'; }} >/dev/null 2>&1",
            30,
        )

    def wait_heard(self, *names: str, seconds: float = 60):
        """Until these ports are its neighbours, and no others but itself: the model returns to a VF what it
        sends to a group, which the daemon takes for another's."""
        heard = (
            f"{self._command} -f keyvalue show neighbors |"
            f" sed -n 's/.*port.descr=//p' | grep -vx {self.host.name} | sort"
        )
        wanted = " ".join(sorted(names))
        self.guest.wait_until(f"[ \"$(echo $({heard}))\" = '{wanted}' ]", seconds, interval=0.5)

    def end(self):
        self._job.kill(signal.SIGTERM)
        self._job.wait(check=False)


@contextlib.contextmanager
def lldp(guest: Guest, *hosts: Host) -> Iterator[list[Lldp]]:
    """One at each host."""
    daemons: list[Lldp] = []
    try:
        for host in hosts:
            daemons.append(Lldp(guest, host))
        yield daemons
    finally:
        for daemon in daemons:
            daemon.end()


# Of IF-MIB: the column of an interface, in ifTable and ifXTable.
IF_TABLE, IF_X_TABLE = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
OPER_STATUS, HIGH_SPEED = f"{IF_TABLE}.8", f"{IF_X_TABLE}.15"
_IN_OCTETS, _OUT_OCTETS = f"{IF_X_TABLE}.6", f"{IF_X_TABLE}.10"
_IN_UNICAST, _IN_MULTICAST, _OUT_UNICAST = (f"{IF_X_TABLE}.{column}" for column in (7, 8, 11))


class Snmp:
    """snmpd in the namespace of a host."""

    ADDRESS = "127.0.0.1:1161"

    def __init__(self, guest: Guest, host: Host):
        self.guest, self.host = guest, host
        file = f"/tmp/snmpd.{host.name}"
        guest.put(f"{file}.conf", f"agentaddress udp:{self.ADDRESS}\nrocommunity public\n".encode())
        guest.run("ip link set lo up", netns=host.netns)
        self.index = guest.links(host.netns)[host.name]["index"]
        self._job = guest.start(
            f"{_ALONE} snmpd -f -C -c {file}.conf -Lf {file}.log", timeout=None, netns=host.netns
        )
        guest.wait_until(
            f"snmpget -v 2c -c public -t 5 {self.ADDRESS} 1.3.6.1.2.1.1.3.0 >/dev/null 2>&1",
            60,
            netns=host.netns,
        )

    def get(self, *columns: str) -> list[int]:
        """Values of the interface."""
        names = " ".join(f"{column}.{self.index}" for column in columns)
        said = self.guest.run(
            f"snmpget -v 2c -c public -t 5 -Oqve {self.ADDRESS} {names}", netns=self.host.netns
        )
        return [int(line) for line in said.out.split()]

    def wait(self, column: str, value: int):
        """Until a column has this value: the daemon asks the kernel every few seconds."""
        for _ in range(100):
            if self.get(column) == [value]:
                return
            self.guest.run("sleep 0.3")
        raise TimeoutError(f"{column} of {self.host.name} is {self.get(column)}, not {value}")

    def wait_agrees(self) -> dict[str, int]:
        """Until it counts what the kernel counts; those counters."""
        columns = (_IN_OCTETS, _OUT_OCTETS, _IN_UNICAST, _IN_MULTICAST, _OUT_UNICAST)
        # With C igb multicast packets are those of the VFs as well, and can be more than all packets.
        c_igb, wraps = self.guest.config.driver == "igb", 1 << 64
        for _ in range(100):
            before = counters.link(self.guest, self.host)
            received, sent, unicast, multicast, packets = self.get(*columns)
            told = {
                "rx_bytes": received,
                "tx_bytes": sent,
                # The daemon takes one from the other, in 64 bits.
                "rx_packets": (unicast + multicast) % wraps if c_igb else unicast + multicast,
                "rx_multicast": multicast,
                "tx_packets": packets,
            }
            if told == {name: before[name] for name in told}:
                return told
            self.guest.run("sleep 0.3")
        raise AssertionError(f"{self.host.name}: {told} by SNMP, {before} by the kernel")

    def end(self):
        self._job.kill(signal.SIGTERM)
        self._job.wait(check=False)


_HOSTAPD = """
interface={interface}
driver=wired
ieee8021x=1
eap_reauth_period=0
use_pae_group_addr={group:d}
eap_server=1
eap_user_file=/tmp/hostapd.users
"""
_SUPPLICANT = """
ap_scan=0
network={{
    key_mgmt=IEEE8021X
    eap=MD5
    identity="{identity}"
    password="{password}"
    eapol_flags=0
}}
"""


class Authenticator:
    """hostapd at the port of a host, in the place of a switch that wants to know who is there. `group`: it
    answers to the group of the protocol, and not to who has asked."""

    USER, PASSWORD = "machine", "secret"

    def __init__(self, guest: Guest, host: Host, group: bool):
        guest.put("/tmp/hostapd.users", f'"{self.USER}" MD5 "{self.PASSWORD}"\n'.encode())
        guest.put("/tmp/hostapd.conf", _HOSTAPD.format(interface=host.name, group=group).encode())
        guest.put("/tmp/hostapd.log", b"")
        self._job = guest.start(
            "exec hostapd /tmp/hostapd.conf >/tmp/hostapd.log 2>&1", timeout=None, netns=host.netns
        )
        guest.wait_file("/tmp/hostapd.log", 30, "AP-ENABLED")

    def end(self):
        self._job.kill(signal.SIGTERM)
        self._job.wait(check=False)


class Supplicant:
    """wpa_supplicant at the interface of a host."""

    def __init__(self, guest: Guest, host: Host, user: str, password: str):
        self.guest, self.log = guest, f"/tmp/supplicant.{host.name}"
        text = _SUPPLICANT.format(identity=user, password=password)
        guest.put(f"{self.log}.conf", text.encode())
        guest.put(self.log, b"")
        self._job = guest.start(
            f"exec wpa_supplicant -D wired -i {host.name} -c {self.log}.conf >{self.log} 2>&1",
            timeout=None,
            netns=host.netns,
        )

    def wait(self, event: str):
        self.guest.wait_file(self.log, 60, event)

    def end(self):
        self._job.kill(signal.SIGTERM)
        self._job.wait(check=False)


class Team:
    """teamd with one interface that works at a time, the first if it can. `policy`: whose address they have."""

    def __init__(self, guest: Guest, host: Host, ports: Sequence[str], policy: str):
        self.guest, self.host = guest, host
        wanted = {
            "device": host.name,
            "runner": {"name": "activebackup", "hwaddr_policy": policy},
            "link_watch": {"name": "ethtool"},
            "ports": {
                port: {"prio": 100 * (len(ports) - number)} for number, port in enumerate(ports)
            },
        }
        guest.put("/tmp/team.conf", json.dumps(wanted).encode())
        guest.run("modprobe -a team team_mode_activebackup; mkdir -p /run/teamd")
        self._job = guest.start(
            "exec teamd --config-file=/tmp/team.conf >/tmp/team.log 2>&1",
            timeout=None,
            netns=host.netns,
        )
        guest.wait_until(f"teamdctl {host.name} state >/dev/null 2>&1", 60, netns=host.netns)

    def wait_active(self, port: str, seconds: float = 20):
        active = f"teamdctl {self.host.name} state item get runner.active_port"
        self.guest.wait_until(f'[ "$({active})" = {port} ]', seconds, netns=self.host.netns)

    def end(self):
        self._job.kill(signal.SIGTERM)
        self._job.wait(check=False)


_OPEN_VSWITCH = """
set -e
modprobe openvswitch
mkdir -p /run/openvswitch /var/log/openvswitch
cd /tmp
rm -f switch.db
ovsdb-tool create switch.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server switch.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file=/tmp/ovsdb.log
ovs-vsctl --no-wait init
ovs-vswitchd --pidfile --detach --log-file=/tmp/vswitchd.log
"""


@contextlib.contextmanager
def open_vswitch(guest: Guest):
    """Open vSwitch with the kernel's data path, and no bridge yet."""
    guest.run(_OPEN_VSWITCH, timeout=120)
    try:
        yield
    finally:
        guest.run(
            """
            for bridge in $(ovs-vsctl list-br); do ovs-vsctl del-br $bridge; done
            ovs-appctl -t ovs-vswitchd exit --cleanup
            ovs-appctl -t ovsdb-server exit
            until ! pidof ovs-vswitchd ovsdb-server; do sleep 0.1; done""",
            timeout=120,
            check=False,
        )
