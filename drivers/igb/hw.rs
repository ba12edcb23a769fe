// SPDX-License-Identifier: GPL-2.0

//! The controller's hardware blocks, one file each. They know registers and timing, and nothing
//! of net devices.
//!
//! Everything here runs in process context and may sleep. Callers hold the port's hardware lock.

pub(crate) mod nvm;
pub(crate) mod phy;
pub(crate) mod reset;
pub(crate) mod semaphore;
pub(crate) mod wake;
