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
    /// `IMIR[FILTER]` and `SPQF[FILTER]`: both ports.
    pub port: u32,
}

/// A 5-tuple filter that compares nothing, and does nothing.
const ANY: Ftqf = ftqf::ANY_PROTOCOL
    .or(ftqf::ANY_SOURCE)
    .or(ftqf::ANY_DESTINATION)
    .or(ftqf::ANY_SOURCE_PORT);

impl Stamping {
    /// The registers. What compares ports is only of account if `ftqf` stamps.
    #[must_use]
    pub const fn image(self) -> Image {
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
                ANY
            },
            imirext: imirext::ANY_SIZE.or(imirext::ANY_FLAGS),
            // CAST: widening.
            port: EVENT_PORT.swap_bytes() as u32,
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
    fn bits(sent: bool, received: Received) -> [u32; 7] {
        let image = Stamping { sent, received }.image();
        [
            image.tsynctxctl.bits(),
            image.tsyncrxctl.bits(),
            image.tsyncrxcfg.bits(),
            image.etqf.bits(),
            image.ftqf.bits(),
            image.imirext.bits(),
            image.port,
        ]
    }

    // Numbers as the C driver writes them.
    #[test]
    fn registers_of_each_choice() {
        const PORT: [u32; 2] = [0x8_1000, 0x3f01];
        let with_port = |words: [u32; 5]| {
            let [a, b, c, d, e] = words;
            [a, b, c, d, e, PORT[0], PORT[1]]
        };
        assert_eq!(
            bits(false, Received::None),
            with_port([0, 0, 0, 0, 0xf000_0000])
        );
        assert_eq!(
            bits(true, Received::None),
            with_port([0x10, 0, 0, 0, 0xf000_0000])
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
