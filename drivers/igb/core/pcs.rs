// SPDX-License-Identifier: GPL-2.0

//! The physical coding sublayer of a link that is not the internal PHY's (datasheet 3.5.3, 8.18).

use crate::{
    device::{
        Device,
        Fault, //
    },
    link::{
        LinkStatus,
        Pause,
        Speed, //
    },
    management::Firmware,
    media::Media,
    phy::{
        Path,
        Phy, //
    },
    regs::{
        self,
        anar::{
            self,
            Anar, //
        },
        base_x::{
            self,
            BaseX, //
        },
        connsw,
        ctrl,
        ctrl_ext,
        pcs_cfg,
        pcs_lctl,
        pcs_lstat::{
            self,
            PcsLstat, //
        },
        sctl,
        Registers, //
    },
};

/// NVM word 3: the board's compatibility.
pub const COMPATIBILITY_WORD: u16 = 0x03;

/// Whether the NVM word at [`COMPATIBILITY_WORD`] lets 1000BASE-X be negotiated.
#[must_use]
pub const fn may_negotiate(word: u16) -> bool {
    word & 0x4000 == 0
}

/// Starts a link of `media`, with or without negotiating, and offers the partner `pause`.
pub fn start(device: &impl Registers, media: Media, negotiate: bool, pause: Pause) {
    if !media.has_pcs() {
        return;
    }
    device.write(regs::SCTL, sctl::NO_LOOPBACK);
    media.select(device);
    device.update(regs::PCS_CFG0, |value| value | pcs_cfg::PCS_EN);
    device.update(regs::CONNSW, |value| value | connsw::ENRGSRC);
    let sgmii = media.link_mode() == ctrl_ext::SGMII;
    device.update(regs::CTRL, |value| {
        let value = value | ctrl::SLU | ctrl::SDP0 | ctrl::SDP1;
        if sgmii {
            return value & !(ctrl::FRCSPD | ctrl::FRCDPX);
        }
        // There is no other speed.
        (value & !ctrl::SPD_100) | ctrl::SPD_1000 | ctrl::FRCSPD | ctrl::FD | ctrl::FRCDPX
    });
    if negotiate {
        device.update(regs::PCS_ANADV, |value| {
            let value = value & !(base_x::PAUSE | base_x::ASYM_PAUSE);
            value | advertise(pause)
        });
    }
    device.update(regs::PCS_LCTL, |value| {
        let forced = pcs_lctl::FLV_UP | pcs_lctl::FSD | pcs_lctl::FORCE_LINK | pcs_lctl::FORCE_FC;
        let mut value = value & !(pcs_lctl::AN_ENABLE | forced);
        if sgmii {
            value = value.without(pcs_lctl::AN_TIMEOUT);
        } else {
            value |= pcs_lctl::FSV_1000 | pcs_lctl::FDV_FULL;
        }
        if negotiate {
            value | pcs_lctl::AN_ENABLE | pcs_lctl::AN_RESTART
        } else {
            value | pcs_lctl::FSD | pcs_lctl::FORCE_FC
        }
    });
}

/// Has the MAC of an established link of `media` pause in the directions of `pause`.
///
/// `CTRL` says which. By itself the sublayer goes by what it has negotiated (datasheet 8.18.2), and knows
/// neither what was set without negotiating, nor that a direction is not wanted: it is told to go by `CTRL`.
/// Behind SGMII with a PHY it is not, as with C drivers.
pub fn apply_pause(device: &impl Registers, media: Media, pause: Pause) {
    device.update(regs::CTRL, |value| {
        let value = value & !(ctrl::RFCE | ctrl::TFCE);
        value | ctrl::RFCE.when(pause.rx) | ctrl::TFCE.when(pause.tx)
    });
    if media.has_pcs() && media.phy().is_none() {
        device.update(regs::PCS_LCTL, |value| {
            (value & !pcs_lctl::AN_RESTART) | pcs_lctl::FORCE_FC
        });
    }
}

/// Takes the link down, and the power from the module, unless firmware uses it.
pub fn stop(device: &impl Registers, media: Media) {
    if !media.has_pcs() || Firmware::read(device).passes_frames() {
        return;
    }
    device.update(regs::PCS_CFG0, |value| value & !pcs_cfg::PCS_EN);
    device.update(regs::CTRL_EXT, |value| value | ctrl_ext::SDP3);
}

/// Takes the link down: the PHY goes to its lowest power, the sublayer is off, and a module loses its
/// power, unless firmware uses them. What does not need the PHY is done in any case. Sleeps, for up to
/// a second.
///
/// # Errors
///
/// That of the PHY's semaphore; those of a PHY that keeps its power ([`Phy::read`]). One in a module
/// loses it, or had none, and need not answer.
pub fn power_down(device: &impl Device, media: Media) -> Result<(), Fault> {
    let told = match media.phy() {
        Some(path) => Phy::take(device, path).and_then(|phy| phy.power_down()),
        None => Ok(()),
    };
    stop(device, media);
    match (media, told) {
        (Media::Sgmii(Path::I2c(_)), Err(Fault::Refused | Fault::TimedOut)) => Ok(()),
        (_, told) => told,
    }
}

/// The link a value of `PCS_LSTAT` shows, `None` if it is down.
#[must_use]
pub fn link(lstat: PcsLstat) -> Option<LinkStatus> {
    if !lstat.contains(pcs_lstat::LINK_OK | pcs_lstat::SYNC_OK) {
        return None;
    }
    let speed = if lstat.contains(pcs_lstat::SPEED_1000) {
        Speed::Mbps1000
    } else if lstat.contains(pcs_lstat::SPEED_100) {
        Speed::Mbps100
    } else {
        Speed::Mbps10
    };
    Some(LinkStatus {
        speed,
        full_duplex: lstat.contains(pcs_lstat::FULL_DUPLEX),
    })
}

/// What both ends have offered each other, own first, in the terms of copper; `None` before they have.
pub fn advertisements(device: &impl Registers) -> Option<(Anar, Anar)> {
    if !device
        .read(regs::PCS_LSTAT)
        .contains(pcs_lstat::AN_COMPLETE)
    {
        return None;
    }
    let own = pause_of(device.read(regs::PCS_ANADV));
    Some((own, pause_of(device.read(regs::PCS_LPAB))))
}

fn advertise(pause: Pause) -> BaseX {
    let anar = pause.advertise();
    base_x::FULL_DUPLEX
        | base_x::PAUSE.when(anar.contains(anar::PAUSE))
        | base_x::ASYM_PAUSE.when(anar.contains(anar::ASYM_PAUSE))
}

fn pause_of(base_x: BaseX) -> Anar {
    anar::PAUSE.when(base_x.contains(base_x::PAUSE))
        | anar::ASYM_PAUSE.when(base_x.contains(base_x::ASYM_PAUSE))
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_pcs))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::regs::Word;

    #[test]
    fn the_sublayer_says_what_the_link_is() {
        let link =
            |lstat| link(PcsLstat::from_bits(lstat)).map(|l| (l.speed.mbps(), l.full_duplex));
        assert_eq!(link(0x1d), Some((1000, true)));
        assert_eq!(link(0x1b), Some((100, true)));
        assert_eq!(link(0x11), Some((10, false)));
        // Up without being synchronized, and the other way round.
        assert_eq!(link(0x0d), None);
        assert_eq!(link(0x1c), None);
    }

    #[test]
    fn boards_that_may_negotiate() {
        assert!(may_negotiate(0x0d34) && !may_negotiate(0x4000));
    }
}
