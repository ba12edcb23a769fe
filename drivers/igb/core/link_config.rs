// SPDX-License-Identifier: GPL-2.0

//! What the administrator wants of the link.

use crate::{
    link::{Advertise, LinkStatus, Pause, Speed},
    regs::{
        anar::Anar,
        bmcr::{
            self,
            Bmcr, //
        },
        ctrl::{
            self,
            Ctrl, //
        },
        port_ctrl::{
            self,
            PortCtrl, //
        }, //
    },
};

/// Desired link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// What is offered to the partner. The pause in it is also what is set when none is negotiated.
    pub advertise: Advertise,
    /// Speed and duplex without negotiation; `None` negotiates.
    pub forced: Option<Forced>,
    /// Crossover of the cable's pairs.
    pub crossover: Crossover,
    /// Pause is negotiated, if anything is.
    pub pause_auto: bool,
}

impl LinkConfig {
    /// What a port starts with: everything is negotiated.
    pub const DEFAULT: Self = Self {
        advertise: Advertise::ALL,
        forced: None,
        crossover: Crossover::Auto,
        pause_auto: true,
    };

    /// The configuration that follows a request; pause stays as it is.
    ///
    /// # Errors
    ///
    /// [`LinkRefusal`] says why there is none.
    pub fn request(&self, request: &Request) -> Result<Self, LinkRefusal> {
        let new = Self {
            crossover: request.crossover.unwrap_or(self.crossover),
            ..*self
        };
        let wanted = match request.mode {
            Mode::Negotiate(offer) => new.negotiate(offer)?,
            Mode::Force { mbps, full_duplex } => new.force(mbps, full_duplex)?,
        };
        if wanted.forced.is_some() && request.crossover == Some(Crossover::Crossed) {
            return Err(LinkRefusal::Crossover);
        }
        Ok(wanted)
    }

    fn negotiate(self, offer: Advertise) -> Result<Self, LinkRefusal> {
        let offer = Advertise {
            pause: self.advertise.pause,
            ..offer
        };
        if offer.offers_nothing() {
            return Err(LinkRefusal::NothingOffered);
        }
        Ok(Self {
            advertise: offer,
            forced: None,
            ..self
        })
    }

    /// 1000BASE-T is always negotiated (IEEE 802.3 clause 40): asked to force it, the device offers
    /// nothing else.
    fn force(self, mbps: u32, full_duplex: bool) -> Result<Self, LinkRefusal> {
        if mbps == 1000 && full_duplex {
            return self.negotiate(Advertise::ONLY_1000_FULL);
        }
        Ok(Self {
            forced: Some(Forced::new(mbps, full_duplex).ok_or(LinkRefusal::Speed)?),
            ..self
        })
    }

    /// Pause is negotiated.
    #[must_use]
    pub const fn negotiates_pause(&self) -> bool {
        self.pause_auto && self.forced.is_none()
    }

    /// Which directions the next link is expected to pause, if the one before had `last`. A partner that
    /// nobody has heard of yet (the default) is not expected to agree to anything.
    #[must_use]
    pub fn pause_to_expect(&self, last: Pause) -> Pause {
        let wanted = self.advertise.pause;
        if self.forced.is_some_and(|forced| !forced.full_duplex) {
            return Pause::default();
        }
        if !self.negotiates_pause() {
            return wanted;
        }
        Pause {
            rx: last.rx && wanted.rx,
            tx: last.tx && wanted.tx,
        }
    }

    /// Which directions pause on `link`. `negotiated` is called for the advertisements of both ends
    /// (own first) if they matter; `None` from it means that they are not known.
    #[must_use]
    pub fn pause(
        &self,
        link: LinkStatus,
        negotiated: impl FnOnce() -> Option<(Anar, Anar)>,
    ) -> Pause {
        let wanted = self.advertise.pause;
        if !link.full_duplex {
            return Pause::default();
        }
        if !self.negotiates_pause() {
            return wanted;
        }
        let agreed = negotiated()
            .map(|(own, partner)| Pause::resolve(own, partner))
            .unwrap_or_default();
        Pause {
            rx: agreed.rx && wanted.rx,
            tx: agreed.tx && wanted.tx,
        }
    }
}

impl Advertise {
    /// 1000BASE-T and nothing else.
    const ONLY_1000_FULL: Self = Self {
        t10_half: false,
        t10_full: false,
        tx100_half: false,
        tx100_full: false,
        t1000_full: true,
        pause: Pause { rx: true, tx: true },
    };

