// SPDX-License-Identifier: GPL-2.0

//! Serving the VFs' mailboxes.
//!
//! The interrupt handler masks the cause and schedules [`serve`], which runs in process context.
//! One round serves at most one message of each VF, so no VF waits for another's queue of
//! messages. What a message means, and whether its sender may ask for service now, is decided by
//! [`Switch`](igb_core::switch::Switch); this file moves words.
//!
//! Path of a message: `MBVFICR` → [`Round::message`] → `VMBMEM` is copied once →
//! `Switch::on_message` → registers ([`Hw::apply`], once for the round) → [`Answers::send`]: reply
//! into `VMBMEM` → `P2VMAILBOX.STS`.

use crate::{
    io::Io,
    port::{
        Hw,
        Port, //
    },
};
use igb_core::{
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    mailbox::{
        msg::{
            self,
            Reply,
            Words, //
        },
        Admit, //
    },
    regs::{
        self,
        icr,
        ivar,
        mbvficr,
        p2vmailbox, //
    },
    switch::Event,
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use net::{
    device::Device,
    work, //
};

/// Rounds in one go before others get the CPU.
const ROUNDS: usize = 4;

/// How often to look at the mailboxes while a VF that asks too often has to wait, or wakes the PF
/// too often: the interrupt stays masked then, and the other VFs' requests are found by looking.
const POLL: Delta = Delta::from_millis(1);

/// The work item: serves what is pending, and unmasks the interrupt when nothing is.
pub(crate) fn serve(dev: &Device<Port>, handle: &work::Handle) {
    let port = dev.data();
    match rounds(port) {
        Next::Interrupt => {}
        Next::Now => handle.schedule(),
        Next::After(delay) => handle.schedule_after(delay),
    }
    port.tell_quarantines();
}

/// When to serve again.
enum Next {
    /// When the interrupt says so, which is unmasked.
    Interrupt,
    /// As soon as others had the CPU.
    Now,
    /// When a VF that had to wait may be served.
    After(Delta),
}

fn rounds(port: &Port) -> Next {
    for _ in 0..ROUNDS {
        let mut hw = port.hw.lock();
        if !hw.live {
            return Next::Interrupt;
        }
        let mut round = Round::take(port, &mut hw);
        if round.is_idle() {
            // What was waiting for the acknowledgement of an answer.
            let owed = hw.pending.pings;
            ping(&port.io, &mut hw, owed);
            if !hw.wake_ups.allow(round.now) {
                return Next::After(POLL);
            }
            // The cause may be pending from what has been served already, and a pending cause
            // raises no further interrupt: forget it, unmask, and look once more for what came in
            // between.
            port.io.write(regs::ICR, icr::VMMB);
            port.io.write(regs::IMS, icr::VMMB);
            round = Round::take(port, &mut hw);
            if round.is_idle() {
                return Next::Interrupt;
            }
            port.io.write(regs::IMC, icr::VMMB);
        }
        if let Some(delay) = round.serve(port, &mut hw) {
            return Next::After(delay);
        }
    }
    Next::Now
}

/// What PF and VFs still owe each other. A mailbox holds one message, in one direction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pending {
    /// VFs that have not read the answer to their last request. It must not be overwritten.
    unread: VfSet,
    /// VFs that are to be pinged as soon as their mailbox is free.
    pings: VfSet,
    /// Those of `unread` that had not read that answer at `looked_at` either.
    late: VfSet,
    /// When answers were given up last.
    looked_at: u64,
}

impl Pending {
    /// There is an answer for a VF.
    fn answered(&mut self, vf: VfIndex) {
        self.unread.insert(vf);
        self.late.remove(vf);
    }

    /// VFs have read their answers, or there are none any more.
    fn read(&mut self, vfs: VfSet) {
        self.unread = self.unread.without(vfs);
        self.late = self.late.without(vfs);
    }

    /// Gives up answers that have not been read for [`UNREAD_NS`]: older clients never read some.
    fn expire(&mut self, now: u64) {
        if now.saturating_sub(self.looked_at) >= UNREAD_NS {
            self.looked_at = now;
            self.read(self.late);
            self.late = self.unread;
        }
    }
}

/// How long an answer is kept for a VF that does not read it, in nanoseconds; up to twice as long.
/// igbvf waits for an answer for one second.
const UNREAD_NS: u64 = 2_000_000_000;

/// Tells VFs what they were to be told as soon as they had read an answer, if they never do.
pub(crate) fn tell_silent(port: &Port, hw: &mut Hw) {
    hw.pending.expire(port.now());
    let owed = hw.pending.pings;
    ping(&port.io, hw, owed);
}

/// What was pending when the round began.
struct Round {
    resets: VfSet,
    requests: VfSet,
    now: u64,
}

