// SPDX-License-Identifier: GPL-2.0

//! What log lines need: a limit on those that a VF can cause, and values of `igb_core` as text.
//!
//! Printing is slow, and what VFs do is found in interrupts: it is noted there ([`Lines`]), and
//! printed by a work item.

use igb_core::{
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    lines::{
        Budget,
        LINES, //
    },
    switch::Event, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// Lines that wait to be printed: as many as all VFs may cause in a minute, and one for each that is
/// cut off, which happens once and is always told.
const WAITING: usize = (LINES + 1) * MAX_VFS;

/// Events that are to be told.
pub(crate) struct Lines {
    budgets: [Budget; MAX_VFS],
    waiting: Waiting,
}

impl Lines {
    pub(crate) const NEW: Self = Self {
        budgets: [Budget::FULL; MAX_VFS],
        waiting: Waiting::NONE,
    };

    /// Notes an event at time `now`, in nanoseconds, if the VF may cause a line. Any context.
    pub(crate) fn add(&mut self, vf: VfIndex, event: Event, now: u64) {
        let allowed = self
            .budgets
            .get_mut(vf.index())
            .is_some_and(|budget| budget.allow(now));
        if allowed || event == Event::Quarantined {
            self.waiting.push(vf, event);
        }
    }

    /// Whether there is something to print.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.len != 0
    }

    /// Takes what is to be printed.
    pub(crate) fn take(&mut self) -> Waiting {
        core::mem::replace(&mut self.waiting, Waiting::NONE)
    }
}

/// Events of VFs, oldest first.
pub(crate) struct Waiting {
    events: [Option<(VfIndex, Event)>; WAITING],
    len: usize,
}

impl Waiting {
    const NONE: Self = Self {
        events: [None; WAITING],
        len: 0,
    };

    /// What does not fit is counted, and not told.
    fn push(&mut self, vf: VfIndex, event: Event) {
        if let Some(place) = self.events.get_mut(self.len) {
            *place = Some((vf, event));
            self.len = self.len.wrapping_add(1);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (VfIndex, Event)> + '_ {
        self.events.iter().flatten().copied()
    }
}

/// Prints one line. Process context.
pub(crate) fn print(dev: &kernel::pci::Device, n: u8, event: Event) {
    match event {
        Event::Ready | Event::NotReady => {}
        Event::Malformed { word0, what } => {
            dev_warn!(dev, "VF {n}: malformed message {word0:#010x} ({what:?})\n");
        }
        Event::Refused(why) => {
            dev_warn!(dev, "VF {n}: request refused: {}\n", why.reason());
        }
        Event::Throttled => {
            dev_warn!(dev, "VF {n} sends too many requests and has to wait\n");
        }
        Event::Spoofed => {
            dev_warn!(dev, "VF {n} sends from a false address or VLAN; dropped\n");
        }
        Event::Quarantined => {
            dev_warn!(
                dev,
                "VF {n} misbehaves and was cut off; 'ip link set DEV vf {n} state auto' lets it back\n"
            );
        }
        Event::Malicious => {
            dev_warn!(
                dev,
                "VF {n}: its driver has given a queue descriptors that must not be; reset\n"
            );
        }
        Event::QueueStuck => {
            dev_warn!(dev, "VF {n}: a queue does not stop; closed until it does\n");
        }
    }
}

/// Tells which VFs have lost addresses to a setting. A VF does not cause these lines, and cannot use them up.
/// Process context.
pub(crate) fn print_deprived(dev: &kernel::pci::Device, vfs: VfSet) {
    for vf in vfs.iter() {
        dev_warn!(
            dev,
            "VF {} loses an address it had chosen to a setting of the administrator's\n",
            vf.get()
        );
    }
}

/// A value of `igb_core`, to be printed.
pub(crate) struct Text<T>(pub(crate) T);

impl<T: core::fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(&self.0, f)
    }
}
