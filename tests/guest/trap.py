# SPDX-License-Identifier: GPL-2.0
"""Memory that nobody may write to: pages the kernel was told to leave alone (memmap=), filled with a
pattern.

    trap.py fill|changed ADDRESS SIZE       "changed" prints the offsets of changed words
    trap.py put ADDRESS BYTES               writes there by hand, given as hex digits, within a page
"""

import json
import mmap
import os
import sys

WORD = 8


def pattern(size):
    return b"".join(
        (0x5EED0000 + offset).to_bytes(WORD, "little") for offset in range(0, size, WORD)
    )


def main():
    what, address = sys.argv[1], int(sys.argv[2], 0)
    file = os.open("/dev/mem", os.O_RDWR | os.O_SYNC)
    if what == "put":
        data, at = bytes.fromhex(sys.argv[3]), address % mmap.PAGESIZE
        page = mmap.mmap(file, mmap.PAGESIZE, offset=address - at)
        page[at : at + len(data)] = data
        return
    size = int(sys.argv[3], 0)
    memory = mmap.mmap(file, size, offset=address)
    if what == "fill":
        memory[:] = pattern(size)
        return
    found, expected = memory[:], pattern(size)
    print(
        json.dumps(
            [at for at in range(0, size, WORD) if found[at : at + WORD] != expected[at : at + WORD]]
        )
    )


if __name__ == "__main__":
    main()
