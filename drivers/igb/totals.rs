// SPDX-License-Identifier: GPL-2.0

//! Counters of a port taken together: readings of the controller's, and what the stack is told.

use crate::{
    mac::Mac,
    port::Port, //
};
use igb_core::{
    function::VfIndex,
    layout::PoolLayout,
    regs,
    stats::drops, //
};
use kernel::sync::atomic::Relaxed;
use net::device::LinkStats;

impl Port {
    /// Adds the controller's counters to their totals. The controller is live.
    pub(crate) fn fold_counters(&self, mac: &mut Mac) {
        let io = &self.io;
        mac.folded_at = self.now();
        for vf in VfIndex::all() {
            // One at a time: interrupts are off meanwhile.
            let mut hw = self.hw.lock();
            if hw.switch.vfs().contains(vf) {
                hw.read_vf_counters(io, vf);
            }
        }
        self.fold_drops();
        self.hw_stats.fold(io);
    }

    /// Adds what the PF's queues have dropped. Under [`Port::mac`].
    fn fold_drops(&self) {
        let nr_vfs = self.hw.lock().switch.nr_vfs();
        let Some(layout) = PoolLayout::new(nr_vfs) else {
            return;
        };
        let pairs = layout.max_queue_pairs().min(self.plan.pairs() as usize);
        for (ring, pair) in self.stats.iter().enumerate().take(pairs) {
            let dropped = drops(self.io.read_counter(regs::rqdpc(layout.pf_queue(ring))));
            if dropped != 0 {
                pair.rx_dropped.add(dropped.into());
            }
        }
    }

    /// The controller was reset: counters that do not clear on reading start from 0.
    pub(crate) fn rebase_counters(&self) {
        for stats in self.hw.lock().vf_stats.iter_mut() {
            stats.rebase();
        }
    }

    /// Packets the PF's queues have received.
    pub(crate) fn received(&self) -> u64 {
        self.stats
            .iter()
            .fold(0, |sum: u64, pair| sum.wrapping_add(pair.rx_packets.get()))
    }

    /// A receive ring could not be refilled since the last call.
    pub(crate) fn has_starved(&self) -> bool {
        let failed = self.stats.iter().fold(0, |sum: u64, pair| {
            sum.wrapping_add(pair.rx_alloc_failed.get())
        });
        self.alloc_failures_seen.load(Relaxed) != failed && {
            self.alloc_failures_seen.store(failed, Relaxed);
            true
        }
    }

    /// The net device's counters. Must not sleep.
    pub(crate) fn link_stats(&self, out: &mut LinkStats) {
        for pair in &self.stats {
            // Those of the PF, before all packets are read: there are never more of them, and programs take
            // the difference for unicast packets. The controller's are those of the VFs as well.
            out.multicast = out.multicast.wrapping_add(pair.rx_multicast.get());
            out.rx_packets = out.rx_packets.wrapping_add(pair.rx_packets.get());
            out.rx_bytes = out.rx_bytes.wrapping_add(pair.rx_bytes.get());
            out.rx_dropped = out.rx_dropped.wrapping_add(pair.rx_alloc_failed.get());
            out.rx_errors = out.rx_errors.wrapping_add(pair.rx_errors.get());
            out.tx_packets = out.tx_packets.wrapping_add(pair.tx_packets.get());
            out.tx_bytes = out.tx_bytes.wrapping_add(pair.tx_bytes.get());
            out.tx_dropped = out.tx_dropped.wrapping_add(pair.tx_dropped.get());
        }
        let hw = self.hw_stats.get();
        out.collisions = hw.collisions.total();
        out.rx_crc_errors = hw.rx_crc_errors.total();
        out.rx_frame_errors = hw.rx_align_errors.total();
        // A frame of less than 64 bytes is padded by some emulations, and counted as undersize:
        // it is no error then.
        out.rx_length_errors = hw
            .rx_oversize
            .total()
            .wrapping_add(hw.rx_length_errors.total());
        out.rx_missed_errors = self.stats.iter().fold(hw.rx_missed.total(), |sum, pair| {
            sum.wrapping_add(pair.rx_dropped.get())
        });
        out.rx_errors = out
            .rx_errors
            .wrapping_add(out.rx_crc_errors)
            .wrapping_add(out.rx_frame_errors)
            .wrapping_add(out.rx_length_errors)
            .wrapping_add(hw.rx_errors.total());
        out.tx_aborted_errors = hw.tx_excessive_collision.total();
        out.tx_window_errors = hw.tx_late_collision.total();
        out.tx_carrier_errors = hw.tx_no_carrier.total();
        out.tx_errors = out
            .tx_aborted_errors
            .wrapping_add(out.tx_window_errors)
            .wrapping_add(out.tx_carrier_errors);
    }
}
