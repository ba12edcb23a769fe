// SPDX-License-Identifier: GPL-2.0

//! Counters: those of the data path, and totals of the controller's.

use crate::io::Registers;
use igb_core::{
    regs,
    stats::ReadClear, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        SpinLock, //
    },
};
use net::queue::Counter;

/// Counters of one queue pair. They live as long as the port: closing the device, or changing the
/// number or size of its rings, loses nothing.
///
/// `rx_*` (but for `rx_dropped`) and `tx_wake` are written by the poll, the other `tx_*` under the
/// transmit queue's lock: a frame counts as sent when the controller has been given it, as not each
/// is reported.
#[derive(Default)]
pub(crate) struct PairStats {
    pub(crate) rx_packets: Counter,
    pub(crate) rx_bytes: Counter,
    /// Those of `rx_packets` that are multicast and came to the stack.
    pub(crate) rx_multicast: Counter,
    pub(crate) rx_errors: Counter,
    pub(crate) rx_alloc_failed: Counter,
    /// Frames the controller dropped for want of a descriptor. Written where the controller's
    /// counters are read, under [`Port::mac`](crate::port::Port::mac).
    pub(crate) rx_dropped: Counter,
    pub(crate) rx_csum_good: Counter,
    pub(crate) rx_csum_bad: Counter,
    pub(crate) rx_xdp_drop: Counter,
    pub(crate) rx_xdp_tx: Counter,
    pub(crate) rx_xdp_redirect: Counter,
    pub(crate) rx_xdp_failed: Counter,
    pub(crate) rx_own_copies: Counter,
    pub(crate) tx_packets: Counter,
    pub(crate) tx_bytes: Counter,
    pub(crate) tx_dropped: Counter,
    pub(crate) tx_csum: Counter,
    pub(crate) tx_gso: Counter,
    pub(crate) tx_stop: Counter,
    pub(crate) tx_wake: Counter,
    pub(crate) tx_xdp: Counter,
    pub(crate) tx_xdp_dropped: Counter,
    pub(crate) tx_xsk: Counter,
}

