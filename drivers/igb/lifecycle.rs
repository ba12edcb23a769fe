// SPDX-License-Identifier: GPL-2.0

//! Quiesce and restart: one pair of functions for every cause of a reset (transmit hang, sysfs
//! reset, PCIe errors, suspend, a new number of VFs).
//!
//! [`quiesce`] closes the net device's queues and silences the controller. [`restart`] resets it,
//! writes everything anew from the desired state, and opens the queues again if the net device is
//! up. Nothing is read back from the hardware, so it does not matter what state it was in.

use crate::{
    controller::Hw,
    hw::{
        phy::Phy,
        reset as reset_hw, //
    },
    mac::Mac,
    mailbox,
    port::Port,
    queues, //
};
use igb_core::{
    regs::{
        self,
        ctrl,
        ctrl_ext,
        gpie,
        icr,
        ivar, //
    },
    tenant, //
};
use kernel::prelude::*;
use net::{
    device::{
        Device,
        Locked, //
    },
    rtnl,
    work, //
};

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
        mac.quiesce(&port.hw);
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
        restart_controller(port, &mut mac)?;
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

/// Resets the controller and writes everything anew from the desired state.
/// Sleeps for some 20 ms.
///
/// # Errors
///
/// `ENODEV`: the controller is gone, and stays quiesced. A PHY that is not to be had is no error:
/// the service work item tries to start the link again.
pub(crate) fn restart_controller(port: &Port, mac: &mut Mac) -> Result {
    let io = &port.io;
    reset_hw::reset(io)?;
    mailbox::space_interrupts(io, 0);
    // Not every emulation resets the VFs' interrupt moderation.
    let vfs = port.hw.lock().switch.vfs();
    for vf in vfs.iter() {
        tenant::clear(
            vf,
            |offset| io.read(offset),
            |offset, v| io.write(offset, v),
        );
    }
    let strip = {
        let mut hw = port.hw.lock();
        hw.revive(io);
        hw.switch.ctrl_vme()
    };
    io.write(regs::VET, regs::vet::DOT1Q);
    io.update(regs::CTRL, |value| {
        let value = (value | ctrl::SLU) & !(ctrl::FRCSPD | ctrl::FRCDPX);
        if strip {
            value | ctrl::VME
        } else {
            value & !ctrl::VME
        }
    });
    io.write(regs::TIPG, regs::tipg::DEFAULT);
    mac.apply_rss(&port.hw);
    let _ = mac.apply_need(&port.hw);
    start_interrupts(port);
    // From here on VFs see that the PF is ready for their handshake.
    io.update(regs::CTRL_EXT, |value| {
        value | ctrl_ext::PFRSTD | ctrl_ext::DRV_LOAD
    });
    io.flush();
    Ok(())
}

/// Says goodbye: the link goes down, and firmware may have the controller.
pub(crate) fn release(port: &Port, mac: &mut Mac) {
    let io = &port.io;
    port.hw.lock().up = false;
    mac.quiesce(&port.hw);
    if reset_hw::reset(io).is_err() {
        return;
    }
    if let Ok(phy) = Phy::take(io) {
        let _ = phy.power_down();
    }
    io.update(regs::CTRL_EXT, |value| value & !ctrl_ext::DRV_LOAD);
}

/// Routes the causes that are not a queue's, and unmasks them.
fn start_interrupts(port: &Port) {
    let io = &port.io;
    let hw = port.hw.lock();
    if port.plan.is_msix() {
        io.write(
            regs::GPIE,
            gpie::MSIX_MODE | gpie::PBA | gpie::EIAME | gpie::NSICR,
        );
        io.write(regs::IVAR_MISC, ivar::misc_other(port.plan.misc_vector()));
        let bit = regs::eicr::vector(port.plan.misc_vector().into());
        io.update(regs::EIAC, |value| value | bit);
        io.update(regs::EIAM, |value| value | bit);
        io.write(regs::EIMS, bit);
        io.write(regs::MBVFIMR, regs::mbvfimr::ALL);
    }
    io.write(regs::IMS, misc_causes(&hw));
    io.flush();
}

/// The causes the port wants to hear of. Not of frames that fail the spoof check (`DOUTSYNC`): a VF
/// could send them without pause, so they are looked for now and then.
fn misc_causes(hw: &Hw) -> u32 {
    let mut causes = icr::LSC | icr::DRSTA;
    if hw.switch.nr_vfs() != 0 {
        causes |= icr::VMMB;
    }
    causes
}
