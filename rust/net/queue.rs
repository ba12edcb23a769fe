// SPDX-License-Identifier: GPL-2.0

//! Transmit queues of a net device, byte queue limits, and per-queue statistics.
//!
//! C headers: [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::Add,
    ptr::NonNull, //
};
use kernel::ffi::c_ulong;

/// One transmit queue of a net device, as seen by the code that fills it, under its lock: proof of
/// bottom halves being off.
///
/// This side stops the queue; the other wakes it ([`Completions`], in the NAPI poll that reclaims the
/// buffers). The two may run concurrently.
///
/// # Invariants
///
/// The pointer is to a `struct netdev_queue` that stays valid for `'a`, and its lock is held by the
/// caller for `'a`.
#[derive(Clone, Copy)]
pub struct TxQueue<'a>(NonNull<netbind::netdev_queue>, PhantomData<&'a ()>);

impl<'a> TxQueue<'a> {
    /// # Safety
    ///
    /// `ptr` is a transmit queue that stays valid for `'a`; the caller holds its lock for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: NonNull<netbind::netdev_queue>) -> Self {
        // INVARIANT: by the requirements of this function.
        Self(ptr, PhantomData)
    }

    /// One of no device, for tests of what asks for a queue and changes nothing of it. They hold no lock.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn for_test() -> Self {
        struct OfNoDevice(netbind::netdev_queue);
        // SAFETY: Nobody changes it.
        unsafe impl Sync for OfNoDevice {}
        static QUEUE: OfNoDevice = OfNoDevice(pin_init::zeroed());
        Self(NonNull::from(&QUEUE.0), PhantomData)
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *mut netbind::netdev_queue {
        self.0.as_ptr()
    }

    /// Accounts `bytes` given to the hardware to the queue's byte limit. To be called once per
    /// packet, from `xmit`.
    ///
    /// Says what is to be done now.
    #[inline]
    pub fn sent(self, bytes: u32) -> Sent {
        // SAFETY: The queue is valid by the type invariants.
        if !unsafe { netbind::tx_sent(self.as_ptr(), bytes) } {
            return Sent::MORE_FOLLOWS;
        }
        Sent {
            ring: true,
            stopped: state(self.0) & ANY_XOFF != 0,
        }
    }

    /// Accounts `bytes` of frames without an skb ([`Transmit::xmit_frame`]) to the queue's byte limit:
    /// the stack holds back while such frames fill the queue. The transmit watchdog is told that the
    /// queue moves.
    ///
    /// Returns whether the queue is stopped, by the driver or by its byte limit: the stack waits until
    /// packets are reported as sent.
    ///
    /// [`Transmit::xmit_frame`]: crate::device::Transmit::xmit_frame
    #[inline]
    #[must_use]
    pub fn sent_frames(self, bytes: u32) -> bool {
        // SAFETY: The queue is valid by the type invariants.
        unsafe { netbind::tx_sent_frames(self.as_ptr(), bytes) }
    }

    /// The stack will hand over another packet right after this one. To be called from `xmit`.
    #[inline]
    pub fn more(self) -> bool {
        // SAFETY: No preconditions; reads a per-CPU flag of the caller's transmission.
        unsafe { netbind::xmit_more() }
    }

    /// Stops the queue if fewer than `stop` descriptors are free; takes that back if there are
    /// `wake` again after all. To be called from `xmit`, before [`TxQueue::sent`], when all ring
    /// indices are up to date.
    ///
    /// Returns whether the queue was stopped.
    #[inline]
    pub fn stop_if_below(self, stop: u32, wake: u32, free: impl Fn() -> u32) -> bool {
        free() < stop && self.try_stop(wake, free)
    }

    #[cold]
    fn try_stop(self, wake: u32, free: impl Fn() -> u32) -> bool {
        // SAFETY: The queue is valid by the type invariants.
        unsafe { netbind::tx_stop_queue(self.as_ptr()) };
        if free() < wake {
            return true;
        }
        // SAFETY: The queue is valid by the type invariants, and its lock is held: nobody else
        // stops it.
        unsafe { netbind::tx_start_queue(self.as_ptr()) };
        false
    }

    /// The driver has stopped the queue.
    #[inline]
    pub fn is_stopped(self) -> bool {
        is_stopped(self.0)
    }
}

