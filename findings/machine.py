# SPDX-License-Identifier: GPL-2.0
"""The virtual machine of a finding, seen from its host: QEMU's monitor, and the other ends of wires."""

import json
import socket
import time


def connect(path):
    """A connection to a socket that QEMU will listen at."""
    while True:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(path)
            return peer
        except OSError:
            peer.close()
            time.sleep(0.2)


class Monitor:
    """QEMU's monitor at /mnt/qmp; keeps the names of events that come with answers."""

    def __init__(self):
        self.events = []
        self.file = connect("/mnt/qmp").makefile("rw")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, /, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while "return" not in (answer := json.loads(self.file.readline())):
            if "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']}")
            self.events.append(answer["event"])
