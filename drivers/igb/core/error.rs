// SPDX-License-Identifier: GPL-2.0

//! Why an administrator's request was refused.

/// A refused request. The state is what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// There is no such VF.
    NoSuchVf,
    /// No VF is enabled at all.
    NoVfs,
    /// More VFs than the device can have next to the PF.
    TooManyVfs,
    /// VFs are enabled already: disable them first.
    VfsEnabled,
    /// The address is multicast or, where one is required, zero.
    InvalidAddress,
    /// The address belongs to the PF or to another VF.
    AddressInUse,
    /// The VLAN is not 0..=4094.
    InvalidVlan,
    /// The priority is above 7, or given without a VLAN.
    InvalidPriority,
    /// The VLAN protocol is not 802.1Q.
    VlanProtocol,
    /// No VLAN filter is left.
    VlanTableFull,
    /// The rate is above the link speed, there is no link, or a minimum rate was asked for.
    InvalidRate,
    /// The frame size or another number is out of range.
    OutOfRange,
    /// The hardware cannot do it.
    NotSupported,
}

impl AdminError {
    /// The negative errno user space gets.
    #[must_use]
    pub const fn errno(self) -> i32 {
        const EPERM: i32 = 1;
        const EBUSY: i32 = 16;
        const EINVAL: i32 = 22;
        const ENOSPC: i32 = 28;
        const EPROTONOSUPPORT: i32 = 93;
        const EOPNOTSUPP: i32 = 95;
        const EADDRINUSE: i32 = 98;

        -match self {
            Self::NoSuchVf
            | Self::InvalidAddress
            | Self::InvalidVlan
            | Self::InvalidPriority
            | Self::InvalidRate
            | Self::OutOfRange => EINVAL,
            Self::NoVfs | Self::NotSupported => EOPNOTSUPP,
            Self::TooManyVfs => EPERM,
            Self::VfsEnabled => EBUSY,
            Self::AddressInUse => EADDRINUSE,
            Self::VlanProtocol => EPROTONOSUPPORT,
            Self::VlanTableFull => ENOSPC,
        }
    }
}
