// SPDX-License-Identifier: GPL-2.0

//! The pair of queues: opening, closing, interrupts, and the poll of both halves.

use crate::{
    hw::{
        self,
        Filter,
        Io, //
    },
    netdev::Port,
    regs,
    rx::{
        self,
        RxRing, //
    },
    tx::{
        self,
        TxDone, //
    },
};
use kernel::{
    irq::IrqReturn,
    prelude::*,
    sync::Arc, //
};
use net::{
    device::Locked,
    irq,
    napi::{
        Context,
        Napi,
        Poll,
        Scheduler,
        TxContext, //
    },
    work, //
};

/// What the NAPI instance polls.
pub(crate) struct Pair {
    rx: RxRing,
    tx: TxDone,
}

impl Poll for Pair {
    type Rearm = Io;

    fn poll(&mut self, cx: &mut Context<'_>, budget: u32) -> u32 {
        self.tx.poll(cx.tx());
        self.rx.poll(cx, budget)
    }

    fn poll_tx(&mut self, cx: &mut TxContext<'_>) {
        self.tx.poll(cx);
    }

    fn rearm(io: &Io) {
        io.write_at(regs::IMS, hw::PAIR);
    }
}

/// Serves the pair's vector, which masks itself (EIAC, IAM).
struct PairHandler(Scheduler<Pair>);

impl irq::Handler for PairHandler {
    fn handle(&self, cx: &irq::Context) -> IrqReturn {
        self.0.schedule_irqoff(cx);
        IrqReturn::Handled
    }
}

/// Serves the other vector: the link has changed.
struct OtherHandler {
    io: Io,
    service: work::Handle,
}

impl irq::Handler for OtherHandler {
    fn handle(&self, _cx: &irq::Context) -> IrqReturn {
        // Reading clears all causes on the controller, and none on QEMU's, which wants them written.
        let causes = self.io.read_at(regs::ICR);
        self.io.write_at(regs::ICR, causes & !hw::PAIR);
        // So those of the pair are set again.
        if causes & hw::PAIR != 0 {
            self.io.write_at(regs::ICS, causes & hw::PAIR);
        }
        self.service.schedule();
        self.io.write_at(regs::IMS, hw::OTHER);
        IrqReturn::Handled
    }
}

/// The pair, while the net device is up.
pub(crate) struct Queues {
    // First: no interrupt schedules a poll that is going away.
    _irqs: [irq::Registration; 2],
    napi: Napi<Pair>,
}

impl Queues {
    /// Has the rings looked at, as if there had been an interrupt.
    pub(crate) fn kick(&self, io: &Io) {
        io.write_at(regs::ICS, hw::PAIR);
    }
}

/// Starts the controller, and the pair. Under RTNL.
///
/// # Errors
///
/// `ENOMEM`, `ENODEV`, and what requesting interrupts returns: the controller stays silent.
pub(crate) fn open(port: &Port, dev: &Locked<Port>, filter: &Filter) -> Result<Queues> {
    let io = &port.io;
    hw::reset(io)?;
    hw::set_up(io);
    let (tx_ring, tx_done) = tx::new(dev.parent(), io, port.stats.clone())?;
    let tx_ring = KBox::new(tx_ring, GFP_KERNEL)?;
    let mut napi = Napi::new(dev, 0, io.clone(), |setup| {
        Ok(Pair {
            rx: RxRing::new(dev.parent(), io, setup, port.stats.clone())?,
            tx: tx_done,
        })
    })?;
    let irqs = request_irqs(port, dev, &napi)?;
    // Nothing fails from here on.
    if let Some(irq) = port.vectors.irq(hw::PAIR_VECTOR as usize) {
        napi.set_irq(irq);
    }
    napi.link_queues(dev);
    let _ = dev.install_tx(0, Some(tx_ring));
    if let Some(pair) = napi.get_mut() {
        hw::write_ring(io, &regs::RX, pair.rx.dma_handle(), rx::DESCS);
        hw::write_ring(io, &regs::TX, pair.tx.dma_handle(), tx::DESCS);
        hw::start_sending(io);
        filter.apply(io);
        pair.rx.publish();
    }
    napi.enable();
    dev.wake_queues();
    io.write_at(regs::IMS, hw::PAIR | hw::OTHER);
    Ok(Queues { _irqs: irqs, napi })
}

fn request_irqs(
    port: &Port,
    dev: &Locked<Port>,
    napi: &Napi<Pair>,
) -> Result<[irq::Registration; 2]> {
    let pair = Arc::new(PairHandler(napi.scheduler()), GFP_KERNEL)?;
    let other = OtherHandler {
        io: port.io.clone(),
        service: port.service.clone(),
    };
    let other = Arc::new(other, GFP_KERNEL)?;
    let name = dev.name();
    Ok([
        port.vectors
            .request(hw::PAIR_VECTOR as usize, fmt!("{name}-TxRx"), pair)?,
        port.vectors
            .request(hw::OTHER_VECTOR as usize, fmt!("{name}"), other)?,
    ])
}

/// Silences the controller, and gives everything back. Under RTNL.
pub(crate) fn close(port: &Port, dev: &Locked<Port>, mut queues: Queues) {
    port.io.write_at(regs::IMC, !0);
    queues.napi.disable();
    // Not before: a poll would wake the stack's queue again.
    dev.disable_tx();
    dev.carrier_off();
    port.counters.fold(&port.io);
    if hw::reset(&port.io).is_err() {
        dev_err!(&*port.pdev, "the controller does not answer\n");
    }
    queues.napi.unlink_queues(dev);
    drop(dev.install_tx(0, None));
    queues.napi.reset_tx_queue();
}
