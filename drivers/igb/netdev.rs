// SPDX-License-Identifier: GPL-2.0

//! The net device's operations. Each changes the desired state and has it applied.

use crate::{
    controller::errno,
    lifecycle,
    mtu,
    port::Port,
    rx,
    sockets,
    tx::TxRing, //
};
use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    desc::tx::{
        MAX_IP_LEN,
        MAX_MAC_LEN, //
    },
    function::VfSet,
    layout::MAX_PAIRS,
    model::Differences,
    phy::Path,
    steering::Steering,
    switch::{
        RawFrames,
        RxMode, //
    }, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use net::{
    compat::{
        EADDRNOTAVAIL,
        ENETDOWN,
        EOPNOTSUPP, //
    },
    device::{
        AddrList,
        Config,
        Device,
        Driver,
        Features,
        LinkStats,
        Locked,
        PacketShape, //
    },
    ethtool::ExtAck,
    ptp::StampConfig,
    queue::{
        RxQueueStats,
        TxQueueStats, //
    },
    xdp::{
        Hints,
        Metadata,
        Program, //
    },
    xsk::Pool, //
};

const CHECKSUMS: Features = Features::HW_CSUM.with(Features::SCTP_CRC);
const TCP_SEGMENTATION: Features = Features::TSO.with(Features::TSO6);
const SEGMENTATION: Features = TCP_SEGMENTATION.with(Features::GSO_UDP_L4);
const VLAN: Features = Features::VLAN_TX.with(Features::VLAN_RX);
const OFFLOADS: Features = Features::SG
    .with(CHECKSUMS)
    .with(SEGMENTATION)
    .with(Features::RXCSUM)
    .with(Features::RXHASH);

/// What a user turns on who looks at a wire.
const RAW_FRAMES: Features = Features::RXALL.with(Features::RXFCS);

/// What the controller does whatever is in front of the IP header.
const STEPPED_OVER: Features = Features::SG
    .with(CHECKSUMS)
    .with(SEGMENTATION)
    .with(Features::HIGHDMA);

/// What the controller segments in a tunnel: it steps over all headers up to the inner transport
/// header, and writes lengths and checksums of this one and of the outer IP header. The stack prepares
/// the rest, the same for each segment.
const TUNNELS: Features = Features::GSO_PARTIAL.with(Features::GSO_TUNNELS);

/// What the net device of a port with this address and number of queue pairs starts with.
///
/// A controller that makes IP fragments of what is to be segmented into datagrams is not asked to,
/// unless the user wants it: the receiver makes one datagram of them. Packets in tunnels are left to one
/// that can step over headers alone.
pub(crate) fn config(mac: MacAddr, pairs: u32, differences: Differences) -> Config {
    let none = Features::NONE;
    let (tunnels, inner, labelled) = if differences.sums_outermost_headers {
        (none, none, none)
    } else {
        let inner = STEPPED_OVER.with(TUNNELS).with(Features::TSO_MANGLEID);
        (TUNNELS, inner, Features::HW_CSUM)
    };
    let rules = if differences.lacks_queue_filters {
        none
    } else {
        Features::NTUPLE
    };
    let on = OFFLOADS
        .with(VLAN)
        .with(Features::VLAN_FILTER)
        .with(tunnels)
        .with(rules);
    let raw = if differences.has_no_fcs {
        Features::RXALL
    } else {
        RAW_FRAMES
    };
    let usable = if differences.fragments_datagrams {
        on.without(Features::GSO_UDP_L4)
    } else {
        on
    };
    Config {
        features: usable.with(Features::HIGHDMA),
        hw_features: on.with(raw),
        vlan_features: STEPPED_OVER.with(inner),
        enc_features: inner,
        mpls_features: labelled,
        partial_features: tunnels.without(Features::GSO_PARTIAL),
        no_fcs: !differences.has_no_fcs,
        xdp_frags: true,
        min_mtu: 68,
        max_mtu: mtu::LARGEST,
        watchdog: Delta::from_secs(5),
        queues: pairs,
        mac: mac.0,
    }
}

#[vtable]
impl Driver for Port {
    type Tx = TxRing;
    type Ethtool = crate::ethtool::Ops;
    type Vf = crate::vf::Ops;

