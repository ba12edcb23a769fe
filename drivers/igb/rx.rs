// SPDX-License-Identifier: GPL-2.0

//! The receive half of a queue pair.
//!
//! Each descriptor of the ring offers one page to the controller. A frame is one or more pages; it
//! becomes an skb around its first page, with the others as fragments, and no byte is copied.

pub(crate) use self::receive::{
    Config,
    Receive, //
};

use self::{
    tally::Tally,
    xdp::Xdp, //
};
use crate::{
    io::{
        Doorbell,
        Io, //
    },
    ptp::Ptp,
    returned::Returned,
    stats::PairStats,
    tx::{
        Done,
        TxDone, //
    }, //
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
        DescWords, //
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
    napi,
    page_pool::{
        self,
        PagePool,
        RxBatch,
        RxPage,
        RxPages, //
    },
    skb::{
        RxMeta,
        RxSkb, //
    },
    xdp::Received,
};

mod receive;
mod tally;
pub(crate) mod xdp;
pub(crate) mod xsk;

/// What a ring is given of the port.
pub(crate) struct Parts {
    pub(crate) stats: Arc<PairStats>,
    pub(crate) programs: xdp::Setup,
    /// Where the controller gives back what the PF sends.
    pub(crate) returned: Option<Arc<Returned>>,
    /// The clock.
    pub(crate) ptp: Arc<Ptp>,
}

/// Bytes of an Ethernet header.
const HEADER_LEN: u32 = 14;

/// A receive ring. Used by one poll at a time.
pub(crate) struct RxRing {
    config: Config,
    desc: Coherent<DescWords>,
    /// Those offered to the controller.
    pages: RxPages,
    pool: PagePool,
    tail: Doorbell,
    /// Buffers to collect before telling the controller.
    batch: u32,
    /// A frame whose last buffer has not arrived yet.
    partial: Partial,
    /// What frames are shown to before the stack gets them.
    program: Option<net::xdp::Program>,
    xdp: Xdp,
    /// Each frame is looked at: by a program, for what the poll has to stamp, or as it may be damaged.
    inspects: bool,
    /// The poll has to stamp what the controller does not.
    looks_for_messages: bool,
    /// The clock.
    ptp: Arc<Ptp>,
    /// Where the controller gives back what the PF sends.
    returned: Option<Arc<Returned>>,
    stats: Arc<PairStats>,
}

/// The beginning of a frame.
enum Partial {
    /// The next buffer starts a frame.
    None,
    /// Buffers so far.
    Frame(RxSkb),
    /// The same, to be shown to a program.
    Pages(Received),
    /// The rest of this frame is not wanted.
    Skip,
}

impl RxRing {
    /// Allocates a ring and fills it with pages. Process context.
    pub(crate) fn new(
        dev: &device::Device<Bound>,
        io: &Io,
        napi: &napi::Setup,
        config: Config,
        parts: Parts,
    ) -> Result<Self> {
        let Parts {
            stats,
            programs,
            returned,
            ptp,
        } = parts;
        let pool = PagePool::new(
            dev,
            napi,
            page_pool::Config {
                pages: config.descs,
                buffer_len: config.buffer_len(),
                queue: config.index.into(),
            },
        )?;
        let xdp = Xdp::new(napi, &pool, config.index.into(), programs.tx)?;
        let mut ring = Self {
            config,
            desc: Coherent::zeroed(dev, config.descs as usize)?,
            pages: RxPages::new(config.descs)?,
            pool,
            tail: io.doorbell(regs::rdt(config.queue))?,
            batch: ring::refill_batch(config.descs),
            partial: Partial::None,
            inspects: programs.program.is_some(),
            program: programs.program,
            xdp,
            looks_for_messages: false,
            ptp,
            returned,
            stats,
        };
        ring.set_inspects(ring.ptp.looks_at_frames());
        if !ring.fill(napi) {
            return Err(ENOMEM);
        }
        Ok(ring)
    }

    fn tell_controller(&self) {
        dma::wmb();
        self.tail.ring(self.pages.next());
    }

