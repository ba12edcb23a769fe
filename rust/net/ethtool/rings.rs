// SPDX-License-Identifier: GPL-2.0

//! Ring sizes: `ethtool -g` and `-G`.

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
    ExtAck,
    Locked,
    RawDevice,
    Table, //
};

/// Ring sizes, in descriptors per queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingParam {
    /// Largest receive ring.
    pub rx_max: u32,
    /// Largest transmit ring.
    pub tx_max: u32,
    /// Receive ring.
    pub rx: u32,
    /// Transmit ring.
    pub tx: u32,
}

/// Ring sizes.
#[vtable]
pub trait Rings<D>: 'static {
    /// Returns the sizes that are set and the largest that can be.
    fn ringparam(port: &D, dev: &Device<D>) -> RingParam;

    /// Sets the sizes. The kernel has checked them against the largest ones only.
    ///
    /// # Errors
    ///
    /// The old sizes stay.
    fn set_ringparam(
        _port: &D,
        _dev: &Locked<D>,
        _rings: &RingParam,
        _extack: &mut ExtAck<'_>,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Rings`].
    pub const fn rings<E: Rings<D>>(mut self) -> Self {
        self.ops.get_ringparam = Some(get::<D, E>);
        self.ops.set_ringparam = op!(E::HAS_SET_RINGPARAM, set::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_ringparam` of a net device of `D`.
unsafe extern "C" fn get<D, E: Rings<D>>(
    dev: *mut RawDevice,
    param: *mut netbind::ethtool_ringparam,
    _kernel: *mut netbind::kernel_ethtool_ringparam,
    _extack: *mut netbind::netlink_ext_ack,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `param` is valid and ours during the call.
    let (dev, param) = unsafe { (device::<D>(dev), &mut *param) };

    let rings = E::ringparam(dev.data(), dev);
    param.rx_max_pending = rings.rx_max;
    param.tx_max_pending = rings.tx_max;
    param.rx_pending = rings.rx;
    param.tx_pending = rings.tx;
}

/// # Safety
///
/// Called by the kernel as `set_ringparam` of a net device of `D`.
unsafe extern "C" fn set<D, E: Rings<D>>(
    dev: *mut RawDevice,
    param: *mut netbind::ethtool_ringparam,
    _kernel: *mut netbind::kernel_ethtool_ringparam,
    extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, `param` is valid during the call, and `extack` is valid or NULL.
    let (dev, param, mut extack) = unsafe { (device::<D>(dev), &*param, ExtAck::from_raw(extack)) };

    let rings = RingParam {
        rx_max: param.rx_max_pending,
        tx_max: param.tx_max_pending,
        rx: param.rx_pending,
        tx: param.tx_pending,
    };
    from_result(|| E::set_ringparam(dev.data(), dev, &rings, &mut extack).map(|()| 0))
}
