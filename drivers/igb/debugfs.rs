// SPDX-License-Identifier: GPL-2.0

//! What VFs asked of late, and what became of it: files in debugfs, in a directory
//! `igb_rs-<PCI address>`.
//!
//! `mailbox` has the latest messages and resets of VFs, `filters` the addresses and VLANs in force
//! with their owners, and the latest changes of the registers they are in. Times are seconds since
//! the driver took the device.

use crate::port::Port;
use igb_core::{
    function::{
        Function,
        VfIndex, //
    },
    history::History,
    mailbox::msg::Words,
    regs::{
        FilterName,
        RAR_COUNT,
        VLVF_COUNT, //
    },
    switch::{
        Event,
        Outcome, //
    },
};
use kernel::{
    device::Bound,
    fmt,
    prelude::*,
    str::CString,
    sync::Arc, //
};
use net::debugfs::Directory;

/// Messages and resets that are kept.
const MESSAGES: usize = 64;
/// Register writes that are kept.
const WRITES: usize = 128;
/// Words of a message that are kept: all but a list of multicast hashes has no more.
const KEPT_WORDS: usize = 3;

/// What happened of late.
pub(crate) struct Recent {
    messages: History<Entry, MESSAGES>,
    writes: History<Write, WRITES>,
}

/// Something a VF did, at a time in nanoseconds.
#[derive(Clone, Copy)]
struct Entry {
    at: u64,
    vf: Option<VfIndex>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// It was reset, by itself or by FLR.
    Reset,
    /// It sent a message.
    Message {
        words: [u32; KEPT_WORDS],
        reply: Option<u32>,
        event: Option<Event>,
    },
}

/// A write to a filter register.
#[derive(Clone, Copy)]
struct Write {
    at: u64,
    /// `None` stands for all of them, after a reset of the controller.
    register: Option<(u32, u32)>,
}

impl Recent {
    pub(crate) const NEW: Self = Self {
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
    pub(crate) fn reset(&mut self, at: u64, vf: VfIndex) {
        self.messages.push(Entry {
            at,
            vf: Some(vf),
            what: What::Reset,
        });
    }

    /// Notes a message of `vf`, and what became of it.
    pub(crate) fn message(&mut self, at: u64, vf: VfIndex, words: &Words, outcome: &Outcome) {
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
    pub(crate) fn write(&mut self, at: u64, offset: u32, value: u32) {
        self.writes.push(Write {
            at,
            register: Some((offset, value)),
        });
    }

    /// Notes that all of them were written, after a reset of the controller.
    pub(crate) fn replay(&mut self, at: u64) {
        self.writes.push(Write { at, register: None });
    }
}

/// Makes the files. Process context.
///
/// # Errors
///
/// `ENOMEM`, `ENODEV` in kernels without debugfs. The driver works without them.
pub(crate) fn publish(
    pdev: &kernel::pci::Device<Bound>,
    port: &Arc<Port>,
) -> Result<Directory<Port>> {
    let name = CString::try_from_fmt(fmt!("igb_rs-{}", pdev.as_ref().name()))?;
    Directory::new(
        pdev.as_ref(),
        &name,
        port,
        &[(c"mailbox", show_mailbox), (c"filters", show_filters)],
    )
}

fn show_mailbox(port: &Port, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // Interrupts are off while it is copied, not while it is printed: one entry at a time, by numbers
    // that do not move when others are added.
    let (total, first) = {
        let messages = &port.hw.lock().recent.messages;
        (messages.total(), messages.first())
    };
    writeln!(f, "{total} messages and resets, the latest:")?;
    for n in first..total {
        let entry = port.hw.lock().recent.messages.get(n);
        if let Some((entry, vf)) = entry.and_then(|entry| Some((entry, entry.vf?))) {
            writeln!(f, "{} VF {}: {}", Seconds(entry.at), vf.get(), entry.what)?;
        }
    }
    Ok(())
}

fn show_filters(port: &Port, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "addresses:")?;
    for n in 0..RAR_COUNT {
        let held = port.hw.lock().switch.addresses().find(|held| held.0 == n);
        if let Some((n, owner, addr)) = held {
            writeln!(f, "RAR {n}: {} {}", addr, Name(owner))?;
        }
    }
    writeln!(f, "VLANs:")?;
    for n in 0..VLVF_COUNT {
        let joined = port.hw.lock().switch.vlans().find(|joined| joined.0 == n);
        let Some((n, vid, members)) = joined else {
            continue;
        };
        write!(f, "VLVF {n}: {}", vid.get())?;
        for member in Function::all().filter(|member| members & member.bit() != 0) {
            write!(f, " {}", Name(member))?;
        }
        writeln!(f)?;
    }
    let (total, first) = {
        let writes = &port.hw.lock().recent.writes;
        (writes.total(), writes.first())
    };
    writeln!(f, "{total} changes of registers, the latest:")?;
    for n in first..total {
        let Some(write) = port.hw.lock().recent.writes.get(n) else {
            continue;
        };
        match write.register {
            Some((offset, value)) => {
                writeln!(
                    f,
                    "{} {} = {value:#010x}",
                    Seconds(write.at),
                    FilterName(offset)
                )?;
            }
            None => writeln!(f, "{} all, after a reset", Seconds(write.at))?,
        }
    }
    Ok(())
}

impl core::fmt::Display for What {
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

/// A function, to be printed.
struct Name(Function);

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Function::Pf => f.write_str("PF"),
            Function::Vf(vf) => write!(f, "VF {}", vf.get()),
        }
    }
}

/// A time in nanoseconds, to be printed.
struct Seconds(u64);

impl core::fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1000;
        write!(f, "{:>6}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}
