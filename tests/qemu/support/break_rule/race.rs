// SPDX-License-Identifier: GPL-2.0

//! What two threads do at once, to show that races in Rust are seen as well.

static mut COUNTED: usize = 0;

/// Counts, in a way that loses some when two threads do it.
#[no_mangle]
pub extern "C" fn count_in_rust() -> usize {
    // SAFETY: None, and that is the purpose: this is the data race a detector has to report. The
    // number is of no consequence.
    unsafe {
        COUNTED = COUNTED.wrapping_add(1);
        COUNTED
    }
}
