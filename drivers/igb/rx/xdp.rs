// SPDX-License-Identifier: GPL-2.0

//! A receive ring whose frames are shown to a program first.

use super::{
    meta,
    receive::LARGE_BUFFER,
    Partial,
    RxRing,
    Tally, //
};
use crate::tx::TxRing;
use igb_core::{
    desc::rx::{
        self,
        HashInput,
        Ports,
        RxInfo,
        RxStatus, //
    },
    itr::Load, //
};
use kernel::prelude::*;
use net::{
    device::{
        Transmit,
        TxHandle, //
    },
    dma, napi,
    page_pool::{
        PagePool,
        RxBatch,
        RxPage, //
    },
    skb::RxSkb,
    xdp::{
        Frame,
        Hashed,
        Hints,
        Metadata,
        Program,
        Received,
        RxQueue,
        Short,
        Shorts,
        Verdict,
        Whole, //
    },
};

/// How a descriptor says that there is a whole frame.
pub(super) const WHOLE: Whole = Whole::new(rx::WHOLE_FRAME.0, rx::WHOLE_FRAME.1, rx::LEN_AT);

/// Largest frame that is in one buffer, in bytes with FCS, without tag: a tag that is not taken out has to
/// fit as well.
pub(crate) const MAX_FRAME: u32 = LARGE_BUFFER - 4;

/// What a ring is given to run programs with.
pub(crate) struct Setup {
    /// The program at first.
    pub(crate) program: Option<Program>,
    /// The transmit ring of the same pair: its completions are cleaned by the same poll.
    pub(crate) tx: TxHandle<TxRing>,
}

/// What running programs takes. Every ring has it, so that attaching one cannot fail.
pub(super) struct Xdp {
    queue: RxQueue,
    back: Back,
    /// Frames that wait to be sent back together.
    waiting: Shorts,
}

/// The way back for frames that a program sends where they came from.
pub(super) struct Back {
    pub(super) tx: TxHandle<TxRing>,
    /// Frames were sent in this poll.
    unrung: bool,
}

impl Xdp {
    pub(super) fn new(
        napi: &napi::Setup,
        pool: &PagePool,
        index: u32,
        tx: TxHandle<TxRing>,
    ) -> Result<Self> {
        Ok(Self {
            queue: RxQueue::new(napi, pool, index)?,
            back: Back::new(tx),
            waiting: Shorts::new()?,
        })
    }
}

impl RxRing {
    /// The poll of a ring with a program. Apart, so that others do not pay for it.
    #[inline(never)]
    pub(super) fn poll_shown(
        &mut self,
        cx: &mut napi::Context<'_>,
        budget: u32,
        load: &mut Load,
    ) -> u32 {
        let mut tally = Tally::default();
        let mut batch = RxBatch::default();
        let mut plain = self.is_plain::<true>();
        let began = self.returned.as_ref().and_then(|r| r.begin_poll());
        while tally.frames < budget {
            if plain {
                let most = budget.wrapping_sub(tally.frames);
                if self.walk(cx, most, &mut tally, &mut batch) {
                    self.refill_if_due(cx);
                    continue;
                }
            }
            let Some(index) = self.pages.oldest().map(|oldest| oldest.index()) else {
                break;
            };
            let status = RxStatus::from_le(self.desc.read_word(index as usize, 1));
            if !status.is_done() {
                break;
            }
            let alone = status.is_whole_frame() && (plain || self.is_plain_now::<true>());
            // One that came meanwhile, or of which it was not known whether anybody else wants to see it.
            if !(alone && self.walk(cx, 1, &mut tally, &mut batch)) {
                // The other fields are read after DD, and before the descriptor is used again.
                dma::rmb();
                let info = RxInfo::from_le(self.desc.read_word(index as usize, 0));
                let Some(page) = self.pages.take() else {
                    break;
                };
                self.deliver(cx, &mut batch);
                tally.add(self.receive(cx, page, status, info));
                plain = self.is_plain::<true>();
                if tally.incomplete >= self.config.descs {
                    self.refill_if_due(cx);
                    return self.end_early(&tally, cx, load, budget);
                }
            }
            self.refill_if_due(cx);
        }
        self.deliver(cx, &mut batch);
        self.finish_xdp(cx);
        tally.publish_shown(&self.stats);
        self.end(&tally, cx, load, (began, budget))
    }

