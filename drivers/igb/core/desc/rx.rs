// SPDX-License-Identifier: GPL-2.0

//! Receive descriptors (datasheet 7.1.5).
//!
//! The driver writes the *read* format (a buffer address); the controller
//! overwrites it with the *write-back* format when the buffer holds data.

use super::DescWords;

/// Extended status, bits 19:0 of write-back dword 2.
mod status {
    pub(super) const DD: u32 = 1 << 0;
    pub(super) const EOP: u32 = 1 << 1;
    pub(super) const VP: u32 = 1 << 3;
    pub(super) const UDPCS: u32 = 1 << 4;
    pub(super) const L4CS: u32 = 1 << 5;
    /// The frame was stamped (TS).
    pub(super) const TS: u32 = 1 << 16;
    /// Transport checksum error (TCPE).
    pub(super) const L4E: u32 = 1 << 29;
    /// IPv4 header checksum error.
    pub(super) const IPE: u32 = 1 << 30;
    /// Frame errors of the MAC: CE (CRC), SE (symbol), SEQ, CXE (carrier
    /// extension), RXE. Only seen when bad frames are stored.
    pub(super) const FRAME_ERRORS: u32 = (1 << 24) | (1 << 25) | (1 << 26) | (1 << 28) | (1 << 31);
}

/// What [`RxStatus::is_whole_frame`] asks of, besides the length.
const WHOLE_FRAME_BITS: u32 = status::EOP | status::TS | status::FRAME_ERRORS;

/// The second word of a descriptor with these bits as in the second value is done
/// ([`RxStatus::is_done`]), and a whole frame ([`RxStatus::is_whole_frame`]) unless it is empty.
// CAST: widens.
pub const WHOLE_FRAME: (u64, u64) = (
    (WHOLE_FRAME_BITS | status::DD) as u64,
    (status::EOP | status::DD) as u64,
);

/// The first of the 16 bits of the second word that are the length of a frame.
pub const LEN_AT: u32 = 32;

/// Returns the descriptor that offers the buffer at DMA address `addr`.
///
/// The second word is zero, so that a descriptor the controller has not written
/// back yet reads as [`RxStatus::is_done`] `== false`.
#[inline]
pub const fn offer(addr: u64) -> DescWords {
    [addr.to_le(), 0]
}

/// The type of hash the controller computed (RSS type, bits 3:0 of dword 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashKind {
    /// No hash: the frame matched none of the enabled types.
    None,
    /// Hash over the IP addresses.
    L3,
    /// Hash over IP addresses and ports.
    L4,
}

/// What a hash is of, more closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashInput {
    /// Addresses of IPv6; else of IPv4.
    pub ipv6: bool,
    /// Addresses in extension headers take the place of those in the header (IPv6Ex).
    pub extensions: bool,
    /// Ports of this protocol as well.
    pub ports: Option<Ports>,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What the controller found out about the checksums of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The controller did not look at the transport checksum.
    NotChecked,
    /// The transport checksum is right (and the IPv4 header's, if there is one).
    Good,
    /// One of the checksums is wrong: let the stack decide.
    Bad,
}

/// Second word of a written-back descriptor: everything but the RSS hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxStatus(u64);

impl RxStatus {
    /// Decodes the second word of a descriptor, as read from DMA memory.
    #[inline]
    pub const fn from_le(word: u64) -> Self {
        Self(u64::from_le(word))
    }

    /// The word again, for who keeps it.
    #[inline]
    pub const fn to_le(self) -> u64 {
        self.0.to_le()
    }

    #[inline]
    const fn bits(self) -> u32 {
        // CAST: the low half is the extended status and error field.
        self.0 as u32
    }

    /// The controller has written the descriptor back. Only then do the other
    /// fields mean anything, and only after a `dma_rmb()`.
    #[inline]
    pub const fn is_done(self) -> bool {
        self.bits() & status::DD != 0
    }

    /// This buffer ends the frame.
    #[inline]
    pub const fn is_end_of_packet(self) -> bool {
        self.bits() & status::EOP != 0
    }

