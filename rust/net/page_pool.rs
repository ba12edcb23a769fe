// SPDX-License-Identifier: GPL-2.0

//! Recycled, DMA-mapped pages for received packets.
//!
//! C header: [`include/net/page_pool/helpers.h`](srctree/include/net/page_pool/helpers.h)

use crate::{
    napi,
    skb::{
        RxMeta,
        RxSkb, //
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    device,
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*, //
};

/// Bytes in front of the packet, for the headers a protocol may push: what XDP programs are
/// promised (`XDP_PACKET_HEADROOM`), which is more than `NET_SKB_PAD`. A page has room to spare, so
/// there is no other layout for devices without a program.
pub const HEADROOM: u32 = 256;

/// Bytes of a page a device may write: what is left when the headroom and the shared info at the
/// end of an skb are taken away.
pub const ROOM: u32 = {
    let tail = (size_of::<netbind::skb_shared_info>() + 63) & !63;
    // CAST: a page is far smaller than 4 GiB.
    (PAGE_SIZE - tail) as u32 - HEADROOM
};

/// Geometry of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Pages the pool keeps for reuse: as many as the ring has descriptors.
    pub pages: u32,
    /// Bytes a device may write into one page; at most [`ROOM`].
    pub buffer_len: u32,
    /// The receive queue the pool serves.
    pub queue: u32,
}

/// A `struct page_pool` of order-0 pages, mapped for the device to write.
///
/// The pool serves one receive ring: allocation takes `&mut self`. Pages may be freed anywhere
/// and after the pool is gone; the kernel keeps what it needs until the last one is back.
///
/// # Invariants
///
/// The pointer is to a page pool this value owns.
///
/// # Examples
///
/// ```ignore
/// let mut pool = PagePool::new(dev, napi, Config { pages: 256, buffer_len: 2048, queue: 0 })?;
/// let buffer = pool.alloc().ok_or(ENOMEM)?;
/// ring.offer(buffer.dma_addr());
/// ```
pub struct PagePool {
    ptr: NonNull<netbind::page_pool>,
}

// SAFETY: a pool may be used from any CPU, by one user at a time.
unsafe impl Send for PagePool {}

impl PagePool {
    /// Creates a pool for the ring that `napi` polls. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the buffers do not fit a page, `ENOMEM`.
    pub fn new(dev: &device::Device, napi: &napi::Setup<'_>, config: Config) -> Result<Self> {
        if config.buffer_len > ROOM {
            return Err(EINVAL);
        }
        // SAFETY: device and NAPI are valid, and outlive the pool: `napi::Napi` drops what it polls
        // before itself, and holds the net device.
        let ptr = from_err_ptr(unsafe {
            netbind::page_pool_create_for(
                core::ptr::from_ref(dev).cast_mut().cast(),
                napi.as_ptr(),
                config.pages,
                HEADROOM,
                config.buffer_len,
                config.queue,
            )
        })?;
        // INVARIANT: the pool was just created for us.
        Ok(Self {
            ptr: NonNull::new(ptr).ok_or(ENOMEM)?,
        })
    }

    pub(crate) fn as_ptr(&self) -> *mut netbind::page_pool {
        self.ptr.as_ptr()
    }

    /// Takes a page, recycled if possible. Softirq or process context; does not sleep.
    #[inline]
    pub fn alloc(&mut self) -> Option<RxPage> {
        let mut dma = 0;
        // SAFETY: the pool is ours, and `&mut self` is the exclusion its allocator wants.
        let page = unsafe { netbind::page_pool_alloc(self.ptr.as_ptr(), &mut dma) };
        // INVARIANT: the page is ours, and mapped at `dma`.
        Some(RxPage {
            page: NonNull::new(page)?,
            dma: dma.wrapping_add(u64::from(HEADROOM)),
        })
    }
}

impl Drop for PagePool {
    fn drop(&mut self) {
        // SAFETY: the pool is ours; pages still out keep its memory alive.
        unsafe { netbind::page_pool_destroy(self.ptr.as_ptr()) };
    }
}

/// A page of a pool, owned: offered to the device or holding what it wrote.
///
/// Dropping it gives the page back to its pool, from any context.
///
/// # Invariants
///
/// `page` belongs to a page pool and is owned by this value; the device sees byte
/// [`HEADROOM`] of it at address `dma`.
pub struct RxPage {
    page: NonNull<netbind::page>,
    dma: u64,
}

// SAFETY: pages may be given back to their pool from any context.
unsafe impl Send for RxPage {}

impl RxPage {
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::page {
        self.page.as_ptr()
    }

    /// Where the device finds the buffer.
    #[inline]
    pub fn dma_addr(&self) -> u64 {
        self.dma
    }

    /// Makes a packet of the `len` bytes the device wrote. `len` is cut to [`ROOM`].
    ///
    /// Softirq context. `None`: no memory; the page is back in its pool.
    #[inline]
    pub fn into_skb(self, len: u32) -> Option<RxSkb> {
        // CAST: a page is far smaller than 4 GiB.
        let truesize = PAGE_SIZE as u32;
        // SAFETY: the page is ours by the type invariants, the data fits by the `min`, and the
        // pool's buffers leave room for the shared info.
        let skb =
            unsafe { netbind::rx_build(self.page.as_ptr(), HEADROOM, len.min(ROOM), truesize) };
        let skb = NonNull::new(skb)?;
        // The skb owns the page now.
        let _ = ManuallyDrop::new(self);
        // SAFETY: the skb is new and ours.
        Some(unsafe { RxSkb::from_raw(skb) })
    }

