// SPDX-License-Identifier: GPL-2.0

//! What VFs did of late, and what was written for them: the latest messages, resets and register
//! writes, each with its time.

use crate::{
    function::VfIndex,
    history::History,
    mailbox::Words,
    switch::{
        Event,
        Outcome, //
    }, //
};
use core::fmt;

/// Messages and resets that are kept.
const MESSAGES: usize = 64;
/// Register writes that are kept.
const WRITES: usize = 128;
/// Words of a message that are kept: all but a list of multicast hashes has no more.
const KEPT_WORDS: usize = 3;

/// What happened of late.
#[derive(Debug)]
pub struct Recent {
    /// Messages and resets.
    pub messages: History<Entry, MESSAGES>,
    /// Changes of filter registers.
    pub writes: History<Write, WRITES>,
}

/// Something a VF did, at a time in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// When, in nanoseconds.
    pub at: u64,
    /// Which VF; `None` only in room that is not used yet.
    pub vf: Option<VfIndex>,
    /// What it did.
    pub what: What,
}

/// What a VF did.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// It was reset, by itself or by FLR.
    Reset,
    /// It sent a message.
    Message {
        /// Its first words.
        words: [u32; KEPT_WORDS],
        /// First word of the answer, if there was one.
        reply: Option<u32>,
        /// What was out of the ordinary about it.
        event: Option<Event>,
    },
}

/// A write to a filter register.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// When, in nanoseconds.
    pub at: u64,
    /// Offset and value; `None` stands for all of them, after a reset of the controller.
    pub register: Option<(u32, u32)>,
}

impl Recent {
    /// Nothing yet.
    pub const NEW: Self = Self {
        messages: History::new(Entry {
            at: 0,
            vf: None,
            what: What::Reset,
        }),
        writes: History::new(Write {
            at: 0,
            register: None,
        }),
    };

    /// Notes a reset of `vf`.
    pub fn reset(&mut self, at: u64, vf: VfIndex) {
        self.messages.push(Entry {
            at,
            vf: Some(vf),
            what: What::Reset,
        });
    }

    /// Notes a message of `vf`, and what became of it.
    pub fn message(&mut self, at: u64, vf: VfIndex, words: &Words, outcome: &Outcome) {
        let [w0, w1, w2, ..] = *words;
        self.messages.push(Entry {
            at,
            vf: Some(vf),
            what: What::Message {
                words: [w0, w1, w2],
                reply: outcome
                    .reply
                    .and_then(|reply| reply.words().first().copied()),
                event: outcome.event,
            },
        });
    }

    /// Notes that a filter register has changed.
    pub fn write(&mut self, at: u64, offset: u32, value: u32) {
        self.writes.push(Write {
            at,
            register: Some((offset, value)),
        });
    }

    /// Notes that all of them were written, after a reset of the controller.
    pub fn replay(&mut self, at: u64) {
        self.writes.push(Write { at, register: None });
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, reply, event) = match self {
            Self::Reset => return f.write_str("reset"),
            Self::Message {
                words,
                reply,
                event,
            } => (words, reply, event),
        };
        let [w0, w1, w2] = words;
        write!(f, "{w0:#010x} {w1:#010x} {w2:#010x} -> ")?;
        match reply {
            Some(word) => write!(f, "{word:#010x}")?,
            None => f.write_str("no answer")?,
        }
        match event {
            Some(Event::Refused(why)) => write!(f, " ({})", why.reason()),
            Some(Event::Malformed { what, .. }) => write!(f, " (malformed: {what:?})"),
            Some(Event::NotReady) => f.write_str(" (before the handshake)"),
            Some(Event::Quarantined) => f.write_str(" (cut off)"),
            _ => Ok(()),
        }
    }
}

/// A time in nanoseconds, to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1000;
        write!(f, "{:>6}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}
