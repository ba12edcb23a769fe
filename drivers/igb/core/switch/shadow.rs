// SPDX-License-Identifier: GPL-2.0

//! Bringing the hardware to an [`Image`].

use super::{
    image::Changes,
    rar::primary_entry,
    Image,
    Switch, //
};
use crate::{
    bitmap::Bits,
    function::VfIndex,
    regs::{
        self,
        rah::Rah,
        rctl,
        rttbcnrm,
        Reg,
        Word,
        Writable,
        DTXCTL,
        DTXSWC,
        QDE,
        RAR_COUNT,
        RCTL,
        RLPML,
        RPLOLR,
        RTTBCNRC,
        RTTBCNRM,
        RTTDQSEL,
        VFRE,
        VFTE,
        VT_CTL, //
    }, //
};

/// Has the hardware follow a [`Switch`]: what the hardware is known to hold, and what it is to hold.
///
/// A message of a VF changes a few registers of several hundred. [`Shadow::follow`] renders and compares
/// those that may have changed since it did so last; with anything else in between, all of them.
#[derive(Clone, Debug)]
pub struct Shadow {
    hardware: Hardware,
    wanted: Image,
    /// Which of the switch's changes were taken last: `wanted` is what the switch stood for then.
    followed: Option<u64>,
}

/// What the hardware is known to hold.
#[derive(Clone, Debug)]
struct Hardware {
    known: Image,
    /// Nothing is known but that no queue has a rate limit: a reset leaves tables as they are.
    unknown: bool,
    /// VFs of whose enables nothing is known: bits of VFRE and VFTE.
    doubt: u32,
}

impl Shadow {
    /// A device that was just reset.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            hardware: Hardware::UNKNOWN,
            wanted: Image::ZERO,
            followed: None,
        }
    }

    /// Nothing is known: the next update writes every register.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.hardware.unknown
    }

    /// Notes that the device was reset: the next update writes every register.
    pub fn forget(&mut self) {
        self.hardware = Hardware::UNKNOWN;
    }

    /// Notes that VFs came or went: the hardware may have cleared the enables of any, and the next
    /// update compares every register.
    pub fn vfs_were_changed(&mut self) {
        for vf in VfIndex::all() {
            self.vf_was_reset(vf);
        }
        self.followed = None;
    }

    /// Notes that `vf` was reset. The hardware has cleared its enables; but the PF may have written
    /// them since, before it heard of the reset, so the next update closes the VF in any case.
    pub fn vf_was_reset(&mut self, vf: VfIndex) {
        self.hardware.doubt |= u32::from(vf.bit());
    }

    /// Has the hardware follow `switch`: calls `write` with offset and value of each register that
    /// differs from what the switch stands for. The order is that of [`Shadow::update`].
    ///
    /// One shadow follows one switch. Should another have taken changes of this one, all is rendered
    /// and compared.
    pub fn follow(&mut self, switch: &mut Switch, write: impl FnMut(u32, u32)) {
        let seen = self.followed == Some(switch.followed);
        let mut changes = switch.take_changes();
        switch.followed = switch.followed.wrapping_add(1);
        self.followed = Some(switch.followed);
        if !seen {
            changes = Changes::ALL;
        }
        switch.render_changes(&mut self.wanted, &changes);
        if self.hardware.unknown {
            changes = Changes::ALL;
        }
        self.hardware.update(&self.wanted, &changes, write);
    }

    /// Calls `write` with offset and value of each register that differs from `image`, and from then
    /// on knows them.
    ///
    /// In this order no frame passes that both images would block:
    ///
    /// 1. Pools that will be closed are closed; so are, for the duration, pools whose inserted VLAN
    ///    changes.
    /// 2. An address is made invalid before it changes, and is valid nowhere before it is valid in its
    ///    new place, unless that is of the same pool and the old one becomes free: then it is valid in
    ///    both for a moment. VLANs get their pools before frames are let in.
    /// 3. Pools are opened when all else is in place.
    ///
    /// An address on its way from one function to another is no one's for a moment; frames for it then
    /// go where unknown addresses go, that is, nowhere or to a promiscuous PF.
    pub fn update(&mut self, image: &Image, write: impl FnMut(u32, u32)) {
        self.followed = None;
        self.hardware.update(image, &Changes::ALL, write);
    }
}