    fn open(&self, dev: &Locked<Self>) -> Result {
        let awake = self.wake()?;
        if !self.is_live() {
            return Err(ENETDOWN);
        }
        // By now the interface has the name it will be known by.
        self.serve_misc(dev)?;
        let started = self.set_up(true);
        if let Err(error) = started.and_then(|()| self.net.lock().open(self, dev)) {
            let _ = self.set_up(false);
            return Err(error);
        }
        self.net.lock().awake = Some(awake);
        self.works.service.schedule();
        Ok(())
    }

    fn stop(&self, dev: &Locked<Self>) {
        // It may sleep until there is a link. One that cannot be woken has nothing to stop.
        let _awake = self.wake();
        let stopped = lifecycle::down(dev);
        dev.carrier_off();
        let _ = self.set_up(false);
        if !stopped && !self.io.is_gone() {
            let _ = lifecycle::restart_with(dev, |_| Ok(()));
        }
        self.net.lock().awake = None;
    }

    fn tx_timeout(&self, dev: &Device<Self>, queue: u32) {
        self.hw_stats.count_timeout();
        dev_warn!(&*self.pdev, "transmit queue {queue} is stuck\n");
        dev.trans_update();
        self.works.reset.schedule();
    }

    fn set_rx_mode(
        &self,
        dev: &Device<Self>,
        unicast: AddrList<'_>,
        multicast: AddrList<'_>,
    ) -> Result {
        let mode = RxMode {
            promisc: dev.is_promiscuous(),
            allmulti: dev.is_allmulti(),
        };
        let mut hw = self.hw.lock();
        let outcome = hw.switch.set_rx_mode(
            mode,
            unicast.iter().map(MacAddr),
            multicast.iter().map(MacAddr),
        );
        hw.apply();
        drop(hw);
        self.report_displaced(outcome.displaced);
        if outcome.conflicts != 0 && self.may_warn() {
            dev_warn!(
                &*self.pdev,
                "{} addresses of {} belong to a VF by the administrator's word and stay there\n",
                outcome.conflicts,
                dev.name()
            );
        }
        Ok(())
    }

    fn set_mac_address(&self, _dev: &Device<Self>, mac: [u8; 6]) -> Result {
        let mac = UnicastAddr::new(MacAddr(mac)).ok_or(EADDRNOTAVAIL)?;
        let mut hw = self.hw.lock();
        let displaced = hw.switch.set_pf_mac(mac).map_err(errno)?;
        hw.apply();
        drop(hw);
        self.report_displaced(displaced);
        Ok(())
    }

    fn change_mtu(&self, dev: &Locked<Self>, mtu: u32) -> Result {
        let max_frame = u16::try_from(mtu.wrapping_add(mtu::OVERHEAD))?;
        let before = self.net.lock().settings.max_frame;
        // The controller first accepts the larger of the two, so that no frame is lost that fits.
        self.set_max_frame(max_frame.max(before))?;
        let result = lifecycle::reopen_with(dev, |settings| settings.max_frame = max_frame);
        let now = self.net.lock().settings.max_frame;
        self.set_max_frame(now)?;
        result
    }

    fn fix_features(&self, _dev: &Device<Self>, features: Features) -> Features {
        let mut features = features;
        if self.hw.lock().switch.uses_pools() {
            // VFs would get such frames too.
            features = features.without(RAW_FRAMES);
        }
        let net = self.net.lock();
        if net.program.is_some() {
            features = features.without(Features::RXFCS);
        }
        if net.has_pools() {
            // A frame of any length would not fit into the buffers of sockets.
            features = features.without(Features::RXALL);
        }
        drop(net);
        // One switch for both directions, as the hardware has it.
        if features.contains(Features::VLAN_RX) {
            features | Features::VLAN_TX
        } else {
            features.without(Features::VLAN_TX)
        }
    }

    fn set_features(&self, dev: &Locked<Self>, features: Features) -> Result {
        // First what can fail: the stack then goes by the features it had, all of them.
        let rx_hash = features.contains(Features::RXHASH);
        let raw = RawFrames {
            bad: features.contains(Features::RXALL),
            fcs: features.contains(Features::RXFCS),
        };
        let before = self.net.lock().settings;
        if (rx_hash, raw.bad) != (before.rx_hash, before.bad_frames) {
            lifecycle::reopen_with(dev, |settings| {
                settings.rx_hash = rx_hash;
                settings.bad_frames = raw.bad;
            })?;
        }
        {
            let mut mac = self.mac.lock();
            let strip = features.contains(Features::VLAN_RX);
            mac.rx_csum = features.contains(Features::RXCSUM);
            {
                let mut hw = self.hw.lock();
                hw.switch.set_rx_vlan_strip(strip);
                hw.switch.set_raw_frames(raw);
                hw.switch
                    .set_vlan_filter(features.contains(Features::VLAN_FILTER));
                hw.apply();
            }
            mac.apply_rss(&self.hw);
            mac.apply_vlan_strip(&self.hw);
            if !features.contains(Features::NTUPLE) && !mac.steering.is_empty() {
                mac.steering = Steering::NONE;
                mac.apply_steering(&self.hw);
            }
        }
        Ok(())
    }

