// SPDX-License-Identifier: GPL-2.0

//! Serving the VFs' mailboxes.
//!
//! What is served, in which order, and when to come back is decided by [`Server`]; this file lends it
//! the registers and the state that [`Port::hw`] guards ([`Held`]), and runs it in two places. One is
//! the interrupt ([`interrupt`]): a VF's driver on this host waits for its answer in a loop that leaves
//! the CPU to nothing but interrupts. The other is the work item ([`serve`]).
//!
//! [`Server`] runs with [`Port::hw`] held, that is, with interrupts off.

use crate::{
    controller::{
        Controller,
        Hw,
        Live, //
    },
    io::Io,
    log,
    mac::Mac,
    port::Port, //
};
use igb_core::{
    function::{
        VfIndex,
        VfSet, //
    },
    mailbox::msg::Words,
    regs::{
        self,
        Misbehaved, //
    },
    server::{
        self,
        Next,
        Rest,
        Served,
        Server,
        Step,
        Turn, //
    },
    switch::{
        Event,
        Outcome,
        Shadow,
        Switch, //
    }, //
};
use kernel::time::{
    delay::fsleep,
    Delta, //
};
use net::{
    device::Device,
    irq::HardIrq,
    lock::RawSpinLock,
    work, //
};

/// Registers and state, for one turn of the server.
struct Held<'a> {
    io: &'a Io,
    hw: &'a mut Hw,
    now: u64,
}

impl<'a> Held<'a> {
    fn new(io: &'a Io, hw: &'a mut Hw) -> Self {
        let now = hw.now();
        Self { io, hw, now }
    }
}

impl regs::Registers for Held<'_> {
    fn read_at(&self, offset: u32) -> u32 {
        self.io.read_at(offset)
    }

    fn write_at(&self, offset: u32, value: u32) {
        self.io.write_at(offset, value);
    }
}

impl server::Driver for Held<'_> {
    fn now(&self) -> u64 {
        self.now
    }

    fn server(&mut self) -> &mut Server {
        &mut self.hw.server
    }

    fn switch(&mut self) -> &mut Switch {
        &mut self.hw.switch
    }

    fn shadow(&mut self) -> &mut Shadow {
        &mut self.hw.shadow
    }

    fn apply(&mut self) {
        self.hw.apply_at(self.io, self.now);
    }

    fn read_counters(&mut self, vf: VfIndex) {
        self.hw.read_vf_counters(self.io, vf);
    }

    fn on_reset(&mut self, vf: VfIndex) {
        self.hw.recent.reset(self.now, vf);
    }

    fn on_message(&mut self, vf: VfIndex, words: &Words, outcome: &Outcome) {
        self.hw.recent.message(self.now, vf, words, outcome);
    }

    fn on_event(&mut self, vf: VfIndex, event: Event) {
        // A VF may do these as often as it likes; they are counted.
        if !matches!(event, Event::Ready | Event::NotReady) {
            self.hw.lines.add(vf, event, self.now);
        }
    }
}

/// Serves what a VF may have served in the interrupt; leaves the rest to `work`.
pub(crate) fn interrupt(controller: &RawSpinLock<Controller>, work: &work::Handle, cx: &HardIrq) {
    let Some(mut controller) = controller.try_lock(cx) else {
        // Who has it is on another CPU, and has it for a short while only.
        work.schedule();
        return;
    };
    // Between a quiesce and the restart, which has the work item look.
    let Some(Live { io, hw }) = controller.live() else {
        return;
    };
    let mut held = Held::new(io, hw);
    if Server::woken(&mut held) {
        work.schedule();
    }
    let served = Server::interrupt(&mut held);
    if served == Served::Part || (served == Served::All && hw.has_to_tell()) {
        // Not at once if it is to run later: a VF that floods would bring that forward.
        work.schedule_after(Delta::ZERO);
    }
}

/// The work item: serves what is pending.
pub(crate) fn serve(dev: &Device<Port>, handle: &work::Handle) {
    let port = dev.data();
    if let Some(found) = port.stopped.take() {
        port.see_to_stopped(found);
    }
    match take_turn(port) {
        Next::Interrupt => {}
        Next::Now => handle.schedule(),
        Next::After(nanos) => handle.schedule_after(delta(nanos)),
    }
    port.tell();
    port.tell_health();
}

