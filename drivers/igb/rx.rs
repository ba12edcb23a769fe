// SPDX-License-Identifier: GPL-2.0

//! The receive half of a queue pair.
//!
//! Each descriptor of the ring offers one page to the controller. A frame is one or more pages; it
//! becomes an skb around its first page, with the others as fragments, and no byte is copied.

use self::xdp::Xdp;
use crate::{
    io::Io,
    stats::PairStats, //
};
use igb_core::{
    desc::{
        rx::{
            self,
            Checksum,
            HashKind,
            RxInfo,
            RxStatus, //
        },
        Words, //
    },
    itr::Load,
    regs,
    ring, //
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
        RxPage, //
    },
    skb::{
        RxMeta,
        RxSkb, //
    },
};

pub(crate) mod xdp;

/// What a receive ring is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// Queue of the net device.
    pub(crate) index: u32,
    /// Queue of the controller.
    pub(crate) queue: usize,
    /// Descriptors; a power of two.
    pub(crate) descs: u32,
    /// Longest frame, in bytes with tag and FCS.
    pub(crate) max_frame: u32,
    /// The user wants flow hashes.
    pub(crate) hash: bool,
}

impl Config {
    /// Bytes the controller may write into one page: SRRCTL counts in KiB. Two hold a standard
    /// frame; with larger ones, three use the page better.
    pub(crate) fn buffer_len(&self) -> u32 {
        if self.max_frame <= 2048 {
            2048
        } else {
            LARGE_BUFFER
        }
    }
}

/// Bytes the controller may write into a page at most.
const LARGE_BUFFER: u32 = 3072;

// The controller must not write beyond what a page has room for.
const _: () = assert!(page_pool::ROOM >= LARGE_BUFFER);

/// A receive ring. Used by one poll at a time.
pub(crate) struct RxRing {
    config: Config,
    desc: Coherent<Words>,
    pages: KVVec<Option<RxPage>>,
    pool: PagePool,
    tail: Doorbell,
    /// Position (counting freely) of the next descriptor to look at.
    clean: u32,
    /// Position of the next descriptor to offer. `fill - clean` is at most `descs - 1`.
    fill: u32,
    /// Buffers to collect before telling the controller.
    batch: u32,
    /// A frame whose last buffer has not arrived yet.
    partial: Partial,
    /// What frames are shown to before the stack gets them.
    program: Option<net::xdp::Program>,
    xdp: Xdp,
    stats: Arc<PairStats>,
}

/// The beginning of a frame.
enum Partial {
    /// The next buffer starts a frame.
    None,
    /// Buffers so far.
    Frame(RxSkb),
    /// The rest of this frame is not wanted.
    Skip,
}

impl RxRing {
    /// Allocates a ring and fills it with pages. Process context.
    pub(crate) fn new(
        dev: &device::Device<Bound>,
        io: &Io,
        napi: &napi::Setup<'_>,
        config: Config,
        stats: Arc<PairStats>,
        programs: xdp::Setup,
    ) -> Result<Self> {
        let pool = PagePool::new(
            dev,
            napi,
            page_pool::Config {
                pages: config.descs,
                buffer_len: config.buffer_len(),
                queue: config.index,
            },
        )?;
        let xdp = Xdp::new(napi, &pool, config.index, programs.tx)?;
        let descs = config.descs as usize;
        let mut pages = KVVec::with_capacity(descs, GFP_KERNEL)?;
        for _ in 0..descs {
            pages.push(None, GFP_KERNEL)?;
        }
        let mut ring = Self {
            config,
            desc: Coherent::zeroed(dev, descs)?,
            pages,
            pool,
            tail: io.doorbell(regs::rdt(config.queue))?,
            clean: 0,
            fill: 0,
            batch: ring::refill_batch(config.descs),
            partial: Partial::None,
            program: programs.program,
            xdp,
            stats,
        };
        if !ring.fill() {
            return Err(ENOMEM);
        }
        Ok(ring)
    }

    /// Where the controller finds the ring.
    pub(crate) fn dma_handle(&self) -> u64 {
        self.desc.dma_handle()
    }

    /// Ring parameters.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Tells the controller about all buffers in the ring. To be called when the queue has been
    /// enabled.
    pub(crate) fn publish(&self) {
        dma::wmb();
        self.tail.ring(self.slot(self.fill));
    }

    #[inline]
    fn slot(&self, position: u32) -> u32 {
        position & self.config.descs.wrapping_sub(1)
    }

    /// Descriptors that could be offered to the controller and are not.
    #[inline]
    fn vacant(&self) -> u32 {
        let offered = self.fill.wrapping_sub(self.clean);
        self.config.descs.wrapping_sub(1).wrapping_sub(offered)
    }