impl Hardware {
    const UNKNOWN: Self = Self {
        known: Image::ZERO,
        unknown: true,
        doubt: 0,
    };

    fn update(&mut self, image: &Image, changes: &Changes, mut write: impl FnMut(u32, u32)) {
        let mut out = Out {
            unknown: self.unknown,
            write: &mut write,
        };
        self.close(image, changes, &mut out);
        if changes.all {
            out.word(&mut self.known.dtxctl, image.dtxctl, DTXCTL);
            out.word(&mut self.known.dtxswc, image.dtxswc, DTXSWC);
            out.words(&mut self.known.vmvir, &image.vmvir, regs::vmvir);
        }
        if changes.all || !changes.pools.is_empty() {
            out.words(&mut self.known.vmolr, &image.vmolr, regs::vmolr);
        }
        let entries = if changes.addresses {
            ALL_ENTRIES
        } else {
            changes
                .primary
                .iter()
                .fold(0, |entries, vf| entries | 1 << primary_entry(vf))
        };
        self.update_addresses(image, entries, &mut out);
        if changes.vlans {
            out.words(&mut self.known.vlvf, &image.vlvf, regs::vlvf);
            out.words(&mut self.known.vfta, &image.vfta, regs::vfta);
        }
        if changes.multicast {
            out.words(&mut self.known.mta, &image.mta, regs::mta);
            out.words(&mut self.known.uta, &image.uta, regs::uta);
        }
        if changes.all {
            self.update_global(image, &mut out);
            self.update_rates(image, &mut out);
        }
        self.open(image, &mut out);
        self.unknown = false;
    }

    fn close(&mut self, image: &Image, changes: &Changes, out: &mut Out<'_>) {
        let mut keep = u32::MAX;
        if changes.all {
            for (pool, (old, new)) in (0..).zip(self.known.vmvir.iter().zip(&image.vmvir)) {
                if old != new {
                    keep &= !regs::bit(pool);
                }
            }
        }
        // Taken for open, so that they differ from what they are to be.
        let doubt = core::mem::take(&mut self.doubt);
        self.known.vfte |= doubt;
        self.known.vfre |= doubt;
        keep &= !doubt;
        let (vfte, vfre) = if self.unknown {
            (0, 0)
        } else {
            let known = &self.known;
            (
                known.vfte & image.vfte & keep,
                known.vfre & image.vfre & keep,
            )
        };
        out.word(&mut self.known.vfte, vfte, VFTE);
        out.word(&mut self.known.vfre, vfre, VFRE);
        if image.rctl & rctl::EN == 0 {
            out.word(&mut self.known.rctl, image.rctl, RCTL);
        }
    }

    /// Those of `entries`, a bit each. All are invalid that will be others before one of them is; but
    /// an address that a VF has already, and has in another entry from now on, misses no frame.
    fn update_addresses(&mut self, image: &Image, entries: u32, out: &mut Out<'_>) {
        let moved = if out.unknown {
            0
        } else {
            self.known.moved(image, entries)
        };
        for entries in [entries & !moved, entries & moved] {
            self.write_addresses(image, entries, out);
        }
    }

    fn write_addresses(&mut self, image: &Image, entries: u32, out: &mut Out<'_>) {
        let known = &mut self.known;
        for n in Bits(entries) {
            if let Some((ral, rah, new_ral, new_rah)) = known.address(n, image) {
                let valid = *rah & regs::rah::AV != 0;
                if out.unknown || (valid && (*ral, *rah) != (new_ral, new_rah)) {
                    out.force(rah, Rah::ZERO, regs::rah(n));
                }
            }
        }
        for n in Bits(entries) {
            if let Some((ral, _, new_ral, _)) = known.address(n, image) {
                out.word(ral, new_ral, regs::ral(n));
            }
        }
        for n in Bits(entries) {
            if let Some((_, rah, _, new_rah)) = known.address(n, image) {
                out.word(rah, new_rah, regs::rah(n));
            }
        }
    }

