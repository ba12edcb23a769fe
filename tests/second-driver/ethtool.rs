// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` shows: the link, and the controller's counters under the names of IEEE 802.3.

use crate::{
    hw::Link,
    netdev::Port, //
};
use kernel::prelude::*;
use net::{
    device::Device,
    ethtool::{
        self,
        Duplex,
        Info,
        Link as LinkOps,
        LinkMode,
        LinkModes,
        LinkSettings,
        MacStats,
        Mdix,
        Port as Medium,
        Standard,
        Table, //
    },
};

/// The operations of [`Port`].
pub(crate) struct Ops;

impl ethtool::Ops<Port> for Ops {
    const TABLE: Table<Port> = Table::new()
        .info::<Self>()
        .link::<Self>()
        .standard::<Self>();
}

#[vtable]
impl Info<Port> for Ops {}

/// The PHY offers all of it, and the driver does not ask for less.
const MODES: LinkModes = LinkModes::of(&[
    LinkMode::BASE_10_T_HALF,
    LinkMode::BASE_10_T_FULL,
    LinkMode::BASE_100_T_HALF,
    LinkMode::BASE_100_T_FULL,
    LinkMode::BASE_1000_T_FULL,
    LinkMode::AUTONEG,
    LinkMode::TP,
]);

#[vtable]
impl LinkOps<Port> for Ops {
    fn link_settings(port: &Port, _dev: &Device<Port>) -> Result<LinkSettings> {
        let link = Link::read(&port.io);
        Ok(LinkSettings {
            speed: link.map(|link| link.speed),
            duplex: link.map(|link| {
                if link.full_duplex {
                    Duplex::Full
                } else {
                    Duplex::Half
                }
            }),
            autoneg: true,
            port: Medium::TwistedPair,
            phy_address: 1,
            mdix: Mdix::Unknown,
            mdix_ctrl: Mdix::Auto,
            supported: MODES,
            advertising: MODES,
            lp_advertising: LinkModes::NONE,
        })
    }
}

#[vtable]
impl Standard<Port> for Ops {
    fn mac_stats(port: &Port, _dev: &Device<Port>) -> MacStats {
        port.fold_counters();
        let counters = &port.counters;
        MacStats {
            frames_transmitted: Some(counters.tx_frames.get()),
            frames_received: Some(counters.rx_frames.get()),
            octets_transmitted: Some(counters.tx_octets.get()),
            octets_received: Some(counters.rx_octets.get()),
            frame_check_sequence_errors: Some(counters.rx_crc_errors.get()),
            multicast_frames_received: Some(counters.rx_multicast.get()),
            broadcast_frames_received: Some(counters.rx_broadcast.get()),
            ..MacStats::default()
        }
    }
}
