# SPDX-License-Identifier: GPL-2.0
"""A booted guest: run commands, load the driver under test, talk to the device model."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import time
from pathlib import Path

from . import accel
from .agent import Agent, AgentGone, Result
from .config import Config
from .machine import Machine, MachineDied
from .shell import Shell
from .tally import spent

BOOT_SECONDS = 180  # limit, not expectation: about 10 s under TCG on an idle host


def run_directory() -> Path:
    """Fresh directory for the logs of one guest, also if other runs use the same base."""
    base = os.environ.get("IGB_RS_RUNS")
    if base is None:
        return Path(tempfile.mkdtemp(prefix="igb-rs-guest-"))
    numbers = itertools.count(1)
    while True:
        directory = Path(base) / f"guest{next(numbers)}"
        with contextlib.suppress(FileExistsError):
            directory.mkdir(parents=True)
            return directory


class Guest(Shell):
    """Boots on construction; usable as a context manager, which powers it off."""

    PF = "0000:01:00.0"

    def __init__(self, config: Config, directory: Path | None = None):
        self.config = config
        own = config.driver == "igb_rs" and not config.boots.has_driver
        module = config.boots.module if own else None
        if module is not None and not module.exists():
            raise FileNotFoundError(
                f"{module}: build it with 'make modules KERNEL={config.kernel}'"
            )
        spent["boots"] += 1
        self._slept = False
        self.nested_agents: list[Agent] | None = None  # see nested.py
        begin = time.monotonic()
        self.machine = Machine(
            config,
            config.accel or accel.choose(config.nested > 0),
            directory or run_directory(),
            module,
        )
        self.directory = self.machine.directory
        self.agent = Agent(self.machine.agent_socket, config.boots.slowness)
        try:
            self.agent.wait_ready(BOOT_SECONDS * config.boots.slowness)
        except AgentGone as error:
            self.machine.close()
            raise MachineDied(self.machine.explain("the guest did not boot")) from error
        self.machine.initrd.unlink()
        self.boot_seconds = time.monotonic() - begin

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_):
        self.power_off()

    @property
    def slowness(self) -> int:
        return self.config.boots.slowness

    def explain(self, what: str) -> str:
        return self.machine.explain(what)

    # ---- the driver under test ---------------------------------------------------------------

    def load(self, parameters: str = ""):
        """Loads the driver under test (and igbvf, so that VFs find their driver)."""
        spent["loads"] += 1
        if self.is_built_in:
            self.run(
                f"modprobe igbvf; [ -d {self.bound} ] ||"
                f" echo {self.PF} >/sys/bus/pci/drivers/igb_rs/bind"
            )
        elif self.config.driver == "igb_rs":
            igbvf = "igbvf" if self.config.boots.has_igbvf else ""
            self.run(
                f"set -- {igbvf} $(modinfo -F depends /payload/igb_rs.ko | tr , ' ');"
                "[ $# = 0 ] || modprobe -a $@"
            )
            self.run(f"insmod /payload/igb_rs.ko {parameters}")
        else:
            self.run(f"modprobe igbvf && modprobe igb {parameters}")

    @property
    def is_built_in(self) -> bool:
        """Whether the driver under test is part of the kernel: then it is bound and unbound instead."""
        return self.config.boots.has_driver and self.config.driver == "igb_rs"

    @property
    def bound(self) -> str:
        """A directory that is there while the driver under test is."""
        if self.is_built_in:
            return f"/sys/bus/pci/drivers/igb_rs/{self.PF}"
        return f"/sys/module/{self.config.driver}"

    @property
    def ends_driver(self) -> str:
        """The command that takes the driver under test away."""
        if self.is_built_in:
            return f"echo {self.PF} >/sys/bus/pci/drivers/igb_rs/unbind"
        return f"rmmod {self.config.driver}"

    def unload(self):
        self.run(self.ends_driver)

    def loaded(self) -> bool:
        return self.succeeds(f"test -d {self.bound}")

    # ---- the machine -------------------------------------------------------------------------

    def qmp(self, command: str, **arguments):
        return self.machine.monitor(command, **arguments)

    def alive(self) -> bool:
        return self.machine.alive() and self.succeeds("true", timeout=10)

    def suspend(self, seconds: int = 5, test: str = "none") -> Result:
        """Suspends to RAM (`Config(s3=True)`) and wakes by the real-time clock; `test` other than
        "none" goes only as far as that level of /sys/power/pm_test, and needs no S3."""
        self._slept = self._slept or test == "none"
        return self.run(
            f"echo {test} >/sys/power/pm_test; echo deep >/sys/power/mem_sleep;"
            "echo 0 >/sys/class/rtc/rtc0/wakealarm;"
            f"echo +{seconds} >/sys/class/rtc/rtc0/wakealarm;"
            "echo mem >/sys/power/state",
            timeout=90,
        )

    def power_off(self, timeout: float = 60):
        """Ordinary shutdown, with the drivers' shutdown methods; kills what does not end."""
        clean = False
        # QEMU's S5 does nothing once the machine has been in S3; -no-reboot ends it as well.
        how = "reboot" if self._slept else "poweroff"
        try:
            self.agent.start(f"sync; busybox {how} -f")
            clean = self.machine.wait(timeout * self.config.boots.slowness)
        except AgentGone:
            clean = self.machine.wait(timeout * self.config.boots.slowness)
        finally:
            self.machine.close()
        if not clean:
            raise MachineDied(self.machine.explain(f"no power off within {timeout} s"))
