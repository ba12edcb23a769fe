// SPDX-License-Identifier: GPL-2.0

//! Serving the VFs' mailboxes.
//!
//! The interrupt handler serves what it may ([`interrupt`]): a driver of a VF on this host waits for
//! its answer with the CPU to itself, so nothing else would get through to it. What is beyond a VF's
//! ration, or has to wait, is left pending for the work item ([`serve`]). Both serve in rounds of at
//! most one message of each VF, so no VF waits for another's queue of messages. What a message means,
//! and whether its sender may ask for service now, is decided by
//! [`Switch`](igb_core::switch::Switch); this file moves words.
//!
//! Path of a message: `MBVFICR` → [`Round::message`] → `VMBMEM` is copied once →
//! `Switch::on_message` → registers ([`Hw::apply_at`], once for the round) → [`Answers::send`]: reply
//! into `VMBMEM` → `P2VMAILBOX.STS`.
//!
//! All of it runs with [`Port::hw`] held, that is, with interrupts off.

use crate::{
    controller::{
        Controller,
        Hw,
        Live, //
    },
    io::Io,
    log,
    port::Port, //
};
use igb_core::{
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    mailbox::{
        direct::SPACING_USECS,
        msg::{
            self,
            Reply,
            Words, //
        },
        Admit, //
    },
    regs::{
        self,
        eitr,
        mbvficr,
        p2vmailbox,
        VMBMEM_WORDS, //
    },
    switch::Event,
    tenant, //
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

/// Rounds in one go before others get the CPU.
const ROUNDS: usize = 4;

/// How often to look at the mailboxes while a VF that asks too often has to wait.
const POLL: Delta = Delta::from_millis(1);

/// How often to ask whether a storm of interrupts is over.
const CALM: Delta = Delta::from_millis(100);

/// How often, and after which time, a queue that was disabled is looked at in one go.
const STOP_LOOKS: usize = 20;
const STOP_STEP: Delta = Delta::from_micros(50);

/// How long a VF that was reset may hold its mailbox, in nanoseconds: if its driver has begun a message
/// it takes microseconds, and if it was left like that by the tenant before it takes for ever.
const WRITING_NS: u64 = 10_000_000;

/// How soon a queue that did not come to rest is looked at again.
const STOP_AGAIN: Delta = Delta::from_millis(100);

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
    let now = hw.now();
    if hw.direct.woken(now) {
        space_interrupts(io, SPACING_USECS);
        work.schedule();
    }
    let round = Round::take(io, hw, now);
    // A VF has read its answer: every second interrupt.
    if round.is_idle(hw) {
        let owed = hw.pending.pings;
        ping(io, hw, owed);
        return;
    }
    let rest = round.serve(io, hw, true);
    if rest.is_left() || hw.has_to_tell() || !hw.unscrubbed.is_empty() {
        // Not at once if it is to run later: a VF that floods would bring that forward.
        work.schedule_after(Delta::ZERO);
    }
}

/// Leaves so much time, in microseconds, between interrupts of the vector the mailboxes have.
pub(crate) fn space_interrupts(io: &Io, usecs: u32) {
    io.write(regs::eitr(0), eitr::interval(usecs));
}

/// The work item: serves what is pending.
pub(crate) fn serve(dev: &Device<Port>, handle: &work::Handle) {
    let port = dev.data();
    match rounds(port) {
        Next::Interrupt => {}
        Next::Now => handle.schedule(),
        Next::After(delay) => handle.schedule_after(delay),
    }
    port.tell();
    port.tell_quarantines();
}

/// When to serve again.
enum Next {
    /// When the interrupt says so.
    Interrupt,
    /// As soon as others had the CPU.
    Now,
    /// When a VF that had to wait may be served, or a queue may have come to rest.
    After(Delta),
}

fn rounds(port: &Port) -> Next {
    for _ in 0..ROUNDS {
        let rest = one_round(port);
        match rest {
            None => return Next::Interrupt,
            Some(Rest { stuck, .. }) if !stuck.is_empty() => return wait_for_queues(port, stuck),
            Some(Rest {
                wake_at: Some(delay),
                ..
            }) => return Next::After(delay),
            Some(_) => {}
        }
    }
    Next::Now
}

/// Serves one round. Returns what is left of it, `None` if there was nothing to do.
fn one_round(port: &Port) -> Option<Rest> {
    let mut controller = port.hw.lock();
    let Live { io, hw } = controller.live()?;
    let now = hw.now();
    let round = Round::take(io, hw, now);
    scrub_left(io, hw, round.requests, now);
    if round.is_idle(hw) {
        // What was waiting for the acknowledgement of an answer.
        let owed = hw.pending.pings;
        ping(io, hw, owed);
        return rest_for_later(io, hw, now);
    }
    Some(round.serve(io, hw, false))
}

