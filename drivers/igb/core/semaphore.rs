// SPDX-License-Identifier: GPL-2.0

//! Sharing the PHY and the NVM with firmware and with the driver of the other port
//! (datasheet 4.7).
//!
//! SWSM guards SW_FW_SYNC, which guards the resources: take SWSM, set the resource's bit if
//! neither firmware nor the other port holds it, give SWSM back.

use crate::{
    device::{
        Device,
        Fault, //
    },
    regs::{
        self,
        sw_fw_sync::{
            self,
            SwFwSync, //
        },
        swsm, //
    }, //
};

/// Attempts to take SWSM, [`SWSM_STEP`] apart: 100 ms. Firmware holds it for microseconds.
const SWSM_ATTEMPTS: u32 = 2000;
/// Microseconds between them.
const SWSM_STEP: u32 = 50;
/// Attempts to take a resource, [`RESOURCE_STEP`] apart: firmware may hold one for up to a second.
const RESOURCE_ATTEMPTS: u32 = 200;
/// Microseconds between them.
const RESOURCE_STEP: u32 = 5000;

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// NVM access (EERD).
    Nvm,
    /// The PHY of this port, by its LAN id (STATUS\[3:2\]); also the I2C bus of its SFP module.
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
pub struct Held<'a, D: Device> {
    device: &'a D,
    bit: SwFwSync,
}

/// Takes a resource. Sleeps, for up to a second.
///
/// # Errors
///
/// [`Fault::Busy`] if someone else keeps it, [`Fault::Gone`].
pub fn take<D: Device>(device: &D, resource: Resource) -> Result<Held<'_, D>, Fault> {
    attempt_to_take(device, resource, RESOURCE_ATTEMPTS)
}

/// Takes a resource if nobody has it. Sleeps, for milliseconds.
///
/// # Errors
///
/// As [`take`].
pub fn try_take<D: Device>(device: &D, resource: Resource) -> Result<Held<'_, D>, Fault> {
    attempt_to_take(device, resource, 1)
}

fn attempt_to_take<D: Device>(
    device: &D,
    resource: Resource,
    attempts: u32,
) -> Result<Held<'_, D>, Fault> {
    let bit = resource.bit();
    for _ in 0..attempts {
        lock(device)?;
        let sync = device.read(regs::SW_FW_SYNC);
        if sync & (bit | sw_fw_sync::firmware(bit)) == 0 {
            device.write(regs::SW_FW_SYNC, sync | bit);
            unlock(device);
            return Ok(Held { device, bit });
        }
        unlock(device);
        device.pause(RESOURCE_STEP);
    }
    Err(Fault::Busy)
}

impl<D: Device> Drop for Held<'_, D> {
    fn drop(&mut self) {
        // If SWSM cannot be had, clearing the bit without it is better than never.
        let locked = lock(self.device).is_ok();
        self.device
            .update(regs::SW_FW_SYNC, |sync| sync & !self.bit);
        if locked {
            unlock(self.device);
        }
    }
}

/// Takes SWSM: first from the other port's driver (SMBI, set by the read itself), then from
/// firmware (SWESMBI, which does not stick while firmware holds it).
fn lock(device: &impl Device) -> Result<(), Fault> {
    attempt(device, || device.read(regs::SWSM) & swsm::SMBI == 0)?;
    let taken = attempt(device, || {
        device.update(regs::SWSM, |swsm| swsm | swsm::SWESMBI);
        device.read(regs::SWSM) & swsm::SWESMBI != 0
    });
    if taken.is_err() {
        unlock(device);
    }
    taken
}

fn unlock(device: &impl Device) {
    device.update(regs::SWSM, |swsm| swsm & !(swsm::SMBI | swsm::SWESMBI));
}

fn attempt(device: &impl Device, mut done: impl FnMut() -> bool) -> Result<(), Fault> {
    for _ in 0..SWSM_ATTEMPTS {
        if done() {
            return Ok(());
        }
        if device.is_gone() {
            return Err(Fault::Gone);
        }
        device.pause(SWSM_STEP);
    }
    Err(Fault::Busy)
}

/// Frees SWSM if whoever used the controller before us (a boot ROM, a crashed kernel) left it
/// taken. The driver of the other port, which shares it, has it for microseconds: it is taken for left
/// only if it stays taken for 100 ms. To be called once, before the first [`take`]. Sleeps.
pub fn reclaim(device: &impl Device) {
    // In either case it is ours then: the read has taken it, or nobody gives it back.
    let _ = attempt(device, || device.read(regs::SWSM) & swsm::SMBI == 0);
    unlock(device);
}
