# SPDX-License-Identifier: GPL-2.0
"""One command to the monitor of a QEMU in this guest; ends when it is done.

    qmp.py SOCKET COMMAND
"""

import json
import socket
import sys


def main():
    path, command = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        lines = connection.makefile("rw")
        lines.readline()        # the greeting
        for name in ("qmp_capabilities", command):
            print(json.dumps({"execute": name}), file=lines, flush=True)
            # Events may come first.
            answer = {}
            while not answer.keys() & {"return", "error"}:
                answer = json.loads(lines.readline())
            if "error" in answer:
                sys.exit(f"{name}: {answer['error']}")


if __name__ == "__main__":
    main()
