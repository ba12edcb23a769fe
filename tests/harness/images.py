# SPDX-License-Identifier: GPL-2.0
"""The files a guest boots: prepared ones, and the initramfs of this run."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from . import cpio
from .kernels import KERNELS, Kernel

CLONE = Path(__file__).resolve().parents[2]
GUEST_FILES = CLONE / "tests/guest"


def _from_environment(name: str, default: str) -> Path:
    return Path(os.environ.get(name, default))


KERNEL = KERNELS["stock"].directory
# A small image for the card alone, and one for a host of guests, made when asked for.
IMAGES = {
    "guest": _from_environment("IGB_RS_GUEST", "/guest"),
    "vm": _from_environment("IGB_RS_VM", "/vm"),
}
CACHE = _from_environment("IGB_RS_STATE", "/cache/state")

RELEASE = KERNELS["stock"].release


def rootfs(image: str) -> Path:
    return IMAGES[image] / "rootfs.erofs"


def missing(image: str) -> str | None:
    """What to do about an image that is not there."""
    if rootfs(image).exists():
        return None
    return f"the image {image!r} is missing: run 'make prepare-{image}' first"


def stripped(module: Path) -> bytes:
    """The module without debug information, which is most of its size."""
    with tempfile.TemporaryDirectory() as directory:
        # objcopy wants a file it can seek in.
        output = Path(directory) / module.name
        subprocess.run(["objcopy", "--strip-debug", module, output], check=True)
        return output.read_bytes()


def _payload(directory: Path):
    for path in sorted(directory.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            yield "payload/" + str(path.relative_to(directory)), mode, path.read_bytes()


def _own_modules(kernel: Kernel):
    """Such a kernel mounts the root without a module. What follows in an archive replaces what
    was there, so the list of those to insert becomes empty."""
    yield "modules/order", 0o644, b""
    for path in sorted(kernel.modules.rglob("*")):
        if path.is_file():
            name = path.relative_to(kernel.modules)
            yield f"payload/modules/{kernel.release}/{name}", 0o644, path.read_bytes()


def initramfs(
    kernel: Kernel, module: Path | None, image: str = "guest", nested: bool = False
) -> bytes:
    """Base archive plus /init, everything of tests/guest and the module in /payload; `nested`:
    with the archive a guest's own guests boot."""
    files = [("init", 0o755, (GUEST_FILES / "init").read_bytes()), *_payload(GUEST_FILES)]
    if module is not None:
        files.append((f"payload/{module.name}", 0o644, stripped(module)))
    if kernel.modules is not None:
        files += _own_modules(kernel)
    if nested:
        files.append(("payload/nested.cpio", 0o644, initramfs(KERNELS["stock"], None, image)))
    return (IMAGES[image] / "initrd.cpio").read_bytes() + cpio.archive(files)
