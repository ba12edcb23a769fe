# SPDX-License-Identifier: GPL-2.0
"""Takes kinds of interrupt away from the PF."""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness import Guest, kmod
from harness.topology import PF_PCI

_SOURCE = Path(__file__).with_name("limit_irqs")


@contextlib.contextmanager
def limited(guest: Guest, *kinds: str):
    """The PF has only these kinds of interrupt, of "msi" and "intx". Drivers are loaded inside."""
    guest.put("/tmp/limit_irqs.ko", kmod.build(_SOURCE, guest.config.boots))
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
