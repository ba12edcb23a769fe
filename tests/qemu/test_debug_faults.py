# SPDX-License-Identifier: GPL-2.0
"""Allocations fail, one after the other: each failure is clean, and the next try works.

"Clean" is: the caller gets an errno or the operation is complete; nothing leaks; no report in the
kernel log; the same operation without a failure succeeds right afterwards; traffic flows in the
end."""

from __future__ import annotations

import json

import pytest

from harness.health import Leaks
from harness.topology import PEER, PF, PF_HOST, PF_PCI
from harness.traffic import frames, ping

pytestmark = [
    pytest.mark.kernel("debug"), pytest.mark.driver("igb_rs"),
    # What the allocator says of an allocation that failed on request.
    pytest.mark.allow_log("page allocation failure|SLUB: Unable to allocate"),
    pytest.mark.guest(peer="virtio-net-pci"),
]
SIZES = range(60, 1515, 29)


def sweep(guest, operation: str, arguments: str = "", timeout: float = 240) -> dict:
    """Runs tests/guest/faults.py and judges what it found."""
    result = json.loads(guest.run(f"python3 -I -S /payload/faults.py {operation} {arguments}",
                                  timeout).out)
    print(f"{operation}: {result}")
    assert not result["wrong"], result
    assert result["tries"] > 1 or result["end"], result
    return result


def complete(result: dict):
    """The sweep came to the last allocation."""
    assert result["end"] is not None, result


def no_leaks(guest):
    found = Leaks(guest).found()
    assert not found, "\n".join(found)


def bring_up(lan):
    """The interface as the test network has it, whatever a sweep left."""
    lan.guest.run(f"ip link set {PF} up")
    lan.wait_carrier(PF_HOST)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete
    assert frames(lan.guest, PEER, PF_HOST, SIZES).perfect
    assert frames(lan.guest, PF_HOST, PEER, SIZES).perfect


@pytest.mark.timeout(600)
@pytest.mark.parametrize("operation", ["up", "mtu", "rings", "channels"])
def test_of_the_interface(lan, operation):
    complete(sweep(lan.guest, operation))
    no_leaks(lan.guest)
    bring_up(lan)


@pytest.mark.timeout(600)
def test_virtual_functions(lan):
    complete(sweep(lan.guest, "numvfs"))
    no_leaks(lan.guest)
    bring_up(lan)


@pytest.mark.timeout(900)
@pytest.mark.long
def test_probe(guest):
    guest.load()
    complete(sweep(guest, "bind", timeout=600))
    guest.unload()
    no_leaks(guest)


def test_probe_in_samples(guest):
    """Some places between the first allocation and the last."""
    guest.load()
    sweep(guest, "bind", "--first 3 --step 23 --limit 25")
    guest.unload()
    no_leaks(guest)


@pytest.mark.timeout(1200)
@pytest.mark.long
def test_load(guest):
    """Most allocations are the module loader's: every 29th."""
    complete(sweep(guest, "load", "--first 7 --step 29", timeout=900))
    no_leaks(guest)


# ---- the data path -------------------------------------------------------------------------------

def fail_in_driver(guest, kind: str, percent: int):
    """Lets that share of the allocations fail that have the driver in their stack."""
    base = f"/sys/kernel/debug/{kind}"
    if percent:
        guest.run(f"""
            set -- $(grep '\\[igb_rs\\]$' /proc/kallsyms | grep -i ' t ' | sort |
                     sed -n '1s/ .*//p;$s/ .*//p')
            echo 0x$1 >{base}/require-start; echo 0x$2 >{base}/require-end
            echo 32 >{base}/stacktrace-depth; echo 0 >{base}/verbose
            echo N >{base}/ignore-gfp-wait; echo -1 >{base}/times; echo 1 >{base}/interval
            [ ! -e {base}/min-order ] || echo 0 >{base}/min-order""")
    guest.run(f"echo {percent} >{base}/probability")


@pytest.mark.parametrize("kind", ["fail_page_alloc", "failslab"])
def test_receiving_while_memory_is_short(lan, kind):
    """Half of the refills fail under traffic, then all of them; then the queues recover by
    themselves."""
    guest = lan.guest
    try:
        fail_in_driver(guest, kind, 50)
        flood = f"ping -q -f -s 1400 -w 8 {PF_HOST.ipv4}"
        guest.run(flood, timeout=30, check=False, netns=PEER.netns)
        fail_in_driver(guest, kind, 100)
        guest.run(flood, timeout=30, check=False, netns=PEER.netns)
    finally:
        fail_in_driver(guest, kind, 0)
    assert ping(guest, PF_HOST, PEER.ipv4, count=20, interval=0.2).received >= 15
    bring_up(lan)


def test_setup_of_a_packet_fails(lan):
    """The driver is bound to what sends: clones and copies of packets fail at random."""
    guest = lan.guest
    guest.run("echo 1 >/sys/kernel/debug/fail_skb_realloc/probability;"
              "echo -1 >/sys/kernel/debug/fail_skb_realloc/times;"
              f"echo {PF} >/sys/kernel/debug/fail_skb_realloc/devname")
    try:
        guest.run("echo 100 >/sys/kernel/debug/fail_skb_realloc/probability")
        assert ping(guest, PF_HOST, PEER.ipv4, count=50, size=1400).complete
        assert ping(guest, PEER, PF_HOST.ipv4, count=50, size=1).complete
    finally:
        guest.run("echo 0 >/sys/kernel/debug/fail_skb_realloc/probability")
    bring_up(lan)


assert PF_PCI == "0000:01:00.0"     # the default of tests/guest/faults.py
