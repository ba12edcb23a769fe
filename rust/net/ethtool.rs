// SPDX-License-Identifier: GPL-2.0

//! The operations behind the `ethtool` command.
//!
//! Operations come in groups, each a trait in a module of its own. A driver implements the
//! groups it has for a type of its choice, and lists them in a [`Table`]:
//!
//! ```
//! use kernel::prelude::*;
//! use net::{device::Device, ethtool::{self, RingParam}};
//!
//! struct Port { descs: u32 }
//!
//! struct Ethtool;
//!
//! #[vtable]
//! impl ethtool::Rings<Port> for Ethtool {
//!     fn ringparam(port: &Port, _: &Device<Port>) -> RingParam {
//!         RingParam { rx_max: port.descs, tx_max: port.descs, rx: port.descs, tx: port.descs }
//!     }
//! }
//!
//! impl ethtool::Ops<Port> for Ethtool {
//!     const TABLE: ethtool::Table<Port> = ethtool::Table::new().rings::<Self>();
//! }
//! ```
//!
//! Unless stated otherwise, operations run in process context with RTNL held and may sleep.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::netdev::{
    Device,
    Locked, //
};
use core::marker::PhantomData;

mod channels;
mod coalesce;
mod extack;
mod flow_rules;
mod info;
mod link;
mod module;
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
    flow_rules::{
        Flow,
        FlowRule,
        FlowRules,
        Ip4Fields, //
    },
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
    module::{
        Module,
        ModuleMemory, //
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
        StampStats,
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

impl<D> Table<D> {
    /// The table that lists nothing.
    pub const fn new() -> Self {
        Self {
            ops: pin_init::zeroed(),
            _driver: PhantomData,
        }
    }
}

impl<D> Default for Table<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// The ethtool operations of the net devices of `D`; those of `()` are none.
pub trait Ops<D>: Sized + 'static {
    /// What there is.
    const TABLE: Table<D>;
}

impl<D> Ops<D> for () {
    const TABLE: Table<D> = Table::new();
}

/// Returns the table of `E` as `struct net_device` wants it.
pub(crate) fn raw<D, E: Ops<D>>() -> &'static netbind::ethtool_ops {
    const { &E::TABLE.ops }
}

/// `struct net_device` as the kernel's own bindings know it: opaque.
type RawDevice = kernel::bindings::net_device;

/// Returns the device an operation was called for.
///
/// # Safety
///
/// As of [`Locked::from_raw`]: `dev` is a net device of `D`, as it is in an operation of a
/// [`Table<D>`](Table), and `'a` ends with the operation.
unsafe fn device<'a, D>(dev: *mut RawDevice) -> &'a Locked<D> {
    // SAFETY: `dev` is a net device of `D` for `'a`, by the safety requirements of this function. The
    // operations run under RTNL, as the net devices of this crate ask for no lock of their own.
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