    /// A buffer that ends a frame, has bytes, and of which the MAC reported no damage: all of a frame
    /// unless it is the rest of one. Not one that was stamped.
    #[inline]
    pub const fn is_whole_frame(self) -> bool {
        self.bits() & WHOLE_FRAME_BITS == status::EOP && !self.is_empty()
    }

    /// The controller has taken the time at which the frame came.
    #[inline]
    pub const fn is_stamped(self) -> bool {
        self.bits() & status::TS != 0
    }

    /// Bytes the controller wrote into the buffer.
    #[inline]
    pub const fn len(self) -> u32 {
        ((self.0 >> LEN_AT) & 0xffff) as u32
    }

    /// The controller wrote nothing into the buffer.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The VLAN tag (TCI) the controller stripped, if it did.
    #[inline]
    pub const fn vlan_tci(self) -> Option<u16> {
        if self.bits() & status::VP != 0 {
            // CAST: the top 16 bits.
            Some((self.0 >> 48) as u16)
        } else {
            None
        }
    }

    /// The MAC reported a damaged frame.
    #[inline]
    pub const fn has_frame_error(self) -> bool {
        self.bits() & status::FRAME_ERRORS != 0
    }

    /// Verdict on the checksums.
    ///
    /// An IPv4 header error alone is reported as [`Checksum::Bad`] too: the stack
    /// verifies it again and counts it.
    #[inline]
    pub const fn checksum(self) -> Checksum {
        let bits = self.bits();
        if bits & (status::L4E | status::IPE) != 0 {
            Checksum::Bad
        } else if bits & (status::L4CS | status::UDPCS) != 0 {
            Checksum::Good
        } else {
            Checksum::NotChecked
        }
    }
}

/// First word of a written-back descriptor: packet info and RSS hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxInfo(u64);

impl RxInfo {
    /// Decodes the first word of a descriptor, as read from DMA memory.
    #[inline]
    pub const fn from_le(word: u64) -> Self {
        Self(u64::from_le(word))
    }

    /// The word again, for who keeps it.
    #[inline]
    pub const fn to_le(self) -> u64 {
        self.0.to_le()
    }

    /// RSS hash, meaningful unless [`Self::hash_kind`] is [`HashKind::None`].
    #[inline]
    pub const fn hash(self) -> u32 {
        // CAST: the upper half.
        (self.0 >> 32) as u32
    }

    /// What [`Self::hash`] was computed over: RSS types 1, 3 and 6 are TCP, 7, 8
    /// and 9 UDP; 2, 4 and 5 cover the addresses alone.
    #[inline]
    pub const fn hash_kind(self) -> HashKind {
        // CAST: at most 15. PANIC: there are 16 kinds.
        HASH_KINDS[(self.0 & 0xf) as usize]
    }

    /// The same more closely (RSS type, datasheet 7.1.5.2). `None`: there is no hash.
    pub const fn hash_input(self) -> Option<HashInput> {
        let (ipv6, extensions, ports) = match self.0 & 0xf {
            1 => (false, false, Some(Ports::Tcp)),
            2 => (false, false, None),
            3 => (true, false, Some(Ports::Tcp)),
            4 => (true, true, None),
            5 => (true, false, None),
            6 => (true, true, Some(Ports::Tcp)),
            7 => (false, false, Some(Ports::Udp)),
            8 => (true, false, Some(Ports::Udp)),
            9 => (true, true, Some(Ports::Udp)),
            _ => return None,
        };
        Some(HashInput {
            ipv6,
            extensions,
            ports,
        })
    }
}

