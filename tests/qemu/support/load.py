# SPDX-License-Identifier: GPL-2.0
"""Things that go on in a guest while a test does something else to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator

from harness import Guest
from harness.topology import PEER, PF_HOST, Host, Lan

from .mailbox import RawVf

FOREVER = 3600


@contextlib.contextmanager
def running(guest: Guest, *jobs: tuple[str, str | None]) -> Iterator[None]:
    """Commands, each with its namespace, started anew whenever they end, until the block ends."""
    started = [guest.start(f"while :; do {command}; sleep 0.1; done >/dev/null 2>&1", FOREVER,
                           netns) for command, netns in jobs]
    try:
        yield
    finally:
        for job in started:
            job.kill()


@contextlib.contextmanager
def traffic(lan: Lan, vfs: Iterable[Host] = ()) -> Iterator[None]:
    """Traffic of many kinds between PF, peer and VFs. It survives interfaces that come and go."""
    streams = [("iperf3 -s -1", PEER.netns), (f"iperf3 -c {PEER.ipv4} -t 20 --bidir", None)]
    floods = [(f"ping -q -f -s 1400 -w 20 {target}", host.netns) for host, target in
              [(PEER, PF_HOST.ipv4), *((vf, PEER.ipv4) for vf in vfs),
               *((vf, PF_HOST.ipv4) for vf in vfs)]]
    with running(lan.guest, *streams, *floods):
        yield


@contextlib.contextmanager
def mailbox_flood(vfs: Iterable[RawVf]) -> Iterator[list[dict]]:
    """Each VF sends whatever it likes. The list has each VF's counts when the block has ended."""
    counts: list[dict] = []
    jobs = [(vf.guest, vf.guest.start(
        f"exec python3 -I -S /payload/flood.py {vf.pci} {vf.index}", FOREVER)) for vf in vfs]
    try:
        yield counts
    finally:
        for guest, job in jobs:
            job.kill(15)
            counts.append(json.loads(job.wait(check=False, timeout=60).out))
