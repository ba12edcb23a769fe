// SPDX-License-Identifier: GPL-2.0

//! Frames without an skb: what programs send, and what devices hand over to each other.

use crate::{
    later::{
        self,
        Together, //
    },
    napi, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::prelude::*;

/// A frame without an skb (`struct xdp_frame`), owned. Dropping it gives its memory back to
/// where it came from, which may be another device. Any context: where interrupts are off, it waits
/// for that.
///
/// # Invariants
///
/// The pointer is to a valid `struct xdp_frame`, which this value owns with all of its buffers.
#[repr(transparent)]
pub struct Frame(NonNull<netbind::xdp_frame>);

// SAFETY: Frames may be given back on any CPU.
unsafe impl Send for Frame {}

impl Frame {
    /// Takes ownership of a frame.
    ///
    /// # Safety
    ///
    /// `ptr` is a valid frame, which is given up.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: NonNull<netbind::xdp_frame>) -> Self {
        // INVARIANT: by the requirements of this function.
        Self(ptr)
    }

    /// Gives up ownership without freeing the frame.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<netbind::xdp_frame> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::xdp_frame {
        self.0.as_ptr()
    }

    /// Bytes of the first buffer.
    #[inline]
    pub(crate) fn head_len(&self) -> u32 {
        // SAFETY: The frame is valid, by the type invariants.
        unsafe { (*self.as_ptr()).len }
    }

    /// Where its bytes are, and how many, if they are in one buffer.
    #[inline]
    pub(crate) fn linear(&self) -> Option<(*const u8, u32)> {
        // SAFETY: The frame is valid, by the type invariants.
        let data = unsafe { (*self.as_ptr()).data };
        (!self.is_fragmented()).then_some((data.cast(), self.head_len()))
    }

    /// It has more than one buffer.
    #[inline]
    pub(crate) fn is_fragmented(&self) -> bool {
        // SAFETY: The frame is valid, by the type invariants.
        let flags = unsafe { (*self.as_ptr()).flags };
        flags & netbind::xdp_buff_flags_XDP_FLAGS_HAS_FRAGS != 0
    }

    /// Buffers behind the first, up to the last one that has bytes.
    #[cold]
    pub(crate) fn frags(&self) -> u32 {
        // SAFETY: The frame is valid, by the type invariants.
        unsafe { netbind::xdp_frame_frags(self.as_ptr()) }
    }

    /// Bytes of the frame.
    #[inline]
    pub fn len(&self) -> u32 {
        if self.is_fragmented() {
            // SAFETY: The frame is valid, by the type invariants.
            unsafe { netbind::xdp_frame_len(self.as_ptr()) }
        } else {
            self.head_len()
        }
    }

    /// The frame has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the bytes from `offset` on to `out`. Returns whether the frame has as many. Any
    /// context.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        let Ok(len) = u32::try_from(out.len()) else {
            return false;
        };
        // SAFETY: The frame is valid, by the type invariants. `out` is ours alone, and has `len` bytes.
        unsafe { netbind::xdp_frame_copy(self.as_ptr(), offset, out.as_mut_ptr().cast(), len) }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: We own the frame.
        unsafe { later::FRAMES.give_back(self.0) };
    }
}

/// Frames that were sent, and whose memory goes back to the pools it is of together.
///
/// # Invariants
///
/// The pages in it are owned by this, and are of pools. The box is there until this is dropped.
pub(crate) struct Bulk(ManuallyDrop<KBox<Together>>);

// SAFETY: Pages may be given back to their pools by any thread.
unsafe impl Send for Bulk {}

impl Bulk {
    /// There are none. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // INVARIANT: there are no pages.
        Ok(Self(ManuallyDrop::new(KBox::new(
            Together::none(),
            GFP_KERNEL,
        )?)))
    }

    /// Nothing waits to go back.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.bulk.count == 0
    }

    /// Gives `frame` back, now or with [`Bulk::flush`], in a poll with a budget, as `cx` says; elsewhere,
    /// and with interrupts off, as one that is dropped.
    pub(crate) fn add(&mut self, frame: Frame, cx: &napi::TxContext<'_>) {
        if cx.budget() == 0 {
            return;
        }
        // SAFETY: The frame is ours, and given up if this succeeds. This is a poll that is not netpoll's,
        // so that softirqs are off; that interrupts are on is for the callee to see, which does nothing
        // otherwise: whoever polls may have turned them off. INVARIANT: the callee puts pages of pools
        // alone into `bulk`.
        if unsafe { netbind::xdp_return_bulk(frame.as_ptr(), &mut self.0.bulk) } {
            let _ = frame.into_raw();
        }
    }

    /// Gives back what waits. In the same poll as [`Bulk::add`]. With interrupts off, it goes on waiting.
    #[cold]
    pub(crate) fn flush(&mut self) {
        // SAFETY: The pages are ours, by the type invariants. The callee looks whether interrupts are on,
        // and does nothing otherwise. INVARIANT: there are no pages any more, or the same.
        unsafe { netbind::xdp_flush_bulk(&mut self.0.bulk) };
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        // SAFETY: This is dropped, so that nobody uses the field any more.
        let together = unsafe { ManuallyDrop::take(&mut self.0) };
        // SAFETY: The box is ours with the pages in it, and given up: it is that of the list.
        unsafe { later::BULKS.give_back(NonNull::from(KBox::leak(together))) };
    }
}

/// Frames of a list that go back to where they came from together: those that follow each other.
///
/// # Invariants
///
/// Those from `first` up to (not including) `next` are owned by this.
pub(crate) struct Done<'a> {
    frames: &'a [*mut netbind::xdp_frame],
    first: usize,
    next: usize,
}

impl<'a> Done<'a> {
    /// None of them, so far.
    pub(crate) fn none(frames: &'a [*mut netbind::xdp_frame]) -> Self {
        // INVARIANT: there are none.
        Self {
            frames,
            first: 0,
            next: 0,
        }
    }

    /// The next of the list goes back.
    ///
    /// # Safety
    ///
    /// It is `frame`.
    #[inline]
    pub(crate) unsafe fn add(&mut self, frame: Frame) {
        let _ = frame.into_raw();
        // INVARIANT: it is ours from here on.
        self.next = self.next.wrapping_add(1);
    }

    /// The next of the list does not, or is not there any more.
    #[cold]
    pub(crate) fn skip(&mut self) {
        self.give_back();
        // INVARIANT: there are none.
        self.next = self.next.wrapping_add(1);
        self.first = self.next;
    }

    fn give_back(&mut self) {
        let frames = self.frames.get(self.first..self.next).unwrap_or_default();
        if frames.is_empty() {
            return;
        }
        // INVARIANT: they are given up, or become frames of their own.
        self.first = self.next;
        // SAFETY: The frames are ours, by the type invariants. The callee looks whether interrupts are on, and
        // does nothing otherwise; who transmits has turned softirqs off.
        if unsafe { netbind::xdp_give_back_all(frames.as_ptr(), frames.len()) } {
            return;
        }
        for frame in frames.iter().filter_map(|ptr| NonNull::new(*ptr)) {
            // SAFETY: The frame is ours, by the type invariants, and given up.
            drop(unsafe { Frame::from_raw(frame) });
        }
    }
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
