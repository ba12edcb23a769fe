// SPDX-License-Identifier: GPL-2.0

//! devlink: settings and health of a device as a whole.
//!
//! An administrator sets what concerns no single interface with `devlink dev param`, sees what is
//! wrong with `devlink health`, and is told of it by `devlink monitor`.
//!
//! C header: [`include/net/devlink.h`](srctree/include/net/devlink.h)

use core::ptr::NonNull;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    error::to_result,
    prelude::*,
    sync::Arc, //
};

mod health;
mod info;
mod param;
mod region;
mod resource;
mod slot;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/devlink.rs"]
mod test;

use self::slot::Slot;
pub use self::{
    health::{
        Diagnosis,
        Reporters,
        Telling, //
    },
    info::Info,
    param::{
        Flag,
        Param,
        Text,
        LONGEST_TEXT, //
    },
    region::Region,
    resource::Resource, //
};

/// What a driver shows of a device. `Self` is the driver's state of it.
///
/// Everything is called in process context with the lock of the devlink instance held, and may
/// sleep.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::atomic::{Atomic, Relaxed}};
/// use net::devlink::{self, Diagnosis, Info, Param};
///
/// struct Port { interval: Atomic<u32> }
///
/// impl devlink::Driver for Port {
///     const PARAMS: &'static [Param<Self>] = &[Param {
///         name: c"poll_interval",
///         range: (1, 1000),
///         range_text: c"poll_interval is 1 to 1000 ms",
///         get: |port| port.interval.load(Relaxed),
///         set: |port, ms| {
///             port.interval.store(ms, Relaxed);
///             Ok(())
///         },
///     }];
///     const REPORTERS: &'static [&'static CStr] = &[c"engine"];
///
///     fn info(&self, out: &mut Info<'_>) -> Result {
///         out.fixed(c"asic.id", &"engine")
///     }
///
///     fn diagnose(&self, _reporter: usize, out: &mut Diagnosis<'_>) -> Result {
///         out.put_bool(c"running", true);
///         Ok(())
///     }
/// }
/// ```
pub trait Driver: Send + Sync + Sized + 'static {
    /// Settings, which take effect at once.
    const PARAMS: &'static [Param<Self>];

    /// Settings that are on or off.
    const FLAGS: &'static [Flag<Self>] = &[];

    /// Settings that are a text.
    const TEXTS: &'static [Text<Self>] = &[];

    /// Names of what can be ill.
    const REPORTERS: &'static [&'static CStr];

    /// Of what there is a number, and how much of it is taken: any context but interrupts.
    const RESOURCES: &'static [Resource<Self>] = &[];

    /// What can be looked at, as it was.
    const REGIONS: &'static [Region<Self>] = &[];

    /// Says what the device is: `devlink dev info`. The kernel adds the name of the driver.
    ///
    /// An error is the command's.
    fn info(&self, _out: &mut Info<'_>) -> Result {
        Ok(())
    }

    /// Describes the state of a part, by its place in [`Driver::REPORTERS`].
    fn diagnose(&self, reporter: usize, out: &mut Diagnosis<'_>) -> Result;
}

