// SPDX-License-Identifier: GPL-2.0

//! The pages of a receive ring.

use super::{
    PagePool,
    Reusable,
    RxPage, //
};
use crate::{
    dma::Coherent,
    napi,
    ring::Window, //
};
use kernel::prelude::*;

/// The pages a receive ring offers to the device, oldest first: one place for each descriptor.
///
/// # Invariants
///
/// There are as many places as `window` is of. Those it says have a page hold one each, as [`RxPage`]
/// does, and so do the `kept` places behind them, which are vacant as far as it knows; the others are
/// empty.
pub struct RxPages {
    places: KVVec<netbind::nbh_rx_place>,
    window: Window,
    kept: u32,
}

// SAFETY: Pages may be given back to their pool by any thread.
unsafe impl Send for RxPages {}

impl RxPages {
    /// Makes room for the pages of a ring with `descs` descriptors. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` unless `descs` is a power of two up to 2^16, `ENOMEM`.
    pub fn new(descs: u32) -> Result<Self> {
        if !descs.is_power_of_two() || descs > 1 << 16 {
            return Err(EINVAL);
        }
        let mut places = KVVec::with_capacity(descs as usize, GFP_KERNEL)?;
        for _ in 0..descs {
            places.push(Default::default(), GFP_KERNEL)?;
        }
        // INVARIANT: there are no pages.
        Ok(Self {
            places,
            window: Window::new(descs).ok_or(EINVAL)?,
            kept: 0,
        })
    }

