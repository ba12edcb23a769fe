// SPDX-License-Identifier: GPL-2.0

//! Features of a net device.
//!
//! C header: [`include/linux/netdev_features.h`](srctree/include/linux/netdev_features.h)

use core::ops::{
    BitAnd,
    BitOr,
    Not, //
};

/// A set of net device features (`NETIF_F_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features(pub(crate) u64);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// Scatter-gather.
    pub const SG: Self = Self(netbind::NETIF_F_SG);
    /// Checksum of any protocol at any offset.
    pub const HW_CSUM: Self = Self(netbind::NETIF_F_HW_CSUM);
    /// SCTP checksum (CRC32c).
    pub const SCTP_CRC: Self = Self(netbind::NETIF_F_SCTP_CRC);
    /// Receive checksum verification.
    pub const RXCSUM: Self = Self(netbind::NETIF_F_RXCSUM);
    /// Receive flow hash.
    pub const RXHASH: Self = Self(netbind::NETIF_F_RXHASH);
    /// TCP segmentation over IPv4.
    pub const TSO: Self = Self(netbind::NETIF_F_TSO);
    /// TCP segmentation over IPv6.
    pub const TSO6: Self = Self(netbind::NETIF_F_TSO6);
    /// UDP segmentation.
    pub const GSO_UDP_L4: Self = Self(netbind::NETIF_F_GSO_UDP_L4);
    /// The IPv4 identification need not count up from segment to segment; in a tunnel that of the
    /// inner header may stay the same.
    pub const TSO_MANGLEID: Self = Self(netbind::NETIF_F_TSO_MANGLEID);
    /// Segmentation of packets whose headers the stack has prepared, so that all segments have the same
    /// ones but for the outer IP header and the inner transport header.
    pub const GSO_PARTIAL: Self = Self(netbind::NETIF_F_GSO_PARTIAL);
    /// Segmentation in all kinds of tunnels: GRE, IP and UDP, with checksums of the outer header or
    /// without.
    pub const GSO_TUNNELS: Self = Self(
        netbind::NETIF_F_GSO_GRE
            | netbind::NETIF_F_GSO_GRE_CSUM
            | netbind::NETIF_F_GSO_IPXIP4
            | netbind::NETIF_F_GSO_IPXIP6
            | netbind::NETIF_F_GSO_UDP_TUNNEL
            | netbind::NETIF_F_GSO_UDP_TUNNEL_CSUM,
    );
    /// Packets are received that are damaged or of a length that should not be.
    pub const RXALL: Self = Self(netbind::NETIF_F_RXALL);
    /// Packets are received with their check sequence.
    pub const RXFCS: Self = Self(netbind::NETIF_F_RXFCS);
    /// Rules of the user give packets to queues.
    pub const NTUPLE: Self = Self(netbind::NETIF_F_NTUPLE);
    /// Buffers above 4 GiB.
    pub const HIGHDMA: Self = Self(netbind::NETIF_F_HIGHDMA);
    /// Insertion of 802.1Q tags.
    pub const VLAN_TX: Self = Self(netbind::NETIF_F_HW_VLAN_CTAG_TX);
    /// Removal of 802.1Q tags.
    pub const VLAN_RX: Self = Self(netbind::NETIF_F_HW_VLAN_CTAG_RX);
    /// Filtering by 802.1Q tag.
    pub const VLAN_FILTER: Self = Self(netbind::NETIF_F_HW_VLAN_CTAG_FILTER);

    /// All features of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Features of both sets.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the features of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Features {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitAnd for Features {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Features {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}