    /// Offers a page with every vacant descriptor. Returns whether there were enough pages.
    fn fill(&mut self, cx: &impl napi::Exclusive) -> bool {
        let filled = self
            .pages
            .fill_ring(&mut self.pool, cx, &self.desc, rx::offer);
        if !filled {
            self.stats.rx_alloc_failed.add(1);
        }
        filled
    }

    /// Refills the ring and tells the controller.
    fn refill(&mut self, cx: &napi::Context<'_>) {
        let before = self.pages.next();
        self.fill(cx);
        if self.pages.next() != before {
            self.tell_controller();
        }
    }

    /// Does so when that is worth a register write, or when memory was short the last time.
    #[inline]
    fn refill_if_due(&mut self, cx: &napi::Context<'_>) {
        if self.pages.vacant() >= self.batch || self.pages.is_empty() {
            self.refill(cx);
        }
    }

    /// The same as its poll, where a call more does not matter.
    #[inline(never)]
    fn poll_apart(&mut self, cx: &mut napi::Context<'_>, budget: u32, load: &mut Load) -> u32 {
        self.poll(cx, budget, load)
    }

    /// Hands at most `budget` frames to the stack, as there is no program; returns how many, or `budget` if as
    /// many buffers as there are descriptors have completed no frame.
    #[inline(always)]
    fn poll_ring(&mut self, cx: &mut napi::Context<'_>, budget: u32, load: &mut Load) -> u32 {
        let mut tally = Tally::default();
        let mut batch = RxBatch::default();
        let mut plain = self.is_plain::<false>();
        let began = match &self.returned {
            Some(returned) => returned.begin_poll(),
            None => None,
        };
        while tally.frames < budget {
            let Some(offer) = self.pages.oldest() else {
                break;
            };
            let Some(desc) = self.desc.words(offer.index() as usize) else {
                break;
            };
            let status = RxStatus::from_le(desc.read::<1>());
            if !status.is_done() {
                break;
            }
            // The other fields are read after DD, and before the descriptor is used again.
            dma::rmb();
            let info = RxInfo::from_le(desc.read::<0>());
            let page = offer.take();
            if !(plain || self.is_plain_now::<false>()) || !status.is_whole_frame() {
                self.deliver(cx, &mut batch);
                tally.add(self.receive(cx, page, status, info));
                plain = self.is_plain::<false>();
                self.refill_if_due(cx);
                if tally.incomplete >= self.config.descs {
                    return self.end_early(&tally, cx, load, budget);
                }
            } else {
                let meta = self.meta(status, info, &mut tally);
                tally.bytes = tally.bytes.wrapping_add(status.len());
                if batch.push(page, status.len(), self.config.index, meta) {
                    self.deliver(cx, &mut batch);
                    self.refill_if_due(cx);
                }
            }
        }
        self.deliver(cx, &mut batch);
        self.end(&tally, cx, load, (began, budget))
    }

    /// Ends a poll that has passed on its frames. `began`: when it has begun.
    #[inline(always)]
    fn end(
        &mut self,
        tally: &Tally,
        cx: &mut napi::Context<'_>,
        load: &mut Load,
        (began, budget): (Option<u64>, u32),
    ) -> u32 {
        self.refill_if_due(cx);
        if let Some(began) = began {
            self.note_end(began, tally.frames < budget);
        }
        tally.publish(&self.stats, cx.take_multicast());
        load.rx_packets = tally.frames;
        load.bytes = load.bytes.wrapping_add(tally.bytes);
        tally.frames
    }

    /// Ends a poll that has seen as many buffers of frames that are long, or get no further, as there are
    /// descriptors: each was offered anew, and there may be more of them for ever. Asks for another poll.
    /// All frames so far were passed on.
    #[cold]
    fn end_early(
        &mut self,
        tally: &Tally,
        cx: &mut napi::Context<'_>,
        load: &mut Load,
        budget: u32,
    ) -> u32 {
        self.finish_xdp(cx);
        tally.publish_shown(&self.stats);
        tally.publish(&self.stats, cx.take_multicast());
        load.rx_packets = tally.frames;
        load.bytes = load.bytes.wrapping_add(tally.bytes);
        budget
    }

