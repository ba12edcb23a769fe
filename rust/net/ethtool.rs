// SPDX-License-Identifier: GPL-2.0

//! The operations behind the `ethtool` command.
//!
//! Operations come in groups, each a trait in a module of its own. A driver implements the
//! groups it has for a type of its choice, and lists them in a [`Table`]:
//!
//! ```ignore
//! pub struct Ethtool;
//!
//! #[vtable]
//! impl ethtool::Rings<Port> for Ethtool { /* … */ }
//!
//! #[vtable]
//! impl ethtool::Link<Port> for Ethtool { /* … */ }
//!
//! impl ethtool::Ops<Port> for Ethtool {
//!     const TABLE: ethtool::Table<Port> = ethtool::Table::new().rings::<Self>().link::<Self>();
//! }
//! ```
//!
//! Unless stated otherwise, operations run in process context with RTNL held and may sleep.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::device::{
    Device,
    Driver,
    Locked, //
};
use core::{
    marker::PhantomData,
    sync::atomic::{
        AtomicU32,
        Ordering, //
    },
};

mod channels;
mod coalesce;
mod extack;
mod info;
mod link;
mod nvm;
mod pause;
mod rings;
mod rss;
mod standard;
mod strings;
mod wake;

pub use self::{
    channels::{
        ChannelCounts,
        Channels, //
    },
    coalesce::{
        Coalesce,
        CoalesceParams,
        Coalescing, //
    },
    extack::ExtAck,
    info::{
        Info,
        Registers,
        TimestampInfo, //
    },
    link::{
        Duplex,
        Link,
        LinkMode,
        LinkModes,
        LinkSettings,
        Mdix,
        PhysId,
        Port, //
    },
    nvm::Nvm,
    pause::{
        Pause,
        PauseParam,
        PauseStats, //
    },
    rings::{
        RingParam,
        Rings, //
    },
    rss::{
        FlowType,
        HashFields,
        Rss,
        RssChange, //
    },
    standard::{
        CtrlStats,
        MacStats,
        RmonErrors,
        RmonRange,
        RmonRanges,
        RmonStats,
        Standard, //
    },
    strings::{
        Statistics,
        Strings,
        TestRun, //
    },
    wake::{
        Wake,
        WakeOn,
        WakeSettings, //
    },
};

/// The operations a driver has, as the kernel is told.
pub struct Table<D> {
    ops: netbind::ethtool_ops,
    _driver: PhantomData<fn() -> D>,
}

impl<D: Driver> Table<D> {
    /// The table that lists nothing.
    pub const fn new() -> Self {
        Self {
            ops: pin_init::zeroed(),
            _driver: PhantomData,
        }
    }
}

impl<D: Driver> Default for Table<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// The ethtool operations of the net devices of `D`; those of `()` are none.
pub trait Ops<D: Driver>: Sized + 'static {
    /// What there is.
    const TABLE: Table<D>;
}

impl<D: Driver> Ops<D> for () {
    const TABLE: Table<D> = Table::new();
}

/// Returns the table of `E` as `struct net_device` wants it.
pub(crate) fn raw<D: Driver, E: Ops<D>>() -> &'static netbind::ethtool_ops {
    const { &E::TABLE.ops }
}

/// What is remembered of a net device between two calls of its operations.
///
/// The kernel asks how many strings there are, allocates room for them, and asks for the
/// strings, without saying how much room there is.
pub(crate) struct State {
    statistics: AtomicU32,
}

impl State {
    pub(crate) const fn new() -> Self {
        Self {
            statistics: AtomicU32::new(0),
        }
    }

    /// Notes that the kernel was told of `count` statistics.
    fn set_statistics(&self, count: u32) {
        self.statistics.store(count, Ordering::Relaxed);
    }

    /// Returns for how many names of statistics there is room. RTNL, or the lock of the net
    /// device, is held since the kernel was told.
    fn statistics(&self) -> u32 {
        self.statistics.load(Ordering::Relaxed)
    }
}

/// `struct net_device` as the kernel's own bindings know it: opaque.
type RawDevice = kernel::bindings::net_device;

/// Returns the device an operation was called for.
///
/// # Safety
///
/// As of [`Locked::from_raw`]: `dev` is a net device of `D`, as it is in an operation of a
/// [`Table<D>`](Table), and `'a` ends with the operation.
unsafe fn device<'a, D: Driver>(dev: *mut RawDevice) -> &'a Locked<D> {
    // SAFETY: By the safety requirements of this function. The operations run under RTNL, as the net
    // devices of this crate ask for no lock of their own.
    unsafe { Locked::from_raw(dev.cast()) }
}

/// Returns `Some` of the operation if the driver implements it.
macro_rules! op {
    ($has:expr, $op:expr) => {
        if $has {
            Some($op)
        } else {
            None
        }
    };
}
use op;
