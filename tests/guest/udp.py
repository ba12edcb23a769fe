# SPDX-License-Identifier: GPL-2.0
"""Request and response over UDP.

udp.py answer ADDRESS PORT              sends every datagram back; creates /tmp/udp.PORT when
                                        it listens
udp.py ask ADDRESS PORT COUNT BYTES     prints {"us": [microseconds], "lost": n}
"""

import json
import os
import socket
import sys
import time

PATIENCE = 2.0  # seconds


def answer(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    with open(f"/tmp/udp.{port}", "w", encoding="ascii"):
        pass
    while True:
        data, sender = sock.recvfrom(2048)
        sock.sendto(data, sender)


def ask(address, port, count, size):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.connect((address, port))
    times, lost = [], 0
    for number in range(count):
        request = number.to_bytes(4, "big") + os.urandom(size - 4)
        begin = time.monotonic_ns()
        sock.send(request)
        try:
            while sock.recv(2048) != request:
                pass  # a late answer to an earlier request
            times.append((time.monotonic_ns() - begin) / 1000)
        except TimeoutError:
            lost += 1
    print(json.dumps({"us": times, "lost": lost}))


def main():
    kind, address, port, *rest = sys.argv[1:]
    if kind == "answer":
        answer(address, int(port))
    else:
        ask(address, int(port), *map(int, rest))


if __name__ == "__main__":
    main()