    fn features_check(
        &self,
        _dev: &Device<Self>,
        shape: PacketShape,
        features: Features,
    ) -> Features {
        if shape.vlan.is_some_and(|vid| self.vlan_use.note(vid)) {
            self.works.vlans.schedule();
        }
        if shape.mac_len > MAX_MAC_LEN || shape.network_len > MAX_IP_LEN {
            return features.without(CHECKSUMS | SEGMENTATION | Features::VLAN_TX);
        }
        // The inner IPv4 header is the same in each segment, its identification too.
        if shape.encapsulated && !features.contains(Features::TSO_MANGLEID) {
            return features.without(Features::TSO);
        }
        // Without FIN the peer would only see the end when it is sent again. PSH is lost as well,
        // but it is in nearly every packet, and decides nothing: receivers pass on what they have
        // in any case.
        if shape.ends_stream && self.differences.loses_fin {
            return features.without(TCP_SEGMENTATION);
        }
        features
    }

    fn get_stats64(&self, _dev: &Device<Self>, stats: &mut LinkStats) {
        self.link_stats(stats);
    }

    fn rx_queue_stats(&self, _dev: &Device<Self>, queue: u32) -> RxQueueStats {
        self.pair_stats(queue).0
    }

    fn tx_queue_stats(&self, _dev: &Device<Self>, queue: u32) -> TxQueueStats {
        self.pair_stats(queue).1
    }

    fn base_stats(&self, dev: &Device<Self>) -> (RxQueueStats, TxQueueStats) {
        let open = dev.real_num_queues();
        (open..).take_while(|n| (*n as usize) < MAX_PAIRS).fold(
            Default::default(),
            |(rx, tx): (RxQueueStats, TxQueueStats), n| {
                let (more_rx, more_tx) = self.pair_stats(n);
                (rx + more_rx, tx + more_tx)
            },
        )
    }

    fn mii_phy(&self, _dev: &Device<Self>) -> Result<u8> {
        let media = self.mac.lock().link.media();
        media.phy().map(Path::address).ok_or(EOPNOTSUPP)
    }

    fn read_mii(&self, _dev: &Device<Self>, number: u8) -> Result<u16> {
        let _awake = self.wake()?;
        let mac = self.mac.lock();
        let phy = mac.link.take_phy()?.ok_or(EOPNOTSUPP)?;
        phy.read_number(number).map_err(|_| EIO)
    }

    fn write_mii(&self, _dev: &Device<Self>, number: u8, value: u16) -> Result {
        let _awake = self.wake()?;
        {
            let mac = self.mac.lock();
            let phy = mac.link.take_phy()?.ok_or(EOPNOTSUPP)?;
            phy.write_number(number, value).map_err(|_| EIO)?;
        }
        // It may have been the link's end.
        self.works.service.schedule();
        Ok(())
    }

    fn vlan_rx_add_vid(&self, _dev: &Device<Self>, vid: u16) -> Result {
        let mut hw = self.hw.lock();
        hw.switch.vlan_add(vid).map_err(errno)?;
        hw.apply();
        self.watch_vlans(&hw.switch);
        Ok(())
    }

    fn vlan_rx_kill_vid(&self, _dev: &Device<Self>, vid: u16) -> Result {
        let mut hw = self.hw.lock();
        hw.switch.vlan_del(vid);
        hw.apply();
        self.watch_vlans(&hw.switch);
        Ok(())
    }

