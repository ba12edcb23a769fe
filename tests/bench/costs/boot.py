# SPDX-License-Identifier: GPL-2.0
"""One measured boot: a guest with the plugin, and what came of a script in it."""

from __future__ import annotations

import dataclasses
import enum
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from harness.config import Config
from harness.guest import Guest
from harness.topology import PF_PCI, Lan

from . import BENCH, BUILD
from .build import PLUGIN, PROBE, PROGRAMS
from .phase import KINDS, Invalid, Phase, parse

if TYPE_CHECKING:
    from .row import Row

# By what the kernel calls the driver: names of functions of the module, each of at least one.
ROOTS = {
    "igb": {
        "xmit": ("igb_xmit_frame",),
        "poll": ("igb_poll",),
        "irq": ("igb_msix_ring",),
        "frames": ("igb_xdp_xmit",),
        "wakeup": ("igb_xsk_wakeup",),
        "mailbox": ("igb_msix_other",),
    },
    "igb_rs": {
        "xmit": (".*net3ops.*10start_xmit.*",),
        # Of a pair with pages, and of one with sockets' buffers.
        "poll": (
            ".*net4napi.*4poll4Pair.*2rx6RxRing.*13poll_callback.*",
            ".*net4napi.*4poll4Pair.*2rx3xsk7Sockets.*13poll_callback.*",
        ),
        "irq": (".*net3irq5serve.*11PairHandler.*",),
        "frames": (".*net3ops3xdp.*8xdp_xmit.*",),
        "wakeup": (".*net3ops3xdp.*10xsk_wakeup.*",),
        "mailbox": (".*net3irq10serve_hard.*14MailboxHandler.*",),
    },
}
IN_GUEST = "/tmp/bench"
PINNED = "/sys/fs/bpf/bench"
SCRIPT_SECONDS = 900  # of virtual time: some 20 are used


@dataclasses.dataclass
class Outcome:
    """What a script in one guest measured."""

    driver: str
    phases: dict[str, Phase]
    values: dict[str, float]
    functions: dict[str, list[int]]  # by kind, "upcall" included: addresses
    names: dict[int, tuple[str, str]]  # function and module of an address
    upcalls: dict[int, str]

    def calls(self, phase: str, kind: str) -> int:
        return sum(self.phases[phase].calls[address] for address in self.functions[kind])

    def delivered(self, phase: str) -> int:
        """Packets handed up the stack."""
        return sum(
            self.phases[phase].calls[address]
            for address, name in self.upcalls.items()
            if name == "gro_receive_skb"
        )


class Clock(enum.Enum):
    """What a suite measures by. Not both on several CPUs: the emulator then executes string
    instructions wrongly when it ends a CPU's turn within one."""

    BOTH = enum.auto()  # what the plugin counts, and virtual time
    COUNTS = enum.auto()  # CPUs run as they do: times are the host's
    TIME = enum.auto()  # CPUs take turns


@dataclasses.dataclass(frozen=True)
class Suite:
    """Rows, and the script and the guest that measure them. `iommu`: the kernel's setting for one
    that translates; none without. `programs`: those of guest/xdp.bpf.c are there."""

    name: str
    rows: tuple[Row, ...]
    script: str
    smp: int = 1
    clock: Clock = Clock.BOTH
    iommu: str = ""
    ports: int = 1
    programs: bool = False


def config(driver: str, cost: Path, suite: Suite) -> Config:
    """Virtual time is the number of instructions executed, and idle time is skipped. The registers
    of a VF without driver may be mapped (`iomem=relaxed`)."""
    clock = suite.clock
    arguments = ()
    if clock is not Clock.TIME:
        arguments += ("-plugin", f"{PLUGIN},out={cost}")
    if clock is not Clock.COUNTS:
        arguments += ("-icount", "shift=0,sleep=off")
    return Config(
        driver=driver,
        smp=suite.smp,
        peer="e1000e",
        duts=suite.ports,
        events=(),
        accel="tcg",
        cmdline=f"nokaslr iomem=relaxed {suite.iommu}".rstrip(),
        first_devices=("intel-iommu,intremap=on",) if suite.iommu else (),
        arguments=arguments,
    )


