// SPDX-License-Identifier: GPL-2.0

//! What has to hold, in whatever order things happen.

use igb_core::server::{
    UNREAD_NS,
    WRITING_NS, //
};

use super::{
    explore::{
        At,
        Explorer,
        State, //
    },
    mailbox::{
        p2v,
        v2p,
        Hardware,
        Register,
        CTRL,
        VFS, //
    },
    program::{
        Access,
        Move,
        PfId, //
    },
    setup::Role,
    tenant::{
        address,
        answers,
        grants,
        is_clear_to_send,
        is_control,
        Seen,
        FRAME, //
    },
    world::vf_index,
};

/// What is wrong, if something is.
pub type Check = Result<(), &'static str>;

/// Accesses that a run takes at most, but for filter registers: a few, and some for each VF, of which
/// most are to clear what its tenant has left, twice if it was let back with a handshake pending.
const MOST_ACCESSES: u16 = 8 + 150 * VFS as u16;

/// What is known of a VF that follows the protocol, from what it and the PF did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Watch {
    /// First word of a request that was not answered.
    pub asked: Option<u32>,
    /// The same, of one that the VF has given up by a reset.
    pub dropped: Option<u32>,
    /// A reset of the PF has wiped out that one.
    pub wiped: bool,
    /// When an answer was written that the VF has not read.
    pub unread_since: Option<u64>,
    /// A handshake that it has given up was made.
    pub let_in: bool,
    /// What was granted.
    pub open: bool,
    pub frame: bool,
    pub address: bool,
    pub queues: bool,
    /// It is to be told something.
    pub owed: bool,
    /// It is to be made to look, too.
    pub look_owed: bool,
    /// Its function was reset, and it has made no handshake since.
    pub reset_at: Option<u64>,
    /// What it was writing may have been cleared, as it took so long after a reset.
    pub disturbed: bool,
    /// That has happened to it, or the PF has read a request that a reset has cut short.
    pub excused: bool,
    /// Its request was there when the PF looked.
    pub waiting: bool,
    /// Answers in this run of the PF.
    pub answers: u8,
}

impl Explorer {
    /// A client did something.
    pub(super) fn note(watch: &mut Watch, seen: Seen, now: u64) -> Check {
        match seen {
            Seen::Nothing => {}
            Seen::Rang(word0) => {
                if watch.asked.is_some() && !watch.disturbed {
                    return Err("a client asks twice");
                }
                watch.asked = Some(word0);
                watch.dropped = None;
                watch.wiped = false;
            }
            Seen::Acknowledged => watch.unread_since = None,
            Seen::Reset => {
                *watch = Watch {
                    dropped: watch.asked.or(watch.dropped),
                    wiped: watch.wiped || watch.disturbed,
                    owed: watch.owed,
                    look_owed: watch.look_owed,
                    reset_at: Some(now),
                    excused: watch.excused || watch.asked.or(watch.dropped).is_some(),
                    ..Watch::default()
                };
            }
            Seen::Read { word0, made, .. }
                if made && watch.open && !watch.disturbed && !is_clear_to_send(word0) =>
            {
                return Err("a client that is made to look finds its link down");
            }
            Seen::Read { made: true, .. } => {}
            Seen::Read { word0, asked, .. } => {
                let in_time = watch
                    .unread_since
                    .is_some_and(|since| now - since < UNREAD_NS);
                if let Some(asked) = asked {
                    let wrong = !answers(word0, asked) && !watch.disturbed;
                    if wrong && (in_time || watch.asked.is_some()) {
                        return Err("a client does not find the answer it was told of");
                    }
                } else if !is_control(word0) && !watch.disturbed {
                    return Err("a client finds an answer to nothing");
                }
            }
        }
        Ok(())
    }

