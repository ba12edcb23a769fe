// SPDX-License-Identifier: GPL-2.0

//! The driver as the PCI core sees it: from probe to unbind, and what happens in between.

use crate::{
    bridge,
    controller::{
        Controller,
        Hw, //
    },
    debugfs,
    hw::{
        self,
        identity::Identity,
        nvm::Nvm,
        reset, //
    },
    io::Io,
    lifecycle::{
        self,
        Cause, //
    },
    link::PortLink,
    log,
    mac::Mac,
    mailbox,
    masks::{
        Masks,
        Stopped, //
    },
    netdev,
    port::{
        Net,
        Port,
        Works, //
    },
    ptp,
    returned::Returned,
    service,
    settings::{
        EthtoolState,
        Settings, //
    },
    sriov,
    stats::{
        HwStats,
        PairStats, //
    },
    timestamps,
    trunk,
    vectors::Plan,
    vlan_use::VlanUse, //
};
use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    function::MAX_VFS,
    layout::MAX_PAIRS,
    media::{
        Media,
        Variant,
        VARIANTS, //
    },
    model::Differences,
    nvm as contents, pcs, regs,
    rss::{
        self,
        Rss, //
    },
    semaphore,
};
use kernel::{
    device::{
        Bound,
        Core, //
    },
    new_mutex,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc, //
    },
    time::Instant,
    types::ScopeGuard, //
};
use net::{
    bridge::Stations,
    debugfs::Directory,
    device::{
        Registration,
        Unregistered, //
    },
    devlink, dma,
    lock::new_raw_spinlock,
    pci::{
        self,
        ChannelState,
        CoreExt,
        ErsResult,
        Sriov,
        SriovCore, //
    },
    rtnl,
    work::{
        self,
        Queue,
        Work,
        WorkQueue, //
    },
};

/// The driver.
pub(crate) struct Igb;

/// The identifier of entry `n` of [`VARIANTS`].
const fn id(n: usize) -> kernel::pci::DeviceId {
    // CAST: Widening.
    kernel::pci::DeviceId::from_id(kernel::pci::Vendor::INTEL, VARIANTS[n].id as u32)
}

net::pci_device_table!(
    PCI_TABLE,
    Variant,
    [
        (id(0), VARIANTS[0]),
        (id(1), VARIANTS[1]),
        (id(2), VARIANTS[2]),
        (id(3), VARIANTS[3]),
        (id(4), VARIANTS[4]),
        (id(5), VARIANTS[5]),
        (id(6), VARIANTS[6]),
        (id(7), VARIANTS[7]),
    ]
);

const _: () = assert!(VARIANTS.len() == 8);

/// What the driver keeps for a bound device. Dropped top to bottom.
pub(crate) struct Adapter {
    // First: ends all work and brings the net device down.
    netdev: Registration<Port>,
    _devlink: devlink::Registration<Port>,
    _clock: Option<timestamps::Shown>,
    _debugfs: Option<Directory<Port>>,
    // Frees the vectors with it, when the net device's queues are gone.
    port: Arc<Port>,
}

#[vtable]
impl pci::Driver for Igb {
    type IdInfo = Variant;
    type Data = Adapter;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = PCI_TABLE.table();

    fn probe(
        pdev: &kernel::pci::Device<Core<'_>>,
        info: Option<&Self::IdInfo>,
    ) -> impl PinInit<Adapter, Error> {
        // By driver_override, any device can be made to be probed.
        let Some(variant) = info else {
            dev_err!(
                pdev,
                "not an Intel 82576 (such as 8086:10c9), the only device this driver is for\n"
            );
            return Err(ENODEV);
        };
        probe(pdev, *variant)
    }

    fn unbind(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) {
        let dev = &data.netdev;
        if let Err(error) = sriov::disable(pdev, dev) {
            dev_warn!(
                pdev,
                "VFs were disabled, but the controller does not restart: {error:?}\n"
            );
        }
        // The net device goes down now, while the controller still works. It is unregistered when
        // the adapter is dropped.
        {
            let rtnl = rtnl::lock();
            if let Some(dev) = dev.under(&rtnl) {
                dev.close();
            }
        }
        lifecycle::suspend(pdev, dev, Cause::Unbind);
    }

    fn shutdown(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) {
        lifecycle::suspend(pdev, &data.netdev, Cause::Shutdown);
    }

    fn sriov_configure(
        pdev: &kernel::pci::Device<Core<'_>>,
        data: Pin<&Adapter>,
        nr_vfs: u16,
    ) -> Result<u16> {
        sriov::configure(pdev, &data.netdev, nr_vfs)
    }

