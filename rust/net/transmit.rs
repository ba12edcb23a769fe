// SPDX-License-Identifier: GPL-2.0

//! The transmit path of a net device: the states of its queues, and what is sent through them.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    compat::ENETDOWN,
    memory::{
        raw_tx_queue_of,
        Memory,
        Private, //
    },
    queue::TxQueue,
    skb::SkBuff,
    xdp, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A transmit queue's state: what `xmit` fills.
pub trait Transmit: Send + 'static {
    /// Gives a packet to the hardware. Softirq context, under the queue's lock: hence
    /// `&mut self`. Must not sleep.
    ///
    /// # Errors
    ///
    /// The packet, if there is no room; the driver has stopped the queue then, and wakes it when
    /// there is. A packet that cannot be sent at all is dropped, which is `Ok`. Another packet than
    /// the one that was given is dropped: the stack has no use for it.
    fn xmit(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Result<(), SkBuff>;

    /// Gives a frame without an skb to the hardware, whose doorbell need not be rung before
    /// [`Transmit::flush_frames`]. Process or softirq context, under the queue's lock, also while
    /// the stack's use of the queue is stopped. Must not sleep.
    ///
    /// Returns the frame if nothing is needed of it any more, as it was copied: frames go back to where
    /// they came from together. Another than the one that was given is dropped.
    ///
    /// # Errors
    ///
    /// The frame, if it cannot be sent now. Another than the one that was given is dropped.
    fn xmit_frame(
        &mut self,
        frame: xdp::Frame,
        queue: TxQueue<'_>,
    ) -> Result<Option<xdp::Frame>, xdp::Frame> {
        let _ = queue;
        Err(frame)
    }

    /// Tells the hardware of the frames it does not know of yet. Same context; before any of them is
    /// reported as sent.
    fn flush_frames(&mut self, queue: TxQueue<'_>) {
        let _ = queue;
    }
}

/// What the driver has of one transmit queue.
///
/// # Invariants
///
/// It is only touched under the lock of that queue.
pub(crate) struct Slot<T>(UnsafeCell<Option<KBox<T>>>);

// SAFETY: The state is `Send`, and touched by who holds the lock of the queue.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// That of a queue which is closed.
    pub(crate) const fn empty() -> Self {
        Self(UnsafeCell::new(None))
    }
}

/// The transmit queues of a net device and their states.
pub(crate) struct Queues<'a, T> {
    dev: *mut netbind::net_device,
    /// One for each queue.
    slots: &'a [Slot<T>],
}

impl<'a, T: Transmit> Queues<'a, T> {
    /// # Safety
    ///
    /// `dev` is a net device with a private part whose slots are of `T`, and stays for `'a`.
    #[inline]
    pub(crate) unsafe fn of(dev: *mut netbind::net_device) -> Self {
        // SAFETY: The net device has a private part, and stays for `'a`, by the requirements of
        // this function.
        let (slots, count) = unsafe { Private::of(dev) }.slots();
        Self {
            dev,
            // SAFETY: There are `count` slots at `slots`, by the type invariants of `Private`. They
            // are of `T` and stay for `'a`, by the requirements of this function.
            slots: unsafe { core::slice::from_raw_parts(slots.cast().as_ptr(), count) },
        }
    }

    fn get(&self, index: u32) -> Option<(NonNull<netbind::netdev_queue>, &'a Slot<T>)> {
        // SAFETY: The net device is valid.
        let queue = unsafe { raw_tx_queue_of(self.dev, index) }?;
        Some((queue, self.slots.get(index as usize)?))
    }

    /// Puts the state of queue `index` in place (or takes it away), and returns what was there.
    /// Waits for a running transmission on that queue. Process context.
    pub(crate) fn install(&self, index: u32, tx: Option<KBox<T>>) -> Option<KBox<T>> {
        let Some((queue, slot)) = self.get(index) else {
            return tx;
        };
        // SAFETY: The queue is valid.
        unsafe { netbind::tx_lock_bh(queue.as_ptr()) };
        // SAFETY: We hold the lock of the queue that the slot belongs to.
        let old = core::mem::replace(unsafe { &mut *slot.0.get() }, tx);
        // SAFETY: We hold the lock.
        unsafe { netbind::tx_unlock_bh(queue.as_ptr()) };
        old
    }

    /// Drops all states. Process context.
    pub(crate) fn close(&self) {
        for index in (0u32..).take(self.slots.len()) {
            drop(self.install(index, None));
        }
    }

