# SPDX-License-Identifier: GPL-2.0
"""XDP programs on the interfaces of a guest."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

from harness import Guest
from harness.agent import Result
from harness.bpf import compile_bpf
from harness.topology import PF_HOST, Host

OBJECT = "/tmp/xdp.o"
HINTS = "/tmp/xdp_hints.o"
PINNED = "/sys/fs/bpf/xdp_hints"
COUNT = "bpftool -j prog show | jq '[.[] | select(.type == \"xdp\")] | length'"


@functools.cache
def _compiled(source: str) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "xdp.o"
        compile_bpf(Path(__file__).with_name(source), output)
        return output.read_bytes()


def _program(name: str) -> str:
    """As `ip link` names it. Those that take frames of several buffers share a section."""
    return f"obj {OBJECT} " + (f"program {name}" if name.endswith("_frags") else f"sec xdp/{name}")


class Programs:
    """The programs of xdp.bpf.c, by their names, in one guest. Always run by the driver itself,
    never by the stack in its place."""

    def __init__(self, guest: Guest):
        self.guest = guest
        guest.put(OBJECT, _compiled("xdp.bpf.c"))

    def try_attach(self, name: str, host: Host = PF_HOST, options: str = "") -> Result:
        return self.guest.run(
            f"ip {options} link set {host.name} xdpdrv {_program(name)} 2>&1",
            check=False,
            netns=host.netns,
        )

    def attach(self, name: str, host: Host = PF_HOST):
        """Attaches a program, or replaces the one that is there."""
        result = self.try_attach(name, host, "-force")
        assert result.rc == 0, result

    def detach(self, host: Host = PF_HOST):
        self.guest.run(f"ip link set {host.name} xdpdrv off", netns=host.netns)

    def churn(self, rounds: int):
        """Attaches a program to the PF, replaces it, and detaches it, over and over."""
        attach = f"ip -force link set {PF_HOST.name} xdpdrv obj {OBJECT} sec xdp/"
        self.guest.run(
            f"for i in $(seq {rounds}); do {attach}pass && {attach}bounce && "
            f"ip link set {PF_HOST.name} xdpdrv off || exit; done",
            timeout=120,
        )

    def attached(self, host: Host = PF_HOST) -> int | None:
        """The id of the interface's program."""
        (entry,) = json.loads(
            self.guest.run(f"ip -j -d link show {host.name}", netns=host.netns).out
        )
        return entry["xdp"]["prog"]["id"] if "xdp" in entry else None

    def loaded(self) -> int:
        """XDP programs there are, attached or not."""
        return int(self.guest.run(COUNT).text)

    def wait_loaded(self, count: int):
        """Waits until there are that many: programs are freed after a grace period."""
        self.guest.wait_until(f"[ $({COUNT}) -eq {count} ]", 30)

    def table(self, host: Host = PF_HOST) -> int:
        """The id of the map that the interface's program goes by."""
        show = f"bpftool -j prog show id {self.attached(host)}"
        (table,) = json.loads(self.guest.run(show).out)["map_ids"]
        return table

    def redirect(self, source: Host, target: Host, name: str = "redirect"):
        """What `source` receives leaves by `target`, which is in the same namespace."""
        self.attach(name, source)
        index = int(self.guest.read(f"/sys/class/net/{target.name}/ifindex"))
        table = self.table(source)
        value = " ".join(str(byte) for byte in index.to_bytes(4, "little"))
        self.guest.run(f"bpftool map update id {table} key 0 0 0 0 value {value}")


class Hints:
    """The program of xdp_hints.bpf.c on the PF, to which it is bound. It needs a kernel with BTF."""

    def __init__(self, guest: Guest):
        self.guest = guest
        guest.put(HINTS, _compiled("xdp_hints.bpf.c"))
        guest.run(
            f"bpftool prog loadall {HINTS} {PINNED} type xdp xdpmeta_dev {PF_HOST.name} && "
            f"ip link set {PF_HOST.name} xdpdrv pinned {PINNED}/note_hints"
        )

    def end(self):
        self.guest.run(f"ip link set {PF_HOST.name} xdpdrv off; rm -rf {PINNED}")

    def seen(self, kind: int) -> dict:
        """Of the last frame of that kind."""
        found = json.loads(self.guest.run("bpftool -j map dump name seen").out)
        (entry,) = [each["formatted"] for each in found if each["formatted"]["key"] == kind]
        return entry["value"]
