// SPDX-License-Identifier: GPL-2.0

//! Frames in the pages they were received into, before a program has seen them and afterwards.

use super::Frame;
use crate::{
    later,
    napi,
    page_pool::{
        RxPage,
        HEADROOM,
        ROOM, //
    },
    skb::RxSkb, //
};
use core::{
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ptr::NonNull, //
};
use kernel::prelude::*;

#[cfg(CONFIG_KUNIT = "y")]
#[path = "../tests/received.rs"]
mod test;

/// Of a frame of several pages.
const HAS_FRAGS: u32 = netbind::xdp_buff_flags_XDP_FLAGS_HAS_FRAGS;

/// A frame as a device has written it, in one page or in several.
///
/// The first page keeps account of the others, where the shared info of an skb would be. Dropping it
/// gives all of them back to their pool.
///
/// # Invariants
///
/// `first` is at most [`ROOM`]. If `flags` has `HAS_FRAGS`, the first page has a shared info with at
/// least one further page, each of the same pool, and owned by this value.
///
/// # Examples
///
/// ```
/// use net::{page_pool::RxPage, xdp::Received};
///
/// fn join(first: RxPage, second: RxPage) -> Option<Received> {
///     let mut frame = Received::new(first, 3072);
///     frame.append(second, 1000).ok()?;
///     Some(frame)
/// }
/// ```
pub struct Received {
    page: RxPage,
    /// Bytes in the first page.
    first: u32,
    /// Bytes of the frame.
    len: u32,
    flags: u32,
}

impl Received {
    /// The `len` bytes a device has written into `page`. `len` is cut to what a page has room for.
    #[inline]
    pub fn new(page: RxPage, len: u32) -> Self {
        let len = len.min(ROOM);
        // INVARIANT: there is one page.
        Self {
            page,
            first: len,
            len,
            flags: 0,
        }
    }

    /// Adds the `len` bytes a device has written into `page`, which go on with the frame. `len` is cut to
    /// what a page has room for; a page without any goes back to its pool.
    ///
    /// # Errors
    ///
    /// `ENOSPC`: the frame has as many pages as it can have, or the page is of another pool. It is back
    /// in its pool.
    pub fn append(&mut self, page: RxPage, len: u32) -> Result {
        let len = len.min(ROOM);
        if len == 0 {
            return Ok(());
        }
        // SAFETY: Both pages are of pools, and ours; the first has a shared info if `flags` say so. The
        // data fits by the `min`.
        let flags = unsafe {
            netbind::xdp_add_page(self.page.as_ptr(), self.flags, page.as_ptr(), HEADROOM, len)
        };
        if flags == 0 {
            return Err(ENOSPC);
        }
        // INVARIANT: the page is owned by this frame from here on, and of the same pool.
        let _ = ManuallyDrop::new(page);
        self.flags = flags;
        self.len = self.len.wrapping_add(len);
        Ok(())
    }

    /// Bytes of the frame.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Nothing was received.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// It is in more than one page.
    #[inline]
    pub fn is_fragmented(&self) -> bool {
        self.flags & HAS_FRAGS != 0
    }

    /// Copies the bytes from `offset` on to `out`. Returns whether the frame has as many; if not, what it has
    /// may be in `out`. Any context.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        let Ok(len) = u32::try_from(out.len()) else {
            return false;
        };
        // SAFETY: The pages are as the type invariants say. `out` is ours alone, and has `len` bytes.
        unsafe {
            netbind::xdp_copy(
                self.page.as_ptr(),
                HEADROOM,
                self.first,
                self.flags,
                offset,
                out.as_mut_ptr().cast(),
                len,
            )
        }
    }

    /// Makes a packet of it, without a program.
    ///
    /// `None`: no memory; the pages are back in their pool.
    pub fn into_skb(self, cx: &napi::Context<'_>) -> Option<RxSkb> {
        let mut raw = MaybeUninit::uninit();
        let (page, len, flags) = self.into_parts();
        // SAFETY: The pages are as the invariants of this type say, and ours.
        unsafe {
            netbind::xdp_prepare(page.as_ptr(), HEADROOM, len, flags, raw.as_mut_ptr());
            Buff::new(raw.assume_init(), page)
        }
        .into_skb(cx)
    }

    /// Its first page, which is not all of what is owned by now; the bytes there, and the flags.
    #[inline]
    pub(super) fn into_parts(self) -> (RxPage, u32, u32) {
        let this = ManuallyDrop::new(self);
        // SAFETY: The page is moved out of what is not dropped.
        let page = unsafe { (&raw const this.page).read() };
        (page, this.first, this.flags)
    }
}

