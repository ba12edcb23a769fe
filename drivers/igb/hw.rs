// SPDX-License-Identifier: GPL-2.0

//! The controller's hardware blocks, one file each. They know registers and timing, and nothing
//! of net devices.
//!
//! Everything here runs in process context and may sleep. Who resets the controller, uses the PHY or
//! arms wake-up holds [`Port::mac`](crate::port::Port::mac), but for the probe, where nothing else runs
//! yet. Reading the NVM needs no lock of the driver: it takes the semaphore that firmware takes, too.

pub(crate) mod identity;
pub(crate) mod nvm;
pub(crate) mod phy;
pub(crate) mod reset;
pub(crate) mod semaphore;
pub(crate) mod wake;
