// SPDX-License-Identifier: GPL-2.0

//! Pure logic of the igb driver.
//!
//! This crate decides; the driver does. It takes values and returns values: it knows no kernel type,
//! takes no lock, does no I/O and allocates nothing, so everything in it runs in a test on any host.
//!
//! Words a guest or a packet controls enter only through parsers ([`mailbox::msg`]) that return a
//! typed value or an error. Nothing reachable from there panics, loops without a constant bound, or
//! does arithmetic that can overflow.
//!
//! - [`regs`]: the register map.
//! - [`switch`]: which frame reaches which function; the settings of every VF.
//! - [`mailbox`]: the protocol between PF and VFs; [`server`]: who is served when.
//! - [`model`]: what an emulated controller does otherwise; [`returned`]: frames it gives back.
//! - [`tenant`]: what is cleared when a VF changes hands.
//! - [`desc`], [`ring`]: descriptors, and the rings they form.
//! - [`frame`]: sizes of frames.
//! - [`layout`]: who has which queue.
//! - [`itr`]: interrupt moderation.
//! - [`ptp`]: the PTP hardware clock, and frames stamped with its time.
//! - [`bucket`]: how often somebody may cause something.
//! - [`recent`]: what VFs did of late, for debugfs; [`health`]: what is told of them.
//! - [`device`], [`semaphore`]: waiting for the hardware, and sharing it.
//! - [`media`], [`phy`], [`pcs`], [`management`]: what the link is behind, and who else uses it.
//! - [`pcie`]: how long the host is waited for.
//! - [`link`], [`nvm`], [`rss`], [`stats`]: link state, NVM contents, receive side scaling, counters.
//! - [`steering`]: which frames go to a queue by a rule.

#![cfg_attr(not(any(test, CONFIG_RUST)), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod addr;
pub mod bitmap;
pub mod bucket;
pub mod counters;
pub mod desc;
pub mod device;
pub mod dump;
pub mod error;
pub mod frame;
pub mod function;
pub mod health;
pub mod history;
pub mod itr;
pub mod layout;
pub mod lines;
pub mod link;
pub mod link_config;
pub mod mailbox;
pub mod management;
pub mod media;
pub mod model;
pub mod nvm;
pub mod pcie;
pub mod pcs;
pub mod phy;
pub mod ptp;
pub mod rate;
pub mod recent;
pub mod register_test;
pub mod regs;
pub mod returned;
pub mod ring;
pub mod rss;
pub mod semaphore;
pub mod server;
pub mod stats;
pub mod steering;
pub mod switch;
pub mod tenant;
mod tracked;
pub mod vlan;
pub mod wake;