    pub(super) fn check(&mut self, state: &mut State, run: (PfId, Move), access: Access) -> Check {
        let filters = matches!(access, Access::Write(offset, _)
            if matches!(Register::at(offset), Register::Other | Register::Pool(_) | Register::Address(..)));
        if !filters {
            state.accesses += 1;
        }
        if state.accesses > MOST_ACCESSES {
            return Err("a run takes too long");
        }
        match access {
            Access::Read(offset, _)
                if Register::at(offset) == Register::Causes && !state.looked =>
            {
                state.looked = true;
                for vf in self.clients() {
                    let pending = state.hw.has_request(vf) && !state.hw.reset_pending(vf);
                    let watch = &mut state.watch[vf];
                    watch.waiting = watch.asked.is_some() && pending;
                }
            }
            Access::Write(offset, value) => {
                if let Register::Control(vf) = Register::at(offset) {
                    let client = self.setup.roles[vf] == Role::Client;
                    if client && value & p2v::STS != 0 {
                        let now = self.now(state);
                        if run.1 == Move::Quiesce {
                            // The PF is about to be reset, and drops what it was about.
                            let watch = &mut state.watch[vf];
                            (watch.disturbed, watch.excused) = (true, true);
                        }
                        self.check_message(state, vf, now)?;
                    }
                }
                if offset == CTRL {
                    for (watch, client) in state.watch.iter_mut().zip(&state.clients) {
                        *watch = Watch {
                            dropped: watch.asked.or(watch.dropped),
                            wiped: true,
                            reset_at: watch.reset_at,
                            disturbed: watch.asked.is_some() || !client.is_idle(),
                            excused: true,
                            ..Watch::default()
                        };
                    }
                }
            }
            Access::Read(..) => {}
        }
        Ok(())
    }

