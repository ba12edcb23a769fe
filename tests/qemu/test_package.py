# SPDX-License-Identifier: GPL-2.0
"""The Debian package: installed with apt on a Debian with a kernel of backports, built there by DKMS,
booted, upgraded, removed and purged. That it can be built and that lintian has nothing to say is one of
tests/check. The tests are about one machine and in the order in which things happen to it."""

import subprocess

import pytest
from support.debian import PACKAGE, Debian, package

from harness import images

pytestmark = [
    pytest.mark.long,
    pytest.mark.kernel("stock"),
    pytest.mark.driver("igb_rs"),
    pytest.mark.timeout(7200),
]

PORT, OTHER, VF = "0x10c9", "0x10d3", "0x10ca"


@pytest.fixture(scope="module")
def installed():
    """The machine after apt install, its files before that, and what was said. The sources of the
    kernel come after the package."""
    subprocess.run(["tests/env/await", "debian"], check=True, cwd=images.CLONE)
    package("build")
    machine = Debian("machine")
    machine.before = machine.files()
    machine.run("mkdir /later && mv /usr/src/linux-source-*.tar.xz /later/")
    machine.without = machine.apt(f"install {PACKAGE}")
    machine.module_without = machine.run("find /lib/modules -name 'igb_rs.ko*'")
    machine.run("mv /later/* /usr/src/ && rmdir /later")
    # What dpkg does when a package brings a file there.
    series = ".".join(images.RELEASE.split(".")[:2])
    machine.said = machine.run(
        f"dpkg-trigger --no-await --by-package=linux-source-{series} /usr/src &&"
        " dpkg --triggers-only --pending"
    )
    return machine


def test_missing_sources_fail_nobody(installed):
    """One line says what is missing and which command installs it."""
    told = [line for line in installed.without.splitlines() if "sources are missing" in line]
    assert told and "apt install linux-source-" in told[0], installed.without
    assert not installed.module_without


def test_it_is_built_when_the_sources_come(installed):
    release = images.RELEASE
    assert f"linux-rust-metadata: {release}: crate kernel" in installed.said, installed.said
    status = installed.run(f"dkms status -k {release}; modinfo -k {release} -F vermagic igb_rs")
    assert "installed" in status, status
    assert release in status, status


def test_what_is_there_is_not_made_again(installed):
    said = installed.run(f"linux-rust-metadata make {images.RELEASE}")
    assert said.strip() == f"/var/cache/linux-rust-metadata/{images.RELEASE}"


def test_the_initramfs_has_it(installed):
    content = installed.initramfs(images.RELEASE)
    assert "updates/dkms/igb_rs.ko" in content
    assert "modprobe.d/igb-rs.conf" in content


def test_who_gets_the_cards(installed):
    """udev loads igb_rs for the 82576 and has nothing else change; VFs are there from boot on, and
    none is driven by the host, as the examples have it."""
    examples = installed.run(
        f"cd /usr/share/doc/{PACKAGE}/examples && cat 50-igb-rs-vfs.link && echo --- &&"
        " cat 70-igb-rs-vfs.rules"
    )
    link, _, rules = examples.partition("---\n")
    report = installed.boot(
        images.RELEASE,
        {
            "etc/systemd/network/50-vfs.link": link.replace("0000:03:00.0", "0000:01:00.0"),
            "etc/udev/rules.d/70-igb-rs-vfs.rules": rules.replace("#ACTION", "ACTION"),
        },
    )
    assert "end" in report, report
    assert f"device {PORT} igb_rs" in report
    assert f"device {OTHER} e1000e" in report
    assert "numvfs 4" in report
    assert report.count(f"device {VF} ") == 0 and report.count(f"device {VF}") == 4, report


LOOK = f"""
echo "secure boot: $(mokutil --sb-state)"
echo "lockdown: $(</sys/kernel/security/lockdown)"
modprobe igb_rs 2>&1 | sed 's/^/modprobe says: /'
dmesg | grep rejected | sed 's/^.*] /log: /'
sh /var/lib/dpkg/info/{PACKAGE}.postinst triggered 2>&1
"""


@pytest.fixture(scope="module")
def certificate(installed):
    """Of the key that DKMS has made for this machine."""
    place = f"/src/{installed.place}/key.pem"
    installed.run(f"openssl x509 -inform DER -in /var/lib/dkms/mok.pub -out {place}")
    return place


def test_secure_boot_with_the_key(installed, certificate):
    report = installed.boot_securely(images.RELEASE, LOOK, certificate)
    assert "secure boot: SecureBoot enabled" in report, report
    assert "lockdown: none [integrity] confidentiality" in report, report
    assert f"device {PORT} igb_rs" in report, report
    assert not [line for line in report if "rejected" in line or "mokutil" in line], report


def test_secure_boot_without_the_key(installed):
    """C igb has the port, and the user is told why, and what to do."""
    report = installed.boot_securely(images.RELEASE, LOOK, None)
    assert "secure boot: SecureBoot enabled" in report, report
    assert f"device {PORT} igb" in report and "module igb_rs" not in report, report
    said = "\n".join(report)
    assert "could not insert 'igb_rs': Key was rejected by service" in said, said
    assert "log: Loading of module with unavailable key is rejected" in report, report
    assert f"{PACKAGE}: Secure Boot is on" in said
    assert "mokutil --import /var/lib/dkms/mok.pub" in said


def test_nothing_is_left(installed):
    """After removal C igb has the card, after the purge no file is there that was not before."""
    installed.apt(f"remove {PACKAGE}")
    report = installed.boot(images.RELEASE)
    assert f"device {PORT} igb" in report, report
    assert "module igb_rs" not in report
    installed.apt(f"purge {PACKAGE}")
    left = {name for name in installed.files() - installed.before if not name.startswith("/src/")}
    assert not left, sorted(left)
