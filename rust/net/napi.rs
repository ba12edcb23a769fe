// SPDX-License-Identifier: GPL-2.0

//! NAPI: polling a pair of queues in softirq context.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device,
    queue::TxQueue, //
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
    types::Opaque, //
};

/// What a NAPI instance polls.
///
/// The value is owned by its [`Napi`], and NAPI guarantees that it is polled by one CPU at a
/// time: hence `&mut self`.
pub trait Poll: Send + Sized + 'static {
    /// What is needed to let the device interrupt again. Shared, as the next poll may begin on
    /// another CPU before [`Poll::rearm`] has returned.
    type Rearm: Send + Sync + 'static;

    /// Does at most `budget` packets' worth of receive work and reclaims sent buffers. Softirq
    /// context (or a thread or busy poller in its place). A `budget` of 0 asks for no receive
    /// work at all.
    ///
    /// Returns the number of packets received. Returning `budget` means that there may be more:
    /// the poll is repeated. Anything less ends polling, and [`Poll::rearm`] follows.
    fn poll(&mut self, cx: &mut Context<'_>, budget: u32) -> u32;

    /// Lets the device interrupt again after the last poll.
    fn rearm(rearm: &Self::Rearm);

    /// An interrupt has come although a poll is due or running: the device may be kept from
    /// interrupting until [`Poll::rearm`], which follows. Hard interrupt context.
    #[inline]
    fn hold(_rearm: &Self::Rearm) {}
}

/// A running poll: proof of being in the NAPI's softirq context.
pub struct Context<'a> {
    napi: NonNull<netbind::napi_struct>,
    /// Frames were redirected in this poll.
    flush: bool,
    _marker: PhantomData<&'a mut ()>,
}

impl Context<'_> {
    /// Frames were redirected: they are to be passed on before the poll ends.
    pub(crate) fn must_flush(&mut self) {
        self.flush = true;
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::napi_struct {
        self.napi.as_ptr()
    }

    /// Transmit queue `index` of the net device that is polled, if it has that many.
    #[inline]
    pub fn tx_queue(&self, index: u32) -> Option<TxQueue<'_>> {
        // SAFETY: the NAPI is valid while it is polled, and holds its net device.
        unsafe { device::tx_queue_of((*self.as_ptr()).dev, index) }
    }
}

#[pin_data]
struct Inner<P: Poll> {
    #[pin]
    napi: Opaque<netbind::napi_struct>,
    poll: UnsafeCell<Option<P>>,
    rearm: P::Rearm,
    dev: device::Hold,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: `poll` is only touched by the one CPU that polls, and by the owner (`Napi`) while
// polling is disabled; the C part has its own synchronisation.
unsafe impl<P: Poll> Sync for Inner<P> {}
// SAFETY: as above; nothing in it is bound to a CPU.
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
        let limit = u32::try_from(budget).unwrap_or(0);
        // SAFETY: NAPI passes the instance it polls, never NULL.
        let napi_ptr = unsafe { NonNull::new_unchecked(napi) };
        let mut cx = Context {
            napi: napi_ptr,
            flush: false,
            _marker: PhantomData,
        };
        let work = poll.poll(&mut cx, limit);
        if cx.flush {
            // SAFETY: we are still in the poll the frames were redirected in.
            unsafe { netbind::xdp_do_flush() };
        }
        if work >= limit {
            return budget;
        }
        // CAST: less than `budget`, which is an `int`.
        let work = work as core::ffi::c_int;
        // SAFETY: we are in the poll function of this NAPI and did less than the budget. From
        // here on another CPU may poll: `poll` is not used any more.
        if unsafe { netbind::napi_complete_done(napi, work) } {
            P::rearm(&this.rearm);
        }
        work
    }
}

/// The memory of a NAPI instance, whatever it polls.
pub(crate) trait Instance: Send + Sync {
    fn as_ptr(&self) -> *mut netbind::napi_struct;
}

impl<P: Poll> Instance for Inner<P> {
    fn as_ptr(&self) -> *mut netbind::napi_struct {
        self.napi.get()
    }
}

/// A NAPI instance that is being set up: what the polled value may need to know of it.
pub struct Setup(Arc<dyn Instance>);

impl Setup {
    /// Keeps the instance in memory, though not registered. [`Napi`] drops what is polled, and so
    /// ends the cycle if that is where it is kept.
    pub(crate) fn instance(&self) -> Arc<dyn Instance> {
        self.0.clone()
    }

    /// A reference to the net device that will be polled.
    pub(crate) fn hold_device(&self) -> device::Hold {
        // SAFETY: the NAPI is registered, so it has a net device, which is held.
        unsafe { device::Hold::new((*self.0.as_ptr()).dev) }
    }
}

