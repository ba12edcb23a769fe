// SPDX-License-Identifier: GPL-2.0

//! The service work item: the link, the counters, and receive rings that ran out of memory.

use crate::{
    bridge,
    controller::Live,
    lifecycle,
    mailbox,
    port::Port,
    settings::msg,
    sriov, //
};
use igb_core::{
    link::{
        Change,
        Pause, //
    },
    regs::Misbehaved, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use net::{
    device::Device,
    work, //
};

/// How often to look at the link.
const PERIOD: Delta = Delta::from_secs(2);
/// How often to read the counters of an idle port without VFs, in nanoseconds. Reading is slow, so
/// a port that receives nothing is left alone in between. With VFs they are read each time: the
/// octets of a VF wrap in 34 s at 1 Gb/s, sooner between VFs, and the PF does not see what VFs do.
const FOLD_NS: u64 = 20_000_000_000;

/// Looks after the port. Runs every two seconds, and at once when the link changes.
pub(crate) fn run(dev: &Device<Port>, handle: &work::Handle) {
    let port = dev.data();
    if port.is_live() && port.io.is_gone() && port.io.probe_presence().is_ok() {
        dev_warn!(
            &*port.pdev,
            "the controller was away for a moment: resetting it\n"
        );
        port.works.reset.schedule();
    }
    watch_link(port, dev);
    lifecycle::mind_sleep(port);
    {
        let mut mac = port.mac.lock();
        if port.is_live() {
            let received = port.received();
            let due = port.now().saturating_sub(mac.folded_at) >= FOLD_NS;
            let has_vfs = port.hw.lock().switch.nr_vfs() != 0;
            if due || has_vfs || received != mac.folded_rx {
                mac.folded_rx = received;
                port.fold_counters(&mut mac);
            }
            mac.recall_refuses = !mac.recall_refuses;
            look_after_vfs(port, mac.recall_refuses);
            port.look_after_clock();
        }
    }
    port.serve_vlans(true);
    bridge::catch_up(dev);
    port.tell();
    // A ring without buffers gets no interrupt that would have it refilled.
    if let Some(queues) = &port.net.lock().queues {
        if port.has_starved() {
            queues.kick();
        }
    }
    if port.lacks_queues() || port.holds_frames() {
        port.works.reopen.schedule();
    }
    handle.schedule_after(PERIOD);
}

/// What VFs have to be told, and what is to be told of them.
fn look_after_vfs(port: &Port, recall_refuses: bool) {
    let mut controller = port.hw.lock();
    let Some(Live { io, hw }) = controller.live() else {
        return;
    };
    let mut found = Misbehaved::default();
    if hw.switch.nr_vfs() != 0 {
        found = mailbox::note_spoofs(io, hw);
    }
    mailbox::tell_silent(io, hw);
    mailbox::recall(io, hw, recall_refuses);
    if mailbox::has_overlooked(io, hw) {
        port.works.mailbox.schedule();
    }
    drop(controller);
    if found.stopped != 0 {
        port.see_to_stopped(found);
        port.works.mailbox.schedule();
    }
}

fn watch_link(port: &Port, dev: &Device<Port>) {
    let change = {
        let mut mac = port.mac.lock();
        let (live, needed) = {
            let hw = port.hw.lock();
            (hw.is_live(), hw.is_needed())
        };
        if !live {
            return;
        }
        if needed {
            // It is started already, unless the PHY could not be taken then.
            if let Some(error) = mac.link.retry() {
                dev_err!(
                    &*port.pdev,
                    "cannot start the link: {error:?}; trying again\n"
                );
            }
        }
        let change = mac.link.refresh();
        if change != Change::None {
            let mbps = mac.link.mbps();
            let mut hw = port.hw.lock();
            hw.switch.set_link_speed(mbps);
            hw.apply();
        }
        change
    };
    sync_carrier(port, dev);
    if change == Change::None {
        return;
    }
    if port.ethtool.logs(msg::LINK) {
        log_change(port, dev, change);
    }
    sriov::tell_vfs(port);
}

fn log_change(port: &Port, dev: &Device<Port>, change: Change) {
    let name = dev.name();
    match change {
        Change::None => {}
        Change::Up(link) => dev_info!(
            &*port.pdev,
            "{}: NIC Link is Up {} Mbps {} Duplex, Flow Control: {}\n",
            name,
            link.speed.mbps(),
            if link.full_duplex { "Full" } else { "Half" },
            pause_name(port.mac.lock().link.pause())
        ),
        Change::Down => dev_info!(&*port.pdev, "{}: NIC Link is Down\n", name),
    }
}

fn pause_name(pause: Pause) -> &'static str {
    match (pause.rx, pause.tx) {
        (true, true) => "RX/TX",
        (true, false) => "RX",
        (false, true) => "TX",
        (false, false) => "None",
    }
}

/// The stack sees a carrier when the link is up and the device's queues are open. Done under the lock that
/// closing the queues takes, so that it cannot come too late. Queues wait for buffers where PAUSE is in force:
/// if they have to be opened anew for it, the carrier waits, as what is sent meanwhile would be lost with them.
fn sync_carrier(port: &Port, dev: &Device<Port>) {
    let net = port.net.lock();
    let drops_otherwise = net.drops_otherwise(port);
    if drops_otherwise {
        port.works.reopen.schedule();
    }
    let up = port.mac.lock().link.state().is_some();
    match (net.queues.is_some() && up, dev.carrier_ok()) {
        // The work item that opens them schedules this one.
        (true, false) if drops_otherwise => {}
        (true, false) => {
            dev.carrier_on();
            if let Some(queues) = net.queues.as_ref().filter(|_| net.has_pools()) {
                // What sockets wanted sent without a link.
                queues.kick();
            }
        }
        (false, true) => dev.carrier_off(),
        _ => {}
    }
}
