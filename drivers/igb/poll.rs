// SPDX-License-Identifier: GPL-2.0

//! A queue pair, as NAPI polls it: both halves share one vector and one poll, so a
//! request and its answer cost one interrupt.

use crate::{
    io::Doorbell,
    masks::Masks,
    rx::Receive,
    tx::TxDone, //
};
use core::sync::atomic::{
    AtomicBool,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use igb_core::{
    itr::{
        Itr,
        Load, //
    },
    regs::{
        self,
        eicr,
        eitr::Eitr,
        icr::{
            self,
            Icr, //
        }, //
    },
};
use net::napi::{
    self,
    Context,
    TxContext, //
};

/// The causes of the only queue pair, outside of MSI-X mode.
pub(crate) const PAIR_CAUSES: Icr = icr::PAIR;

/// What one NAPI instance polls.
pub(crate) struct Pair<R> {
    pub(crate) rx: R,
    pub(crate) tx: TxDone,
    pub(crate) itr: Itr,
    pub(crate) eitr: Doorbell<Eitr>,
}

impl<R> Pair<R> {
    /// Writes the interval in force.
    pub(crate) fn write_interval(&self) {
        self.set_interval(self.itr.interval());
    }

    fn set_interval(&self, usecs: u32) {
        // The time that has passed since the last interrupt counts on.
        self.eitr
            .ring(regs::eitr::interval(usecs) | regs::eitr::CNT_IGNR);
    }
}

/// How the pair's interrupt is unmasked.
pub(crate) enum Rearm {
    /// A vector of its own. It is not masked while the pair is polled: its interval (EITR) keeps it
    /// quiet, and mostly the poll is over by then. Only when it fires during a poll it is masked. That
    /// saves a register write per interrupt, and costs one interrupt more if polls are long.
    ///
    /// Where the user has interrupts deferred, its first interrupt masks it, until polls that a timer
    /// asks for find nothing more.
    Msix {
        /// The mask.
        masks: Masks,
        /// The vector.
        vector: u8,
        /// It is masked.
        masked: AtomicBool,
    },
    /// The only vector.
    Legacy(Masks),
}

impl<R: Receive> napi::Poll for Pair<R> {
    type Rearm = Rearm;

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>, budget: u32) -> u32 {
        let mut load = Load::default();
        let sent = R::reap(&mut self.tx, cx.tx(), &mut load);
        self.rx.sent(cx, sent.sockets);
        let received = self.rx.poll(cx, budget, &mut load);
        if let Some(usecs) = self.itr.after_poll(load) {
            self.set_interval(usecs);
        }
        if sent.all {
            received
        } else {
            budget
        }
    }

    #[cold]
    fn poll_tx(&mut self, cx: &mut TxContext<'_>) {
        let _ = self.tx.poll_apart(cx, &mut Load::default());
    }

    #[inline]
    fn rearm(rearm: &Rearm) {
        match rearm {
            Rearm::Msix {
                masks,
                vector,
                masked,
            } => {
                if masked.load(Acquire) {
                    masked.store(false, Relaxed);
                    masks.unmask_vectors(eicr::vector((*vector).into()));
                }
            }
            Rearm::Legacy(masks) => masks.unmask_causes(PAIR_CAUSES),
        }
    }

    /// The only vector is masked by its handler, as it has other causes.
    fn hold(rearm: &Rearm) {
        if let Rearm::Msix {
            masks,
            vector,
            masked,
        } = rearm
        {
            masks.mask_vectors(eicr::vector((*vector).into()));
            // It is masked before anyone is told: a poll that ends now on another CPU must not
            // unmask it first, and forget about it. The poll that is asked for next unmasks it.
            masks.flush();
            masked.store(true, Release);
        }
    }
}
