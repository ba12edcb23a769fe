// SPDX-License-Identifier: GPL-2.0

//! Errors for the explorer to find: the server with one of its accesses changed on the way.

use super::mailbox::{
    p2v,
    Register,
    CTRL_EXT,
    MBVFICR,
    P2VMAILBOX,
    VFLRE, //
};

/// One error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The cause of a request stays when the request is read.
    RequestNotCleared,
    /// The causes of all VFs are cleared with one.
    AllRequestsCleared,
    /// A request is not looked for before something else is written.
    RequestNotLookedFor,
    /// Filter registers are written after the answer.
    AnswerBeforeRegisters,
    /// One interrupt serves two rounds.
    ServesTwice,
    /// A mailbox that a VF holds is waited for.
    WaitsForMailbox,
    /// Answers are taken for read.
    UnreadForgotten,
    /// Time runs four times as fast.
    ExpiresEarly,
    /// Resets are read before requests.
    ResetsReadFirst,
    /// What the pool of one VF accepts is written to another's as well.
    WrongPool,
    /// The causes of all VFs' resets are cleared with one.
    AllResetsCleared,
    /// Queues are not looked at when they were disabled.
    QueuesTakenForStopped,
    /// Registers are not written when an address goes, but for a reset of the PF.
    AddressesLeft,
    /// VFs are not made to look.
    NobodyLooks,
    /// A message of the PF's has no CTS.
    ToldWithoutCts,
    /// VFs are made to look while the PF has a mailbox.
    LooksWithMailboxTaken,
    /// No time passes, so a mailbox is waited for without end.
    WaitsForEver,
}

impl Fault {
    /// What the server reads. `memory` is what was remembered of its accesses.
    pub fn read(
        self,
        offset: u32,
        memory: Option<u32>,
        read: impl Fn(u32) -> u32,
    ) -> (u32, Option<u32>) {
        let register = Register::at(offset);
        match (self, register) {
            (Self::RequestNotLookedFor, Register::Control(_)) => (read(offset), Some(0)),
            (Self::RequestNotLookedFor, Register::Causes) if memory.is_some() => {
                (read(offset) & !0xff, memory)
            }
            (Self::WaitsForMailbox, Register::Control(_)) => {
                let looks = (0..500).map(|_| read(offset));
                let free = |value: &u32| value & p2v::VFU == 0;
                (looks.into_iter().find(free).unwrap_or(p2v::VFU), memory)
            }
            (Self::UnreadForgotten, Register::Causes) => (read(offset) | 0xff_0000, memory),
            (Self::ResetsReadFirst, Register::Causes) if memory.is_none() => {
                let resets = read(VFLRE);
                (read(offset), Some(resets))
            }
            (Self::ResetsReadFirst, Register::Resets) => (memory.unwrap_or(0), memory),
            (Self::QueuesTakenForStopped, Register::Queue(..)) => (0, memory),
            _ => (read(offset), memory),
        }
    }

    pub fn write(self, offset: u32, value: u32, write: impl Fn(u32, u32)) {
        match self {
            Self::RequestNotCleared if offset == MBVFICR && value & 0xff != 0 => {}
            Self::AllRequestsCleared if offset == MBVFICR && value & 0xff != 0 => {
                write(offset, value | 0xff);
            }
            Self::AllResetsCleared if offset == VFLRE => write(offset, 0xff),
            Self::NobodyLooks if offset == CTRL_EXT => {}
            Self::ToldWithoutCts if value == 0x2000_0100 => write(offset, 0x100),
            Self::LooksWithMailboxTaken if offset == CTRL_EXT => {
                write(P2VMAILBOX, p2v::PFU);
                write(offset, value);
            }
            Self::WrongPool if offset == 0x5ad0 => {
                write(offset, value);
                write(offset + 4, value);
            }
            _ => write(offset, value),
        }
    }

    /// Whether a write has to wait.
    pub fn puts_off(self, offset: u32) -> bool {
        self == Self::AnswerBeforeRegisters
            && matches!(
                Register::at(offset),
                Register::Enables | Register::Pool(_) | Register::Address(..)
            )
    }

    /// Whether registers that are `known` are not written at all.
    pub fn drops(self, known: bool, writes: &[(u32, u32)]) -> bool {
        let goes = |(offset, value): &(u32, u32)| {
            matches!(Register::at(*offset), Register::Address(_, 1)) && *value == 0
        };
        self == Self::AddressesLeft && known && writes.iter().any(goes)
    }

    /// Whether what had to wait is written after this.
    pub fn ends_delay(self, offset: u32, value: u32) -> bool {
        self == Self::AnswerBeforeRegisters
            && matches!(Register::at(offset), Register::Control(_))
            && value & p2v::STS != 0
    }

    pub fn time(self, now: u64) -> u64 {
        match self {
            Self::ExpiresEarly => 4 * now,
            Self::WaitsForEver => 0,
            _ => now,
        }
    }
}
