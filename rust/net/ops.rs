// SPDX-License-Identifier: GPL-2.0

//! The C side of [`Driver`]: operation tables and the functions in them.

use crate::{
    compat::{
        EADDRNOTAVAIL,
        EOPNOTSUPP, //
    },
    driver::{
        AddrList,
        Config,
        Driver,
        LinkStats,
        PacketShape, //
    },
    ethtool,
    features::Features,
    netdev::{
        Device,
        Locked, //
    },
    ptp::StampConfig,
    queue,
    skb::SkBuff,
    vf, //
};
use core::{
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    marker::PhantomData,
    ptr::NonNull,
};
use kernel::{
    error::from_result,
    prelude::*, //
};

mod xdp;

/// Fills in a net device that was just allocated for `D`.
pub(crate) fn apply<D: Driver>(dev: *mut netbind::net_device, config: &Config) {
    // SAFETY: The caller owns the net device, which is not registered yet. The tables are static.
    unsafe {
        (*dev).netdev_ops = &Tables::<D>::NETDEV;
        (*dev).ethtool_ops = ethtool::raw::<D, D::Ethtool>();
        (*dev).stat_ops = &Tables::<D>::STAT;
        (*dev).features = config.features.0;
        (*dev).hw_features = config.hw_features.0;
        (*dev).vlan_features = config.vlan_features.0;
        (*dev).hw_enc_features = config.enc_features.0;
        (*dev).mpls_features = config.mpls_features.0;
        (*dev).gso_partial_features = config.partial_features.0;
        (*dev).min_mtu = config.min_mtu;
        (*dev).max_mtu = config.max_mtu;
        let watchdog = u32::try_from(config.watchdog.as_millis()).unwrap_or(u32::MAX);
        (*dev).watchdog_timeo =
            c_int::try_from(netbind::__msecs_to_jiffies(watchdog)).unwrap_or(c_int::MAX);
        if config.no_fcs {
            netbind::set_no_fcs(dev);
        }
        if D::HAS_SET_RX_MODE {
            // The driver filters unicast addresses itself.
            netbind::set_unicast_filtering(dev);
        }
        if D::HAS_XDP_SETUP {
            (*dev).xdp_features = netbind::NETDEV_XDP_ACT_BASIC
                | netbind::NETDEV_XDP_ACT_REDIRECT
                | netbind::NETDEV_XDP_ACT_NDO_XMIT;
            if config.xdp_frags {
                (*dev).xdp_features |=
                    netbind::NETDEV_XDP_ACT_RX_SG | netbind::NETDEV_XDP_ACT_NDO_XMIT_SG;
            }
        }
        if D::HAS_XDP_METADATA {
            (*dev).xdp_metadata_ops = &Tables::<D>::XDP_METADATA;
        }
        if D::HAS_XSK_ATTACH {
            (*dev).xdp_features |= netbind::NETDEV_XDP_ACT_XSK_ZEROCOPY;
        }
        netbind::eth_hw_addr_set(dev, config.mac.as_ptr());
    }
}

struct Tables<D>(PhantomData<D>);

