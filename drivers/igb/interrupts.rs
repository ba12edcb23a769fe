// SPDX-License-Identifier: GPL-2.0

//! Interrupt handlers, and the vector that is not a queue's.

use crate::{
    controller::Controller,
    mailbox,
    masks::{
        Masks,
        Stopped, //
    },
    poll::{
        Pair,
        PAIR_CAUSES, //
    },
    port::{
        MiscIrq,
        Port, //
    },
    rx::{
        Receive,
        RxRing, //
    }, //
};
use igb_core::regs::{
    eicr,
    icr::{
        self,
        Icr, //
    }, //
};
use kernel::{
    irq::IrqReturn,
    prelude::*,
    str::CString,
    sync::Arc,
    time::Delta, //
};
use net::{
    device::Device,
    irq::{
        self,
        Handler,
        HardHandler,
        HardIrq,
        Kind, //
    },
    lock::RawSpinLock,
    napi::Scheduler,
    work, //
};

/// The causes that are not a queue's, and what they lead to. Hard interrupt context.
pub(crate) struct Misc {
    pub(crate) masks: Masks,
    pub(crate) mailbox: work::Handle,
    pub(crate) service: work::Handle,
    pub(crate) reset: work::Handle,
    /// See [`Port::stopped`].
    pub(crate) stopped: Arc<Stopped>,
}

impl Misc {
    fn dispatch(&self, causes: Icr) {
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
    pub(crate) hw: Arc<RawSpinLock<Controller>>,
}

impl HardHandler for MailboxHandler {
    fn handle(&self, cx: &HardIrq) -> IrqReturn {
        let misc = &self.misc;
        // Clears the causes: what comes in from here on raises another interrupt.
        let causes = misc.masks.take_causes();
        misc.dispatch(causes);
        if causes & icr::DOUTSYNC != 0 {
            misc.stopped.add(misc.masks.take_misbehaved());
            misc.mailbox.schedule_after(Delta::ZERO);
        }
        if causes & icr::VMMB != 0 {
            mailbox::interrupt(&self.hw, &misc.mailbox, cx);
        }
        misc.masks.unmask_vectors(eicr::vector(0));
        IrqReturn::Handled
    }
}

/// Handler of a queue pair's MSI-X vector. See [`crate::poll::Rearm`] for when it is masked.
pub(crate) struct PairHandler<R: Receive>(pub(crate) Scheduler<Pair<R>>);

impl<R: Receive> Handler for PairHandler<R> {
    fn handle(&self, cx: &irq::Context) -> IrqReturn {
        self.0.schedule_irqoff(cx);
        IrqReturn::Handled
    }
}

/// Handler of the only vector, MSI or INTx.
pub(crate) struct LegacyHandler<R: Receive> {
    pub(crate) misc: Misc,
    /// The line may be shared with other devices.
    pub(crate) shared: bool,
    /// The only queue pair, while the device is up.
    pub(crate) pair: Option<Scheduler<Pair<R>>>,
}

impl<R: Receive> Handler for LegacyHandler<R> {
    fn handle(&self, cx: &irq::Context) -> IrqReturn {
        let causes = self.misc.masks.take_causes();
        if causes == 0 || (self.shared && causes & icr::INT_ASSERTED == 0) {
            return IrqReturn::None;
        }
        self.misc.dispatch(causes);
        if causes & PAIR_CAUSES != 0 {
            if let Some(pair) = &self.pair {
                self.misc.masks.mask_causes(PAIR_CAUSES);
                pair.schedule_irqoff(cx);
            }
        }
        IrqReturn::Handled
    }
}

impl Port {
    /// Requests the misc vector under the name of the interface, and anew if the interface was renamed.
    /// Process context.
    pub(crate) fn serve_misc(&self, dev: &Device<Port>) -> Result {
        if !self.plan.is_msix() {
            return self.serve_legacy::<RxRing>(None);
        }
        let name = CString::try_from_fmt(fmt!("{}", dev.name()))?;
        let mut slot = self.misc_irq.lock();
        if slot.as_ref().is_some_and(|irq| *irq.name == *name) {
            return Ok(());
        }
        let handler = Arc::new(
            MailboxHandler {
                misc: self.misc(),
                hw: self.hw.clone(),
            },
            GFP_KERNEL,
        )?;
        // A vector has one handler at a time. What comes in between stays pending.
        *slot = None;
        let vector = self.plan.misc_vector().into();
        let registration = self
            .vectors
            .request_hard(vector, fmt!("{}", dev.name()), handler)?;
        *slot = Some(MiscIrq {
            name,
            _registration: registration,
        });
        Ok(())
    }

    /// Requests the only vector, for `pair` as well if there is one. Process context.
    pub(crate) fn serve_legacy<R: Receive>(&self, pair: Option<Scheduler<Pair<R>>>) -> Result {
        let handler = Arc::new(
            LegacyHandler {
                misc: self.misc(),
                shared: self.vectors.kind() == Kind::Intx,
                pair,
            },
            GFP_KERNEL,
        )?;
        let name = CString::try_from_fmt(fmt!("igb_rs"))?;
        let mut slot = self.misc_irq.lock();
        // A vector has one handler at a time.
        *slot = None;
        let registration = self.vectors.request(0, fmt!("igb_rs"), handler)?;
        *slot = Some(MiscIrq {
            name,
            _registration: registration,
        });
        Ok(())
    }

    fn misc(&self) -> Misc {
        Misc {
            masks: self.masks.clone(),
            mailbox: self.works.mailbox.clone(),
            service: self.works.service.clone(),
            reset: self.works.reset.clone(),
            stopped: self.stopped.clone(),
        }
    }
}
