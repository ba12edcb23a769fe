// SPDX-License-Identifier: GPL-2.0

//! The C side of [`Admin`].

use kernel::{
    error::from_result,
    prelude::*, //
};

use crate::compat::{
    EOPNOTSUPP,
    EPROTONOSUPPORT, //
};

use super::{
    Admin,
    Device,
    LinkState,
    Mac,
    Qos,
    Table,
    VfIndex,
    VlanId,
    VlanProto, //
};

/// Returns `Some` of the operation if the driver implements it.
macro_rules! op {
    ($has:expr, $op:expr) => {
        if $has {
            Some($op)
        } else {
            None
        }
    };
}

impl<D> Table<D> {
    /// Adds the operations of [`Admin`].
    pub const fn admin<E: Admin<D>>(mut self) -> Self {
        self.ops.ndo_get_vf_config = Some(config::<D, E>);
        self.ops.ndo_get_vf_stats = op!(E::HAS_STATS, stats::<D, E>);
        self.ops.ndo_set_vf_mac = op!(E::HAS_SET_MAC, set_mac::<D, E>);
        self.ops.ndo_set_vf_vlan = op!(E::HAS_SET_VLAN, set_vlan::<D, E>);
        self.ops.ndo_set_vf_rate = op!(E::HAS_SET_RATE, set_rate::<D, E>);
        self.ops.ndo_set_vf_spoofchk = op!(E::HAS_SET_SPOOFCHK, set_spoofchk::<D, E>);
        self.ops.ndo_set_vf_link_state = op!(E::HAS_SET_LINK_STATE, set_link_state::<D, E>);
        self.ops.ndo_set_vf_trust = op!(E::HAS_SET_TRUST, set_trust::<D, E>);
        self.ops.ndo_set_vf_rss_query_en = op!(E::HAS_SET_RSS_QUERY, set_rss_query::<D, E>);
        self
    }
}

/// Runs an operation on a virtual function that exists.
///
/// # Safety
///
/// `dev` is the argument of an operation in a [`Table<D>`](Table).
unsafe fn with_vf<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    op: impl FnOnce(&D, &Device<D>, VfIndex) -> Result,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { Device::<D>::from_raw(dev) };

    from_result(|| {
        let vf = u16::try_from(vf)?;
        if vf >= E::num_vfs(dev.data()) {
            return Err(EINVAL);
        }
        op(dev.data(), dev, VfIndex(vf)).map(|()| 0)
    })
}

/// # Safety
///
/// Called by the kernel as `ndo_get_vf_config` of a net device of `D`.
unsafe extern "C" fn config<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    raw: *mut netbind::ifla_vf_info,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `raw` is valid and ours during the call.
    let raw = unsafe { &mut *raw };

    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe {
        with_vf::<D, E>(dev, vf, |port, dev, vf| {
            let info = E::config(port, dev, vf)?;
            raw.vf = vf.get().into();
            for (to, from) in raw.mac.iter_mut().zip(info.mac.0) {
                *to = from;
            }
            raw.vlan = info.vlan.get().into();
            raw.qos = info.qos.get().into();
            raw.vlan_proto = info.vlan_proto.to_be();
            raw.spoofchk = info.spoofchk.into();
            raw.linkstate = match info.link_state {
                LinkState::Auto => netbind::IFLA_VF_LINK_STATE_AUTO,
                LinkState::Enable => netbind::IFLA_VF_LINK_STATE_ENABLE,
                LinkState::Disable => netbind::IFLA_VF_LINK_STATE_DISABLE,
            };
            raw.min_tx_rate = info.min_tx_rate;
            raw.max_tx_rate = info.max_tx_rate;
            // The kernel has set "no such setting".
            if let Some(on) = info.rss_query {
                raw.rss_query_en = on.into();
            }
            raw.trusted = info.trusted.into();
            Ok(())
        })
    }
}

