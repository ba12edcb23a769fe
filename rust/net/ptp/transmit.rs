// SPDX-License-Identifier: GPL-2.0

//! Stamps of packets that are sent, for a device that can take one at a time.
//!
//! The packet is kept from when it is given to the device until its stamp is there. That is found out
//! by a timer whose function runs in a softirq of the CPU that sent the packet, and not by a work item: a
//! program waits for the stamp, and worker threads wait for each real-time task on their CPU. Where softirqs
//! are threads, as on PREEMPT_RT, real-time tasks of that very CPU still come first.

use crate::{
    compat,
    lock::{
        new_raw_spinlock,
        RawSpinLock, //
    },
    queue::TxQueue,
    skb::{
        AwaitsStamp,
        SkBuff, //
    },
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    types::Opaque, //
};

/// When the device is asked first, in nanoseconds; after that each time twice as much later.
const FIRST: u64 = 20_000;
/// But no more than this.
const LONGEST: u64 = 500_000;
/// For how long a packet is waited for that is kept back, as by PAUSE frames or a slow link. The stamp
/// of a packet that is given up might be taken for that of the next.
const TIMEOUT: Delta = Delta::from_secs(1);

/// A device that stamps packets.
///
/// Both are called with interrupts and softirqs off, under a raw lock of [`TxStamps`]: they must
/// neither sleep nor take a lock but a raw one, must not call [`TxStamps`], and must not print, as
/// a console may send packets.
pub trait TxStamper: Send + Sync + 'static {
    /// A packet is about to be given to the device that is to be stamped. False: not now.
    fn begin(&self) -> bool;

    /// The stamp of the latest packet, in nanoseconds of the clock, if it has been sent.
    fn stamp(&self) -> Option<i64>;
}

/// A packet that waits for its stamp.
struct Waiting {
    packet: AwaitsStamp,
    since: Instant<Monotonic>,
    /// Nanoseconds until the device is asked again.
    delay: u64,
}

/// What is being stamped.
struct Slot {
    waiting: Option<Waiting>,
    /// The device is not bound any more.
    over: bool,
}

/// # Invariants
///
/// `timer` is set up with [`fire`], and is only started with the lock of `current` held, and unless `over`.
#[pin_data]
struct Inner {
    #[pin]
    timer: Opaque<netbind::hrtimer>,
    #[pin]
    current: RawSpinLock<Slot>,
    stamper: Arc<dyn TxStamper>,
    delivered: Atomic<u64>,
    lost: Atomic<u64>,
    timeouts: Atomic<u64>,
    skipped: Atomic<u64>,
}

// SAFETY: Timers may be used by any thread; the other fields are `Send`.
unsafe impl Send for Inner {}
// SAFETY: Timers have a lock of their own; the other fields are `Sync`.
unsafe impl Sync for Inner {}

impl Inner {
    /// With the lock of `current` held, and unless `over`.
    fn start(&self, ns: u64) {
        // SAFETY: The timer is set up by the type invariants. `End` cancels it before its memory goes.
        unsafe { netbind::soft_timer_start(self.timer.get(), ns) };
    }

    /// Asks the device, and hands the stamp over if there is one. Softirq.
    fn look(&self) {
        let mut slot = self.current.lock();
        let Some(waiting) = &mut slot.waiting else {
            return;
        };
        let stamp = self.stamper.stamp();
        if stamp.is_none() && waiting.since.elapsed() < TIMEOUT {
            waiting.delay = waiting.delay.wrapping_mul(2).min(LONGEST);
            self.start(waiting.delay);
            return;
        }
        let waiting = slot.waiting.take();
        // The next packet may be stamped from here on: those who are told may send it at once.
        drop(slot);
        match (stamp, waiting) {
            (Some(ns), Some(waiting)) => {
                waiting.packet.deliver(ns);
                self.delivered.fetch_add(1, Relaxed);
            }
            _ => {
                self.timeouts.fetch_add(1, Relaxed);
            }
        }
    }
}

/// # Safety
///
/// `timer` is that of an [`Inner`], whose end waits for this.
unsafe extern "C" fn fire(timer: *mut netbind::hrtimer) -> netbind::hrtimer_restart {
    // SAFETY: `timer` is that of an `Inner`, which stays until this has returned, by the requirements of
    // this function.
    let inner = unsafe { &*kernel::container_of!(Opaque::cast_from(timer), Inner, timer) };
    inner.look();
    compat::HRTIMER_NORESTART
}

/// Ends the timer, and drops what waits: when the [`TxStamps`] is dropped or the device is unbound,
/// whichever is first.
struct End(Arc<Inner>);

impl Drop for End {
    fn drop(&mut self) {
        let waiting = {
            let mut slot = self.0.current.lock();
            slot.over = true;
            slot.waiting.take()
        };
        drop(waiting);
        // SAFETY: The timer is set up. Nobody starts it any more.
        unsafe { netbind::hrtimer_cancel(self.0.timer.get()) };
    }
}

