# SPDX-License-Identifier: GPL-2.0
"""Takes kinds of interrupt away from the PF."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from harness import Guest, images
from harness.topology import PF_PCI

_SOURCE = Path(__file__).with_name("limit_irqs")
_COMPILER = ("CC=x86_64-linux-gnu-gcc-14", "CROSS_COMPILE=x86_64-linux-gnu-")


def _module() -> Path:
    """The test module, built for the stock kernel."""
    output = images.CLONE / "build/limit_irqs"
    output.mkdir(parents=True, exist_ok=True)
    subprocess.run(["make", "-s", "-C", images.KERNEL / "kdir", f"M={_SOURCE}", f"MO={output}",
                    *_COMPILER, "modules"], check=True)
    return output / "limit_irqs.ko"


@contextlib.contextmanager
def limited(guest: Guest, *kinds: str):
    """The PF has only these kinds of interrupt, of "msi" and "intx". Drivers are loaded inside."""
    guest.put("/tmp/limit_irqs.ko", images.stripped(_module()))
    parameters = " ".join(f"{kind}=1" for kind in kinds)
    guest.run(f"insmod /tmp/limit_irqs.ko device={PF_PCI} {parameters}")
    try:
        yield
    finally:
        guest.run("rmmod limit_irqs")


@contextlib.contextmanager
def no_message_signalled(guest: Guest):
    """The root port lets no MSI or MSI-X through, as some boards demand."""
    control = f"$(dirname $(readlink -f /sys/bus/pci/devices/{PF_PCI}))/msi_bus"
    guest.run(f"echo 0 >{control}")
    try:
        yield
    finally:
        guest.run(f"echo 1 >{control}")
