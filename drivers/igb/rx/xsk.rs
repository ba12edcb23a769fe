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
        Back, //
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
        let ring = PoolRing {
            config,
            desc: Coherent::zeroed(dev, config.descs as usize)?,
            buffers: Rx::new(napi, pool, config.descs)?,
            tail: io.doorbell(regs::rdt(config.queue))?,
            next: 0,
            batch: ring::refill_batch(config.descs),
            waits: pool.uses_need_wakeup(),
            within: false,
            program,
            looks_for_messages: parts.ptp.looks_at_frames(),
            ptp: parts.ptp,
            back: Back::new(parts.programs.tx),
            returned: parts.returned,
            stats: parts.stats,
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
            (Source::Pool(ring), Some(program)) => ring.program = program,
            (Source::Pool(_), None) => {}
        }
    }

    /// What sockets receive has no stamps. What the stack gets has.
    fn set_inspects(&mut self, looks_for_messages: bool) {
        match &mut self.rx {
            Source::Pages(ring) => ring.set_inspects(looks_for_messages),
            Source::Pool(ring) => ring.looks_for_messages = looks_for_messages,
        }
    }

    fn config(&self) -> &Config {
        match &self.rx {
            Source::Pages(ring) => ring.config(),
            Source::Pool(ring) => &ring.config,
        }
    }

    fn dma_handle(&self) -> u64 {
        match &self.rx {
            Source::Pages(ring) => ring.dma_handle(),
            Source::Pool(ring) => ring.desc.dma_handle(),
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
    config: Config,
    desc: Coherent<DescWords>,
    /// Those offered to the controller.
    buffers: Rx,
    tail: Doorbell,
    /// The descriptor behind the latest of them.
    next: u32,
    /// Buffers to collect before telling the controller.
    batch: u32,
    /// Who uses the sockets wakes the driver when that is needed.
    waits: bool,
    /// The next buffer goes on with a frame that is not wanted.
    within: bool,
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
    fn publish(&self) {
        dma::wmb();
        self.tail.ring(self.next);
    }

    /// Offers a buffer with every vacant descriptor. Returns whether there were enough.
    fn fill(&mut self, cx: &impl napi::Exclusive) -> bool {
        let desc = &self.desc;
        let filled = self.buffers.fill(cx, |index, addr| {
            if let Some(words) = desc.words(index as usize) {
                words.write(rx::offer(addr));
            }
        });
        self.next = self.buffers.room(cx).0;
        filled
    }

    /// Refills the ring, if that is worth a register write, and tells the controller. Returns whether
    /// there were enough buffers.
    #[inline]
    fn refill_if_due(&mut self, cx: &napi::Context<'_>) -> bool {
        if self.buffers.room(cx).1 < self.batch {
            return true;
        }
        let before = self.next;
        let filled = self.fill(cx);
        if self.next != before {
            self.publish();
        }
        filled
    }

    /// Shows at most `budget` frames to the program; returns how many, or `budget` if another poll is
    /// due for which nobody would ask. Buffers of frames that get no further count as well: there are at
    /// most as many as descriptors.
    fn poll(&mut self, cx: &mut napi::Context<'_>, budget: u32, load: &mut Load) -> u32 {
        let mut tally = Tally::default();
        let mut full = false;
        let mut left = self.config.descs;
        let began = match &self.returned {
            Some(returned) => returned.begin_poll(),
            None => None,
        };
        while tally.frames < budget && !full && left != 0 {
            let Some(index) = self.buffers.oldest(cx) else {
                break;
            };
            let Some(desc) = self.desc.words(index as usize) else {
                break;
            };
            let status = RxStatus::from_le(desc.read::<1>());
            if !status.is_done() {
                break;
            }
            // The other fields are read after DD, and before the descriptor is used again.
            dma::rmb();
            let info = RxInfo::from_le(desc.read::<0>());
            // Whatever becomes of the frame: until it is read, no other is stamped, of no queue.
            let stamp = if status.is_stamped() {
                self.ptp.received()
            } else {
                None
            };
            if self.is_whole(status) {
                full = self.receive(cx, status, (info, stamp), &mut tally) && self.waits;
            } else {
                self.buffers.drop_oldest(cx);
                left = left.wrapping_sub(1);
            }
            let _ = self.refill_if_due(cx);
        }
        self.back.finish();
        if let Some((returned, began)) = self.returned.as_ref().zip(began) {
            if tally.frames < budget && !full && left != 0 && self.config.index == 0 {
                returned.end_poll(began);
            }
        }
        tally.publish(&self.stats);
        load.rx_packets = tally.frames;
        load.bytes = load.bytes.wrapping_add(tally.bytes);
        if self.starves(cx, full) || left == 0 {
            budget
        } else {
            tally.frames
        }
    }

    /// Refills the ring at the end of a poll, and says whether sockets are to wake the driver: when
    /// there were not enough buffers, or a socket is `full`. Returns whether the controller has no buffer
    /// and nobody would wake the driver.
    fn starves(&mut self, cx: &napi::Context<'_>, full: bool) -> bool {
        let enough = self.refill_if_due(cx);
        let told = self.buffers.set_need_wakeup(cx, full || !enough);
        if enough {
            return false;
        }
        // What came before it was seen that the driver wants to be woken.
        let enough = told && self.refill_if_due(cx);
        !enough && !told && self.buffers.oldest(cx).is_none()
    }

    /// Takes the oldest buffer, which has a good frame, with its stamp if it has one. Returns whether the
    /// socket that was to have it has no room.
    #[inline]
    fn receive(
        &mut self,
        cx: &mut napi::Context<'_>,
        status: RxStatus,
        (info, stamp): (RxInfo, Option<i64>),
        tally: &mut Tally,
    ) -> bool {
        if self.is_own_copy(cx, status) {
            self.buffers.drop_oldest(cx);
            self.stats.rx_own_copies.add(1);
            tally.count(status.len());
            return false;
        }
        let hints = hints(status, info, stamp);
        let verdict = self.buffers.run(cx, &self.program, status.len(), &hints);
        let stats = &self.stats;
        match verdict {
            Verdict::Redirected => stats.rx_xdp_redirect.add(1),
            Verdict::Pass(mut skb) => {
                tally.bytes = tally.bytes.wrapping_add(skb.len());
                let meta = meta(&self.config, stats, status, info, tally);
                if let Some(ns) = stamp.or_else(|| self.stamp_of(&skb)) {
                    skb.set_stamp(ns);
                }
                cx.receive(skb, self.config.index, meta);
                return false;
            }
            Verdict::NoMemory => stats.rx_alloc_failed.add(1),
            Verdict::Transmit(frame) => {
                if self.back.send(frame) {
                    stats.rx_xdp_tx.add(1);
                } else {
                    stats.rx_xdp_failed.add(1);
                    self.buffers.transmit_failed(cx, &self.program);
                }
            }
            Verdict::Dropped => stats.rx_xdp_drop.add(1),
            Verdict::Failed => stats.rx_xdp_failed.add(1),
            Verdict::Full => {
                stats.rx_xdp_failed.add(1);
                tally.count(status.len());
                return true;
            }
        }
        tally.count(status.len());
        false
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

    /// The buffer holds a good frame. One of several buffers does not get past a program: it is
    /// longer than it may be.
    fn is_whole(&mut self, status: RxStatus) -> bool {
        let (begins, ends) = (!self.within, status.is_end_of_packet());
        self.within = !ends;
        let good = begins && ends && !status.has_frame_error() && !status.is_empty();
        if begins && !good {
            self.stats.rx_errors.add(1);
        }
        good
    }

    /// The oldest buffer has a frame that the PF has sent.
    #[inline]
    fn is_own_copy(&self, cx: &napi::Context<'_>, status: RxStatus) -> bool {
        self.returned
            .as_ref()
            .filter(|returned| returned.are_awaited())
            .is_some_and(|returned| {
                returned.has_bytes(status.len(), status.vlan_tci(), |at, out: &mut [u8]| {
                    self.buffers.copy_oldest(cx, at, out)
                })
            })
    }
}
