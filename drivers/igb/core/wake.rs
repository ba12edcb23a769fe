// SPDX-License-Identifier: GPL-2.0

//! What wakes a sleeping system.

use crate::{
    media::Wakes,
    regs::{
        bit,
        wuc::{
            self,
            Wuc, //
        },
        wufc::{
            self,
            Wufc, //
        },
        Word, //
    },
};
use core::fmt;

/// NVM word 0x14: initialization control 3 of port 1.
pub const PORT1_CONTROL_WORD: u16 = 0x14;

/// Whether the NVM word at [`PORT1_CONTROL_WORD`] lets port 1 wake the system (APM enable).
#[must_use]
pub const fn port1_may_wake(word: u16) -> bool {
    // Widening.
    word as u32 & bit(10) != 0
}

/// Whether port `lan_id` of a controller can wake the system. `is_first` says whether the controller is the
/// first on its board; `port1` reads the NVM word at [`PORT1_CONTROL_WORD`].
pub fn may_wake(
    wakes: Wakes,
    lan_id: u32,
    is_first: bool,
    port1: impl FnOnce() -> Option<u16>,
) -> bool {
    match (wakes, lan_id) {
        (Wakes::FirstOfFour, 0) => is_first,
        (_, 0) => true,
        (Wakes::ByNvm, 1) => port1().is_some_and(port1_may_wake),
        _ => false,
    }
}

/// A set of wake-up events, as in the register `WUFC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeEvents(Wufc);

impl WakeEvents {
    /// Nothing.
    pub const NONE: Self = Self(Wufc::ZERO);
    /// A change of the link.
    pub const LINK: Self = Self(wufc::LNKC);
    /// A magic packet.
    pub const MAGIC: Self = Self(wufc::MAG);
    /// A unicast packet to the port's address.
    pub const UNICAST: Self = Self(wufc::EX);
    /// A multicast packet.
    pub const MULTICAST: Self = Self(wufc::MC);
    /// A broadcast packet.
    pub const BROADCAST: Self = Self(wufc::BC);
    /// All the device knows.
    pub const ALL: Self = Self(wufc::ALL);

    /// The events a value of `WUFC` names.
    #[must_use]
    pub fn from_wufc(value: u32) -> Self {
        Self(Wufc::from_bits(value) & wufc::ALL)
    }

    /// The events that `WUS`, whose bits are those of `WUFC`, shows as having come since it was cleared.
    /// `cleared` is what it held right after that: an emulation keeps what was written.
    #[must_use]
    pub fn since(cleared: u32, now: u32) -> Self {
        Self::from_wufc(now & !cleared)
    }

    /// Value of `WUFC`.
    #[must_use]
    pub const fn wufc(self) -> Wufc {
        self.0
    }

    /// Value of `WUC`.
    #[must_use]
    pub const fn wuc(self) -> Wuc {
        wuc::PME_EN.when(!self.is_empty())
    }

    /// The events of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// The events of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0.without(other.0))
    }

    /// Whether all events of `other` are in the set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0.contains(other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.bits() == 0
    }
}

/// The events by name, for the log.
impl fmt::Display for WakeEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (Self::LINK, "a change of the link"),
            (Self::MAGIC, "a magic packet"),
            (Self::UNICAST, "a packet to its address"),
            (Self::MULTICAST, "a multicast packet"),
            (Self::BROADCAST, "a broadcast packet"),
        ];
        let mut separator = "";
        for (_, name) in named.iter().filter(|(event, _)| self.contains(*event)) {
            write!(f, "{separator}{name}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_wake))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn register_values() {
        assert_eq!(WakeEvents::ALL.wufc(), 0x1f);
        assert_eq!(WakeEvents::from_wufc(u32::MAX), WakeEvents::ALL);
        assert_eq!(WakeEvents::NONE.wuc(), 0);
        assert_eq!(WakeEvents::MAGIC.wuc(), 2);
        let events = WakeEvents::MAGIC.or(WakeEvents::LINK);
        assert!(events.contains(WakeEvents::LINK));
        assert_eq!(events.without(WakeEvents::LINK), WakeEvents::MAGIC);
        assert!(port1_may_wake(0x0400) && !port1_may_wake(0xfbff));
    }

    #[test]
    fn only_what_has_come_since_is_a_reason() {
        assert_eq!(WakeEvents::since(0, 2), WakeEvents::MAGIC);
        assert_eq!(WakeEvents::since(0, 0), WakeEvents::NONE);
        // QEMU's model shows the ones by which it was to be cleared.
        assert_eq!(WakeEvents::since(u32::MAX, u32::MAX), WakeEvents::NONE);
        // ARP and flexible filters, which are never asked for.
        assert_eq!(WakeEvents::since(0, 0xff20), WakeEvents::NONE);
    }

    #[test]
    fn ports_that_wake() {
        let allowed = || Some(0x0400);
        let ports = |wakes, is_first| [0, 1].map(|port| may_wake(wakes, port, is_first, allowed));
        assert_eq!(ports(Wakes::ByNvm, true), [true, true]);
        assert_eq!(ports(Wakes::Port0, true), [true, false]);
        assert_eq!(ports(Wakes::FirstOfFour, true), [true, false]);
        assert_eq!(ports(Wakes::FirstOfFour, false), [false, false]);
        assert!(!may_wake(Wakes::ByNvm, 1, true, || Some(0)));
        assert!(!may_wake(Wakes::ByNvm, 1, true, || None));
        assert!(!may_wake(Wakes::ByNvm, 2, true, allowed));
    }
}
