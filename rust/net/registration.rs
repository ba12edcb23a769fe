// SPDX-License-Identifier: GPL-2.0

//! The life of a net device: allocation, registration, and its end.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    bridge::{
        Stations,
        Watch, //
    },
    driver::{
        Config,
        Driver, //
    },
    later,
    memory::{
        Memory,
        Owned,
        Private, //
    },
    netdev::Device,
    ops,
    transmit::{
        Queues,
        Slot, //
    },
    work, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    device::Bound,
    devres::Devres,
    error::to_result,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex, //
    },
};

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/device.rs"]
mod test;

/// A net device that user space cannot see yet.
///
/// # Invariants
///
/// The net device is not registered; `slots` points to as many states of transmit queues of `D` as it
/// has, which `memory` keeps.
pub struct Unregistered<D: Driver> {
    memory: Arc<Memory>,
    slots: NonNull<Slot<D::Tx>>,
}

// SAFETY: `slots` is only a pointer into `memory`, which is `Send`.
unsafe impl<D: Driver> Send for Unregistered<D> {}
// SAFETY: No method takes a shared reference.
unsafe impl<D: Driver> Sync for Unregistered<D> {}

impl<D: Driver> Unregistered<D> {
    /// Allocates an Ethernet device with `queues` transmit and receive queues. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(parent: &kernel::device::Device<Bound>, queues: u32) -> Result<Self> {
        let mut slots: KVec<Slot<D::Tx>> = KVec::with_capacity(queues as usize, GFP_KERNEL)?;
        for _ in 0..queues {
            slots.push(Slot::empty(), GFP_KERNEL)?;
        }
        // Its elements stay where they are.
        let first = NonNull::from(slots.as_slice()).cast();
        // INVARIANT: just made, with a slot for each queue.
        Ok(Self {
            memory: Memory::new(parent, queues, KBox::new(slots, GFP_KERNEL)?)?,
            slots: first,
        })
    }

    /// Makes the device visible. `parent` is the device it was allocated for. Process context, without
    /// RTNL.
    ///
    /// Operations on `data` may begin before this returns.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `parent` is another, or for a number of queues there cannot be; `ENOMEM`, and what
    /// the kernel says to the registration.
    pub fn register(
        self,
        parent: &kernel::device::Device<Bound>,
        data: Arc<D>,
        config: &Config,
    ) -> Result<Registration<D>> {
        let dev = self.memory.as_ptr();
        // SAFETY: The net device is ours. The parent it was made for may be gone: it is only compared.
        if unsafe { (*dev).dev.parent } != core::ptr::from_ref(parent).cast_mut().cast() {
            return Err(EINVAL);
        }
        // SAFETY: The net device is ours, and nobody knows it. The memory keeps the slots, and `Net` the
        // state, until nobody refers to the device.
        unsafe {
            Private::init::<D>(
                NonNull::from(&*data).cast(),
                self.slots.cast(),
                &self.memory,
            )
        };
        ops::apply::<D>(dev, config);
        // SAFETY: The net device is ours, and nobody else knows it.
        to_result(unsafe {
            netbind::netif_set_real_num_queues(dev, config.queues, config.queues)
        })?;
        // SAFETY: The net device is ours, and nobody else knows it.
        unsafe { netbind::netif_carrier_off(dev) };
        let net = Arc::new(
            Net {
                memory: self.memory,
                _data: data,
                registered: Atomic::new(false),
                works: no_works()?,
            },
            GFP_KERNEL,
        )?;
        // From here on, dropping this cleans up.
        let end = Devres::new(parent, Ok::<_, Error>(End(net.clone())))?;
        // SAFETY: The net device is set up.
        to_result(unsafe { netbind::register_netdev(dev) })?;
        net.registered.store(true, Release);
        Ok(Registration { net, _end: end })
    }
}

/// A net device that is or was registered, and what it refers to.
struct Net<D: Driver> {
    memory: Arc<Memory>,
    _data: Arc<D>,
    registered: Atomic<bool>,
    works: Pin<KBox<Works>>,
}

/// Work that is bound to a net device; `None` when that has ended.
type Works = Mutex<Option<KVec<KBox<dyn Owned>>>>;

