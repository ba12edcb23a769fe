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

/// How often to look again for a controller that does not answer when VFs came or went.
pub const SETTLE_LOOKS: u32 = 10;
/// Microseconds between two of these looks.
pub const SETTLE_STEP: u32 = 10_000;

/// Waits until a controller answers. For a moment after VFs are enabled or disabled, reads of the PF's
/// registers may return all ones, as those of a controller that has left do. `pause` lets at least so
/// many microseconds pass. Returns whether it answers; one that does not within [`SETTLE_LOOKS`] looks
/// is left as it is, and whoever uses it next finds out.
pub fn settle(answers: impl Fn() -> bool, pause: impl Fn(u32)) -> bool {
    for _ in 0..SETTLE_LOOKS {
        if answers() {
            return true;
        }
        pause(SETTLE_STEP);
    }
    false
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

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_device))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// Looks for a controller that answers from look `first` on: whether it is found, how often it was
    /// looked for, and how many microseconds that took.
    fn settled(first: u32) -> (bool, u32, u32) {
        let (looks, us) = (Cell::new(0), Cell::new(0));
        let found = settle(
            || {
                looks.set(looks.get() + 1);
                looks.get() >= first
            },
            |pause| us.set(us.get() + pause),
        );
        (found, looks.get(), us.get())
    }

    #[test]
    fn one_that_answers_is_not_waited_for() {
        assert_eq!(settled(1), (true, 1, 0));
    }

    #[test]
    fn one_that_is_away_for_a_moment_is_found() {
        assert_eq!(settled(3), (true, 3, 20_000));
        assert_eq!(settled(10), (true, 10, 90_000));
    }

    #[test]
    fn one_that_does_not_come_back_is_left() {
        assert_eq!(settled(11), (false, 10, 100_000));
    }
}
