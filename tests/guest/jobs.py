# SPDX-License-Identifier: GPL-2.0
"""What the agent has others do: commands and programs in processes of their own, and verbs in workers,
which are kept. None of them can keep the agent waiting."""

import fcntl
import importlib
import json
import os
import re
import signal
import socket
import sys
import time

import namespaces

# A command that means the same without a shell.
_WORD = r"[\w./:=,@%+-]+"
PLAIN = re.compile(rf"(?:exec )?(?!\S*=){_WORD}(?: {_WORD})*")
SHELL = "/bin/bash"
# Python ignores these.
SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
READ_SIZE = 1 << 16
SECONDS_AFTER_KILL = 2.0
MAX_FD = 1 << 16


class Task:
    """What somebody was asked to do. The agent watches `open`, and calls `read` for what is ready."""

    def __init__(self, request):
        self.number = request["id"]
        timeout = request.get("timeout")
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.timed_out = self.is_given_up = False
        self.open = set()  # file descriptors
        self.pid = self.code = None
        self.out = self.err = ""

    def is_over(self):
        """Whether there is nothing more to come."""
        return self.is_given_up or not self.open

    def expire(self, now):
        """Its time is up: it is killed, and then given two seconds to be gone."""
        if self.timed_out:
            self.is_given_up = True
            self.err += "\nagent: not gone 2 s after SIGKILL"
        self.timed_out = True
        self.deadline = now + SECONDS_AFTER_KILL
        self.signal(signal.SIGKILL)

    def signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            # It has ended, or has not come to have a group yet.
            if self.code is None:
                os.kill(self.pid, number)

    def result(self):
        return {
            "id": self.number,
            "rc": self.code,
            "timed_out": self.timed_out,
            "out": self.out,
            "err": self.err,
        }


class Job(Task):
    """A child, what it said so far, and what became of it."""

    def __init__(self, request):
        super().__init__(request)
        if "call" in request:
            # Before the fork, and so once for all of them.
            importlib.import_module(request["call"])
        stdin = _filled_pipe(request.get("stdin", "").encode("utf-8", "surrogateescape"))
        (said, out), (complained, err) = os.pipe(), os.pipe()
        ends = (stdin, out, err)
        with namespaces.inside(request.get("netns")):
            if "run" in request and not _needs_sysfs(request):
                self.pid = _spawn(request["run"], ends)
            else:
                self.pid = os.fork()
                if self.pid == 0:
                    _be_child(request, ends)
        for fd in ends:
            os.close(fd)
        self.pidfd = os.pidfd_open(self.pid)
        self.said = {said: bytearray(), complained: bytearray()}
        self.open = {*self.said, self.pidfd}

    def read(self, fd):
        """Takes what is there; whether that was the last."""
        if fd == self.pidfd:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        else:
            data = os.read(fd, READ_SIZE)
            self.said[fd] += data
            if data:
                return False
        self.open.discard(fd)
        return True

    def result(self):
        out, err = (bytes(said).decode("utf-8", "surrogateescape") for said in self.said.values())
        self.out, self.err = out, err + self.err
        return super().result()


def _filled_pipe(data):
    """The end to read from of a pipe that has `data` in it, and no more to come."""
    end, other = os.pipe()
    if len(data) > READ_SIZE:
        fcntl.fcntl(other, fcntl.F_SETPIPE_SZ, len(data))
    os.write(other, data)
    os.close(other)
    return end


def _needs_sysfs(request):
    """Whether the /sys to be seen has to be that of a namespace. It is seldom so, and takes a copy of
    this process, which is slower than all the rest."""
    return bool(request.get("netns")) and "/sys" in request["run"]


def _words(command):
    """What to execute, in the order in which it may be tried."""
    if PLAIN.fullmatch(command):
        yield command.removeprefix("exec ").split()
    # Something only a shell knows, or knows how to complain about.
    yield [SHELL, "-c", command]


def _spawn(command, ends):
    """Starts a command in a session of its own, without a copy of this process in between."""
    actions = [(os.POSIX_SPAWN_DUP2, end, fd) for fd, end in enumerate(ends)]
    for words in _words(command):
        try:
            return os.posix_spawnp(
                words[0], words, os.environ, file_actions=actions, setsid=True, setsigdef=SIGNALS
            )
        except OSError:
            if words[0] == SHELL:
                raise
    return None


# ---- in the child ----------------------------------------------------------------------------


def _be_child(request, ends):
    """Never returns."""
    code = 1
    try:
        os.setsid()
        for fd, end in enumerate(ends):
            os.dup2(end, fd)
        os.closerange(len(ends), MAX_FD)
        if "run" in request:
            namespaces.mount_sysfs()
            _execute(request["run"])
        code = _run_main(request["call"], request["argv"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _execute(command):
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    for words in _words(command):
        try:
            os.execvp(words[0], words)
        except OSError:
            if words[0] == SHELL:
                raise


def _name(name):
    """What `ps` and `pgrep` call this process."""
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(name)


def _run_main(name, argv):
    """Exit status of a program."""
    _name(name)
    sys.argv = [name, *argv]
    try:
        sys.modules[name].main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


# ---- workers ---------------------------------------------------------------------------------


class Worker:
    """A process that answers questions, one after the other: answer() of the modules they name. It
    may wait for the kernel, hang or die; then only it is lost."""

    idle = []

    @classmethod
    def get(cls):
        return cls.idle.pop() if cls.idle else cls()

    def __init__(self):
        self.socket, other = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            _be_worker(other)
        other.close()


class Question(Task):
    """A verb that a worker is asked."""

    def __init__(self, request):
        super().__init__(request)
        self.worker = Worker.get()
        self.pid = self.worker.pid
        # Buffers are large enough for it, or the worker takes it.
        self.worker.socket.sendall(json.dumps(request).encode() + b"\n")
        self.answer = bytearray()
        # The worker goes on to use the socket, and the agent closes what was watched.
        self.fd = os.dup(self.worker.socket.fileno())
        self.open = {self.fd}

    def read(self, fd):
        try:
            data = os.read(fd, READ_SIZE)
        except ConnectionResetError:  # it was killed before it took the question
            data = b""
        self.answer += data
        if data and not self.answer.endswith(b"\n"):
            return False
        self.open.discard(fd)
        if data:
            self.code, self.out, self.err = json.loads(self.answer)
            Worker.idle.append(self.worker)
        else:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.worker.socket.close()
        return True


def _be_worker(connection):
    """Never returns."""
    try:
        os.setsid()
        end = os.dup2(connection.fileno(), 3)
        os.closerange(end + 1, MAX_FD)
        _name("worker")
        with open(end, "r+b", buffering=0) as lines:
            pending = b""
            while data := lines.read(READ_SIZE):
                pending += data
                if pending.endswith(b"\n"):
                    lines.write(json.dumps(_answer(json.loads(pending))).encode() + b"\n")
                    pending = b""
    finally:
        os._exit(1)


def _answer(request):
    """Status, output and errors, as a program would have."""
    try:
        module = importlib.import_module(request["ask"])
        with namespaces.inside(request.get("netns")):
            return 0, json.dumps(module.answer(request["argv"], request["value"])), ""
    except SystemExit as end:
        return 1, "", f"{end.code}\n"
    except Exception as error:
        return 1, "", _description(error)


def _description(error):
    """Where it happened, and what."""
    lines, trace = [], error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        lines.append(f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}\n")
        trace = trace.tb_next
    return "".join(lines) + f"{error!r}\n"
