# SPDX-License-Identifier: GPL-2.0
"""debian/linux-rust-metadata: what it says when something is missing, when metadata counts as there,
and what it leaves behind. Kernel, sources and compilers are small stand-ins; that what it makes fits a
kernel is seen by building the module with it (`make matrix`)."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "debian/linux-rust-metadata"
RELEASE = "7.3.4+deb13-amd64"
COMPILER = "rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)"


def program(path: Path, text: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/bash\n" + text, encoding="utf-8")
    path.chmod(0o755)


class Machine:
    """Headers, sources and compilers below a directory."""

    def __init__(self, top: Path):
        self.top = top
        self.bin = top / "bin"
        self.headers = top / f"usr/src/linux-headers-{RELEASE}"
        self.common = top / "usr/src/linux-headers-7.3.4+deb13-common"
        self.source = top / "usr/src/linux-source-7.3.tar.xz"
        self.cache = top / "cache"
        self.sysroot = top / "sysroot"

    def install_headers(self, config: str):
        for directory in ("include", "arch/x86"):
            (self.common / directory).mkdir(parents=True)
        version = "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n"
        (self.common / "Makefile").write_text(version, encoding="utf-8")
        kbuild = self.top / "usr/lib/linux-kbuild-7.3.4+deb13"
        (kbuild / "scripts").mkdir(parents=True)
        (kbuild / "scripts/Kbuild.include").touch()
        self.headers.mkdir(parents=True)
        (self.headers / "scripts").symlink_to(kbuild / "scripts")
        (self.headers / ".config").write_text(config, encoding="utf-8")
        (self.headers / ".kernelvariables").touch()
        (self.headers / "Module.symvers").touch()
        (self.headers / "Makefile").write_text(
            "KBUILD_OUTPUT=x\ninclude /usr/src/linux-headers-7.3.4+deb13-common/Makefile\n",
            encoding="utf-8",
        )

    def install_compilers(self, version: str):
        core = self.sysroot / "lib/rustlib/src/rust/library/core/src/lib.rs"
        core.parent.mkdir(parents=True, exist_ok=True)
        core.touch()
        program(
            self.bin / "rustc",
            f'[[ $1 != --print ]] || exec echo {self.sysroot}\necho "{version}"\n',
        )
        for name in ("bindgen", "rustfmt"):
            program(self.bin / name, "exit 0\n")
        # In the place of the kernel's rules.
        program(
            self.bin / "make",
            f'echo x >>{self.top}/made\nwhile [[ $1 != -C ]]; do shift; done\ntouch "$2/rust/libkernel.rmeta"\n',
        )

    def install_source(self, sublevel: int = 4):
        tree = self.top / "source/linux-source-7.3"
        for name in ("rust/bindings", "rust/uapi", "scripts", "drivers/base"):
            (tree / name).mkdir(parents=True, exist_ok=True)
        (tree / "rust/Makefile").touch()
        (tree / "drivers/base/base.h").touch()
        (tree / "drivers/base/other.h").touch()
        (tree / "Makefile").write_text(
            f"VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = {sublevel}\nEXTRAVERSION =\n",
            encoding="utf-8",
        )
        (tree / "rust/bindings/bindings_helper.h").write_text(
            '#include <../../drivers/base/base.h>\n#include "../../drivers/base/other.h"\n',
            encoding="utf-8",
        )
        (tree / "rust/uapi/uapi_helper.h").touch()
        with tarfile.open(self.source, "w:xz") as archive:
            archive.add(tree, "linux-source-7.3")

    def install_packages(self, versions: dict[str, str]):
        """All that dpkg knows."""
        known = "".join(f'{name}) echo "installed {v}" ;;\n' for name, v in versions.items())
        program(self.bin / "dpkg-query", f"case ${{!#}} in\n{known}*) exit 1 ;;\nesac\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [TOOL, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "LINUX_RUST_METADATA_ROOT": str(self.top),
                "LINUX_RUST_METADATA_CACHE": str(self.cache),
            },
        )

    def made(self) -> int:
        path = self.top / "made"
        return len(path.read_text(encoding="utf-8").split()) if path.exists() else 0


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def complete(machine):
    machine.install_headers(f'CONFIG_RUST=y\nCONFIG_RUSTC_VERSION_TEXT="{COMPILER}"\n')
    machine.install_compilers(COMPILER)
    machine.install_source()
    return machine


def refusal(machine, command: str = "check") -> str:
    done = machine.run(command, RELEASE)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    return line


def test_all_is_there(complete):
    assert complete.run("check", RELEASE).returncode == 0
    done = complete.run("make", RELEASE)
    assert done.returncode == 0, done.stderr
    directory = complete.cache / RELEASE
    assert done.stdout.strip() == str(directory)
    assert (directory / "rust/libkernel.rmeta").exists()
    assert not (directory / "tree").exists()


def test_it_is_made_once(complete):
    complete.run("make", RELEASE)
    complete.source.unlink()
    assert complete.run("make", RELEASE).stdout.strip() == str(complete.cache / RELEASE)
    assert complete.made() == 1


@pytest.mark.parametrize("changed", [".config", "Module.symvers"])
def test_it_is_made_anew_for_other_headers(complete, changed):
    complete.run("make", RELEASE)
    with open(complete.headers / changed, "a", encoding="utf-8") as file:
        file.write("# of another build\n")
    assert complete.run("path", RELEASE).returncode == 1
    complete.run("make", RELEASE)
    assert complete.made() == 2


def test_without_headers(machine):
    assert f"apt install linux-headers-{RELEASE}" in refusal(machine)


def test_kernel_without_rust(machine):
    machine.install_headers("# CONFIG_RUST is not set\n")
    assert "without Rust" in refusal(machine)


def test_without_compiler(complete):
    (complete.bin / "rustc").unlink()
    program(complete.bin / "rustc", "exit 127\n")
    assert "apt install 'rustc=1.85.1*' 'rust-src=1.85.1*'" in refusal(complete)


def test_another_compiler(complete):
    complete.install_compilers("rustc 1.97.1 (abc 2026-07-01)")
    line = refusal(complete)
    assert "here is rustc 1.97.1" in line
    assert "apt install 'rustc=1.85.1*'" in line


@pytest.mark.parametrize("command", ["check", "make"])
def test_without_sources(complete, command):
    """Not installed, so that dpkg does not know them either."""
    complete.source.unlink()
    complete.install_packages({f"linux-headers-{RELEASE}": "7.3.4-1~bpo13+1"})
    line = refusal(complete, command)
    assert line.endswith("apt install linux-source-7.3=7.3.4-1~bpo13+1")


def test_sources_of_another_package_are_not_used(complete):
    complete.install_packages(
        {f"linux-headers-{RELEASE}": "7.3.4-1~bpo13+1", "linux-source-7.3": "7.3.4-2~bpo13+1"}
    )
    line = refusal(complete, "make")
    assert line.endswith("apt install linux-source-7.3=7.3.4-1~bpo13+1")
    assert complete.made() == 0


def test_sources_of_another_version_are_not_used(complete):
    complete.install_source(sublevel=5)
    done = complete.run("make", RELEASE)
    assert done.returncode == 1
    assert "7.3.5" in done.stderr
    assert complete.made() == 0
    assert not (complete.cache / RELEASE).exists()


def test_what_fails_leaves_nothing(complete):
    program(complete.bin / "make", "echo broken >&2; exit 2\n")
    done = complete.run("make", RELEASE)
    assert done.returncode == 1
    assert "broken" in done.stderr
    assert not (complete.cache / RELEASE).exists()


def test_prune_keeps_what_has_headers(complete):
    complete.run("make", RELEASE)
    (complete.cache / "7.2.1+deb13-amd64").mkdir()
    complete.run("prune")
    assert sorted(path.name for path in complete.cache.iterdir() if path.is_dir()) == [RELEASE]


@pytest.mark.parametrize("name", ["../x", "", "7.3/../..", "x"])
def test_no_other_name_is_taken_for_a_release(complete, name):
    assert complete.run("make", name).returncode == 1
    assert complete.run("remove", name).returncode == 2
