# SPDX-License-Identifier: GPL-2.0
"""What a tenant wrote into the registers of its VF, the next one does not find.

The registers are those of a VF's address space in the datasheet (8.26, "VF registers") that the
device model lets a VF reach (`vf_to_pf_addr()` of its source), not those the driver clears: one that it
forgot fails. Exceptions, by name:

* counters (VFGPRC, VFGPTC, VFGORC, VFGOTC, VFMPRC, the four of the loopback, RQDPC): nobody can write
  them, and they run on over resets. The PF takes its own readings of them when a VF is reset.
* STATUS, FRTIMER, PBTWAC, PBRWAC: read-only, and not the VF's own.
* VTCTRL, VTEICS, VTEIMC, PBACL: writing them does something; they hold nothing.
* V2PMAILBOX: the state of the conversation with the PF, which the new tenant begins.

Of the two queues of the VF one is in use when it changes hands: its rings, buffers and head write-back are
in pages that the kernel leaves alone, and it has sent and, if it is the first one, received. The other
holds what no address can be, above the memory there is, and is not enabled. So nobody else's memory is
reached, though the VF is a bus master. VF n uses queue n: between them they have written all."""

from __future__ import annotations

import json

import pytest
from support.mailbox import PF_CONTROL_MSG, VF_RESET, RawVf, message, raw_vfs

from harness.topology import PEER, PF, PF_PCI, Lan

OWN, OWN_BYTES = 0x6000000, 0x10000
OWN_PAGES = f"memmap={OWN_BYTES:#x}${OWN:#x}"

pytestmark = [
    pytest.mark.guest(cmdline=OWN_PAGES),
    pytest.mark.driver("igb_rs"),  # C igb leaves it all
    # RXCTL and PSRTYPE are not in the model.
    pytest.mark.allow_trace(r"_unknown.* register 0x(54[89][048c]|c[0-3][159d]4),"),
]

RXDCTL_FRESH, TXCTL_FRESH = 1 << 16, 0x2A00
ENABLE = 1 << 25
VMBMEM, VMBMEM_WORDS = 0x0800, 16
VTCTRL, VTCTRL_RST = 0x0000, 1 << 26


def window() -> dict[int, int]:
    """Registers a VF can write and read back, but for its mailbox: offset and value after power-on.
    RXCTL, PSRTYPE are not known to the model: they read 0 whatever happens."""
    fresh = {}
    for queue in range(2):
        rx, tx = 0x2800 + 0x100 * queue, 0x3800 + 0x100 * queue
        # RDBAL, RDBAH, RDLEN, SRRCTL, RDH, RXCTL, RDT
        fresh |= dict.fromkeys([rx + at for at in (0, 4, 8, 0xC, 0x10, 0x14, 0x18)], 0)
        fresh[rx + 0x28] = RXDCTL_FRESH
        # TDBAL, TDBAH, TDLEN, TDH, TDT, TXDCTL, TDWBAL, TDWBAH
        fresh |= dict.fromkeys([tx + at for at in (0, 4, 8, 0x10, 0x18, 0x28, 0x38, 0x3C)], 0)
        fresh[tx + 0x14] = TXCTL_FRESH
    # VTEIMS, VTEIAC, VTEIAM, VTEICR, VTEITR 0 to 2, VTIVAR, VTIVAR_MISC, PSRTYPE
    return fresh | dict.fromkeys(
        (0x1524, 0x152C, 0x1530, 0x1580, 0x1680, 0x1684, 0x1688, 0x1700, 0x1740, 0x0F0C), 0
    )


WINDOW = window()
MAILBOX = [VMBMEM + 4 * word for word in range(VMBMEM_WORDS)]

RING_BYTES, RX_BUFFER, TX_RING, HEAD, FRAME = 128, 0x1000, 0x2000, 0x2800, 0x3000
THRESHOLDS, ONE_BUFFER_OF_2K, HEAD_WRITE_BACK = 0x1F1F1F, 0x0200_0002, 1
# An Ethernet frame to all, of nobody's protocol.
SENT = bytes.fromhex("ffffffffffff02000000770088b5") + bytes(46)


