// SPDX-License-Identifier: GPL-2.0

//! Recycled, DMA-mapped pages for received packets.
//!
//! C header: [`include/net/page_pool/helpers.h`](srctree/include/net/page_pool/helpers.h)

use crate::{
    binding, later,
    memory::Instance,
    napi,
    skb::{
        RxMeta,
        RxSkb, //
    },
};
use core::{
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ptr::NonNull, //
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

mod places;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/page_pool.rs"]
mod test;

pub use self::places::{
    Oldest,
    RxPages, //
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
/// The pool serves one receive ring: allocation takes proof of nobody else polling it. Pages may be
/// freed anywhere and after the pool is gone; the kernel keeps what it needs until the last one is
/// back.
///
/// A page is only taken in the poll of the pool's NAPI instance, or while that is made:
///
/// ```
/// use net::{napi::Context, page_pool::{PagePool, RxPage}};
///
/// fn take(cx: &Context<'_>, pool: &mut PagePool) -> Option<RxPage> {
///     pool.alloc(cx)
/// }
/// ```
///
/// ```compile_fail,E0277
/// use net::{napi::TxContext, page_pool::{PagePool, RxPage}};
///
/// fn take(cx: &TxContext<'_>, pool: &mut PagePool) -> Option<RxPage> {
///     pool.alloc(cx)
/// }
/// ```
///
/// The kernel's pool belongs to the instance, which destroys it when it has been polled for the last
/// time. So this may be dropped anywhere, and be kept by anything.
///
/// # Invariants
///
/// The pointer is to a page pool whose NAPI is `napi`, which is that of `instance`. The pool is there
/// for as long as that has not ended, and nobody else allocates from it.
///
/// # Examples
///
/// ```
/// use kernel::{device::{Bound, Device}, prelude::*};
/// use net::{napi::Setup, page_pool::{Config, PagePool, RxPage}};
///
/// /// The device is told where the page is: `RxPage::dma_addr`.
/// fn first(dev: &Device<Bound>, setup: &Setup) -> Result<(PagePool, RxPage)> {
///     let config = Config { pages: 256, buffer_len: 2048, queue: 0 };
///     let mut pool = PagePool::new(dev, setup, config)?;
///     let page = pool.alloc(setup).ok_or(ENOMEM)?;
///     Ok((pool, page))
/// }
/// ```
pub struct PagePool {
    ptr: NonNull<netbind::page_pool>,
    napi: *mut netbind::napi_struct,
    /// So that there is no other at the same address.
    _instance: Arc<dyn Instance>,
}

// SAFETY: A pool may be used from any CPU, by one user at a time.
unsafe impl Send for PagePool {}

impl PagePool {
    /// Creates a pool for the ring that the instance of `setup` polls; `dev` is the parent of its
    /// net device. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the buffers do not fit a page, or if `dev` is another device; `ENOMEM`.
    pub fn new(dev: &device::Device<Bound>, setup: &napi::Setup, config: Config) -> Result<Self> {
        if config.buffer_len > ROOM {
            return Err(EINVAL);
        }
        let dev = binding::raw(dev);
        // SAFETY: The net device is registered, as its instance is being made under RTNL.
        if unsafe { (*setup.device()).dev.parent } != dev {
            // The pool would unmap pages of a device that may be unbound by then.
            return Err(EINVAL);
        }
        let instance = setup.instance();
        let napi = instance.as_ptr();
        // SAFETY: Device and NAPI are valid, and outlive the pool: it holds a reference to the one, and
        // belongs to the other.
        let ptr = from_err_ptr(unsafe {
            netbind::page_pool_create_for(
                dev,
                napi,
                config.pages,
                HEADROOM,
                config.buffer_len,
                config.queue,
            )
        })?;
        let ptr = NonNull::new(ptr).ok_or(ENOMEM)?;
        // INVARIANT: the pool was just created for us.
        setup.keep(KBox::new(Created(ptr), GFP_KERNEL)?)?;
        Ok(Self {
            ptr,
            napi,
            _instance: instance,
        })
    }

    pub(crate) fn as_ptr(&self) -> *mut netbind::page_pool {
        self.ptr.as_ptr()
    }

    /// The allocator may be used by who has `cx`. The stack puts pages into its cache in the polls
    /// of its NAPI instance, without a lock.
    #[inline]
    pub(crate) fn is_polled_by(&self, cx: &impl napi::Exclusive) -> bool {
        napi::polled(cx) == self.napi
    }

    /// Takes a page, recycled if possible. In a poll of the pool's NAPI instance, or while that is
    /// made; does not sleep.
    ///
    /// `None` if there is no memory, or `cx` is of another instance.
    #[inline]
    pub fn alloc(&mut self, cx: &impl napi::Exclusive) -> Option<RxPage> {
        if !self.is_polled_by(cx) {
            return None;
        }
        let mut dma = 0;
        // SAFETY: The pool is ours, and nobody else polls its NAPI instance: that is the exclusion
        // its allocator wants.
        let page = unsafe { netbind::page_pool_alloc(self.ptr.as_ptr(), &mut dma) };
        // INVARIANT: the page is ours, and mapped at `dma`.
        Some(RxPage {
            page: NonNull::new(page)?,
            dma: dma.wrapping_add(u64::from(HEADROOM)),
        })
    }
}

/// A page pool, as the instance keeps it whose pool it is.
///
/// # Invariants
///
/// The pointer is to a page pool this owns.
struct Created(NonNull<netbind::page_pool>);

// SAFETY: A pool may be destroyed by any thread, which is all that is done with it here.
unsafe impl Send for Created {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for Created {}

impl Drop for Created {
    fn drop(&mut self) {
        later::PAGES.flush();
        // SAFETY: The pool is ours, and nobody polls its NAPI; pages still out keep its memory alive.
        unsafe { netbind::page_pool_destroy(self.0.as_ptr()) };
    }
}

/// A page of a pool, owned: offered to the device or holding what it wrote.
///
/// Dropping it gives the page back to its pool. Any context: where interrupts are off, it waits for
/// that.
///
/// A packet is made of it in a poll with a budget, as it may come from a cache that polls share:
///
/// ```
/// use net::{napi::Context, page_pool::RxPage, skb::RxSkb};
///
/// fn make(cx: &Context<'_>, page: RxPage) -> Option<RxSkb> {
///     page.into_skb(cx, 60)
/// }
/// ```
///
/// ```compile_fail,E0308
/// use net::{napi::TxContext, page_pool::RxPage, skb::RxSkb};
///
/// fn make(cx: &TxContext<'_>, page: RxPage) -> Option<RxSkb> {
///     page.into_skb(cx, 60)
/// }
/// ```
///
/// # Invariants
///
/// `page` belongs to a page pool and is owned by this value; the device sees byte
/// [`HEADROOM`] of it at address `dma`.
pub struct RxPage {
    page: NonNull<netbind::page>,
    dma: u64,
}

// SAFETY: Pages may be given back to their pool by any thread.
unsafe impl Send for RxPage {}

impl RxPage {
    /// The page of a place.
    ///
    /// # Safety
    ///
    /// There is one, as [`RxPage`] has it, and nobody else owns it.
    #[inline]
    pub(crate) unsafe fn from_place(place: &netbind::nbh_rx_place) -> Self {
        // INVARIANT: by the requirements of this function.
        Self {
            // SAFETY: There is a page.
            page: unsafe { NonNull::new_unchecked(place.page) },
            dma: place.dma,
        }
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::page {
        self.page.as_ptr()
    }

    /// Where the page begins for the CPU.
    #[inline]
    pub(crate) fn memory(&self) -> *mut core::ffi::c_void {
        // SAFETY: The page is valid, by the type invariants.
        unsafe { netbind::page_memory(self.as_ptr()) }
    }

    /// Where the device finds the buffer.
    #[inline]
    pub fn dma_addr(&self) -> u64 {
        self.dma
    }

    /// Copies the bytes the device wrote, from `offset` on, to `out`. Returns whether there is room
    /// for as many in a page. Any context.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        let len = match u32::try_from(out.len()) {
            Ok(len) if offset <= ROOM && len <= ROOM.wrapping_sub(offset) => len,
            _ => return false,
        };
        // SAFETY: The page is ours by the type invariants, and has as many bytes behind the
        // headroom, as was checked; so has `out`.
        unsafe {
            netbind::rx_copy(
                self.page.as_ptr(),
                HEADROOM,
                offset,
                len,
                out.as_mut_ptr().cast(),
            )
        };
        true
    }

    /// Makes a packet of the `len` bytes the device wrote. `len` is cut to [`ROOM`].
    ///
    /// `None`: no memory; the page is back in its pool.
    #[inline]
    pub fn into_skb(self, _cx: &napi::Context<'_>, len: u32) -> Option<RxSkb> {
        // SAFETY: The page is ours by the type invariants, the data fits by the `min`, and the
        // pool's buffers leave room for the shared info. We are in a poll, whose cache of skbs may
        // be used.
        let skb = unsafe { netbind::rx_build(self.page.as_ptr(), HEADROOM, len.min(ROOM)) };
        let skb = NonNull::new(skb)?;
        // The skb owns the page now.
        let _ = ManuallyDrop::new(self);
        // SAFETY: The skb is new and ours.
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
        // SAFETY: The page was ours and becomes the skb's, which has room for it; the skb is not
        // shared.
        unsafe {
            netbind::rx_add_frag(
                skb.as_ptr(),
                page.page.as_ptr(),
                HEADROOM,
                len.min(ROOM),
                // CAST: a page is far smaller than 4 GiB.
                PAGE_SIZE as u32,
            )
        };
        Ok(())
    }
}

/// A page of which nothing is wanted any more, and that the device may write again as it is: no cache has
/// to be told, and it is no page to be kept for emergencies. [`RxPages::put_back`] offers it again; dropping
/// it gives it back to its pool.
pub struct Reusable(RxPage);

impl Reusable {
    /// That of `page`, which is so.
    #[inline]
    pub(crate) fn new(page: RxPage) -> Self {
        Self(page)
    }

    /// It, for a place.
    #[inline]
    pub(crate) fn into_place(self) -> netbind::nbh_rx_place {
        let page = ManuallyDrop::new(self.0);
        netbind::nbh_rx_place {
            page: page.page.as_ptr(),
            dma: page.dma,
        }
    }
}

impl Drop for RxPage {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The page is ours and belongs to a pool, by the type invariants.
        unsafe { later::PAGES.give_back(self.page) };
    }
}

impl napi::Context<'_> {
    /// Hands a complete packet to the stack (GRO). One whose first buffer does not hold the MAC header
    /// is dropped.
    #[inline]
    pub fn receive(&mut self, skb: RxSkb, queue: u16, meta: RxMeta) {
        if skb.head_len() < netbind::ETH_HLEN {
            return;
        }
        // SAFETY: The context exists only while its NAPI is being polled on this CPU; the skb is
        // ours and given up. The callee takes the MAC header out of the linear part, which has it.
        let multicast = unsafe {
            netbind::rx_deliver(self.as_ptr(), skb.into_raw().as_ptr(), meta.on_queue(queue))
        };
        self.count_multicast(multicast.into());
    }

    /// Hands the packets of a batch, whose pages are `pool`'s, to the stack, in order, and leaves it
    /// empty.
    ///
    /// Returns how many of the latest were lost, as there was no memory, or as `pool` is that of another
    /// instance.
    #[inline]
    pub fn receive_batch(&mut self, pool: &PagePool, batch: &mut RxBatch) -> u32 {
        if !pool.is_polled_by(self) {
            return core::mem::take(batch).count;
        }
        let count = core::mem::take(&mut batch.count);
        // SAFETY: The context exists only while its NAPI is being polled on this CPU. The first
        // `count` frames are initialised, and own their pages, which the callee takes; the data
        // fits, by the invariants of `RxBatch`. Of a packet shorter than a MAC header it reads that
        // many bytes of the page, and takes none away. The pool is valid, as its instance is
        // polled. Pages of another one, whose device needs more, might be seen as they were before
        // that device wrote them.
        let outcome = unsafe {
            netbind::rx_receive(
                self.as_ptr(),
                pool.ptr.as_ptr(),
                batch.frames.as_ptr().cast(),
                count,
                HEADROOM,
            )
        };
        self.count_multicast(outcome.multicast);
        outcome.lost
    }
}

