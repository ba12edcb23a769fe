// SPDX-License-Identifier: GPL-2.0

//! What wakes a sleeping system.

use crate::regs::{
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
};

/// NVM word 0x14: initialization control 3 of port 1.
pub const PORT1_CONTROL_WORD: u16 = 0x14;

/// Whether the NVM word at [`PORT1_CONTROL_WORD`] lets port 1 wake the system (APM enable).
#[must_use]
pub const fn port1_may_wake(word: u16) -> bool {
    // Widening.
    word as u32 & bit(10) != 0
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
}
