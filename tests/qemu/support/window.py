# SPDX-License-Identifier: GPL-2.0
"""Runs the fuzzer of a VF's registers (tests/window) in a guest.

The guest's clock counts instructions and passes over idle time, so nothing waits for real, and no limit
depends on how busy this machine is."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness import Guest, images
from harness.topology import PEER, PF, PF_HOST, PF_PCI, Lan
from harness.traffic import mac_of

from .registers import documented

PROGRAM, PLAN, STEPS = "/tmp/window", "/tmp/window.plan", "/tmp/window.steps"
# The neighbour's address is the administrator's; the peer's is one that no VF may choose.
NEIGHBOUR, OUTSIDE = "02:00:00:00:99:01", "00:1b:21:00:00:02"
NR_VFS = 2
# Steps between two resets of everything, and judgements within.
RUN, BATCH = 20_000, 500
PF_POOL, PF_VECTORS = NR_VFS, 3
# Of each ring of the PF's.
DESCRIPTORS = 64


SOURCE, OUTPUT = images.CLONE / "tests/window", images.CLONE / "build/window"
PLUGIN = OUTPUT / "work.so"
WARNINGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")
INCLUDE = f"-I{images.CLONE / 'tests/bench/plugin'}"
# A function of the driver that begins whenever it has an interrupt, or a work item.
INTERRUPT, WORK_ITEM = "irq10serve_hard.*14MailboxHandler", "4work12run_callback"


def compiled(output: Path, *what):
    """Builds a file of `OUTPUT`. It takes a second or two, so it is made whenever it is needed."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc-14", *WARNINGS, INCLUDE, "-o", output, *what], check=True)


def build_plugin():
    """What QEMU loads."""
    source = SOURCE / "plugin/work.c"
    compiled(PLUGIN, "-fPIC", "-shared", "-fvisibility=hidden", source, "-l:libglib-2.0.so.0")


def build_program() -> bytes:
    """What runs in the guest."""
    program = OUTPUT / "window"
    compiled(program, "-D_GNU_SOURCE", "-static", "-s", *sorted(SOURCE.glob("*.c")))
    return program.read_bytes()


def vectors(vf: int) -> int:
    """Bits of the three vectors of a VF."""
    return 0b111 << 22 - 3 * vf


@dataclasses.dataclass(frozen=True)
class May:
    """Registers that may be others than they were, whatever the attacker does."""

    names: str  # regular expression
    why: str
    rule: str = "mask"
    mask: int = 0xFFFFFFFF  # bits that may


def exceptions(attacker: int, neighbour: int) -> list[May]:
    """What may change beside VF `attacker`, by name; the first that fits counts."""
    a, n, pf = attacker, neighbour, PF_POOL
    own = rf"\[({a}|{a + 8})\]"
    busy = rf"\[({n}|{n + 8}|{pf}|{pf + 8})\]"
    ring = "(SRRCTL|[RT]D(BA[LH]|LEN|H|T)|[RT]X(D)?CTL|TDWBA[LH])"
    return [
        May(ring + own, "the attacker's queues"),
        May(rf"(IVAR|VTIVAR|VTIVAR_MISC|PSRTYPE|PVT\w+)\[{a}\]", "of the attacker's VF"),
        May(
            rf"VMOLR\[{a}\]",
            "its longest frame, untagged frames, multicast and VLAN tags; no unicast that is not its own",
            mask=0x53003FFF,
        ),
        May(rf"VMVIR\[{a}\]", "the VLAN that a setting puts it into", mask=0x4000EFFF),
        May(rf"EITR\[({'|'.join(str(22 - 3 * a + v) for v in range(3))})\]", "its vectors"),
        May(rf"VMBMEM\[({'|'.join(str(16 * a + w) for w in range(16))})\]", "its mailbox"),
        May(rf"VMBMEM\[({'|'.join(str(16 * n + w) for w in range(3))})\]", "the neighbour talks"),
        May(r"P2VMAILBOX\[\d\]|MBVFICR|VFLRE", "conversations"),
        May("VFRE|VFTE", "the attacker's pool", mask=1 << a),
        May("DTXSWC", "spoof checks of its pool, and loopback", mask=0x010101 << a),
        May("EIMS|EIAC", "its vectors; the PF's, which NAPI masks", mask=vectors(a) | 7),
        May("EIAM", "QEMU: what a VF writes sets the others' bits as well"),
        May(r"(RDH|RDT|TDH|TDT)" + busy, "frames"),
        May(
            rf"(RDBAL|RDBAH|TDBAL|TDBAH)\[({pf}|{pf + 8})\]",
            "rings of the PF's are allocated anew when its queues are opened",
            rule="reopened",
            mask=0,
        ),
        May(rf"EITR\[({'|'.join(str(v) for v in range(PF_VECTORS))})\]", "moderation of the PF's"),
        May("RTTDQSEL|RTTBCNRC", "whose rate was set last"),
        May(r"EERD|EECD|MDIC|SW_FW_SYNC|FRTIMER|GORCL|GOTCL|PVF\w+\[\d\]", "move by themselves"),
        May("SYSTIM[LH]", "the clock goes on"),
        May("TXSTMPH|RXSTMPH|RXSATRH", "reading it makes room for the next stamp"),
        May(r"(RAL|RAH)\[\d+\]", "entries of the attacker", rule="address", mask=0),
        May(r"VLVF\[\d+\]", "membership of the attacker", rule="vlvf", mask=0),
        May(r"(VFTA|MTA)\[\d+\]", "what the attacker joins", rule="table", mask=0),
    ]


