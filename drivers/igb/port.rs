// SPDX-License-Identifier: GPL-2.0

//! The state of one controller, shared by everything that runs for it.
//!
//! Three locks, taken in this order (and RTNL before them, where it is needed):
//!
//! - [`Port::net`]: the settings of the net device, and its queues while it is up. Held while
//!   queues are opened, or exchanged for others; always under RTNL.
//! - [`Port::mac`]: link, hash, counters, and the controller's resets. May be held for long.
//! - [`Port::hw`]: the filter registers and the desired state they follow, and the mailboxes. The
//!   interrupt of the mailboxes takes it, so interrupts are off while it is held, for short stretches
//!   without waiting for anything.
//!
//! The data path takes neither: a queue's state belongs to its NAPI instance or its transmit lock.

use crate::{
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
    settings::{
        EthtoolState,
        Settings, //
    },
    stats::{
        HwStats,
        PairStats, //
    },
    vectors::{
        LegacyHandler,
        MailboxHandler,
        Misc,
        Plan, //
    }, //
};
use igb_core::{
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    layout::MAX_PAIRS,
    mailbox::Direct,
    recent::Recent,
    regs::{
        self,
        ctrl,
        ctrl_ext,
        gpie,
        icr,
        ivar,
        tctl,
        xdctl, //
    },
    rss::Rss,
    stats::VfStats,
    switch::{
        Shadow,
        Switch, //
    },
    tenant, //
};
use kernel::{
    prelude::*,
    str::CString,
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
    device::{
        Device,
        Locked, //
    },
    devlink::Reporters,
    irq::{
        self,
        Kind,
        Vectors, //
    },
    lock::RawSpinLock,
    napi::Scheduler,
    work,
    xdp::Program, //
};

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
    pub(crate) ethtool: EthtoolState,
    pub(crate) stats: [Arc<PairStats>; MAX_PAIRS],
    /// How frames between functions are switched, for readers that must not sleep.
    pub(crate) bridge_mode: Atomic<u32>,
    /// Sum of failed receive allocations the service work item has seen.
    pub(crate) alloc_failures_seen: Atomic<u64>,
    #[pin]
    pub(crate) hw_stats: HwStats,
    /// The vector of everything that is not a queue (and of the queues, if it is the only one).
    #[pin]
    pub(crate) misc_irq: Mutex<Option<MiscIrq>>,
    #[pin]
    pub(crate) net: Mutex<Net>,
    #[pin]
    pub(crate) mac: Mutex<Mac>,
    /// Shared with the handler of the misc vector, which the port owns.
    pub(crate) hw: Arc<RawSpinLock<Hw>>,
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
        let mac = self.mac.lock();
        let live = self.hw.lock().live;
        live && mac.link.state().is_none()
            && net
                .queues
                .as_ref()
                .is_some_and(|queues| queues.have_unsent(&self.io))
    }

    /// Has the misc vector served, under the name of the interface: again, if that was another one.
    /// Process context.
    pub(crate) fn serve_misc(&self, dev: &Device<Port>) -> Result {
        if !self.plan.is_msix() {
            return self.serve_legacy(None);
        }
        let name = CString::try_from_fmt(fmt!("{}", dev.name()))?;
        let mut slot = self.misc_irq.lock();
        if slot.as_ref().is_some_and(|irq| *irq.name == *name) {
            return Ok(());
        }
        let handler = Arc::new(
            MailboxHandler {
                misc: self.misc(),
                hw: self.hw.clone(),
            },
            GFP_KERNEL,
        )?;
        // A vector has one handler at a time. What comes in between stays pending.
        *slot = None;
        let vector = self.plan.misc_vector().into();
        let registration = self
            .vectors
            .request_hard(vector, fmt!("{}", dev.name()), handler)?;
        *slot = Some(MiscIrq {
            name,
            _registration: registration,
        });
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
        let name = CString::try_from_fmt(fmt!("igb_rs"))?;
        let mut slot = self.misc_irq.lock();
        // A vector has one handler at a time.
        *slot = None;
        let registration = self.vectors.request(0, fmt!("igb_rs"), handler)?;
        *slot = Some(MiscIrq {
            name,
            _registration: registration,
        });
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

/// The vector of everything that is not a queue, while it is served.
pub(crate) struct MiscIrq {
    /// What `/proc/interrupts` calls it.
    name: CString,
    _registration: irq::Registration,
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
    pub(crate) fn open(&mut self, port: &Port, dev: &Locked<Port>) -> Result {
        self.queues = Some(queues::open(port, dev, self)?);
        Ok(())
    }
}

/// What of the controller VFs have no part in.
pub(crate) struct Mac {
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

/// The controller's filters and mailboxes.
pub(crate) struct Hw {
    /// Which frame shall reach which function.
    pub(crate) switch: Switch,
    /// What the filter registers are known to hold.
    pub(crate) shadow: Shadow,
    /// Traffic of each VF.
    pub(crate) vf_stats: [VfStats; MAX_VFS],
    /// Messages under way between PF and VFs.
    pub(crate) pending: mailbox::Pending,
    /// VFs whose registers hold what a tenant has written who is gone.
    pub(crate) unclean: VfSet,
    /// VFs that were reset while their mailbox was held, and when to clear it all the same.
    pub(crate) unscrubbed: VfSet,
    pub(crate) scrub_at: u64,
    /// VFs whose handshake was read and is not answered yet.
    pub(crate) held: VfSet,
    /// What may be served in the interrupt.
    pub(crate) direct: Direct,
    /// VFs the administrator knows to be cut off.
    pub(crate) told: VfSet,
    /// Log lines that VFs cause.
    pub(crate) lines: log::Lines,
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
    /// Nanoseconds since the port was set up.
    pub(crate) fn now(&self) -> u64 {
        nanos_since(self.epoch)
    }

    /// The receiver and the transmitter are needed: by the net device or by a VF.
    pub(crate) fn is_needed(&self) -> bool {
        self.up || self.switch.nr_vfs() != 0
    }

    /// Takes a reading of the counters of `vf`.
    pub(crate) fn read_vf_counters(&mut self, io: &Io, vf: VfIndex) {
        if let Some(stats) = self.vf_stats.get_mut(vf.index()) {
            stats.update(vf, |offset| io.read_counter(offset));
        }
    }

    /// Something is to be told to the administrator, which takes a work item.
    pub(crate) fn has_to_tell(&self) -> bool {
        self.lines.is_waiting() || self.switch.quarantined() != self.told
    }

    /// Makes the filter registers follow the desired state.
    pub(crate) fn apply(&mut self, io: &Io) {
        let now = self.now();
        self.apply_at(io, now);
    }

    /// The same at the time `now`.
    pub(crate) fn apply_at(&mut self, io: &Io, now: u64) {
        if !self.live {
            return;
        }
        let needed = self.is_needed();
        self.switch.set_receive(needed);
        let (recent, replay) = (&mut self.recent, self.shadow.is_unknown());
        if replay {
            recent.replay(now);
        }
        self.shadow.follow(&mut self.switch, |offset, value| {
            io.write(offset, value);
            if !replay {
                recent.write(now, offset, value);
            }
        });
    }

    /// The controller comes out of a reset: everything is written anew, and VFs are served.
    fn revive(&mut self, io: &Io) {
        self.shadow.forget();
        self.switch.on_pf_reset();
        self.pending = mailbox::Pending::default();
        self.held = VfSet::EMPTY;
        self.unclean = VfSet::EMPTY;
        self.unscrubbed = VfSet::EMPTY;
        self.direct.on_reset();
        self.live = true;
        // Queue 0 comes out of a reset enabled, and belongs to VF 0.
        io.write(regs::rxdctl(0), xdctl::RX_DEFAULT);
        io.write(regs::txdctl(0), xdctl::TX_DEFAULT);
        self.apply(io);
    }
}

impl Mac {
    /// Starts or stops the units and the link, whichever is due. To be called when [`Hw::up`] or the
    /// number of VFs has changed.
    pub(crate) fn apply_need(&mut self, port: &Port) -> Result {
        let io = &port.io;
        let (live, needed) = {
            let mut hw = port.hw.lock();
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
    pub(crate) fn quiesce(&mut self, port: &Port) {
        {
            let mut hw = port.hw.lock();
            hw.live = false;
            hw.switch.set_link_speed(0);
        }
        self.link.lost();
        hw::reset::mask_interrupts(&port.io);
        hw::reset::stop_units(&port.io);
    }

    /// The other half: resets the controller and writes everything anew from the desired state.
    /// Sleeps for some 20 ms.
    ///
    /// # Errors
    ///
    /// `ENODEV`: the controller is gone, and stays quiesced. A PHY that is not to be had is no error:
    /// the service work item tries to start the link again.
    pub(crate) fn restart(&mut self, port: &Port) -> Result {
        let io = &port.io;
        hw::reset::reset(io)?;
        mailbox::space_interrupts(io, 0);
        // Not every emulation resets the VFs' interrupt moderation.
        let vfs = port.hw.lock().switch.vfs();
        for vf in vfs.iter() {
            tenant::clear(
                vf,
                |offset| io.read(offset),
                |offset, v| io.write(offset, v),
            );
        }
        let strip = {
            let mut hw = port.hw.lock();
            hw.revive(io);
            hw.switch.ctrl_vme()
        };
        io.write(regs::VET, regs::vet::DOT1Q);
        io.update(regs::CTRL, |value| {
            let value = (value | ctrl::SLU) & !(ctrl::FRCSPD | ctrl::FRCDPX);
            if strip {
                value | ctrl::VME
            } else {
                value & !ctrl::VME
            }
        });
        io.write(regs::TIPG, regs::tipg::DEFAULT);
        self.apply_rss(port);
        let _ = self.apply_need(port);
        start_interrupts(port);
        // From here on VFs see that the PF is ready for their handshake.
        io.update(regs::CTRL_EXT, |value| {
            value | ctrl_ext::PFRSTD | ctrl_ext::DRV_LOAD
        });
        io.flush();
        Ok(())
    }

    /// Spreads received frames over `pairs` of the PF's queue pairs: those that are open.
    pub(crate) fn spread_over(&mut self, port: &Port, pairs: u8) {
        self.rss.set_queues(pairs);
        let live = {
            let mut hw = port.hw.lock();
            hw.switch.set_pf_rss(pairs > 1);
            hw.apply(&port.io);
            hw.live
        };
        if live {
            self.apply_rss(port);
        }
    }

    /// Programs the hash, and how it spreads frames.
    pub(crate) fn apply_rss(&self, port: &Port) {
        let io = &port.io;
        let pools = port.hw.lock().switch.uses_pools();
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

    /// Says goodbye: the link goes down, and firmware may have the controller.
    pub(crate) fn release(&mut self, port: &Port) {
        let io = &port.io;
        port.hw.lock().up = false;
        self.quiesce(port);
        if hw::reset::reset(io).is_err() {
            return;
        }
        if let Ok(phy) = Phy::take(io) {
            let _ = phy.power_down();
        }
        io.update(regs::CTRL_EXT, |value| value & !ctrl_ext::DRV_LOAD);
    }
}

/// Routes the causes that are not a queue's, and unmasks them.
fn start_interrupts(port: &Port) {
    let io = &port.io;
    let hw = port.hw.lock();
    if port.plan.is_msix() {
        io.write(
            regs::GPIE,
            gpie::MSIX_MODE | gpie::PBA | gpie::EIAME | gpie::NSICR,
        );
        io.write(regs::IVAR_MISC, ivar::misc_other(port.plan.misc_vector()));
        let bit = regs::eicr::vector(port.plan.misc_vector().into());
        io.update(regs::EIAC, |value| value | bit);
        io.update(regs::EIAM, |value| value | bit);
        io.write(regs::EIMS, bit);
        io.write(regs::MBVFIMR, regs::mbvfimr::ALL);
    }
    io.write(regs::IMS, misc_causes(&hw));
    io.flush();
}

/// The causes the port wants to hear of. Not of frames that fail the spoof check (`DOUTSYNC`): a VF
/// could send them without pause, so they are looked for now and then.
fn misc_causes(hw: &Hw) -> u32 {
    let mut causes = icr::LSC | icr::DRSTA;
    if hw.switch.nr_vfs() != 0 {
        causes |= icr::VMMB;
    }
    causes
}
