// SPDX-License-Identifier: GPL-2.0

//! The fuzzer's inputs, without the fuzzer: those that were kept, and variations of them.

#[path = "../../model/hostile.rs"]
mod hostile;

use std::sync::LazyLock;

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index, //
};

use crate::model::config::config;

/// One a line, in hexadecimal.
static KEPT: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    include_str!("../../fuzz/mailbox.corpus")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(bytes_of)
        .collect()
});

fn bytes_of(line: &str) -> Vec<u8> {
    assert!(line.len() % 2 == 0);
    (0..line.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn kept_inputs() {
    assert!(KEPT.len() > 150, "the corpus is gone");
    assert!(KEPT.iter().any(|input| input.len() > 1000));
    for input in KEPT.iter() {
        hostile::run(input);
    }
}

proptest! {
    #![proptest_config(config(2048))]

    /// Two of them in a row, with some bytes changed.
    #[test]
    fn variations(
        first: Index,
        second: Index,
        changes in vec((any::<Index>(), any::<u8>()), 0..16),
    ) {
        let one = &KEPT[first.index(KEPT.len())];
        let other = &KEPT[second.index(KEPT.len())];
        let mut input = [&one[..], other].concat();
        if !input.is_empty() {
            for (place, byte) in changes {
                let place = place.index(input.len());
                input[place] = byte;
            }
        }
        hostile::run(&input);
    }
}
