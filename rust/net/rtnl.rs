// SPDX-License-Identifier: GPL-2.0

//! The lock of network configuration.
//!
//! What may only be done with RTNL held asks for proof of it: [`Held`], or a net device that is
//! [`Locked`](crate::device::Locked), which the operations of a net device are given and
//! [`Device::under`](crate::device::Device::under) makes of a [`Guard`].
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use core::ops::Deref;
use kernel::types::NotThreadSafe;

/// Proof that this task holds RTNL.
///
/// # Invariants
///
/// RTNL is held by the current task for as long as there is a reference to this.
pub struct Held(NotThreadSafe);

/// RTNL, held until this is dropped.
#[must_use = "RTNL is released when the guard is dropped"]
pub struct Guard(Held);

/// Takes RTNL. Process context, sleeps. The operations of a net device run with it held already.
pub fn lock() -> Guard {
    // SAFETY: No preconditions; `Guard` releases it.
    unsafe { netbind::rtnl_lock() };
    // INVARIANT: just taken; what is borrowed of the guard ends before it is released.
    Guard(Held(NotThreadSafe))
}

/// Takes RTNL unless somebody has it. For what those may wait for who have it. Process context.
pub fn try_lock() -> Option<Guard> {
    // SAFETY: No preconditions; `Guard` releases it, if it was taken.
    let taken = unsafe { netbind::rtnl_trylock() } != 0;
    // INVARIANT: just taken; what is borrowed of the guard ends before it is released.
    taken.then(|| Guard(Held(NotThreadSafe)))
}

impl Deref for Guard {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: We hold the lock, in the same task (`NotThreadSafe`).
        unsafe { netbind::rtnl_unlock() };
    }
}
