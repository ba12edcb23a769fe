// SPDX-License-Identifier: GPL-2.0

//! Contents of the NVM, in 16-bit words.

use crate::addr::{
    MacAddr,
    UnicastAddr, //
};

/// Words covered by the checksum: 0..64, the last of which makes up the difference.
pub const CHECKSUM_WORDS: u16 = 64;
/// First of the three words of the address.
pub const MAC_WORD: u16 = 0x00;
/// Word that points to alternate addresses.
pub const ALT_MAC_PTR_WORD: u16 = 0x37;
/// Low word of the image's tracking number.
pub const ETRACK_WORD: u16 = 0x42;
/// High word of the image's tracking number.
pub const ETRACK_HIWORD: u16 = 0x43;
/// Version word.
pub const VERSION_WORD: u16 = 0x05;

const SUM: u16 = 0xbaba;

/// Whether `words`, the first [`CHECKSUM_WORDS`] of the NVM, have the right sum.
#[must_use]
pub fn checksum_ok(words: impl IntoIterator<Item = u16>) -> bool {
    words.into_iter().fold(0, u16::wrapping_add) == SUM
}

/// The address in three words, low byte first; `None` if it is not a station's.
#[must_use]
pub fn mac(words: [u16; 3]) -> Option<UnicastAddr> {
    let [a, b] = words[0].to_le_bytes();
    let [c, d] = words[1].to_le_bytes();
    let [e, f] = words[2].to_le_bytes();
    UnicastAddr::new(MacAddr([a, b, c, d, e, f]))
}

/// First of the three words of the alternate address of port `lan_id` (0..=3), if there is one,
/// from the contents of [`ALT_MAC_PTR_WORD`].
#[must_use]
pub fn alt_mac_word(pointer: u16, lan_id: u32) -> Option<u16> {
    if pointer == 0 || pointer == u16::MAX {
        return None;
    }
    let offset = u16::try_from(lan_id & 3).ok()?.checked_mul(3)?;
    pointer.checked_add(offset).filter(|word| *word < 0x4000)
}

/// Version of the NVM image: major and minor number and image number.
#[must_use]
pub const fn version(word: u16) -> (u16, u16, u16) {
    (word >> 12, (word >> 4) & 0xff, word & 0xf)
}

/// Tracking number of the NVM image from the words at [`ETRACK_WORD`] and [`ETRACK_HIWORD`], if the
/// image has one.
#[must_use]
pub const fn etrack([low, high]: [u16; 2]) -> Option<u32> {
    if high >> 12 != 0x8 {
        return None;
    }
    let ([a, b], [c, d]) = (low.to_le_bytes(), high.to_le_bytes());
    Some(u32::from_le_bytes([a, b, c, d]))
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_nvm))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn checksum_wraps() {
        let mut words = [0xffff; CHECKSUM_WORDS as usize];
        words[63] = 0xbaba_u16.wrapping_add(63);
        assert!(checksum_ok(words));
        words[0] = 0;
        assert!(!checksum_ok(words));
        assert!(!checksum_ok([0; 64]));
    }

    #[test]
    fn addresses() {
        let addr = mac([0x1102, 0x3322, 0x5544]).unwrap();
        assert_eq!(addr.get().0, [0x02, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert!(mac([0, 0, 0]).is_none());
        assert!(mac([0xffff; 3]).is_none());
    }

    #[test]
    fn alternate_addresses() {
        assert_eq!(alt_mac_word(0, 0), None);
        assert_eq!(alt_mac_word(0xffff, 0), None);
        assert_eq!(alt_mac_word(0x100, 0), Some(0x100));
        assert_eq!(alt_mac_word(0x100, 3), Some(0x109));
        assert_eq!(alt_mac_word(0xfffe, 1), None);
        assert_eq!(alt_mac_word(0x3fff, 1), None);
    }

    #[test]
    fn version_fields() {
        assert_eq!(version(0x1234), (1, 0x23, 4));
        assert_eq!(etrack([0x1234, 0x8000]), Some(0x8000_1234));
        assert_eq!(etrack([0xffff, 0xffff]), None);
    }
}
