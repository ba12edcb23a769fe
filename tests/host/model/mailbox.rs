// SPDX-License-Identifier: GPL-2.0

//! The mailboxes of two VFs, and the registers that say whether an answer is true.
//!
//! Written from the description of the hardware, in numbers, on purpose: it shares no definition with
//! the crate it checks. [`Kind`] says where QEMU's model differs.

/// VFs that are modelled.
pub const VFS: usize = 2;

/// Which of two devices it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 82576 as documented: RVFU takes the mailbox away from the VF.
    Hardware,
    /// QEMU's model: after RVFU the VF no longer sees VFU, but the PF does, and cannot take the mailbox
    /// until the VF has written its control register.
    Qemu,
}

// Offsets in the PF's address space.
pub const CTRL: u32 = 0x0000;
pub const CTRL_EXT: u32 = 0x0018;
pub const ICR: u32 = 0x1500;
pub const VMBMEM: u32 = 0x0800;
pub const P2VMAILBOX: u32 = 0x0c00;
pub const MBVFICR: u32 = 0x0c80;
pub const VFLRE: u32 = 0x0c88;
pub const VFRE: u32 = 0x0c8c;
pub const VFTE: u32 = 0x0c90;
pub const LVMMC: u32 = 0x3548;
pub const WVBR: u32 = 0x3554;

pub const CTRL_RST: u32 = 1 << 26;
pub const CTRL_EXT_PFRSTD: u32 = 1 << 14;
pub const ICR_VMMB: u32 = 1 << 8;

/// Bits of P2VMAILBOX, as the PF has it.
pub mod p2v {
    pub const STS: u32 = 1 << 0;
    pub const ACK: u32 = 1 << 1;
    pub const VFU: u32 = 1 << 2;
    pub const PFU: u32 = 1 << 3;
    pub const RVFU: u32 = 1 << 4;
}

/// Bits of V2PMAILBOX, as the VF has it.
pub mod v2p {
    pub const REQ: u32 = 1 << 0;
    pub const ACK: u32 = 1 << 1;
    pub const VFU: u32 = 1 << 2;
    pub const PFU: u32 = 1 << 3;
    pub const PFSTS: u32 = 1 << 4;
    pub const PFACK: u32 = 1 << 5;
    pub const RSTI: u32 = 1 << 6;
    pub const RSTD: u32 = 1 << 7;
    /// Cleared by the VF's reading.
    pub const READ_TO_CLEAR: u32 = PFSTS | PFACK | RSTD;
}

/// Enable bit of RXDCTL and TXDCTL.
pub const QUEUE_ENABLE: u32 = 1 << 25;

/// Words of the mailbox memory that are told apart: those of a short message, and the last one, which
/// stands for all others.
const WORDS: usize = 4;

/// One mailbox and what belongs to its VF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Vf {
    memory: [u32; WORDS],
    /// The PF's register: VFU, PFU.
    p2v: u32,
    /// The VF's register: all but what it writes to have something done.
    v2p: u32,
    /// Queues that are enabled: RXDCTL v, TXDCTL v, RXDCTL v + 8, TXDCTL v + 8.
    queues: u8,
    /// Queues run on when they are disabled.
    pub runs_on: bool,
    /// TDWBAL of queue v: what a tenant leaves.
    pub write_back: u32,
    /// VMOLR.
    pub vmolr: u32,
    /// RAL and RAH of the VF's address.
    pub address: [u32; 2],
}

/// The device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hardware {
    kind: Kind,
    /// A message raises the wrong interrupt of a VF: its driver looks when RSTD is set.
    pub hides_link: bool,
    pub vfs: [Vf; VFS],
    /// MBVFICR.
    causes: u32,
    /// VFLRE.
    resets: u32,
    /// ICR.VMMB: an interrupt of the PF is pending.
    pub cause: bool,
    pub vfre: u32,
    pub vfte: u32,
    /// LVMMC and WVBR: for which queues the controller raises an interrupt.
    pub behavior: [u32; 2],
}

/// What an offset is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Register {
    Control(usize),
    Memory(usize, usize),
    Causes,
    Resets,
    Enables,
    Cause,
    /// Reset of the controller, and its end.
    PfReset,
    /// RXDCTL or TXDCTL, by the number of its bit in `queues`.
    Queue(usize, u8),
    WriteBack(usize),
    Pool(usize),
    Address(usize, usize),
    /// Another register that a tenant can write.
    Tenant(usize),
    /// LVMMC and WVBR, by place in `behavior`.
    Behavior(usize),
    /// All others.
    Other,
}

