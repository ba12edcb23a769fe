// SPDX-License-Identifier: GPL-2.0

//! Waking a sleeping system (datasheet 5.3 and 8.20).

use crate::{
    hw::{
        identity::Identity,
        nvm::Nvm, //
    },
    io::{
        Io,
        Registers, //
    }, //
};
use igb_core::{
    regs::{
        self,
        ctrl,
        rctl,
        status, //
    },
    wake::{
        may_wake,
        WakeEvents,
        PORT1_CONTROL_WORD, //
    },
};

/// The events that can wake the system: all, if the port is one that can.
pub(crate) fn supported(io: &Registers, nvm: &Nvm, identity: &Identity) -> WakeEvents {
    let lan_id = status::lan_id(io.read(regs::STATUS));
    let port1 = || {
        let mut word = [0];
        nvm.read(PORT1_CONTROL_WORD, &mut word).ok()?;
        word.first().copied()
    };
    if may_wake(identity.variant.wakes, lan_id, identity.is_first, port1) {
        WakeEvents::ALL
    } else {
        WakeEvents::NONE
    }
}

/// What a controller watches for while the system sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    /// The events.
    pub(crate) events: WakeEvents,
    /// `WUS` right after it was cleared.
    cleared: u32,
}

/// Has a quiesced controller, whose filters are still in place, watch for `events` while it sleeps.
/// Returns what it watches for: a link that is up now does not wake the system by coming up.
pub(crate) fn arm(io: &Io, events: WakeEvents) -> Armed {
    let events = if io.read(regs::STATUS) & status::LU != 0 {
        events.without(WakeEvents::LINK)
    } else {
        events
    };
    if !events.is_empty() {
        let all_multicast = rctl::MPE.when(events.contains(WakeEvents::MULTICAST));
        io.write(regs::RCTL, rctl::EN | rctl::BAM | all_multicast);
        io.update(regs::CTRL, |value| value | ctrl::ADVD3WUC);
    }
    // What woke the system last time.
    io.write(regs::WUS, !0);
    let cleared = io.read(regs::WUS);
    io.write(regs::WUC, events.wuc());
    io.write(regs::WUFC, events.wufc());
    io.flush();
    Armed { events, cleared }
}

/// Ends the watch of a controller that is accessible again, and returns what has come meanwhile. To be
/// called before it is reset.
pub(crate) fn disarm(io: &Io, armed: Armed) -> WakeEvents {
    let woken_by = WakeEvents::since(armed.cleared, io.read(regs::WUS));
    io.write(regs::WUC, WakeEvents::NONE.wuc());
    io.write(regs::WUFC, WakeEvents::NONE.wufc());
    io.write(regs::WUS, !0);
    woken_by
}
