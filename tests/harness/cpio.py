# SPDX-License-Identifier: GPL-2.0
"""Writes the initramfs format (cpio "newc")."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path


def _entry(number: int, name: str, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return _padded(header) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def archive(files: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Archive of (path, permissions, contents); directories are added as needed.

    The kernel unpacks several archives one after the other, so this one is simply appended to
    the prepared initramfs."""
    out = bytearray()
    made: set[str] = set()
    number = 1
    for name, mode, data in files:
        for parent in reversed(Path(name).parents[:-1]):
            if str(parent) not in made:
                made.add(str(parent))
                out += _entry(number, str(parent), stat.S_IFDIR | 0o755, b"")
                number += 1
        out += _entry(number, name, stat.S_IFREG | mode, data)
        number += 1
    out += _entry(0, "TRAILER!!!", 0, b"")
    return bytes(out + b"\0" * (-len(out) % 512))
