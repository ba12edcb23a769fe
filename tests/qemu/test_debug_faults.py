# SPDX-License-Identifier: GPL-2.0
"""Allocations fail, one after the other: each failure is clean, and the next try works.

"Clean" is: the caller gets an errno or the operation is complete; nothing leaks; no report in the
kernel log; the same operation without a failure succeeds right afterwards; traffic flows in the
end."""

from __future__ import annotations

import json
from collections.abc import Container

import pytest
from support import counters
from support.registers import CTRL, RXCSUM, Registers

from harness.health import Leaks
from harness.topology import PEER, PF, PF_HOST, PF_PCI
from harness.traffic import frames, is_silent, ping

pytestmark = [
    pytest.mark.kernel("debug"),
    pytest.mark.driver("igb_rs"),
]
DEVICE = f"/sys/bus/pci/devices/{PF_PCI}"
SIZES = range(60, 1515, 29)


def sweep(
    guest,
    operation: str,
    *options: str,
    samples: int = 0,
    timeout: float = 240,
    code: str = "ENOMEM",
    may_fail_with: Container[str] = ("ENOMEM",),
):
    """Runs tests/guest/faults.py, for every allocation or for some, and judges what it found. `code`
    is what became of the operation at least once."""
    told = json.loads(
        guest.call("faults", operation, "--samples", samples, *options, timeout=timeout).out
    )
    print(f"{operation}: {told}")
    for result in told["sweeps"]:
        assert not result["wrong"], result
        # It came to the last, and that was not one of few; some of them did matter.
        assert result["end"] is not None, result
        assert result["failed"] * result["step"] >= result["allocations"] * 0.9, result
        assert result["codes"].get(code), result
        assert all(each == "tolerated" or each in may_fail_with for each in result["codes"]), result


def no_leaks(guest):
    found = Leaks(guest).found()
    assert not found, "\n".join(found)


TRACING = "/sys/kernel/tracing"


def nobody_refers_to_the_device(guest):
    """A device that is removed goes with the last reference. kmemleak does not see one that was
    forgotten in a list of the kernel's."""
    guest.run(
        f"echo p:last pci_release_dev >{TRACING}/kprobe_events;"
        f"echo 1 >{TRACING}/events/kprobes/last/enable"
    )
    try:
        guest.run(f"echo 1 >{DEVICE}/remove")
        guest.wait_file(f"{TRACING}/kprobe_profile", 10, "last *1 ")
    finally:
        guest.run(
            f"echo 0 >{TRACING}/events/kprobes/last/enable; echo >{TRACING}/kprobe_events;"
            "echo 1 >/sys/bus/pci/rescan"
        )
    guest.wait_file(DEVICE, 10)


def small(guest):
    """Few buffers and one queue pair: they are allocated alike."""
    guest.run(f"ethtool -G {PF} rx 64 tx 64; ethtool -L {PF} combined 1", check=False)


def bring_up(lan):
    """The interface as the test network has it, whatever a sweep left."""
    lan.guest.run(f"ip link set {PF} up")
    lan.wait_carrier(PF_HOST)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete
    assert frames(lan.guest, PEER, PF_HOST, SIZES).perfect
    assert frames(lan.guest, PF_HOST, PEER, SIZES).perfect


@pytest.mark.timeout(600)
def test_interface_in_samples(lan):
    small(lan.guest)
    sweep(lan.guest, "up", samples=25)
    no_leaks(lan.guest)
    bring_up(lan)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("operation", ["up", "mtu", "rings", "channels"])
def test_interface(lan, operation):
    small(lan.guest)
    sweep(lan.guest, operation, timeout=1000)
    no_leaks(lan.guest)
    bring_up(lan)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "function, code", [("5sriov8relayout$", "ENOMEM"), ("^nbh_pci_order_sleep$", "tolerated")]
)
@pytest.mark.long
def test_virtual_functions(lan, function, code):
    """What the driver does for them. The rest is the PCI core's, which goes on with a function that
    it could not add (pci_device_add()), and later dereferences a null pointer when it removes it."""
    small(lan.guest)
    sweep(lan.guest, "numvfs", "--within", function, samples=10, timeout=500, code=code)
    no_leaks(lan.guest)
    bring_up(lan)


