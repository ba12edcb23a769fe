# SPDX-License-Identifier: GPL-2.0
"""Raw Ethernet frames of given sizes with known content.

    frames.py exchange <plan    sends them: a summary of what arrived
    frames.py count <plan       sends them: how many packets the receiver counted
    frames.py send <plan        sends them

The plan is {"sizes": [60, 61, ...], "seed": 1, "source": END, "target": END, "destination": MAC or
null, "patience": seconds}, an END {"name": interface, "netns": namespace or null}. A size counts the
Ethernet header but not the FCS. Frame i carries its index and bytes that depend on seed and index
only. The destination is the target's own address if null. Who waits gives up `patience` seconds after
the last frame that arrived.
"""

import hashlib
import socket
import time

from by_hand import by_hand
from namespaces import inside
from netlink import Netlink

ETHERTYPE = 0x88B5  # IEEE 802: local experiments
HEADER = 14
INDEX = 4
# Where in the noise of its plan a frame's begins.
SHIFT, SHIFTS = 7, 7 << 12
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 32 << 20
# So many frames are sent before the receiver looks what has arrived.
BURST = 16
INTERVAL = 0.005  # seconds
LATE = 10.0


class Bodies:
    """What the frames of a plan carry."""

    def __init__(self, plan):
        self.sizes = plan["sizes"]
        largest = max(self.sizes, default=0)
        self.noise = hashlib.shake_128(b"%d" % plan["seed"]).digest(largest + SHIFTS)

    def __getitem__(self, index):
        """The index, then noise that no other frame of about this index has there."""
        begin = SHIFT * index % SHIFTS
        end = begin + self.sizes[index] - HEADER - INDEX
        return index.to_bytes(INDEX, "big") + self.noise[begin : max(begin, end)]


def open_socket(end):
    with inside(end["netns"]):
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
        link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        link.bind((end["name"], ETHERTYPE))
    return link


def address_of(end):
    return bytes.fromhex(Netlink(end["netns"]).link(end["name"])["address"].replace(":", ""))


def send(plan, between=lambda: None):
    """Calls `between` every so many frames."""
    link = open_socket(plan["source"])
    destination = (
        bytes.fromhex(plan["destination"].replace(":", ""))
        if plan["destination"]
        else address_of(plan["target"])
    )
    header = destination + link.getsockname()[4] + ETHERTYPE.to_bytes(2, "big")
    bodies = Bodies(plan)
    for index in range(len(plan["sizes"])):
        link.send(header + bodies[index])
        if index % BURST == BURST - 1:
            between()


class Receiver:
    """Compares every arriving frame with what it must be. Padding of short frames is allowed."""

    def __init__(self, plan):
        self.link = open_socket(plan["target"])
        self.own = self.link.getsockname()[4]
        self.begin(plan)

    def begin(self, plan):
        self.sizes, self.bodies = plan["sizes"], Bodies(plan)
        self.intact, self.damaged = set(), []
        self.repeated = self.reordered = 0
        self.last = -1

    def take(self, frame):
        index = int.from_bytes(frame[HEADER : HEADER + INDEX], "big")
        if index >= len(self.sizes):
            self.damaged.append(index)
            return
        if frame[HEADER:] != self.bodies[index].ljust(60 - HEADER, b"\0"):
            self.damaged.append(index)
            return
        self.repeated += index in self.intact
        self.reordered += index < self.last
        self.last = max(self.last, index)
        self.intact.add(index)

    def drain(self, seconds=0.0):
        """Waits so long for a frame, and takes what is there; whether something was."""
        self.link.settimeout(seconds)
        any_came = False
        try:
            while True:
                frame, address = self.link.recvfrom(65536)
                if not any_came:
                    self.link.setblocking(False)
                any_came = True
                if address[2] != socket.PACKET_OUTGOING and frame[6:12] != self.own:
                    self.take(frame)
        except (BlockingIOError, TimeoutError):
            return any_came

    def is_complete(self):
        return len(self.intact) + len(self.damaged) >= len(self.sizes)

    def summary(self):
        missing = [
            index
            for index in range(len(self.sizes))
            if index not in self.intact and index not in self.damaged
        ]
        return {
            "intact": len(self.intact),
            "damaged": self.damaged,
            "missing": missing,
            "repeated": self.repeated,
            "reordered": self.reordered,
        }


def exchange(plan):
    receiver = Receiver(plan)
    send(plan, receiver.drain)
    while not receiver.is_complete() and receiver.drain(plan["patience"]):
        pass
    # What should not come any more.
    receiver.drain()
    return receiver.summary()


def count(plan):
    """All of them, or what came within the time; LATE if most have come, and so the others will."""
    target = Netlink(plan["target"]["netns"])

    def received():
        return target.link(plan["target"]["name"])["counters"]["rx_packets"]

    before = received()
    send(plan)
    sent, wanted = time.monotonic(), len(plan["sizes"])
    while (seen := received() - before) < wanted:
        patience = plan["patience"] if 2 * seen < wanted else max(LATE, plan["patience"])
        if time.monotonic() > sent + patience:
            break
        time.sleep(INTERVAL)
    return seen


def answer(arguments, plan):
    return {"exchange": exchange, "count": count, "send": send}[arguments[0]](plan)


if __name__ == "__main__":
    by_hand(answer)
