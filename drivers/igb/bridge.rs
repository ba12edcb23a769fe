// SPDX-License-Identifier: GPL-2.0

//! Bridges on the net device: the PF receives what VFs send to the machines behind them.

use crate::port::Port;
use igb_core::addr::MacAddr;
use kernel::{
    prelude::*,
    sync::atomic::Full, //
};
use net::device::Device;

/// What is behind the bridges has changed: the receive addresses follow, at once, as the answer of
/// a VF to the first frame of a machine is often only microseconds away. Process context or
/// softirq.
pub(crate) fn follow(dev: &Device<Port>) {
    let port = dev.data();
    let left_out = {
        let mut hw = port.hw.lock();
        let left_out = port
            .stations
            .with(|stations| hw.switch.set_bridged(stations.map(MacAddr)));
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
