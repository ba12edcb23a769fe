# SPDX-License-Identifier: GPL-2.0
"""The kernels a guest can boot: the stock one, and those built to watch.

The flavours "debug" (memory, locks, leaks, DMA, injected faults), "kcsan" (data races) and "rt"
(PREEMPT_RT, with lockdep) are made by `make debug-kernel`, with FLAVOUR=kcsan or rt for the others;
tests/env/debug-kernel*.config says what each looks at. The kernel "series" is the one that the patch
series makes.
"""

from __future__ import annotations

import dataclasses
import os
from functools import cached_property
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]

# Unit tests run when their test asks for them, not whenever the module is loaded. And a thousand
# failed probes have much to say.
_WATCHING = "kunit.filter_glob=none log_buf_len=8M"


@dataclasses.dataclass(frozen=True)
class Kernel:
    """One kernel, and what a guest that boots it needs."""

    name: str
    slowness: int  # how many times longer than under the stock kernel things may take
    memory: int  # how many times more memory the guest needs
    cmdline: str = ""
    detectors: tuple[str, ...] = ()
    has_driver: bool = False  # igb_rs is part of it, and no module

    @cached_property
    def directory(self) -> Path:
        default = "/kernel" if self.name == "stock" else f"/{self.name}-kernel"
        return Path(os.environ.get(self._variable("KERNEL"), default))

    @cached_property
    def module(self) -> Path:
        """igb_rs.ko built for this kernel."""
        # Another release may be in the place of the stock one (tests/env/other-kernel.sh).
        release = os.environ.get("IGB_RS_RELEASE")
        other = release if self.name == "stock" else self.name
        default = f"build/module-{other}" if other else "build/module"
        return Path(os.environ.get(self._variable("MODULE"), CLONE / default / "igb_rs.ko"))

    def _variable(self, what: str) -> str:
        return f"IGB_RS_{what}" + ("" if self.name == "stock" else f"_{self.name.upper()}")

    @property
    def exists(self) -> bool:
        return (self.directory / "release").exists()

    @cached_property
    def release(self) -> str:
        """As `uname -r` has it."""
        return (self.directory / "release").read_text(encoding="ascii").strip()

    @property
    def vmlinuz(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def modules(self) -> Path | None:
        """Directory with modules the guest's root does not have: those of the stock kernel are
        part of it."""
        return None if self.name == "stock" else self.directory / "lib/modules" / self.release

    def has_module(self, name: str) -> bool:
        """Whether it comes with this module; it may be built in as well."""
        directory = self.directory / "lib/modules" / self.release
        return any(directory.rglob(f"{name}.ko*"))

    @cached_property
    def has_igbvf(self) -> bool:
        """Debian's kernels for clouds have no driver for VFs of the 82576."""
        return self.has_module("igbvf")

    def watches(self, detector: str) -> bool:
        return detector in self.detectors


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("stock", slowness=1, memory=1),
        # Every report counts, not only the first. Poisoned pages show a device that writes into
        # memory it no longer owns, which KASAN cannot see. Checked slabs have no sheaves: an array of
        # free objects keeps the address of one it gave away until another takes its place, and for as
        # long kmemleak believes that the array refers to it. While the kernel identifies its processor
        # it forgets for a moment that page tables have five levels, and KASAN then reports each access
        # of an interrupt: four levels will do.
        Kernel(
            "debug",
            slowness=5,
            memory=2,
            cmdline=f"{_WATCHING} kasan_multi_shot page_poison=1 slab_debug=F no5lvl",
            detectors=("kasan", "lockdep", "kmemleak", "dma-api", "ubsan", "faults", "kunit"),
        ),
        # The detector halts at an access for a while, to see whether another processor comes along: one
        # that is emulated takes longer than the usual 80 and 20 us to come anywhere.
        Kernel(
            "kcsan",
            slowness=8,
            memory=2,
            cmdline=f"{_WATCHING} kcsan.udelay_task=400 kcsan.udelay_interrupt=100",
            detectors=("kcsan", "lockdep", "kunit"),
        ),
        Kernel("rt", slowness=3, memory=1, cmdline=_WATCHING, detectors=("lockdep",)),
        # Built from the patch series (tests/series), which says where it is. Unit tests run while it boots.
        Kernel("series", slowness=1, memory=1, cmdline="log_buf_len=8M", has_driver=True),
    )
}
