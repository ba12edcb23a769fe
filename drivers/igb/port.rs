// SPDX-License-Identifier: GPL-2.0

//! The state of one controller, shared by everything that runs for it.
//!
//! Its main locks, taken in this order (and RTNL before them, where it is needed):
//!
//! - [`Port::net`]: the settings of the net device, and its queues while it is up. Held while
//!   queues are opened, or exchanged for others; always under RTNL.
//! - [`Port::mac`]: link, hash, counters, and the controller's resets. May be held for long.
//! - [`Port::hw`]: the filter registers and the desired state they follow, and the mailboxes. The
//!   interrupt of the mailboxes takes it, so interrupts are off while it is held, for short stretches
//!   without waiting for anything.
//!
//! The data path takes none of them: a queue's state belongs to its NAPI instance or its transmit lock.
//! `Documentation/architecture.rst` has all locks.

use crate::{
    clock::nanos_since,
    controller::Controller,
    hw::{
        identity::Identity,
        nvm::Nvm,
        wake as wake_up, //
    },
    io::Registers,
    mac::Mac,
    masks::{
        Masks,
        Stopped, //
    },
    pairs::Queues,
    ptp::Ptp,
    returned::Returned,
    settings::{
        EthtoolState,
        Settings, //
    },
    stats::{
        HwStats,
        PairStats, //
    },
    vectors::Plan,
    vlan_use::VlanUse, //
};
use igb_core::{
    layout::MAX_PAIRS,
    model::Differences,
    wake::WakeEvents, //
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
    bridge::Stations,
    devlink::Reporters,
    irq::{
        self,
        Vectors, //
    },
    lock::RawSpinLock,
    pci::Awake,
    ptp::TxStamps,
    work,
    xdp::Program,
    xsk::Pool, //
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
    /// Gives VLANs that are used entries of the pool filter.
    pub(crate) vlans: work::Handle,
}

/// Everything that runs for one controller.
#[pin_data]
pub(crate) struct Port {
    pub(crate) pdev: ARef<kernel::pci::Device>,
    /// To be read. [`Mac`] and [`Controller`] have the right to write.
    pub(crate) io: Registers,
    pub(crate) masks: Masks,
    pub(crate) nvm: Nvm,
    pub(crate) vectors: Vectors,
    pub(crate) plan: Plan,
    pub(crate) epoch: Instant<Monotonic>,
    /// What this controller is.
    pub(crate) identity: Identity,
    /// What it does otherwise than the 82576.
    pub(crate) differences: Differences,
    /// If it gives back what the PF sends to groups.
    pub(crate) returned: Option<Arc<Returned>>,
    /// The addresses behind the bridges above the net device.
    pub(crate) stations: Arc<Stations>,
    /// What is behind the bridges has to be looked at again.
    pub(crate) stations_due: Atomic<bool>,
    /// The administrator was told that not all of them have a register.
    pub(crate) told_left_out: Atomic<bool>,
    /// The administrator was told that the controller limits no rate.
    pub(crate) told_no_limit: Atomic<bool>,
    pub(crate) works: Works,
    /// To be told which VFs are cut off.
    pub(crate) reporters: Reporters,
    /// Settings of `ethtool` that concern nothing else.
    pub(crate) ethtool: EthtoolState,
    pub(crate) stats: [Arc<PairStats>; MAX_PAIRS],
    /// How frames between functions are switched, for readers that must not sleep.
    pub(crate) bridge_mode: Atomic<u32>,
    /// VLANs the net device sends in.
    pub(crate) vlan_use: VlanUse,
    /// The clock, and what is stamped with its time.
    pub(crate) ptp: Arc<Ptp>,
    /// The frame that is sent and waits for its stamp.
    pub(crate) stamps: Arc<TxStamps>,
    /// The N in `/dev/ptpN`; -1 if there is none.
    pub(crate) phc: Atomic<i32>,
    /// Pools of which the controller has stopped a queue.
    pub(crate) stopped: Arc<Stopped>,
    /// A port that is up and has no link was to fall asleep, and somebody was in the way.
    pub(crate) sleep_refused: Atomic<bool>,
    /// Sum of failed receive allocations the service work item has seen.
    pub(crate) alloc_failures_seen: Atomic<u64>,
    #[pin]
    pub(crate) hw_stats: HwStats,
    /// The vector of everything that is not a queue (and of the queues, if it is the only one).
    #[pin]
    pub(crate) misc_irq: Mutex<Option<MiscIrq>>,
    /// Held while there are VFs.
    #[pin]
    pub(crate) awake_for_vfs: Mutex<Option<Awake>>,
    #[pin]
    pub(crate) net: Mutex<Net>,
    #[pin]
    pub(crate) mac: Mutex<Mac>,
    /// Shared with the handler of the misc vector, which the port owns.
    pub(crate) hw: Arc<RawSpinLock<Controller>>,
}

impl Port {
    /// Wakes the controller, should it sleep as nobody needs it, and keeps it awake. Process context, without
    /// [`Port::mac`] and [`Port::hw`].
    pub(crate) fn wake(&self) -> Result<Awake> {
        Awake::new(&self.pdev)
    }

    /// Nanoseconds since the port was set up.
    pub(crate) fn now(&self) -> u64 {
        nanos_since(self.epoch)
    }

    /// The events that can wake the system from this port.
    pub(crate) fn wakes_on(&self) -> WakeEvents {
        wake_up::supported(&self.io, &self.nvm, &self.identity)
    }

    /// The controller is in service. It stays so under RTNL, or with [`Port::mac`] or [`Port::hw`] held.
    pub(crate) fn is_live(&self) -> bool {
        self.hw.lock().is_live()
    }

    /// The net device is up on a controller that works, and has no queues: allocating them failed.
    pub(crate) fn lacks_queues(&self) -> bool {
        let net = self.net.lock();
        let hw = self.hw.lock();
        hw.up && hw.is_live() && net.queues.is_none()
    }

    /// The net device's queues have frames and no link to send them on: the controller does nothing
    /// about them then. A socket that waits for them, although it may have another route by now, would
    /// wait as long as the link is down.
    pub(crate) fn holds_frames(&self) -> bool {
        let net = self.net.lock();
        let mac = self.mac.lock();
        self.is_live()
            && mac.link.state().is_none()
            && net
                .queues
                .as_ref()
                .is_some_and(|queues| queues.have_unsent())
    }
}

/// The vector of everything that is not a queue, while it is served.
pub(crate) struct MiscIrq {
    /// What `/proc/interrupts` calls it.
    pub(crate) name: CString,
    pub(crate) _registration: irq::Registration,
}

/// The net device's part of the state.
pub(crate) struct Net {
    /// What the user wants of queues and interrupts.
    pub(crate) settings: Settings,
    /// Held while the device is up.
    pub(crate) awake: Option<Awake>,
    /// The queues, while the device is up.
    pub(crate) queues: Option<Queues>,
    /// What received frames are shown to before the stack gets them.
    pub(crate) program: Option<Program>,
    /// The buffers that sockets have attached to queues.
    pub(crate) pools: [Option<Pool>; MAX_PAIRS],
}
