// SPDX-License-Identifier: GPL-2.0

//! The link and its pauses: `ethtool DEV`, `-s`, `-r`, `-p`, `-a` and `-A`.

use super::Ops;
use crate::{
    hw,
    link::{
        Leds,
        PortLink, //
    },
    port::Port, //
};
use igb_core::{
    link,
    link_config::{
        Crossover,
        LinkConfig,
        Mode,
        Request, //
    },
    media::Media,
    phy::Path,
    regs::{
        self,
        anar::{
            self,
            Anar, //
        },
        gbsr,
        port_status, //
    },
};
use kernel::prelude::*;
use net::{
    device::{
        Device,
        Locked, //
    },
    ethtool::{
        Duplex,
        Link,
        LinkMode,
        LinkModes,
        LinkSettings,
        Mdix,
        Pause,
        PauseParam,
        PauseStats,
        PhysId,
        Port as Medium, //
    },
};

/// What can be asked of a link of `media`.
fn supported(media: Media) -> LinkModes {
    match media {
        Media::Copper | Media::Sgmii(_) => TWISTED_PAIR,
        Media::SerDes => LinkModes::of(&[
            LinkMode::BASE_1000_X_FULL,
            LinkMode::AUTONEG,
            LinkMode::FIBRE,
            LinkMode::PAUSE,
            LinkMode::ASYM_PAUSE,
        ]),
        Media::Fibre100 => LinkModes::of(&[LinkMode::BASE_100_FX_FULL, LinkMode::FIBRE]),
        Media::Kx => LinkModes::of(&[LinkMode::BASE_1000_KX_FULL, LinkMode::BACKPLANE]),
    }
}

const TWISTED_PAIR: LinkModes = LinkModes::of(&[
    LinkMode::BASE_10_T_HALF,
    LinkMode::BASE_10_T_FULL,
    LinkMode::BASE_100_T_HALF,
    LinkMode::BASE_100_T_FULL,
    LinkMode::BASE_1000_T_FULL,
    LinkMode::AUTONEG,
    LinkMode::TP,
    LinkMode::PAUSE,
    LinkMode::ASYM_PAUSE,
]);

#[vtable]
impl Link<Port> for Ops {
    fn link_settings(port: &Port, _dev: &Device<Port>) -> Result<LinkSettings> {
        let mac = port.mac.lock();
        let (config, state) = (*mac.link.config(), mac.link.state());
        let media = mac.link.media();
        let (lp_advertising, mdix) = match state {
            Some(_) => look_at_partner(&mac.link)?,
            None => (LinkModes::NONE, Mdix::Unknown),
        };
        // A link that is set is known before it is there, or seen.
        let shown = config.forced.map(|forced| forced.link()).or(state);
        Ok(LinkSettings {
            speed: shown.map(|link| link.speed.mbps()),
            duplex: shown.map(duplex),
            autoneg: mac.link.autoneg(),
            port: match media {
                Media::Copper | Media::Sgmii(_) => Medium::TwistedPair,
                Media::SerDes | Media::Fibre100 => Medium::Fibre,
                Media::Kx => Medium::Other,
            },
            phy_address: media.phy().map_or(0, Path::address),
            mdix,
            mdix_ctrl: mdix_of(config.crossover),
            supported: supported(media),
            advertising: advertised(media, &config),
            lp_advertising,
        })
    }

    /// Pause is set by `ethtool -A` alone.
    fn set_link_settings(port: &Port, _dev: &Device<Port>, settings: &LinkSettings) -> Result {
        {
            let mac = port.mac.lock();
            if !mac.link.media().is_twisted_pair() {
                return keep(&mac.link, settings);
            }
        }
        let request = Request {
            mode: mode_of(settings)?,
            crossover: crossover_of(settings.mdix_ctrl),
        };
        renegotiate(port, |link| {
            let config = link.config().request(&request).map_err(|_| EINVAL)?;
            link.configure(config)
        })
    }

    fn link_down_events(port: &Port, _dev: &Device<Port>) -> u64 {
        port.mac.lock().link.downs()
    }

    fn nway_reset(port: &Port, _dev: &Device<Port>) -> Result {
        renegotiate(port, |link| {
            if link.config().forced.is_some() {
                return Err(EINVAL);
            }
            link.renegotiate()
        })
    }

    fn set_phys_id(port: &Port, _dev: &Device<Port>, state: PhysId) -> Result<u8> {
        port.mac.lock().link.show(match state {
            PhysId::Active => Leds::Blink,
            PhysId::On => Leds::On,
            PhysId::Off => Leds::Off,
            PhysId::Inactive => Leds::Usual,
        });
        // They blink by themselves.
        Ok(0)
    }
}

