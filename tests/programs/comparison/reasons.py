# SPDX-License-Identifier: GPL-2.0
"""Why the virtual machine leaves for the host, from the trace point kvm_exit. Tracing costs time
on each exit, so the rounds that are timed go without."""

from __future__ import annotations

import re
from collections import Counter

from . import costs, workloads
from .nics import Subject

_EVENT = "/sys/kernel/tracing/events/kvm/kvm_exit"

# Exit codes of SVM and of VMX. The same code means different things to the two.
_SVM = {
    0x60: "host interrupt",
    0x64: "interrupt window",
    0x78: "idle (HLT)",
    0x7B: "I/O port",
    0x7C: "MSR",
    0x400: "register (MMIO)",
}
_VMX = {
    1: "host interrupt",
    7: "interrupt window",
    12: "idle (HLT)",
    30: "I/O port",
    31: "MSR",
    32: "MSR",
    48: "register (MMIO)",
    49: "register (MMIO)",
    56: "interrupt controller",
    45: "interrupt controller",
}
OTHER = "other"


def _names(guest) -> dict[int, str]:
    return _SVM if guest.succeeds("grep -q kvm_amd /proc/modules") else _VMX


def of(subject: Subject, workload: str) -> dict:
    """Exits by reason during one workload, and how many packets the card carried meanwhile."""
    guest, vm = subject.vm.host.guest, subject.vm
    vcpu = guest.run(f"grep -l '^CPU 0/KVM' /proc/{vm.pid}/task/*/comm | cut -d/ -f5").text
    trigger = f"hist:keys=exit_reason:size=256 if common_pid=={vcpu}"
    guest.run(f"echo '{trigger}' >{_EVENT}/trigger")
    try:
        before = costs.read(guest, vm)
        workloads.WORKLOADS[workload](subject)
        spent = costs.read(guest, vm) - before
        text = guest.read(f"{_EVENT}/hist")
    finally:
        guest.run(f"echo '!{trigger}' >{_EVENT}/trigger", check=False)
    names = _names(guest)
    counted: Counter = Counter()
    for code, hits in re.findall(r"exit_reason:\s*(\d+)\s*\}\s*hitcount:\s*(\d+)", text):
        counted[names.get(int(code), OTHER)] += int(hits)
    return {"exits": dict(counted), "packets": spent.packets}
