# SPDX-License-Identifier: GPL-2.0
"""Tunnels over the PF: what is sent by them arrives, whoever computes its checksums and cuts it into
segments."""

import dataclasses
import json
import re

import pytest
from support.registers import QUEUE_FILTERS
from support.wire import tcp_contents

from harness.agent import CommandFailed
from harness.topology import PEER, PF_HOST, Lan

# C igb leaves to the device model what that does not do in tunnels (Documentation/qemu.rst).
pytestmark = pytest.mark.allow_trace(QUEUE_FILTERS)

# Their ends are {l} and {r} of IPv4, {l6} and {r6} of IPv6.
KINDS = {
    "gre": "gre local {l} remote {r}",
    "grecsum": "gre local {l} remote {r} csum key 5",
    "ipip": "ipip local {l} remote {r}",
    "sit": "sit local {l} remote {r}",
    "gre6": "ip6gre local {l6} remote {r6} encaplimit none",
    "tnl6": "ip6tnl local {l6} remote {r6} mode any encaplimit none",
    "vxlan": "vxlan id 5 local {l} remote {r} dstport 4789 noudpcsum",
    "vxlancsum": "vxlan id 6 local {l} remote {r} dstport 4790 udpcsum",
    "geneve": "geneve id 5 remote {r} udpcsum",
}
WITHOUT_IPV4, WITHOUT_IPV6 = {"sit"}, {"ipip"}
ETHERNET = {"vxlan", "vxlancsum", "geneve"}
# Of the longest packet of the PF, less what the tunnel adds.
MTU = 1400
TUNNEL_FEATURES = (
    "tx-gre-segmentation",
    "tx-gre-csum-segmentation",
    "tx-ipxip4-segmentation",
    "tx-ipxip6-segmentation",
    "tx-udp_tnl-segmentation",
    "tx-udp_tnl-csum-segmentation",
    "tx-gso-partial",
)


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a tunnel, as the traffic tools have hosts."""

    name: str
    netns: str | None
    ipv4: str
    ipv6: str


def ends(lan: Lan, kind: str) -> tuple[End, End]:
    """A tunnel between PF and peer, up."""
    number = list(KINDS).index(kind)
    # The modules make no tunnels of their own.
    commands, made = ["sysctl -qw net.core.fb_tunnels_only_for_init_net=2"], []
    for host, other in ((PF_HOST, PEER), (PEER, PF_HOST)):
        end = End(
            kind,
            host.netns,
            f"198.18.{number}.{host.number}",
            f"2001:db8:{number + 16:x}::{host.number}",
        )
        made.append(end)
        ip = f"ip -n {host.netns}" if host.netns else "ip"
        what = KINDS[kind].format(l=host.ipv4, r=other.ipv4, l6=host.ipv6, r6=other.ipv6)
        commands.append(f"{ip} link add {kind} mtu {MTU} type {what}")
        if kind not in WITHOUT_IPV4:
            commands.append(f"{ip} addr add {end.ipv4}/24 dev {kind}")
        if kind not in WITHOUT_IPV6:
            commands.append(f"{ip} addr add {end.ipv6}/64 dev {kind} nodad")
        commands.append(f"{ip} link set {kind} up")
    lan.guest.run(" && ".join(commands))
    return made[0], made[1]


def versions(kind: str) -> list[str]:
    """Of IP, as the traffic tools name them."""
    return [
        version
        for version, without in (("ipv4", WITHOUT_IPV4), ("ipv6", WITHOUT_IPV6))
        if kind not in without
    ]


def features(guest) -> dict[str, bool]:
    (shown,) = json.loads(guest.run("ethtool --json -k dut").out)
    return {name: state["active"] for name, state in shown.items() if isinstance(state, dict)}


@pytest.mark.driver("igb_rs")
def test_contents_of_tunnels(lan):
    """Both ways through each kind of tunnel at once. The device model sums the first transport header
    it finds, whatever the driver asks for: there the stack does all of it."""
    ways = []
    for kind in KINDS:
        here, there = ends(lan, kind)
        for version in versions(kind):
            ways += [(here, there, version), (there, here, version)]
    tcp_contents(lan.guest, *ways, megabytes=1)
    found = features(lan.guest)
    assert not any(found[name] for name in TUNNEL_FEATURES), found


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.driver("igb")
def test_c_igb_in_tunnels(lan):
    """Each tunnel and version by itself, from the PF to the peer: nothing arrives, as the device model does not
    make the checksums."""
    arrived = set()
    for kind in KINDS:
        here, there = ends(lan, kind)
        for version in versions(kind):
            try:
                tcp_contents(lan.guest, (here, there, version), megabytes=1)
            except (CommandFailed, AssertionError) as error:
                print(kind, version, str(error)[-300:])
            else:
                arrived.add((kind, version))
    print(sorted(arrived), features(lan.guest))
    assert not arrived


# A packet that is cut into three: bytes of data, and of a segment's.
SIZE, SEGMENT = 2500, 1000
DESCRIPTOR = re.compile(r"e1000e_tx_descr (?:0x)?(\w+|\(nil\)) : (\w+) (\w+)")
# Of command words: a context, a data descriptor, and one that is to be segmented.
TYPE, CONTEXT, DATA, TSE = 0xF << 20, 2 << 20, 3 << 20, 1 << 31
CONTEXT_IPV4, CONTEXT_TCP = 1 << 10, 1 << 11
BOTH_CHECKSUMS, TRANSPORT_CHECKSUM = 3 << 8, 2 << 8
TCP_LEN = 20
# Bytes between the outer Ethernet header and the inner IP header.
OUTER = {
    "gre": 20 + 4,
    "grecsum": 20 + 12,
    "ipip": 20,
    "sit": 20,
    "gre6": 40 + 4,
    "tnl6": 40,
    "vxlan": 20 + 8 + 8 + 14,
    "vxlancsum": 20 + 8 + 8 + 14,
    "geneve": 20 + 8 + 8 + 14,
}
OUTER_IPV6 = {"gre6", "tnl6"}


def descriptors(guest, start: int) -> list[tuple[int, int, int]]:
    """What the device model has read since that position of its trace: address, command, status."""
    with open(guest.machine.trace_log, encoding="utf-8", errors="replace") as log:
        log.seek(start)
        found = [DESCRIPTOR.search(line) for line in log]
    return [
        (0 if "nil" in match[1] else int(match[1], 16), int(match[2], 16), int(match[3], 16))
        for match in found
        if match
    ]


def segmentations(guest, kind: str, there: End, ipv6: bool) -> list[tuple[int, ...]]:
    """Gives the tunnel a packet that is to be segmented. Of what the device is to segment: lengths of the
    headers in front of the IP header, from there to the TCP header, and of that, bits of the context and
    of the descriptor, bytes of a segment and of all."""
    mac = None
    if kind in ETHERNET:
        mac = guest.links(there.netns)[kind]["address"]
    start = guest.machine.trace_log.stat().st_size
    guest.qmp("trace-event-set-state", name="e1000e_tx_descr", enable=True)
    try:
        plan = {"ipv6": ipv6, "mac": mac, "size": SIZE, "segment": SEGMENT}
        guest.ask("inject", "segment", kind, value=[plan])
    finally:
        guest.qmp("trace-event-set-state", name="e1000e_tx_descr", enable=False)
    seen, context = [], (0, 0, 0)
    for address, command, status in descriptors(guest, start):
        if command & TYPE == CONTEXT:
            context = (address, command, status)
        elif command & TSE and status >> 14 > SEGMENT:
            lengths, kinds, sizes = context
            seen.append(
                (
                    lengths >> 9 & 0x7F,
                    lengths & 0x1FF,
                    sizes >> 8 & 0xFF,
                    kinds & (CONTEXT_IPV4 | CONTEXT_TCP),
                    status & BOTH_CHECKSUMS,
                    sizes >> 16,
                    status >> 14,
                )
            )
    return seen


@pytest.mark.driver("igb_rs")
@pytest.mark.allow_trace("e1000e_tx_descr")
def test_segmentation_in_tunnels(silicon):
    """What the driver has a controller do that steps over headers. Two of the three segments: the stack
    makes the last one, which is shorter. Of IPv4 in a tunnel only where its identification may stay the
    same."""
    guest = silicon.guest
    found = features(guest)
    assert all(found[name] for name in TUNNEL_FEATURES), found
    tunnels = {kind: ends(silicon, kind) for kind in KINDS}
    # Else nothing knows the way to the other end.
    guest.run(f"ping -c 1 -W 1 {PEER.ipv4}; ping -c 1 -W 1 {PEER.ipv6}", check=False)
    for mangle in ("off", "on"):
        guest.run(f"ethtool -K dut tx-tcp-mangleid-segmentation {mangle}")
        for kind, (_, there) in tunnels.items():
            for version in versions(kind):
                ipv6 = version == "ipv6"
                outer_ipv4 = kind not in OUTER_IPV6
                wanted = (
                    14,
                    OUTER[kind] + (40 if ipv6 else 20),
                    TCP_LEN,
                    CONTEXT_TCP | (CONTEXT_IPV4 if outer_ipv4 else 0),
                    BOTH_CHECKSUMS if outer_ipv4 else TRANSPORT_CHECKSUM,
                    SEGMENT,
                    SIZE // SEGMENT * SEGMENT,
                )
                seen = segmentations(guest, kind, there, ipv6)
                assert seen == ([wanted] if ipv6 or mangle == "on" else []), (kind, version)
