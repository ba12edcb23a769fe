# SPDX-License-Identifier: GPL-2.0
"""Netlink messages, and the interfaces of a network namespace by rtnetlink."""

import ipaddress
import os
import socket
import struct

from namespaces import inside

NETLINK_ROUTE, NETLINK_GENERIC = 0, 16
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_CREATE = 0x100, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGHDR, NLATTR = struct.Struct("IHHII"), struct.Struct("HH")
IFINFOMSG, IFADDRMSG = struct.Struct("BxHiII"), struct.Struct("BBBBI")
RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR = 16, 18, 20
RTNLGRP_LINK = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_STATS64, IFLA_NET_NS_FD = 1, 3, 4, 23, 28
IFLA_CARRIER, IFLA_PARENT_DEV_NAME, IFLA_PARENT_DEV_BUS_NAME = 33, 56, 57
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_NODAD = 0x2
IFF_UP, IFF_RUNNING = 0x1, 0x40
# The first of struct rtnl_link_stats64.
STATISTICS = (
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
    "rx_multicast",
)


def attribute(kind, value):
    return (NLATTR.pack(NLATTR.size + len(value), kind) + value).ljust(
        NLATTR.size + (len(value) + 3 & ~3), b"\0"
    )


def attributes(data):
    """Type and value of each."""
    found = {}
    while data:
        length, kind = NLATTR.unpack_from(data)
        found[kind & 0x3FFF] = data[NLATTR.size : length]
        data = data[length + 3 & ~3 :]
    return found


def text(value):
    return value.rstrip(b"\0").decode()


class Netlink:
    """A socket in a network namespace (None: where the process is). It stays there."""

    def __init__(self, netns=None, protocol=NETLINK_ROUTE, groups=0):
        with inside(netns):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.socket.bind((0, groups))

    def ask(self, kind, payload, flags=NLM_F_ACK):
        """Sends a request; what answers it, without netlink's own header. Raises OSError."""
        self.socket.send(
            NLMSGHDR.pack(NLMSGHDR.size + len(payload), kind, NLM_F_REQUEST | flags, 0, 0) + payload
        )
        answers = []
        while True:
            data = self.socket.recv(1 << 18)
            while data:
                length, kind, *_ = NLMSGHDR.unpack_from(data)
                body = data[NLMSGHDR.size : length]
                data = data[length + 3 & ~3 :]
                if kind == NLMSG_DONE:
                    return answers
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("i", body)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return answers
                answers.append(body)

    # ---- interfaces --------------------------------------------------------------------------

    def links(self):
        """All of them, by name."""
        found = map(_link, self.ask(RTM_GETLINK, IFINFOMSG.pack(0, 0, 0, 0, 0), NLM_F_DUMP))
        return {link["name"]: link for link in found}

    def link(self, name):
        """That one. OSError (ENODEV) if there is none."""
        (answer,) = self.ask(
            RTM_GETLINK,
            IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name.encode() + b"\0"),
        )
        return _link(answer)

    def change(self, index, up=None, name=None, netns_fd=None):
        """Brings an interface up or down, names it or hands it to a namespace."""
        message = IFINFOMSG.pack(0, 0, index, IFF_UP if up else 0, 0 if up is None else IFF_UP)
        if name is not None:
            message += attribute(IFLA_IFNAME, name.encode() + b"\0")
        if netns_fd is not None:
            message += attribute(IFLA_NET_NS_FD, struct.pack("I", netns_fd))
        self.ask(RTM_NEWLINK, message)

    def add_address(self, index, address):
        """An address with its prefix, also if the interface has it; IPv6 without asking around."""
        interface = ipaddress.ip_interface(address)
        family = socket.AF_INET if interface.version == 4 else socket.AF_INET6
        flags = IFA_F_NODAD if interface.version == 6 else 0
        self.ask(
            RTM_NEWADDR,
            IFADDRMSG.pack(family, interface.network.prefixlen, 0, 0, index)
            + attribute(IFA_LOCAL, interface.packed)
            + attribute(IFA_ADDRESS, interface.packed)
            + attribute(IFA_FLAGS, struct.pack("I", flags)),
            NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
        )


def _link(body):
    """What an interface is: `carrier` as sysfs has it, None while it is down; `running` once
    everybody knows, so that its queues take packets."""
    _, _, index, flags, _ = IFINFOMSG.unpack_from(body)
    found = attributes(body[IFINFOMSG.size :])
    up = bool(flags & IFF_UP)
    link = {
        "name": text(found[IFLA_IFNAME]),
        "index": index,
        "up": up,
        "carrier": bool(found[IFLA_CARRIER][0]) if up else None,
        "running": bool(flags & IFF_RUNNING),
        "address": found.get(IFLA_ADDRESS, b"").hex(":"),
        "mtu": struct.unpack("I", found[IFLA_MTU])[0],
        "device": [
            text(found.get(kind, b"")) for kind in (IFLA_PARENT_DEV_BUS_NAME, IFLA_PARENT_DEV_NAME)
        ],
    }
    values = struct.unpack_from(f"{len(STATISTICS)}Q", found[IFLA_STATS64])
    return {**link, "counters": dict(zip(STATISTICS, values))}
