// SPDX-License-Identifier: GPL-2.0

//! NAPI: polling a pair of queues in softirq context.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    irq,
    memory::{
        Belongings,
        Instance,
        Memory,
        Owned,
        Waking, //
    },
    netdev::Locked,
    queue::Completions, //
};
use core::{
    cell::UnsafeCell,
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/napi.rs"]
mod test;

/// What a NAPI instance polls.
///
/// The value is owned by its [`Napi`], and NAPI guarantees that it is polled by one CPU at a
/// time: hence `&mut self`.
pub trait Poll: Send + Sized + 'static {
    /// What is needed to let the device interrupt again. Shared, as the next poll may begin on
    /// another CPU before [`Poll::rearm`] has returned.
    type Rearm: Send + Sync + 'static;

    /// Does at most `budget` packets' worth of receive work and reclaims sent buffers. Softirq
    /// context (or a thread or busy poller in its place). `budget` is not 0.
    ///
    /// Returns the number of packets received. Returning `budget` means that there may be more:
    /// the poll is repeated. Anything less ends polling, and [`Poll::rearm`] follows.
    fn poll(&mut self, cx: &mut Context<'_>, budget: u32) -> u32;

    /// Reclaims sent buffers, and does nothing else: netpoll is out of them. Any context, hard
    /// interrupts included.
    fn poll_tx(&mut self, cx: &mut TxContext<'_>);

    /// Lets the device interrupt again after the last poll.
    fn rearm(rearm: &Self::Rearm);

    /// An interrupt has come although a poll is due or running, or where polls are to follow each
    /// other by a timer: the device is to be kept from interrupting until [`Poll::rearm`], which
    /// follows. Hard interrupt context.
    #[inline]
    fn hold(_rearm: &Self::Rearm) {}
}

/// The transmit half of a running poll, which may be netpoll's.
///
/// # Invariants
///
/// - `queue` is transmit queue number `index` of the net device whose NAPI of that index is being
///   polled, by the caller alone.
/// - `budget` is the poll's, and not negative. If it is not 0, this is softirq context.
pub struct TxContext<'a> {
    queue: NonNull<netbind::netdev_queue>,
    budget: c_int,
    _marker: PhantomData<&'a mut ()>,
}

impl TxContext<'_> {
    #[inline]
    pub(crate) fn budget(&self) -> c_int {
        self.budget
    }

    /// The transmit queue with the index of the NAPI instance.
    #[inline]
    pub fn queue(&mut self) -> Completions<'_> {
        // SAFETY: By the type invariants the queue is valid, and this is the only `TxContext` of it,
        // of which `&mut self` lends one `Completions` at a time. `Napi::reset_tx_queue` needs the
        // instance disabled.
        unsafe { Completions::from_raw(self.queue) }
    }

    /// As of a poll of netpoll, for tests, which do not ask for the queue.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn for_test() -> Self {
        Self::with_budget_for_test(0)
    }

    /// As of a poll, for tests that free no packets.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn with_budget_for_test(budget: c_int) -> Self {
        Self {
            queue: NonNull::dangling(),
            budget,
            _marker: PhantomData,
        }
    }
}

/// A running poll with a budget: proof of being in the NAPI's softirq context.
///
/// A poll of netpoll has no such context, so that what is for softirqs alone (the stack's receive
/// path, caches of skbs and pages, programs) cannot be reached from it:
///
/// ```
/// use net::{napi::Context, skb::{RxMeta, RxSkb}};
///
/// fn deliver(cx: &mut Context<'_>, skb: RxSkb) {
///     cx.receive(skb, 0, RxMeta::default());
/// }
/// ```
///
/// ```compile_fail,E0599
/// use net::{napi::TxContext, skb::{RxMeta, RxSkb}};
///
/// fn deliver(cx: &mut TxContext<'_>, skb: RxSkb) {
///     cx.receive(skb, 0, RxMeta::default());
/// }
/// ```
pub struct Context<'a> {
    napi: NonNull<netbind::napi_struct>,
    tx: TxContext<'a>,
    /// Frames were redirected in this poll.
    flush: bool,
    /// Multicast frames that the stack was handed since they were last asked for.
    multicast: u32,
}

