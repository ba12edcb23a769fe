// SPDX-License-Identifier: GPL-2.0

//! Which registers a dump (`ethtool -d`) shows.
//!
//! A dump is a list of pairs of words, offset and value, so that it can be read without knowing
//! which version of the driver made it. The tables of registers ([`crate::regs`]) say which
//! are in it: none whose reading has an effect, as interrupt causes, counters and semaphores have; and
//! not the large tables.

use crate::regs::{
    self,
    Info, //
};

/// Version of the format: the most significant byte of the dump's version word.
pub const VERSION: u8 = 2;

/// Number of registers in a dump.
pub const REGISTERS: usize = count();

/// Number of words of a dump.
pub const WORDS: usize = 2 * REGISTERS;

/// The offsets of the registers in a dump.
pub fn offsets() -> impl Iterator<Item = u32> {
    regs::all()
        .filter(|info| info.dumped)
        .flat_map(Info::registers)
        .map(|(_, offset)| offset)
}

const fn count() -> usize {
    let mut sum = 0;
    let mut tables: &[&[Info]] = &regs::TABLES;
    while let [first, rest @ ..] = tables {
        sum += dumped(first);
        tables = rest;
    }
    sum
}

const fn dumped(mut table: &[Info]) -> usize {
    let mut sum = 0;
    while let [first, rest @ ..] = table {
        if first.dumped {
            sum += first.count();
        }
        table = rest;
    }
    sum
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_dump))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_announced() {
        assert_eq!(offsets().count(), REGISTERS);
    }

    #[test]
    fn looking_changes_nothing() {
        for info in regs::all().filter(|info| info.dumped) {
            assert!(info.kind.is_harmless_to_read());
        }
        let touchy = [
            regs::ICR.offset(),
            regs::EICR.offset(),
            regs::SWSM.offset(),
            regs::LVMMC.offset(),
            regs::WVBR.offset(),
            regs::GPRC.offset(),
            regs::GORCH.offset(),
        ];
        assert!(offsets().all(|offset| !touchy.contains(&offset)));
    }
}
