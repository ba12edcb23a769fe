// SPDX-License-Identifier: GPL-2.0

//! Which registers a dump (`ethtool -d`) shows.
//!
//! A dump is a list of pairs of words, offset and value, so that it can be read without knowing
//! which version of the driver made it. Registers whose reading has an effect are left out:
//! interrupt causes, statistics, semaphores.

use crate::regs;

/// Version of the format: the most significant byte of the dump's version word.
pub const VERSION: u8 = 2;

/// Queues of the device.
const QUEUES: usize = 16;
/// Vectors of the device's MSI-X table.
const VECTORS: usize = 10;

const SINGLE: [u32; 48] = [
    regs::CTRL,
    regs::STATUS,
    regs::CTRL_EXT,
    regs::EECD,
    regs::MDIC,
    regs::FCAL,
    regs::FCAH,
    regs::FCT,
    regs::VET,
    regs::FCTTV,
    regs::FCRTL,
    regs::FCRTH,
    regs::FCRTV,
    regs::LEDCTL,
    regs::IMS,
    regs::IAM,
    regs::GPIE,
    regs::EIMS,
    regs::EIAC,
    regs::EIAM,
    regs::IVAR_MISC,
    regs::RCTL,
    regs::TCTL,
    regs::TCTL_EXT,
    regs::TIPG,
    regs::RXPBS,
    regs::TXPBS,
    regs::QDE,
    regs::DTXCTL,
    regs::RXCSUM,
    regs::RLPML,
    regs::RFCTL,
    regs::MRQC,
    regs::VT_CTL,
    regs::DTXSWC,
    regs::RPLOLR,
    regs::VFRE,
    regs::VFTE,
    regs::VFLRE,
    regs::MBVFICR,
    regs::MBVFIMR,
    regs::WUC,
    regs::WUFC,
    regs::WUS,
    regs::MANC,
    regs::GCR,
    regs::FACTPS,
    regs::FWSM,
];

const QUEUE_REGISTERS: usize = 11;

/// Number of registers in a dump.
pub const REGISTERS: usize = SINGLE.len()
    + QUEUES * QUEUE_REGISTERS
    + VECTORS
    + 8
    + 2 * regs::RAR_COUNT
    + regs::VLVF_COUNT
    + 2 * regs::POOL_COUNT
    + regs::RETA_WORDS;

/// Number of words of a dump.
pub const WORDS: usize = 2 * REGISTERS;

/// The offsets of the registers in a dump.
pub fn offsets() -> impl Iterator<Item = u32> {
    SINGLE
        .into_iter()
        .chain((0..QUEUES).flat_map(queue))
        .chain((0..VECTORS).map(regs::eitr))
        .chain((0..8).map(regs::ivar0))
        .chain((0..regs::RAR_COUNT).flat_map(|n| [regs::ral(n), regs::rah(n)]))
        .chain((0..regs::VLVF_COUNT).map(regs::vlvf))
        .chain((0..regs::POOL_COUNT).flat_map(|n| [regs::vmolr(n), regs::vmvir(n)]))
        .chain((0..regs::RETA_WORDS).map(regs::reta))
}

fn queue(n: usize) -> [u32; QUEUE_REGISTERS] {
    [
        regs::rdbal(n),
        regs::rdbah(n),
        regs::rdlen(n),
        regs::rdh(n),
        regs::rdt(n),
        regs::srrctl(n),
        regs::rxdctl(n),
        regs::tdlen(n),
        regs::tdh(n),
        regs::tdt(n),
        regs::txdctl(n),
    ]
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
        let touchy = [
            regs::ICR,
            regs::EICR,
            regs::SWSM,
            regs::WVBR,
            regs::GPRC,
            regs::GORCH,
        ];
        assert!(offsets().all(|offset| !touchy.contains(&offset)));
    }
}
