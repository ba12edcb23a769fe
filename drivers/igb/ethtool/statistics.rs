// SPDX-License-Identifier: GPL-2.0

//! Counters and self-tests: `ethtool -S` and `-t`.

use super::{
    self_test,
    Ops, //
};
use crate::{
    port::Port,
    stats::{
        HwCounters,
        PairStats, //
    },
};
use igb_core::{
    counters::VfCounters,
    function::VfIndex,
    stats::VfTraffic, //
};
use kernel::prelude::*;
use net::{
    device::{
        Device,
        Locked, //
    },
    ethtool::{
        CtrlStats,
        MacStats,
        RmonErrors,
        RmonRange,
        RmonRanges,
        RmonStats,
        StampStats,
        Standard,
        Statistics,
        Strings,
        TestRun, //
    },
};

impl Port {
    /// The controller's counters as of now.
    pub(super) fn current_counters(&self) -> HwCounters {
        let mut mac = self.mac.lock();
        if self.is_live() {
            self.fold_counters(&mut mac);
        }
        self.hw_stats.get()
    }

    /// Traffic and events of a VF; all 0 if it is not enabled.
    fn vf_counters(&self, vf: VfIndex) -> (VfTraffic, VfCounters) {
        let hw = self.hw.lock();
        if !hw.switch.vfs().contains(vf) {
            return Default::default();
        }
        let traffic = hw.vf_stats.get(vf.index()).copied().unwrap_or_default();
        (traffic, *hw.switch.counters(vf))
    }
}

#[vtable]
impl Strings<Port> for Ops {
    const TESTS: &'static [&'static str] = &self_test::NAMES;

    /// Those of the controller, then of each queue pair and of each VF there can be. Their number must
    /// not change while the interface exists: readers ask for it, for the names and for the values one
    /// after the other, and fail if it did.
    fn statistics(port: &Port, _dev: &Device<Port>, out: &mut Statistics<'_>) {
        let counters = if out.wants_values() {
            port.current_counters()
        } else {
            HwCounters::default()
        };
        for (name, value) in HwCounters::NAMES.iter().zip(counters.values()) {
            out.put(fmt!("{name}"), value);
        }
        put_stamps(port, out);
        put_pairs(port, out);
        put_vfs(port, out);
    }

    fn self_test(port: &Port, dev: &Locked<Port>, run: &mut TestRun<'_>) {
        let report = if run.offline {
            self_test::offline(port, dev)
        } else {
            self_test::online(port)
        };
        run.results.copy_from_slice(&report.results());
    }
}

fn put_stamps(port: &Port, out: &mut Statistics<'_>) {
    out.put(fmt!("tx_hwtstamp_timeouts"), port.stamps.timeouts());
    out.put(fmt!("tx_hwtstamp_skipped"), port.stamps.skipped());
    out.put(fmt!("rx_hwtstamp_cleared"), port.ptp.cleared());
}

/// A pair that is not in use (any more) shows what it has counted: the sum over all pairs is what
/// `ip -s link` shows, however many are in use.
fn put_pairs(port: &Port, out: &mut Statistics<'_>) {
    for (n, pair) in (0..port.plan.pairs()).zip(&port.stats) {
        for (name, value) in rx_of(pair) {
            out.put(fmt!("rx_queue_{n}_{name}"), value);
        }
        for (name, value) in tx_of(pair) {
            out.put(fmt!("tx_queue_{n}_{name}"), value);
        }
    }
}

