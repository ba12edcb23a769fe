# SPDX-License-Identifier: GPL-2.0
"""The QEMU process: command line, QMP, and the log files of one run."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

from qemu.qmp.legacy import QEMUMonitorProtocol

from . import images
from .config import Config

# Where interrupts are remapped a kernel panics ("timer doesn't work through Interrupt-remapped
# IO-APIC") if its timer did not interrupt a loop often enough, and that is up to how busy this
# machine is. KVM's guests leave the check out by themselves.
TIMER = "no_timer_check"
AGENT_PORT = "org.igb-rs.agent"


def program() -> list[str]:
    """QEMU: the root's, or another in a root directory of its own (tests/env/qemu.sh). None of them
    outlives this process."""
    name = os.environ.get("IGB_RS_QEMU_PROGRAM")
    if name is None:
        return ["qemu-system-x86_64", "-run-with", "exit-with-parent=on"]
    # Versions before 10.2 do not have that option.
    return ["setpriv", "--pdeathsig", "KILL", "chroot", os.environ["IGB_RS_QEMU_ROOT"], name]


class MachineDied(Exception):
    """QEMU ended by itself, or never got as far as its monitor."""


def accelerator(accel: str, smp: int, counted: bool = False) -> list[str]:
    """`counted`: time is the number of instructions, which takes one thread for all CPUs."""
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    if accel == "tcg":
        thread = "multi" if smp > 1 and not counted else "single"
        return ["-accel", f"tcg,thread={thread}", "-cpu", "max"]
    return ["-accel", accel, "-cpu", "max"]


def network(config: Config) -> list[str]:
    """The ports under test and the peer on one hub: a wire without an end outside."""
    arguments = []
    models = ["igb"] * config.duts + ([config.peer] if config.peer else [])
    for port, model in enumerate(models):
        is_dut = model == "igb" and port < config.duts
        name = f"dut{port}" if is_dut else "peer"
        rom = "" if is_dut and config.rom else ",romfile="
        arguments += [
            "-netdev",
            f"hubport,id=wire{port},hubid=0",
            "-device",
            f"pcie-root-port,id=rp{port},chassis={port + 1},slot={port + 1},addr={port + 2:#x}",
            "-device",
            f"{model},id={name},bus=rp{port},netdev=wire{port},mac=52:54:00:82:57:{port:02x}{rom}",
        ]
    return arguments


class Machine:
    """A running QEMU. Files in `directory`: console.log, trace.log, qemu.log, wire.pcap."""

    def __init__(self, config: Config, accel: str, directory: Path, module: Path | None):
        self.config = config
        self.accel = accel
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.console_log = directory / "console.log"
        self.trace_log = directory / "trace.log"
        self.initrd = directory / "initrd.cpio"
        self.initrd.write_bytes(
            images.initramfs(config.boots, module, config.image, config.nested > 0)
        )
        self.trace_log.touch()
        self.agent_socket, agent = socket.socketpair()
        self.terminal_socket, terminal = socket.socketpair()
        monitor_socket, monitor = socket.socketpair()
        passed = {"agent": agent, "terminal": terminal, "monitor": monitor}
        # Each carries the connection to the agent of one guest in this guest.
        self.nested_sockets = []
        for number in range(config.nested):
            ours, passed[f"nested{number}"] = socket.socketpair()
            self.nested_sockets.append(ours)
        self.command = self._command({name: end.fileno() for name, end in passed.items()})
        with open(directory / "qemu.log", "wb") as log:
            log.write((" ".join(self.command) + "\n\n").encode())
            log.flush()
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[end.fileno() for end in passed.values()],
            )
        for end in passed.values():
            end.close()
        self.qmp = QEMUMonitorProtocol(monitor_socket)
        try:
            self.qmp.connect()
        except Exception as error:
            self.kill()
            raise MachineDied(self.explain("QEMU did not start")) from error

    def _command(self, fds: dict[str, int]) -> list[str]:
        config = self.config
        # iomem=relaxed: tests map the registers of bound devices. mitigations=off: an emulated CPU
        # does not speculate, and to guard it costs 5 % of the time.
        cmdline = (
            f"console=ttyS0 loglevel=4 panic=-1 rdinit=/init iomem=relaxed mitigations=off "
            f"modprobe.blacklist=igb {TIMER} {config.boots.cmdline} {config.cmdline}"
        )
        arguments = [
            *program(),
            *accelerator(self.accel, config.smp, "-icount" in config.arguments),
            "-M",
            config.machine,
            "-smp",
            str(config.smp),
            "-m",
            config.total_memory,
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-boot",
            "menu=off",
            "-kernel",
            str(config.boots.vmlinuz),
            "-initrd",
            str(self.initrd),
            "-append",
            cmdline,
            "-serial",
            f"file:{self.console_log}",
            "-chardev",
            f"socket,id=monitor,fd={fds['monitor']}",
            "-mon",
            "chardev=monitor,mode=control",
        ]
        for device in config.first_devices:
            arguments += ["-device", device]
        arguments += network(config)
        arguments += [
            "-drive",
            f"if=none,id=root,format=raw,readonly=on,file={images.rootfs(config.image)}",
            "-device",
            f"virtio-blk-pci,drive=root,addr={config.slot:#x}",
            "-device",
            f"virtio-serial-pci,addr={config.slot + 1:#x}",
            "-chardev",
            f"socket,id=agent,fd={fds['agent']}",
            "-device",
            f"virtserialport,chardev=agent,name={AGENT_PORT}",
            "-chardev",
            f"socket,id=terminal,fd={fds['terminal']}",
            "-device",
            "virtconsole,chardev=terminal",
            "-device",
            f"virtio-rng-pci,addr={config.slot + 2:#x}",
        ]
        for number in range(config.nested):
            name = f"nested{number}"
            arguments += [
                "-chardev",
                f"socket,id={name},fd={fds[name]}",
                "-device",
                f"virtserialport,chardev={name},name=org.igb-rs.{name}",
            ]
        for device in config.devices:
            arguments += ["-device", device]
        if config.capture:
            arguments += [
                "-object",
                f"filter-dump,id=capture,netdev=wire0,file={self.directory / 'wire.pcap'}",
            ]
        for event in config.events:
            arguments += ["-trace", event]
        if config.events:
            arguments += ["-D", str(self.trace_log)]
        if config.s3:
            arguments += ["-global", "ICH9-LPC.disable_s3=0"]
        return [*arguments, *config.arguments]

    def monitor(self, command: str, **arguments):
        """One QMP command; raises QMPError when QEMU refuses it."""
        return self.qmp.cmd(command, **arguments)

    def alive(self) -> bool:
        return self.process.poll() is None

    def wait(self, timeout: float) -> bool:
        """True if QEMU ends within `timeout` seconds."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        for end in (self.agent_socket, self.terminal_socket, *self.nested_sockets):
            end.close()

    def close(self):
        """Gives up the monitor connection and whatever is left of the process."""
        with contextlib.suppress(Exception):  # lost with the process: nothing left to close
            self.qmp.close()
        self.kill()

    def explain(self, what: str) -> str:
        """`what`, followed by the ends of the logs that say why."""
        parts = [what]
        for name, lines in (("qemu.log", 5), ("console.log", 25)):
            path = self.directory / name
            if path.exists():
                tail = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
                parts += [f"--- end of {path}", *tail]
        return "\n".join(parts)

    def wait_event(self, name: str, timeout: float) -> dict:
        """The next QMP event of that name."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            event = self.qmp.pull_event(wait=left)
            if event and event["event"] == name:
                return event
        raise TimeoutError(f"no QMP event {name} within {timeout} s")
