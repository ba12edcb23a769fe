# SPDX-License-Identifier: GPL-2.0
"""Raw Ethernet frames of given sizes with known content.

    frames.py receive IFACE <plan        prints a JSON summary when all came, or no more will
    frames.py send IFACE MAC <plan

The receiver creates /tmp/frames.IFACE when it listens, and gives up two seconds after the last
frame once /tmp/frames.IFACE.sent says that all were sent. The plan is {"sizes": [60, 61, ...], "seed": 1} on standard input; a size counts the Ethernet
header but not the FCS. Frame i carries its index and bytes that depend on seed and index only.
"""

import hashlib
import json
import os
import socket
import sys
import time

ETHERTYPE = 0x88B5          # IEEE 802: local experiments
HEADER = 14
INDEX = 4
QUIET_SECONDS = 2.0


def body(seed, index, length):
    """`length` payload bytes: the index, then reproducible noise."""
    noise = hashlib.shake_128(b"%d/%d" % (seed, index)).digest(max(length - INDEX, 0))
    return index.to_bytes(INDEX, "big") + noise


def open_socket(interface):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    link.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)     # SO_RCVBUFFORCE
    link.bind((interface, ETHERTYPE))
    return link


def send(interface, destination, plan):
    link = open_socket(interface)
    header = bytes.fromhex(destination.replace(":", "")) + link.getsockname()[4]
    header += ETHERTYPE.to_bytes(2, "big")
    for index, size in enumerate(plan["sizes"]):
        link.send(header + body(plan["seed"], index, size - HEADER))


def receive(interface, plan):
    """Compares every arriving frame with what it must be. Padding of short frames is allowed."""
    sizes, seed = plan["sizes"], plan["seed"]
    link = open_socket(interface)
    own = link.getsockname()[4]
    ready = f"/tmp/frames.{interface}"
    with open(ready, "w", encoding="ascii"):
        pass
    link.settimeout(0.2)
    quiet_since = None
    intact, damaged, repeated, reordered, last = set(), [], 0, 0, -1
    while len(intact) + len(damaged) < len(sizes):
        try:
            frame, address = link.recvfrom(65536)
        except socket.timeout:
            now = time.monotonic()
            if not os.path.exists(ready + ".sent"):
                continue
            quiet_since = quiet_since or now
            if now - quiet_since > QUIET_SECONDS:
                break
            continue
        if address[2] == socket.PACKET_OUTGOING or frame[6:12] == own:
            continue
        quiet_since = None
        index = int.from_bytes(frame[HEADER:HEADER + INDEX], "big")
        if index >= len(sizes):
            damaged.append(index)
            continue
        expected = body(seed, index, sizes[index] - HEADER)
        if frame[HEADER:] != expected.ljust(60 - HEADER, b"\0"):
            damaged.append(index)
            continue
        repeated += index in intact
        reordered += index < last
        last = max(last, index)
        intact.add(index)
    os.unlink(ready)
    missing = [i for i in range(len(sizes)) if i not in intact and i not in damaged]
    print(json.dumps({"intact": len(intact), "damaged": damaged, "missing": missing,
                      "repeated": repeated, "reordered": reordered}))


def main():
    plan = json.load(sys.stdin)
    if sys.argv[1] == "send":
        send(sys.argv[2], sys.argv[3], plan)
    else:
        receive(sys.argv[2], plan)


if __name__ == "__main__":
    main()
