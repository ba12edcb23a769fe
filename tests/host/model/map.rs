// SPDX-License-Identifier: GPL-2.0

//! The registers of QEMU's model of the controller: where they are, what an access does, what they
//! hold after a reset.
//!
//! Written from the model's tables of handlers and of initial values, and the offsets of the C driver's
//! header, in numbers, on purpose: it shares no definition with the crate it checks.

use std::sync::OnceLock;

/// What a read does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// It returns 0 whatever was written.
    Nothing,
    /// It returns the value.
    Value,
    /// It returns the value and clears it.
    Clears,
    /// It returns the value and sets a bit.
    Sets,
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It has no effect.
    Nothing,
    /// It replaces what can be replaced.
    Stores,
    /// Ones clear bits, here or in another register.
    ClearsOnes,
    /// Ones set bits, here or in another register.
    SetsOnes,
}

/// A register, or `count` of them, `stride` bytes apart.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub name: &'static str,
    pub offset: u32,
    pub count: usize,
    pub stride: u32,
    pub read: Read,
    pub write: Write,
    /// After a reset.
    pub reset: u32,
}

impl Entry {
    pub fn offsets(&self) -> impl Iterator<Item = u32> + '_ {
        (0..)
            .map(|n| self.offset + self.stride * n)
            .take(self.count)
    }
}

/// The controller has a register at an offset that is not only read.
pub fn can_be_written(offset: u32) -> bool {
    static WRITTEN: OnceLock<Vec<bool>> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| {
        let mut words = vec![false; 0x2_0000 / 4];
        let entries = MAP.iter().filter(|e| (e.read, e.write) != READ_ONLY);
        for offset in entries.flat_map(Entry::offsets) {
            words[offset as usize / 4] = true;
        }
        words
    });
    offset % 4 == 0 && written.get(offset as usize / 4) == Some(&true)
}

type Access = (Read, Write);

/// Plain storage, and whatever else writing leads to.
const STORED: Access = (Read::Value, Write::Stores);
const READ_ONLY: Access = (Read::Value, Write::Nothing);
const CLEARED_BY_READ: Access = (Read::Clears, Write::Nothing);
/// Causes: cleared by either way.
const CAUSE: Access = (Read::Clears, Write::ClearsOnes);
const ONES_CLEAR: Access = (Read::Value, Write::ClearsOnes);
const ONES_SET: Access = (Read::Value, Write::SetsOnes);
/// The model has no such register.
const ABSENT: Access = (Read::Nothing, Write::Nothing);

const fn one(name: &'static str, offset: u32, access: Access, reset: u32) -> Entry {
    many(name, offset, (1, 0), access, reset)
}

const fn many(
    name: &'static str,
    offset: u32,
    (count, stride): (usize, u32),
    (read, write): Access,
    reset: u32,
) -> Entry {
    Entry {
        name,
        offset,
        count,
        stride,
        read,
        write,
        reset,
    }
}

