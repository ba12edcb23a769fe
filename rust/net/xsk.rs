// SPDX-License-Identifier: GPL-2.0

//! AF_XDP sockets whose buffers a device reads and writes itself (zero copy).
//!
//! A socket that is bound to a queue brings a [`Pool`] of buffers, which the driver is given
//! ([`Driver::xsk_attach`](crate::device::Driver::xsk_attach)) and taken away again. In between, the
//! queue's NAPI instance has the two ends of it: [`Rx`] offers buffers to the device and shows a
//! program what was received, which mostly passes it to a socket; [`Tx`] has the frames that sockets
//! want sent, of which [`Producer::push_sockets`](crate::tx::Producer::push_sockets) makes
//! descriptors.
//!
//! Buffers are never in the hands of a driver. They are those of the pool, of a socket, or of an
//! [`Rx`], which gives back what it has when the instance ends.
//!
//! C header: [`include/net/xdp_sock_drv.h`](srctree/include/net/xdp_sock_drv.h)

use crate::napi;
use core::{
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    }, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full, //
        },
        Arc, //
    }, //
};

mod rx;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/xsk.rs"]
mod test;
mod tx;
mod walk;

pub use self::{
    rx::{
        Polled,
        Rx,
        Verdict, //
    },
    tx::{
        Tx,
        Unmapped, //
    },
    walk::{
        Last,
        Walk, //
    },
};

/// The buffers of sockets that are bound to a queue of a net device (`struct xsk_buff_pool`), mapped for
/// its parent. Clones refer to the same.
///
/// It may be kept for as long as one likes: when the sockets leave the queue it is over, and nothing can
/// be had of it any more.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use net::{
///     napi::{Context, Setup},
///     skb::RxSkb,
///     xdp::{Hints, Program},
///     xsk::{Pool, Rx, Tx, Verdict},
/// };
///
/// fn open(setup: &Setup, pool: &Pool) -> Result<(Rx, Tx)> {
///     Ok((Rx::new(setup, pool, 256)?, Tx::new(setup, pool)?))
/// }
///
/// /// The device has written `len` bytes into the oldest buffer, and says nothing of them.
/// fn receive(rx: &mut Rx, cx: &mut Context<'_>, program: &Program, len: u32) -> Option<RxSkb> {
///     match rx.polled(cx)?.run(program, len, Hints::new([0; 2], None)) {
///         Verdict::Pass(skb) => Some(skb),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

/// # Invariants
///
/// - Until it is over, `raw` is a pool that is bound to queue `queue` of `dev`, and mapped for its
///   parent. Who looks at it while it is not over does so with softirqs off, in an RCU read side or under
///   RTNL: its end, under RTNL, waits for the former.
/// - What is for receiving in it (buffers that are free, the fill ring) is only used by the one [`Rx`], in
///   polls of an instance or while that is made or has ended; what is for sending (descriptors, the
///   completion ring) by the one [`Tx`], likewise.
struct Shared {
    raw: NonNull<netbind::xsk_buff_pool>,
    dev: *mut netbind::net_device,
    queue: u32,
    frame_size: u32,
    /// The sockets want to be told when they have to wake the driver.
    need_wakeup: bool,
    /// An atomic of the language: each operation on one of the kernel crate's is a call.
    over: AtomicBool,
    receives: Atomic<bool>,
    sends: Atomic<bool>,
}

// SAFETY: The pool may be used by any thread; which one may, the type invariants say.
unsafe impl Send for Shared {}
// SAFETY: What can be reached through a shared reference is under the rules of the type invariants.
unsafe impl Sync for Shared {}

impl Shared {
    fn as_ptr(&self) -> *mut netbind::xsk_buff_pool {
        self.raw.as_ptr()
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl Pool {
    /// Bytes a device may write into a buffer, where [`Rx::fill`] says that it is.
    pub fn frame_size(&self) -> u32 {
        self.0.frame_size
    }

    /// The sockets want to be told when they have to wake the driver, and do so then.
    pub fn uses_need_wakeup(&self) -> bool {
        self.0.need_wakeup
    }

    /// Maps the buffers of sockets for the parent of `dev`. What is returned as well ends the pool and
    /// undoes that, when it is dropped: under RTNL, while the parent is bound.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// RTNL is held. `raw` has been bound to queue `queue` of `dev`, whose parent is bound, and stays so
    /// until what is returned is dropped. Nobody else has a [`Pool`] of it.
    pub(crate) unsafe fn attach(
        raw: NonNull<netbind::xsk_buff_pool>,
        dev: *mut netbind::net_device,
        queue: u32,
    ) -> Result<(Self, Attached)> {
        // SAFETY: Pool and net device are valid, and the parent is bound, by the requirements of this
        // function.
        to_result(unsafe { netbind::xsk_pool_map(raw.as_ptr(), (*dev).dev.parent) })?;
        // SAFETY: The pool is valid and mapped.
        let (frame_size, need_wakeup) = unsafe {
            (
                netbind::xsk_frame_size(raw.as_ptr()),
                netbind::xsk_uses_need_wakeup(raw.as_ptr()),
            )
        };
        // INVARIANT: by the requirements of this function, until `Attached` is dropped. Nobody uses it
        // yet.
        let shared = Arc::new(
            Shared {
                raw,
                dev,
                queue,
                frame_size,
                need_wakeup,
                over: AtomicBool::new(false),
                receives: Atomic::new(false),
                sends: Atomic::new(false),
            },
            GFP_KERNEL,
        )
        // SAFETY: The pool was just mapped, and nobody knows where.
        .inspect_err(|_| unsafe { netbind::xsk_pool_unmap(raw.as_ptr()) })?;
        Ok((Self(shared.clone()), Attached(shared)))
    }
}

/// The sockets of a queue, as the net device keeps them. Its drop ends their [`Pool`].
pub(crate) struct Attached(Arc<Shared>);

impl Drop for Attached {
    fn drop(&mut self) {
        // INVARIANT: whoever has found the pool not to be over is done with it after the grace period.
        self.0.over.store(true, Ordering::Relaxed);
        // SAFETY: No preconditions.
        unsafe { netbind::synchronize_net() };
        // SAFETY: The pool is valid and mapped, and nobody uses it any more. By the requirements of
        // `Pool::attach`, RTNL is held and the parent is bound.
        unsafe { netbind::xsk_pool_unmap(self.0.as_ptr()) };
    }
}

/// The instance of `setup` may have the pool: it is that of its queue. Has it polled when sockets ask.
fn claim(setup: &napi::Setup, pool: &Shared, what: &Atomic<bool>) -> Result {
    // Under RTNL, as the instance is being made.
    if setup.device() != pool.dev || setup.index() != pool.queue {
        return Err(EINVAL);
    }
    if pool.is_over() {
        return Err(ENODEV);
    }
    if what.xchg(true, Full) {
        return Err(EBUSY);
    }
    Ok(())
}
