# SPDX-License-Identifier: GPL-2.0
"""Ports of a card: taken from their driver, and given back."""

import contextlib
import json
import re
import subprocess
import time
from pathlib import Path

PCI = Path("/sys/bus/pci")
# What was taken, for who has to give it back. It is gone after the machine was started again, and so is
# everything that it is about.
STATE = Path("/run/igb_rs-try-card.json")
INTEL = 0x8086
IDS = (0x10C9, 0x10E6, 0x10E7, 0x10E8, 0x1526, 0x150A, 0x1518, 0x150D)
DRIVER = "igb_rs"


class Refused(Exception):
    """The port is left alone."""


def command(*arguments, timeout=60, check=True):
    """Runs a program without a shell; its result."""
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=timeout, check=check, errors="replace"
    )


def wait_for(what, seconds, step=0.1):
    """Whether `what()` comes true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def is_loaded():
    return Path("/sys/module", DRIVER).exists()


def load_driver(module):
    """The module, if it is not there; whoever else has a port of that kind keeps it."""
    if is_loaded():
        return
    if module is None:
        command("modprobe", DRIVER)
    else:
        depends = command("modinfo", "-F", "depends", module).stdout.strip()
        for name in filter(None, depends.split(",")):
            command("modprobe", name)
        command("insmod", module)


class Port:
    """A PCI function."""

    def __init__(self, address, before=None):
        if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", address):
            raise Refused(f"{address} is no PCI address such as 0000:03:00.0")
        self.address = address
        self.path = PCI / "devices" / address
        self.before = before

    def read(self, name):
        return (self.path / name).read_text(encoding="ascii").strip()

    def write(self, name, value):
        (self.path / name).write_text(f"{value}\n", encoding="ascii")

    @property
    def driver(self):
        link = self.path / "driver"
        return link.resolve().name if link.exists() else None

    @property
    def name(self):
        """Of its interface."""
        names = sorted(path.name for path in (self.path / "net").glob("*"))
        return names[0] if names else None

    def check(self):
        """Refuses what is no such port, and what is in use."""
        if not self.path.exists():
            raise Refused(f"there is no {self.address}")
        vendor, device = (int(self.read(name), 16) for name in ("vendor", "device"))
        if vendor != INTEL or device not in IDS:
            raise Refused(f"{self.address} is {vendor:04x}:{device:04x}, which is no 82576")
        if self.driver not in (None, "igb", DRIVER):
            raise Refused(f"{self.address} has the driver {self.driver}, which may be for a guest")
        if self.name is None:
            return
        (shown,) = json.loads(command("ip", "-j", "address", "show", "dev", self.name).stdout)
        used = [entry["local"] for entry in shown["addr_info"] if entry.get("scope") != "link"]
        if used or "master" in shown:
            raise Refused(
                f"{self.name} is in use: take its addresses away, and take it out of its bridge or bond"
            )

    def remember(self):
        """What it is like now."""
        name = self.name
        self.before = {
            "address": self.address,
            "driver": self.driver,
            "override": self.read("driver_override"),
            "numvfs": self.numvfs,
            "up": name is not None
            and int(Path(f"/sys/class/net/{name}/flags").read_text(), 16) & 1,
            "loaded": is_loaded(),
        }
        if self.before["numvfs"]:
            raise Refused(f"{self.address} has VFs: write 0 to its sriov_numvfs first")
        return self.before

    @property
    def numvfs(self):
        with contextlib.suppress(FileNotFoundError):
            return int(self.read("sriov_numvfs"))
        return 0

    def release(self):
        """Takes it from its driver. Nobody else gets it meanwhile."""
        self.write("driver_override", DRIVER)
        if self.driver not in (None, DRIVER):
            self.write("driver/unbind", self.address)

    def take(self):
        if self.driver is None:
            (PCI / "drivers_probe").write_text(self.address, encoding="ascii")
        if not wait_for(lambda: self.driver == DRIVER and self.name is not None, 10):
            raise RuntimeError(f"{DRIVER} does not take {self.address}: see dmesg")

    def give_back(self):
        """To the driver it had, up if it was."""
        if self.driver == DRIVER:
            with contextlib.suppress(OSError):
                if self.numvfs:
                    self.write("sriov_numvfs", 0)
            if self.before["driver"] != DRIVER:
                self.write("driver/unbind", self.address)
        override = self.before["override"]
        self.write("driver_override", "" if override == "(null)" else override)
        wanted = self.before["driver"]
        if wanted is not None and self.driver is None:
            bind = PCI / "drivers" / wanted / "bind"
            bind.write_text(self.address, encoding="ascii")
        if not wait_for(lambda: self.driver == wanted, 10):
            raise OSError(f"{self.address} has the driver {self.driver} and not {wanted}")
        if self.before["up"] and wait_for(lambda: self.name is not None, 10):
            command("ip", "link", "set", self.name, "up")


def give_back_all():
    """Gives back what STATE says was taken. Returns what has gone wrong; all that can be is given back."""
    if not STATE.exists():
        return []
    problems = []
    states = json.loads(STATE.read_text(encoding="utf-8"))
    ports = [Port(state["address"], state) for state in states]
    # Interfaces in namespaces come back some time after these are gone. One that does not is told of below.
    for name in ("igb_rs-a", "igb_rs-b", "igb_rs-vf0"):
        command("ip", "netns", "delete", name, check=False)
    wait_for(lambda: all(port.driver is None or port.name for port in ports), 10)
    for port in ports:
        try:
            port.give_back()
        except (OSError, subprocess.SubprocessError) as error:
            problems.append(f"{port.address}: {error}")
    if not any(state["loaded"] for state in states) and is_loaded():
        result = command("rmmod", DRIVER, check=False)
        if result.returncode:
            problems.append(result.stderr.strip())
    if not problems:
        STATE.unlink()
    return problems
