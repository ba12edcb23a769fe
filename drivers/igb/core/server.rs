// SPDX-License-Identifier: GPL-2.0

//! Serving the mailboxes of all VFs.
//!
//! VFs are served in *rounds* of at most one reset and one message of each, so no VF waits for another's
//! queue of messages. [`Server::interrupt`] serves what may be served in the interrupt; what is beyond a
//! VF's ration ([`Direct`]), or has to wait, is left pending for the work item, which asks
//! [`Server::work`] for one round after the other as a [`Turn`] says.
//!
//! Path of a message: `MBVFICR` → `VMBMEM` is copied once → [`Switch::on_message`] → registers
//! ([`Driver::apply`], once for the round) → reply into `VMBMEM` → `P2VMAILBOX.STS`. What a message
//! means, and whether its sender may ask for service now, is decided by the [`Switch`].
//!
//! A mailbox holds one message, in one direction. The PF takes it (`PFU`) before it writes to it or
//! reads a message from it, and does not write a message of its own while a request is in it or an
//! answer that was not read ([`Server::show_link`]).

mod look;
mod mailbox;
mod round;
mod turn;

pub use self::{
    look::LOOK_NS,
    turn::{
        Next,
        Rest,
        Step,
        Turn, //
    }, //
};

use self::{
    look::Looks,
    round::Round, //
};
use crate::{
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    mailbox::{
        direct::SPACING_USECS,
        msg::{
            self,
            Words, //
        },
        Direct, //
    },
    regs::{
        self,
        eitr,
        mbvficr,
        Misbehaved,
        Registers, //
    },
    switch::{
        Event,
        Outcome,
        Shadow,
        Switch, //
    },
};

/// How long an answer is kept for a VF that does not read it, in nanoseconds; up to twice as long.
/// igbvf waits for an answer for one second.
pub const UNREAD_NS: u64 = 2_000_000_000;

/// How long a VF that was reset may hold its mailbox, in nanoseconds. A driver that is writing a message
/// holds it for microseconds; a mailbox that the tenant before has left held stays so for ever.
pub const WRITING_NS: u64 = 10_000_000;

/// The driver of the PF, as the server needs it: registers, the state the server shares with others,
/// and somebody to tell.
///
/// A value stands for one turn at serving, with whatever lock guards that state held. None of the
/// methods waits for anything.
pub trait Driver: Registers {
    /// The time, in nanoseconds of a clock that does not go backwards; the same for the whole turn.
    fn now(&self) -> u64;

    /// The server's own state.
    fn server(&mut self) -> &mut Server;

    /// The desired state.
    fn switch(&mut self) -> &mut Switch;

    /// What the filter registers are known to hold.
    fn shadow(&mut self) -> &mut Shadow;

    /// Makes the filter registers follow the desired state, before it returns.
    fn apply(&mut self);

    /// Takes a last reading of the traffic counters of `vf`: its tenant is gone.
    fn read_counters(&mut self, vf: VfIndex);

    /// Takes note that `vf` was reset.
    fn on_reset(&mut self, vf: VfIndex);

    /// Takes note of a message of `vf`, and what became of it.
    fn on_message(&mut self, vf: VfIndex, words: &Words, outcome: &Outcome);

    /// Takes note of an event that may be worth a line in the log.
    fn on_event(&mut self, vf: VfIndex, event: Event);
}

/// The messages that PF and VFs owe each other, and the work that is put off.
#[derive(Clone, Debug, Hash)]
pub struct Server {
    /// VFs that have not read the answer to their last request. It must not be overwritten.
    unread: VfSet,
    /// Those of `unread` that had not read that answer at `looked_at` either.
    late: VfSet,
    /// When answers were given up last.
    looked_at: u64,
    /// VFs that had a reset or a request pending at the last look for such that were overlooked.
    waiting: VfSet,
    /// VFs that are to be pinged as soon as their mailbox is free.
    pings: VfSet,
    /// VFs whose handshake was read and is not answered yet.
    held: VfSet,
    /// VFs whose registers hold values that a former tenant wrote.
    unclean: VfSet,
    /// VFs that were reset while their mailbox was held or had a request, and for each of them when to
    /// clear it all the same.
    unscrubbed: VfSet,
    scrub_at: [u64; MAX_VFS],
    /// What may be served in the interrupt.
    direct: Direct,
    /// Which VFs are to look at their links.
    looks: Looks,
}

