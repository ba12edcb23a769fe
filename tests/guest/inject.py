# SPDX-License-Identifier: GPL-2.0
"""Packets given to an interface as a virtual machine would: with a checksum, and a segmentation, that are
left to it. And frames as they are, also such that end in a check sequence of the sender's.

    inject.py segment INTERFACE <packets    each {"ipv6": bool, "mac": destination or null (an interface
                                            without addresses), "size": bytes of data, "segment": bytes of
                                            data of a segment}: TCP from and to documentation addresses
    inject.py own-fcs INTERFACE <frames     each as hexadecimal text, its last four bytes the check
                                            sequence; the answer is a list of 0 or errno
    inject.py frames INTERFACE <frames      each as hexadecimal text without that; the same answer
"""

import socket
import struct

from by_hand import by_hand

ETH_P_IP, ETH_P_IPV6, ETH_P_LOCAL = 0x0800, 0x86DD, 0x88B5
SOL_PACKET, PACKET_VNET_HDR = 263, 15
SO_NOFCS = 43
NEEDS_CSUM, GSO_TCPV4, GSO_TCPV6 = 1, 1, 4
VNET_HDR = struct.Struct("=BBHHHH")
TCP_LEN, TCP_CHECK = 20, 16


def total(data):
    """Sum of 16-bit words, folded."""
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value


def packet(ipv6, size):
    """IP header, TCP header and data; the checksum of TCP is that of the pseudo header."""
    length = TCP_LEN + size
    if ipv6:
        source, target = (socket.inet_pton(socket.AF_INET6, f"2001:db8:5::{n}") for n in (1, 2))
        ip = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_TCP, 64) + source + target
        pseudo = source + target + struct.pack("!II", length, socket.IPPROTO_TCP)
    else:
        source, target = (socket.inet_pton(socket.AF_INET, f"203.0.113.{n}") for n in (1, 2))
        front = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 7, 0x4000, 64, socket.IPPROTO_TCP)
        check = ~total(front + bytes(2) + source + target) & 0xFFFF
        ip = front + struct.pack("!H", check) + source + target
        pseudo = source + target + struct.pack("!HH", socket.IPPROTO_TCP, length)
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 1, 5 << 4, 0x10, 1024, total(pseudo), 0)
    return ip, tcp + bytes(number & 0xFF for number in range(size))


def segment(interface, plans):
    for plan in plans:
        kind = ETH_P_IPV6 if plan["ipv6"] else ETH_P_IP
        ip, rest = packet(plan["ipv6"], plan["size"])
        link = b""
        if plan["mac"]:
            link = bytes.fromhex(plan["mac"].replace(":", "")) + bytes.fromhex("020000000001")
            link += struct.pack("!H", kind)
        start = len(link + ip)
        gso = GSO_TCPV6 if plan["ipv6"] else GSO_TCPV4
        header = VNET_HDR.pack(NEEDS_CSUM, gso, start + TCP_LEN, plan["segment"], start, TCP_CHECK)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
            sender.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            sender.sendto(header + link + ip + rest, (interface, kind))


def send(interface, frames, own_fcs=False):
    answers = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.setsockopt(socket.SOL_SOCKET, SO_NOFCS, int(own_fcs))
        sender.bind((interface, ETH_P_LOCAL))
        for frame in frames:
            try:
                sender.send(bytes.fromhex(frame))
                answers.append(0)
            except OSError as error:
                answers.append(error.errno)
    return answers


def answer(arguments, value):
    verb, interface = arguments
    if verb == "segment":
        return segment(interface, value)
    return send(interface, value, own_fcs=verb == "own-fcs")


if __name__ == "__main__":
    by_hand(answer)
