// SPDX-License-Identifier: GPL-2.0

//! The fuzzer's inputs, without the fuzzer: those that were kept, and variations of them.

#[path = "../model/hostile.rs"]
mod hostile;

use std::{
    fs,
    path::Path, //
};

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index, //
};

fn kept() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/mailbox");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn kept_inputs() {
    let inputs = kept();
    assert!(inputs.len() > 300, "the corpus is gone");
    assert!(inputs.iter().any(|input| input.len() > 1000));
    for input in &inputs {
        hostile::run(input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2048,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Two of them in a row, with some bytes changed.
    #[test]
    fn variations(
        first: Index,
        second: Index,
        changes in vec((any::<Index>(), any::<u8>()), 0..16),
    ) {
        let inputs = kept();
        let mut input = [&inputs[first.index(inputs.len())][..], &inputs[second.index(inputs.len())]].concat();
        if !input.is_empty() {
            for (place, byte) in changes {
                let place = place.index(input.len());
                input[place] = byte;
            }
        }
        hostile::run(&input);
    }
}
