// SPDX-License-Identifier: GPL-2.0

//! Interrupt vectors: who gets which, and the handlers.
//!
//! With MSI-X, vector 0 is for everything that is not a queue (link, mailboxes), and vector `1 + n`
//! for queue pair `n`. They are allocated once, for as many pairs as the device can ever have, so
//! that changing the number of pairs leaves the others' interrupts and their affinity alone.
//!
//! With MSI or INTx there is one vector and one queue pair, and there can be no VFs.

use crate::{
    io::Io,
    mailbox,
    poll::Pair,
    port::Hw, //
};
use igb_core::{
    layout::MAX_PAIRS,
    regs::{
        self,
        eicr,
        icr, //
    }, //
};
use kernel::{
    irq::IrqReturn,
    prelude::*,
    sync::Arc, //
};
use net::{
    irq::{
        self,
        Handler,
        HardHandler,
        HardIrq,
        Kind,
        Kinds,
        Vectors, //
    },
    lock::RawSpinLock,
    napi::Scheduler,
    work, //
};

/// How the vectors are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    kind: Kind,
    pairs: u32,
}

impl Plan {
    /// Allocates vectors for up to `pairs` queue pairs: as many as there are to be had.
    pub(crate) fn allocate(
        dev: &kernel::pci::Device<kernel::device::Bound>,
        pairs: u32,
    ) -> Result<(Vectors, Self)> {
        let wanted = pairs.wrapping_add(1);
        if let Ok(vectors) = Vectors::alloc(dev, 2, wanted, Kinds::MSIX) {
            // CAST: at most `wanted`.
            let pairs = (vectors.len() as u32).wrapping_sub(1);
            let plan = Self {
                kind: vectors.kind(),
                pairs,
            };
            return Ok((vectors, plan));
        }
        let vectors = Vectors::alloc(dev, 1, 1, Kinds::MSI.or(Kinds::INTX))?;
        let plan = Self {
            kind: vectors.kind(),
            pairs: 1,
        };
        Ok((vectors, plan))
    }

    /// Queue pairs there are vectors for: 1 to [`MAX_PAIRS`].
    pub(crate) fn pairs(&self) -> u32 {
        // CAST: a constant.
        self.pairs.min(MAX_PAIRS as u32)
    }

    /// Each queue pair has a vector of its own.
    pub(crate) fn is_msix(&self) -> bool {
        matches!(self.kind, Kind::Msix)
    }

    /// Vector of everything that is not a queue.
    pub(crate) fn misc_vector(&self) -> u8 {
        0
    }

    /// Vector of queue pair `index`.
    pub(crate) fn pair_vector(&self, index: u32) -> u8 {
        if self.is_msix() {
            // CAST: at most MAX_PAIRS.
            (index.wrapping_add(1)) as u8
        } else {
            0
        }
    }
}

/// The causes that are not a queue's, and what they lead to. Hard interrupt context.
pub(crate) struct Misc {
    pub(crate) io: Io,
    pub(crate) mailbox: work::Handle,
    pub(crate) service: work::Handle,
    pub(crate) reset: work::Handle,
}

impl Misc {
    fn dispatch(&self, causes: u32) {
        if causes & icr::LSC != 0 {
            self.service.schedule();
        }
        if causes & icr::DRSTA != 0 {
            self.reset.schedule();
        }
    }
}

/// Handler of the MSI-X vector that is not a queue's. Never a thread: a VF's driver on this host
/// waits for its answer with the CPU to itself.
pub(crate) struct MailboxHandler {
    pub(crate) misc: Misc,
    pub(crate) hw: Arc<RawSpinLock<Hw>>,
}

impl HardHandler for MailboxHandler {
    fn handle(&self, cx: &HardIrq) -> IrqReturn {
        let misc = &self.misc;
        // Clears the causes: what comes in from here on raises another interrupt.
        let causes = misc.io.read(regs::ICR);
        misc.dispatch(causes);
        if causes & icr::VMMB != 0 {
            mailbox::interrupt(&misc.io, &self.hw, &misc.mailbox, cx);
        }
        misc.io.write(regs::EIMS, eicr::vector(0));
        IrqReturn::Handled
    }
}

/// Handler of a queue pair's MSI-X vector. See [`crate::poll::Rearm`] for when it is masked.
pub(crate) struct PairHandler(pub(crate) Scheduler<Pair>);

impl Handler for PairHandler {
    fn handle(&self, cx: &irq::Context) -> IrqReturn {
        self.0.schedule_irqoff(cx);
        IrqReturn::Handled
    }
}

/// Handler of the only vector, MSI or INTx.
pub(crate) struct LegacyHandler {
    pub(crate) misc: Misc,
    /// The line may be shared with other devices.
    pub(crate) shared: bool,
    /// The only queue pair, while the device is up.
    pub(crate) pair: Option<Scheduler<Pair>>,
}

/// The causes of the only queue pair, outside of MSI-X mode.
pub(crate) const PAIR_CAUSES: u32 = icr::TXDW | icr::RXDW | icr::RXO | icr::RXDMT0;

impl Handler for LegacyHandler {
    fn handle(&self, cx: &irq::Context) -> IrqReturn {
        let causes = self.misc.io.read(regs::ICR);
        if causes == 0 || (self.shared && causes & icr::INT_ASSERTED == 0) {
            return IrqReturn::None;
        }
        self.misc.dispatch(causes);
        if causes & PAIR_CAUSES != 0 {
            if let Some(pair) = &self.pair {
                self.misc.io.write(regs::IMC, PAIR_CAUSES);
                pair.schedule_irqoff(cx);
            }
        }
        IrqReturn::Handled
    }
}