def judged(attacker: int, neighbour: int) -> list[str]:
    """Lines of the plan: rule, name, offset and mask of what reading has no effect on."""
    excused = exceptions(attacker, neighbour)
    lines = []
    for name, register in documented().items():
        if register.access in ("RC", "RS", "WO"):
            continue
        may = next((may for may in excused if re.fullmatch(may.names, name)), None)
        rule, mask = (may.rule, may.mask) if may else ("mask", 0)
        if rule == "mask" and mask == 0xFFFFFFFF:
            continue
        lines.append(f"{rule} {name} {register.offset:#x} {mask:#x}")
    # A RAL is followed by its RAH.
    return sorted(lines, key=lambda line: int(line.split()[2], 16))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the program has printed."""

    wrong: str | None  # the first thing that was
    number: int  # of the step after which it was
    figures: dict[str, int]

    @classmethod
    def parse(cls, text: str) -> Outcome:
        wrong = re.search(r"^wrong (\d+) (.*)", text, re.MULTILINE)
        figures = dict(re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE))
        return cls(
            wrong and wrong[2],
            int(wrong[1]) if wrong else 0,
            {name: int(value) for name, value in figures.items()},
        )


class Window:
    """The fuzzer, ready in a guest whose VFs `attacker` and the other one are its own."""

    def __init__(self, lan: Lan, attacker: int = 0, batch: int = BATCH):
        self.lan, self.guest = lan, lan.guest
        neighbour = 1 - attacker
        guest = self.guest
        guest.run(f"ip link set peer address {OUTSIDE}", netns=PEER.netns)
        # The fewest buffers there can be: with detectors it takes a second of a processor to allocate the usual
        # number, and the PF's queues are opened anew again and again.
        guest.run(f"ethtool -G {PF} rx {DESCRIPTORS} tx {DESCRIPTORS}")
        path = f"/sys/bus/pci/devices/{PF_PCI}/sriov_drivers_autoprobe"
        assert guest.write(path, "0").rc == 0
        assert lan.set_numvfs(NR_VFS).rc == 0
        assert guest.write(path, "1").rc == 0
        assert lan.link_set(f"vf {neighbour} mac {NEIGHBOUR}").rc == 0
        lan.settle()
        vfs = [lan.vf_pci(vf) for vf in (attacker, neighbour)]
        guest.run("modprobe vfio-pci")
        for vf in vfs:
            guest.run(
                f"echo vfio-pci >/sys/bus/pci/devices/{vf}/driver_override &&"
                f" echo {vf} >/sys/bus/pci/drivers_probe"
            )
        head = (
            f"{PF_PCI} {PF} {attacker} {vfs[0]} {neighbour} {vfs[1]} /run/netns/{PEER.netns}"
            f" {NEIGHBOUR} {1 << 18} {batch} {guest.slowness} "
            + " ".join(f"{word:x}" for word in self._survey())
            + f" {mac_of(guest, PF_HOST)}"
        )
        guest.put(PLAN, "\n".join([head, *judged(attacker, neighbour), ""]).encode())
        guest.put(PROGRAM, build_program(), 0o755)

    def _survey(self) -> list[int]:
        """For the plugin: the driver's code, the PF's registers, two functions."""
        symbols = [
            (int(address, 16), name)
            for address, kind, name, *_ in (
                line.split()
                for line in self.guest.run("grep '\\[igb_rs\\]' /proc/kallsyms").out.splitlines()
            )
            if kind in "tT" and not name.startswith("__pfx_")
        ]
        bar = self.guest.read(f"/sys/bus/pci/devices/{PF_PCI}/resource").split()
        first, last = (int(word, 16) for word in bar[:2])
        functions = []
        for pattern in (INTERRUPT, WORK_ITEM):
            (found,) = [address for address, name in symbols if re.search(pattern, name)]
            functions.append(found)
        code = [address for address, _ in symbols]
        return [min(code), max(code) + 4096, first, last - first + 1, *functions]

    def run(self, seed: int, steps: int) -> Outcome:
        """So many random steps."""
        return self._judged(f"run {seed} {steps}", steps)

    def runs(self, seed: int, steps: int) -> Iterator[tuple[int, Outcome]]:
        """As many random steps in runs that can be repeated one by one, each with its seed: the
        first of them, and then every second one, as the attacker is VF `seed & 1`."""
        while steps > 0:
            outcome = self.run(seed, min(steps, RUN))
            yield seed, outcome
            seed, steps = seed + 2, steps - RUN

    def replay(self, steps: list[str]) -> Outcome:
        self.guest.put(STEPS, "".join(f"{step}\n" for step in steps).encode())
        return self._judged(f"replay <{STEPS}", len(steps))

    def _judged(self, what: str, steps: int) -> Outcome:
        # The guest's own time; pytest has a limit of the machine's.
        timeout = 600 + steps / 10
        result = self.guest.run(f"{PROGRAM} {PLAN} {what}", timeout=timeout, check=False)
        outcome = Outcome.parse(result.out)
        assert result.rc == (outcome.wrong is not None), result
        return outcome

    def minimised(self, seed: int, outcome: Outcome, replays: int = 1000) -> list[str]:
        """The steps that it takes for what went wrong, from a reset of the PF on, as far as so many replays
        show it; all of them if that does not happen again."""
        printed = self.guest.run(f"{PROGRAM} {PLAN} print {seed} {outcome.number}").out
        steps = printed.splitlines()
        left = replays

        def fails(some: list[str]) -> bool:
            nonlocal left
            left -= 1
            again = self.replay(some).wrong
            return again is not None and kind_of(again) == kind_of(outcome.wrong)

        for length in tails(len(steps)):
            if fails(steps[-length:]):
                return shortest(steps[-length:], fails, lambda: left <= 0)
        return steps


def processor_seconds(guest: Guest) -> float:
    """What the emulator has used so far."""
    stat = Path(f"/proc/{guest.machine.process.pid}/stat").read_text(encoding="ascii")
    # The name before it may have blanks.
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def total(outcomes: list[Outcome]) -> Counter:
    """Figures of several runs together; of what is the longest or the most, the greatest."""
    figures: Counter = Counter()
    for outcome in outcomes:
        for name, value in outcome.figures.items():
            most = name.startswith(("slowest", "longest", "most"))
            figures[name] = max(figures[name], value) if most else figures[name] + value
    return figures


def told(figures: Counter) -> str:
    """What was done, in a few lines."""
    steps = max(figures["steps"], 1)

    def share(name: str) -> str:
        return f"{figures[name]} ({100 * figures[name] / steps:.2f} %)"

    settings = [f"{name[4:]} {n}" for name, n in figures.items() if name.startswith("set_")]
    return "\n".join(
        [
            f"{figures['steps']} steps: {share('writes')} writes, {share('settings')} settings of the"
            f" administrator, {share('flrs')} FLRs, {share('resets')} resets of the PF",
            f"settings: {', '.join(settings)}; {figures['refused']} refused",
            f"messages answered: {figures['granted']} granted, {figures['denied']} refused;"
            f" {figures['cut_off']} quarantines",
            f"judged {figures['rounds']} times; the PF: {figures['interrupts']} interrupts,"
            f" {figures['items']} work items, {figures['accesses']} register accesses, at most"
            f" {figures['most_accesses']} between two judgements without a reset;"
            f" {figures['lines']} lines of the attacker's in the log",
        ]
    )


def kind_of(wrong: str) -> str:
    """What is wrong, without the numbers."""
    return re.sub(r"0x[0-9a-f]+|\d+", "N", wrong)


def tails(length: int) -> list[int]:
    """How many of the last steps to try: more and more, until it is all."""
    tried = [n for n in (1000 << k for k in range(20)) if n < length]
    return [*tried, length]


def shortest(steps: list, fails, is_late=lambda: False) -> list:
    """A part of the steps that still fails, and none of which can be left out, if there is time to find out.
    Pieces are left out in turn, smaller and smaller ones; each pass goes on where it is, as what was needed
    before mostly is needed still."""
    size = -(-len(steps) // 2)
    while True:
        before, at = len(steps), 0
        while at < len(steps) > 1:
            if is_late():
                return steps
            rest = steps[:at] + steps[at + size :]
            if rest and fails(rest):
                steps = rest
            else:
                at += size
        if size == 1 and len(steps) == before:
            return steps
        size = max(size // 2, 1)
