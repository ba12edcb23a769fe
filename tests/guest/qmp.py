# SPDX-License-Identifier: GPL-2.0
"""One command to the monitor of a QEMU in this guest; ends when it is done.

qmp.py SOCKET COMMAND
"""

import json
import socket

from by_hand import by_hand


def answer(arguments, _):
    path, command = arguments
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        lines = connection.makefile("rw")
        lines.readline()  # the greeting
        for name in ("qmp_capabilities", command):
            print(json.dumps({"execute": name}), file=lines, flush=True)
            # Events may come first.
            reply = {}
            while not reply.keys() & {"return", "error"}:
                reply = json.loads(lines.readline())
            if "error" in reply:
                raise SystemExit(f"{name}: {reply['error']}")


if __name__ == "__main__":
    by_hand(answer)
