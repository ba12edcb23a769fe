// SPDX-License-Identifier: GPL-2.0

//! Waking the system: `ethtool -s ethX wol`.

use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    prelude::*, //
};

use super::{
    device,
    op,
    Device,
    Locked,
    RawDevice,
    Table, //
};

/// A set of events that wake the system (`WAKE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WakeOn(u32);

impl WakeOn {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// A change of the link.
    pub const PHY: Self = Self(netbind::WAKE_PHY);
    /// A unicast packet for the device.
    pub const UNICAST: Self = Self(netbind::WAKE_UCAST);
    /// A multicast packet.
    pub const MULTICAST: Self = Self(netbind::WAKE_MCAST);
    /// A broadcast packet.
    pub const BROADCAST: Self = Self(netbind::WAKE_BCAST);
    /// A magic packet.
    pub const MAGIC: Self = Self(netbind::WAKE_MAGIC);

    /// Returns the events of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether all events of `other` are in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What can, and what shall, wake the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WakeSettings {
    /// What can.
    pub supported: WakeOn,
    /// What shall.
    pub enabled: WakeOn,
}

/// Waking the system.
#[vtable]
pub trait Wake<D>: 'static {
    /// Returns what can, and what shall, wake the system.
    fn wake(port: &D, dev: &Device<D>) -> WakeSettings;

    /// Sets what shall wake the system. The kernel has checked that it can, and is told afterwards
    /// whether anything shall.
    fn set_wake(_port: &D, _dev: &Device<D>, _enabled: WakeOn) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Wake`].
    pub const fn wake<E: Wake<D>>(mut self) -> Self {
        self.ops.get_wol = Some(get::<D, E>);
        self.ops.set_wol = op!(E::HAS_SET_WAKE, set::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_wol` of a net device of `D`.
unsafe extern "C" fn get<D, E: Wake<D>>(dev: *mut RawDevice, raw: *mut netbind::ethtool_wolinfo) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    let wake = E::wake(dev.data(), dev);
    raw.supported = wake.supported.0;
    raw.wolopts = wake.enabled.0;
}

/// # Safety
///
/// Called by the kernel as `set_wol` of a net device of `D`.
unsafe extern "C" fn set<D, E: Wake<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_wolinfo,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    from_result(|| {
        E::set_wake(dev.data(), dev, WakeOn(raw.wolopts))?;
        // What `power/wakeup` in sysfs shows. A device that cannot wake the system refuses, and has
        // nothing to wake it with.
        // SAFETY: The parent of a net device is valid.
        let _ = unsafe { netbind::device_set_wakeup(raw_parent(dev), raw.wolopts != 0) };
        Ok(0)
    })
}

fn raw_parent<D>(dev: &Locked<D>) -> *mut netbind::device {
    // `device::Device` is a transparent wrapper of `Opaque<device>`.
    core::ptr::from_ref(dev.parent()).cast_mut().cast()
}