impl Round {
    fn take(port: &Port, hw: &mut Hw) -> Self {
        let cut_off = hw.switch.quarantined();
        let vfs = hw.switch.vfs().without(cut_off);
        let causes = port.io.read(regs::MBVFICR);
        // After the requests: a reset that a VF made before its request is not missed.
        let resets = port.io.read(regs::VFLRE);
        let acks = VfSet::from_bits(mbvficr::acks(causes));
        if !acks.is_empty() {
            port.io
                .write(regs::MBVFICR, mbvficr::clear_acks(acks.bits()));
            hw.pending.read(acks);
        }
        // CAST: one bit for each VF.
        let resets = VfSet::from_bits(resets as u8);
        let requests = VfSet::from_bits(mbvficr::requests(causes));
        forget(&port.io, resets.union(requests).intersection(cut_off));
        Self {
            resets: resets.intersection(vfs),
            requests: requests.intersection(vfs),
            now: port.now(),
        }
    }

    fn is_idle(&self) -> bool {
        self.resets.is_empty() && self.requests.is_empty()
    }

    /// Serves the round. Returns when to come back, if a VF has to wait.
    fn serve(&self, port: &Port, hw: &mut Hw) -> Option<Delta> {
        let mut wake_at: Option<u64> = None;
        let cut_off = hw.switch.quarantined();
        let pending = self.resets.union(self.requests);
        let mut answers = Answers::default();
        for vf in pending.iter() {
            let (admit, event) = hw.switch.admit(vf, self.now);
            if let Some(event) = event {
                report(port, hw, vf, event, self.now);
            }
            match admit {
                Admit::Serve => {
                    if self.resets.contains(vf) {
                        self.reset(port, hw, vf);
                    }
                    if self.requests.contains(vf) {
                        self.message(port, hw, vf, &mut answers);
                    }
                }
                Admit::Later { at } => {
                    if self.resets.contains(vf) {
                        hw.shadow.vf_was_reset(vf);
                        hw.switch.on_flr_pending(vf);
                    }
                    wake_at = Some(wake_at.map_or(at, |earliest| earliest.min(at)));
                }
                // Cut off in this very round: forgotten in the next.
                Admit::Ignore => {}
            }
        }
        // A VF that reads "granted" may rely on it.
        if answers.changed || !self.resets.is_empty() || hw.switch.quarantined() != cut_off {
            hw.apply(&port.io);
        }
        answers.send(&port.io, hw);
        ping(&port.io, hw, hw.pending.pings);
        let delay = wake_at?.saturating_sub(self.now);
        let delay = i64::try_from(delay).map_or(POLL, Delta::from_nanos);
        Some(delay.min(POLL))
    }

    /// The VF was reset: by its driver, or because it changes hands.
    fn reset(&self, port: &Port, hw: &mut Hw, vf: VfIndex) {
        port.io.write(regs::VFLRE, vf.bit().into());
        hw.shadow.vf_was_reset(vf);
        hw.pending.read(VfSet::from_bits(vf.bit()));
        hw.switch.on_flr(vf);
        hw.recent.reset(self.now, vf);
        // Its vectors are forgotten by the hardware, but not by every emulation.
        port.io.update(regs::ivar0(vf.index()), |word| {
            ivar::without_queue(word, vf.index())
        });
    }

    /// Reads and decides. The mailbox stays the PF's until the answer is sent.
    fn message(&self, port: &Port, hw: &mut Hw, vf: VfIndex, answers: &mut Answers) {
        let io = &port.io;
        // Acknowledged before the words are read: should the VF write another message now, it is
        // seen in the next round.
        io.write(regs::MBVFICR, mbvficr::clear_requests(vf.bit()));
        if !lock(io, vf) {
            if let Some(event) = hw.switch.on_mailbox_held(vf, self.now) {
                report(port, hw, vf, event, self.now);
            }
        }
        let mut words = Words::default();
        let word0 = io.read(regs::vmbmem(vf.index(), 0));
        // Reading stalls for each word: those the message does not have stay 0.
        for (n, word) in words.iter_mut().enumerate().take(msg::words_of(word0)) {
            *word = if n == 0 {
                word0
            } else {
                io.read(regs::vmbmem(vf.index(), n))
            };
        }
        io.write(
            regs::p2vmailbox(vf.index()),
            p2vmailbox::ACK | p2vmailbox::PFU,
        );
        let outcome = hw.switch.on_message(vf, &words, self.now);
        hw.recent.message(self.now, vf, &words, &outcome);
        answers.add(vf, outcome.reply, outcome.changed);
        if outcome.ping {
            hw.pending.pings.insert(vf);
        }
        if let Some(event) = outcome.event {
            report(port, hw, vf, event, self.now);
        }
    }
}

/// What a round has decided, until it is in force and can be told.
#[derive(Default)]
struct Answers {
    to: VfSet,
    replies: [Option<Reply>; MAX_VFS],
    /// The registers may have to follow.
    changed: bool,
}

impl Answers {
    fn add(&mut self, vf: VfIndex, reply: Option<Reply>, changed: bool) {
        self.to.insert(vf);
        // PANIC: an index is below MAX_VFS by its type.
        self.replies[vf.index()] = reply;
        self.changed |= changed;
    }

