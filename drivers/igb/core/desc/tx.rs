// SPDX-License-Identifier: GPL-2.0

//! Transmit descriptors (datasheet 7.2.2).
//!
//! A frame is an optional *context* descriptor (what the offloads need to know)
//! followed by one *data* descriptor for each buffer. The controller keeps the
//! last context of a queue, so a context need not be repeated for the next frame
//! that wants the same one.

use super::DescWords;

/// Bits of dword 2 (DTYP and DCMD) common to data and context descriptors.
mod cmd {
    /// Take the time at which the frame leaves (2STMP).
    pub(super) const STAMP: u32 = 1 << 19;
    pub(super) const DTYP_CONTEXT: u32 = 0x2 << 20;
    pub(super) const DTYP_DATA: u32 = 0x3 << 20;
    /// End of packet.
    pub(super) const EOP: u32 = 1 << 24;
    /// Insert the Ethernet FCS.
    pub(super) const IFCS: u32 = 1 << 25;
    /// Report status: write DD back.
    pub(super) const RS: u32 = 1 << 27;
    /// Advanced format.
    pub(super) const DEXT: u32 = 1 << 29;
    /// Insert the VLAN tag of the context.
    pub(super) const VLE: u32 = 1 << 30;
    /// Segment the frame.
    pub(super) const TSE: u32 = 1 << 31;
}

/// Bits of dword 3 of a data descriptor.
mod olinfo {
    pub(super) const DD: u32 = 1 << 0;
    /// Insert the IPv4 header checksum (POPTS.IXSM).
    pub(super) const IXSM: u32 = 1 << 8;
    /// Insert the transport checksum (POPTS.TXSM).
    pub(super) const TXSM: u32 = 1 << 9;
    pub(super) const PAYLEN_SHIFT: u32 = 14;
}

/// Bits of dword 2 of a context descriptor (TUCMD).
mod tucmd {
    pub(super) const IPV4: u32 = 1 << 10;
    pub(super) const L4T_TCP: u32 = 1 << 11;
    pub(super) const L4T_SCTP: u32 = 1 << 12;
}

/// Most bytes one data descriptor can carry: the 16-bit DTALEN could hold more,
/// but 32 KiB is what the controller's fetch logic is specified for.
pub const MAX_DATA_PER_DESC: u32 = 1 << 15;

/// Longest MAC header a context can describe (MACLEN, 7 bits).
pub const MAX_MAC_LEN: u32 = 127;
/// Longest IP header a context can describe (IPLEN, 9 bits).
pub const MAX_IP_LEN: u32 = 511;

/// Transport protocol of an offload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4 {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// SCTP, whose checksum is a CRC32c.
    Sctp,
}

/// What the controller is asked to do to a frame besides sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offload {
    /// Bytes before the IP header: 14, or more with tags in the frame;
    /// at most [`MAX_MAC_LEN`].
    pub mac_len: u16,
    /// Bytes of the IP header and its extensions; at most [`MAX_IP_LEN`].
    pub ip_len: u16,
    /// The IP header is version 4.
    pub ipv4: bool,
    /// Transport protocol.
    pub l4: L4,
    /// Segmentation: bytes of the transport header and payload per segment.
    pub segment: Option<Segment>,
}

/// Segmentation parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Bytes of the transport header.
    pub l4_len: u8,
    /// Payload bytes of each segment.
    pub mss: u16,
}

/// A context descriptor, in a form that can be compared with the last one sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextDesc(DescWords);

impl ContextDesc {
    /// A context no frame ever asks for: what a queue knows after a reset.
    pub const UNKNOWN: Self = Self([0, 0]);

