// SPDX-License-Identifier: GPL-2.0

//! Which frames are stamped, and the registers that say so.

use super::message::{
    Event,
    ETHERTYPE,
    EVENT_PORT, //
};
use crate::regs::{
    etqf::{
        self,
        Etqf, //
    },
    ftqf::{
        self,
        Ftqf, //
    },
    imir_priority,
    imirext::{
        self,
        Imirext, //
    },
    tsyncrxcfg::{
        self,
        Tsyncrxcfg, //
    },
    tsyncrxctl::{
        self,
        Tsyncrxctl, //
    },
    tsynctxctl::{
        self,
        Tsynctxctl, //
    },
};

/// The EtherType filter and the 5-tuple filter that are for stamps.
pub const FILTER: usize = 3;

/// IP protocol UDP.
const UDP: u8 = 17;

/// Which received frames are stamped. The controller knows no other choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Received {
    /// None.
    #[default]
    None,
    /// Sync messages of version 1, over UDP.
    V1Sync,
    /// Delay_Req messages of version 1, over UDP.
    V1DelayReq,
    /// All event messages of version 2, over Ethernet and UDP.
    V2Events,
}

impl Received {
    /// This message is stamped.
    #[must_use]
    pub const fn has(self, event: Event) -> bool {
        matches!(
            (self, event),
            (Self::V1Sync, Event::V1(0))
                | (Self::V1DelayReq, Event::V1(1))
                | (Self::V2Events, Event::V2)
        )
    }
}

/// Which frames are stamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamping {
    /// Those sent that ask for it.
    pub sent: bool,
    /// Those received.
    pub received: Received,
}

/// The stamp of a received frame that nobody has read: while it is there, no other frame is stamped.
///
/// The poll reads it within milliseconds, if the frame is for the PF and was not lost. Who looks from time
/// to time cannot know that no frame is on its way, but by the time it has been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread(Option<(u32, u64)>);

impl Unread {
    /// There was none.
    pub const NONE: Self = Self(None);

    /// So long a stamp is left alone, in nanoseconds: less than the two seconds between two looks, which
    /// a timer may cut short, and much more than a poll is late.
    pub const PATIENCE_NS: u64 = 1_500_000_000;

    /// Looks at `now`, in nanoseconds. `found` is the low word of the stamp that is there. Returns whether it
    /// has been there for too long.
    #[must_use]
    pub fn look(&mut self, found: Option<u32>, now: u64) -> bool {
        self.0 = match (found, self.0) {
            (Some(low), Some((before, since))) if low == before => Some((low, since)),
            (Some(low), _) => Some((low, now)),
            (None, _) => None,
        };
        self.0
            .is_some_and(|(_, since)| now.saturating_sub(since) >= Self::PATIENCE_NS)
    }
}

/// What the registers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// `TSYNCTXCTL`.
    pub tsynctxctl: Tsynctxctl,
    /// `TSYNCRXCTL`.
    pub tsyncrxctl: Tsyncrxctl,
    /// `TSYNCRXCFG`.
    pub tsyncrxcfg: Tsyncrxcfg,
    /// `ETQF[FILTER]`.
    pub etqf: Etqf,
    /// `FTQF[FILTER]`.
    pub ftqf: Ftqf,
    /// `IMIREXT[FILTER]`.
    pub imirext: Imirext,
    /// `IMIR[FILTER]`: the destination port, and the priority.
    pub imir: u32,
    /// `SPQF[FILTER]`: the source port.
    pub spqf: u32,
}

/// The priority of the 5-tuple filter while it stamps: the highest. Of several filters that match a
/// packet only the one with the highest counts, so that a rule of the user would take stamps away
/// otherwise.
pub const PRIORITY: u8 = 7;

/// A 5-tuple filter that does nothing. The protocol is a reserved one, which no packet is of: a filter that
/// matches would count instead of another of the same priority, that of a rule.
const OFF: Ftqf = ftqf::protocol(255)
    .or(ftqf::ANY_SOURCE)
    .or(ftqf::ANY_DESTINATION);

