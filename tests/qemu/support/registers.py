# SPDX-License-Identifier: GPL-2.0
"""Registers of the 82576 as the tests need them, read and written from within the guest."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from pathlib import Path

from harness import Guest
from harness.topology import PF_PCI

CTRL = 0x0000
STATUS = 0x0008
CTRL_EXT = 0x0018
RCTL = 0x0100
ICS = 0x00C8
WUC = 0x5800
WUFC = 0x5808
SW_FW_SYNC = 0x5B5C
TCTL = 0x0400
MBVFICR = 0x0C80
VFLRE = 0x0C88
VFRE = 0x0C8C
VFTE = 0x0C90
DTXSWC = 0x3500
VT_CTL = 0x581C
IOVCTL = 0x5BBC
MRQC = 0x5818
RETA = 0x5C00
RSSRK = 0x5C80
RXCSUM = 0x5000
RPLOLR = 0x5AF0

# A mark's pattern: the filters that give frames to queues, which the device model lacks. A driver
# that takes it for an 82576 writes all of them.
QUEUE_FILTERS = "_unknown.* register 0x5(9[89abcdef]|a[89ab])[048c],"

VFTA = range(0x5600, 0x5800, 4)
MTA = range(0x5200, 0x5400, 4)
VLVF = range(0x5D00, 0x5D80, 4)
VMOLR = range(0x5AD0, 0x5AF0, 4)
VMVIR = range(0x3700, 0x3720, 4)
# Entry n of the receive addresses is RAL[n] and RAH[n].
RAL = (*range(0x5400, 0x5480, 8), *range(0x54E0, 0x5520, 8))
RAH = tuple(offset + 4 for offset in RAL)

# Bit of CTRL_EXT: a driver has the controller, and not firmware.
DRV_LOAD = 1 << 28
# Bits of CTRL: pause of received and of sent frames, and VLAN tags are stripped.
CTRL_RFCE = 1 << 27
CTRL_TFCE = 1 << 28
CTRL_VME = 1 << 30
# Bits of MRQC and RXCSUM.
MRQC_TCP4 = 1 << 16
MRQC_TCP6 = 1 << 21
MRQC_UDP4 = 1 << 22
MRQC_UDP6 = 1 << 23
RXCSUM_OFFLOADS = 1 << 8 | 1 << 9 | 1 << 11
# Bit of ICS.
ICS_LSC = 1 << 2
# Firmware has the PHY of the first port, by SW_FW_SYNC.
FW_PHY0 = 1 << 17

# Bit of IOVCTL: the PF may have the queues of VFs that have gone.
REUSE_VFQ = 1 << 0

# Bits of VMOLR.
VMOLR_RLPML = 0x3FFF
VMOLR_LPE = 1 << 16
VMOLR_AUPE = 1 << 24
VMOLR_ROMPE = 1 << 25
VMOLR_BAM = 1 << 27
VMOLR_MPME = 1 << 28
VMOLR_STRVLAN = 1 << 30

VMVIR_DEFAULT = 1 << 30
RAH_AV = 1 << 31
VLVF_ENABLE = 1 << 31


PAGE = Path(__file__).parents[3] / "Documentation/registers.rst"
# A row: name, range of an array, offset, bytes between elements, access, value after a reset, and that
# of the model if it is another.
ROW = re.compile(
    r"^(?P<name>\w+)(\[(?P<first>\d+)\.\.(?P<last>\d+)\])? +"
    r"0x(?P<offset>[0-9a-f]{5,})( \+ 0x(?P<stride>[0-9a-f]+) i)? +"
    r"(?P<access>RW|RO|WO|RC|W1C|W1S|RS) +(?P<reset>\w+)(  +(?P<qemu>0x[0-9a-f]+|0))?  +\S"
)


@dataclasses.dataclass(frozen=True)
class Documented:
    """A register of Documentation/registers.rst."""

    offset: int
    access: str
    reset: str  # what the model has after a reset, or the datasheet if that is the same


def documented() -> dict[str, Documented]:
    """All of them by name, those of an array as NAME[n]."""
    found = {}
    for row in filter(None, map(ROW.match, PAGE.read_text(encoding="utf-8").splitlines())):
        offset, reset = int(row["offset"], 16), row["qemu"] or row["reset"]
        if row["first"] is None:
            found[row["name"]] = Documented(offset, row["access"], reset)
            continue
        first, stride = int(row["first"]), int(row["stride"], 16)
        for n in range(first, int(row["last"]) + 1):
            at = offset + stride * (n - first)
            found[f"{row['name']}[{n}]"] = Documented(at, row["access"], reset)
    return found


def eitr(vector: int) -> int:
    return 0x1680 + 4 * vector


def txdctl(queue: int) -> int:
    return 0xE028 + 0x40 * queue


class Registers:
    """BAR 0 of one function."""

    def __init__(self, guest: Guest, pci: str = PF_PCI):
        self.guest = guest
        self.pci = pci

    def access(self, plan: list) -> list[int]:
        """A list of ("r", offset), ("w", offset, value) and ("s", seconds), in this order; the values
        read."""
        return self.guest.ask("registers", self.pci, value=plan)

    @contextlib.contextmanager
    def again_and_again(self, offset: int, value: int, seconds: float):
        """Writes a register every so often until the block ends."""
        job = self.guest.start_ask(
            "registers",
            self.pci,
            "forever",
            timeout=600,
            value=[("w", offset, value), ("s", seconds)],
        )
        try:
            yield
        finally:
            job.kill()

    def read(self, *offsets: int) -> list[int]:
        return self.access([("r", offset) for offset in offsets])

    def write(self, offset: int, value: int):
        self.access([("w", offset, value)])


EVENTS = ("e1000e_core_read", "e1000e_core_write")
# What the trace has of them, for whoever looks at them (`allow_trace`).
ALL_ACCESSES = "e1000e_core_(read|write)"


@contextlib.contextmanager
def accesses(guest: Guest):
    """Every access of the driver while the block runs, in order: "r" or "w", offset, value."""
    seen: list[tuple[str, int, int]] = []
    begin = guest.machine.trace_log.stat().st_size
    for event in EVENTS:
        guest.qmp("trace-event-set-state", name=event, enable=True)
    try:
        yield seen
    finally:
        for event in EVENTS:
            guest.qmp("trace-event-set-state", name=event, enable=False)
    line = r"core_(r|w)\w+ \w+ \w+ \w+ 0x(\w+), \d byte\(s\), value: 0x(\w+)"
    with open(guest.machine.trace_log, encoding="utf-8") as file:
        file.seek(begin)
        for kind, offset, value in re.findall(line, file.read()):
            seen.append((kind, int(offset, 16), int(value, 16)))


@dataclasses.dataclass(frozen=True)
class Filters:
    """Everything that decides which frame reaches which function, as the device holds it."""

    addresses: dict[str, int]  # MAC: pools, valid entries only
    vlans: dict[int, int]  # VID: pools, enabled VLVF entries only
    vlan_table: frozenset[int]  # VIDs in VFTA
    multicast: tuple[int, ...]  # MTA
    vmolr: tuple[int, ...]
    vmvir: tuple[int, ...]
    dtxswc: int
    vfre: int
    vfte: int
    default_pool: int

    @classmethod
    def read(cls, guest: Guest) -> Filters:
        groups = (RAL, RAH, VLVF, VFTA, MTA, VMOLR, VMVIR, (DTXSWC, VFRE, VFTE, VT_CTL))
        values = iter(Registers(guest).read(*(offset for group in groups for offset in group)))
        ral, rah, vlvf, vfta, mta, vmolr, vmvir, single = (
            tuple(next(values) for _ in group) for group in groups
        )
        return cls(
            addresses=_joined(
                (_mac(low, high), high >> 18 & 0xFF) for low, high in zip(ral, rah) if high & RAH_AV
            ),
            vlans=_joined((word & 0xFFF, word >> 12 & 0xFF) for word in vlvf if word & VLVF_ENABLE),
            vlan_table=frozenset(
                32 * index + bit
                for index, word in enumerate(vfta)
                for bit in range(32)
                if word >> bit & 1
            ),
            multicast=mta,
            vmolr=vmolr,
            vmvir=vmvir,
            dtxswc=single[0],
            vfre=single[1],
            vfte=single[2],
            default_pool=single[3] >> 7 & 7,
        )

    def pools_of(self, mac: str) -> int:
        """Bit mask of the pools that receive this address; 0 if no entry has it."""
        return self.addresses.get(mac.lower(), 0)


def _joined(entries) -> dict:
    """The pools of each key. An entry must not hide another one that has the same."""
    found: dict = {}
    for key, pools in entries:
        found[key] = found.get(key, 0) | pools
    return found


def _mac(low: int, high: int) -> str:
    data = low.to_bytes(4, "little") + (high & 0xFFFF).to_bytes(2, "little")
    return data.hex(":")
