// SPDX-License-Identifier: GPL-2.0

//! All that can happen between the PF and the drivers of two VFs: every order of their accesses.
//!
//! A state is that of the device, of the VFs' drivers, and where the PF is in one of its
//! [programs](super::program). From each state every access that could be the next one is made. A state
//! that was seen before, by a hash of 64 bits of all of it, is not looked at again, so the search ends
//! when there are no new ones.
//!
//! Accesses that do not concern a VF may change places with its actions. So a VF acts while the PF is at
//! rest, and right before an access that does ([`Register::concerns`]); [`Setup::all_orders`] does
//! without that.

use std::{
    collections::{
        HashMap,
        HashSet, //
    },
    hash::{
        BuildHasherDefault,
        Hash,
        Hasher, //
    },
};

use igb_core::server::WRITING_NS;

use super::{
    digest::{
        Digest,
        Same, //
    },
    mailbox::{
        v2p,
        Hardware,
        Register,
        CTRL_EXT,
        VFS, //
    },
    program::{
        Access,
        Move,
        Node,
        NodeId,
        PfId,
        Programs,
        Scheduled, //
    },
    setup::{
        Role,
        Setup,
        ENDLESS, //
    },
    tenant::{
        act_hostile,
        hostile_actions,
        matters,
        Action,
        Ask,
        Client, //
    },
    watch::{
        Check,
        Watch, //
    },
    world::vf_index,
};

/// Where the PF is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Rest(PfId),
    In(PfId, Move, NodeId),
}

/// Everything that can change.
#[derive(Clone, Copy, Hash)]
pub struct State {
    pub hw: Hardware,
    pub pf: At,
    pub clients: [Client; VFS],
    pub watch: [Watch; VFS],
    pub actions: [u8; VFS],
    pub restarts: [u8; VFS],
    pub looks: u8,
    pub tells: u8,
    pub resets: u8,
    pub releases: u8,
    /// The PF has read MBVFICR in this run.
    pub looked: bool,
    /// Accesses of the PF in this run, but for filter registers.
    pub accesses: u16,
}

/// A step, for the trace.
#[derive(Clone, Copy, Debug)]
enum Did {
    Pf(Move),
    Reads(u32, u32),
    Writes(u32, u32),
    Vf(usize, Action),
}

/// What an exploration has found.
#[derive(Debug)]
pub struct Found {
    pub states: usize,
    /// States of the PF at rest.
    pub rests: usize,
    /// Runs of the server.
    pub runs: usize,
    /// Most accesses of one run but for filter registers, by what it was.
    pub accesses: HashMap<Move, u16>,
    /// States of the PF at rest, with the device's and the clients' if those are all there is, as hashes:
    /// to compare explorations by.
    pub at_rest: HashSet<u64>,
    /// An answer was given up that was not read in time.
    pub expired: bool,
    /// A request was answered that its VF had given up by a reset.
    pub late: bool,
    /// What is wrong, and how it came to that.
    pub violation: Option<(&'static str, String)>,
}

pub struct Explorer {
    pub(super) setup: Setup,
    pub(super) programs: Programs,
    /// What the PF has written when it was started.
    pub(super) registers: HashMap<u32, u32>,
    /// From here on VFs do what their role says; until then all are clients.
    pub(super) booted: bool,
    pub(super) seen: HashSet<u64, BuildHasherDefault<Same>>,
    pub(super) found: Found,
}

impl Explorer {
    pub fn run(setup: Setup) -> Found {
        let mut explorer = Self {
            setup,
            programs: Programs::new(setup.fault),
            registers: HashMap::new(),
            booted: false,
            seen: HashSet::default(),
            found: Found {
                states: 0,
                rests: 0,
                runs: 0,
                accesses: HashMap::new(),
                at_rest: HashSet::new(),
                expired: false,
                late: false,
                violation: None,
            },
        };
        match explorer.boot() {
            Ok(start) => {
                explorer.booted = true;
                explorer.search(start);
            }
            Err(why) => explorer.found.violation = Some((why, "before it begins".into())),
        }
        explorer.found.states = explorer.seen.len();
        explorer.found.rests = explorer.programs.counts().0;
        explorer.found.runs = explorer.programs.runs;
        explorer.found
    }

