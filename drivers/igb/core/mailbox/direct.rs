// SPDX-License-Identifier: GPL-2.0

//! What may be done for VFs in the interrupt itself.
//!
//! A driver of a VF on the PF's own host waits for its answer with the CPU to itself, so the answer
//! has to come from the interrupt. But time in interrupts is taken from everybody, and a VF decides
//! how often there is one. Two limits follow:
//!
//! - What is served there is rationed for each VF ([`Direct::take`]): whole starts of a client fit
//!   into the ration, which comes back slowly. What takes longer takes more of it. Requests beyond it
//!   are left to the work item.
//! - All wake-ups of the PF together are limited as well ([`Direct::woken`]), whoever causes them and
//!   however (a VF can also acknowledge what was never sent, or ring while it is cut off). Beyond the
//!   limit the controller is told to leave some time between interrupts: who has a ration left is still
//!   served in one, a little later.

use super::session::{
    Policy,
    NSEC_PER_SEC, //
};
use crate::{
    bucket::Bucket,
    function::{
        VfIndex,
        MAX_VFS, //
    },
};

/// What a VF may be served in the interrupt per second, in the long run: messages, of which a reset of
/// the VF counts for [`RESET`].
pub const MESSAGES_PER_SEC: u32 = 20;
/// What it may be served there in a row. From down to up igbvf needs two resets and fourteen more
/// messages: twenty starts without a pause.
pub const MESSAGE_BURST: u32 = 400;
/// What a reset counts for. It takes some three times the register accesses of a message, as all that
/// a tenant can leave is cleared.
const RESET: u64 = 3;

/// Wake-ups per second in the long run.
pub const WAKE_UPS_PER_SEC: u32 = 200;
/// Wake-ups in a row. A request is one and so is the acknowledgement of its answer: as many as all
/// VFs together may cause by what [`Policy::DEFAULT`] lets each ask in a row.
pub const WAKE_UP_BURST: u32 = 2 * MAX_VFS as u32 * Policy::DEFAULT.burst;
/// Wake-ups that must have been saved up for the spacing to end.
const CALM: u32 = 100;

/// Time between interrupts when there are too many, in microseconds. A client that needs twenty
/// answers notices it; one that waits a second for each does not give up.
pub const SPACING_USECS: u32 = 500;

const fn interval(per_sec: u32) -> u64 {
    NSEC_PER_SEC / per_sec as u64
}

const fn depth(per_sec: u32, burst: u32) -> u64 {
    interval(per_sec) * burst as u64
}

/// The rations. Time is in nanoseconds of any clock that does not go backwards.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Direct {
    rations: [Bucket; MAX_VFS],
    wake_ups: Bucket,
    spaced: bool,
}

impl Direct {
    /// Nothing used up, no spacing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rations: [const { Bucket::FULL }; MAX_VFS],
            wake_ups: Bucket::FULL,
            spaced: false,
        }
    }

    /// Whether `vf`, which has a message or was `reset`, or both, may be served in the interrupt at time
    /// `now`; takes that from its ration if so.
    pub fn take(&mut self, vf: VfIndex, reset: bool, now: u64) -> bool {
        const MESSAGE: u64 = interval(MESSAGES_PER_SEC);
        const DEPTH: u64 = depth(MESSAGES_PER_SEC, MESSAGE_BURST);
        let cost = if reset { RESET * MESSAGE } else { MESSAGE };
        // PANIC: an index is below MAX_VFS by its type.
        self.rations[vf.index()].take(cost, DEPTH, now).is_ok()
    }

    /// Counts a wake-up of the PF at time `now`. Returns whether spacing has to begin with it.
    pub fn woken(&mut self, now: u64) -> bool {
        const INTERVAL: u64 = interval(WAKE_UPS_PER_SEC);
        const DEPTH: u64 = depth(WAKE_UPS_PER_SEC, WAKE_UP_BURST);
        let within = self.wake_ups.take(INTERVAL, DEPTH, now).is_ok();
        !within && !core::mem::replace(&mut self.spaced, true)
    }

    /// Interrupts are spaced: somebody has to ask [`Direct::calmed`] now and then.
    #[must_use]
    pub const fn is_spaced(&self) -> bool {
        self.spaced
    }

    /// Whether it is quiet again at time `now`, so that spacing has to end.
    pub fn calmed(&mut self, now: u64) -> bool {
        const INTERVAL: u64 = interval(WAKE_UPS_PER_SEC);
        const DEPTH: u64 = depth(WAKE_UPS_PER_SEC, WAKE_UP_BURST);
        const SAVED: u64 = INTERVAL * CALM as u64;
        let calm = self.spaced && self.wake_ups.has(SAVED, DEPTH, now);
        if calm {
            self.spaced = false;
        }
        calm
    }

    /// The controller was reset: it does not space interrupts.
    pub fn on_reset(&mut self) {
        self.spaced = false;
    }
}

#[cfg_attr(
    CONFIG_KUNIT = "y",
    kernel::prelude::kunit_tests(igb_core_mailbox_direct)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const NOW: u64 = 3600 * NSEC_PER_SEC;

    fn vf(n: u8) -> VfIndex {
        VfIndex::new(n).unwrap()
    }

    #[test]
    fn whole_starts_fit() {
        let mut direct = Direct::new();
        // Twenty starts of igbvf, at once.
        for n in 0..20 * 16 {
            assert!(direct.take(vf(3), n % 8 == 0, NOW));
        }
    }

    #[test]
    fn the_ration_comes_back_slowly() {
        for (reset, burst, more) in [(false, 400, 200), (true, 133, 67)] {
            let mut direct = Direct::new();
            let served = (0..10_000).filter(|_| direct.take(vf(0), reset, NOW));
            assert_eq!(served.count(), burst);
            // Tried a thousand times a second, for ten seconds.
            let served = (1..=10_000).filter(|ms| direct.take(vf(0), reset, NOW + ms * MS));
            assert_eq!(served.count(), more);
        }
    }

    #[test]
    fn nobody_uses_up_anothers() {
        let mut direct = Direct::new();
        while direct.take(vf(0), false, NOW) {}
        assert!((1..7).all(|n| direct.take(vf(n), false, NOW)));
    }

    #[test]
    fn a_storm_is_spaced_until_it_is_over() {
        let mut direct = Direct::new();
        // Seven VFs, 128 requests each, and an acknowledgement of each answer.
        assert!((0..1792).all(|_| !direct.woken(NOW)));
        assert!(!direct.is_spaced());
        assert!(direct.woken(NOW));
        // It is known.
        assert!(!direct.woken(NOW));
        // 500 wake-ups a second are more than come back.
        for half_ms in 1..4000 {
            let now = NOW + half_ms * 2 * MS;
            assert!(!direct.woken(now));
            assert!(!direct.calmed(now));
        }
        let end = NOW + 8000 * MS;
        assert!(!direct.calmed(end + 490 * MS));
        assert!(direct.calmed(end + 510 * MS));
        assert!(!direct.is_spaced());
        assert!(!direct.calmed(end + 520 * MS));
    }

    #[test]
    fn a_reset_ends_the_spacing() {
        let mut direct = Direct::new();
        while !direct.woken(NOW) {}
        direct.on_reset();
        assert!(!direct.is_spaced());
        // The storm goes on: it begins anew.
        assert!(direct.woken(NOW));
    }
}
