// SPDX-License-Identifier: GPL-2.0

//! The PTP hardware clock, and the stamps of frames.
//!
//! The clock is a value ([`igb_core::ptp::clock`]) on top of the controller's counter, which only a
//! reset sets back: [`Ptp::stop`] and [`Ptp::start`] are on both sides of one, and the time goes on.
//! Which frames are stamped is desired state, written anew after each reset.
//!
//! A stamp of a sent frame is in a register, and there is one such register for all functions: a VF can
//! have its frames stamped as well. So what was there before the PF's frame is thrown away, and what is
//! there afterwards is only believed if it is not older than the frame.

use crate::io::{
    Io,
    Registers, //
};
use igb_core::{
    model::Differences,
    ptp::{
        clock::{
            self,
            Clock,
            Rate,
            Reading, //
        },
        message,
        stamping::{
            Received,
            Stamping,
            Unread,
            FILTER, //
        }, //
    },
    regs::{
        self,
        timinca,
        tsyncrxctl,
        tsynctxctl, //
    }, //
};
use kernel::{
    device::Bound,
    pci,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        BootTime,
        Instant, //
    },
};
use net::{
    lock::{
        new_raw_spinlock,
        RawSpinLock, //
    },
    ptp::{
        self,
        SystemSample,
        TxStamps, //
    },
};

/// The clock of a controller, and the frame that waits for its stamp. Process context.
pub(crate) fn new(
    pdev: &pci::Device<Bound>,
    io: &Io,
    differences: Differences,
) -> Result<(Arc<Ptp>, Arc<TxStamps>)> {
    let ptp = Arc::pin_init(Ptp::new(io.registers().clone(), differences), GFP_KERNEL)?;
    let stamps = TxStamps::new(pdev.as_ref(), ptp.clone())?;
    Ok((ptp, Arc::new(stamps, GFP_KERNEL)?))
}

/// What the lock of [`Ptp`] guards: the clock, and who reads its registers.
struct State {
    clock: Clock,
    stamping: Stamping,
    /// What the counter showed when the frame that is being stamped was about to be sent.
    sent_from: u64,
    /// The stamp of a received frame that was there, and that nobody has read, when the service work item
    /// looked last.
    unread: Unread,
}

/// Clock and stamps of one controller.
#[pin_data]
pub(crate) struct Ptp {
    io: Registers,
    /// The controller stamps one kind of message, and the poll the others.
    stamps_one_kind: bool,
    epoch: Instant<BootTime>,
    #[pin]
    state: RawSpinLock<State>,
    /// Stamps of received frames that nobody has read, and that were thrown away.
    cleared: Atomic<u64>,
}

impl Ptp {
    /// A clock that shows the system's time, and is stopped until the controller is in service.
    fn new(io: Registers, differences: Differences) -> impl PinInit<Self> {
        let epoch = Instant::now();
        pin_init!(Self {
            io,
            stamps_one_kind: differences.stamps_one_kind,
            epoch,
            state <- new_raw_spinlock!(
                State {
                    clock: Clock::new(ptp::system_time(), 0),
                    stamping: Stamping::default(),
                    sent_from: 0,
                    unread: Unread::NONE,
                },
                c"igb_rs_ptp"
            ),
            cleared: Atomic::new(0),
        })
    }

    /// Stamps of received frames that were thrown away, as nobody had read them.
    pub(crate) fn cleared(&self) -> u64 {
        self.cleared.load(Relaxed)
    }

    /// The poll has to look at each frame: see [`Ptp::stamp_of`].
    pub(crate) fn looks_at_frames(&self) -> bool {
        self.stamps_one_kind && self.state.lock().stamping.received != Received::None
    }

    /// Both clocks; that of the controller only if it runs.
    fn reading(&self, state: &State, system: &mut SystemSample<'_>) -> Reading {
        let counter = if state.clock.is_running() {
            system.before();
            let low = self.io.read(regs::SYSTIML);
            system.after();
            wide(low, self.io.read(regs::SYSTIMH))
        } else {
            system.before();
            system.after();
            0
        };
        Reading {
            counter,
            system: self.system_ns(),
        }
    }

