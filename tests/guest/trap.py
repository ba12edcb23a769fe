# SPDX-License-Identifier: GPL-2.0
"""Memory that nobody may write to: pages the kernel was told to leave alone (memmap=), filled with a
pattern.

    trap.py fill|changed ADDRESS SIZE       "changed" prints the offsets of changed words
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
    what, address, size = sys.argv[1], int(sys.argv[2], 0), int(sys.argv[3], 0)
    file = os.open("/dev/mem", os.O_RDWR | os.O_SYNC)
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
