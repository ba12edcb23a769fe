// SPDX-License-Identifier: GPL-2.0

//! Receive and transmit units, their descriptor queues and packet buffers.

use super::array;

/// Receive Control.
pub const RCTL: u32 = 0x0100;
/// Transmit Control.
pub const TCTL: u32 = 0x0400;
/// Extended Transmit Control.
pub const TCTL_EXT: u32 = 0x0404;
/// Transmit inter-packet gap.
pub const TIPG: u32 = 0x0410;
/// Receive packet buffer size.
pub const RXPBS: u32 = 0x2404;
/// Queue Drop Enable, one bit per queue.
pub const QDE: u32 = 0x2408;
/// Transmit packet buffer size.
pub const TXPBS: u32 = 0x3404;
/// DMA Tx Control.
pub const DTXCTL: u32 = 0x3590;
/// Tx descriptor plane queue select: picks the queue `RTTBCNRC` acts on.
pub const RTTDQSEL: u32 = 0x3604;
/// Tx rate scheduler memory window.
pub const RTTBCNRM: u32 = 0x3690;
/// Tx rate scheduler configuration of the selected queue.
pub const RTTBCNRC: u32 = 0x36b0;
/// Receive checksum control.
pub const RXCSUM: u32 = 0x5000;
/// Receive long packet maximum length, bytes including FCS.
pub const RLPML: u32 = 0x5004;
/// Receive filter control.
pub const RFCTL: u32 = 0x5008;
/// DCA control.
pub const DCA_CTRL: u32 = 0x5b74;

/// Receive descriptor base address, low, of queue 0..=15.
#[must_use]
pub const fn rdbal(queue: usize) -> u32 {
    array(0xc000, 0x40, queue)
}

/// Receive descriptor base address, high, of queue 0..=15.
#[must_use]
pub const fn rdbah(queue: usize) -> u32 {
    array(0xc004, 0x40, queue)
}

/// Receive descriptor ring length in bytes, of queue 0..=15; a multiple of 128.
#[must_use]
pub const fn rdlen(queue: usize) -> u32 {
    array(0xc008, 0x40, queue)
}

/// Split receive control of queue 0..=15.
#[must_use]
pub const fn srrctl(queue: usize) -> u32 {
    array(0xc00c, 0x40, queue)
}

/// Receive descriptor head of queue 0..=15.
#[must_use]
pub const fn rdh(queue: usize) -> u32 {
    array(0xc010, 0x40, queue)
}

/// Receive DCA control of queue 0..=15.
#[must_use]
pub const fn rxctl(queue: usize) -> u32 {
    array(0xc014, 0x40, queue)
}

/// Receive descriptor tail of queue 0..=15.
#[must_use]
pub const fn rdt(queue: usize) -> u32 {
    array(0xc018, 0x40, queue)
}

/// Receive descriptor control of queue 0..=15.
#[must_use]
pub const fn rxdctl(queue: usize) -> u32 {
    array(0xc028, 0x40, queue)
}

/// Receive queue drop packet count of queue 0..=15, R/C.
#[must_use]
pub const fn rqdpc(queue: usize) -> u32 {
    array(0xc030, 0x40, queue)
}

/// Transmit descriptor base address, low, of queue 0..=15.
#[must_use]
pub const fn tdbal(queue: usize) -> u32 {
    array(0xe000, 0x40, queue)
}

/// Transmit descriptor base address, high, of queue 0..=15.
#[must_use]
pub const fn tdbah(queue: usize) -> u32 {
    array(0xe004, 0x40, queue)
}

/// Transmit descriptor ring length in bytes, of queue 0..=15; a multiple of 128.
#[must_use]
pub const fn tdlen(queue: usize) -> u32 {
    array(0xe008, 0x40, queue)
}

/// Transmit descriptor head of queue 0..=15.
#[must_use]
pub const fn tdh(queue: usize) -> u32 {
    array(0xe010, 0x40, queue)
}

/// Transmit DCA control of queue 0..=15.
#[must_use]
pub const fn txctl(queue: usize) -> u32 {
    array(0xe014, 0x40, queue)
}

/// Transmit descriptor tail of queue 0..=15.
#[must_use]
pub const fn tdt(queue: usize) -> u32 {
    array(0xe018, 0x40, queue)
}

