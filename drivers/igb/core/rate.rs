// SPDX-License-Identifier: GPL-2.0

//! Transmit rate limits.
//!
//! The scheduler of a queue is given a factor, link speed divided by rate, in fixed point with 14
//! integer and 14 fraction bits. A limit is kept in Mb/s and turned into a factor anew whenever the
//! link speed changes.

use crate::regs::rttbcnrc::{
    self,
    Rttbcnrc, //
};

/// `RTTBCNRC` of a queue without a limit.
pub const UNLIMITED: Rttbcnrc = Rttbcnrc::ZERO;

/// `RTTBCNRC` of a queue that is all but stopped: the largest factor, about 61 kb/s at 1 Gb/s.
pub const TRICKLE: Rttbcnrc = rttbcnrc::factor(rttbcnrc::FACTOR_MAX);

/// `RTTBCNRC` that limits a queue to `rate` on a link of `link`, both in Mb/s.
///
/// A `rate` of 0 means no limit, and so does a link that is down (`link` 0) or not faster than the
/// limit.
#[must_use]
pub fn rttbcnrc(rate: u32, link: u32) -> Rttbcnrc {
    if rate == 0 || link <= rate {
        return UNLIMITED;
    }
    let scaled = u64::from(link) << rttbcnrc::FRACTION_BITS;
    // Rounded up: a factor too small would let the VF exceed its limit.
    let factor = scaled.div_ceil(u64::from(rate));
    rttbcnrc::factor(u32::try_from(factor).unwrap_or(rttbcnrc::FACTOR_MAX))
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_rate))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn factors() {
        assert_eq!(rttbcnrc(500, 1000), 0x8000_0000 | (2 << 14));
        assert_eq!(rttbcnrc(1, 1000), 0x8000_0000 | (1000 << 14));
        // 1000 / 300 = 3 + 1/3, rounded up.
        assert_eq!(rttbcnrc(300, 1000), 0x8000_0000 | (3 << 14) | 5462);
    }

    #[test]
    fn no_limit() {
        assert_eq!(rttbcnrc(0, 1000), UNLIMITED);
        assert_eq!(rttbcnrc(100, 0), UNLIMITED);
        assert_eq!(rttbcnrc(100, 100), UNLIMITED);
        assert_eq!(rttbcnrc(101, 100), UNLIMITED);
        assert_ne!(rttbcnrc(99, 100), UNLIMITED);
    }

    #[test]
    fn rescaling_keeps_the_rate() {
        assert_eq!(rttbcnrc(50, 1000), 0x8000_0000 | (20 << 14));
        assert_eq!(rttbcnrc(50, 100), 0x8000_0000 | (2 << 14));
    }
}
