// SPDX-License-Identifier: GPL-2.0

//! Having the drivers of VFs look at their links, where a message does not.
//!
//! A controller may raise the wrong interrupt of a VF for a message of the PF's
//! ([`hides_link_from_vfs`](crate::model::Differences::hides_link_from_vfs)). Its driver reads the
//! message when it looks at its link for another reason. A reset of the PF that is over (`RSTD`) is
//! one: igbvf asks for that bit every two seconds, and then takes its link for up if the port's is
//! up and word 0 of its mailbox has CTS.
//!
//! `CTRL_EXT.PFRSTD` sets `RSTD` of all VFs. So all are told first, what is true for each, and a
//! mailbox that is not free is waited for, but no longer than [`LOOK_NS`]: a VF that keeps its own
//! does not keep anything from others. It is told, and made to look, when its mailbox is free.

use super::{
    Driver,
    Server,
    WRITING_NS, //
};
use crate::{
    function::VfSet,
    regs::{
        self,
        ctrl_ext, //
    }, //
};

/// How long mailboxes that are not free are waited for, in nanoseconds: twice what a driver takes
/// to write a message.
pub const LOOK_NS: u64 = 2 * WRITING_NS;

/// Which VFs are to look at their links.
#[derive(Clone, Debug, Hash)]
pub(super) struct Looks {
    /// A message alone has no driver look.
    needed: bool,
    /// VFs that have not been made to look since they were told, or are not told yet.
    waiting: VfSet,
    /// Until when those are waited for that are not told yet.
    until: Option<u64>,
}

impl Looks {
    pub(super) const fn new(needed: bool) -> Self {
        Self {
            needed,
            waiting: VfSet::EMPTY,
            until: None,
        }
    }

    /// The controller was reset: all are told anew when its link is up again.
    pub(super) fn on_controller_reset(&mut self) {
        *self = Self::new(self.needed);
    }

    pub(super) fn contains(&self, vf: crate::function::VfIndex) -> bool {
        self.waiting.contains(vf)
    }

    /// Until when a mailbox is waited for, if one is.
    pub(super) fn until(&self) -> Option<u64> {
        self.until
    }

    fn begin(&mut self, vfs: VfSet, now: u64) {
        if vfs.is_empty() {
            return;
        }
        self.waiting = self.waiting.union(vfs);
        self.until = Some(now.saturating_add(LOOK_NS));
    }

    /// Whether to make VFs look at time `now`, with messages `owed` to some. If so, those remain
    /// that have to look once more when they were told.
    fn take_due(&mut self, owed: VfSet, now: u64) -> bool {
        let due = match self.until {
            Some(until) => owed.is_empty() || now >= until,
            None => !self.waiting.without(owed).is_empty(),
        };
        if due {
            self.waiting = self.waiting.intersection(owed);
            self.until = None;
        }
        due
    }
}

impl Server {
    /// The link that `vfs` see has changed: tells them, and makes their drivers look if a message
    /// does not. Returns whether the work item is to be scheduled, as a mailbox has to be waited
    /// for.
    pub fn show_link(d: &mut impl Driver, vfs: VfSet) -> bool {
        let seen = d.switch().vfs().without(d.switch().quarantined());
        let vfs = vfs.intersection(seen);
        if d.server().looks.needed {
            Self::tell_and_make_look(d, vfs);
        } else {
            Self::ping(d, vfs);
        }
        d.server().looks.until().is_some()
    }

    fn tell_and_make_look(d: &mut impl Driver, vfs: VfSet) {
        let now = d.now();
        d.server().looks.begin(vfs, now);
        // All drivers will look.
        let all = d.switch().vfs();
        Self::ping(d, all);
        Self::make_look(d);
    }

    /// VFs were cut off: what they have not read is dropped, and they are shown that their link is
    /// down.
    pub(super) fn show_cut_off(d: &mut impl Driver, vfs: VfSet) {
        if vfs.is_empty() || !d.server().looks.needed {
            return;
        }
        d.server().answers_read(vfs);
        let server = d.server();
        server.held = server.held.without(vfs);
        Self::tell_and_make_look(d, vfs);
    }

    /// Makes all VFs look, if that is due.
    pub(super) fn make_look(d: &mut impl Driver) {
        let now = d.now();
        let server = d.server();
        if server.looks.take_due(server.pings, now) {
            // With DRV_LOAD, which whoever starts the controller may be about to set.
            d.update(regs::CTRL_EXT, |value| {
                value | ctrl_ext::PFRSTD | ctrl_ext::DRV_LOAD
            });
        }
    }
}

#[cfg_attr(
    CONFIG_KUNIT = "y",
    kernel::prelude::kunit_tests(igb_core_mailbox_server_look)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn at_once_when_all_are_told() {
        let mut looks = Looks::new(true);
        assert!(!looks.take_due(VfSet::EMPTY, 5));
        looks.begin(VfSet::first(2), 5);
        assert!(looks.take_due(VfSet::EMPTY, 5));
        assert!(!looks.take_due(VfSet::EMPTY, 5));
    }

    #[test]
    fn a_mailbox_is_waited_for_and_its_vf_looks_later() {
        let mut looks = Looks::new(true);
        let first = VfSet::first(1);
        looks.begin(VfSet::first(2), 5);
        assert!(!looks.take_due(first, 5));
        assert_eq!(looks.until(), Some(5 + LOOK_NS));
        assert!(!looks.take_due(first, 4 + LOOK_NS));
        assert!(looks.take_due(first, 5 + LOOK_NS));
        assert_eq!(looks.until(), None);
        assert!(!looks.take_due(first, u64::MAX));
        assert!(looks.take_due(VfSet::EMPTY, u64::MAX));
        assert!(!looks.take_due(VfSet::EMPTY, u64::MAX));
    }

    #[test]
    fn one_that_is_waited_for_does_not_shorten_the_wait_of_the_next_change() {
        let mut looks = Looks::new(true);
        let first = VfSet::first(1);
        looks.begin(VfSet::first(2), 5);
        assert!(looks.take_due(first, 5 + LOOK_NS));
        looks.begin(VfSet::first(2), 6 + LOOK_NS);
        assert!(!looks.take_due(first, 6 + LOOK_NS));
        assert!(looks.take_due(first, 6 + 2 * LOOK_NS));
    }

    #[test]
    fn nobody_has_to_look_after_a_reset() {
        let mut looks = Looks::new(true);
        looks.begin(VfSet::first(2), 5);
        looks.on_controller_reset();
        assert!(!looks.take_due(VfSet::EMPTY, u64::MAX));
        assert!(looks.needed);
    }
}