/// A NAPI instance and what it polls.
///
/// Created disabled, in `ndo_open` or later, under RTNL; dropped under RTNL, at the latest in
/// `ndo_stop`. Dropping disables polling (and waits for a running poll), drops the polled value,
/// and deletes the instance.
///
/// # Invariants
///
/// The NAPI of `inner` is registered with the net device that `inner.dev` holds.
pub struct Napi<P: Poll> {
    inner: Arc<Inner<P>>,
    enabled: bool,
}

impl<P: Poll> Napi<P> {
    /// Registers NAPI number `index` of `dev`; `make` builds what it polls. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINVAL` if the device has no such queue, and what `make` returns.
    pub fn new<D: device::Driver>(
        dev: &device::Device<D>,
        index: u32,
        rearm: P::Rearm,
        make: impl FnOnce(&Setup) -> Result<P>,
    ) -> Result<Self> {
        if index >= dev.num_tx_queues().max(dev.num_rx_queues()) {
            return Err(EINVAL);
        }
        let inner = Arc::pin_init(
            pin_init!(Inner {
                napi: Opaque::zeroed(),
                poll: UnsafeCell::new(None),
                rearm,
                dev: dev.hold(),
                _pin: PhantomPinned,
            }),
            GFP_KERNEL,
        )?;
        let napi = inner.napi.get();
        // SAFETY: the instance is zeroed, at a fixed address, and stays there until `Drop` has
        // deleted it; the net device is held. The index is below the number of queues, which is
        // the number of NAPI configurations.
        unsafe {
            netbind::napi_add(
                dev.as_ptr(),
                napi,
                Some(Inner::<P>::poll_callback),
                i32::try_from(index)?,
            )
        };
        // INVARIANT: just registered. From here on `Drop` cleans up.
        let this = Self {
            inner,
            enabled: false,
        };
        let poll = make(&Setup(this.inner.clone()))?;
        // SAFETY: polling is disabled, so the cell is ours.
        unsafe { *this.inner.poll.get() = Some(poll) };
        Ok(this)
    }

    /// Allows polling. Process context.
    pub fn enable(&mut self) {
        if !self.enabled {
            self.enabled = true;
            // SAFETY: the instance is registered and disabled.
            unsafe { netbind::napi_enable(self.inner.napi.get()) };
        }
    }

    /// Ends polling, and waits for a running poll to finish. Process context, sleeps.
    pub fn disable(&mut self) {
        if self.enabled {
            self.enabled = false;
            // SAFETY: the instance is registered and enabled.
            unsafe { netbind::napi_disable(self.inner.napi.get()) };
        }
    }

    /// What is polled; `None` while polling is enabled.
    pub fn get_mut(&mut self) -> Option<&mut P> {
        if self.enabled {
            return None;
        }
        // SAFETY: polling is disabled and `&mut self` is the only owner, so the cell is ours.
        unsafe { (*self.inner.poll.get()).as_mut() }
    }

    /// Tells user space which interrupt drives this instance (`netdev-genl`). Under RTNL.
    pub fn set_irq(&mut self, irq: u32) {
        if let Ok(irq) = i32::try_from(irq) {
            // SAFETY: the instance is registered.
            unsafe { netbind::napi_set_irq(self.inner.napi.get(), irq) };
        }
    }

    /// A handle for the interrupt handler.
    pub fn scheduler(&self) -> Scheduler<P> {
        Scheduler(self.inner.clone())
    }

    /// Links this instance to receive and transmit queue `index` for user space
    /// (`netdev-genl`). Under RTNL.
    pub fn link_queues(&self, index: u32) {
        self.set_queues(index, self.inner.napi.get());
    }

    fn set_queues(&self, index: u32, napi: *mut netbind::napi_struct) {
        let dev = self.inner.dev.as_ptr();
        for kind in [
            netbind::netdev_queue_type_NETDEV_QUEUE_TYPE_RX,
            netbind::netdev_queue_type_NETDEV_QUEUE_TYPE_TX,
        ] {
            // SAFETY: the device is held; `napi` is registered with it, or NULL.
            unsafe { netbind::netif_queue_set_napi(dev, index, kind, napi) };
        }
    }

    /// Takes the links of [`Napi::link_queues`] back. Under RTNL.
    pub fn unlink_queues(&self, index: u32) {
        self.set_queues(index, core::ptr::null_mut());
    }
}

impl<P: Poll> Drop for Napi<P> {
    fn drop(&mut self) {
        self.disable();
        // What is polled may hold a page pool, which has to go before its NAPI does.
        // SAFETY: polling is disabled and we are the only owner, so the cell is ours.
        drop(unsafe { (*self.inner.poll.get()).take() });
        // SAFETY: the instance is registered (type invariant) and disabled. Handles that are
        // still around find it disabled and do nothing.
        unsafe { netbind::napi_del(self.inner.napi.get()) };
    }
}

/// Schedules a NAPI instance from an interrupt handler. A deleted instance is not scheduled.
pub struct Scheduler<P: Poll>(Arc<Inner<P>>);

