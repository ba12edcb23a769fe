# SPDX-License-Identifier: GPL-2.0
"""Datagrams from one namespace to another, where a program waits for them by epoll.

    epolled.py <plan

The plan is {"source" and "target": namespaces or null, "address": that of the target, "count" and "gap"
(seconds) of the datagrams, "patience": seconds without any, "busy": whether epoll polls the queues itself,
and prefers that to interrupts}. The answer is how many came.
"""

import fcntl
import select
import socket
import struct
import threading
import time

from by_hand import by_hand
from namespaces import inside

# struct epoll_params: microseconds, packets at once, whether polling is preferred.
PARAMS = struct.Struct("=IHBx")
EPIOCSPARAMS = 0x40088A01
BUSY_USECS, BUDGET = 64, 16


def _send(sender, plan):
    for number in range(plan["count"]):
        sender.send(number.to_bytes(4, "little"))
        time.sleep(plan["gap"])


def answer(_arguments, plan):
    with inside(plan["target"]):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind((plan["address"], 0))
    with inside(plan["source"]):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.connect(receiver.getsockname())
    receiver.setblocking(False)
    epoll = select.epoll()
    epoll.register(receiver, select.EPOLLIN)
    if plan["busy"]:
        fcntl.ioctl(epoll, EPIOCSPARAMS, PARAMS.pack(BUSY_USECS, BUDGET, 1))
    sending = threading.Thread(target=_send, args=(sender, plan))
    sending.start()
    seen = set()
    while len(seen) < plan["count"] and epoll.poll(plan["patience"]):
        seen.add(receiver.recv(64))
    sending.join()
    epoll.close()
    receiver.close()
    sender.close()
    return len(seen)


if __name__ == "__main__":
    by_hand(answer)