fn rx_of(pair: &PairStats) -> [(&'static str, u64); 12] {
    [
        ("packets", pair.rx_packets.get()),
        ("bytes", pair.rx_bytes.get()),
        ("errors", pair.rx_errors.get()),
        ("alloc_failed", pair.rx_alloc_failed.get()),
        ("dropped", pair.rx_dropped.get()),
        ("csum_good", pair.rx_csum_good.get()),
        ("csum_bad", pair.rx_csum_bad.get()),
        ("xdp_drop", pair.rx_xdp_drop.get()),
        ("xdp_tx", pair.rx_xdp_tx.get()),
        ("xdp_redirect", pair.rx_xdp_redirect.get()),
        ("xdp_failed", pair.rx_xdp_failed.get()),
        ("own_copies", pair.rx_own_copies.get()),
    ]
}

fn tx_of(pair: &PairStats) -> [(&'static str, u64); 10] {
    [
        ("packets", pair.tx_packets.get()),
        ("bytes", pair.tx_bytes.get()),
        ("dropped", pair.tx_dropped.get()),
        ("csum", pair.tx_csum.get()),
        ("gso", pair.tx_gso.get()),
        ("stop", pair.tx_stop.get()),
        ("wake", pair.tx_wake.get()),
        ("xdp", pair.tx_xdp.get()),
        ("xdp_dropped", pair.tx_xdp_dropped.get()),
        ("xsk", pair.tx_xsk.get()),
    ]
}

/// A VF that is not enabled shows 0.
fn put_vfs(port: &Port, out: &mut Statistics<'_>) {
    for vf in VfIndex::all() {
        let (traffic, events) = port.vf_counters(vf);
        let n = vf.get();
        for (name, value) in traffic_of(&traffic) {
            out.put(fmt!("vf{n}_{name}"), value);
        }
        for (name, value) in VfCounters::NAMES.iter().zip(events.values()) {
            out.put(fmt!("vf{n}_{name}"), value);
        }
    }
}

fn traffic_of(stats: &VfTraffic) -> [(&'static str, u64); 10] {
    [
        ("rx_packets", stats.rx_packets.total()),
        ("rx_bytes", stats.rx_bytes.total()),
        ("rx_multicast", stats.rx_multicast.total()),
        ("rx_dropped", stats.rx_dropped.total()),
        ("tx_packets", stats.tx_packets.total()),
        ("tx_bytes", stats.tx_bytes.total()),
        ("rx_loopback_packets", stats.rx_loopback_packets.total()),
        ("rx_loopback_bytes", stats.rx_loopback_bytes.total()),
        ("tx_loopback_packets", stats.tx_loopback_packets.total()),
        ("tx_loopback_bytes", stats.tx_loopback_bytes.total()),
    ]
}

const fn range(low: u16, high: u16) -> RmonRange {
    RmonRange { low, high }
}

#[vtable]
impl Standard<Port> for Ops {
    const RMON_RANGES: RmonRanges = RmonRanges::new(&[
        range(64, 64),
        range(65, 127),
        range(128, 255),
        range(256, 511),
        range(512, 1023),
        range(1024, igb_core::frame::MAX_FRAME),
        range(0, 0),
    ]);

    fn mac_stats(port: &Port, _dev: &Device<Port>) -> MacStats {
        let hw = port.current_counters();
        MacStats {
            frames_transmitted: Some(hw.tx_good.total()),
            single_collision_frames: Some(hw.tx_single_collision.total()),
            multiple_collision_frames: Some(hw.tx_multiple_collision.total()),
            frames_received: Some(hw.rx_good.total()),
            frame_check_sequence_errors: Some(hw.rx_crc_errors.total()),
            alignment_errors: Some(hw.rx_align_errors.total()),
            octets_transmitted: Some(hw.tx_good_octets.total()),
            frames_with_deferred_xmissions: Some(hw.tx_deferred.total()),
            late_collisions: Some(hw.tx_late_collision.total()),
            frames_aborted_due_to_collisions: Some(hw.tx_excessive_collision.total()),
            carrier_sense_errors: Some(hw.tx_no_carrier.total()),
            octets_received: Some(hw.rx_good_octets.total()),
            frames_lost_receiving: Some(hw.rx_missed.total()),
            multicast_frames_transmitted: Some(hw.tx_multicast.total()),
            broadcast_frames_transmitted: Some(hw.tx_broadcast.total()),
            multicast_frames_received: Some(hw.rx_multicast.total()),
            broadcast_frames_received: Some(hw.rx_broadcast.total()),
            in_range_length_errors: Some(hw.rx_length_errors.total()),
            frame_too_long_errors: Some(hw.rx_oversize.total()),
            ..Default::default()
        }
    }

    /// PAUSE is the only kind of control frame the controller sends or takes.
    fn ctrl_stats(port: &Port, _dev: &Device<Port>) -> CtrlStats {
        let hw = port.current_counters();
        let sum = |xon: u64, xoff: u64| Some(xon.wrapping_add(xoff));
        CtrlStats {
            transmitted: sum(hw.tx_xon.total(), hw.tx_xoff.total()),
            received: sum(hw.rx_xon.total(), hw.rx_xoff.total()),
            ..Default::default()
        }
    }

    fn stamp_stats(port: &Port, _dev: &Device<Port>) -> StampStats {
        StampStats {
            packets: Some(port.stamps.delivered()),
            lost: Some(port.stamps.lost().wrapping_add(port.stamps.timeouts())),
            errors: Some(port.stamps.skipped()),
        }
    }

    fn rmon_stats(port: &Port, _dev: &Device<Port>) -> RmonStats {
        let hw = port.current_counters();
        let mut stats = RmonStats {
            errors: RmonErrors {
                undersize: Some(hw.rx_undersize.total()),
                oversize: Some(hw.rx_oversize.total()),
                fragments: Some(hw.rx_fragments.total()),
                jabbers: Some(hw.rx_jabber.total()),
            },
            ..Default::default()
        };
        fill(&mut stats.received, hw.rx_sizes());
        fill(&mut stats.transmitted, hw.tx_sizes());
        stats
    }
}

fn fill(to: &mut [Option<u64>], from: [u64; 6]) {
    for (to, value) in to.iter_mut().zip(from) {
        *to = Some(value);
    }
}

impl HwCounters {
    /// Frames received, by size.
    fn rx_sizes(&self) -> [u64; 6] {
        [
            self.rx_64,
            self.rx_65_127,
            self.rx_128_255,
            self.rx_256_511,
            self.rx_512_1023,
            self.rx_1024_max,
        ]
        .map(|counter| counter.total())
    }

    /// Frames sent, by size.
    fn tx_sizes(&self) -> [u64; 6] {
        [
            self.tx_64,
            self.tx_65_127,
            self.tx_128_255,
            self.tx_256_511,
            self.tx_512_1023,
            self.tx_1024_max,
        ]
        .map(|counter| counter.total())
    }
}