    /// Shows the program frames of one page each that nobody else wants to see: as many as can be by one call,
    /// and `most` at most. Returns whether there may be more; so there may if it is `most`.
    #[inline]
    fn walk(
        &mut self,
        cx: &mut napi::Context<'_>,
        most: u32,
        tally: &mut Tally,
        batch: &mut RxBatch,
    ) -> bool {
        let Some(program) = &self.program else {
            return false;
        };
        let most = most.min(self.batch);
        let (config, stats) = (&self.config, &self.stats);
        let ring = (&mut self.pages, &self.desc, WHOLE);
        let Xdp { queue, waiting, .. } = &mut self.xdp;
        let out = (&mut *batch, waiting);
        let walk = queue.walk(cx, program, ring, most, out, |[info, status]| {
            let (status, info) = (RxStatus::from_le(status), RxInfo::from_le(info));
            meta(config, stats, status, info, tally)
        });
        let frames = walk.frames();
        // Those that the stack is to have were counted with what is known of them.
        tally.frames = tally
            .frames
            .wrapping_add(frames)
            .wrapping_sub(walk.passed)
            .wrapping_sub(walk.last.is_some().into());
        tally.bytes = tally.bytes.wrapping_add(walk.bytes);
        tally.xdp_redirect = tally.xdp_redirect.wrapping_add(walk.redirected);
        tally.xdp_drop = tally.xdp_drop.wrapping_add(walk.dropped);
        if let Some(last) = walk.last {
            let verdict = queue.decide(cx, program, last.frame);
            self.deliver(cx, batch);
            self.settle_last(cx, verdict, (last.len, last.words), tally);
            return true;
        }
        if batch.is_full() {
            self.deliver(cx, batch);
            return true;
        }
        if self.xdp.waiting.is_full() {
            self.send_waiting(cx);
            return true;
        }
        walk.more
    }

    /// Does what the program wants with a frame of which little was known.
    #[inline(never)]
    fn settle_last(
        &mut self,
        cx: &mut napi::Context<'_>,
        verdict: Verdict,
        (len, [info, status]): (u32, [u64; 2]),
        tally: &mut Tally,
    ) {
        match self.settle(cx, verdict, len) {
            Some(skb) => {
                let (status, info) = (RxStatus::from_le(status), RxInfo::from_le(info));
                let meta = self.meta(status, info, tally);
                tally.bytes = tally.bytes.wrapping_add(skb.len());
                cx.receive(skb, self.config.index, meta);
            }
            None => tally.count(len),
        }
    }

    /// Does what the program wants with a frame of `len` bytes. Returns it if the stack is to have it.
    #[inline(never)]
    fn settle(&mut self, cx: &mut napi::Context<'_>, verdict: Verdict, len: u32) -> Option<RxSkb> {
        let stats = &self.stats;
        match verdict {
            Verdict::Unchanged(page) => return self.passed(page.into_skb(cx, len)),
            Verdict::Pass(buff) => return self.passed(buff.into_skb(cx)),
            Verdict::Transmit(frame) => {
                // In the order in which they came.
                self.send_waiting(cx);
                let sent = self.xdp.back.send(frame);
                self.count_back(cx, u32::from(sent), u32::from(!sent));
            }
            Verdict::Short(frame) => self.send_soon(cx, frame),
            Verdict::Redirected => stats.rx_xdp_redirect.add(1),
            Verdict::Dropped(page) => {
                stats.rx_xdp_drop.add(1);
                if let Some(page) = page {
                    self.pages.put_back(page);
                }
            }
            Verdict::Failed => stats.rx_xdp_failed.add(1),
        }
        None
    }

    /// Sends a short frame with those that follow it in this poll.
    #[inline]
    fn send_soon(&mut self, cx: &napi::Context<'_>, frame: Short) {
        self.xdp.waiting.push(frame);
        if self.xdp.waiting.is_full() {
            self.send_waiting(cx);
        }
    }

    /// Sends what waits for that.
    #[inline(never)]
    fn send_waiting(&mut self, cx: &napi::Context<'_>) {
        let Xdp { waiting, back, .. } = &mut self.xdp;
        let sent = back
            .tx
            .with(|ring, queue| ring.send_short(waiting.iter(), queue))
            .unwrap_or(0);
        let failed = waiting.len().wrapping_sub(sent);
        let pages = &mut self.pages;
        waiting.take_each(|frame| pages.put_back(frame.into_page()));
        self.count_back(cx, sent, failed);
    }

    /// Counts frames that were sent back, and those that could not be.
    fn count_back(&self, cx: &napi::Context<'_>, sent: u32, failed: u32) {
        self.stats.rx_xdp_tx.add(sent.into());
        self.stats.rx_xdp_failed.add(failed.into());
        if let Some(program) = &self.program {
            for _ in 0..failed {
                self.xdp.queue.transmit_failed(cx, program);
            }
        }
    }

    /// Adds `page` to the frame it belongs to, and shows that to the program when it is complete. Returns
    /// the frame if the stack is to have it; it counts as received in any case. `stamp` is that of the
    /// frame, and becomes what the poll has to give it.
    #[inline(never)]
    pub(super) fn filter(
        &mut self,
        cx: &mut napi::Context<'_>,
        page: RxPage,
        (status, info): (RxStatus, RxInfo),
        stamp: &mut Option<i64>,
        tally: &mut Tally,
    ) -> Option<RxSkb> {
        let whole = status.is_end_of_packet() && matches!(self.partial, Partial::None);
        let frame = if whole {
            self.first(page, status)?
        } else {
            self.gather(page, status)?
        };
        let bytes = frame.len();
        if !whole && self.is_own_copy(&frame, status) {
            *tally = self.drop_copy(bytes);
            return None;
        }
        let Some(program) = &self.program else {
            // It has gone since the frame began.
            return self.passed(frame.into_skb(cx));
        };
        if self.looks_for_messages && stamp.is_none() {
            *stamp = self.ptp.stamp_of(bytes, |out| frame.copy_to(0, out));
        }
        let hints = hints(status, info, *stamp);
        let verdict = self.xdp.queue.run(cx, program, frame, hints);
        let skb = self.settle(cx, verdict, bytes);
        if skb.is_none() {
            tally.count(bytes);
        }
        skb
    }

