// SPDX-License-Identifier: GPL-2.0

//! What devices say of received frames, for programs that ask: `bpf_xdp_metadata_rx_*()`.

/// What a device has said of a received frame. Two words in the device's own words: who never asks does
/// not pay for their meaning, which the driver says in
/// [`Driver::xdp_metadata`](crate::device::Driver::xdp_metadata).
pub struct Hints(netbind::nbh_xdp_hints);

/// There is no stamp.
const NONE: i64 = i64::MIN;

impl Hints {
    /// `stamp`: when the device has received the frame, in nanoseconds of its clock.
    #[inline]
    pub fn new(words: [u64; 2], stamp: Option<i64>) -> Self {
        Self(netbind::nbh_xdp_hints {
            words,
            stamp: stamp.unwrap_or(NONE),
        })
    }

    #[inline]
    pub(crate) fn from_raw(raw: netbind::nbh_xdp_hints) -> Self {
        Self(raw)
    }

    #[inline]
    pub(crate) fn into_raw(self) -> netbind::nbh_xdp_hints {
        self.0
    }

    /// The words, as they were given.
    pub fn words(&self) -> [u64; 2] {
        self.0.words
    }

    /// The stamp, unless it is from before 1970.
    pub(crate) fn stamp(&self) -> Option<u64> {
        u64::try_from(self.0.stamp).ok()
    }
}

/// The meaning of [`Hints`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The receive hash of the frame, and what it is of.
    pub hash: Option<(u32, Hashed)>,
    /// The 802.1Q tag (TCI) that the device has taken out of the frame.
    pub vlan_tci: Option<u16>,
}

/// What a receive hash is of: addresses, and ports if one says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed(u32);

impl Hashed {
    /// Of IPv4 addresses.
    pub const IPV4: Self = Self(netbind::xdp_rss_hash_type_XDP_RSS_L3_IPV4);
    /// Of IPv6 addresses.
    pub const IPV6: Self = Self(netbind::xdp_rss_hash_type_XDP_RSS_L3_IPV6);

    /// Addresses in extension headers take the place of those in the header.
    pub const fn with_extensions(self) -> Self {
        Self(self.0 | netbind::xdp_rss_hash_type_XDP_RSS_L3_DYNHDR)
    }

    /// And of the ports of TCP.
    pub const fn tcp(self) -> Self {
        let ports = netbind::xdp_rss_hash_type_XDP_RSS_L4;
        Self(self.0 | ports | netbind::xdp_rss_hash_type_XDP_RSS_L4_TCP)
    }

    /// And of the ports of UDP.
    pub const fn udp(self) -> Self {
        let ports = netbind::xdp_rss_hash_type_XDP_RSS_L4;
        Self(self.0 | ports | netbind::xdp_rss_hash_type_XDP_RSS_L4_UDP)
    }

    pub(crate) const fn into_raw(self) -> u32 {
        self.0
    }
}