    /// The oldest page, if there is one.
    #[inline]
    pub fn oldest(&mut self) -> Option<Oldest<'_>> {
        let index = self.window.oldest()?;
        // INVARIANT: this is the place of the oldest page.
        Some(Oldest { index, pages: self })
    }

    /// The descriptor behind the latest page: what the device is told.
    #[inline]
    pub fn next(&self) -> u32 {
        self.window.next()
    }

    /// Pages that can be offered. One descriptor stays unused.
    #[inline]
    pub fn vacant(&self) -> u32 {
        self.window.vacant()
    }

    /// There is no page left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Takes the oldest page.
    #[inline]
    pub fn take(&mut self) -> Option<RxPage> {
        Some(self.oldest()?.take())
    }

    /// Has a page offered again by the next [`RxPages::fill`], before others. If as many wait for that as can
    /// be offered, it goes back to its pool. Any context.
    #[inline]
    pub fn put_back(&mut self, page: Reusable) {
        if self.kept >= self.window.vacant() {
            return;
        }
        let index = self.window.behind(self.kept) as usize;
        // SAFETY: `index` is below the number of places.
        let place = unsafe { self.places.get_unchecked_mut(index) };
        // INVARIANT: the place was empty and has the page from here on.
        *place = page.into_place();
        self.kept = self.kept.wrapping_add(1);
    }

    /// All places, for who takes the oldest pages, and puts back some: see [`RxPages::walked`]. What makes a
    /// place of a position. The place of the oldest page, and how many there are from it up to the last place,
    /// `most` at most. The position where the next one is put.
    #[inline]
    pub(crate) fn walk(&mut self, most: u32) -> (*mut netbind::nbh_rx_place, u32, (u32, u32), u32) {
        let window = &self.window;
        (
            self.places.as_mut_ptr(),
            window.mask(),
            window.oldest_run(most),
            window.position_behind(self.kept),
        )
    }

    /// The oldest `count` pages have been taken. `free` is where the next one is put that is to be offered
    /// again.
    ///
    /// # Safety
    ///
    /// There are so many pages, and they are somebody else's, but for those that were put at the positions up
    /// to `free` from that of [`RxPages::walk`] on. These are no more than were taken.
    #[inline]
    pub(crate) unsafe fn walked(&mut self, count: u32, free: u32) {
        // INVARIANT: as many places more are vacant as pages were taken, so that those that are kept still
        // have one each.
        self.kept = free.wrapping_sub(self.window.position_behind(0));
        // SAFETY: There are so many pages, by the requirements of this function.
        unsafe { self.window.taken_many(count) }
    }

    /// The page that was taken from place `index`.
    ///
    /// # Safety
    ///
    /// There is such a place. The page was taken, is nobody else's, and no other was put into its place.
    #[inline]
    pub(crate) unsafe fn taken_from(&self, index: u32) -> RxPage {
        // SAFETY: There was a page, by the requirements of this function.
        unsafe { RxPage::from_place(self.places.get_unchecked(index as usize)) }
    }

    /// As of [`RxPages::fill`]. `descs` are the descriptors of the places: each becomes what `offer` makes of
    /// where the device finds the buffer.
    #[inline]
    pub fn fill_ring(
        &mut self,
        pool: &mut PagePool,
        cx: &impl napi::Exclusive,
        descs: &Coherent<[u64; 2]>,
        offer: impl Fn(u64) -> [u64; 2],
    ) -> bool {
        self.fill_runs(pool, cx, |first, places| {
            descs.write_run(first as usize, places, |place| offer(place.dma));
        })
    }

    /// Adds pages of `pool` until no place is vacant; `offer` is called for each with its
    /// descriptor and where the device finds the buffer. Context as of [`PagePool::alloc`]; does not
    /// sleep. Returns whether there were enough pages; there are none if `cx` is of another instance
    /// than the pool's.
    pub fn fill(
        &mut self,
        pool: &mut PagePool,
        cx: &impl napi::Exclusive,
        mut offer: impl FnMut(u32, u64),
    ) -> bool {
        self.fill_runs(pool, cx, |first, places| {
            for (index, place) in (first..).zip(places) {
                offer(index, place.dma);
            }
        })
    }

    /// The same; `offer` is called for consecutive places that have a page now, with the number of the first.
    #[inline]
    fn fill_runs(
        &mut self,
        pool: &mut PagePool,
        cx: &impl napi::Exclusive,
        mut offer: impl FnMut(u32, &[netbind::nbh_rx_place]),
    ) -> bool {
        if !pool.is_polled_by(cx) {
            return false;
        }
        while self.vacant() != 0 {
            let first = self.next();
            let count = self.window.run();
            let kept = self.kept.min(count);
            // SAFETY: `first` is below the number of places.
            let places = unsafe { self.places.as_mut_ptr().add(first as usize) };
            let mut filled = kept;
            if count > kept {
                // SAFETY: The pool is ours, and nobody else polls its NAPI instance: that is the
                // exclusion its allocator wants. There are `count` places from `first` on, all of them
                // vacant; behind those that have a page already they are empty.
                filled = filled.wrapping_add(unsafe {
                    netbind::page_pool_fill(
                        pool.ptr.as_ptr(),
                        places.add(kept as usize),
                        count.wrapping_sub(kept),
                    )
                });
            }
            // SAFETY: There are `count` places from `first` on, of which so many have a page.
            offer(first, unsafe {
                core::slice::from_raw_parts(places, filled as usize)
            });
            // INVARIANT: these places have pages now, those kept among them.
            // SAFETY: There are no more than `count`, and so many are vacant.
            unsafe { self.window.filled(filled) };
            self.kept = self.kept.wrapping_sub(kept);
            if filled < count {
                return false;
            }
        }
        true
    }
}

/// The oldest page of [`RxPages`], which is still offered to the device.
///
/// # Invariants
///
/// `pages` is not empty; `index` is the place of its oldest page.
pub struct Oldest<'a> {
    pages: &'a mut RxPages,
    index: u32,
}

impl Oldest<'_> {
    /// Its descriptor.
    #[inline]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Takes it: the device has written it.
    #[inline]
    pub fn take(self) -> RxPage {
        // SAFETY: `index` is below the number of places, by the type invariants.
        let place = unsafe { self.pages.places.get_unchecked(self.index as usize) };
        // SAFETY: The place had a page, by the type invariants, and is empty now, as the window moves beyond it.
        let page = unsafe { RxPage::from_place(place) };
        // SAFETY: There was a page, by the type invariants.
        unsafe { self.pages.window.taken() };
        page
    }
}

impl Drop for RxPages {
    fn drop(&mut self) {
        let kept = core::mem::take(&mut self.kept);
        // INVARIANT: the places of pages that wait to be offered have one each.
        // SAFETY: No more wait than places are vacant.
        unsafe { self.window.filled(kept) };
        while let Some(page) = self.take() {
            drop(page);
        }
    }
}
