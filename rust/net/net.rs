// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions for the drivers of PCI network devices.
//!
//! A driver on top of this crate contains no unsafe code. Each module wraps one concept of the
//! kernel, and none knows any device:
//!
//! | module        | concept |
//! |---------------|---------|
//! | [`pci`]       | the driver of a device: probe to unbind, errors, sleep, SR-IOV |
//! | [`mmio`]      | registers |
//! | [`irq`]       | interrupt vectors |
//! | [`lock`]      | a lock for what a hard interrupt shares with others |
//! | [`dma`]       | memory shared with the device |
//! | [`work`]      | deferred work that can be cancelled |
//! | [`device`]    | net devices and their operations |
//! | [`queue`]     | transmit queues: stopping, waking, byte limits, statistics |
//! | [`napi`]      | polling |
//! | [`skb`]       | packets |
//! | [`tx`]        | packets given to the device |
//! | [`page_pool`] | memory packets are received into |
//! | [`xdp`]       | programs that see packets before the stack does |
//! | [`rtnl`]      | the lock of network configuration |
//! | [`ethtool`]   | the operations behind `ethtool` |
//! | [`bridge`]    | which addresses are behind the bridges above a net device |
//! | [`vf`]        | what an administrator does to virtual functions |
//! | [`ptp`]       | clocks of devices, and packets stamped with their time |
//! | [`devlink`]   | settings and health of a device as a whole |
//! | [`debugfs`]   | text files about a device |
//! | [`compat`]    | what older kernels spell differently |
//!
//! Two rules keep this sound although a driver may leak any value:
//!
//! - What the kernel calls back into (interrupts, work, net devices, devlink instances) is
//!   ended when the device is unbound, whether or not its owner has been dropped (see
//!   [`kernel::devres`]).
//! - What the kernel only reads (mappings, memory) leaks along. Memory of the device that is kept
//!   longer than the device is bound stays where it is, and is never given back
//!   ([`dma::Coherent`]).

// `pr_*!` of `kernel` look for this in the root of the crate.
#[allow(dead_code)]
const __LOG_PREFIX: &[u8] = b"net\0";

mod binding;
pub mod bridge;
pub mod compat;
pub mod debugfs;
pub mod devlink;
pub mod dma;
mod driver;
pub mod ethtool;
mod features;
pub mod irq;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/kunit.rs"]
mod kunit;
mod later;
pub mod lock;
mod memory;
pub mod mmio;
pub mod napi;
mod netdev;
mod ops;
pub mod page_pool;
pub mod pci;
pub mod ptp;
pub mod queue;
mod registration;
mod ring;
pub mod rtnl;
pub mod skb;
mod text;
mod transmit;
pub mod tx;
pub mod vf;
pub mod work;
pub mod xdp;
pub mod xsk;

/// Net devices: allocation, registration, and the operations a driver implements.
///
/// The parts, from below: the device itself, its features, the transmit path, the operations, the
/// life of a device.
pub mod device {
    pub use crate::{
        driver::{
            default_queues,
            random,
            rss_key,
            AddrList,
            Config,
            Driver,
            LinkStats,
            PacketShape, //
        },
        features::Features,
        netdev::{
            Device,
            Locked,
            Name, //
        },
        registration::{
            Registration,
            Unregistered, //
        },
        transmit::{
            Transmit,
            TxHandle, //
        },
    };
}
