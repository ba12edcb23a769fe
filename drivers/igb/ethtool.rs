// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` shows and sets, a file for each of its subjects.
//!
//! Settings are desired state: they are stored, then applied by the same functions that replay them
//! after a reset. All of it runs in process context under RTNL and may sleep.

mod info;
mod link;
mod module;
mod nvm;
mod queues;
mod rss;
mod self_test;
mod statistics;
mod steering;
mod wake;

use crate::port::Port;
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
        .flow_rules::<Self>()
        .nvm::<Self>()
        .module::<Self>()
        .wake::<Self>();
}
