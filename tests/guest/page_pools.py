# SPDX-License-Identifier: GPL-2.0
"""The page pools of this network namespace, as the netdev family of generic netlink shows them.

    page_pools.py           prints a JSON list of objects: id, ifindex, inflight, detached

`inflight` is how many pages are out, `detached` whether the pool's user has given it up: it is then
only kept for those pages. The kernel says nothing by itself of one that is kept for ever, as it is
shown here. Linux: Documentation/netlink/specs/netdev.yaml.
"""

import json
import os
import socket
import struct

NETLINK_GENERIC = 16
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGHDR, GENLMSGHDR, NLATTR = struct.Struct("IHHII"), struct.Struct("BBH"), struct.Struct("HH")
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 0x10, 3, 1, 2
NETDEV_CMD_PAGE_POOL_GET = 5
ID, IFINDEX, INFLIGHT, DETACH_TIME = 1, 2, 4, 6


def attributes(data):
    """Type and value of each."""
    found = {}
    while data:
        length, kind = NLATTR.unpack_from(data)
        found[kind] = data[NLATTR.size:length]
        data = data[length + 3 & ~3:]
    return found


def messages(netlink, family, command, flags, payload=b""):
    """Sends a request; the attributes of each answer."""
    length = NLMSGHDR.size + GENLMSGHDR.size + len(payload)
    netlink.send(NLMSGHDR.pack(length, family, NLM_F_REQUEST | flags, 0, 0)
                 + GENLMSGHDR.pack(command, 1, 0) + payload)
    while True:
        data = netlink.recv(1 << 16)
        while data:
            length, kind, *_ = NLMSGHDR.unpack_from(data)
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                code = -struct.unpack_from("i", data, NLMSGHDR.size)[0]
                raise OSError(code, os.strerror(code))
            yield attributes(data[NLMSGHDR.size + GENLMSGHDR.size:length])
            if not flags:
                return
            data = data[length + 3 & ~3:]


def number(value):
    """A number of any length, or one that is not there."""
    return int.from_bytes(value, "little")


def main():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as netlink:
        name = b"netdev\0\0"
        request = NLATTR.pack(NLATTR.size + 7, CTRL_ATTR_FAMILY_NAME) + name
        family, = messages(netlink, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, request)
        pools = messages(netlink, number(family[CTRL_ATTR_FAMILY_ID]), NETDEV_CMD_PAGE_POOL_GET,
                         NLM_F_DUMP)
        print(json.dumps([{"id": number(pool[ID]), "ifindex": number(pool.get(IFINDEX, b"")),
                           "inflight": number(pool.get(INFLIGHT, b"")),
                           "detached": DETACH_TIME in pool} for pool in pools]))


if __name__ == "__main__":
    main()
