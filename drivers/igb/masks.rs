// SPDX-License-Identifier: GPL-2.0

//! Interrupt masks: all that handlers and polls may write, in service or not.

use crate::io::Io;
use igb_core::regs::{
    self,
    eicr::Eicr,
    icr::Icr, //
};

/// The registers that mask interrupts, and say why they came. Any context.
///
/// Each has a bit of its own for a vector or a cause, and a write changes the bits that are set in it
/// alone: users need not be serialised.
#[derive(Clone)]
pub(crate) struct Masks(Io);

impl Masks {
    pub(crate) fn new(io: &Io) -> Self {
        Self(io.clone())
    }

    /// Reads what interrupts were raised for ([`regs::icr`]), which clears it.
    pub(crate) fn take_causes(&self) -> Icr {
        self.0.read(regs::ICR)
    }

    /// Lets vectors through ([`regs::eicr`]).
    pub(crate) fn unmask_vectors(&self, vectors: Eicr) {
        self.0.write(regs::EIMS, vectors);
    }

    /// Masks vectors.
    pub(crate) fn mask_vectors(&self, vectors: Eicr) {
        self.0.write(regs::EIMC, vectors);
    }

    /// Lets causes through ([`regs::icr`]).
    pub(crate) fn unmask_causes(&self, causes: Icr) {
        self.0.write(regs::IMS, causes);
    }

    /// Masks causes.
    pub(crate) fn mask_causes(&self, causes: Icr) {
        self.0.write(regs::IMC, causes);
    }

    /// Waits until what was written has reached the controller.
    pub(crate) fn flush(&self) {
        self.0.flush();
    }
}
