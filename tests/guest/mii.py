# SPDX-License-Identifier: GPL-2.0
"""Registers of a PHY by the ioctls of mii-tool.

    mii.py NAME [UID] <plan    a list with one answer per access, made by that user

The plan is a list of ["phy"], ["r", register] and ["w", register, value]. The answer is the address of the
PHY, the value, or 0; that of an access that fails is its negative errno.
"""

import contextlib
import fcntl
import os
import socket
import struct

from by_hand import by_hand

SIOCGMIIPHY, SIOCGMIIREG, SIOCSMIIREG = 0x8947, 0x8948, 0x8949
IFREQ = struct.Struct("16sHHHH8x")


def access(sock, name, what, register=0, value=0):
    command = {"phy": SIOCGMIIPHY, "r": SIOCGMIIREG, "w": SIOCSMIIREG}[what]
    request = IFREQ.pack(name.encode(), 0, register, value, 0)
    try:
        _, phy, _, _, found = IFREQ.unpack(fcntl.ioctl(sock, command, request))
    except OSError as error:
        return -error.errno
    return {"phy": phy, "r": found, "w": 0}[what]


def answer(arguments, plan):
    name, *user = arguments
    for uid in user:
        os.setresuid(int(uid), int(uid), 0)
    try:
        return accesses(name, plan)
    finally:
        if user:
            os.setresuid(0, 0, 0)


def accesses(name, plan):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        return [access(sock, name, *entry) for entry in plan]


if __name__ == "__main__":
    by_hand(answer)