    /// Builds the context for `offload` and `vlan_tci`.
    ///
    /// A frame with a tag but without offloads still needs the length of its MAC
    /// header; that is 14, as the tag is not in the frame.
    #[inline]
    pub const fn new(offload: Option<&Offload>, vlan_tci: Option<u16>) -> Self {
        let mut macip = match vlan_tci {
            Some(tci) => (tci as u32) << 16,
            None => 0,
        };
        let mut command = cmd::DTYP_CONTEXT | cmd::DEXT;
        let mut mss_l4len = 0;
        match offload {
            None => macip |= 14 << 9,
            Some(o) => {
                macip |= (o.mac_len as u32 & MAX_MAC_LEN) << 9 | (o.ip_len as u32 & MAX_IP_LEN);
                if o.ipv4 {
                    command |= tucmd::IPV4;
                }
                command |= match o.l4 {
                    L4::Udp => 0,
                    L4::Tcp => tucmd::L4T_TCP,
                    L4::Sctp => tucmd::L4T_SCTP,
                };
                if let Some(s) = o.segment {
                    mss_l4len = (s.mss as u32) << 16 | (s.l4_len as u32) << 8;
                }
            }
        }
        Self([
            (macip as u64).to_le(),
            (command as u64 | (mss_l4len as u64) << 32).to_le(),
        ])
    }

    /// The descriptor as it goes to memory.
    #[inline]
    pub const fn words(self) -> DescWords {
        self.0
    }
}

/// How a data descriptor ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The frame goes on.
    None,
    /// It closes the frame.
    Silent,
    /// It closes the frame, and the controller reports when it has been sent, and thus all before it.
    Reported,
}

impl End {
    /// The end of a frame's buffer.
    #[inline]
    #[must_use]
    pub const fn of(last: bool, report: bool) -> Self {
        match (last, report) {
            (false, _) => Self::None,
            (true, false) => Self::Silent,
            (true, true) => Self::Reported,
        }
    }
}

/// Makes [`End::Reported`] of [`End::Silent`] in the second word of a data descriptor the controller
/// has not been told about yet.
#[inline]
#[must_use]
pub const fn report(word: u64) -> u64 {
    word | (cmd::RS as u64).to_le()
}

/// Command bits shared by all data descriptors of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataDesc {
    command: u32,
    olinfo: u32,
}

impl DataDesc {
    /// Describes a frame of `len` bytes.
    ///
    /// `len` is what follows the headers when the frame is segmented (PAYLEN
    /// counts the transport payload then), and the whole frame otherwise.
    #[inline]
    pub const fn new(len: u32, offload: Option<&Offload>, vlan: bool) -> Self {
        let mut command = cmd::DTYP_DATA | cmd::DEXT | cmd::IFCS;
        let mut olinfo = len << olinfo::PAYLEN_SHIFT;
        if vlan {
            command |= cmd::VLE;
        }
        if let Some(o) = offload {
            olinfo |= olinfo::TXSM;
            if o.segment.is_some() {
                command |= cmd::TSE;
                if o.ipv4 {
                    olinfo |= olinfo::IXSM;
                }
            }
        }
        Self { command, olinfo }
    }

    /// The same, and the controller takes the time at which the frame leaves.
    #[must_use]
    pub const fn stamped(self) -> Self {
        Self {
            command: self.command | cmd::STAMP,
            ..self
        }
    }

    /// The same of a frame that ends in its FCS.
    #[inline]
    #[must_use]
    pub const fn with_own_fcs(self) -> Self {
        Self {
            command: self.command & !cmd::IFCS,
            ..self
        }
    }

    /// The controller is to take the time at which the frame leaves.
    #[must_use]
    pub const fn is_stamped(self) -> bool {
        self.command & cmd::STAMP != 0
    }

    /// The data descriptor for `len` bytes at DMA address `addr`.
    #[inline]
    pub const fn data(self, addr: u64, len: u32, end: End) -> DescWords {
        let end = match end {
            End::None => 0,
            End::Silent => cmd::EOP,
            End::Reported => cmd::EOP | cmd::RS,
        };
        let command = self.command | end | (len & 0xffff);
        [
            addr.to_le(),
            (command as u64 | (self.olinfo as u64) << 32).to_le(),
        ]
    }
}

