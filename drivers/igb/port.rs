// SPDX-License-Identifier: GPL-2.0

//! The state of one controller, shared by everything that runs for it.
//!
//! Two locks, taken in this order (and RTNL before both, where it is needed):
//!
//! - [`Port::net`]: the settings of the net device, and its queues while it is up. Held while
//!   queues are opened, or exchanged for others; always under RTNL.
//! - [`Port::hw`]: the registers that are not a queue's, and the desired state they follow. Held
//!   for short stretches only, so that a VF's message is never kept waiting by a slow open.
//!
//! The data path takes neither: a queue's state belongs to its NAPI instance or its transmit lock.

use crate::{
    debugfs::Recent,
    ethtool,
    hw::{
        self,
        phy::Phy, //
    },
    io::Io,
    link::Link,
    log,
    mailbox,
    poll::Pair,
    queues::{
        self,
        Queues, //
    },
    settings::Settings,
    stats::{
        HwStats,
        PairStats, //
    },
    vectors::{
        LegacyHandler,
        Misc,
        MiscHandler,
        Plan, //
    }, //
};
use igb_core::{
    function::{
        VfSet,
        MAX_VFS, //
    },
    mailbox::WakeUps,
    regs::{
        self,
        ctrl,
        ctrl_ext,
        gpie,
        icr,
        ivar,
        tctl, //
    },
    rss::Rss,
    stats::VfStats,
    switch::{
        Image,
        Shadow,
        Switch, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Atomic,
        Arc,
        Mutex, //
    },
    time::{
        Instant,
        Monotonic, //
    },
};
use net::{
    device::Device,
    devlink::Reporters,
    irq::{
        self,
        Kind,
        Vectors, //
    },
    napi::Scheduler,
    work,
    xdp::Program, //
};

/// Most queue pairs of the PF.
pub(crate) const MAX_PAIRS: usize = 8;

/// Work that is done outside of interrupts. The items are bound when the port is registered;
/// before that, scheduling them does nothing.
pub(crate) struct Works {
    /// Serves the VFs' mailboxes.
    pub(crate) mailbox: work::Handle,
    /// Watches the link and the counters.
    pub(crate) service: work::Handle,
    /// Resets the controller and replays the desired state.
    pub(crate) reset: work::Handle,
    /// Opens queues that are missing.
    pub(crate) reopen: work::Handle,
}

/// Everything that runs for one controller.
#[pin_data]
pub(crate) struct Port {
    pub(crate) pdev: ARef<kernel::pci::Device>,
    pub(crate) io: Io,
    pub(crate) vectors: Vectors,
    pub(crate) plan: Plan,
    pub(crate) epoch: Instant<Monotonic>,
    pub(crate) works: Works,
    /// To be told which VFs are cut off.
    pub(crate) reporters: Reporters,
    /// Settings of `ethtool` that concern nothing else.
    pub(crate) ethtool: ethtool::State,
    pub(crate) stats: [Arc<PairStats>; MAX_PAIRS],
    /// How frames between functions are switched, for readers that must not sleep.
    pub(crate) bridge_mode: Atomic<u32>,
    /// Sum of failed receive allocations the service work item has seen.
    pub(crate) alloc_failures_seen: Atomic<u64>,
    #[pin]
    pub(crate) hw_stats: HwStats,
    /// The vector of everything that is not a queue (and of the queues, if it is the only one).
    #[pin]
    pub(crate) misc_irq: Mutex<Option<irq::Registration>>,
    #[pin]
    pub(crate) net: Mutex<Net>,
    #[pin]
    pub(crate) hw: Mutex<Hw>,
}

impl Port {
    /// Nanoseconds since the port was set up.
    pub(crate) fn now(&self) -> u64 {
        nanos_since(self.epoch)
    }

    /// The net device is up on a controller that works, and has no queues: the memory for them was
    /// not to be had.
    pub(crate) fn lacks_queues(&self) -> bool {
        let net = self.net.lock();
        let hw = self.hw.lock();
        hw.up && hw.live && net.queues.is_none()
    }

    /// The net device's queues have frames and no link to send them on: the controller does nothing
    /// about them then. Who waits for them (a connection that has another way by now) would wait as
    /// long as the link is down.
    pub(crate) fn holds_frames(&self) -> bool {
        let net = self.net.lock();
        let hw = self.hw.lock();
        hw.live
            && hw.link.state().is_none()
            && net
                .queues
                .as_ref()
                .is_some_and(|queues| queues.have_unsent(&self.io))
    }

