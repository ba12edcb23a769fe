// SPDX-License-Identifier: GPL-2.0

//! The controller's rung of the ladder for a port that nobody uses (runtime power management): the net device
//! is down, or it is up and nothing is plugged in; and there are no VFs. The stack has the device all the while,
//! and what it changes is written when the port wakes.
//!
//! Neither way waits for RTNL, which may be held by whoever wants the port back. A net device that is down has no
//! queue open. One that is up is asleep without queues, and the work item that opens missing queues sees to them
//! afterwards.

use super::{
    begin_service,
    hand_over,
    quiesce, //
};
use crate::{
    hw::wake as wake_hw,
    mac::Mac,
    port::Port, //
};
use igb_core::wake::WakeEvents;
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::{
    device::Device,
    rtnl, //
};

/// For how long a port that is up has had no link before it may sleep, in nanoseconds: a partner that is there
/// has been agreed with by then.
const LINKLESS_NS: u64 = 5_000_000_000;

/// Takes a controller that nobody needs out of service, until [`wake_up`]. Without RTNL.
///
/// # Errors
///
/// `EBUSY`: it is needed, or RTNL was.
pub(crate) fn fall_asleep(port: &Port, dev: &Device<Port>) -> Result {
    let is_up = port.hw.lock().up;
    if !is_up {
        let mut mac = port.mac.lock();
        if port.hw.lock().is_needed() {
            return Err(EBUSY);
        }
        port.take_out(&mut mac);
        leave_it(port, &mac);
        return Ok(());
    }
    let slept = sleep_until_link(port, dev);
    if slept.is_err() {
        // The kernel does not try again by itself.
        port.sleep_refused.store(true, Relaxed);
        port.works.service.schedule();
    }
    slept
}

/// The way down of a port that is up: a change of the link wakes it, and so does whoever wants it.
fn sleep_until_link(port: &Port, dev: &Device<Port>) -> Result {
    let rtnl = rtnl::try_lock().ok_or(EBUSY)?;
    let dev = dev.under(&rtnl).ok_or(EBUSY)?;
    if port.is_of_use(&port.mac.lock()) {
        return Err(EBUSY);
    }
    quiesce(dev);
    let mut mac = port.mac.lock();
    let armed = wake_hw::arm(mac.out_of_service(), WakeEvents::LINK);
    if armed.events.is_empty() {
        // There is a link just now.
        begin_service(port, &mut mac)?;
        return Err(EBUSY);
    }
    mac.armed = Some(armed);
    leave_it(port, &mac);
    Ok(())
}

/// The last step of falling asleep.
fn leave_it(port: &Port, mac: &Mac) {
    let io = mac.out_of_service();
    hand_over(io);
    io.flush();
    port.masks.set_asleep(true);
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
    if let Some(armed) = mac.armed.take() {
        // The log says that there is a link, if that is what woke it.
        let _ = wake_hw::disarm(mac.out_of_service(), armed);
    }
    mac.link.forget_phy();
    begin_service(port, &mut mac)
        .inspect_err(|error| tell("the controller does not restart", error))?;
    port.works.service.schedule();
    Ok(())
}

/// Lets a port that is up sleep when it has had no link for a while, and keeps it awake otherwise. Called by the
/// service work item, after it has looked at the link; without RTNL.
pub(crate) fn mind_sleep(port: &Port) {
    let is_of_use = {
        let mut mac = port.mac.lock();
        if !port.is_live() || !port.hw.lock().up {
            return;
        }
        if mac.link.state().is_some() {
            mac.linked_at = port.now();
        }
        port.is_of_use(&mac)
    };
    let is_kept_awake = port.net.lock().awake.is_some();
    match (is_of_use, is_kept_awake) {
        (true, false) => {
            // Without the locks that the way down takes. It refuses by now.
            let Ok(awake) = port.wake() else {
                return;
            };
            let mut net = port.net.lock();
            // It may have gone down meanwhile.
            if port.hw.lock().up {
                net.awake = Some(awake);
            }
        }
        (false, true) => port.net.lock().awake = None,
        (false, false) if port.sleep_refused.xchg(false, Relaxed) => {
            // The time without use begins anew.
            let _ = port.wake();
        }
        _ => {}
    }
}

impl Port {
    /// A port whose net device is up does something awake: there are VFs, there was a link lately, or it would
    /// not notice a link asleep.
    fn is_of_use(&self, mac: &Mac) -> bool {
        self.differences.never_wakes
            || self.hw.lock().switch.nr_vfs() != 0
            || self.now().saturating_sub(mac.linked_at) < LINKLESS_NS
    }
}