impl Stamping {
    /// The registers. What compares ports is only of account if `ftqf` stamps.
    #[must_use]
    pub const fn image(self) -> Image {
        // CAST: widening.
        const PORT: u32 = EVENT_PORT.swap_bytes() as u32;
        let (kind, control) = match self.received {
            Received::None => (None, 0),
            Received::V1Sync => (Some(tsyncrxctl::V1), 0),
            Received::V1DelayReq => (Some(tsyncrxctl::V1), 1),
            Received::V2Events => (Some(tsyncrxctl::V2_EVENTS), 0),
        };
        Image {
            tsynctxctl: tsynctxctl::ENABLE.when(self.sent),
            tsyncrxctl: match kind {
                Some(kind) => kind.or(tsyncrxctl::ENABLE),
                None => Tsyncrxctl::ZERO,
            },
            tsyncrxcfg: tsyncrxcfg::control(control),
            etqf: etqf::ethertype(ETHERTYPE)
                .or(etqf::ENABLE)
                .or(etqf::STAMP)
                .when(matches!(self.received, Received::V2Events)),
            ftqf: if kind.is_some() {
                ftqf::protocol(UDP)
                    .or(ftqf::ANY_POOL)
                    .or(ftqf::STAMP)
                    .or(ftqf::ANY_SOURCE)
                    .or(ftqf::ANY_DESTINATION)
            } else {
                OFF
            },
            imirext: imirext::ANY_SIZE.or(imirext::ANY_FLAGS),
            imir: PORT | imir_priority(if kind.is_some() { PRIORITY } else { 0 }),
            spqf: PORT,
        }
    }
}

#[cfg_attr(
    CONFIG_KUNIT = "y",
    kernel::prelude::kunit_tests(igb_core_ptp_stamping)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    /// The bits of the registers, in the order of [`Image`].
    fn bits(sent: bool, received: Received) -> [u32; 8] {
        let image = Stamping { sent, received }.image();
        [
            image.tsynctxctl.bits(),
            image.tsyncrxctl.bits(),
            image.tsyncrxcfg.bits(),
            image.etqf.bits(),
            image.ftqf.bits(),
            image.imirext.bits(),
            image.imir,
            image.spqf,
        ]
    }

    // Numbers as the C driver writes them, but for the priority, and the protocol of a filter that is off.
    #[test]
    fn registers_of_each_choice() {
        let with_port = |words: [u32; 5]| {
            let [a, b, c, d, e] = words;
            let priority = if e & ftqf::STAMP.bits() != 0 {
                7 << 29
            } else {
                0
            };
            [a, b, c, d, e, 0x8_1000, priority | 0x3f01, 0x3f01]
        };
        assert_eq!(
            bits(false, Received::None),
            with_port([0, 0, 0, 0, 0x6000_00ff])
        );
        assert_eq!(
            bits(true, Received::None),
            with_port([0x10, 0, 0, 0, 0x6000_00ff])
        );
        assert_eq!(
            bits(true, Received::V1Sync),
            with_port([0x10, 0x12, 0, 0, 0x6800_8011])
        );
        assert_eq!(
            bits(false, Received::V1DelayReq),
            with_port([0, 0x12, 1, 0, 0x6800_8011])
        );
        assert_eq!(
            bits(false, Received::V2Events),
            with_port([0, 0x1a, 0, 0x4400_88f7, 0x6800_8011])
        );
    }

    /// The service work item also runs when something has happened, so that two looks may be close to each
    /// other.
    #[test]
    fn a_stamp_is_thrown_away_by_the_time_it_has_been_there() {
        const MS: u64 = 1_000_000;
        let mut unread = Unread::NONE;
        let looks = [
            (None, 0, false),
            (Some(5), 2000, false),
            (Some(5), 2003, false),
            (Some(5), 3499, false),
            (Some(5), 3500, true),
            // Another frame's.
            (Some(6), 4000, false),
            (None, 5000, false),
            (Some(6), 6000, false),
            (Some(6), 8000, true),
            // Time that goes back throws nothing away.
            (Some(6), 0, false),
        ];
        for (found, ms, gone) in looks {
            assert_eq!(unread.look(found, ms * MS), gone);
        }
    }

    #[test]
    fn a_choice_has_its_messages() {
        for (received, events) in [
            (Received::None, [false; 3]),
            (Received::V1Sync, [true, false, false]),
            (Received::V1DelayReq, [false, true, false]),
            (Received::V2Events, [false, false, true]),
        ] {
            let has = [Event::V1(0), Event::V1(1), Event::V2].map(|event| received.has(event));
            assert_eq!(has, events);
        }
    }
}
