# SPDX-License-Identifier: GPL-2.0
"""A Debian machine to install the package on: in a chroot, and booted."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from harness import accel, images
from harness.machine import TIMER, accelerator

PACKAGE = "igb-rs-dkms"
BUILT = images.CLONE / "build/deb"
WORK = images.CLONE / "build/package"
# Changed by any package that is installed and removed, or by a boot.
VOLATILE = re.compile(
    r"^/(var/(log|cache|lib/(apt|dpkg|dkms/mok|systemd|initramfs-tools|ucf))"
    r"|boot/initrd|etc/(ld\.so\.cache|resolv\.conf|mtab|\.pwd\.lock)"
    r"|(usr/)?lib/modules/[^/]+/modules\.|usr/lib/udev/hwdb\.bin)"
)

# What the booted machine tells, and its end.
REPORT = """[Unit]
After=systemd-udev-settle.service
Wants=systemd-udev-settle.service
[Service]
Type=oneshot
ExecStart=/bin/bash /report
[Install]
WantedBy=multi-user.target
"""
SCRIPT = """
exec >/dev/ttyS1 2>&1
udevadm settle
for device in /sys/bus/pci/devices/*; do
    [[ $(<$device/class) == 0x0200* ]] || continue
    echo "device $(<$device/device) $(basename "$(readlink $device/driver)")"
done
for module in /sys/module/{igb,igb_rs,igbvf}; do [[ ! -d $module ]] || echo "module ${module##*/}"; done
echo "numvfs $(cat /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs)"
echo "end"
systemctl --no-block poweroff
"""


def package(*arguments: str | Path, limit: float = 1800) -> str:
    """tests/package; its output."""
    done = subprocess.run(
        ["tests/package", *map(str, arguments)],
        cwd=images.CLONE,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert done.returncode == 0, f"tests/package {arguments}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Debian:
    """What is changed on the machine stays in a layer, which is empty at first."""

    def __init__(self, name: str):
        self.layer = WORK / name
        shutil.rmtree(self.layer, ignore_errors=True)

    def run(self, command: str, limit: float = 1800) -> str:
        return package("in", self.layer, "bash", "-c", command, limit=limit)

    def apt(self, arguments: str) -> str:
        """apt-get with the directory of the built package as the only repository."""
        return self.run(
            "cd /src/build/deb && apt-ftparchive packages . >Packages &&"
            "echo 'deb [trusted=yes] file:/src/build/deb ./' >sources.list &&"
            "options='-o Dir::Etc::SourceList=/src/build/deb/sources.list"
            " -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root' &&"
            f"apt-get $options -qq update && apt-get $options --yes {arguments}"
        )

    def files(self) -> set[str]:
        """All files that mean something."""
        listed = self.run("find / -xdev -not -type d")
        return {line for line in listed.splitlines() if not VOLATILE.match(line)}

    def initramfs(self, release: str) -> str:
        return self.run(f"lsinitramfs /boot/initrd.img-{release}")

    def boot(
        self, release: str, extra: dict[str, str] | None = None, limit: float = 1500
    ) -> list[str]:
        """Boots it with a port of the 82576 and an e1000e; the lines it reports."""
        files = {
            "report": SCRIPT,
            "etc/systemd/system/report.service": REPORT,
            "etc/fstab": "",
            **(extra or {}),
        }
        for name, text in files.items():
            path = self.layer / "extra" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        wants = self.layer / "extra/etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        if not (wants / "report.service").is_symlink():
            (wants / "report.service").symlink_to("../report.service")
        disk, facts = self.layer / "disk.img", self.layer / "report.log"
        package("image", self.layer, disk)
        self.run(f"cp /boot/vmlinuz-{release} /boot/initrd.img-{release} /src/{self._place()}/")
        subprocess.run(self._command(release, disk, facts), check=True, timeout=limit)
        disk.unlink()
        lines = facts.read_text(encoding="utf-8", errors="replace").split("\n")
        return [line.strip() for line in lines]

    def _place(self) -> Path:
        return self.layer.relative_to(images.CLONE)

    def _command(self, release: str, disk: Path, facts: Path) -> list[str]:
        return [
            "qemu-system-x86_64",
            *accelerator(accel.choose(), 2),
            *("-M", "q35", "-smp", "2", "-m", "1G", "-nodefaults", "-no-user-config", "-no-reboot"),
            *("-display", "none", "-run-with", "exit-with-parent=on"),
            *("-kernel", self.layer / f"vmlinuz-{release}"),
            *("-initrd", self.layer / f"initrd.img-{release}"),
            *("-append", f"root=/dev/vda rw console=ttyS0 panic=-1 net.ifnames=1 {TIMER}"),
            *("-serial", f"file:{self.layer / 'console.log'}", "-serial", f"file:{facts}"),
            *("-drive", f"if=virtio,format=raw,file={disk}"),
            *("-netdev", "hubport,id=wire0,hubid=0", "-netdev", "hubport,id=wire1,hubid=0"),
            *("-device", "pcie-root-port,id=rp0,chassis=1,slot=1,addr=0x2"),
            *("-device", "pcie-root-port,id=rp1,chassis=2,slot=2,addr=0x3"),
            *("-device", "igb,bus=rp0,netdev=wire0,mac=52:54:00:82:57:00,romfile="),
            *("-device", "e1000e,bus=rp1,netdev=wire1,mac=52:54:00:82:57:01,romfile="),
        ]
