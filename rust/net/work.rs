// SPDX-License-Identifier: GPL-2.0

//! Deferred work that can be cancelled.
//!
//! A work item has two sides: any number of [`Handle`]s to schedule it, and one [`Bound`] that
//! says what it runs on. Scheduling an item that is not bound yet, or no more, does nothing: a
//! handle can be passed around before what it runs on exists, and kept by it without making a
//! cycle that would keep it alive.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
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

use crate::compat;

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/work.rs"]
mod test;

/// How the work queue is to treat its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// As the system queues do.
    pub const NONE: Self = Self(0);
    /// By workers of high priority.
    pub const HIGHPRI: Self = Self(netbind::wq_flags_WQ_HIGHPRI);
}

/// A work queue of one's own. It ends with the last work item that uses it.
///
/// # Invariants
///
/// The pointer is to a work queue that this owns.
pub struct WorkQueue(NonNull<netbind::workqueue_struct>);

// SAFETY: Work queues may be used and destroyed by any thread.
unsafe impl Send for WorkQueue {}
// SAFETY: What is done through a shared reference is to queue work, which any number of threads may
// do.
unsafe impl Sync for WorkQueue {}

impl WorkQueue {
    /// Makes a queue that runs up to `max_active` items at a time on any CPUs; 0 for as many as
    /// there usually are. Process context.
    pub fn unbound(name: &CStr, flags: Flags, max_active: u16) -> Result<Arc<Self>> {
        let flags = flags.0 | netbind::wq_flags_WQ_UNBOUND;
        // SAFETY: `name` is a string, which is copied.
        Self::own(unsafe {
            netbind::alloc_workqueue(name.as_char_ptr(), flags, c_int::from(max_active))
        })
    }

    fn own(queue: *mut netbind::workqueue_struct) -> Result<Arc<Self>> {
        // INVARIANT: The caller has just made it.
        let queue = Self(NonNull::new(queue).ok_or(ENOMEM)?);
        Ok(Arc::new(queue, GFP_KERNEL)?)
    }
}

impl Drop for WorkQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the work queue is valid and ours. Nothing is queued on it
        // any more: items that use it hold a reference to it until they have ended.
        unsafe { netbind::destroy_workqueue(self.0.as_ptr()) };
    }
}

/// Where a work item runs.
#[derive(Clone)]
pub enum Queue {
    /// On the CPU that schedules it.
    System,
    /// On any CPU.
    Unbound,
    /// On a queue of its own.
    Own(Arc<WorkQueue>),
}

impl Queue {
    fn as_raw(&self) -> *mut netbind::workqueue_struct {
        // SAFETY: The system queues are set up before any module is loaded, and never change.
        unsafe {
            match self {
                Self::System => netbind::system_percpu_wq,
                Self::Unbound => netbind::system_dfl_wq,
                Self::Own(queue) => queue.0.as_ptr(),
            }
        }
    }
}

/// A function, and what it runs on.
trait Run: Send + Sync {
    fn run(&self, handle: &Handle);
}

struct Target<T> {
    data: Arc<T>,
    run: fn(&Arc<T>, &Handle),
}

impl<T: Send + Sync> Run for Target<T> {
    fn run(&self, handle: &Handle) {
        (self.run)(&self.data, handle);
    }
}

/// What a work item runs, without its type; nothing before it is bound.
struct Callback(UnsafeCell<Option<KBox<dyn Run>>>);

// SAFETY: A `dyn Run` is `Send` and `Sync`.
unsafe impl Send for Callback {}
// SAFETY: A `dyn Run` is `Sync`. Whoever changes the contents makes sure that nobody else accesses
// them.
unsafe impl Sync for Callback {}

impl Callback {
    /// Runs what there is.
    ///
    /// # Safety
    ///
    /// Nobody calls [`Callback::set`] or [`Callback::clear`] meanwhile.
    #[inline]
    unsafe fn run(&self, handle: &Handle) {
        // SAFETY: By the safety requirements of this function nobody changes the cell meanwhile.
        if let Some(target) = unsafe { &*self.0.get() } {
            target.run(handle);
        }
    }

