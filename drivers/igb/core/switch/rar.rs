// SPDX-License-Identifier: GPL-2.0

//! Who owns which receive address register.
//!
//! Entry 0 is the PF's own address and entry 23 - n the primary address of VF n; both follow from
//! other state. This table hands out the entries between them to the extra addresses of all
//! functions. Each function has a share no other can take; the rest is first come, first served.

use crate::{
    addr::UnicastAddr,
    function::{
        Function,
        VfIndex, //
    },
    regs::RAR_COUNT,
    tracked::Tracked, //
};

/// Extra addresses every VF can always have.
pub const VF_SHARE: usize = 1;
/// Extra addresses the PF can always have.
pub const PF_SHARE: usize = 3;

/// No entry is left for this function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The entry of a VF's primary address.
#[must_use]
pub const fn primary_entry(vf: VfIndex) -> usize {
    RAR_COUNT - 1 - vf.index()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Owned {
    owner: Function,
    addr: UnicastAddr,
}

/// The extra receive addresses of all functions.
///
/// # Invariants
///
/// - Only entries 1..24 - `nr_vfs` are taken, and no address is in two of them.
/// - The sum over all functions of max(entries held, share) is at most the number of entries.
#[derive(Clone, Debug, Hash)]
pub struct RarTable {
    entries: Tracked<[Option<Owned>; RAR_COUNT]>,
    nr_vfs: u8,
}

impl RarTable {
    /// An empty table for `nr_vfs` VFs.
    #[must_use]
    pub const fn new(nr_vfs: u8) -> Self {
        Self {
            entries: Tracked::new([None; RAR_COUNT]),
            nr_vfs,
        }
    }

    /// Number of entries the table hands out: 16 with seven VFs, 23 without any.
    #[must_use]
    pub fn capacity(&self) -> usize {
        RAR_COUNT - 1 - usize::from(self.nr_vfs).min(crate::function::MAX_VFS)
    }

    /// Number of entries `f` holds.
    #[must_use]
    pub fn count(&self, f: Function) -> usize {
        self.iter().filter(|(_, owner, _)| *owner == f).count()
    }

    /// The function that holds `addr` as an extra address.
    #[must_use]
    pub fn owner(&self, addr: UnicastAddr) -> Option<Function> {
        self.iter()
            .find(|(_, _, held)| *held == addr)
            .map(|(_, owner, _)| owner)
    }

    /// Taken entries: number, owner and address.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Function, UnicastAddr)> + '_ {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(n, e)| e.map(|e| (n, e.owner, e.addr)))
    }

    /// The entries that are handed out to nobody, a bit each.
    #[must_use]
    pub fn free(&self) -> u32 {
        let all = (1..=self.capacity()).fold(0u32, |all, n| all | 1 << n);
        self.iter().fold(all, |free, (n, _, _)| free & !(1 << n))
    }

    /// How many more entries `f` could take now.
    #[must_use]
    pub fn room(&self, f: Function) -> usize {
        let promised: usize = self
            .functions()
            .filter(|other| *other != f)
            .map(|other| self.count(other).max(share(other)))
            .sum();
        self.capacity()
            .saturating_sub(promised)
            .saturating_sub(self.count(f))
    }

    /// Gives `addr` an entry owned by `f`. The caller has made sure no one else has the address.
    ///
    /// # Errors
    ///
    /// [`Full`] if that would take an entry promised to another function.
    pub fn add(&mut self, f: Function, addr: UnicastAddr) -> Result<(), Full> {
        if self.owner(addr) == Some(f) {
            return Ok(());
        }
        if self.room(f) == 0 {
            return Err(Full);
        }
        let end = self.capacity().saturating_add(1);
        let free = self
            .entries
            .iter_mut()
            .take(end)
            .skip(1)
            .find(|e| e.is_none());
        // Room implies a free entry.
        *free.ok_or(Full)? = Some(Owned { owner: f, addr });
        Ok(())
    }

    /// Frees the entries of `f` for which `drop` says so.
    pub fn remove_if(&mut self, f: Function, mut drop: impl FnMut(UnicastAddr) -> bool) {
        for n in 0..RAR_COUNT {
            // PANIC: n is below RAR_COUNT, here and below.
            if self.entries[n].is_some_and(|e| e.owner == f && drop(e.addr)) {
                self.entries[n] = None;
            }
        }
    }

    /// Whether entries may have changed since this was last called.
    pub(super) fn take_changed(&mut self) -> bool {
        self.entries.take_changed()
    }

    /// Frees the entries of `f` beyond the first `limit`.
    pub fn truncate(&mut self, f: Function, limit: usize) {
        let mut kept = 0usize;
        self.remove_if(f, |_| {
            kept = kept.saturating_add(1);
            kept > limit
        });
    }

    fn functions(&self) -> impl Iterator<Item = Function> {
        let nr_vfs = self.nr_vfs;
        Function::all().filter(move |f| match f {
            Function::Pf => true,
            Function::Vf(vf) => vf.get() < nr_vfs,
        })
    }
}

const fn share(f: Function) -> usize {
    match f {
        Function::Pf => PF_SHARE,
        Function::Vf(_) => VF_SHARE,
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_rar))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::addr::MacAddr;

    fn addr(n: u8) -> UnicastAddr {
        UnicastAddr::new(MacAddr([2, 0, 0, 0, 0, n])).unwrap()
    }

    fn vf(n: u8) -> Function {
        Function::Vf(VfIndex::new(n).unwrap())
    }

    fn fill(t: &mut RarTable, f: Function, first: u8) -> u8 {
        let mut n = 0;
        while t.add(f, addr(first + n)).is_ok() {
            n += 1;
        }
        n
    }

    #[test]
    fn pf_alone_has_all_entries() {
        let mut t = RarTable::new(0);
        assert_eq!(fill(&mut t, Function::Pf, 0), 23);
    }

    #[test]
    fn greedy_vf_leaves_every_share() {
        let mut t = RarTable::new(7);
        // 16 entries, of which 3 + 6 are promised to others.
        assert_eq!(fill(&mut t, vf(0), 0), 7);
        for n in 1..7 {
            assert_eq!(fill(&mut t, vf(n), 100 + 10 * n), 1);
        }
        assert_eq!(fill(&mut t, Function::Pf, 50), 3);
        assert_eq!(t.iter().count(), 16);
        assert!(t.iter().all(|(n, _, _)| (1..17).contains(&n)));
    }

    #[test]
    fn adding_twice_takes_one_entry() {
        let mut t = RarTable::new(1);
        assert_eq!(t.add(vf(0), addr(1)), Ok(()));
        assert_eq!(t.add(vf(0), addr(1)), Ok(()));
        assert_eq!(t.count(vf(0)), 1);
    }

    #[test]
    fn freed_entries_are_usable_again() {
        let mut t = RarTable::new(7);
        assert_eq!(fill(&mut t, vf(0), 0), 7);
        t.truncate(vf(0), 2);
        assert_eq!(t.count(vf(0)), 2);
        t.remove_if(vf(0), |_| true);
        assert_eq!(fill(&mut t, vf(1), 0), 7);
    }
}
