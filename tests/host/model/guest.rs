// SPDX-License-Identifier: GPL-2.0

//! The drivers of VFs there are, as far as the PF can tell them apart: what each sends, and what it makes
//! of the words it reads.
//!
//! From the sources of Linux's igbvf, DPDK's igb VF driver, FreeBSD's of 2026 and before, and iPXE's igbvf.

use igb_core::server::Driver as _;

use super::{
    device::Mac,
    mailbox::v2p,
    scene::Scene, //
};

pub const ACK: u32 = 1 << 31;
pub const NACK: u32 = 1 << 30;
pub const CTS: u32 = 1 << 29;
const RESET: u32 = 1;
const CONTROL: u32 = 0x0100;

/// How a driver takes a message of the PF's that has no CTS and is no refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    /// It waits.
    Waits,
    /// It starts over, or has its application do so, if the word is exactly `0x100`.
    Exact,
    /// It starts over if the lower half is `0x100`.
    LowerHalf,
}

/// How a driver learns whether it may join a VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vlan {
    /// It does not look, or sends no such request.
    Blind,
    /// Refused if the word is `0x4000_0004` but for CTS; else it believes that it is in.
    Refusal,
    /// Granted if the lower half is 4 and ACK is set.
    Grant,
}

/// A driver of a VF.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    pub name: &'static str,
    /// A handshake that is answered with NACK and zeros is a success.
    takes_no_address: bool,
    control: Control,
    vlan: Vlan,
    /// What it uses if it was given no address.
    pub chosen: Mac,
    /// The SET_PROMISC it starts with, whatever its interface is set to.
    promisc: &'static [u32],
    /// Clears its extra addresses when it starts.
    clears: bool,
    /// Sends its list of multicast addresses.
    pub sends_groups: bool,
    /// Says that the list is longer than a message.
    pub says_overflow: bool,
    /// Gives up its address in the end.
    gives_up: bool,
    /// Makes its handshake twice when it is bound, and asks for its address there.
    asks_when_bound: bool,
    /// Frame size that it asks for when it starts, with the usual MTU.
    pub usual: u32,
    /// Largest frame size that it may ask for.
    pub largest: u32,
}

pub const LINUX: Driver = Driver {
    name: "igbvf",
    takes_no_address: true,
    control: Control::Waits,
    vlan: Vlan::Refusal,
    chosen: [0x3a, 0x12, 0, 0, 0, 1],
    promisc: &[],
    clears: true,
    sends_groups: true,
    says_overflow: false,
    gives_up: false,
    asks_when_bound: false,
    usual: 1522,
    largest: 9238,
};
pub const DPDK: Driver = Driver {
    name: "DPDK",
    takes_no_address: true,
    control: Control::Exact,
    vlan: Vlan::Blind,
    chosen: [0x5e, 0x12, 0, 0, 0, 2],
    promisc: &[6],
    clears: false,
    sends_groups: true,
    says_overflow: true,
    gives_up: true,
    asks_when_bound: false,
    usual: 1522,
    largest: 0x3fff + 4,
};
/// Its address is of a vendor, not administered locally.
pub const FREEBSD: Driver = Driver {
    name: "FreeBSD 2026",
    takes_no_address: true,
    control: Control::LowerHalf,
    vlan: Vlan::Grant,
    chosen: [0x58, 0x9c, 0xfc, 0, 0, 3],
    promisc: &[6, 0x2_0006, 0x3_0006],
    clears: false,
    sends_groups: true,
    says_overflow: true,
    gives_up: false,
    asks_when_bound: false,
    usual: 1522,
    largest: 9234,
};
/// It sends what is in its variable when it was given no address.
pub const FREEBSD_OLD: Driver = Driver {
    name: "FreeBSD before",
    takes_no_address: false,
    control: Control::Waits,
    vlan: Vlan::Blind,
    chosen: [0; 6],
    promisc: &[6],
    clears: false,
    sends_groups: true,
    // The bit is lost in the next statement.
    says_overflow: false,
    gives_up: false,
    asks_when_bound: false,
    usual: 1522,
    largest: 9234,
};
/// It asks for an address of zeros when it was given none.
pub const IPXE: Driver = Driver {
    name: "iPXE",
    takes_no_address: false,
    control: Control::Waits,
    vlan: Vlan::Blind,
    chosen: [0; 6],
    promisc: &[],
    clears: false,
    sends_groups: false,
    says_overflow: false,
    gives_up: false,
    asks_when_bound: true,
    usual: 1540,
    largest: 1540,
};
pub const ALL: [Driver; 5] = [LINUX, DPDK, FREEBSD, FREEBSD_OLD, IPXE];

/// What a driver makes of the word in its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Up,
    Down,
    /// It will reset its function and make its handshake again.
    StartsOver,
}

/// A VF with a driver.
pub struct Guest {
    pub driver: Driver,
    vf: usize,
    /// Address that its interface has.
    pub address: Mac,
    given: Option<Mac>,
    /// Requests, and the first words of the answers.
    pub log: Vec<(u32, u32)>,
}