    /// Has the misc vector served. Process context.
    pub(crate) fn serve_misc(&self) -> Result {
        if !self.plan.is_msix() {
            return self.serve_legacy(None);
        }
        let handler = Arc::new(MiscHandler(self.misc()), GFP_KERNEL)?;
        let irq =
            self.vectors
                .request(self.plan.misc_vector().into(), fmt!("igb_rs-misc"), handler)?;
        *self.misc_irq.lock() = Some(irq);
        Ok(())
    }

    /// Has the only vector served, together with `pair` or without. Process context.
    pub(crate) fn serve_legacy(&self, pair: Option<Scheduler<Pair>>) -> Result {
        let handler = Arc::new(
            LegacyHandler {
                misc: self.misc(),
                shared: self.vectors.kind() == Kind::Intx,
                pair,
            },
            GFP_KERNEL,
        )?;
        let mut slot = self.misc_irq.lock();
        // A vector has one handler at a time.
        *slot = None;
        *slot = Some(self.vectors.request(0, fmt!("igb_rs"), handler)?);
        Ok(())
    }

    fn misc(&self) -> Misc {
        Misc {
            io: self.io.clone(),
            mailbox: self.works.mailbox.clone(),
            service: self.works.service.clone(),
            reset: self.works.reset.clone(),
        }
    }
}

fn nanos_since(epoch: Instant<Monotonic>) -> u64 {
    u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(0)
}

/// The net device's part of the state.
pub(crate) struct Net {
    /// What the user wants of queues and interrupts.
    pub(crate) settings: Settings,
    /// The queues, while the device is up.
    pub(crate) queues: Option<Queues>,
    /// What received frames are shown to before the stack gets them.
    pub(crate) program: Option<Program>,
}

impl Net {
    /// Opens queues as they are wanted. There are none. Under RTNL.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what registering an interrupt returns: there are none then either.
    pub(crate) fn open(&mut self, port: &Port, dev: &Device<Port>) -> Result {
        self.queues = Some(queues::open(port, dev, self)?);
        Ok(())
    }
}

/// The controller's part of the state.
pub(crate) struct Hw {
    /// Which frame shall reach which function.
    pub(crate) switch: Switch,
    /// What the filter registers are known to hold.
    pub(crate) shadow: Shadow,
    /// Scratch space, too large for a stack.
    pub(crate) image: Image,
    /// How frames are spread over the PF's queues.
    pub(crate) rss: Rss,
    /// The controller verifies checksums of received frames.
    pub(crate) rx_csum: bool,
    /// The link, as it shall be and as it is.
    pub(crate) link: Link,
    /// Traffic of each VF.
    pub(crate) vf_stats: [VfStats; MAX_VFS],
    /// Messages under way between PF and VFs.
    pub(crate) pending: mailbox::Pending,
    /// How often VFs may still wake the PF.
    pub(crate) wake_ups: WakeUps,
    /// The next word for VFs that have to come back is a refusal.
    pub(crate) recall_refuses: bool,
    /// Packets the PF had received when the counters were read last.
    pub(crate) folded_rx: u64,
    /// When the counters were read last.
    pub(crate) folded_at: u64,
    /// VFs the administrator knows to be cut off.
    pub(crate) told: VfSet,
    /// Log lines each VF may still cause.
    pub(crate) log: [log::Budget; MAX_VFS],
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
    /// The receiver and the transmitter are needed: by the net device or by a VF.
    pub(crate) fn is_needed(&self) -> bool {
        self.up || self.switch.nr_vfs() != 0
    }

    /// Makes the filter registers follow the desired state.
    pub(crate) fn apply(&mut self, io: &Io) {
        if !self.live {
            return;
        }
        let needed = self.is_needed();
        self.switch.set_receive(needed);
        self.switch.render(&mut self.image);
        let now = nanos_since(self.epoch);
        let (recent, replay) = (&mut self.recent, self.shadow.is_unknown());
        if replay {
            recent.replay(now);
        }
        self.shadow.update(&self.image, |offset, value| {
            io.write(offset, value);
            if !replay {
                recent.write(now, offset, value);
            }
        });
    }

