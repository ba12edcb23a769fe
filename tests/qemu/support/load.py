# SPDX-License-Identifier: GPL-2.0
"""Things that go on in a guest while a test does something else to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from harness import Guest
from harness.topology import PEER, PF_HOST, Host, Lan

from .mailbox import RawVf

FOREVER = 3600
# Line of a log between two passes of a loop.
PASSED = "pass"
# Frames that are no accident.
FLOW = 100


class Loop:
    """Commands over and over, each whether or not the one before succeeded."""

    def __init__(self, guest: Guest, commands: Sequence[str], netns: str | None = None):
        self._guest = guest
        self._commands = commands
        self._log = guest.run("mktemp").text
        steps = " ".join(
            f"{{ {command}; }} >/dev/null 2>&1 && echo {number} >>{self._log};"
            for number, command in enumerate(commands)
        )
        self._job = guest.start(
            f"while :; do {steps} echo {PASSED} >>{self._log}; sleep 0.1; done", FOREVER, netns
        )

    def wait_passes(self, number: int):
        """Until all commands were run so often."""
        self._guest.wait_until(f"[ $(grep -c {PASSED} {self._log}) -ge {number} ]", 200)

    def end(self):
        """Fails if one of its processes cannot be killed."""
        self._job.kill()
        self._job.wait(check=False, timeout=60)

    def succeeded(self) -> set[str]:
        """The commands that did, at least once."""
        lines = self._guest.run(f"sort -u {self._log}").out.split()
        return {self._commands[int(line)] for line in lines if line != PASSED}


@contextlib.contextmanager
def running(guest: Guest, *jobs: tuple[Sequence[str], str | None]) -> Iterator[list[Loop]]:
    """Commands in loops, each with its namespace, until the block ends."""
    with contextlib.ExitStack() as ends:
        loops: list[Loop] = []
        for commands, netns in jobs:
            loops.append(Loop(guest, commands, netns))
            ends.callback(loops[-1].end)
        yield loops


@contextlib.contextmanager
def traffic(lan: Lan, vfs: Iterable[Host] = ()) -> Iterator[Callable[[], None]]:
    """Traffic of many kinds between PF, peer and VFs. It survives interfaces that come and go. What
    the block gets waits until it flows, as it does at the beginning."""
    vfs = list(vfs)
    streams = [
        (["iperf3 -s -1"], PEER.netns),
        ([f"iperf3 -c {PEER.ipv4} -t 20 --bidir"], PF_HOST.netns),
    ]
    floods = [
        ([f"ping -q -f -s 1400 -w 20 {target}"], host.netns)
        for host, target in [
            (PEER, PF_HOST.ipv4),
            *((vf, PEER.ipv4) for vf in vfs),
            *((vf, PF_HOST.ipv4) for vf in vfs),
        ]
    ]

    def flows():
        for host in (PF_HOST, *vfs):
            _wait_for_frames(lan.guest, host)

    with running(lan.guest, *streams, *floods):
        flows()
        yield flows


def _wait_for_frames(guest: Guest, host: Host):
    """Until the interface has received and sent some more."""
    counters = [f"/sys/class/net/{host.name}/statistics/{way}_packets" for way in ("rx", "tx")]
    before = guest.run(f"cat {' '.join(counters)}", netns=host.netns).out.split()
    guest.wait_until(
        " && ".join(
            f"[ $(cat {counter}) -gt {int(value) + FLOW} ]"
            for counter, value in zip(counters, before)
        ),
        30,
        netns=host.netns,
    )


@contextlib.contextmanager
def mailbox_flood(vfs: Iterable[RawVf]) -> Iterator[list[dict]]:
    """Each VF sends whatever it likes. The list has each VF's counts when the block has ended; each
    was answered at least once."""
    counts: list[dict] = []
    jobs = [vf.guest.start_call("flood", vf.pci, vf.index, timeout=FOREVER) for vf in vfs]
    try:
        yield counts
    finally:
        # All of them before one is waited for, which may fail.
        for job in jobs:
            job.kill(15)
        counts += [json.loads(job.wait(timeout=60).out) for job in jobs]
    assert all(count.get("answers") or count.get("handshakes") for count in counts), counts
