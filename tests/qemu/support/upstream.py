# SPDX-License-Identifier: GPL-2.0
"""The network selftests and tools of the kernel source package, unmodified, inside a guest."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import shlex
import subprocess
import time
from pathlib import Path

from harness import Guest, images
from harness.agent import AgentGone
from harness.topology import PEER, PF, PF_HOST, Lan
from scoreboard.scripts import FAIL, WHOLE, Fate, Script, judge

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


# What drivers/net/README.rst has scripts find in their environment.
REMOTE = {
    "NETIF": PF,
    "LOCAL_V4": PF_HOST.ipv4,
    "REMOTE_V4": PEER.ipv4,
    "LOCAL_V6": PF_HOST.ipv6,
    "REMOTE_V6": PEER.ipv6,
    "LOCAL_PREFIX_V6": "2001:db8:2::0/64",
    "REMOTE_TYPE": "netns",
    "REMOTE_ARGS": PEER.netns,
}
# By this variable the processes are known that a script leaves behind.
MARK = "KERNEL_SCRIPT"
END = (
    f"for file in $(grep -lzs '^{MARK}=' /proc/[0-9]*/environ); do"
    " pid=${file#/proc/}; pid=${pid%/environ}; [ $pid = $$ ] || kill -9 $pid; done 2>/dev/null; true"
)
# Programs the scripts expect by these names, and a header one of them reads.
PROVIDE = (
    "ln -sf /usr/bin/busybox /usr/local/bin/bc; mkdir -p /usr/include/linux /run/netns;"
    f"ln -sf {MOUNT}/ethtool.h /usr/include/linux/ethtool.h"
)


def run(upstream: Upstream, lan: Lan, script: Script) -> tuple[dict[str, Fate], float, str]:
    """Runs one script: what became of its sub-tests, seconds, what it printed."""
    guest = upstream.guest
    environment = {**(REMOTE if script.wire == "remote" else {}), **dict(script.environment)}
    variables = shlex.join(f"{name}={value}" for name, value in {MARK: "1", **environment}.items())
    guest.run(PROVIDE)
    if script.wire == "local":
        guest.run(f"ip -n {PEER.netns} link set {PEER.name} netns 1")
    else:
        # The prefix of what a script has behind the PF.
        guest.run(
            f"ip -n {PEER.netns} -6 route replace {REMOTE['LOCAL_PREFIX_V6']} via {PF_HOST.ipv6}"
        )
    if script.prepare:
        guest.run(script.prepare)
    limit = int(guest.limit(script.limit) or 0)
    begin = time.monotonic()
    try:
        # Ended first by what cleans up, as kselftest's runner does it.
        done = guest.run(
            f"cd {MOUNT}/{script.directory} &&"
            f" env {variables} timeout --kill-after=30 {limit} {script.program} 2>&1",
            timeout=script.limit + 30,
            check=False,
        )
    except AgentGone as error:
        return {WHOLE: Fate(FAIL, f"the guest ended: {error}")}, time.monotonic() - begin, ""
    seconds = time.monotonic() - begin
    guest.run(END, check=False)
    hangs = done.timed_out or done.rc in (124, 137)
    return judge(script, done.rc, hangs, done.out), seconds, done.out
