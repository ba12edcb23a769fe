// SPDX-License-Identifier: GPL-2.0

//! Which received frames go to a queue by a rule of the user, whatever their hash is.

use crate::ptp::{
    message::ETHERTYPE as PTP_ETHERTYPE,
    stamping::{
        FILTER as PTP_FILTER,
        PRIORITY as PTP_PRIORITY, //
    }, //
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
    imirext,
    Registers,
    FILTER_COUNT,
    IMIR_ANY_PORT, //
};

/// Rules of either kind there can be: the PTP clock has one filter of each.
const PER_KIND: usize = FILTER_COUNT - 1;

/// Places for rules.
pub const MAX_RULES: usize = 2 * PER_KIND;

/// EtherTypes that are none to steer by: those of IP, whose frames have 5-tuples, and that of PTP.
const RESERVED: [u16; 3] = [0x0800, 0x86dd, PTP_ETHERTYPE];

/// Below it is the length of a frame.
const FIRST_ETHERTYPE: u16 = 0x0600;

/// What is compared of a packet of IPv4 that is no fragment; `None` is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuple {
    /// Protocol.
    pub protocol: Option<u8>,
    /// Source address.
    pub source: Option<[u8; 4]>,
    /// Destination address.
    pub destination: Option<[u8; 4]>,
    /// Source port, of TCP, UDP or SCTP.
    pub source_port: Option<u16>,
    /// Destination port, of these.
    pub destination_port: Option<u16>,
}

/// The frames a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Packets of IPv4.
    Ip4(Tuple),
    /// Frames of this EtherType.
    EtherType(u16),
}

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The frames.
    pub matches: Match,
    /// The PF's receive queue they go to.
    pub ring: u8,
}

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such place.
    Place,
    /// There is no rule in that place.
    NoRule,
    /// Nothing is compared, or what cannot be steered by.
    Nothing,
    /// Another place has a rule for the same frames.
    Twice,
    /// All filters of this kind are in use.
    Full,
    /// There is no such queue.
    Ring,
}

/// The rules, by their places. Of several that match the first counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steering {
    rules: [Option<Rule>; MAX_RULES],
}

impl Steering {
    /// None.
    pub const NONE: Self = Self {
        rules: [None; MAX_RULES],
    };

    /// Places and rules, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Rule)> + '_ {
        self.rules
            .iter()
            .enumerate()
            .filter_map(|(place, rule)| Some((place, (*rule)?)))
    }

    /// The rule in a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<Rule> {
        *self.rules.get(place)?
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Puts a rule into a place, instead of what is there. There are `rings` queues.
    ///
    /// # Errors
    ///
    /// Nothing changes.
    pub fn set(&mut self, place: usize, rule: Rule, rings: u8) -> Result<(), Refused> {
        if place >= MAX_RULES {
            return Err(Refused::Place);
        }
        if rule.ring >= rings {
            return Err(Refused::Ring);
        }
        let compares = match rule.matches {
            Match::Ip4(tuple) => tuple != Tuple::default(),
            Match::EtherType(value) => value >= FIRST_ETHERTYPE && !RESERVED.contains(&value),
        };
        if !compares {
            return Err(Refused::Nothing);
        }
        let others = || self.iter().filter(|(other, _)| *other != place);
        if others().any(|(_, other)| other.matches == rule.matches) {
            return Err(Refused::Twice);
        }
        let of_kind = others().filter(|(_, other)| is_ip4(other) == is_ip4(&rule));
        if of_kind.count() >= PER_KIND {
            return Err(Refused::Full);
        }
        if let Some(slot) = self.rules.get_mut(place) {
            *slot = Some(rule);
        }
        Ok(())
    }

    /// Takes the rule out of a place.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn remove(&mut self, place: usize) -> Result<(), Refused> {
        let slot = self.rules.get_mut(place).ok_or(Refused::Place)?;
        slot.take().map(|_| ()).ok_or(Refused::NoRule)
    }

    /// The registers, where the PF has the queues from 0 on. None of the filters is in use where there
    /// are pools: their queues are of functions of which one must not get another's frames.
    #[must_use]
    pub fn image(&self, pools: bool) -> Image {
        let mut image = Image::UNUSED;
        if pools {
            return image;
        }
        // The filters from the first on, but for the one of the clock.
        let free = || (0..FILTER_COUNT).filter(|n| *n != PTP_FILTER);
        let tuples = self.iter().filter_map(|(_, rule)| match rule.matches {
            Match::Ip4(tuple) => Some((tuple, rule.ring)),
            Match::EtherType(_) => None,
        });
        // Below the clock's, which would lose its stamps to a rule otherwise. There are no more rules
        // than that.
        for (priority, (n, (tuple, ring))) in (0..PTP_PRIORITY).rev().zip(free().zip(tuples)) {
            if let Some(filter) = image.tuples.get_mut(n) {
                *filter = Filter::new(tuple, ring, priority);
            }
        }
        let types = self.iter().filter_map(|(_, rule)| match rule.matches {
            Match::EtherType(value) => Some((value, rule.ring)),
            Match::Ip4(_) => None,
        });
        for (n, (value, ring)) in free().zip(types) {
            if let Some(word) = image.types.get_mut(n) {
                *word = etqf::ethertype(value)
                    .or(etqf::queue(ring))
                    .or(etqf::ENABLE)
                    .or(etqf::QUEUE_ENABLE);
            }
        }
        image
    }
}

