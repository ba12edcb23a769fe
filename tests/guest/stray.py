# SPDX-License-Identifier: GPL-2.0
"""Frames that only one who has asked for them may receive.

stray.py send IFACE MAC VID     FRAMES to the address, and as many broadcast in the VLAN
stray.py count IFACE            prints {"address": n, "vlan": n}, those received until a frame
                                that everybody receives says that it is over; creates
                                /tmp/stray.IFACE when it listens
"""

import json
import socket
import sys

ETHERTYPE = b"\x88\xb6"  # IEEE 802: local experiments
BROADCAST = b"\xff" * 6
FRAMES = 20
PATIENCE = 30.0  # seconds


def open_socket(interface):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    link.bind((interface, 3))
    return link


def send(interface, address, vid):
    link = open_socket(interface)
    me = link.getsockname()[4]
    target = bytes.fromhex(address.replace(":", ""))
    tag = b"\x81\x00" + vid.to_bytes(2, "big")
    for _ in range(FRAMES):
        link.send(target + me + ETHERTYPE + b"stray address".ljust(60))
        link.send(BROADCAST + me + tag + ETHERTYPE + b"stray vlan".ljust(60))
    for _ in range(3):
        link.send(BROADCAST + me + ETHERTYPE + b"stray end".ljust(60))


def count(interface):
    link = open_socket(interface)
    link.settimeout(PATIENCE)
    with open(f"/tmp/stray.{interface}", "w", encoding="ascii"):
        pass
    found = {"address": 0, "vlan": 0}
    while True:
        frame = link.recv(2048)
        if b"stray end" in frame:
            print(json.dumps(found))
            return
        for kind in found:
            found[kind] += b"stray " + kind.encode() in frame


def main():
    if sys.argv[1] == "send":
        send(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        count(sys.argv[2])


if __name__ == "__main__":
    main()
