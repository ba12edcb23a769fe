// SPDX-License-Identifier: GPL-2.0

//! The operations a driver implements for a net device, and what they deal with.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    ethtool,
    features::Features,
    netdev::{
        Device,
        Locked, //
    },
    ptp::StampConfig,
    queue::{
        RxQueueStats,
        TxQueueStats, //
    },
    transmit::{
        Queues,
        Transmit,
        TxHandle, //
    },
    vf,
    xdp,
    xsk, //
};
use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*,
    time::Delta, //
};

/// The operations of a net device. `Self` is the driver's state of one device, shared by all of
/// them.
///
/// Unless stated otherwise, operations run in process context with RTNL held and may sleep. Those that
/// may need it for something are given the device [`Locked`].
#[vtable]
pub trait Driver: Send + Sync + Sized + 'static {
    /// The state of one transmit queue.
    type Tx: Transmit;
    /// The ethtool operations; `()` for none.
    type Ethtool: ethtool::Ops<Self>;
    /// The operations on virtual functions; `()` for none.
    type Vf: vf::Ops<Self>;

    /// Brings the device up: allocates and starts its queues.
    ///
    /// # Errors
    ///
    /// The device stays down, with nothing allocated.
    fn open(&self, dev: &Locked<Self>) -> Result;

    /// Brings the device down. NAPI instances and transmit queues of [`Driver::open`] are gone
    /// when this returns.
    fn stop(&self, dev: &Locked<Self>);

    /// A transmit queue has been stopped for longer than the watchdog's time. Softirq context: must not
    /// take a `SpinLock` that process context takes too, as softirqs stay enabled while that holds it.
    fn tx_timeout(&self, dev: &Device<Self>, queue: u32) {
        let _ = (dev, queue);
    }

    /// The address lists or flags have changed. Called with a snapshot of the lists.
    ///
    /// # Errors
    ///
    /// The stack tries again after a while.
    fn set_rx_mode(
        &self,
        dev: &Device<Self>,
        unicast: AddrList<'_>,
        multicast: AddrList<'_>,
    ) -> Result {
        let _ = (dev, unicast, multicast);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A new MAC address, already checked to be a valid unicast one. The net device takes it on
    /// when this returns `Ok`.
    fn set_mac_address(&self, dev: &Device<Self>, mac: [u8; 6]) -> Result {
        let _ = (dev, mac);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A new MTU, within the device's limits. The net device takes it on when this returns `Ok`.
    fn change_mtu(&self, dev: &Locked<Self>, mtu: u32) -> Result {
        let _ = (dev, mtu);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns those of `features` that can be on together.
    fn fix_features(&self, dev: &Device<Self>, features: Features) -> Features {
        let _ = dev;
        features
    }

    /// Turns features on and off. Called with what [`Driver::fix_features`] returned.
    fn set_features(&self, dev: &Locked<Self>, features: Features) -> Result {
        let _ = (dev, features);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns those of `features` the hardware can apply to this packet. Called for each packet
    /// before it is sent, and for some twice. Any context, as a console may send: must not sleep or
    /// take a lock.
    fn features_check(&self, dev: &Device<Self>, skb: PacketShape, features: Features) -> Features {
        let _ = (dev, skb);
        features
    }

    /// The device's counters. RCU read side: must not sleep.
    fn get_stats64(&self, dev: &Device<Self>, stats: &mut LinkStats) {
        let _ = (dev, stats);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Counters of a receive queue.
    fn rx_queue_stats(&self, dev: &Device<Self>, queue: u32) -> RxQueueStats {
        let _ = (dev, queue);
        RxQueueStats::default()
    }

    /// Counters of a transmit queue.
    fn tx_queue_stats(&self, dev: &Device<Self>, queue: u32) -> TxQueueStats {
        let _ = (dev, queue);
        TxQueueStats::default()
    }

    /// Counters of queues that are gone, so that device totals are complete.
    fn base_stats(&self, dev: &Device<Self>) -> (RxQueueStats, TxQueueStats) {
        let _ = dev;
        Default::default()
    }

    /// The address of the PHY (`SIOCGMIIPHY`). The ioctls of a PHY are there if a driver has
    /// [`Driver::read_mii`]. All three run in process context under RTNL and may sleep; the device
    /// may be down.
    fn mii_phy(&self, dev: &Device<Self>) -> Result<u8> {
        let _ = dev;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads register `number` (0..=31) of the PHY (`SIOCGMIIREG`), for an administrator. Process
    /// context under RTNL, may sleep.
    fn read_mii(&self, dev: &Device<Self>, number: u8) -> Result<u16> {
        let _ = (dev, number);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes register `number` (0..=31) of the PHY (`SIOCSMIIREG`), for an administrator. Process
    /// context under RTNL, may sleep.
    fn write_mii(&self, dev: &Device<Self>, number: u8, value: u16) -> Result {
        let _ = (dev, number, value);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Lets packets of a VLAN (802.1Q) through the device's filter.
    fn vlan_rx_add_vid(&self, dev: &Device<Self>, vid: u16) -> Result {
        let _ = (dev, vid);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Takes [`Driver::vlan_rx_add_vid`] back.
    fn vlan_rx_kill_vid(&self, dev: &Device<Self>, vid: u16) -> Result {
        let _ = (dev, vid);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Replaces the device's XDP program. A driver that has this runs the program on what it
    /// receives, and implements [`Transmit::xmit_frame`].
    ///
    /// # Errors
    ///
    /// The old program stays.
    fn xdp_setup(
        &self,
        dev: &Locked<Self>,
        program: Option<xdp::Program>,
        extack: &mut ethtool::ExtAck<'_>,
    ) -> Result {
        let _ = (dev, program, extack);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// What `hints` that were given with a received frame say of it, for programs that ask (metadata
    /// kfuncs). In the poll, while the program runs: must not sleep.
    fn xdp_metadata(&self, dev: &Device<Self>, hints: &xdp::Hints) -> xdp::Metadata {
        let _ = (dev, hints);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Which packets are stamped with the time of the device's clock.
    fn stamp_config(&self, dev: &Locked<Self>) -> StampConfig {
        let _ = dev;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Changes that, and returns what is in force: a device that cannot tell the messages that are
    /// wanted may stamp more. The configuration is one there is, but nobody has asked yet whether the
    /// device has it.
    ///
    /// # Errors
    ///
    /// `ERANGE` for what the device cannot do; nothing has changed.
    fn set_stamp_config(
        &self,
        dev: &Locked<Self>,
        config: StampConfig,
        extack: &mut ethtool::ExtAck<'_>,
    ) -> Result<StampConfig> {
        let _ = (dev, config, extack);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sockets that are bound to a queue bring buffers, which the device is to read and write itself: a
    /// driver that has this offers them to the device while there is a program, and sends what the
    /// sockets want sent. What the queue's NAPI instance makes of the pool ([`xsk::Rx`], [`xsk::Tx`]) is
    /// polled when the sockets ask for it. Process context under RTNL, may sleep.
    ///
    /// # Errors
    ///
    /// The sockets have their frames copied, unless they insist.
    fn xsk_attach(&self, dev: &Locked<Self>, queue: u32, pool: xsk::Pool) -> Result {
        let _ = (dev, queue, pool);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Takes [`Driver::xsk_attach`] back. The device must not know of a buffer of the pool any more when
    /// this returns: they are unmapped then. Process context under RTNL, may sleep.
    fn xsk_detach(&self, dev: &Locked<Self>, queue: u32) {
        let _ = (dev, queue);
    }

    /// A host's bridge wants packets to `mac` to reach this device (`bridge fdb add … self`).
    /// The address then also appears in the unicast list. Errors refuse it, and `extack` tells why.
    fn check_fdb_add(
        &self,
        dev: &Device<Self>,
        mac: [u8; 6],
        extack: &mut ethtool::ExtAck<'_>, //
    ) -> Result {
        let _ = (dev, mac, extack);
        Ok(())
    }
}

/// What [`Driver::features_check`] may go by: the length of a packet's headers, in bytes, and what
/// the stack wants to be done with it.
#[derive(Clone, Copy, Debug)]
pub struct PacketShape {
    /// From the start to the network header.
    pub mac_len: u32,
    /// From the network header to where the checksum starts; 0 if no checksum is asked for.
    pub network_len: u32,
    /// VID of the tag that is to be inserted, 0..=4095.
    pub vlan: Option<u16>,
    /// It is TCP that is to be segmented, and has FIN: the last segment is to have it.
    pub ends_stream: bool,
    /// It is in a tunnel, and what is asked for concerns the inner packet.
    pub encapsulated: bool,
}

impl<D: Driver> Device<D> {
    /// Its transmit queues.
    #[inline]
    pub(crate) fn tx_queues(&self) -> Queues<'_, D::Tx> {
        // SAFETY: By the type invariants the device was allocated for `D`, with slots of its `Tx`.
        unsafe { Queues::of(self.as_ptr()) }
    }
}

impl<D: Driver> Locked<D> {
    /// Puts the state of transmit queue `index` in place (or takes it away), and returns what was
    /// there. Waits for a running transmission on that queue. Process context.
    ///
    /// Without proof of the device being registered there is no such method, as nobody would close
    /// the queue again:
    ///
    /// ```compile_fail,E0599
    /// use kernel::prelude::*;
    /// use net::device::{Driver, Registration};
    ///
    /// fn open<D: Driver>(dev: &Registration<D>, tx: KBox<D::Tx>) {
    ///     dev.install_tx(0, Some(tx));
    /// }
    /// ```
    pub fn install_tx(&self, index: u32, tx: Option<KBox<D::Tx>>) -> Option<KBox<D::Tx>> {
        self.tx_queues().install(index, tx)
    }

    /// A handle of transmit queue `index` that may be kept, for code that sends from outside of `xmit`.
    pub fn tx_handle(&self, index: u32) -> TxHandle<D::Tx> {
        // SAFETY: By the type invariants the device was allocated for `D`, with slots of its `Tx`.
        unsafe { TxHandle::new(self.memory(), index) }
    }
}

/// What a net device starts with.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Features that are on.
    pub features: Features,
    /// Features the user may turn on and off.
    pub hw_features: Features,
    /// Features VLAN devices on top inherit.
    pub vlan_features: Features,
    /// Features that apply to the inner packet of a tunnel.
    pub enc_features: Features,
    /// Features that apply to packets with MPLS labels.
    pub mpls_features: Features,
    /// Of the features the kinds of segmentation that the device does of packets which the stack has
    /// prepared ([`Features::GSO_PARTIAL`]).
    pub partial_features: Features,
    /// Packets can be sent with a check sequence that the sender has made (`SO_NOFCS`).
    pub no_fcs: bool,
    /// XDP has frames of several buffers: programs that take them are shown what is received in
    /// several, and they are sent.
    pub xdp_frags: bool,
    /// Smallest MTU, in bytes.
    pub min_mtu: u32,
    /// Largest MTU, in bytes.
    pub max_mtu: u32,
    /// How long it is normal for a transmit queue to be stopped.
    pub watchdog: Delta,
    /// Queues in use at first.
    pub queues: u32,
    /// MAC address.
    pub mac: [u8; 6],
}

/// Link statistics (`ip -s link`). Field names as in `struct rtnl_link_stats64`.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkStats {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub multicast: u64,
    pub collisions: u64,
    pub rx_length_errors: u64,
    pub rx_crc_errors: u64,
    pub rx_frame_errors: u64,
    pub rx_fifo_errors: u64,
    pub rx_missed_errors: u64,
    pub tx_aborted_errors: u64,
    pub tx_carrier_errors: u64,
    pub tx_window_errors: u64,
}

/// A list of addresses, as the stack wants them received.
#[derive(Clone, Copy)]
pub struct AddrList<'a>(pub(crate) &'a netbind::netdev_hw_addr_list);

impl<'a> AddrList<'a> {
    /// Number of addresses.
    pub fn len(self) -> usize {
        usize::try_from(self.0.count).unwrap_or(0)
    }

    /// There are no addresses.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The addresses.
    pub fn iter(self) -> impl Iterator<Item = [u8; 6]> + Clone + 'a {
        let head = &raw const self.0.list;
        let mut next = self.0.list.next.cast_const();
        core::iter::from_fn(move || {
            if next == head {
                return None;
            }
            // SAFETY: The list is not changed for `'a`; its entries are the `list` fields of
            // `struct netdev_hw_addr`.
            unsafe {
                let entry = kernel::container_of!(next, netbind::netdev_hw_addr, list);
                next = (*next).next;
                Some((&raw const (*entry).addr).cast::<[u8; 6]>().read())
            }
        })
    }
}

/// Number of queues that suits this system (`netif_get_num_default_rss_queues()`).
pub fn default_queues() -> u32 {
    // SAFETY: No preconditions.
    let queues = unsafe { netbind::netif_get_num_default_rss_queues() };
    u32::try_from(queues).unwrap_or(1)
}

/// The key of the receive hash all devices of this system share. Process context.
pub fn rss_key<const N: usize>() -> [u8; N] {
    let mut key = [0; N];
    // SAFETY: `key` is valid for writes of `N` bytes.
    unsafe { netbind::netdev_rss_key_fill(key.as_mut_ptr().cast(), N) };
    key
}

/// A number that nobody can guess. Any context.
pub fn random() -> u64 {
    // SAFETY: No preconditions.
    unsafe { netbind::get_random_u64() }
}
