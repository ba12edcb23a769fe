// SPDX-License-Identifier: GPL-2.0

//! Receive and transmit units, their descriptor queues and packet buffers.

use super::bit;

/// Each descriptor is written back at once. QEMU's model also has queue 0 enabled.
const RXDCTL_RESET: u32 = bit(16);
/// QEMU's model has queue 0 enabled.
const TXDCTL_RESET: u32 = 0;
/// Reads of descriptors, and writes of data and of headers may be reordered.
const RXCTL_RESET: u32 = bit(9) | bit(13) | bit(15);
/// Reads of descriptors and of data, and descriptor write-back, may be reordered.
const TXCTL_RESET: u32 = bit(9) | bit(11) | bit(13);

registers! {
    /// Receive Control.
    RCTL @ 0x0100: Rw<rctl::Rctl> = 0, dumped;
    /// Transmit Control.
    TCTL @ 0x0400: Rw<tctl::Tctl> = 0xa404_00f8, dumped;
    /// Extended Transmit Control.
    TCTL_EXT @ 0x0404: Rw<u32> = 0x0001_0840, dumped;
    /// Transmit inter-packet gap.
    TIPG @ 0x0410: Rw<tipg::Tipg> = 0x0060_1008, dumped;
    /// Receive packet buffer size.
    RXPBS @ 0x2404: Rw<pbs::Pbs> = 64, dumped;
    /// Queue Drop Enable, one bit per queue.
    QDE @ 0x2408: Rw<qde::Qde> = 0, dumped;
    /// Transmit packet buffer size.
    TXPBS @ 0x3404: Rw<pbs::Pbs> = 40, dumped;
    /// DMA Tx Control.
    DTXCTL @ 0x3590: Rw<dtxctl::Dtxctl> = 0x44, dumped;
    /// Tx descriptor plane queue select: picks the queue `RTTBCNRC` acts on.
    RTTDQSEL @ 0x3604: Rw<u32> = 0;
    /// Tx rate scheduler memory window.
    RTTBCNRM @ 0x3690: Rw<rttbcnrm::Rttbcnrm> = 0;
    /// Tx rate scheduler configuration of the selected queue.
    RTTBCNRC @ 0x36b0: Rw<rttbcnrc::Rttbcnrc> = 0;
    /// Receive checksum control.
    RXCSUM @ 0x5000: Rw<rxcsum::Rxcsum> = 0x300, dumped;
    /// Receive long packet maximum length, bytes including FCS.
    RLPML @ 0x5004: Rw<u32> = 0x2600, dumped;
    /// Receive filter control.
    RFCTL @ 0x5008: Rw<rfctl::Rfctl> = 0, dumped;
    /// Receive descriptor base address, low, of queue 0..=15.
    rdbal[0..16 @ 0xc000, 0x40]: Rw<u32> = 0, dumped;
    /// Receive descriptor base address, high, of queue 0..=15.
    rdbah[0..16 @ 0xc004, 0x40]: Rw<u32> = 0, dumped;
    /// Receive descriptor ring length in bytes, of queue 0..=15; a multiple of 128.
    rdlen[0..16 @ 0xc008, 0x40]: Rw<u32> = 0, dumped;
    /// Split receive control of queue 0..=15.
    srrctl[0..16 @ 0xc00c, 0x40]: Rw<srrctl::Srrctl> = 0, dumped;
    /// Receive descriptor head of queue 0..=15.
    rdh[0..16 @ 0xc010, 0x40]: Rw<u32> = 0, dumped;
    /// Receive DCA control of queue 0..=15.
    rxctl[0..16 @ 0xc014, 0x40]: Rw<rxctl::Rxctl> = RXCTL_RESET (qemu 0);
    /// Receive descriptor tail of queue 0..=15.
    rdt[0..16 @ 0xc018, 0x40]: Rw<u32> = 0, dumped;
    /// Receive descriptor control of queue 0..=15.
    rxdctl[0..16 @ 0xc028, 0x40]: Rw<xdctl::Xdctl> = RXDCTL_RESET, dumped;
    /// Transmit descriptor base address, low, of queue 0..=15.
    tdbal[0..16 @ 0xe000, 0x40]: Rw<u32> = 0;
    /// Transmit descriptor base address, high, of queue 0..=15.
    tdbah[0..16 @ 0xe004, 0x40]: Rw<u32> = 0;
    /// Transmit descriptor ring length in bytes, of queue 0..=15; a multiple of 128.
    tdlen[0..16 @ 0xe008, 0x40]: Rw<u32> = 0, dumped;
    /// Transmit descriptor head of queue 0..=15.
    tdh[0..16 @ 0xe010, 0x40]: Rw<u32> = 0, dumped;
    /// Transmit DCA control of queue 0..=15.
    txctl[0..16 @ 0xe014, 0x40]: Rw<txctl::Txctl> = TXCTL_RESET;
    /// Transmit descriptor tail of queue 0..=15.
    tdt[0..16 @ 0xe018, 0x40]: Rw<u32> = 0, dumped;
    /// Transmit descriptor control of queue 0..=15.
    txdctl[0..16 @ 0xe028, 0x40]: Rw<xdctl::Xdctl> = TXDCTL_RESET, dumped;
    /// Transmit head write-back address, low, of queue 0..=15.
    tdwbal[0..16 @ 0xe038, 0x40]: Rw<u32> = 0;
    /// Transmit head write-back address, high, of queue 0..=15.
    tdwbah[0..16 @ 0xe03c, 0x40]: Rw<u32> = 0;
}

