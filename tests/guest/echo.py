# SPDX-License-Identifier: GPL-2.0
"""Echo requests, as ping sends them. It waits for each answer: ping, once it has had one, gives the
last only twice the time of the slowest before, which is little where a processor is shared.

    echo.py <plan       "address", "count", "interval" and "patience" (seconds), "size" (bytes of data),
                        "whole": whether fragments are forbidden. How many were "sent", and answered
                        ("received") before none had come for "patience" seconds after the last was sent;
                        "rtt_min" and "rtt_avg" (ms, null without answers); "error": the last of sending;
                        "missing": numbers of those without an answer, the first MISSING of them
"""

import os
import select
import socket
import struct
import time

from by_hand import by_hand

# By family: protocol, and the types of request and answer.
KINDS = {
    socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0),
    socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129),
}
MTU_DISCOVER = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}
DISCOVER_DO = 2
MISSING = 100
HEADER = struct.Struct("!BBHHH")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1]))
    total += data[-1] << 8 if len(data) & 1 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Echo:
    def __init__(self, plan):
        self.family = socket.AF_INET6 if ":" in plan["address"] else socket.AF_INET
        protocol, self.request, self.answer = KINDS[self.family]
        self.socket = socket.socket(self.family, socket.SOCK_RAW, protocol)
        if plan["whole"]:
            self.socket.setsockopt(*MTU_DISCOVER[self.family], DISCOVER_DO)
        self.socket.connect((plan["address"], 0))
        self.socket.setblocking(False)
        self.identifier = struct.unpack("!H", os.urandom(2))[0]
        self.data = bytes(number & 0xFF for number in range(plan["size"]))
        self.sent = {}  # sequence number to time
        self.times = {}  # the same to ms
        self.error = None

    def send(self):
        number = len(self.sent)
        fields = (self.request, 0, 0, self.identifier, number)
        # The kernel computes that of ICMPv6.
        total = checksum(HEADER.pack(*fields) + self.data) if self.family == socket.AF_INET else 0
        self.sent[number] = time.monotonic()
        try:
            self.socket.send(
                HEADER.pack(self.request, 0, total, self.identifier, number) + self.data
            )
        except OSError as error:
            self.error = str(error)

    def receive(self, until):
        """Answers, until then or until there is one to each request."""
        while len(self.times) < len(self.sent):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return
            try:
                packet = self.socket.recv(1 << 16)
            except OSError as error:
                self.error = str(error)
                continue
            if self.family == socket.AF_INET:
                packet = packet[4 * (packet[0] & 15) :]
            kind, _, _, identifier, number = HEADER.unpack(packet[: HEADER.size])
            fits = kind == self.answer and identifier == self.identifier and number in self.sent
            if fits and packet[HEADER.size :] == self.data:
                self.times.setdefault(number, 1000 * (time.monotonic() - self.sent[number]))

    def result(self):
        times = self.times.values()
        missing = [number for number in self.sent if number not in self.times]
        return {
            "sent": len(self.sent),
            "received": len(times),
            "rtt_min": min(times, default=None),
            "rtt_avg": sum(times) / len(times) if times else None,
            "error": self.error,
            "missing": missing[:MISSING],
        }


def answer(_arguments, plan):
    echo = Echo(plan)
    with echo.socket:
        for number in range(plan["count"]):
            if number:
                following = time.monotonic() + plan["interval"]
                echo.receive(following)
                time.sleep(max(0, following - time.monotonic()))
            echo.send()
        echo.receive(time.monotonic() + plan["patience"])
    return echo.result()


if __name__ == "__main__":
    by_hand(answer)