# A file of /proc/irq/N that could not be made is missed when the interrupt is given back: the kernel
# looks at the outcome of neither (register_irq_proc()).
no_file_of_an_interrupt = pytest.mark.allow_log(
    r"WARNING: fs/proc/generic.c:\d+ at remove_proc_entry"
)


@no_file_of_an_interrupt
@pytest.mark.timeout(1200)
@pytest.mark.long
def test_probe(guest):
    guest.load()
    # The kernel has other words for it: a region of memory that cannot be noted down counts as taken
    # (__request_region()), IPv6 has no buffers for a new interface (ipv6_add_dev()), and an interface
    # without memory for its name has none (netdev_register_kobject(), device_add()).
    sweep(guest, "bind", timeout=1000, may_fail_with=("ENOMEM", "EBUSY", "ENOBUFS", "EINVAL"))
    guest.unload()
    no_leaks(guest)
    nobody_refers_to_the_device(guest)


@pytest.mark.timeout(600)
@pytest.mark.long
def test_devlink_instance_of_a_probe(guest):
    """The kernel has a list of these: one that is forgotten is no leak for kmemleak."""
    guest.load()
    sweep(guest, "bind", "--within", "7devlink.*12Registration.*3new", timeout=500)
    guest.unload()
    no_leaks(guest)
    nobody_refers_to_the_device(guest)


@no_file_of_an_interrupt
@pytest.mark.timeout(1200)
@pytest.mark.long
def test_load(guest):
    """Most allocations are the module loader's."""
    sweep(guest, "load", samples=250, timeout=1000)
    no_leaks(guest)


# ---- the data path -------------------------------------------------------------------------------

ARM = """python3 -I -S -c 'import sys; sys.path.append("/payload"); import faults
faults.arm(faults.text_of_driver())'"""


def fail_in_driver(guest, kind: str, percent: int):
    """Lets that share of the allocations fail that have the driver in their stack, but not the
    detector of DMA errors, which gives up at the first."""
    base = f"/sys/kernel/debug/{kind}"
    if percent:
        guest.run(f"""{ARM}
            echo 0 >{base}/verbose; echo -1 >{base}/times; echo 1 >{base}/interval""")
    guest.run(f"echo {percent} >{base}/probability")


def of_the_driver(guest) -> int:
    """Allocations for receiving that failed, as the driver counts them."""
    return sum(value for name, value in counters.ethtool(guest) if name.endswith("alloc_failed"))


@pytest.mark.timeout(600)
@pytest.mark.long
def test_receiving(lan):
    """A frame may be lost with an allocation that fails, but is not bound to be: what the stack
    takes many of at a time, pages and skbs, it then tries to get one by one. The next ones all
    arrive."""
    guest = lan.guest
    small(guest)
    lan.wait_carrier(PF_HOST)
    try:
        sweep(guest, "receive", timeout=500, code="tolerated", may_fail_with=("ENOBUFS",))
    finally:
        guest.run(f"echo 0 >/sys/class/net/{PF}/threaded")
    no_leaks(guest)
    bring_up(lan)


# Datagrams that nobody reads: the pages of those that are read come back, and none is asked for.
DISCARD = (PF_HOST.ipv4, 9)
KEEP = f"""exec python3 -I -S -c '
import socket, time
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)     # SO_RCVBUFFORCE
receiver.bind(("{DISCARD[0]}", {DISCARD[1]}))
time.sleep(600)'"""
SEND = f"""python3 -I -S -c '
import contextlib, socket, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(500):
    with contextlib.suppress(BlockingIOError):          # the wire waits for descriptors
        sender.sendto(bytes(1400), socket.MSG_DONTWAIT, ("{DISCARD[0]}", {DISCARD[1]}))
    time.sleep(0.001)'"""


