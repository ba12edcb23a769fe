// SPDX-License-Identifier: GPL-2.0

//! An independent model of the device and of the policy, and a world in which both run; another of the
//! mailboxes, and an explorer of all that can happen to them.

pub mod board;
pub mod client;
pub mod config;
pub mod device;
pub mod digest;
pub mod explore;
pub mod fault;
pub mod guest;
pub mod intent;
pub mod mailbox;
pub mod map;
pub mod ops;
pub mod program;
pub mod run;
pub mod scene;
pub mod setup;
pub mod tenant;
pub mod watch;
pub mod world;
