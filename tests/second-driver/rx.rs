// SPDX-License-Identifier: GPL-2.0

//! The receive ring. Each descriptor offers a page, and a frame is in one page.

use crate::{
    hw::Io,
    netdev::Stats,
    regs::{
        self,
        rx_desc::{
            self,
            Status, //
        },
        Words, //
    },
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    prelude::*,
    sync::Arc, //
};
use net::{
    dma::{
        self,
        Coherent, //
    },
    mmio::Doorbell,
    napi,
    page_pool::{
        self,
        PagePool,
        RxPages, //
    },
    skb::RxMeta,
};

/// Descriptors; a power of two.
pub(crate) const DESCS: u32 = 256;
/// Bytes the controller may write into a page (RCTL).
const BUFFER_LEN: u32 = 2048;

const _: () = assert!(BUFFER_LEN <= page_pool::ROOM);

/// A receive ring. Used by one poll at a time.
pub(crate) struct RxRing {
    desc: Coherent<Words>,
    /// Those offered to the controller.
    pages: RxPages,
    pool: PagePool,
    tail: Doorbell,
    stats: Arc<Stats>,
}

impl RxRing {
    /// Allocates a ring and fills it with pages. Process context.
    pub(crate) fn new(
        dev: &device::Device<Bound>,
        io: &Io,
        napi: &napi::Setup,
        stats: Arc<Stats>,
    ) -> Result<Self> {
        let config = page_pool::Config {
            pages: DESCS,
            buffer_len: BUFFER_LEN,
            queue: 0,
        };
        let mut ring = Self {
            desc: Coherent::zeroed(dev, DESCS as usize)?,
            pages: RxPages::new(DESCS)?,
            pool: PagePool::new(dev, napi, config)?,
            tail: io.doorbell_at(regs::RX.tail)?,
            stats,
        };
        if !ring.fill(napi) {
            return Err(ENOMEM);
        }
        Ok(ring)
    }

    /// Where the controller finds the ring.
    pub(crate) fn dma_handle(&self) -> u64 {
        self.desc.dma_handle()
    }

    /// Offers a page with every vacant descriptor. Returns whether there were enough pages.
    fn fill(&mut self, cx: &impl napi::Exclusive) -> bool {
        let desc = &self.desc;
        let filled = self.pages.fill(&mut self.pool, cx, |index, addr| {
            desc.write(index as usize, rx_desc::offer(addr));
        });
        if !filled {
            self.stats.rx_alloc_failed.add(1);
        }
        filled
    }

    /// Tells the controller about all pages in the ring. Not before the ring was programmed.
    pub(crate) fn publish(&self) {
        dma::wmb();
        self.tail.ring(self.pages.next());
    }

    /// Hands at most `budget` frames to the stack; returns how many.
    pub(crate) fn poll(&mut self, cx: &mut napi::Context<'_>, budget: u32) -> u32 {
        let mut looked_at = 0;
        while looked_at < budget {
            let Some(offer) = self.pages.oldest() else {
                break;
            };
            let status = Status::from_le(self.desc.read_word(offer.index() as usize, 1));
            if !status.is_done() {
                break;
            }
            // The page is read after that.
            dma::rmb();
            let page = offer.take();
            looked_at = looked_at.wrapping_add(1);
            if !status.is_good_frame() {
                self.stats.rx_errors.add(1);
                continue;
            }
            let Some(skb) = page.into_skb(cx, status.len()) else {
                self.stats.rx_alloc_failed.add(1);
                continue;
            };
            self.stats.rx_packets.add(1);
            self.stats.rx_bytes.add(skb.len().into());
            let meta = RxMeta::default();
            let meta = if status.checksum_good() {
                meta.checksum_good()
            } else {
                meta
            };
            cx.receive(skb, 0, meta);
        }
        // A quarter of the ring at a time: a tail write takes long.
        if self.pages.vacant() >= DESCS / 4 || self.pages.is_empty() {
            self.fill(cx);
            self.publish();
        }
        looked_at
    }
}
