// SPDX-License-Identifier: GPL-2.0

//! What the PF does, as programs: for a state of the PF and something it does, a tree of register
//! accesses that branches by what is read. It is made by running the real server, and kept, so that an
//! explorer can be in the middle of many runs at once.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{
        Hash,
        Hasher, //
    },
};

use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    mailbox::Policy,
    server::Server,
    switch::{
        Promiscuity,
        Shadow,
        Switch, //
    },
};

pub use super::run::{
    Access,
    Move,
    Pf,
    Scheduled,
    TICK, //
};

use super::{
    digest::Digest,
    fault::Fault,
    mailbox::Hardware,
    ops::PF_MAC,
    run::{
        Io,
        Run, //
    },
};

pub type NodeId = u32;
pub type PfId = u32;

/// A place in a program.
#[derive(Clone)]
pub enum Node {
    /// Where it goes on, by what is read.
    Read {
        offset: u32,
        next: Vec<(u32, NodeId)>,
    },
    Write {
        offset: u32,
        value: u32,
        next: NodeId,
    },
    End(PfId),
}

const NOWHERE: NodeId = NodeId::MAX;

/// All programs that were needed so far.
pub struct Programs {
    fault: Fault,
    states: Vec<(Pf, Shadow)>,
    /// Whether registers follow there.
    follow: Vec<bool>,
    /// Their hashes.
    digests: Vec<u64>,
    ids: HashMap<u64, PfId>,
    nodes: Vec<Node>,
    /// Where each is reached from, and by what is read there.
    origins: Vec<(NodeId, u32)>,
    starts: HashMap<(PfId, Move), NodeId>,
    /// Runs of the server.
    pub runs: usize,
}

