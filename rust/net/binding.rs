// SPDX-License-Identifier: GPL-2.0

//! How long a device's memory and mappings may be given back: as long as its driver is bound to it.
//!
//! When the driver leaves, the kernel takes away what the DMA API needs to know of the device, and
//! another driver may come. Memory and mappings that are left are lost then: nobody else is given
//! the memory, so that neither the CPU nor the device, should it not have stopped, finds something
//! else there.
//!
//! C header: [`include/linux/device/devres.h`](srctree/include/linux/device/devres.h)

use core::{
    ffi::c_void,
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    }, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        ArcBorrow,
        Mutex, //
    }, //
};

/// The time from before a driver's probe until all that is device-managed has ended.
#[pin_data]
pub(crate) struct Binding {
    dev: ARef<Device>,
    /// What [`State::bound`] is not any more, for those that may not sleep.
    over: AtomicBool,
    #[pin]
    state: Mutex<State>,
}

struct State {
    bound: bool,
    uses: usize,
}

impl Binding {
    /// Begins the binding of a device, which nothing that is device-managed belongs to yet. Process
    /// context.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it has begun, `ENOMEM`.
    pub(crate) fn begin(dev: &Device<Bound>) -> Result {
        let this = Arc::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                over: AtomicBool::new(false),
                state <- new_mutex!(State { bound: true, uses: 0 }),
            }),
            GFP_KERNEL,
        )?;
        let data = Arc::into_raw(this);
        // SAFETY: The device is valid and bound. `ended` may be called with the pointer once, as
        // the reference is given up here.
        let begun = to_result(unsafe {
            netbind::binding_begin(raw(dev), Some(ended), data.cast_mut().cast())
        });
        if begun.is_err() {
            // SAFETY: The pointer is what `Arc::into_raw` has returned, and nobody else has it.
            drop(unsafe { Arc::from_raw(data) });
        }
        begun
    }

    /// That of a device whose driver is a [`pci::Driver`](crate::pci::Driver).
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device has another driver, or if what is device-managed is ending.
    fn of(dev: &Device<Bound>) -> Result<Arc<Self>> {
        // SAFETY: The device is valid.
        let data = unsafe { netbind::binding_data(raw(dev)) };
        let data = NonNull::new(data).ok_or(ENODEV)?;
        // SAFETY: What `begin` gave is the pointer of an `Arc`. The reference that belongs to it is
        // there until the device is unbound, and that does not end before `dev` does.
        Ok(unsafe { ArcBorrow::<Self>::from_raw(data.as_ptr().cast_const().cast()) }.into())
    }

    /// What is device-managed has ended, but for this.
    fn end(&self) {
        let uses = {
            let mut state = self.state.lock();
            state.bound = false;
            state.uses
        };
        if uses == 0 {
            return;
        }
        self.over.store(true, Ordering::Relaxed);
        // SAFETY: The function has no preconditions, and this is process context. Who has found
        // `over` to be false did so with softirqs or interrupts off, and has done what it wanted
        // when this returns.
        unsafe { netbind::synchronize_net() };
        dev_warn!(
            &*self.dev,
            "{uses} areas of DMA memory outlive the driver: they are lost\n"
        );
    }
}

/// # Safety
///
/// Called by devres when the device is unbound, once, with what [`Binding::begin`] gave.
unsafe extern "C" fn ended(data: *mut c_void) {
    // SAFETY: `begin` has given up the reference that belongs to the pointer, and this is called
    // once, by the requirements of this function.
    unsafe { Arc::<Binding>::from_raw(data.cast_const().cast()) }.end();
}

/// A use of a device by memory or mappings. It may be kept longer than the device is bound, and is
/// dropped in process context.
pub(crate) struct Use(Arc<Binding>);

impl Use {
    /// Begins a use. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not that of a [`pci::Driver`](crate::pci::Driver), or is about to
    /// lose it.
    pub(crate) fn begin(dev: &Device<Bound>) -> Result<Self> {
        let binding = Binding::of(dev)?;
        {
            let mut state = binding.state.lock();
            if !state.bound {
                return Err(ENODEV);
            }
            state.uses = state.uses.wrapping_add(1);
        }
        Ok(Self(binding))
    }

    /// Calls `f` with the device if it is still bound, and keeps it bound meanwhile. `None` if it
    /// is not. Process context, sleeps.
    pub(crate) fn while_bound<R>(&self, f: impl FnOnce(*mut netbind::device) -> R) -> Option<R> {
        let state = self.0.state.lock();
        state.bound.then(|| f(raw(&self.0.dev)))
    }

    /// The device is not bound any more. False is true until softirqs or interrupts, which the
    /// caller has turned off, are back.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.uses = state.uses.wrapping_sub(1);
    }
}

/// Returns the C representation of `dev`.
#[inline]
pub(crate) fn raw<C: kernel::device::DeviceContext>(dev: &Device<C>) -> *mut netbind::device {
    // `Device` is a transparent wrapper of `Opaque<device>`.
    core::ptr::from_ref(dev).cast_mut().cast()
}