impl<D: Driver> Tables<D> {
    const NETDEV: netbind::net_device_ops =
        <D::Vf as vf::Ops<D>>::TABLE.fill(netbind::net_device_ops {
            ndo_uninit: Some(Self::uninit),
            ndo_open: Some(Self::open),
            ndo_stop: Some(Self::stop),
            ndo_start_xmit: Some(Self::start_xmit),
            ndo_validate_addr: Some(netbind::eth_validate_addr),
            ndo_tx_timeout: Some(Self::tx_timeout),
            ndo_set_rx_mode_async: if D::HAS_SET_RX_MODE {
                Some(Self::set_rx_mode)
            } else {
                None
            },
            ndo_set_mac_address: if D::HAS_SET_MAC_ADDRESS {
                Some(Self::set_mac_address)
            } else {
                None
            },
            ndo_change_mtu: if D::HAS_CHANGE_MTU {
                Some(Self::change_mtu)
            } else {
                None
            },
            ndo_fix_features: Some(Self::fix_features),
            ndo_set_features: if D::HAS_SET_FEATURES {
                Some(Self::set_features)
            } else {
                None
            },
            ndo_features_check: Some(Self::features_check),
            ndo_get_stats64: if D::HAS_GET_STATS64 {
                Some(Self::get_stats64)
            } else {
                None
            },
            ndo_vlan_rx_add_vid: if D::HAS_VLAN_RX_ADD_VID {
                Some(Self::vlan_rx_add_vid)
            } else {
                None
            },
            ndo_vlan_rx_kill_vid: if D::HAS_VLAN_RX_KILL_VID {
                Some(Self::vlan_rx_kill_vid)
            } else {
                None
            },
            ndo_eth_ioctl: if D::HAS_READ_MII {
                Some(Self::eth_ioctl)
            } else {
                None
            },
            ndo_bpf: if D::HAS_XDP_SETUP || D::HAS_XSK_ATTACH {
                Some(Self::bpf)
            } else {
                None
            },
            ndo_xsk_wakeup: if D::HAS_XSK_ATTACH {
                Some(Self::xsk_wakeup)
            } else {
                None
            },
            ndo_xdp_xmit: if D::HAS_XDP_SETUP {
                Some(Self::xdp_xmit)
            } else {
                None
            },
            ndo_hwtstamp_get: if D::HAS_STAMP_CONFIG {
                Some(Self::hwtstamp_get)
            } else {
                None
            },
            ndo_hwtstamp_set: if D::HAS_SET_STAMP_CONFIG {
                Some(Self::hwtstamp_set)
            } else {
                None
            },
            ndo_fdb_add: if D::HAS_CHECK_FDB_ADD {
                Some(Self::fdb_add)
            } else {
                None
            },
            ..pin_init::zeroed()
        });

    const STAT: netbind::netdev_stat_ops = netbind::netdev_stat_ops {
        get_queue_stats_rx: Some(Self::rx_queue_stats),
        get_queue_stats_tx: Some(Self::tx_queue_stats),
        get_base_stats: Some(Self::base_stats),
    };

    /// # Safety
    ///
    /// `dev` is the argument of an operation in one of the tables above.
    #[inline]
    unsafe fn device<'a>(dev: *mut netbind::net_device) -> &'a Device<D> {
        // SAFETY: The tables are only given to net devices of `D`, whose private part is set up
        // before they are registered and stays until they are unregistered.
        unsafe { Device::from_raw(dev) }
    }

    /// # Safety
    ///
    /// As of [`Self::device`]; the operation is called under RTNL.
    #[inline]
    unsafe fn locked<'a>(dev: *mut netbind::net_device) -> &'a Locked<D> {
        // SAFETY: The tables are only given to net devices of `D` whose private part is set up;
        // under RTNL the net device stays registered until the operation ends.
        unsafe { Locked::from_raw(dev) }
    }

    /// The last that is called, under RTNL: also if the device has never been up.
    extern "C" fn uninit(dev: *mut netbind::net_device) {
        // SAFETY: Called as an operation, under RTNL, when the device is being unregistered.
        unsafe { Self::locked(dev).memory().end_all() };
    }

    extern "C" fn open(dev: *mut netbind::net_device) -> c_int {
        // SAFETY: Called as an operation, under RTNL.
        let dev = unsafe { Self::locked(dev) };
        from_result(|| dev.data().open(dev).map(|()| 0))
    }

    extern "C" fn stop(dev: *mut netbind::net_device) -> c_int {
        // SAFETY: Called as an operation, under RTNL.
        let dev = unsafe { Self::locked(dev) };
        dev.data().stop(dev);
        0
    }

