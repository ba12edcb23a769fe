// SPDX-License-Identifier: GPL-2.0

//! One round: it serves what is pending when it begins, has the registers follow, and then sends all
//! answers.

use super::{
    mailbox::{
        acknowledge,
        clear_request,
        forget,
        has_request,
        read_words,
        release,
        scrub,
        send,
        take_away,
        try_lock, //
    },
    Driver,
    Rest,
    Server,
    WRITING_NS, //
};
use crate::{
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    mailbox::{
        msg::{
            self,
            Reply, //
        },
        Admit, //
    },
    regs::{
        self,
        mbvficr, //
    },
    tenant, //
};

/// What was pending when the round began.
pub(super) struct Round {
    resets: VfSet,
    requests: VfSet,
    /// Those of `requests` whose mailbox is the PF's.
    taken: VfSet,
    /// VFs that were cut off by then.
    cut_off: VfSet,
    now: u64,
}

impl Round {
    pub(super) fn take(d: &mut impl Driver) -> Self {
        let now = d.now();
        let cut_off = d.switch().quarantined();
        let vfs = d.switch().vfs().without(cut_off);
        let causes = d.read(regs::MBVFICR);
        let requests = VfSet::from_bits(mbvficr::requests(causes)).union(d.server().held);
        let mut taken = VfSet::EMPTY;
        for vf in requests.intersection(vfs).iter() {
            if try_lock(d, vf) {
                taken.insert(vf);
            }
        }
        // Read after the mailboxes were taken. So a reset that is older than the request in the mailbox
        // is not missed, even if the VF has asked anew since.
        let resets = d.read(regs::VFLRE);
        let acks = VfSet::from_bits(mbvficr::acks(causes));
        if !acks.is_empty() {
            d.write(regs::MBVFICR, mbvficr::clear_acks(acks.bits()));
            d.server().answers_read(acks);
        }
        // CAST: one bit for each VF.
        let resets = VfSet::from_bits(resets as u8);
        forget(d, resets.union(requests).intersection(cut_off));
        Self {
            resets: resets.intersection(vfs),
            requests: requests.intersection(vfs),
            taken,
            cut_off,
            now,
        }
    }

    pub(super) fn requests(&self) -> VfSet {
        self.requests
    }

    pub(super) fn is_idle(&self, d: &mut impl Driver) -> bool {
        self.resets.is_empty() && self.requests.is_empty() && d.server().unclean.is_empty()
    }

    /// Serves the round: in the interrupt if `direct`, where VFs have a ration.
    pub(super) fn serve(&self, d: &mut impl Driver, direct: bool) -> Rest {
        let mut rest = Rest::default();
        let mut answers = Answers::default();
        let mut apply = false;
        if !direct {
            self.clean_again(d);
        }
        for vf in self.resets.union(self.requests).iter() {
            let reset = self.resets.contains(vf);
            if direct && !d.server().direct.take(vf, reset, self.now) {
                rest.rationed = true;
                apply |= self.put_off(d, vf);
                continue;
            }
            let (admit, event) = d.switch().admit(vf, self.now);
            if let Some(event) = event {
                d.on_event(vf, event);
            }
            match admit {
                Admit::Serve => {
                    apply |= reset;
                    self.serve_one(d, vf, &mut answers);
                }
                Admit::Later { at } => {
                    apply |= self.put_off(d, vf);
                    rest.wait(self.now, at);
                }
                // Cut off in this very round: forgotten in the next.
                Admit::Ignore => self.give_back(d, vf),
            }
        }
        // A VF that reads "granted" may rely on it.
        let closed = !d.server().unclean.is_empty() || d.switch().quarantined() != self.cut_off;
        if apply || answers.changed || closed {
            d.apply();
        }
        answers.send(d);
        let cut_off = d.switch().quarantined().without(self.cut_off);
        Server::show_cut_off(d, cut_off);
        Server::ping_owed(d);
        rest.stuck = d.server().unclean;
        if let Some(until) = d.server().looks.until() {
            rest.until_looked(self.now, until);
        }
        rest
    }

    fn serve_one(&self, d: &mut impl Driver, vf: VfIndex, answers: &mut Answers) {
        if self.resets.contains(vf) {
            self.reset(d, vf);
        }
        if self.requests.contains(vf) {
            self.message(d, vf, answers);
        }
    }

    /// The VF is served later; one that was reset is closed at once. Returns whether that has to be
    /// applied.
    fn put_off(&self, d: &mut impl Driver, vf: VfIndex) -> bool {
        self.give_back(d, vf);
        let close = self.resets.contains(vf) && d.switch().on_flr_pending(vf);
        if close {
            d.shadow().vf_was_reset(vf);
        }
        close
    }

    /// The request of the VF stays where it is.
    fn give_back(&self, d: &mut impl Driver, vf: VfIndex) {
        if self.taken.contains(vf) {
            release(d, vf);
        }
    }