    fn update_global(&mut self, image: &Image, out: &mut Out<'_>) {
        out.word(&mut self.known.vt_ctl, image.vt_ctl, VT_CTL);
        out.word(&mut self.known.rplolr, image.rplolr, RPLOLR);
        out.word(&mut self.known.qde, image.qde, QDE);
        out.word(&mut self.known.rlpml, image.rlpml, RLPML);
        if image.rctl & rctl::EN != 0 {
            out.word(&mut self.known.rctl, image.rctl, RCTL);
        }
    }

    /// The limit of a queue is behind a selector. A reset lifts all limits, so the registers are not
    /// touched at all on a device that never had one.
    fn update_rates(&mut self, image: &Image, out: &mut Out<'_>) {
        let queues = (0..).zip(self.known.rttbcnrc.iter_mut().zip(&image.rttbcnrc));
        for (queue, (old, new)) in queues {
            if old != new {
                out.write(RTTDQSEL, queue);
                out.write(RTTBCNRM, rttbcnrm::MMW_SIZE_JUMBO);
                out.force(old, *new, RTTBCNRC);
            }
        }
    }

    fn open(&mut self, image: &Image, out: &mut Out<'_>) {
        out.known_word(&mut self.known.vfre, image.vfre, VFRE);
        out.known_word(&mut self.known.vfte, image.vfte, VFTE);
    }
}

/// A bit for each receive address register.
const ALL_ENTRIES: u32 = (1 << RAR_COUNT) - 1;

impl Image {
    /// Both words of receive address `n`, and what they are to be in `wanted`.
    fn address<'a>(
        &'a mut self,
        n: usize,
        wanted: &Image,
    ) -> Option<(&'a mut u32, &'a mut Rah, u32, Rah)> {
        Some((
            self.ral.get_mut(n)?,
            self.rah.get_mut(n)?,
            *wanted.ral.get(n)?,
            *wanted.rah.get(n)?,
        ))
    }

    /// Those of `entries`, a bit each, that are to be free, and whose address `wanted` has in another
    /// entry with the same pool.
    fn moved(&self, wanted: &Image, entries: u32) -> u32 {
        let entry = |image: &Image, n: usize| Some((*image.ral.get(n)?, *image.rah.get(n)?));
        let is_valid = |(_, rah): &(u32, Rah)| *rah & regs::rah::AV != 0;
        let moved = |n: &usize| {
            let old = entry(self, *n).filter(is_valid);
            old.is_some()
                && !entry(wanted, *n).is_some_and(|new| is_valid(&new))
                && Bits(entries).any(|other| entry(wanted, other) == old)
        };
        Bits(entries).filter(moved).fold(0, |all, n| all | 1 << n)
    }
}

impl Default for Shadow {
    fn default() -> Self {
        Self::new()
    }
}

/// Where differences go.
struct Out<'a> {
    unknown: bool,
    write: &'a mut dyn FnMut(u32, u32),
}

impl Out<'_> {
    fn write<V: Word>(&mut self, register: Reg<V, impl Writable>, value: V) {
        (self.write)(register.offset(), value.bits());
    }

    fn force<V: Word>(&mut self, old: &mut V, new: V, register: Reg<V, impl Writable>) {
        self.write(register, new);
        *old = new;
    }

    fn known_word(&mut self, old: &mut u32, new: u32, register: Reg<u32>) {
        if *old != new {
            self.force(old, new, register);
        }
    }

    fn word<V: Word + PartialEq>(
        &mut self,
        old: &mut V,
        new: V,
        register: Reg<V, impl Writable>, //
    ) {
        if self.unknown || *old != new {
            self.force(old, new, register);
        }
    }

    fn words<V: Word + PartialEq, A: Writable>(
        &mut self,
        old: &mut [V],
        new: &[V],
        register: fn(usize) -> Reg<V, A>,
    ) {
        // Nearly always the case, and compared as one: a VF waits for this.
        if !self.unknown && old == new {
            return;
        }
        for (n, (old, new)) in old.iter_mut().zip(new).enumerate() {
            self.word(old, *new, register(n));
        }
    }
}

