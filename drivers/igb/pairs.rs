// SPDX-License-Identifier: GPL-2.0

//! The queue pairs of a net device that is up, and what can be changed while they are open.

use crate::{
    io::Io,
    poll::{
        Pair,
        PAIR_CAUSES, //
    },
    rx::Receive,
    settings::Coalesce,
    vectors::Plan, //
};
use igb_core::{
    itr::Itr,
    regs::{
        self,
        eicr::{
            self,
            Eicr, //
        }, //
    }, //
};
use kernel::prelude::*;
use net::{
    device::Locked,
    irq,
    napi::Napi,
    xdp::Program, //
};

/// The NAPI instance of a queue pair, whatever it receives into. Process context.
pub(crate) trait Polled: Send {
    /// Allows polling.
    fn enable(&mut self);

    /// Ends polling, and waits for a running poll to finish.
    fn disable(&mut self);

    /// Shows frames to another program, or to none. Not while it is polled.
    fn set_program(&mut self, program: Option<Program>);

    /// As of [`Queues::set_inspects`]. Not while it is polled.
    fn set_inspects(&mut self, inspects: bool);

    /// Moderates interrupts otherwise. Not while it is polled.
    fn set_coalesce(&mut self, coalesce: Coalesce);

    /// Takes the queues of the pair away from it, and has them forget what was sent. Not while it is
    /// polled.
    fn unlink(&mut self, dev: &Locked<()>);
}

impl<R: Receive> Polled for Napi<Pair<R>> {
    fn enable(&mut self) {
        Napi::enable(self);
    }

    fn disable(&mut self) {
        Napi::disable(self);
    }

    fn set_program(&mut self, program: Option<Program>) {
        if let Some(pair) = self.get_mut() {
            pair.rx.set_program(program);
        }
    }

    fn set_inspects(&mut self, inspects: bool) {
        if let Some(pair) = self.get_mut() {
            pair.rx.set_inspects(inspects);
        }
    }

    fn set_coalesce(&mut self, coalesce: Coalesce) {
        if let Some(pair) = self.get_mut() {
            pair.itr = Itr::new(coalesce.usecs, coalesce.adaptive);
            pair.write_interval();
        }
    }

    fn unlink(&mut self, dev: &Locked<()>) {
        self.unlink_queues(dev);
        self.reset_tx_queue();
    }
}

/// A queue pair that is open.
pub(crate) struct OpenPair {
    // Dropped first: no interrupt schedules a poll that is going away. `None` if the port's only
    // vector serves the pair as well.
    pub(crate) _irq: Option<irq::Registration>,
    pub(crate) napi: KBox<dyn Polled>,
    /// Queues of the net device.
    pub(crate) index: u32,
    /// Queue of the controller.
    pub(crate) queue: usize,
    pub(crate) vector: u8,
}

/// The queue pairs of a net device that is up.
pub(crate) struct Queues {
    pub(crate) io: Io,
    pub(crate) plan: Plan,
    /// A frame is dropped when its queue has no descriptor left for it. `SRRCTL`, which has it, is written
    /// while a queue is closed.
    pub(crate) drops: bool,
    pub(crate) pairs: KVec<OpenPair>,
}

impl Queues {
    /// Number of queue pairs.
    pub(crate) fn len(&self) -> u32 {
        // CAST: at most MAX_PAIRS.
        self.pairs.len() as u32
    }

    /// Shows frames to another program, or to none. Not a frame is lost. Process context.
    pub(crate) fn set_program(&mut self, program: Option<&Program>) {
        self.change(|napi| napi.set_program(program.cloned()));
    }

    /// Frames are looked at one by one, as their stamps are the poll's to take. Process context.
    pub(crate) fn set_inspects(&mut self, inspects: bool) {
        self.change(|napi| napi.set_inspects(inspects));
    }

    /// Applies other moderation to queues that are open. Process context.
    pub(crate) fn set_coalesce(&mut self, coalesce: Coalesce) {
        self.change(|napi| napi.set_coalesce(coalesce));
    }

    /// Changes what the polls own, one pair after the other. Process context.
    fn change(&mut self, mut change: impl FnMut(&mut dyn Polled)) {
        for pair in self.pairs.iter_mut() {
            pair.napi.disable();
            change(&mut *pair.napi);
            pair.napi.enable();
        }
        // Interrupts that came meanwhile have scheduled no poll, and may have masked themselves.
        self.unmask();
    }

    /// Unmasks the pairs' interrupts, and has polls look for what came before.
    pub(crate) fn unmask(&self) {
        self.unmask_only(self.vectors());
    }

    /// The same for those pairs whose vectors are `vectors`.
    pub(crate) fn unmask_only(&self, vectors: Eicr) {
        if self.plan.is_msix() {
            self.io.write(regs::EIMS, vectors);
        } else {
            self.io.write(regs::IMS, PAIR_CAUSES);
        }
        self.kick_only(vectors);
    }

    /// Masks the pairs' interrupts.
    pub(crate) fn mask(&self) {
        self.mask_only(self.vectors());
    }

    /// Masks the interrupts of those pairs whose vectors are `vectors`.
    pub(crate) fn mask_only(&self, vectors: Eicr) {
        if self.plan.is_msix() {
            self.io.write(regs::EIMC, vectors);
        } else {
            self.io.write(regs::IMC, PAIR_CAUSES);
        }
    }

    /// The EICR bits of all vectors.
    pub(crate) fn vectors(&self) -> Eicr {
        self.pairs.iter().fold(Eicr::ZERO, |bits, pair| {
            bits | eicr::vector(pair.vector.into())
        })
    }

    /// There are frames the controller has not sent.
    pub(crate) fn have_unsent(&self) -> bool {
        self.pairs
            .iter()
            .any(|pair| self.io.read(regs::tdh(pair.queue)) != self.io.read(regs::tdt(pair.queue)))
    }

    /// Makes every pair's vector fire: polls look at their rings again.
    pub(crate) fn kick(&self) {
        self.kick_only(self.vectors());
    }

    fn kick_only(&self, vectors: Eicr) {
        if self.plan.is_msix() {
            self.io.write(regs::EICS, vectors);
        } else {
            self.io.write(regs::ICS, regs::icr::RXDMT0);
        }
    }
}
