// SPDX-License-Identifier: GPL-2.0

//! Contents of the NVM, in 16-bit words.

use core::fmt;

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

/// What an NVM image is called: its version, then its tracking number if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    version: u16,
    etrack: Option<u32>,
}

impl Image {
    /// From the word at [`VERSION_WORD`] and those at [`ETRACK_WORD`].
    #[must_use]
    pub const fn new(version: u16, tracking: [u16; 2]) -> Self {
        let etrack = etrack(tracking);
        Self { version, etrack }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, image) = version(self.version);
        // The minor number is BCD.
        match self.etrack {
            Some(id) => write!(f, "{major}.{minor:02x}, {id:#010x}"),
            None => write!(f, "{major}.{minor:02x}.{image}"),
        }
    }
}

/// The word with the address of the ports' alternate MAC addresses.
pub const ALTERNATE_WORD: u16 = 0x37;

/// Where the alternate MAC address of port `lan_id` (0..=3) is, three words, by the word at
/// [`ALTERNATE_WORD`]; `None` if there are none. Some makers have the ports' addresses there.
#[must_use]
pub const fn alternate_address(word: u16, lan_id: u32) -> Option<u16> {
    match word {
        0 | 0xffff => None,
        // At most 9.
        _ => word.checked_add(3 * (lan_id & 3) as u16),
    }
}

/// First of the two words that name the board.
pub const BOARD_WORD: u16 = 0x08;

/// Most words that [`Board::from_block`] looks at.
pub const BOARD_BLOCK_WORDS: usize = 6;

/// The first word of the two if the second is the address of a block with the number as text.
const BOARD_BLOCK: u16 = 0xfafa;

/// The number of the printed board assembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// Nine digits in two words.
    Digits([u16; 2]),
    /// Text of a block, ended by 0.
    Text([u8; 2 * BOARD_BLOCK_WORDS]),
}

impl Board {
    /// The address of the block that has the number as text, by the words at [`BOARD_WORD`].
    /// Without one they have it themselves.
    #[must_use]
    pub const fn block([first, second]: [u16; 2]) -> Option<u16> {
        match first {
            BOARD_BLOCK => Some(second),
            _ => None,
        }
    }

    /// The number in the words at [`BOARD_WORD`]. `None` if nobody has written one.
    #[must_use]
    pub const fn from_words(words: [u16; 2]) -> Option<Self> {
        match words {
            [0, 0] | [0xffff, 0xffff] | [BOARD_BLOCK, _] => None,
            _ => Some(Self::Digits(words)),
        }
    }

    /// The number in a block: the count of its words, itself included, then two characters a word.
    /// `None` if that is not what the words are.
    #[must_use]
    pub fn from_block(words: [u16; BOARD_BLOCK_WORDS]) -> Option<Self> {
        let [count, words @ ..] = words;
        let count = usize::from(count.checked_sub(1)?);
        let mut text = [0; 2 * BOARD_BLOCK_WORDS];
        for (to, word) in text.chunks_exact_mut(2).zip(words.get(..count)?) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        let length = text.iter().position(|c| *c == 0)?;
        let (text_part, rest) = text.split_at(length);
        let good = length != 0
            && text_part.iter().all(u8::is_ascii_graphic)
            && rest.iter().all(|c| *c == 0);
        good.then_some(Self::Text(text))
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits([first, second]) => {
                let [high, low] = second.to_be_bytes();
                write!(f, "{first:04X}{high:02X}-0{low:02X}")
            }
            Self::Text(text) => text
                .iter()
                .take_while(|c| **c != 0)
                .try_for_each(|c| write!(f, "{}", char::from(*c))),
        }
    }
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
    fn alternate_addresses() {
        assert_eq!(alternate_address(0, 1), None);
        assert_eq!(alternate_address(0xffff, 0), None);
        assert_eq!(alternate_address(0x60, 0), Some(0x60));
        assert_eq!(alternate_address(0x60, 3), Some(0x69));
        assert_eq!(alternate_address(0xfffe, 1), None);
    }

    #[test]
    fn version_fields() {
        assert_eq!(version(0x1234), (1, 0x23, 4));
        assert_eq!(etrack([0x1234, 0x8000]), Some(0x8000_1234));
        assert_eq!(etrack([0xffff, 0xffff]), None);
    }
}