/// Bits of [`RCTL`].
pub mod rctl {
    use super::super::bit;

    word!(Rctl);

    /// Receiver enable.
    pub const EN: Rctl = Rctl(bit(1));
    /// Store bad packets: of any length, and with errors of the MAC.
    pub const SBP: Rctl = Rctl(bit(2));
    /// Unicast promiscuous (only when pools are not in use).
    pub const UPE: Rctl = Rctl(bit(3));
    /// Multicast promiscuous (only when pools are not in use).
    pub const MPE: Rctl = Rctl(bit(4));
    /// Long packets: the limit is `RLPML` instead of 1522 bytes.
    pub const LPE: Rctl = Rctl(bit(5));
    /// Accept broadcast (only when pools are not in use).
    pub const BAM: Rctl = Rctl(bit(15));
    /// VLAN filter: drop tagged frames whose `VFTA` bit is clear.
    pub const VFE: Rctl = Rctl(bit(18));
    /// Pass MAC control frames on, PAUSE among them.
    pub const PMCF: Rctl = Rctl(bit(23));
    /// Strip the FCS before writing the frame to memory.
    pub const SECRC: Rctl = Rctl(bit(26));
}

/// Bits of [`RFCTL`].
pub mod rfctl {
    use super::super::bit;

    word!(Rfctl);

    /// The hash does not look behind extension headers of IPv6, where the 82576 goes wrong (its
    /// specification update; every driver sets it).
    pub const IPV6_EX_DIS: Rfctl = Rfctl(bit(16));
}

/// Bits of [`TCTL`].
pub mod tctl {
    use super::super::bit;

    word!(Tctl);

    /// Transmitter enable.
    pub const EN: Tctl = Tctl(bit(1));
    /// Pad short packets to 64 bytes.
    pub const PSP: Tctl = Tctl(bit(3));
    /// Retransmit on late collision.
    pub const RTLC: Tctl = Tctl(bit(24));

    /// Number of retries before a packet is given up (half duplex); the standard's value is 15.
    #[must_use]
    pub const fn collision_threshold(retries: u32) -> Tctl {
        Tctl((retries & 0xff) << 4)
    }
}

/// Fields of [`TIPG`].
pub mod tipg {
    word!(Tipg);

    /// IEEE 802.3 gaps: IPGT 8, IPGR1 8, IPGR2 6.
    pub const DEFAULT: Tipg = Tipg(8 | (8 << 10) | (6 << 20));
}

/// Fields of [`srrctl()`].
pub mod srrctl {
    use super::super::bit;

    word!(Srrctl);

    /// Advanced descriptors, one buffer per descriptor.
    pub const DESCTYPE_ADV_ONEBUF: Srrctl = Srrctl(bit(25));
    /// Drop a frame when no descriptor is free instead of blocking the packet buffer.
    pub const DROP_EN: Srrctl = Srrctl(bit(31));

    /// Packet buffer size in bytes, a multiple of 1024 up to 127 KiB.
    #[must_use]
    pub const fn packet_buffer(bytes: u32) -> Srrctl {
        Srrctl((bytes >> 10) & 0x7f)
    }
}

