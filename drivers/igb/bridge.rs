// SPDX-License-Identifier: GPL-2.0

//! Bridges on the net device: the PF receives what VFs send to the machines behind them.

use crate::port::Port;
use igb_core::{
    addr::MacAddr,
    switch::Behind, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Full,
        Relaxed, //
    },
};
use net::device::Device;

/// A change of what is behind the bridges is followed at once if they come no faster than this, in
/// nanoseconds, so many of them in a row. Whoever is behind a bridge can have an address move with
/// each frame.
const MOVE_NS: u64 = 2_000_000;
const MOVES: u64 = 64;

/// What is behind the bridges has changed: the receive addresses follow, at once, as the answer of
/// a VF to the first frame of a machine is often only microseconds away. When there are too many
/// changes, the service work item does it. Process context or softirq.
pub(crate) fn on_change(dev: &Device<Port>) {
    let port = dev.data();
    let at_once = {
        let mut hw = port.hw.lock();
        let now = hw.now();
        hw.moves.take(MOVE_NS, MOVES * MOVE_NS, now).is_ok()
    };
    if at_once {
        follow(dev);
    } else {
        port.stations_due.store(true, Relaxed);
    }
}

/// Follows the changes that were too many, if there were any. Process context.
pub(crate) fn catch_up(dev: &Device<Port>) {
    if dev.data().stations_due.xchg(false, Full) {
        follow(dev);
    }
}

fn follow(dev: &Device<Port>) {
    let port = dev.data();
    let left_out = {
        let mut hw = port.hw.lock();
        let left_out = port.stations.with(|stations| {
            hw.switch.set_bridged(stations.map(|known| Behind {
                addr: MacAddr(known.addr),
                is_given: known.is_given,
            }))
        });
        hw.apply();
        left_out
    };
    // Once, as whoever is behind a bridge can bring it about.
    if left_out != 0 && !port.told_left_out.xchg(true, Full) {
        dev_warn!(
            &*port.pdev,
            "{}: no receive address is left for {left_out} addresses behind the bridge; frames \
             from VFs to them leave by the wire\n",
            dev.name()
        );
    }
}