    fn boot(&mut self) -> Result<State, &'static str> {
        let setup = self.setup;
        let mut hw = Hardware::new(setup.kind);
        hw.hides_link = setup.hides_link;
        let (pf, written) = self
            .programs
            .boot(VFS as u8, setup.policy, setup.rationed, &mut hw);
        self.registers = written;
        let mut state = State {
            hw,
            pf: At::Rest(pf),
            clients: [Client::OFF; VFS],
            watch: [Watch::default(); VFS],
            actions: [ENDLESS; VFS],
            restarts: [0; VFS],
            looks: setup.looks,
            tells: setup.tells,
            resets: setup.resets,
            releases: setup.releases,
            looked: false,
            accesses: 0,
        };
        self.settle(&mut state)?;
        if setup.ready {
            for vf in 0..VFS {
                if setup.roles[vf] != Role::Nobody {
                    self.shake_hands(&mut state, vf)?;
                }
            }
        }
        (state.actions, state.restarts) = (setup.actions, setup.restarts);
        for _ in 0..setup.used {
            self.ask_for_frames(&mut state)?;
        }
        Ok(state)
    }

    /// VF 0 asks for longer frames, with nobody else about.
    fn ask_for_frames(&mut self, state: &mut State) -> Check {
        let (words, len) = Ask::Frame.words(0);
        for (n, word) in words.into_iter().enumerate().take(len) {
            state.hw.vf_write_word(0, n, word);
        }
        state.watch[0].asked = Some(words[0]);
        state.hw.vf_write_control(0, v2p::REQ);
        self.settle(state)?;
        let _ = state.hw.vf_read_control(0);
        state.hw.vf_write_control(0, v2p::ACK);
        state.watch[0].unread_since = None;
        self.settle(state)
    }

    /// The PF does all it has to do, with nobody else about.
    fn settle(&mut self, state: &mut State) -> Check {
        while let Some(what) = self.due(state) {
            let At::Rest(id) = state.pf else {
                unreachable!("in the middle of something");
            };
            self.begin(state, id, what);
            let mut trace = Vec::new();
            while let At::In(..) = state.pf {
                self.advance(state, false, &mut trace)?;
            }
        }
        Ok(())
    }

    /// What the PF does next, if something is to be done.
    pub(super) fn due(&self, state: &State) -> Option<Move> {
        let At::Rest(id) = state.pf else {
            return None;
        };
        let pf = self.programs.pf(id);
        if pf.turn.is_some() || pf.scheduled != Scheduled::No {
            Some(Move::Work)
        } else if state.hw.cause && pf.live {
            Some(Move::Interrupt)
        } else {
            None
        }
    }

    /// VF `vf` makes its handshake with nobody else about.
    fn shake_hands(&mut self, state: &mut State, vf: usize) -> Check {
        let mut actions = Vec::new();
        for _ in 0..100 {
            actions.clear();
            state.clients[vf].actions(&state.hw, vf, false, &mut actions);
            match actions.first() {
                None | Some(Action::Ask(Ask::Frame)) => break,
                Some(action) => self.act(state, vf, *action)?,
            }
            self.settle(state)?;
        }
        let status = match state.pf {
            At::Rest(id) => self.programs.pf(id).switch.status(vf_index(vf as u8)),
            At::In(..) => unreachable!("settled"),
        };
        if !status.open {
            return Err("no handshake");
        }
        Ok(())
    }

    fn search(&mut self, start: State) {
        let mut stack = vec![(start, None, 0)];
        let mut path: Vec<Did> = Vec::new();
        let mut next = Vec::new();
        while let Some((state, did, depth)) = stack.pop() {
            path.truncate(depth);
            path.extend(did);
            if self.seen.len() >= self.setup.states {
                self.found.violation = Some(("too many states", String::new()));
                return;
            }
            next.clear();
            if let Err((why, last)) = self.successors(&state, &mut next) {
                path.extend(last);
                self.found.violation = Some((why, self.tell(&path)));
                return;
            }
            let depth = path.len();
            next.retain(|(state, _)| self.is_new(state));
            stack.extend(next.drain(..).map(|(state, did)| (state, Some(did), depth)));
        }
    }

    fn tell(&self, path: &[Did]) -> String {
        path.iter()
            .map(|did| match did {
                Did::Pf(what) => format!("PF: {what:?}\n"),
                Did::Reads(offset, value) => format!("PF reads {offset:#06x} = {value:#x}\n"),
                Did::Writes(offset, value) => format!("PF writes {offset:#06x} = {value:#x}\n"),
                Did::Vf(vf, action) => format!("    VF {vf}: {action:x?}\n"),
            })
            .collect()
    }

    fn is_new(&mut self, state: &State) -> bool {
        let mut digest = Digest::default();
        state.hash(&mut digest);
        self.seen.insert(digest.finish())
    }