    /// The next buffer begins a frame, nobody wants to see it, or the program alone if there is one
    /// (`SHOWN`), and it cannot be one that the PF has sent.
    #[inline]
    fn is_plain<const SHOWN: bool>(&self) -> bool {
        self.returned.is_none() && self.is_plain_now::<SHOWN>()
    }

    /// The same, as long as the controller has written no further descriptor. The latest was read
    /// before.
    #[inline]
    fn is_plain_now<const SHOWN: bool>(&self) -> bool {
        let inspects = if SHOWN {
            self.looks_for_messages || self.config.bad_frames
        } else {
            self.inspects
        };
        matches!(self.partial, Partial::None)
            && !inspects
            && !self.returned.as_ref().is_some_and(|r| r.are_awaited())
    }

    /// Notes that a poll is over that began at `began`, and whether it has got to the end of the
    /// ring. An emulated controller has no receive hash with VFs: all comes to the first ring.
    #[cold]
    fn note_end(&self, began: u64, drained: bool) {
        if let Some(returned) = &self.returned {
            if drained && self.config.index == 0 {
                returned.end_poll(began);
            }
        }
    }

    /// Takes any other buffer.
    #[inline(never)]
    fn receive(
        &mut self,
        cx: &mut napi::Context<'_>,
        page: RxPage,
        status: RxStatus,
        info: RxInfo,
    ) -> Tally {
        let mut tally = Tally::default();
        // Whatever becomes of the frame: until it is read, no other is stamped.
        let mut stamp = if status.is_stamped() {
            self.ptp.received()
        } else {
            None
        };
        let begins = matches!(self.partial, Partial::None);
        let whole = begins && status.is_whole_frame();
        let returned = self.returned.clone().filter(|r| r.are_awaited());
        if let Some(returned) = returned.as_ref().filter(|_| whole) {
            if returned.has_page(&page, status.len(), status.vlan_tci()) {
                return self.drop_copy(status.len());
            }
        }
        let shown = match self.partial {
            Partial::None => self.program.is_some(),
            Partial::Pages(_) => true,
            Partial::Frame(_) | Partial::Skip => false,
        };
        let frame = if shown {
            self.filter(cx, page, (status, info), &mut stamp, &mut tally)
        } else {
            self.collect(cx, page, status)
        };
        if let Some(mut skb) = frame {
            if let Some(returned) = returned.filter(|_| !whole && !shown) {
                if returned.has_skb(&skb, status.vlan_tci()) {
                    return self.drop_copy(skb.len());
                }
            }
            let meta = if status.has_frame_error() {
                Self::meta_of_damaged(status, &mut tally)
            } else {
                self.meta(status, info, &mut tally)
            };
            tally.bytes = skb.len();
            if let Some(ns) = stamp.or_else(|| self.stamp_of(&skb)) {
                skb.set_stamp(ns);
            }
            cx.receive(skb, self.config.index, meta);
        }
        tally.incomplete = u32::from(tally.frames == 0);
        tally
    }

    /// The stamp of a frame that the controller has not stamped.
    #[inline]
    fn stamp_of(&self, skb: &RxSkb) -> Option<i64> {
        if self.looks_for_messages {
            self.ptp.stamp_of(skb.len(), |out| skb.copy_to(0, out))
        } else {
            None
        }
    }

    /// Counts a frame that the PF has sent, and that goes no further. It counts as received, as
    /// what a program drops does.
    #[cold]
    fn drop_copy(&self, bytes: u32) -> Tally {
        self.stats.rx_own_copies.add(1);
        Tally {
            frames: 1,
            bytes,
            ..Tally::default()
        }
    }

    /// Passes on the frames so far.
    #[inline]
    fn deliver(&self, cx: &mut napi::Context<'_>, batch: &mut RxBatch) {
        if !batch.is_empty() {
            let lost = cx.receive_batch(&self.pool, batch);
            if lost != 0 {
                self.stats.rx_alloc_failed.add(lost.into());
            }
        }
    }

