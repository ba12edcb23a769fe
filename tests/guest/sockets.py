# SPDX-License-Identifier: GPL-2.0
"""Small exchanges between sockets in two network namespaces.

    sockets.py segmented <plan  hands the stack the bytes of two datagrams at a time, one pair of each
                                of "sizes": a list of the lengths of what arrives, until
                                "expected" have come and a little longer, or none for "patience" seconds
    sockets.py short <plan      sends a datagram of each of "sizes" to the discard port
    sockets.py closed <plan     as many connections as "connections", one after the other: each sends "size" bytes
                                and is closed. {"retransmitted": segments of the source's namespace, "times": from
                                close() to the end of file, in seconds}
    sockets.py sctp <plan       a message by SCTP, and back: its echo

The plan also has "source" and "target", namespaces (null: the root), and "address", that of the target.
"""

import socket
import time

from by_hand import by_hand
from namespaces import inside

UDP_SEGMENT = 103
PORT, DISCARD, ECHO = 5001, 9, 7
# Seconds in which what should not come has the time to.
A_LITTLE = 0.3


def open_sockets(plan, kind, protocol=0):
    """One in each namespace."""
    family = socket.AF_INET6 if ":" in plan["address"] else socket.AF_INET
    found = []
    for end in ("source", "target"):
        with inside(plan[end]):
            found.append(socket.socket(family, kind, protocol))
    return found


def segmented(plan):
    sender, receiver = open_sockets(plan, socket.SOCK_DGRAM)
    receiver.bind((plan["address"], PORT))
    for size in plan["sizes"]:
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, (size + 1) // 2)
        sender.sendto(b"\xff" * size, (plan["address"], PORT))
    lengths = []
    try:
        while True:
            receiver.settimeout(A_LITTLE if len(lengths) >= plan["expected"] else plan["patience"])
            lengths.append(len(receiver.recv(4000)))
    except TimeoutError:
        return lengths


def short(plan):
    sender, _ = open_sockets(plan, socket.SOCK_DGRAM)
    for size in plan["sizes"]:
        sender.sendto(b"\xff" * size, (plan["address"], DISCARD))


def retransmitted(netns):
    """Number of TCP segments that were sent again so far."""
    with inside(netns), open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        names, values = (line.split() for line in file if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


def closed(plan):
    family = socket.AF_INET6 if ":" in plan["address"] else socket.AF_INET
    with inside(plan["target"]):
        listener = socket.create_server((plan["address"], PORT), family=family)
    # Less than is sent, so that the end is still with the sender when it closes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, plan["size"] // 2)
    before = retransmitted(plan["source"])
    times = []
    for _ in range(plan["connections"]):
        with inside(plan["source"]):
            sender = socket.socket(family)
        sender.settimeout(plan["patience"])
        sender.connect((plan["address"], PORT))
        receiver, _ = listener.accept()
        receiver.settimeout(plan["patience"])
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * plan["size"])
        sender.sendall(bytes(plan["size"]))
        sender.close()
        start = time.monotonic()
        received = 0
        while data := receiver.recv(1 << 16):
            received += len(data)
        times.append(time.monotonic() - start)
        assert received == plan["size"], received
        receiver.close()
    listener.close()
    return {"retransmitted": retransmitted(plan["source"]) - before, "times": times}


def sctp(plan):
    client, server = open_sockets(plan, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
    server.bind((plan["address"], ECHO))
    server.listen()
    for end in (client, server):
        end.settimeout(plan["patience"])
    client.connect((plan["address"], ECHO))
    peer, _ = server.accept()
    peer.settimeout(plan["patience"])
    client.send(b"ping")
    peer.send(peer.recv(100))
    return client.recv(100).decode()


def answer(arguments, plan):
    found = {"segmented": segmented, "short": short, "closed": closed, "sctp": sctp}
    return found[arguments[0]](plan)


if __name__ == "__main__":
    by_hand(answer)
