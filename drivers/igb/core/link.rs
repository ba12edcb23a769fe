// SPDX-License-Identifier: GPL-2.0

//! Link state, pause and what the PHY advertises.

use crate::{
    frame::MAX_FRAME,
    regs::{
        anar::{
            self,
            Anar, //
        },
        gbcr::{
            self,
            Gbcr, //
        },
        status::{
            self,
            Status, //
        }, //
    }, //
};

/// Speed of a link that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speed {
    /// 10 Mb/s.
    Mbps10,
    /// 100 Mb/s.
    Mbps100,
    /// 1000 Mb/s.
    Mbps1000,
}

impl Speed {
    /// In Mb/s.
    #[must_use]
    pub const fn mbps(self) -> u32 {
        match self {
            Self::Mbps10 => 10,
            Self::Mbps100 => 100,
            Self::Mbps1000 => 1000,
        }
    }
}

/// A link that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Speed.
    pub speed: Speed,
    /// Full duplex.
    pub full_duplex: bool,
}

impl LinkStatus {
    /// The link a value of `STATUS` shows, `None` if it is down.
    #[must_use]
    pub fn decode(status: Status) -> Option<Self> {
        if status & status::LU == 0 {
            return None;
        }
        let speed = if status & status::SPEED_1000 != 0 {
            Speed::Mbps1000
        } else if status & status::SPEED_100 != 0 {
            Speed::Mbps100
        } else {
            Speed::Mbps10
        };
        Some(Self {
            speed,
            full_duplex: status & status::FD != 0,
        })
    }
}

/// What to do about the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// It came up, or went down and up between two looks.
    Up(LinkStatus),
    /// It went down.
    Down,
}

/// Compares two looks at the link.
#[must_use]
pub fn change(before: Option<LinkStatus>, now: Option<LinkStatus>) -> Change {
    match (before, now) {
        (before, Some(link)) if before != Some(link) => Change::Up(link),
        (Some(_), None) => Change::Down,
        _ => Change::None,
    }
}

/// Which directions may pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// Obey received PAUSE frames.
    pub rx: bool,
    /// Send PAUSE frames.
    pub tx: bool,
}

impl Pause {
    /// Bits to advertise for what is wanted (IEEE 802.3 table 28B-2).
    ///
    /// There is no way to advertise Rx alone: with Rx, both are offered, and
    /// [`Pause::resolve`] has to be masked by what was wanted.
    #[must_use]
    pub fn advertise(self) -> Anar {
        match (self.rx, self.tx) {
            (false, false) => Anar::ZERO,
            (false, true) => anar::ASYM_PAUSE,
            (true, false) => anar::PAUSE | anar::ASYM_PAUSE,
            (true, true) => anar::PAUSE,
        }
    }

    /// What both ends agreed on (IEEE 802.3 table 28B-3), from their advertisements.
    #[must_use]
    pub fn resolve(local: Anar, partner: Anar) -> Self {
        let both = local & partner;
        if both & anar::PAUSE != 0 {
            return Self { rx: true, tx: true };
        }
        if both & anar::ASYM_PAUSE == 0 {
            return Self {
                rx: false,
                tx: false,
            };
        }
        Self {
            rx: local & anar::PAUSE != 0,
            tx: partner & anar::PAUSE != 0,
        }
    }
}

/// Modes to advertise in auto-negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// 10BASE-T half duplex.
    pub t10_half: bool,
    /// 10BASE-T full duplex.
    pub t10_full: bool,
    /// 100BASE-TX half duplex.
    pub tx100_half: bool,
    /// 100BASE-TX full duplex.
    pub tx100_full: bool,
    /// 1000BASE-T full duplex.
    pub t1000_full: bool,
    /// Pause.
    pub pause: Pause,
}

impl Advertise {
    /// Everything the device can do.
    pub const ALL: Self = Self {
        t10_half: true,
        t10_full: true,
        tx100_half: true,
        tx100_full: true,
        t1000_full: true,
        pause: Pause { rx: true, tx: true },
    };

    /// Value of the PHY's auto-negotiation advertisement register.
    #[must_use]
    pub fn anar(&self) -> Anar {
        anar::SELECTOR
            | anar::T10_HALF.when(self.t10_half)
            | anar::T10_FULL.when(self.t10_full)
            | anar::TX_HALF.when(self.tx100_half)
            | anar::TX_FULL.when(self.tx100_full)
            | self.pause.advertise()
    }

    /// `old` value of the PHY's 1000BASE-T control register with the advertisement replaced.
    #[must_use]
    pub fn gbcr(&self, old: Gbcr) -> Gbcr {
        (old & !(gbcr::HALF | gbcr::FULL)) | gbcr::FULL.when(self.t1000_full)
    }
}

