# SPDX-License-Identifier: GPL-2.0
"""A VF that attacks (tests/guest/attack.py), and what that costs everybody else."""

from __future__ import annotations

import contextlib
import json
import re
import time

from harness import Guest
from harness.topology import PF_PCI

from .mailbox import V2PMAILBOX, RawVf
from .registers import Registers

# Kinds of attack that go on without pause.
STORMS = ("ring", "hold", "ack", "reset", "flr", "garbage")


@contextlib.contextmanager
def confined(guest: Guest):
    """Interrupts and kernel threads of the PF on CPU 0, where they are seen. No VF may be bound to
    igbvf, which waits for them in a loop, perhaps on this very CPU."""
    cpus = "/sys/devices/virtual/workqueue/cpumask"
    every = guest.read(cpus)
    guest.run(f"""
        echo 1 >{cpus}
        for irq in /proc/irq/[0-9]*; do echo 1 >$irq/smp_affinity; done 2>/dev/null; true""")
    try:
        yield
    finally:
        guest.run(f"echo {every} >{cpus}")


class Attack:
    """An attack that runs in the background, on the last CPU."""

    def __init__(self, vf: RawVf, kind: str, seconds: float, seed: int = 0):
        self.job = vf.guest.start_call(
            "attack",
            vf.pci,
            kind,
            seconds,
            seed,
            vf.guest.config.smp - 1,
            timeout=20 * seconds + 60,
        )

    def wait(self) -> float:
        """Number of operations per second."""
        told = json.loads(self.job.wait().out)
        return told["operations"] / told["seconds"]


@contextlib.contextmanager
def under(vf: RawVf, kind: str):
    """An attack for as long as the block takes."""
    attack = Attack(vf, kind, 300)
    # Started, and past the burst that is everybody's due.
    vf.guest.run("sleep 1.5")
    try:
        yield
    finally:
        attack.job.kill()


def busy(guest: Guest, seconds: float = 1.0, cpu: int = 0) -> float:
    """Share of a stretch of time in which a CPU was not idle."""
    sample = f"head -n1 /proc/uptime; grep '^cpu{cpu} ' /proc/stat"
    first, second = (
        _idle(text)
        for text in guest.run(f"{sample}; echo; sleep {seconds}; {sample}", timeout=60).out.split(
            "\n\n"
        )
    )
    (then, idle_then), (now, idle_now) = first, second
    return max(0.0, 1 - (idle_now - idle_then) / (now - then))


def _idle(text: str) -> tuple[float, float]:
    """Uptime and idle time in seconds."""
    uptime, stat = text.strip().splitlines()
    fields = stat.split()
    return float(uptime.split()[0]), (int(fields[4]) + int(fields[5])) / 100


# A guest with one CPU whose time is the number of instructions it has executed (2 ns each), so
# that what a program and the kernel do takes as long on a busy machine as on an idle one.
COUNTED = {"smp": 1, "accel": "tcg", "arguments": ("-icount", "shift=1")}

IMS, IMC = 0x00D0, 0x00D8
ICR_VMMB = 1 << 8


def cost(vf: RawVf, kind: str) -> float:
    """Share of the CPU an attack takes from its own author in a guest made of COUNTED: the loop it
    runs is slower by all that interrupts and kernel threads do. To compare, the same loop with the
    mailbox interrupt of the PF masked."""
    pf = Registers(vf.guest)
    pf.write(IMC, ICR_VMMB)
    undisturbed = Attack(vf, kind, 1).wait()
    pf.write(IMS, ICR_VMMB)
    # Past the burst that is everybody's due.
    Attack(vf, kind, 1.5).wait()
    return 1 - Attack(vf, kind, 2).wait() / undisturbed


TRACING = "/sys/kernel/tracing"
# "... irq_handler_entry: irq=28 name=dut" and "... irq_handler_exit: irq=28 ret=handled", after a time
# in seconds. Sums the time between both of each pair, counts them, and begins with the whole time.
SUM_OF_HANDLERS = r"""
    match($0, /[0-9]+\.[0-9]+: irq_handler_/) {
        time = substr($0, RSTART) + 0
        if (/handler_entry/) { begin = time; if (!first) first = time }
        else if (begin) { sum += time - begin; count++; begin = 0; last = time }
    }
    END { print last - first, sum, count }
"""


class HardInterrupts:
    """What the handlers of the PF's interrupts took while the block ran, in a guest of one CPU. The
    entry into the kernel and the way back are not in it."""

    share = 0.0
    count = 0

    def __init__(self, guest: Guest):
        self._guest = guest

    def __enter__(self):
        numbers = self._guest.run(f"ls /sys/bus/pci/devices/{PF_PCI}/msi_irqs").out.split()
        filtered = " || ".join(f"irq == {number}" for number in numbers)
        self._guest.run(f"""
            mountpoint -q {TRACING} || mount -t tracefs tracefs {TRACING}
            cd {TRACING} && echo 0 >tracing_on && echo mono >trace_clock
            echo 16384 >buffer_size_kb
            for event in entry exit; do
                echo '{filtered}' >events/irq/irq_handler_$event/filter
                echo 1 >events/irq/irq_handler_$event/enable
            done
            echo >trace; echo 1 >tracing_on""")
        return self

    def __exit__(self, *_):
        taken = self._guest.run(
            f"""cd {TRACING} && echo 0 >tracing_on && awk '{SUM_OF_HANDLERS}' trace
            for event in entry exit; do
                echo 0 >events/irq/irq_handler_$event/enable
                echo 0 >events/irq/irq_handler_$event/filter
            done
            echo >trace; echo 1 >buffer_size_kb; echo 1 >tracing_on""",
            timeout=120,
        ).out.split()
        whole, handlers, self.count = float(taken[0]), float(taken[1]), int(taken[2])
        self.share = handlers / whole if whole else 0.0


def log_times(guest: Guest) -> list[float]:
    """When the kernel said something about the PF and its VFs, in seconds of the guest's clock."""
    lines = guest.run(f"dmesg | grep -E '{re.escape(PF_PCI[:-2])}|igb' || true").out
    return [float(found) for found in re.findall(r"^\[ *([\d.]+)\]", lines, re.MULTILINE)]


def lines_a_minute(guest: Guest, since: list[float]) -> int:
    """Most lines within a minute, of those after the ones of an earlier `log_times`."""
    times = log_times(guest)[len(since) :]
    return max((sum(begin <= time < begin + 60 for time in times) for begin in times), default=0)


def recovered(vf: RawVf, seconds: float = 20) -> bool:
    """Whether the VF gets through its handshake, as its driver would try: again and again."""
    end = time.monotonic() + seconds * vf.guest.slowness
    while time.monotonic() < end:
        ready, answer = vf.script(("write", V2PMAILBOX, 0), ("ready", 5), ("send", [1], 2))[1:]
        if ready and answer["reply"] and answer["reply"][0] & 0xFF == 1:
            return True
    return False
