// SPDX-License-Identifier: GPL-2.0

//! Quiesce and restart: one pair of functions for every cause of a reset (transmit hang, sysfs
//! reset, PCIe errors, suspend, a new number of VFs).
//!
//! [`quiesce`] closes the net device's queues and silences the controller. [`restart`] resets it,
//! writes everything anew from the desired state, and opens the queues again if the net device is
//! up. Nothing is read back from the hardware, so it does not matter what state it was in.

use crate::{
    mailbox,
    port::{
        Mac,
        Port, //
    },
    queues, //
};
use igb_core::error::AdminError;
use kernel::prelude::*;
use net::{
    device::{
        Device,
        Locked, //
    },
    rtnl,
    work, //
};

/// An error of the pure logic as the kernel's.
pub(crate) fn errno(error: AdminError) -> Error {
    Error::from_errno(error.errno())
}

/// Silences the port. Under RTNL. May be called again without a restart in between.
pub(crate) fn quiesce(dev: &Locked<Port>) {
    let port = dev.data();
    let open = port.net.lock().queues.take();
    if let Some(queues) = open {
        // The reset that follows makes up for queues that did not stop.
        let _ = queues::close(port, dev, queues);
    }
    dev.carrier_off();
    let mut mac = port.mac.lock();
    if port.hw.lock().live {
        port.fold_counters(&mut mac);
        {
            let mut hw = port.hw.lock();
            // VFs are told while the mailboxes still work: without the right to send, they wait.
            hw.switch.on_pf_reset();
            mailbox::recall(&port.io, &hw, false);
        }
        mac.quiesce(port);
    }
}

/// Starts a quiesced port. Under RTNL.
///
/// # Errors
///
/// The port stays quiesced, if it does not come out of its reset. If only the queues could not be
/// opened, it is started, and [`reopen`] sees to the queues. The net device shows no carrier.
pub(crate) fn restart(dev: &Locked<Port>) -> Result {
    let port = dev.data();
    {
        let mut mac = port.mac.lock();
        mac.restart(port)?;
        mac.recall_refuses = false;
        port.rebase_counters();
    }
    let opened = open_missing(port, dev);
    port.works.service.schedule();
    // Resets and messages that came meanwhile.
    port.works.mailbox.schedule();
    opened
}

/// Opens the queues of a net device that is up and has none. Under RTNL.
fn open_missing(port: &Port, dev: &Locked<Port>) -> Result {
    if !port.lacks_queues() {
        return Ok(());
    }
    port.net.lock().open(port, dev)
}

/// Quiesces, changes the desired state, and restarts. Under RTNL.
///
/// # Errors
///
/// If `change` fails, the port runs on with the state it left.
pub(crate) fn restart_with(dev: &Locked<Port>, change: impl FnOnce(&mut Mac) -> Result) -> Result {
    quiesce(dev);
    let changed = change(&mut dev.data().mac.lock());
    restart(dev)?;
    changed
}

/// Opens the queues again with other settings, if the net device is up. Under RTNL. The controller
/// is not reset, and VFs notice nothing.
///
/// # Errors
///
/// The old settings are in force again.
pub(crate) fn reopen_with(
    dev: &Locked<Port>,
    change: impl FnOnce(&mut crate::settings::Settings),
) -> Result {
    let port = dev.data();
    // Held until there are queues again: who finds none takes the link away from the stack.
    let mut net = port.net.lock();
    let before = net.settings;
    change(&mut net.settings);
    let Some(queues) = net.queues.take() else {
        return Ok(());
    };
    // Memory may be long in coming, and queues that are closed are not to be taken for stuck.
    dev.detach();
    let result = if queues::close(port, dev, queues) {
        net.open(port, dev).inspect_err(|_| {
            net.settings = before;
            if net.open(port, dev).is_err() {
                dev_err!(&*port.pdev, "no memory for the queues: trying again\n");
                port.works.service.schedule();
            }
        })
    } else {
        drop(net);
        // Not let go of: only a reset helps.
        restart_with(dev, |_| Ok(()))
    };
    dev.attach();
    result
}

/// The work item behind what the service work item notices. A net device that is up may have no
/// queues, since memory was short when they had to be opened anew: tries again. Or its queues have
/// frames without a link to send them on: gives those back.
pub(crate) fn reopen(dev: &Device<Port>, _handle: &work::Handle) {
    let rtnl = rtnl::lock();
    let Some(dev) = dev.under(&rtnl).filter(|dev| dev.is_present()) else {
        return;
    };
    let port = dev.data();
    if port.holds_frames() {
        let _ = reopen_with(dev, |_| ());
    } else if port.lacks_queues() && open_missing(port, dev).is_ok() {
        port.works.service.schedule();
    }
}

/// The work item behind a transmit hang, and behind the controller's own wish to be reset.
pub(crate) fn reset(dev: &Device<Port>, _handle: &work::Handle) {
    let rtnl = rtnl::lock();
    let Some(dev) = dev.under(&rtnl).filter(|dev| dev.is_present()) else {
        return;
    };
    dev_err!(&*dev.data().pdev, "resetting the controller\n");
    if let Err(error) = restart_with(dev, |_| Ok(())) {
        dev_err!(&*dev.data().pdev, "reset failed: {error:?}\n");
    }
}
