// SPDX-License-Identifier: GPL-2.0

//! The ladder of life: three rungs, each with a way down and the way up again.
//!
//! - [`down`] and [`up`]: the net device's queues.
//! - [`quiesce`] and [`restart`]: the controller, with the queues.
//! - [`suspend`] and [`resume`]: the PCI function, with the controller.
//!
//! Whatever needs a reset takes them (`Documentation/architecture.rst` has the causes). [`restart`]
//! resets the controller, writes everything anew from the desired state, and opens the queues again if
//! the net device is up. Nothing is read back from the hardware, so it does not matter what state it
//! was in. [`reopen_with`] and [`restart_with`] go down a rung, change a setting, and go up again.

use crate::{
    hw::{
        reset as reset_hw,
        wake as wake_up, //
    },
    io::Io,
    log,
    mac::Mac,
    port::Port,
    queues,
    settings::Settings, //
};
use igb_core::{
    regs::{
        self,
        ctrl,
        ctrl_ext,
        eitr,
        gpie,
        icr::{
            self,
            Icr, //
        },
        ivar,
        rfctl, //
    },
    tenant,
    wake::WakeEvents, //
};
use kernel::{
    device::Core,
    prelude::*, //
};
use net::{
    device::{
        Device,
        Locked, //
    },
    pci::{
        self,
        CoreExt,
        SriovCore, //
    },
    rtnl,
    work, //
};

mod idle;
mod split;

pub(crate) use self::{
    idle::{
        fall_asleep,
        mind_sleep,
        wake_up, //
    },
    split::split_with, //
};

/// Closes the net device's queues, if they are open. Under RTNL.
///
/// Returns whether the controller has let go of them, as [`queues::close`] does.
pub(crate) fn down(dev: &Locked<Port>) -> bool {
    let port = dev.data();
    let open = port.net.lock().queues.take();
    match open {
        Some(queues) => queues::close(port, dev, queues),
        None => true,
    }
}

/// Opens the queues of a net device that is up and has none. Under RTNL.
///
/// # Errors
///
/// As [`Net::open`](crate::port::Net::open). The net device still has none.
pub(crate) fn up(dev: &Locked<Port>) -> Result {
    let port = dev.data();
    if !port.lacks_queues() {
        return Ok(());
    }
    port.net.lock().open(port, dev)
}

/// Takes the port out of service. Under RTNL. May be called again without a restart in between.
pub(crate) fn quiesce(dev: &Locked<Port>) {
    let port = dev.data();
    // Queues that did not stop are stopped by the reset that follows.
    let _ = down(dev);
    dev.carrier_off();
    port.take_out(&mut port.mac.lock());
}

/// Starts a quiesced port. Under RTNL.
///
/// # Errors
///
/// The port stays quiesced, if it does not come out of its reset. If only the queues could not be
/// opened, it is started, and [`reopen`] sees to the queues. The net device shows no carrier.
pub(crate) fn restart(dev: &Locked<Port>) -> Result {
    let port = dev.data();
    begin_service(port, &mut port.mac.lock())?;
    port.hw_stats.count_reset();
    let opened = up(dev);
    port.works.service.schedule();
    // Resets and messages that came meanwhile.
    port.works.mailbox.schedule();
    opened
}

