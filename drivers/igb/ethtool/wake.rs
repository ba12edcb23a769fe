// SPDX-License-Identifier: GPL-2.0

//! Waking the system: `ethtool -s DEV wol`. What is set takes effect when the system goes to sleep.

use super::Ops;
use crate::port::Port;
use igb_core::wake::WakeEvents;
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::{
    compat::EOPNOTSUPP,
    device::Device,
    ethtool::{
        Wake,
        WakeOn,
        WakeSettings, //
    },
};

/// The events as the user and as the device knows them.
const EVENTS: [(WakeOn, WakeEvents); 5] = [
    (WakeOn::PHY, WakeEvents::LINK),
    (WakeOn::MAGIC, WakeEvents::MAGIC),
    (WakeOn::UNICAST, WakeEvents::UNICAST),
    (WakeOn::MULTICAST, WakeEvents::MULTICAST),
    (WakeOn::BROADCAST, WakeEvents::BROADCAST),
];

#[vtable]
impl Wake<Port> for Ops {
    fn wake(port: &Port, _dev: &Device<Port>) -> WakeSettings {
        let supported = port.wakes_on();
        let enabled = port.ethtool.wake();
        WakeSettings {
            supported: shown(supported),
            enabled: if supported.contains(enabled) {
                shown(enabled)
            } else {
                WakeOn::NONE
            },
        }
    }

    fn set_wake(port: &Port, _dev: &Device<Port>, enabled: WakeOn) -> Result {
        let events = EVENTS
            .iter()
            .filter(|(user, _)| enabled.contains(*user))
            .fold(WakeEvents::NONE, |set, (_, device)| set.or(*device));
        if shown(events) != enabled || !port.wakes_on().contains(events) {
            return Err(EOPNOTSUPP);
        }
        port.ethtool.wake.store(events.wufc().bits(), Relaxed);
        Ok(())
    }
}

fn shown(events: WakeEvents) -> WakeOn {
    EVENTS
        .iter()
        .filter(|(_, device)| events.contains(*device))
        .fold(WakeOn::NONE, |set, (user, _)| set.or(*user))
}
