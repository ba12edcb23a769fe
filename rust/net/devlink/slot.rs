// SPDX-License-Identifier: GPL-2.0

//! What callbacks of devlink find the driver's data by.

use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What the callbacks of one reporter, resource or region are about.
pub(super) struct Slot<T> {
    data: *const T,
    index: usize,
}

impl<T> Slot<T> {
    /// `count` slots of `data`, which outlives them.
    pub(super) fn table(data: &Arc<T>, count: usize) -> Result<KVec<Self>> {
        let mut slots = KVec::with_capacity(count, GFP_KERNEL)?;
        for index in 0..count {
            let data = Arc::as_ptr(data);
            slots.push(Self { data, index }, GFP_KERNEL)?;
        }
        Ok(slots)
    }

    /// Its place.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// The data.
    ///
    /// # Safety
    ///
    /// They are still there.
    pub(super) unsafe fn data(&self) -> &T {
        // SAFETY: The data is still there, by the safety requirements of this function.
        unsafe { &*self.data }
    }
}
