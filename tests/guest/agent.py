# SPDX-License-Identifier: GPL-2.0
"""Command agent of the test guest: does what it is asked over a virtio-serial port.

Requests and replies are JSON objects, one per line. A request is one of

    {"id": 7, "run": "ip link", "timeout": 30, "stdin": "", "netns": null}
                                                                start a command. In a namespace, /sys
                                                                is the root's, unless the command
                                                                mentions it
    {"id": 8, "call": "attack", "argv": ["0000:01:10.0"], ...}  start main() of one of the programs
                                                                in this directory; the rest as above
    {"id": 9, "ask": "steps", "argv": [], "value": [], ...}     have a worker call answer() of one
                                                                of the modules in this directory,
                                                                with `argv` and `value`; its output
                                                                is what that returns, as JSON
    {"id": 10, "kill": 7, "signal": 9}                          signal its process group
    {"id": 11, "put": "/tmp/x", "data": "<base64 of zlib>", "mode": 420, "append": false}
                                                                write a file

and is answered by exactly one object with the same id, in order of completion: commands run
concurrently. Program output that is not UTF-8 travels as lone surrogates.

There is one thread, so that it can be forked: what it starts needs no interpreter of its own. Whatever
may wait for the kernel is done by a child (jobs.py).
"""

import base64
import contextlib
import json
import os
import select
import signal
import socket
import time
import zlib

import jobs
from netlink import Netlink

PORT_NAME = "org.igb-rs.agent"
PORTS = "/sys/class/virtio-ports"
LOOK_UP_SECONDS = 1.0


def settle():
    """The rest of what a system is expected to have. Here no processes are needed for it."""
    for directory in ("/run/netns", "/run/lock"):
        os.makedirs(directory, exist_ok=True)
    for link, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"/dev/{link}")
    socket.sethostname("igb-rs")
    Netlink().change(1, up=True)  # lo


def find_port():
    """Device node of the port with our name (without udev there is no link by name), or None."""
    for port in os.listdir(PORTS) if os.path.isdir(PORTS) else []:
        with contextlib.suppress(OSError):  # it may be about to go, or to come
            with open(f"{PORTS}/{port}/name", encoding="ascii") as file:
                if file.read().strip() == PORT_NAME:
                    return "/dev/" + port
    return None


def open_port():
    """Waits for the port: the host announces it some time after the device is there."""
    for _ in range(1000):
        node = find_port()
        if node is not None and os.path.exists(node):
            return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        time.sleep(0.01)
    raise SystemExit("agent: no virtio port named " + PORT_NAME)


def rebind_console():
    """Probes the virtio console again.

    Linux 7.3 asks the host for a port's state on resume before it has given the host buffers for
    the answer, so after a suspend the port looks closed for good."""
    driver = "/sys/bus/virtio/drivers/virtio_console"
    for device in os.listdir(driver):
        if device.startswith("virtio"):
            for action in ("unbind", "bind"):
                with open(f"{driver}/{action}", "w", encoding="ascii") as file:
                    file.write(device)


class Port:
    """The way to the host. Nothing wakes who waits for a port that a suspend closed, so nobody
    waits for long."""

    def __init__(self, poll):
        self.poll = poll
        self.fd = open_port()
        self.poll.register(self.fd, select.POLLIN)
        self.pending = []  # pieces of a line that has not arrived whole

    def reopen(self):
        self.poll.unregister(self.fd)
        os.close(self.fd)
        rebind_console()
        self.fd = open_port()
        self.poll.register(self.fd, select.POLLIN)

    def is_closed(self, event=0, patience=0.0):
        """Whether a suspend closed it, once `event` has happened or `patience` seconds are over."""
        poll = select.poll()
        poll.register(self.fd, event)
        return any(events & select.POLLHUP for _, events in poll.poll(1000 * patience))

    def send(self, message):
        """Sends one line, again from its start if the port was lost meanwhile."""
        line = ("\n" + json.dumps(message) + "\n").encode("ascii")
        data = memoryview(line)
        while data:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:
                if self.is_closed(select.POLLOUT, LOOK_UP_SECONDS):
                    self.reopen()
                    data = memoryview(line)
            except OSError:
                self.reopen()
                data = memoryview(line)

    def receive(self):
        """The requests that have arrived."""
        if self.is_closed():
            self.reopen()
            return []
        try:
            chunk = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return []
        self.pending.append(chunk)
        if b"\n" not in chunk:
            return []
        *lines, rest = b"".join(self.pending).split(b"\n")
        self.pending = [rest]
        return [json.loads(line) for line in lines]


class Agent:
    """Serves one port."""

    def __init__(self):
        self.poll = select.poll()
        self.port = Port(self.poll)
        self.jobs = {}  # by the id of the request
        self.watched = {}  # job by file descriptor

    def start(self, request):
        job = jobs.Question(request) if "ask" in request else jobs.Job(request)
        self.jobs[request["id"]] = job
        for fd in job.open:
            self.watched[fd] = job
            self.poll.register(fd, select.POLLIN)

    run = call = ask = start

    def kill(self, request):
        job = self.jobs.get(request["kill"])
        if job is not None:
            job.signal(request.get("signal", signal.SIGKILL))
        self.port.send({"id": request["id"], "rc": 0 if job is not None else 1})

    def put(self, request):
        directory = os.path.dirname(request["put"])
        os.makedirs(directory, exist_ok=True)
        with open(request["put"], "ab" if request.get("append") else "wb") as file:
            file.write(zlib.decompress(base64.b64decode(request["data"])))
        os.chmod(request["put"], request.get("mode", 0o644))
        self.port.send({"id": request["id"], "rc": 0})

    def dispatch(self, request):
        kind = next(kind for kind in ("run", "call", "ask", "kill", "put") if kind in request)
        try:
            getattr(self, kind)(request)
        except Exception as error:
            self.port.send({"id": request["id"], "error": repr(error)})

    def attend(self, job, fd):
        """Something of a job's is ready. What it has finished is not watched any more."""
        if job.read(fd):
            self.poll.unregister(fd)
            del self.watched[fd]
            os.close(fd)
        self.report(job)

    def report(self, job):
        """Sends the result of a job that has one. One that is stuck in the kernel is watched
        further, to be collected."""
        if self.jobs.get(job.number) is job and job.is_over():
            del self.jobs[job.number]
            self.port.send(job.result())

    def serve(self):
        """One round: waits until something happens, and deals with it."""
        now = time.monotonic()
        patience = min(
            [
                LOOK_UP_SECONDS,
                *(job.deadline - now for job in self.jobs.values() if job.deadline is not None),
            ]
        )
        for fd, _ in self.poll.poll(max(0, 1000 * patience + 1)):
            if fd == self.port.fd:
                for request in self.port.receive():
                    self.dispatch(request)
            elif fd in self.watched:
                self.attend(self.watched[fd], fd)
        now = time.monotonic()
        for job in list(self.jobs.values()):
            if job.deadline is not None and now >= job.deadline:
                job.expire(now)
                self.report(job)


def main():
    settle()
    os.chdir("/root")
    agent = Agent()
    with open("/proc/uptime", encoding="ascii") as file:
        agent.port.send({"id": 0, "ready": float(file.read().split()[0])})
    while True:
        agent.serve()


if __name__ == "__main__":
    main()
