// SPDX-License-Identifier: GPL-2.0

//! Interrupt masks: all that handlers and polls may write, in service or not; and what a handler
//! notes.

use crate::io::Io;
use igb_core::regs::{
    self,
    eicr::Eicr,
    icr::Icr,
    Misbehaved, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// The registers that mask interrupts, and say why they came. Any context.
///
/// Each has a bit of its own for a vector or a cause, and a write changes the bits that are set in it
/// alone: users need not be serialised.
#[derive(Clone)]
pub(crate) struct Masks {
    io: Io,
    asleep: Arc<Atomic<bool>>,
}

impl Masks {
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(io: &Io) -> Result<Self> {
        Ok(Self {
            io: io.clone(),
            asleep: Arc::new(Atomic::new(false), GFP_KERNEL)?,
        })
    }

    /// Whether the controller sleeps: it raises no interrupts, and does not answer.
    pub(crate) fn set_asleep(&self, asleep: bool) {
        self.asleep.store(asleep, Relaxed);
    }

    /// Reads what interrupts were raised for ([`regs::icr`]), which clears it. Nothing while the controller
    /// sleeps: the interrupt is that of another device on the same line.
    pub(crate) fn take_causes(&self) -> Icr {
        if self.asleep.load(Relaxed) {
            return Icr::ZERO;
        }
        self.io.read(regs::ICR)
    }

    /// Reads which pools have misbehaved, which clears it.
    pub(crate) fn take_misbehaved(&self) -> Misbehaved {
        Misbehaved::take(&self.io)
    }

    /// Lets vectors through ([`regs::eicr`]).
    pub(crate) fn unmask_vectors(&self, vectors: Eicr) {
        self.io.write(regs::EIMS, vectors);
    }

    /// Masks vectors.
    pub(crate) fn mask_vectors(&self, vectors: Eicr) {
        self.io.write(regs::EIMC, vectors);
    }

    /// Lets causes through ([`regs::icr`]).
    pub(crate) fn unmask_causes(&self, causes: Icr) {
        self.io.write(regs::IMS, causes);
    }

    /// Masks causes.
    pub(crate) fn mask_causes(&self, causes: Icr) {
        self.io.write(regs::IMC, causes);
    }

    /// Waits until what was written has reached the controller.
    pub(crate) fn flush(&self) {
        self.io.flush();
    }
}

/// Pools of which the controller has stopped a queue, until the work item sees to them. The
/// registers keep only the last of several events, so they are read in the interrupt.
pub(crate) struct Stopped(Atomic<u32>);

impl Stopped {
    pub(crate) fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Any context; of one caller at a time.
    pub(crate) fn add(&self, found: Misbehaved) {
        // Should they be taken in between, they are seen to twice.
        let before = self.0.load(Relaxed);
        self.0.store(before | found.events(), Relaxed);
    }

    /// Those that were added since this was last called, if any.
    pub(crate) fn take(&self) -> Option<Misbehaved> {
        Misbehaved::from_events(self.0.xchg(0, Relaxed))
    }
}