    fn error_detected(
        pdev: &kernel::pci::Device<Core<'_>>,
        data: Pin<&Adapter>,
        state: ChannelState,
    ) -> ErsResult {
        // An error that is not fatal is got over without a reset, unless another driver on the bus
        // asks for one; those of the VFs are on it, and igbvf always does.
        if state == ChannelState::Normal && data.port.is_live() && pdev.num_vf() == 0 {
            return ErsResult::CanRecover;
        }
        let (cause, answer) = match state {
            ChannelState::Normal => (Cause::BusError, ErsResult::CanRecover),
            ChannelState::Frozen => (Cause::BusError, ErsResult::NeedReset),
            ChannelState::PermanentFailure => (Cause::BusFailure, ErsResult::Disconnect),
        };
        lifecycle::suspend(pdev, &data.netdev, cause);
        answer
    }

    fn slot_reset(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) -> ErsResult {
        // In service still, as the error was none that needed a reset: another driver on the bus
        // has asked for it. What the registers and rings held is lost all the same.
        if data.port.is_live() {
            lifecycle::suspend(pdev, &data.netdev, Cause::BusError);
        }
        // The drivers of VFs come next, and expect their functions and the mailbox to work.
        let back = lifecycle::enable(pdev, &data.port)
            .and_then(|()| lifecycle::recover(pdev, &data.netdev));
        match back {
            Ok(()) => ErsResult::Recovered,
            Err(error) => {
                dev_err!(pdev, "does not come back after a reset: {error:?}\n");
                ErsResult::Disconnect
            }
        }
    }

    fn resume_io(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) {
        if let Err(error) = lifecycle::resume(pdev, &data.netdev) {
            dev_err!(pdev, "does not come back after an error: {error:?}\n");
        }
    }

    fn reset_prepare(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) {
        lifecycle::suspend(pdev, &data.netdev, Cause::FunctionReset);
    }

    fn reset_done(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) {
        if let Err(error) = lifecycle::resume(pdev, &data.netdev) {
            dev_err!(pdev, "does not come back after a reset: {error:?}\n");
        }
    }

    fn suspend(
        pdev: &kernel::pci::Device<Core<'_>>,
        data: Pin<&Adapter>,
        _why: pci::Sleep,
    ) -> Result {
        lifecycle::suspend(pdev, &data.netdev, Cause::Sleep);
        Ok(())
    }

    fn resume(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) -> Result {
        lifecycle::resume(pdev, &data.netdev)
    }

    fn runtime_suspend(_pdev: &kernel::pci::Device<Bound>, data: Pin<&Adapter>) -> Result {
        lifecycle::fall_asleep(&data.port, &data.netdev)
    }

    fn runtime_resume(_pdev: &kernel::pci::Device<Bound>, data: Pin<&Adapter>) -> Result {
        lifecycle::wake_up(&data.port)
    }
}

fn probe(pdev: &kernel::pci::Device<Core<'_>>, variant: Variant) -> Result<Adapter> {
    pdev.enable_device_mem()?;
    // Dropped last, if the probe fails.
    let enabled = ScopeGuard::new(|| lifecycle::disable(pdev));
    pdev.set_master();
    dma::set_mask_and_coherent(pdev, 64)?;
    // Seven: the PF needs one of the eight pools for itself.
    if let Err(error) = pdev.set_totalvfs(MAX_VFS as u16) {
        dev_info!(pdev, "no SR-IOV: {error:?}\n");
    }
    let io = map(pdev)?;
    // CAST: a small constant.
    let pairs = net::device::default_queues().clamp(1, MAX_PAIRS as u32);
    // Vectors for all pairs there can ever be.
    let (vectors, plan) = Plan::allocate(pdev, MAX_PAIRS as u32).inspect_err(|error| {
        dev_err!(pdev, "cannot allocate an interrupt vector: {error:?}\n");
    })?;
    semaphore::reclaim(&io);
    reset::reset(&io)?;
    if let Some(range) = reset::set_completion_timeout(&io) {
        pdev.default_completion_timeout(range);
    }
    let nvm = Nvm::new(&io);
    check_nvm(pdev, &nvm)?;
    let mac = read_mac(pdev, &io, &nvm)?;
    let items = Items::new(pdev)?;
    let identity = Identity::read(pdev, variant, &io, &nvm);
    let link = new_link(&io, &nvm, identity.verdict.differences())?;
    let port = new_port(
        pdev,
        &io,
        (vectors, plan),
        items.handles(),
        mac,
        (identity, link),
        pairs,
    )?;
    sriov::adopt(pdev, &port)?;
    pdev.save_state()?;
    // A magic packet wakes the system where the board allows it.
    let _ = pdev.set_wakeup(!port.wakes_on().is_empty());
    let netdev = Unregistered::<Port>::new(pdev.as_ref(), MAX_PAIRS as u32)?;
    let started = ScopeGuard::new(|| lifecycle::release(&port));
    lifecycle::restart_controller(&port, &mut port.mac.lock())?;
    let clock = timestamps::show(pdev, &port, mac);
    let devlink = devlink::Registration::new(pdev.as_ref(), port.clone(), port.reporters.clone())?;
    let mut netdev = netdev.register(
        pdev.as_ref(),
        port.clone(),
        &netdev::config(mac.get(), pairs, port.differences),
    )?;
    // What has come in since the restart is waiting.
    port.serve_misc(&netdev)?;
    items.bind(&mut netdev)?;
    netdev.watch_bridges(port.stations.clone(), bridge::on_change)?;
    port.works.service.schedule();
    port.works.mailbox.schedule();
    announce(pdev, &netdev, &port, pairs);
    let debugfs = debugfs::publish(pdev, &port).ok();
    sriov::enable_by_parameter(pdev, &netdev);
    started.dismiss();
    enabled.dismiss();
    Ok(Adapter {
        netdev,
        _devlink: devlink,
        _clock: clock,
        _debugfs: debugfs,
        port,
    })
}