    extern "C" fn start_xmit(
        skb: *mut netbind::sk_buff,
        dev: *mut netbind::net_device,
    ) -> netbind::netdev_tx_t {
        // SAFETY: Called as an operation, with a packet that becomes ours.
        let (dev, owned) = unsafe {
            (
                Self::device(dev),
                SkBuff::from_raw(NonNull::new_unchecked(skb)),
            )
        };
        // SAFETY: This is `ndo_start_xmit`, called under the queue's lock.
        match unsafe { dev.tx_queues().xmit(owned) } {
            Ok(()) => netbind::netdev_tx_NETDEV_TX_OK,
            Err(given_back) if given_back.as_ptr() == skb && !given_back.awaits_stamp() => {
                // The stack keeps the packet.
                let _ = given_back.into_raw();
                netbind::netdev_tx_NETDEV_TX_BUSY
            }
            // Another one, which is the driver's to drop; it has kept or dropped that of the stack. Or
            // one that waits for its stamp, and so has another owner: the stack wants one that has not.
            Err(_) => netbind::netdev_tx_NETDEV_TX_OK,
        }
    }

    extern "C" fn tx_timeout(dev: *mut netbind::net_device, queue: c_uint) {
        // SAFETY: Called as an operation.
        let dev = unsafe { Self::device(dev) };
        dev.data().tx_timeout(dev, queue);
    }

    extern "C" fn set_rx_mode(
        dev: *mut netbind::net_device,
        unicast: *mut netbind::netdev_hw_addr_list,
        multicast: *mut netbind::netdev_hw_addr_list,
    ) -> c_int {
        // SAFETY: Called as an operation, with two valid lists that no one changes meanwhile.
        let (dev, unicast, multicast) = unsafe {
            (
                Self::device(dev),
                AddrList(&*unicast),
                AddrList(&*multicast),
            )
        };
        from_result(|| dev.data().set_rx_mode(dev, unicast, multicast).map(|()| 0))
    }

    extern "C" fn set_mac_address(dev: *mut netbind::net_device, addr: *mut c_void) -> c_int {
        // SAFETY: Called as an operation; `addr` is a `struct sockaddr_storage` with an address
        // of the device's type in it, which starts behind the 16-bit family.
        let (raw, this, mac) = unsafe {
            (
                dev,
                Self::device(dev),
                addr.byte_add(2).cast::<[u8; 6]>().read(),
            )
        };
        from_result(|| {
            if mac[0] & 1 != 0 || mac == [0; 6] {
                return Err(EADDRNOTAVAIL);
            }
            this.data().set_mac_address(this, mac)?;
            // SAFETY: The device is valid, RTNL is held.
            unsafe { netbind::eth_hw_addr_set(raw, mac.as_ptr()) };
            Ok(0)
        })
    }

    extern "C" fn change_mtu(dev: *mut netbind::net_device, mtu: c_int) -> c_int {
        // SAFETY: Called as an operation, under RTNL.
        let this = unsafe { Self::locked(dev) };
        from_result(|| {
            let mtu = u32::try_from(mtu)?;
            this.data().change_mtu(this, mtu)?;
            // SAFETY: RTNL is held, so there is no other writer; readers expect whole words.
            unsafe { (&raw mut (*dev).mtu).write_volatile(mtu) };
            Ok(0)
        })
    }

    extern "C" fn fix_features(
        dev: *mut netbind::net_device,
        features: netbind::netdev_features_t,
    ) -> netbind::netdev_features_t {
        // SAFETY: Called as an operation.
        let dev = unsafe { Self::device(dev) };
        dev.data().fix_features(dev, Features(features)).0
    }

    extern "C" fn set_features(
        dev: *mut netbind::net_device,
        features: netbind::netdev_features_t,
    ) -> c_int {
        // SAFETY: Called as an operation, under RTNL.
        let dev = unsafe { Self::locked(dev) };
        from_result(|| dev.data().set_features(dev, Features(features)).map(|()| 0))
    }

    extern "C" fn features_check(
        skb: *mut netbind::sk_buff,
        dev: *mut netbind::net_device,
        features: netbind::netdev_features_t,
    ) -> netbind::netdev_features_t {
        let mut raw = netbind::nbh_tx_shape::default();
        // SAFETY: Called as an operation, with a valid packet that stays the caller's.
        let dev = unsafe {
            netbind::tx_shape(skb, &mut raw);
            Self::device(dev)
        };
        let shape = PacketShape {
            mac_len: raw.mac_len,
            network_len: raw.network_len,
            vlan: raw.tagged.then_some(raw.vid),
            ends_stream: raw.ends_stream,
            encapsulated: raw.encapsulated,
        };
        let features = dev.data().features_check(dev, shape, Features(features));
        // SAFETY: The packet is valid during the operation.
        unsafe { netbind::vlan_features_check(skb, features.0) }
    }

