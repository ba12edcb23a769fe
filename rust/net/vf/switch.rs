// SPDX-License-Identifier: GPL-2.0

//! The mode of the switch between the functions: `bridge link set dev ethX hwmode …`.

use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

use super::{
    Device,
    Table, //
};
use crate::ethtool::ExtAck;

/// Where packets from one function to another go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SwitchMode {
    /// Straight there (virtual Ethernet bridge).
    #[default]
    Veb,
    /// Out to a switch, which sends them back (virtual Ethernet port aggregator).
    Vepa,
}

impl SwitchMode {
    fn from_raw(raw: u32) -> Result<Self> {
        match raw {
            netbind::BRIDGE_MODE_VEB => Ok(Self::Veb),
            netbind::BRIDGE_MODE_VEPA => Ok(Self::Vepa),
            _ => Err(EINVAL),
        }
    }

    fn into_raw(self) -> u16 {
        match self {
            Self::Veb => 0,
            Self::Vepa => 1,
        }
    }
}

const _: () = assert!(netbind::BRIDGE_MODE_VEB == 0 && netbind::BRIDGE_MODE_VEPA == 1);

/// The switch between the functions of a device.
#[vtable]
pub trait Switch<D>: 'static {
    /// Returns the mode.
    ///
    /// # Errors
    ///
    /// `-EOPNOTSUPP` if there is no switch at the moment. RCU read side: must not sleep.
    fn mode(port: &D, dev: &Device<D>) -> Result<SwitchMode>;

    /// Sets the mode.
    ///
    /// # Errors
    ///
    /// `-EOPNOTSUPP` if there is no switch at the moment. The old mode stays.
    fn set_mode(port: &D, dev: &Device<D>, mode: SwitchMode, extack: &mut ExtAck<'_>) -> Result;
}

impl<D> Table<D> {
    /// Adds the operations of [`Switch`].
    pub const fn switch<E: Switch<D>>(mut self) -> Self {
        self.ops.ndo_bridge_getlink = Some(get::<D, E>);
        self.ops.ndo_bridge_setlink = Some(set::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `ndo_bridge_getlink` of a net device of `D`.
unsafe extern "C" fn get<D, E: Switch<D>>(
    skb: *mut netbind::sk_buff,
    pid: u32,
    seq: u32,
    raw: *mut netbind::net_device,
    filter_mask: u32,
    nlflags: c_int,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { Device::<D>::from_raw(raw) };

    from_result(|| {
        let mode = E::mode(dev.data(), dev)?.into_raw();
        // SAFETY: The arguments are those of this operation, which the kernel has passed; without a
        // function that fills in VLANs, none is called.
        to_result(unsafe {
            netbind::ndo_dflt_bridge_getlink(
                skb,
                pid,
                seq,
                raw,
                mode,
                0,
                0,
                nlflags,
                filter_mask,
                None,
            )
        })
        .map(|()| 0)
    })
}

/// # Safety
///
/// Called by the kernel as `ndo_bridge_setlink` of a net device of `D`.
unsafe extern "C" fn set<D, E: Switch<D>>(
    dev: *mut netbind::net_device,
    message: *mut netbind::nlmsghdr,
    _flags: u16,
    extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `extack` is valid or NULL.
    let (dev, mut extack) = unsafe { (Device::<D>::from_raw(dev), ExtAck::from_raw(extack)) };

    from_result(|| {
        // SAFETY: `message` is a netlink message that the kernel has received and passes for the
        // call.
        let mode = unsafe { netbind::bridge_mode_of(message) };
        // Negative: an errno.
        to_result(mode)?;
        let mode = SwitchMode::from_raw(u32::try_from(mode)?)?;
        E::set_mode(dev.data(), dev, mode, &mut extack).map(|()| 0)
    })
}
