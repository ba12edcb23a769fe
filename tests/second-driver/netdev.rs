// SPDX-License-Identifier: GPL-2.0

//! The state of a port, and the net device's operations on it.

use crate::{
    hw::{
        Counters,
        Filter,
        Io,
        Link, //
    },
    queues::{
        self,
        Queues, //
    },
    tx::TxRing, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    time::Delta,
};
use net::{
    device::{
        AddrList,
        Config,
        Device,
        Driver,
        Features,
        LinkStats,
        Locked, //
    },
    irq::Vectors,
    queue::{
        Counter,
        RxQueueStats,
        TxQueueStats, //
    },
    rtnl,
    work, //
};

/// How often to look after a port that is up.
const PERIOD: Delta = Delta::from_secs(2);

/// What all that runs for a controller shares.
#[pin_data]
pub(crate) struct Port {
    pub(crate) pdev: ARef<kernel::pci::Device>,
    pub(crate) io: Io,
    pub(crate) vectors: Vectors,
    /// Looks after the link, the counters, and a ring that ran out of memory.
    pub(crate) service: work::Handle,
    /// Closes the pair and opens it again.
    pub(crate) reset: work::Handle,
    pub(crate) stats: Arc<Stats>,
    /// Added to under the lock of `state`.
    pub(crate) counters: Counters,
    /// Taken under RTNL, if that is needed.
    #[pin]
    pub(crate) state: Mutex<State>,
}

/// What changes of a port.
pub(crate) struct State {
    filter: Filter,
    /// While the net device is up.
    queues: Option<Queues>,
}

impl State {
    /// Of a port that is down, with this address.
    pub(crate) fn new(mac: [u8; 6]) -> Self {
        Self {
            filter: Filter::new(mac),
            queues: None,
        }
    }
}

/// What the data path counts.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) rx_packets: Counter,
    pub(crate) rx_bytes: Counter,
    pub(crate) rx_errors: Counter,
    pub(crate) rx_alloc_failed: Counter,
    pub(crate) tx_packets: Counter,
    pub(crate) tx_bytes: Counter,
    pub(crate) tx_dropped: Counter,
}

/// What the net device starts with.
pub(crate) fn config(mac: [u8; 6]) -> Config {
    let offloads = Features::SG.with(Features::HW_CSUM);
    Config {
        features: offloads.with(Features::RXCSUM).with(Features::HIGHDMA),
        hw_features: offloads,
        vlan_features: offloads.with(Features::HIGHDMA),
        enc_features: Features::NONE,
        mpls_features: Features::NONE,
        partial_features: Features::NONE,
        no_fcs: false,
        xdp_frags: false,
        min_mtu: 68,
        max_mtu: 1500,
        watchdog: Delta::from_secs(5),
        queues: 1,
        mac,
    }
}

#[vtable]
impl Driver for Port {
    type Tx = TxRing;
    type Ethtool = crate::ethtool::Ops;
    type Vf = ();

    fn open(&self, dev: &Locked<Self>) -> Result {
        let mut state = self.state.lock();
        state.queues = Some(queues::open(self, dev, &state.filter)?);
        self.service.schedule();
        Ok(())
    }

    fn stop(&self, dev: &Locked<Self>) {
        let mut state = self.state.lock();
        if let Some(queues) = state.queues.take() {
            queues::close(self, dev, queues);
        }
    }

    fn tx_timeout(&self, dev: &Device<Self>, _queue: u32) {
        dev_warn!(&*self.pdev, "the transmit queue is stuck\n");
        dev.trans_update();
        self.reset.schedule();
    }

    fn set_rx_mode(
        &self,
        dev: &Device<Self>,
        unicast: AddrList<'_>,
        multicast: AddrList<'_>,
    ) -> Result {
        self.change_filter(|filter| filter.set_lists(dev, unicast, multicast));
        Ok(())
    }

    fn set_mac_address(&self, _dev: &Device<Self>, mac: [u8; 6]) -> Result {
        self.change_filter(|filter| filter.set_mac(mac));
        Ok(())
    }

    fn get_stats64(&self, _dev: &Device<Self>, out: &mut LinkStats) {
        let stats = &*self.stats;
        out.rx_packets = stats.rx_packets.get();
        out.rx_bytes = stats.rx_bytes.get();
        out.rx_errors = stats.rx_errors.get();
        out.rx_dropped = stats.rx_alloc_failed.get();
        out.rx_missed_errors = self.counters.rx_missed.get();
        out.rx_crc_errors = self.counters.rx_crc_errors.get();
        out.multicast = self.counters.rx_multicast.get();
        out.tx_packets = stats.tx_packets.get();
        out.tx_bytes = stats.tx_bytes.get();
        out.tx_dropped = stats.tx_dropped.get();
    }

    fn rx_queue_stats(&self, _dev: &Device<Self>, _queue: u32) -> RxQueueStats {
        RxQueueStats {
            packets: self.stats.rx_packets.get(),
            bytes: self.stats.rx_bytes.get(),
            alloc_fail: self.stats.rx_alloc_failed.get(),
            ..RxQueueStats::default()
        }
    }

    fn tx_queue_stats(&self, _dev: &Device<Self>, _queue: u32) -> TxQueueStats {
        TxQueueStats {
            packets: self.stats.tx_packets.get(),
            bytes: self.stats.tx_bytes.get(),
            ..TxQueueStats::default()
        }
    }
}

impl Port {
    fn change_filter(&self, change: impl FnOnce(&mut Filter)) {
        let mut state = self.state.lock();
        change(&mut state.filter);
        if state.queues.is_some() {
            state.filter.apply(&self.io);
        }
    }

    /// Adds up what the controller has counted so far. Process context.
    pub(crate) fn fold_counters(&self) {
        let _state = self.state.lock();
        self.counters.fold(&self.io);
    }
}

/// The service work: runs when the link has changed, and now and then while the device is up.
pub(crate) fn service(dev: &Device<Port>, work: &work::Handle) {
    let port = dev.data();
    // Under the lock that closing takes, so that a carrier that is seen here does not come too late.
    let state = port.state.lock();
    let Some(queues) = &state.queues else {
        return;
    };
    match (Link::read(&port.io), dev.carrier_ok()) {
        (Some(link), false) => {
            dev.carrier_on();
            dev_info!(
                &*port.pdev,
                "{}: link is up, {} Mb/s, {} duplex\n",
                dev.name(),
                link.speed,
                if link.full_duplex { "full" } else { "half" }
            );
        }
        (None, true) => {
            dev.carrier_off();
            dev_info!(&*port.pdev, "{}: link is down\n", dev.name());
        }
        _ => {}
    }
    port.counters.fold(&port.io);
    // A ring without pages gets no interrupt that would have it filled.
    queues.kick(&port.io);
    work.schedule_after(PERIOD);
}

/// The reset work.
pub(crate) fn reset(dev: &Device<Port>, work: &work::Handle) {
    let rtnl = rtnl::lock();
    let Some(dev) = dev.under(&rtnl).filter(|dev| dev.is_running()) else {
        return;
    };
    let port = dev.data();
    port.stop(dev);
    if let Err(error) = port.open(dev) {
        dev_err!(&*port.pdev, "cannot open the queues again: {error:?}\n");
        work.schedule_after(PERIOD);
    }
}
