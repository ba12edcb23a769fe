// SPDX-License-Identifier: GPL-2.0

//! What an administrator does to virtual functions: `ip link set ethX vf N …`, `ip link show`,
//! and the switch between them: `bridge link set dev ethX hwmode …`.
//!
//! All operations run in process context with RTNL held and may sleep.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/linux/if_link.h`](srctree/include/linux/if_link.h).

use core::marker::PhantomData;
use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*, //
};

use crate::netdev::Device;

mod callbacks;
mod switch;

pub use self::switch::{
    Switch,
    SwitchMode, //
};

/// The number of a virtual function, which exists: see [`Admin::num_vfs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VfIndex(u16);

impl VfIndex {
    /// Returns the number, from 0 on.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl From<VfIndex> for usize {
    fn from(vf: VfIndex) -> usize {
        vf.0.into()
    }
}

/// A MAC address, of any kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Returns whether all bytes are 0, which stands for "none".
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }
}

/// A VLAN id: 0 (none) to 4095 (reserved).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VlanId(u16);

impl VlanId {
    /// No VLAN.
    pub const NONE: Self = Self(0);

    /// Returns the id `raw`, if it has no more than 12 bits.
    pub const fn new(raw: u16) -> Option<Self> {
        match raw {
            0..=4095 => Some(Self(raw)),
            _ => None,
        }
    }

    /// Returns the number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A VLAN priority: 0 to 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Qos(u8);

impl Qos {
    /// Returns the priority `raw`, if it has no more than 3 bits.
    pub const fn new(raw: u8) -> Option<Self> {
        match raw {
            0..=7 => Some(Self(raw)),
            _ => None,
        }
    }

    /// Returns the number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The protocol of a VLAN tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VlanProto {
    /// 802.1Q.
    #[default]
    Ctag,
    /// 802.1ad.
    Stag,
}

impl VlanProto {
    /// `raw` is in network byte order.
    fn from_be(raw: u16) -> Option<Self> {
        match u32::from(u16::from_be(raw)) {
            netbind::ETH_P_8021Q => Some(Self::Ctag),
            netbind::ETH_P_8021AD => Some(Self::Stag),
            _ => None,
        }
    }

    fn to_be(self) -> u16 {
        match self {
            Self::Ctag => 0x8100u16,
            Self::Stag => 0x88a8u16,
        }
        .to_be()
    }
}

/// The link a virtual function sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// That of the physical function.
    #[default]
    Auto,
    /// Always up.
    Enable,
    /// Always down.
    Disable,
}

/// What is set for a virtual function, as `ip link show` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfInfo {
    /// MAC address; zero for none.
    pub mac: Mac,
    /// Port VLAN.
    pub vlan: VlanId,
    /// Priority of the port VLAN.
    pub qos: Qos,
    /// Protocol of the port VLAN.
    pub vlan_proto: VlanProto,
    /// Packets with another source address or VLAN than its own are not sent.
    pub spoofchk: bool,
    /// The link it sees.
    pub link_state: LinkState,
    /// Guaranteed transmit rate in Mbit/s; 0 for none.
    pub min_tx_rate: u32,
    /// Limit of the transmit rate in Mbit/s; 0 for none.
    pub max_tx_rate: u32,
    /// It may ask for the RSS configuration; `None` if there is no such setting.
    pub rss_query: Option<bool>,
    /// It may do what needs trust.
    pub trusted: bool,
}

/// What a virtual function has sent and received, as `ip -s link show` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfStats {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Broadcast packets received.
    pub broadcast: u64,
    /// Multicast packets received.
    pub multicast: u64,
    /// Received packets dropped.
    pub rx_dropped: u64,
    /// Packets to send dropped.
    pub tx_dropped: u64,
}

