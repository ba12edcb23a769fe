// SPDX-License-Identifier: GPL-2.0

//! See `tests/host/model/hostile.rs`, which the host tests run on the kept corpus as well.

#![no_main]

#[path = "../../model/hostile.rs"]
mod hostile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::run(data));
