// SPDX-License-Identifier: GPL-2.0

//! The server, run once: the PF does something from beginning to end, with what it reads given, and what
//! it accesses is noted.

use std::cell::RefCell;

use igb_core::{
    function::{
        VfIndex,
        VfSet, //
    },
    mailbox::msg::Words,
    regs::Registers,
    server::{
        Driver,
        Next,
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
    },
    tenant,
};

use super::{
    fault::Fault,
    mailbox::{
        Hardware,
        CTRL,
        CTRL_EXT,
        CTRL_EXT_PFRSTD,
        CTRL_RST,
        ICR, //
    },
};

/// Time between two looks at VFs that read no answers, in nanoseconds.
pub const TICK: u64 = 750_000_000;

/// When the work item looks at queues again that run on, in nanoseconds.
const STUCK: u64 = 100_000_000;

/// Something the PF does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// The interrupt of the mailboxes.
    Interrupt,
    /// The same while the work item runs on another CPU.
    InterruptElsewhere,
    /// A round of the work item.
    Work,
    /// A second passes, and VFs are looked after.
    Look,
    /// The link has changed: all VFs are told.
    Tell,
    /// The controller stops, and VFs are told.
    Quiesce,
    /// The controller is reset.
    Restart,
    /// The administrator lets VF 0 back, if it is cut off.
    Release,
}

/// When the work item runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheduled {
    No,
    Now,
    After(u64),
}

/// The state of the PF, but for the device.
#[derive(Clone, Hash)]
pub struct Pf {
    pub server: Server,
    pub switch: Switch,
    pub now: u64,
    pub live: bool,
    pub scheduled: Scheduled,
    /// The work item has begun.
    pub turn: Option<Turn>,
    /// The next word for VFs that have to come back is a refusal.
    pub(super) recall_refuses: bool,
    /// Rations stay used up; else they are renewed all the time, as if they were endless.
    pub(super) rationed: bool,
}

impl Pf {
    /// The time while it does `what`. Waiting for queues that run on is no time that passes, or there
    /// would be no end.
    pub fn time_in(&self, what: Move) -> u64 {
        match (what, self.scheduled) {
            (Move::Look, _) => self.now + TICK,
            (Move::Work, Scheduled::After(nanos)) if self.turn.is_none() && nanos < STUCK => {
                self.now + nanos
            }
            _ => self.now,
        }
    }
}

/// One access of the PF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read(u32, u32),
    Write(u32, u32),
}

/// The PF in the middle of something: what it has read is given, what it reads from then on is what the
/// device says.
pub(super) struct Run<'a> {
    pub(super) pf: Pf,
    pub(super) shadow: Shadow,
    pub(super) given: &'a [u32],
    /// Accesses that have happened to the device already.
    pub(super) done: usize,
    pub(super) io: RefCell<Io>,
    pub(super) fault: Fault,
}

pub(super) struct Io {
    pub(super) hw: Hardware,
    pub(super) reads: usize,
    pub(super) log: Vec<Access>,
    /// Writes that a fault puts off.
    pub(super) late: Vec<(u32, u32)>,
    /// What a fault remembers.
    pub(super) memory: Option<u32>,
}

impl Run<'_> {
    fn raw_read(&self, offset: u32) -> u32 {
        let mut io = self.io.borrow_mut();
        let io = &mut *io;
        let value = match self.given.get(io.reads) {
            Some(value) => *value,
            None => io.hw.read(offset),
        };
        io.reads += 1;
        io.log.push(Access::Read(offset, value));
        value
    }

    fn raw_write(&self, offset: u32, value: u32) {
        let mut io = self.io.borrow_mut();
        let io = &mut *io;
        if io.log.len() >= self.done {
            io.hw.write(offset, value);
        }
        io.log.push(Access::Write(offset, value));
    }

    fn put_off(&self, offset: u32, value: u32) {
        self.io.borrow_mut().late.push((offset, value));
    }

    fn write_late(&self) {
        let late = std::mem::take(&mut self.io.borrow_mut().late);
        for (offset, value) in late {
            self.raw_write(offset, value);
        }
    }
}

impl Registers for Run<'_> {
    fn read_at(&self, offset: u32) -> u32 {
        let remembered = self.io.borrow().memory;
        let read = |offset| self.raw_read(offset);
        let (value, memory) = self.fault.read(offset, remembered, read);
        self.io.borrow_mut().memory = memory;
        value
    }

    fn write_at(&self, offset: u32, value: u32) {
        let write = |offset, value| self.raw_write(offset, value);
        if self.fault.puts_off(offset) {
            self.put_off(offset, value);
            return;
        }
        self.fault.write(offset, value, write);
        if self.fault.ends_delay(offset, value) {
            self.write_late();
        }
    }
}

