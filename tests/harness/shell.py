# SPDX-License-Identifier: GPL-2.0
"""Runs commands in whatever has an agent: a guest, or a guest of a guest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .agent import Agent, AgentGone, CommandFailed, Job, Result
from .tally import spent

CARRIER_SECONDS = 30

# Limits of time end what hangs. They are written for a machine that does nothing else, and one that
# does may take so many times as long.
SPARE = 4


class Shell:
    """Base of what commands can be run in. Limits of time are for the stock kernel; slower ones
    get more."""

    agent: Agent

    @property
    def slowness(self) -> int:
        """How many times longer than under the stock kernel commands may take."""
        return 1

    def explain(self, what: str) -> str:
        """`what`, with whatever is known about why."""
        return what

    # ---- commands ----------------------------------------------------------------------------

    def limit(self, timeout: float | None) -> float | None:
        """Seconds after which something hangs that should take less than `timeout`."""
        return None if timeout is None else timeout * self.slowness * SPARE

    def start(
        self, command: str, timeout: float | None = 60, netns: str | None = None, stdin: str = ""
    ) -> Job:
        """Starts a bash command; several may run at once. `netns`: in that namespace."""
        return self.agent.start(command, self.limit(timeout), stdin, netns)

    def run(
        self,
        command: str,
        timeout: float = 60,
        check: bool = True,
        netns: str | None = None,
        stdin: str = "",
    ) -> Result:
        """Runs a bash command to its end. Raises CommandFailed unless `check` is False."""
        return self._wait(self.start(command, timeout, netns, stdin), check)

    def succeeds(self, command: str, timeout: float = 60, netns: str | None = None) -> bool:
        return self.run(command, timeout, check=False, netns=netns).rc == 0

    def start_call(
        self,
        program: str,
        *arguments: object,
        stdin: str = "",
        timeout: float | None = 60,
        netns: str | None = None,
    ) -> Job:
        """Starts main() of tests/guest/PROGRAM.py, which needs no interpreter of its own."""
        return self.agent.start_call(
            program,
            [str(argument) for argument in arguments],
            self.limit(timeout),
            stdin,
            netns,
        )

    def call(
        self,
        program: str,
        *arguments: object,
        stdin: str = "",
        timeout: float = 60,
        check: bool = True,
        netns: str | None = None,
    ) -> Result:
        """Runs main() of tests/guest/PROGRAM.py to its end; the rest is as for `run`."""
        return self._wait(
            self.start_call(program, *arguments, stdin=stdin, timeout=timeout, netns=netns), check
        )

    def start_ask(
        self,
        module: str,
        *arguments: object,
        value: Any = None,
        timeout: float | None = 60,
        netns: str | None = None,
    ) -> Job:
        """Starts answer() of tests/guest/MODULE.py, in a process that is there already. The output
        is the answer, as JSON."""
        return self.agent.start_ask(
            module,
            [str(argument) for argument in arguments],
            value,
            self.limit(timeout),
            netns,
        )

    def ask(
        self,
        module: str,
        *arguments: object,
        value: Any = None,
        timeout: float = 60,
        netns: str | None = None,
    ) -> Any:
        """The same to its end: the answer."""
        job = self.start_ask(module, *arguments, value=value, timeout=timeout, netns=netns)
        return json.loads(self._wait(job, check=True).out)

    def _wait(self, job: Job, check: bool) -> Result:
        try:
            return job.wait(check)
        except AgentGone as error:
            raise AgentGone(self.explain(f"{error}, running {job.command!r}")) from error

    # ---- files -------------------------------------------------------------------------------

    def batch(self, steps: Iterable[tuple], timeout: float = 60) -> list:
        """Steps of tests/guest/steps.py, in their order; the result of each."""
        return self.ask("steps", value=list(steps), timeout=timeout)

    def read(self, path: str) -> str:
        """What is in a file, without space around it."""
        text, error = self.batch([("read", path)])[0]
        if error:
            raise CommandFailed(Result(f"read {path}", 1, "", f"{path}: {error}\n", False))
        return text.strip()

    def write(self, path: str, text: str, timeout: float = 60) -> Result:
        """Writes to a sysfs or procfs file; the result's `err` names the errno on failure."""
        job = self.start_ask("steps", value=[("write", path, text)], timeout=timeout)
        job.command = f"write {text!r} to {path}"
        done = self._wait(job, check=False)
        if done.rc or done.timed_out:
            return done
        (error,) = json.loads(done.out)
        return Result(
            job.command, int(error is not None), "", f"{path}: {error}\n" if error else "", False
        )

    def put(self, path: str, data: bytes, mode: int = 0o644):
        """Creates a file in the guest."""
        self.agent.put(path, data, mode)

    # ---- interfaces --------------------------------------------------------------------------

    def links(self, netns: str | None = None) -> dict[str, dict]:
        """Interfaces of a namespace by their names (tests/guest/netlink.py has what is told)."""
        return self.ask("network", "links", netns=netns)

    def attach(
        self, hosts: Iterable[dict], timeout: float = 20, carrier: float | None = CARRIER_SECONDS
    ):
        """Gives PCI functions' interfaces names, namespaces and addresses, and brings them up, all
        at once (tests/guest/network.py). Waits for their carrier unless that is None."""
        self._wait_for(
            "attach", timeout, carrier or 0, value=list(hosts), limit=timeout + (carrier or 0)
        )

    def detach(self, netns: Iterable[str] | None, timeout: float = 20):
        """Ends whatever runs in namespaces (None: all there are), removes them and waits until the
        interfaces of devices are back in the root namespace."""
        self._wait_for(
            "detach", timeout, value=None if netns is None else list(netns), limit=2 * timeout
        )

    # ---- waiting -----------------------------------------------------------------------------

    def _wait_for(
        self, verb: str, *arguments: float | str, value: Any = None, limit: float
    ) -> Result:
        """A verb of network.py; numbers among its arguments are seconds."""
        stretched = (
            argument if isinstance(argument, str) else self.limit(argument)
            for argument in arguments
        )
        return self._timed(
            self.start_ask("network", verb, *stretched, value=value, timeout=limit + 10)
        )

    def _timed(self, job: Job) -> Result:
        """The result of what fails only when its time is over."""
        try:
            return self._wait(job, check=True)
        except CommandFailed as error:
            raise TimeoutError(str(error)) from error

    def wait_carriers(
        self,
        hosts: Iterable[tuple[str, str | None]],
        timeout: float = CARRIER_SECONDS,
        up: bool = True,
    ):
        """Waits until interfaces (name, namespace) have carrier and pass frames, or have none."""
        listed = [{"name": name, "netns": netns} for name, netns in hosts]
        self._wait_for("wait", "1" if up else "0", timeout, value=listed, limit=timeout)

    def wait_carrier(
        self, name: str, netns: str | None = None, timeout: float = CARRIER_SECONDS, up: bool = True
    ):
        self.wait_carriers([(name, netns)], timeout, up)

    def wait_netdev(self, pci: str, timeout: float = 20) -> str:
        """Waits for the interface of a PCI function, in the root namespace; its name."""
        return json.loads(self._wait_for("device", pci, timeout, limit=timeout).out)

    def _wait_step(self, kind: str, *arguments: Any, timeout: float, netns: str | None = None):
        spent["waits"] += 1
        (missing,) = self.ask(
            "steps",
            value=[(kind, *arguments, self.limit(timeout))],
            timeout=timeout + 10,
            netns=netns,
        )
        if missing:
            raise TimeoutError(missing)

    def wait_file(
        self, path: str, timeout: float, pattern: str | None = None, absent: bool = False
    ):
        """Waits until a file exists, or has a line in which the regular expression is found; or, if
        `absent`, until that is not so."""
        self._wait_step("wait", path, pattern, absent, timeout=timeout)

    def wait_listening(self, port: int, netns: str | None = None, timeout: float = 30):
        """Waits until somebody listens at a TCP port, or has bound a UDP port."""
        self._wait_step("listening", port, timeout=timeout, netns=netns)

    def wait_until(
        self, command: str, timeout: float, netns: str | None = None, interval: float = 0.1
    ):
        """Waits until `command` succeeds in the guest. For what none of the above can tell."""
        spent["waits"] += 1
        loop = f"until {command}; do sleep {interval}; done"
        try:
            self.run(loop, timeout, netns=netns)
        except CommandFailed as error:
            raise TimeoutError(
                f"{command!r} did not come true in {timeout} s\n{error.result}"
            ) from error