class Measurement:
    """A booted guest with the driver loaded, the peer up and the plugin told what to count."""

    def __init__(self, driver: str, suite: Suite):
        self.driver = driver
        self.directory = BUILD / f"{suite.name}-{driver}"
        self.cost = self.directory / "cost.txt"
        self.counted = suite.clock is not Clock.TIME
        self.guest = Guest(config(driver, self.cost, suite), self.directory)
        try:
            Lan(self.guest).up()
            self._install()
            if suite.programs:
                self._load_programs()
            self.functions = self._survey() if self.counted else {"upcall": []}
        except BaseException:
            self.guest.machine.close()
            raise

    def __enter__(self) -> Measurement:
        return self

    def __exit__(self, *_):
        self.guest.power_off()

    def _install(self):
        for path in [PROBE, *(BENCH / "guest").iterdir()]:
            if path.suffix not in (".c", ".h"):
                self.guest.put(f"{IN_GUEST}/{path.name}", path.read_bytes(), 0o755)

    def _load_programs(self):
        """Before anything is instrumented: what they do is not the driver's."""
        self.guest.put(f"{IN_GUEST}/{PROGRAMS.name}", PROGRAMS.read_bytes())
        self.guest.run(
            f"sysctl -q net.core.bpf_jit_kallsyms=1 && "
            f"bpftool prog loadall {IN_GUEST}/{PROGRAMS.name} {PINNED} type xdp "
            f"pinmaps {PINNED}/maps"
        )

    def _survey(self) -> dict[str, list[int]]:
        roots = [
            shlex.quote(f"{kind}={pattern}")
            for kind, patterns in ROOTS[self.driver].items()
            for pattern in patterns
        ]
        found = json.loads(
            self.guest.run(
                f"python3 {IN_GUEST}/symbols.py survey {self.driver} {PF_PCI} {' '.join(roots)}",
                timeout=300,
            ).out
        )
        if found["unknown"]:
            raise Invalid(f"{self.driver}: no function matches {found['unknown']}; see boot.py")
        marks = [
            f"function {[*KINDS, 'upcall'].index(kind)} {address:#x}"
            for kind, addresses in found["functions"].items()
            for address in addresses
        ]
        marks += [f"text {start:#x} {end:#x}" for start, end in found["text"]]
        marks += ["bar {:#x} {:#x}".format(*found["bar"]), "arm"]
        self.guest.run(" && ".join(f"{IN_GUEST}/probe mark {mark}" for mark in marks))
        return found["functions"]

    def must_be_translated(self):
        """The rows are about an IOMMU that the PF is behind."""
        kind = self.guest.read(f"/sys/bus/pci/devices/{PF_PCI}/iommu_group/type")
        if kind not in ("DMA", "DMA-FQ"):
            raise Invalid(f"{self.driver}: the IOMMU's domain is {kind!r}, not one that translates")

    def run(self, script: str) -> Outcome:
        """Runs a script of the directory `guest` and reads what it and the plugin say."""
        result = self.guest.run(f"bash {IN_GUEST}/{script}", timeout=SCRIPT_SECONDS)
        (self.directory / "script.log").write_text(result.out + result.err, encoding="utf-8")
        labels, values = {}, {}
        for line in result.out.splitlines():
            word, *rest = line.split()
            if word == "phase":
                labels[int(rest[0])] = rest[1]
            elif word == "value":
                if len(rest) != 2:
                    raise Invalid(
                        f"{self.driver}: no value for {rest[0]}; see script.log and "
                        f"console.log in {self.directory}"
                    )
                values[rest[0]] = float(rest[1])
        phases = parse(self.cost) if self.counted else {}
        if phases.keys() != labels.keys():
            raise Invalid(
                f"{self.driver}: phases {sorted(labels)} ran, {sorted(phases)} were counted"
            )
        named = {labels[number]: phase for number, phase in phases.items()}
        addresses = {address for phase in named.values() for address in phase.insns}
        names = self._names(sorted(addresses | set(self.functions["upcall"])))
        return Outcome(
            self.driver,
            named,
            values,
            self.functions,
            names,
            {address: names[address][0] for address in self.functions["upcall"]},
        )

    def _names(self, addresses: list[int]) -> dict[int, tuple[str, str]]:
        lines = "".join(f"{address:x}\n" for address in addresses)
        found = self.guest.run(f"python3 {IN_GUEST}/symbols.py names", timeout=300, stdin=lines)
        return {
            address: tuple(name)
            for address, name in zip(addresses, json.loads(found.out), strict=True)
        }


def measure(driver: str, suite: Suite) -> Outcome:
    """Boots a guest with `driver` and runs the script of `suite` in it."""
    print(f"{suite.name} with {driver} ...", flush=True)
    with Measurement(driver, suite) as measurement:
        if suite.iommu:
            measurement.must_be_translated()
        return measurement.run(suite.script)
