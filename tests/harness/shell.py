# SPDX-License-Identifier: GPL-2.0
"""Runs commands in whatever has an agent: a guest, or a guest of a guest."""

from __future__ import annotations

import shlex

from .agent import Agent, AgentGone, CommandFailed, Job, Result
from .tally import spent


class Shell:
    """Base of what commands can be run in."""

    agent: Agent

    @property
    def slowness(self) -> int:
        """How many times longer than under the stock kernel commands may take."""
        return 1

    def explain(self, what: str) -> str:
        """`what`, with whatever is known about why."""
        return what

    def start(self, command: str, timeout: float | None = 60, netns: str | None = None,
              stdin: str = "") -> Job:
        """Starts a bash command; several may run at once. `netns`: in that namespace. `timeout`
        is for the stock kernel; slower ones get more."""
        if netns is not None:
            command = f"exec ip netns exec {netns} bash -c {shlex.quote(command)}"
        if timeout is not None:
            timeout *= self.slowness
        return self.agent.start(command, timeout, stdin)

    def run(self, command: str, timeout: float = 60, check: bool = True,
            netns: str | None = None, stdin: str = "") -> Result:
        """Runs a bash command to its end. Raises CommandFailed unless `check` is False."""
        try:
            return self.start(command, timeout, netns, stdin).wait(check)
        except AgentGone as error:
            raise AgentGone(self.explain(f"{error}, running {command!r}")) from error

    def succeeds(self, command: str, timeout: float = 60, netns: str | None = None) -> bool:
        return self.run(command, timeout, check=False, netns=netns).rc == 0

    def read(self, path: str) -> str:
        return self.run(f"cat {shlex.quote(path)}").text

    def write(self, path: str, text: str) -> Result:
        """Writes to a sysfs or procfs file; the result's `err` names the errno on failure."""
        command = f"printf %s {shlex.quote(text)} >{shlex.quote(path)}"
        return self.run(command, check=False)

    def put(self, path: str, data: bytes, mode: int = 0o644):
        """Creates a file in the guest."""
        self.agent.put(path, data, mode)

    def wait_until(self, command: str, timeout: float, netns: str | None = None,
                   interval: float = 0.1):
        """Waits until `command` succeeds in the guest."""
        spent["waits"] += 1
        loop = f"until {command}; do sleep {interval}; done"
        try:
            self.run(loop, timeout, netns=netns)
        except CommandFailed as error:
            raise TimeoutError(f"{command!r} did not come true in {timeout} s\n"
                               f"{error.result}") from error