    /// 1000BASE-T is offered, and nothing else.
    #[must_use]
    pub const fn is_only_gigabit(&self) -> bool {
        self.t1000_full && !(self.t10_half || self.t10_full || self.tx100_half || self.tx100_full)
    }

    const fn offers_nothing(&self) -> bool {
        !(self.t10_half || self.t10_full || self.tx100_half || self.tx100_full || self.t1000_full)
    }
}

/// A change of the link that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// How speed and duplex are found.
    pub mode: Mode,
    /// `None`: as it is.
    pub crossover: Option<Crossover>,
}

/// How speed and duplex are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By negotiation. The pause in the offer does not count.
    Negotiate(Advertise),
    /// They are given.
    Force {
        /// Speed in Mb/s.
        mbps: u32,
        /// Full duplex.
        full_duplex: bool,
    },
}

/// Why a [`Request`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRefusal {
    /// No mode the device has is offered.
    NothingOffered,
    /// The device does not have this speed and duplex.
    Speed,
    /// A forced link is never crossed.
    Crossover,
}

/// Speed and duplex without negotiation: 10 or 100 Mb/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forced {
    fast: bool,
    full_duplex: bool,
}

impl Forced {
    /// `None` unless `mbps` is 10 or 100.
    #[must_use]
    pub const fn new(mbps: u32, full_duplex: bool) -> Option<Self> {
        let fast = match mbps {
            10 => false,
            100 => true,
            _ => return None,
        };
        Some(Self { fast, full_duplex })
    }

    /// What the link is, if there is one.
    #[must_use]
    pub const fn link(self) -> LinkStatus {
        LinkStatus {
            speed: if self.fast {
                Speed::Mbps100
            } else {
                Speed::Mbps10
            },
            full_duplex: self.full_duplex,
        }
    }

    /// Value of the PHY's control register.
    #[must_use]
    pub fn bmcr(self) -> Bmcr {
        bmcr::SPEED_100.when(self.fast) | bmcr::FULL_DUPLEX.when(self.full_duplex)
    }

    /// `old` value of `CTRL` with the MAC set to the same.
    #[must_use]
    pub fn ctrl(self, old: Ctrl) -> Ctrl {
        let speed = ctrl::SPD_100.when(self.fast);
        let duplex = ctrl::FD.when(self.full_duplex);
        (ctrl_negotiated(old) & !ctrl::FD) | ctrl::FRCSPD | ctrl::FRCDPX | speed | duplex
    }
}

/// `old` value of `CTRL` with the MAC set to follow the PHY's speed and duplex.
#[must_use]
pub fn ctrl_negotiated(old: Ctrl) -> Ctrl {
    old & !(ctrl::FRCSPD | ctrl::FRCDPX | ctrl::SPD_100 | ctrl::SPD_1000)
}

/// Crossover of the pairs of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossover {
    /// Found out by the PHY.
    Auto,
    /// MDI.
    Straight,
    /// MDI-X.
    Crossed,
}