    /// The PF has written a register.
    pub(super) fn check_write(
        &self,
        state: &mut State,
        before: &Hardware,
        offset: u32,
        value: u32,
    ) -> Check {
        match Register::at(offset) {
            Register::Memory(vf, _) => {
                if self.setup.roles[vf] != Role::Client {
                    return Ok(());
                }
                let watch = &state.watch[vf];
                if !before.held_by_pf(vf) {
                    self.check_taken(state, vf)?;
                } else if before.has_request(vf) && watch.asked.is_some() && !watch.disturbed {
                    return Err("a request is overwritten");
                }
            }
            Register::Control(vf) if value & p2v::RVFU != 0 && before.held_by_vf(vf) => {
                if self.setup.roles[vf] == Role::Client {
                    self.check_taken(state, vf)?;
                }
            }
            Register::Enables => {
                let known = self.registers.get(&offset);
                let others = !((1 << VFS) - 1);
                if known.is_some_and(|known| (known ^ value) & others != 0) {
                    return Err("somebody else is enabled or disabled");
                }
            }
            Register::Pool(vf) | Register::Address(vf, _)
                if self.setup.roles[vf] == Role::Nobody =>
            {
                if self.registers.get(&offset) != Some(&value) {
                    return Err("a register of nobody changes");
                }
            }
            // EITR of the mailboxes' vector.
            Register::Other if offset != 0x1680 => {
                let known = self.registers.get(&offset);
                if known != Some(&value) && !self.registers.is_empty() {
                    return Err("a register of somebody else changes");
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The PF makes all VFs look.
    pub(super) fn check_look(&self, state: &mut State) -> Check {
        for vf in self.clients() {
            let word0 = state.hw.vf_word(vf, 0);
            let watch = &mut state.watch[vf];
            if !watch.owed {
                watch.look_owed = false;
            }
            if !watch.open || watch.disturbed || !state.clients[vf].is_idle() {
                continue;
            }
            if state.hw.held_by_pf(vf) {
                return Err("a VF is made to look while the PF has its mailbox");
            }
            if !state.hw.reset_pending(vf) && !is_clear_to_send(word0) {
                return Err("a VF is made to look before it was told");
            }
        }
        Ok(())
    }

    /// The PF does not heed that a client holds the mailbox.
    fn check_taken(&self, state: &mut State, vf: usize) -> Check {
        let now = self.now(state);
        let watch = &mut state.watch[vf];
        let long = watch.reset_at.is_some_and(|at| now >= at + WRITING_NS);
        if !long && !self.setup.slow_clients {
            return Err("a mailbox is taken away from a VF that follows the protocol");
        }
        (watch.disturbed, watch.excused) = (true, true);
        Ok(())
    }

    /// The PF tells a client that there is a message.
    fn check_message(&mut self, state: &mut State, vf: usize, now: u64) -> Check {
        let word0 = state.hw.vf_word(vf, 0);
        let hw = state.hw;
        let watch = &mut state.watch[vf];
        if is_control(word0) {
            if watch.asked.is_some() && !watch.disturbed {
                return Err("something else is written in place of an answer");
            }
            if watch
                .unread_since
                .is_some_and(|since| now - since < UNREAD_NS)
                && !watch.disturbed
            {
                return Err("an answer is overwritten that was not read");
            }
            watch.owed = false;
            self.found.expired |= watch.unread_since.take().is_some() && !watch.disturbed;
            return Ok(());
        }
        if watch.disturbed && !watch.asked.is_some_and(|asked| answers(word0, asked)) {
            watch.asked = None;
            watch.let_in |= answers(word0, 1) && grants(word0);
            return Ok(());
        }
        watch.answers += 1;
        let Some(asked) = watch.asked.take() else {
            let dropped = watch.dropped.take();
            let wiped = watch.wiped;
            return if wiped || dropped.is_some_and(|dropped| answers(word0, dropped)) {
                watch.answers -= 1;
                self.found.late = true;
                watch.let_in = grants(word0) && dropped == Some(1);
                Ok(())
            } else {
                Err("a request is answered twice")
            };
        };
        watch.unread_since = Some(now);
        if !answers(word0, asked) {
            return Err("a request gets the answer to another");
        }
        watch.waiting = false;
        if !grants(word0) {
            return Ok(());
        }
        match asked {
            1 => {
                *watch = Watch {
                    open: true,
                    unread_since: watch.unread_since,
                    owed: watch.owed,
                    look_owed: watch.look_owed,
                    answers: watch.answers,
                    excused: watch.excused,
                    ..Watch::default()
                };
                if hw.queues_run(vf) || hw.vfs[vf].write_back != 0 || hw.last_word(vf) != 0 {
                    return Err("something of the tenant before is left");
                }
            }
            5 => watch.frame = true,
            _ => watch.address = true,
        }
        Self::check_in_force(&hw, watch, vf)
            .map_err(|_| "a request is granted before it is in force")
    }

    /// What was granted is in force.
    fn check_in_force(hw: &Hardware, watch: &Watch, vf: usize) -> Check {
        let v = &hw.vfs[vf];
        let frame = if watch.frame { FRAME } else { 1522 };
        let [low, high] = if watch.address {
            let [low, high] = address(vf);
            [low, 1 << 31 | 1 << (18 + vf) | high]
        } else {
            [0, 0]
        };
        let right = hw.is_enabled(vf) == (true, true)
            && v.vmolr & 0x3fff == frame
            && v.address == [low, high]
            && (!watch.queues || hw.uses_queues(vf) || v.runs_on);
        if watch.open && !right {
            return Err("what was granted is not in force any more");
        }
        Ok(())
    }

    /// A run of the PF has ended.
    pub(super) fn check_end(&mut self, state: &mut State, what: Move) -> Check {
        let At::Rest(id) = state.pf else {
            return Ok(());
        };
        if !self.programs.follows(id) {
            return Err("registers do not follow");
        }
        let served = matches!(what, Move::Interrupt | Move::Work);
        for vf in self.clients() {
            let watch = &mut state.watch[vf];
            if watch.answers > 1 {
                return Err("a VF is served twice in a round");
            }
            let has_to_wait = self.setup.has_limits() || self.setup.slow_queues;
            let has_to_wait = has_to_wait || watch.disturbed;
            if served && watch.waiting && watch.asked.is_some() && !has_to_wait {
                return Err("a VF is passed over in a round");
            }
            watch.answers = 0;
            watch.waiting = false;
        }
        Ok(())
    }

    pub(super) fn check_rest(&mut self, state: &State, id: PfId) -> Check {
        self.note_rest(state, id);
        let pf = self.programs.pf(id);
        for vf in self.clients() {
            let watch = &state.watch[vf];
            if !state.hw.reset_pending(vf) && pf.live {
                Self::check_in_force(&state.hw, watch, vf)?;
            }
            let status = pf.switch.status(vf_index(vf as u8));
            if status.offences != 0 && !watch.excused && !self.setup.has_limits() {
                return Err("a VF that follows the protocol is blamed");
            }
            let quiet = self.due(state).is_none() && pf.live;
            if !quiet {
                continue;
            }
            if watch.asked.is_some() && !watch.disturbed {
                return Err("a request is lost");
            }
            if status.open && !watch.open && !watch.let_in {
                return Err("a reset is lost");
            }
            let busy = !state.clients[vf].is_idle() || state.hw.vf_control(vf) & v2p::PFSTS != 0;
            if watch.owed && !busy {
                return Err("what a VF was to be told is lost");
            }
            if watch.look_owed && state.clients[vf].is_idle() {
                return Err("a VF is not made to look");
            }
        }
        Ok(())
    }
}