/// The controller's part of [`restart`].
fn begin_service(port: &Port, mac: &mut Mac) -> Result {
    restart_controller(port, mac)?;
    mac.linked_at = port.now();
    mac.recall_refuses = false;
    port.rebase_counters();
    Ok(())
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
pub(crate) fn reopen_with(dev: &Locked<Port>, change: impl FnOnce(&mut Settings)) -> Result {
    let port = dev.data();
    // Held until there are queues again: the service work item takes the carrier away if it finds
    // none.
    let mut net = port.net.lock();
    let before = net.settings;
    change(&mut net.settings);
    let Some(queues) = net.queues.take() else {
        return Ok(());
    };
    // Allocating memory may take long, and closed queues are not to be taken for stuck ones.
    dev.detach();
    let result = if queues::close(port, dev, queues) {
        net.open(port, dev).inspect_err(|_| {
            net.settings = before;
            if let Err(error) = net.open(port, dev) {
                dev_err!(
                    &*port.pdev,
                    "cannot open the queues: {error:?}; trying again\n"
                );
                port.works.service.schedule();
            }
        })
    } else {
        drop(net);
        // Not let go of: only a reset helps.
        restart_with(dev, |_| Ok(())).inspect_err(|_| port.net.lock().settings = before)
    };
    dev.attach();
    result
}

/// Work item scheduled by the service work item. A net device that is up may have no queues, since
/// memory was short when they had to be opened anew: tries again. Or its queues have frames without a
/// link to send them on: gives those back. Or they wait for buffers and should not, or the reverse.
pub(crate) fn reopen(dev: &Device<Port>, _handle: &work::Handle) {
    let rtnl = rtnl::lock();
    let Some(dev) = dev.under(&rtnl).filter(|dev| dev.is_present()) else {
        return;
    };
    let port = dev.data();
    let drops_otherwise = port.net.lock().drops_otherwise(port);
    if drops_otherwise || port.holds_frames() {
        let _ = reopen_with(dev, |_| ());
        if drops_otherwise {
            // The carrier waits for it.
            port.works.service.schedule();
        }
    } else if port.lacks_queues() && up(dev).is_ok() {
        port.works.service.schedule();
    }
}

/// Work item scheduled by a transmit hang, and by the controller's own request to be reset.
pub(crate) fn reset(dev: &Device<Port>, _handle: &work::Handle) {
    let rtnl = rtnl::lock();
    let Some(dev) = dev.under(&rtnl).filter(|dev| dev.is_present()) else {
        return;
    };
    let port = dev.data();
    // Nobody may need the port any more. It wakes, and stays awake until the reset is done.
    let Ok(_awake) = port.wake() else {
        return;
    };
    dev_err!(&*port.pdev, "resetting the controller\n");
    // Not the controller's own request.
    let stuck = port.hw_stats.take_timeout();
    if stuck {
        port.tell_transmit(true);
        port.keep_registers();
    }
    if let Err(error) = restart_with(dev, |_| Ok(())) {
        dev_err!(&*port.pdev, "reset failed: {error:?}\n");
    } else if stuck {
        port.tell_transmit(false);
    }
}

/// Why a device is suspended. The stack leaves it alone and the controller does nothing, in any case;
/// what else is done depends on this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The function will be reset: it stays enabled.
    FunctionReset,
    /// An error on the bus that may be recovered from: the function is disabled.
    BusError,
    /// One that may not.
    BusFailure,
    /// The system sleeps: the function watches for what shall wake the system, and is disabled.
    Sleep,
    /// The system shuts down: the link goes down, firmware may have the controller, and the function
    /// is disabled. If it is switched off, the function watches for what shall wake it, as before a
    /// sleep.
    Shutdown,
    /// The driver leaves: the same, and its interrupts are freed.
    Unbind,
}

impl Cause {
    /// The device comes back, and its VFs with it.
    fn is_for_a_while(self) -> bool {
        matches!(self, Self::FunctionReset | Self::BusError | Self::Sleep)
    }
}

/// Takes the device out of service. Without RTNL. May be called again without a resume in between.
pub(crate) fn suspend(pdev: &kernel::pci::Device<Core<'_>>, dev: &Device<Port>, cause: Cause) {
    let port = dev.data();
    if cause.is_for_a_while() {
        // A VF's state is restored with the PF's, and must be that of now: the PCI core saves it as
        // well, but not when a sleep is only tested, or ends early.
        pdev.save_vf_states();
    }
    let rtnl = rtnl::lock();
    if let Some(dev) = dev.under(&rtnl) {
        dev.detach();
        quiesce(dev);
    }
    match cause {
        Cause::FunctionReset => return,
        Cause::BusError | Cause::BusFailure => {}
        Cause::Sleep => {
            let _ = prepare_sleep(port);
        }
        Cause::Shutdown if pci::powers_off() => {
            let wakes = prepare_sleep(port);
            if !wakes {
                release(port);
            }
            disable(pdev);
            pdev.enter_d3(wakes);
            return;
        }
        Cause::Shutdown => release(port),
        Cause::Unbind => {
            release(port);
            *port.misc_irq.lock() = None;
        }
    }
    disable(pdev);
}