impl<'a> Context<'a> {
    /// The transmit half.
    #[inline]
    pub fn tx(&mut self) -> &mut TxContext<'a> {
        &mut self.tx
    }

    /// The link is reported as up.
    #[inline]
    pub fn has_carrier(&self) -> bool {
        // SAFETY: The instance is polled, so its device is registered.
        unsafe { netbind::netif_carrier_ok((*self.napi.as_ptr()).dev) }
    }

    /// Frames were redirected: they are to be passed on before the poll ends.
    pub(crate) fn must_flush(&mut self) {
        self.flush = true;
    }

    /// How many of the frames that the stack was handed in this poll, since the last call, are multicast
    /// (and not broadcast), by their destination. A driver counts all frames itself.
    #[inline]
    pub fn take_multicast(&mut self) -> u32 {
        core::mem::take(&mut self.multicast)
    }

    #[inline]
    pub(crate) fn count_multicast(&mut self, frames: u32) {
        self.multicast = self.multicast.wrapping_add(frames);
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::napi_struct {
        self.napi.as_ptr()
    }
}

mod sealed {
    pub trait Sealed {
        /// The instance that nobody else polls.
        fn napi(&self) -> *mut netbind::napi_struct;
    }
}

/// Proof that nobody else polls an instance: its running poll ([`Context`]), or its making
/// ([`Setup`]). What belongs to the poll, such as the cache of a page pool, may be touched.
pub trait Exclusive: sealed::Sealed {}

impl sealed::Sealed for Context<'_> {
    #[inline]
    fn napi(&self) -> *mut netbind::napi_struct {
        self.as_ptr()
    }
}

impl Exclusive for Context<'_> {}

impl sealed::Sealed for Setup {
    fn napi(&self) -> *mut netbind::napi_struct {
        self.instance.as_ptr()
    }
}

// `Napi::new` makes one for a call, during which polling is disabled.
impl Exclusive for Setup {}

/// The instance `cx` is about.
#[inline]
pub(crate) fn polled(cx: &impl Exclusive) -> *mut netbind::napi_struct {
    cx.napi()
}

#[pin_data]
struct Inner<P: Poll> {
    #[pin]
    napi: Opaque<netbind::napi_struct>,
    poll: UnsafeCell<Option<P>>,
    rearm: P::Rearm,
    belongings: UnsafeCell<Belongings>,
    /// That of the instance's number, which lives as long as the device: longer than the instance is
    /// registered.
    queue: NonNull<netbind::netdev_queue>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: `poll` is only touched by the one CPU that polls, and by the owner (`Napi`) while polling is
// disabled; `belongings` by who makes the instance, and after its end by who ended it. The C part has
// its own synchronisation.
unsafe impl<P: Poll> Sync for Inner<P> {}
// SAFETY: Nothing in it is bound to a CPU or task; what is polled is `Send`.
unsafe impl<P: Poll> Send for Inner<P> {}

impl<P: Poll> Inner<P> {
    extern "C" fn poll_callback(
        napi: *mut netbind::napi_struct,
        budget: core::ffi::c_int,
    ) -> core::ffi::c_int {
        // SAFETY: `napi` is the first argument of the poll function of the NAPI that `Napi::new`
        // registered, so it is the `napi` field of an `Inner<P>`, which lives until the NAPI is
        // deleted.
        let this = unsafe { &*kernel::container_of!(Opaque::cast_from(napi), Self, napi) };
        // SAFETY: NAPI polls an instance on one CPU at a time, and `Napi` touches the cell only
        // while polling is disabled.
        let Some(poll) = (unsafe { &mut *this.poll.get() }) else {
            return 0;
        };
        // INVARIANT: this instance is polled, by us. It is the only one with its index, which is that
        // of the queue. With a budget, NAPI polls in softirq context.
        let mut tx = TxContext {
            queue: this.queue,
            budget: budget.max(0),
            _marker: PhantomData,
        };
        let limit = u32::try_from(budget).unwrap_or(0);
        if limit == 0 {
            poll.poll_tx(&mut tx);
            return 0;
        }
        // SAFETY: NAPI passes the instance it polls, never NULL.
        let napi_ptr = unsafe { NonNull::new_unchecked(napi) };
        let mut cx = Context {
            napi: napi_ptr,
            tx,
            flush: false,
            multicast: 0,
        };
        let work = poll.poll(&mut cx, limit);
        if cx.flush {
            // SAFETY: We are still in the poll the frames were redirected in.
            unsafe { netbind::xdp_do_flush() };
        }
        if work >= limit {
            return budget;
        }
        // CAST: less than `budget`, which is an `int`.
        let work = work as core::ffi::c_int;
        // SAFETY: We are in the poll function of this NAPI and did less than the budget. From
        // here on another CPU may poll: `poll` is not used any more.
        if unsafe { netbind::napi_complete_done(napi, work) } {
            P::rearm(&this.rearm);
        }
        work
    }
}

impl<P: Poll> Instance for Inner<P> {
    fn as_ptr(&self) -> *mut netbind::napi_struct {
        self.napi.get()
    }