impl Register {
    pub fn at(offset: u32) -> Self {
        let element = |base: u32, stride: u32| ((offset - base) / stride) as usize;
        let own = |vf: usize, register: Self| if vf < VFS { register } else { Self::Other };
        match offset {
            CTRL | CTRL_EXT => Self::PfReset,
            ICR => Self::Cause,
            MBVFICR => Self::Causes,
            VFLRE => Self::Resets,
            VFRE | VFTE => Self::Enables,
            LVMMC => Self::Behavior(0),
            WVBR => Self::Behavior(1),
            0x0800..=0x09ff => {
                let vf = element(VMBMEM, 64);
                own(vf, Self::Memory(vf, element(VMBMEM, 4) % 16))
            }
            0x0c00..=0x0c1f => own(
                element(P2VMAILBOX, 4),
                Self::Control(element(P2VMAILBOX, 4)),
            ),
            0x5ad0..=0x5aef => own(element(0x5ad0, 4), Self::Pool(element(0x5ad0, 4))),
            // Address 23 is VF 0's, 22 is VF 1's.
            0x5510..=0x551f => Self::Address(1 - element(0x5510, 8), element(0x5510, 4) % 2),
            0xc000..=0xc3ff | 0xe000..=0xe3ff => Self::of_queue(offset),
            0x1_0000..=0x1_07ff => own(
                element(0x1_0000, 0x100),
                Self::Tenant(element(0x1_0000, 0x100)),
            ),
            0x1700..=0x171f | 0x5480..=0x549f | 0x1_1700..=0x1_173f => {
                let vf = (offset >> 2 & 7) as usize;
                own(vf, Self::Tenant(vf))
            }
            0x1690..=0x16e3 => {
                let vf = (24 - element(0x1680, 4)) / 3;
                own(vf, Self::Tenant(vf))
            }
            _ => Self::Other,
        }
    }

    fn of_queue(offset: u32) -> Self {
        let queue = (offset >> 6 & 15) as usize;
        let (vf, second) = (queue % 8, queue as u8 / 8);
        let sends = u8::from(offset & 0x2000 != 0);
        match offset & 0x3f {
            _ if vf >= VFS => Self::Other,
            0x28 => Self::Queue(vf, 2 * second + sends),
            0x38 if sends == 1 && second == 0 => Self::WriteBack(vf),
            _ => Self::Tenant(vf),
        }
    }

    /// Whether something VF `vf` does can change what is read here, or whether what is written here
    /// changes what the VF finds. All other accesses may change places with its actions.
    pub fn concerns(self, vf: usize) -> bool {
        match self {
            Self::Memory(v, n) => v == vf && word(n).is_some(),
            Self::Control(v) | Self::Queue(v, _) | Self::WriteBack(v) => v == vf,
            Self::Causes | Self::Resets | Self::Enables | Self::Cause | Self::PfReset => true,
            Self::Pool(_) | Self::Address(..) | Self::Tenant(_) => false,
            Self::Behavior(_) | Self::Other => false,
        }
    }
}

fn word(n: usize) -> Option<usize> {
    match n {
        0..=2 => Some(n),
        15 => Some(3),
        _ => None,
    }
}

impl Hardware {
    /// After a reset, in which VFs see that the PF is not ready.
    pub fn new(kind: Kind) -> Self {
        let vf = Vf {
            v2p: v2p::RSTI,
            ..Vf::default()
        };
        Self {
            kind,
            hides_link: false,
            vfs: [vf; VFS],
            causes: 0,
            resets: 0,
            cause: false,
            vfre: 0xff,
            vfte: 0xff,
            behavior: [0; 2],
        }
    }

    pub fn read(&mut self, offset: u32) -> u32 {
        match Register::at(offset) {
            Register::Control(vf) => self.vfs[vf].p2v,
            Register::Memory(vf, n) => word(n).map_or(0, |n| self.vfs[vf].memory[n]),
            Register::Causes => self.causes,
            Register::Resets => self.resets,
            Register::Cause => {
                if std::mem::take(&mut self.cause) {
                    ICR_VMMB
                } else {
                    0
                }
            }
            Register::Behavior(n) => std::mem::take(&mut self.behavior[n]),
            Register::Queue(vf, n) => {
                let vf = &self.vfs[vf];
                if vf.runs_on || vf.queues >> n & 1 != 0 {
                    QUEUE_ENABLE
                } else {
                    0
                }
            }
            _ => 0,
        }
    }

    pub fn write(&mut self, offset: u32, value: u32) {
        match Register::at(offset) {
            Register::Control(vf) => self.write_control(vf, value),
            Register::Memory(vf, n) => {
                if let Some(n) = word(n) {
                    self.vfs[vf].memory[n] = value;
                }
            }
            Register::Causes => self.causes &= !value,
            Register::Resets => self.resets &= !value,
            Register::Enables if offset == VFRE => self.vfre = value,
            Register::Enables => self.vfte = value,
            Register::PfReset => self.reset_pf(offset, value),
            Register::Queue(vf, n) => {
                let on = u8::from(value & QUEUE_ENABLE != 0);
                let queues = &mut self.vfs[vf].queues;
                *queues = *queues & !(1 << n) | on << n;
            }
            Register::WriteBack(vf) => self.vfs[vf].write_back = value,
            Register::Pool(vf) => self.vfs[vf].vmolr = value,
            Register::Address(vf, n) => self.vfs[vf].address[n] = value,
            Register::Tenant(_) | Register::Cause | Register::Behavior(_) | Register::Other => {}
        }
    }

