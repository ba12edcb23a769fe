// SPDX-License-Identifier: GPL-2.0

//! The lock of network configuration.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use kernel::types::NotThreadSafe;

/// RTNL, held until this is dropped.
#[must_use = "RTNL is released when the guard is dropped"]
pub struct Guard(NotThreadSafe);

/// Takes RTNL. Process context, sleeps. The operations of a net device run with it held already.
pub fn lock() -> Guard {
    // SAFETY: no preconditions; `Guard` releases it.
    unsafe { netbind::rtnl_lock() };
    Guard(NotThreadSafe)
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: we hold the lock, in the same task (`NotThreadSafe`).
        unsafe { netbind::rtnl_unlock() };
    }
}
