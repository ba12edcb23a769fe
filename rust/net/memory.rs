// SPDX-License-Identifier: GPL-2.0

//! What this crate keeps of a net device, whatever its driver: its memory, its private part, its NAPI
//! instances.
//!
//! A reference from elsewhere (a NAPI instance, a handle of a transmit queue) keeps the [`Memory`] of a
//! net device, but not its registration: a reference that is leaked does not keep the device from being
//! unregistered. Unregistering ends everything that the kernel calls back into.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use core::{
    any::TypeId,
    cell::UnsafeCell,
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        AtomicPtr,
        Ordering, //
    }, //
};
use kernel::{
    device::Bound,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        ArcBorrow, //
    },
};

/// A value that is kept for nothing but its drop.
pub(crate) trait Owned: Send + Sync {}

impl<T: Send + Sync> Owned for T {}

/// What a NAPI instance keeps until it is not polled any more.
pub(crate) type Belongings = KVec<KBox<dyn Owned>>;

/// A NAPI instance, as its net device knows it, whatever it polls.
pub(crate) trait Instance: Send + Sync {
    fn as_ptr(&self) -> *mut netbind::napi_struct;

    /// What ends with it. Touched only while the instance is made, and after its end by whoever ended it.
    fn belongings(&self) -> &UnsafeCell<Belongings>;
}

/// The poll function of an instance.
pub(crate) type PollFn = extern "C" fn(*mut netbind::napi_struct, c_int) -> c_int;

/// An instance that is registered with its net device.
struct Listed {
    instance: Arc<dyn Instance>,
    enabled: bool,
}

/// What belongs to one pair of queues.
///
/// # Invariants
///
/// - `linked`, the instance the queues are linked to, is only touched under RTNL.
/// - `listed`, the instance with the number of the queues, is only touched under the instance lock of
///   the net device (`netdev_lock()`).
/// - `attached`, what sockets have attached to the queues, is only touched under RTNL.
/// - `woken` is NULL or an instance that has not ended, or whose end has not waited for a grace period
///   yet.
#[derive(Default)]
struct Place {
    linked: UnsafeCell<Option<Arc<dyn Instance>>>,
    listed: UnsafeCell<Option<Listed>>,
    attached: UnsafeCell<Option<KBox<dyn Owned>>>,
    woken: AtomicPtr<netbind::napi_struct>,
}

/// Has an instance polled when sockets ask, until it is dropped: with what belongs to that instance.
pub(crate) struct Waking {
    memory: Arc<Memory>,
    index: u32,
    instance: Arc<dyn Instance>,
}

