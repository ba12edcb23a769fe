# SPDX-License-Identifier: GPL-2.0
"""The Debian package: installed with apt on a Debian with a kernel of backports, built there by DKMS,
booted, upgraded, removed and purged. That it can be built and that lintian has nothing to say is one of
tests/check. The tests are about one machine and in the order in which things happen to it."""

import re
import subprocess

import pytest
from support.debian import APT_SOURCES, PACKAGE, Debian, package

from harness import images

pytestmark = [
    pytest.mark.long,
    pytest.mark.kernel("stock"),
    pytest.mark.driver("igb_rs"),
    pytest.mark.timeout(7200),
]

PORT, OTHER, VF = "0x10c9", "0x10d3", "0x10ca"
FIRST = re.search(r"\((.*?)\)", (images.CLONE / "debian/changelog").read_text(encoding="utf-8"))[1]
NEXT = "99.0"


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


@pytest.mark.parametrize(
    ("example", "target", "change", "drivers"),
    [
        (
            "60-igb-rs-ports.rules",
            "udev/rules.d/60-igb-rs-ports.rules",
            "s/^#ACTION/ACTION/; s/03:00.1/03:00.0/",
            ("igb_rs", "igb"),
        ),
        ("igb-has-all.conf", "modprobe.d/igb-rs.conf", "", ("igb", "igb")),
    ],
)
def test_ways_back(installed, example, target, change, drivers):
    """A single port, or all, to C igb, by the shipped examples; in the initramfs, which drives cards first."""
    installed.run(
        f"sed '{change}' /usr/share/doc/{PACKAGE}/examples/{example} >/etc/{target} &&"
        f" update-initramfs -u -k {images.RELEASE}"
    )
    report = installed.boot(images.RELEASE)
    installed.run(f"rm /etc/{target} && update-initramfs -u -k {images.RELEASE}")
    for port, driver in zip(("0000:01:00.0", "0000:03:00.0"), drivers, strict=True):
        assert f"port {port} {driver}" in report, report


def second_release() -> str:
    """Of Debian 13 as the stock kernel is: the last one of the list that is built with its compilers."""
    lines = (images.CLONE / "tests/env/kernel.matrix").read_text(encoding="utf-8").splitlines()
    columns = [line.split() for line in lines if line and not line.startswith("#")]
    return [line[1] for line in columns if len(line) == 2][-1]


def test_second_kernel(installed):
    """A kernel that comes later, from the mirror: its hooks have the module built, and it boots with it.
    When it is purged, nothing of it stays."""
    release = second_release()
    series = ".".join(release.split(".")[:2])
    version = (
        f"$(apt-cache show --no-all-versions linux-headers-{release} | sed -n 's/^Version: //p')"
    )
    installed.apt_from_mirror(
        f"install linux-image-{release} linux-headers-{release} linux-source-{series}={version}"
    )
    status = installed.run(f"dkms status -k {release}; modinfo -k {release} -F vermagic igb_rs")
    assert "installed" in status and release in status.splitlines()[-1], status
    assert "updates/dkms/igb_rs.ko" in installed.initramfs(release)
    report = installed.boot(release)
    assert f"release {release}" in report and f"device {PORT} igb_rs" in report, report
    installed.run(
        f"apt-get --yes purge linux-source-{series}"
        f" $(dpkg-query --show --showformat '${{Package}}\\n' 'linux-*' | grep -F {release.split('-')[0]})"
    )
    # With -k dkms also names a module that it has built for other kernels only.
    left = installed.run(
        f"dkms status | grep -F {release}; ls -d /var/cache/linux-rust-metadata/{release} 2>/dev/null;"
        f" find /lib/modules/{release} -name 'igb_rs*' 2>/dev/null; true"
    )
    assert not left.strip(), left


@pytest.fixture(scope="module")
def upgraded(installed):
    """What apt said when it upgraded the package, and what the machine had then. It is as before now."""
    package("build", NEXT)
    installed.upgrade = installed.apt(f"install {PACKAGE}")
    installed.status_after = installed.run(f"dkms status; dpkg-query --show {PACKAGE}")
    module = f"/var/lib/dkms/igb-rs/{NEXT}/{images.RELEASE}/x86_64/module/igb_rs.ko"
    to = f"/src/{installed.place}/next.ko"
    installed.run(f"if [ -e {module} ]; then cp {module} {to}; else xz -dc {module}.xz >{to}; fi")
    installed.downgrade = installed.apt(f"install --allow-downgrades {PACKAGE}={FIRST}")
    installed.status_back = installed.run(f"dkms status; dpkg-query --show {PACKAGE}")
    return installed