impl Crossover {
    /// `old` value of the PHY's port control register with this crossover. The PHY finds it out
    /// only while it negotiates: a `forced` link is straight then.
    #[must_use]
    pub fn port_ctrl(self, old: PortCtrl, forced: bool) -> PortCtrl {
        let old = old & !(port_ctrl::AUTO_MDIX | port_ctrl::FORCE_MDIX);
        match self {
            Self::Auto if !forced => old | port_ctrl::AUTO_MDIX,
            Self::Crossed => old | port_ctrl::FORCE_MDIX,
            Self::Auto | Self::Straight => old,
        }
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_link_config))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::regs::{
        anar,
        Word, //
    };

    fn force(mbps: u32, full_duplex: bool) -> Result<LinkConfig, LinkRefusal> {
        LinkConfig::DEFAULT.request(&Request {
            mode: Mode::Force { mbps, full_duplex },
            crossover: None,
        })
    }

    const GIGABIT: LinkStatus = LinkStatus {
        speed: Speed::Mbps1000,
        full_duplex: true,
    };

    #[test]
    fn what_can_be_forced() {
        for (mbps, full_duplex) in [(10, false), (10, true), (100, false), (100, true)] {
            let forced = force(mbps, full_duplex).unwrap().forced.unwrap();
            assert_eq!(forced.link().speed.mbps(), mbps);
            assert_eq!(forced.link().full_duplex, full_duplex);
        }
        for (mbps, full_duplex) in [(0, true), (11, true), (1000, false), (2500, true)] {
            assert_eq!(force(mbps, full_duplex), Err(LinkRefusal::Speed));
        }
    }

    #[test]
    fn gigabit_is_negotiated_even_if_forced() {
        let config = force(1000, true).unwrap();
        assert_eq!(config.forced, None);
        assert_eq!(
            config.advertise.anar() & (anar::T10_FULL | anar::TX_FULL),
            0
        );
        assert!(config.advertise.t1000_full);
    }

    #[test]
    fn an_offer_keeps_pause_and_must_not_be_empty() {
        let base = LinkConfig {
            advertise: Advertise {
                pause: Pause::default(),
                ..Advertise::ALL
            },
            ..LinkConfig::DEFAULT
        };
        let request = |offer| {
            base.request(&Request {
                mode: Mode::Negotiate(offer),
                crossover: Some(Crossover::Straight),
            })
        };
        let config = request(Advertise::ALL).unwrap();
        assert_eq!(config.advertise.pause, Pause::default());
        assert_eq!(config.crossover, Crossover::Straight);
        let nothing = Advertise {
            t1000_full: false,
            ..Advertise::ONLY_1000_FULL
        };
        assert_eq!(request(nothing), Err(LinkRefusal::NothingOffered));
    }

    #[test]
    fn a_forced_link_is_straight() {
        let request = Request {
            mode: Mode::Force {
                mbps: 100,
                full_duplex: true,
            },
            crossover: Some(Crossover::Crossed),
        };
        assert_eq!(
            LinkConfig::DEFAULT.request(&request),
            Err(LinkRefusal::Crossover)
        );
        let port_ctrl = |crossover: Crossover, old, forced| {
            crossover.port_ctrl(PortCtrl::from_bits(old), forced).bits()
        };
        assert_eq!(port_ctrl(Crossover::Auto, 0xffff, true), 0xcfff);
        assert_eq!(port_ctrl(Crossover::Auto, 0, false), 0x1000);
        assert_eq!(port_ctrl(Crossover::Crossed, 0x1000, false), 0x2000);
    }

    #[test]
    fn forcing_speed_in_both_mac_and_phy() {
        let slow = Forced::new(10, false).unwrap();
        let ctrl = |forced: Forced, old| forced.ctrl(Ctrl::from_bits(old)).bits() & 0x1b01;
        assert_eq!((slow.bmcr().bits(), ctrl(slow, 0xffff_ffff)), (0, 0x1800));
        let fast = Forced::new(100, true).unwrap();
        assert_eq!((fast.bmcr().bits(), ctrl(fast, 0x200)), (0x2100, 0x1901));
        assert_eq!(ctrl_negotiated(Ctrl::from_bits(0x1b01)), 1);
    }

    #[test]
    fn pause_is_negotiated_set_or_off() {
        let both = Some((anar::PAUSE, anar::PAUSE));
        let on = Pause { rx: true, tx: true };
        let mut config = LinkConfig::DEFAULT;
        assert_eq!(config.pause(GIGABIT, || both), on);
        assert_eq!(config.pause(GIGABIT, || None), Pause::default());
        let half = LinkStatus {
            full_duplex: false,
            ..GIGABIT
        };
        assert_eq!(config.pause(half, || both), Pause::default());
        config.pause_auto = false;
        assert_eq!(config.pause(GIGABIT, || None), on);
        config.pause_auto = true;
        config.forced = Forced::new(100, true);
        assert_eq!(config.pause(GIGABIT, || None), on);
    }

    #[test]
    fn pause_is_expected_as_it_was() {
        let pause = |rx, tx| Pause { rx, tx };
        let (on, off) = (pause(true, true), Pause::default());
        let mut config = LinkConfig::DEFAULT;
        assert_eq!(config.pause_to_expect(off), off);
        assert_eq!(config.pause_to_expect(on), on);
        config.advertise.pause = pause(true, false);
        assert_eq!(config.pause_to_expect(on), pause(true, false));
        assert_eq!(config.pause_to_expect(pause(false, true)), off);
        config.pause_auto = false;
        assert_eq!(config.pause_to_expect(off), pause(true, false));
        config.forced = Forced::new(100, true);
        assert_eq!(config.pause_to_expect(off), pause(true, false));
        config.forced = Forced::new(100, false);
        assert_eq!(config.pause_to_expect(on), off);
    }
}
