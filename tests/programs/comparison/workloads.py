# SPDX-License-Identifier: GPL-2.0
"""What is done with each card, between the virtual machine and a host outside."""

from __future__ import annotations

import json
import re

from harness.agent import CommandFailed
from harness.shell import Shell
from harness.topology import PEER

from . import costs
from .nics import Subject

PORT = 7007
PINGS = 100
REQUESTS = 300
SMALL_BYTES = 64
STREAM_SECONDS = 3


def start_answering(guest):
    """The far ends of `udp` and of the floods, for all rounds."""
    guest.run("netserver", netns=PEER.netns)
    guest.start_call("udp", "answer", PEER.ipv4, PORT, timeout=None, netns=PEER.netns)
    guest.wait_file(f"/tmp/udp.{PORT}", 30)


def ping(subject: Subject) -> dict:
    """Round-trip times in microseconds, as ping measures them."""
    out = subject.vm.run(
        f"ping -n -i 0.02 -c {PINGS} -W 2 {PEER.ipv4}", timeout=120, check=False
    ).out
    times = [1000 * float(ms) for ms in re.findall(r"time=([\d.]+)", out)]
    return {"us": times, "lost": PINGS - len(times)}


def udp(subject: Subject) -> dict:
    """Requests of SMALL_BYTES, one after the other, in microseconds until the response."""
    return json.loads(
        subject.vm.call("udp", "ask", PEER.ipv4, PORT, REQUESTS, SMALL_BYTES, timeout=300).out
    )


def _netperf(shell: Shell, netns: str | None, target: str) -> tuple[float, int, int]:
    """Datagrams of SMALL_BYTES as fast as they go: seconds, sent, arrived. netperf, because iperf3
    has its stream opened by a datagram, which the flood of another side can lose."""
    out = shell.run(
        f"netperf -t UDP_STREAM -P 0 -H {target} -l {STREAM_SECONDS} -- -m {SMALL_BYTES} -R 1",
        timeout=STREAM_SECONDS + 90,
        netns=netns,
    ).out
    sender, receiver = (line.split() for line in out.splitlines() if line.strip())
    return float(receiver[1]), int(sender[3]), int(receiver[2])


def _small(subject: Subject, inwards: bool) -> dict:
    vm = subject.vm
    if inwards:
        found = _netperf(vm.host.guest, PEER.netns, subject.host.ipv4)
    else:
        found = _netperf(vm, None, PEER.ipv4)
    seconds, sent, arrived = found
    return {"per_s": arrived / seconds, "sent": sent, "arrived": arrived}


def _tcp(subject: Subject, options: str) -> dict:
    guest = subject.vm.host.guest
    server = guest.start(
        "iperf3 --server --one-off --forceflush", timeout=STREAM_SECONDS + 120, netns=PEER.netns
    )
    guest.wait_listening(5201, PEER.netns)
    client = subject.vm.run(
        f"iperf3 --json --client {PEER.ipv4} --time {STREAM_SECONDS} {options}",
        timeout=STREAM_SECONDS + 90,
        check=False,
    )
    if client.rc:
        server.kill()
        raise CommandFailed(client)
    server.wait()
    return {"mbit_per_s": json.loads(client.out)["end"]["sum_received"]["bits_per_second"] / 1e6}


WORKLOADS = {
    "ping": ping,
    "udp": udp,
    "small_out": lambda subject: _small(subject, False),
    "small_in": lambda subject: _small(subject, True),
    "tcp_out": lambda subject: _tcp(subject, ""),
    "tcp_in": lambda subject: _tcp(subject, "--reverse"),
}


def run(subject: Subject, name: str) -> dict:
    """One workload with what it cost."""
    guest = subject.vm.host.guest
    before = costs.read(guest, subject.vm)
    result = WORKLOADS[name](subject)
    spent = costs.read(guest, subject.vm) - before
    return {**result, "costs": spent.as_json()}