    #[allow(clippy::type_complexity)]
    fn successors(
        &mut self,
        state: &State,
        next: &mut Vec<(State, Did)>,
    ) -> Result<(), (&'static str, Vec<Did>)> {
        match state.pf {
            At::Rest(id) => {
                self.check_rest(state, id).map_err(|why| (why, vec![]))?;
                for what in self.moves(state, id) {
                    let mut after = *state;
                    self.begin(&mut after, id, what);
                    next.push((after, Did::Pf(what)));
                }
            }
            At::In(..) => {
                let mut after = *state;
                let mut trace = Vec::new();
                if let Err(why) = self.advance(&mut after, true, &mut trace) {
                    return Err((why, trace));
                }
                if let Some(did) = trace.first() {
                    next.push((after, *did));
                }
            }
        }
        for vf in 0..VFS {
            if !self.may_act(state, vf) {
                continue;
            }
            let mut actions = Vec::new();
            self.actions(state, vf, &mut actions);
            for action in actions {
                let mut after = *state;
                if let Err(why) = self.act(&mut after, vf, action) {
                    return Err((why, vec![Did::Vf(vf, action)]));
                }
                next.push((after, Did::Vf(vf, action)));
            }
        }
        Ok(())
    }

    /// What the PF may begin.
    fn moves(&self, state: &State, id: PfId) -> Vec<Move> {
        let pf = self.programs.pf(id);
        let mut moves = Vec::new();
        if state.hw.cause && pf.live {
            moves.push(Move::Interrupt);
            if pf.turn.is_some() {
                moves.push(Move::InterruptElsewhere);
            }
        }
        let due = pf.turn.is_some() || pf.scheduled != Scheduled::No;
        let long = matches!(pf.scheduled, Scheduled::After(nanos) if nanos >= WRITING_NS);
        let writing = !self.setup.slow_clients && self.clients().any(|vf| state.hw.held_by_vf(vf));
        if due && !(pf.turn.is_none() && long && writing) {
            moves.push(Move::Work);
        }
        if !pf.live {
            moves.push(Move::Restart);
            return moves;
        }
        // A client takes less time than that to write a message, and so does the PF to serve it.
        let busy = writing || pf.scheduled == Scheduled::Now || state.hw.cause;
        if state.looks > 0 && !busy {
            moves.push(Move::Look);
        }
        if state.tells > 0 {
            moves.push(Move::Tell);
        }
        if state.resets > 0 {
            moves.push(Move::Quiesce);
        }
        if state.releases > 0 && pf.switch.status(vf_index(0)).quarantined {
            moves.push(Move::Release);
        }
        moves
    }

    fn begin(&mut self, state: &mut State, id: PfId, what: Move) {
        match what {
            Move::Look => state.looks -= 1,
            Move::Tell => {
                state.tells -= 1;
                for watch in &mut state.watch {
                    watch.owed = true;
                    watch.look_owed = self.setup.hides_link;
                }
            }
            Move::Quiesce => state.resets -= 1,
            Move::Release => state.releases -= 1,
            Move::Interrupt | Move::InterruptElsewhere | Move::Work | Move::Restart => {}
        }
        state.accesses = 0;
        state.looked = false;
        let node = self.programs.start(id, what, &state.hw);
        state.pf = At::In(id, what, node);
        self.end_of(state, what);
    }

    /// One access of the PF, and those after it that concern no VF.
    fn advance(&mut self, state: &mut State, all: bool, trace: &mut Vec<Did>) -> Check {
        loop {
            let At::In(id, what, node) = state.pf else {
                return Ok(());
            };
            let node = self.access(state, (id, what), node, trace)?;
            state.pf = At::In(id, what, node);
            if self.end_of(state, what) {
                self.check_end(state, what)?;
                return Ok(());
            }
            let concerned = (0..VFS).any(|vf| self.may_act(state, vf));
            if all && concerned {
                return Ok(());
            }
        }
    }

    /// Comes to rest if the program is at its end.
    fn end_of(&mut self, state: &mut State, what: Move) -> bool {
        let At::In(_, _, node) = state.pf else {
            return false;
        };
        let Node::End(id) = *self.programs.node(node) else {
            return false;
        };
        let most = self.found.accesses.entry(what).or_insert(0);
        *most = (*most).max(state.accesses);
        state.accesses = 0;
        state.looked = false;
        state.pf = At::Rest(id);
        true
    }