impl Waking {
    /// `instance` is number `index` of the device, and is being made.
    pub(crate) fn new(memory: Arc<Memory>, index: u32, instance: Arc<dyn Instance>) -> Self {
        if let Some(place) = memory.places.get(index as usize) {
            // Release: the instance is registered. INVARIANT: it has not ended.
            place.woken.store(instance.as_ptr(), Ordering::Release);
        }
        Self {
            memory,
            index,
            instance,
        }
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        if let Some(place) = self.memory.places.get(self.index as usize) {
            let _ = place.woken.compare_exchange(
                self.instance.as_ptr(),
                core::ptr::null_mut(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}

/// An instance that is not polled any more, nor known to its net device, and that nothing belongs
/// to. Its drop waits for those who still look at the instance. Process context, sleeps.
pub(crate) struct Ended {
    /// Kept until the drop of this has waited.
    _instance: Arc<dyn Instance>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Softirqs that walk the list of instances, or give a page back to a pool that was still there
        // when they read from it which instance it has, look at the instance until here. So this comes
        // after the pools, and the instance is only given up by the drop of the field.
        // SAFETY: No preconditions.
        unsafe { netbind::synchronize_net() };
    }
}

/// The memory of a net device, and of what its private part refers to.
///
/// Dropped in process context.
///
/// # Invariants
///
/// `dev` is a net device that is freed with this, and that is not registered then.
pub(crate) struct Memory {
    dev: NonNull<netbind::net_device>,
    places: KVec<Place>,
    /// The device has been unregistered, as far as its driver is concerned. Set under RTNL.
    over: AtomicBool,
    /// What the driver has of each transmit queue.
    _slots: KBox<dyn Owned>,
}

// SAFETY: A net device may be used and freed by any thread. Instances are `Send` and `Sync`, and `Place`
// says under which lock a place is touched.
unsafe impl Send for Memory {}
// SAFETY: What can be reached through a shared reference is under the locks that `Place` names.
unsafe impl Sync for Memory {}

impl Memory {
    /// Allocates an Ethernet device with `queues` transmit and receive queues. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        parent: &kernel::device::Device<Bound>,
        queues: u32,
        slots: KBox<dyn Owned>,
    ) -> Result<Arc<Self>> {
        let mut places = KVec::with_capacity(queues as usize, GFP_KERNEL)?;
        for _ in 0..queues {
            places.push(Place::default(), GFP_KERNEL)?;
        }
        let size = i32::try_from(size_of::<Private>())?;
        // SAFETY: No preconditions.
        let dev = unsafe { netbind::alloc_etherdev_mqs(size, queues, queues) };
        // INVARIANT: just allocated.
        let this = Self {
            dev: NonNull::new(dev).ok_or(ENOMEM)?,
            places,
            over: AtomicBool::new(false),
            _slots: slots,
        };
        // SAFETY: Both are valid; the net device takes a reference when it is registered.
        unsafe { netbind::set_netdev_dev(dev, core::ptr::from_ref(parent).cast_mut().cast()) };
        Ok(Arc::new(this, GFP_KERNEL)?)
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::net_device {
        self.dev.as_ptr()
    }

    /// Links queues `index` to an instance, or to none. The instance is kept until it is replaced, or
    /// the device is unregistered.
    ///
    /// # Safety
    ///
    /// The device is registered, or is being unregistered, and RTNL is held.
    pub(crate) unsafe fn link(&self, index: u32, instance: Option<Arc<dyn Instance>>) {
        let Some(place) = self.places.get(index as usize) else {
            return;
        };
        let raw = instance
            .as_ref()
            .map_or(core::ptr::null_mut(), |napi| napi.as_ptr());
        for kind in [
            netbind::netdev_queue_type_NETDEV_QUEUE_TYPE_RX,
            netbind::netdev_queue_type_NETDEV_QUEUE_TYPE_TX,
        ] {
            // SAFETY: The net device is valid, has such a queue for each place, and RTNL is held. The
            // instance stays in memory while it is linked.
            unsafe { netbind::netif_queue_set_napi(self.as_ptr(), index, kind, raw) };
        }
        // SAFETY: RTNL is held, under which alone the place is touched.
        let old = core::mem::replace(unsafe { &mut *place.linked.get() }, instance);
        // Nothing refers to the cell any more: this may end in any code.
        drop(old);
    }

    /// Puts what sockets attach to queues `index` in place (or takes it away), and returns what was
    /// there; `EINVAL` if there are no such queues.
    ///
    /// # Safety
    ///
    /// RTNL is held.
    pub(crate) unsafe fn attach(
        &self,
        index: u32,
        what: Option<KBox<dyn Owned>>,
    ) -> Result<Option<KBox<dyn Owned>>> {
        let place = self.places.get(index as usize).ok_or(EINVAL)?;
        // SAFETY: RTNL is held, by the requirements of this function, and nobody touches it without.
        let attached = unsafe { &mut *place.attached.get() };
        Ok(core::mem::replace(attached, what))
    }

    /// Has the instance of queues `index` polled soon that [`Waking`] says is to be. Returns whether
    /// there is one. Process context.
    pub(crate) fn wake(&self, index: u32) -> bool {
        self.places.get(index as usize).is_some_and(|place| {
            // SAFETY: The place has NULL, or an instance that has not ended, or will only do so after
            // a grace period.
            unsafe { netbind::napi_wake(place.woken.as_ptr()) }
        })
    }

    /// The device has been unregistered, as far as its driver is concerned. Under RTNL.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Calls `f` with what is listed at `index`, under the instance lock. Process context, sleeps.
    fn with_listed<R>(&self, index: u32, f: impl FnOnce(&mut Option<Listed>) -> R) -> Result<R> {
        let place = self.places.get(index as usize).ok_or(EINVAL)?;
        // SAFETY: The net device is valid.
        unsafe { netbind::netdev_lock(self.as_ptr()) };
        // SAFETY: We hold the instance lock, under which alone the place is touched.
        let result = f(unsafe { &mut *place.listed.get() });
        // SAFETY: We hold the instance lock.
        unsafe { netbind::netdev_unlock(self.as_ptr()) };
        Ok(result)
    }

    /// The same, if what is listed is `napi`.
    fn with_this(&self, index: u32, napi: *mut netbind::napi_struct, f: impl FnOnce(&mut Listed)) {
        let _ = self.with_listed(index, |listed| {
            if let Some(listed) = listed.as_mut().filter(|it| it.instance.as_ptr() == napi) {
                f(listed);
            }
        });
    }

    /// Registers an instance as number `index` of the device, disabled.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are no such queues, `EBUSY` if there is an instance with this index.
    ///
    /// # Safety
    ///
    /// The device is registered, and stays so meanwhile. The instance is zeroed, and `poll` may be
    /// called with it, by one CPU at a time, until it has ended.
    pub(crate) unsafe fn add(
        &self,
        index: u32,
        instance: Arc<dyn Instance>,
        poll: PollFn,
    ) -> Result {
        let number = i32::try_from(index)?;
        self.with_listed(index, |listed| {
            if listed.is_some() {
                return Err(EBUSY);
            }
            // SAFETY: The instance is zeroed, at a fixed address, and stays there until it has ended, as
            // it is kept in the list; the net device is valid and its instance lock is held. There are
            // as many NAPI configurations as places.
            unsafe {
                netbind::netif_napi_add_config_locked(
                    self.as_ptr(),
                    instance.as_ptr(),
                    Some(poll),
                    number,
                )
            };
            *listed = Some(Listed {
                instance,
                enabled: false,
            });
            Ok(())
        })?
    }

    /// Allows polling of an instance. Does nothing if that has ended, or is allowed.
    pub(crate) fn enable(&self, index: u32, napi: *mut netbind::napi_struct) {
        self.with_this(index, napi, |listed| {
            if !listed.enabled {
                listed.enabled = true;
                // SAFETY: The instance is registered and disabled; the instance lock is held.
                unsafe { netbind::napi_enable_locked(napi) };
            }
        });
    }

    /// Ends polling of an instance, and waits for a running poll to finish.
    pub(crate) fn disable(&self, index: u32, napi: *mut netbind::napi_struct) {
        self.with_this(index, napi, Listed::disable);
    }

    /// Tells the kernel which interrupt drives an instance, if that has not ended.
    pub(crate) fn set_irq(&self, index: u32, napi: *mut netbind::napi_struct, irq: c_int) {
        // SAFETY: The instance is registered; the instance lock is held.
        self.with_this(index, napi, |_| unsafe {
            netbind::netif_napi_set_irq_locked(napi, irq)
        });
    }

    /// Ends an instance, `napi` or whichever has this index, and drops what belongs to it, the
    /// latest first. `None` if it has ended already. Process context, sleeps.
    ///
    /// What belongs to it ends under the instance lock, which unregistering the device takes too:
    /// so it is over before the device is unregistered, and before its parent is unbound, whoever
    /// ends the instance.
    pub(crate) fn end(&self, index: u32, napi: Option<*mut netbind::napi_struct>) -> Option<Ended> {
        self.with_listed(index, |listed| {
            let mut it =
                listed.take_if(|it| napi.is_none_or(|napi| it.instance.as_ptr() == napi))?;
            it.disable();
            // SAFETY: The instance is registered and disabled; the instance lock is held. Handles that
            // are still around find it disabled and do nothing.
            unsafe { netbind::__netif_napi_del_locked(it.instance.as_ptr()) };
            // SAFETY: Whoever has taken the instance out of its place is alone here, and nothing is
            // added to what belongs to it any more.
            let mut belongings = core::mem::take(unsafe { &mut *it.instance.belongings().get() });
            while let Some(latest) = belongings.pop() {
                drop(latest);
            }
            Some(Ended {
                _instance: it.instance,
            })
        })
        .ok()?
    }

    /// Ends all instances, also those whose owner has been forgotten, and takes links back.
    ///
    /// # Safety
    ///
    /// The device is being unregistered, and RTNL is held.
    pub(crate) unsafe fn end_all(&self) {
        self.over.store(true, Ordering::Relaxed);
        for index in (0u32..).take(self.places.len()) {
            // SAFETY: The device is being unregistered, and RTNL is held, by the requirements of
            // this function.
            unsafe { self.link(index, None) };
            drop(self.end(index, None));
        }
    }
}

impl Listed {
    /// Under the instance lock.
    fn disable(&mut self) {
        if self.enabled {
            self.enabled = false;
            // SAFETY: The instance is registered and enabled; the instance lock is held.
            unsafe { netbind::napi_disable_locked(self.instance.as_ptr()) };
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: The net device is ours, and is not registered: it never was, or was unregistered.
        unsafe { netbind::free_netdev(self.as_ptr()) };
    }
}

/// The private part of a net device, behind `netdev_priv()`, whatever its driver.
///
/// # Invariants
///
/// There are `queues` states of transmit queues ([`Slot`](crate::transmit::Slot)). They and `memory`
/// stay for as long as the memory does, `data` as long as there are references to the device.
pub(crate) struct Private {
    /// The driver's state.
    data: NonNull<()>,
    /// What the driver has of each transmit queue.
    slots: NonNull<()>,
    queues: usize,
    memory: *const Memory,
    /// The number of statistics that ethtool was told last, and has made room for.
    statistics: Atomic<u32>,
    /// The type of the driver.
    driver: TypeId,
}

impl Private {
    /// Gives a net device its private part.
    ///
    /// # Safety
    ///
    /// Nobody else knows the net device yet. `slots` points to a state for each of its transmit queues,
    /// which `memory` keeps; `data` is a `D` that stays as long as there are references to the device.
    pub(crate) unsafe fn init<D: 'static>(
        data: NonNull<()>,
        slots: NonNull<()>,
        memory: &Arc<Memory>,
    ) {
        // INVARIANT: by the requirements of this function.
        let this = Self {
            data,
            slots,
            queues: memory.places.len(),
            // Not through a reference: what is borrowed of it later is the `Arc`, counter included.
            memory: Arc::as_ptr(memory),
            statistics: Atomic::new(0),
            driver: TypeId::of::<D>(),
        };
        // SAFETY: The private part of the net device is large enough and aligned for it
        // (NETDEV_ALIGN); nobody uses it yet.
        unsafe {
            (*memory.as_ptr())
                .priv_
                .as_mut_ptr()
                .cast::<Self>()
                .write(this)
        };
    }

    /// # Safety
    ///
    /// `dev` has been given a private part, and stays for `'a`.
    #[inline]
    pub(crate) unsafe fn of<'a>(dev: *mut netbind::net_device) -> &'a Self {
        // SAFETY: By the requirements of this function the net device stays for `'a`, with the
        // private part that `init` has written behind it.
        unsafe { &*(*dev).priv_.as_ptr().cast() }
    }

    /// The driver's state is a `D`.
    pub(crate) fn is_of<D: 'static>(&self) -> bool {
        self.driver == TypeId::of::<D>()
    }

    /// The driver's state.
    #[inline]
    pub(crate) fn data(&self) -> NonNull<()> {
        self.data
    }

    /// The states of the transmit queues, and their number.
    #[inline]
    pub(crate) fn slots(&self) -> (NonNull<()>, usize) {
        (self.slots, self.queues)
    }

    /// Keeps the device in memory, though not registered.
    pub(crate) fn memory(&self) -> Arc<Memory> {
        // SAFETY: By the type invariants this is the contents of an `Arc`, which is still there.
        unsafe { ArcBorrow::from_raw(self.memory) }.into()
    }

    /// As of [`Memory::wake`].
    pub(crate) fn wake(&self, index: u32) -> bool {
        // SAFETY: By the type invariants the memory is still there.
        unsafe { (*self.memory).wake(index) }
    }

    /// The number of statistics that ethtool was told last.
    pub(crate) fn statistics(&self) -> &Atomic<u32> {
        &self.statistics
    }
}

/// # Safety
///
/// `dev` is a valid net device.
#[inline]
pub(crate) unsafe fn raw_tx_queue_of(
    dev: *mut netbind::net_device,
    index: u32,
) -> Option<NonNull<netbind::netdev_queue>> {
    // SAFETY: The device is valid, and has `num_tx_queues` queues at `_tx`.
    unsafe {
        if index >= (*dev).num_tx_queues {
            return None;
        }
        NonNull::new((*dev)._tx.add(index as usize))
    }
}
