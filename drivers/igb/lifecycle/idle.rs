// SPDX-License-Identifier: GPL-2.0

//! The controller's rung of the ladder for a port that nobody uses (runtime power management). No queue is
//! open then, so neither way needs RTNL, which may be held by whoever wants the port back.

use super::begin_service;
use crate::port::Port;
use igb_core::regs::{
    self,
    ctrl_ext, //
};
use kernel::prelude::*;

/// Takes a controller that nobody needs out of service, until [`wake_up`]: the net device is down, and there
/// are no VFs. The stack has the device all the while, and what it changes is written then. Takes neither
/// RTNL nor [`Port::net`].
///
/// # Errors
///
/// `EBUSY`: it is needed.
pub(crate) fn fall_asleep(port: &Port) -> Result {
    let mut mac = port.mac.lock();
    if port.hw.lock().is_needed() {
        return Err(EBUSY);
    }
    port.take_out(&mut mac);
    // Firmware may have the controller. The restart takes it back.
    let io = mac.out_of_service();
    io.update(regs::CTRL_EXT, |value| value & !ctrl_ext::DRV_LOAD);
    io.flush();
    port.masks.set_asleep(true);
    Ok(())
}

/// Takes it back into service. RTNL and [`Port::net`] may be held.
///
/// # Errors
///
/// `ENODEV`: the controller is gone, or does not come out of its reset.
pub(crate) fn wake_up(port: &Port) -> Result {
    // Once: the kernel does not ask again when this has failed.
    let tell = |what: &str, error: &Error| {
        dev_err!(&*port.pdev, "cannot wake the port: {what}: {error:?}\n");
    };
    let mut mac = port.mac.lock();
    port.masks.set_asleep(false);
    // It did not answer in D3hot, and may have been looked at.
    port.io
        .probe_presence()
        .inspect_err(|error| tell("the controller does not answer", error))?;
    mac.link.forget_phy();
    begin_service(port, &mut mac)
        .inspect_err(|error| tell("the controller does not restart", error))?;
    port.works.service.schedule();
    Ok(())
}