    /// Adds a buffer to the frame it belongs to. Returns the frame when it is complete.
    fn collect(&mut self, cx: &napi::Context<'_>, page: RxPage, status: RxStatus) -> Option<RxSkb> {
        let end = status.is_end_of_packet();
        let frame = match core::mem::replace(&mut self.partial, Partial::None) {
            Partial::None => self.begin(cx, page, status),
            Partial::Frame(skb) => self.extend(skb, page, status),
            Partial::Pages(_) | Partial::Skip => Partial::Skip,
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

    /// Whether the frame is not to go further, by what the controller says of its latest buffer.
    fn is_unwanted(&self, status: RxStatus) -> bool {
        status.has_frame_error() && !self.config.bad_frames
    }

    fn begin(&self, cx: &napi::Context<'_>, page: RxPage, status: RxStatus) -> Partial {
        // The stack takes it that each frame has a header of its own.
        if self.is_unwanted(status) || status.len() < HEADER_LEN {
            self.stats.rx_errors.add(1);
            return Partial::Skip;
        }
        match page.into_skb(cx, status.len()) {
            Some(skb) => Partial::Frame(skb),
            None => {
                self.stats.rx_alloc_failed.add(1);
                Partial::Skip
            }
        }
    }

    fn extend(&self, mut skb: RxSkb, page: RxPage, status: RxStatus) -> Partial {
        if self.is_unwanted(status) || page.append_to(&mut skb, status.len()).is_err() {
            self.stats.rx_errors.add(1);
            return Partial::Skip;
        }
        Partial::Frame(skb)
    }

    /// Counts a frame that is complete, and puts what the controller says of it in its last
    /// descriptor into words the stack understands.
    #[inline]
    fn meta(&self, status: RxStatus, info: RxInfo, tally: &mut Tally) -> RxMeta {
        meta(&self.config, &self.stats, status, info, tally)
    }

    /// The same of a frame with an error of the MAC, which the user has asked for: whatever a checksum of
    /// it is, the stack finds out itself.
    #[cold]
    fn meta_of_damaged(status: RxStatus, tally: &mut Tally) -> RxMeta {
        tally.frames = tally.frames.wrapping_add(1);
        match status.vlan_tci() {
            Some(tci) => RxMeta::default().vlan(tci),
            None => RxMeta::default(),
        }
    }
}

impl Receive for RxRing {
    #[inline(always)]
    fn reap(tx: &mut TxDone, cx: &mut napi::TxContext<'_>, load: &mut Load) -> Done {
        tx.poll(cx, load)
    }

    #[inline(always)]
    fn poll(&mut self, cx: &mut napi::Context<'_>, budget: u32, load: &mut Load) -> u32 {
        if self.program.is_some() {
            return self.poll_shown(cx, budget, load);
        }
        self.poll_ring(cx, budget, load)
    }

    #[inline]
    fn sent(&mut self, _cx: &mut napi::Context<'_>, _frames: u32) {}

    fn set_program(&mut self, program: Option<net::xdp::Program>) {
        self.program = program;
        self.set_inspects(self.looks_for_messages);
    }

    fn set_inspects(&mut self, looks_for_messages: bool) {
        self.looks_for_messages = looks_for_messages;
        self.inspects = looks_for_messages || self.program.is_some() || self.config.bad_frames;
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn dma_handle(&self) -> u64 {
        self.desc.dma_handle()
    }

    fn publish(&mut self) {
        self.tell_controller();
    }
}

/// As of [`RxRing::meta`].
#[inline]
fn meta(
    config: &Config,
    stats: &PairStats,
    status: RxStatus,
    info: RxInfo,
    tally: &mut Tally,
) -> RxMeta {
    let mut meta = RxMeta::default();
    match status.checksum() {
        Checksum::Good => {
            tally.csum_good = tally.csum_good.wrapping_add(1);
            meta = meta.checksum_good();
        }
        Checksum::Bad => stats.rx_csum_bad.add(1),
        Checksum::NotChecked => {}
    }
    if config.hash {
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
    meta
}
