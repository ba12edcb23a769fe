// SPDX-License-Identifier: GPL-2.0

//! Splitting the controller into virtual functions, and putting it together again.
//!
//! The number of VFs decides the layout of pools and queues, so the PF's own queues are closed
//! while it changes. The controller is not reset and the link stays.

use crate::{
    controller::{
        errno,
        Live, //
    },
    io::Io,
    lifecycle,
    log,
    mailbox,
    port::Port, //
};
use igb_core::{
    device,
    function::{
        VfSet,
        MAX_VFS, //
    },
    regs::{
        self,
        iovctl, //
    }, //
};
use kernel::{
    device::Core,
    pci,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};
use net::{
    device::{
        Device,
        Registration, //
    },
    pci::{
        Occupant,
        Sriov,
        SriovCore, //
    },
    rtnl, //
};

/// What `echo N > sriov_numvfs` does. With the device lock held, without RTNL.
///
/// # Errors
///
/// - `EBUSY`: VFs are enabled already, or one that is to go is in use by a guest.
/// - `EPERM`: more VFs than there are, or no MSI-X.
pub(crate) fn configure(
    pdev: &pci::Device<Core<'_>>,
    dev: &Device<Port>,
    nr_vfs: u16,
) -> Result<u16> {
    if nr_vfs == 0 {
        refuse_if_in_use(pdev)?;
        disable(pdev, dev)?;
        return Ok(0);
    }
    enable(pdev, dev, nr_vfs)?;
    Ok(nr_vfs)
}

fn enable(pdev: &pci::Device<Core<'_>>, dev: &Device<Port>, nr_vfs: u16) -> Result {
    let port = dev.data();
    let enabled = pdev.num_vf();
    if enabled != 0 {
        dev_err!(
            pdev,
            "{enabled} VFs are enabled; write 0 to sriov_numvfs before enabling {nr_vfs}\n"
        );
        return Err(EBUSY);
    }
    if !port.plan.is_msix() {
        dev_err!(pdev, "VFs need MSI-X, which this device could not get\n");
        return Err(EPERM);
    }
    let count = u8::try_from(nr_vfs).map_err(|_| EPERM)?;
    let awake = port.wake()?;
    if let Some(io) = port.mac.lock().live(&port.hw) {
        take_queues_back(io);
    }
    // VF drivers probe while VFs are enabled, and find the PF ready to serve them.
    let enabled = relayout(dev, count).and_then(|()| pdev.enable_sriov(nr_vfs));
    settle(port);
    if let Err(error) = enabled {
        dev_err!(pdev, "cannot enable {nr_vfs} VFs: {error:?}\n");
        queues_are_returned(port);
        let _ = relayout(dev, 0);
        return Err(error);
    }
    *port.awake_for_vfs.lock() = Some(awake);
    order_sleep(pdev);
    dev_info!(pdev, "{nr_vfs} VFs allocated\n");
    Ok(())
}

/// A VF's driver makes its handshake when it is suspended and resumed, and igbvf waits for the PF with
/// a CPU to itself: VFs that did so at once could leave none for the PF.
fn order_sleep(pdev: &pci::Device<Core<'_>>) {
    if pdev.order_sleep_of_vfs().is_err() {
        dev_warn!(
            pdev,
            "no memory: after a sleep, VFs may need their drivers to be bound anew\n"
        );
    }
}

/// Takes all VFs away. VF drivers are unbound first, in here; RTNL must not be held, as they need
/// it.
pub(crate) fn disable(pdev: &pci::Device<Core<'_>>, dev: &Device<Port>) -> Result {
    if pdev.num_vf() == 0 {
        return Ok(());
    }
    pdev.disable_sriov();
    let port = dev.data();
    settle(port);
    queues_are_returned(port);
    let done = relayout(dev, 0);
    *port.awake_for_vfs.lock() = None;
    done?;
    dev_info!(pdev, "IOV Disabled\n");
    Ok(())
}

/// Waits until the controller answers, for a tenth of a second at most.
fn settle(port: &Port) {
    let _ = device::settle(
        || port.io.probe_presence().is_ok(),
        |us| fsleep(Delta::from_micros(us.into())),
    );
}

/// How long the controller takes to give queues back is not documented; C igb waits as long before it
/// resets it.
const REUSE_TIME: Delta = Delta::from_millis(100);

/// Has the PF get the VFs' queues back, and waits for it.
fn queues_are_returned(port: &Port) {
    if let Some(io) = port.mac.lock().live(&port.hw) {
        give_queues_back(io);
    }
    if !port.differences.returns_queues_at_once {
        fsleep(REUSE_TIME);
    }
}

/// Has the controller give the VFs' queues back to the PF, which takes [`REUSE_TIME`].
fn give_queues_back(io: &Io) {
    io.write(regs::IOVCTL, iovctl::REUSE_VFQ);
    io.flush();
}