/// Fields common to [`rxdctl()`] and [`txdctl()`].
pub mod xdctl {
    use super::super::bit;

    word!(Xdctl);

    /// Queue enable. Poll it after a change: hardware takes up to a few microseconds.
    pub const ENABLE: Xdctl = Xdctl(bit(25));
    /// Receive queue after power-on: disabled, each descriptor is written back at once.
    pub const RX_DEFAULT: Xdctl = Xdctl(super::RXDCTL_RESET);
    /// Transmit queue after power-on: disabled.
    pub const TX_DEFAULT: Xdctl = Xdctl(super::TXDCTL_RESET);

    /// Prefetch, host and write-back thresholds in descriptors, 0..=31 each.
    #[must_use]
    pub const fn thresholds(prefetch: u32, host: u32, write_back: u32) -> Xdctl {
        Xdctl((prefetch & 0x1f) | ((host & 0x1f) << 8) | ((write_back & 0x1f) << 16))
    }
}

/// Values of [`rxctl()`].
pub mod rxctl {
    word!(Rxctl);

    /// After power-on: reads of descriptors and writes of data and headers may be reordered.
    pub const DEFAULT: Rxctl = Rxctl(super::RXCTL_RESET);
}

/// Values of [`txctl()`].
pub mod txctl {
    word!(Txctl);

    /// After power-on: reads of descriptors and data, and descriptor write-back, may be reordered.
    pub const DEFAULT: Txctl = Txctl(super::TXCTL_RESET);
}

/// Bits of [`RXCSUM`].
pub mod rxcsum {
    use super::super::bit;

    word!(Rxcsum);

    /// Check IPv4 header checksums.
    pub const IPOFL: Rxcsum = Rxcsum(bit(8));
    /// Check TCP and UDP checksums.
    pub const TUOFL: Rxcsum = Rxcsum(bit(9));
    /// Check the SCTP CRC.
    pub const CRCOFL: Rxcsum = Rxcsum(bit(11));
    /// The descriptor carries the RSS hash, not the packet checksum.
    pub const PCSD: Rxcsum = Rxcsum(bit(13));
}

/// Values of [`RXPBS`] and [`TXPBS`], in KiB.
pub mod pbs {
    word!(Pbs);

    /// The size.
    #[must_use]
    pub const fn kib(pbs: Pbs) -> u32 {
        pbs.0 & 0x7f
    }
}

/// Values of [`QDE`].
pub mod qde {
    word!(Qde);

    /// All 16 queues drop instead of blocking the others.
    pub const ALL_QUEUES: Qde = Qde(0xffff);
}

/// Bits of [`DTXCTL`].
pub mod dtxctl {
    use super::super::bit;

    word!(Dtxctl);

    /// 802.3 link layer length handling.
    pub const ENABLE_8023LL: Dtxctl = Dtxctl(bit(2));
    /// Tell the switch that software or `VMVIR` has added the VLAN tag.
    pub const VLAN_ADDED: Dtxctl = Dtxctl(bit(3));
    /// Stop a queue with descriptors that must not be, and raise `ICR.DOUTSYNC`.
    pub const MDP_EN: Dtxctl = Dtxctl(bit(5));
    /// Raise `ICR.DOUTSYNC` when a frame fails the anti-spoof check.
    pub const SPOOF_INT: Dtxctl = Dtxctl(bit(6));
}

/// Values of [`RTTBCNRM`].
pub mod rttbcnrm {
    word!(Rttbcnrm);

    /// Lets the scheduler compensate 9728-byte frames.
    pub const MMW_SIZE_JUMBO: Rttbcnrm = Rttbcnrm(0x14);
}

/// Fields of [`RTTBCNRC`].
pub mod rttbcnrc {
    use super::super::bit;

    word!(Rttbcnrc);

    /// Rate scheduler enable.
    const RS_ENA: Rttbcnrc = Rttbcnrc(bit(31));
    /// Number of fraction bits of the rate factor.
    pub const FRACTION_BITS: u32 = 14;
    /// Largest rate factor: 14 integer and 14 fraction bits.
    pub const FACTOR_MAX: u32 = (1 << 28) - 1;

    /// Enables the scheduler with `factor`, link speed / rate in 14.14 fixed point.
    #[must_use]
    pub const fn factor(factor: u32) -> Rttbcnrc {
        RS_ENA.or(Rttbcnrc(factor & FACTOR_MAX))
    }
}
