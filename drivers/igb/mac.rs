// SPDX-License-Identifier: GPL-2.0

//! The part of the controller that no request of a VF touches: units, link, and how frames are spread
//! over the PF's queues.

use crate::{
    controller::Controller,
    hw,
    io::Io,
    link::PortLink, //
};
use igb_core::{
    regs::{
        self,
        ctrl,
        tctl,
        Access, //
    },
    rss::Rss,
    steering::Steering, //
};
use kernel::prelude::*;
use net::lock::RawSpinLock;

/// The part of the controller that no request of a VF touches.
pub(crate) struct Mac {
    io: Io,
    /// How frames are spread over the PF's queues.
    pub(crate) rss: Rss,
    /// Which frames go to a queue by a rule.
    pub(crate) steering: Steering,
    /// The controller has the filters for that.
    has_filters: bool,
    /// The controller verifies checksums of received frames.
    pub(crate) rx_csum: bool,
    /// The link, as it shall be and as it is.
    pub(crate) link: PortLink,
    /// What it watches for while the system sleeps.
    pub(crate) armed: Option<hw::wake::Armed>,
    /// The next word for VFs that have to come back is a refusal.
    pub(crate) recall_refuses: bool,
    /// Packets the PF had received when the counters were read last.
    pub(crate) folded_rx: u64,
    /// When the counters were read last.
    pub(crate) folded_at: u64,
    /// When there last was a link or a reason to wait for one.
    pub(crate) linked_at: u64,
}

impl Mac {
    pub(crate) fn new(io: &Io, rss: Rss, link: PortLink, has_filters: bool) -> Self {
        Self {
            io: io.clone(),
            rss,
            steering: Steering::NONE,
            has_filters,
            rx_csum: true,
            link,
            armed: None,
            recall_refuses: false,
            folded_rx: 0,
            folded_at: 0,
            linked_at: 0,
        }
    }

    /// The right to configure the controller, which is in service: as long as the lock of this is held,
    /// it stays so.
    pub(crate) fn live(&self, controller: &RawSpinLock<Controller>) -> Option<&Io> {
        controller.lock().is_live().then_some(&self.io)
    }

    /// The same of a controller that is not in service: for what resets it, tests it, or readies it for
    /// a sleep.
    pub(crate) fn out_of_service(&self) -> &Io {
        &self.io
    }

    /// Starts or stops the units and the link, whichever is due. To be called when `up` or the
    /// number of VFs has changed.
    pub(crate) fn apply_need(&mut self, controller: &RawSpinLock<Controller>) -> Result {
        let needed = {
            let mut hw = controller.lock();
            hw.apply();
            hw.is_needed()
        };
        let Some(io) = self.live(controller) else {
            return Ok(());
        };
        // What is left of the value after a reset are the collision distance and bits without a name.
        io.update(regs::TCTL, |value| {
            let value = value & !tctl::EN;
            let half_duplex = tctl::RTLC | tctl::collision_threshold(15);
            value | tctl::PSP | half_duplex | tctl::EN.when(needed)
        });
        if needed {
            self.link.start()
        } else {
            self.link.stop()
        }
    }

    /// Takes the controller out of service: nothing is received, sent or switched from here on, and no
    /// VF is served. Only a reset brings it back.
    pub(crate) fn halt(&mut self, controller: &RawSpinLock<Controller>) {
        controller.lock().leave_service();
        self.link.lost();
        hw::reset::mask_interrupts(&self.io);
        hw::reset::stop_units(&self.io);
    }

    /// Spreads received frames over `pairs` of the PF's queue pairs: those that are open.
    pub(crate) fn spread_over(&mut self, controller: &RawSpinLock<Controller>, pairs: u8) {
        self.rss.set_queues(pairs);
        {
            let mut hw = controller.lock();
            hw.switch.set_pf_rss(pairs > 1);
            hw.apply();
        }
        self.apply_rss(controller);
    }

    /// Programs whether VLAN tags are taken out of frames for the PF.
    pub(crate) fn apply_vlan_strip(&self, controller: &RawSpinLock<Controller>) {
        let Some(io) = self.live(controller) else {
            return;
        };
        let strip = controller.lock().switch.ctrl_vme();
        io.update(regs::CTRL, |value| {
            if strip {
                value | ctrl::VME
            } else {
                value & !ctrl::VME
            }
        });
    }

    /// Programs the rules by which frames go to queues. To be called when they have changed.
    pub(crate) fn apply_steering(&self, controller: &RawSpinLock<Controller>) {
        let Some(io) = self.live(controller) else {
            return;
        };
        let pools = controller.lock().switch.uses_pools();
        self.write_steering(io, pools);
    }

    fn write_steering(&self, io: &Io, pools: bool) {
        let registers = Access(
            |offset| io.read_at(offset),
            |offset, value| io.write_at(offset, value),
        );
        self.steering.image(pools).write(&registers);
    }

    /// Programs the hash, and how it spreads frames.
    pub(crate) fn apply_rss(&self, controller: &RawSpinLock<Controller>) {
        let Some(io) = self.live(controller) else {
            return;
        };
        let pools = controller.lock().switch.uses_pools();
        self.write_rss(io, pools);
        controller.lock().frames_are_spread();
    }

    /// The same of a controller that is known to be in service. Whether frames are sorted into `pools` may
    /// change only while nothing is received (`MRQC`).
    pub(crate) fn write_rss(&self, io: &Io, pools: bool) {
        for (n, word) in self.rss.rssrk().into_iter().enumerate() {
            io.write(regs::rssrk(n), word);
        }
        for (n, word) in self.rss.reta(pools).into_iter().enumerate() {
            io.write(regs::reta(n), word);
        }
        let mut rxcsum = regs::rxcsum::PCSD;
        if self.rx_csum {
            rxcsum |= regs::rxcsum::IPOFL | regs::rxcsum::TUOFL | regs::rxcsum::CRCOFL;
        }
        io.write(regs::RXCSUM, rxcsum);
        io.write(regs::MRQC, self.rss.mrqc(pools));
        // Where there are no rules as well: a reset leaves the filters as they are, and they may be those of
        // another driver.
        if self.has_filters {
            self.write_steering(io, pools);
        }
    }
}
