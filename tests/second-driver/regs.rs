// SPDX-License-Identifier: GPL-2.0

//! Registers and descriptors (datasheet 10, 7.1 and 7.2) as far as the driver uses them.

#![allow(missing_docs)] // Names are those of the datasheet.

/// Bytes of BAR 0.
pub(crate) const BAR_SIZE: usize = 0x2_0000;

pub(crate) const CTRL: u32 = 0x0000;
pub(crate) const STATUS: u32 = 0x0008;
pub(crate) const CTRL_EXT: u32 = 0x0018;
pub(crate) const EECD: u32 = 0x0010;
pub(crate) const ICR: u32 = 0x00c0;
pub(crate) const ICS: u32 = 0x00c8;
pub(crate) const IMS: u32 = 0x00d0;
pub(crate) const IMC: u32 = 0x00d8;
pub(crate) const EIAC: u32 = 0x00dc;
pub(crate) const IAM: u32 = 0x00e0;
pub(crate) const IVAR: u32 = 0x00e4;
pub(crate) const RCTL: u32 = 0x0100;
pub(crate) const TCTL: u32 = 0x0400;
pub(crate) const TIPG: u32 = 0x0410;
pub(crate) const TXDCTL: u32 = 0x3828;
pub(crate) const RXCSUM: u32 = 0x5000;
pub(crate) const RFCTL: u32 = 0x5008;

/// The registers of a ring.
pub(crate) struct Ring {
    /// Where it starts, low half and high half.
    pub(crate) bal: u32,
    pub(crate) bah: u32,
    /// Its bytes.
    pub(crate) len: u32,
    /// The descriptor the controller looks at next.
    pub(crate) head: u32,
    /// The one behind those the driver has filled in.
    pub(crate) tail: u32,
}

impl Ring {
    const fn at(base: u32) -> Self {
        Self {
            bal: base,
            bah: base + 0x04,
            len: base + 0x08,
            head: base + 0x10,
            tail: base + 0x18,
        }
    }
}

pub(crate) const RX: Ring = Ring::at(0x2800);
pub(crate) const TX: Ring = Ring::at(0x3800);

/// Multicast hash table, 128 registers.
pub(crate) const fn mta(n: u32) -> u32 {
    0x5200 + 4 * n
}

/// Receive address `n`, 16 of them: bytes 0 to 3.
pub(crate) const fn ral(n: u32) -> u32 {
    0x5400 + 8 * n
}

/// Bytes 4 and 5, and whether the entry counts.
pub(crate) const fn rah(n: u32) -> u32 {
    0x5404 + 8 * n
}

/// Counters. Reading one clears it; of a pair, reading the upper half.
pub(crate) mod stats {
    pub(crate) const CRCERRS: u32 = 0x4000;
    pub(crate) const MPC: u32 = 0x4010;
    pub(crate) const GPRC: u32 = 0x4074;
    pub(crate) const BPRC: u32 = 0x4078;
    pub(crate) const MPRC: u32 = 0x407c;
    pub(crate) const GPTC: u32 = 0x4080;
    pub(crate) const GORCL: u32 = 0x4088;
    pub(crate) const GORCH: u32 = 0x408c;
    pub(crate) const GOTCL: u32 = 0x4090;
    pub(crate) const GOTCH: u32 = 0x4094;
}

pub(crate) mod ctrl {
    pub(crate) const GIO_MASTER_DISABLE: u32 = 1 << 2;
    /// The link may come up.
    pub(crate) const SLU: u32 = 1 << 6;
    pub(crate) const FRCSPD: u32 = 1 << 11;
    pub(crate) const FRCDPX: u32 = 1 << 12;
    pub(crate) const RST: u32 = 1 << 26;
}

pub(crate) mod status {
    pub(crate) const FD: u32 = 1 << 0;
    pub(crate) const LU: u32 = 1 << 1;
    pub(crate) const GIO_MASTER_ENABLE: u32 = 1 << 19;

    /// Mb/s.
    pub(crate) const fn speed(value: u32) -> u32 {
        match value >> 6 & 3 {
            0 => 10,
            1 => 100,
            _ => 1000,
        }
    }
}

pub(crate) mod ctrl_ext {
    /// A cause that is unmasked loses the pending bit of its vector.
    pub(crate) const PBA_CLR: u32 = 1 << 31;
    pub(crate) const EIAME: u32 = 1 << 24;
    pub(crate) const DRV_LOAD: u32 = 1 << 28;
}

pub(crate) mod eecd {
    /// The NVM has been read into the registers.
    pub(crate) const AUTO_RD: u32 = 1 << 9;
}

/// Causes of interrupts.
pub(crate) mod cause {
    pub(crate) const LSC: u32 = 1 << 2;
    pub(crate) const RXQ0: u32 = 1 << 20;
    pub(crate) const TXQ0: u32 = 1 << 22;
    pub(crate) const OTHER: u32 = 1 << 24;
}

/// Which vector a cause has.
pub(crate) mod ivar {
    const VALID: u32 = 8;

    pub(crate) const fn rxq0(vector: u32) -> u32 {
        vector | VALID
    }
    pub(crate) const fn txq0(vector: u32) -> u32 {
        (vector | VALID) << 8
    }
    pub(crate) const fn other(vector: u32) -> u32 {
        (vector | VALID) << 16
    }
}