/// Received packets of one page each, that go to the stack together.
///
/// # Invariants
///
/// The first `count` frames are initialised; each owns its page, as [`RxPage`] does, and has at most
/// [`ROOM`] bytes.
pub struct RxBatch {
    frames: Frames,
    count: u32,
}

/// Room for frames; left uninitialised as a whole, or each poll would begin with a `memset()`.
type Frames = [MaybeUninit<netbind::nbh_rx_frame>; netbind::NBH_RX_BATCH as usize];

impl Default for RxBatch {
    /// An empty batch.
    #[inline]
    fn default() -> Self {
        let frames = MaybeUninit::<Frames>::uninit();
        // INVARIANT: there are no frames.
        Self {
            // SAFETY: An array of what need not be initialised need not be either.
            frames: unsafe { frames.assume_init() },
            count: 0,
        }
    }
}

impl RxBatch {
    /// There are no packets.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// There is no room for another.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.count >= netbind::NBH_RX_BATCH
    }

    /// The frames, and how many there are.
    #[inline]
    pub(crate) fn room(&mut self) -> (*mut netbind::nbh_rx_frame, u32) {
        (self.frames.as_mut_ptr().cast(), self.count)
    }

    /// There are `count` packets now, for `queue`; `describe` says what is known of those that were not there
    /// before, by their number.
    ///
    /// # Safety
    ///
    /// There is room for so many. Pages and lengths of the new ones have been filled in; each owns its page,
    /// which belongs to a pool, and has at most [`ROOM`] bytes.
    #[inline]
    pub(crate) unsafe fn filled(
        &mut self,
        count: u32,
        queue: u16,
        mut describe: impl FnMut(u32) -> RxMeta,
    ) {
        for i in self.count..count {
            if let Some(frame) = self.frames.get_mut(i as usize) {
                // SAFETY: The rest of the frame is initialised, by the requirements of this function.
                unsafe { (*frame.as_mut_ptr()).meta = describe(i).on_queue(queue) };
            }
        }
        // INVARIANT: by the requirements of this function.
        self.count = count;
    }

    /// Adds a packet: `len` bytes of a page (cut to [`ROOM`]).
    ///
    /// Returns whether the batch is full: a packet added then is lost.
    #[inline]
    pub fn push(&mut self, page: RxPage, len: u32, queue: u16, meta: RxMeta) -> bool {
        if let Some(frame) = self.frames.get_mut(self.count as usize) {
            // INVARIANT: the frame owns the page from here on.
            frame.write(netbind::nbh_rx_frame {
                page: ManuallyDrop::new(page).page.as_ptr(),
                len: len.min(ROOM),
                meta: meta.on_queue(queue),
            });
            self.count = self.count.wrapping_add(1);
        }
        self.is_full()
    }
}

impl Drop for RxBatch {
    #[inline]
    fn drop(&mut self) {
        for frame in self.frames.iter().take(self.count as usize) {
            // SAFETY: The frame is initialised and owns its page, which belongs to a pool.
            unsafe { later::PAGES.give_back(NonNull::new_unchecked((*frame.as_ptr()).page)) };
        }
    }
}
