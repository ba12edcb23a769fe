// SPDX-License-Identifier: GPL-2.0

//! Sizes and thresholds of descriptor rings.
//!
//! Rings hold a power of two of descriptors, so that an index is wrapped by a
//! mask. One descriptor always stays unused: head == tail means *empty*.

use super::desc::tx;

/// Fewest descriptors of a ring.
pub const MIN_DESCS: u32 = 64;
/// Most descriptors of a ring (RDLEN and TDLEN would allow 32 Ki).
pub const MAX_DESCS: u32 = 4096;
/// Descriptors of a transmit ring unless the user asks for another size.
pub const DEFAULT_TX_DESCS: u32 = 256;
/// Descriptors of a receive ring unless the user asks for another size: what arrives in a third of a
/// millisecond of the shortest frames at 1 Gb/s. A host that is busy for longer loses frames.
pub const DEFAULT_RX_DESCS: u32 = 512;

/// Most buffers the stack hands over in one frame: the linear part and
/// `MAX_SKB_FRAGS` (17) fragments.
pub const MAX_BUFFERS: u32 = 18;

/// Most descriptors one frame may take: a context, and for each buffer its data.
///
/// A GSO frame is at most 64 KiB, so at most two buffers in it can be long enough
/// to be split over two descriptors.
pub const MAX_DESCS_PER_FRAME: u32 = 1 + MAX_BUFFERS + 2;

/// A queue is stopped when fewer descriptors than this are free.
pub const STOP_THRESHOLD: u32 = MAX_DESCS_PER_FRAME + 1;

/// A stopped queue is woken when at least this many descriptors are free. The
/// gap to [`STOP_THRESHOLD`] keeps a full ring from flapping.
pub const WAKE_THRESHOLD: u32 = STOP_THRESHOLD * 3 / 2;

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

/// Upper bound on the data descriptors of a frame of `len` bytes in `buffers`
/// buffers, plus its context.
#[inline]
pub const fn descs_needed(len: u32, buffers: u32) -> u32 {
    // Each buffer boundary and each 32 KiB boundary starts a new descriptor.
    1 + buffers + len / tx::MAX_DATA_PER_DESC
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
    fn smallest_ring_holds_the_largest_frame() {
        assert!(MIN_DESCS > WAKE_THRESHOLD);
        assert!(WAKE_THRESHOLD > STOP_THRESHOLD);
    }

    #[test]
    fn largest_gso_frame_fits_the_estimate() {
        assert!(descs_needed(65535, MAX_BUFFERS) <= MAX_DESCS_PER_FRAME);
    }

    #[test]
    fn batch_never_empties_a_ring() {
        assert_eq!(refill_batch(64), 16);
        assert_eq!(refill_batch(256), 64);
        assert_eq!(refill_batch(4096), 64);
    }
}
