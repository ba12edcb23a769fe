// SPDX-License-Identifier: GPL-2.0

//! Who is a member of which VLAN.
//!
//! The hardware has 32 VLAN pool filters; entry 0 belongs to VID 0 (frames with a priority tag only)
//! and is not part of this table. The other 31 are handed out here. An entry serves every function
//! in its VLAN, so entries cannot simply be charged to one owner: if they were, a VF could join
//! another's VLAN and keep the entry busy after the other has left.
//!
//! Therefore each membership is either *reserved* or *shared*. A function has a few reserved
//! memberships that only it can use. Entries with a shared membership come out of a common pot; once
//! an entry is in the pot any function may join it at no cost. The device's entries are never fewer
//! than the pot and all reserved memberships together, so no function can take what another was
//! promised, however VLANs overlap.
//!
//! The PF alone needs no entry for unicast: what matches none goes to the default pool. So it can
//! be in more VLANs than there are entries, and gives one up ([`VlvfTable::displace`]) that it has
//! not used for long.

use crate::{
    bitmap::Bitmap4096,
    function::Function,
    regs::VLVF_COUNT,
    tracked::Tracked,
    vlan::VlanId, //
};
use core::cmp::Reverse;

/// VLANs every VF can always be in.
pub const VF_SHARE: usize = 2;
/// VLANs the PF can always be in.
pub const PF_SHARE: usize = 4;

const ENTRIES: usize = VLVF_COUNT - 1;

/// No membership is left for this function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Clone, Copy, Debug, Hash)]
struct Entry {
    vid: VlanId,
    /// [`Function::bit`]s of the members by right.
    reserved: u8,
    /// [`Function::bit`]s of the members out of the pot.
    shared: u8,
}

impl Entry {
    fn members(self) -> u8 {
        self.reserved | self.shared
    }
}

/// VLAN memberships of all functions.
///
/// # Invariants
///
/// - Every entry has a member, no VLAN has two entries, no function is in both sets of one entry.
/// - A function has at most its share of reserved memberships.
/// - The pot, that is the entries with a shared member, holds at most [`VlvfTable::pot`] entries.
#[derive(Clone, Debug, Hash)]
pub struct VlvfTable {
    entries: Tracked<[Option<Entry>; ENTRIES]>,
    /// When the PF last used the VLAN of each entry, as [`VlvfTable::note_use`] was told; 0 for
    /// never.
    used: [u32; ENTRIES],
    nr_vfs: u8,
}

impl VlvfTable {
    /// An empty table for `nr_vfs` VFs.
    #[must_use]
    pub const fn new(nr_vfs: u8) -> Self {
        Self {
            entries: Tracked::new([None; ENTRIES]),
            used: [0; ENTRIES],
            nr_vfs,
        }
    }

    /// Number of entries in the pot: 13 with seven VFs.
    #[must_use]
    pub fn pot(&self) -> usize {
        ENTRIES - PF_SHARE - VF_SHARE * usize::from(self.nr_vfs).min(crate::function::MAX_VFS)
    }