#[cfg_attr(
    CONFIG_KUNIT = "y",
    kernel::prelude::kunit_tests(igb_core_switch_shadow)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::regs::{
        rttbcnrc::Rttbcnrc,
        vlvf::Vlvf, //
    };

    /// The writes an update makes, as far as they fit.
    struct Log {
        writes: [(u32, u32); 16],
        len: usize,
    }

    /// A write of `bits`.
    fn at<V, A>(register: Reg<V, A>, bits: u32) -> (u32, u32) {
        (register.offset(), bits)
    }

    fn update(shadow: &mut Shadow, image: &Image) -> Log {
        let mut log = Log {
            writes: [(0, 0); 16],
            len: 0,
        };
        shadow.update(image, |offset, value| {
            if let Some(slot) = log.writes.get_mut(log.len) {
                *slot = (offset, value);
            }
            log.len += 1;
        });
        log
    }

    fn settled(image: &Image) -> Shadow {
        let mut shadow = Shadow::new();
        shadow.update(image, |_, _| {});
        shadow
    }

    #[test]
    fn first_update_writes_everything_but_rates() {
        let mut n = 0;
        let mut rates = 0;
        Shadow::new().update(&Image::ZERO, |offset, _| {
            n += 1;
            let rate = [RTTDQSEL.offset(), RTTBCNRC.offset(), RTTBCNRM.offset()];
            rates += u32::from(rate.contains(&offset));
        });
        // Tables, address pairs with the extra invalidation, pools, VLVF, and nine single words.
        assert_eq!(n, 3 * 128 + 3 * 24 + 2 * 8 + 32 + 9);
        assert_eq!(rates, 0);
    }

    #[test]
    fn nothing_to_do() {
        assert_eq!(update(&mut settled(&Image::ZERO), &Image::ZERO).len, 0);
    }

    #[test]
    fn address_is_invalid_while_it_changes() {
        let mut image = Image::ZERO;
        image.ral[3] = 1;
        image.rah[3] = regs::rah::AV;
        let mut shadow = settled(&image);
        image.ral[3] = 2;
        let log = update(&mut shadow, &image);
        assert_eq!(
            log.writes[..log.len],
            [
                at(regs::rah(3), 0),
                at(regs::ral(3), 2),
                at(regs::rah(3), regs::rah::AV.bits())
            ]
        );
    }

    /// From entry 5 to entry 2, whose pools these are.
    fn move_address(from: u32, to: u32) -> Log {
        let av = regs::rah::AV.bits();
        let mut image = Image::ZERO;
        image.ral[5] = 7;
        image.rah[5] = Rah::from_bits(av | from);
        let mut shadow = settled(&image);
        (image.ral[5], image.rah[5]) = (0, Rah::ZERO);
        image.ral[2] = 7;
        image.rah[2] = Rah::from_bits(av | to);
        update(&mut shadow, &image)
    }

    #[test]
    fn address_moves_to_another_pool_without_being_in_two_places() {
        let (from, to) = (1 << 18, 1 << 19);
        let log = move_address(from, to);
        assert_eq!(log.writes[0], at(regs::rah(5), 0));
        assert_eq!(
            log.writes[log.len - 1],
            at(regs::rah(2), regs::rah::AV.bits() | to)
        );
    }

    #[test]
    fn address_moves_within_its_pool_without_being_nowhere() {
        let pool = 1 << 18;
        let log = move_address(pool, pool);
        assert_eq!(
            log.writes[..log.len],
            [
                at(regs::ral(2), 7),
                at(regs::rah(2), regs::rah::AV.bits() | pool),
                at(regs::rah(5), 0),
                at(regs::ral(5), 0)
            ]
        );
    }

    #[test]
    fn addresses_of_one_beginning_are_not_in_two_places() {
        let mut image = Image::ZERO;
        let (first, second) = (regs::rah::AV.bits() | 1, regs::rah::AV.bits() | 2);
        (image.ral[2], image.ral[5]) = (7, 7);
        (image.rah[2], image.rah[5]) = (Rah::from_bits(first), Rah::from_bits(second));
        let mut shadow = settled(&image);
        image.rah.swap(2, 5);
        let log = update(&mut shadow, &image);
        assert_eq!(
            log.writes[..log.len],
            [
                at(regs::rah(2), 0),
                at(regs::rah(5), 0),
                at(regs::rah(2), second),
                at(regs::rah(5), first)
            ]
        );
    }

    #[test]
    fn pool_is_closed_first_and_opened_last() {
        let mut image = Image::ZERO;
        (image.vfre, image.vfte) = (0x81, 0x81);
        let mut shadow = settled(&image);
        (image.vfre, image.vfte) = (0x82, 0x82);
        image.vlvf[1] = Vlvf::from_bits(1);
        let log = update(&mut shadow, &image);
        assert_eq!(
            log.writes[..log.len],
            [
                at(VFTE, 0x80),
                at(VFRE, 0x80),
                at(regs::vlvf(1), 1),
                at(VFRE, 0x82),
                at(VFTE, 0x82)
            ]
        );
    }

    #[test]
    fn pool_is_closed_while_its_vlan_changes() {
        let mut image = Image::ZERO;
        (image.vfre, image.vfte) = (0x83, 0x83);
        let mut shadow = settled(&image);
        image.vmvir[1] = regs::vmvir::insert(100, 0);
        let log = update(&mut shadow, &image);
        assert_eq!(log.writes[0], at(VFTE, 0x81));
        assert_eq!(log.writes[log.len - 1], at(VFTE, 0x83));
    }

    #[test]
    fn vf_reset_reopens() {
        let mut image = Image::ZERO;
        (image.vfre, image.vfte) = (0x81, 0x81);
        let mut shadow = settled(&image);
        shadow.vf_was_reset(VfIndex::new(0).unwrap());
        let log = update(&mut shadow, &image);
        assert_eq!(
            log.writes[..log.len],
            [
                at(VFTE, 0x80),
                at(VFRE, 0x80),
                at(VFRE, 0x81),
                at(VFTE, 0x81)
            ]
        );
        assert_eq!(update(&mut shadow, &image).len, 0);
    }

    #[test]
    fn vf_that_was_reset_is_closed_whatever_was_known() {
        let mut image = Image::ZERO;
        (image.vfre, image.vfte) = (0x80, 0x80);
        let mut shadow = settled(&image);
        shadow.vf_was_reset(VfIndex::new(0).unwrap());
        let log = update(&mut shadow, &image);
        assert_eq!(log.writes[..log.len], [at(VFTE, 0x80), at(VFRE, 0x80)]);
    }

    #[test]
    fn rates_go_through_the_selector() {
        let mut image = Image::ZERO;
        let mut shadow = settled(&image);
        image.rttbcnrc[9] = Rttbcnrc::from_bits(5);
        let log = update(&mut shadow, &image);
        assert_eq!(
            log.writes[..log.len],
            [at(RTTDQSEL, 9), at(RTTBCNRM, 0x14), at(RTTBCNRC, 5)]
        );
    }

    #[test]
    fn receiver_stops_before_filters_change() {
        let mut image = Image::ZERO;
        image.rctl = rctl::EN;
        let mut shadow = settled(&image);
        image.rctl = rctl::Rctl::ZERO;
        image.mta[0] = 1;
        let log = update(&mut shadow, &image);
        assert_eq!(log.writes[..log.len], [at(RCTL, 0), at(regs::mta(0), 1)]);
    }
}