pub(crate) mod rctl {
    pub(crate) const EN: u32 = 1 << 1;
    /// All unicast frames.
    pub(crate) const UPE: u32 = 1 << 3;
    /// All multicast frames.
    pub(crate) const MPE: u32 = 1 << 4;
    /// Broadcasts.
    pub(crate) const BAM: u32 = 1 << 15;
    /// The FCS is not stored. (Buffers are of 2048 bytes with BSIZE and FLXBUF 0.)
    pub(crate) const SECRC: u32 = 1 << 26;
}

pub(crate) mod tctl {
    pub(crate) const EN: u32 = 1 << 1;
    /// Short frames are padded.
    pub(crate) const PSP: u32 = 1 << 3;
    pub(crate) const RTLC: u32 = 1 << 24;

    pub(crate) const fn collisions(threshold: u32, distance: u32) -> u32 {
        threshold << 4 | distance << 12
    }
}

pub(crate) mod txdctl {
    /// Thresholds count descriptors, and each descriptor is written back at once.
    pub(crate) const EACH: u32 = 1 << 24 | 1 << 16;
    /// Has to be set, as Linux's e1000e says (E1000_TXDCTL_COUNT_DESC).
    pub(crate) const RESERVED: u32 = 1 << 22;
}

pub(crate) mod rfctl {
    /// No interrupts for TCP acknowledgements: with MSI-X, Linux's e1000e says, they are spurious.
    pub(crate) const ACK_DIS: u32 = 1 << 12;
    /// Extended receive descriptors.
    pub(crate) const EXTEN: u32 = 1 << 15;
}

pub(crate) mod rxcsum {
    /// Checksums of TCP and UDP are verified.
    pub(crate) const TUOFL: u32 = 1 << 9;
}

pub(crate) mod rah_bits {
    pub(crate) const AV: u32 = 1 << 31;
}

/// A descriptor as it stands in memory: two little-endian words.
pub(crate) type Words = [u64; 2];

/// Transmit descriptors (datasheet 7.2).
pub(crate) mod tx_desc {
    use super::Words;
    use net::skb::{
        L4Proto,
        TxOffload, //
    };

    /// Longest piece of data the driver puts behind one descriptor, which could take 64 KiB.
    pub(crate) const MAX_DATA: u32 = 4096;

    const EOP: u64 = 1 << 24;
    const IFCS: u64 = 1 << 25;
    const RS: u64 = 1 << 27;
    const DEXT: u64 = 1 << 29;
    const TYPE_DATA: u64 = 1 << 20;
    const DD: u64 = 1 << 32;
    const TXSM: u64 = 1 << 41;
    /// In a context: the packet is TCP.
    const TCP: u64 = 1 << 24;

    /// `len` bytes at `addr`; `checksum`: the one of the context is to be filled in.
    pub(crate) fn data(addr: u64, len: u32, checksum: bool, last: bool, report: bool) -> Words {
        let mut word = u64::from(len) | DEXT | TYPE_DATA | IFCS;
        for (flag, set) in [(TXSM, checksum), (EOP, last), (RS, report)] {
            if set {
                word |= flag;
            }
        }
        [addr.to_le(), word.to_le()]
    }

    /// The same descriptor, to be reported.
    pub(crate) fn reported([addr, word]: Words) -> Words {
        [addr, word | RS.to_le()]
    }

    /// The controller is done with the descriptor whose second word this is.
    pub(crate) fn is_done(word: u64) -> bool {
        word & DD.to_le() != 0
    }

    /// Where the checksum starts, and where it belongs: for all packets until the next context.
    /// `None` for a protocol without the kind of checksum this is.
    pub(crate) fn context(offload: &TxOffload) -> Option<Words> {
        let start = u64::from(offload.mac_len).wrapping_add(offload.ip_len.into());
        let (offset, flags) = match offload.l4 {
            L4Proto::Tcp => (16, TCP),
            L4Proto::Udp => (6, 0),
            L4Proto::Sctp => return None,
        };
        let field = start.wrapping_add(offset);
        if field > u8::MAX.into() {
            return None;
        }
        let words: Words = [start << 32 | field << 40, DEXT | flags];
        Some(words.map(u64::to_le))
    }
}

/// Extended receive descriptors (datasheet 7.1).
pub(crate) mod rx_desc {
    use super::Words;

    const DD: u64 = 1 << 0;
    const EOP: u64 = 1 << 1;
    const IXSM: u64 = 1 << 2;
    const TCPCS: u64 = 1 << 5;
    const ERR_TCPE: u64 = 1 << 29;
    const ERR_RX: u64 = 1 << 31 | 1 << 28 | 1 << 26 | 1 << 25 | 1 << 24;

    /// Offers the buffer at `addr`.
    pub(crate) fn offer(addr: u64) -> Words {
        [addr.to_le(), 0]
    }

    /// The second word of a descriptor that was written back.
    #[derive(Clone, Copy)]
    pub(crate) struct Status(u64);

    impl Status {
        pub(crate) fn from_le(word: u64) -> Self {
            Self(u64::from_le(word))
        }

        pub(crate) fn is_done(self) -> bool {
            self.0 & DD != 0
        }

        /// A frame that is in this buffer as a whole, and arrived well.
        pub(crate) fn is_good_frame(self) -> bool {
            self.0 & EOP != 0 && self.0 & ERR_RX == 0 && self.len() != 0
        }

        /// Bytes in the buffer.
        pub(crate) fn len(self) -> u32 {
            // CAST: 16 bits.
            (self.0 >> 32 & 0xffff) as u32
        }

        /// The controller verified the checksum of TCP or UDP.
        pub(crate) fn checksum_good(self) -> bool {
            self.0 & (IXSM | TCPCS | ERR_TCPE) == TCPCS
        }
    }
}