/// Takes a suspended device back into service, and lets the stack have it. Without RTNL. One that was
/// not suspended needs nothing: an error the device got over without a reset.
///
/// # Errors
///
/// The function cannot be enabled or does not answer. A controller that does not restart is no error:
/// that was logged, and the stack does not get it back.
pub(crate) fn resume(pdev: &kernel::pci::Device<Core<'_>>, dev: &Device<Port>) -> Result {
    if pdev.is_enabled() {
        // While a function is reset it does not answer, and an interrupt of another device on the
        // same line has it looked at. If it is gone indeed, the restart says so.
        let port = dev.data();
        let _ = port.io.probe_presence();
        // Nobody says what was reset: the bus or the slot, and the PHY is reset with it.
        if !port.is_live() {
            port.mac.lock().link.forget_phy();
        }
    } else {
        enable(pdev, dev.data())?;
        tell_wake(pdev, dev.data());
    }
    if recover(pdev, dev).is_ok() {
        let rtnl = rtnl::lock();
        if let Some(dev) = dev.under(&rtnl) {
            dev.attach();
        }
    }
    Ok(())
}

/// The first part of [`resume`], of a function that is enabled: restarts the controller, with its VFs.
/// The stack does not have it back yet.
///
/// # Errors
///
/// The controller does not come out of its reset. If it only lacks its queues, it is in service;
/// they are opened when there is memory.
pub(crate) fn recover(pdev: &kernel::pci::Device<Core<'_>>, dev: &Device<Port>) -> Result {
    let rtnl = rtnl::lock();
    let dev = dev.under(&rtnl).ok_or(ENODEV)?;
    let port = dev.data();
    if port.is_live() {
        return Ok(());
    }
    pdev.restore_vf_states();
    restart(dev).or_else(|error| {
        dev_err!(pdev, "the controller does not restart: {error:?}\n");
        if port.is_live() {
            Ok(())
        } else {
            Err(error)
        }
    })
}

/// Enables the PCI function after a sleep or a reset of its slot.
///
/// # Errors
///
/// What enabling it returns; `ENODEV` if it does not answer.
pub(crate) fn enable(pdev: &kernel::pci::Device<Core<'_>>, port: &Port) -> Result {
    pdev.restore_state();
    pdev.enable_device_mem()?;
    pdev.set_master();
    pdev.save_state()?;
    port.mac.lock().link.forget_phy();
    port.io.probe_presence()
}

/// Disables the PCI function, unless an error it did not get over has done so. Before a sleep, the PCI
/// core then saves its state, and picks a state of power that can wake the system.
pub(crate) fn disable(pdev: &kernel::pci::Device<Core<'_>>) {
    if pdev.is_enabled() {
        pdev.disable_device();
    }
}