    /// The system's clock, in nanoseconds since there is this one.
    fn system_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(0)
    }

    /// The same. If the controller has left the bus, the clock goes on by the system's from here on.
    fn now(&self, state: &mut State, system: &mut SystemSample<'_>) -> Reading {
        let now = self.reading(state, system);
        if self.io.is_gone() {
            state.clock.stop(now);
        }
        now
    }

    /// Changes the clock. Any context but a hard interrupt.
    fn change<R>(&self, change: impl FnOnce(&mut Clock, Reading) -> R) -> R {
        let mut state = self.state.lock();
        let now = self.now(&mut state, &mut SystemSample::nobodys());
        change(&mut state.clock, now)
    }

    /// The controller comes out of a reset: counter and stamps are on again. Under
    /// [`Port::mac`](crate::port::Port::mac).
    pub(crate) fn start(&self, io: &Io) {
        io.write(
            regs::TIMINCA,
            timinca::every(clock::PERIOD, clock::INCREMENT),
        );
        let mut state = self.state.lock();
        let low = self.io.read(regs::SYSTIML);
        let counter = wide(low, self.io.read(regs::SYSTIMH));
        let system = self.reading(&state, &mut SystemSample::nobodys()).system;
        let now = Reading { counter, system };
        // In case nobody has said that there would be a reset.
        state.clock.stop(now);
        state.clock.start(now);
        // Where nothing is stamped as well: a reset leaves the filters as they are.
        if !self.stamps_one_kind || state.stamping != Stamping::default() {
            self.write_sent(io, &state);
            self.write_received(io, &mut state);
        }
    }

    /// The controller is about to be reset.
    pub(crate) fn stop(&self) {
        self.change(Clock::stop);
    }

    /// Keeps the counter from wrapping unseen, and frees the register of a stamp that nobody has read for
    /// too long ([`Unread`]): that of a frame of which the PF has no copy. The controller is in service.
    /// Returns whether it did the latter.
    pub(crate) fn look_after(&self) -> bool {
        self.change(Clock::look);
        let mut state = self.state.lock();
        if state.stamping.received == Received::None {
            return false;
        }
        let valid = self.io.read(regs::TSYNCRXCTL).contains(tsyncrxctl::VALID);
        // The low word can be read as often as one likes.
        let found = valid.then(|| self.io.read(regs::RXSTMPL));
        let now = self.system_ns();
        if !state.unread.look(found, now) {
            return false;
        }
        self.take_received(&mut state);
        self.cleared.fetch_add(1, Relaxed);
        true
    }

    /// The register of received frames, of which all words are read: the high word of the stamp makes
    /// room for the next, and in QEMU's model that of the sender.
    fn take_received(&self, state: &mut State) -> u64 {
        state.unread = Unread::NONE;
        let low = self.io.read(regs::RXSTMPL);
        let counter = wide(low, self.io.read(regs::RXSTMPH));
        let _ = self.io.read(regs::RXSATRL);
        let _ = self.io.read(regs::RXSATRH);
        counter
    }

    /// The stamp of a received frame whose descriptor says that it has one. Softirq, in the poll.
    #[cold]
    pub(crate) fn received(&self) -> Option<i64> {
        let mut state = self.state.lock();
        if !self.io.read(regs::TSYNCRXCTL).contains(tsyncrxctl::VALID) {
            return None;
        }
        let counter = self.take_received(&mut state);
        state.clock.time_of(counter)
    }

    /// The stamp of a received frame that the controller has not stamped, though it should have: the time
    /// of now. `None` if it need not. The frame has `len` bytes, of which `copy` copies the first. Only asked for
    /// where [`Ptp::looks_at_frames`].
    #[cold]
    pub(crate) fn stamp_of(&self, len: u32, copy: impl FnOnce(&mut [u8]) -> bool) -> Option<i64> {
        let mut bytes = [0; message::LOOKED_AT];
        let len = (len as usize).min(message::LOOKED_AT);
        let start = bytes.get_mut(..len)?;
        if !copy(start) {
            return None;
        }
        let event = message::event(start)?;
        let state = self.state.lock();
        if !state.stamping.received.has(event) || !state.clock.is_running() {
            return None;
        }
        let now = self.reading(&state, &mut SystemSample::nobodys());
        Some(state.clock.time(now))
    }

    /// Which frames are stamped.
    pub(crate) fn stamping(&self) -> Stamping {
        self.state.lock().stamping
    }

    /// Has the controller stamp other frames from now on. A stamp in the direction of which nothing changes
    /// is left alone: a frame may wait for it.
    pub(crate) fn set_stamping(&self, io: Option<&Io>, stamping: Stamping) {
        let mut state = self.state.lock();
        let before = core::mem::replace(&mut state.stamping, stamping);
        let Some(io) = io else {
            return;
        };
        if stamping.sent != before.sent {
            self.write_sent(io, &state);
        }
        if stamping.received != before.received {
            self.write_received(io, &mut state);
        }
    }

    fn write_sent(&self, io: &Io, state: &State) {
        io.write(regs::TSYNCTXCTL, state.stamping.image().tsynctxctl);
        // What was stamped before is nobody's.
        let _ = self.take_sent();
    }

    /// The model has no filters of ports, and nothing to compare with them.
    fn write_received(&self, io: &Io, state: &mut State) {
        let image = state.stamping.image();
        io.write(regs::TSYNCRXCTL, image.tsyncrxctl);
        io.write(regs::TSYNCRXCFG, image.tsyncrxcfg);
        io.write(regs::etqf(FILTER), image.etqf);
        if !self.stamps_one_kind {
            io.write(regs::imir(FILTER), image.imir);
            io.write(regs::imirext(FILTER), image.imirext);
            io.write(regs::spqf(FILTER), image.spqf);
            io.write(regs::ftqf(FILTER), image.ftqf);
        }
        // As above.
        let _ = self.take_received(state);
    }

    /// The register of sent frames; reading its high word makes room for the next stamp.
    fn take_sent(&self) -> u64 {
        let low = self.io.read(regs::TXSTMPL);
        wide(low, self.io.read(regs::TXSTMPH))
    }
}

