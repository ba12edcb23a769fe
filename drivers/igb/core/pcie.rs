// SPDX-License-Identifier: GPL-2.0

//! How long the controller waits for what it has asked the host for.

use crate::regs::gcr::{
    self,
    Gcr, //
};

/// Range of Device Control 2 (PCI Express 7.5.3.16): 16 to 55 ms.
const RANGE_16_MS: u16 = 5;

/// What `GCR` is to hold for the completion timeout, and the range for Device Control 2, if that is where it
/// is set. A timeout somebody has chosen stays; the default, 50 us and more, is too short for a host that
/// wakes its memory or a bridge on the way. Nothing is asked for twice: the first answer may still come.
#[must_use]
pub fn completion_timeout(gcr: Gcr) -> (Gcr, Option<u16>) {
    let once = gcr & !gcr::RESEND;
    if gcr & gcr::TIMEOUT != 0 {
        return (once, None);
    }
    if gcr.contains(gcr::CAP_VER2) {
        return (once, Some(RANGE_16_MS));
    }
    (once | gcr::TIMEOUT_10_MS, None)
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_pcie))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::regs::Word;

    #[test]
    fn completions_are_waited_for() {
        let timeout = |bits| {
            let (gcr, range) = completion_timeout(Gcr::from_bits(bits));
            (gcr.bits(), range)
        };
        assert_eq!(timeout(0x0685_0200), (0x0684_0200, Some(5)));
        assert_eq!(timeout(0x0001_0000), (0x1000, None));
        // Somebody has chosen.
        assert_eq!(timeout(0x0005_3000), (0x0004_3000, None));
    }
}
