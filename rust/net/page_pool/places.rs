// SPDX-License-Identifier: GPL-2.0

//! The pages of a receive ring.

use super::{
    PagePool,
    Reusable,
    RxPage, //
};
use crate::{
    napi,
    ring::Window, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
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
        let page = ManuallyDrop::new(page.0);
        place.page = page.page.as_ptr();
        place.dma = page.dma;
        self.kept = self.kept.wrapping_add(1);
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
            for i in 0..filled {
                // SAFETY: There are `count` places from `first` on, of which so many have a page.
                let dma = unsafe { (*places.add(i as usize)).dma };
                offer(first.wrapping_add(i), dma);
            }
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
        // INVARIANT: the place had a page and is empty now, as the window moves beyond it.
        let page = RxPage {
            // SAFETY: The place has a page, by the type invariants.
            page: unsafe { NonNull::new_unchecked(place.page) },
            dma: place.dma,
        };
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