    /// Writes the replies, and gives the mailboxes back.
    fn send(&self, io: &Io, hw: &mut Hw) {
        for vf in self.to.iter() {
            // PANIC: as above.
            match &self.replies[vf.index()] {
                Some(reply) => {
                    hw.pending.answered(vf);
                    send(io, vf, reply.words());
                }
                None => {
                    hw.pending.read(VfSet::from_bits(vf.bit()));
                    io.write(regs::p2vmailbox(vf.index()), 0);
                }
            }
        }
    }
}

/// Takes the mailbox. A VF that does not let go of it is no reason to wait: its lock is taken
/// away, and if it still holds it, its words are read all the same. The worst it gets is its own
/// garbage.
fn lock(io: &Io, vf: VfIndex) -> bool {
    let register = regs::p2vmailbox(vf.index());
    io.write(register, p2vmailbox::PFU);
    if io.read(register) & p2vmailbox::PFU != 0 {
        return true;
    }
    io.write(register, p2vmailbox::RVFU);
    io.write(register, p2vmailbox::PFU);
    false
}

/// Writes a message for the VF and lets it have the mailbox.
fn send(io: &Io, vf: VfIndex, words: &[u32]) {
    for (n, word) in words.iter().enumerate() {
        io.write(regs::vmbmem(vf.index(), n), *word);
    }
    io.write(regs::p2vmailbox(vf.index()), p2vmailbox::STS);
}

/// Drops whatever these VFs want.
fn forget(io: &Io, vfs: VfSet) {
    if !vfs.is_empty() {
        io.write(regs::VFLRE, vfs.bits().into());
        io.write(regs::MBVFICR, mbvficr::clear_requests(vfs.bits()));
    }
}

/// Has VFs look at their links: at once, or as soon as their mailbox is free. Whatever frees it
/// (a request, the acknowledgement of an answer) leads to a round of [`serve`], which tries again.
pub(crate) fn ping(io: &Io, hw: &mut Hw, vfs: VfSet) {
    for vf in vfs.intersection(hw.switch.vfs()).iter() {
        let done = match hw.switch.ping(vf) {
            Some(_) if hw.pending.unread.contains(vf) => false,
            Some(word) => try_ping(io, vf, word),
            None => true,
        };
        if done {
            hw.pending.pings.remove(vf);
        } else {
            hw.pending.pings.insert(vf);
        }
    }
}

/// Has VFs come back that worked before the PF was reset. In-tree clients start over when they are
/// refused; the DPDK client when it is told of the reset: `refuse` says which word to use.
pub(crate) fn recall(io: &Io, hw: &Hw, refuse: bool) {
    for vf in hw.switch.missing().iter() {
        let word = if refuse {
            msg::recall()
        } else {
            msg::control(false)
        };
        // One that cannot be reached now is tried again later.
        let _ = try_ping(io, vf, word);
    }
}

fn try_ping(io: &Io, vf: VfIndex, word: u32) -> bool {
    let register = regs::p2vmailbox(vf.index());
    io.write(register, p2vmailbox::PFU);
    if io.read(register) & p2vmailbox::PFU == 0 {
        return false;
    }
    // With the mailbox ours no new request can come; one that is there must not be overwritten.
    if mbvficr::requests(io.read(regs::MBVFICR)) & vf.bit() != 0 {
        io.write(register, 0);
        return false;
    }
    send(io, vf, &[word]);
    true
}

/// Looks for frames that failed the spoof check since the last look.
pub(crate) fn note_spoofs(port: &Port, hw: &mut Hw) {
    let value = port.io.read(regs::WVBR);
    if value == regs::GONE {
        return;
    }
    let vfs = VfSet::from_bits(regs::wvbr_pools(value)).intersection(hw.switch.vfs());
    for vf in vfs.iter() {
        let event = hw.switch.on_spoof(vf);
        report(port, hw, vf, event, port.now());
    }
}

/// One line of log for an event, if the VF's budget allows it.
fn report(port: &Port, hw: &mut Hw, vf: VfIndex, event: Event, now: u64) {
    // A VF may do these as often as it likes; they are counted.
    if matches!(event, Event::Ready | Event::NotReady) {
        return;
    }
    let allowed = hw
        .log
        .get_mut(vf.index())
        .is_some_and(|budget| budget.allow(now));
    // Being cut off happens once, and is always told.
    if !allowed && event != Event::Quarantined {
        return;
    }
    let (dev, n) = (&*port.pdev, vf.get());
    match event {
        Event::Ready | Event::NotReady => {}
        Event::Malformed { word0, what } => {
            dev_warn!(dev, "VF {n}: malformed message {word0:#010x} ({what:?})\n");
        }
        Event::Refused(why) => {
            dev_warn!(dev, "VF {n}: request refused: {}\n", why.reason());
        }
        Event::Throttled => {
            dev_warn!(dev, "VF {n} sends too many requests and has to wait\n");
        }
        Event::Spoofed => {
            dev_warn!(dev, "VF {n} sends from a false address or VLAN; dropped\n");
        }
        Event::Quarantined => {
            dev_warn!(
                dev,
                "VF {n} misbehaves and was cut off; 'ip link set DEV vf {n} state auto' lets it back\n"
            );
        }
    }
}
