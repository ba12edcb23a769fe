// SPDX-License-Identifier: GPL-2.0

//! A lock that a hard interrupt can take, with every configuration of the kernel.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use kernel::{
    prelude::*,
    sync::{
        lock::{
            Backend,
            Guard,
            Lock, //
        },
        LockClassKey, //
    },
};

use crate::irq::HardIrq;

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/lock.rs"]
mod test;

/// `raw_spinlock_t`, taken with the interrupts of the CPU off.
pub struct RawIrq(());

// SAFETY: The kernel's raw spinlock excludes all other CPUs. As interrupts are off while it is held,
// nothing on the same CPU gets in between either. `relock()` is `lock()`.
unsafe impl Backend for RawIrq {
    type State = netbind::raw_spinlock_t;
    type GuardState = ();

    unsafe fn init(
        ptr: *mut Self::State,
        name: *const kernel::ffi::c_char,
        key: *mut netbind::lock_class_key,
    ) {
        // SAFETY: By the safety requirements of this function `ptr` is memory of a lock that nobody
        // uses yet, and name and key are valid for as long as the lock.
        unsafe { netbind::raw_spin_lock_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) {
        // SAFETY: The lock is initialised, by the safety requirements of this function.
        unsafe { netbind::raw_spin_lock_irq_disable(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<()> {
        // SAFETY: The lock is initialised, by the safety requirements of this function.
        unsafe { netbind::raw_spin_trylock_irq_disable(ptr) }.then_some(())
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &()) {
        // SAFETY: The caller owns the lock, by the safety requirements of this function.
        unsafe { netbind::raw_spin_unlock_irq_enable(ptr) }
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The lock is initialised, by the safety requirements of this function.
        unsafe { netbind::assert_raw_spin_locked(ptr) }
    }
}

/// A spinlock that spins on PREEMPT_RT as well, held with the interrupts of the CPU off.
///
/// For state that a [`HardHandler`](crate::irq::HardHandler) shares with others. Whoever holds it
/// keeps the CPU to himself, so it is for short stretches: nothing may sleep, wait, take a lock that
/// sleeps (on PREEMPT_RT that is every lock but this kind), or print more than it must.
///
/// Guards may be dropped in any order: interrupts come back with the last one.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::Arc};
/// use net::{irq::HardIrq, lock::RawSpinLock, new_raw_spinlock, work};
///
/// fn make() -> Result<Arc<RawSpinLock<u32>>> {
///     Arc::pin_init(new_raw_spinlock!(0, c"count"), GFP_KERNEL)
/// }
///
/// fn count(shared: &RawSpinLock<u32>) {
///     *shared.lock() += 1;
/// }
///
/// /// In the interrupt, which does not wait for who has the lock.
/// fn count_in_interrupt(shared: &RawSpinLock<u32>, cx: &HardIrq, later: &work::Handle) {
///     match shared.try_lock(cx) {
///         Some(mut count) => *count += 1,
///         None => later.schedule(),
///     }
/// }
/// ```
#[pin_data]
pub struct RawSpinLock<T> {
    #[pin]
    lock: Lock<T, RawIrq>,
}

/// Access to what a [`RawSpinLock`] protects.
pub type RawSpinLockGuard<'a, T> = Guard<'a, T, RawIrq>;

impl<T> RawSpinLock<T> {
    /// Makes a lock; `new_raw_spinlock!` supplies the class.
    pub fn new(
        value: impl PinInit<T>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            lock <- Lock::new(value, name, key),
        })
    }

    /// Takes the lock. Process context or softirq; spins while another CPU has it.
    #[inline]
    pub fn lock(&self) -> RawSpinLockGuard<'_, T> {
        self.lock.lock()
    }

    /// Takes the lock in a hard interrupt, unless another CPU has it: who gives way there leaves the
    /// work to a work item.
    #[inline]
    pub fn try_lock(&self, _cx: &HardIrq) -> Option<RawSpinLockGuard<'_, T>> {
        self.lock.try_lock()
    }
}

/// Makes an initialiser of a [`RawSpinLock`], with a lock class of its own.
#[macro_export]
macro_rules! new_raw_spinlock {
    ($value:expr, $name:literal $(,)?) => {
        $crate::lock::RawSpinLock::new($value, $name, ::kernel::static_lock_class!())
    };
}
pub use new_raw_spinlock;