impl Driver for Run<'_> {
    fn now(&self) -> u64 {
        self.fault.time(self.pf.now)
    }

    fn server(&mut self) -> &mut Server {
        &mut self.pf.server
    }

    fn switch(&mut self) -> &mut Switch {
        &mut self.pf.switch
    }

    fn shadow(&mut self) -> &mut Shadow {
        &mut self.shadow
    }

    fn apply(&mut self) {
        let before = self.shadow.clone();
        let mut writes = Vec::new();
        self.shadow.follow(&mut self.pf.switch, |offset, value| {
            writes.push((offset, value))
        });
        if self.fault.drops(!before.is_unknown(), &writes) {
            self.shadow = before;
            return;
        }
        for (offset, value) in writes {
            self.write_at(offset, value);
        }
    }

    fn read_counters(&mut self, _vf: VfIndex) {}

    fn on_reset(&mut self, _vf: VfIndex) {}

    fn on_message(&mut self, _vf: VfIndex, _words: &Words, _outcome: &Outcome) {}

    fn on_event(&mut self, _vf: VfIndex, _event: Event) {}
}

impl Run<'_> {
    pub(super) fn make(&mut self, what: Move) {
        self.pf.now = self.pf.time_in(what);
        match what {
            Move::Interrupt => self.interrupt(),
            Move::InterruptElsewhere => {
                let _ = self.raw_read(ICR);
                self.schedule(Scheduled::Now);
            }
            Move::Work => self.work(),
            Move::Look => {
                self.pf.recall_refuses = !self.pf.recall_refuses;
                Server::tell_silent(self);
                let refuses = self.pf.recall_refuses;
                Server::recall(self, refuses);
            }
            Move::Tell => {
                let vfs = self.pf.switch.vfs();
                if Server::show_link(self, vfs) {
                    self.schedule(Scheduled::Now);
                }
            }
            Move::Quiesce => {
                self.pf.switch.on_pf_reset();
                Server::announce_reset(self);
                self.pf.live = false;
                self.pf.scheduled = Scheduled::No;
            }
            Move::Restart => self.restart(),
            Move::Release => {
                let vf = VfIndex::new(0).unwrap();
                if self.pf.switch.release(vf) {
                    self.pf.server.on_new_tenant(vf);
                    self.schedule(Scheduled::Now);
                }
                self.apply();
                let mut one = VfSet::EMPTY;
                one.insert(vf);
                if Server::show_link(self, one) {
                    self.schedule(Scheduled::Now);
                }
            }
        }
        self.write_late();
        if !self.pf.rationed {
            self.pf.server.renew_rations();
        }
    }

    fn interrupt(&mut self) {
        let _ = self.raw_read(ICR);
        if !self.pf.live {
            return;
        }
        if Server::woken(self) {
            self.schedule(Scheduled::Now);
        }
        if self.fault == Fault::ServesTwice {
            let _ = Server::interrupt(self);
        }
        if Server::interrupt(self) == Served::Part {
            self.schedule(Scheduled::After(0));
        }
    }

    fn schedule(&mut self, when: Scheduled) {
        let scheduled = &mut self.pf.scheduled;
        *scheduled = match (*scheduled, when) {
            (_, Scheduled::Now) | (Scheduled::No, Scheduled::After(0)) => Scheduled::Now,
            (Scheduled::No, when) => when,
            (before, _) => before,
        };
    }

    /// A round, as the work item makes one after the other.
    fn work(&mut self) {
        let mut turn = self.pf.turn.take().unwrap_or_else(|| {
            self.pf.scheduled = Scheduled::No;
            Turn::new()
        });
        let rest = if self.pf.live {
            Server::work(self)
        } else {
            None
        };
        let next = match turn.after(rest) {
            Step::Round => {
                self.pf.turn = Some(turn);
                return;
            }
            Step::RoundAfter(_) => {
                self.pf.turn = Some(turn);
                return;
            }
            Step::Stuck(vfs, next) => {
                Server::note_stuck(self, vfs);
                next
            }
            Step::Done(next) => next,
        };
        match next {
            Next::Interrupt => {}
            Next::Now => self.schedule(Scheduled::Now),
            Next::After(nanos) => self.schedule(Scheduled::After(nanos)),
        }
    }

    fn restart(&mut self) {
        self.raw_write(CTRL, CTRL_RST);
        for vf in self.pf.switch.vfs().iter() {
            tenant::clear(vf, self);
        }
        self.shadow.forget();
        self.pf.switch.on_pf_reset();
        self.pf.server.on_controller_reset();
        self.pf.live = true;
        self.apply();
        self.raw_write(CTRL_EXT, CTRL_EXT_PFRSTD);
        self.schedule(Scheduled::Now);
    }
}
