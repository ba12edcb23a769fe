// SPDX-License-Identifier: GPL-2.0

//! Interrupt moderation: `ethtool -c` and `-C`.

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
    RawDevice,
    Table, //
};

/// A set of moderation parameters (`ETHTOOL_COALESCE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoalesceParams(u32);

impl CoalesceParams {
    /// [`Coalesce::rx_usecs`].
    pub const RX_USECS: Self = Self(netbind::ETHTOOL_COALESCE_RX_USECS);
    /// [`Coalesce::rx_frames`].
    pub const RX_FRAMES: Self = Self(netbind::ETHTOOL_COALESCE_RX_MAX_FRAMES);
    /// [`Coalesce::tx_usecs`].
    pub const TX_USECS: Self = Self(netbind::ETHTOOL_COALESCE_TX_USECS);
    /// [`Coalesce::tx_frames`].
    pub const TX_FRAMES: Self = Self(netbind::ETHTOOL_COALESCE_TX_MAX_FRAMES);
    /// [`Coalesce::adaptive_rx`].
    pub const ADAPTIVE_RX: Self = Self(netbind::ETHTOOL_COALESCE_USE_ADAPTIVE_RX);
    /// [`Coalesce::adaptive_tx`].
    pub const ADAPTIVE_TX: Self = Self(netbind::ETHTOOL_COALESCE_USE_ADAPTIVE_TX);

    /// Returns the parameters of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Interrupt moderation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coalesce {
    /// Longest delay of a receive interrupt, in microseconds.
    pub rx_usecs: u32,
    /// Most packets received before an interrupt.
    pub rx_frames: u32,
    /// Longest delay of a transmit interrupt, in microseconds.
    pub tx_usecs: u32,
    /// Most packets sent before an interrupt.
    pub tx_frames: u32,
    /// Receive moderation follows the traffic.
    pub adaptive_rx: bool,
    /// Transmit moderation follows the traffic.
    pub adaptive_tx: bool,
}

impl Coalesce {
    fn from_raw(raw: &netbind::ethtool_coalesce) -> Self {
        Self {
            rx_usecs: raw.rx_coalesce_usecs,
            rx_frames: raw.rx_max_coalesced_frames,
            tx_usecs: raw.tx_coalesce_usecs,
            tx_frames: raw.tx_max_coalesced_frames,
            adaptive_rx: raw.use_adaptive_rx_coalesce != 0,
            adaptive_tx: raw.use_adaptive_tx_coalesce != 0,
        }
    }

    fn into_raw(self, raw: &mut netbind::ethtool_coalesce) {
        raw.rx_coalesce_usecs = self.rx_usecs;
        raw.rx_max_coalesced_frames = self.rx_frames;
        raw.tx_coalesce_usecs = self.tx_usecs;
        raw.tx_max_coalesced_frames = self.tx_frames;
        raw.use_adaptive_rx_coalesce = self.adaptive_rx.into();
        raw.use_adaptive_tx_coalesce = self.adaptive_tx.into();
    }
}

/// Interrupt moderation.
#[vtable]
pub trait Coalescing<D>: 'static {
    /// The parameters there are; the kernel refuses to set others.
    const PARAMS: CoalesceParams;

    /// Returns what is set.
    fn coalesce(port: &D, dev: &Device<D>) -> Result<Coalesce>;

    /// Sets the parameters, of all queues.
    ///
    /// # Errors
    ///
    /// The old ones stay.
    fn set_coalesce(
        port: &D,
        dev: &Device<D>,
        coalesce: &Coalesce,
        extack: &mut ExtAck<'_>,
    ) -> Result;

    /// Returns what is set for a queue; `-EINVAL` if there is no such queue.
    fn queue_coalesce(_port: &D, _dev: &Device<D>, _queue: u32) -> Result<Coalesce> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the parameters of one queue; `-EINVAL` if there is no such queue.
    fn set_queue_coalesce(
        _port: &D,
        _dev: &Device<D>,
        _queue: u32,
        _coalesce: &Coalesce,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Coalescing`].
    pub const fn coalesce<E: Coalescing<D>>(mut self) -> Self {
        self.ops.supported_coalesce_params = E::PARAMS.0;
        self.ops.get_coalesce = Some(get::<D, E>);
        self.ops.set_coalesce = Some(set::<D, E>);
        self.ops.get_per_queue_coalesce = op!(E::HAS_QUEUE_COALESCE, get_queue::<D, E>);
        self.ops.set_per_queue_coalesce = op!(E::HAS_SET_QUEUE_COALESCE, set_queue::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_coalesce` of a net device of `D`.
unsafe extern "C" fn get<D, E: Coalescing<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_coalesce,
    _kernel: *mut netbind::kernel_ethtool_coalesce,
    _extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    from_result(|| {
        E::coalesce(dev.data(), dev)?.into_raw(raw);
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `set_coalesce` of a net device of `D`.
unsafe extern "C" fn set<D, E: Coalescing<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_coalesce,
    _kernel: *mut netbind::kernel_ethtool_coalesce,
    extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, `raw` is valid during the call, and `extack` is valid or NULL.
    let (dev, raw, mut extack) = unsafe { (device::<D>(dev), &*raw, ExtAck::from_raw(extack)) };

    let coalesce = Coalesce::from_raw(raw);
    from_result(|| E::set_coalesce(dev.data(), dev, &coalesce, &mut extack).map(|()| 0))
}

/// # Safety
///
/// Called by the kernel as `get_per_queue_coalesce` of a net device of `D`.
unsafe extern "C" fn get_queue<D, E: Coalescing<D>>(
    dev: *mut RawDevice,
    queue: u32,
    raw: *mut netbind::ethtool_coalesce,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    from_result(|| {
        E::queue_coalesce(dev.data(), dev, queue)?.into_raw(raw);
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `set_per_queue_coalesce` of a net device of `D`.
unsafe extern "C" fn set_queue<D, E: Coalescing<D>>(
    dev: *mut RawDevice,
    queue: u32,
    raw: *mut netbind::ethtool_coalesce,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    let coalesce = Coalesce::from_raw(raw);
    from_result(|| E::set_queue_coalesce(dev.data(), dev, queue, &coalesce).map(|()| 0))
}