fn is_ip4(rule: &Rule) -> bool {
    matches!(rule.matches, Match::Ip4(_))
}

/// The registers of a 5-tuple filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    saqf: u32,
    daqf: u32,
    spqf: u32,
    imir: u32,
    ftqf: Ftqf,
}

impl Filter {
    /// One that compares nothing, and does nothing.
    const UNUSED: Self = Self {
        saqf: 0,
        daqf: 0,
        spqf: 0,
        imir: IMIR_ANY_PORT,
        ftqf: ftqf::ANY_PROTOCOL
            .or(ftqf::ANY_SOURCE)
            .or(ftqf::ANY_DESTINATION)
            .or(ftqf::ANY_SOURCE_PORT),
    };

    fn new(tuple: Tuple, ring: u8, priority: u8) -> Self {
        let address = |bytes: Option<[u8; 4]>| bytes.map_or(0, u32::from_le_bytes);
        Self {
            saqf: address(tuple.source),
            daqf: address(tuple.destination),
            spqf: tuple.source_port.map_or(0, |port| port.to_be().into()),
            imir: tuple
                .destination_port
                .map_or(IMIR_ANY_PORT, |port| port.to_be().into())
                | imir_priority(priority),
            ftqf: ftqf::protocol(tuple.protocol.unwrap_or(0))
                .or(ftqf::queue(ring))
                .or(ftqf::QUEUE_ENABLE)
                .or(ftqf::ANY_POOL)
                .or(ftqf::ANY_PROTOCOL.when(tuple.protocol.is_none()))
                .or(ftqf::ANY_SOURCE.when(tuple.source.is_none()))
                .or(ftqf::ANY_DESTINATION.when(tuple.destination.is_none()))
                .or(ftqf::ANY_SOURCE_PORT.when(tuple.source_port.is_none())),
        }
    }
}

/// What the registers hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    tuples: [Filter; FILTER_COUNT],
    types: [Etqf; FILTER_COUNT],
}

impl Image {
    const UNUSED: Self = Self {
        tuples: [Filter::UNUSED; FILTER_COUNT],
        types: [Etqf::ZERO; FILTER_COUNT],
    };