fn wide(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl ptp::Clock for Ptp {
    const MAX_ADJUSTMENT: i32 = clock::MAX_ADJUSTMENT;

    fn time(&self, system: &mut SystemSample<'_>) -> Result<i64> {
        let mut state = self.state.lock();
        let now = self.now(&mut state, system);
        Ok(state.clock.time(now))
    }

    fn set_time(&self, time: i64) -> Result {
        self.change(|clock, now| clock.set(now, time));
        Ok(())
    }

    fn shift(&self, delta: i64) -> Result {
        self.change(|clock, now| clock.shift(now, delta))
            .map_err(|clock::OutOfRange| ERANGE)
    }

    fn set_rate(&self, scaled_ppm: i64) -> Result {
        let rate = Rate::new(scaled_ppm).ok_or(ERANGE)?;
        self.change(|clock, now| clock.set_rate(now, rate));
        Ok(())
    }
}

impl ptp::TxStamper for Ptp {
    fn begin(&self) -> bool {
        let mut state = self.state.lock();
        if !state.stamping.sent || !state.clock.is_running() {
            return false;
        }
        if self.io.read(regs::TSYNCTXCTL).contains(tsynctxctl::VALID) {
            let _ = self.take_sent();
        }
        state.sent_from = self.reading(&state, &mut SystemSample::nobodys()).counter;
        true
    }

    fn stamp(&self) -> Option<i64> {
        let state = self.state.lock();
        if !state.clock.is_running() || !self.io.read(regs::TSYNCTXCTL).contains(tsynctxctl::VALID)
        {
            return None;
        }
        let counter = self.take_sent();
        // All ones are the answer of a bus without it, and VALID is one of them.
        if self.io.is_gone() {
            return None;
        }
        // Half of the numbers are later than any: those of the next 4.88 hours.
        let is_ours = counter.wrapping_sub(state.sent_from) <= u64::MAX / 2;
        state.clock.time_of(counter).filter(|_| is_ours)
    }
}
