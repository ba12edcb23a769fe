// SPDX-License-Identifier: GPL-2.0

//! The VLANs of the net device while they are more than the pool filter has entries for: those it
//! sends in get the entries (`igb_core::switch`, `Switch::serve_vlans`).

use crate::{
    port::Port,
    vlan_use::VlanUse, //
};
use igb_core::switch::{
    Switch,
    VlanRoom, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::{
    device::Device,
    work, //
};

/// A frame was sent in a VLAN nothing was sent in of late.
pub(crate) fn serve(dev: &Device<Port>, _handle: &work::Handle) {
    dev.data().serve_vlans(false);
}

impl Port {
    /// Sees to it that frames are watched as long as that is of interest. To be called when the
    /// VLANs of the net device, or the number of VFs, have changed.
    pub(crate) fn watch_vlans(&self, switch: &Switch) {
        self.vlan_use.watch(switch.vlans_overflow());
    }

    /// Gives the VLANs that are used their entries. With `next`, a new look at which are used
    /// begins; that is at regular intervals.
    pub(crate) fn serve_vlans(&self, next: bool) {
        if !self.vlan_use.is_watched() {
            return;
        }
        let used = self.vlan_use.used(next);
        let (room, overflow) = {
            let mut hw = self.hw.lock();
            let room = hw.switch.serve_vlans(&used);
            if next {
                hw.switch.next_vlan_look();
            }
            hw.apply();
            self.watch_vlans(&hw.switch);
            (room, hw.switch.vlans_overflow())
        };
        self.tell_vlans(room, overflow);
    }

    /// Says once, until all VLANs have an entry again, what is not received.
    fn tell_vlans(&self, room: VlanRoom, overflow: bool) {
        let VlanUse {
            told_overflow,
            told_wanting,
            ..
        } = &self.vlan_use;
        if !overflow {
            return;
        }
        if !told_overflow.xchg(true, Relaxed) {
            dev_info!(
                &*self.pdev,
                "in {} VLANs, with room for {} in the filter beside the VFs; those that frames \
                 are sent in are served first, the others receive unicast only\n",
                room.vlans,
                room.served
            );
        }
        if room.wanting != 0 && !told_wanting.xchg(true, Relaxed) {
            dev_warn!(
                &*self.pdev,
                "{} VLANs that are used find no room in the filter and receive neither broadcast \
                 nor multicast; use fewer VLANs on this port, or fewer VFs\n",
                room.wanting
            );
        }
    }
}
