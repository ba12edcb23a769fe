// SPDX-License-Identifier: GPL-2.0

//! Who has which queue.
//!
//! VF n owns pool n and queues n and n + 8. The PF has pool N behind the VFs', and the queues of that
//! pool.

use crate::{
    function::{
        VfIndex,
        MAX_VFS, //
    },
    regs::POOL_COUNT, //
};

/// Most queue pairs of the PF: as many as it has while there are no VFs.
pub const MAX_PAIRS: usize = 8;
/// Queue pairs in a pool.
const POOL_QUEUE_PAIRS: usize = 2;

/// Split of the queues with a number of VFs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLayout {
    nr_vfs: u8,
}

impl PoolLayout {
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

    /// The hardware queue of the PF's ring `ring`, below [`PoolLayout::max_queue_pairs`].
    #[must_use]
    pub const fn pf_queue(self, ring: usize) -> usize {
        if self.nr_vfs == 0 {
            return ring & 7;
        }
        // The two queues of a pool are eight apart.
        self.nr_vfs as usize + ((ring & 1) << 3)
    }
}

/// The two hardware queues of a VF.
#[must_use]
pub const fn vf_queues(vf: VfIndex) -> [usize; 2] {
    [vf.index(), vf.index() + POOL_COUNT]
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_layout))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn seven_vfs_leave_a_pool() {
        assert_eq!(PoolLayout::new(0).unwrap().max_queue_pairs(), MAX_PAIRS);
        assert_eq!(PoolLayout::new(7).unwrap().max_queue_pairs(), 2);
        assert!(PoolLayout::new(8).is_none());
    }

    #[test]
    fn no_function_has_a_queue_of_another() {
        for n in 1..=7 {
            let layout = PoolLayout::new(n).unwrap();
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
}