    fn belongings(&self) -> &UnsafeCell<Belongings> {
        &self.belongings
    }
}

/// A NAPI instance that is being set up: what the polled value may need to know of it.
pub struct Setup {
    instance: Arc<dyn Instance>,
    memory: Arc<Memory>,
    index: u32,
    /// It is lent to one thread.
    _thread: NotThreadSafe,
}

impl Setup {
    /// Keeps the instance in memory, though not registered. [`Napi`] drops what is polled, and so
    /// ends the cycle if that is where it is kept.
    pub(crate) fn instance(&self) -> Arc<dyn Instance> {
        self.instance.clone()
    }

    /// The net device that will be polled.
    pub(crate) fn device(&self) -> *mut netbind::net_device {
        // SAFETY: The NAPI is registered.
        unsafe { (*self.instance.as_ptr()).dev }
    }

    /// The number of the instance, and of its queues.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Has the instance polled when sockets ask. To be kept by it ([`Setup::keep`]).
    pub(crate) fn waking(&self) -> Waking {
        Waking::new(self.memory.clone(), self.index, self.instance())
    }

    /// Has the instance keep something, and drop it in process context when it has been polled for the
    /// last time, after what is polled; or when it is not made in the end.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; it is dropped.
    pub(crate) fn keep(&self, what: KBox<dyn Owned>) -> Result {
        // SAFETY: The instance is being made, by this thread.
        let belongings = unsafe { &mut *self.instance.belongings().get() };
        Ok(belongings.push(what, GFP_KERNEL)?)
    }
}

/// A NAPI instance and what it polls.
///
/// Created disabled, in `ndo_open` or later. Dropping it ends polling (and waits for a running poll),
/// drops the polled value, and what that has made for the instance ([`PagePool`], [`RxQueue`]). Process
/// context, sleeps.
///
/// An instance also ends when its device is unregistered: one that is forgotten is not polled any more,
/// and does not keep the device. What it polls leaks then.
///
/// [`PagePool`]: crate::page_pool::PagePool
/// [`RxQueue`]: crate::xdp::RxQueue
///
/// # Invariants
///
/// The NAPI of `inner` was registered with the net device of `memory` as number `index`.
pub struct Napi<P: Poll> {
    inner: Arc<Inner<P>>,
    memory: Arc<Memory>,
    index: u32,
    enabled: bool,
}

impl<P: Poll> Napi<P> {
    /// Registers NAPI number `index` of `dev`; `make` builds what it polls. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINVAL` if the device has no such queues, `EBUSY` if there is an instance with this
    /// index, and what `make` returns.
    pub fn new<D>(
        dev: &Locked<D>,
        index: u32,
        rearm: P::Rearm,
        make: impl FnOnce(&Setup) -> Result<P>,
    ) -> Result<Self> {
        let queue = dev.raw_tx_queue(index).ok_or(EINVAL)?;
        let inner = Arc::pin_init(
            pin_init!(Inner {
                napi: Opaque::zeroed(),
                poll: UnsafeCell::new(None),
                rearm,
                belongings: UnsafeCell::new(KVec::new()),
                queue,
                _pin: PhantomPinned,
            }),
            GFP_KERNEL,
        )?;
        let instance: Arc<dyn Instance> = inner.clone();
        let memory = dev.memory();
        // SAFETY: The device is registered, and RTNL keeps it so. The instance is zeroed, and the
        // function is that of instances like this.
        unsafe { memory.add(index, instance.clone(), Inner::<P>::poll_callback) }?;
        // INVARIANT: just registered. From here on `Drop` cleans up.
        let this = Self {
            inner,
            memory: memory.clone(),
            index,
            enabled: false,
        };
        let poll = make(&Setup {
            instance,
            memory,
            index,
            _thread: NotThreadSafe,
        })?;
        // SAFETY: Polling is disabled, so the cell is ours.
        unsafe { *this.inner.poll.get() = Some(poll) };
        Ok(this)
    }

