// SPDX-License-Identifier: GPL-2.0

//! The self-test of the interrupts: causes are raised by software, with and without being masked.

use crate::{
    hw::reset,
    io::Io,
    masks::Masks,
    port::Port, //
};
use igb_core::regs::{
    self,
    eicr,
    eitr,
    icr::{
        self,
        Icr, //
    }, //
};
use kernel::{
    irq::IrqReturn,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};
use net::{
    device::Device,
    irq::{
        self,
        Handler, //
    },
};

/// How long an interrupt may take, and how long to wait for one that must not come.
const PATIENCE: Delta = Delta::from_millis(5);
/// How often to wait for one that must come.
const ATTEMPTS: u32 = 20;

/// The causes tested.
const CAUSES: [Icr; 5] = [icr::TXDW, icr::LSC, icr::RXDMT0, icr::RXDW, icr::VMMB];

/// Takes note of interrupts.
struct Probe {
    masks: Masks,
    /// A cause has to be asserted for the interrupt to be ours. Not with MSI-X.
    shared: bool,
    causes: Atomic<u32>,
}

impl Probe {
    fn has_seen(&self, cause: Icr) -> bool {
        self.causes.load(Relaxed) & cause.bits() != 0
    }
}

impl Handler for Probe {
    fn handle(&self, _cx: &irq::Context) -> IrqReturn {
        let causes = self.masks.take_causes();
        if self.shared && causes & icr::INT_ASSERTED == 0 {
            return IrqReturn::None;
        }
        // Interrupts of one vector do not overlap.
        self.causes
            .store(self.causes.load(Relaxed) | causes.bits(), Relaxed);
        IrqReturn::Handled
    }
}

/// Takes note of a queue's interrupts.
struct Bell(Atomic<bool>);

impl Handler for Bell {
    fn handle(&self, _cx: &irq::Context) -> IrqReturn {
        self.0.store(true, Relaxed);
        IrqReturn::Handled
    }
}

/// Tests all vectors of a quiesced port, and has the misc vector served again as usual.
///
/// # Errors
///
/// `EIO` if an interrupt does not arrive, or arrives although it is masked.
pub(super) fn test(port: &Port, io: &Io, dev: &Device<Port>) -> Result {
    // A vector has one handler at a time.
    *port.misc_irq.lock() = None;
    let result = test_causes(port, io).and_then(|()| test_queues(port, io));
    reset::mask_interrupts(io);
    // The vector was served until now, so there is memory for this again.
    port.serve_misc(dev).inspect_err(|error| {
        dev_err!(
            &*port.pdev,
            "interrupts are dead until the driver is reloaded: {error:?}\n"
        );
    })?;
    result
}

fn test_causes(port: &Port, io: &Io) -> Result {
    let probe = Arc::new(
        Probe {
            masks: port.masks.clone(),
            shared: !port.plan.is_msix(),
            causes: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let _served = port.vectors.request(
        port.plan.misc_vector().into(),
        fmt!("igb_rs-test@{}", port.pdev.as_ref().name()),
        probe.clone(),
    )?;
    for cause in CAUSES {
        raise(port, io, &probe, cause);
        fsleep(PATIENCE);
        if probe.has_seen(cause) {
            return Err(EIO);
        }
        let _ = io.read(regs::ICR);
        io.write(regs::IMS, cause);
        raise(port, io, &probe, cause);
        await_that(|| probe.has_seen(cause))?;
        io.write(regs::IMC, cause);
    }
    Ok(())
}

/// Raises one cause of those that are not masked, and lets the vector through.
fn raise(port: &Port, io: &Io, probe: &Probe, cause: Icr) {
    probe.causes.store(0, Relaxed);
    if port.plan.is_msix() {
        let vector = port.plan.misc_vector();
        io.write(regs::EIMS, eicr::vector(vector.into()));
    }
    io.write(regs::ICS, cause);
    io.flush();
}

/// Has the vector of each queue pair fire.
fn test_queues(port: &Port, io: &Io) -> Result {
    if !port.plan.is_msix() {
        return Ok(());
    }
    for pair in 0..port.plan.pairs() {
        let bell = Arc::new(Bell(Atomic::new(false)), GFP_KERNEL)?;
        let vector = port.plan.pair_vector(pair);
        let _served = port.vectors.request(
            vector.into(),
            fmt!("igb_rs-test@{}", port.pdev.as_ref().name()),
            bell.clone(),
        )?;
        let bit = eicr::vector(vector.into());
        io.write(regs::eitr(vector.into()), eitr::interval(0));
        io.write(regs::EIMS, bit);
        io.write(regs::EICS, bit);
        io.flush();
        let rung = await_that(|| bell.0.load(Relaxed));
        io.write(regs::EIMC, bit);
        io.flush();
        rung?;
    }
    Ok(())
}

fn await_that(happened: impl Fn() -> bool) -> Result {
    for _ in 0..ATTEMPTS {
        if happened() {
            return Ok(());
        }
        fsleep(PATIENCE);
    }
    Err(EIO)
}