impl<P: Poll> Clone for Scheduler<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Poll> Scheduler<P> {
    /// Asks for a poll, or has [`Poll::hold`] called if one is due. Hard interrupt context with
    /// interrupts off.
    #[inline]
    pub fn schedule_irqoff(&self) {
        // Before the poll is asked for: if the one that is due ends now, the next one rearms, and
        // if it does not, it finds that it is asked for and goes on.
        if self.is_due() {
            P::hold(&self.0.rearm);
        }
        // SAFETY: the instance was registered. If it has been disabled or deleted since, its
        // SCHED bit is still set, and the call does nothing.
        unsafe { netbind::napi_schedule_irqoff(self.0.napi.get()) };
    }

    #[inline]
    fn is_due(&self) -> bool {
        // SAFETY: the instance is valid; `state` is a word that others change atomically, hence the
        // volatile read.
        let state = unsafe { (&raw const (*self.0.napi.get()).state).read_volatile() };
        state & 1 << netbind::NAPI_STATE_SCHED != 0
    }

    /// Asks for a poll. Any context.
    pub fn schedule(&self) {
        // SAFETY: as in `schedule_irqoff`.
        unsafe { netbind::napi_schedule(self.0.napi.get()) };
    }
}

#[kunit_tests(net_napi)]
mod tests {
    use super::*;
    use crate::kunit::{
        register,
        Counter,
        Owner,
        Parent,
        QUEUES, //
    };
    use crate::rtnl;

    /// Counts polls; receives nothing.
    struct Idle(Owner);

    impl Poll for Idle {
        type Rearm = Owner;

        fn poll(&mut self, _cx: &mut Context<'_>, _budget: u32) -> u32 {
            self.0.count();
            0
        }

        fn rearm(rearm: &Owner) {
            rearm.count();
        }
    }

    struct Setting {
        parent: Parent,
        dev: crate::device::Registration<crate::kunit::Dummy>,
        polls: Counter,
        rearms: Counter,
    }

    fn setting() -> Result<Setting> {
        let parent = Parent::new()?;
        Ok(Setting {
            dev: register(&parent, &Counter::new()?, QUEUES)?,
            parent,
            polls: Counter::new()?,
            rearms: Counter::new()?,
        })
    }

    impl Setting {
        fn napi(&self) -> Result<Napi<Idle>> {
            let _rtnl = rtnl::lock();
            Napi::new(&self.dev, 0, self.rearms.owner(), |_| {
                Ok(Idle(self.polls.owner()))
            })
        }

        fn drop_napi(&self, napi: Napi<Idle>) {
            let _rtnl = rtnl::lock();
            drop(napi);
        }
    }

    #[test]
    fn polls_and_rearms_while_enabled_only() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        let scheduler = napi.scheduler();
        scheduler.schedule();
        assert_eq!(setting.polls.get(), 0);
        napi.enable();
        assert!(napi.get_mut().is_none());
        scheduler.schedule();
        assert!(setting.rearms.reaches(1));
        napi.disable();
        assert!(napi.get_mut().is_some());
        let polls = setting.polls.get();
        scheduler.schedule();
        assert_eq!(setting.polls.get(), polls);
        setting.drop_napi(napi);
        Ok(())
    }

    #[test]
    fn enabling_and_disabling_twice_is_once() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        napi.enable();
        napi.enable();
        napi.disable();
        napi.disable();
        napi.enable();
        setting.drop_napi(napi);
        Ok(())
    }

    #[test]
    fn what_is_polled_goes_with_the_napi_and_the_rest_with_the_last_handle() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        napi.enable();
        let scheduler = napi.scheduler();
        setting.drop_napi(napi);
        assert_eq!(setting.polls.owners(), 0);
        assert_eq!(setting.rearms.owners(), 1);
        scheduler.schedule();
        assert_eq!(setting.polls.get(), 0);
        drop(scheduler);
        assert_eq!(setting.rearms.owners(), 0);
        Ok(())
    }

    #[test]
    fn what_cannot_be_made_leaves_nothing_behind() -> Result {
        let setting = setting()?;
        let failed = {
            let _rtnl = rtnl::lock();
            Napi::<Idle>::new(&setting.dev, 0, setting.rearms.owner(), |_| Err(ENOMEM))
        };
        assert!(failed.is_err());
        assert_eq!(setting.rearms.owners(), 0);
        let beyond = {
            let _rtnl = rtnl::lock();
            Napi::new(&setting.dev, QUEUES, setting.rearms.owner(), |_| {
                Ok(Idle(setting.polls.owner()))
            })
        };
        assert!(beyond.is_err());
        assert_eq!(setting.polls.owners(), 0);
        // The place is free for another.
        setting.drop_napi(setting.napi()?);
        let _ = &setting.parent;
        Ok(())
    }
}