    /// Calls `f` with the state of queue `index`, under the queue's lock. `None` if there is no
    /// state. Process or softirq context.
    #[inline]
    fn with<R>(&self, index: u32, f: impl FnOnce(&mut T, TxQueue<'_>) -> R) -> Option<R> {
        let (queue, slot) = self.get(index)?;
        // SAFETY: The queue is valid.
        unsafe { netbind::tx_lock_bh(queue.as_ptr()) };
        // SAFETY: We hold the lock of the queue that the slot belongs to.
        let state = unsafe { &mut *slot.0.get() };
        let result = state.as_mut().map(|tx| {
            // SAFETY: The queue lives as long as its device, and we hold its lock meanwhile.
            f(tx, unsafe { TxQueue::from_raw(queue) })
        });
        // SAFETY: We hold the lock.
        unsafe { netbind::tx_unlock_bh(queue.as_ptr()) };
        result
    }

    /// Sends frames on the queue that suits this CPU, of the `in_use` first; returns how many, from
    /// the first on, are not the caller's any more. Softirq context.
    ///
    /// # Safety
    ///
    /// The pointers are to frames the caller owns.
    pub(crate) unsafe fn xmit_frames(
        &self,
        frames: &[*mut netbind::xdp_frame],
        in_use: u32,
    ) -> Result<usize> {
        // SAFETY: No preconditions.
        let index = unsafe { netbind::this_cpu() }
            .checked_rem(in_use)
            .ok_or(ENETDOWN)?;
        self.with(index, |tx, queue| {
            let mut done = xdp::Done::none(frames);
            let sent = frames
                .iter()
                // SAFETY: The caller owns the frames, by the requirements of this function.
                .take_while(|frame| unsafe { xmit_raw_frame(tx, **frame, queue, &mut done) })
                .count();
            // Even if more may follow: they need not.
            tx.flush_frames(queue);
            sent
        })
        .ok_or(ENETDOWN)
    }

    /// Passes a packet to the state of its transmit queue. Under that queue's lock.
    ///
    /// # Safety
    ///
    /// The caller is `ndo_start_xmit` of this device, so it holds the lock of the packet's queue.
    #[inline]
    pub(crate) unsafe fn xmit(&self, skb: SkBuff) -> Result<(), SkBuff> {
        let index = skb.queue_mapping();
        let Some(slot) = self.slots.get(usize::from(index)) else {
            drop_unsent(skb);
            return Ok(());
        };
        // SAFETY: The caller holds the lock of the queue that the slot belongs to.
        let Some(tx) = (unsafe { &mut *slot.0.get() }) else {
            drop_unsent(skb);
            return Ok(());
        };
        // SAFETY: There is a slot for each transmit queue, so the queue exists. The caller holds its
        // lock.
        let queue = unsafe {
            TxQueue::from_raw(NonNull::new_unchecked(
                (*self.dev)._tx.add(usize::from(index)),
            ))
        };
        tx.xmit(skb, queue)
    }
}

/// Drops a packet there is no queue for, and counts it. In `ndo_start_xmit`.
#[cold]
fn drop_unsent(skb: SkBuff) {
    // SAFETY: A packet that is to be sent has a net device, which is valid.
    unsafe { netbind::count_dropped(skb.as_ptr()) };
}

/// Sends one frame. If that fails, returns false, and the frame stays the caller's.
///
/// # Safety
///
/// `frame` is the next frame of those `done` is about, and the caller owns it.
#[inline]
unsafe fn xmit_raw_frame<T: Transmit>(
    tx: &mut T,
    frame: *mut netbind::xdp_frame,
    queue: TxQueue<'_>,
    done: &mut xdp::Done<'_>,
) -> bool {
    // SAFETY: The caller owns the frame, by the requirements of this function, and gives it up;
    // whether it is given back is decided below.
    let Some(owned) = NonNull::new(frame).map(|ptr| unsafe { xdp::Frame::from_raw(ptr) }) else {
        return false;
    };
    match tx.xmit_frame(owned, queue) {
        Ok(Some(same)) if same.as_ptr() == frame => {
            // SAFETY: This is the next one, and it is ours.
            unsafe { done.add(same) };
            true
        }
        Ok(_) => {
            done.skip();
            true
        }
        Err(given_back) if given_back.as_ptr() == frame => {
            let _ = given_back.into_raw();
            false
        }
        // Another one, which is the driver's to drop; it has kept or dropped the caller's.
        Err(_) => {
            done.skip();
            true
        }
    }
}

/// A way to one transmit queue of a net device, for what sends without being asked by the stack.
///
/// It may be kept for as long as one likes: when the device is unregistered, its queues are closed for
/// good. Dropped in process context.
///
/// # Invariants
///
/// The slots of the net device are of `T`.
pub struct TxHandle<T: Transmit> {
    // Keeps the queue and the slot.
    dev: Arc<Memory>,
    index: u32,
    _state: PhantomData<fn() -> T>,
}

impl<T: Transmit> TxHandle<T> {
    /// # Safety
    ///
    /// The slots of the net device are of `T`.
    pub(crate) unsafe fn new(dev: Arc<Memory>, index: u32) -> Self {
        // INVARIANT: by the requirements of this function.
        Self {
            dev,
            index,
            _state: PhantomData,
        }
    }

    /// Calls `f` with the queue and its state, under the queue's lock. `None` if there is no state:
    /// the queue is closed. Process or softirq context; not from within the queue's own `xmit`.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T, TxQueue<'_>) -> R) -> Option<R> {
        // SAFETY: By the type invariants the slots are of `T`. Private part, queues and slots stay
        // with the memory, which `self` keeps.
        unsafe { Queues::of(self.dev.as_ptr()) }.with(self.index, f)
    }
}
