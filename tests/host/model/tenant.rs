// SPDX-License-Identifier: GPL-2.0

//! Who has a VF: a driver that follows the protocol, or somebody who does whatever the registers allow.
//! Each action is one access of one register.

use super::mailbox::{
    v2p,
    Hardware,
    Register, //
};

const RESET: u32 = 0x01;
const SET_MAC: u32 = 0x02;
const SET_LPE: u32 = 0x05;
const CONTROL: u32 = 0x0100;
const ACK: u32 = 1 << 31;
const NACK: u32 = 1 << 30;
const CTS: u32 = 1 << 29;

/// Longest frame a client asks for.
pub const FRAME: u32 = 1700;

/// Address that VF `vf` asks for, as RAL and the lower half of RAH.
pub fn address(vf: usize) -> [u32; 2] {
    [0x0000_0002, 0x1000 + vf as u32]
}

/// What a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    Handshake,
    Frame,
    Address,
}

impl Ask {
    pub fn words(self, vf: usize) -> ([u32; 3], usize) {
        let [low, high] = address(vf);
        match self {
            Self::Handshake => ([RESET, 0, 0], 1),
            Self::Frame => ([SET_LPE, FRAME, 0], 2),
            Self::Address => ([SET_MAC, low, high], 3),
        }
    }

    fn answer_words(self) -> u8 {
        match self {
            Self::Handshake => 3,
            Self::Frame | Self::Address => 1,
        }
    }
}

/// Whether a word is a message of the PF's own.
pub fn is_control(word0: u32) -> bool {
    word0 & 0xffff == CONTROL
}

/// Whether a word answers a request that began with `asked`.
pub fn answers(word0: u32, asked: u32) -> bool {
    word0 & 0x00ff_ffff == asked && word0 & (ACK | NACK) != 0
}

/// Whether a word grants a request. The handshake is made whichever it is.
pub fn grants(word0: u32) -> bool {
    word0 & ACK != 0 || word0 & 0xffff == RESET
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// It has to reset its function before anything else.
    Off,
    /// Waits for the PF to be ready.
    AwaitPf,
    Idle,
    /// Takes the mailbox to write a request.
    Lock,
    Check,
    /// Drops what the PF had to say until now.
    Flush,
    Write(u8),
    Ring,
    AwaitAck,
    AwaitAnswer,
    /// Takes the mailbox to read.
    LockToRead,
    CheckToRead,
    Read(u8),
    Acknowledge,
}

/// A driver of a VF: what Linux's igbvf does with its registers, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    step: Step,
    /// What it waits for an answer to.
    asked: Option<Ask>,
    /// PFSTS and PFACK that it has read, and not used.
    seen: u32,
    /// It has made its handshake.
    ready: bool,
    /// The PF has told it to start over.
    refused: bool,
    /// It has got another answer since its handshake: then it may look at its link.
    settled: bool,
    /// It reads its mailbox because RSTD was set.
    made: bool,
}

/// What a client can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The next step of what it is about.
    Go,
    /// Begin a request, by taking the mailbox.
    Ask(Ask),
    /// Look whether the PF has something to say.
    Look,
    /// Reset the function and begin anew, whatever it was about.
    Restart,
    /// Enable the queues.
    UseQueues,
    // What somebody does who does not follow the protocol.
    Control(u32),
    Word(usize, u32),
    /// Has its queues run on when they are disabled, or come to rest after all.
    RunOn(bool),
}

/// What a client has seen that it reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    /// It has written a request and rung.
    Rang(u32),
    Acknowledged,
    Reset,
    /// It reads a message, which begins with this word, in place of the answer to `asked`.
    Read {
        word0: u32,
        asked: Option<u32>,
        /// It reads because RSTD was set.
        made: bool,
    },
}

impl Client {
    pub const OFF: Self = Self {
        step: Step::Off,
        asked: None,
        seen: 0,
        ready: false,
        refused: false,
        settled: false,
        made: false,
    };

    /// It has made its handshake, and is not about to write or read anything.
    pub fn is_idle(&self) -> bool {
        self.ready && self.step == Step::Idle
    }