macro_rules! hw_counters {
    ($($(#[$doc:meta])* $field:ident = $register:ident,)*) => {
        /// Totals of the controller's counters of 32 bits. Reading a register clears it.
        #[derive(Clone, Copy, Default)]
        pub(crate) struct HwCounters {
            $($(#[$doc])* pub(crate) $field: ReadClear,)*
            /// Octets of good frames received, FCS included.
            pub(crate) rx_good_octets: ReadClear,
            /// Octets of good frames sent, FCS included.
            pub(crate) tx_good_octets: ReadClear,
            /// Transmit queues the stack found stuck.
            pub(crate) tx_timeouts: u64,
            /// Times the controller was reset.
            pub(crate) resets: u64,
        }

        impl HwCounters {
            /// Names of the counters, in the order of [`HwCounters::values`].
            pub(crate) const NAMES: &'static [&'static CStr] = &[
                $(kernel::c_str!(stringify!($field)),)*
                c"rx_good_octets",
                c"tx_good_octets",
                c"tx_timeouts",
                c"resets",
            ];

            /// All counters.
            pub(crate) fn values(&self) -> impl Iterator<Item = u64> {
                [
                    $(self.$field.total(),)*
                    self.rx_good_octets.total(),
                    self.tx_good_octets.total(),
                    self.tx_timeouts,
                    self.resets,
                ]
                .into_iter()
            }

            fn add(&mut self, io: &Registers) {
                $(self.$field.add(io.read(regs::$register));)*
                // The low word first: reading the high one clears both.
                self.rx_good_octets
                    .add_octets(io.read(regs::GORCL), io.read(regs::GORCH));
                self.tx_good_octets
                    .add_octets(io.read(regs::GOTCL), io.read(regs::GOTCH));
            }
        }
    };
}

hw_counters! {
    /// Frames with a wrong FCS.
    rx_crc_errors = CRCERRS,
    /// Frames with an alignment error.
    rx_align_errors = ALGNERRC,
    /// Frames with a symbol error.
    rx_symbol_errors = SYMERRS,
    /// Frames with an error the PHY reported.
    rx_errors = RXERRC,
    /// Frames lost for lack of room in the packet buffer.
    rx_missed = MPC,
    /// Frames for which no descriptor was free when they came.
    rx_no_buffer = RNBC,
    /// Frames whose length field was wrong.
    rx_length_errors = RLEC,
    /// Frames that are too short.
    rx_undersize = RUC,
    /// Fragments: too short, with a wrong FCS.
    rx_fragments = RFC,
    /// Frames that are too long.
    rx_oversize = ROC,
    /// Jabber: too long, with a wrong FCS.
    rx_jabber = RJC,
    /// Good frames.
    rx_good = GPRC,
    /// Good broadcast frames.
    rx_broadcast = BPRC,
    /// Good multicast frames.
    rx_multicast = MPRC,
    /// Good frames of 64 bytes.
    rx_64 = PRC64,
    /// Good frames of 65 to 127 bytes.
    rx_65_127 = PRC127,
    /// Good frames of 128 to 255 bytes.
    rx_128_255 = PRC255,
    /// Good frames of 256 to 511 bytes.
    rx_256_511 = PRC511,
    /// Good frames of 512 to 1023 bytes.
    rx_512_1023 = PRC1023,
    /// Good frames of 1024 bytes and more.
    rx_1024_max = PRC1522,
    /// XON frames received.
    rx_xon = XONRXC,
    /// XOFF frames received.
    rx_xoff = XOFFRXC,
    /// Good frames sent.
    tx_good = GPTC,
    /// Good broadcast frames sent.
    tx_broadcast = BPTC,
    /// Good multicast frames sent.
    tx_multicast = MPTC,
    /// Frames of 64 bytes sent.
    tx_64 = PTC64,
    /// Frames of 65 to 127 bytes sent.
    tx_65_127 = PTC127,
    /// Frames of 128 to 255 bytes sent.
    tx_128_255 = PTC255,
    /// Frames of 256 to 511 bytes sent.
    tx_256_511 = PTC511,
    /// Frames of 512 to 1023 bytes sent.
    tx_512_1023 = PTC1023,
    /// Frames of 1024 bytes and more sent.
    tx_1024_max = PTC1522,
    /// TCP segmentations done.
    tx_tso = TSCTC,
    /// XON frames sent.
    tx_xon = XONTXC,
    /// XOFF frames sent.
    tx_xoff = XOFFTXC,
    /// Collisions.
    collisions = COLC,
    /// Frames sent after one collision.
    tx_single_collision = SCC,
    /// Frames sent after several collisions.
    tx_multiple_collision = MCC,
    /// Frames given up after 16 collisions.
    tx_excessive_collision = ECOL,
    /// Collisions after the first 64 bytes.
    tx_late_collision = LATECOL,
    /// Frames whose transmission had to wait.
    tx_deferred = DC,
    /// Frames sent without carrier sense.
    tx_no_carrier = TNCRS,
}

/// The controller's counters, for readers that must not sleep.
#[pin_data]
pub(crate) struct HwStats {
    /// Taken in process context only, where softirqs stay enabled: nothing that runs in one may.
    #[pin]
    totals: SpinLock<HwCounters>,
    /// Counted in softirq as well, where the stack finds a queue stuck.
    tx_timeouts: Atomic<u64>,
    /// Those the administrator was told of.
    told_timeouts: Atomic<u64>,
    resets: Atomic<u64>,
}

impl HwStats {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            totals <- new_spinlock!(HwCounters::default()),
            tx_timeouts: Atomic::new(0),
            told_timeouts: Atomic::new(0),
            resets: Atomic::new(0),
        })
    }

    /// The totals as of the last update, which is at most two seconds ago. Process context.
    pub(crate) fn get(&self) -> HwCounters {
        HwCounters {
            tx_timeouts: self.tx_timeouts.load(Relaxed),
            resets: self.resets.load(Relaxed),
            ..*self.totals.lock()
        }
    }

    /// Adds the controller's counters to the totals; reading clears them. Process context.
    pub(crate) fn fold(&self, io: &Registers) {
        let mut sum = *self.totals.lock();
        sum.add(io);
        if io.is_gone() {
            return;
        }
        *self.totals.lock() = sum;
    }

    /// How often a transmit queue was stuck. Any context.
    pub(crate) fn timeouts(&self) -> u64 {
        self.tx_timeouts.load(Relaxed)
    }

    /// Whether one was since this was asked last. One caller at a time.
    pub(crate) fn take_timeout(&self) -> bool {
        let now = self.timeouts();
        let told = self.told_timeouts.load(Relaxed);
        self.told_timeouts.store(now, Relaxed);
        now != told
    }

    /// Notes a stuck transmit queue. Any context.
    pub(crate) fn count_timeout(&self) {
        self.tx_timeouts.fetch_add(1, Relaxed);
    }

    /// Notes a reset of a controller that was not asleep. Any context.
    pub(crate) fn count_reset(&self) {
        self.resets.fetch_add(1, Relaxed);
    }
}
