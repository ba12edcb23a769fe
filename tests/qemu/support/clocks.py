# SPDX-License-Identifier: GPL-2.0
"""The PTP hardware clock of an interface, and messages of PTP."""

from __future__ import annotations

import statistics

from harness import Guest

# Fields of a guest whose time is the number of its instructions, so that a busy machine makes no difference.
INSTRUCTIONS = {"accel": "tcg", "arguments": ("-icount", "shift=0,sleep=off")}
MULTICAST = "011b19000000"
PEER_TO_PEER = "0180c200000e"
SYNC, DELAY_REQ, PDELAY_REQ, PDELAY_RESP, FOLLOW_UP, ANNOUNCE = 0, 1, 2, 3, 8, 11
TX_OFF, TX_ON = 0, 1
NONE, ALL, V1_SYNC, V1_DELAY_REQ, V2_EVENT = 0, 1, 4, 5, 12


class Clock:
    """That of `interface`, which is in the root namespace when this is made."""

    def __init__(self, guest: Guest, interface: str):
        self.guest = guest
        self.number = guest.ask("clock", "index", interface)

    def request(self, operation: str, *arguments):
        return self.guest.ask("clock", operation, str(self.number), *map(str, arguments))

    def samples(self, count: int = 5) -> list[tuple[int, int, int]]:
        return [tuple(sample) for sample in self.request("samples", count)]

    def offset(self, count: int = 9) -> int:
        """How far the clock is ahead of the system's, by the sample that took the shortest."""
        before, now, after = min(self.samples(count), key=lambda sample: sample[2] - sample[0])
        return now - (before + after) // 2

    def time(self) -> int:
        return self.samples(1)[0][1]

    def set(self, ns: int) -> int:
        return self.request("set", ns)

    def shift(self, ns: int) -> int:
        return self.request("shift", ns)

    def rate(self, ppb: int) -> int:
        return self.request("rate", ppb)


def config(guest: Guest, interface: str, *values: int):
    """Reads, or sets and returns, what is stamped: (tx, rx), or an errno."""
    found = guest.ask("clock", "config", interface, *map(str, values))
    return tuple(found) if isinstance(found, list) else found


def message(kind: int, sequence: int, destination: str = MULTICAST, version: int = 2) -> str:
    """A message of PTP over Ethernet, padded to the shortest frame, from nobody in particular."""
    header = bytes([kind, version, 0, 44]) + bytes(16) + bytes(8) + bytes(2)
    header += sequence.to_bytes(2, "big") + bytes(2) + bytes(10)
    frame = bytes.fromhex(destination) + bytes.fromhex("02000000aa01") + b"\x88\xf7" + header
    return frame.ljust(60, b"\0").hex()


def over_udp(payload: bytes, port: int = 319) -> str:
    """The same over UDP and IPv4, to the group of PTP."""
    udp = port.to_bytes(2, "big") * 2 + (8 + len(payload)).to_bytes(2, "big") + bytes(2)
    length = (20 + len(udp) + len(payload)).to_bytes(2, "big")
    ip = bytes([0x45, 0]) + length + bytes([0, 0, 0, 0, 1, 17, 0, 0, 192, 0, 2, 2, 224, 0, 1, 129])
    total = sum(int.from_bytes(ip[at : at + 2], "big") for at in range(0, 20, 2))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    ip = ip[:10] + checksum.to_bytes(2, "big") + ip[12:]
    frame = bytes.fromhex("01005e000181") + bytes.fromhex("02000000aa01") + b"\x08\x00"
    return (frame + ip + udp + payload).ljust(60, b"\0").hex()


def middle(values: list[int]) -> float:
    return statistics.median(values)
