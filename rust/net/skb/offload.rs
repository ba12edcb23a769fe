// SPDX-License-Identifier: GPL-2.0

//! What of a packet is left to the device: the checksum of its transport protocol, and segmentation.

use super::SkBuff;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Transport protocols with an offload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP (CRC32c).
    Sctp,
}

/// What a device has to do to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxOffload {
    /// Bytes before the network header.
    pub mac_len: u16,
    /// Bytes from the network header to the transport header.
    pub ip_len: u16,
    /// The network header is IPv4.
    pub ipv4: bool,
    /// Transport protocol whose checksum is to be filled in.
    pub l4: L4Proto,
    /// Segmentation, if asked for.
    pub gso: Option<Gso>,
}

/// Segmentation parameters of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// Payload bytes of each segment.
    pub size: u16,
    /// Number of segments.
    pub segs: u16,
    /// Bytes of the transport header.
    pub l4_len: u8,
}

impl SkBuff {
    /// Prepares the headers for the checksum or segmentation offload the stack asked for
    /// ([`TxMeta::wants_offload`](super::TxMeta::wants_offload)), and says what the device has to do.
    ///
    /// A checksum that is neither TCP, UDP nor SCTP is computed here; `None` then says that
    /// nothing is left to do. So it does if nothing was asked for.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is none to make the headers writable, `EBUSY` if they would have to be
    /// changed and the packet has other owners; `EINVAL` if it is to be segmented, and has no IP header
    /// in front of a transport header in its linear part. The packet cannot be sent as it is.
    #[inline]
    pub fn prepare_offload(&mut self) -> Result<Option<TxOffload>> {
        // SAFETY: The skb is valid by the type invariants.
        let asked = Asked(unsafe { netbind::tx_asked(self.as_ptr()) });
        if asked.is_segmented() {
            return self.prepare_segments(asked).map(Some);
        }
        let Some(l4) = asked.checksum() else {
            // SAFETY: The skb is valid by the type invariants; one with other owners is refused.
            to_result(unsafe { netbind::tx_checksum(self.as_ptr()) })?;
            return Ok(None);
        };
        Ok(Some(asked.offload(l4, None)))
    }

    /// The device fills in lengths and checksums of each segment, and wants the checksum of the
    /// pseudo header without the length.
    fn prepare_segments(&mut self, asked: Asked) -> Result<TxOffload> {
        let skb = self.as_ptr();
        // SAFETY: The skb is valid by the type invariants; one with other owners is refused.
        to_result(unsafe { netbind::tx_own_headers(skb) })?;
        let l4 = asked.segments();
        if !asked.has_headers(l4, self.head_len()) {
            return Err(EINVAL);
        }
        // SAFETY: The skb is valid, and nobody else has its headers any more. `has_headers` has found the
        // network header to be in front of the transport header, with 20 bytes, or 40 if it is not IPv4,
        // and that to be in the linear part, with 20 bytes of TCP, or 8: the checksum, and the byte of
        // TCP's length, are in these.
        let l4_len = unsafe {
            let data = (*skb).data;
            let transport = data.add(asked.transport().into());
            let len = (*skb).len.wrapping_sub(asked.transport().into());
            let check = transport.add(l4.check()).cast::<u16>();
            check.write_unaligned(reduced(check.read_unaligned(), len));
            clear_network(data.add(asked.network().into()), transport, asked.is_ipv4());
            match l4 {
                // The upper half of the byte counts words.
                L4Proto::Tcp => *transport.add(12) >> 4 << 2,
                _ => 8,
            }
        };
        let (size, segs) = self.segments();
        Ok(asked.offload(l4, Some(Gso { size, segs, l4_len })))
    }

    /// Payload bytes of each segment, and their number.
    fn segments(&self) -> (u16, u16) {
        // SAFETY: The skb is valid by the type invariants.
        unsafe {
            let shinfo = self.shinfo();
            ((*shinfo).gso_size, (*shinfo).gso_segs)
        }
    }
}

impl L4Proto {
    /// Where in its header the checksum is, of a protocol that is segmented.
    #[inline]
    fn check(self) -> usize {
        match self {
            Self::Tcp => 16,
            _ => 6,
        }
    }
}

/// What the stack has said of a packet's headers, and what it asks for: what `nbh_tx_asked()` returns.
#[derive(Clone, Copy)]
struct Asked(u64);

impl Asked {
    /// Bytes in front of the network header.
    #[inline]
    fn network(self) -> u16 {
        // CAST: bits 15:0.
        self.0 as u16
    }