/// A link that is not on twisted pairs has one speed, and negotiates by itself or not at all.
fn keep(link: &PortLink, settings: &LinkSettings) -> Result {
    let full_duplex = settings.duplex.map(|duplex| duplex == Duplex::Full);
    let is_same = link.media().is_set_to(
        link.autoneg(),
        settings.speed,
        full_duplex,
        settings.autoneg,
    );
    if is_same {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Does something to the link, and has the service work look what became of it: the stack sees that
/// the link is lost even if it is back before the next look.
fn renegotiate(port: &Port, change: impl FnOnce(&mut PortLink) -> Result) -> Result {
    change(&mut port.mac.lock().link)?;
    port.works.service.schedule();
    Ok(())
}

fn duplex(link: link::LinkStatus) -> Duplex {
    if link.full_duplex {
        Duplex::Full
    } else {
        Duplex::Half
    }
}

fn mdix_of(crossover: Crossover) -> Mdix {
    match crossover {
        Crossover::Auto => Mdix::Auto,
        Crossover::Straight => Mdix::Mdi,
        Crossover::Crossed => Mdix::MdiX,
    }
}

/// `None`: is to stay as it is.
fn crossover_of(mdix: Mdix) -> Option<Crossover> {
    match mdix {
        Mdix::Unknown => None,
        Mdix::Auto => Some(Crossover::Auto),
        Mdix::Mdi => Some(Crossover::Straight),
        Mdix::MdiX => Some(Crossover::Crossed),
    }
}

/// How the user wants speed and duplex to be found.
fn mode_of(settings: &LinkSettings) -> Result<Mode> {
    if !settings.autoneg {
        return Ok(Mode::Force {
            mbps: settings.speed.ok_or(EINVAL)?,
            full_duplex: settings.duplex.ok_or(EINVAL)? == Duplex::Full,
        });
    }
    let modes = settings.advertising;
    if !modes.is_within(TWISTED_PAIR) {
        return Err(EINVAL);
    }
    Ok(Mode::Negotiate(link::Advertise {
        t10_half: modes.contains(LinkMode::BASE_10_T_HALF),
        t10_full: modes.contains(LinkMode::BASE_10_T_FULL),
        tx100_half: modes.contains(LinkMode::BASE_100_T_HALF),
        tx100_full: modes.contains(LinkMode::BASE_100_T_FULL),
        t1000_full: modes.contains(LinkMode::BASE_1000_T_FULL),
        pause: link::Pause::default(),
    }))
}

/// What is offered to the partner.
fn advertised(media: Media, config: &LinkConfig) -> LinkModes {
    if !media.is_twisted_pair() {
        return supported(media);
    }
    if config.forced.is_some() {
        return LinkModes::of(&[LinkMode::TP]);
    }
    let modes = modes_of(config.advertise.anar())
        .with(LinkMode::AUTONEG)
        .with(LinkMode::TP);
    if config.advertise.t1000_full {
        modes.with(LinkMode::BASE_1000_T_FULL)
    } else {
        modes
    }
}

/// The modes that an advertisement register of either end names.
fn modes_of(advertisement: Anar) -> LinkModes {
    [
        (anar::T10_HALF, LinkMode::BASE_10_T_HALF),
        (anar::T10_FULL, LinkMode::BASE_10_T_FULL),
        (anar::TX_HALF, LinkMode::BASE_100_T_HALF),
        (anar::TX_FULL, LinkMode::BASE_100_T_FULL),
        (anar::PAUSE, LinkMode::PAUSE),
        (anar::ASYM_PAUSE, LinkMode::ASYM_PAUSE),
    ]
    .into_iter()
    .filter(|(bit, _)| advertisement & *bit != 0)
    .fold(LinkModes::NONE, |modes, (_, mode)| modes.with(mode))
}

/// What the partner of a link offers, and whether the pairs of the cable are crossed.
fn look_at_partner(link: &PortLink) -> Result<(LinkModes, Mdix)> {
    let Some(phy) = link.take_phy()? else {
        let agreed = link.advertisements()?;
        let modes = agreed.map_or(LinkModes::NONE, |(_, partner)| {
            modes_of(partner)
                .with(LinkMode::BASE_1000_X_FULL)
                .with(LinkMode::AUTONEG)
        });
        return Ok((modes, Mdix::Unknown));
    };
    let (_, partner) = phy.advertisements().map_err(hw::errno)?;
    let mut modes = modes_of(partner);
    if phy.read(regs::GBSR).map_err(hw::errno)? & gbsr::LP_FULL != 0 {
        modes = modes.with(LinkMode::BASE_1000_T_FULL);
    }
    if !modes.is_empty() {
        modes = modes.with(LinkMode::AUTONEG);
    }
    let mdix = if link.media() != Media::Copper {
        Mdix::Unknown
    } else if phy.read(regs::PORT_STATUS).map_err(hw::errno)? & port_status::MDIX != 0 {
        Mdix::MdiX
    } else {
        Mdix::Mdi
    };
    Ok((modes, mdix))
}

#[vtable]
impl Pause<Port> for Ops {
    fn pauseparam(port: &Port, _dev: &Device<Port>) -> PauseParam {
        let mac = port.mac.lock();
        let config = mac.link.config();
        PauseParam {
            autoneg: config.negotiates_pause(),
            rx: config.advertise.pause.rx,
            tx: config.advertise.pause.tx,
        }
    }

    fn set_pauseparam(port: &Port, _dev: &Locked<Port>, pause: &PauseParam) -> Result {
        let wanted = link::Pause {
            rx: pause.rx,
            tx: pause.tx,
        };
        renegotiate(port, |link| {
            if pause.autoneg && link.config().forced.is_some() {
                // There is no negotiation to do it in.
                return Err(EINVAL);
            }
            link.configure_pause(wanted, pause.autoneg)
        })?;
        // What is to be agreed on is in force when the link is back: the service work item sees to it.
        if port.net.lock().drops_otherwise(port) {
            port.works.reopen.schedule();
        }
        Ok(())
    }

    fn pause_stats(port: &Port, _dev: &Device<Port>) -> PauseStats {
        let counters = port.current_counters();
        let sum = |xon: u64, xoff: u64| xon.wrapping_add(xoff);
        PauseStats {
            tx: sum(counters.tx_xon.total(), counters.tx_xoff.total()),
            rx: sum(counters.rx_xon.total(), counters.rx_xoff.total()),
        }
    }
}