    fn as_ptr(&self) -> *mut netbind::napi_struct {
        self.inner.napi.get()
    }

    /// Allows polling, unless the device has been unregistered. Process context.
    pub fn enable(&mut self) {
        self.enabled = true;
        self.memory.enable(self.index, self.as_ptr());
    }

    /// Ends polling, and waits for a running poll to finish. Process context, sleeps.
    pub fn disable(&mut self) {
        self.memory.disable(self.index, self.as_ptr());
        self.enabled = false;
    }

    /// What is polled; `None` while polling is enabled.
    pub fn get_mut(&mut self) -> Option<&mut P> {
        if self.enabled {
            return None;
        }
        // SAFETY: Polling is disabled and `&mut self` is the only owner, so the cell is ours.
        unsafe { (*self.inner.poll.get()).as_mut() }
    }

    /// Tells user space which interrupt drives this instance (`netdev-genl`). Process context.
    pub fn set_irq(&mut self, irq: u32) {
        if let Ok(irq) = c_int::try_from(irq) {
            self.memory.set_irq(self.index, self.as_ptr(), irq);
        }
    }

    /// A handle for the interrupt handler.
    pub fn scheduler(&self) -> Scheduler<P> {
        Scheduler(self.inner.clone())
    }

    /// Links this instance to the receive and transmit queue of its index for user space
    /// (`netdev-genl`). Does nothing if `dev` is another device.
    ///
    /// The device keeps the instance in memory until [`Napi::unlink_queues`], or another takes its
    /// place, or the device is unregistered; also when this is dropped before.
    pub fn link_queues<D>(&self, dev: &Locked<D>) {
        if dev.as_ptr() == self.memory.as_ptr() {
            // SAFETY: The device is registered, and RTNL is held.
            unsafe { self.memory.link(self.index, Some(self.inner.clone())) };
        }
    }

    /// Takes the links of [`Napi::link_queues`] back.
    pub fn unlink_queues<D>(&self, dev: &Locked<D>) {
        if dev.as_ptr() == self.memory.as_ptr() {
            // SAFETY: The device is registered, and RTNL is held.
            unsafe { self.memory.link(self.index, None) };
        }
    }

