// SPDX-License-Identifier: GPL-2.0

//! Receive side scaling: `ethtool -x`, `-X`, `-n` and `-N rx-flow-hash`.

use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    prelude::*, //
};

use crate::compat::EOPNOTSUPP;

use super::{
    device,
    op,
    Device,
    ExtAck,
    RawDevice,
    Table, //
};

/// What a change of receive side scaling asks for; `None` is to stay.
pub struct RssChange<'a> {
    /// The queue for each value of the low bits of the hash. The kernel has checked that there
    /// are such queues.
    pub indirection: Option<&'a [u32]>,
    /// The key of the Toeplitz hash.
    pub key: Option<&'a [u8]>,
}

/// A kind of packet flow, as far as it matters to the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowType {
    /// TCP over IPv4.
    Tcp4,
    /// UDP over IPv4.
    Udp4,
    /// SCTP over IPv4.
    Sctp4,
    /// IPsec over IPv4.
    Ipsec4,
    /// Other IPv4.
    Ip4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv6.
    Udp6,
    /// SCTP over IPv6.
    Sctp6,
    /// IPsec over IPv6.
    Ipsec6,
    /// Other IPv6.
    Ip6,
}

impl FlowType {
    fn from_raw(raw: u32) -> Result<Self> {
        Ok(match raw {
            netbind::TCP_V4_FLOW => Self::Tcp4,
            netbind::UDP_V4_FLOW => Self::Udp4,
            netbind::SCTP_V4_FLOW => Self::Sctp4,
            netbind::AH_ESP_V4_FLOW | netbind::AH_V4_FLOW | netbind::ESP_V4_FLOW => Self::Ipsec4,
            netbind::IPV4_FLOW => Self::Ip4,
            netbind::TCP_V6_FLOW => Self::Tcp6,
            netbind::UDP_V6_FLOW => Self::Udp6,
            netbind::SCTP_V6_FLOW => Self::Sctp6,
            netbind::AH_ESP_V6_FLOW | netbind::AH_V6_FLOW | netbind::ESP_V6_FLOW => Self::Ipsec6,
            netbind::IPV6_FLOW => Self::Ip6,
            _ => return Err(EINVAL),
        })
    }
}

/// A set of packet fields that go into the hash (`RXH_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashFields(u32);

impl HashFields {
    /// Nothing: all packets have the same hash.
    pub const NONE: Self = Self(0);
    /// Source and destination addresses.
    pub const ADDRESSES: Self = Self(netbind::RXH_IP_SRC | netbind::RXH_IP_DST);
    /// Source and destination ports.
    pub const PORTS: Self = Self(netbind::RXH_L4_B_0_1 | netbind::RXH_L4_B_2_3);

    /// Returns the fields of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Receive side scaling by a Toeplitz hash.
#[vtable]
pub trait Rss<D>: 'static {
    /// Number of entries of the indirection table.
    const INDIRECTION_SIZE: usize;

    /// Length of the key, in bytes.
    const KEY_SIZE: usize;

    /// Copies out the indirection table.
    fn indirection(port: &D, dev: &Device<D>, table: &mut [u32]);

    /// Copies out the key.
    fn key(port: &D, dev: &Device<D>, key: &mut [u8]);

