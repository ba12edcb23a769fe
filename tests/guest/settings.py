# SPDX-License-Identifier: GPL-2.0
"""What can be set of an interface by ethtool: read, and set again as it was read.

Each group of settings is the structure that the kernel's get command fills, as hexadecimal text; where
there is a part that changes by itself, without that part."""

import contextlib
import ctypes
import fcntl
import socket
import struct

SIOCETHTOOL = 0x8946
IFREQ = struct.Struct("16sQ16x")

# Groups whose structure the set command takes as the get command gave it: get, set, size in bytes.
PLAIN = {
    "wake-on-lan": (0x05, 0x06, 20),
    "message level": (0x07, 0x08, 8),
    "coalescing": (0x0E, 0x0F, 92),
    "rings": (0x10, 0x11, 36),
    "pause": (0x12, 0x13, 16),
    "private flags": (0x27, 0x28, 8),
    "channels": (0x3C, 0x3D, 36),
}
GRXFH, SRXFH = 0x29, 0x2A
FLOWS = {"tcp4": 1, "udp4": 2, "sctp4": 3, "tcp6": 5, "udp6": 6, "sctp6": 7}
GFEATURES, SFEATURES, FEATURE_WORDS = 0x3A, 0x3B, 8
GRSSH, SRSSH = 0x46, 0x47
RXFH = struct.Struct("IIIIBB2xI")
GLINKSETTINGS, SLINKSETTINGS = 0x4C, 0x4D
LINK = struct.Struct("IIBBBBBBBbBBBB28x")
AUTONEG, WORDS = 5, 9  # fields of LINK


class Ethtool:
    """The ioctl for one interface of the namespace in which this is made."""

    def __init__(self, name):
        self.name = name.encode()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def call(self, data):
        """The structure as the kernel leaves it. Raises OSError."""
        buffer = ctypes.create_string_buffer(bytes(data), len(data))
        fcntl.ioctl(self.socket, SIOCETHTOOL, IFREQ.pack(self.name, ctypes.addressof(buffer)))
        return buffer.raw

    # ---- reading -----------------------------------------------------------------------------

    def read(self):
        """Every group that this interface has."""
        readers = {
            name: lambda get=get, size=size: self.call(_command(get, size))
            for name, (get, _, size) in PLAIN.items()
        }
        readers |= {
            f"hash of {flow}": lambda kind=kind: self.call(
                struct.pack("IIQ", GRXFH, kind, 0).ljust(192, b"\0")
            )[:16]
            for flow, kind in FLOWS.items()
        }
        readers |= {
            "features": self._features,
            "receive hash": self._receive_hash,
            "link": self._link,
        }
        found = {}
        for name, reader in readers.items():
            with contextlib.suppress(OSError):  # the interface has no such settings
                found[name] = reader().hex()
        return found

    def _feature_words(self):
        """Of 32 features each: those that may be changed, and those that are wanted."""
        answer = self.call(struct.pack("II", GFEATURES, FEATURE_WORDS) + bytes(16 * FEATURE_WORDS))
        words = struct.unpack_from("I", answer, 4)[0]
        return [struct.unpack_from("II", answer, 8 + 16 * word) for word in range(words)]

    def _features(self):
        """What is wanted."""
        return b"".join(struct.pack("I", wanted) for _, wanted in self._feature_words())

    def _receive_hash(self):
        """Table and key."""
        head = self.call(RXFH.pack(GRSSH, 0, 0, 0, 0, 0, 0))
        _, _, table, key, *_ = RXFH.unpack(head)
        asked = RXFH.pack(GRSSH, 0, table, key, 0, 0, 0) + bytes(4 * table + key)
        return self.call(asked)

    def _link(self):
        """Whether it negotiates, and what it offers."""
        words = -LINK.unpack(self.call(_command(GLINKSETTINGS, LINK.size)))[WORDS]
        asked = bytearray(_command(GLINKSETTINGS, LINK.size + 12 * words))
        struct.pack_into("b", asked, 15, words)
        answer = self.call(asked)
        fields = LINK.unpack_from(answer)
        offered = answer[LINK.size + 4 * words : LINK.size + 8 * words]
        return bytes([fields[AUTONEG]]) + (
            offered if fields[AUTONEG] else struct.pack("IB", fields[1], fields[2])
        )

    # ---- setting -----------------------------------------------------------------------------

    def set(self, name, data):
        """Sets a group as it was read."""
        data = bytes.fromhex(data)
        if name in PLAIN:
            self.call(struct.pack("I", PLAIN[name][1]) + data[4:])
        elif name.startswith("hash of "):
            self.call((struct.pack("I", SRXFH) + data[4:]).ljust(192, b"\0"))
        elif name == "features":
            words = self._feature_words()
            wanted = b"".join(
                struct.pack("I", available) + data[4 * word : 4 * word + 4]
                for word, (available, _) in enumerate(words)
            )
            self.call(struct.pack("II", SFEATURES, len(words)) + wanted)
        elif name == "receive hash":
            # No table: the one an interface has by itself.
            _, _, table, key, function, transform, _ = RXFH.unpack_from(data)
            self.call(
                RXFH.pack(SRSSH, 0, 0, key, function, transform, 0) + data[RXFH.size + 4 * table :]
            )
        elif name == "link":
            self._set_link(data)

    def _set_link(self, data):
        if not data[0]:
            raise OSError("only a link that negotiates can be set again")
        words = len(data) // 4
        message = bytearray(_command(SLINKSETTINGS, LINK.size + 12 * words))
        message[11] = data[0]
        struct.pack_into("b", message, 15, words)
        message[LINK.size + 4 * words : LINK.size + 8 * words] = data[1:]
        self.call(message)


def _command(number, size):
    return struct.pack("I", number).ljust(size, b"\0")