/// What an administrator can do to virtual functions.
///
/// Values out of their range never get here: such a call fails with `-EINVAL`, one with an
/// unknown VLAN protocol with `-EPROTONOSUPPORT`. A failed operation leaves everything as it was.
/// Operations that are not implemented fail with `-EOPNOTSUPP`.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use net::{device::Device, vf::{self, Mac, VfIndex, VfInfo}};
///
/// struct Port { vfs: u16 }
///
/// struct VfAdmin;
///
/// #[vtable]
/// impl vf::Admin<Port> for VfAdmin {
///     fn num_vfs(port: &Port) -> u16 {
///         port.vfs
///     }
///
///     fn config(_port: &Port, _: &Device<Port>, _vf: VfIndex) -> Result<VfInfo> {
///         Ok(VfInfo { spoofchk: true, ..VfInfo::default() })
///     }
///
///     fn set_mac(_port: &Port, _: &Device<Port>, _vf: VfIndex, mac: Mac) -> Result {
///         if mac.is_zero() { Err(EADDRNOTAVAIL) } else { Ok(()) }
///     }
/// }
///
/// impl vf::Ops<Port> for VfAdmin {
///     const TABLE: vf::Table<Port> = vf::Table::new().admin::<Self>();
/// }
/// ```
#[vtable]
pub trait Admin<D>: 'static {
    /// Returns how many virtual functions there are now. Those with lower numbers are valid.
    fn num_vfs(port: &D) -> u16;

    /// Returns what is set for `vf`.
    fn config(port: &D, dev: &Device<D>, vf: VfIndex) -> Result<VfInfo>;

    /// Returns what `vf` has sent and received. Without this it is all 0.
    fn stats(_port: &D, _dev: &Device<D>, _vf: VfIndex) -> Result<VfStats> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the MAC address; zero takes it away.
    fn set_mac(_port: &D, _dev: &Device<D>, _vf: VfIndex, _mac: Mac) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the port VLAN; [`VlanId::NONE`] with priority 0 takes it away.
    fn set_vlan(
        _port: &D,
        _dev: &Device<D>,
        _vf: VfIndex,
        _vlan: VlanId,
        _qos: Qos,
        _proto: VlanProto,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the guaranteed rate and the limit, in Mbit/s; 0 for none.
    fn set_rate(_port: &D, _dev: &Device<D>, _vf: VfIndex, _min: u32, _max: u32) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Turns the check of source addresses on or off.
    fn set_spoofchk(_port: &D, _dev: &Device<D>, _vf: VfIndex, _on: bool) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the link that `vf` sees.
    fn set_link_state(_port: &D, _dev: &Device<D>, _vf: VfIndex, _state: LinkState) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Lets `vf` do what needs trust, or not any more.
    fn set_trust(_port: &D, _dev: &Device<D>, _vf: VfIndex, _on: bool) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Lets `vf` ask for the RSS configuration, or not any more.
    fn set_rss_query(_port: &D, _dev: &Device<D>, _vf: VfIndex, _on: bool) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The operations a driver has, as the kernel is told.
pub struct Table<D> {
    ops: netbind::net_device_ops,
    _driver: PhantomData<fn() -> D>,
}

/// Defines `Table::fill`, which copies the operations that a [`Table`] is about.
macro_rules! fill {
    ($($op:ident),* $(,)?) => {
        /// Returns `ops` with the operations of this table.
        pub(crate) const fn fill(
            &self,
            mut ops: netbind::net_device_ops,
        ) -> netbind::net_device_ops {
            $(ops.$op = self.ops.$op;)*
            ops
        }
    };
}

impl<D> Table<D> {
    /// The table that lists nothing.
    pub const fn new() -> Self {
        Self {
            ops: pin_init::zeroed(),
            _driver: PhantomData,
        }
    }

    fill! {
        ndo_get_vf_config,
        ndo_get_vf_stats,
        ndo_set_vf_mac,
        ndo_set_vf_vlan,
        ndo_set_vf_rate,
        ndo_set_vf_spoofchk,
        ndo_set_vf_link_state,
        ndo_set_vf_trust,
        ndo_set_vf_rss_query_en,
        ndo_bridge_getlink,
        ndo_bridge_setlink,
    }
}

impl<D> Default for Table<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// The operations on virtual functions of the net devices of `D`; those of `()` are none.
pub trait Ops<D>: Sized + 'static {
    /// What there is.
    const TABLE: Table<D>;
}

impl<D> Ops<D> for () {
    const TABLE: Table<D> = Table::new();
}
