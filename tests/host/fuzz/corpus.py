#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The file of kept inputs, which is text with one input a line, and the directories libFuzzer uses.

corpus.py unpack FILE DIRECTORY     one file for each input
corpus.py pack DIRECTORY FILE       the other way round, the shortest first
"""

import hashlib
import sys
from pathlib import Path

HEAD = """# SPDX-License-Identifier: GPL-2.0
# Inputs of the fuzzer that are kept: one a line, in hexadecimal (see tests/fuzz).
"""


def unpack(file: Path, directory: Path):
    directory.mkdir(parents=True, exist_ok=True)
    for line in file.read_text(encoding="ascii").splitlines():
        if not line.startswith("#"):
            data = bytes.fromhex(line)
            (directory / hashlib.sha1(data).hexdigest()).write_bytes(data)


def pack(directory: Path, file: Path):
    inputs = sorted(
        {path.read_bytes() for path in directory.iterdir()}, key=lambda data: (len(data), data)
    )
    file.write_text(HEAD + "".join(data.hex() + "\n" for data in inputs), encoding="ascii")


if __name__ == "__main__":
    {"unpack": unpack, "pack": pack}[sys.argv[1]](*map(Path, sys.argv[2:]))
