// SPDX-License-Identifier: GPL-2.0

//! Buffers of AF_XDP sockets, and programs: what decides on how a single queue receives.
//!
//! A queue whose sockets have attached buffers, or take them away, is closed and opened again. The
//! others go on meanwhile, and so do VFs. So it is for such a queue when a program is attached where
//! there was none, or the last one goes (`rx/xsk.rs` says why); all other queues take a program as they
//! are.

use crate::{
    lifecycle,
    mtu,
    port::{
        Net,
        Port, //
    },
    queues::{
        self,
        Exchange, //
    }, //
};
use igb_core::layout::MAX_PAIRS;
use kernel::prelude::*;
use net::{
    device::Locked,
    xdp::Program,
    xsk::Pool, //
};

/// Bytes of a frame in a buffer of sockets that are not payload: header, two tags, and FCS. The kernel
/// counts as many when it binds them.
const OVERHEAD: u32 = 26;

/// The largest MTU there can be with `program`: each frame fits into one buffer of sockets, and into as
/// many as the program takes.
fn max_mtu<'a>(program: Option<&Program>, pools: impl Iterator<Item = &'a Pool>) -> u32 {
    match program {
        Some(program) => pools
            .map(|pool| pool.frame_size().saturating_sub(OVERHEAD))
            .fold(mtu::largest_with(program), u32::min),
        None => mtu::LARGEST,
    }
}

impl Net {
    fn pool(&self, queue: u32) -> Option<&Pool> {
        self.pools.get(queue as usize)?.as_ref()
    }

    fn set_pool(&mut self, queue: u32, pool: Option<Pool>) {
        if let Some(place) = self.pools.get_mut(queue as usize) {
            *place = pool;
        }
    }

    /// Sockets have attached buffers to a queue.
    pub(crate) fn has_pools(&self) -> bool {
        self.pools.iter().any(Option::is_some)
    }

    /// The largest MTU there can be with `program`, or without.
    pub(crate) fn max_mtu(&self, program: Option<&Program>) -> u32 {
        max_mtu(program, self.pools.iter().flatten())
    }
}

/// Takes on the buffers of the sockets of a queue. Under RTNL.
///
/// # Errors
///
/// `EINVAL` if a frame does not fit into one of them, or while frames of any length are received; and
/// what opening the queue returns. All is as before then.
pub(crate) fn attach(dev: &Locked<Port>, queue: u32, pool: Pool) -> Result {
    let (program, any_length) = {
        let net = dev.data().net.lock();
        (net.program.clone(), net.settings.bad_frames)
    };
    // The controller is told the length of a buffer in KiB, which may be more than these have: what keeps
    // it from writing beyond one is the longest frame it receives.
    if any_length || dev.mtu() > max_mtu(program.as_ref(), core::iter::once(&pool)) {
        return Err(EINVAL);
    }
    change(dev, core::iter::once(queue), |net| {
        net.set_pool(queue, Some(pool));
        move |net| net.set_pool(queue, None)
    })
}

/// Gives the buffers of the sockets of a queue up. Under RTNL.
pub(crate) fn detach(dev: &Locked<Port>, queue: u32) {
    // If the queue cannot be opened again, the service work item sees to it.
    let _ = change(dev, core::iter::once(queue), |net| {
        net.set_pool(queue, None);
        |_| {}
    });
}

/// Shows received frames to another program, or to none. Under RTNL.
///
/// # Errors
///
/// What opening the queues of sockets returns. The old program stays.
pub(crate) fn set_program(dev: &Locked<Port>, program: Option<Program>) -> Result {
    let port = dev.data();
    let turned = port.net.lock().program.is_some() != program.is_some();
    // CAST: at most MAX_PAIRS.
    let affected =
        (0..MAX_PAIRS as u32).filter(|queue| turned && port.net.lock().pool(*queue).is_some());
    change(dev, affected, |net| {
        let before = core::mem::replace(&mut net.program, program);
        |net| net.program = before
    })?;
    let mut guard = port.net.lock();
    let net = &mut *guard;
    if let Some(queues) = &mut net.queues {
        queues.set_program(net.program.as_ref());
    }
    Ok(())
}

/// Changes settings of `pairs`, and has them opened anew, one after the other. `apply` returns how that
/// is undone. Under RTNL.
///
/// # Errors
///
/// It was undone; queues that could not be opened are seen to by the service work item.
fn change<U: FnOnce(&mut Net)>(
    dev: &Locked<Port>,
    pairs: impl Iterator<Item = u32>,
    apply: impl FnOnce(&mut Net) -> U,
) -> Result {
    let port = dev.data();
    let undo = apply(&mut port.net.lock());
    let result = exchange(dev, pairs);
    let mut net = port.net.lock();
    if result.is_err() {
        undo(&mut net);
        let wanted = {
            let hw = port.hw.lock();
            hw.up && hw.is_live()
        };
        if net.queues.is_none() && wanted {
            if let Err(error) = net.open(port, dev) {
                dev_err!(
                    &*port.pdev,
                    "cannot open the queues: {error:?}; trying again\n"
                );
                port.works.service.schedule();
            }
        }
    }
    // From here on it is the stack that refuses an MTU, with a text of its own.
    dev.set_max_mtu(net.max_mtu(net.program.as_ref()));
    result
}

fn exchange(dev: &Locked<Port>, pairs: impl Iterator<Item = u32>) -> Result {
    let port = dev.data();
    for index in pairs {
        let outcome = queues::exchange(port, dev, &mut port.net.lock(), index);
        match outcome {
            Exchange::Done => {}
            Exchange::Closed(error) => return Err(error),
            // It opens all of them.
            Exchange::Reset => return lifecycle::restart_with(dev, |_| Ok(())),
        }
    }
    Ok(())
}
