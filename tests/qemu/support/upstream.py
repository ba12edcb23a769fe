# SPDX-License-Identifier: GPL-2.0
"""The network selftests and tools of the kernel source package, unmodified, inside a guest."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import shlex
import subprocess
from pathlib import Path

from harness import Guest, images

MOUNT = "/upstream"

_BUILD = Path(__file__).with_name("upstream-image")


def image() -> Path:
    """The image with the selftests and their helper programs; built once for a kernel."""
    version = hashlib.sha256(_BUILD.read_bytes()).hexdigest()[:12]
    path = images.CACHE / f"upstream-{images.RELEASE}-{version}.erofs"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes run tests
        if not path.exists():
            subprocess.run([_BUILD, images.KERNEL / "src", path], check=True)
    return path


class Upstream:
    """The tree, mounted in a guest; its layout is that of the kernel source."""

    def __init__(self, guest: Guest):
        self.guest = guest
        if not guest.succeeds(f"mountpoint -q {MOUNT}"):
            self._mount()

    def _mount(self):
        self.guest.put("/tmp/upstream.erofs", image().read_bytes())
        self.guest.run(
            f"modprobe loop && mkdir -p {MOUNT} && busybox mount -o ro,loop -t erofs "
            f"/tmp/upstream.erofs {MOUNT}"
        )

    def ynl(self, family: str, operation: str, request: str = "{}", dump: bool = False):
        """A generic netlink request by the kernel's own client."""
        way = "--dump" if dump else "--do"
        result = self.guest.run(
            f"python3 {MOUNT}/tools/net/ynl/pyynl/cli.py --output-json "
            f"--spec {MOUNT}/Documentation/netlink/specs/{family}.yaml "
            f"{way} {operation} --json {shlex.quote(request)}"
        )
        return parse(result.out)


def parse(text: str):
    """JSON, or the Python notation older clients print."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return ast.literal_eval(text)
