# SPDX-License-Identifier: GPL-2.0
"""One command to the monitor of a QEMU in this guest; ends when it is done, with its reply.

qmp.py SOCKET COMMAND [EVENT] <arguments    an object, or null; with EVENT, it also waits for that
"""

import json
import socket

from by_hand import by_hand


def execute(lines, command, arguments, *events):
    """Events may come before the reply, and others than those waited for."""
    print(json.dumps({"execute": command, "arguments": arguments}), file=lines, flush=True)
    missing, reply = {"return", *events}, None
    while missing:
        said = json.loads(lines.readline())
        if "error" in said:
            raise SystemExit(f"{command}: {said['error']}")
        reply = said.get("return", reply)
        missing -= {"return"} & said.keys() | {said.get("event")}
    return reply


def answer(words, arguments):
    path, command, *events = words
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        lines = connection.makefile("rw")
        lines.readline()  # the greeting
        execute(lines, "qmp_capabilities", {})
        return execute(lines, command, arguments or {}, *events)


if __name__ == "__main__":
    by_hand(answer)