    /// Bytes in front of the header whose checksum is to be filled in. In a tunnel this is the inner
    /// one, and the network header the outer one.
    #[inline]
    fn transport(self) -> u16 {
        // CAST: bits 31:16.
        (self.0 >> 16) as u16
    }

    #[inline]
    fn is_ipv4(self) -> bool {
        self.0 >> 48 & 0xf == 4
    }

    #[inline]
    fn is_segmented(self) -> bool {
        self.0 & 1 << 52 != 0
    }

    /// The protocol of what is segmented.
    #[inline]
    fn segments(self) -> L4Proto {
        if self.0 & 1 << 53 != 0 {
            L4Proto::Udp
        } else {
            L4Proto::Tcp
        }
    }

    /// The least a network header has is in front of the transport header, and the least one of `l4` has
    /// is within `head_len` bytes, as many as the linear part has.
    #[inline]
    fn has_headers(self, l4: L4Proto, head_len: u32) -> bool {
        let network_len = if self.is_ipv4() { 20 } else { 40 };
        let l4_len = if l4 == L4Proto::Tcp { 20 } else { 8 };
        let transport = u32::from(self.transport());
        // None of the sums is above 2^17.
        u32::from(self.network()).wrapping_add(network_len) <= transport
            && transport.wrapping_add(l4_len) <= head_len
    }

    /// The protocol of a single checksum, told by where in the header it is to be filled in. `None`
    /// for another than those devices know.
    #[inline]
    fn checksum(self) -> Option<L4Proto> {
        // CAST: bits 47:32.
        match (self.0 >> 32) as u16 {
            16 => Some(L4Proto::Tcp),
            6 => Some(L4Proto::Udp),
            8 if self.0 & 1 << 54 != 0 => Some(L4Proto::Sctp),
            _ => None,
        }
    }

    #[inline]
    fn offload(self, l4: L4Proto, gso: Option<Gso>) -> TxOffload {
        TxOffload {
            mac_len: self.network(),
            ip_len: self.transport().wrapping_sub(self.network()),
            ipv4: self.is_ipv4(),
            l4,
            gso,
        }
    }
}

/// A sum of 32 bits as the checksum of 16.
#[inline]
fn folded(sum: u32) -> u16 {
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    // CAST: the second addition of halves does not carry.
    !(sum & 0xffff).wrapping_add(sum >> 16) as u16
}

/// The checksum of a pseudo header, as it is in a packet, without a length of `len` bytes. It is not
/// made anew from the addresses: behind a routing header is another destination than in front of it.
#[inline]
fn reduced(check: u16, len: u32) -> u16 {
    let (sum, carry) = len.to_be().overflowing_add(!u32::from(check));
    folded(sum.wrapping_add(carry.into()))
}

/// Clears what the device fills in of the network header at `network`.
///
/// # Safety
///
/// There is such a header, of 20 bytes, or 40 if it is not IPv4, in front of `transport`, in the linear
/// part of a packet with all bytes in between; nobody else has them.
#[inline]
unsafe fn clear_network(network: *mut u8, transport: *const u8, is_ipv4: bool) {
    // SAFETY: By the requirements of this function; these are members of the headers. What an IPv4 header
    // says of its length is 60 at most: that is still within the memory of the packet, which ends with
    // more than that of the kernel's own. `complement` reads up to `transport` only.
    unsafe {
        if is_ipv4 {
            let behind = network.add(usize::from(*network & 0xf) * 4);
            let check = if behind.cast_const() == transport {
                0
            } else {
                complement(behind, transport)
            };
            network.add(2).cast::<u16>().write_unaligned(0);
            network.add(10).cast::<u16>().write_unaligned(check);
        } else {
            network.add(4).cast::<u16>().write_unaligned(0);
        }
    }
}

/// The checksum of the bytes from `start` up to `end`; of none, if that is in front.
///
/// A device sums all that is in front of the transport header. What of it does not belong to the IP
/// header is the same in each segment, and taken out again by its complement, as which this is put there.
///
/// # Safety
///
/// There are such bytes, and nobody writes to them.
#[cold]
unsafe fn complement(start: *const u8, end: *const u8) -> u16 {
    let len = end.addr().saturating_sub(start.addr());
    // SAFETY: There are so many bytes at `start`, by the requirements of this function, and nobody
    // writes to them.
    let bytes = unsafe { core::slice::from_raw_parts(start, len) };
    // Headers are not so long that a sum of 32 bits carried.
    let sum = bytes.chunks(2).fold(0_u32, |sum, pair| {
        let word = [pair.first(), pair.get(1)].map(|byte| byte.copied().unwrap_or(0));
        sum.wrapping_add(u16::from_ne_bytes(word).into())
    });
    folded(sum)
}