/// The stamps of packets a device sends, of which it takes one at a time.
///
/// # Examples
///
/// ```
/// use kernel::{device::{Bound, Device}, prelude::*, sync::Arc};
/// use net::{ptp::{TxStamper, TxStamps}, queue::TxQueue, skb::SkBuff};
///
/// struct Clock { /* Registers. */ }
///
/// impl TxStamper for Clock {
///     fn begin(&self) -> bool { true }
///     fn stamp(&self) -> Option<i64> { None }
/// }
///
/// fn make(dev: &Device<Bound>, clock: Arc<Clock>) -> Result<Arc<TxStamps>> {
///     Ok(Arc::new(TxStamps::new(dev, clock)?, GFP_KERNEL)?)
/// }
///
/// /// In `xmit`. Returns whether the descriptor is to say that the packet is to be stamped.
/// fn asks(stamps: &TxStamps, skb: &SkBuff, queue: TxQueue<'_>) -> bool {
///     let is_claimed = stamps.claim(skb, queue);
///     skb.stamp_in_software(queue);
///     is_claimed
/// }
/// ```
pub struct TxStamps {
    inner: Arc<Inner>,
    _end: Devres<End>,
}

impl TxStamps {
    /// Those of `dev`. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new<S: TxStamper>(dev: &Device<Bound>, stamper: Arc<S>) -> Result<Self> {
        let inner = Self::inner(stamper)?;
        Ok(Self {
            _end: Devres::new(dev, Ok::<_, Error>(End(inner.clone())))?,
            inner,
        })
    }

    /// Not generic, as a lock class wants one name.
    fn inner(stamper: Arc<dyn TxStamper>) -> Result<Arc<Inner>> {
        Arc::pin_init(
            pin_init!(Inner {
                // SAFETY: The memory is that of a timer that nobody uses yet.
                // INVARIANT: set up with `fire`.
                timer <- Opaque::ffi_init(|timer| unsafe {
                    netbind::soft_timer_setup(timer, Some(fire))
                }),
                current <- new_raw_spinlock!(
                    Slot {
                        waiting: None,
                        over: false,
                    },
                    c"net_tx_stamp"
                ),
                stamper,
                delivered: Atomic::new(0),
                lost: Atomic::new(0),
                timeouts: Atomic::new(0),
                skipped: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// A packet that is about to be given to the device asks for a stamp. Returns whether it gets one:
    /// not if another waits for its own, if the device does not stamp, or if the packet is not one of
    /// the device that `queue` is of.
    ///
    /// To be called in `xmit`, with softirqs off, before [`SkBuff::stamp_in_software`], and after
    /// [`SkBuff::pad_to`] and [`SkBuff::prepare_offload`]: from here on the packet has two owners,
    /// and they fail. Takes a raw lock. Holds the net device until the stamp is delivered or given
    /// up, a second at most; its unregistration waits for that.
    pub fn claim(&self, skb: &SkBuff, queue: TxQueue<'_>) -> bool {
        // In front of the lock, under which there is no memory for a tracker.
        let Some(dev) = skb.hold_device(queue) else {
            return false;
        };
        let mut slot = self.inner.current.lock();
        if slot.over {
            return false;
        }
        if slot.waiting.is_some() {
            self.inner.skipped.fetch_add(1, Relaxed);
            return false;
        }
        if !self.inner.stamper.begin() {
            return false;
        }
        slot.waiting = Some(Waiting {
            // SAFETY: This is what was returned for the packet.
            packet: unsafe { skb.begin_stamp(dev) },
            since: Instant::now(),
            delay: FIRST,
        });
        self.inner.start(FIRST);
        true
    }

    /// The packet that waits, if there is one, will not be stamped: it was not sent after all, or the device
    /// is reset. One that was not sent must be dropped then, and not be given back to the stack:
    /// the stack would still expect a stamp of the device, and send none of its own. (One that waits
    /// is dropped when it is given back.) Any context but a hard interrupt.
    pub fn give_up(&self) {
        let waiting = self.inner.current.lock().waiting.take();
        if waiting.is_some() {
            self.inner.lost.fetch_add(1, Relaxed);
        }
    }

    /// Stamps that were handed to those who asked for them.
    pub fn delivered(&self) -> u64 {
        self.inner.delivered.load(Relaxed)
    }

    /// Packets that were given up: see [`TxStamps::give_up`].
    pub fn lost(&self) -> u64 {
        self.inner.lost.load(Relaxed)
    }

    /// Packets whose stamp did not come in time.
    pub fn timeouts(&self) -> u64 {
        self.inner.timeouts.load(Relaxed)
    }

    /// Packets that were not stamped, as another waited for its stamp.
    pub fn skipped(&self) -> u64 {
        self.inner.skipped.load(Relaxed)
    }
}
