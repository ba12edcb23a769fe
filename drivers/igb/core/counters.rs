// SPDX-License-Identifier: GPL-2.0

//! What the PF has seen each VF do.

use crate::mailbox::Request;
use core::hash::{
    Hash,
    Hasher, //
};

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Event counters of one VF. They live until VFs are disabled.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct VfCounters {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl VfCounters {
            /// Nothing seen yet.
            pub const ZERO: Self = Self { $($field: 0,)* };
            /// Number of counters.
            pub const COUNT: usize = Self::NAMES.len();
            /// Names of the counters, in the order of [`VfCounters::values`].
            pub const NAMES: [&'static str; [$(stringify!($field)),*].len()] =
                [$(stringify!($field)),*];

            /// All counters.
            #[must_use]
            pub const fn values(&self) -> [u64; Self::COUNT] {
                [$(self.$field),*]
            }
        }
    };
}

counters! {
    /// VF_RESET messages served.
    msg_reset,
    /// SET_MAC_ADDR messages served.
    msg_set_mac,
    /// MAC_FILTER_CLR messages served.
    msg_clear_filters,
    /// MAC_FILTER_ADD messages served.
    msg_add_filter,
    /// SET_MULTICAST messages served.
    msg_set_multicast,
    /// SET_VLAN messages served.
    msg_set_vlan,
    /// SET_LPE messages served.
    msg_set_max_frame,
    /// SET_PROMISC messages served.
    msg_set_promisc,
    /// Messages that are not part of the protocol.
    malformed,
    /// Messages other than VF_RESET without a handshake.
    not_ready,
    /// Refused: zero or multicast address.
    refused_invalid_address,
    /// Refused: address of another function.
    refused_address_in_use,
    /// Refused: the administrator has set the address.
    refused_admin_mac,
    /// Refused: an address that VFs without trust may not choose.
    refused_own_address,
    /// Refused: too many addresses.
    refused_mac_quota,
    /// Refused: the administrator has set the VLAN.
    refused_port_vlan,
    /// Refused: reserved VLAN.
    refused_invalid_vlan,
    /// Refused: a VLAN that is not in the VF's list.
    refused_vlan_not_allowed,
    /// Refused: too many VLANs.
    refused_vlan_quota,
    /// Refused: frame size out of range.
    refused_frame_size,
    /// Refused: more multicast addresses than fit, from an untrusted VF.
    refused_multicast_overflow,
    /// Refused: promiscuous mode the VF is not entitled to.
    refused_promisc,
    /// Times a request had to wait because there were too many.
    throttled,
    /// Times the VF held the mailbox when the PF needed it.
    mailbox_held,
    /// Times a queue of the VF did not come to rest in time.
    queue_stuck,
    /// Function level resets.
    flr,
    /// Times an address the VF had chosen was taken from it: by the PF, or by a setting.
    address_taken,
    /// Looks (every two seconds) that found frames from a false address or VLAN, all dropped.
    spoofed,
    /// Times the controller stopped a queue of the VF for descriptors that must not be.
    malicious,
    /// Times the VF was put into quarantine.
    quarantined,
}

/// Counters decide nothing: states that differ in them alone are the same.
impl Hash for VfCounters {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

impl VfCounters {
    /// Counts a request that is served.
    pub(crate) fn count(&mut self, request: &Request) {
        bump(match request {
            Request::Reset => &mut self.msg_reset,
            Request::SetMac(_) => &mut self.msg_set_mac,
            Request::ClearFilters => &mut self.msg_clear_filters,
            Request::AddFilter(_) => &mut self.msg_add_filter,
            Request::SetMulticast { .. } => &mut self.msg_set_multicast,
            Request::SetVlan { .. } => &mut self.msg_set_vlan,
            Request::SetMaxFrame(_) => &mut self.msg_set_max_frame,
            Request::SetPromisc { .. } => &mut self.msg_set_promisc,
        });
    }

    /// Counts a request that is refused.
    pub(crate) fn count_refusal(&mut self, refusal: Refusal) {
        bump(match refusal {
            Refusal::NoAddress | Refusal::InvalidAddress => &mut self.refused_invalid_address,
            Refusal::AddressInUse => &mut self.refused_address_in_use,
            Refusal::AdminMac => &mut self.refused_admin_mac,
            Refusal::OwnAddress => &mut self.refused_own_address,
            Refusal::MacQuota => &mut self.refused_mac_quota,
            Refusal::PortVlan => &mut self.refused_port_vlan,
            Refusal::InvalidVlan => &mut self.refused_invalid_vlan,
            Refusal::VlanNotAllowed => &mut self.refused_vlan_not_allowed,
            Refusal::VlanQuota => &mut self.refused_vlan_quota,
            Refusal::FrameSize => &mut self.refused_frame_size,
            Refusal::MulticastOverflow => &mut self.refused_multicast_overflow,
            Refusal::Promisc => &mut self.refused_promisc,
        });
    }
}

/// Adds one; a 64-bit counter does not get to its end.
pub(crate) fn bump(counter: &mut u64) {
    *counter = counter.wrapping_add(1);
}

/// Why a well-formed request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Zero or multicast address as the VF's own: iPXE asks for it when it was given none, DPDK
    /// when it gives up the VF.
    NoAddress,
    /// Zero or multicast address as an extra one.
    InvalidAddress,
    /// The address belongs to another function.
    AddressInUse,
    /// The administrator has set the VF's address.
    AdminMac,
    /// VFs without trust may not choose that address.
    OwnAddress,
    /// The VF has as many extra addresses as it may, or none is left.
    MacQuota,
    /// The administrator has put the VF into a VLAN.
    PortVlan,
    /// VLAN 4095.
    InvalidVlan,
    /// The administrator's list of VLANs that the VF may join does not have it.
    VlanNotAllowed,
    /// The VF is in as many VLANs as it may, or no filter is left.
    VlanQuota,
    /// Frame size out of range.
    FrameSize,
    /// The multicast list was cut off and the VF is not trusted to get all multicast instead.
    MulticastOverflow,
    /// Promiscuous mode the VF is not entitled to.
    Promisc,
}

impl Refusal {
    /// Whether no honest client would have asked: counts towards quarantine.
    #[must_use]
    pub const fn is_offence(self) -> bool {
        matches!(
            self,
            Self::InvalidAddress | Self::AddressInUse | Self::InvalidVlan | Self::FrameSize
        )
    }

    /// The reason in words, for a log line.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoAddress | Self::InvalidAddress => "invalid address",
            Self::AddressInUse => "address belongs to another function",
            Self::AdminMac => "address is set by the administrator",
            Self::OwnAddress => "address may not be chosen without trust",
            Self::MacQuota => "too many addresses",
            Self::PortVlan => "VLAN is set by the administrator",
            Self::InvalidVlan => "reserved VLAN",
            Self::VlanNotAllowed => "VLAN is not among those it may join",
            Self::VlanQuota => "too many VLANs",
            Self::FrameSize => "frame size out of range",
            Self::MulticastOverflow => "too many multicast addresses for an untrusted VF",
            Self::Promisc => "promiscuous mode not permitted",
        }
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_counters))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_match() {
        let mut c = VfCounters::default();
        c.count(&Request::Reset);
        c.count_refusal(Refusal::Promisc);
        bump(&mut c.quarantined);
        for (name, value) in VfCounters::NAMES.iter().zip(c.values()) {
            let hit = matches!(*name, "msg_reset" | "refused_promisc" | "quarantined");
            assert_eq!(value, u64::from(hit));
        }
    }
}
