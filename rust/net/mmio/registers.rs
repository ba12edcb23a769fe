// SPDX-License-Identifier: GPL-2.0

//! Registers of a device that may leave the bus while its driver runs.

use super::{
    Doorbell,
    Mmio,
    ALL_ONES, //
};
use core::ops::Deref;
use kernel::{
    device::Bound,
    io::poll::read_poll_timeout,
    pci,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Delta, //
};

/// Whether a device is still there, as far as its registers have shown.
pub(super) struct Presence(Atomic<bool>);

impl Presence {
    pub(super) const fn new() -> Self {
        Self(Atomic::new(false))
    }

    /// What a register that was read as `value` counts as: 0, if the device is found to be gone by
    /// that.
    pub(super) fn judge(&self, value: u32, witness: impl FnOnce() -> u32) -> u32 {
        if value == ALL_ONES && self.has_left(witness) {
            return 0;
        }
        value
    }

    /// Some registers may hold all ones; the witness never does.
    #[cold]
    fn has_left(&self, witness: impl FnOnce() -> u32) -> bool {
        if witness() == ALL_ONES {
            self.0.store(true, Relaxed);
        }
        self.is_gone()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Believes a device to be there whose witness was read as `value`.
    pub(super) fn probe(&self, value: u32) -> Result {
        if matches!(value, 0 | ALL_ONES) {
            return Err(ENODEV);
        }
        self.0.store(false, Relaxed);
        Ok(())
    }
}

/// The registers of a device that may leave the bus, to be read. Cheap to clone; a handle of the
/// mapping, to be dropped where an [`Mmio`] may be.
///
/// A device that has left answers every read with ones. The first time that happens is remembered:
/// from then on a register that reads as ones counts as 0, so that waits end and no decision is taken
/// from garbage.
///
/// `WITNESS` is the offset of a register that is never 0, and never all ones, while the device is
/// there: reading it has no effect. It tells a device that has left from a register that holds all ones.
/// A driver with one outside of the BAR does not compile.
///
/// # Examples
///
/// Who is given only this cannot write, and so may run while somebody else configures the device:
///
/// ```
/// use net::mmio::Reader;
///
/// const STATUS: u32 = 0x0008;
///
/// fn is_ready(io: &Reader<0x1000, STATUS>) -> bool {
///     io.read_at(STATUS) & 1 != 0
/// }
/// ```
///
/// ```compile_fail,E0599
/// # use net::mmio::Reader;
/// fn reset(io: &Reader<0x1000, 8>) {
///     io.write_at(0, 1);
/// }
/// ```
#[derive(Clone)]
pub struct Reader<const SIZE: usize, const WITNESS: u32> {
    bar: Mmio<SIZE>,
    presence: Arc<Presence>,
}

impl<const SIZE: usize, const WITNESS: u32> Reader<SIZE, WITNESS> {
    fn witness(&self) -> u32 {
        // CAST: widening.
        const { assert!(WITNESS % 4 == 0 && WITNESS as usize + 4 <= SIZE) };
        self.bar.read32(WITNESS)
    }

    /// Reads the register at an offset. Any context.
    pub fn read_at(&self, offset: u32) -> u32 {
        self.presence
            .judge(self.bar.read32(offset), || self.witness())
    }

    /// Reads a counter that reading does not clear: [`ALL_ONES`], which who adds up is to skip, if the
    /// device has left. Any context.
    pub fn read_counter_at(&self, offset: u32) -> u32 {
        let value = self.read_at(offset);
        if self.is_gone() {
            return ALL_ONES;
        }
        value
    }

    /// Waits until posted writes have reached the device.
    pub fn flush(&self) {
        let _ = self.presence.judge(self.witness(), || self.witness());
    }

    /// The device has left the bus.
    pub fn is_gone(&self) -> bool {
        self.presence.is_gone()
    }

    /// The device is (back) on the bus: checked at first, and after a reset of its slot.
    ///
    /// One that lost its base addresses in such a reset reads as ones, or as 0.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it does not answer.
    pub fn probe_presence(&self) -> Result {
        self.presence.probe(self.witness())
    }

    /// Waits until `done` holds for the register at an offset, looking every `step`. Process context,
    /// sleeps.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` after `timeout`, `ENODEV` if the device left the bus.
    pub fn wait_at(
        &self,
        offset: u32,
        step: Delta,
        timeout: Delta,
        done: impl Fn(u32) -> bool,
    ) -> Result<u32> {
        let value = read_poll_timeout(
            || Ok(self.read_at(offset)),
            |value: &u32| done(*value) || self.is_gone(),
            step,
            timeout,
        )?;
        if self.is_gone() {
            return Err(ENODEV);
        }
        Ok(value)
    }
}

/// The registers of a device that may leave the bus, to be read ([`Reader`]) and written. Cheap to
/// clone. Writes to a device that has left go nowhere.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use net::mmio::Registers;
///
/// const STATUS: u32 = 0x0008;
/// const COMMAND: u32 = 0x0010;
///
/// fn start(io: &Registers<0x1000, STATUS>) -> Result {
///     io.update_at(COMMAND, |value| value | 1);
///     io.flush();
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Registers<const SIZE: usize, const WITNESS: u32>(Reader<SIZE, WITNESS>);

impl<const SIZE: usize, const WITNESS: u32> Deref for Registers<SIZE, WITNESS> {
    type Target = Reader<SIZE, WITNESS>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<const SIZE: usize, const WITNESS: u32> Registers<SIZE, WITNESS> {
    /// Claims and maps BAR `bar`, as [`Mmio::map`] does. Process context.
    ///
    /// # Errors
    ///
    /// Those of [`Mmio::map`]; `ENOMEM`.
    pub fn map(dev: &pci::Device<Bound>, bar: u32, name: &'static CStr) -> Result<Self> {
        Ok(Self(Reader {
            bar: Mmio::map(dev, bar, name)?,
            presence: Arc::new(Presence::new(), GFP_KERNEL)?,
        }))
    }

    /// Writes the register at an offset. Any context.
    pub fn write_at(&self, offset: u32, value: u32) {
        self.0.bar.write32(offset, value);
    }

    /// Replaces the value of the register at an offset. The caller serialises users of the same
    /// register.
    pub fn update_at(&self, offset: u32, change: impl FnOnce(u32) -> u32) {
        self.write_at(offset, change(self.read_at(offset)));
    }

    /// A handle for the register at an offset, which is written often.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such register.
    pub fn doorbell_at(&self, offset: u32) -> Result<Doorbell> {
        self.0.bar.doorbell(offset)
    }
}