    /// Adds the `len` bytes the device wrote to a packet. `len` is cut to [`ROOM`].
    ///
    /// # Errors
    ///
    /// `ENOSPC`: the packet has as many fragments as it can have; the page is back in its pool.
    #[inline]
    pub fn append_to(self, skb: &mut RxSkb, len: u32) -> Result {
        if !skb.has_room() {
            return Err(ENOSPC);
        }
        let page = ManuallyDrop::new(self);
        // SAFETY: the page was ours and becomes the skb's, which has room for it; the skb is not
        // shared.
        unsafe {
            netbind::rx_add_frag(
                skb.as_ptr(),
                page.page.as_ptr(),
                HEADROOM,
                len.min(ROOM),
                // CAST: as above.
                PAGE_SIZE as u32,
            )
        };
        Ok(())
    }
}

impl Drop for RxPage {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the page is ours and belongs to a pool, by the type invariants.
        unsafe { netbind::page_pool_put(self.page.as_ptr()) };
    }
}

impl napi::Context<'_> {
    /// Hands a complete packet to the stack (GRO).
    #[inline]
    pub fn receive(&mut self, skb: RxSkb, queue: u32, meta: RxMeta) {
        let (flags, hash, vlan_tci) = meta.parts();
        // SAFETY: the context exists only while its NAPI is being polled on this CPU; the skb is
        // ours and given up. An skb without a MAC header is padded by no one: the callee reads
        // 14 bytes, which the buffer has.
        unsafe {
            netbind::rx_deliver(
                self.as_ptr(),
                skb.into_raw().as_ptr(),
                queue,
                flags,
                hash,
                vlan_tci,
            )
        };
    }
}

#[kunit_tests(net_page_pool)]
mod tests {
    use super::*;
    use crate::kunit::{
        register,
        Counter,
        Dummy,
        Owner,
        Parent,
        QUEUES, //
    };
    use crate::{
        device::Registration,
        rtnl, //
    };

    /// What a test does with its pool, in the context it is made for: a poll. The result is
    /// whether all of it was as expected.
    type Step = fn(&mut PagePool) -> bool;

    struct Once {
        pool: PagePool,
        step: Step,
        good: Owner,
    }

    impl napi::Poll for Once {
        type Rearm = Owner;

        fn poll(&mut self, _cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
            if (self.step)(&mut self.pool) {
                self.good.count();
            }
            0
        }

        fn rearm(rearm: &Owner) {
            rearm.count();
        }
    }

    fn config(buffer_len: u32) -> Config {
        Config {
            pages: 64,
            buffer_len,
            queue: 0,
        }
    }

    fn napi(
        parent: &Parent,
        dev: &Registration<Dummy>,
        counters: (&Counter, &Counter),
        step: Step,
        config: Config,
    ) -> Result<napi::Napi<Once>> {
        let _rtnl = rtnl::lock();
        napi::Napi::new(dev, 0, counters.1.owner(), |setup| {
            Ok(Once {
                pool: PagePool::new(parent.device(), setup, config)?,
                step,
                good: counters.0.owner(),
            })
        })
    }

    /// Whether `step` is content with what it finds in a poll.
    fn holds_in_a_poll(step: Step) -> Result<bool> {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let (good, done) = (Counter::new()?, Counter::new()?);
        let mut napi = napi(&parent, &dev, (&good, &done), step, config(2048))?;
        napi.enable();
        napi.scheduler().schedule();
        let ended = done.reaches(1);
        let _rtnl = rtnl::lock();
        drop(napi);
        Ok(ended && good.get() == 1)
    }

    #[test]
    fn a_page_given_back_is_used_again() -> Result {
        assert!(holds_in_a_poll(|pool| {
            let Some(first) = pool.alloc() else {
                return false;
            };
            let address = first.dma_addr();
            drop(first);
            pool.alloc()
                .is_some_and(|again| again.dma_addr() == address)
        })?);
        Ok(())
    }

    #[test]
    fn a_packet_owns_its_pages_and_gives_them_back() -> Result {
        assert!(holds_in_a_poll(|pool| {
            let (Some(first), Some(second)) = (pool.alloc(), pool.alloc()) else {
                return false;
            };
            let addresses = [first.dma_addr(), second.dma_addr()];
            let Some(mut skb) = first.into_skb(100) else {
                return false;
            };
            if second.append_to(&mut skb, 28).is_err() || skb.len() != 128 {
                return false;
            }
            let held = pool
                .alloc()
                .is_some_and(|other| !addresses.contains(&other.dma_addr()));
            drop(skb);
            held && pool
                .alloc()
                .is_some_and(|again| addresses.contains(&again.dma_addr()))
        })?);
        Ok(())
    }

    #[test]
    fn a_full_packet_takes_no_more() -> Result {
        assert!(holds_in_a_poll(|pool| {
            let Some(mut skb) = pool.alloc().and_then(|page| page.into_skb(100)) else {
                return false;
            };
            while skb.has_room() {
                let Some(page) = pool.alloc() else {
                    return false;
                };
                if page.append_to(&mut skb, 100).is_err() {
                    return false;
                }
            }
            pool.alloc()
                .is_some_and(|page| page.append_to(&mut skb, 100).is_err())
        })?);
        Ok(())
    }

    #[test]
    fn a_buffer_longer_than_a_page_is_refused() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let counters = (Counter::new()?, Counter::new()?);
        let refused = napi(
            &parent,
            &dev,
            (&counters.0, &counters.1),
            |_| true,
            config(ROOM + 1),
        );
        assert!(refused.is_err());
        assert_eq!(counters.1.owners(), 0);
        Ok(())
    }
}