/// Transmit descriptor control of queue 0..=15.
#[must_use]
pub const fn txdctl(queue: usize) -> u32 {
    array(0xe028, 0x40, queue)
}

/// Transmit head write-back address, low, of queue 0..=15.
#[must_use]
pub const fn tdwbal(queue: usize) -> u32 {
    array(0xe038, 0x40, queue)
}

/// Transmit head write-back address, high, of queue 0..=15.
#[must_use]
pub const fn tdwbah(queue: usize) -> u32 {
    array(0xe03c, 0x40, queue)
}

/// Bits of [`RCTL`].
pub mod rctl {
    use super::super::bit;

    /// Receiver enable.
    pub const EN: u32 = bit(1);
    /// Store bad packets.
    pub const SBP: u32 = bit(2);
    /// Unicast promiscuous (only when pools are not in use).
    pub const UPE: u32 = bit(3);
    /// Multicast promiscuous (only when pools are not in use).
    pub const MPE: u32 = bit(4);
    /// Long packets: the limit is `RLPML` instead of 1522 bytes.
    pub const LPE: u32 = bit(5);
    /// MAC loopback.
    pub const LBM_MAC: u32 = bit(6);
    /// Loopback field.
    pub const LBM_MASK: u32 = bit(6) | bit(7);
    /// Accept broadcast (only when pools are not in use).
    pub const BAM: u32 = bit(15);
    /// VLAN filter: drop tagged frames whose `VFTA` bit is clear.
    pub const VFE: u32 = bit(18);
    /// Discard pause frames.
    pub const DPF: u32 = bit(22);
    /// Pass MAC control frames.
    pub const PMCF: u32 = bit(23);
    /// Strip the FCS before writing the frame to memory.
    pub const SECRC: u32 = bit(26);
}

/// Bits of [`TCTL`].
pub mod tctl {
    use super::super::bit;

    /// Transmitter enable.
    pub const EN: u32 = bit(1);
    /// Pad short packets to 64 bytes.
    pub const PSP: u32 = bit(3);
    /// Retransmit on late collision.
    pub const RTLC: u32 = bit(24);
    /// Collision threshold field.
    pub const CT_MASK: u32 = 0x0000_0ff0;

    /// Number of retries before a packet is given up (half duplex); the standard's value is 15.
    #[must_use]
    pub const fn collision_threshold(retries: u32) -> u32 {
        (retries & 0xff) << 4
    }
}

/// Fields of [`TIPG`].
pub mod tipg {
    /// IEEE 802.3 gaps: IPGT 8, IPGR1 8, IPGR2 6.
    pub const DEFAULT: u32 = 8 | (8 << 10) | (6 << 20);
}

/// Fields of [`srrctl()`].
pub mod srrctl {
    use super::super::bit;

    /// Advanced descriptors, one buffer per descriptor.
    pub const DESCTYPE_ADV_ONEBUF: u32 = bit(25);
    /// Advanced descriptors, header always in its own buffer.
    pub const DESCTYPE_HDR_SPLIT_ALWAYS: u32 = bit(25) | bit(27);
    /// Put a time stamp in front of the packet.
    pub const TIMESTAMP: u32 = bit(30);
    /// Drop a frame when no descriptor is free instead of blocking the packet buffer.
    pub const DROP_EN: u32 = bit(31);

    /// Packet buffer size in bytes, a multiple of 1024 up to 127 KiB.
    #[must_use]
    pub const fn packet_buffer(bytes: u32) -> u32 {
        (bytes >> 10) & 0x7f
    }

    /// Header buffer size in bytes, a multiple of 64 up to 960.
    #[must_use]
    pub const fn header_buffer(bytes: u32) -> u32 {
        ((bytes >> 6) & 0xf) << 8
    }

    /// Free-descriptor threshold of the RXDMT0 cause, in units of 16 descriptors.
    #[must_use]
    pub const fn free_threshold(descriptors: u32) -> u32 {
        ((descriptors >> 4) & 0x1f) << 20
    }
}

/// Fields common to [`rxdctl()`] and [`txdctl()`].
pub mod xdctl {
    use super::super::bit;

