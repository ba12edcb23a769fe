// SPDX-License-Identifier: GPL-2.0

//! Contents of the NVM, in 16-bit words.

/// Words covered by the checksum: 0..64, the last of which makes up the difference.
pub const CHECKSUM_WORDS: u16 = 64;
/// First of the two words of the image's tracking number, the low one.
pub const ETRACK_WORD: u16 = 0x42;
/// Version word.
pub const VERSION_WORD: u16 = 0x05;

const SUM: u16 = 0xbaba;

/// Whether `words`, the first [`CHECKSUM_WORDS`] of the NVM, have the right sum.
#[must_use]
pub fn checksum_ok(words: impl IntoIterator<Item = u16>) -> bool {
    words.into_iter().fold(0, u16::wrapping_add) == SUM
}

/// Version of the NVM image: major and minor number and image number.
#[must_use]
pub const fn version(word: u16) -> (u16, u16, u16) {
    (word >> 12, (word >> 4) & 0xff, word & 0xf)
}

/// Tracking number of the NVM image from the two words at [`ETRACK_WORD`], if the image has one.
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
    fn version_fields() {
        assert_eq!(version(0x1234), (1, 0x23, 4));
        assert_eq!(etrack([0x1234, 0x8000]), Some(0x8000_1234));
        assert_eq!(etrack([0xffff, 0xffff]), None);
    }
}
