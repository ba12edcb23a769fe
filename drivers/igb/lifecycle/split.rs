// SPDX-License-Identifier: GPL-2.0

//! Splitting the controller otherwise between the PF and VFs. It is not reset, and the link stays.

use super::{
    misc_causes,
    restart_with, //
};
use crate::{
    controller::{
        Hw,
        Live, //
    },
    io::Io,
    mac::Mac,
    mailbox,
    port::Port,
    queues, //
};
use igb_core::{
    function::{
        VfIndex,
        VfSet, //
    },
    regs::{
        self,
        icr, //
    },
    tenant, //
};
use kernel::prelude::*;
use net::device::Locked;

/// Splits the controller otherwise between the PF and `vfs`, those there are before or after:
/// closes the queues, has `change` change the desired state, and opens the queues again if the net
/// device is up. Under RTNL. The controller is not reset, and the link stays.
///
/// # Errors
///
/// If `change` fails, the port runs on with the state it left. If a queue does not come to rest,
/// the controller is reset, and only then split.
pub(crate) fn split_with(
    dev: &Locked<Port>,
    vfs: VfSet,
    change: impl Fn(&mut Hw) -> Result,
) -> Result {
    let port = dev.data();
    // With a restart nothing is read of what the VFs before have counted.
    let anew = |_: &mut Mac| {
        let mut hw = port.hw.lock();
        hw.vf_stats = Default::default();
        change(&mut hw)
    };
    if !dev.is_present() || !port.is_live() {
        return restart_with(dev, anew);
    }
    // Held until there are queues again: the service work item takes the carrier away if it finds
    // none.
    let mut net = port.net.lock();
    dev.detach();
    let stopped = match net.queues.take() {
        Some(queues) => queues::close(port, dev, queues),
        None => true,
    };
    let split = if stopped {
        split(port, vfs, &change)
    } else {
        Ok(false)
    };
    if matches!(split, Ok(false)) {
        drop(net);
        let done = restart_with(dev, anew);
        dev.attach();
        return done;
    }
    let up = port.hw.lock().up;
    let opened = if up { net.open(port, dev) } else { Ok(()) };
    drop(net);
    dev.attach();
    // Queues that could not be opened are opened later; and messages that came meanwhile are
    // served.
    port.works.service.schedule();
    port.works.mailbox.schedule();
    split.and(opened)
}

/// Changes the split while no queue of the PF is open. Returns whether all queues of `vfs` are at
/// rest; if not, nothing was changed.
///
/// With interrupts off are at most some 400 register accesses in a row, nearly all of them writes.
fn split(port: &Port, vfs: VfSet, change: impl Fn(&mut Hw) -> Result) -> Result<bool> {
    let mut mac = port.mac.lock();
    port.fold_counters(&mut mac);
    // Interrupts are off while the lock is held, so that it is taken for each VF anew. There are no VFs
    // now: they are gone already, or not yet there.
    let at = |vf: VfIndex, work: fn(VfIndex, &Io, &mut Hw) -> bool| {
        let mut controller = port.hw.lock();
        let live = controller.live();
        live.is_some_and(|Live { io, hw }| work(vf, io, hw))
    };
    // Each is stopped, whether or not another does not stop.
    let stop = |rest, vf| at(vf, |vf, io, _| tenant::stop(vf, io)) && rest;
    if !vfs.iter().fold(true, stop) {
        return Ok(false);
    }
    for vf in vfs.iter() {
        at(vf, |vf, io, _| {
            tenant::clear(vf, io);
            true
        });
    }
    // The modes of queues and pools change while nothing is received. What was received until now is counted
    // for no VF that is yet to come.
    if let Some(Live { io, hw }) = port.hw.lock().live() {
        hw.pause_receive(io);
    }
    for vf in vfs.iter() {
        at(vf, |vf, io, hw| {
            hw.begin_vf_stats(vf, io);
            true
        });
    }
    let nr_vfs = {
        let mut controller = port.hw.lock();
        let Some(Live { io, hw }) = controller.live() else {
            return Ok(false);
        };
        let changed = change(hw);
        if changed.is_ok() {
            mailbox::begin(io, hw);
            // What queues did is not held against who has them next. Reading clears it.
            let _ = io.read(regs::WVBR);
            hw.shadow.vfs_were_changed();
        }
        mac.write_rss(io, hw.switch.uses_pools());
        hw.frames_are_spread();
        let now = hw.now();
        hw.apply_at(io, now);
        changed?;
        hw.switch.nr_vfs()
    };
    mac.apply_vlan_strip(&port.hw);
    if let Some(io) = mac.live(&port.hw) {
        io.write(regs::IMC, icr::VMMB | icr::DOUTSYNC);
        io.write(regs::IMS, misc_causes(nr_vfs));
    }
    // A PHY that firmware keeps is no error, as in a restart.
    let _ = mac.apply_need(&port.hw);
    Ok(true)
}