    /// One access of the PF. Returns where it is then.
    fn access(
        &mut self,
        state: &mut State,
        run: (PfId, Move),
        node: NodeId,
        trace: &mut Vec<Did>,
    ) -> Result<NodeId, &'static str> {
        match *self.programs.node(node) {
            Node::Read { offset, .. } => {
                let value = state.hw.read(offset);
                trace.push(Did::Reads(offset, value));
                self.check(state, run, Access::Read(offset, value))?;
                Ok(self.programs.after_read(node, value, run, &state.hw))
            }
            Node::Write {
                offset,
                value,
                next,
            } => {
                trace.push(Did::Writes(offset, value));
                let before = state.hw;
                state.hw.write(offset, value);
                if run.1 != Move::Restart {
                    self.check_write(state, &before, offset, value)?;
                    if offset == CTRL_EXT {
                        self.check_look(state)?;
                    }
                }
                self.check(state, run, Access::Write(offset, value))?;
                Ok(next)
            }
            Node::End(_) => Err("a run without end"),
        }
    }

    /// Whether it makes a difference that `vf` acts now.
    fn may_act(&self, state: &State, vf: usize) -> bool {
        let queues = self.setup.rich || self.setup.slow_queues;
        if self.setup.roles[vf] == Role::Nobody || state.actions[vf] == 0 && !queues {
            return false;
        }
        let At::In(_, _, node) = state.pf else {
            return true;
        };
        match self.programs.node(node) {
            Node::Read { offset, .. } | Node::Write { offset, .. } => {
                self.setup.all_orders || Register::at(*offset).concerns(vf)
            }
            Node::End(_) => true,
        }
    }

    fn actions(&self, state: &State, vf: usize, out: &mut Vec<Action>) {
        match self.setup.roles[vf] {
            Role::Nobody => {}
            Role::Client => {
                state.clients[vf].actions(&state.hw, vf, state.restarts[vf] > 0, out);
                if self.setup.slow_queues {
                    let runs_on = state.hw.vfs[vf].runs_on;
                    if runs_on || state.hw.uses_queues(vf) {
                        out.push(Action::RunOn(!runs_on));
                    }
                }
            }
            Role::Hostile => {
                let restarts = state.restarts[vf] > 0;
                hostile_actions(&state.hw, vf, restarts, self.setup.rich, out);
                if !self.setup.all_orders {
                    let next = self.next_access(state);
                    out.retain(|action| matters(*action, vf, next));
                }
            }
        }
        // Whether its queues run on is not up to the VF.
        if state.actions[vf] == 0 {
            out.retain(|action| matches!(action, Action::RunOn(_)));
        }
    }

    /// What the PF accesses next, and whether it reads.
    fn next_access(&self, state: &State) -> Option<(Register, bool)> {
        let At::In(_, _, node) = state.pf else {
            return None;
        };
        match self.programs.node(node) {
            Node::Read { offset, .. } => Some((Register::at(*offset), true)),
            Node::Write { offset, .. } => Some((Register::at(*offset), false)),
            Node::End(_) => None,
        }
    }

    fn act(&mut self, state: &mut State, vf: usize, action: Action) -> Check {
        if state.actions[vf] != ENDLESS && !matches!(action, Action::RunOn(_)) {
            state.actions[vf] = state.actions[vf].saturating_sub(1);
        }
        let hostile = self.setup.roles[vf] == Role::Hostile && self.booted;
        if action == Action::Restart {
            state.restarts[vf] = state.restarts[vf].saturating_sub(1);
        }
        if hostile || matches!(action, Action::RunOn(_)) {
            act_hostile(&mut state.hw, vf, action);
            return Ok(());
        }
        if action == Action::UseQueues {
            state.watch[vf].queues = true;
        }
        let seen = state.clients[vf].act(&mut state.hw, vf, action);
        let now = self.now(state);
        Self::note(&mut state.watch[vf], seen, now)
    }

    pub(super) fn now(&self, state: &State) -> u64 {
        match state.pf {
            At::Rest(id) => self.programs.pf(id).now,
            At::In(id, what, _) => self.programs.pf(id).time_in(what),
        }
    }

    /// Remembers a state of the PF at rest.
    pub(super) fn note_rest(&mut self, state: &State, id: PfId) {
        let mut digest = Digest::default();
        self.programs.digest(id).hash(&mut digest);
        if !self.setup.roles.contains(&Role::Hostile) {
            (state.hw, state.clients).hash(&mut digest);
        }
        self.found.at_rest.insert(digest.finish());
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = usize> {
        let roles = self.setup.roles;
        (0..VFS).filter(move |vf| roles[*vf] == Role::Client)
    }
}