def test_upgrade_and_downgrade(upgraded):
    """The module is that of the package; the kernel's metadata is the same as before."""
    for version, status, said in (
        (NEXT, upgraded.status_after, upgraded.upgrade),
        (FIRST, upgraded.status_back, upgraded.downgrade),
    ):
        assert status.splitlines() == [
            f"igb-rs/{version}, {images.RELEASE}, x86_64: installed",
            f"{PACKAGE}\t{version}",
        ]
        assert "crate core" not in said, said


# A VF is in use, by igbvf in a namespace; a new version of the package comes, and then the package goes.
# rustc and make are scripts: what they would do takes an emulated machine half an hour, and was done.
IN_USE = f"""
port=/sys/bus/pci/devices/0000:01:00.0
echo 2 >$port/sriov_numvfs
udevadm settle
vf=$(ls $port/virtfn0/net)
ip netns add tenant
ip link set $vf netns tenant
ip -n tenant address add 192.0.2.10/24 dev $vf
ip -n tenant link set $vf up
ip address add 192.0.2.1/24 dev $(ls $port/net)
ip link set $(ls $port/net) up
state() {{
    echo "$1 $(ip -n tenant -o link show $vf | cut -d : -f 1) $(<$port/sriov_numvfs)" \
        "$(basename $(readlink $port/driver)) $(dmesg | grep -c -e igb_rs -e igbvf)"
}}
for n in $(seq 60); do ! ip netns exec tenant ping -c 1 -W 2 192.0.2.1 >/dev/null || break; done
ip netns exec tenant ping -i 0.5 192.0.2.1 >/pings &
pings=$!
state before
({APT_SOURCES} && apt-get $options --yes install {PACKAGE}) >/apt.log 2>&1 || cat /apt.log
echo "version $(dpkg-query --show --showformat '${{Version}}' {PACKAGE}), $(dkms status)"
state upgraded
apt-get --yes remove {PACKAGE} >/apt.log 2>&1 || cat /apt.log
state removed
kill -INT $pings
wait $pings
grep transmitted /pings
"""


def bring(machine, version_text: str):
    """What the machine has beyond its disk: the packages, the headers without which DKMS builds nothing,
    what compilers would answer, and no initramfs, which packs for a quarter of an hour there."""
    extra = f"/src/{machine.place}/extra"
    metadata = f"var/cache/linux-rust-metadata/{images.RELEASE}"
    machine.run(
        f"mkdir -p {extra}/usr/src {extra}/src/build {extra}/{metadata} {extra}/root &&"
        f" cp -a /usr/src/linux-headers-* {extra}/usr/src/ &&"
        f" cp -a /src/build/deb {extra}/src/build/ && cp /{metadata}/inputs {extra}/{metadata}/ &&"
        f" cp /src/{machine.place}/next.ko {extra}/root/"
    )
    return {
        "usr/bin/make": "#!/bin/sh\ncp /root/next.ko igb_rs.ko\n",
        "usr/sbin/update-initramfs": "#!/bin/sh\n",
        "usr/bin/rustc": f"#!/bin/sh\ncase $# in 1) echo '{version_text.splitlines()[0]}' ;;"
        f" *) cat <<'END'\n{version_text}END\n;; esac\n",
    }


def test_nothing_is_taken_from_a_vf_in_use(upgraded):
    """Neither an upgrade nor a removal unloads the driver or touches a VF."""
    files = bring(upgraded, upgraded.run("rustc --version --verbose"))
    report = upgraded.boot(images.RELEASE, files, IN_USE, limit=2400)
    assert f"version {NEXT}, igb-rs/{NEXT}, {images.RELEASE}, x86_64: installed" in report, report
    states = [line.split()[1:] for line in report if re.match("(before|upgraded|removed) ", line)]
    assert len(states) == 3 and states[0] == states[1] == states[2], report
    assert states[0][1:3] == ["2", "igb_rs"], report
    (pings,) = (line for line in report if "transmitted" in line)
    sent, received = map(
        int, re.match(r"(\d+) packets transmitted, (\d+) received", pings).groups()
    )
    # One may have been on its way in the end.
    assert received > 10 and sent - received <= 1, pings


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
    # Others' files: a kernel's hook asks for a reboot, and appstream has apt fetch descriptions.
    not_ours = "/src/", "/run/", "/var/lib/app-info"
    left = {name for name in installed.files() - installed.before if not name.startswith(not_ours)}
    assert not left, sorted(left)