/// Says what was found: the verdict, the port, and the number of the board.
fn announce(
    pdev: &kernel::pci::Device<Bound>,
    netdev: &Registration<Port>,
    port: &Port,
    pairs: u32,
) {
    dev_info!(pdev, "controller: {}\n", log::Text(port.identity.verdict));
    dev_info!(
        pdev,
        "{}: Intel {}, {}, {}, {} queue pairs, {}\n",
        netdev.name(),
        port.identity.variant.name,
        port.mac.lock().link.media().name(),
        log::Text(port.hw.lock().switch.pf_mac().get()),
        pairs.min(port.plan.pairs()),
        if port.plan.is_msix() {
            "MSI-X"
        } else {
            "one interrupt"
        }
    );
    if let Some(board) = &port.identity.board {
        dev_info!(pdev, "{}: PBA No: {}\n", netdev.name(), log::Text(board));
    }
}

/// Maps the registers of a controller that answers.
fn map(pdev: &kernel::pci::Device<Bound>) -> Result<Io> {
    let io = Io::map(pdev)?;
    io.probe_presence().inspect_err(|_| {
        // As after a reset of its slot that failed: nobody has restored its base addresses.
        dev_err!(
            pdev,
            "the controller does not answer: write 1 to its file remove in sysfs, then to \
             /sys/bus/pci/rescan\n"
        );
    })?;
    Ok(io)
}

/// The work items, until they are bound.
struct Items {
    mailbox: Work,
    service: Work,
    reset: Work,
    reopen: Work,
    vlans: Work,
}

impl Items {
    fn new(pdev: &kernel::pci::Device<Bound>) -> Result<Self> {
        // Not bound to the CPU that took the interrupt: a VF's driver on this very host waits for its
        // answer in a loop that nothing but an interrupt gets through.
        let mailbox_queue = WorkQueue::unbound(c"igb_rs_mailbox", work::Flags::HIGHPRI, 1)?;
        Ok(Self {
            mailbox: Work::new(pdev.as_ref(), c"igb_rs_mailbox", Queue::Own(mailbox_queue))?,
            service: Work::new(pdev.as_ref(), c"igb_rs_service", Queue::System)?,
            reset: Work::new(pdev.as_ref(), c"igb_rs_reset", Queue::System)?,
            reopen: Work::new(pdev.as_ref(), c"igb_rs_reopen", Queue::System)?,
            vlans: Work::new(pdev.as_ref(), c"igb_rs_vlans", Queue::System)?,
        })
    }

    fn handles(&self) -> Works {
        Works {
            mailbox: self.mailbox.handle(),
            service: self.service.handle(),
            reset: self.reset.handle(),
            reopen: self.reopen.handle(),
            vlans: self.vlans.handle(),
        }
    }

    /// From here on they run when they are scheduled.
    fn bind(self, netdev: &mut Registration<Port>) -> Result {
        netdev.bind_work(self.mailbox, mailbox::serve)?;
        netdev.bind_work(self.service, service::run)?;
        netdev.bind_work(self.reset, lifecycle::reset)?;
        netdev.bind_work(self.reopen, lifecycle::reopen)?;
        netdev.bind_work(self.vlans, trunk::serve)
    }
}

