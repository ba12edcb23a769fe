// SPDX-License-Identifier: GPL-2.0

//! Access to the controller's registers (BAR 0): those of [`mmio`] with the types that [`igb_core`] gives
//! them. What does not depend on a register's type is there: whether the controller has left the bus,
//! flushing, and reading at an offset.
//!
//! Everybody may read ([`Registers`]). Who has an [`Io`] may write as well, and whoever configures the
//! controller gets one only while it is in service: from [`Controller::live`] or [`Mac::live`], under
//! the lock that serialises the registers. Handlers and polls have narrower types of their own:
//! [`Masks`](crate::masks::Masks) and [`Doorbell`].
//!
//! [`Controller::live`]: crate::controller::Controller::live
//! [`Mac::live`]: crate::mac::Mac::live

use core::{
    marker::PhantomData,
    ops::Deref, //
};
use igb_core::{
    device::Device,
    regs::{
        self,
        Readable,
        Reg,
        Updatable,
        Word,
        Writable, //
    }, //
};
use kernel::{
    device::Bound,
    pci,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use net::mmio;

/// Bytes of BAR 0.
const BAR_SIZE: usize = 0x2_0000;

/// STATUS tells whether the controller is there: PF_RST_DONE is set whenever it is.
const WITNESS: u32 = regs::STATUS.offset();

type Bar = mmio::Registers<BAR_SIZE, WITNESS>;

// What registers and counters read as when the controller is gone is known under two names.
const _: () = assert!(regs::GONE == mmio::ALL_ONES);

/// The registers of one controller, to be read. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registers(Bar);

impl Deref for Registers {
    type Target = mmio::Reader<BAR_SIZE, WITNESS>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The registers of one controller, to be read and written.
#[derive(Clone)]
pub(crate) struct Io(Registers);

impl Deref for Io {
    type Target = Registers;

    fn deref(&self) -> &Registers {
        &self.0
    }
}

impl Registers {
    /// Reads a register. Any context.
    #[inline(always)]
    pub(crate) fn read<V: Word>(&self, register: Reg<V, impl Readable>) -> V {
        V::from_bits(self.read_at(register.offset()))
    }

    /// Reads a counter that reading does not clear: [`regs::GONE`], which counters skip, if the
    /// controller has left. Any context.
    pub(crate) fn read_counter(&self, register: Reg<u32, impl Readable>) -> u32 {
        self.read_counter_at(register.offset())
    }

    /// Waits until `done` holds for a register, looking every `step`. Process context, sleeps.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` after `timeout`, `ENODEV` if the controller left the bus.
    pub(crate) fn wait<V: Word>(
        &self,
        register: Reg<V, impl Readable>,
        step: Delta,
        timeout: Delta,
        done: impl Fn(V) -> bool,
    ) -> Result<V> {
        self.wait_at(register.offset(), step, timeout, |value| {
            done(V::from_bits(value))
        })
        .map(V::from_bits)
    }
}

impl Io {
    /// Maps the registers. Process context.
    pub(crate) fn map(dev: &pci::Device<Bound>) -> Result<Self> {
        Ok(Self(Registers(Bar::map(dev, 0, c"igb_rs")?)))
    }

    /// Those registers, to be read.
    pub(crate) fn registers(&self) -> &Registers {
        &self.0
    }

    /// Writes a register. Any context.
    #[inline(always)]
    pub(crate) fn write<V: Word>(&self, register: Reg<V, impl Writable>, value: V) {
        self.write_at(register.offset(), value.bits());
    }

    /// Writes 0 to a register. Any context.
    #[inline(always)]
    pub(crate) fn clear<V: Word>(&self, register: Reg<V, impl Writable>) {
        self.write(register, V::from_bits(0));
    }

    /// Writes the register at an offset: for what [`igb_core`] does by a function. Any context.
    #[inline(always)]
    pub(crate) fn write_at(&self, offset: u32, value: u32) {
        self.0 .0.write_at(offset, value);
    }

    /// Replaces a register's value. The caller serialises users of the same register.
    #[inline(always)]
    pub(crate) fn update<V: Word>(
        &self,
        register: Reg<V, impl Updatable>,
        change: impl FnOnce(V) -> V,
    ) {
        self.write(register, change(self.read(register)));
    }

    /// A handle for one register that is written often.
    pub(crate) fn doorbell<V: Word>(&self, register: Reg<V, impl Writable>) -> Result<Doorbell<V>> {
        Ok(Doorbell {
            doorbell: self.0 .0.doorbell_at(register.offset())?,
            _value: PhantomData,
        })
    }
}

/// For what [`igb_core`] does with the registers itself, such as accesses to the PHY.
impl regs::Registers for Io {
    fn read_at(&self, offset: u32) -> u32 {
        self.0.read_at(offset)
    }

    fn write_at(&self, offset: u32, value: u32) {
        Self::write_at(self, offset, value);
    }
}

impl Device for Io {
    fn pause(&self, us: u32) {
        fsleep(Delta::from_micros(us.into()));
    }

    fn is_gone(&self) -> bool {
        self.0.is_gone()
    }
}

/// A handle for one register that is written often, of values of the type `V`.
#[derive(Clone)]
pub(crate) struct Doorbell<V = u32> {
    doorbell: mmio::Doorbell,
    _value: PhantomData<fn(V)>,
}

impl From<Doorbell> for mmio::Doorbell {
    fn from(this: Doorbell) -> Self {
        this.doorbell
    }
}

impl<V: Word> Doorbell<V> {
    /// Writes the register. Any context.
    #[inline(always)]
    pub(crate) fn ring(&self, value: V) {
        self.doorbell.ring(value.bits());
    }
}
