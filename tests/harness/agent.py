# SPDX-License-Identifier: GPL-2.0
"""Host side of the command agent (tests/guest/agent.py describes the messages)."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import queue
import socket
import threading
import zlib
from typing import Any

from .tally import spent

# How many seconds longer than the guest's own timeout an answer may take: a guest under TCG that
# is busy in interrupt context answers late, but it does.
GRACE = 20.0
# Bytes of a file that travel in one message.
PIECE = 1 << 20


class AgentGone(Exception):
    """The guest no longer answers."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command in the guest did."""

    command: str
    rc: int
    out: str
    err: str
    timed_out: bool

    @property
    def text(self) -> str:
        return self.out.strip()

    def __str__(self) -> str:
        fate = "timed out" if self.timed_out else f"rc {self.rc}"
        return f"{self.command!r}: {fate}\n{self.out}{self.err}".rstrip()


class CommandFailed(Exception):
    """A command in the guest ended with another status than 0."""

    def __init__(self, result: Result):
        super().__init__(str(result))
        self.result = result


class Job:
    """A command that is running in the guest."""

    def __init__(self, agent: Agent, command: str, number: int, timeout: float | None):
        self._agent = agent
        self._number = number
        self._timeout = timeout
        self.command = command

    def wait(self, check: bool = True, timeout: float | None = None) -> Result:
        """Its result; `timeout` (default: the one it was started with) bounds the wait."""
        limit = timeout if timeout is not None else self._timeout
        reply = self._agent.reply(
            self._number, None if limit is None else limit + self._agent.grace
        )
        result = Result(self.command, reply["rc"], reply["out"], reply["err"], reply["timed_out"])
        if check and (result.rc or result.timed_out):
            raise CommandFailed(result)
        return result

    def has_ended(self) -> bool:
        """Whether its result is there, and has not been waited for."""
        return self._agent.has_reply(self._number)

    def kill(self, number: int = 9):
        """Sends a signal to the whole process group."""
        self._agent.call({"kill": self._number, "signal": number}, 10)


class Agent:
    """Connection to the agent in one guest. Usable from several threads."""

    def __init__(self, connection: socket.socket, slowness: int = 1):
        self._connection = connection
        self.grace = GRACE * slowness
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._replies: dict[int, queue.Queue] = {0: queue.Queue()}
        self._gone = threading.Event()
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        try:
            with self._connection.makefile("rb") as lines:
                for line in lines:
                    self._dispatch(line)
        except OSError:
            pass  # the guest ended
        self._gone.set()
        for waiting in list(self._replies.values()):
            waiting.put(None)

    def _dispatch(self, line: bytes):
        try:
            message = json.loads(line)
        except ValueError:
            return  # empty, or cut off by a suspend or the end; the agent sends it again
        if message["id"] in self._replies:
            self._replies[message["id"]].put(message)

    def _send(self, message: dict) -> int:
        spent["calls"] += 1
        number = next(self._numbers)
        self._replies[number] = queue.Queue()
        data = json.dumps({"id": number, **message}).encode() + b"\n"
        try:
            with self._sending:
                self._connection.sendall(data)
        except OSError as error:
            raise AgentGone("the guest has ended") from error
        return number

    def has_reply(self, number: int) -> bool:
        """Whether the answer to message `number` is there, and nobody has taken it."""
        return number in self._replies and not self._replies[number].empty()

    def reply(self, number: int, timeout: float | None) -> dict:
        """Waits for the answer to message `number`."""
        try:
            message = self._replies[number].get(timeout=timeout)
        except queue.Empty:
            raise AgentGone(f"no answer from the guest within {timeout:.0f} s") from None
        if number != 0:
            del self._replies[number]
        if message is None:
            raise AgentGone("the guest has ended")
        if "error" in message:
            raise RuntimeError("agent: " + message["error"])
        return message

    def call(self, message: dict, timeout: float) -> dict:
        return self.reply(self._send(message), timeout + self.grace)

    def is_gone(self) -> bool:
        """Whether the connection has ended."""
        return self._gone.is_set()

    def wait_ready(self, timeout: float) -> float:
        """Guest's uptime in seconds when the agent came up."""
        return self.reply(0, timeout)["ready"]

    @property
    def ready(self) -> queue.Queue:
        """Where the messages arrive by which an agent says that it came up."""
        return self._replies[0]

    def is_ready(self, timeout: float) -> bool:
        """Whether the agent came up within `timeout` seconds."""
        try:
            message = self._replies[0].get(timeout=timeout)
        except queue.Empty:
            return False
        self._replies[0].put(message)
        return message is not None

    def start(
        self, command: str, timeout: float | None = None, stdin: str = "", netns: str | None = None
    ) -> Job:
        """Starts a command."""
        number = self._send({"run": command, "timeout": timeout, "stdin": stdin, "netns": netns})
        return Job(self, command, number, timeout)

    def start_call(
        self,
        program: str,
        arguments: list[str],
        timeout: float | None = None,
        stdin: str = "",
        netns: str | None = None,
    ) -> Job:
        """Starts main() of tests/guest/PROGRAM.py."""
        number = self._send(
            {"call": program, "argv": arguments, "timeout": timeout, "stdin": stdin, "netns": netns}
        )
        return Job(self, " ".join([program, *arguments]), number, timeout)

    def start_ask(
        self,
        module: str,
        arguments: list[str],
        value: Any,
        timeout: float | None = None,
        netns: str | None = None,
    ) -> Job:
        """Has a worker in the guest call answer() of tests/guest/MODULE.py."""
        number = self._send(
            {"ask": module, "argv": arguments, "value": value, "timeout": timeout, "netns": netns}
        )
        return Job(self, " ".join([module, *arguments]), number, timeout)

    def kill_all(self):
        """Kills every command that has not ended, and forgets all that nobody has waited for."""
        running = [
            number for number in list(self._replies) if number and not self.has_reply(number)
        ]
        for number in running:
            self.call({"kill": number, "signal": 9}, 10)
        for number in running:
            self.reply(number, self.grace)
        for number in [number for number in list(self._replies) if number]:
            del self._replies[number]

    def put(self, path: str, data: bytes, mode: int = 0o644):
        """Creates a file. In pieces, so that other messages pass between them."""
        for begin in range(0, max(len(data), 1), PIECE):
            # The port is slow, and the guest's processor as well: as little as is to be had cheaply.
            packed = zlib.compress(data[begin : begin + PIECE], 1)
            self.call(
                {
                    "put": path,
                    "data": base64.b64encode(packed).decode(),
                    "mode": mode,
                    "append": begin > 0,
                },
                60,
            )
