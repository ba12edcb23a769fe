# SPDX-License-Identifier: GPL-2.0
"""Sets a parameter of devlink, without looking at it before, as `devlink` does.

    refused.py PCI NAME VALUE       the number of the error, 0 for none, and what the kernel says of it, "" where
                                    it says nothing

A value that is a number is one of 32 bits, anything else is a text.
"""

import struct

from by_hand import by_hand
from doors import families
from netlink import (
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSGHDR,
    Netlink,
    attribute,
    attributes,
    text,
)

SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSGERR_ATTR_MSG = 1
PARAM_SET = 39
BUS, DEVICE, PARAM, TYPE, VALUE, MODE = 1, 2, 81, 83, 86, 87
U32, STRING, RUNTIME = 3, 5, 0


def answer(arguments, _):
    pci, name, value = arguments
    generic = Netlink(protocol=NETLINK_GENERIC)
    number, _ = families(generic)["devlink"]
    for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
        generic.socket.setsockopt(SOL_NETLINK, option, 1)
    kind, data = STRING, value.encode() + b"\0"
    if value.isdigit():
        kind, data = U32, struct.pack("I", int(value))
    payload = struct.pack("BBxx", PARAM_SET, 1) + b"".join(
        (
            attribute(BUS, b"pci\0"),
            attribute(DEVICE, pci.encode() + b"\0"),
            attribute(PARAM, name.encode() + b"\0"),
            attribute(TYPE, bytes([kind])),
            attribute(VALUE, data),
            attribute(MODE, bytes([RUNTIME])),
        )
    )
    head = NLMSGHDR.pack(NLMSGHDR.size + len(payload), number, NLM_F_REQUEST | NLM_F_ACK, 0, 0)
    generic.socket.send(head + payload)
    body = generic.socket.recv(1 << 16)[NLMSGHDR.size :]
    code = -struct.unpack_from("i", body)[0]
    # Behind the error comes the head of the request.
    said = attributes(body[4 + NLMSGHDR.size :])
    return [code, text(said.get(NLMSGERR_ATTR_MSG, b""))]


if __name__ == "__main__":
    by_hand(answer)