/// A devlink instance that user space can see.
///
/// Dropping it takes it away; no callback is running or will run then. Process context, without
/// the lock of the instance. It is also taken away when the device is unbound, so that one that is
/// forgotten cannot outlive the driver.
pub struct Registration<T: Driver>(#[allow(dead_code)] Devres<Shown<T>>);

impl<T: Driver> Registration<T> {
    /// Shows `dev`, of which `data` is the state. `reporters` can be used from then on. Process
    /// context.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the reporters, or clones of them, are those of another registration, `ENOMEM`, and
    /// what the kernel says to the parameters.
    pub fn new(dev: &Device<Bound>, data: Arc<T>, reporters: Reporters) -> Result<Self> {
        let shown = Shown::new(dev, data, reporters)?;
        Ok(Self(Devres::new(dev, Ok::<_, Error>(shown))?))
    }
}

/// What a [`Registration`] stands for.
///
/// # Invariants
///
/// - `devlink` was allocated for `T`, is ours, and its private part is a pointer to `_data`.
/// - What is registered with it is in `params`, `ops` and `region_ops`, which do not change meanwhile.
struct Shown<T: Driver> {
    devlink: NonNull<netbind::devlink>,
    params: KVec<netbind::devlink_param>,
    ops: KVec<netbind::devlink_health_reporter_ops>,
    slots: KVec<Slot<T>>,
    resource_slots: KVec<Slot<T>>,
    // Those of regions. `region_ops` refers to the slots.
    region_ops: KVec<netbind::devlink_region_ops>,
    _region_slots: KVec<Slot<T>>,
    made: health::Made,
    reporters: Reporters,
    /// `reporters` are those of this.
    has_reporters: bool,
    has_params: bool,
    is_visible: bool,
    // Referred to by the private part and the slots.
    _data: Arc<T>,
}

// SAFETY: Devlink instances may be used and freed by any thread; `T` is `Send` and `Sync`.
unsafe impl<T: Driver> Send for Shown<T> {}
// SAFETY: No method takes a shared reference.
unsafe impl<T: Driver> Sync for Shown<T> {}

impl<T: Driver> Shown<T> {
    fn new(dev: &Device<Bound>, data: Arc<T>, reporters: Reporters) -> Result<Self> {
        let size = u32::try_from(size_of::<*const T>())?;
        let raw = core::ptr::from_ref(dev).cast_mut().cast();
        let params = param::table::<T>()?;
        let ops = health::table::<T>()?;
        let slots = health::slots(&data)?;
        let resource_slots = resource::slots(&data)?;
        let region_slots = region::slots(&data)?;
        let region_ops = region::table(&region_slots)?;
        let made = health::Made::with_capacity(T::REPORTERS.len())?;
        // Nothing fails from when the instance is there until `this` owns it.
        // SAFETY: The operations are for ever, and for instances of `T`. `dev` is a valid device;
        // the instance takes a reference.
        let devlink = unsafe { netbind::devlink_alloc(info::ops::<T>(), size, raw) };
        let devlink = NonNull::new(devlink).ok_or(ENOMEM)?;
        // SAFETY: The private part has room for a pointer, and nobody uses it yet.
        unsafe {
            netbind::devlink_priv(devlink.as_ptr())
                .cast::<*const T>()
                .write(Arc::as_ptr(&data));
        }
        // INVARIANT: As above. From here on, dropping it cleans up.
        let mut this = Self {
            devlink,
            params,
            ops,
            slots,
            resource_slots,
            region_ops,
            _region_slots: region_slots,
            made,
            reporters,
            has_reporters: false,
            has_params: false,
            is_visible: false,
            _data: data,
        };
        // SAFETY: The instance is valid.
        unsafe { netbind::devl_lock(devlink.as_ptr()) };
        let shown = this.show();
        // SAFETY: The instance is valid, and its lock is held.
        unsafe { netbind::devl_unlock(devlink.as_ptr()) };
        shown?;
        let made = core::mem::take(&mut this.made);
        this.reporters.bind(made).map_err(|made| {
            this.made = made;
            EBUSY
        })?;
        this.has_reporters = true;
        Ok(this)
    }

    /// Registers everything, under the instance's lock.
    fn show(&mut self) -> Result {
        let devlink = self.devlink.as_ptr();
        // SAFETY: The instance is valid, and its lock is held. The table outlives its registration,
        // by the type invariants.
        to_result(unsafe {
            netbind::devl_params_register(devlink, self.params.as_ptr(), self.params.len())
        })?;
        self.has_params = true;
        // SAFETY: The instance is valid, its lock is held, and the slots stay until it is hidden.
        unsafe { resource::show::<T>(devlink, &self.resource_slots) }?;
        for (ops, slot) in self.ops.iter().zip(&self.slots) {
            let slot = core::ptr::from_ref(slot).cast_mut().cast();
            // SAFETY: The instance is valid, and its lock is held. Operations and slot outlive the
            // reporter, by the type invariants.
            let raw = unsafe { netbind::devl_health_reporter_create(devlink, ops, slot) };
            self.made
                .reporters
                .push(health::Raw::new(raw)?, GFP_KERNEL)?;
        }
        // SAFETY: The instance is valid, and its lock is held. Operations and slots outlive the regions, by
        // the type invariants.
        unsafe {
            region::show::<T>(self.devlink, &self.region_ops, &mut self.made.regions)?;
        }
        // SAFETY: The instance is valid and not registered.
        to_result(unsafe { netbind::devl_register(devlink) })?;
        self.is_visible = true;
        Ok(())
    }

    /// Undoes [`Shown::show`], as far as it got, under the instance's lock.
    fn hide(&mut self, made: &health::Made) {
        let devlink = self.devlink.as_ptr();
        if self.is_visible {
            // SAFETY: The instance is registered, and its lock is held.
            unsafe { netbind::devl_unregister(devlink) };
        }
        // SAFETY: The regions are those `show` has made, which nobody else has any more, and the lock of the
        // instance is held.
        unsafe { region::hide(&made.regions) };
        for reporter in &made.reporters {
            // SAFETY: The reporter is one that `show` has made. Nobody can get at it any more.
            unsafe { netbind::devl_health_reporter_destroy(reporter.as_ptr()) };
        }
        // SAFETY: The instance is valid, and its lock is held.
        unsafe { resource::hide(devlink) };
        if self.has_params {
            // SAFETY: These parameters are registered with the instance: `show` has done it, and
            // the table has not changed since, by the type invariants. The lock of the instance is
            // held.
            unsafe {
                netbind::devl_params_unregister(devlink, self.params.as_ptr(), self.params.len())
            };
        }
    }
}

impl<T: Driver> Drop for Shown<T> {
    fn drop(&mut self) {
        // Not those of another registration: `reporters` may be shared with it.
        let made = if self.has_reporters {
            self.reporters.unbind()
        } else {
            core::mem::take(&mut self.made)
        };
        // SAFETY: The instance is valid.
        unsafe { netbind::devl_lock(self.devlink.as_ptr()) };
        self.hide(&made);
        // SAFETY: The instance is valid, and its lock is held.
        unsafe { netbind::devl_unlock(self.devlink.as_ptr()) };
        // SAFETY: The instance is ours and not registered any more.
        unsafe { netbind::devlink_free(self.devlink.as_ptr()) };
    }
}

/// The state of the device that `devlink` is an instance of.
///
/// # Safety
///
/// `devlink` was made by [`Shown::new`] for the same `T`, whose registration lasts for `'a`.
unsafe fn data_of<'a, T: Driver>(devlink: *mut netbind::devlink) -> &'a T {
    // SAFETY: By the type invariants of `Shown` the private part is a pointer to a `T`, which stays
    // for as long as the instance.
    unsafe { &**netbind::devlink_priv(devlink).cast::<*const T>() }
}
