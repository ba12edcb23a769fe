// SPDX-License-Identifier: GPL-2.0

//! A queue that AF_XDP sockets have attached buffers to (zero copy).
//!
//! While there is a program, the controller is offered these buffers: [`PoolRing`]. Without one no
//! frame could get to a socket, and sockets that only send may have given no buffers to receive
//! with: then the ring is that of pages, as of other queues. What sockets want sent is sent in any case.

use super::{
    meta,
    xdp::{
        hints,
        Back,
        WHOLE, //
    },
    Config,
    Parts,
    Receive,
    RxRing,
    Tally, //
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
        TxDone,
        TxRing, //
    }, //
};
use igb_core::{
    desc::{
        rx::{
            self,
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
    device::TxHandle,
    dma::{
        self,
        Coherent, //
    },
    napi,
    skb::RxSkb,
    xdp::Program,
    xsk::{
        Last,
        Polled,
        Pool,
        Rx,
        Tx,
        Verdict, //
    }, //
};

/// What receives and sends in a pair that sockets are attached to.
pub(crate) struct Sockets {
    rx: Source,
    tx: Tx,
    /// The pair's own ring.
    ring: TxHandle<TxRing>,
}

/// What frames are received into.
enum Source {
    Pages(KBox<RxRing>),
    Pool(KBox<PoolRing>),
}

// Each of these two has its ring on the stack until it is in its place. Inlined, both would be there.
impl Source {
    #[inline(never)]
    fn of_pages(
        (dev, io): (&device::Device<Bound>, &Io),
        napi: &napi::Setup,
        config: Config,
        parts: Parts,
    ) -> Result<Self> {
        let ring = RxRing::new(dev, io, napi, config, parts)?;
        Ok(Self::Pages(KBox::new(ring, GFP_KERNEL)?))
    }

    #[inline(never)]
    fn of_pool(
        (dev, io): (&device::Device<Bound>, &Io),
        napi: &napi::Setup,
        config: Config,
        parts: Parts,
        (pool, program): (&Pool, Program),
    ) -> Result<Self> {
        let around = Around {
            config,
            desc: Coherent::zeroed(dev, config.descs as usize)?,
            tail: io.doorbell(regs::rdt(config.queue))?,
            batch: ring::refill_batch(config.descs),
            waits: pool.uses_need_wakeup(),
            program,
            looks_for_messages: parts.ptp.looks_at_frames(),
            ptp: parts.ptp,
            back: Back::new(parts.programs.tx),
            returned: parts.returned,
            stats: parts.stats,
        };
        let ring = PoolRing {
            buffers: Rx::new(napi, pool, config.descs)?,
            first: 0,
            within: false,
            around,
        };
        let mut ring = KBox::new(ring, GFP_KERNEL)?;
        ring.fill(napi);
        Ok(Self::Pool(ring))
    }
}

impl Sockets {
    /// Allocates the receive ring, and fills it as far as there are buffers. Process context.
    ///
    /// # Errors
    ///
    /// As of [`RxRing::new`], and if the pool is over.
    pub(crate) fn new(
        (dev, io): (&device::Device<Bound>, &Io),
        napi: &napi::Setup,
        config: Config,
        parts: Parts,
        pool: &Pool,
        own: TxHandle<TxRing>,
    ) -> Result<Self> {
        let tx = Tx::new(napi, pool)?;
        let rx = match parts.programs.program.clone() {
            Some(program) => Source::of_pool((dev, io), napi, config, parts, (pool, program))?,
            None => Source::of_pages((dev, io), napi, config, parts)?,
        };
        Ok(Self { rx, tx, ring: own })
    }

    /// Sends what the sockets want sent.
    #[inline(never)]
    fn transmit(&mut self, cx: &napi::Context<'_>) {
        let tx = &mut self.tx;
        tx.update_need_wakeup(cx);
        // What is in the ring without a link stays there, and is not reported.
        if cx.has_carrier() {
            let _ = self
                .ring
                .with(|ring, queue| ring.send_sockets(cx, tx, queue));
            tx.update_need_wakeup(cx);
        }
    }
}

impl Receive for Sockets {
    fn poll(&mut self, cx: &mut napi::Context<'_>, budget: u32, load: &mut Load) -> u32 {
        let received = match &mut self.rx {
            Source::Pages(ring) => ring.poll_apart(cx, budget, load),
            Source::Pool(ring) => ring.poll(cx, budget, load),
        };
        self.transmit(cx);
        received
    }

    fn reap(tx: &mut TxDone, cx: &mut napi::TxContext<'_>, load: &mut Load) -> Done {
        tx.poll_apart(cx, load)
    }

    fn sent(&mut self, cx: &mut napi::Context<'_>, frames: u32) {
        if frames != 0 {
            self.tx.completed(cx, frames);
        }
    }

    /// Whether there is one decides on the ring, so that this is called to exchange one for another.
    fn set_program(&mut self, program: Option<Program>) {
        match (&mut self.rx, program) {
            (Source::Pages(ring), program) => ring.set_program(program),
            (Source::Pool(ring), Some(program)) => ring.around.program = program,
            (Source::Pool(_), None) => {}
        }
    }

    /// What sockets receive has no stamps. What the stack gets has.
    fn set_inspects(&mut self, looks_for_messages: bool) {
        match &mut self.rx {
            Source::Pages(ring) => ring.set_inspects(looks_for_messages),
            Source::Pool(ring) => ring.around.looks_for_messages = looks_for_messages,
        }
    }

    fn config(&self) -> &Config {
        match &self.rx {
            Source::Pages(ring) => ring.config(),
            Source::Pool(ring) => &ring.around.config,
        }
    }

    fn dma_handle(&self) -> u64 {
        match &self.rx {
            Source::Pages(ring) => ring.dma_handle(),
            Source::Pool(ring) => ring.around.desc.dma_handle(),
        }
    }

    fn publish(&mut self) {
        match &mut self.rx {
            Source::Pages(ring) => ring.publish(),
            Source::Pool(ring) => ring.publish(),
        }
    }
}

/// A receive ring with buffers of sockets.
struct PoolRing {
    /// Those offered to the controller.
    buffers: Rx,
    /// The descriptor behind the latest of those it began with.
    first: u32,
    /// The next buffer goes on with a frame that is not wanted.
    within: bool,
    around: Around,
}

/// What a ring has besides its buffers.
struct Around {
    config: Config,
    desc: Coherent<DescWords>,
    tail: Doorbell,
    /// Buffers to collect before telling the controller.
    batch: u32,
    /// Who uses the sockets wakes the driver when that is needed.
    waits: bool,
    program: Program,
    /// The poll has to stamp what the controller does not.
    looks_for_messages: bool,
    /// The clock.
    ptp: Arc<Ptp>,
    back: Back,
    /// Where the controller gives back what the PF sends.
    returned: Option<Arc<Returned>>,
    stats: Arc<PairStats>,
}

impl PoolRing {
    /// Before its first poll.
    fn publish(&self) {
        self.around.publish(self.first);
    }

    /// Offers a buffer with every vacant descriptor, as far as there are some.
    fn fill(&mut self, cx: &impl napi::Exclusive) {
        let desc = &self.around.desc;
        self.buffers.fill(cx, |index, addr| {
            desc.write(index as usize, rx::offer(addr))
        });
        self.first = self.buffers.next(cx);
    }

    /// Shows at most `budget` frames to the program; returns how many, or `budget` if another poll is
    /// due for which nobody would ask. Buffers of frames that get no further count as well: there are at
    /// most as many as descriptors.
    #[inline(never)]
    fn poll(&mut self, cx: &mut napi::Context<'_>, budget: u32, load: &mut Load) -> u32 {
        let Some(mut rx) = self.buffers.polled(cx) else {
            return 0;
        };
        let around = &mut self.around;
        let mut tally = Tally::default();
        let mut full = false;
        let mut left = around.config.descs;
        let began = around.returned.as_ref().and_then(|r| r.begin_poll());
        let plain = around.returned.is_none();
        while tally.frames < budget && !full && left != 0 {
            if plain && !self.within {
                let most = budget.wrapping_sub(tally.frames);
                let (more, is_full) = around.walk(&mut rx, most, &mut tally);
                full = is_full;
                if more {
                    around.refill_if_due(&mut rx);
                    continue;
                }
            }
            let Some(index) = rx.oldest() else {
                break;
            };
            let Some(desc) = around.desc.words(index as usize) else {
                break;
            };
            let status = RxStatus::from_le(desc.read::<1>());
            if !status.is_done() {
                break;
            }
            // The other fields are read after DD, and before the descriptor is used again.
            dma::rmb();
            let info = RxInfo::from_le(desc.read::<0>());
            if !self.within && status.is_whole_frame() {
                full = around.receive(&mut rx, status, (info, None), &mut tally);
            } else {
                let within = &mut self.within;
                let (good, stamp) = around.look_at(within, status);
                if good {
                    full = around.receive(&mut rx, status, (info, stamp), &mut tally);
                } else {
                    rx.drop_oldest();
                    left = left.wrapping_sub(1);
                }
            }
            if rx.vacant() >= around.batch {
                around.refill(&mut rx);
            }
        }
        let full = full && around.waits;
        around.back.finish();
        if let Some((returned, began)) = around.returned.as_ref().zip(began) {
            if tally.frames < budget && !full && left != 0 && around.config.index == 0 {
                returned.end_poll(began);
            }
        }
        tally.publish(&around.stats, rx.cx().take_multicast());
        tally.publish_shown(&around.stats);
        load.rx_packets = tally.frames;
        load.bytes = load.bytes.wrapping_add(tally.bytes);
        if around.starves(&mut rx, full) || left == 0 {
            budget
        } else {
            tally.frames
        }
    }
}

impl Around {
    /// Tells the controller of the buffers in front of descriptor `next`.
    fn publish(&self, next: u32) {
        dma::wmb();
        self.tail.ring(next);
    }

    /// Refills the ring, and tells the controller. Returns whether there were enough buffers.
    #[inline(never)]
    fn refill(&self, rx: &mut Polled<'_, '_>) -> bool {
        let before = rx.next();
        let filled = rx.fill(&self.desc, rx::offer);
        if rx.next() != before {
            self.publish(rx.next());
        }
        filled
    }

    /// Does so if that is worth a register write.
    #[inline]
    fn refill_if_due(&self, rx: &mut Polled<'_, '_>) -> bool {
        rx.vacant() < self.batch || self.refill(rx)
    }

    /// Refills the ring at the end of a poll, and says whether sockets are to wake the driver: when
    /// there were not enough buffers, or a socket is `full`. Returns whether the controller has no buffer
    /// and nobody would wake the driver.
    fn starves(&self, rx: &mut Polled<'_, '_>, full: bool) -> bool {
        let enough = self.refill_if_due(rx);
        let told = rx.set_need_wakeup(full || !enough);
        if enough {
            return false;
        }
        // What came before it was seen that the driver wants to be woken.
        let enough = told && self.refill_if_due(rx);
        !enough && !told && rx.oldest().is_none()
    }

    /// Whether a buffer that is not simply a good frame holds one all the same, and its stamp if it has
    /// one. One of several buffers does not get past a program: it is longer than it may be. `within`: it goes
    /// on with one that is not wanted.
    #[inline(never)]
    fn look_at(&self, within: &mut bool, status: RxStatus) -> (bool, Option<i64>) {
        // Whatever becomes of the frame: until it is read, no other is stamped, of no queue.
        let stamp = if status.is_stamped() {
            self.ptp.received()
        } else {
            None
        };
        let (begins, ends) = (!*within, status.is_end_of_packet());
        *within = !ends;
        let good = begins && ends && !status.has_frame_error() && !status.is_empty();
        if begins && !good {
            self.stats.rx_errors.add(1);
        }
        (good, stamp)
    }

    /// Takes the oldest buffer, which has a good frame, with its stamp if it has one. Returns whether the
    /// socket that was to have it has no room.
    #[inline(always)]
    fn receive(
        &mut self,
        rx: &mut Polled<'_, '_>,
        status: RxStatus,
        (info, stamp): (RxInfo, Option<i64>),
        tally: &mut Tally,
    ) -> bool {
        if self.is_own_copy(rx, status) {
            rx.drop_oldest();
            self.stats.rx_own_copies.add(1);
            tally.count(status.len());
            return false;
        }
        let hints = hints(status, info, stamp);
        match rx.run(&self.program, status.len(), hints) {
            Verdict::Redirected => tally.xdp_redirect = tally.xdp_redirect.wrapping_add(1),
            Verdict::Dropped => tally.xdp_drop = tally.xdp_drop.wrapping_add(1),
            verdict => return self.settle(rx, verdict, status, (info, stamp), tally),
        }
        tally.count(status.len());
        false
    }

    /// Shows frames to the program, as many as can be by one call, and `most` at most. Returns whether there
    /// may be more, and whether the socket that was to have the last one has no room.
    #[inline]
    fn walk(&mut self, rx: &mut Polled<'_, '_>, most: u32, tally: &mut Tally) -> (bool, bool) {
        let most = most.min(self.batch);
        let walk = rx.walk(&self.program, (&self.desc, WHOLE), most);
        let frames = walk.redirected.wrapping_add(walk.dropped);
        tally.frames = tally.frames.wrapping_add(frames);
        tally.bytes = tally.bytes.wrapping_add(walk.bytes);
        tally.xdp_redirect = tally.xdp_redirect.wrapping_add(walk.redirected);
        tally.xdp_drop = tally.xdp_drop.wrapping_add(walk.dropped);
        match walk.last {
            None => (walk.more, false),
            Some(Last { words, verdict, .. }) => {
                let [info, status] = words;
                let info = RxInfo::from_le(info);
                let status = RxStatus::from_le(status);
                (true, self.settle(rx, verdict, status, (info, None), tally))
            }
        }
    }

    /// What programs of sockets do with few frames.
    #[inline(never)]
    fn settle(
        &mut self,
        rx: &mut Polled<'_, '_>,
        verdict: Verdict,
        status: RxStatus,
        (info, stamp): (RxInfo, Option<i64>),
        tally: &mut Tally,
    ) -> bool {
        let stats = &self.stats;
        let mut full = false;
        match verdict {
            Verdict::Redirected => stats.rx_xdp_redirect.add(1),
            Verdict::Pass(mut skb) => {
                tally.bytes = tally.bytes.wrapping_add(skb.len());
                let meta = meta(&self.config, stats, status, info, tally);
                if let Some(ns) = stamp.or_else(|| self.stamp_of(&skb)) {
                    skb.set_stamp(ns);
                }
                rx.cx().receive(skb, self.config.index, meta);
                return false;
            }
            Verdict::NoMemory => stats.rx_alloc_failed.add(1),
            Verdict::Transmit(frame) => {
                if self.back.send(frame) {
                    stats.rx_xdp_tx.add(1);
                } else {
                    stats.rx_xdp_failed.add(1);
                    rx.transmit_failed(&self.program);
                }
            }
            Verdict::Dropped => stats.rx_xdp_drop.add(1),
            Verdict::Failed => stats.rx_xdp_failed.add(1),
            Verdict::Full => {
                stats.rx_xdp_failed.add(1);
                full = true;
            }
        }
        tally.count(status.len());
        full
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

    /// The oldest buffer has a frame that the PF has sent.
    #[inline(always)]
    fn is_own_copy(&self, rx: &Polled<'_, '_>, status: RxStatus) -> bool {
        match &self.returned {
            None => false,
            Some(returned) => is_own_copy(returned, rx, status),
        }
    }
}

/// As of [`Around::is_own_copy`].
#[inline(never)]
fn is_own_copy(returned: &Returned, rx: &Polled<'_, '_>, status: RxStatus) -> bool {
    returned.are_awaited()
        && returned.has_bytes(status.len(), status.vlan_tci(), |at, out: &mut [u8]| {
            rx.copy_oldest(at, out)
        })
}
