// SPDX-License-Identifier: GPL-2.0

//! What deferred execution runs, without its types.

use core::cell::UnsafeCell;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A function, and what it runs on.
trait Run<H>: Send + Sync {
    fn run(&self, handle: &H);
}

struct Target<T, H> {
    data: Arc<T>,
    run: fn(&Arc<T>, &H),
}

impl<T: Send + Sync, H> Run<H> for Target<T, H> {
    fn run(&self, handle: &H) {
        (self.run)(&self.data, handle);
    }
}

/// What a work item or a timer runs, which is not known when it is made. `H` is its handle.
pub(crate) struct Callback<H>(UnsafeCell<Option<KBox<dyn Run<H>>>>);

// SAFETY: A `dyn Run` is `Send` and `Sync`.
unsafe impl<H> Send for Callback<H> {}
// SAFETY: As above; whoever changes the contents makes sure that nobody else accesses them.
unsafe impl<H> Sync for Callback<H> {}

impl<H: 'static> Callback<H> {
    /// Nothing.
    pub(crate) const fn empty() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Runs what there is.
    ///
    /// # Safety
    ///
    /// Nobody calls [`Callback::set`] or [`Callback::clear`] meanwhile.
    #[inline]
    pub(crate) unsafe fn run(&self, handle: &H) {
        // SAFETY: By the safety requirements of this function.
        if let Some(target) = unsafe { &*self.0.get() } {
            target.run(handle);
        }
    }

    /// Sets what there is.
    ///
    /// # Safety
    ///
    /// Nobody calls any method meanwhile.
    pub(crate) unsafe fn set(&self, function: Function<H>) {
        // SAFETY: By the safety requirements of this function.
        unsafe { *self.0.get() = Some(function.0) };
    }

    /// Drops what there is.
    ///
    /// # Safety
    ///
    /// Nobody calls any method meanwhile.
    pub(crate) unsafe fn clear(&self) {
        // SAFETY: By the safety requirements of this function.
        drop(unsafe { (*self.0.get()).take() });
    }
}

/// What a [`Callback`] can be set to.
pub(crate) struct Function<H>(KBox<dyn Run<H>>);

impl<H: 'static> Function<H> {
    /// The function `run` on `data`.
    pub(crate) fn new<T: Send + Sync + 'static>(
        data: Arc<T>,
        run: fn(&Arc<T>, &H),
    ) -> Result<Self> {
        Ok(Self(KBox::new(Target { data, run }, GFP_KERNEL)?))
    }
}