class Rings:
    """Rings, buffers and the head write-back of a VF's queue, in pages of their own. The queue has the
    number of the VF."""

    def __init__(self, vf: RawVf):
        self.vf = vf
        self.base = OWN + 0x8000 * vf.index
        self.rx, self.tx = 0x2800 + 0x100 * vf.index, 0x3800 + 0x100 * vf.index

    def registers(self) -> dict[int, int]:
        """But for the tails and the enables."""
        rx, tx = self.rx, self.tx
        return {
            rx: self.base,
            rx + 0x04: 0,
            rx + 0x08: RING_BYTES,
            rx + 0x0C: ONE_BUFFER_OF_2K,
            rx + 0x10: 1,
            rx + 0x18: 1,
            tx: self.base + TX_RING,
            tx + 0x04: 0,
            tx + 0x08: RING_BYTES,
            tx + 0x10: 0,
            tx + 0x18: 0,
            tx + 0x38: self.base + HEAD | HEAD_WRITE_BACK,
            tx + 0x3C: 0,
        }

    # High words of addresses: the other queue's are written.
    def unused(self) -> set[int]:
        return {self.rx + 0x04, self.tx + 0x04, self.tx + 0x3C}

    def fill(self):
        """Descriptors for frames that come in, and one of a frame to be sent."""
        self.trapped("fill", OWN, OWN_BYTES)
        receive = (self.base + RX_BUFFER).to_bytes(8, "little") + bytes(8)
        # Advanced data descriptor: DEXT, RS, IFCS, EOP.
        command = 1 << 29 | 1 << 27 | 1 << 25 | 1 << 24 | 3 << 20 | len(SENT)
        transmit = b"".join(
            value.to_bytes(size, "little")
            for value, size in ((self.base + FRAME, 8), (command, 4), (len(SENT) << 14, 4))
        )
        self.trapped("put", self.base, (receive * (RING_BYTES // 16)).hex())
        self.trapped("put", self.base + TX_RING, transmit.hex())
        self.trapped("put", self.base + FRAME, SENT.hex())

    def use(self):
        """The controller sends, and receives if it may."""
        self.vf.guest.run(f"setpci -s {self.vf.pci} COMMAND=6:6")
        self.vf.script(("write", self.rx + 0x18, 7), ("write", self.tx + 0x18, 1))
        broadcast(self.vf.guest)
        assert self.vf.script(("read", self.tx + 0x10))[0] == 1, "nothing was sent"
        changed = self.changed()
        assert HEAD in changed, changed
        assert self.vf.index != 0 or RX_BUFFER in changed, changed

    def changed(self) -> set[int]:
        """Words that are not what they were filled with."""
        found = json.loads(self.trapped("changed", OWN, OWN_BYTES).out)
        return {OWN - self.base + at for at in found}

    def trapped(self, *what):
        return self.vf.guest.call("trap", *(str(word) for word in what))


def broadcast(guest):
    """The peer asks all for an address that nobody has."""
    guest.run("ping -c 1 -W 0.2 192.0.2.77", check=False, netns=PEER.netns)


def moves_in(vf: RawVf, *more, master: bool = True):
    """A tenant that uses all it has, and then does what `more` says."""
    rings = Rings(vf)
    rings.fill()
    junk = {offset: 0x5A5A5A50 + n for n, offset in enumerate(WINDOW)}
    junk |= dict.fromkeys((0x2828, 0x2928, 0x3828, 0x3928), THRESHOLDS)
    enables = dict.fromkeys((rings.rx + 0x28, rings.tx + 0x28), ENABLE | THRESHOLDS)
    vf.script(
        ("ready", 5),
        ("send", [VF_RESET], 2),
        *(("write", offset, value) for offset, value in (junk | rings.registers()).items()),
        *(("write", offset, value) for offset, value in enables.items()),
    )
    if master:
        rings.use()
    vf.script(
        ("hold",),
        *(("write", offset, 0x77777700 + offset) for offset in MAILBOX[1:]),
        ("release",),
    )
    left = look(vf)
    fresh = {offset for offset, value in WINDOW.items() if left[offset] == value}
    # RXCTL, PSRTYPE and VTEICR the model or reading clears.
    known = rings.unused() | {0x2814, 0x2914, 0x0F0C, 0x1580}
    assert fresh <= known | (set() if master else {rings.tx + 0x10, rings.tx + 0x18}), fresh
    if more:
        vf.script(*more)


def look(vf: RawVf) -> dict[int, int]:
    offsets = [*WINDOW, *MAILBOX]
    return dict(zip(offsets, vf.script(*(("read", offset) for offset in offsets))))


def assert_nothing_left(vf: RawVf, before_handshake: bool = True):
    """Neither before the new tenant's handshake nor after it, when the reply is in the mailbox."""
    fresh = WINDOW | dict.fromkeys(MAILBOX, 0)
    if before_handshake:
        found = look(vf)
        if found[VMBMEM] & 0xFFFF == PF_CONTROL_MSG:
            fresh |= {VMBMEM: found[VMBMEM]}  # the PF's own word
        assert found == fresh, differences(found, fresh)
    vf.handshake()
    found = look(vf)
    fresh |= {offset: found[offset] for offset in MAILBOX[:3]}
    assert found == fresh, differences(found, fresh)
    rings = Rings(vf)
    rings.trapped("fill", OWN, OWN_BYTES)
    vf.guest.run(f"setpci -s {vf.pci} COMMAND=6:6")
    broadcast(vf.guest)
    # The neighbour's are its own.
    changed = {at for at in rings.changed() if 0 <= at < 0x8000}
    assert not changed, changed


def differences(found: dict[int, int], fresh: dict[int, int]) -> dict[str, tuple[str, str]]:
    return {
        f"{offset:#06x}": (f"{found[offset]:#x}", f"{value:#x}")
        for offset, value in fresh.items()
        if found[offset] != value
    }


def by_sysfs(lan: Lan, vf: RawVf) -> RawVf:
    lan.guest.run(f"echo 1 >/sys/bus/pci/devices/{vf.pci}/reset")
    return vf


def by_itself(_lan: Lan, vf: RawVf) -> RawVf:
    vf.script(("write", VTCTRL, VTCTRL_RST))
    return vf


def by_numvfs(lan: Lan, vf: RawVf) -> RawVf:
    assert lan.set_numvfs(0).rc == 0
    return raw_vfs(lan, 2)[vf.index]


def by_reset_of_the_pf(lan: Lan, vf: RawVf) -> RawVf:
    lan.guest.run(f"echo 1 >/sys/bus/pci/devices/{PF_PCI}/reset")
    return vf


def by_suspend(lan: Lan, vf: RawVf) -> RawVf:
    assert lan.guest.suspend(test="devices").rc == 0
    return vf


def by_quarantine(lan: Lan, vf: RawVf) -> RawVf:
    """It is cut off, changes hands, and is let in again."""
    limit = f"devlink dev param set pci/{PF_PCI} name vf_offence_limit cmode runtime value"
    lan.guest.run(f"{limit} 1")
    vf.script(("send", message(0x77), 0.2))
    lan.guest.run(f"{limit} 10000")
    lan.guest.wait_until(f"ethtool -S {PF} | grep -q 'vf{vf.index}_quarantined: 1'", 5)
    by_sysfs(lan, vf)
    assert look(vf) != WINDOW | dict.fromkeys(MAILBOX, 0)
    assert lan.link_set(f"vf {vf.index} state auto").rc == 0
    lan.guest.run("sleep 0.1")
    return vf


@pytest.mark.parametrize(
    "change",
    [by_sysfs, by_itself, by_numvfs, by_reset_of_the_pf, by_suspend, by_quarantine],
    ids=lambda change: change.__name__,
)
def test_nothing_is_left_in_registers(lan, change):
    raw_vfs(lan, 2)
    for index in range(2):
        vf = RawVf(lan, index)
        moves_in(vf)
        assert_nothing_left(change(lan, vf))


def test_nothing_is_left_when_only_the_handshake_is_made(lan):
    """A tenant that does not get its VF by a reset (and one that would not have it)."""
    vf, _ = raw_vfs(lan, 2)
    moves_in(vf)
    assert_nothing_left(vf, before_handshake=False)
    # Also of a mailbox that is held, or rings.
    for more in (("hold",), ("ring",)):
        moves_in(vf, more)
        by_sysfs(lan, vf)
        assert_nothing_left(vf, before_handshake=more != ("ring",))


def test_neighbours_notice_nothing(lan):
    vf, other = raw_vfs(lan, 2)
    moves_in(vf)
    moves_in(other)
    before = look(other)
    by_sysfs(lan, vf)
    assert_nothing_left(vf)
    assert look(other) == before


@pytest.mark.long
@pytest.mark.guest(
    machine="q35,kernel-irqchip=split",
    first_devices=("intel-iommu,intremap=on",),
    cmdline=f"intel_iommu=on {OWN_PAGES}",
    memory="2G",
)
def test_nothing_is_left_when_a_guest_gives_its_vf_back(lan):
    """As a hypervisor takes and gives it: by vfio-pci, which resets it when it is opened and closed.
    With the IOMMU the VF reaches no memory of the host's, so it is no bus master here."""
    guest = lan.guest
    vf, _ = raw_vfs(lan, 2)
    moves_in(vf, master=False)
    device = f"/sys/bus/pci/devices/{vf.pci}"
    guest.run(f"""echo 0 >{device}/enable; modprobe vfio-pci
        echo vfio-pci >{device}/driver_override; echo {vf.pci} >/sys/bus/pci/drivers_probe""")
    holder = guest.start_call("vfio", vf.pci, "/tmp/vfio", timeout=120)
    try:
        guest.wait_file("/tmp/vfio", 20)
    finally:
        holder.kill()
        holder.wait(check=False, timeout=30)
    guest.run(f"""echo {vf.pci} >{device}/driver/unbind; echo >{device}/driver_override
        rmmod vfio_pci; echo 1 >{device}/enable""")
    assert_nothing_left(vf)
