// SPDX-License-Identifier: GPL-2.0

//! Who has which queue and which interrupt vector.
//!
//! VF n owns pool n, queues n and n + 8 and three bits of the extended interrupt registers, counted
//! down from bit 24. The PF has pool N behind the VFs', the queues of that pool, and the interrupt
//! bits from 0 up to where those of the last VF begin.

use crate::function::{
    VfIndex,
    MAX_VFS, //
};

/// Most queue pairs of the PF: as many as it has while there are no VFs.
pub const MAX_PAIRS: usize = 8;
/// Queue pairs in a pool.
pub const POOL_QUEUE_PAIRS: usize = 2;
/// Interrupt vectors of a VF.
pub const VF_VECTORS: u32 = 3;
/// Bits in the extended interrupt registers.
const EICR_BITS: u32 = 25;

/// Split of queues and vectors with a number of VFs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    nr_vfs: u8,
}

impl Layout {
    /// The split with `nr_vfs` VFs; `None` above seven.
    #[must_use]
    pub const fn new(nr_vfs: u8) -> Option<Self> {
        if nr_vfs as usize > MAX_VFS {
            return None;
        }
        Some(Self { nr_vfs })
    }

    /// Most queue pairs the PF can have.
    #[must_use]
    pub const fn max_queue_pairs(self) -> usize {
        if self.nr_vfs == 0 {
            MAX_PAIRS
        } else {
            POOL_QUEUE_PAIRS
        }
    }

    /// The hardware queue of the PF's ring `ring`, below [`Layout::max_queue_pairs`].
    #[must_use]
    pub const fn pf_queue(self, ring: usize) -> usize {
        if self.nr_vfs == 0 {
            return ring & 7;
        }
        // The two queues of a pool are eight apart.
        self.nr_vfs as usize + ((ring & 1) << 3)
    }

    /// Most vectors the PF can use if the device's table has `table` of them.
    #[must_use]
    pub const fn max_vectors(self, table: u32) -> u32 {
        let bits = EICR_BITS.saturating_sub(VF_VECTORS * self.nr_vfs as u32);
        if table < bits {
            table
        } else {
            bits
        }
    }

    /// Queue pairs for `wanted` of them and `vectors` vectors, one of which is for all other causes.
    ///
    /// `None` if not even one queue pair can have a vector of its own.
    #[must_use]
    pub fn queue_pairs(self, wanted: usize, vectors: u32) -> Option<usize> {
        let for_queues = usize::try_from(vectors.checked_sub(1)?).unwrap_or(usize::MAX);
        let pairs = wanted.clamp(1, self.max_queue_pairs()).min(for_queues);
        (pairs != 0).then_some(pairs)
    }
}

/// The two hardware queues of a VF.
#[must_use]
pub const fn vf_queues(vf: VfIndex) -> [usize; 2] {
    [vf.index(), vf.index() + 8]
}

/// The bits of a VF in the extended interrupt registers.
#[must_use]
pub const fn vf_eicr_bits(vf: VfIndex) -> u32 {
    0x7 << (EICR_BITS - VF_VECTORS - VF_VECTORS * vf.get() as u32)
}

/// The vector of all causes that belong to no queue.
pub const OTHER_VECTOR: u8 = 0;

/// The vector of the PF's ring `ring`, 0..=7.
#[must_use]
pub const fn ring_vector(ring: usize) -> u8 {
    // Three bits fit.
    (ring & 7) as u8 + 1
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_layout))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn vectors_shrink_with_vfs() {
        let vectors = |n| Layout::new(n).unwrap().max_vectors(10);
        assert_eq!(vectors(0), 10);
        assert_eq!(vectors(5), 10);
        assert_eq!(vectors(6), 7);
        assert_eq!(vectors(7), 4);
        assert!(Layout::new(8).is_none());
    }

    #[test]
    fn no_function_has_a_bit_of_another() {
        for n in 0..=7 {
            let mut used = (1u32 << Layout::new(n).unwrap().max_vectors(25)) - 1;
            for vf in VfIndex::all().take(n.into()) {
                assert_eq!(used & vf_eicr_bits(vf), 0);
                used |= vf_eicr_bits(vf);
            }
            assert_eq!(used >> 25, 0);
        }
    }

    #[test]
    fn no_function_has_a_queue_of_another() {
        for n in 1..=7 {
            let layout = Layout::new(n).unwrap();
            let mut used = 0u32;
            for vf in VfIndex::all().take(n.into()) {
                for queue in vf_queues(vf) {
                    used |= 1 << queue;
                }
            }
            for ring in 0..layout.max_queue_pairs() {
                assert_eq!(used & (1 << layout.pf_queue(ring)), 0);
                used |= 1 << layout.pf_queue(ring);
            }
            assert_eq!(used.count_ones(), 2 * (u32::from(n) + 1));
        }
    }

    #[test]
    fn queue_pairs_follow_vectors() {
        let alone = Layout::new(0).unwrap();
        assert_eq!(alone.queue_pairs(4, 10), Some(4));
        assert_eq!(alone.queue_pairs(16, 10), Some(8));
        assert_eq!(alone.queue_pairs(8, 3), Some(2));
        assert_eq!(alone.queue_pairs(8, 1), None);
        assert_eq!(alone.queue_pairs(8, 0), None);
        assert_eq!(Layout::new(7).unwrap().queue_pairs(8, 4), Some(2));
    }
}
