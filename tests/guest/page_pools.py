# SPDX-License-Identifier: GPL-2.0
"""The page pools of this network namespace, as the netdev family of generic netlink shows them.

    page_pools.py           a list of objects: id, ifindex, inflight, detached

`inflight` is how many pages are out, `detached` whether the pool's user has given it up: it is then
only kept for those pages. The kernel says nothing by itself of one that is kept for ever, as it is
shown here. Linux: Documentation/netlink/specs/netdev.yaml.
"""

import struct

from by_hand import by_hand
from netlink import NETLINK_GENERIC, NLM_F_ACK, NLM_F_DUMP, Netlink, attribute, attributes

GENLMSGHDR = struct.Struct("BBH")
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 0x10, 3, 1, 2
NETDEV_CMD_PAGE_POOL_GET = 5
ID, IFINDEX, INFLIGHT, DETACH_TIME = 1, 2, 4, 6


def ask(netlink, family, command, flags, payload=b""):
    """The attributes of each answer."""
    answers = netlink.ask(family, GENLMSGHDR.pack(command, 1, 0) + payload, flags)
    return [attributes(answer[GENLMSGHDR.size :]) for answer in answers]


def number(value):
    """A number of any length, or one that is not there."""
    return int.from_bytes(value, "little")


def answer(_, __):
    netlink = Netlink(protocol=NETLINK_GENERIC)
    request = attribute(CTRL_ATTR_FAMILY_NAME, b"netdev\0")
    (family,) = ask(netlink, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK, request)
    pools = ask(netlink, number(family[CTRL_ATTR_FAMILY_ID]), NETDEV_CMD_PAGE_POOL_GET, NLM_F_DUMP)
    return [
        {
            "id": number(pool[ID]),
            "ifindex": number(pool.get(IFINDEX, b"")),
            "inflight": number(pool.get(INFLIGHT, b"")),
            "detached": DETACH_TIME in pool,
        }
        for pool in pools
    ]


if __name__ == "__main__":
    by_hand(answer)
