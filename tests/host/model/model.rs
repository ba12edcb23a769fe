// SPDX-License-Identifier: GPL-2.0

//! An independent model of the device and of the policy, and a world in which both run.

pub mod client;
pub mod config;
pub mod device;
pub mod intent;
pub mod map;
pub mod ops;
pub mod world;
