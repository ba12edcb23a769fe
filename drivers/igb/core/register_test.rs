// SPDX-License-Identifier: GPL-2.0

//! The self-test of the registers: patterns are written and read back.
//!
//! Only registers that start nothing are tested: with the units and the queues disabled, and after
//! a reset before they are enabled again, no value in them has an effect. Queues' tail registers
//! are left out: writing them has the controller fetch descriptors.

use crate::regs;

/// Patterns that find bits which are stuck, or tied to their neighbours.
const PATTERNS: [u32; 4] = [0x5a5a_5a5a, 0xa5a5_a5a5, 0, u32::MAX];

/// Single registers, with the bits that can be written and read back.
const SINGLE: [(u32, u32); 7] = [
    (regs::FCAL.offset(), u32::MAX),
    (regs::FCAH.offset(), 0xffff),
    (regs::FCT.offset(), 0xffff),
    (regs::FCTTV.offset(), 0xffff),
    (regs::FCRTH.offset(), 0xfff0),
    (regs::VET.offset(), u32::MAX),
    (regs::TIPG.offset(), 0x3fff_ffff),
];

/// Address, valid bit and pool bits of a receive address' upper half.
const RAH_BITS: u32 = 0x83ff_ffff;
/// Rings are aligned to 128 bytes, and as long as a multiple of that.
const BASE_BITS: u32 = 0xffff_ff80;
const LENGTH_BITS: u32 = 0x000f_ff80;

/// A register did not hold what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its offset.
    pub offset: u32,
    /// What was written.
    pub wrote: u32,
    /// What was read back.
    pub read: u32,
}

/// Tests all registers. Afterwards the device has to be reset.
///
/// # Errors
///
/// The first register that failed.
pub fn run(read: impl Fn(u32) -> u32, write: impl Fn(u32, u32)) -> Result<(), Stuck> {
    for (offset, mask) in registers() {
        for pattern in PATTERNS {
            let wrote = pattern & mask;
            write(offset, wrote);
            let read = read(offset) & mask;
            if read != wrote {
                return Err(Stuck {
                    offset,
                    wrote,
                    read,
                });
            }
        }
    }
    Ok(())
}

fn registers() -> impl Iterator<Item = (u32, u32)> {
    let queues = (0..regs::QUEUE_COUNT).flat_map(|n| {
        [
            (regs::rdbal(n).offset(), BASE_BITS),
            (regs::rdbah(n).offset(), u32::MAX),
            (regs::rdlen(n).offset(), LENGTH_BITS),
            (regs::tdbal(n).offset(), BASE_BITS),
            (regs::tdbah(n).offset(), u32::MAX),
            (regs::tdlen(n).offset(), LENGTH_BITS),
        ]
    });
    let addresses = (0..regs::RAR_COUNT).flat_map(|n| {
        [
            (regs::ral(n).offset(), u32::MAX),
            (regs::rah(n).offset(), RAH_BITS),
        ]
    });
    let tables = (0..regs::TABLE_WORDS).flat_map(|n| {
        [
            (regs::mta(n).offset(), u32::MAX),
            (regs::vfta(n).offset(), u32::MAX),
        ]
    });
    SINGLE
        .into_iter()
        .chain(queues)
        .chain(addresses)
        .chain(tables)
}

#[cfg_attr(
    CONFIG_KUNIT = "y",
    kernel::prelude::kunit_tests(igb_core_register_test)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn finds_a_stuck_bit() {
        let (offset, value) = (Cell::new(0), Cell::new(0));
        let write = |to, what| {
            offset.set(to);
            value.set(what);
        };
        assert_eq!(run(|_| value.get(), write), Ok(()));
        let stuck = |at| {
            assert_eq!(at, offset.get());
            if at == regs::tdbal(15).offset() {
                value.get() & !0x80
            } else {
                value.get()
            }
        };
        let error = run(stuck, write).unwrap_err();
        assert_eq!(error.offset, regs::tdbal(15).offset());
        assert_eq!(error.wrote ^ error.read, 0x80);
    }

    #[test]
    fn starts_nothing() {
        for (offset, _) in registers() {
            assert!(
                offset != regs::RCTL.offset()
                    && offset != regs::TCTL.offset()
                    && offset != regs::CTRL.offset()
            );
            for queue in 0..regs::QUEUE_COUNT {
                assert!(offset != regs::rdt(queue).offset() && offset != regs::tdt(queue).offset());
                assert!(
                    offset != regs::rxdctl(queue).offset()
                        && offset != regs::txdctl(queue).offset()
                );
            }
        }
    }
}