/// Clears mailboxes that a tenant who is gone has left held. `requests` are those of new ones.
fn scrub_left(io: &Io, hw: &mut Hw, requests: VfSet, now: u64) {
    if now < hw.scrub_at {
        return;
    }
    for vf in hw.unscrubbed.without(requests).iter() {
        let _ = lock(io, vf);
        scrub(io, vf, 0);
        io.write(regs::p2vmailbox(vf.index()), p2vmailbox::RELEASE);
    }
    hw.unscrubbed = VfSet::EMPTY;
}

/// Ends the spacing of interrupts if it is quiet again, and says when to look again if there is nothing
/// to do now.
fn rest_for_later(io: &Io, hw: &mut Hw, now: u64) -> Option<Rest> {
    if hw.direct.calmed(now) {
        space_interrupts(io, 0);
    }
    let mut rest = Rest::default();
    if hw.direct.is_spaced() {
        rest.wake_at = Some(CALM);
    }
    if !hw.unscrubbed.is_empty() {
        let delay = hw.scrub_at.saturating_sub(now);
        rest.wake_at = Some(
            i64::try_from(delay)
                .map_or(POLL, Delta::from_nanos)
                .max(POLL),
        );
    }
    rest.wake_at.is_some().then_some(rest)
}

/// Waits for queues that were disabled, for a millisecond at most. They are mostly at rest within
/// microseconds; the VF is closed until they are.
fn wait_for_queues(port: &Port, mut stuck: VfSet) -> Next {
    for _ in 0..STOP_LOOKS {
        fsleep(STOP_STEP);
        let Some(rest) = one_round(port) else {
            return Next::Now;
        };
        stuck = rest.stuck;
        if stuck.is_empty() {
            return Next::Now;
        }
    }
    let mut hw = port.hw.lock();
    let now = hw.now();
    for vf in stuck.iter() {
        let event = hw.switch.on_stuck(vf);
        note(&mut hw, vf, event, now);
    }
    Next::After(STOP_AGAIN)
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
pub(crate) fn tell_silent(io: &Io, hw: &mut Hw) {
    let now = hw.now();
    hw.pending.expire(now);
    let owed = hw.pending.pings;
    ping(io, hw, owed);
}

/// What was pending when the round began.
struct Round {
    resets: VfSet,
    requests: VfSet,
    /// VFs that were cut off by then.
    cut_off: VfSet,
    now: u64,
}

/// What a round has left.
#[derive(Default)]
struct Rest {
    /// VFs with a queue that has not come to rest yet.
    stuck: VfSet,
    /// When to come back, if a VF has to wait.
    wake_at: Option<Delta>,
    /// The interrupt may not serve a VF any more.
    rationed: bool,
}

impl Rest {
    fn is_left(&self) -> bool {
        self.rationed || self.wake_at.is_some() || !self.stuck.is_empty()
    }

    /// A VF has to wait until `at`.
    fn wait(&mut self, now: u64, at: u64) {
        let delay = i64::try_from(at.saturating_sub(now)).map_or(POLL, Delta::from_nanos);
        let delay = delay.min(POLL);
        self.wake_at = Some(self.wake_at.map_or(delay, |earliest| earliest.min(delay)));
    }
}

impl Round {
    fn take(io: &Io, hw: &mut Hw, now: u64) -> Self {
        let cut_off = hw.switch.quarantined();
        let vfs = hw.switch.vfs().without(cut_off);
        let causes = io.read(regs::MBVFICR);
        // After the requests: a reset that a VF made before its request is not missed.
        let resets = io.read(regs::VFLRE);
        let acks = VfSet::from_bits(mbvficr::acks(causes));
        if !acks.is_empty() {
            io.write(regs::MBVFICR, mbvficr::clear_acks(acks.bits()));
            hw.pending.read(acks);
        }
        // CAST: one bit for each VF.
        let resets = VfSet::from_bits(resets as u8);
        let requests = VfSet::from_bits(mbvficr::requests(causes)).union(hw.held);
        forget(io, resets.union(requests).intersection(cut_off));
        Self {
            resets: resets.intersection(vfs),
            requests: requests.intersection(vfs),
            cut_off,
            now,
        }
    }

    fn is_idle(&self, hw: &Hw) -> bool {
        self.resets.is_empty() && self.requests.is_empty() && hw.unclean.is_empty()
    }

    /// Serves the round: in the interrupt if `direct`, where VFs have a ration.
    fn serve(&self, io: &Io, hw: &mut Hw, direct: bool) -> Rest {
        let mut rest = Rest::default();
        let mut answers = Answers::default();
        let mut apply = false;
        if !direct {
            self.clean_again(io, hw);
        }
        for vf in self.resets.union(self.requests).iter() {
            if direct && !hw.direct.take(vf, self.resets.contains(vf), self.now) {
                rest.rationed = true;
                apply |= self.put_off(hw, vf);
                continue;
            }
            let (admit, event) = hw.switch.admit(vf, self.now);
            if let Some(event) = event {
                note(hw, vf, event, self.now);
            }
            match admit {
                Admit::Serve => {
                    apply |= self.resets.contains(vf);
                    self.serve_one(io, hw, vf, &mut answers);
                }
                Admit::Later { at } => {
                    apply |= self.put_off(hw, vf);
                    rest.wait(self.now, at);
                }
                // Cut off in this very round: forgotten in the next.
                Admit::Ignore => {}
            }
        }
        // A VF that reads "granted" may rely on it.
        let closed = !hw.unclean.is_empty() || hw.switch.quarantined() != self.cut_off;
        if apply || answers.changed || closed {
            hw.apply_at(io, self.now);
        }
        answers.send(io, hw);
        ping(io, hw, hw.pending.pings);
        rest.stuck = hw.unclean;
        rest
    }

    fn serve_one(&self, io: &Io, hw: &mut Hw, vf: VfIndex, answers: &mut Answers) {
        if self.resets.contains(vf) {
            self.reset(io, hw, vf);
        }
        if self.requests.contains(vf) {
            self.message(io, hw, vf, answers);
        }
    }

    /// The VF is served later; one that was reset is closed at once. Returns whether that has to be
    /// applied.
    fn put_off(&self, hw: &mut Hw, vf: VfIndex) -> bool {
        let close = self.resets.contains(vf) && hw.switch.on_flr_pending(vf);
        if close {
            hw.shadow.vf_was_reset(vf);
        }
        close
    }

    /// The VF was reset: by its driver, or because it changes hands.
    fn reset(&self, io: &Io, hw: &mut Hw, vf: VfIndex) {
        io.write(regs::VFLRE, vf.bit().into());
        hw.shadow.vf_was_reset(vf);
        hw.pending.read(VfSet::from_bits(vf.bit()));
        hw.held.remove(vf);
        hw.switch.on_flr(vf);
        hw.recent.reset(self.now, vf);
        hw.unclean.insert(vf);
        self.clean(io, hw, vf);
        self.clean_mailbox(io, hw, vf);
    }

    /// Cleans VFs that had to be left as they were, and those that were cut off.
    fn clean_again(&self, io: &Io, hw: &mut Hw) {
        for vf in hw.unclean.intersection(hw.switch.vfs()).iter() {
            self.clean(io, hw, vf);
            self.clean_mailbox(io, hw, vf);
        }
    }

    /// Clears the mailbox of a VF. A request that is there already is the new driver's, and so may be
    /// one that is being written: then that is done with the answer, or a little later.
    fn clean_mailbox(&self, io: &Io, hw: &mut Hw, vf: VfIndex) {
        if self.requests.contains(vf) {
            return;
        }
        let register = regs::p2vmailbox(vf.index());
        io.write(register, p2vmailbox::PFU);
        if io.read(register) & p2vmailbox::PFU == 0 {
            hw.unscrubbed.insert(vf);
            hw.scrub_at = self.now.saturating_add(WRITING_NS);
            return;
        }
        // With the mailbox ours no new request can come.
        if mbvficr::requests(io.read(regs::MBVFICR)) & vf.bit() == 0 {
            scrub(io, vf, 0);
        }
        io.write(register, p2vmailbox::RELEASE);
    }

    /// Disables the queues of a VF, and clears what its tenant left if they are at rest.
    fn clean(&self, io: &Io, hw: &mut Hw, vf: VfIndex) {
        let stopped = tenant::stop(
            vf,
            |offset| io.read_at(offset),
            |offset, v| io.write_at(offset, v),
        );
        hw.switch.on_stopped(vf, stopped);
        if !stopped {
            return;
        }
        // What the one tenant sent is not the other's.
        hw.read_vf_counters(io, vf);
        tenant::clear(
            vf,
            |offset| io.read_at(offset),
            |offset, v| io.write_at(offset, v),
        );
        hw.unclean.remove(vf);
    }

    /// Reads and decides. The mailbox stays the PF's until the answer is sent.
    fn message(&self, io: &Io, hw: &mut Hw, vf: VfIndex, answers: &mut Answers) {
        // Acknowledged before the words are read: should the VF write another message now, it is
        // seen in the next round.
        io.write(regs::MBVFICR, mbvficr::clear_requests(vf.bit()));
        hw.held.remove(vf);
        hw.unscrubbed.remove(vf);
        if !lock(io, vf) {
            if let Some(event) = hw.switch.on_mailbox_held(vf, self.now) {
                note(hw, vf, event, self.now);
            }
        }
        let words = read_words(io, vf);
        io.write(
            regs::p2vmailbox(vf.index()),
            p2vmailbox::ACK | p2vmailbox::PFU,
        );
        // Whoever makes the handshake may have got the VF without a reset. One that has just been made
        // has done it.
        if msg::is_reset(&words) && !self.resets.contains(vf) {
            hw.unclean.insert(vf);
            self.clean(io, hw, vf);
        }
        let outcome = hw.switch.on_message(vf, &words, self.now);
        if outcome.hold {
            hw.held.insert(vf);
            return;
        }
        hw.recent.message(self.now, vf, &words, &outcome);
        answers.add(vf, outcome.reply, outcome.changed, outcome.scrub);
        if outcome.ping {
            hw.pending.pings.insert(vf);
        }
        if let Some(event) = outcome.event {
            note(hw, vf, event, self.now);
        }
    }
}

/// Copies a message. Reading stalls for each word: those the message does not have stay 0.
fn read_words(io: &Io, vf: VfIndex) -> Words {
    let mut words = Words::default();
    let word0 = io.read(regs::vmbmem(vf.index(), 0));
    for (n, word) in words.iter_mut().enumerate().take(msg::words_of(word0)) {
        *word = if n == 0 {
            word0
        } else {
            io.read(regs::vmbmem(vf.index(), n))
        };
    }
    words
}

/// What a round has decided, until it is in force and can be told.
#[derive(Default)]
struct Answers {
    to: VfSet,
    /// Those of `to` whose mailbox may hold words of another tenant.
    scrub: VfSet,
    replies: [Option<Reply>; MAX_VFS],
    /// The registers may have to follow.
    changed: bool,
}

impl Answers {
    fn add(&mut self, vf: VfIndex, reply: Option<Reply>, changed: bool, scrub: bool) {
        self.to.insert(vf);
        if scrub {
            self.scrub.insert(vf);
        }
        // PANIC: an index is below MAX_VFS by its type.
        self.replies[vf.index()] = reply;
        self.changed |= changed;
    }

    /// Writes the replies, and gives the mailboxes back.
    fn send(&self, io: &Io, hw: &mut Hw) {
        for vf in self.to.iter() {
            // PANIC: as above.
            let used = self.replies[vf.index()]
                .as_ref()
                .map_or(0, |reply| reply.words().len());
            if self.scrub.contains(vf) {
                scrub(io, vf, used);
            }
            // PANIC: as above.
            match &self.replies[vf.index()] {
                Some(reply) => {
                    hw.pending.answered(vf);
                    send(io, vf, reply.words());
                }
                None => {
                    hw.pending.read(VfSet::from_bits(vf.bit()));
                    io.write(regs::p2vmailbox(vf.index()), p2vmailbox::RELEASE);
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

/// Clears the mailbox memory of a VF from word `from` on.
fn scrub(io: &Io, vf: VfIndex, from: usize) {
    for n in from..VMBMEM_WORDS {
        io.write(regs::vmbmem(vf.index(), n), 0);
    }
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
        io.write(register, p2vmailbox::RELEASE);
        return false;
    }
    send(io, vf, &[word]);
    true
}

/// Looks for frames that failed the spoof check since the last look.
pub(crate) fn note_spoofs(io: &Io, hw: &mut Hw) {
    let value = io.read(regs::WVBR);
    if value == regs::GONE {
        return;
    }
    let now = hw.now();
    let vfs = VfSet::from_bits(regs::wvbr_pools(value)).intersection(hw.switch.vfs());
    for vf in vfs.iter() {
        let event = hw.switch.on_spoof(vf);
        note(hw, vf, event, now);
    }
}

/// Takes note of an event that is to be told in the log, if the VF's budget allows it.
fn note(hw: &mut Hw, vf: VfIndex, event: Event, now: u64) {
    // A VF may do these as often as it likes; they are counted.
    if !matches!(event, Event::Ready | Event::NotReady) {
        hw.lines.add(vf, event, now);
    }
}

impl Port {
    /// Prints what was noted for the log. Process context, without [`Port::hw`].
    pub(crate) fn tell(&self) {
        let lines = self.hw.lock().lines.take();
        for (vf, event) in lines.iter() {
            log::print(&self.pdev, vf.get(), event);
        }
    }
}