    fn write_control(&mut self, vf: usize, value: u32) {
        let v = &mut self.vfs[vf];
        if value & p2v::STS != 0 {
            v.v2p |= v2p::PFSTS;
        }
        if value & p2v::ACK != 0 {
            v.v2p |= v2p::PFACK;
        }
        if value & p2v::RVFU != 0 && self.kind == Kind::Hardware {
            v.p2v &= !p2v::VFU;
        }
        if value & p2v::PFU == 0 {
            v.p2v &= !p2v::PFU;
            v.v2p &= !v2p::PFU;
        } else if v.p2v & p2v::VFU == 0 {
            v.p2v |= p2v::PFU;
            v.v2p |= v2p::PFU;
        }
        if value & p2v::RVFU != 0 {
            v.v2p &= !v2p::VFU;
            self.causes &= !(0x1_0001 << vf);
        }
    }

    fn reset_pf(&mut self, offset: u32, value: u32) {
        if offset == CTRL && value & CTRL_RST != 0 {
            // Where heads are written back to is left as it was.
            let write_back = self.vfs.map(|vf| vf.write_back);
            *self = Self {
                hides_link: self.hides_link,
                ..Self::new(self.kind)
            };
            for (vf, left) in self.vfs.iter_mut().zip(write_back) {
                vf.write_back = left;
            }
        }
        if offset == CTRL_EXT && value & CTRL_EXT_PFRSTD != 0 {
            for vf in &mut self.vfs {
                vf.v2p = vf.v2p & !v2p::RSTI | v2p::RSTD;
            }
        }
    }

    /// The VF reads V2PMAILBOX.
    pub fn vf_read_control(&mut self, vf: usize) -> u32 {
        let v = &mut self.vfs[vf];
        let value = v.v2p;
        v.v2p &= !v2p::READ_TO_CLEAR;
        value
    }

    /// What that would be, without reading it.
    pub fn vf_control(&self, vf: usize) -> u32 {
        self.vfs[vf].v2p
    }

    /// The VF writes V2PMAILBOX.
    pub fn vf_write_control(&mut self, vf: usize, value: u32) {
        if value & v2p::REQ != 0 {
            self.causes |= 1 << vf;
            self.cause = true;
        }
        if value & v2p::ACK != 0 {
            self.causes |= 0x1_0000 << vf;
            self.cause = true;
        }
        let v = &mut self.vfs[vf];
        if value & v2p::VFU == 0 {
            v.v2p &= !v2p::VFU;
            v.p2v &= !p2v::VFU;
        } else if v.v2p & v2p::PFU == 0 {
            v.v2p |= v2p::VFU;
            v.p2v |= p2v::VFU;
        }
    }

    pub fn vf_word(&self, vf: usize, n: usize) -> u32 {
        word(n).map_or(0, |n| self.vfs[vf].memory[n])
    }

    pub fn vf_write_word(&mut self, vf: usize, n: usize, value: u32) {
        if let Some(n) = word(n) {
            self.vfs[vf].memory[n] = value;
        }
    }

    /// The VF enables its queues, and leaves an address that frames' heads are written back to.
    pub fn vf_use_queues(&mut self, vf: usize) {
        let v = &mut self.vfs[vf];
        v.queues = 0b11;
        v.write_back = 0x1000;
    }

    pub fn uses_queues(&self, vf: usize) -> bool {
        let v = &self.vfs[vf];
        v.queues & 0b11 == 0b11 && v.write_back == 0x1000
    }

    /// A queue is not at rest.
    pub fn queues_run(&self, vf: usize) -> bool {
        self.vfs[vf].queues != 0 || self.vfs[vf].runs_on
    }

    /// FLR, or the VF's own reset.
    pub fn vf_reset(&mut self, vf: usize) {
        self.vfs[vf].queues = 0;
        self.vfre &= !(1 << vf);
        self.vfte &= !(1 << vf);
        self.resets |= 1 << vf;
        self.cause = true;
    }

    /// A request of the VF was not picked up yet.
    pub fn has_request(&self, vf: usize) -> bool {
        self.causes >> vf & 1 != 0
    }

    pub fn reset_pending(&self, vf: usize) -> bool {
        self.resets >> vf & 1 != 0
    }

    /// The VF holds its mailbox, as the PF sees it.
    pub fn held_by_vf(&self, vf: usize) -> bool {
        self.vfs[vf].p2v & p2v::VFU != 0
    }

    /// The PF holds it.
    pub fn held_by_pf(&self, vf: usize) -> bool {
        self.vfs[vf].p2v & p2v::PFU != 0
    }

    /// The VF can send and receive.
    pub fn is_enabled(&self, vf: usize) -> (bool, bool) {
        (self.vfre >> vf & 1 != 0, self.vfte >> vf & 1 != 0)
    }

    /// Nothing in the mailbox is left of somebody else's.
    pub fn last_word(&self, vf: usize) -> u32 {
        self.vfs[vf].memory[WORDS - 1]
    }
}
