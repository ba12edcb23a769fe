// SPDX-License-Identifier: GPL-2.0

//! Frames that are sent back by copying them.

use crate::page_pool::Reusable;
use core::ptr::NonNull;

/// A frame that is to be sent by the device that received it, short enough to be copied
/// (`push_short()` of a transmit ring): its page can be written again at once
/// ([`Short::into_page`]).
///
/// # Invariants
///
/// `page` has `len` bytes from `data` on.
pub struct Short {
    page: Reusable,
    data: NonNull<u8>,
    len: u32,
}

// SAFETY: The bytes are those of the page, which may be sent to another thread.
unsafe impl Send for Short {}

impl Short {
    /// # Safety
    ///
    /// `page` has `len` bytes from `data` on.
    #[inline]
    pub(super) unsafe fn new(page: Reusable, data: NonNull<u8>, len: u32) -> Self {
        // INVARIANT: by the requirements of this function.
        Self { page, data, len }
    }

    /// Bytes of the frame: at most 256, as short packets of the stack.
    #[inline]
    pub fn size(&self) -> u32 {
        self.len
    }

    /// The first of them.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.data.as_ptr()
    }

    /// Copies the bytes from `offset` on to `out`. Returns whether there are as many. Any context.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        let fits = u32::try_from(out.len())
            .ok()
            .and_then(|len| offset.checked_add(len))
            .is_some_and(|end| end <= self.len);
        if fits {
            // SAFETY: The frame has so many bytes, by the check and the type invariants; `out` is ours alone.
            unsafe {
                core::ptr::copy_nonoverlapping(
                    self.as_ptr().add(offset as usize),
                    out.as_mut_ptr(),
                    out.len(),
                )
            };
        }
        fits
    }

    /// Its page, when nothing is wanted of the frame any more.
    #[inline]
    pub fn into_page(self) -> Reusable {
        self.page
    }
}