/// What became of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// No VF had a request.
    Nothing,
    /// All that was to be done is done.
    All,
    /// The work item has to do the rest.
    Part,
}

impl Server {
    /// Nothing is under way, and no ration is used up. `hides_link`: the controller does what
    /// [`Differences::hides_link_from_vfs`](crate::model::Differences::hides_link_from_vfs) says.
    #[must_use]
    pub const fn new(hides_link: bool) -> Self {
        Self {
            unread: VfSet::EMPTY,
            late: VfSet::EMPTY,
            looked_at: 0,
            waiting: VfSet::EMPTY,
            pings: VfSet::EMPTY,
            held: VfSet::EMPTY,
            unclean: VfSet::EMPTY,
            unscrubbed: VfSet::EMPTY,
            scrub_at: [0; MAX_VFS],
            direct: Direct::new(),
            looks: Looks::new(hides_link),
        }
    }

    /// The controller was reset: mailboxes are empty, queues at rest, interrupts not spaced.
    pub fn on_controller_reset(&mut self) {
        self.direct.on_reset();
        self.looks.on_controller_reset();
        *self = Self {
            direct: self.direct,
            looks: self.looks.clone(),
            ..Self::new(false)
        };
    }

    /// VFs were enabled or disabled without a reset of the controller: nothing is under way or used
    /// up, and nothing is left in a mailbox.
    pub fn begin(d: &mut impl Driver) {
        d.server().on_controller_reset();
        d.server().renew_rations();
        space_interrupts(d, 0);
        for vf in VfIndex::all() {
            mailbox::take_away(d, vf);
            mailbox::scrub(d, vf, 0);
            mailbox::release(d, vf);
        }
        let all = VfSet::from_bits(u8::MAX);
        mailbox::forget(d, all);
        d.write(regs::MBVFICR, mbvficr::clear_acks(all.bits()));
    }

    /// VFs were enabled or disabled: none has used up anything.
    pub fn renew_rations(&mut self) {
        self.direct = Direct::new();
    }

    /// The VF may have changed hands without a reset that was served: it is cleared in the next
    /// round of the work item, which the caller schedules, and then told how it stands. Not before:
    /// what it is told would be cleared as well.
    pub fn on_new_tenant(&mut self, vf: VfIndex) {
        self.unclean.insert(vf);
        self.pings.insert(vf);
    }

    /// The controller has stopped queues. Has their VFs start over ([`Server::on_malicious`]), and returns
    /// whether the PF has to be reset, as a queue of its own is among them.
    #[must_use]
    pub fn see_to_stopped(d: &mut impl Driver, found: Misbehaved) -> bool {
        let vfs = VfSet::from_bits(found.restarts(d.switch().vfs().bits()));
        Self::on_malicious(d, vfs);
        d.switch().uses_pools() && found.resets_pf(d.switch().pf_pool())
    }

    /// The controller has stopped queues of these VFs. They are closed at once; the caller
    /// schedules the work item, which clears what their drivers have left in registers and in the
    /// mailbox. Then each is told to start over.
    pub fn on_malicious(d: &mut impl Driver, vfs: VfSet) {
        let now = d.now();
        let vfs = vfs.intersection(d.switch().vfs().without(d.switch().quarantined()));
        for vf in vfs.iter() {
            let event = d.switch().on_malicious(vf, now);
            d.on_event(vf, event);
            d.shadow().vf_was_reset(vf);
            d.server().on_new_tenant(vf);
            d.server().answer_read(vf);
        }
        if !vfs.is_empty() {
            d.apply();
        }
    }

