// SPDX-License-Identifier: GPL-2.0

//! Sets of numbers as bits: of a word, and of 4096 numbers, laid out like the hardware's hash and VLAN
//! tables.

use crate::{
    regs::TABLE_WORDS,
    vlan::VlanId, //
};

/// Numbers of the bits that are set in a word, in ascending order.
pub(crate) struct Bits(pub(crate) u32);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let lowest = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        // CAST: at most 32.
        (lowest < u32::BITS).then_some(lowest as usize)
    }
}

/// A set of numbers 0..=4095; number n is bit n % 32 of word n / 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bitmap4096([u32; TABLE_WORDS]);

impl Bitmap4096 {
    /// The empty set.
    pub const EMPTY: Self = Self([0; TABLE_WORDS]);
    /// All numbers.
    pub const FULL: Self = Self([u32::MAX; TABLE_WORDS]);

    const fn position(n: u16) -> (usize, u32) {
        let n = n & 0xfff;
        ((n >> 5) as usize, 1 << (n & 31))
    }

    /// Adds `n` modulo 4096.
    pub fn insert(&mut self, n: u16) {
        let (word, bit) = Self::position(n);
        // PANIC: twelve bits shifted right by five are below 128.
        self.0[word] |= bit;
    }

    /// Takes `n` modulo 4096 out.
    pub fn remove(&mut self, n: u16) {
        let (word, bit) = Self::position(n);
        // PANIC: twelve bits shifted right by five are below 128.
        self.0[word] &= !bit;
    }

    /// Whether `n` modulo 4096 is in the set.
    #[must_use]
    pub const fn contains(&self, n: u16) -> bool {
        let (word, bit) = Self::position(n);
        // PANIC: twelve bits shifted right by five are below 128.
        self.0[word] & bit != 0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().fold(0, |sum, word| {
            sum.saturating_add(word.count_ones() as usize)
        })
    }

    /// Sets word `n`, which stands for the numbers from 32 `n` on. Nothing happens above 127.
    pub fn set_word(&mut self, n: usize, bits: u32) {
        if let Some(word) = self.0.get_mut(n) {
            *word = bits;
        }
    }

    /// The numbers that are in both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = *self;
        for (word, other) in both.0.iter_mut().zip(&other.0) {
            *word &= other;
        }
        both
    }

    /// The words of the table.
    #[must_use]
    pub const fn words(&self) -> &[u32; TABLE_WORDS] {
        &self.0
    }

    /// The numbers in the set that are VLANs a frame can belong to, in ascending order.
    pub fn vlans(&self) -> impl Iterator<Item = VlanId> + '_ {
        (0u16..).zip(&self.0).flat_map(|(n, word)| {
            // CAST: a bit of a word is below 32.
            Bits(*word).filter_map(move |bit| VlanId::new((n << 5) | bit as u16))
        })
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_bitmap))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn first_and_last() {
        let mut b = Bitmap4096::EMPTY;
        b.insert(0);
        b.insert(4095);
        assert_eq!(b.words()[0], 1);
        assert_eq!(b.words()[127], 0x8000_0000);
        assert!(b.contains(0) && b.contains(4095) && !b.contains(1));
        b.remove(0);
        b.remove(4095);
        assert!(b.is_empty());
    }

    #[test]
    fn vlans_leave_out_the_reserved_ones() {
        assert_eq!(Bitmap4096::FULL.vlans().count(), 4094);
        assert_eq!(Bitmap4096::FULL.count(), 4096);
    }

    #[test]
    fn vlans_come_in_ascending_order() {
        let mut b = Bitmap4096::EMPTY;
        for vid in [4094, 32, 1, 31] {
            b.insert(vid);
        }
        assert!(b.vlans().map(VlanId::get).eq([1, 31, 32, 4094]));
        assert_eq!(b.count(), 4);
    }

    #[test]
    fn what_is_in_both() {
        let (mut a, mut b) = (Bitmap4096::EMPTY, Bitmap4096::EMPTY);
        a.set_word(1, 6);
        a.set_word(128, 1);
        b.insert(33);
        b.insert(4000);
        assert!(a.and(&b).vlans().map(VlanId::get).eq([33]));
    }
}
