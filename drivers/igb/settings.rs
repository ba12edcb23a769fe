// SPDX-License-Identifier: GPL-2.0

//! What the user wants of queues and interrupts: the values behind `ethtool -G`, `-L` and `-C`. And
//! what `ethtool` sets besides: messages, and what wakes the system.

use igb_core::{
    itr,
    regs::eitr,
    ring,
    wake::WakeEvents, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// Settings of the net device's queues. Values, never read back from the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Descriptors of each receive ring; a power of two.
    pub(crate) rx_descs: u32,
    /// Descriptors of each transmit ring; a power of two.
    pub(crate) tx_descs: u32,
    /// Queue pairs the user asked for. Fewer are used while VFs are enabled.
    pub(crate) pairs: u32,
    /// Longest frame, in bytes with FCS, without tag.
    pub(crate) max_frame: u16,
    /// Flow hashes are passed to the stack.
    pub(crate) rx_hash: bool,
    /// Damaged frames are passed to the stack.
    pub(crate) bad_frames: bool,
    /// Interrupt moderation.
    pub(crate) coalesce: Coalesce,
}

/// Interrupt moderation of the queue pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coalesce {
    /// Least time between two interrupts of a pair, in microseconds.
    pub(crate) usecs: u32,
    /// Streams of packets get twice that time.
    pub(crate) adaptive: bool,
}

impl Coalesce {
    /// What the user asks for; `None` for what is no interval and no mode. C `igb` takes 1 and 3 as modes
    /// that follow the traffic, from 70 000 and from 20 000 interrupts per second on, and refuses 2.
    pub(crate) fn new(usecs: u32, adaptive: bool) -> Option<Self> {
        const CONSERVATIVE_USECS: u32 = 50;
        let mode = |usecs| Self {
            usecs,
            adaptive: true,
        };
        match usecs {
            1 => Some(mode(itr::DEFAULT_USECS)),
            3 => Some(mode(CONSERVATIVE_USECS)),
            2 => None,
            0..=eitr::MAX_USECS => Some(Self { usecs, adaptive }),
            _ => None,
        }
    }
}

impl Settings {
    /// What a device starts with.
    pub(crate) fn new(pairs: u32) -> Self {
        Self {
            rx_descs: ring::DEFAULT_RX_DESCS,
            tx_descs: ring::DEFAULT_TX_DESCS,
            pairs,
            max_frame: 1518,
            rx_hash: true,
            bad_frames: false,
            coalesce: Coalesce {
                usecs: itr::DEFAULT_USECS,
                adaptive: true,
            },
        }
    }
}

/// Kinds of messages in the log, as `ethtool -s DEV msglvl` knows them.
pub(crate) mod msg {
    /// The link came up or went down (`NETIF_MSG_LINK`).
    pub(crate) const LINK: u32 = 1 << 2;
    /// A frame was not received as it should have been (`NETIF_MSG_RX_ERR`).
    pub(crate) const RX_ERR: u32 = 1 << 6;
}

/// Settings of ethtool that concern neither queues nor the link.
pub(crate) struct EthtoolState {
    /// A set of [`msg`]; bits that nothing is logged for are kept for the user.
    pub(crate) msglevel: Atomic<u32>,
    /// WUFC for the next sleep.
    pub(crate) wake: Atomic<u32>,
}

impl EthtoolState {
    /// A magic packet wakes the system. `debug` is the module parameter: how many kinds of messages, from the
    /// first on, are logged; below 0 or above 31 those about the link.
    pub(crate) fn new(debug: i32) -> Self {
        let level = match debug {
            // CAST: below 32.
            0..=31 => (1 << debug as u32) - 1,
            _ => msg::LINK,
        };
        Self {
            msglevel: Atomic::new(level),
            wake: Atomic::new(WakeEvents::MAGIC.wufc().bits()),
        }
    }

    /// Messages of this kind are wanted.
    pub(crate) fn logs(&self, kind: u32) -> bool {
        self.msglevel.load(Relaxed) & kind != 0
    }

    /// What is wanted to wake the system.
    pub(crate) fn wake(&self) -> WakeEvents {
        WakeEvents::from_wufc(self.wake.load(Relaxed))
    }
}
