// SPDX-License-Identifier: GPL-2.0

//! Memory that is dropped where it cannot be given back: with interrupts off.
//!
//! The kernel's functions that take pages and frames back use locks that keep only softirqs out. So
//! a page or a frame that is dropped in a hard interrupt, or under a lock that turns interrupts
//! off, waits in a list. The next drop of the same kind that happens elsewhere gives the list back,
//! and so do the end of a page pool, of a net device, and of the driver ([`flush`]): nothing waits
//! for ever. The list needs no memory of its own: each link is in the page or frame that waits.

use core::{
    ptr::NonNull,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    },
};
use kernel::prelude::*;

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/later.rs"]
mod test;

/// Gives back all that waits, of any kind. Process context: whoever ends something calls this last,
/// as nothing may be dropped any more that would give back what is in the lists.
pub(crate) fn flush() {
    PAGES.flush();
    FRAMES.flush();
    BULKS.flush();
}

/// What may have to wait.
pub(crate) trait Deferred: Sized {
    /// Gives it back; returns false, and does nothing, if interrupts are off.
    ///
    /// # Safety
    ///
    /// The caller owns it. If this returns true, it is given up.
    unsafe fn give_back(this: NonNull<Self>) -> bool;

    /// A place in its memory for a pointer, for as long as it waits.
    ///
    /// # Safety
    ///
    /// The caller owns it.
    unsafe fn link(this: NonNull<Self>) -> NonNull<*mut Self>;
}

/// A list of what waits.
///
/// # Invariants
///
/// It owns what it points to, and what the link of that points to, and so on.
pub(crate) struct Later<T>(AtomicPtr<T>);

impl<T: Deferred> Later<T> {
    /// Nothing waits.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Gives `what` back, and all that waits. With interrupts off, adds it to the list instead. Any
    /// context.
    ///
    /// # Safety
    ///
    /// The caller owns it, and gives it up.
    #[inline]
    pub(crate) unsafe fn give_back(&self, what: NonNull<T>) {
        // SAFETY: The caller owns `what` and gives it up, by the requirements of this function.
        if !unsafe { T::give_back(what) } {
            self.push(what);
        } else if !self.is_empty() {
            self.flush();
        }
    }

    /// Nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Takes over what the caller owns.
    #[cold]
    fn push(&self, what: NonNull<T>) {
        // SAFETY: `what` is ours.
        let link = unsafe { T::link(what) };
        let mut first = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: The link is a place for a pointer, which nobody else has.
            unsafe { link.write(first) };
            // Release: the link is written before anyone sees it. INVARIANT: it is owned from here on.
            match self.0.compare_exchange_weak(
                first,
                what.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(other) => first = other,
            }
        }
    }

    /// Gives back what waits. With interrupts off, it goes on waiting.
    #[cold]
    pub(crate) fn flush(&self) {
        // Acquire: the links were written before. INVARIANT: the list is empty, and its contents ours.
        let mut next = self.0.swap(core::ptr::null_mut(), Ordering::Acquire);
        while let Some(what) = NonNull::new(next) {
            // SAFETY: `what` is ours, with its link, which is read before it is given up.
            unsafe {
                next = T::link(what).read();
                if !T::give_back(what) {
                    self.push(what);
                }
            }
        }
    }
}

/// Pages of pools that were dropped with interrupts off.
pub(crate) static PAGES: Later<netbind::page> = Later::new();

/// Here: a page of a pool.
impl Deferred for netbind::page {
    #[inline]
    unsafe fn give_back(this: NonNull<Self>) -> bool {
        // SAFETY: The caller owns the page and gives it up if this succeeds, by the requirements of
        // the trait. It belongs to a pool, as all pages of `PAGES` do.
        unsafe { netbind::page_pool_put(this.as_ptr()) }
    }

    unsafe fn link(this: NonNull<Self>) -> NonNull<*mut Self> {
        // SAFETY: The page is valid, and so is its address, which is not NULL. What is in it is
        // nobody's any more.
        unsafe { NonNull::new_unchecked(netbind::page_memory(this.as_ptr()).cast()) }
    }
}

/// Pages of frames of XDP that were to go back together, and were dropped with interrupts off. A page that
/// another device has a part of has no place for a link: their boxes are linked.
pub(crate) static BULKS: Later<Together> = Later::new();

/// Pages that go back together, and the next of those that wait for interrupts to be on. In a box.
pub(crate) struct Together {
    pub(crate) bulk: netbind::xdp_frame_bulk,
    next: *mut Self,
}

impl Together {
    /// There are no pages.
    pub(crate) fn none() -> Self {
        Self {
            bulk: netbind::xdp_frame_bulk::default(),
            next: core::ptr::null_mut(),
        }
    }
}

/// Here: a box of pages.
impl Deferred for Together {
    unsafe fn give_back(this: NonNull<Self>) -> bool {
        // SAFETY: The caller owns the box with the pages in it, by the requirements of the trait. The
        // callee looks whether interrupts are on, and does nothing otherwise; pools may be locked in any
        // other context.
        if !unsafe { netbind::xdp_flush_bulk(&mut (*this.as_ptr()).bulk) } {
            return false;
        }
        // SAFETY: The caller has given up the box, which `Bulk` has leaked, by the requirements of the
        // trait. There are no pages in it any more.
        drop(unsafe { KBox::from_raw(this.as_ptr()) });
        true
    }

    unsafe fn link(this: NonNull<Self>) -> NonNull<*mut Self> {
        // SAFETY: The box is valid. The field is for nothing else.
        unsafe { NonNull::from(&mut (*this.as_ptr()).next) }
    }
}

/// Frames of XDP that were dropped with interrupts off.
pub(crate) static FRAMES: Later<netbind::xdp_frame> = Later::new();

impl Deferred for netbind::xdp_frame {
    #[inline]
    unsafe fn give_back(this: NonNull<Self>) -> bool {
        // SAFETY: The caller owns the frame and gives it up if this succeeds, by the requirements
        // of the trait.
        unsafe { netbind::xdp_give_back(this.as_ptr()) }
    }

    unsafe fn link(this: NonNull<Self>) -> NonNull<*mut Self> {
        // SAFETY: The frame is valid. The field is for who has the frame, and nothing that gives one back
        // looks at it.
        unsafe { NonNull::from(&mut (*this.as_ptr()).dev_rx).cast() }
    }
}