fn take_turn(port: &Port) -> Next {
    let mut turn = Turn::new();
    loop {
        match turn.after(one_round(port)) {
            Step::Round => {}
            Step::RoundAfter(nanos) => fsleep(delta(nanos)),
            Step::Stuck(vfs, next) => {
                if let Some(Live { io, hw }) = port.hw.lock().live() {
                    Server::note_stuck(&mut Held::new(io, hw), vfs);
                }
                return next;
            }
            Step::Done(next) => return next,
        }
    }
}

/// Serves one round. Returns what is left of it, `None` if there was nothing to do.
fn one_round(port: &Port) -> Option<Rest> {
    let mut controller = port.hw.lock();
    let Live { io, hw } = controller.live()?;
    Server::work(&mut Held::new(io, hw))
}

fn delta(nanos: u64) -> Delta {
    Delta::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// The link that VFs see has changed: has them look at it, at once or as soon as their mailbox is
/// free.
pub(crate) fn show_link(port: &Port, io: &Io, hw: &mut Hw, vfs: VfSet) {
    if Server::show_link(&mut Held::new(io, hw), vfs) {
        port.works.mailbox.schedule();
    }
}

/// VFs were enabled or disabled: nothing is left of messages.
pub(crate) fn begin(io: &Io, hw: &mut Hw) {
    Server::begin(&mut Held::new(io, hw));
}

/// Has VFs come back that worked before the PF was reset: by refusing them, or by telling them of the
/// reset.
pub(crate) fn recall(io: &Io, hw: &mut Hw, refuse: bool) {
    Server::recall(&mut Held::new(io, hw), refuse);
}

/// Tells VFs that the PF is about to be reset.
fn announce_reset(io: &Io, hw: &mut Hw) {
    Server::announce_reset(&mut Held::new(io, hw));
}

/// Tells VFs what they were to be told as soon as they had read an answer, if they never do.
pub(crate) fn tell_silent(io: &Io, hw: &mut Hw) {
    Server::tell_silent(&mut Held::new(io, hw));
}

/// Whether VFs wait for an interrupt that was lost. To be asked every two seconds.
pub(crate) fn has_overlooked(io: &Io, hw: &mut Hw) -> bool {
    hw.switch.nr_vfs() != 0 && Server::has_overlooked(&mut Held::new(io, hw))
}

/// Looks for frames that failed the spoof check since the last look. Returns what was found: pools of
/// which a queue was stopped meanwhile, but for what the interrupt has read of these.
pub(crate) fn note_spoofs(io: &Io, hw: &mut Hw) -> Misbehaved {
    let found = Misbehaved::take_spoofed(io);
    let vfs = VfSet::from_bits(found.spoofed).intersection(hw.switch.vfs());
    for vf in vfs.iter() {
        let event = hw.switch.on_spoof(vf);
        let now = hw.now();
        hw.lines.add(vf, event, now);
    }
    found
}

impl Port {
    /// Sees to pools of which the controller has stopped a queue. Process context, without
    /// [`Port::hw`]. The mailbox work item is to run after that.
    pub(crate) fn see_to_stopped(&self, found: Misbehaved) {
        let mut controller = self.hw.lock();
        let Some(Live { io, hw }) = controller.live() else {
            // The reset that is under way has them start anew.
            return;
        };
        if Server::see_to_stopped(&mut Held::new(io, hw), found) {
            self.works.reset.schedule();
        }
    }

    /// Takes the controller out of service, if it is in service: its counters are read, VFs are
    /// told, and the units stop. Only a reset brings it back.
    pub(crate) fn take_out(&self, mac: &mut Mac) {
        if !self.is_live() {
            return;
        }
        self.fold_counters(mac);
        if let Some(Live { io, hw }) = self.hw.lock().live() {
            hw.switch.on_pf_reset();
            announce_reset(io, hw);
        }
        self.ptp.stop();
        self.stamps.give_up();
        mac.halt(&self.hw);
    }

    /// Prints what was noted for the log. Process context, without [`Port::hw`].
    pub(crate) fn tell(&self) {
        let lines = self.hw.lock().lines.take();
        for (vf, event) in lines.iter() {
            log::print(&self.pdev, vf.get(), event);
        }
    }
}