/// # Safety
///
/// Called by the kernel as `ndo_get_vf_stats` of a net device of `D`.
unsafe extern "C" fn stats<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    raw: *mut netbind::ifla_vf_stats,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `raw` is valid and ours during the call.
    let raw = unsafe { &mut *raw };

    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe {
        with_vf::<D, E>(dev, vf, |port, dev, vf| {
            let stats = E::stats(port, dev, vf)?;
            raw.rx_packets = stats.rx_packets;
            raw.tx_packets = stats.tx_packets;
            raw.rx_bytes = stats.rx_bytes;
            raw.tx_bytes = stats.tx_bytes;
            raw.broadcast = stats.broadcast;
            raw.multicast = stats.multicast;
            raw.rx_dropped = stats.rx_dropped;
            raw.tx_dropped = stats.tx_dropped;
            Ok(())
        })
    }
}

/// # Safety
///
/// Called by the kernel as `ndo_set_vf_mac` of a net device of `D`; `mac` points to 6 bytes.
unsafe extern "C" fn set_mac<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    mac: *mut u8,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `mac` points to an address, of 6 bytes.
    let mac = Mac(unsafe { mac.cast::<[u8; 6]>().read() });

    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe { with_vf::<D, E>(dev, vf, |port, dev, vf| E::set_mac(port, dev, vf, mac)) }
}

/// # Safety
///
/// Called by the kernel as `ndo_set_vf_vlan` of a net device of `D`.
unsafe extern "C" fn set_vlan<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    vlan: u16,
    qos: u8,
    proto: netbind::__be16,
) -> c_int {
    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe {
        with_vf::<D, E>(dev, vf, |port, dev, vf| {
            let vlan = VlanId::new(vlan).ok_or(EINVAL)?;
            let qos = Qos::new(qos).ok_or(EINVAL)?;
            let proto = VlanProto::from_be(proto).ok_or(EPROTONOSUPPORT)?;
            E::set_vlan(port, dev, vf, vlan, qos, proto)
        })
    }
}

/// # Safety
///
/// Called by the kernel as `ndo_set_vf_rate` of a net device of `D`.
unsafe extern "C" fn set_rate<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    min: c_int,
    max: c_int,
) -> c_int {
    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe {
        with_vf::<D, E>(dev, vf, |port, dev, vf| {
            E::set_rate(port, dev, vf, u32::try_from(min)?, u32::try_from(max)?)
        })
    }
}

/// # Safety
///
/// Called by the kernel as `ndo_set_vf_spoofchk` of a net device of `D`.
unsafe extern "C" fn set_spoofchk<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    on: bool,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let port = unsafe { Device::<D>::from_raw(dev) }.data();
    // What user space has always been told by a device that has nothing to check.
    if E::num_vfs(port) == 0 {
        return EOPNOTSUPP.to_errno();
    }
    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe { with_vf::<D, E>(dev, vf, |port, dev, vf| E::set_spoofchk(port, dev, vf, on)) }
}

/// # Safety
///
/// Called by the kernel as `ndo_set_vf_link_state` of a net device of `D`.
unsafe extern "C" fn set_link_state<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    state: c_int,
) -> c_int {
    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe {
        with_vf::<D, E>(dev, vf, |port, dev, vf| {
            let state = match u32::try_from(state)? {
                netbind::IFLA_VF_LINK_STATE_AUTO => LinkState::Auto,
                netbind::IFLA_VF_LINK_STATE_ENABLE => LinkState::Enable,
                netbind::IFLA_VF_LINK_STATE_DISABLE => LinkState::Disable,
                _ => return Err(EINVAL),
            };
            E::set_link_state(port, dev, vf, state)
        })
    }
}

/// # Safety
///
/// Called by the kernel as `ndo_set_vf_trust` of a net device of `D`.
unsafe extern "C" fn set_trust<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    on: bool,
) -> c_int {
    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe { with_vf::<D, E>(dev, vf, |port, dev, vf| E::set_trust(port, dev, vf, on)) }
}

/// # Safety
///
/// Called by the kernel as `ndo_set_vf_rss_query_en` of a net device of `D`.
unsafe extern "C" fn set_rss_query<D, E: Admin<D>>(
    dev: *mut netbind::net_device,
    vf: c_int,
    on: bool,
) -> c_int {
    // SAFETY: By the safety requirements of this function, this is an operation of a net device of
    // `D`, as `with_vf` asks for.
    unsafe { with_vf::<D, E>(dev, vf, |port, dev, vf| E::set_rss_query(port, dev, vf, on)) }
}
