// SPDX-License-Identifier: GPL-2.0

//! Statistics registers.
//!
//! The port's counters are R/C and stick at their maximum; the per-pool counters at the end wrap and
//! are not cleared by a read.

use super::array;

/// CRC errors.
pub const CRCERRS: u32 = 0x4000;
/// Alignment errors.
pub const ALGNERRC: u32 = 0x4004;
/// Symbol errors.
pub const SYMERRS: u32 = 0x4008;
/// Receive errors.
pub const RXERRC: u32 = 0x400c;
/// Packets missed for lack of packet buffer space.
pub const MPC: u32 = 0x4010;
/// Single collisions.
pub const SCC: u32 = 0x4014;
/// Excessive collisions.
pub const ECOL: u32 = 0x4018;
/// Multiple collisions.
pub const MCC: u32 = 0x401c;
/// Late collisions.
pub const LATECOL: u32 = 0x4020;
/// Collisions.
pub const COLC: u32 = 0x4028;
/// Deferred transmissions.
pub const DC: u32 = 0x4030;
/// Transmissions without carrier sense.
pub const TNCRS: u32 = 0x4034;
/// Receive length errors.
pub const RLEC: u32 = 0x4040;
/// XON frames received.
pub const XONRXC: u32 = 0x4048;
/// XON frames sent.
pub const XONTXC: u32 = 0x404c;
/// XOFF frames received.
pub const XOFFRXC: u32 = 0x4050;
/// XOFF frames sent.
pub const XOFFTXC: u32 = 0x4054;
/// Unsupported flow control frames received.
pub const FCRUC: u32 = 0x4058;
/// Packets received, 64 bytes.
pub const PRC64: u32 = 0x405c;
/// Packets received, 65 to 127 bytes.
pub const PRC127: u32 = 0x4060;
/// Packets received, 128 to 255 bytes.
pub const PRC255: u32 = 0x4064;
/// Packets received, 256 to 511 bytes.
pub const PRC511: u32 = 0x4068;
/// Packets received, 512 to 1023 bytes.
pub const PRC1023: u32 = 0x406c;
/// Packets received, 1024 bytes and more.
pub const PRC1522: u32 = 0x4070;
/// Good packets received.
pub const GPRC: u32 = 0x4074;
/// Broadcast packets received.
pub const BPRC: u32 = 0x4078;
/// Multicast packets received.
pub const MPRC: u32 = 0x407c;
/// Good packets sent.
pub const GPTC: u32 = 0x4080;
/// Good octets received, low word of a pair: read before the high word.
pub const GORCL: u32 = 0x4088;
/// Good octets received, high word: reading it clears the pair.
pub const GORCH: u32 = 0x408c;
/// Good octets sent, low word of a pair: read before the high word.
pub const GOTCL: u32 = 0x4090;
/// Good octets sent, high word: reading it clears the pair.
pub const GOTCH: u32 = 0x4094;
/// Packets received without a buffer.
pub const RNBC: u32 = 0x40a0;
/// Undersize packets received.
pub const RUC: u32 = 0x40a4;
/// Fragments received.
pub const RFC: u32 = 0x40a8;
/// Oversize packets received.
pub const ROC: u32 = 0x40ac;
/// Jabbers received.
pub const RJC: u32 = 0x40b0;
/// Management packets received.
pub const MGTPRC: u32 = 0x40b4;
/// Management packets dropped.
pub const MGTPDC: u32 = 0x40b8;
/// Management packets sent.
pub const MGTPTC: u32 = 0x40bc;
/// Total octets received, low word of a pair: read before the high word.
pub const TORL: u32 = 0x40c0;
/// Total octets received, high word: reading it clears the pair.
pub const TORH: u32 = 0x40c4;
/// Total octets sent, low word of a pair: read before the high word.
pub const TOTL: u32 = 0x40c8;
/// Total octets sent, high word: reading it clears the pair.
pub const TOTH: u32 = 0x40cc;
/// Total packets received.
pub const TPR: u32 = 0x40d0;
/// Total packets sent.
pub const TPT: u32 = 0x40d4;
/// Packets sent, 64 bytes.
pub const PTC64: u32 = 0x40d8;
/// Packets sent, 65 to 127 bytes.
pub const PTC127: u32 = 0x40dc;
/// Packets sent, 128 to 255 bytes.
pub const PTC255: u32 = 0x40e0;
/// Packets sent, 256 to 511 bytes.
pub const PTC511: u32 = 0x40e4;
/// Packets sent, 512 to 1023 bytes.
pub const PTC1023: u32 = 0x40e8;
/// Packets sent, 1024 bytes and more.
pub const PTC1522: u32 = 0x40ec;
/// Multicast packets sent.
pub const MPTC: u32 = 0x40f0;
/// Broadcast packets sent.
pub const BPTC: u32 = 0x40f4;
/// TCP segmentation contexts sent.
pub const TSCTC: u32 = 0x40f8;
/// Interrupts asserted.
pub const IAC: u32 = 0x4100;
/// Receiver overrun interrupts.
pub const ICRXOC: u32 = 0x4124;
/// Length errors.
pub const LENERRS: u32 = 0x4138;

/// Good packets received of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgprc(pool: usize) -> u32 {
    array(0x10010, 0x100, pool)
}

/// Good packets sent of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgptc(pool: usize) -> u32 {
    array(0x10014, 0x100, pool)
}

/// Good octets received of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgorc(pool: usize) -> u32 {
    array(0x10018, 0x100, pool)
}

/// Good octets sent of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgotc(pool: usize) -> u32 {
    array(0x10034, 0x100, pool)
}

/// Multicast packets received of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfmprc(pool: usize) -> u32 {
    array(0x1003c, 0x100, pool)
}

/// Good packets received from other pools of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgprlbc(pool: usize) -> u32 {
    array(0x10040, 0x100, pool)
}

/// Good packets sent to other pools of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgptlbc(pool: usize) -> u32 {
    array(0x10044, 0x100, pool)
}

/// Good octets received from other pools of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgorlbc(pool: usize) -> u32 {
    array(0x10048, 0x100, pool)
}

/// Good octets sent to other pools of pool 0..=7: 32 bits, wrapping.
#[must_use]
pub const fn pvfgotlbc(pool: usize) -> u32 {
    array(0x10050, 0x100, pool)
}
