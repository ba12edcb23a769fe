// SPDX-License-Identifier: GPL-2.0

//! Sizes of descriptor rings.
//!
//! Rings hold a power of two of descriptors, so that an index is wrapped by a
//! mask. One descriptor always stays unused: head == tail means *empty*.

/// Fewest descriptors of a ring.
pub const MIN_DESCS: u32 = 64;
/// Most descriptors of a ring (RDLEN and TDLEN would allow 32 Ki).
pub const MAX_DESCS: u32 = 4096;
/// Descriptors of a transmit ring unless the user asks for another size.
pub const DEFAULT_TX_DESCS: u32 = 256;
/// Descriptors of a receive ring unless the user asks for another size: what arrives in a third of a
/// millisecond of the shortest frames at 1 Gb/s. A host that is busy for longer loses frames.
pub const DEFAULT_RX_DESCS: u32 = 512;

/// The ring size was outside [`MIN_DESCS`]..=[`MAX_DESCS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSize;

/// Rounds a requested number of descriptors up to a size a ring can have.
///
/// # Errors
///
/// [`BadSize`] when `wanted` is outside [`MIN_DESCS`]..=[`MAX_DESCS`].
pub const fn size(wanted: u32) -> Result<u32, BadSize> {
    if wanted < MIN_DESCS || wanted > MAX_DESCS {
        return Err(BadSize);
    }
    Ok(wanted.next_power_of_two())
}

/// Receive buffers given back to the controller with one tail write.
///
/// A tail write is an uncached access across PCIe; 64 descriptors are 1 KiB,
/// four of the controller's prefetch bursts. A small ring must not run dry while
/// a batch collects, so it is at most a quarter of the ring.
#[inline]
pub const fn refill_batch(descs: u32) -> u32 {
    let quarter = descs / 4;
    if quarter < 64 {
        quarter
    } else {
        64
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_ring))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn sizes_at_the_limits() {
        assert_eq!(size(MIN_DESCS - 1), Err(BadSize));
        assert_eq!(size(MIN_DESCS), Ok(64));
        assert_eq!(size(MIN_DESCS + 1), Ok(128));
        assert_eq!(size(MAX_DESCS - 1), Ok(4096));
        assert_eq!(size(MAX_DESCS), Ok(4096));
        assert_eq!(size(MAX_DESCS + 1), Err(BadSize));
        assert_eq!(size(0), Err(BadSize));
        assert_eq!(size(u32::MAX), Err(BadSize));
    }

    #[test]
    fn batch_never_empties_a_ring() {
        assert_eq!(refill_batch(64), 16);
        assert_eq!(refill_batch(256), 64);
        assert_eq!(refill_batch(4096), 64);
    }
}
