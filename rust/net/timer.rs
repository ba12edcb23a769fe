// SPDX-License-Identifier: GPL-2.0

//! Timers: as [`work`](crate::work), but run in softirq context.
//!
//! C header: [`include/linux/timer.h`](srctree/include/linux/timer.h)

use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};
use kernel::{
    device::{
        Bound as BoundDevice,
        Device, //
    },
    devres::Devres,
    prelude::*,
    sync::{
        Arc,
        LockClassKey, //
    },
    time::Delta,
    types::Opaque, //
};

use crate::callback::{
    Callback,
    Function, //
};

/// A timer.
///
/// # Invariants
///
/// - `timer` is initialised with [`run_callback`], and is started only after `bound` is set.
/// - `callback` is changed only before `bound` is set, and after the timer has been shut down.
#[pin_data]
struct Item {
    #[pin]
    timer: Opaque<netbind::timer_list>,
    callback: Callback<Handle>,
    bound: AtomicBool,
    // Below what uses it.
    #[pin]
    key: LockClassKey,
}

// SAFETY: Timers may be started and run by any thread; `callback` is `Send` and `Sync`, and only
// changed when nothing else accesses it.
unsafe impl Send for Item {}
// SAFETY: As above.
unsafe impl Sync for Item {}

/// # Safety
///
/// `timer` is that of an [`Item`], and the timer core calls this.
unsafe extern "C" fn run_callback(timer: *mut netbind::timer_list) {
    // SAFETY: `timer` is that of an `Item`, which the `End` that has yet to wait for this
    // function keeps alive.
    let item = unsafe {
        let item = kernel::container_of!(Opaque::cast_from(timer), Item, timer);
        // No reference is taken, hence none must be dropped.
        ManuallyDrop::new(Handle(Arc::from_raw(item)))
    };
    // SAFETY: By the type invariants of `Item`, nobody changes `callback` while the timer runs.
    unsafe { item.0.callback.run(&item) };
}

/// Shuts a timer down, waits for it, and drops what it runs on; when the [`Timer`] or [`Bound`]
/// is dropped or the device is unbound, whichever is first.
struct End(Arc<Item>);

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: The timer is initialised.
        unsafe { netbind::timer_shutdown_sync(self.0.timer.get()) };
        // SAFETY: The timer cannot be started any more and does not run.
        unsafe { self.0.callback.clear() };
    }
}

/// A timer that does not know yet what to run on.
///
/// # Examples
///
/// ```ignore
/// let timer = Timer::new(pdev.as_ref(), c"moderation")?;
/// let port = Arc::new(Port { moderation: timer.handle(), /* … */ }, GFP_KERNEL)?;
/// let moderation = timer.bind(port.clone(), |port, _| port.moderate())?;
/// port.moderation.restart(Delta::from_millis(10));
/// ```
pub struct Timer {
    item: Arc<Item>,
    end: Devres<End>,
}