    /// Writes all of them but those of the clock's filters. A filter is off while its words change.
    pub fn write(&self, registers: &impl Registers) {
        let tuples = self.tuples.iter().enumerate();
        for (n, filter) in tuples.filter(|(n, _)| *n != PTP_FILTER) {
            registers.write(crate::regs::ftqf(n), Filter::UNUSED.ftqf);
            registers.write(crate::regs::saqf(n), filter.saqf);
            registers.write(crate::regs::daqf(n), filter.daqf);
            registers.write(crate::regs::spqf(n), filter.spqf);
            registers.write(crate::regs::imir(n), filter.imir);
            let rest = imirext::ANY_SIZE.or(imirext::ANY_FLAGS);
            registers.write(crate::regs::imirext(n), rest);
            registers.write(crate::regs::ftqf(n), filter.ftqf);
        }
        let types = self.types.iter().enumerate();
        for (n, word) in types.filter(|(n, _)| *n != PTP_FILTER) {
            registers.write(crate::regs::etqf(n), *word);
        }
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_steering))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    fn web(ring: u8) -> Rule {
        Rule {
            matches: Match::Ip4(Tuple {
                protocol: Some(6),
                destination: Some([192, 0, 2, 1]),
                destination_port: Some(80),
                ..Tuple::default()
            }),
            ring,
        }
    }

    fn ethertype(value: u16) -> Rule {
        Rule {
            matches: Match::EtherType(value),
            ring: 1,
        }
    }

    fn to_port(port: u16) -> Rule {
        Rule {
            matches: Match::Ip4(Tuple {
                destination_port: Some(port),
                ..Tuple::default()
            }),
            ring: 0,
        }
    }

    #[test]
    fn a_tuple_in_registers() {
        let mut rules = Steering::NONE;
        assert_eq!(rules.set(5, web(3), 4), Ok(()));
        let image = rules.image(false);
        let filter = image.tuples[0];
        // In the order of the frame: 192.0.2.1 and 80.
        assert_eq!((filter.saqf, filter.daqf, filter.spqf), (0, 0x0102_00c0, 0));
        assert_eq!(filter.imir, 6 << 29 | 0x5000);
        // Queue 3, TCP; neither the pool, nor the source's address and port.
        assert_eq!(filter.ftqf.bits(), 0xa003_8106);
        assert_eq!(image.tuples[1..], [Filter::UNUSED; 7]);
        assert_eq!(image.types, [Etqf::ZERO; 8]);
        assert_eq!(Filter::UNUSED.ftqf.bits(), 0xf000_0000);
    }

    #[test]
    fn an_ethertype_in_registers() {
        let mut rules = Steering::NONE;
        assert_eq!(rules.set(0, ethertype(0x88cc), 2), Ok(()));
        assert_eq!(rules.image(false).types[0].bits(), 0x8401_88cc);
    }

    #[test]
    fn the_first_place_counts_and_the_filters_of_the_clock_are_left_alone() {
        let mut rules = Steering::NONE;
        for n in (0..7).rev() {
            assert_eq!(rules.set(usize::from(n), to_port(n), 1), Ok(()));
            assert_eq!(
                rules.set(usize::from(n) + 7, ethertype(0x9000 + n), 2),
                Ok(())
            );
        }
        let image = rules.image(false);
        let used = [0, 1, 2, 4, 5, 6, 7];
        for (port, n) in (0..7u16).zip(used) {
            let priority = 6 - u32::from(port);
            let word = image.tuples[n].imir;
            assert_eq!(word, priority << 29 | u32::from(port.to_be()));
            assert_eq!(image.types[n].bits() & 0xffff, 0x9000 + u32::from(port));
        }
        assert_eq!(image.tuples[PTP_FILTER], Filter::UNUSED);
        assert_eq!(image.types[PTP_FILTER], Etqf::ZERO);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut rules = Steering::NONE;
        let nothing = Rule {
            matches: Match::Ip4(Tuple::default()),
            ring: 0,
        };
        assert_eq!(rules.set(0, nothing, 1), Err(Refused::Nothing));
        for value in [0, 1500, 0x5ff, 0x800, 0x86dd, 0x88f7] {
            assert_eq!(rules.set(0, ethertype(value), 2), Err(Refused::Nothing));
        }
        assert_eq!(rules.set(MAX_RULES, web(0), 1), Err(Refused::Place));
        assert_eq!(rules.set(0, web(1), 1), Err(Refused::Ring));
        assert_eq!(rules.set(0, web(0), 1), Ok(()));
        assert_eq!(rules.set(1, web(0), 1), Err(Refused::Twice));
        // In its own place it is another rule.
        assert_eq!(rules.set(0, web(1), 2), Ok(()));
        for n in 1..7 {
            assert_eq!(rules.set(usize::from(n), to_port(n), 2), Ok(()));
        }
        assert_eq!(rules.set(9, to_port(9), 2), Err(Refused::Full));
        assert_eq!(rules.set(9, ethertype(0x88cc), 2), Ok(()));
        assert_eq!(rules.remove(8), Err(Refused::NoRule));
        assert_eq!(rules.remove(MAX_RULES), Err(Refused::Place));
        assert_eq!(rules.remove(6), Ok(()));
        assert_eq!(rules.set(8, to_port(9), 2), Ok(()));
        assert_eq!(rules.iter().count(), 8);
    }

    /// Of several that match the one with the highest priority counts. No two that are in use have the same
    /// priority, so what the controller does then is no matter.
    #[test]
    fn no_rule_takes_stamps_from_the_clock() {
        use crate::ptp::stamping::{Received, Stamping};
        let mut rules = Steering::NONE;
        for n in 0..7 {
            assert_eq!(rules.set(usize::from(n), to_port(319 + n), 1), Ok(()));
        }
        let image = rules.image(false);
        let clock = |received| {
            Stamping {
                received,
                ..Stamping::default()
            }
            .image()
        };
        let priority = |imir: u32| imir >> 29;
        let stamps = clock(Received::V2Events);
        let mut taken = 1u8 << priority(stamps.imir);
        for n in (0..FILTER_COUNT).filter(|n| *n != PTP_FILTER) {
            let bit = 1 << priority(image.tuples[n].imir);
            assert!(priority(image.tuples[n].imir) < priority(stamps.imir) && taken & bit == 0);
            taken |= bit;
        }
        // Where nothing is stamped, no packet matches: none is of that protocol.
        let off = clock(Received::None);
        assert_eq!(off.ftqf.bits(), 0x6000_00ff);
    }

    /// A reset leaves the filters as they are: those of an earlier life must not be in use.
    #[test]
    fn no_rules_put_every_filter_out_of_use_but_those_of_the_clock() {
        use crate::regs::{etqf, ftqf, imir, Access};
        use core::cell::Cell;
        const FIRST: usize = 0x5980;
        let words = [const { Cell::new(!0) }; 256];
        let word = |offset: u32| &words[(offset as usize - FIRST) / 4];
        let registers = Access(
            |offset| word(offset).get(),
            |offset, value| word(offset).set(value),
        );
        Steering::NONE.image(false).write(&registers);
        for n in 0..FILTER_COUNT {
            let (tuple, port) = (registers.read(ftqf(n)).bits(), registers.read(imir(n)));
            let found = (tuple, port, registers.read(etqf(n)).bits());
            let unused = (0xf000_0000, IMIR_ANY_PORT, 0);
            let expected = if n == PTP_FILTER {
                (!0, !0, !0)
            } else {
                unused
            };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn with_pools_no_filter_is_in_use() {
        let mut rules = Steering::NONE;
        assert_eq!(rules.set(0, web(0), 1), Ok(()));
        assert_eq!(rules.image(true), Steering::NONE.image(false));
    }
}
