// SPDX-License-Identifier: GPL-2.0

//! Waking the system: `ethtool -s DEV wol`. What is set takes effect when the system goes to sleep.

use super::Ops;
use crate::{
    hw,
    port::Port, //
};
use igb_core::{
    regs::{
        self,
        ctrl_ext, //
    },
    wake::WakeEvents, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::{
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
        let supported = hw::wake::supported(&port.io);
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
        if shown(events) != enabled || !hw::wake::supported(&port.io).contains(events) {
            return Err(EOPNOTSUPP);
        }
        port.ethtool.wake.store(events.wufc(), Relaxed);
        Ok(())
    }
}

impl Port {
    /// Readies a quiesced port for the system's sleep: it watches for what shall wake the system,
    /// with a link to hear it on, or else its link is down. Returns what it watches for.
    pub(crate) fn prepare_sleep(&self) -> WakeEvents {
        let io = &self.io;
        let wanted = self.ethtool.wake();
        let mut mac = self.mac.lock();
        let needed = self.hw.lock().is_needed();
        let events = if hw::wake::supported(io).contains(wanted) {
            hw::wake::arm(io, wanted)
        } else {
            hw::wake::arm(io, WakeEvents::NONE)
        };
        let link = if events.is_empty() {
            mac.link.stop(io)
        } else if !needed {
            // It was down, or on its way there, as nobody needed it.
            mac.link.negotiate(io)
        } else {
            Ok(())
        };
        if let Err(error) = link {
            dev_warn!(
                &*self.pdev,
                "the PHY does not follow into sleep: {error:?}\n"
            );
        }
        // Firmware may have the controller.
        io.update(regs::CTRL_EXT, |value| value & !ctrl_ext::DRV_LOAD);
        events
    }
}

fn shown(events: WakeEvents) -> WakeOn {
    EVENTS
        .iter()
        .filter(|(_, device)| events.contains(*device))
        .fold(WakeOn::NONE, |set, (user, _)| set.or(*user))
}