impl Programs {
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            states: Vec::new(),
            follow: Vec::new(),
            digests: Vec::new(),
            ids: HashMap::new(),
            nodes: Vec::new(),
            origins: Vec::new(),
            starts: HashMap::new(),
            runs: 0,
        }
    }

    /// A PF with `vfs` VFs that has been started on `hw`, and the registers it has written.
    pub fn boot(
        &mut self,
        vfs: u8,
        policy: Policy,
        rationed: bool,
        hw: &mut Hardware,
    ) -> (PfId, HashMap<u32, u32>) {
        let mac = UnicastAddr::new(MacAddr(PF_MAC)).unwrap();
        let mut switch = Switch::new(mac, Promiscuity::PerPool);
        switch.set_nr_vfs(vfs).unwrap();
        switch.set_receive(true);
        switch.set_policy(policy);
        let pf = Pf {
            server: Server::new(hw.hides_link),
            switch,
            now: 100 * TICK,
            live: false,
            scheduled: Scheduled::No,
            turn: None,
            recall_refuses: false,
            rationed,
        };
        let id = self.intern(pf, Shadow::new());
        let mut written = HashMap::new();
        let mut node = self.start(id, Move::Restart, hw);
        loop {
            match &self.nodes[node as usize] {
                Node::End(id) => return (*id, written),
                Node::Write {
                    offset,
                    value,
                    next,
                } => {
                    hw.write(*offset, *value);
                    written.insert(*offset, *value);
                    node = *next;
                }
                Node::Read { offset, next } => {
                    let value = hw.read(*offset);
                    node = next.iter().find(|(read, _)| *read == value).unwrap().1;
                }
            }
        }
    }

    pub fn pf(&self, id: PfId) -> &Pf {
        &self.states[id as usize].0
    }

    pub fn digest(&self, id: PfId) -> u64 {
        self.digests[id as usize]
    }

    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }

    pub fn counts(&self) -> (usize, usize) {
        (self.states.len(), self.nodes.len())
    }

    /// Where the program of `what` begins.
    pub fn start(&mut self, id: PfId, what: Move, hw: &Hardware) -> NodeId {
        if let Some(node) = self.starts.get(&(id, what)) {
            return *node;
        }
        let node = self.extend(id, what, &[], 0, hw);
        self.starts.insert((id, what), node);
        node
    }

    /// Where a program goes on that reads `value` at `node`. If it has not been there, it is run on from
    /// `hw`: what has `happened`, and then as far as it goes with nobody else about.
    pub fn after_read(
        &mut self,
        node: NodeId,
        value: u32,
        (id, what): (PfId, Move),
        hw: &Hardware,
    ) -> NodeId {
        let Node::Read { next, .. } = &self.nodes[node as usize] else {
            panic!("no read");
        };
        if let Some((_, next)) = next.iter().find(|(read, _)| *read == value) {
            return *next;
        }
        let (given, done) = self.happened(node, value);
        let next = self.extend(id, what, &given, done, hw);
        self.origins[next as usize] = (node, value);
        let Node::Read { next: known, .. } = &mut self.nodes[node as usize] else {
            panic!("no read");
        };
        known.push((value, next));
        next
    }

    /// What was read up to and with `value` at `node`, and how many accesses that took.
    fn happened(&self, node: NodeId, value: u32) -> (Vec<u32>, usize) {
        let (mut given, mut done) = (vec![value], 1);
        let mut at = self.origins[node as usize];
        while at.0 != NOWHERE {
            done += 1;
            if let Node::Read { .. } = self.nodes[at.0 as usize] {
                given.push(at.1);
            }
            at = self.origins[at.0 as usize];
        }
        given.reverse();
        (given, done)
    }

    /// Runs the server. Returns the place after the accesses that have been `done`.
    fn extend(
        &mut self,
        id: PfId,
        what: Move,
        given: &[u32],
        done: usize,
        hw: &Hardware,
    ) -> NodeId {
        self.runs += 1;
        let (pf, shadow) = self.states[id as usize].clone();
        let mut run = Run {
            pf,
            shadow,
            given,
            done,
            io: RefCell::new(Io {
                hw: *hw,
                reads: 0,
                log: Vec::new(),
                late: Vec::new(),
                memory: None,
            }),
            fault: self.fault,
        };
        run.make(what);
        let log = run.io.into_inner().log;
        let end = self.intern(run.pf, run.shadow);
        let mut next = self.add(Node::End(end));
        for access in log[done..].iter().rev() {
            let before = next;
            next = self.add(match *access {
                Access::Read(offset, value) => Node::Read {
                    offset,
                    next: vec![(value, next)],
                },
                Access::Write(offset, value) => Node::Write {
                    offset,
                    value,
                    next,
                },
            });
            let read = match *access {
                Access::Read(_, value) => value,
                Access::Write(..) => 0,
            };
            self.origins[before as usize] = (next, read);
        }
        next
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = self.nodes.len() as NodeId;
        assert_ne!(id, NOWHERE);
        self.nodes.push(node);
        self.origins.push((NOWHERE, 0));
        id
    }

    fn intern(&mut self, pf: Pf, shadow: Shadow) -> PfId {
        let mut hasher = Digest::default();
        // Where they do not, it is another state: what is known of the registers is no part of the PF.
        let follow = follows(&pf, &shadow);
        (&pf, follow).hash(&mut hasher);
        let next = self.states.len() as PfId;
        let digest = hasher.finish();
        let id = *self.ids.entry(digest).or_insert(next);
        if id == next {
            self.digests.push(digest);
            self.follow.push(follow);
            self.states.push((pf, shadow));
        }
        id
    }

    /// Whether the filter registers are known to be what the switch of a live PF stands for.
    pub fn follows(&self, id: PfId) -> bool {
        self.follow[id as usize]
    }
}

fn follows(pf: &Pf, shadow: &Shadow) -> bool {
    let mut writes = 0;
    let (mut shadow, mut switch) = (shadow.clone(), pf.switch.clone());
    shadow.follow(&mut switch, |_, _| writes += 1);
    !pf.live || writes == 0
}
