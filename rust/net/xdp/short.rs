// SPDX-License-Identifier: GPL-2.0

//! Frames that are sent back by copying them.

use crate::page_pool::{
    Reusable,
    RxPage, //
};
use core::{
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ptr::NonNull, //
};
use kernel::prelude::*;

/// A frame that is to be sent by the device that received it, short enough to be copied
/// (`push_short()` of a transmit ring): its page can be written again at once
/// ([`Short::into_page`]).
///
/// # Invariants
///
/// The place has a page that this owns, which may be written again as it is, and has `len` bytes from `data`
/// on.
#[repr(transparent)]
pub struct Short(netbind::nbh_xdp_short);

// SAFETY: The bytes are those of the page, which may be sent to another thread.
unsafe impl Send for Short {}

impl Short {
    /// # Safety
    ///
    /// `page` has `len` bytes from `data` on.
    #[inline]
    pub(super) unsafe fn new(page: Reusable, data: NonNull<u8>, len: u32) -> Self {
        // INVARIANT: by the requirements of this function.
        Self(netbind::nbh_xdp_short {
            place: page.into_place(),
            data: data.as_ptr().cast(),
            len,
        })
    }

    /// Bytes of the frame: at most 256, as short packets of the stack.
    #[inline]
    pub fn size(&self) -> u32 {
        self.0.len
    }

    /// The first of them.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.0.data.cast()
    }

    /// Copies the bytes from `offset` on to `out`. Returns whether there are as many. Any context.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        let fits = u32::try_from(out.len())
            .ok()
            .and_then(|len| offset.checked_add(len))
            .is_some_and(|end| end <= self.0.len);
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
        let frame = ManuallyDrop::new(self);
        // SAFETY: The place has a page, which is not used through this any more.
        Reusable::new(unsafe { RxPage::from_place(&frame.0.place) })
    }
}

impl Drop for Short {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The place has a page, which is not used any more.
        drop(unsafe { RxPage::from_place(&self.0.place) });
    }
}

/// Frames of [`RxQueue::walk`](super::RxQueue::walk) that are to be sent together.
///
/// # Invariants
///
/// The first `count` frames are initialised.
pub struct Shorts {
    frames: KBox<Frames>,
    count: u32,
}

type Frames = [MaybeUninit<Short>; netbind::NBH_SHORT_BATCH as usize];

impl Shorts {
    /// Room for frames, of which there are none. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        // INVARIANT: there are no frames.
        Ok(Self {
            frames: KBox::new(
                [const { MaybeUninit::uninit() }; netbind::NBH_SHORT_BATCH as usize],
                GFP_KERNEL,
            )?,
            count: 0,
        })
    }

    /// Their number.
    #[inline]
    pub fn len(&self) -> u32 {
        self.count
    }

    /// There are no frames.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// There is no room for another.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.count >= netbind::NBH_SHORT_BATCH
    }

    /// The frames.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &Short> {
        let frames = self.frames.iter().take(self.count as usize);
        // SAFETY: The first `count` frames are initialised.
        frames.map(|frame| unsafe { frame.assume_init_ref() })
    }

    /// Adds a frame. If there is no room, it is dropped.
    pub fn push(&mut self, frame: Short) {
        if let Some(place) = self.frames.get_mut(self.count as usize) {
            // INVARIANT: it is initialised from here on.
            place.write(frame);
            self.count = self.count.wrapping_add(1);
        }
    }

    /// Takes all frames, and gives `f` each.
    #[inline]
    pub fn take_each(&mut self, mut f: impl FnMut(Short)) {
        // INVARIANT: none is left.
        let count = core::mem::take(&mut self.count);
        for frame in self.frames.iter().take(count as usize) {
            // SAFETY: It was initialised, and is not used here any more.
            f(unsafe { frame.assume_init_read() });
        }
    }

    /// The frames, for who adds some, and how many there are.
    #[inline]
    pub(super) fn room(&mut self) -> (*mut netbind::nbh_xdp_short, u32) {
        (self.frames.as_mut_ptr().cast(), self.count)
    }

    /// There are `count` frames now.
    ///
    /// # Safety
    ///
    /// There is room for so many, and they are initialised.
    #[inline]
    pub(super) unsafe fn filled(&mut self, count: u32) {
        // INVARIANT: by the requirements of this function.
        self.count = count;
    }
}

impl Drop for Shorts {
    fn drop(&mut self) {
        self.take_each(drop);
    }
}