fn new_port(
    pdev: &kernel::pci::Device<Bound>,
    registers: &Io,
    (vectors, plan): (net::irq::Vectors, Plan),
    works: Works,
    mac: UnicastAddr,
    (identity, link): (Identity, PortLink),
    pairs: u32,
) -> Result<Arc<Port>> {
    let stats = new_stats()?;
    let reporters = devlink::Reporters::new()?;
    let stopped = Arc::new(Stopped::new(), GFP_KERNEL)?;
    let nvm = Nvm::new(registers);
    let differences = identity.verdict.differences();
    let has_filters = !differences.lacks_queue_filters;
    let returned = differences
        .returns_own_multicast
        .then(Returned::new)
        .transpose()?;
    let (ptp, stamps) = ptp::new(pdev, registers, differences)?;
    let stations = Stations::new()?;
    let settings = Settings::new(pairs.min(plan.pairs()));
    let key = net::device::rss_key::<{ rss::KEY_SIZE }>();
    let now = Instant::now();
    let masks = Masks::new(registers)?;
    let hw = Arc::pin_init(
        new_raw_spinlock!(
            Controller::new(registers.clone(), Hw::new(mac, differences, now)),
            c"igb_rs_hw"
        ),
        GFP_KERNEL,
    )?;
    Arc::pin_init(
        pin_init!(Port {
            pdev: pdev.into(),
            io: registers.registers().clone(),
            masks,
            nvm,
            vectors,
            plan,
            epoch: now,
            identity,
            differences,
            returned,
            stations,
            stations_due: Atomic::new(false),
            told_left_out: Atomic::new(false),
            told_no_limit: Atomic::new(false),
            works,
            reporters,
            ethtool: EthtoolState::new(net::compat::parameter(
                crate::module_parameters::debug.value()
            )),
            stats,
            ptp,
            stamps,
            phc: Atomic::new(-1),
            stopped,
            bridge_mode: Atomic::new(0),
            vlan_use: VlanUse::new(),
            sleep_refused: Atomic::new(false),
            alloc_failures_seen: Atomic::new(0),
            hw_stats <- HwStats::new(),
            misc_irq <- new_mutex!(None),
            awake_for_vfs <- new_mutex!(None),
            net <- new_mutex!(Net {
                settings,
                awake: None,
                queues: None,
                program: None,
                pools: [const { None }; MAX_PAIRS],
            }),
            // CAST: at most MAX_PAIRS.
            mac <- new_mutex!(Mac::new(
                registers,
                Rss::new(settings.pairs as u8, key),
                link,
                has_filters
            )),
            hw,
        }),
        GFP_KERNEL,
    )
}

fn new_stats() -> Result<[Arc<PairStats>; MAX_PAIRS]> {
    let one = || Arc::new(PairStats::default(), GFP_KERNEL);
    Ok([
        one()?,
        one()?,
        one()?,
        one()?,
        one()?,
        one()?,
        one()?,
        one()?,
    ])
}

fn check_nvm(pdev: &kernel::pci::Device<Bound>, nvm: &Nvm) -> Result {
    let mut words = [0; contents::CHECKSUM_WORDS as usize];
    nvm.read(0, &mut words)?;
    if contents::checksum_ok(words) {
        return Ok(());
    }
    dev_err!(
        pdev,
        "the NVM checksum is wrong: the adapter's NVM is damaged and has to be rewritten\n"
    );
    Err(EIO)
}

/// The link, as the board has it.
fn new_link(io: &Io, nvm: &Nvm, differences: Differences) -> Result<PortLink> {
    let media = Media::detect(io).map_err(hw::errno)?;
    let mut word = [0];
    if media == Media::SerDes {
        nvm.read(pcs::COMPATIBILITY_WORD, &mut word)?;
    }
    let [word] = word;
    let negotiates = pcs::may_negotiate(word);
    Ok(PortLink::new(
        io,
        media,
        negotiates,
        !differences.phy_is_ready,
    ))
}

/// The address some makers have put into the NVM in the place of the usual one.
fn alternate_mac(io: &Io, nvm: &Nvm) -> Result<Option<UnicastAddr>> {
    let mut pointer = [0];
    nvm.read(contents::ALTERNATE_WORD, &mut pointer)?;
    let [pointer] = pointer;
    let lan_id = regs::status::lan_id(io.read(regs::STATUS));
    let Some(address) = contents::alternate_address(pointer, lan_id) else {
        return Ok(None);
    };
    let mut words = [0; 3];
    nvm.read(address, &mut words)?;
    Ok(UnicastAddr::new(MacAddr::from_nvm(words)))
}

/// The address the controller has loaded from the NVM into its first receive address, unless the NVM has
/// another one for the port.
fn read_mac(pdev: &kernel::pci::Device<Bound>, io: &Io, nvm: &Nvm) -> Result<UnicastAddr> {
    if let Some(mac) = alternate_mac(io, nvm)? {
        return Ok(mac);
    }
    let mac = MacAddr::from_words(io.read(regs::ral(0)), io.read(regs::rah(0)).bits());
    UnicastAddr::new(mac).ok_or_else(|| {
        dev_err!(
            pdev,
            "the NVM holds no valid MAC address ({})\n",
            log::Text(mac)
        );
        EIO
    })
}