    /// What it can do now.
    pub fn actions(&self, hw: &Hardware, vf: usize, restarts: bool, out: &mut Vec<Action>) {
        let control = hw.vf_control(vf);
        match self.step {
            Step::Off => out.push(Action::Restart),
            Step::AwaitPf if control & v2p::RSTI != 0 => {}
            Step::AwaitAck | Step::AwaitAnswer if control & v2p::READ_TO_CLEAR == 0 => {}
            Step::Idle => {
                let looks = if hw.hides_link {
                    self.settled && (control | self.seen) & v2p::RSTD != 0
                } else {
                    self.ready && control & v2p::PFSTS != 0
                };
                if looks {
                    out.push(Action::Look);
                }
                if self.ready && !self.refused {
                    out.push(Action::Ask(Ask::Frame));
                    out.push(Action::Ask(Ask::Address));
                    if !hw.uses_queues(vf) {
                        out.push(Action::UseQueues);
                    }
                } else if !self.ready {
                    out.push(Action::Ask(Ask::Handshake));
                }
            }
            _ => out.push(Action::Go),
        }
        let told = self.refused && self.step == Step::Idle;
        if (restarts || told) && self.step != Step::Off {
            out.push(Action::Restart);
        }
    }

    pub fn act(&mut self, hw: &mut Hardware, vf: usize, action: Action) -> Seen {
        match action {
            Action::Restart => {
                hw.vf_reset(vf);
                *self = Self::OFF;
                self.step = Step::AwaitPf;
                Seen::Reset
            }
            Action::Ask(ask) => {
                self.asked = Some(ask);
                self.step = Step::Lock;
                self.go(hw, vf)
            }
            Action::Look => {
                self.seen |= hw.vf_read_control(vf) & kept(hw);
                self.made = self.seen & v2p::RSTD != 0;
                self.seen &= !(v2p::PFSTS | v2p::RSTD);
                self.step = Step::LockToRead;
                Seen::Nothing
            }
            Action::UseQueues => {
                hw.vf_use_queues(vf);
                Seen::Nothing
            }
            _ => self.go(hw, vf),
        }
    }

    fn go(&mut self, hw: &mut Hardware, vf: usize) -> Seen {
        match self.step {
            Step::AwaitPf => {
                let _ = hw.vf_read_control(vf);
                self.step = Step::Idle;
            }
            Step::Lock | Step::LockToRead => {
                hw.vf_write_control(vf, v2p::VFU);
                self.step = if self.step == Step::Lock {
                    Step::Check
                } else {
                    Step::CheckToRead
                };
            }
            Step::Check | Step::CheckToRead => {
                let control = hw.vf_read_control(vf);
                self.seen |= control & kept(hw);
                self.step = match (self.step, control & v2p::VFU != 0) {
                    (Step::Check, true) => Step::Flush,
                    (Step::Check, false) => Step::Lock,
                    (_, true) => Step::Read(0),
                    (_, false) => Step::LockToRead,
                };
            }
            Step::Flush => {
                self.seen |= hw.vf_read_control(vf) & kept(hw);
                self.seen &= v2p::RSTD;
                self.step = Step::Write(0);
            }
            Step::Write(n) => {
                let (words, len) = self.words(vf);
                hw.vf_write_word(vf, n.into(), words[usize::from(n)]);
                self.step = if usize::from(n) + 1 < len {
                    Step::Write(n + 1)
                } else {
                    Step::Ring
                };
            }
            Step::Ring => {
                hw.vf_write_control(vf, v2p::REQ);
                self.step = Step::AwaitAck;
                return Seen::Rang(self.words(vf).0[0]);
            }
            Step::AwaitAck | Step::AwaitAnswer => {
                self.seen |= hw.vf_read_control(vf) & kept(hw);
                self.use_seen();
            }
            Step::Read(n) => return self.read(hw, vf, n),
            Step::Acknowledge => {
                hw.vf_write_control(vf, v2p::ACK);
                self.asked = None;
                self.step = Step::Idle;
                return Seen::Acknowledged;
            }
            Step::Off | Step::Idle => {}
        }
        Seen::Nothing
    }

    fn words(&self, vf: usize) -> ([u32; 3], usize) {
        self.asked.map_or(([0; 3], 0), |ask| ask.words(vf))
    }

    fn use_seen(&mut self) {
        if self.step == Step::AwaitAck && self.seen & v2p::PFACK != 0 {
            self.seen &= !v2p::PFACK;
            self.step = Step::AwaitAnswer;
        }
        if self.step == Step::AwaitAnswer && self.seen & v2p::PFSTS != 0 {
            self.seen &= !v2p::PFSTS;
            self.step = Step::LockToRead;
        }
    }