    /// Sets the indirection table, the key, or both.
    ///
    /// # Errors
    ///
    /// The old ones stay.
    fn set_rss(
        _port: &D,
        _dev: &Device<D>,
        _change: &RssChange<'_>,
        _extack: &mut ExtAck<'_>,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns the fields of a flow that go into the hash.
    fn hash_fields(_port: &D, _dev: &Device<D>, _flow: FlowType) -> Result<HashFields> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the fields of a flow that go into the hash.
    ///
    /// # Errors
    ///
    /// The old ones stay.
    fn set_hash_fields(
        _port: &D,
        _dev: &Device<D>,
        _flow: FlowType,
        _fields: HashFields,
        _extack: &mut ExtAck<'_>,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns the number of receive queues that packets are spread over.
    fn rx_ring_count(port: &D, dev: &Device<D>) -> u32;
}

/// A length of [`Rss`] as the C API has it.
const fn length(len: usize) -> u32 {
    assert!(len <= 0xffff);
    // CAST: Fits, by the assertion above.
    len as u32
}

impl<D> Table<D> {
    /// Adds the operations of [`Rss`].
    pub const fn rss<E: Rss<D>>(mut self) -> Self {
        self.ops.get_rxfh_indir_size = Some(indirection_size::<D, E>);
        self.ops.get_rxfh_key_size = Some(key_size::<D, E>);
        self.ops.get_rxfh = Some(get::<D, E>);
        self.ops.set_rxfh = op!(E::HAS_SET_RSS, set::<D, E>);
        self.ops.get_rxfh_fields = op!(E::HAS_HASH_FIELDS, get_fields::<D, E>);
        self.ops.set_rxfh_fields = op!(E::HAS_SET_HASH_FIELDS, set_fields::<D, E>);
        self.ops.get_rx_ring_count = Some(rx_ring_count::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_rxfh_indir_size` of a net device of `D`.
unsafe extern "C" fn indirection_size<D, E: Rss<D>>(_dev: *mut RawDevice) -> u32 {
    const { length(E::INDIRECTION_SIZE) }
}

/// # Safety
///
/// Called by the kernel as `get_rxfh_key_size` of a net device of `D`.
unsafe extern "C" fn key_size<D, E: Rss<D>>(_dev: *mut RawDevice) -> u32 {
    const { length(E::KEY_SIZE) }
}

/// # Safety
///
/// Called by the kernel as `get_rx_ring_count` of a net device of `D`.
unsafe extern "C" fn rx_ring_count<D, E: Rss<D>>(dev: *mut RawDevice) -> u32 {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    E::rx_ring_count(dev.data(), dev)
}

/// # Safety
///
/// Called by the kernel as `get_rxfh` of a net device of `D`: `raw.indir` and `raw.key` are null
/// or have room for as much as `indirection_size` and `key_size` return.
unsafe extern "C" fn get<D, E: Rss<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_rxfh_param,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    raw.hfunc = TOEPLITZ;
    if !raw.indir.is_null() {
        // SAFETY: By the safety requirements of this function, `raw.indir` has room for the table,
        // of the size that was announced, which the kernel has initialised.
        let table = unsafe { core::slice::from_raw_parts_mut(raw.indir, E::INDIRECTION_SIZE) };
        E::indirection(dev.data(), dev, table);
    }
    if !raw.key.is_null() {
        // SAFETY: By the safety requirements of this function, `raw.key` has room for the key, of
        // the size that was announced, which the kernel has initialised.
        let key = unsafe { core::slice::from_raw_parts_mut(raw.key, E::KEY_SIZE) };
        E::key(dev.data(), dev, key);
    }
    0
}

/// `ETH_RSS_HASH_TOP`.
const TOEPLITZ: u8 = 1 << netbind::ETH_RSS_HASH_TOP_BIT;

/// # Safety
///
/// Called by the kernel as `set_rxfh` of a net device of `D`: `raw.indir` and `raw.key` are null
/// or point to as much as `indirection_size` and `key_size` return.
unsafe extern "C" fn set<D, E: Rss<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_rxfh_param,
    extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, `raw` is valid during the call, and `extack` is valid or NULL.
    let (dev, raw, mut extack) = unsafe { (device::<D>(dev), &*raw, ExtAck::from_raw(extack)) };

    from_result(|| {
        // 0 is ETH_RSS_HASH_NO_CHANGE.
        if raw.hfunc != 0 && raw.hfunc != TOEPLITZ {
            return Err(extack.err(EOPNOTSUPP, c"the hash function is Toeplitz"));
        }
        if raw.rss_context != 0 {
            return Err(extack.err(EOPNOTSUPP, c"there is one RSS context"));
        }
        // SAFETY: By the safety requirements of this function, table and key are NULL or have the
        // sizes that were announced.
        let change = unsafe {
            RssChange {
                indirection: slice(raw.indir, E::INDIRECTION_SIZE),
                key: slice(raw.key, E::KEY_SIZE),
            }
        };
        E::set_rss(dev.data(), dev, &change, &mut extack).map(|()| 0)
    })
}

/// # Safety
///
/// `ptr` is null, or points to `len` elements that nobody changes during `'a`.
unsafe fn slice<'a, T>(ptr: *const T, len: usize) -> Option<&'a [T]> {
    if ptr.is_null() {
        return None;
    }
    // SAFETY: By the safety requirements of this function, `ptr` has `len` elements during the
    // call.
    Some(unsafe { core::slice::from_raw_parts(ptr, len) })
}

/// # Safety
///
/// Called by the kernel as `get_rxfh_fields` of a net device of `D`.
unsafe extern "C" fn get_fields<D, E: Rss<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_rxfh_fields,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    from_result(|| {
        let flow = FlowType::from_raw(raw.flow_type)?;
        raw.data = E::hash_fields(dev.data(), dev, flow)?.0;
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `set_rxfh_fields` of a net device of `D`.
unsafe extern "C" fn set_fields<D, E: Rss<D>>(
    dev: *mut RawDevice,
    raw: *const netbind::ethtool_rxfh_fields,
    extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, `raw` is valid during the call, and `extack` is valid or NULL.
    let (dev, raw, mut extack) = unsafe { (device::<D>(dev), &*raw, ExtAck::from_raw(extack)) };

    from_result(|| {
        let flow = FlowType::from_raw(raw.flow_type)?;
        let fields = HashFields(raw.data);
        E::set_hash_fields(dev.data(), dev, flow, fields, &mut extack).map(|()| 0)
    })
}
