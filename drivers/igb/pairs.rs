// SPDX-License-Identifier: GPL-2.0

//! The queue pairs of a net device that is up, and what can be changed while they are open.

use crate::{
    io::Io,
    poll::{
        Pair,
        PAIR_CAUSES, //
    },
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
    irq,
    napi::Napi,
    xdp::Program, //
};

/// A queue pair that is open.
pub(crate) struct OpenPair {
    // Dropped first: no interrupt schedules a poll that is going away. `None` if the port's only
    // vector serves the pair as well.
    pub(crate) _irq: Option<irq::Registration>,
    pub(crate) napi: Napi<Pair>,
    /// Queue of the controller.
    pub(crate) queue: usize,
    pub(crate) vector: u8,
}

/// The queue pairs of a net device that is up.
pub(crate) struct Queues {
    pub(crate) io: Io,
    pub(crate) plan: Plan,
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
        self.change(|pair| pair.rx.set_program(program.cloned()));
    }

    /// Frames are looked at one by one, as their stamps are the poll's to take. Process context.
    pub(crate) fn set_inspects(&mut self, inspects: bool) {
        self.change(|pair| pair.rx.set_inspects(inspects));
    }

    /// Applies other moderation to queues that are open. Process context.
    pub(crate) fn set_coalesce(&mut self, coalesce: Coalesce) {
        self.change(|pair| {
            pair.itr = Itr::new(coalesce.usecs, coalesce.adaptive);
            pair.write_interval();
        });
    }

    /// Changes what the polls own, one pair after the other. Process context.
    fn change(&mut self, mut change: impl FnMut(&mut Pair)) {
        for pair in self.pairs.iter_mut() {
            pair.napi.disable();
            if let Some(state) = pair.napi.get_mut() {
                change(state);
            }
            pair.napi.enable();
        }
        // Interrupts that came meanwhile have scheduled no poll, and may have masked themselves.
        self.unmask();
    }

    /// Unmasks the pairs' interrupts, and has polls look for what came before.
    pub(crate) fn unmask(&self) {
        if self.plan.is_msix() {
            self.io.write(regs::EIMS, self.vectors());
        } else {
            self.io.write(regs::IMS, PAIR_CAUSES);
        }
        self.kick();
    }

    /// Masks the pairs' interrupts.
    pub(crate) fn mask(&self) {
        if self.plan.is_msix() {
            self.io.write(regs::EIMC, self.vectors());
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
        if self.plan.is_msix() {
            self.io.write(regs::EICS, self.vectors());
        } else {
            self.io.write(regs::ICS, regs::icr::RXDMT0);
        }
    }
}
