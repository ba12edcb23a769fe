# SPDX-License-Identifier: GPL-2.0
"""What a guest is made of."""

from __future__ import annotations

import dataclasses

from .kernels import KERNELS, Kernel

# Register accesses the device model does not know, and writes it ignores.
UNKNOWN_REGISTER_EVENTS = (
    "e1000e_wrn_regs_write_unknown",
    "e1000e_wrn_regs_read_unknown",
    "e1000e_wrn_regs_write_ro",
    "igbvf_wrn_io_addr_unknown",
)

DRIVERS = ("igb_rs", "igb")


@dataclasses.dataclass(frozen=True)
class Config:
    """Hashable description of a guest: equal configurations may share one."""

    driver: str = "igb_rs"  # module under test: igb_rs, or the stock C igb to compare
    kernel: str = "stock"  # see kernels.py
    image: str = "guest"  # file system it runs on, see images.py
    nested: int = 0  # guests of its own that can be talked to at the same time
    smp: int = 2
    memory: str = "1G"
    cmdline: str = ""  # added to the kernel command line, e.g. "pci=nomsi"
    # Model of the second NIC (None: the hub has one port). e1000e and igb share trace events, so
    # with such a peer the trace of unknown registers proves nothing.
    peer: str | None = "virtio-net-pci"
    duts: int = 1  # number of 82576 ports, each with a root port of its own
    rom: bool = False  # boot through the NIC's iPXE ROM, which uses the PF first
    machine: str = "q35"  # -M, e.g. "q35,kernel-irqchip=split"
    slot: int = 0x10  # of the first of the harness's own three devices on the root bus
    first_devices: tuple[str, ...] = ()  # -device before all others, e.g. an IOMMU
    devices: tuple[str, ...] = ()  # further -device
    arguments: tuple[str, ...] = ()  # further QEMU arguments
    events: tuple[str, ...] = UNKNOWN_REGISTER_EVENTS  # -trace, into trace.log
    s3: bool = False  # real suspend to RAM is possible
    capture: bool = False  # the wire into wire.pcap
    accel: str | None = None  # None: KVM when it boots the stock kernel, else TCG

    def __post_init__(self):
        if self.driver not in DRIVERS:
            raise ValueError(f"unknown driver {self.driver!r}")
        if self.kernel not in KERNELS:
            raise ValueError(f"unknown kernel {self.kernel!r}")

    @property
    def boots(self) -> Kernel:
        return KERNELS[self.kernel]

    @property
    def total_memory(self) -> str:
        """`memory` is what a guest with the stock kernel needs."""
        return f"{int(self.memory[:-1]) * self.boots.memory}{self.memory[-1]}"
