// SPDX-License-Identifier: GPL-2.0

//! Numbers of queues: `ethtool -l` and `-L`.

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

/// Numbers of channels of each kind. A channel is an interrupt and what it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Serving a receive queue.
    pub rx: u32,
    /// Serving a transmit queue.
    pub tx: u32,
    /// Serving both.
    pub combined: u32,
    /// Serving something else.
    pub other: u32,
}

/// Numbers of queues.
#[vtable]
pub trait Channels<D>: 'static {
    /// Returns the numbers that are set.
    fn channels(port: &D, dev: &Device<D>) -> ChannelCounts;

    /// Returns the largest numbers that can be set.
    fn max_channels(port: &D, dev: &Device<D>) -> ChannelCounts;

    /// Sets the numbers. The kernel has checked them against the largest ones, that there is a
    /// channel for each direction, and that none is taken away that flows are steered to.
    ///
    /// # Errors
    ///
    /// The old numbers stay.
    fn set_channels(_port: &D, _dev: &Locked<D>, _counts: &ChannelCounts) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Channels`].
    pub const fn channels<E: Channels<D>>(mut self) -> Self {
        self.ops.get_channels = Some(get::<D, E>);
        self.ops.set_channels = op!(E::HAS_SET_CHANNELS, set::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_channels` of a net device of `D`.
unsafe extern "C" fn get<D, E: Channels<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_channels,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    let max = E::max_channels(dev.data(), dev);
    raw.max_rx = max.rx;
    raw.max_tx = max.tx;
    raw.max_combined = max.combined;
    raw.max_other = max.other;

    let counts = E::channels(dev.data(), dev);
    raw.rx_count = counts.rx;
    raw.tx_count = counts.tx;
    raw.combined_count = counts.combined;
    raw.other_count = counts.other;
}

/// # Safety
///
/// Called by the kernel as `set_channels` of a net device of `D`.
unsafe extern "C" fn set<D, E: Channels<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_channels,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    let counts = ChannelCounts {
        rx: raw.rx_count,
        tx: raw.tx_count,
        combined: raw.combined_count,
        other: raw.other_count,
    };
    from_result(|| E::set_channels(dev.data(), dev, &counts).map(|()| 0))
}
