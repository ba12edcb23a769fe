// SPDX-License-Identifier: GPL-2.0

//! Statistics with names of IEEE 802.3 and RFC 2819: `ethtool -S ethX --groups …`.

use super::{
    device,
    op,
    Device,
    RawDevice,
    Table, //
};
use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*, //
};

/// Declares a group of statistics with the fields of a C struct, and how to store it there.
macro_rules! group {
    (
        $(#[$meta:meta])*
        $name:ident as $raw:ty { $($(#[$field_meta:meta])* $field:ident: $c_field:ident,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: Option<u64>,)*
        }

        impl $name {
            /// Stores those that are counted; the others stay as "not set".
            fn store(&self, raw: &mut $raw) {
                $(if let Some(value) = self.$field {
                    raw.$c_field = value;
                })*
            }
        }
    };
}

group! {
    /// Frames as the MAC counts them (IEEE 802.3, 30.3.1.1). `None`: not counted.
    MacStats as netbind::ethtool_eth_mac_stats__bindgen_ty_1__bindgen_ty_1 {
        /// Frames sent.
        frames_transmitted: FramesTransmittedOK,
        /// Frames sent after one collision.
        single_collision_frames: SingleCollisionFrames,
        /// Frames sent after more than one collision.
        multiple_collision_frames: MultipleCollisionFrames,
        /// Frames received.
        frames_received: FramesReceivedOK,
        /// Frames with a wrong checksum.
        frame_check_sequence_errors: FrameCheckSequenceErrors,
        /// Frames that are no whole number of bytes.
        alignment_errors: AlignmentErrors,
        /// Bytes sent.
        octets_transmitted: OctetsTransmittedOK,
        /// Frames that had to wait for the medium.
        frames_with_deferred_xmissions: FramesWithDeferredXmissions,
        /// Collisions later than a slot time.
        late_collisions: LateCollisions,
        /// Frames given up after too many collisions.
        frames_aborted_due_to_collisions: FramesAbortedDueToXSColls,
        /// Frames lost inside the MAC while sending.
        frames_lost_transmitting: FramesLostDueToIntMACXmitError,
        /// Times the carrier was lost while sending.
        carrier_sense_errors: CarrierSenseErrors,
        /// Bytes received.
        octets_received: OctetsReceivedOK,
        /// Frames lost inside the MAC while receiving.
        frames_lost_receiving: FramesLostDueToIntMACRcvError,
        /// Multicast frames sent.
        multicast_frames_transmitted: MulticastFramesXmittedOK,
        /// Broadcast frames sent.
        broadcast_frames_transmitted: BroadcastFramesXmittedOK,
        /// Multicast frames received.
        multicast_frames_received: MulticastFramesReceivedOK,
        /// Broadcast frames received.
        broadcast_frames_received: BroadcastFramesReceivedOK,
        /// Frames whose length field is wrong.
        in_range_length_errors: InRangeLengthErrors,
        /// Frames whose length field is no length.
        out_of_range_length_field: OutOfRangeLengthField,
        /// Frames that are too long.
        frame_too_long_errors: FrameTooLongErrors,
    }
}

group! {
    /// MAC control frames (IEEE 802.3, 30.3.3). `None`: not counted.
    CtrlStats as netbind::ethtool_eth_ctrl_stats__bindgen_ty_1__bindgen_ty_1 {
        /// Frames sent.
        transmitted: MACControlFramesTransmitted,
        /// Frames received.
        received: MACControlFramesReceived,
        /// Frames received with an unknown opcode.
        unsupported_opcodes: UnsupportedOpcodesReceived,
    }
}

group! {
    /// Frames of odd sizes (RFC 2819). `None`: not counted.
    RmonErrors as netbind::ethtool_rmon_stats__bindgen_ty_1__bindgen_ty_1 {
        /// Shorter than 64 bytes.
        undersize: undersize_pkts,
        /// Too long.
        oversize: oversize_pkts,
        /// Shorter than 64 bytes with a wrong checksum.
        fragments: fragments,
        /// Too long with a wrong checksum.
        jabbers: jabbers,
    }
}

group! {
    /// Packets the device was asked to stamp when it sent them (`ethtool -I -T`). `None`: not counted.
    StampStats as netbind::ethtool_ts_stats__bindgen_ty_1__bindgen_ty_1 {
        /// The stamp was delivered.
        packets: pkts,
        /// It was lost, or did not come in time.
        lost: lost,
        /// There was none, as another packet was being stamped.
        errors: err,
    }
}

/// Most ranges of sizes there can be.
const RANGES: usize = netbind::ETHTOOL_RMON_HIST_MAX as usize;

/// Frames by size (RFC 2819).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RmonStats {
    /// Frames of odd sizes.
    pub errors: RmonErrors,
    /// Frames received, for each of the [`Standard::RMON_RANGES`].
    pub received: [Option<u64>; RANGES],
    /// Frames sent, for each of the [`Standard::RMON_RANGES`].
    pub transmitted: [Option<u64>; RANGES],
}

/// A range of frame sizes in bytes, both ends included.
pub type RmonRange = netbind::ethtool_rmon_hist_range;

/// Ranges of frame sizes, as the C API wants them: with an end mark.
#[derive(Clone, Copy)]
pub struct RmonRanges(&'static [RmonRange]);

impl RmonRanges {
    /// No ranges.
    pub const NONE: Self = Self(&[RmonRange { low: 0, high: 0 }]);

    /// The `ranges`, the last of which is the end mark: from 0 to 0.
    ///
    /// Panics, which is at compile time, if it is not, or if there are too many.
    pub const fn new(ranges: &'static [RmonRange]) -> Self {
        assert!(ranges.len() <= RANGES + 1);
        assert!(matches!(ranges, [.., RmonRange { low: 0, high: 0 }]));
        Self(ranges)
    }
}

/// Standard statistics.
#[vtable]
pub trait Standard<D>: 'static {
    /// The ranges of sizes [`Standard::rmon_stats`] counts.
    const RMON_RANGES: RmonRanges = RmonRanges::NONE;

    /// Returns the MAC's counters.
    fn mac_stats(_port: &D, _dev: &Device<D>) -> MacStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns the counters of control frames.
    fn ctrl_stats(_port: &D, _dev: &Device<D>) -> CtrlStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns the counters of stamps.
    fn stamp_stats(_port: &D, _dev: &Device<D>) -> StampStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns the counters by size.
    fn rmon_stats(_port: &D, _dev: &Device<D>) -> RmonStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Standard`].
    pub const fn standard<E: Standard<D>>(mut self) -> Self {
        self.ops.get_eth_mac_stats = op!(E::HAS_MAC_STATS, mac::<D, E>);
        self.ops.get_eth_ctrl_stats = op!(E::HAS_CTRL_STATS, ctrl::<D, E>);
        self.ops.get_ts_stats = op!(E::HAS_STAMP_STATS, stamps::<D, E>);
        self.ops.get_rmon_stats = op!(E::HAS_RMON_STATS, rmon::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_eth_mac_stats` of a net device of `D`.
unsafe extern "C" fn mac<D, E: Standard<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_eth_mac_stats,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call. Both variants of the union have
    // the same fields.
    let (dev, raw) = unsafe {
        (
            device::<D>(dev),
            &mut (*raw).__bindgen_anon_1.__bindgen_anon_1,
        )
    };

    E::mac_stats(dev.data(), dev).store(raw);
}

/// # Safety
///
/// Called by the kernel as `get_eth_ctrl_stats` of a net device of `D`.
unsafe extern "C" fn ctrl<D, E: Standard<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_eth_ctrl_stats,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call. Both variants of the union have
    // the same fields.
    let (dev, raw) = unsafe {
        (
            device::<D>(dev),
            &mut (*raw).__bindgen_anon_1.__bindgen_anon_1,
        )
    };

    E::ctrl_stats(dev.data(), dev).store(raw);
}

/// # Safety
///
/// Called by the kernel as `get_ts_stats` of a net device of `D`.
unsafe extern "C" fn stamps<D, E: Standard<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_ts_stats,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call. Both variants of the union have
    // the same fields.
    let (dev, raw) = unsafe {
        (
            device::<D>(dev),
            &mut (*raw).__bindgen_anon_1.__bindgen_anon_1,
        )
    };

    E::stamp_stats(dev.data(), dev).store(raw);
}

/// # Safety
///
/// Called by the kernel as `get_rmon_stats` of a net device of `D`.
unsafe extern "C" fn rmon<D, E: Standard<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_rmon_stats,
    ranges: *mut *const RmonRange,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call. Both variants of the union have
    // the same fields.
    let (dev, raw, ranges) = unsafe {
        (
            device::<D>(dev),
            &mut (*raw).__bindgen_anon_1.__bindgen_anon_1,
            &mut *ranges,
        )
    };

    let stats = E::rmon_stats(dev.data(), dev);
    stats.errors.store(raw);
    store_some(&mut raw.hist, &stats.received);
    store_some(&mut raw.hist_tx, &stats.transmitted);
    *ranges = E::RMON_RANGES.0.as_ptr();
}

fn store_some(to: &mut [u64], from: &[Option<u64>]) {
    for (to, from) in to.iter_mut().zip(from) {
        if let Some(value) = from {
            *to = *value;
        }
    }
}
