// SPDX-License-Identifier: GPL-2.0

//! The controller's hardware blocks, one file each. They know registers and timing, and nothing
//! of net devices.
//!
//! Everything here runs in process context and may sleep. Who resets the controller, uses the PHY or
//! arms wake-up holds [`Port::mac`](crate::port::Port::mac), but for the probe, where nothing else runs
//! yet. Reading the NVM needs no lock of the driver: it takes the semaphore that firmware takes, too.

use igb_core::device::Fault;
use kernel::prelude::*;

pub(crate) mod identity;
pub(crate) mod nvm;
pub(crate) mod reset;
pub(crate) mod wake;

/// What the hardware did not do, as the kernel's error.
pub(crate) fn errno(fault: Fault) -> Error {
    Error::from_errno(fault.errno())
}