    extern "C" fn get_stats64(
        dev: *mut netbind::net_device,
        storage: *mut netbind::rtnl_link_stats64,
    ) {
        // SAFETY: Called as an operation, with storage to fill.
        let (dev, out) = unsafe { (Self::device(dev), &mut *storage) };
        let mut stats = LinkStats::default();
        dev.data().get_stats64(dev, &mut stats);
        out.rx_packets = stats.rx_packets;
        out.tx_packets = stats.tx_packets;
        out.rx_bytes = stats.rx_bytes;
        out.tx_bytes = stats.tx_bytes;
        out.rx_errors = stats.rx_errors;
        out.tx_errors = stats.tx_errors;
        out.rx_dropped = stats.rx_dropped;
        out.tx_dropped = stats.tx_dropped;
        out.multicast = stats.multicast;
        out.collisions = stats.collisions;
        out.rx_length_errors = stats.rx_length_errors;
        out.rx_crc_errors = stats.rx_crc_errors;
        out.rx_frame_errors = stats.rx_frame_errors;
        out.rx_fifo_errors = stats.rx_fifo_errors;
        out.rx_missed_errors = stats.rx_missed_errors;
        out.tx_aborted_errors = stats.tx_aborted_errors;
        out.tx_carrier_errors = stats.tx_carrier_errors;
        out.tx_window_errors = stats.tx_window_errors;
    }

    extern "C" fn vlan_rx_add_vid(
        dev: *mut netbind::net_device,
        _proto: netbind::__be16,
        vid: u16,
    ) -> c_int {
        // SAFETY: Called as an operation. The protocol is 802.1Q, as no other is offered.
        let dev = unsafe { Self::device(dev) };
        from_result(|| dev.data().vlan_rx_add_vid(dev, vid).map(|()| 0))
    }

    extern "C" fn vlan_rx_kill_vid(
        dev: *mut netbind::net_device,
        _proto: netbind::__be16,
        vid: u16,
    ) -> c_int {
        // SAFETY: Called as an operation.
        let dev = unsafe { Self::device(dev) };
        from_result(|| dev.data().vlan_rx_kill_vid(dev, vid).map(|()| 0))
    }

    extern "C" fn hwtstamp_get(
        dev: *mut netbind::net_device,
        config: *mut netbind::kernel_hwtstamp_config,
    ) -> c_int {
        // SAFETY: Called as an operation, under RTNL, with a configuration to fill in.
        let (dev, config) = unsafe { (Self::locked(dev), &mut *config) };
        dev.data().stamp_config(dev).store(config);
        0
    }

    extern "C" fn hwtstamp_set(
        dev: *mut netbind::net_device,
        config: *mut netbind::kernel_hwtstamp_config,
        extack: *mut netbind::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: Called as an operation, under RTNL, with a configuration that is the operation's to
        // change, and an extack or NULL.
        let (dev, config, mut extack) = unsafe {
            (
                Self::locked(dev),
                &mut *config,
                ethtool::ExtAck::from_raw(extack),
            )
        };
        from_result(|| {
            let wanted = StampConfig::load(config)?;
            dev.data()
                .set_stamp_config(dev, wanted, &mut extack)?
                .store(config);
            Ok(0)
        })
    }

