// SPDX-License-Identifier: GPL-2.0

//! The end of a pool that sends.

use super::{
    claim,
    Pool, //
};
use crate::{
    memory::{
        Instance,
        Waking, //
    },
    napi, //
};
use core::cell::UnsafeCell;
use kernel::{
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu,
        Arc, //
    }, //
};

/// The sending end of a [`Pool`].
///
/// May be dropped wherever [`Poll::Rearm`](napi::Poll::Rearm) of its instance may be, as the last
/// reference to the instance may go with it; before the instance has ended or after, which is what
/// reports the frames that were not sent.
///
/// # Invariants
///
/// There is one for `sent`. `napi` is that of `instance`, whose end reports what is outstanding.
pub struct Tx {
    sent: Arc<Outstanding>,
    napi: *mut netbind::napi_struct,
    /// What the sockets were told last: whether they have to wake the driver.
    told: Option<bool>,
    /// So that there is no other at the same address.
    _instance: Arc<dyn Instance>,
}

// SAFETY: An end of a pool may be used by any thread that polls its instance.
unsafe impl Send for Tx {}

/// Frames that were taken from sockets and not reported as sent: their number.
///
/// # Invariants
///
/// The number is only used in polls of the instance that was made with this, while it is made, and when
/// it has ended. It is not larger than what is reserved in the completion ring of the pool.
struct Outstanding {
    pool: Pool,
    count: UnsafeCell<u32>,
}

// SAFETY: By the type invariants there is one user at a time.
unsafe impl Send for Outstanding {}
// SAFETY: The same.
unsafe impl Sync for Outstanding {}

/// An [`Outstanding`] as its instance keeps it. Its drop gives the sockets back what was not sent.
struct Unsent {
    sent: Arc<Outstanding>,
    _waking: Waking,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let shared = &self.sent.pool.0;
        // SAFETY: The instance has ended: nobody else uses it.
        let count = core::mem::take(unsafe { &mut *self.sent.count.get() });
        {
            let _rcu = rcu::read_lock();
            if !shared.is_over() {
                if count != 0 {
                    // SAFETY: The pool is not over, in an RCU read side; so many are reserved.
                    unsafe { netbind::xsk_tx_completed(shared.as_ptr(), count) };
                }
                if shared.need_wakeup {
                    // Nothing is outstanding whose report leads to a poll: who sends has to wake
                    // the next instance.
                    // SAFETY: The pool is not over, in an RCU read side. The instance has ended:
                    // nobody else says so.
                    unsafe { netbind::xsk_ask_tx(shared.as_ptr()) };
                }
            }
        }
        shared.sends.store(false, Relaxed);
    }
}

/// Frames that sockets want sent, as [`Tx::take`] has taken them.
///
/// # Invariants
///
/// There are `count` valid descriptors at `descs`, of a pool that was not over in this poll, which has
/// them until the next are taken.
pub(crate) struct Batch<'a> {
    descs: *const netbind::xdp_desc,
    count: u32,
    pool: &'a Pool,
}

impl Tx {
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the pool is that of another queue than the instance's, `ENODEV` if it is over, `EBUSY`
    /// if it has a sending end; `ENOMEM`.
    pub fn new(setup: &napi::Setup, pool: &Pool) -> Result<Self> {
        let sent = Arc::new(
            Outstanding {
                pool: pool.clone(),
                count: UnsafeCell::new(0),
            },
            GFP_KERNEL,
        )?;
        let room = KBox::<Unsent>::new_uninit(GFP_KERNEL)?;
        claim(setup, &pool.0, &pool.0.sends)?;
        // From here on, dropping this cleans up.
        let unsent = KBox::write(
            room,
            Unsent {
                sent: sent.clone(),
                _waking: setup.waking(),
            },
        );
        setup.keep(unsent)?;
        let instance = setup.instance();
        // INVARIANT: just made.
        Ok(Self {
            sent,
            napi: instance.as_ptr(),
            told: None,
            _instance: instance,
        })
    }

    /// The pool, if it is not over, and the number of frames outstanding, for who polls the instance.
    #[inline]
    fn parts(&mut self, cx: &napi::Context<'_>) -> Option<(&Pool, &mut u32)> {
        let sent = &*self.sent;
        if cx.as_ptr() != self.napi || sent.pool.0.is_over() {
            return None;
        }
        // SAFETY: This is the only `Tx` of the pool, and borrowed for as long, in a poll of the instance.
        Some((&sent.pool, unsafe { &mut *sent.count.get() }))
    }

