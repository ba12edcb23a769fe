// SPDX-License-Identifier: GPL-2.0

//! The non-volatile memory, read word by word through EERD (datasheet 3.3).

use crate::{
    hw,
    io::Io, //
};
use igb_core::{
    regs::{
        self,
        eerd, //
    },
    semaphore::{
        self,
        Resource, //
    },
};
use kernel::{
    prelude::*,
    time::Delta, //
};

/// Longest time one word takes to arrive over the serial bus.
const TIMEOUT: Delta = Delta::from_millis(10);

/// The memory.
pub(crate) struct Nvm {
    io: Io,
}

impl Nvm {
    pub(crate) fn new(io: &Io) -> Self {
        Self { io: io.clone() }
    }

    /// Reads consecutive words, the first at word address `offset`. Sleeps.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` if the memory does not answer, `EBUSY` if firmware keeps it.
    pub(crate) fn read(&self, offset: u16, words: &mut [u16]) -> Result {
        let io = &self.io;
        let _held = semaphore::take(io, Resource::Nvm).map_err(hw::errno)?;
        for (address, word) in (offset..).zip(words) {
            io.write(regs::EERD, eerd::read(address));
            let answer = io.wait(regs::EERD, Delta::from_micros(50), TIMEOUT, |value| {
                value & eerd::DONE != 0
            })?;
            *word = eerd::data(answer);
        }
        Ok(())
    }
}