@pytest.mark.parametrize("kind", ["fail_page_alloc", "failslab"])
@pytest.mark.long
def test_receiving_while_memory_is_short(lan, kind):
    """Half of the refills fail under traffic, then all of them; then the queues recover by
    themselves."""
    guest = lan.guest
    small(guest)
    lan.wait_carrier(PF_HOST)
    keeper = guest.start(KEEP, timeout=None)
    guest.wait_listening(DISCARD[1], timeout=20)
    try:
        for percent in (50, 100):
            before = of_the_driver(guest)
            fail_in_driver(guest, kind, percent)
            guest.run(SEND, timeout=30, netns=PEER.netns)
            assert of_the_driver(guest) > before, percent
    finally:
        fail_in_driver(guest, kind, 0)
    assert ping(guest, PF_HOST, PEER.ipv4, count=20, interval=0.2).received >= 15
    keeper.kill()
    bring_up(lan)


@pytest.mark.parametrize(
    "event, answer",
    [
        (f"ip link set {PF} mtu 9000", "Cannot allocate memory"),
        (f"echo 7 >{DEVICE}/sriov_numvfs", "Cannot allocate memory"),
        pytest.param(f"echo 1 >{DEVICE}/reset", "", marks=pytest.mark.long),
    ],
    ids=["mtu", "numvfs", "reset"],
)
def test_queues_come_back_when_memory_does(lan, event, answer):
    """Neither the new queues nor the old ones can be had. Nobody has to do a thing about it."""
    guest = lan.guest
    try:
        fail_in_driver(guest, "fail_page_alloc", 100)
        result = guest.run(event, check=False)
        assert answer in result.err and (result.rc != 0) == bool(answer), result
        assert is_silent(guest, PF_HOST, PEER.ipv4), "control: no queues"
    finally:
        fail_in_driver(guest, "fail_page_alloc", 0)
    lan.wait_carrier(PF_HOST)
    assert ping(guest, PF_HOST, PEER.ipv4, count=5).complete
    assert guest.read(f"/sys/class/net/{PF}/mtu") == "1500"
    assert guest.read(f"{DEVICE}/sriov_numvfs") == "0"
    bring_up(lan)


@pytest.mark.long
def test_features_change_all_or_not_at_all(lan):
    """Hashes take new queues, which cannot be had; checksums and VLAN tags a bit of a register each."""
    guest = lan.guest
    registers = Registers(guest)
    shown = (
        "ethtool -k dut | grep -E '^(rx-checksumming|rx-vlan-offload|receive-hashing)' |"
        "sed 's/ .requested.*//'"
    )
    before = guest.run(shown).out, registers.read(CTRL, RXCSUM)
    assert before[0].count(": on") == 3
    try:
        fail_in_driver(guest, "fail_page_alloc", 100)
        guest.run(f"ethtool -K {PF} rx off rxvlan off rxhash off", check=False)
        assert (guest.run(shown).out, registers.read(CTRL, RXCSUM)) == before
    finally:
        fail_in_driver(guest, "fail_page_alloc", 0)
    # The stack remembers what was wanted, and does not try again when that is wanted once more.
    guest.run(f"ethtool -K {PF} rx on rxvlan on rxhash on", check=False)
    guest.run(f"ethtool -K {PF} rx off rxvlan off rxhash off")
    after = guest.run(shown).out, registers.read(CTRL, RXCSUM)
    assert after[0].count(": off") == 3 and all(
        now != then for now, then in zip(after[1], before[1])
    )
    guest.run(f"ethtool -K {PF} rx on rxvlan on rxhash on")
    bring_up(lan)


@pytest.mark.long
def test_setup_of_a_packet_fails(lan):
    """The driver is bound to what sends: clones and copies of packets fail at random."""
    guest = lan.guest
    # Not in the kernel log: announcements of two CPUs at a time cannot be told from reports.
    guest.run(
        "echo 0 >/sys/kernel/debug/fail_skb_realloc/verbose;"
        "echo -1 >/sys/kernel/debug/fail_skb_realloc/times;"
        f"echo {PF} >/sys/kernel/debug/fail_skb_realloc/devname"
    )
    try:
        guest.run("echo 100 >/sys/kernel/debug/fail_skb_realloc/probability")
        assert ping(guest, PF_HOST, PEER.ipv4, count=50, size=1400).complete
        assert ping(guest, PEER, PF_HOST.ipv4, count=50, size=1).complete
    finally:
        guest.run("echo 0 >/sys/kernel/debug/fail_skb_realloc/probability")
    bring_up(lan)


assert PF_PCI == "0000:01:00.0"  # the default of tests/guest/faults.py