    /// Taken entries: hardware entry number (1..=31), VLAN and [`Function::bit`]s of the members.
    pub fn iter(&self) -> impl Iterator<Item = (usize, VlanId, u8)> + '_ {
        (1..)
            .zip(self.entries.iter())
            .filter_map(|(n, e)| e.map(|e| (n, e.vid, e.members())))
    }

    /// Whether `f` is in `vid`.
    #[must_use]
    pub fn contains(&self, f: Function, vid: VlanId) -> bool {
        self.iter()
            .any(|(_, v, members)| v == vid && members & f.bit() != 0)
    }

    /// Whether any function is in `vid`.
    #[must_use]
    pub fn has_entry(&self, vid: VlanId) -> bool {
        self.taken().any(|e| e.vid == vid)
    }

    /// Number of VLANs `f` is in.
    #[must_use]
    pub fn count(&self, f: Function) -> usize {
        self.iter().filter(|(_, _, m)| m & f.bit() != 0).count()
    }

    /// Makes `f` a member of `vid`.
    ///
    /// # Errors
    ///
    /// [`Full`] if `f` has used up its share and the pot is empty.
    pub fn join(&mut self, f: Function, vid: VlanId) -> Result<(), Full> {
        if self.contains(f, vid) {
            return Ok(());
        }
        let reserve = self.reserved(f) < share(f);
        let pot_left = self.pot_used() < self.pot();
        let n = self.entry_for(vid).ok_or(Full)?;
        let entry = self.entries.get_mut(n).ok_or(Full)?;
        let is_new = entry.is_none();
        let mut e = entry.unwrap_or(Entry {
            vid,
            reserved: 0,
            shared: 0,
        });
        if e.shared != 0 {
            e.shared |= f.bit();
        } else if reserve {
            e.reserved |= f.bit();
        } else if pot_left {
            e.shared |= f.bit();
        } else {
            return Err(Full);
        }
        *entry = Some(e);
        if let (true, Some(used)) = (is_new, self.used.get_mut(n)) {
            *used = 0;
        }
        Ok(())
    }

    /// Notes that the PF uses those of `vlans` that have an entry, at the time `now`.
    pub fn note_use(&mut self, vlans: &Bitmap4096, now: u32) {
        for (entry, used) in self.entries.iter().zip(&mut self.used) {
            if entry.is_some_and(|e| vlans.contains(e.vid.get())) {
                *used = now;
            }
        }
    }

    /// Takes the PF out of the VLAN it has used longest ago, of those that no VF is in and that it
    /// has not used since the time `before`. Whoever may take an entry `from_pot` then finds one.
    /// Returns the VLAN; `None` if there is no such VLAN, and nothing has changed.
    ///
    /// Of several VLANs it is the one that came last.
    pub fn displace(&mut self, from_pot: bool, before: u32) -> Option<VlanId> {
        let pf = Function::Pf.bit();
        // What becomes free of the PF's share is filled from the pot.
        if from_pot && !self.taken().any(|e| e.shared == pf && e.reserved == 0) {
            return None;
        }
        let idle = self
            .entries
            .iter()
            .zip(&self.used)
            .filter_map(|(entry, used)| entry.map(|e| (e, *used)))
            .filter(|(e, used)| e.members() == pf && *used < before);
        let (entry, _) = idle.min_by_key(|(e, used)| (*used, Reverse(e.vid.get())))?;
        self.leave_if(Function::Pf, |held| held == entry.vid);
        Some(entry.vid)
    }

    /// Takes `f` out of every VLAN for which `leave` says so.
    pub fn leave_if(&mut self, f: Function, mut leave: impl FnMut(VlanId) -> bool) {
        if !self.taken().any(|e| e.members() & f.bit() != 0) {
            return;
        }
        for entry in self.entries.iter_mut() {
            if let Some(e) = entry {
                if e.members() & f.bit() != 0 && leave(e.vid) {
                    e.reserved &= !f.bit();
                    e.shared &= !f.bit();
                    if e.members() == 0 {
                        *entry = None;
                    }
                }
            }
        }
        self.give_back(f);
    }

    /// Takes `f` out of every VLAN that has another member.
    pub fn leave_to_others(&mut self, f: Function) {
        let both = |e: Entry| e.members() & f.bit() != 0 && e.members() != f.bit();
        if !self.taken().any(both) {
            return;
        }
        for e in self.entries.iter_mut().flatten().filter(|e| both(**e)) {
            e.reserved &= !f.bit();
            e.shared &= !f.bit();
        }
        self.give_back(f);
    }

    /// Takes `f` out of its VLANs beyond the first `limit`.
    pub fn truncate(&mut self, f: Function, limit: usize) {
        let mut kept = 0usize;
        self.leave_if(f, |_| {
            kept = kept.saturating_add(1);
            kept > limit
        });
    }

    /// Whether entries may have changed since this was last called.
    pub(super) fn take_changed(&mut self) -> bool {
        self.entries.take_changed()
    }

    /// Moves memberships of `f` out of the pot while its own share has room.
    fn give_back(&mut self, f: Function) {
        let mut room = share(f).saturating_sub(self.reserved(f));
        for e in self.entries.iter_mut().flatten() {
            if room > 0 && e.shared == f.bit() {
                e.shared = 0;
                e.reserved |= f.bit();
                room -= 1;
            }
        }
    }

    fn reserved(&self, f: Function) -> usize {
        self.taken().filter(|e| e.reserved & f.bit() != 0).count()
    }

    fn pot_used(&self) -> usize {
        self.taken().filter(|e| e.shared != 0).count()
    }

    fn taken(&self) -> impl Iterator<Item = Entry> + '_ {
        self.entries.iter().copied().flatten()
    }

    /// The number in the table of the entry of `vid`, or of a free one.
    fn entry_for(&self, vid: VlanId) -> Option<usize> {
        self.entries
            .iter()
            .position(|e| e.is_some_and(|e| e.vid == vid))
            .or_else(|| self.entries.iter().position(Option::is_none))
    }
}