    /// Counts an interrupt. Has the controller leave time between interrupts if there are too many;
    /// returns whether that begins with this one. The work item is to be scheduled then, as it finds
    /// out when the storm is over.
    pub fn woken(d: &mut impl Driver) -> bool {
        let now = d.now();
        let storm = d.server().direct.woken(now);
        if storm {
            space_interrupts(d, SPACING_USECS);
        }
        storm
    }

    /// The interrupt: serves one round of those VFs that may be served in it.
    pub fn interrupt(d: &mut impl Driver) -> Served {
        let round = Round::take(d);
        // A VF has read its answer: every second interrupt.
        if round.is_idle(d) {
            Self::ping_owed(d);
            return Served::Nothing;
        }
        let rest = round.serve(d, true);
        if rest.is_left() || !d.server().unscrubbed.is_empty() {
            Served::Part
        } else {
            Served::All
        }
    }

    /// The work item: serves one round. Returns what is left of it, `None` if there was nothing to do
    /// and there is nothing to come back for.
    pub fn work(d: &mut impl Driver) -> Option<Rest> {
        let round = Round::take(d);
        Self::scrub_left(d, round.requests());
        if round.is_idle(d) {
            // What was waiting for the acknowledgement of an answer.
            Self::ping_owed(d);
            return Self::rest_for_later(d);
        }
        Some(round.serve(d, false))
    }

    /// Clears mailboxes that a former tenant has left held, when it is time for each. `requests` are
    /// those of new tenants.
    fn scrub_left(d: &mut impl Driver, requests: VfSet) {
        let now = d.now();
        let left = d.server().unscrubbed;
        for vf in left.iter() {
            // PANIC: an index is below MAX_VFS by its type.
            if now < d.server().scrub_at[vf.index()] {
                continue;
            }
            d.server().unscrubbed.remove(vf);
            if requests.contains(vf) {
                continue;
            }
            // Should it be held still, its words are cleared all the same. But it is not taken away: that
            // would also clear the cause of a request which comes just now.
            let _ = mailbox::try_lock(d, vf);
            if !mailbox::has_request(d, vf) {
                mailbox::scrub(d, vf, 0);
            }
            mailbox::release(d, vf);
        }
    }

    /// Ends the spacing of interrupts if it is quiet again, and says when to look again if there is
    /// nothing to do now.
    fn rest_for_later(d: &mut impl Driver) -> Option<Rest> {
        let now = d.now();
        if d.server().direct.calmed(now) {
            space_interrupts(d, 0);
        }
        let server = d.server();
        let mut rest = Rest::default();
        if server.direct.is_spaced() {
            rest.until_calm();
        }
        for vf in server.unscrubbed.iter() {
            // PANIC: an index is below MAX_VFS by its type.
            rest.until_scrubbed(now, server.scrub_at[vf.index()]);
        }
        if let Some(until) = server.looks.until() {
            rest.until_looked(now, until);
        }
        rest.is_left().then_some(rest)
    }

    /// Queues of these VFs have had all the time they should need, and are not at rest.
    pub fn note_stuck(d: &mut impl Driver, vfs: VfSet) {
        for vf in vfs.iter() {
            let event = d.switch().on_stuck(vf);
            d.on_event(vf, event);
        }
    }

    /// Has VFs look at their links: at once, or as soon as their mailbox is free. Whatever frees it (a
    /// request, the acknowledgement of an answer) leads to a round, which tries again.
    fn ping(d: &mut impl Driver, vfs: VfSet) {
        for vf in vfs.intersection(d.switch().vfs()).iter() {
            // One that is cut off gets none, unless it is to see that.
            let cut_off = d.server().looks.contains(vf).then_some(msg::control(false));
            let done = match d.switch().ping(vf).or(cut_off) {
                Some(_) if d.server().is_busy(vf) => false,
                Some(word) => mailbox::try_ping(d, vf, word),
                None => true,
            };
            let pings = &mut d.server().pings;
            if done {
                pings.remove(vf);
            } else {
                pings.insert(vf);
            }
        }
    }

