// SPDX-License-Identifier: GPL-2.0

//! What of the controller VFs have no part in: units, link, and how frames are spread over the PF's
//! queues.

use crate::{
    controller::Hw,
    hw,
    io::Io,
    link::Link, //
};
use igb_core::{
    regs::{
        self,
        tctl, //
    },
    rss::Rss, //
};
use kernel::prelude::*;
use net::lock::RawSpinLock;

/// What of the controller VFs have no part in.
pub(crate) struct Mac {
    pub(crate) io: Io,
    /// How frames are spread over the PF's queues.
    pub(crate) rss: Rss,
    /// The controller verifies checksums of received frames.
    pub(crate) rx_csum: bool,
    /// The link, as it shall be and as it is.
    pub(crate) link: Link,
    /// The next word for VFs that have to come back is a refusal.
    pub(crate) recall_refuses: bool,
    /// Packets the PF had received when the counters were read last.
    pub(crate) folded_rx: u64,
    /// When the counters were read last.
    pub(crate) folded_at: u64,
}

impl Mac {
    /// Starts or stops the units and the link, whichever is due. To be called when [`Hw::up`] or the
    /// number of VFs has changed.
    pub(crate) fn apply_need(&mut self, controller: &RawSpinLock<Hw>) -> Result {
        let io = &self.io;
        let (live, needed) = {
            let mut hw = controller.lock();
            hw.apply(io);
            (hw.live, hw.is_needed())
        };
        if !live {
            return Ok(());
        }
        io.write(
            regs::TCTL,
            tctl::PSP
                | tctl::RTLC
                | tctl::collision_threshold(15)
                | if needed { tctl::EN } else { 0 },
        );
        if needed {
            self.link.start(io)
        } else {
            self.link.stop(io)
        }
    }

    /// The quiescing half of every reset: nothing is received, sent or switched from here on, and
    /// no VF is served.
    pub(crate) fn quiesce(&mut self, controller: &RawSpinLock<Hw>) {
        {
            let mut hw = controller.lock();
            hw.live = false;
            hw.switch.set_link_speed(0);
        }
        self.link.lost();
        hw::reset::mask_interrupts(&self.io);
        hw::reset::stop_units(&self.io);
    }

    /// Spreads received frames over `pairs` of the PF's queue pairs: those that are open.
    pub(crate) fn spread_over(&mut self, controller: &RawSpinLock<Hw>, pairs: u8) {
        self.rss.set_queues(pairs);
        let live = {
            let mut hw = controller.lock();
            hw.switch.set_pf_rss(pairs > 1);
            hw.apply(&self.io);
            hw.live
        };
        if live {
            self.apply_rss(controller);
        }
    }

    /// Programs the hash, and how it spreads frames.
    pub(crate) fn apply_rss(&self, controller: &RawSpinLock<Hw>) {
        let io = &self.io;
        let pools = controller.lock().switch.uses_pools();
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
    }
}