    /// Sets what there is.
    ///
    /// # Safety
    ///
    /// Nobody calls any method meanwhile.
    unsafe fn set(&self, function: KBox<dyn Run>) {
        // SAFETY: By the safety requirements of this function nobody else accesses the cell
        // meanwhile.
        unsafe { *self.0.get() = Some(function) };
    }

    /// Drops what there is.
    ///
    /// # Safety
    ///
    /// Nobody calls any method meanwhile.
    unsafe fn clear(&self) {
        // SAFETY: By the safety requirements of this function nobody else accesses the cell
        // meanwhile.
        drop(unsafe { (*self.0.get()).take() });
    }
}

/// A work item.
///
/// # Invariants
///
/// - `dwork` is initialised with [`run_callback`], and is disabled but from [`Work::bind`] until
///   [`End`] is dropped. While it is disabled it is neither pending nor, once [`End`] has waited
///   for it, running.
/// - `callback` is only changed while that is so.
#[pin_data]
struct Item {
    #[pin]
    dwork: Opaque<netbind::delayed_work>,
    callback: Callback,
    queue: Queue,
    // Below what uses them.
    #[pin]
    work_key: LockClassKey,
    #[pin]
    timer_key: LockClassKey,
}

// SAFETY: Work may be scheduled and run by any thread; `callback` is `Send` and `Sync`, and only
// changed when nothing else accesses it.
unsafe impl Send for Item {}
// SAFETY: The C part has its own synchronisation; `callback` is `Sync`, and only changed when
// nothing else accesses it.
unsafe impl Sync for Item {}

impl Item {
    fn new(name: &'static CStr, queue: Queue) -> Result<Arc<Self>> {
        let item = Arc::pin_init(
            pin_init!(Self {
                work_key <- LockClassKey::new_dynamic(),
                timer_key <- LockClassKey::new_dynamic(),
                dwork: Opaque::uninit(),
                callback: Callback(UnsafeCell::new(None)),
                queue,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: `dwork` and the keys are pinned in memory that nobody else knows of yet, and
        // the keys are unregistered after the last use of `dwork`. The name is static.
        // INVARIANT: The item is disabled here.
        unsafe {
            netbind::init_delayed_work(
                item.dwork.get(),
                Some(run_callback),
                name.as_char_ptr(),
                item.work_key.as_ptr(),
                item.timer_key.as_ptr(),
            );
            netbind::disable_delayed_work(item.dwork.get());
        }
        Ok(item)
    }
}

/// # Safety
///
/// `work` is the work of an [`Item`], and the work queue calls this.
unsafe extern "C" fn run_callback(work: *mut netbind::work_struct) {
    // SAFETY: `work` is that of the `dwork` of an `Item`, which the `End` that has yet to wait
    // for this function keeps alive.
    let item = unsafe {
        let dwork = kernel::container_of!(work, netbind::delayed_work, work);
        let item = kernel::container_of!(Opaque::cast_from(dwork), Item, dwork);
        // No reference is taken, hence none must be dropped.
        ManuallyDrop::new(Handle(Arc::from_raw(item)))
    };
    // SAFETY: By the type invariants of `Item`, nobody changes `callback` while the item runs.
    unsafe { item.0.callback.run(&item) };
}

/// Disables an item, waits for it, and drops what it runs on; when the [`Work`] or [`Bound`] is
/// dropped or the device is unbound, whichever is first.
struct End(Arc<Item>);

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: The item is initialised.
        unsafe { netbind::disable_delayed_work_sync(self.0.dwork.get()) };
        // SAFETY: The item is disabled for good and does not run.
        unsafe { self.0.callback.clear() };
    }
}

/// A work item that does not know yet what to run on.
///
/// # Examples
///
/// ```
/// use kernel::{device::{Bound, Device}, prelude::*, sync::Arc, time::Delta};
/// use net::work::{self, Work};
///
/// struct Port { watchdog: work::Handle }
///
/// impl Port {
///     fn check_link(&self) { /* Reads registers. */ }
/// }
///
/// fn run(dev: &Device<Bound>) -> Result {
///     let work = Work::new(dev, c"watchdog", work::Queue::Unbound)?;
///     let port = Arc::new(Port { watchdog: work.handle() }, GFP_KERNEL)?;
///     let watchdog = work.bind(port.clone(), |port, watchdog| {
///         port.check_link();
///         watchdog.schedule_after(Delta::from_secs(2));
///     })?;
///     port.watchdog.schedule();
///     // From here on the item does not run, and `port` is not referred to by it.
///     drop(watchdog);
///     Ok(())
/// }
/// ```
pub struct Work {
    item: Arc<Item>,
    end: Devres<End>,
}

impl Work {
    /// Makes a work item for the driver of `dev`. Process context.
    ///
    /// `name` is for lock debugging.
    pub fn new(dev: &Device<BoundDevice>, name: &'static CStr, queue: Queue) -> Result<Self> {
        let item = Item::new(name, queue)?;
        Ok(Self {
            end: Devres::new(dev, Ok::<_, Error>(End(item.clone())))?,
            item,
        })
    }