    /// Takes up to `most` frames from the sockets. They count as outstanding until they are reported.
    /// `None` if the pool is over, or in the poll of another instance.
    #[inline]
    pub(crate) fn take(&mut self, cx: &napi::Context<'_>, most: u32) -> Option<Batch<'_>> {
        let (pool, outstanding) = self.parts(cx)?;
        let raw = pool.0.as_ptr();
        // SAFETY: The pool is not over, in a poll, and nobody else takes frames of it.
        let count = unsafe { netbind::xsk_tx_peek_release_desc_batch(raw, most) };
        // INVARIANT: the pool has reserved that many more.
        *outstanding = outstanding.wrapping_add(count);
        // SAFETY: The pool is valid.
        let descs = unsafe { (*raw).tx_descs };
        if count != 0 {
            // SAFETY: The pool has put so many there, and is not over.
            unsafe { netbind::xsk_tx_sync(raw, descs, count) };
        }
        // INVARIANT: the pool has put them there.
        Some(Batch { descs, count, pool })
    }

    /// Reports `count` frames as sent, those that were taken first. More than were taken count as
    /// these. In a poll of the instance.
    #[inline]
    pub fn completed(&mut self, cx: &napi::Context<'_>, count: u32) {
        let Some((pool, outstanding)) = self.parts(cx) else {
            return;
        };
        let count = count.min(*outstanding);
        if count != 0 {
            *outstanding = outstanding.wrapping_sub(count);
            // SAFETY: The pool is not over, in a poll; so many are reserved, and nobody else reports.
            unsafe { netbind::xsk_tx_completed(pool.0.as_ptr(), count) };
        }
    }

    /// Says whether the sockets have to wake the driver when they have something to send: they
    /// need not while frames are outstanding, whose report leads to a poll. To be called before
    /// frames are taken, and after: what a socket that was told before it was true has put there,
    /// is taken then. In a poll of the instance.
    #[inline]
    pub fn update_need_wakeup(&mut self, cx: &napi::Context<'_>) {
        let told = self.told;
        let Some((pool, outstanding)) = self.parts(cx) else {
            return;
        };
        let needed = *outstanding == 0;
        if !pool.0.need_wakeup || told == Some(needed) {
            return;
        }
        // SAFETY: The pool is not over, in a poll, and nobody else says so.
        unsafe {
            if needed {
                netbind::xsk_ask_tx(pool.0.as_ptr());
            } else {
                netbind::xsk_clear_tx_need_wakeup(pool.0.as_ptr());
            }
        }
        self.told = Some(needed);
    }
}

impl Batch<'_> {
    /// Their number.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    /// Calls `f` with `count` frames from number `first` on, and as many as there are: their numbers from there,
    /// where the device finds them, and their bytes.
    #[inline(always)]
    pub(crate) fn each(&self, first: u32, count: u32, mut f: impl FnMut(u32, u64, u32)) {
        let count = count.min(self.count.saturating_sub(first));
        let raw = self.pool.0.as_ptr();
        // SAFETY: The pool is valid.
        let (pages, unaligned) = unsafe { ((*raw).dma_pages, (*raw).unaligned) };
        for n in 0..count {
            // SAFETY: There is such a descriptor.
            let (addr, len) = unsafe {
                let desc = self.descs.add(first as usize).add(n as usize);
                ((*desc).addr, (*desc).len)
            };
            // What the kernel's function does where chunks are not anywhere.
            let dma = if unaligned {
                // SAFETY: The pool is mapped, and has checked the address.
                unsafe { netbind::xsk_tx_addr(raw, addr) }
            } else {
                // SAFETY: The same: it has mapped so many pages.
                let page = unsafe { *pages.add((addr >> PAGE_SHIFT) as usize) };
                // CAST: widens.
                let offset = addr & (PAGE_SIZE as u64).wrapping_sub(1);
                (page & !netbind::XSK_NEXT_PG_CONTIG_MASK).wrapping_add(offset)
            };
            f(n, dma, len);
        }
    }

    /// Frame number `n`, if there is one.
    pub(crate) fn frame(&self, n: u32) -> Option<Unmapped<'_>> {
        if n >= self.count {
            return None;
        }
        // SAFETY: There is such a descriptor.
        let desc = unsafe { &*self.descs.add(n as usize) };
        // INVARIANT: the pool has checked it.
        Some(Unmapped {
            addr: desc.addr,
            len: desc.len,
            pool: self.pool,
        })
    }
}

/// A frame that a socket wants sent.
///
/// # Invariants
///
/// `pool` is not over in this poll, and has `len` bytes at `addr`.
pub struct Unmapped<'a> {
    addr: u64,
    len: u32,
    pool: &'a Pool,
}

impl Unmapped<'_> {
    /// Its bytes. Not 0.
    #[inline]
    pub fn size(&self) -> u32 {
        self.len
    }

    /// Copies the bytes from `offset` on to `out`, as they are now: who has the socket may change them
    /// any time. Returns whether there are as many.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        match u32::try_from(out.len()) {
            Ok(len) if offset.checked_add(len).is_some_and(|end| end <= self.len) => {
                // SAFETY: By the type invariants the pool has these bytes; `out` is ours.
                unsafe {
                    netbind::xsk_tx_copy(
                        self.pool.0.as_ptr(),
                        self.addr,
                        offset,
                        len,
                        out.as_mut_ptr().cast(),
                    )
                };
                true
            }
            _ => false,
        }
    }
}