    /// Offers a page with every vacant descriptor. Returns whether there were enough pages.
    fn fill(&mut self) -> bool {
        for _ in 0..self.vacant() {
            let Some(page) = self.pool.alloc() else {
                self.stats.rx_alloc_failed.add(1);
                return false;
            };
            let slot = self.slot(self.fill) as usize;
            self.desc.write(slot, rx::offer(page.dma_addr()));
            if let Some(place) = self.pages.get_mut(slot) {
                *place = Some(page);
            }
            self.fill = self.fill.wrapping_add(1);
        }
        true
    }

    /// Refills the ring and tells the controller.
    fn refill(&mut self) {
        let before = self.fill;
        self.fill();
        if self.fill != before {
            self.publish();
        }
    }

    /// The controller has no buffer left: memory was short when the ring was to be refilled.
    pub(crate) fn is_starved(&self) -> bool {
        self.vacant() >= self.config.descs.wrapping_sub(1)
    }

    /// Hands at most `budget` frames to the stack; returns how many. Softirq context.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut napi::Context<'_>, budget: u32, load: &mut Load) -> u32 {
        let mut tally = Tally::default();
        while tally.frames < budget {
            let slot = self.slot(self.clean) as usize;
            let status = RxStatus::from_le(self.desc.read_word(slot, 1));
            if !status.is_done() {
                break;
            }
            // The other fields are read after DD.
            dma::rmb();
            let Some(page) = self.pages.get_mut(slot).and_then(Option::take) else {
                // The descriptor was never offered; the controller is at fault.
                break;
            };
            // Read before the descriptor is used again.
            let info = RxInfo::from_le(self.desc.read_word(slot, 0));
            self.clean = self.clean.wrapping_add(1);
            let frame = if self.program.is_none() {
                self.collect(page, status)
            } else {
                self.filter(cx, page, status, &mut tally)
            };
            if let Some(skb) = frame {
                self.deliver(cx, skb, status, info, &mut tally);
            }
            if self.vacant() >= self.batch {
                self.refill();
            }
        }
        if self.is_starved() {
            self.refill();
        }
        self.finish_xdp();
        tally.publish(&self.stats);
        load.rx_packets = tally.frames;
        load.bytes = load.bytes.wrapping_add(tally.bytes);
        tally.frames
    }

    /// Adds a buffer to the frame it belongs to. Returns the frame when it is complete.
    #[inline]
    fn collect(&mut self, page: RxPage, status: RxStatus) -> Option<RxSkb> {
        let end = status.is_end_of_packet();
        let frame = match core::mem::replace(&mut self.partial, Partial::None) {
            Partial::None => self.begin(page, status),
            Partial::Frame(skb) => self.extend(skb, page, status),
            Partial::Skip => Partial::Skip,
        };
        match frame {
            Partial::Frame(skb) if end => Some(skb),
            frame => {
                if !end {
                    self.partial = frame;
                }
                None
            }
        }
    }

    #[inline]
    fn begin(&self, page: RxPage, status: RxStatus) -> Partial {
        if status.has_frame_error() || status.is_empty() {
            self.stats.rx_errors.add(1);
            return Partial::Skip;
        }
        match page.into_skb(status.len()) {
            Some(skb) => Partial::Frame(skb),
            None => {
                self.stats.rx_alloc_failed.add(1);
                Partial::Skip
            }
        }
    }

    fn extend(&self, mut skb: RxSkb, page: RxPage, status: RxStatus) -> Partial {
        if status.has_frame_error() || page.append_to(&mut skb, status.len()).is_err() {
            self.stats.rx_errors.add(1);
            return Partial::Skip;
        }
        Partial::Frame(skb)
    }

    /// Passes a complete frame on, with what the controller says of it in its last descriptor.
    #[inline]
    fn deliver(
        &self,
        cx: &mut napi::Context<'_>,
        skb: RxSkb,
        status: RxStatus,
        info: RxInfo,
        tally: &mut Tally,
    ) {
        let mut meta = RxMeta::default();
        match status.checksum() {
            Checksum::Good => {
                tally.csum_good = tally.csum_good.wrapping_add(1);
                meta = meta.checksum_good();
            }
            Checksum::Bad => self.stats.rx_csum_bad.add(1),
            Checksum::NotChecked => {}
        }
        if self.config.hash {
            match info.hash_kind() {
                HashKind::L4 => meta = meta.hash_l4(info.hash()),
                HashKind::L3 => meta = meta.hash_l3(info.hash()),
                HashKind::None => {}
            }
        }
        if let Some(tci) = status.vlan_tci() {
            meta = meta.vlan(tci);
        }
        tally.frames = tally.frames.wrapping_add(1);
        tally.bytes = tally.bytes.wrapping_add(skb.len());
        cx.receive(skb, self.config.index, meta);
    }
}

/// Counts of one poll.
#[derive(Default)]
struct Tally {
    frames: u32,
    bytes: u32,
    csum_good: u32,
}

impl Tally {
    #[inline]
    fn publish(&self, stats: &PairStats) {
        if self.frames != 0 {
            stats.rx_packets.add(u64::from(self.frames));
            stats.rx_bytes.add(u64::from(self.bytes));
            stats.rx_csum_good.add(u64::from(self.csum_good));
        }
    }
}
