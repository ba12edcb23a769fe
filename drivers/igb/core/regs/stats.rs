// SPDX-License-Identifier: GPL-2.0

//! Statistics registers.
//!
//! The port's counters are R/C and stick at their maximum; the per-pool counters at the end wrap and
//! are not cleared by a read.

registers! {
    /// CRC errors.
    CRCERRS @ 0x4000: Rc<u32> = 0;
    /// Alignment errors.
    ALGNERRC @ 0x4004: Rc<u32> = 0;
    /// Symbol errors.
    SYMERRS @ 0x4008: Rc<u32> = 0;
    /// Receive errors.
    RXERRC @ 0x400c: Rc<u32> = 0;
    /// Packets missed for lack of packet buffer space.
    MPC @ 0x4010: Rc<u32> = 0;
    /// Single collisions.
    SCC @ 0x4014: Rc<u32> = 0;
    /// Excessive collisions.
    ECOL @ 0x4018: Rc<u32> = 0;
    /// Multiple collisions.
    MCC @ 0x401c: Rc<u32> = 0;
    /// Late collisions.
    LATECOL @ 0x4020: Rc<u32> = 0;
    /// Collisions.
    COLC @ 0x4028: Rc<u32> = 0;
    /// Deferred transmissions.
    DC @ 0x4030: Rc<u32> = 0;
    /// Transmissions without carrier sense.
    TNCRS @ 0x4034: Rc<u32> = 0;
    /// Receive length errors.
    RLEC @ 0x4040: Rc<u32> = 0;
    /// XON frames received.
    XONRXC @ 0x4048: Rc<u32> = 0;
    /// XON frames sent.
    XONTXC @ 0x404c: Rc<u32> = 0;
    /// XOFF frames received.
    XOFFRXC @ 0x4050: Rc<u32> = 0;
    /// XOFF frames sent.
    XOFFTXC @ 0x4054: Rc<u32> = 0;
    /// Packets received, 64 bytes.
    PRC64 @ 0x405c: Rc<u32> = 0;
    /// Packets received, 65 to 127 bytes.
    PRC127 @ 0x4060: Rc<u32> = 0;
    /// Packets received, 128 to 255 bytes.
    PRC255 @ 0x4064: Rc<u32> = 0;
    /// Packets received, 256 to 511 bytes.
    PRC511 @ 0x4068: Rc<u32> = 0;
    /// Packets received, 512 to 1023 bytes.
    PRC1023 @ 0x406c: Rc<u32> = 0;
    /// Packets received, 1024 bytes and more.
    PRC1522 @ 0x4070: Rc<u32> = 0;
    /// Good packets received.
    GPRC @ 0x4074: Rc<u32> = 0;
    /// Broadcast packets received.
    BPRC @ 0x4078: Rc<u32> = 0;
    /// Multicast packets received.
    MPRC @ 0x407c: Rc<u32> = 0;
    /// Good packets sent.
    GPTC @ 0x4080: Rc<u32> = 0;
    /// Good octets received, low word of a pair: read before the high word.
    GORCL @ 0x4088: Ro<u32> = 0;
    /// Good octets received, high word: reading it clears the pair.
    GORCH @ 0x408c: Rc<u32> = 0;
    /// Good octets sent, low word of a pair: read before the high word.
    GOTCL @ 0x4090: Ro<u32> = 0;
    /// Good octets sent, high word: reading it clears the pair.
    GOTCH @ 0x4094: Rc<u32> = 0;
    /// Packets that came when no descriptor was free; not all are lost.
    RNBC @ 0x40a0: Rc<u32> = 0;
    /// Undersize packets received.
    RUC @ 0x40a4: Rc<u32> = 0;
    /// Fragments received.
    RFC @ 0x40a8: Rc<u32> = 0;
    /// Oversize packets received.
    ROC @ 0x40ac: Rc<u32> = 0;
    /// Jabbers received.
    RJC @ 0x40b0: Rc<u32> = 0;
    /// Packets sent, 64 bytes.
    PTC64 @ 0x40d8: Rc<u32> = 0;
    /// Packets sent, 65 to 127 bytes.
    PTC127 @ 0x40dc: Rc<u32> = 0;
    /// Packets sent, 128 to 255 bytes.
    PTC255 @ 0x40e0: Rc<u32> = 0;
    /// Packets sent, 256 to 511 bytes.
    PTC511 @ 0x40e4: Rc<u32> = 0;
    /// Packets sent, 512 to 1023 bytes.
    PTC1023 @ 0x40e8: Rc<u32> = 0;
    /// Packets sent, 1024 bytes and more.
    PTC1522 @ 0x40ec: Rc<u32> = 0;
    /// Multicast packets sent.
    MPTC @ 0x40f0: Rc<u32> = 0;
    /// Broadcast packets sent.
    BPTC @ 0x40f4: Rc<u32> = 0;
    /// TCP segmentation contexts sent.
    TSCTC @ 0x40f8: Rc<u32> = 0;
    /// Packets queue 0..=15 had no descriptor for, dropped: 12 bits.
    rqdpc[0..16 @ 0xc030, 0x40]: Rc<u32> = 0;
    /// Good packets received of pool 0..=7: 32 bits, wrapping.
    pvfgprc[0..8 @ 0x1_0010, 0x100]: Ro<u32> = 0;
    /// Good packets sent of pool 0..=7: 32 bits, wrapping.
    pvfgptc[0..8 @ 0x1_0014, 0x100]: Ro<u32> = 0;
    /// Good octets received of pool 0..=7: 32 bits, wrapping.
    pvfgorc[0..8 @ 0x1_0018, 0x100]: Ro<u32> = 0;
    /// Good octets sent of pool 0..=7: 32 bits, wrapping.
    pvfgotc[0..8 @ 0x1_0034, 0x100]: Ro<u32> = 0;
    /// Multicast packets received of pool 0..=7: 32 bits, wrapping.
    pvfmprc[0..8 @ 0x1_003c, 0x100]: Ro<u32> = 0;
    /// Good packets received from other pools of pool 0..=7: 32 bits, wrapping.
    pvfgprlbc[0..8 @ 0x1_0040, 0x100]: Ro<u32> = 0;
    /// Good packets sent to other pools of pool 0..=7: 32 bits, wrapping.
    pvfgptlbc[0..8 @ 0x1_0044, 0x100]: Ro<u32> = 0;
    /// Good octets received from other pools of pool 0..=7: 32 bits, wrapping.
    pvfgorlbc[0..8 @ 0x1_0048, 0x100]: Ro<u32> = 0;
    /// Good octets sent to other pools of pool 0..=7: 32 bits, wrapping.
    pvfgotlbc[0..8 @ 0x1_0050, 0x100]: Ro<u32> = 0;
}