/// Resets a controller that is out of service and writes everything anew from the desired state: then
/// it is in service. Sleeps for some 20 ms.
///
/// # Errors
///
/// `ENODEV`: the controller is gone, and stays out of service. A PHY that firmware keeps is no error:
/// the service work item tries to start the link again.
pub(crate) fn restart_controller(port: &Port, mac: &mut Mac) -> Result {
    let io = mac.out_of_service();
    reset_hw::reset(io)?;
    reset_hw::set_completion_timeout(io);
    io.write(regs::eitr(0), eitr::interval(0));
    // Not every emulation resets the VFs' interrupt moderation.
    let vfs = port.hw.lock().switch.vfs();
    for vf in vfs.iter() {
        tenant::clear(vf, io);
    }
    let strip = {
        let mut hw = port.hw.lock();
        hw.enter_service();
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
    io.update(regs::RFCTL, |value| value | rfctl::IPV6_EX_DIS);
    // The NVM may have the port wake the system by itself.
    io.clear(regs::WUC);
    // Only then is anything received.
    mac.apply_rss(&port.hw);
    let _ = mac.apply_need(&port.hw);
    if let Some(io) = mac.live(&port.hw) {
        port.ptp.start(io);
        start_interrupts(port, io);
        // From here on VFs see that the PF is ready for their handshake.
        io.update(regs::CTRL_EXT, |value| {
            value | ctrl_ext::PFRSTD | ctrl_ext::DRV_LOAD
        });
        io.flush();
    }
    Ok(())
}

/// Routes the causes that are not a queue's, and unmasks them.
fn start_interrupts(port: &Port, io: &Io) {
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
    io.write(regs::IMS, misc_causes(hw.switch.nr_vfs()));
    io.flush();
}

/// The causes the port wants to hear of.
fn misc_causes(nr_vfs: u8) -> Icr {
    let mut causes = icr::LSC | icr::DRSTA;
    if nr_vfs != 0 {
        causes |= icr::VMMB | icr::DOUTSYNC;
    }
    causes
}

/// Gives the controller up: it is reset, the link goes down, and firmware may have it.
pub(crate) fn release(port: &Port) {
    let mut mac = port.mac.lock();
    port.hw.lock().up = false;
    mac.halt(&port.hw);
    if reset_hw::reset(mac.out_of_service()).is_err() {
        return;
    }
    let _ = mac.link.stop();
    hand_over(mac.out_of_service());
}

/// From here on firmware may have the controller. A restart takes it back.
fn hand_over(io: &Io) {
    io.update(regs::CTRL_EXT, |value| value & !ctrl_ext::DRV_LOAD);
}

/// Readies a quiesced port for the system's sleep: it watches for what shall wake the system, with a
/// link to hear it on, or else its link is down. Returns whether it watches for something.
fn prepare_sleep(port: &Port) -> bool {
    let mut mac = port.mac.lock();
    let io = mac.out_of_service();
    let wanted = port.ethtool.wake();
    let (needed, own) = {
        let hw = port.hw.lock();
        (hw.is_needed(), hw.switch.own_enables())
    };
    // The receiver runs again to hear what is to wake the system. The VFs' pools are closed,
    // whatever memory their rings point at.
    io.write(regs::VFRE, own);
    io.write(regs::VFTE, own);
    // What is received from here on stays in the controller.
    reset_hw::drain_dma(io);
    let armed = if port.wakes_on().contains(wanted) {
        wake_up::arm(io, wanted)
    } else {
        wake_up::arm(io, WakeEvents::NONE)
    };
    mac.armed = Some(armed);
    let link = if armed.events.is_empty() {
        mac.link.stop()
    } else if !needed {
        // It was down, or on its way there, as nobody needed it.
        mac.link.negotiate()
    } else {
        Ok(())
    };
    if let Err(error) = link {
        dev_warn!(
            &*port.pdev,
            "the PHY does not follow into sleep: {error:?}\n"
        );
    }
    hand_over(mac.out_of_service());
    !armed.events.is_empty()
}

/// Tells what has woken the system, of a port that has watched for it and is enabled again.
fn tell_wake(pdev: &kernel::pci::Device<Core<'_>>, port: &Port) {
    let woken_by = {
        let mut mac = port.mac.lock();
        let Some(armed) = mac.armed.take() else {
            return;
        };
        wake_up::disarm(mac.out_of_service(), armed)
    };
    if !woken_by.is_empty() {
        pdev.note_wakeup();
        dev_info!(pdev, "woke the system by {}\n", log::Text(woken_by));
    }
}