/// The transmit queue of the NAPI instance that is polled, as seen by the code that empties it.
///
/// There is one at a time for a queue: an instance has an index of its own, and is polled by one CPU.
///
/// # Invariants
///
/// The pointer is to a `struct netdev_queue` that stays valid for `'a`. Nobody else reports packets
/// of it as sent, or resets it, meanwhile.
pub struct Completions<'a>(NonNull<netbind::netdev_queue>, PhantomData<&'a mut ()>);

impl Completions<'_> {
    /// # Safety
    ///
    /// `ptr` is a transmit queue that stays valid for `'a`; nobody else has its `Completions`, nor
    /// resets its byte limit.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: NonNull<netbind::netdev_queue>) -> Self {
        // INVARIANT: by the requirements of this function.
        Self(ptr, PhantomData)
    }

    /// Reports `packets` and `bytes` as sent, and wakes a stopped queue when at least `wake`
    /// descriptors are free and the device can take packets (`up`). To be called once per NAPI
    /// poll, when all ring indices are up to date.
    ///
    /// More bytes than were accounted by [`TxQueue::sent`] count as these.
    ///
    /// Returns whether the queue was woken.
    #[inline]
    pub fn completed(
        &mut self,
        packets: u32,
        bytes: u32,
        wake: u32,
        up: bool,
        free: impl Fn() -> u32,
    ) -> bool {
        if packets == 0 {
            return false;
        }
        let bytes = bytes.min(self.accounted());
        // SAFETY: The queue is valid by the type invariants, and nobody else reports or resets. No more
        // bytes are reported than were accounted, which would be a BUG() of `dql_completed()`.
        unsafe { netbind::txq_completed_mb(self.0.as_ptr(), packets, bytes) };
        if bytes == 0 {
            // There was no barrier without bytes, as of frames of sockets, which are not accounted. But they
            // made room as well, before it is asked whether the queue is stopped; pairs with
            // `nbh_tx_stop_queue()`.
            // SAFETY: No preconditions.
            unsafe { netbind::smp_mb() };
        }
        if !up || !is_stopped(self.0) || free() < wake {
            return false;
        }
        // SAFETY: The queue is valid by the type invariants. Waking needs no lock.
        unsafe { netbind::netif_tx_wake_queue(self.0.as_ptr()) };
        true
    }

    /// Bytes that were accounted and not reported.
    #[cfg(CONFIG_BQL)]
    #[inline]
    fn accounted(&self) -> u32 {
        // SAFETY: The queue is valid by the type invariants. Who sends adds to `num_queued` meanwhile, hence
        // the volatile read. Only who reports changes `num_completed`, which is this.
        unsafe {
            let dql = &raw const (*self.0.as_ptr()).dql;
            (&raw const (*dql).num_queued)
                .read_volatile()
                .wrapping_sub((*dql).num_completed)
        }
    }

    /// Without byte limits nothing is accounted.
    #[cfg(not(CONFIG_BQL))]
    #[inline]
    fn accounted(&self) -> u32 {
        u32::MAX
    }
}

const DRV_XOFF: c_ulong = 1 << netbind::netdev_queue_state_t___QUEUE_STATE_DRV_XOFF;
/// By the driver or by the byte limit.
const ANY_XOFF: c_ulong = DRV_XOFF | 1 << netbind::netdev_queue_state_t___QUEUE_STATE_STACK_XOFF;

/// The driver has stopped the queue at `queue`, which is that of a [`TxQueue`] or [`Completions`].
#[inline]
fn is_stopped(queue: NonNull<netbind::netdev_queue>) -> bool {
    state(queue) & DRV_XOFF != 0
}

