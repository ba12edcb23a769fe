# SPDX-License-Identifier: GPL-2.0
"""Chooses the accelerator by trying: a /dev/kvm that exists may still not boot a kernel."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from qemu.qmp import QMPError

from . import images
from .agent import Agent, AgentGone
from .config import Config
from .machine import Machine, MachineDied

PROBE_SECONDS = 20
MODULES = Path("/sys/module")


def _agent_comes_up(machine: Machine) -> bool:
    """False as soon as KVM has given up on the guest, or after PROBE_SECONDS."""
    agent = Agent(machine.agent_socket)
    end = time.monotonic() + PROBE_SECONDS
    while time.monotonic() < end:
        if agent.is_ready(0.5):
            return True
        if machine.monitor("query-status")["status"] != "running":
            return False
    return False


def _kvm_boots() -> bool:
    """Boots the stock kernel up to the agent with KVM."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            machine = Machine(Config(driver="igb", peer=None), "kvm", Path(scratch), None)
        except MachineDied:
            return False
        try:
            return _agent_comes_up(machine)
        except (AgentGone, QMPError):
            return False
        finally:
            machine.close()


def _verdict_file() -> Path:
    """One per boot of this host: a module or a setting may make KVM work later."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return images.CACHE / f"accel-{boot}-{images.RELEASE}"


def _kvm_nests() -> bool:
    """Whether the host lets its guests have guests with KVM."""
    settings = MODULES.glob("kvm_*/parameters/nested")
    return any(path.read_text(encoding="ascii").strip() in ("1", "Y") for path in settings)


def choose(nested: bool = False) -> str:
    """ "kvm" or "tcg"; the answer of the probe is kept for this boot of the host. `nested`: for a
    guest that has guests of its own. TCG emulates a processor that can do that."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK) or (nested and not _kvm_nests()):
        return "tcg"
    verdict = _verdict_file()
    if not verdict.exists():
        print("trying whether KVM boots the stock kernel ...", flush=True)
        answer = "kvm" if _kvm_boots() else "tcg"
        print(f"using {answer}", flush=True)
        verdict.parent.mkdir(parents=True, exist_ok=True)
        verdict.write_text(answer, encoding="ascii")
    return verdict.read_text(encoding="ascii")