impl Drop for Received {
    #[inline]
    fn drop(&mut self) {
        if self.flags != 0 {
            // SAFETY: The pages are as the type invariants say, and this is the last anyone hears of
            // them.
            unsafe { release_behind(&self.page, self.flags) };
        }
    }
}

/// Gives the pages behind `first` back. Any context.
///
/// # Safety
///
/// `flags` and the pages are as of [`Received`]; the caller owns the pages behind the first, and gives
/// them up.
#[cold]
unsafe fn release_behind(first: &RxPage, mut flags: u32) {
    loop {
        // SAFETY: By the requirements of this function, of as many pages as are left.
        let page = unsafe { netbind::xdp_take_page(first.as_ptr(), &mut flags) };
        let Some(page) = NonNull::new(page) else {
            return;
        };
        // SAFETY: The page is of a pool, and was taken out of the frame that owned it.
        unsafe { later::PAGES.give_back(page) };
    }
}

/// A frame a program has seen, and perhaps changed, in the pages it was received into.
///
/// # Invariants
///
/// `raw` describes a frame whose first buffer is within `page`: metadata, headroom and data in this
/// order, and room for the shared info of an skb behind them. If its flags have `HAS_FRAGS`, the shared
/// info has at least one further page of a pool, owned by this value. Its queue is not looked at.
pub struct Buff {
    raw: netbind::xdp_buff,
    page: RxPage,
}

impl Buff {
    /// # Safety
    ///
    /// `raw` is as the type invariants say, and the pages behind the first are given up.
    #[inline]
    pub(super) unsafe fn new(raw: netbind::xdp_buff, page: RxPage) -> Self {
        // INVARIANT: by the requirements of this function.
        Self { raw, page }
    }

    /// For who hands the frame to the kernel.
    #[inline]
    pub(super) fn raw(&mut self) -> &mut netbind::xdp_buff {
        &mut self.raw
    }

    #[inline]
    fn flags(&self) -> u32 {
        // The members of a union are at its start.
        let words = (&raw const self.raw.__bindgen_anon_1)
            .cast::<netbind::xdp_buff__bindgen_ty_1__bindgen_ty_1>();
        // SAFETY: The union has this member, and is initialised.
        unsafe { (*words).flags }
    }

    /// Makes a packet of it, with the metadata the program may have left.
    ///
    /// `None`: no memory; the pages are back in their pool.
    #[inline]
    pub fn into_skb(self, _cx: &napi::Context<'_>) -> Option<RxSkb> {
        // SAFETY: By the type invariants the buffers are in pages that are ours, the first with room for
        // the shared info. We are in a poll, as `_cx` proves, whose cache of skbs may be used.
        let skb = NonNull::new(unsafe { netbind::xdp_build_skb(&self.raw) })?;
        // The skb owns the pages now.
        core::mem::forget(self);
        // SAFETY: The skb is new and ours.
        Some(unsafe { RxSkb::from_raw(skb) })
    }

    /// `None` if the program has left no room for the frame's description; the pages are back in
    /// their pool.
    ///
    /// # Safety
    ///
    /// The queue in `raw` is registered.
    #[inline]
    pub(super) unsafe fn into_frame(mut self) -> Option<Frame> {
        // SAFETY: By the type invariants the buffers are in pages that are ours; the description is
        // written into the headroom of the first, if there is room. The queue is registered, by the
        // requirements of this function.
        let frame = NonNull::new(unsafe { netbind::xdp_convert_buff_to_frame(&mut self.raw) })?;
        // The frame owns the pages now.
        core::mem::forget(self);
        // SAFETY: It was just made, and is ours.
        Some(unsafe { Frame::from_raw(frame) })
    }
}

impl Drop for Buff {
    #[inline]
    fn drop(&mut self) {
        let flags = self.flags();
        if flags & HAS_FRAGS != 0 {
            // SAFETY: The pages are as the type invariants say, and this is the last anyone hears of
            // them.
            unsafe { release_behind(&self.page, flags) };
        }
    }
}