impl Guest {
    pub fn new(driver: Driver, vf: usize) -> Self {
        Self {
            driver,
            vf,
            address: [0; 6],
            given: None,
            log: Vec::new(),
        }
    }

    /// Posts a request, reads the answer, and lets the PF say what it has kept back.
    pub fn ask(&mut self, pf: &mut Scene, words: &[u32]) -> [u32; 3] {
        let vf = self.vf;
        let hw = pf.hw();
        hw.vf_write_control(vf, v2p::VFU);
        for (n, word) in words.iter().enumerate() {
            hw.vf_write_word(vf, n, *word);
        }
        hw.vf_write_control(vf, v2p::REQ);
        pf.work();
        let control = pf.hw().vf_read_control(vf);
        let both = v2p::PFACK | v2p::PFSTS;
        assert_eq!(control & both, both, "{}: {words:x?}", self.driver.name);
        let answer = self.read(pf);
        self.log.push((words[0], answer[0]));
        answer
    }

    /// Reads what is in the mailbox, as it does to look at the link.
    fn read(&self, pf: &mut Scene) -> [u32; 3] {
        let (vf, hw) = (self.vf, pf.hw());
        hw.vf_write_control(vf, v2p::VFU);
        let words = [0, 1, 2].map(|n| hw.vf_word(vf, n));
        hw.vf_write_control(vf, v2p::ACK);
        pf.work();
        words
    }

    /// What the driver concludes from the word it finds, with the port's link up.
    pub fn look(&self, pf: &mut Scene) -> Link {
        let word = self.read(pf)[0];
        let told = match self.driver.control {
            Control::Waits => false,
            Control::Exact => word == CONTROL,
            Control::LowerHalf => word & 0xffff == CONTROL,
        };
        if word & CTS != 0 {
            Link::Up
        } else if word & NACK != 0 || told {
            Link::StartsOver
        } else {
            Link::Down
        }
    }

    /// Resets the function and makes the handshake. Returns whether the driver is content.
    fn handshake(&mut self, pf: &mut Scene) -> bool {
        pf.hw().vf_reset(self.vf);
        pf.work();
        let [verdict, low, high] = self.ask(pf, &[RESET]);
        let words = [low.to_le_bytes(), high.to_le_bytes()];
        let [[a, b, c, d], [e, f, ..]] = words;
        match verdict {
            0x8000_0001 => self.given = Some([a, b, c, d, e, f]),
            0x4000_0001 if self.driver.takes_no_address => {
                assert_eq!((low, high), (0, 0));
                self.given = None;
            }
            0x4000_0001 => return false,
            word => panic!("{}: {word:#x} answers a handshake", self.driver.name),
        }
        true
    }

    /// Asks for its address. If that is refused, it falls back to what it was given.
    fn set_address(&mut self, pf: &mut Scene) {
        let [a, b, c, d, e, f] = self.address;
        let words = [
            2,
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, 0, 0]),
        ];
        let [answer, ..] = self.ask(pf, &words);
        if answer & !CTS == 2 | NACK {
            self.address = self.given.unwrap_or_default();
        }
    }

    /// The driver is bound: a first handshake, to learn its address.
    pub fn bind(&mut self, pf: &mut Scene) -> bool {
        let mut content = self.handshake(pf);
        self.address = self.given.unwrap_or(self.driver.chosen);
        if self.driver.asks_when_bound {
            content = self.handshake(pf);
            self.set_address(pf);
        }
        content
    }

    /// The interface goes up, with `groups` multicast addresses.
    pub fn start(&mut self, pf: &mut Scene, groups: u32) {
        self.handshake(pf);
        self.set_address(pf);
        if self.driver.clears {
            // An address of zero, in four of the five.
            self.ask(pf, &[0x1_0002, 0, 0]);
        }
        if self.driver.sends_groups {
            let longer = groups > 30 && self.driver.says_overflow;
            let info = groups.min(30) | if longer { 0x80 } else { 0 };
            self.ask(pf, &[3 | info << 16, 0x0fff_0010, 0x0123_0456]);
        }
        self.ask(pf, &[5, self.driver.usual]);
        for word in self.driver.promisc {
            self.ask(pf, &[*word]);
        }
    }

    /// The interface goes down for good.
    pub fn stop(&mut self, pf: &mut Scene) {
        self.handshake(pf);
        if self.driver.gives_up {
            self.ask(pf, &[2, 0, 0]);
        }
    }

    /// Joins a VLAN. Returns whether the driver believes that it is in.
    pub fn join(&mut self, pf: &mut Scene, vid: u32) -> bool {
        let [answer, ..] = self.ask(pf, &[0x1_0004, vid]);
        match self.driver.vlan {
            Vlan::Blind => true,
            Vlan::Refusal => answer & !CTS != 4 | NACK,
            Vlan::Grant => answer & 0xffff == 4 && answer & ACK != 0,
        }
    }

    /// Offences counted, and not forgiven.
    pub fn offences(&self, pf: &mut Scene) -> u32 {
        let vf = super::world::vf_index(self.vf as u8);
        pf.switch().status(vf).offences
    }
}
