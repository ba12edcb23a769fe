// SPDX-License-Identifier: GPL-2.0

//! Sharing the PHY and the NVM with firmware and with the driver of the other port
//! (datasheet 4.7).
//!
//! SWSM guards SW_FW_SYNC, which guards the resources: take SWSM, set the resource's bit if
//! neither firmware nor the other port holds it, give SWSM back.

use crate::io::Io;
use igb_core::regs::{
    self,
    sw_fw_sync::{
        self,
        SwFwSync, //
    },
    swsm, //
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// Attempts to take SWSM; firmware holds it for microseconds.
const SWSM_ATTEMPTS: u32 = 2000;
/// Attempts to take a resource, 5 ms apart: firmware may hold one for up to a second.
const RESOURCE_ATTEMPTS: u32 = 200;

/// What is shared.
#[derive(Clone, Copy)]
pub(crate) enum Resource {
    /// NVM access (EERD).
    Nvm,
    /// The PHY of this port, by its LAN id (STATUS\[3:2\]).
    Phy(u32),
}

impl Resource {
    const fn bit(self) -> SwFwSync {
        match self {
            Self::Nvm => sw_fw_sync::EEP,
            Self::Phy(0) => sw_fw_sync::PHY0,
            Self::Phy(_) => sw_fw_sync::PHY1,
        }
    }
}

/// A resource that is ours until this is dropped.
pub(crate) struct Held<'a> {
    io: &'a Io,
    bit: SwFwSync,
}

/// Takes a resource. Sleeps, for up to a second.
///
/// # Errors
///
/// `EBUSY` if someone else keeps it, `ENODEV` if the controller is gone.
pub(crate) fn take(io: &Io, resource: Resource) -> Result<Held<'_>> {
    attempt_to_take(io, resource, RESOURCE_ATTEMPTS)
}

/// Takes a resource if nobody has it. Sleeps, for milliseconds.
///
/// # Errors
///
/// As [`take`].
pub(crate) fn try_take(io: &Io, resource: Resource) -> Result<Held<'_>> {
    attempt_to_take(io, resource, 1)
}

fn attempt_to_take(io: &Io, resource: Resource, attempts: u32) -> Result<Held<'_>> {
    let bit = resource.bit();
    for _ in 0..attempts {
        lock(io)?;
        let sync = io.read(regs::SW_FW_SYNC);
        if sync & (bit | sw_fw_sync::firmware(bit)) == 0 {
            io.write(regs::SW_FW_SYNC, sync | bit);
            unlock(io);
            return Ok(Held { io, bit });
        }
        unlock(io);
        fsleep(Delta::from_millis(5));
    }
    Err(EBUSY)
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // If SWSM cannot be had, clearing the bit without it is better than never.
        let locked = lock(self.io).is_ok();
        self.io.update(regs::SW_FW_SYNC, |sync| sync & !self.bit);
        if locked {
            unlock(self.io);
        }
    }
}

/// Takes SWSM: first from the other port's driver (SMBI, set by the read itself), then from
/// firmware (SWESMBI, which does not stick while firmware holds it).
fn lock(io: &Io) -> Result {
    attempt(io, || io.read(regs::SWSM) & swsm::SMBI == 0)?;
    let taken = attempt(io, || {
        io.update(regs::SWSM, |swsm| swsm | swsm::SWESMBI);
        io.read(regs::SWSM) & swsm::SWESMBI != 0
    });
    if taken.is_err() {
        unlock(io);
    }
    taken
}

fn unlock(io: &Io) {
    io.update(regs::SWSM, |swsm| swsm & !(swsm::SMBI | swsm::SWESMBI));
}

fn attempt(io: &Io, mut done: impl FnMut() -> bool) -> Result {
    for _ in 0..SWSM_ATTEMPTS {
        if done() {
            return Ok(());
        }
        if io.is_gone() {
            return Err(ENODEV);
        }
        fsleep(Delta::from_micros(50));
    }
    Err(EBUSY)
}

/// Frees SWSM if whoever used the controller before us (a boot ROM, a crashed kernel) left it
/// taken. To be called once, before the first [`take`].
pub(crate) fn reclaim(io: &Io) {
    unlock(io);
}
