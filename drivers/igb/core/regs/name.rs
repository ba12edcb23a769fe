// SPDX-License-Identifier: GPL-2.0

//! Names of the registers that decide which frame reaches which function.

use super::*;
use core::fmt;

/// Registers of which there are several: name, offset of each, how many.
type Array = (&'static str, fn(usize) -> u32, usize);

const ARRAYS: [Array; 8] = [
    ("RAL", ral, RAR_COUNT),
    ("RAH", rah, RAR_COUNT),
    ("MTA", mta, TABLE_WORDS),
    ("UTA", uta, TABLE_WORDS),
    ("VFTA", vfta, TABLE_WORDS),
    ("VLVF", vlvf, VLVF_COUNT),
    ("VMOLR", vmolr, POOL_COUNT),
    ("VMVIR", vmvir, POOL_COUNT),
];

/// The others.
const SINGLE: [(&str, u32); 11] = [
    ("RCTL", RCTL),
    ("RLPML", RLPML),
    ("QDE", QDE),
    ("VT_CTL", VT_CTL),
    ("DTXCTL", DTXCTL),
    ("DTXSWC", DTXSWC),
    ("RPLOLR", RPLOLR),
    ("VFRE", VFRE),
    ("VFTE", VFTE),
    ("RTTDQSEL", RTTDQSEL),
    ("RTTBCNRC", RTTBCNRC),
];

/// The filter register at an offset in bytes: its datasheet name, or the offset if it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterName(pub u32);

impl fmt::Display for FilterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, offset, count) in ARRAYS {
            if let Some(n) = (0..count).find(|&n| offset(n) == self.0) {
                return write!(f, "{name}[{n}]");
            }
        }
        match SINGLE.iter().find(|(_, offset)| *offset == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{:#07x}", self.0),
        }
    }
}