    fn xdp_setup(
        &self,
        dev: &Locked<Self>,
        program: Option<Program>,
        extack: &mut ExtAck<'_>,
    ) -> Result {
        if let Some(program) = &program {
            if dev.mtu() > mtu::largest_with(program) {
                return Err(extack.err(
                    EINVAL,
                    c"A program without frags takes an MTU of at most 3050",
                ));
            }
            // What is sent on would have its check sequence as well.
            if dev.features().contains(Features::RXFCS) {
                return Err(extack.err(EINVAL, c"XDP takes frames without their FCS: rx-fcs is on"));
            }
            if dev.mtu() > self.net.lock().max_mtu(Some(program)) {
                return Err(extack.err(
                    EINVAL,
                    c"The MTU is too large for the buffers of AF_XDP sockets",
                ));
            }
        }
        sockets::set_program(dev, program)
    }

    fn xdp_metadata(&self, dev: &Device<Self>, hints: &Hints) -> Metadata {
        rx::xdp::metadata(hints, dev.features().contains(Features::RXHASH))
    }

    fn xsk_attach(&self, dev: &Locked<Self>, queue: u32, pool: Pool) -> Result {
        sockets::attach(dev, queue, pool)
    }

    fn xsk_detach(&self, dev: &Locked<Self>, queue: u32) {
        sockets::detach(dev, queue);
    }

    fn stamp_config(&self, _dev: &Locked<Self>) -> StampConfig {
        self.stamp_config()
    }

    fn set_stamp_config(
        &self,
        dev: &Locked<Self>,
        config: StampConfig,
        extack: &mut ExtAck<'_>,
    ) -> Result<StampConfig> {
        self.set_stamp_config(dev, config).ok_or_else(|| {
            extack.err(
                ERANGE,
                c"stamps are for PTP: Sync or Delay_Req of v1, all event messages of v2",
            )
        })
    }

    fn check_fdb_add(
        &self,
        _dev: &Device<Self>,
        mac: [u8; 6],
        extack: &mut ExtAck<'_>, //
    ) -> Result {
        let hw = self.hw.lock();
        // More addresses than registers would make the PF receive everything. Of one that is there
        // the stack says so.
        if hw.switch.pf_unicast_room() == 0 && !hw.switch.pf_has(MacAddr(mac)) {
            return Err(extack.err(
                ENOSPC,
                c"no receive address register is left; delete an entry, or have fewer VFs",
            ));
        }
        Ok(())
    }
}

impl Port {
    /// The net device comes up or goes down: units and link follow.
    fn set_up(&self, up: bool) -> Result {
        let mut mac = self.mac.lock();
        self.hw.lock().up = up;
        mac.linked_at = self.now();
        mac.apply_need(&self.hw)
    }

    /// Whether one more line may be printed about addresses that PF and VFs both want: lists of
    /// addresses change as often as programs like.
    fn may_warn(&self) -> bool {
        let mut hw = self.hw.lock();
        let now = hw.now();
        hw.warnings.allow(now)
    }

    /// Tells whose address the PF has taken.
    fn report_displaced(&self, vfs: VfSet) {
        for vf in vfs.iter() {
            if !self.may_warn() {
                return;
            }
            dev_warn!(
                &*self.pdev,
                "VF {} loses an address it had chosen to the PF\n",
                vf.get()
            );
        }
    }

    /// Lets frames of up to `bytes` (with FCS, without tag) through to the PF.
    fn set_max_frame(&self, bytes: u16) -> Result {
        let mut hw = self.hw.lock();
        hw.switch.set_max_frame(bytes).map_err(errno)?;
        hw.apply();
        Ok(())
    }

    /// Counters of one queue pair.
    fn pair_stats(&self, queue: u32) -> (RxQueueStats, TxQueueStats) {
        let Some(pair) = self.stats.get(queue as usize) else {
            return Default::default();
        };
        let packets = pair.rx_packets.get();
        let (good, bad) = (pair.rx_csum_good.get(), pair.rx_csum_bad.get());
        let rx = RxQueueStats {
            packets,
            bytes: pair.rx_bytes.get(),
            alloc_fail: pair.rx_alloc_failed.get(),
            hw_drops: pair.rx_dropped.get(),
            csum_unnecessary: good,
            csum_none: packets.saturating_sub(good).saturating_sub(bad),
            csum_bad: bad,
        };
        let tx = TxQueueStats {
            packets: pair.tx_packets.get(),
            bytes: pair.tx_bytes.get(),
            needs_csum: pair.tx_csum.get(),
            hw_gso_packets: pair.tx_gso.get(),
            stop: pair.tx_stop.get(),
            wake: pair.tx_wake.get(),
        };
        (rx, tx)
    }
}
