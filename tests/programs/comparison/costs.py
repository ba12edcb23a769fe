# SPDX-License-Identifier: GPL-2.0
"""What a workload costs: CPU time of the host, exits of the virtual machine, interrupts."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

from harness import Guest
from harness.nested import Vm
from harness.topology import PF_PCI

TICKS = 100  # per second, in /proc/stat
# Counters of KVM per virtual machine, and what they count. What is in `exits` and in none of the
# others (doorbells handled in the kernel, MSRs, interrupt windows) is called "other".
EXITS = {
    "mmio_exits": "registers, in QEMU",
    "io_exits": "I/O ports",
    "halt_exits": "idle",
    "irq_exits": "host interrupt",
}
REST = "other"


@dataclasses.dataclass(frozen=True)
class Costs:
    """Sums, or differences of two sums."""

    cpu_s: float  # all of the host's CPUs, less what the virtual machines used
    guest_cpu_s: float  # what the virtual machines used
    qemu_cpu_s: float  # this machine's QEMU with its vhost thread, less the guest
    exits: Counter
    injected: int  # interrupts KVM injected
    host_irqs: int  # of the card on the host: the PF's, and the VF's, which it forwards
    vm_irqs: int  # of the card in the virtual machine
    packets: int  # through the card of the virtual machine, both ways
    bytes: int

    def __sub__(self, other: Costs) -> Costs:
        exits = Counter(self.exits)
        exits.subtract(other.exits)
        plain = {
            field.name: getattr(self, field.name) - getattr(other, field.name)
            for field in dataclasses.fields(self)
            if field.name != "exits"
        }
        return Costs(exits=exits, **plain)

    def as_json(self) -> dict:
        return {**dataclasses.asdict(self), "exits": dict(self.exits)}


_HOST = (
    "head -n 1 /proc/stat; cat /proc/{pid}/stat; echo ===;"
    "grep . /sys/kernel/debug/kvm/{pid}-*/*exits /sys/kernel/debug/kvm/{pid}-*/irq_injections;"
    f"echo ===; ls /sys/bus/pci/devices/{PF_PCI}/{{{{,virtfn*/}}}}msi_irqs;"
    "echo ===; cat /proc/interrupts"
)
_VM = (
    "d=$(readlink -f /sys/class/net/{nic}/device);"
    "ls $d/msi_irqs 2>/dev/null || ls $d/../msi_irqs; echo ===; cat /proc/interrupts; echo ===;"
    "cat /sys/class/net/{nic}/statistics/{{rx,tx}}_packets;"
    "cat /sys/class/net/{nic}/statistics/{{rx,tx}}_bytes"
)


def _irq_sum(numbers: str, interrupts: str) -> int:
    """How often the interrupts with these numbers came, on all CPUs."""
    wanted = set(numbers.split())
    total = 0
    for line in interrupts.splitlines()[1:]:
        number, _, rest = line.partition(":")
        if number.strip() in wanted:
            total += sum(map(int, re.match(r"[\s\d]*", rest)[0].split()))
    return total


def _cpu(stat: str, process: str) -> tuple[float, float, float]:
    user, nice, system, _idle, _iowait, irq, softirq, steal, guest, *_ = map(int, stat.split()[1:])
    fields = process.rsplit(")", 1)[1].split()
    utime, stime, guest_time = int(fields[11]), int(fields[12]), int(fields[40])
    busy = user + nice + system + irq + softirq + steal
    return ((busy - guest) / TICKS, guest / TICKS, (utime + stime - guest_time) / TICKS)


def _exits(text: str) -> tuple[Counter, int]:
    values = {}
    for line in text.splitlines():
        path, _, value = line.rpartition(":")
        values[path.rsplit("/", 1)[-1]] = int(value)
    exits = Counter({kind: values[name] for name, kind in EXITS.items()})
    exits[REST] = values["exits"] - sum(exits.values())
    return exits, values["irq_injections"]


def read(guest: Guest, vm: Vm) -> Costs:
    stats, kvm, card, irqs = guest.run(_HOST.format(pid=vm.pid)).out.split("===\n")
    stat, process = stats.splitlines()[:2]
    cpu_s, guest_cpu_s, qemu_cpu_s = _cpu(stat, process)
    exits, injected = _exits(kvm)
    own, vm_irqs, counters = vm.run(_VM.format(nic=vm.nic)).out.split("===\n")
    rx, tx, rx_bytes, tx_bytes = map(int, counters.split())
    return Costs(
        cpu_s,
        guest_cpu_s,
        qemu_cpu_s,
        exits,
        injected,
        _irq_sum(card, irqs),
        _irq_sum(own, vm_irqs),
        rx + tx,
        rx_bytes + tx_bytes,
    )