    /// The stack has checked that the caller may administrate the network.
    extern "C" fn eth_ioctl(
        dev: *mut netbind::net_device,
        request: *mut netbind::ifreq,
        command: c_int,
    ) -> c_int {
        // SAFETY: Called as an operation, with a request of which the second part is that of an ioctl of a
        // PHY, if `command` is one. It is large enough in any case.
        let (dev, data) = unsafe {
            (
                Self::device(dev),
                &mut *(&raw mut (*request).ifr_ifru).cast::<netbind::mii_ioctl_data>(),
            )
        };
        const _: () = assert!(
            size_of::<netbind::mii_ioctl_data>() <= size_of::<netbind::ifreq__bindgen_ty_2>()
        );
        from_result(|| {
            // CAST: five bits.
            let number = (data.reg_num & 0x1f) as u8;
            match u32::try_from(command)? {
                netbind::SIOCGMIIPHY => data.phy_id = dev.data().mii_phy(dev)?.into(),
                netbind::SIOCGMIIREG => data.val_out = dev.data().read_mii(dev, number)?,
                netbind::SIOCSMIIREG => dev.data().write_mii(dev, number, data.val_in)?,
                _ => return Err(EOPNOTSUPP),
            }
            Ok(0)
        })
    }

    extern "C" fn fdb_add(
        ndm: *mut netbind::ndmsg,
        tb: *mut *mut netbind::nlattr,
        dev: *mut netbind::net_device,
        addr: *const u8,
        vid: u16,
        flags: u16,
        _notified: *mut bool,
        extack: *mut netbind::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: Called as an operation, with an address of 6 bytes, and an extack or NULL.
        let (this, mac, mut extack) = unsafe {
            (
                Self::device(dev),
                addr.cast::<[u8; 6]>().read(),
                ethtool::ExtAck::from_raw(extack),
            )
        };
        from_result(|| {
            if mac[0] & 1 == 0 {
                this.data().check_fdb_add(this, mac, &mut extack)?;
            }
            // SAFETY: The arguments are those of this operation.
            Ok(unsafe { netbind::ndo_dflt_fdb_add(ndm, tb, dev, addr, vid, flags) })
        })
    }

    extern "C" fn rx_queue_stats(
        dev: *mut netbind::net_device,
        queue: c_int,
        out: *mut netbind::netdev_queue_stats_rx,
    ) {
        // SAFETY: Called as an operation, with statistics to fill.
        let (dev, out) = unsafe { (Self::device(dev), &mut *out) };
        let queue = u32::try_from(queue).unwrap_or(0);
        Self::fill_rx(dev.data().rx_queue_stats(dev, queue), out);
    }

    extern "C" fn tx_queue_stats(
        dev: *mut netbind::net_device,
        queue: c_int,
        out: *mut netbind::netdev_queue_stats_tx,
    ) {
        // SAFETY: Called as an operation, with statistics to fill.
        let (dev, out) = unsafe { (Self::device(dev), &mut *out) };
        let queue = u32::try_from(queue).unwrap_or(0);
        Self::fill_tx(dev.data().tx_queue_stats(dev, queue), out);
    }

    extern "C" fn base_stats(
        dev: *mut netbind::net_device,
        rx: *mut netbind::netdev_queue_stats_rx,
        tx: *mut netbind::netdev_queue_stats_tx,
    ) {
        // SAFETY: Called as an operation, with statistics to fill.
        let (dev, rx_out, tx_out) = unsafe { (Self::device(dev), &mut *rx, &mut *tx) };
        let (rx, tx) = dev.data().base_stats(dev);
        Self::fill_rx(rx, rx_out);
        Self::fill_tx(tx, tx_out);
    }

    fn fill_rx(stats: queue::RxQueueStats, out: &mut netbind::netdev_queue_stats_rx) {
        out.packets = stats.packets;
        out.bytes = stats.bytes;
        out.alloc_fail = stats.alloc_fail;
        out.hw_drops = stats.hw_drops;
        // All of them are overruns.
        out.hw_drop_overruns = stats.hw_drops;
        out.csum_unnecessary = stats.csum_unnecessary;
        out.csum_none = stats.csum_none;
        out.csum_bad = stats.csum_bad;
    }

    fn fill_tx(stats: queue::TxQueueStats, out: &mut netbind::netdev_queue_stats_tx) {
        out.packets = stats.packets;
        out.bytes = stats.bytes;
        out.needs_csum = stats.needs_csum;
        out.hw_gso_packets = stats.hw_gso_packets;
        out.stop = stats.stop;
        out.wake = stats.wake;
    }
}