    /// Returns a handle to schedule it.
    pub fn handle(&self) -> Handle {
        Handle(self.item.clone())
    }

    /// Has the item run `run` on `data`, in process context. Process context.
    ///
    /// Nothing is scheduled by this, and what was scheduled before it is lost.
    pub fn bind<T: Send + Sync + 'static>(
        self,
        data: Arc<T>,
        run: fn(&Arc<T>, &Handle),
    ) -> Result<Bound<T>> {
        let function: KBox<dyn Run> = KBox::new(Target { data, run }, GFP_KERNEL)?;

        // Keeps the device from being unbound meanwhile, or tells that it was.
        let end = self.end.try_access().ok_or(ENODEV)?;
        // SAFETY: The item is disabled and has never run, and as there is one `Work` of it,
        // which is consumed here, nobody else changes `callback`.
        unsafe { self.item.callback.set(function) };
        // SAFETY: The item is initialised; it was disabled once.
        unsafe { netbind::enable_delayed_work(self.item.dwork.get()) };
        drop(end);

        Ok(Bound {
            work: self,
            _data: PhantomData,
        })
    }
}

/// A work item that runs on a `T`.
///
/// When this is dropped the item has run for the last time and does not refer to the `T` any
/// more. Process context; not from within the item itself, which would wait for itself. Also
/// ends when the device is unbound.
pub struct Bound<T> {
    work: Work,
    _data: PhantomData<Arc<T>>,
}

impl<T> Bound<T> {
    /// Returns a handle to schedule it.
    pub fn handle(&self) -> Handle {
        self.work.handle()
    }

    /// Runs the item now if it is scheduled, and waits until it has run. Process context; not
    /// from within the item.
    pub fn flush(&self) {
        // SAFETY: The item is initialised.
        unsafe { netbind::flush_delayed_work(self.work.item.dwork.get()) };
    }
}

/// Schedules a work item. All methods: any context. Dropped in process context: the item goes with the
/// last handle, and a queue of its own with that.
#[derive(Clone)]
pub struct Handle(Arc<Item>);

impl Handle {
    /// Has the item run as soon as possible, once, however often it has been scheduled.
    pub fn schedule(&self) {
        // SAFETY: The item is initialised, and kept alive while it is pending by its `End`; a
        // disabled item is left alone.
        unsafe {
            netbind::mod_delayed_work_on(CPU_UNBOUND, self.0.queue.as_raw(), self.0.dwork.get(), 0)
        };
    }

    /// Has the item run `delay` from now, unless it is already scheduled.
    pub fn schedule_after(&self, delay: Delta) {
        // SAFETY: The item is initialised, and kept alive while it is pending by its `End`; a
        // disabled item is left alone.
        unsafe {
            netbind::queue_delayed_work_on(
                CPU_UNBOUND,
                self.0.queue.as_raw(),
                self.0.dwork.get(),
                jiffies(delay),
            )
        };
    }
}

/// `WORK_CPU_UNBOUND`: no CPU in particular.
const CPU_UNBOUND: c_int = netbind::WORK_CPU_UNBOUND;

/// Rounds a delay up to jiffies; a negative one is none.
fn jiffies(delay: Delta) -> c_ulong {
    let millis = u32::try_from(compat::millis_ceil(delay).max(0)).unwrap_or(u32::MAX);
    // SAFETY: No preconditions.
    unsafe { netbind::__msecs_to_jiffies(millis) }
}