    fn ping_owed(d: &mut impl Driver) {
        let owed = d.server().pings;
        Self::ping(d, owed);
        Self::make_look(d);
    }

    /// Gives up answers that have not been read for [`UNREAD_NS`]: older clients never read some. Then
    /// sends these VFs the messages that waited for that. To be called now and then, not more often than
    /// every two seconds.
    pub fn tell_silent(d: &mut impl Driver) {
        let now = d.now();
        d.server().expire(now);
        Self::ping_owed(d);
    }

    /// Whether a VF has had a reset or a request pending at two looks in a row, so that the
    /// interrupt that should have it served was lost: the caller schedules the work item. To be
    /// asked every two seconds. A VF that has to wait for a token may be among them; nothing is
    /// served earlier for that.
    pub fn has_overlooked(d: &mut impl Driver) -> bool {
        let requests = VfSet::from_bits(mbvficr::requests(d.read(regs::MBVFICR)));
        // CAST: one bit for each VF.
        let resets = VfSet::from_bits(d.read(regs::VFLRE) as u8);
        let vfs = d.switch().vfs().without(d.switch().quarantined());
        let waiting = requests.union(resets).intersection(vfs);
        let before = core::mem::replace(&mut d.server().waiting, waiting);
        !before.intersection(waiting).is_empty()
    }

    /// Asks VFs that are [`missing`](Switch::missing) to start over. In-tree clients do so when
    /// they are refused; the DPDK client does so when it is told of a reset. `refuse` says which
    /// word to use. To be called again and again: a VF that cannot be reached now is left alone.
    pub fn recall(d: &mut impl Driver, refuse: bool) {
        let word = if refuse {
            msg::recall()
        } else {
            msg::control(false)
        };
        for vf in d.switch().missing().iter() {
            if !d.server().is_busy(vf) {
                let _ = mailbox::try_ping(d, vf, word);
            }
        }
    }

    /// Tells VFs that the PF is reset: without the right to send, they wait. To be called right before,
    /// while the mailboxes still work. Answers they have not read would be lost in any case.
    pub fn announce_reset(d: &mut impl Driver) {
        for vf in d.switch().missing().iter() {
            let _ = mailbox::try_ping(d, vf, msg::control(false));
        }
    }

    /// The mailbox of `vf` has an answer that was not read, or a request that cannot be answered
    /// yet; or it is about to be cleared, and so would be what is written to it.
    fn is_busy(&self, vf: VfIndex) -> bool {
        self.unread.contains(vf)
            || self.held.contains(vf)
            || self.unclean.contains(vf)
            || self.unscrubbed.contains(vf)
    }

    /// There is an answer for a VF.
    fn answered(&mut self, vf: VfIndex) {
        self.unread.insert(vf);
        self.late.remove(vf);
    }

    /// VFs have read their answers, or there are none any more.
    fn answers_read(&mut self, vfs: VfSet) {
        self.unread = self.unread.without(vfs);
        self.late = self.late.without(vfs);
    }

    fn answer_read(&mut self, vf: VfIndex) {
        self.unread.remove(vf);
        self.late.remove(vf);
    }

    /// Gives up answers that were unread at this look and at the one before.
    fn expire(&mut self, now: u64) {
        if now.saturating_sub(self.looked_at) >= UNREAD_NS {
            self.looked_at = now;
            self.answers_read(self.late);
            self.late = self.unread;
        }
    }
}

/// Leaves so much time, in microseconds, between interrupts of the vector the mailboxes have.
fn space_interrupts(d: &impl Driver, usecs: u32) {
    d.write(regs::eitr(0), eitr::interval(usecs));
}
