# SPDX-License-Identifier: GPL-2.0
"""Who hears whom in a multicast group.

groups.py <plan     "hosts", [{"name", "netns", "interface"}, ...]: each joins "group" on an interface, and then
                    sends one packet to it there, with "ttl". "port": of UDP; null: no UDP, but the "protocol"
                    of IP. For each name of a host: the names of those it has heard when nothing had come for
                    "patience" seconds. The stack's own copies of what a host sends do not count, but those
                    that come back to it do.
"""

import select
import socket
import struct

from by_hand import by_hand
from namespaces import inside

IP_MULTICAST_ALL = 49


class Member:
    def __init__(self, plan, host):
        self.name, self.is_raw = host["name"], plan["port"] is None
        self.target = (plan["group"], plan["port"] or 0)
        self.heard = set()
        with inside(host["netns"]):
            self.receiver = self._socket(plan)
            self.sender = self._socket(plan)
            index = socket.if_nametoindex(host["interface"])
        group = socket.inet_aton(plan["group"])
        self._option(self.receiver, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4xi", group, index))
        self._option(self.receiver, IP_MULTICAST_ALL, 0)
        self.receiver.bind(self.target)
        self._option(self.sender, socket.IP_MULTICAST_IF, struct.pack("8xi", index))
        self._option(self.sender, socket.IP_MULTICAST_LOOP, 0)
        self._option(self.sender, socket.IP_MULTICAST_TTL, plan["ttl"])

    def _socket(self, plan):
        if self.is_raw:
            return socket.socket(socket.AF_INET, socket.SOCK_RAW, plan["protocol"])
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return made

    @staticmethod
    def _option(where, option, value):
        where.setsockopt(socket.IPPROTO_IP, option, value)

    def send(self):
        self.sender.sendto(self.name.encode(), self.target)

    def receive(self):
        data = self.receiver.recv(2048)
        # A raw socket has the header of IP as well.
        self.heard.add(data[4 * (data[0] & 15) if self.is_raw else 0 :].decode())


def answer(_, plan):
    members = [Member(plan, host) for host in plan["hosts"]]
    for member in members:
        member.send()
    by_socket = {member.receiver: member for member in members}
    while ready := select.select(list(by_socket), [], [], plan["patience"])[0]:
        for found in ready:
            by_socket[found].receive()
    return {member.name: sorted(member.heard) for member in members}


if __name__ == "__main__":
    by_hand(answer)