/// Has the controller keep the VFs' queues for VFs again. Only a reset would do so otherwise, and
/// VFs are enabled without one.
fn take_queues_back(io: &Io) {
    io.write(regs::IOVCTL, iovctl::Iovctl::ZERO);
    io.flush();
}

/// A guest that has a VF would be waited for, perhaps for ever, with the device lock held.
fn refuse_if_in_use(pdev: &pci::Device<Core<'_>>) -> Result {
    for n in 0..pdev.num_vf() {
        let Some(vf) = pdev.vf(n) else {
            continue;
        };
        match settled_occupant(pdev, &vf) {
            Occupant::UserOpen(driver) => {
                dev_warn!(
                    pdev,
                    "VF {n} is in use through {driver}: stop its user first\n"
                );
                return Err(EBUSY);
            }
            Occupant::Changing => {
                dev_warn!(
                    pdev,
                    "the driver of VF {n} is being changed: try again later\n"
                );
                return Err(EBUSY);
            }
            Occupant::Nobody | Occupant::Kernel(_) | Occupant::UserIdle(_) => {}
        }
    }
    Ok(())
}

/// Who has a VF, once a driver that is just probing has had time to finish. An unbinding that waits
/// for a guest does not.
fn settled_occupant(pdev: &pci::Device<Core<'_>>, vf: &pci::Device) -> Occupant {
    for _ in 0..20 {
        let occupant = pdev.occupant_of(vf);
        if occupant != Occupant::Changing {
            return occupant;
        }
        fsleep(Delta::from_millis(50));
    }
    Occupant::Changing
}

/// Splits the controller so that there is room for `nr_vfs` VFs.
fn relayout(dev: &Device<Port>, nr_vfs: u8) -> Result {
    let rtnl = rtnl::lock();
    let locked = dev.under(&rtnl).ok_or(ENODEV)?;
    let before = dev.data().hw.lock().switch.vfs();
    let vfs = before.union(VfSet::first(nr_vfs));
    let done = lifecycle::split_with(locked, vfs, |hw| {
        hw.switch.set_nr_vfs(nr_vfs).map_err(errno)?;
        dev.data().note_switch(hw);
        hw.lines = log::Lines::NEW;
        hw.server.renew_rations();
        let _ = dev.data().stopped.take();
        Ok(())
    });
    // Some are possible without VFs alone.
    locked.update_features();
    drop(rtnl);
    dev.data().tell_health();
    done
}

/// Takes over VFs that were enabled before the driver came: their number is the controller's, and
/// their drivers make their handshake again. To be called before the controller is restarted for
/// the first time.
pub(crate) fn adopt(pdev: &pci::Device<Core<'_>>, port: &Port) -> Result {
    let enabled = pdev.num_vf();
    if enabled == 0 {
        return Ok(());
    }
    if !port.plan.is_msix() || usize::from(enabled) > MAX_VFS {
        dev_warn!(
            pdev,
            "{enabled} VFs were left enabled and cannot be served: disabling them\n"
        );
        pdev.disable_sriov();
        give_queues_back(port.mac.lock().out_of_service());
        fsleep(REUSE_TIME);
        return Ok(());
    }
    dev_info!(pdev, "{enabled} pre-allocated VFs found\n");
    *port.awake_for_vfs.lock() = Some(port.wake()?);
    order_sleep(pdev);
    let count = u8::try_from(enabled)?;
    let mut hw = port.hw.lock();
    hw.switch.adopt(count).map_err(errno)?;
    port.note_switch(&hw);
    Ok(())
}

/// Has all VFs look at their link: it changed, or the PF did.
pub(crate) fn tell_vfs(port: &Port) {
    if let Some(Live { io, hw }) = port.hw.lock().live() {
        let vfs = hw.switch.vfs();
        mailbox::show_link(port, io, hw, vfs);
    }
}

/// Enables the VFs that the module parameter `max_vfs` asks for. Devices work without them.
pub(crate) fn enable_by_parameter(pdev: &pci::Device<Core<'_>>, netdev: &Registration<Port>) {
    let wanted: u32 = net::compat::parameter(crate::module_parameters::max_vfs.value());
    if wanted == 0 || pdev.num_vf() != 0 {
        return;
    }
    dev_warn!(
        pdev,
        "enabling VFs by max_vfs is deprecated: write their number to sriov_numvfs\n"
    );
    // CAST: a small constant.
    let most = MAX_VFS as u32;
    if wanted > most {
        dev_warn!(pdev, "max_vfs={wanted}: {most} is the most there can be\n");
    }
    let nr_vfs = wanted.min(most);
    // CAST: at most 7.
    if let Err(error) = configure(pdev, netdev, nr_vfs as u16) {
        dev_warn!(pdev, "no VFs could be enabled: {error:?}\n");
    }
}
