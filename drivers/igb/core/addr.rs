// SPDX-License-Identifier: GPL-2.0

//! Ethernet addresses.

use core::fmt;

/// Any six bytes that stand where an Ethernet address is expected, in wire order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// The all-zero address: "no address".
    pub const ZERO: Self = Self([0; 6]);
    /// The broadcast address.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The address in two words of a mailbox message or receive address register, first byte
    /// lowest. The upper half of `high` is not part of the address and is ignored.
    #[must_use]
    pub const fn from_words(low: u32, high: u32) -> Self {
        let l = low.to_le_bytes();
        let h = high.to_le_bytes();
        Self([l[0], l[1], l[2], l[3], h[0], h[1]])
    }

    /// From three words of the NVM, whose lower byte comes first.
    #[must_use]
    pub const fn from_nvm([first, second, third]: [u16; 3]) -> Self {
        // Widening.
        Self::from_words(first as u32 | (second as u32) << 16, third as u32)
    }

    /// The inverse of [`MacAddr::from_words`]: bytes 0..=3, and bytes 4..=5 in the lower half.
    #[must_use]
    pub const fn to_words(self) -> [u32; 2] {
        let [a, b, c, d, e, f] = self.0;
        [
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, 0, 0]),
        ]
    }

    /// Whether all bytes are zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Whether the group bit is set: multicast, broadcast included.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// The bit of the `MTA` or `UTA` the address selects with `RCTL.MO` = 0: its upper 12 bits.
    #[must_use]
    pub const fn hash(self) -> TableHash {
        let [_, _, _, _, e, f] = self.0;
        TableHash(((f as u16) << 4) | (e >> 4) as u16)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An address a function can own.
///
/// # Invariants
///
/// Neither zero nor multicast nor broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnicastAddr(MacAddr);

impl UnicastAddr {
    /// Locally administered, and no function's: stands where an address has to be known later.
    pub(crate) const PLACEHOLDER: Self = Self(MacAddr([0x02, 0, 0, 0, 0, 0]));

    /// Accepts `addr` if it can be a station's address.
    #[must_use]
    pub fn new(addr: MacAddr) -> Option<Self> {
        if addr.is_zero() || addr.is_multicast() {
            return None;
        }
        // INVARIANT: just checked; broadcast has the group bit set.
        Some(Self(addr))
    }

    /// The plain address.
    #[must_use]
    pub const fn get(self) -> MacAddr {
        self.0
    }

    /// Whether the address is administered locally: chosen by software, not assigned to a vendor.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0 .0[0] & 2 != 0
    }
}

impl fmt::Display for UnicastAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A bit of one of the 4096-bit hash tables.
///
/// # Invariants
///
/// At most 4095.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TableHash(u16);

impl TableHash {
    /// Bit 0 of the table.
    pub const ZERO: Self = Self(0);

    /// Accepts `hash` if it names a bit of the table, 0..=4095.
    #[must_use]
    pub const fn new(hash: u16) -> Option<Self> {
        if hash > 0xfff {
            return None;
        }
        Some(Self(hash))
    }

    /// The bit number, 0..=4095.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_addr))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_ignore_the_padding() {
        let a = MacAddr([0x02, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert_eq!(a.to_words(), [0x3322_1102, 0x5544]);
        assert_eq!(MacAddr::from_words(0x3322_1102, 0xdead_5544), a);
        assert_eq!(MacAddr::from_nvm([0x1102, 0x3322, 0x5544]), a);
    }

    #[test]
    fn only_station_addresses_are_unicast() {
        assert!(UnicastAddr::new(MacAddr::ZERO).is_none());
        assert!(UnicastAddr::new(MacAddr::BROADCAST).is_none());
        assert!(UnicastAddr::new(MacAddr([1, 0, 0x5e, 0, 0, 1])).is_none());
        assert!(UnicastAddr::new(MacAddr([0, 0, 0, 0, 0, 1])).is_some());
        assert!(UnicastAddr::new(MacAddr([0xfe; 6])).is_some());
        let is_local = |first| {
            UnicastAddr::new(MacAddr([first, 0, 0x5e, 0, 1, 1]))
                .unwrap()
                .is_local()
        };
        assert!(is_local(0x02) && is_local(0x52) && !is_local(0x00) && !is_local(0x58));
    }

    #[test]
    fn hash_takes_the_upper_twelve_bits() {
        let a = MacAddr([0x01, 0xaa, 0x00, 0x12, 0x34, 0x56]);
        assert_eq!(a.hash().get(), 0x563);
        assert_eq!(MacAddr::BROADCAST.hash().get(), 0xfff);
    }

    #[test]
    fn hash_range() {
        assert!(TableHash::new(4095).is_some());
        assert!(TableHash::new(4096).is_none());
    }
}
