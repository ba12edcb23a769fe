# SPDX-License-Identifier: GPL-2.0
"""Command agent of the test guest: runs shell commands sent over a virtio-serial port.

Requests and replies are JSON objects, one per line. A request is one of

    {"id": 7, "run": "ip link", "timeout": 30, "stdin": ""}     start a command
    {"id": 8, "kill": 7, "signal": 9}                           signal its process group
    {"id": 9, "put": "/tmp/x", "data": "<base64>", "mode": 420} write a file

and is answered by exactly one object with the same id, in order of completion: commands run
concurrently. Program output that is not UTF-8 travels as lone surrogates.
"""

import base64
import glob
import json
import os
import select
import signal
import subprocess
import threading
import time

PORT_NAME = "org.igb-rs.agent"


def find_port():
    """Device node of the port with our name (without udev there is no link by name), or None."""
    for name in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(name, encoding="ascii") as file:
            if file.read().strip() == PORT_NAME:
                return "/dev/" + name.split("/")[4]
    return None


def open_port():
    """Waits for the port: the host announces it some time after the device is there."""
    for _ in range(100):
        node = find_port()
        if node is not None and os.path.exists(node):
            return os.open(node, os.O_RDWR | os.O_CLOEXEC)
        time.sleep(0.1)
    raise SystemExit("agent: no virtio port named " + PORT_NAME)


def rebind_console():
    """Probes the virtio console again.

    Linux 7.3 asks the host for a port's state on resume before it has given the host buffers for
    the answer, so after a suspend the port looks closed for good."""
    driver = "/sys/bus/virtio/drivers/virtio_console"
    for device in glob.glob(driver + "/virtio*"):
        for action in ("unbind", "bind"):
            with open(f"{driver}/{action}", "w", encoding="ascii") as file:
                file.write(os.path.basename(device))


class Agent:
    """Serves one port."""

    def __init__(self):
        self.port = open_port()
        self.sending = threading.Lock()
        self.groups = {}

    def send(self, message):
        """Sends one line, again from its start if the port was lost meanwhile."""
        line = ("\n" + json.dumps(message) + "\n").encode("ascii")
        data = line
        with self.sending:
            while data:
                try:
                    data = data[os.write(self.port, data):]
                except OSError:
                    time.sleep(0.1)
                    data = line

    def receive(self):
        """Bytes from the host. Looks up once per second, since nothing wakes a reader whose port
        was closed by a suspend."""
        while True:
            poll = select.poll()
            poll.register(self.port, select.POLLIN)
            events = poll.poll(1000)
            if not events:
                continue
            chunk = b"" if events[0][1] & select.POLLHUP else os.read(self.port, 65536)
            if chunk:
                return chunk
            os.close(self.port)
            rebind_console()
            self.port = open_port()

    def run(self, request):
        """Runs one command to its end or its timeout and sends what it said."""
        process = subprocess.Popen(
            ["/bin/bash", "-c", request["run"]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, cwd="/root")
        self.groups[request["id"]] = process.pid
        timed_out = False
        stdin = request.get("stdin", "").encode("utf-8", "surrogateescape")
        try:
            out, err = process.communicate(stdin, timeout=request.get("timeout"))
        except subprocess.TimeoutExpired:
            timed_out = True
            signal_group(process.pid, signal.SIGKILL)
            out, err = collect_after_kill(process)
        del self.groups[request["id"]]
        self.send({
            "id": request["id"], "rc": process.returncode, "timed_out": timed_out,
            "out": out.decode("utf-8", "surrogateescape"),
            "err": err.decode("utf-8", "surrogateescape")})

    def kill(self, request):
        group = self.groups.get(request["kill"])
        if group is not None:
            signal_group(group, request.get("signal", signal.SIGKILL))
        self.send({"id": request["id"], "rc": 0 if group is not None else 1})

    def put(self, request):
        directory = os.path.dirname(request["put"])
        os.makedirs(directory, exist_ok=True)
        with open(request["put"], "wb") as file:
            file.write(base64.b64decode(request["data"]))
        os.chmod(request["put"], request.get("mode", 0o644))
        self.send({"id": request["id"], "rc": 0})

    def dispatch(self, request):
        for kind in ("run", "kill", "put"):
            if kind in request:
                thread = threading.Thread(target=self.serve, args=(kind, request), daemon=True)
                thread.start()
                return

    def serve(self, kind, request):
        try:
            getattr(self, kind)(request)
        except Exception as error:  # pylint: disable=broad-except
            self.send({"id": request["id"], "error": repr(error)})


def signal_group(group, number):
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def collect_after_kill(process):
    """Output so far of a killed command; a process stuck in the kernel is not waited for."""
    try:
        return process.communicate(timeout=2)
    except subprocess.TimeoutExpired as stuck:
        return stuck.stdout or b"", (stuck.stderr or b"") + b"\nagent: not gone 2 s after SIGKILL"


def main():
    agent = Agent()
    with open("/proc/uptime", encoding="ascii") as file:
        agent.send({"id": 0, "ready": float(file.read().split()[0])})
    pending = b""
    while True:
        *lines, pending = (pending + agent.receive()).split(b"\n")
        for line in lines:
            agent.dispatch(json.loads(line))


if __name__ == "__main__":
    main()