/// Why the queue is stopped, of a [`TxQueue`] or [`Completions`].
#[inline]
fn state(queue: NonNull<netbind::netdev_queue>) -> c_ulong {
    // SAFETY: The queue is valid, by the invariants of these types; `state` is a word that others
    // change atomically, hence the volatile read.
    unsafe { (&raw const (*queue.as_ptr()).state).read_volatile() }
}

/// What [`TxQueue::sent`] says.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Sent {
    ring: bool,
    stopped: bool,
}

impl Sent {
    const MORE_FOLLOWS: Self = Self {
        ring: false,
        stopped: false,
    };

    /// The doorbell is to be rung: no further packet is coming, or the queue was stopped and nobody
    /// else would ring it.
    #[inline]
    pub fn ring(self) -> bool {
        self.ring
    }

    /// The queue is stopped, by the driver or by its byte limit: the stack waits until packets are
    /// reported as sent.
    #[inline]
    pub fn stopped(self) -> bool {
        self.stopped
    }
}

/// A statistics counter with one writer at a time and readers anywhere.
///
/// Adding is a load, an add and a store, not an atomic operation: the data path can afford it.
/// Should two writers meet, an increment is lost; a reader never sees a torn value.
#[derive(Default)]
pub struct Counter(UnsafeCell<u64>);

// SAFETY: All accesses are volatile and as wide as a machine word, so they do not tear.
unsafe impl Sync for Counter {}

impl Counter {
    /// A counter that stands at 0.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    /// Current value.
    #[inline]
    pub fn get(&self) -> u64 {
        // SAFETY: The cell is valid for reads.
        unsafe { self.0.get().read_volatile() }
    }

    /// Adds `n`, wrapping at 2^64.
    #[inline]
    pub fn add(&self, n: u64) {
        // SAFETY: The cell is valid for writes.
        unsafe { self.0.get().write_volatile(self.get().wrapping_add(n)) };
    }
}

/// Statistics of one receive queue since the device was created (`netdev-genl` qstats).
#[derive(Clone, Copy, Debug, Default)]
pub struct RxQueueStats {
    /// Packets handed to the stack.
    pub packets: u64,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Buffers or skbs that could not be allocated.
    pub alloc_fail: u64,
    /// Packets the device dropped because the queue had no buffer for them.
    pub hw_drops: u64,
    /// Packets whose checksum the device found right.
    pub csum_unnecessary: u64,
    /// Packets whose checksum the device did not verify.
    pub csum_none: u64,
    /// Packets whose checksum the device found wrong.
    pub csum_bad: u64,
}

impl Add for RxQueueStats {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
            alloc_fail: self.alloc_fail.wrapping_add(other.alloc_fail),
            hw_drops: self.hw_drops.wrapping_add(other.hw_drops),
            csum_unnecessary: self.csum_unnecessary.wrapping_add(other.csum_unnecessary),
            csum_none: self.csum_none.wrapping_add(other.csum_none),
            csum_bad: self.csum_bad.wrapping_add(other.csum_bad),
        }
    }
}

/// Statistics of one transmit queue since the device was created (`netdev-genl` qstats).
#[derive(Clone, Copy, Debug, Default)]
pub struct TxQueueStats {
    /// Packets the device reported as sent; segments count one each.
    pub packets: u64,
    /// Bytes on the wire of those packets.
    pub bytes: u64,
    /// Packets sent with a checksum by the device.
    pub needs_csum: u64,
    /// GSO packets given to the device.
    pub hw_gso_packets: u64,
    /// Times the queue was stopped for lack of descriptors.
    pub stop: u64,
    /// Times it was woken again.
    pub wake: u64,
}

impl Add for TxQueueStats {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
            needs_csum: self.needs_csum.wrapping_add(other.needs_csum),
            hw_gso_packets: self.hw_gso_packets.wrapping_add(other.hw_gso_packets),
            stop: self.stop.wrapping_add(other.stop),
            wake: self.wake.wrapping_add(other.wake),
        }
    }
}