const fn share(f: Function) -> usize {
    match f {
        Function::Pf => PF_SHARE,
        Function::Vf(_) => VF_SHARE,
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_vlvf))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::function::VfIndex;

    fn vid(n: u16) -> VlanId {
        VlanId::new(n).unwrap()
    }

    fn vf(n: u8) -> Function {
        Function::Vf(VfIndex::new(n).unwrap())
    }

    fn fill(t: &mut VlvfTable, f: Function, first: u16) -> u16 {
        let mut n = 0;
        while n < 64 && t.join(f, vid(first + n)).is_ok() {
            n += 1;
        }
        n
    }

    #[test]
    fn greedy_vf_leaves_every_share() {
        let mut t = VlvfTable::new(7);
        assert_eq!(fill(&mut t, vf(0), 100), 15);
        for n in 1..7 {
            assert_eq!(fill(&mut t, vf(n), 1000 + 100 * u16::from(n)), 2);
        }
        assert_eq!(fill(&mut t, Function::Pf, 3000), 4);
        assert_eq!(t.iter().count(), 31);
        assert!(t.iter().all(|(n, _, _)| (1..=31).contains(&n)));
    }

    #[test]
    fn members_of_one_vlan_share_its_entry() {
        let mut t = VlvfTable::new(7);
        for n in 0..7 {
            assert_eq!(fill(&mut t, vf(n), 100).min(15), 15);
        }
        assert!(t.iter().count() <= 15);
        assert_eq!(fill(&mut t, Function::Pf, 3000), 4);
    }

    #[test]
    fn entry_kept_by_a_free_rider_costs_its_first_member_nothing() {
        let mut t = VlvfTable::new(7);
        t.join(vf(0), vid(100)).unwrap();
        t.join(vf(0), vid(101)).unwrap();
        // VF 1 takes all it can get and sits in both VLANs of VF 0.
        assert_eq!(fill(&mut t, vf(1), 100), 15);
        t.leave_if(vf(0), |_| true);
        assert_eq!(t.join(vf(0), vid(200)), Ok(()));
        assert_eq!(t.join(vf(0), vid(201)), Ok(()));
        assert_eq!(t.join(vf(0), vid(202)), Err(Full));
    }

    #[test]
    fn leaving_a_reserved_vlan_refills_the_pot() {
        let mut t = VlvfTable::new(7);
        assert_eq!(fill(&mut t, vf(0), 100), 15);
        t.leave_if(vf(0), |v| v == vid(100));
        assert_eq!(t.join(vf(1), vid(200)), Ok(()));
        assert_eq!(t.join(vf(1), vid(201)), Ok(()));
        assert_eq!(t.join(vf(1), vid(202)), Ok(()));
        assert_eq!(t.join(vf(1), vid(203)), Err(Full));
    }

    #[test]
    fn who_leaves_takes_nobody_along() {
        let mut t = VlvfTable::new(2);
        // The third is out of the pot, so VF 1 is in it by the same entry.
        assert_eq!(t.join(vf(0), vid(100)), Ok(()));
        assert_eq!(t.join(vf(0), vid(101)), Ok(()));
        assert_eq!(t.join(vf(0), vid(102)), Ok(()));
        assert_eq!(t.join(vf(1), vid(102)), Ok(()));
        t.leave_if(vf(0), |v| v == vid(100));
        assert!(t.contains(vf(0), vid(102)) && t.contains(vf(1), vid(102)));
    }

    /// What [`VlvfTable::displace`] is told when every VLAN counts that was never used.
    const NEVER: u32 = 1;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut t = VlvfTable::new(7);
        assert_eq!(fill(&mut t, Function::Pf, 1), 17);
        let mut used = Bitmap4096::EMPTY;
        for n in 1..17 {
            used.insert(n);
        }
        t.note_use(&used, 5);
        assert_eq!(t.displace(false, 6), Some(vid(17)));
        assert_eq!(t.join(Function::Pf, vid(100)), Ok(()));
        used.remove(3);
        used.insert(100);
        t.note_use(&used, 6);
        assert_eq!(t.displace(false, 6), Some(vid(3)));
        assert_eq!(t.displace(false, 6), None);
        assert_eq!(t.count(Function::Pf), 16);
    }

    #[test]
    fn a_new_vlan_has_not_been_used() {
        let mut t = VlvfTable::new(7);
        t.join(Function::Pf, vid(1)).unwrap();
        t.note_use(&Bitmap4096::FULL, 5);
        t.leave_if(Function::Pf, |_| true);
        t.join(Function::Pf, vid(2)).unwrap();
        assert_eq!(t.displace(false, NEVER), Some(vid(2)));
    }

    #[test]
    fn who_is_displaced_makes_room_in_the_pot() {
        let mut t = VlvfTable::new(7);
        assert_eq!(fill(&mut t, Function::Pf, 1), 17);
        // The first four are the PF's share: one of the others takes the place of the first.
        let mut used = Bitmap4096::FULL;
        used.remove(1);
        t.note_use(&used, NEVER);
        assert_eq!(fill(&mut t, vf(0), 100), 2);
        assert_eq!(t.displace(true, NEVER), Some(vid(1)));
        assert_eq!(t.join(vf(0), vid(102)), Ok(()));
        assert_eq!(t.join(vf(0), vid(103)), Err(Full));
        assert_eq!(t.displace(true, NEVER), None);
    }

    #[test]
    fn the_share_of_the_pf_is_no_room_for_a_vf() {
        let mut t = VlvfTable::new(7);
        assert_eq!(fill(&mut t, vf(0), 100), 15);
        assert_eq!(fill(&mut t, Function::Pf, 1), 4);
        assert_eq!(t.displace(true, NEVER), None);
        assert_eq!(t.count(Function::Pf), 4);
        assert_eq!(t.displace(false, NEVER), Some(vid(4)));
        assert_eq!(t.join(Function::Pf, vid(5)), Ok(()));
    }

    #[test]
    fn truncation_keeps_the_first() {
        let mut t = VlvfTable::new(1);
        assert_eq!(fill(&mut t, vf(0), 1), 2 + 25);
        t.truncate(vf(0), 3);
        assert_eq!(t.count(vf(0)), 3);
        assert!(t.contains(vf(0), vid(1)));
    }
}
