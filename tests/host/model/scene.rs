// SPDX-License-Identifier: GPL-2.0

//! The server with a device, step by step: for what depends on how much time passes.

use std::cell::RefCell;

use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    function::{
        VfIndex,
        VfSet, //
    },
    mailbox::msg::Words,
    regs::Registers,
    server::{
        Driver,
        Next,
        Server,
        Step,
        Turn, //
    },
    switch::{
        Event,
        Outcome,
        Promiscuity,
        Shadow,
        Switch, //
    },
};

use super::{
    mailbox::{
        v2p,
        Hardware,
        Kind,
        CTRL_EXT,
        CTRL_EXT_PFRSTD,
        VFS, //
    },
    ops::PF_MAC,
    setup::GENEROUS,
};

/// The PF, and the device it drives.
pub struct Scene {
    pub now: u64,
    pub switch: Switch,
    server: Server,
    shadow: Shadow,
    hw: RefCell<Hardware>,
}

impl Scene {
    /// A PF that is in service, and VFs that nobody drives.
    pub fn start() -> Self {
        Self::of(false)
    }

    /// The same, with a controller that hides changes of the link from VFs if so told.
    pub fn of(hides_link: bool) -> Self {
        let mac = UnicastAddr::new(MacAddr(PF_MAC)).unwrap();
        let mut switch = Switch::new(mac, Promiscuity::PerPool);
        switch.set_nr_vfs(VFS as u8).unwrap();
        switch.set_receive(true);
        switch.set_policy(GENEROUS);
        let mut scene = Self {
            now: 1_000_000_000,
            switch,
            server: Server::new(hides_link),
            shadow: Shadow::new(),
            hw: RefCell::new(Hardware::new(Kind::Hardware)),
        };
        scene.apply();
        scene.hw().write(CTRL_EXT, CTRL_EXT_PFRSTD);
        scene
    }

    pub fn hw(&mut self) -> &mut Hardware {
        self.hw.get_mut()
    }

    /// `vf` is reset with its mailbox held.
    pub fn reset_held(&mut self, vf: usize) {
        self.hw().vf_write_control(vf, v2p::VFU);
        self.hw().vf_reset(vf);
    }

    /// The link has changed for all VFs. Returns whether the work item is to run.
    pub fn show_link(&mut self) -> bool {
        Server::show_link(self, VfSet::first(VFS as u8))
    }

    /// VFs came or went.
    pub fn begin(&mut self) {
        Server::begin(self);
    }

    /// One run of the work item. Returns when it is to run again.
    pub fn work(&mut self) -> Next {
        let mut turn = Turn::new();
        loop {
            match turn.after(Server::work(self)) {
                Step::Round => {}
                Step::Done(next) => return next,
                step => panic!("{step:?} with queues at rest"),
            }
        }
    }
}

impl Registers for Scene {
    fn read_at(&self, offset: u32) -> u32 {
        self.hw.borrow_mut().read(offset)
    }

    fn write_at(&self, offset: u32, value: u32) {
        self.hw.borrow_mut().write(offset, value);
    }
}

impl Driver for Scene {
    fn now(&self) -> u64 {
        self.now
    }

    fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    fn switch(&mut self) -> &mut Switch {
        &mut self.switch
    }

    fn shadow(&mut self) -> &mut Shadow {
        &mut self.shadow
    }

    fn apply(&mut self) {
        let hw = self.hw.get_mut();
        let write = |offset, value| hw.write(offset, value);
        self.shadow.follow(&mut self.switch, write);
    }

    fn read_counters(&mut self, _vf: VfIndex) {}

    fn on_reset(&mut self, _vf: VfIndex) {}

    fn on_message(&mut self, _vf: VfIndex, _words: &Words, _outcome: &Outcome) {}

    fn on_event(&mut self, _vf: VfIndex, _event: Event) {}
}