    /// Starts or stops the units and the link, whichever is due. To be called when `up` or the
    /// number of VFs has changed.
    pub(crate) fn apply_need(&mut self, io: &Io) -> Result {
        self.apply(io);
        if !self.live {
            return Ok(());
        }
        io.write(
            regs::TCTL,
            tctl::PSP
                | tctl::RTLC
                | tctl::collision_threshold(15)
                | if self.is_needed() { tctl::EN } else { 0 },
        );
        if self.is_needed() {
            self.link.start(io)
        } else {
            self.link.stop(io)
        }
    }

    /// The quiescing half of every reset: nothing is received, sent or switched from here on, and
    /// no VF is served.
    pub(crate) fn quiesce(&mut self, io: &Io) {
        self.live = false;
        self.link.lost();
        self.switch.set_link_speed(0);
        hw::reset::mask_interrupts(io);
        hw::reset::stop_units(io);
    }

    /// The other half: resets the controller and writes everything anew from the desired state.
    /// Sleeps for some 20 ms.
    ///
    /// # Errors
    ///
    /// `ENODEV`: the controller is gone, and stays quiesced. A PHY that is not to be had is no error:
    /// the service work item tries to start the link again.
    pub(crate) fn restart(&mut self, io: &Io, plan: &Plan) -> Result {
        hw::reset::reset(io)?;
        self.shadow.forget();
        self.switch.on_pf_reset();
        self.pending = mailbox::Pending::default();
        self.live = true;
        // Queue 0 comes out of a reset enabled, and belongs to VF 0.
        io.write(regs::rxdctl(0), 0);
        io.write(regs::txdctl(0), 0);
        io.write(regs::VET, regs::vet::DOT1Q);
        io.update(regs::CTRL, |value| {
            let value = (value | ctrl::SLU) & !(ctrl::FRCSPD | ctrl::FRCDPX);
            if self.switch.ctrl_vme() {
                value | ctrl::VME
            } else {
                value & !ctrl::VME
            }
        });
        io.write(regs::TIPG, regs::tipg::DEFAULT);
        self.apply_rss(io);
        let _ = self.apply_need(io);
        self.start_interrupts(io, plan);
        // From here on VFs see that the PF is ready for their handshake.
        io.update(regs::CTRL_EXT, |value| {
            value | ctrl_ext::PFRSTD | ctrl_ext::DRV_LOAD
        });
        io.flush();
        Ok(())
    }

    /// Spreads received frames over `pairs` of the PF's queue pairs: those that are open.
    pub(crate) fn spread_over(&mut self, io: &Io, pairs: u8) {
        self.rss.set_queues(pairs);
        self.switch.set_pf_rss(pairs > 1);
        self.apply(io);
        if self.live {
            self.apply_rss(io);
        }
    }

    /// Programs the hash, and how it spreads frames.
    pub(crate) fn apply_rss(&self, io: &Io) {
        let pools = self.switch.uses_pools();
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

    /// Routes the causes that are not a queue's, and unmasks them.
    fn start_interrupts(&self, io: &Io, plan: &Plan) {
        if plan.is_msix() {
            io.write(
                regs::GPIE,
                gpie::MSIX_MODE | gpie::PBA | gpie::EIAME | gpie::NSICR,
            );
            io.write(regs::IVAR_MISC, ivar::misc_other(plan.misc_vector()));
            let bit = regs::eicr::vector(plan.misc_vector().into());
            io.update(regs::EIAC, |value| value | bit);
            io.update(regs::EIAM, |value| value | bit);
            io.write(regs::EIMS, bit);
            io.write(regs::MBVFIMR, regs::mbvfimr::ALL);
        }
        io.write(regs::IMS, self.misc_causes());
        io.flush();
    }

    /// The causes the port wants to hear of. Not of frames that fail the spoof check (`DOUTSYNC`): a VF
    /// could send them without pause, so they are looked for now and then.
    pub(crate) fn misc_causes(&self) -> u32 {
        let mut causes = icr::LSC | icr::DRSTA;
        if self.switch.nr_vfs() != 0 {
            causes |= icr::VMMB;
        }
        causes
    }

    /// Says goodbye: the link goes down, and firmware may have the controller.
    pub(crate) fn release(&mut self, io: &Io) {
        self.up = false;
        self.quiesce(io);
        if hw::reset::reset(io).is_err() {
            return;
        }
        if let Ok(phy) = Phy::take(io) {
            let _ = phy.power_down();
        }
        io.update(regs::CTRL_EXT, |value| value & !ctrl_ext::DRV_LOAD);
    }
}
