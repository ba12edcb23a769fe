// SPDX-License-Identifier: GPL-2.0

//! Flow control: `ethtool -a` and `-A`.

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

/// Flow control by pause frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseParam {
    /// The link partners agree on it; `rx` and `tx` are then what is asked for.
    pub autoneg: bool,
    /// Pause frames received are obeyed.
    pub rx: bool,
    /// Pause frames are sent.
    pub tx: bool,
}

/// Pause frames counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseStats {
    /// Pause frames sent.
    pub tx: u64,
    /// Pause frames received.
    pub rx: u64,
}

/// Flow control.
#[vtable]
pub trait Pause<D>: 'static {
    /// Returns what is set.
    fn pauseparam(port: &D, dev: &Device<D>) -> PauseParam;

    /// Sets it.
    ///
    /// # Errors
    ///
    /// The old setting stays.
    fn set_pauseparam(_port: &D, _dev: &Locked<D>, _pause: &PauseParam) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns what has been counted.
    fn pause_stats(_port: &D, _dev: &Device<D>) -> PauseStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Pause`].
    pub const fn pause<E: Pause<D>>(mut self) -> Self {
        self.ops.get_pauseparam = Some(get::<D, E>);
        self.ops.set_pauseparam = op!(E::HAS_SET_PAUSEPARAM, set::<D, E>);
        self.ops.get_pause_stats = op!(E::HAS_PAUSE_STATS, stats::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_pauseparam` of a net device of `D`.
unsafe extern "C" fn get<D, E: Pause<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_pauseparam,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    let pause = E::pauseparam(dev.data(), dev);
    raw.autoneg = pause.autoneg.into();
    raw.rx_pause = pause.rx.into();
    raw.tx_pause = pause.tx.into();
}

/// # Safety
///
/// Called by the kernel as `set_pauseparam` of a net device of `D`.
unsafe extern "C" fn set<D, E: Pause<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_pauseparam,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    let pause = PauseParam {
        autoneg: raw.autoneg != 0,
        rx: raw.rx_pause != 0,
        tx: raw.tx_pause != 0,
    };
    from_result(|| E::set_pauseparam(dev.data(), dev, &pause).map(|()| 0))
}

/// # Safety
///
/// Called by the kernel as `get_pause_stats` of a net device of `D`.
unsafe extern "C" fn stats<D, E: Pause<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_pause_stats,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call. Both variants of the union have
    // the same fields.
    let (dev, raw) = unsafe {
        (
            device::<D>(dev),
            &mut (*raw).__bindgen_anon_1.__bindgen_anon_1,
        )
    };

    let stats = E::pause_stats(dev.data(), dev);
    raw.tx_pause_frames = stats.tx;
    raw.rx_pause_frames = stats.rx;
}
