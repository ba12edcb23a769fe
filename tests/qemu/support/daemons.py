# SPDX-License-Identifier: GPL-2.0
"""Debian's programs that configure network cards, started without a service manager."""

from __future__ import annotations

import contextlib

from harness import Guest

UNITS = "/etc/systemd/network"


@contextlib.contextmanager
def udev(guest: Guest):
    """udevd, with all network devices announced to it."""
    guest.run("systemd-machine-id-setup; mkdir -p /run/udev; mkdir -p " + UNITS)
    guest.run("/usr/lib/systemd/systemd-udevd --daemon")
    guest.run(
        "udevadm trigger --action=add --subsystem-match=net &&udevadm settle --timeout=60",
        timeout=90,
    )
    try:
        yield
    finally:
        guest.run("udevadm control --exit; rm -rf /run/udev; rm -f " + UNITS + "/*", check=False)


@contextlib.contextmanager
def networkd(guest: Guest, log: str = "/tmp/networkd.log"):
    """systemd-networkd with the files that are in UNITS."""
    guest.run(
        "mkdir -p /run/systemd/netif/{links,leases,lldp} &&"
        "chown -R systemd-network: /run/systemd/netif"
    )
    daemon = guest.start(
        f"SYSTEMD_LOG_LEVEL=debug exec /usr/lib/systemd/systemd-networkd 2>{log}", timeout=None
    )
    try:
        yield
    finally:
        daemon.kill(15)
        daemon.wait(check=False, timeout=60)


@contextlib.contextmanager
def dbus(guest: Guest):
    guest.run(
        "mkdir -p /run/dbus && dbus-daemon --system --fork --nopidfile --print-pid >/tmp/dbus.pid"
    )
    try:
        yield
    finally:
        guest.run("kill $(cat /tmp/dbus.pid); rm -rf /run/dbus", check=False)


@contextlib.contextmanager
def network_manager(guest: Guest):
    """NetworkManager in charge of `dut` alone. Needs udev and dbus."""
    guest.put(
        "/etc/NetworkManager/NetworkManager.conf",
        b"[main]\nplugins=keyfile\nauth-polkit=false\nno-auto-default=*\n"
        b"[keyfile]\nunmanaged-devices=*,except:interface-name:dut\n"
        b"[logging]\nlevel=DEBUG\n",
    )
    daemon = guest.start("exec NetworkManager --debug 2>/tmp/nm.log >&2", timeout=None)
    guest.wait_until("nmcli --terse general >/dev/null 2>&1", 60)
    try:
        yield
    finally:
        daemon.kill(15)
        daemon.wait(check=False, timeout=60)
