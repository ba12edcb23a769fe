// SPDX-License-Identifier: GPL-2.0

//! The functions that share the device: one PF and up to seven VFs.

use crate::bitmap::Bits;

/// Most VFs the driver enables: of the device's eight pools one is the PF's.
pub const MAX_VFS: usize = 7;

/// A VF.
///
/// The number is an enum so that the compiler knows its range: subscripts and shifts by it need no
/// check and cannot panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VfIndex(Index);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Index {
    Vf0,
    Vf1,
    Vf2,
    Vf3,
    Vf4,
    Vf5,
    Vf6,
}

impl VfIndex {
    const ALL: [Self; MAX_VFS] = [
        Self(Index::Vf0),
        Self(Index::Vf1),
        Self(Index::Vf2),
        Self(Index::Vf3),
        Self(Index::Vf4),
        Self(Index::Vf5),
        Self(Index::Vf6),
    ];

    /// Accepts `index` below [`MAX_VFS`].
    #[must_use]
    pub const fn new(index: u8) -> Option<Self> {
        if index as usize >= MAX_VFS {
            return None;
        }
        // PANIC: just checked.
        Some(Self::ALL[index as usize])
    }

    /// All VFs the driver can enable, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// The index, 0..=6.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u8 {
        self.0 as u8
    }

    /// The index as an array subscript, 0..=6.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The VF's bit in the per-VF and per-pool registers: VF n always has pool n.
    #[must_use]
    #[inline]
    pub const fn bit(self) -> u8 {
        1 << self.get()
    }
}

/// Whoever owns a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// The physical function.
    Pf,
    /// A virtual function.
    Vf(VfIndex),
}

impl Function {
    /// All functions, the PF last.
    pub fn all() -> impl Iterator<Item = Self> {
        VfIndex::all().map(Self::Vf).chain([Self::Pf])
    }

    /// A bit per function that does not depend on the number of VFs, unlike the pool.
    #[must_use]
    #[inline]
    pub const fn bit(self) -> u8 {
        match self {
            Self::Pf => 1 << MAX_VFS,
            Self::Vf(vf) => vf.bit(),
        }
    }

    /// The function's bit in the per-pool registers with `nr_vfs` VFs (0..=7) enabled: the PF has
    /// the pool after the last VF's.
    #[must_use]
    #[inline]
    pub const fn pool_bit(self, nr_vfs: u8) -> u8 {
        match self {
            Self::Pf => 1 << (nr_vfs & 7),
            Self::Vf(vf) => vf.bit(),
        }
    }
}

/// A set of VFs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VfSet(u8);

impl VfSet {
    /// No VF.
    pub const EMPTY: Self = Self(0);

    /// The VFs whose bit is set in `bits`; bits of VFs that cannot exist are dropped.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x7f)
    }

    /// The first `n` VFs.
    #[must_use]
    pub const fn first(n: u8) -> Self {
        if n as usize >= MAX_VFS {
            return Self(0x7f);
        }
        Self((1 << n) - 1)
    }

    /// One bit per VF.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the set has no VF.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `vf` is in the set.
    #[must_use]
    #[inline]
    pub const fn contains(self, vf: VfIndex) -> bool {
        self.0 & vf.bit() != 0
    }

    /// Adds `vf`.
    pub fn insert(&mut self, vf: VfIndex) {
        self.0 |= vf.bit();
    }

    /// Takes `vf` out.
    pub fn remove(&mut self, vf: VfIndex) {
        self.0 &= !vf.bit();
    }

    /// VFs of this set that are not in the other.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The VFs in either set.
    #[must_use]
    #[inline]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The VFs in both sets.
    #[must_use]
    #[inline]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The VFs in ascending order.
    pub fn iter(self) -> impl Iterator<Item = VfIndex> {
        // CAST: below 8, which is no VF.
        Bits(u32::from(self.0)).filter_map(|bit| VfIndex::new(bit as u8))
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_function))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn seven_vfs() {
        assert!(VfIndex::new(6).is_some());
        assert!(VfIndex::new(7).is_none());
        assert_eq!(VfIndex::all().count(), MAX_VFS);
        assert_eq!(Function::all().count(), MAX_VFS + 1);
    }

    #[test]
    fn pf_has_the_pool_after_the_vfs() {
        assert_eq!(Function::Pf.pool_bit(0), 0x01);
        assert_eq!(Function::Pf.pool_bit(7), 0x80);
        assert_eq!(Function::Vf(VfIndex::new(6).unwrap()).pool_bit(7), 0x40);
    }

    #[test]
    fn sets() {
        assert_eq!(VfSet::first(0), VfSet::EMPTY);
        assert_eq!(VfSet::first(6).bits(), 0x3f);
        assert_eq!(VfSet::first(7).bits(), 0x7f);
        assert_eq!(VfSet::first(255).bits(), 0x7f);
        assert_eq!(VfSet::from_bits(0x80), VfSet::EMPTY);
        assert!(VfSet::EMPTY.iter().next().is_none());
        for bits in 0..0x80 {
            let set = VfSet::from_bits(bits);
            let members = VfIndex::all().filter(|vf| set.contains(*vf));
            assert!(set.iter().eq(members));
        }
    }
}