    /// Has the byte limit of the transmit queue forget what it knows of packets in flight. To be
    /// called when they have all been thrown away. Does nothing while polling is enabled: a poll may
    /// report packets as sent.
    pub fn reset_tx_queue(&mut self) {
        if !self.enabled {
            // SAFETY: The queue is valid, as its device is in memory. Nobody else resets it or reports
            // packets as sent: it takes the only instance with this index to do so, which is ours
            // and is not polled.
            unsafe { netbind::tx_reset_queue(self.inner.queue.as_ptr()) };
        }
    }
}

impl<P: Poll> Drop for Napi<P> {
    fn drop(&mut self) {
        self.memory.disable(self.index, self.as_ptr());
        // SAFETY: Polling has ended, here or with the device, and only the owner, who is gone,
        // would enable it: so nobody else touches the cell.
        drop(unsafe { (*self.inner.poll.get()).take() });
        // With the pools, to which what was polled has given its pages back.
        drop(self.memory.end(self.index, Some(self.as_ptr())));
    }
}

/// Schedules a NAPI instance from an interrupt handler. A deleted instance is not scheduled, but stays
/// in memory, as does its [`Poll::Rearm`]. Dropped where that may be.
///
/// ```
/// use kernel::irq::IrqReturn;
/// use net::{irq, napi::{Poll, Scheduler}};
///
/// struct Queue<P: Poll>(Scheduler<P>);
///
/// impl<P: Poll> irq::Handler for Queue<P> {
///     fn handle(&self, cx: &irq::Context) -> IrqReturn {
///         self.0.schedule_irqoff(cx);
///         IrqReturn::Handled
///     }
/// }
/// ```
///
/// With interrupts on, it is [`Scheduler::schedule`] that is to be called:
///
/// ```compile_fail,E0061
/// use net::napi::{Poll, Scheduler};
///
/// fn kick<P: Poll>(scheduler: &Scheduler<P>) {
///     scheduler.schedule_irqoff();
/// }
/// ```
pub struct Scheduler<P: Poll>(Arc<Inner<P>>);

impl<P: Poll> Clone for Scheduler<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Poll> Scheduler<P> {
    /// Asks for a poll. If one is due, or the user wants interrupts to be deferred
    /// (`napi_defer_hard_irqs` and `gro_flush_timeout`), [`Poll::hold`] is called before. In the
    /// handler of an interrupt, as `_cx` proves: interrupts are off, or, on PREEMPT_RT, the call turns
    /// them off itself.
    #[inline]
    pub fn schedule_irqoff(&self, _cx: &irq::Context) {
        // Before the poll is asked for: if the one that is due ends now, the next one rearms, and
        // if it does not, it finds that it is asked for and goes on. The same holds for polls that a
        // timer asks for: the last of them rearms.
        if self.is_due() || self.defers() {
            P::hold(&self.0.rearm);
        }
        // SAFETY: The instance was registered. If it has been disabled or deleted since, its
        // SCHED bit is still set, and the call does nothing.
        unsafe { netbind::napi_schedule_irqoff(self.0.napi.get()) };
    }

    #[inline]
    fn is_due(&self) -> bool {
        // SAFETY: The instance is valid; `state` is a word that others change atomically, hence the
        // volatile read.
        let state = unsafe { (&raw const (*self.0.napi.get()).state).read_volatile() };
        state & 1 << netbind::NAPI_STATE_SCHED != 0
    }

    /// After a poll a timer asks for the next one, until several in a row have found nothing.
    #[inline]
    fn defers(&self) -> bool {
        let napi = self.0.napi.get();
        // SAFETY: The instance is valid; the user changes either word at any time, hence the
        // volatile reads.
        unsafe {
            (&raw const (*napi).defer_hard_irqs).read_volatile() != 0
                && (&raw const (*napi).gro_flush_timeout).read_volatile() != 0
        }
    }

    /// Asks for a poll. Any context.
    pub fn schedule(&self) {
        // SAFETY: The instance was registered. If it has been disabled or deleted since, its
        // SCHED bit is still set, and the call does nothing.
        unsafe { netbind::napi_schedule(self.0.napi.get()) };
    }
}