impl Timer {
    /// Makes a timer for the driver of `dev`. Process context.
    ///
    /// `name` is for lock debugging.
    pub fn new(dev: &Device<BoundDevice>, name: &'static CStr) -> Result<Self> {
        let item = Arc::pin_init(
            pin_init!(Item {
                key <- LockClassKey::new_dynamic(),
                timer: Opaque::uninit(),
                callback: Callback::empty(),
                bound: AtomicBool::new(false),
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: `timer` and `key` are pinned in memory that nobody else knows of yet, and the
        // key is unregistered after the last use of `timer`. The name is static.
        unsafe {
            netbind::timer_init_key(
                item.timer.get(),
                Some(run_callback),
                0,
                name.as_char_ptr(),
                item.key.as_ptr(),
            )
        };
        Ok(Self {
            end: Devres::new(dev, Ok::<_, Error>(End(item.clone())))?,
            item,
        })
    }

    /// Returns a handle to start it.
    pub fn handle(&self) -> Handle {
        Handle(self.item.clone())
    }

    /// Has the timer run `run` on `data`, in softirq context. Process context.
    pub fn bind<T: Send + Sync + 'static>(
        self,
        data: Arc<T>,
        run: fn(&Arc<T>, &Handle),
    ) -> Result<Bound<T>> {
        let function = Function::new(data, run)?;

        // Keeps the device from being unbound meanwhile, or tells that it was.
        let end = self.end.try_access().ok_or(ENODEV)?;
        // SAFETY: `bound` is not set, hence the timer has never been started, and as there is one
        // `Timer` of the item, which is consumed here, nobody else changes `callback`.
        unsafe { self.item.callback.set(function) };
        self.item.bound.store(true, Ordering::Release);
        drop(end);

        Ok(Bound {
            timer: self,
            _data: PhantomData,
        })
    }
}

/// A timer that runs on a `T`.
///
/// When this is dropped the timer has run for the last time and does not refer to the `T` any
/// more. Process context. Also ends when the device is unbound.
pub struct Bound<T> {
    timer: Timer,
    _data: PhantomData<Arc<T>>,
}

impl<T> Bound<T> {
    /// Returns a handle to start it.
    pub fn handle(&self) -> Handle {
        self.timer.handle()
    }

    /// Stops the timer and waits until it does not run. It can be started again. Process
    /// context.
    pub fn stop_sync(&self) {
        // SAFETY: The timer is initialised.
        unsafe { netbind::timer_delete_sync(self.timer.item.timer.get()) };
    }
}

/// Starts a timer. All methods: any context. They do nothing unless the timer is bound.
#[derive(Clone)]
pub struct Handle(Arc<Item>);

impl Handle {
    /// Has the timer run `delay` from now, and not when it was to run, if it was.
    pub fn restart(&self, delay: Delta) {
        if !self.0.bound.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: Reading the tick counter; it changes, hence volatile.
        let now = unsafe { (&raw const netbind::jiffies).read_volatile() };
        let expires = now.wrapping_add(crate::work::jiffies(delay));
        // SAFETY: The timer is initialised, and kept alive while it is pending by its `End`; one
        // that has been shut down is left alone.
        unsafe { netbind::mod_timer(self.0.timer.get(), expires) };
    }

    /// Stops the timer, without waiting for it if it runs.
    pub fn stop(&self) {
        // SAFETY: The timer is initialised.
        unsafe { netbind::timer_delete(self.0.timer.get()) };
    }
}

#[kunit_tests(net_timer)]
mod tests {
    use super::*;
    use crate::kunit::{
        Counter,
        Owner,
        Parent, //
    };

    const LATER: Delta = Delta::from_secs(3600);

    fn bound(parent: &Parent, counter: &Counter) -> Result<Bound<Owner>> {
        let data = Arc::new(counter.owner(), GFP_KERNEL)?;
        Timer::new(parent.device(), c"test")?.bind(data, |owner, _| owner.count())
    }

    #[test]
    fn runs_once_per_start() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let timer = bound(&parent, &counter)?;
        timer.handle().restart(LATER);
        timer.handle().restart(Delta::ZERO);
        assert!(counter.reaches(1));
        timer.stop_sync();
        assert_eq!(counter.get(), 1);
        Ok(())
    }

    #[test]
    fn does_nothing_before_it_is_bound() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let timer = Timer::new(parent.device(), c"test")?;
        timer.handle().restart(Delta::ZERO);
        let timer = timer.bind(Arc::new(counter.owner(), GFP_KERNEL)?, |owner, _| {
            owner.count()
        })?;
        timer.stop_sync();
        assert_eq!(counter.get(), 0);
        Ok(())
    }

    #[test]
    fn dropping_it_lets_go_of_what_it_runs_on() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let timer = bound(&parent, &counter)?;
        let handle = timer.handle();
        handle.restart(LATER);
        drop(timer);
        assert_eq!(counter.owners(), 0);
        // Nobody would end this one.
        handle.restart(Delta::ZERO);
        assert_eq!(counter.get(), 0);
        Ok(())
    }

    #[test]
    fn ends_when_the_device_is_unbound() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let timer = bound(&parent, &counter)?;
        timer.handle().restart(LATER);
        drop(parent);
        assert_eq!(counter.owners(), 0);
        timer.handle().restart(Delta::ZERO);
        timer.stop_sync();
        assert_eq!(counter.get(), 0);
        Ok(())
    }
}
