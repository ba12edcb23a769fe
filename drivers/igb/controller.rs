// SPDX-License-Identifier: GPL-2.0

//! The controller's filters and mailboxes: the desired state, and the registers that follow it.

use crate::{
    clock::nanos_since,
    io::{
        Io,
        Registers, //
    },
    log, //
};
use core::ops::{
    Deref,
    DerefMut, //
};
use igb_core::{
    addr::UnicastAddr,
    bucket::Bucket,
    error::AdminError,
    function::{
        VfIndex,
        MAX_VFS, //
    },
    health::Told,
    lines::Budget,
    model::Differences,
    recent::Recent,
    regs::{
        self,
        xdctl, //
    },
    server::Server,
    stats::VfTraffic,
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
    pub(crate) vf_stats: [VfTraffic; MAX_VFS],
    /// Messages under way between PF and VFs.
    pub(crate) server: Server,
    /// What the administrator was told of VFs.
    pub(crate) told: Told,
    /// Log lines that VFs cause.
    pub(crate) lines: log::Lines,
    /// Log lines that lists of addresses of the PF cause.
    pub(crate) warnings: Budget,
    /// How often what is behind bridges on the net device may have the filters change at once.
    pub(crate) moves: Bucket,
    /// What VFs did of late, and what was written for them.
    pub(crate) recent: Recent,
    /// When the port was set up.
    pub(crate) epoch: Instant<Monotonic>,
    /// The net device is up.
    pub(crate) up: bool,
    /// How frames are spread over pools and queues was written since the last reset, and is not about to
    /// change. Nothing is received otherwise.
    spread: bool,
}

/// The controller's filters and mailboxes, with the registers they are in: what a lock guards.
pub(crate) struct Controller {
    io: Io,
    /// The controller is usable: not between a quiesce and the restart after it.
    live: bool,
    hw: Hw,
}

/// The right to write the registers of [`Controller`], which is in service: as long as its lock is
/// held, it stays so.
pub(crate) struct Live<'a> {
    pub(crate) io: &'a Io,
    pub(crate) hw: &'a mut Hw,
}

impl Controller {
    /// A controller before its first reset.
    pub(crate) fn new(io: Io, hw: impl Init<Hw>) -> impl Init<Self> {
        init!(Self {
            io,
            live: false,
            hw <- hw,
        })
    }

    /// The controller is in service.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// The controller, if it is in service.
    pub(crate) fn live(&mut self) -> Option<Live<'_>> {
        let Self { io, live, hw } = self;
        live.then_some(Live { io, hw })
    }

    /// Makes the filter registers follow the desired state: at once, or when the controller comes back
    /// into service.
    pub(crate) fn apply(&mut self) {
        if let Some(Live { io, hw }) = self.live() {
            let now = hw.now();
            hw.apply_at(io, now);
        }
    }

    /// The controller is about to be reset: no register is written from here on, and no VF is served.
    pub(crate) fn leave_service(&mut self) {
        self.live = false;
        self.hw.switch.set_link_speed(0);
    }

    /// The controller comes out of a reset: everything is written anew, and VFs are served.
    pub(crate) fn enter_service(&mut self) {
        self.hw.forget();
        self.live = true;
        // Queue 0 comes out of a reset enabled, and belongs to VF 0.
        self.io.write(regs::rxdctl(0), xdctl::RX_DEFAULT);
        self.io.write(regs::txdctl(0), xdctl::TX_DEFAULT);
        self.apply();
    }
}

impl Deref for Controller {
    type Target = Hw;

    fn deref(&self) -> &Hw {
        &self.hw
    }
}

impl DerefMut for Controller {
    fn deref_mut(&mut self) -> &mut Hw {
        &mut self.hw
    }
}

impl Hw {
    /// What is known before the controller's first reset.
    ///
    /// Written where it shall stay: several KiB, too large for a stack.
    pub(crate) fn new(
        mac: UnicastAddr,
        differences: Differences,
        now: Instant<Monotonic>,
    ) -> impl Init<Self> {
        init!(Self {
            switch: const { Switch::BLANK },
            shadow: const { Shadow::new() },
            vf_stats: Default::default(),
            server: Server::new(differences.hides_link_from_vfs),
            told: Told::WELL,
            lines: const { log::Lines::NEW },
            warnings: Budget::FULL,
            moves: Bucket::FULL,
            recent: const { Recent::NEW },
            epoch: now,
            up: false,
            spread: false,
            _: {
                switch.identify(mac, differences.promiscuity);
            },
        })
    }

    /// Nanoseconds since the port was set up.
    pub(crate) fn now(&self) -> u64 {
        nanos_since(self.epoch)
    }

    /// How frames are spread over pools and queues (`MRQC`) is written. Receiving begins with the next
    /// [`Hw::apply_at`].
    pub(crate) fn frames_are_spread(&mut self) {
        self.spread = true;
    }

    /// The receiver and the transmitter are needed: by the net device or by a VF.
    pub(crate) fn is_needed(&self) -> bool {
        self.up || self.switch.nr_vfs() != 0
    }

    /// Takes a reading of the counters of `vf`.
    pub(crate) fn read_vf_counters(&mut self, io: &Registers, vf: VfIndex) {
        if let Some(stats) = self.vf_stats.get_mut(vf.index()) {
            stats.update(vf, |offset| io.read_counter_at(offset));
        }
    }

    /// Something is to be told to the administrator, which takes a work item.
    pub(crate) fn has_to_tell(&self) -> bool {
        self.lines.is_waiting() || self.told.is_out_of_date(&self.switch)
    }

    /// Makes the filter registers follow the desired state, at the time `now`.
    pub(crate) fn apply_at(&mut self, io: &Io, now: u64) {
        let receive = self.spread && self.is_needed();
        self.switch.set_receive(receive);
        let (recent, replay) = (&mut self.recent, self.shadow.is_unknown());
        if replay {
            recent.replay(now);
        }
        self.shadow.follow(&mut self.switch, |offset, value| {
            io.write_at(offset, value);
            if !replay {
                recent.write(now, offset, value);
            }
        });
    }

    /// Receives nothing until it is written anew how frames are spread: [`Hw::frames_are_spread`].
    pub(crate) fn pause_receive(&mut self, io: &Io) {
        self.spread = false;
        self.switch.set_receive(false);
        self.shadow.follow(&mut self.switch, |offset, value| {
            io.write_at(offset, value);
        });
        io.flush();
    }

    /// Counts the traffic of `vf` anew.
    pub(crate) fn begin_vf_stats(&mut self, vf: VfIndex, io: &Registers) {
        if let Some(stats) = self.vf_stats.get_mut(vf.index()) {
            *stats = VfTraffic::beginning(vf, |offset| io.read_counter_at(offset));
        }
    }

    /// The controller was reset: it holds nothing that was written, and nothing is under way.
    fn forget(&mut self) {
        self.spread = false;
        self.shadow.forget();
        self.switch.on_pf_reset();
        self.server.on_controller_reset();
    }
}

/// An error of the pure logic as the kernel's.
pub(crate) fn errno(error: AdminError) -> Error {
    Error::from_errno(error.errno())
}
