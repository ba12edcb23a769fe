// SPDX-License-Identifier: GPL-2.0

//! The controller's filters and mailboxes: the desired state, and the registers that follow it.

use crate::{
    io::Io,
    log,
    mailbox, //
};
use igb_core::{
    error::AdminError,
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    mailbox::Direct,
    recent::Recent,
    regs::{
        self,
        xdctl, //
    },
    stats::VfStats,
    switch::{
        Shadow,
        Switch, //
    }, //
};
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// The controller's filters and mailboxes.
pub(crate) struct Hw {
    /// Which frame shall reach which function.
    pub(crate) switch: Switch,
    /// What the filter registers are known to hold.
    pub(crate) shadow: Shadow,
    /// Traffic of each VF.
    pub(crate) vf_stats: [VfStats; MAX_VFS],
    /// Messages under way between PF and VFs.
    pub(crate) pending: mailbox::Pending,
    /// VFs whose registers hold what a tenant has written who is gone.
    pub(crate) unclean: VfSet,
    /// VFs that were reset while their mailbox was held, and when to clear it all the same.
    pub(crate) unscrubbed: VfSet,
    pub(crate) scrub_at: u64,
    /// VFs whose handshake was read and is not answered yet.
    pub(crate) held: VfSet,
    /// What may be served in the interrupt.
    pub(crate) direct: Direct,
    /// VFs the administrator knows to be cut off.
    pub(crate) told: VfSet,
    /// Log lines that VFs cause.
    pub(crate) lines: log::Lines,
    /// What VFs did of late, and what was written for them.
    pub(crate) recent: Recent,
    /// When the port was set up.
    pub(crate) epoch: Instant<Monotonic>,
    /// The net device is up.
    pub(crate) up: bool,
    /// The controller is usable: not between a quiesce and the restart after it.
    pub(crate) live: bool,
}

impl Hw {
    /// Nanoseconds since the port was set up.
    pub(crate) fn now(&self) -> u64 {
        nanos_since(self.epoch)
    }

    /// The receiver and the transmitter are needed: by the net device or by a VF.
    pub(crate) fn is_needed(&self) -> bool {
        self.up || self.switch.nr_vfs() != 0
    }

    /// Takes a reading of the counters of `vf`.
    pub(crate) fn read_vf_counters(&mut self, io: &Io, vf: VfIndex) {
        if let Some(stats) = self.vf_stats.get_mut(vf.index()) {
            stats.update(vf, |offset| io.read_counter(offset));
        }
    }

    /// Something is to be told to the administrator, which takes a work item.
    pub(crate) fn has_to_tell(&self) -> bool {
        self.lines.is_waiting() || self.switch.quarantined() != self.told
    }

    /// Makes the filter registers follow the desired state.
    pub(crate) fn apply(&mut self, io: &Io) {
        let now = self.now();
        self.apply_at(io, now);
    }

    /// The same at the time `now`.
    pub(crate) fn apply_at(&mut self, io: &Io, now: u64) {
        if !self.live {
            return;
        }
        let needed = self.is_needed();
        self.switch.set_receive(needed);
        let (recent, replay) = (&mut self.recent, self.shadow.is_unknown());
        if replay {
            recent.replay(now);
        }
        self.shadow.follow(&mut self.switch, |offset, value| {
            io.write(offset, value);
            if !replay {
                recent.write(now, offset, value);
            }
        });
    }

    /// The controller comes out of a reset: everything is written anew, and VFs are served.
    pub(crate) fn revive(&mut self, io: &Io) {
        self.shadow.forget();
        self.switch.on_pf_reset();
        self.pending = mailbox::Pending::default();
        self.held = VfSet::EMPTY;
        self.unclean = VfSet::EMPTY;
        self.unscrubbed = VfSet::EMPTY;
        self.direct.on_reset();
        self.live = true;
        // Queue 0 comes out of a reset enabled, and belongs to VF 0.
        io.write(regs::rxdctl(0), xdctl::RX_DEFAULT);
        io.write(regs::txdctl(0), xdctl::TX_DEFAULT);
        self.apply(io);
    }
}

/// Nanoseconds since `epoch`.
pub(crate) fn nanos_since(epoch: Instant<Monotonic>) -> u64 {
    u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(0)
}

/// An error of the pure logic as the kernel's.
pub(crate) fn errno(error: AdminError) -> Error {
    Error::from_errno(error.errno())
}
