# SPDX-License-Identifier: GPL-2.0
"""Errors of the bus, as the kernel's aer_inject makes them."""

from __future__ import annotations

import pytest

from harness.topology import Lan

from .life import DEVICE

# With a root port that is faster, the kernel waits for a report that the link is active before it
# calls a reset of the slot a success. QEMU's root port does not make that report.
RECOVERS = ("-global", "pcie-root-port.x-speed=5")
recovers = pytest.mark.guest(arguments=RECOVERS)

# struct aer_error_inj: bus, device, function, uncorrectable and correctable status, header, domain
INJECT = """modprobe aer_inject && python3 - <<'END'
import struct
with open("/dev/aer_inject", "wb", buffering=0) as file:
    file.write(struct.pack("=3Bx2I4II", 1, 0, 0, {uncorrectable:#x}, {correctable:#x},
                           0, 1, 2, 3, 0))
END"""

# Kinds of errors by the kernel's names for them: uncorrectable and correctable status.
ERRORS = {
    "correctable": (0, 0x1),  # receiver error
    "nonfatal": (0x4000, 0),  # completion timeout
    "fatal": (0x4_0000, 0),  # malformed TLP
}


def command(kind: str) -> str:
    """The shell's command for an error of the PF."""
    uncorrectable, correctable = ERRORS[kind]
    return INJECT.format(uncorrectable=uncorrectable, correctable=correctable)


def inject(lan: Lan, kind: str):
    """One error of the PF, and waits until the bus has counted it."""
    _until_more(lan, f"$(tail -n 1 {DEVICE}/aer_dev_{kind} | sed 's/.* //')", command(kind))


def recover(lan: Lan, kind: str):
    """One error of the PF, and waits until the kernel and all drivers are done with it."""
    _until_more(lan, "$(dmesg | grep -c 'device recovery successful')", command(kind))


def _until_more(lan: Lan, count: str, cause: str):
    before = lan.guest.run(f"echo {count}").text
    lan.guest.run(cause)
    lan.guest.wait_until(f"[ {count} -gt {before} ]", 60)