    /// Counts a frame for which there was no memory.
    #[inline]
    fn passed(&self, skb: Option<RxSkb>) -> Option<RxSkb> {
        if skb.is_none() {
            self.stats.rx_alloc_failed.add(1);
        }
        skb
    }

    /// The frame that `page` begins, unless it is damaged or empty.
    #[inline]
    fn first(&self, page: RxPage, status: RxStatus) -> Option<Received> {
        if status.has_frame_error() || status.is_empty() {
            self.stats.rx_errors.add(1);
            return None;
        }
        Some(Received::new(page, status.len()))
    }

    /// Adds `page` to a frame of several. Returns that when it is complete.
    #[cold]
    fn gather(&mut self, page: RxPage, status: RxStatus) -> Option<Received> {
        let so_far = core::mem::replace(&mut self.partial, Partial::Skip);
        let frame = match so_far {
            Partial::None => self.first(page, status),
            Partial::Pages(frame) => self.add_to(frame, page, status),
            // None that is shown to a program.
            Partial::Frame(_) | Partial::Skip => None,
        };
        if status.is_end_of_packet() {
            self.partial = Partial::None;
            return frame;
        }
        if let Some(frame) = frame {
            self.partial = Partial::Pages(frame);
        }
        None
    }

    /// `None`, and counted as an error, if the frame is damaged, or longer than it may be with this
    /// program.
    fn add_to(&self, mut frame: Received, page: RxPage, status: RxStatus) -> Option<Received> {
        let takes = self.program.as_ref().is_none_or(Program::takes_frags);
        if status.has_frame_error() || !takes || frame.append(page, status.len()).is_err() {
            self.stats.rx_errors.add(1);
            return None;
        }
        Some(frame)
    }

    /// The PF has sent it. Asked for a frame of several pages: one in a page was looked at already.
    fn is_own_copy(&self, frame: &Received, status: RxStatus) -> bool {
        self.returned
            .as_ref()
            .filter(|returned| returned.are_awaited())
            .is_some_and(|returned| {
                returned.has_bytes(frame.len(), status.vlan_tci(), |at, out: &mut [u8]| {
                    frame.copy_to(at, out)
                })
            })
    }

    /// Lets the frames the program has sent leave. To be called at the end of each poll with a program.
    #[inline]
    pub(super) fn finish_xdp(&mut self, cx: &napi::Context<'_>) {
        if !self.xdp.waiting.is_empty() {
            self.send_waiting(cx);
        }
        self.xdp.back.finish();
    }
}

/// What the controller has said of a frame in its last descriptor, for programs that ask.
#[inline]
pub(super) fn hints(status: RxStatus, info: RxInfo, stamp: Option<i64>) -> Hints {
    Hints::new([info.to_le(), status.to_le()], stamp)
}

/// What that means. `hashes`: the user wants flow hashes.
pub(crate) fn metadata(hints: &Hints, hashes: bool) -> Metadata {
    let [info, status] = hints.words();
    let info = RxInfo::from_le(info);
    Metadata {
        hash: info
            .hash_input()
            .filter(|_| hashes)
            .map(|input| (info.hash(), hashed(input))),
        vlan_tci: RxStatus::from_le(status).vlan_tci(),
    }
}

fn hashed(input: HashInput) -> Hashed {
    let addresses = match input {
        HashInput { ipv6: false, .. } => Hashed::IPV4,
        HashInput {
            extensions: true, ..
        } => Hashed::IPV6.with_extensions(),
        _ => Hashed::IPV6,
    };
    match input.ports {
        Some(Ports::Tcp) => addresses.tcp(),
        Some(Ports::Udp) => addresses.udp(),
        None => addresses,
    }
}

impl Back {
    pub(super) fn new(tx: TxHandle<TxRing>) -> Self {
        Self { tx, unrung: false }
    }

    /// As of [`RxRing::finish_xdp`].
    #[inline]
    pub(super) fn finish(&mut self) {
        if self.unrung {
            self.flush();
        }
    }

    /// Sends a frame in this poll. Returns whether there was room.
    pub(super) fn send(&mut self, frame: Frame) -> bool {
        self.unrung = true;
        // A frame that comes back is dropped.
        self.tx
            .with(|ring, queue| ring.xmit_frame(frame, queue).is_ok())
            .unwrap_or(false)
    }

    #[cold]
    fn flush(&mut self) {
        self.unrung = false;
        let _ = self.tx.with(|ring, queue| ring.flush_frames(queue));
    }
}
