# SPDX-License-Identifier: GPL-2.0
"""Builds of the series, in a copy of the kernel that was built without it (tests/env/series-kernel.sh).

Everything is at /series, as its objects expect: `src`, `kdir` and `compiler`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import state

BASE = Path("/series-kernel")
TOP = Path("/series")
SOURCE = TOP / "src"
KDIR = TOP / "kdir"
OPTIONS = ("RUST_NIC_ABSTRACTIONS", "IGB_RS")


class Failed(Exception):
    """A build failed, or said something."""


def enter(place: Path):
    """Makes `place` /series for this process, from a copy of the base; its content is left as it is if it
    was copied before."""
    base = hashlib.sha256((BASE / ".manifest").read_bytes()).hexdigest()
    if not (place / "copied").exists() or (place / "copied").read_text() != base:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        subprocess.run(
            ["cp", "-a", *(BASE / name for name in ("src", "kdir", "compiler")), place], check=True
        )
        (place / "copied").write_text(base)
    TOP.mkdir(exist_ok=True)
    os.unshare(os.CLONE_NEWNS)
    subprocess.run(["busybox", "mount", "-o", "bind", place, TOP], check=True)


def kbuild(*arguments: str, cc: bool = True) -> str:
    """`make LLVM=1`; by the compiler with precompiled headers, unless it is to warn."""
    compiler = [f"CC={TOP}/compiler/compile"] if cc else []
    done = subprocess.run(
        [
            "make",
            "-C",
            SOURCE,
            f"O={KDIR}",
            "LLVM=-19",
            *compiler,
            "LOCALVERSION=",
            f"-j{os.cpu_count()}",
            *arguments,
        ],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise Failed(f"make {' '.join(arguments)}:\n" + "\n".join(done.stdout.splitlines()[-60:]))
    return done.stdout


WARNING = re.compile(r"^.*\bwarning\b.*$", re.M)


def warnings(output: str) -> list[str]:
    return WARNING.findall(output)


def quiet(output: str):
    """Fails if a compiler or objtool had something to say."""
    said = warnings(output)
    if said:
        raise Failed("\n".join([*said[:20], "in:", *output.splitlines()[-60:]]))


def line(option: str, value: str) -> str:
    """The line of an option in a .config."""
    return f"# CONFIG_{option} is not set\n" if value == "n" else f"CONFIG_{option}={value}\n"


def configured(text: str, options: dict[str, str]) -> str:
    """A .config with these options."""
    for option, value in options.items():
        text = re.sub(rf"^(?:# )?CONFIG_{option}(?:=.*| is not set)\n", "", text, flags=re.M)
        text += line(option, value)
    return text


def configure(options: dict[str, str]):
    """The options of the series on, and others as they are asked for. Before the patch that brings them
    those of the series are unknown, and have no effect."""
    config = KDIR / ".config"
    text = configured(config.read_text(), dict.fromkeys(OPTIONS, "y") | options)
    if text != config.read_text():
        config.write_text(text)
    kbuild("olddefconfig")


def has_option(option: str) -> bool:
    return line(option, "y") in (KDIR / ".config").read_text()


def objects():
    """The objects of the state that is in the tree, without a warning."""
    configure({})
    quiet(kbuild("prepare"))
    if has_option("IGB_RS"):
        quiet(kbuild(f"{state.DRIVER}/"))
    elif (SOURCE / state.DRIVER).exists():
        core()


def core():
    """igb_core alone, before the kernel's build knows of it: it needs no kernel."""
    with tempfile.TemporaryDirectory() as output:
        done = subprocess.run(
            [
                "rustc",
                "--edition=2021",
                "--crate-type=rlib",
                "--emit=metadata",
                f"--out-dir={output}",
                "-Dwarnings",
                "-Aunexpected_cfgs",
                SOURCE / state.DRIVER / "core/igb_core.rs",
            ],
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        raise Failed(done.stdout)


def kernel(result: Path):
    """The kernel with the driver in it, as the harness boots it."""
    configure({})
    for option in OPTIONS:
        if not has_option(option):
            raise Failed(f"CONFIG_{option} is not in the configuration")
    quiet(kbuild("bzImage", "modules"))
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir(parents=True)
    kbuild(f"INSTALL_MOD_PATH={result}", "INSTALL_MOD_STRIP=1", "DEPMOD=true", "modules_install")
    release = (KDIR / "include/config/kernel.release").read_text().strip()
    for link in ("build", "source"):
        (result / "lib/modules" / release / link).unlink(missing_ok=True)
    subprocess.run(["depmod", "--basedir", result, release], check=True)
    shutil.copy(KDIR / "arch/x86/boot/bzImage", result / "vmlinuz")
    (result / "release").write_text(release + "\n")


def clippy():
    """Lints of what the series brings. Those of the kernel's own files are not ours."""
    output = kbuild("CLIPPY=1", "prepare") + kbuild("CLIPPY=1", f"{state.DRIVER}/")
    ours = own(output)
    if ours:
        raise Failed("\n".join(ours))


def rustdoc():
    output = kbuild("rustdoc")
    ours = own(output)
    if ours:
        raise Failed("\n".join(ours))


def own(output: str) -> list[str]:
    """Diagnostics that point at a file of the series."""
    found = []
    for piece in re.split(r"^(?=(?:warning|error)\b)", output, flags=re.M):
        place = re.search(r"^ *--> (\S+?):", piece, flags=re.M)
        if place and any(str(name) in place[1] for name in (state.NIC, state.DRIVER)):
            found.append(piece.rstrip())
    return found
