// SPDX-License-Identifier: GPL-2.0

//! The addresses of 5-tuple filters, and what they give frames to queues by. The rest of these filters is
//! beside the clock, which uses one of them.

use super::bit;

registers! {
    /// Source address (IPv4) of 5-tuple filter 0..=7, in the byte order of the frame.
    saqf[0..8 @ 0x5980, 4]: Rw<u32> = kept (qemu 0);
    /// Destination address (IPv4) of 5-tuple filter 0..=7, in the byte order of the frame.
    daqf[0..8 @ 0x59a0, 4]: Rw<u32> = kept (qemu 0);
}

/// Number of 5-tuple filters, and of EtherType filters.
pub const FILTER_COUNT: usize = 8;

/// Of [`imir()`](super::imir()): the destination port is not compared.
pub const IMIR_ANY_PORT: u32 = bit(17);

/// Of [`imir()`](super::imir()): of several filters that match, the one with the highest priority counts,
/// 0..=7.
#[must_use]
pub const fn imir_priority(priority: u8) -> u32 {
    ((priority & 7) as u32) << 29
}
