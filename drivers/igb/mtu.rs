// SPDX-License-Identifier: GPL-2.0

//! How long packets may be.

use crate::rx::xdp;
use igb_core::frame::MAX_FRAME;
use net::xdp::Program;

/// Bytes of a frame that are not payload: addresses, type, and FCS.
pub(crate) const OVERHEAD: u32 = 18;
/// Largest MTU. The controller could receive a little more; this is what drivers of its family
/// have always offered, and what the other end is likely to be able to.
pub(crate) const LARGEST: u32 = 9216;

// With overhead and tag, that is a frame the controller receives.
const _: () = assert!(LARGEST + OVERHEAD + 4 <= MAX_FRAME as u32);

/// Largest MTU with a program that takes frames in one buffer alone.
const LARGEST_IN_ONE: u32 = xdp::MAX_FRAME - OVERHEAD;

// As the text of the refusal says.
const _: () = assert!(LARGEST_IN_ONE == 3050);

/// Largest MTU with `program`.
pub(crate) fn largest_with(program: &Program) -> u32 {
    if program.takes_frags() {
        LARGEST
    } else {
        LARGEST_IN_ONE
    }
}
