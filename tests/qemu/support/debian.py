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

CMDLINE = f"root=/dev/vda rw console=ttyS0 panic=-1 net.ifnames=1 {TIMER}"
# Leaves in $options what has apt-get see nothing else.
APT_SOURCES = """cd /src/build/deb && apt-ftparchive packages . >Packages &&
echo 'deb [trusted=yes] file:/src/build/deb ./' >sources.list &&
options='-o Dir::Etc::SourceList=/src/build/deb/sources.list -o Dir::Etc::SourceParts=/dev/null
 -o APT::Sandbox::User=root' && apt-get $options -qq update"""

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
for port in 0000:0{1,3}:00.0; do
    echo "port $port $(basename "$(readlink /sys/bus/pci/devices/$port/driver)")"
done
for module in /sys/module/{igb,igb_rs,igbvf}; do [[ ! -d $module ]] || echo "module ${module##*/}"; done
echo "numvfs $(cat /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs)"
echo "release $(uname -r)"
%s
echo "end"
systemctl --no-block poweroff
"""
# A firmware with the keys of Microsoft, Secure Boot on, and variables that only it can write.
FIRMWARE = Path("/debian/root/usr/share/OVMF")
SECURE = [
    *("-M", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"),
    *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE_4M.secboot.fd"),
]
# Owner of a key in the list that MokManager writes: shim itself.
OWNER = "605dab50-e046-4300-abb6-3dd810dd8b23"


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


def _card(number: int, model: str) -> list[str]:
    """On a wire that all have in common."""
    return [
        *("-netdev", f"hubport,id=wire{number},hubid=0", "-device"),
        f"pcie-root-port,id=rp{number},chassis={number + 1},slot={number + 1},addr={number + 2:#x}",
        "-device",
        f"{model},bus=rp{number},netdev=wire{number},mac=52:54:00:82:57:{number:02x},romfile=",
    ]


class Debian:
    """What is changed on the machine stays in a layer, which is empty at first."""

    def __init__(self, name: str):
        self.layer = WORK / name
        shutil.rmtree(self.layer, ignore_errors=True)

    @property
    def place(self) -> Path:
        """The layer's directory, relative to the clone, which is /src on the machine."""
        return self.layer.relative_to(images.CLONE)

    def run(self, command: str, limit: float = 1800) -> str:
        return package("in", self.layer, "bash", "-c", command, limit=limit)

    def apt(self, arguments: str) -> str:
        """apt-get with the directory of the built package as the only repository."""
        return self.run(f"{APT_SOURCES} && apt-get $options --yes {arguments}")

    def apt_from_mirror(self, arguments: str) -> str:
        """apt-get with the Debian mirror that the machine was made from. What is downloaded is kept."""
        kept = images.CACHE / "packages"
        kept.mkdir(parents=True, exist_ok=True)
        archives = self.layer / "archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        for path in kept.iterdir():
            shutil.copy2(path, archives)
        resolver = Path("/etc/resolv.conf").read_text(encoding="utf-8")
        (self.layer / "resolv.conf").write_text(resolver, encoding="utf-8")
        options = f"-o Dir::Cache::archives=/src/{self.place}/archives -o APT::Sandbox::User=root"
        said = self.run(
            f"cp /src/{self.place}/resolv.conf /etc/resolv.conf && apt-get -qq update &&"
            f" apt-get {options} --no-install-recommends --yes {arguments}"
        )
        for path in archives.glob("*.deb"):
            shutil.copy2(path, kept)
        return said

    def files(self) -> set[str]:
        """All files that mean something."""
        listed = self.run("find / -xdev -not -type d")
        return {line for line in listed.splitlines() if not VOLATILE.match(line)}

    def initramfs(self, release: str) -> str:
        return self.run(f"lsinitramfs /boot/initrd.img-{release}")

    def boot(
        self,
        release: str,
        extra: dict[str, str] | None = None,
        script: str = "",
        limit: float = 1500,
    ) -> list[str]:
        """Boots it with two ports of the 82576, 0000:01:00.0 and 0000:03:00.0, and an e1000e; the lines it
        reports. `script`: what it does beyond that."""
        self._prepare(release, extra or {}, script)
        direct = [
            *("-M", "q35", "-kernel", self.layer / f"vmlinuz-{release}"),
            *("-initrd", self.layer / f"initrd.img-{release}"),
            *("-append", CMDLINE),
        ]
        return self._start(direct, limit)

    def boot_securely(self, release: str, script: str, certificate: Path | None) -> list[str]:
        """The same by a firmware with Secure Boot, shim and GRUB. `certificate`: enrolled as MokManager
        does it, after `mokutil --import` and the password, which are not typed here."""
        self._prepare(release, {}, script)
        tree, esp = self.layer / "esp", self.layer / "esp.img"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for name in ("vmlinuz", "initrd.img"):
            (self.layer / f"{name}-{release}").rename(tree / name)
        menu = f"linux /vmlinuz {CMDLINE}\ninitrd /initrd.img\nboot\n"
        (tree / "grub.cfg").write_text(menu, encoding="utf-8")
        package("esp", self.layer, self.place / "esp.img", self.place / "esp")
        variables = self.layer / "variables.fd"
        shutil.copy(FIRMWARE / "OVMF_VARS_4M.ms.fd", variables)
        if certificate is not None:
            self.run(
                f"cd /src/{self.place} && virt-fw-vars --inplace variables.fd"
                f" --add-mok {OWNER} {certificate}"
            )
        secure = [
            *SECURE,
            *("-drive", f"if=pflash,unit=1,format=raw,file={variables}"),
            *("-drive", f"if=virtio,format=raw,file={esp}"),
        ]
        return self._start(secure, 2400)

    def _prepare(self, release: str, extra: dict[str, str], script: str):
        files = {
            "report": SCRIPT % script,
            "etc/systemd/system/report.service": REPORT,
            "etc/fstab": "",
            **extra,
        }
        for name, text in files.items():
            path = self.layer / "extra" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if text.startswith("#!"):
                path.chmod(0o755)
        wants = self.layer / "extra/etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        if not (wants / "report.service").is_symlink():
            (wants / "report.service").symlink_to("../report.service")
        package("image", self.layer, self.layer / "disk.img")
        shutil.rmtree(self.layer / "extra")
        self.run(f"cp /boot/vmlinuz-{release} /boot/initrd.img-{release} /src/{self.place}/")

    def _start(self, machine: list, limit: float) -> list[str]:
        disk, facts = self.layer / "disk.img", self.layer / "report.log"
        facts.unlink(missing_ok=True)
        subprocess.run(self._command(machine, disk, facts), check=True, timeout=limit)
        disk.unlink()
        lines = facts.read_text(encoding="utf-8", errors="replace").split("\n")
        return [line.strip() for line in lines]

    def _command(self, machine: list, disk: Path, facts: Path) -> list:
        return [
            "qemu-system-x86_64",
            *accelerator(accel.choose(), 2),
            *("-smp", "2", "-m", "1G", "-nodefaults", "-no-user-config", "-no-reboot"),
            *("-display", "none", "-run-with", "exit-with-parent=on"),
            *("-serial", f"file:{self.layer / 'console.log'}", "-serial", f"file:{facts}"),
            *("-drive", f"if=virtio,format=raw,file={disk}"),
            *machine,
            *_card(0, "igb"),
            *_card(1, "e1000e"),
            *_card(2, "igb"),
        ]
