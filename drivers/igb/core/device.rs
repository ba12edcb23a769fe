// SPDX-License-Identifier: GPL-2.0

//! A controller whose accesses take time: waiting, with a limit, and what can go wrong.
//!
//! The PHY, an SFP module and the semaphores are reached by commands that are waited for. That is done
//! here and not in the driver, so that a test can be the controller: one that answers late, wrongly,
//! or not at all.

use crate::regs::{
    Readable,
    Reg,
    Registers,
    Word, //
};

/// A controller that can be waited for.
pub trait Device: Registers {
    /// Lets at least `us` microseconds pass. Process context, sleeps.
    fn pause(&self, us: u32);

    /// The controller has left the bus.
    fn is_gone(&self) -> bool;
}

/// Why something of the hardware could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has not answered in time.
    TimedOut,
    /// Firmware or the driver of another port keeps it.
    Busy,
    /// It has answered that it cannot.
    Refused,
    /// There is no such thing on this board.
    Absent,
    /// The controller has left the bus.
    Gone,
}

impl Fault {
    /// The negative errno user space gets.
    #[must_use]
    pub const fn errno(self) -> i32 {
        const EIO: i32 = 5;
        const EBUSY: i32 = 16;
        const ENODEV: i32 = 19;
        const EOPNOTSUPP: i32 = 95;
        const ETIMEDOUT: i32 = 110;

        -match self {
            Self::TimedOut => ETIMEDOUT,
            Self::Busy => EBUSY,
            Self::Refused => EIO,
            Self::Absent => EOPNOTSUPP,
            Self::Gone => ENODEV,
        }
    }
}

/// Waits until `done` holds for a register: looks `looks` times, `step` microseconds apart. Process
/// context, sleeps.
///
/// # Errors
///
/// [`Fault::TimedOut`] and [`Fault::Gone`].
pub fn wait<V: Word>(
    device: &impl Device,
    register: Reg<V, impl Readable>,
    looks: u32,
    step: u32,
    done: impl Fn(V) -> bool,
) -> Result<V, Fault> {
    for _ in 0..looks {
        let value = device.read(register);
        if device.is_gone() {
            return Err(Fault::Gone);
        }
        if done(value) {
            return Ok(value);
        }
        device.pause(step);
    }
    Err(Fault::TimedOut)
}
