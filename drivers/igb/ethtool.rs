// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` shows and sets, a file for each of its subjects.
//!
//! Settings are desired state: they are stored, then applied by the same functions that replay them
//! after a reset. All of it runs in process context under RTNL and may sleep.

mod info;
mod link;
mod nvm;
mod queues;
mod rss;
mod self_test;
mod statistics;
mod wake;

use crate::port::Port;
use igb_core::wake::WakeEvents;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use net::ethtool::Table;

/// The operations of [`Port`].
pub(crate) struct Ops;

impl net::ethtool::Ops<Port> for Ops {
    const TABLE: Table<Port> = Table::new()
        .info::<Self>()
        .link::<Self>()
        .rings::<Self>()
        .channels::<Self>()
        .coalesce::<Self>()
        .pause::<Self>()
        .strings::<Self>()
        .standard::<Self>()
        .rss::<Self>()
        .nvm::<Self>()
        .wake::<Self>();
}

/// Kinds of messages in the log, as `ethtool -s DEV msglvl` knows them.
pub(crate) mod msg {
    /// The link came up or went down (`NETIF_MSG_LINK`).
    pub(crate) const LINK: u32 = 1 << 2;
}

/// Settings that only this module's subjects have.
pub(crate) struct State {
    /// A set of [`msg`]; bits that nothing is logged for are kept for the user.
    msglevel: Atomic<u32>,
    /// LEDCTL as it was before the port was asked to blink.
    ledctl: Atomic<u32>,
    /// WUFC for the next sleep.
    wake: Atomic<u32>,
}

impl State {
    /// A magic packet wakes the system, and messages about the link are logged.
    pub(crate) fn new() -> Self {
        Self {
            msglevel: Atomic::new(msg::LINK),
            ledctl: Atomic::new(0),
            wake: Atomic::new(WakeEvents::MAGIC.wufc()),
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
