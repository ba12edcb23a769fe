# SPDX-License-Identifier: GPL-2.0
"""Errors of the bus, as the kernel's aer_inject makes them."""

from __future__ import annotations

import struct

import pytest

from harness.topology import PF_PCI, Lan

from .life import DEVICE

# With a root port that is faster, the kernel waits for a report that the link is active before it
# calls a reset of the slot a success. QEMU's root port does not make that report.
RECOVERS = ("-global", "pcie-root-port.x-speed=5")
recovers = pytest.mark.guest(arguments=RECOVERS)

# A second port behind a switch, on the wire of the others, and a function of another kind beside it.
BEHIND_A_SWITCH = (
    "-netdev",
    "hubport,id=far,hubid=0",
    "-device",
    "pcie-root-port,id=rpfar,chassis=8,slot=8,addr=0x8",
    "-device",
    "x3130-upstream,id=upstream,bus=rpfar",
    "-device",
    "xio3130-downstream,id=down0,bus=upstream,chassis=9,slot=9,addr=0x0",
    "-device",
    "xio3130-downstream,id=down1,bus=upstream,chassis=10,slot=10,addr=0x1",
    "-device",
    "igb,id=dut1,bus=down0,netdev=far,mac=52:54:00:82:57:10,romfile=",
    "-device",
    "e1000e,id=neighbour,bus=down1,romfile=",
)
SWITCH, FAR_PORT, NEIGHBOUR = "0000:03:00.0", "0000:05:00.0", "0000:06:00.0"

# A device whose memory can be put in the place of the PF's registers: where nothing is, the emulator answers with
# zeros, and hardware with ones.
ONES_PCI, _SIZE = "0000:00:09.0", 0x2_0000
ONES = (
    "-object",
    f"memory-backend-ram,id=ones,size={_SIZE}",
    "-device",
    "ivshmem-plain,memdev=ones,addr=0x9",
)
# The same for the page of registers that says whose queues were stopped (tests/guest/stopped.py).
PAGE_PCI = "0000:00:0a.0"
PAGE = (
    "-object",
    "memory-backend-ram,id=page,size=4096",
    "-device",
    "ivshmem-plain,memdev=page,addr=0xa",
)
# The first commands that make it so, and those by which the PF does not answer, a reader notices, and it answers again.
ONES_READY = f"""set -e
setpci -s {ONES_PCI} COMMAND=2:2
python3 - <<'END'
import mmap
with open("/sys/bus/pci/devices/{ONES_PCI}/resource2", "r+b") as file:
    mmap.mmap(file.fileno(), {_SIZE})[:] = bytes([255]) * {_SIZE}
END
setpci -s {ONES_PCI} COMMAND=0:2
"""
AWAY = f"""set -e
there=$(setpci -s {ONES_PCI} BASE_ADDRESS_2.L)
read -r bar rest <{DEVICE}/resource
setpci -s {ONES_PCI} BASE_ADDRESS_2.L=$(printf %x $bar) -s {PF_PCI} COMMAND=0:2 -s {ONES_PCI} COMMAND=2:2
ethtool -S dut >/dev/null
setpci -s {ONES_PCI} COMMAND=0:2 BASE_ADDRESS_2.L=$there -s {PF_PCI} COMMAND=2:2
"""

# struct aer_error_inj: bus, device, function, uncorrectable and correctable status, header, domain
_ERROR = struct.Struct("=3Bx2I4II")

# Kinds of errors by the kernel's names for them: uncorrectable and correctable status.
ERRORS = {
    "correctable": (0, 0x1),  # receiver error
    "nonfatal": (0x4000, 0),  # completion timeout
    "fatal": (0x4_0000, 0),  # malformed TLP
}


def command(kind: str, pci: str = PF_PCI) -> str:
    """The shell's command for an error of a function that is the first of its bus."""
    uncorrectable, correctable = ERRORS[kind]
    bus = int(pci.split(":")[1], 16)
    error = _ERROR.pack(bus, 0, 0, uncorrectable, correctable, 0, 1, 2, 3, 0)
    text = "".join(f"\\{byte:03o}" for byte in error)
    return f"modprobe aer_inject && printf '{text}' >/dev/aer_inject"


def inject(lan: Lan, kind: str):
    """One error of the PF, and waits until the bus has counted it."""
    _until_more(lan, f"$(tail -n 1 {DEVICE}/aer_dev_{kind} | sed 's/.* //')", command(kind))


def recover(lan: Lan, kind: str, pci: str = PF_PCI, before: str = ""):
    """One error of the PF or another function, right after some commands, and waits until the kernel and all drivers
    are done with it."""
    _until_more(lan, "$(dmesg | grep -c 'device recovery successful')", before + command(kind, pci))


def _until_more(lan: Lan, count: str, cause: str):
    before = lan.guest.run(f"echo {count}").text
    lan.guest.run(cause)
    lan.guest.wait_until(f"[ {count} -gt {before} ]", 60)