/// By RSS type.
const HASH_KINDS: [HashKind; 16] = {
    use HashKind::{
        None,
        L3,
        L4, //
    };
    [
        None, L4, L3, L4, L3, L3, L4, L4, L4, L4, None, None, None, None, None, None,
    ]
};

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_desc_rx))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    fn status(bits: u64) -> RxStatus {
        RxStatus::from_le(bits.to_le())
    }

    #[test]
    fn offered_descriptor_is_not_done() {
        let words = offer(0x1234_5678_9abc);
        assert_eq!(u64::from_le(words[0]), 0x1234_5678_9abc);
        assert!(!RxStatus::from_le(words[1]).is_done());
    }

    #[test]
    fn write_back_fields_do_not_overlap() {
        let done = status(0x0064_05dc_0000_000b);
        assert!(done.is_done());
        assert!(done.is_end_of_packet());
        assert_eq!(done.len(), 1500);
        assert_eq!(done.vlan_tci(), Some(100));
        assert!(!done.has_frame_error());
        assert_eq!(done.checksum(), Checksum::NotChecked);
    }

    #[test]
    fn whole_frames() {
        let end = 0x0000_0040_0000_0003;
        assert!(status(end).is_whole_frame());
        assert!(!status(end & !2).is_whole_frame());
        assert!(!status(end | 1 << 31).is_whole_frame());
        assert!(!status(end | 1 << 16).is_whole_frame());
        assert!(!status(3).is_whole_frame());
    }

    #[test]
    fn whole_frames_by_their_bits() {
        let (bits, whole) = WHOLE_FRAME;
        for bit in 0..32 {
            let word = 0x0000_0040_0000_0003 ^ 1 << bit;
            let status = status(word);
            let both = status.is_done() && status.is_whole_frame();
            let meant = word & bits == whole;
            assert_eq!(meant, both);
        }
    }

    #[test]
    fn stamped_frames() {
        assert!(status(0x0000_0040_0001_0003).is_stamped());
        assert!(!status(0x0000_0040_fffe_ffff).is_stamped());
    }

    #[test]
    fn vlan_only_with_vp() {
        assert_eq!(status(0x0064_0000_0000_0003).vlan_tci(), None);
    }

    #[test]
    fn checksum_verdicts() {
        assert_eq!(status(0x63).checksum(), Checksum::Good);
        assert_eq!(status(0x53).checksum(), Checksum::Good);
        assert_eq!(status(0x43).checksum(), Checksum::NotChecked);
        assert_eq!(status(0x63 | 1 << 29).checksum(), Checksum::Bad);
        assert_eq!(status(0x63 | 1 << 30).checksum(), Checksum::Bad);
    }

    #[test]
    fn every_frame_error_counts() {
        for bit in [24, 25, 26, 28, 31] {
            assert!(status(3 | 1 << bit).has_frame_error());
        }
        assert!(!status(3 | 1 << 29 | 1 << 30).has_frame_error());
    }

    #[test]
    fn hash_kinds() {
        let info = RxInfo::from_le(0xdead_beef_0000_0001u64.to_le());
        assert_eq!(info.hash(), 0xdead_beef);
        assert_eq!(info.hash_kind(), HashKind::L4);
        assert_eq!(RxInfo::from_le(2u64.to_le()).hash_kind(), HashKind::L3);
        assert_eq!(RxInfo::from_le(0).hash_kind(), HashKind::None);
        assert_eq!(RxInfo::from_le(9u64.to_le()).hash_kind(), HashKind::L4);
        assert_eq!(RxInfo::from_le(10u64.to_le()).hash_kind(), HashKind::None);
        assert_eq!(RxInfo::from_le(0xfu64.to_le()).hash_kind(), HashKind::None);
    }

    #[test]
    fn hash_inputs_are_of_their_kinds() {
        for kind in 0..16u64 {
            let info = RxInfo::from_le(kind.to_le());
            let found = match info.hash_input() {
                None => HashKind::None,
                Some(input) if input.ports.is_none() => HashKind::L3,
                Some(_) => HashKind::L4,
            };
            assert_eq!(found, info.hash_kind());
        }
        let ipv6 = |kind: u64| RxInfo::from_le(kind.to_le()).hash_input().map(|i| i.ipv6);
        assert_eq!([1, 2, 7].map(ipv6), [Some(false); 3]);
        assert_eq!([3, 4, 5, 6, 8, 9].map(ipv6), [Some(true); 6]);
    }
}