/// Whether a frame for a queue without free descriptors is dropped (`SRRCTL.DROP_EN`), or waits in the packet
/// buffer, which is what has PAUSE sent to the partner.
///
/// It must not wait if it would hold up VFs. One queue alone holds up nobody else. If no PAUSE is sent,
/// nothing is gained, and the other queues of the PF are held up: what counts is the pause that is in
/// force, not the one that is wanted.
#[must_use]
pub const fn drops_when_full(nr_vfs: u8, pairs: u32, in_force: Pause) -> bool {
    nr_vfs != 0 || pairs > 1 && !in_force.tx
}

/// Fill levels of the receive packet buffer, in bytes, at which the device pauses its partner and
/// lets it go on (`FCRTH`, `FCRTL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Send XOFF above.
    pub high: u32,
    /// Send XON below.
    pub low: u32,
}

impl Watermarks {
    /// For a packet buffer of `buffer_kib` (1..=127) and frames of up to `max_frame` bytes.
    ///
    /// Above the high mark there must be room for what is under way when the partner is paused: the
    /// frame it is sending, and the one, of the longest kind, this end is sending before the PAUSE.
    #[must_use]
    pub fn new(buffer_kib: u32, max_frame: u16) -> Self {
        let bytes = (buffer_kib & 0x7f) << 10;
        let room = u32::from(max_frame) + u32::from(MAX_FRAME);
        // The marks have a granularity of 16 bytes.
        let high = bytes.saturating_sub(room) & !0xf;
        Self {
            high,
            low: high.saturating_sub(16),
        }
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_link))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::regs::Word;

    const GIGABIT: LinkStatus = LinkStatus {
        speed: Speed::Mbps1000,
        full_duplex: true,
    };

    #[test]
    fn status_decodes() {
        let decode = |status| LinkStatus::decode(Status::from_bits(status));
        assert_eq!(decode(0x800c_8481), None);
        assert_eq!(decode(0x800c_8483), Some(GIGABIT));
        let slow = decode(0x2).unwrap();
        assert_eq!((slow.speed.mbps(), slow.full_duplex), (10, false));
        assert_eq!(decode(0x43).unwrap().speed.mbps(), 100);
    }

    #[test]
    fn changes() {
        let slow = LinkStatus {
            speed: Speed::Mbps100,
            full_duplex: true,
        };
        assert_eq!(change(None, None), Change::None);
        assert_eq!(change(None, Some(slow)), Change::Up(slow));
        assert_eq!(change(Some(slow), Some(slow)), Change::None);
        assert_eq!(change(Some(slow), Some(GIGABIT)), Change::Up(GIGABIT));
        assert_eq!(change(Some(slow), None), Change::Down);
    }

    #[test]
    fn pause_resolution() {
        const SYM: Anar = anar::PAUSE;
        const ASYM: Anar = anar::ASYM_PAUSE;
        let resolve = |a, b| {
            let p = Pause::resolve(a, b);
            (p.rx, p.tx)
        };
        assert_eq!(resolve(SYM, SYM), (true, true));
        assert_eq!(resolve(SYM | ASYM, SYM), (true, true));
        assert_eq!(resolve(SYM | ASYM, ASYM), (true, false));
        assert_eq!(resolve(ASYM, SYM | ASYM), (false, true));
        assert_eq!(resolve(ASYM, ASYM), (false, false));
        assert_eq!(resolve(SYM, ASYM), (false, false));
        assert_eq!(resolve(Anar::ZERO, SYM | ASYM), (false, false));
    }

    #[test]
    fn advertisement() {
        assert_eq!(Advertise::ALL.anar(), 0x05e1);
        assert_eq!(Advertise::ALL.gbcr(gbcr::HALF), 0x0200);
        let slow = Advertise {
            t1000_full: false,
            ..Advertise::ALL
        };
        assert_eq!(slow.gbcr(Gbcr::from_bits(0x0f00)), 0x0c00);
    }

    #[test]
    fn queues_wait_for_buffers_only_where_pause_is_sent() {
        let pause = |tx| Pause { rx: true, tx };
        assert!(!drops_when_full(0, 8, pause(true)));
        assert!(drops_when_full(0, 8, pause(false)));
        assert!(!drops_when_full(0, 1, pause(false)));
        assert!(drops_when_full(1, 1, pause(true)));
        assert!(drops_when_full(7, 2, pause(false)));
    }

    #[test]
    fn watermarks_leave_room() {
        let m = Watermarks::new(64, 1518);
        assert_eq!((m.high, m.low), (54288, 54272));
        assert_eq!(Watermarks::new(64, 9728).high, 46080);
        assert_eq!(Watermarks::new(1, 9728).low, 0);
    }
}