    fn read(&mut self, hw: &Hardware, vf: usize, n: u8) -> Seen {
        let word = hw.vf_word(vf, n.into());
        let len = self.asked.map_or(1, Ask::answer_words);
        self.step = if n + 1 < len {
            Step::Read(n + 1)
        } else {
            Step::Acknowledge
        };
        if n != 0 {
            return Seen::Nothing;
        }
        let asked = self.asked.map(|ask| ask.words(vf).0[0]);
        if asked.is_some_and(|asked| answers(word, asked)) {
            self.ready |= asked == Some(RESET);
            self.settled |= asked != Some(RESET);
        } else {
            // An answer that was given up, or news: a refusal without CTS asks for a new start.
            self.step = Step::Acknowledge;
            self.refused |= word & (NACK | CTS) == NACK;
        }
        let made = std::mem::take(&mut self.made);
        Seen::Read {
            word0: word,
            asked,
            made,
        }
    }
}

/// Bits that are cleared by reading, which a client keeps until it looks for each.
fn kept(hw: &Hardware) -> u32 {
    let link = if hw.hides_link { v2p::RSTD } else { 0 };
    v2p::PFSTS | v2p::PFACK | link
}

/// Whether a word lets a client take its link for up.
pub fn is_clear_to_send(word0: u32) -> bool {
    word0 & CTS != 0
}

/// Somebody who does anything.
pub fn hostile_actions(
    hw: &Hardware,
    vf: usize,
    restarts: bool,
    rich: bool,
    out: &mut Vec<Action>,
) {
    let control = hw.vf_control(vf);
    out.push(Action::Control(v2p::REQ));
    out.push(Action::Control(v2p::REQ | v2p::VFU));
    out.push(Action::Control(v2p::ACK));
    out.push(Action::Control(v2p::VFU));
    if control & v2p::VFU != 0 {
        out.push(Action::Control(0));
    }
    // A handshake, a setting, and nonsense.
    for word in [RESET, SET_LPE, u32::MAX] {
        if hw.vf_word(vf, 0) != word {
            out.push(Action::Word(0, word));
        }
    }
    if restarts {
        out.push(Action::Restart);
    }
    if rich {
        for word in [FRAME, 0x9f00_0600] {
            if hw.vf_word(vf, 1) != word {
                out.push(Action::Word(1, word));
            }
        }
        out.push(Action::UseQueues);
        out.push(Action::RunOn(!hw.vfs[vf].runs_on));
    }
}

pub fn act_hostile(hw: &mut Hardware, vf: usize, action: Action) {
    match action {
        Action::Control(value) => hw.vf_write_control(vf, value),
        Action::Word(n, word) => hw.vf_write_word(vf, n, word),
        Action::Restart => hw.vf_reset(vf),
        Action::UseQueues => hw.vf_use_queues(vf),
        Action::RunOn(on) => hw.vfs[vf].runs_on = on,
        Action::Go | Action::Ask(_) | Action::Look => {}
    }
}

/// Whether it makes a difference that somebody hostile does `action` right before an access of the PF, or
/// while it is at rest. One who may do everything at any time may as well do it then.
pub fn matters(action: Action, vf: usize, next: Option<(Register, bool)>) -> bool {
    let Some((register, reads)) = next else {
        return matches!(action, Action::Restart)
            || matches!(action, Action::Control(value) if value & (v2p::REQ | v2p::ACK) != 0);
    };
    match action {
        Action::Word(n, _) => register == Register::Memory(vf, n) && reads,
        Action::Control(value) => {
            let raises = value & (v2p::REQ | v2p::ACK) != 0;
            register == Register::Control(vf)
                || raises && matches!(register, Register::Causes | Register::Cause)
        }
        Action::Restart => match register {
            Register::Queue(v, _) => v == vf,
            Register::Resets | Register::Enables | Register::Cause | Register::PfReset => true,
            _ => false,
        },
        Action::UseQueues | Action::RunOn(_) => match register {
            Register::Queue(v, _) | Register::WriteBack(v) => v == vf,
            _ => register == Register::PfReset,
        },
        Action::Go | Action::Ask(_) | Action::Look => true,
    }
}
