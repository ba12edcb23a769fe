// SPDX-License-Identifier: GPL-2.0

//! A queue pair, as NAPI polls it: both halves share one vector and one poll, so a
//! request and its answer cost one interrupt.

use crate::{
    io::Doorbell,
    masks::Masks,
    rx,
    tx::{
        Done,
        TxDone, //
    }, //
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
use net::{
    napi::{
        self,
        Context,
        TxContext, //
    },
    xdp::Program, //
};

/// The causes of the only queue pair, outside of MSI-X mode.
pub(crate) const PAIR_CAUSES: Icr = icr::PAIR;

/// What receives in a pair, and sends besides the stack: a type of its own for pairs that sockets
/// have attached buffers to, so that others know nothing of these.
pub(crate) trait Receive: Send + 'static {
    /// Takes at most `budget` frames; returns how many. Softirq context.
    fn poll(&mut self, cx: &mut Context<'_>, budget: u32, load: &mut Load) -> u32;

    /// Gives back what the controller has sent. In the same poll, before it.
    fn reap(tx: &mut TxDone, cx: &mut TxContext<'_>, load: &mut Load) -> Done;

    /// The controller has sent `frames` of sockets. In the same poll, before it.
    fn sent(&mut self, cx: &mut Context<'_>, frames: u32);

    /// Frames received from now on are shown to `program`.
    fn set_program(&mut self, program: Option<Program>);

    /// Whether each frame is looked at for messages that the poll has to stamp.
    fn set_inspects(&mut self, looks_for_messages: bool);

    /// Ring parameters.
    fn config(&self) -> &rx::Config;

    /// Where the controller finds the ring.
    fn dma_handle(&self) -> u64;

    /// Tells the controller about all buffers in the ring. To be called when the queue has been
    /// enabled.
    fn publish(&mut self);
}

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