/// An array whose elements go on elsewhere has an entry for each part.
pub const MAP: &[Entry] = &[
    one("CTRL", 0x0000, STORED, 0x0010_0209),
    // Writing clears PHYRA alone.
    one("STATUS", 0x0008, READ_ONLY, 0x8008_0481),
    one("EECD", 0x0010, STORED, 0x1110),
    one("EERD", 0x0014, STORED, 0),
    one("CTRL_EXT", 0x0018, STORED, 0),
    one("MDIC", 0x0020, STORED, 0),
    one("SCTL", 0x0024, ABSENT, 0),
    one("FCAL", 0x0028, STORED, 0),
    one("FCAH", 0x002c, STORED, 0),
    one("FCT", 0x0030, STORED, 0),
    one("CONNSW", 0x0034, ABSENT, 0),
    one("VET", 0x0038, STORED, 0x8100_8100),
    one("ICR", 0x00c0, CAUSE, 0),
    one("ICS", 0x00c8, ONES_SET, 0),
    one("IMS", 0x00d0, ONES_SET, 0),
    // Reads as IMS.
    one("IMC", 0x00d8, ONES_CLEAR, 0),
    one("IAM", 0x00e0, STORED, 0),
    one("RCTL", 0x0100, STORED, 0),
    one("FCTTV", 0x0170, STORED, 0),
    one("TCTL", 0x0400, STORED, 0xa404_00f8),
    one("TCTL_EXT", 0x0404, STORED, 0x0001_0840),
    one("TIPG", 0x0410, STORED, 0x0060_1008),
    many("VMBMEM", 0x0800, (128, 4), STORED, 0),
    many("P2VMAILBOX", 0x0c00, (8, 4), STORED, 0),
    one("MBVFICR", 0x0c80, ONES_CLEAR, 0),
    one("MBVFIMR", 0x0c84, STORED, 0xff),
    one("VFLRE", 0x0c88, ONES_CLEAR, 0),
    one("VFRE", 0x0c8c, STORED, 0xff),
    one("VFTE", 0x0c90, STORED, 0xff),
    one("LEDCTL", 0x0e00, STORED, 0x0706_8302),
    one("EEMNGCTL", 0x1010, STORED, 0x8000_0000),
    one("I2CCMD", 0x1028, ABSENT, 0),
    one("FRTIMER", 0x1048, ABSENT, 0),
    one("GPIE", 0x1514, STORED, 0),
    one("EICS", 0x1520, (Read::Nothing, Write::SetsOnes), 0),
    one("EIMS", 0x1524, ONES_SET, 0),
    one("EIMC", 0x1528, (Read::Nothing, Write::ClearsOnes), 0),
    one("EIAC", 0x152c, ONES_SET, 0),
    // It sets the bits that are not written.
    one("EIAM", 0x1530, ONES_SET, 0),
    one("EICR", 0x1580, CAUSE, 0),
    many("EITR", 0x1680, (25, 4), STORED, 0),
    many("IVAR", 0x1700, (8, 4), STORED, 0),
    one("IVAR_MISC", 0x1740, STORED, 0),
    one("FCRTL", 0x2160, STORED, 0),
    one("FCRTH", 0x2168, STORED, 0),
    one("RXPBS", 0x2404, STORED, 0x40),
    one("QDE", 0x2408, STORED, 0),
    one("FCRTV", 0x2460, STORED, 0),
    one("TXPBS", 0x3404, STORED, 0x28),
    one("DTXSWC", 0x3500, STORED, 0),
    one("LVMMC", 0x3548, ABSENT, 0),
    one("WVBR", 0x3554, CLEARED_BY_READ, 0),
    one("DTXCTL", 0x3590, STORED, 0x44),
    one("RTTDQSEL", 0x3604, ABSENT, 0),
    one("RTTBCNRM", 0x3690, ABSENT, 0),
    one("RTTBCNRC", 0x36b0, ABSENT, 0),
    many("VMVIR", 0x3700, (8, 4), STORED, 0),
    // Counters. The model counts no errors and no pause frames: reading them clears nothing.
    one("CRCERRS", 0x4000, READ_ONLY, 0),
    one("ALGNERRC", 0x4004, READ_ONLY, 0),
    one("SYMERRS", 0x4008, READ_ONLY, 0),
    one("RXERRC", 0x400c, READ_ONLY, 0),
    one("MPC", 0x4010, READ_ONLY, 0),
    one("SCC", 0x4014, READ_ONLY, 0),
    one("ECOL", 0x4018, READ_ONLY, 0),
    one("MCC", 0x401c, READ_ONLY, 0),
    one("LATECOL", 0x4020, READ_ONLY, 0),
    one("COLC", 0x4028, READ_ONLY, 0),
    one("DC", 0x4030, READ_ONLY, 0),
    one("TNCRS", 0x4034, READ_ONLY, 0),
    one("RLEC", 0x4040, READ_ONLY, 0),
    one("XONRXC", 0x4048, READ_ONLY, 0),
    one("XONTXC", 0x404c, READ_ONLY, 0),
    one("XOFFRXC", 0x4050, READ_ONLY, 0),
    one("XOFFTXC", 0x4054, READ_ONLY, 0),
    one("PRC64", 0x405c, CLEARED_BY_READ, 0),
    one("PRC127", 0x4060, CLEARED_BY_READ, 0),
    one("PRC255", 0x4064, CLEARED_BY_READ, 0),
    one("PRC511", 0x4068, CLEARED_BY_READ, 0),
    one("PRC1023", 0x406c, CLEARED_BY_READ, 0),
    one("PRC1522", 0x4070, CLEARED_BY_READ, 0),
    one("GPRC", 0x4074, CLEARED_BY_READ, 0),
    one("BPRC", 0x4078, CLEARED_BY_READ, 0),
    one("MPRC", 0x407c, CLEARED_BY_READ, 0),
    one("GPTC", 0x4080, CLEARED_BY_READ, 0),
    // Reading the high half of a pair clears both.
    one("GORCL", 0x4088, READ_ONLY, 0),
    one("GORCH", 0x408c, CLEARED_BY_READ, 0),
    one("GOTCL", 0x4090, READ_ONLY, 0),
    one("GOTCH", 0x4094, CLEARED_BY_READ, 0),
    one("RNBC", 0x40a0, READ_ONLY, 0),
    one("RUC", 0x40a4, CLEARED_BY_READ, 0),
    one("RFC", 0x40a8, READ_ONLY, 0),
    one("ROC", 0x40ac, CLEARED_BY_READ, 0),
    one("RJC", 0x40b0, READ_ONLY, 0),
    one("PTC64", 0x40d8, CLEARED_BY_READ, 0),
    one("PTC127", 0x40dc, CLEARED_BY_READ, 0),
    one("PTC255", 0x40e0, CLEARED_BY_READ, 0),
    one("PTC511", 0x40e4, CLEARED_BY_READ, 0),
    one("PTC1023", 0x40e8, CLEARED_BY_READ, 0),
    one("PTC1522", 0x40ec, CLEARED_BY_READ, 0),
    one("MPTC", 0x40f0, CLEARED_BY_READ, 0),
    one("BPTC", 0x40f4, CLEARED_BY_READ, 0),
    one("TSCTC", 0x40f8, CLEARED_BY_READ, 0),
    one("PCS_CFG0", 0x4200, ABSENT, 0),
    one("PCS_LCTL", 0x4208, ABSENT, 0),
    one("PCS_LSTAT", 0x420c, ABSENT, 0),
    one("PCS_ANADV", 0x4218, ABSENT, 0),
    one("PCS_LPAB", 0x421c, ABSENT, 0),
    one("RXCSUM", 0x5000, STORED, 0x300),
    one("RLPML", 0x5004, STORED, 0x2600),
    one("RFCTL", 0x5008, STORED, 0),
    many("MTA", 0x5200, (128, 4), STORED, 0),
    many("RAL", 0x5400, (16, 8), STORED, 0),
    many("RAL", 0x54e0, (8, 8), STORED, 0),
    many("RAH", 0x5404, (16, 8), STORED, 0),
    many("RAH", 0x54e4, (8, 8), STORED, 0),
    many("PSRTYPE", 0x5480, (8, 4), ABSENT, 0),
    many("SAQF", 0x5980, (8, 4), ABSENT, 0),
    many("DAQF", 0x59a0, (8, 4), ABSENT, 0),
    many("VFTA", 0x5600, (128, 4), STORED, 0),
    one("WUC", 0x5800, STORED, 0),
    one("WUFC", 0x5808, STORED, 0),
    one("WUS", 0x5810, STORED, 0),
    one("MRQC", 0x5818, STORED, 0),
    one("VT_CTL", 0x581c, STORED, 0),
    one("MANC", 0x5820, STORED, 0),
    many("VMOLR", 0x5ad0, (8, 4), STORED, 0x8000_2600),
    one("RPLOLR", 0x5af0, STORED, 0x8000_0000),
    one("GCR", 0x5b00, STORED, 0x0685_0200),
    one("FACTPS", 0x5b30, STORED, 0),
    one("SWSM", 0x5b50, (Read::Sets, Write::Stores), 0),
    one("FWSM", 0x5b54, STORED, 0),
    one("SW_FW_SYNC", 0x5b5c, STORED, 0),
    one("IOVCTL", 0x5bbc, ABSENT, 0),
    many("SPQF", 0x59c0, (8, 4), ABSENT, 0),
    many("FTQF", 0x59e0, (8, 4), ABSENT, 0),
    many("IMIR", 0x5a80, (8, 4), ABSENT, 0),
    many("IMIREXT", 0x5aa0, (8, 4), ABSENT, 0),
    many("ETQF", 0x5cb0, (8, 4), STORED, 0),
    one("TSYNCRXCFG", 0x5f50, STORED, 0),
    // What is written to stamps and clock is kept until the next of them.
    one("SYSTIML", 0xb600, STORED, 0),
    one("SYSTIMH", 0xb604, STORED, 0),
    one("TIMINCA", 0xb608, STORED, 0),
    one("TSYNCTXCTL", 0xb614, STORED, 0),
    one("TXSTMPL", 0xb618, STORED, 0),
    one("TXSTMPH", 0xb61c, STORED, 0),
    one("TSYNCRXCTL", 0xb620, STORED, 0),
    one("RXSTMPL", 0xb624, STORED, 0),
    one("RXSTMPH", 0xb628, STORED, 0),
    one("RXSATRL", 0xb62c, STORED, 0),
    one("RXSATRH", 0xb630, STORED, 0),
    many("RETA", 0x5c00, (32, 4), STORED, 0),
    many("RSSRK", 0x5c80, (10, 4), STORED, 0),
    many("VLVF", 0x5d00, (32, 4), STORED, 0),
    many("UTA", 0xa000, (128, 4), (Read::Nothing, Write::Stores), 0),
    many("RDBAL", 0xc000, (16, 0x40), STORED, 0),
    many("RDBAH", 0xc004, (16, 0x40), STORED, 0),
    many("RDLEN", 0xc008, (16, 0x40), STORED, 0),
    many("SRRCTL", 0xc00c, (16, 0x40), STORED, 0),
    many("RDH", 0xc010, (16, 0x40), STORED, 0),
    many("RXCTL", 0xc014, (16, 0x40), ABSENT, 0),
    many("RDT", 0xc018, (16, 0x40), STORED, 0),
    // Queue 0 is enabled.
    many("RXDCTL", 0xc028, (16, 0x40), STORED, 0x1_0000),
    // Nothing is counted here. The first can be written as well.
    one("RQDPC", 0xc030, (Read::Clears, Write::Stores), 0),
    many("RQDPC", 0xc070, (15, 0x40), CLEARED_BY_READ, 0),
    many("TDBAL", 0xe000, (16, 0x40), STORED, 0),
    many("TDBAH", 0xe004, (16, 0x40), STORED, 0),
    many("TDLEN", 0xe008, (16, 0x40), STORED, 0),
    many("TDH", 0xe010, (16, 0x40), STORED, 0),
    many("TXCTL", 0xe014, (16, 0x40), STORED, 0x2a00),
    many("TDT", 0xe018, (16, 0x40), STORED, 0),
    // Queue 0 is enabled.
    many("TXDCTL", 0xe028, (16, 0x40), STORED, 0),
    many("TDWBAL", 0xe038, (16, 0x40), STORED, 0),
    many("TDWBAH", 0xe03c, (16, 0x40), STORED, 0),
    many("PVFGPRC", 0x1_0010, (8, 0x100), READ_ONLY, 0),
    many("PVFGPTC", 0x1_0014, (8, 0x100), READ_ONLY, 0),
    many("PVFGORC", 0x1_0018, (8, 0x100), READ_ONLY, 0),
    // What was written, which also goes to EIMS, EIAC or EIAM.
    many("PVTEIMS", 0x1_0024, (8, 0x100), STORED, 0),
    many(
        "PVTEIMC",
        0x1_0028,
        (8, 0x100),
        (Read::Nothing, Write::ClearsOnes),
        0,
    ),
    many("PVTEIAC", 0x1_002c, (8, 0x100), STORED, 0),
    many("PVTEIAM", 0x1_0030, (8, 0x100), STORED, 0),
    many("PVFGOTC", 0x1_0034, (8, 0x100), READ_ONLY, 0),
    many("PVFMPRC", 0x1_003c, (8, 0x100), READ_ONLY, 0),
    many("PVFGPRLBC", 0x1_0040, (8, 0x100), READ_ONLY, 0),
    many("PVFGPTLBC", 0x1_0044, (8, 0x100), READ_ONLY, 0),
    many("PVFGORLBC", 0x1_0048, (8, 0x100), READ_ONLY, 0),
    many("PVFGOTLBC", 0x1_0050, (8, 0x100), READ_ONLY, 0),
    many("PVTEICR", 0x1_0080, (8, 0x100), CAUSE, 0),
    many("VTIVAR", 0x1_1700, (8, 4), STORED, 0),
    many("VTIVAR_MISC", 0x1_1720, (8, 4), STORED, 0),
];
