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

The VF is no bus master in these tests, so queues that are enabled with nonsense reach no memory."""

from __future__ import annotations

import pytest
from support import STANDARD
from support.mailbox import PF_CONTROL_MSG, VF_RESET, RawVf, message, raw_vfs

from harness.topology import PF, PF_PCI, Lan

pytestmark = [
    STANDARD,
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


def moves_in(vf: RawVf, *more):
    """A tenant that uses all it has, and then does what `more` says."""
    junk = {offset: 0x5A5A5A50 + n for n, offset in enumerate(WINDOW)}
    controls = dict.fromkeys((10280, 10536, 14376, 14632), ENABLE | 2039583)
    vf.script(
        ("ready", 5),
        ("send", [VF_RESET], 2),
        *(("write", offset, value) for offset, value in (junk | controls).items()),
        ("hold",),
        *(("write", offset, 0x77777700 + offset) for offset in MAILBOX[1:]),
        ("release",),
    )
    left = look(vf)
    changed = [offset for offset, value in WINDOW.items() if left[offset] != value]
    # All but RXCTL, PSRTYPE and VTEICR, which the model or reading clears.
    assert len(changed) >= len(WINDOW) - 4, changed
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
    for vf in raw_vfs(lan, 2):
        moves_in(vf)
        assert_nothing_left(change(lan, vf))
        if change is by_numvfs:
            break


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
    cmdline="iomem=relaxed intel_iommu=on",
    memory="2G",
)
def test_nothing_is_left_when_a_guest_gives_its_vf_back(lan):
    """As a hypervisor takes and gives it: by vfio-pci, which resets it when it is opened and closed."""
    guest = lan.guest
    vf, _ = raw_vfs(lan, 2)
    moves_in(vf)
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
