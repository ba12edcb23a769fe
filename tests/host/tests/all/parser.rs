// SPDX-License-Identifier: GPL-2.0

//! The mailbox parser over all first words that could matter, and over values at every edge.

use crate::model::config::config;
use igb_core::mailbox::{
    Request,
    Words, //
};
use proptest::prelude::*;

/// Values where a field, a sign or a range begins or ends.
fn corners() -> Vec<u32> {
    let mut list = vec![0, u32::MAX];
    for bit in 0..32 {
        let power = 1u32 << bit;
        list.extend([power, power - 1, power | 1, !power]);
    }
    list.extend([
        63,
        64,
        65,
        4094,
        4095,
        4096,
        0x25ff,
        0x2600,
        0x2601,
        0x9f00_0600,
    ]);
    list
}

/// The specification once more, as a predicate on words.
fn specified(words: &Words) -> bool {
    let [w0, w1, w2, ..] = *words;
    if w0 & 0xff00_0000 != 0 {
        return false;
    }
    let info = w0 >> 16 & 0xff;
    match w0 & 0xffff {
        1 | 5 => info == 0,
        2 => info == 1 || (info <= 2 && w2 & 0xffff_0000 == 0),
        3 => {
            let count = info & 0x1f;
            let hash = |n: u32| {
                let word = words[1 + (n / 2) as usize];
                if n % 2 == 0 {
                    word & 0xffff
                } else {
                    word >> 16
                }
            };
            info & 0x60 == 0 && count <= 30 && (0..count).all(|n| hash(n) < 4096)
        }
        4 => info <= 1 && w1 < 4096,
        6 => info <= 3,
        _ => false,
    }
}

fn check(words: &Words) {
    assert_eq!(
        Request::parse(words).is_ok(),
        specified(words),
        "{words:x?}"
    );
}

#[test]
fn every_identifier_with_every_information_byte() {
    for fill in [0, 0x0fff_0fff, u32::MAX] {
        for w0 in 0..0x0100_0000u32 {
            // Identifiers above 0x1ff are alike; look at their edges only.
            let id = w0 & 0xffff;
            if id > 0x1ff && !(0x7ffe..=0x8001).contains(&id) && id < 0xfffe {
                continue;
            }
            let mut words = [fill; 16];
            words[0] = w0;
            check(&words);
        }
    }
}

#[test]
fn every_corner_in_every_word() {
    for first in [
        1, 2, 0x1_0002, 0x2_0002, 3, 0x1e_0003, 0x9e_0003, 4, 0x1_0004, 5, 6, 0x3_0006,
    ] {
        for position in 0..16 {
            for corner in corners() {
                let mut words = [0; 16];
                words[0] = first;
                words[position] = corner;
                check(&words);
            }
        }
    }
}

#[test]
fn no_bit_outside_the_masks_is_let_through() {
    for first in [1, 2, 0x1_0002, 0x2_0002, 3, 4, 5, 6] {
        for bit in 24..32 {
            let mut words = [0; 16];
            words[0] = first | 1 << bit;
            assert!(Request::parse(&words).is_err(), "{first:x} with bit {bit}");
        }
    }
}

#[test]
fn words_a_message_does_not_use_do_not_matter() {
    for (first, used) in [(1, 1), (2, 3), (0x1_0002, 1), (4, 2), (5, 2), (6, 1)] {
        let mut clean = [0; 16];
        clean[0] = first;
        let mut dirty = [u32::MAX; 16];
        dirty[..used].copy_from_slice(&clean[..used]);
        assert_eq!(Request::parse(&clean), Request::parse(&dirty));
        assert!(Request::parse(&clean).is_ok());
    }
}

proptest! {
    #![proptest_config(config(20_000))]

    #[test]
    fn parser_and_specification_agree(mut words in any::<[u32; 16]>(), id in 0u32..8, info in 0u32..256) {
        check(&words);
        words[0] = id | info << 16;
        check(&words);
        for word in &mut words[1..] {
            *word &= 0x0fff_0fff;
        }
        check(&words);
    }
}