    /// Queue enable. Poll it after a change: hardware takes up to a few microseconds.
    pub const ENABLE: u32 = bit(25);
    /// Receive queue after power-on: disabled, each descriptor is written back at once.
    pub const RX_DEFAULT: u32 = bit(16);
    /// Transmit queue after power-on: disabled.
    pub const TX_DEFAULT: u32 = 0;

    /// Prefetch, host and write-back thresholds in descriptors, 0..=31 each.
    #[must_use]
    pub const fn thresholds(prefetch: u32, host: u32, write_back: u32) -> u32 {
        (prefetch & 0x1f) | ((host & 0x1f) << 8) | ((write_back & 0x1f) << 16)
    }
}

/// Values of [`rxctl()`].
pub mod rxctl {
    use super::super::bit;

    /// After power-on: reads of descriptors and writes of data and headers may be reordered.
    pub const DEFAULT: u32 = bit(9) | bit(13) | bit(15);
}

/// Values of [`txctl()`].
pub mod txctl {
    use super::super::bit;

    /// After power-on: reads of descriptors and data, and descriptor write-back, may be reordered.
    pub const DEFAULT: u32 = bit(9) | bit(11) | bit(13);
}

/// Fields of [`tdwbal()`].
pub mod tdwbal {
    use super::super::bit;

    /// Write the head index to memory instead of DD into descriptors.
    pub const HEAD_WB_EN: u32 = bit(0);
}

/// Bits of [`RXCSUM`].
pub mod rxcsum {
    use super::super::bit;

    /// Check IPv4 header checksums.
    pub const IPOFL: u32 = bit(8);
    /// Check TCP and UDP checksums.
    pub const TUOFL: u32 = bit(9);
    /// Check the SCTP CRC.
    pub const CRCOFL: u32 = bit(11);
    /// The descriptor carries the RSS hash, not the packet checksum.
    pub const PCSD: u32 = bit(13);
}

/// Bits of [`RFCTL`].
pub mod rfctl {
    use super::super::bit;

    /// Do not parse IPv6 extension headers.
    pub const IPV6_EX_DIS: u32 = bit(16);
    /// Accept frames with length errors.
    pub const LEF: u32 = bit(18);
}

/// Values of [`RXPBS`] and [`TXPBS`], in KiB.
pub mod pbs {
    /// Size field.
    pub const SIZE_MASK: u32 = 0x7f;
    /// Reset value of `RXPBS`: 64 KiB.
    pub const RX_DEFAULT: u32 = 64;
    /// Reset value of `TXPBS`: 40 KiB.
    pub const TX_DEFAULT: u32 = 40;
}

/// Values of [`QDE`].
pub mod qde {
    /// All 16 queues drop instead of blocking the others.
    pub const ALL_QUEUES: u32 = 0xffff;
}

/// Bits of [`DTXCTL`].
pub mod dtxctl {
    use super::super::bit;

    /// 802.3 link layer length handling.
    pub const ENABLE_8023LL: u32 = bit(2);
    /// Tell the switch that software or `VMVIR` has added the VLAN tag.
    pub const VLAN_ADDED: u32 = bit(3);
    /// Raise `ICR.DOUTSYNC` when the DMA is out of sync.
    pub const OOS_ENABLE: u32 = bit(4);
    /// Stop malicious queues.
    pub const MDP_EN: u32 = bit(5);
    /// Raise `ICR.DOUTSYNC` when a frame fails the anti-spoof check.
    pub const SPOOF_INT: u32 = bit(6);
}

/// Fields of [`RTTBCNRC`] and [`RTTBCNRM`].
pub mod rttbcnrc {
    use super::super::bit;

    /// Rate scheduler enable.
    pub const RS_ENA: u32 = bit(31);
    /// Number of fraction bits of the rate factor.
    pub const FRACTION_BITS: u32 = 14;
    /// Largest rate factor: 14 integer and 14 fraction bits.
    pub const FACTOR_MAX: u32 = (1 << 28) - 1;
    /// `RTTBCNRM` value that lets the scheduler compensate 9728-byte frames.
    pub const MMW_SIZE_JUMBO: u32 = 0x14;

    /// Enables the scheduler with `factor`, link speed / rate in 14.14 fixed point.
    #[must_use]
    pub const fn factor(factor: u32) -> u32 {
        RS_ENA | (factor & FACTOR_MAX)
    }
}
