// SPDX-License-Identifier: GPL-2.0

//! What a poll of a receive ring counts, for all of its frames at once.

use crate::stats::PairStats;

/// Counts of one poll.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) frames: u32,
    pub(super) bytes: u32,
    pub(super) csum_good: u32,
    /// Buffers that have completed no frame.
    pub(super) incomplete: u32,
    /// Frames that a program did not want, or wanted elsewhere, by the shortest way.
    pub(super) xdp_drop: u32,
    pub(super) xdp_redirect: u32,
}

impl Tally {
    /// Counts a frame that the stack does not get.
    pub(super) fn count(&mut self, bytes: u32) {
        self.frames = self.frames.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(bytes);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.frames = self.frames.wrapping_add(other.frames);
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.csum_good = self.csum_good.wrapping_add(other.csum_good);
        self.incomplete = self.incomplete.wrapping_add(other.incomplete);
    }

    /// What there is only with a program.
    #[inline]
    pub(super) fn publish_shown(&self, stats: &PairStats) {
        stats.rx_xdp_drop.add(self.xdp_drop.into());
        stats.rx_xdp_redirect.add(self.xdp_redirect.into());
    }

    /// The rest, of a poll in which the stack was handed so many multicast frames.
    #[inline]
    pub(super) fn publish(&self, stats: &PairStats, multicast: u32) {
        if self.frames != 0 {
            stats.rx_packets.add(u64::from(self.frames));
            stats.rx_bytes.add(u64::from(self.bytes));
            stats.rx_csum_good.add(u64::from(self.csum_good));
            // After the packets they are part of.
            if multicast != 0 {
                stats.rx_multicast.add(multicast.into());
            }
        }
    }
}