/// Not generic, as a lock class wants one name, and a name in generic code has several addresses.
#[inline(never)]
fn no_works() -> Result<Pin<KBox<Works>>> {
    KBox::pin_init(new_mutex!(Some(KVec::new())), GFP_KERNEL)
}

/// Ends what a [`Registration`] stands for: when that is dropped or the device is unbound, whichever
/// is first.
struct End<D: Driver>(Arc<Net<D>>);

impl<D: Driver> Drop for End<D> {
    fn drop(&mut self) {
        let works = self.0.works.lock().take();
        // Not under the lock: waits for work that runs, and drops what it runs on.
        drop(works);
        let dev = self.0.memory.as_ptr();
        if self.0.registered.xchg(false, Full) {
            // SAFETY: The net device is registered, and RTNL is not held.
            unsafe { netbind::unregister_netdev(dev) };
        }
        // Operations are over. Whoever still has a handle of a queue finds it closed.
        // SAFETY: The net device is still there, and has a private part with slots of this type.
        let queues = unsafe { Queues::<D::Tx>::of(dev) };
        queues.close();
        // All that was dropped in the operations and interrupts of the device, if it waits.
        later::flush();
    }
}

/// A registered net device.
///
/// Dropping it ends the work bound to it, unregisters the device (which brings it down), and
/// frees it. Process context, without RTNL.
///
/// When the parent is unbound, the work ends and the device is unregistered even if this is still
/// there, so that one that is forgotten cannot outlive the driver. The device then stays in memory, but
/// is not registered any more: [`Device::under`] returns `None`.
pub struct Registration<D: Driver> {
    net: Arc<Net<D>>,
    _end: Devres<End<D>>,
}

/// What a work item bound to a registration runs on.
struct DeviceWork<D: Driver> {
    dev: Atomic<*mut netbind::net_device>,
    run: fn(&Device<D>, &work::Handle),
}

impl<D: Driver> Registration<D> {
    /// Binds a work item to the device: `run` gets the device, and runs in process context
    /// without RTNL. The item ends when this registration is dropped, before the device is
    /// unregistered.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the parent is no longer bound, `ENOMEM`.
    pub fn bind_work(&mut self, work: work::Work, run: fn(&Device<D>, &work::Handle)) -> Result {
        let target = Arc::new(
            DeviceWork {
                dev: Atomic::new(self.as_ptr()),
                run,
            },
            GFP_KERNEL,
        )?;
        let mut guard = self.net.works.lock();
        let works = (*guard).as_mut().ok_or(ENODEV)?;
        works.reserve(1, GFP_KERNEL)?;
        let bound = work.bind(target, |target: &Arc<DeviceWork<D>>, handle| {
            // SAFETY: `End` drops bound work before it lets go of the net device and all it points to.
            let dev = unsafe { Device::from_raw(target.dev.load(Relaxed)) };
            (target.run)(dev, handle);
        })?;
        works.push(KBox::new(bound, GFP_KERNEL)?, GFP_KERNEL)?;
        Ok(())
    }

    /// Has `stations` follow what bridges above the device learn on their other ports. After each
    /// change, and before this returns, `changed` is called: in process context or softirq, perhaps
    /// with RTNL or locks of the bridge held; it must not sleep. That ends when this registration is
    /// dropped, before the device is unregistered.
    ///
    /// Process context, without RTNL.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the parent is no longer bound, `ENOMEM`.
    pub fn watch_bridges(&mut self, stations: Arc<Stations>, changed: fn(&Device<D>)) -> Result {
        let dev = NonNull::new(self.as_ptr()).ok_or(ENODEV)?;
        // SAFETY: The net device is set up. `End` drops what is bound before it lets go of it.
        let watch = unsafe { Watch::<D>::new(dev, stations, changed) }?;
        let watch = KBox::new(watch, GFP_KERNEL)?;
        let mut guard = self.net.works.lock();
        let works = (*guard).as_mut().ok_or(ENODEV)?;
        works.push(watch, GFP_KERNEL)?;
        Ok(())
    }
}

impl<D: Driver> Deref for Registration<D> {
    type Target = Device<D>;

    fn deref(&self) -> &Device<D> {
        // SAFETY: The net device was made for `D` and is set up; `net` keeps it.
        unsafe { Device::from_raw(self.net.memory.as_ptr()) }
    }
}