/// The controller has reported the frame that ends in this descriptor as sent.
///
/// `word` is the second word of the frame's last descriptor, read from memory.
#[inline]
pub const fn is_done(word: u64) -> bool {
    // CAST: dword 3, which the write-back turns into the status.
    (u64::from_le(word) >> 32) as u32 & olinfo::DD != 0
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_desc_tx))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    const TSO4: Offload = Offload {
        mac_len: 14,
        ip_len: 20,
        ipv4: true,
        l4: L4::Tcp,
        segment: Some(Segment {
            l4_len: 32,
            mss: 1448,
        }),
    };

    #[test]
    fn plain_frame() {
        let words = DataDesc::new(60, None, false).data(0x1000, 60, End::Reported);
        assert_eq!(u64::from_le(words[0]), 0x1000);
        assert_eq!(u64::from_le(words[1]), 0x000f_0000_2b30_003c);
    }

    #[test]
    fn a_stamp_is_asked_for_in_each_descriptor() {
        let plain = DataDesc::new(3000, None, false);
        let stamped = plain.stamped();
        assert!(stamped.is_stamped() && !plain.is_stamped());
        for end in [End::None, End::Silent, End::Reported] {
            let [_, word] = stamped.data(0, 1500, end);
            let [_, without] = plain.data(0, 1500, end);
            assert_eq!(u64::from_le(word ^ without), 1 << 19);
        }
    }

    #[test]
    fn a_frame_with_its_fcs_gets_no_other() {
        let words = DataDesc::new(64, None, false)
            .with_own_fcs()
            .data(0x1000, 64, End::Reported);
        assert_eq!(u64::from_le(words[1]), 0x0010_0000_2930_0040);
    }

    #[test]
    fn only_the_last_descriptor_reports() {
        let words = DataDesc::new(3000, None, false).data(0, 1500, End::None);
        assert_eq!(u64::from_le(words[1]) as u32, 0x2230_0000 | 1500);
    }

    #[test]
    fn segmentation_sets_every_checksum() {
        let words = DataDesc::new(10000, Some(&TSO4), true).data(0, 66, End::None);
        let w = u64::from_le(words[1]);
        assert_eq!(w as u32, 0xe230_0042);
        assert_eq!((w >> 32) as u32, 10000 << 14 | 0x300);
    }

    #[test]
    fn context_fields() {
        let [w0, w1] = ContextDesc::new(Some(&TSO4), Some(0x2064)).words();
        assert_eq!(u64::from_le(w0), 0x2064_1c14);
        assert_eq!(u64::from_le(w1), (1448 << 16 | 32 << 8) << 32 | 0x2020_0c00);
    }

    #[test]
    fn vlan_alone_has_a_mac_length() {
        let [w0, _] = ContextDesc::new(None, Some(5)).words();
        assert_eq!(u64::from_le(w0), 5 << 16 | 14 << 9);
    }

    #[test]
    fn contexts_differ_from_the_unknown_one() {
        assert_ne!(ContextDesc::new(None, Some(0)), ContextDesc::UNKNOWN);
        assert_ne!(ContextDesc::new(Some(&TSO4), None), ContextDesc::UNKNOWN);
    }

    #[test]
    fn udp_and_sctp_types() {
        let o = Offload {
            segment: None,
            ..TSO4
        };
        let l4 = |l4| u64::from_le(ContextDesc::new(Some(&Offload { l4, ..o }), None).words()[1]);
        assert_eq!(l4(L4::Udp), 0x2020_0400);
        assert_eq!(l4(L4::Tcp), 0x2020_0c00);
        assert_eq!(l4(L4::Sctp), 0x2020_1400);
    }

    #[test]
    fn done_is_bit_0_of_the_status() {
        assert!(!is_done(u64::from_le(0xffff_ffff)));
        assert!(is_done((1u64 << 32).to_le()));
    }
}