    /// The VF was reset: by its driver, or because it changes hands.
    fn reset(&self, d: &mut impl Driver, vf: VfIndex) {
        d.write(regs::VFLRE, vf.bit().into());
        d.shadow().vf_was_reset(vf);
        d.server().answer_read(vf);
        d.server().held.remove(vf);
        d.switch().on_flr(vf);
        d.on_reset(vf);
        d.server().unclean.insert(vf);
        clean(d, vf);
        self.clean_mailbox(d, vf);
    }

    /// Cleans VFs that had to be left as they were, and those that were cut off.
    fn clean_again(&self, d: &mut impl Driver) {
        let vfs = d.switch().vfs();
        for vf in d.server().unclean.intersection(vfs).iter() {
            clean(d, vf);
            self.clean_mailbox(d, vf);
        }
    }

    /// Clears the mailbox of a VF. A request that is there already, or is being written, may be the new
    /// driver's: then the mailbox is cleared with the answer, or a little later.
    fn clean_mailbox(&self, d: &mut impl Driver, vf: VfIndex) {
        if self.requests.contains(vf) {
            return;
        }
        if !try_lock(d, vf) {
            self.scrub_later(d, vf);
            return;
        }
        // With the mailbox ours no new request can come.
        if has_request(d, vf) {
            self.scrub_later(d, vf);
        } else {
            scrub(d, vf, 0);
        }
        release(d, vf);
    }

    /// The VF was reset, and its mailbox is held or has a request.
    fn scrub_later(&self, d: &mut impl Driver, vf: VfIndex) {
        let server = d.server();
        if !server.unscrubbed.contains(vf) {
            server.unscrubbed.insert(vf);
            // PANIC: an index is below MAX_VFS by its type.
            server.scrub_at[vf.index()] = self.now.saturating_add(WRITING_NS);
        }
    }

    /// Takes the mailbox to read a request, if it is not taken. Returns whether there is one to be read.
    ///
    /// A VF gives its mailbox back when it rings. If it still holds it shortly after a reset, it is
    /// writing a new request: the PF does not answer the old one any more, and does not take the mailbox
    /// away.
    fn take_mailbox(&self, d: &mut impl Driver, vf: VfIndex) -> bool {
        if self.taken.contains(vf) {
            return true;
        }
        if self.resets.contains(vf) || d.server().unscrubbed.contains(vf) {
            // Before the attempt: what comes from here on is the new request.
            clear_request(d, vf);
            let free = try_lock(d, vf);
            if !free {
                self.scrub_later(d, vf);
            }
            return free;
        }
        take_away(d, vf);
        if let Some(event) = d.switch().on_mailbox_held(vf, self.now) {
            d.on_event(vf, event);
        }
        true
    }

    /// Reads and decides. The mailbox stays the PF's until the answer is sent.
    fn message(&self, d: &mut impl Driver, vf: VfIndex, answers: &mut Answers) {
        if !self.take_mailbox(d, vf) {
            return;
        }
        // With the mailbox ours, so that a request which comes until then is the one that is read; and
        // before the words are read: should the VF write another message all the same, it is seen in
        // the next round.
        clear_request(d, vf);
        d.server().held.remove(vf);
        d.server().unscrubbed.remove(vf);
        let words = read_words(d, vf);
        acknowledge(d, vf);
        // The VF may have changed hands without a reset, so a handshake clears it as well. A reset in
        // this round has done so already.
        if msg::is_reset(&words) && !self.resets.contains(vf) {
            d.server().unclean.insert(vf);
            clean(d, vf);
        }
        let outcome = d.switch().on_message(vf, &words, self.now);
        if outcome.hold {
            d.server().held.insert(vf);
            return;
        }
        d.on_message(vf, &words, &outcome);
        answers.add(vf, outcome.reply, outcome.changed, outcome.scrub);
        if outcome.ping {
            d.server().pings.insert(vf);
        }
        if let Some(event) = outcome.event {
            d.on_event(vf, event);
        }
    }
}

/// Disables the queues of a VF, and clears what its tenant left if they are at rest.
fn clean(d: &mut impl Driver, vf: VfIndex) {
    let stopped = tenant::stop(vf, d);
    d.switch().on_stopped(vf, stopped);
    if !stopped {
        return;
    }
    // Frames of the former tenant are not counted for the next one.
    d.read_counters(vf);
    tenant::clear(vf, d);
    d.server().unclean.remove(vf);
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
    fn send(&self, d: &mut impl Driver) {
        for vf in self.to.iter() {
            // PANIC: as above.
            let reply = self.replies[vf.index()].as_ref();
            if self.scrub.contains(vf) {
                scrub(d, vf, reply.map_or(0, |reply| reply.words().len()));
            }
            match reply {
                Some(reply) => {
                    d.server().answered(vf);
                    send(d, vf, reply.words());
                }
                None => {
                    d.server().answer_read(vf);
                    release(d, vf);
                }
            }
        }
    }
}
