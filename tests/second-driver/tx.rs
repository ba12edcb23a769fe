// SPDX-License-Identifier: GPL-2.0

//! The transmit ring: [`TxRing`] fills it, [`TxDone`] empties it.

use crate::{
    hw::Io,
    netdev::Stats,
    regs::{
        self,
        tx_desc,
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
    device::Transmit,
    dma::{
        self,
        Coherent, //
    },
    mmio::Doorbell,
    napi,
    queue::TxQueue,
    skb::SkBuff,
    tx::{
        Consumer,
        Layout,
        Producer,
        Room, //
    },
};

/// Descriptors; a power of two.
pub(crate) const DESCS: u32 = 256;
/// Shortest frame without FCS.
const MIN_FRAME: u32 = 60;

/// A packet has a context in front, and is no longer than a frame with a VLAN tag.
const ROOM: Room = Room::new(1, tx_desc::MAX_DATA, 1518);

const _: () = assert!(DESCS > ROOM.wake());

/// The end that takes packets from the stack. Used under the queue's lock.
pub(crate) struct TxRing {
    desc: Arc<Coherent<Words>>,
    packets: Producer,
    tail: Doorbell,
    /// The context the controller has.
    context: Option<Words>,
    /// Descriptors were written since the doorbell was rung.
    unrung: bool,
    stats: Arc<Stats>,
}

/// The end that gives packets back. Used by the poll.
pub(crate) struct TxDone {
    desc: Arc<Coherent<Words>>,
    packets: Consumer,
}

/// Allocates a ring. Process context.
pub(crate) fn new(
    dev: &device::Device<Bound>,
    io: &Io,
    stats: Arc<Stats>,
) -> Result<(TxRing, TxDone)> {
    let desc = Arc::new(Coherent::zeroed(dev, DESCS as usize)?, GFP_KERNEL)?;
    let (producer, consumer) = net::tx::table(dev, DESCS)?;
    let ring = TxRing {
        desc: desc.clone(),
        packets: producer,
        tail: io.doorbell(regs::TX.tail)?,
        context: None,
        unrung: false,
        stats,
    };
    let done = TxDone {
        desc,
        packets: consumer,
    };
    Ok((ring, done))
}

impl Transmit for TxRing {
    fn xmit(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Result<(), SkBuff> {
        if self.packets.free() <= ROOM.needed(skb.len(), skb.buffers()) {
            // It should have been stopped. One descriptor stays unused.
            let _ = queue.stop_if_below(ROOM.stop(), ROOM.wake(), || self.packets.free());
            self.ring_if_due();
            return Err(skb);
        }
        match self.send(skb, queue) {
            Some(len) => self.finish(len, queue),
            None => {
                self.stats.tx_dropped.add(1);
                if !queue.more() {
                    self.ring_if_due();
                }
            }
        }
        Ok(())
    }
}

impl TxRing {
    /// Writes the descriptors of a packet, and returns its length; `None` if it had to be dropped.
    fn send(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Option<u32> {
        let mut skb = skb.pad_to(MIN_FRAME).ok()?;
        let mut layout = Layout {
            lead: 0,
            max_len: tx_desc::MAX_DATA,
            bytes: skb.len(),
        };
        let mut checksum = false;
        if skb.begin_tx().wants_offload() {
            if let Some(offload) = skb.prepare_offload().ok()? {
                let context = tx_desc::context(&offload)?;
                checksum = true;
                if self.context != Some(context) {
                    self.context = Some(context);
                    self.desc.write(self.packets.index() as usize, context);
                    layout.lead = 1;
                }
            }
        }
        let desc = &self.desc;
        let pushed = self.packets.push(queue, skb, layout, |buffer| {
            let words = tx_desc::data(
                buffer.addr,
                buffer.len,
                checksum,
                buffer.last,
                buffer.report,
            );
            desc.write(buffer.index as usize, words);
        });
        if pushed.is_err() {
            // The context was not announced, and is overwritten.
            self.context = None;
            return None;
        }
        Some(layout.bytes)
    }

    /// Accounts a packet, and rings the doorbell if it is time.
    fn finish(&mut self, len: u32, queue: TxQueue<'_>) {
        self.unrung = true;
        self.stats.tx_packets.add(1);
        self.stats.tx_bytes.add(len.into());
        let _ = queue.stop_if_below(ROOM.stop(), ROOM.wake(), || self.packets.free());
        let sent = queue.sent(len);
        if sent.stopped() {
            // Nobody but the report of this packet wakes the queue.
            if let Some(index) = self.packets.report() {
                let words = self.desc.read(index as usize);
                self.desc.write(index as usize, tx_desc::reported(words));
            }
        }
        if sent.ring() {
            self.ring_if_due();
        }
    }

    fn ring_if_due(&mut self) {
        if core::mem::take(&mut self.unrung) {
            // The descriptors are in memory before the controller looks for them.
            dma::wmb();
            self.tail.ring(self.packets.index());
        }
    }
}

impl TxDone {
    /// Where the controller finds the ring.
    pub(crate) fn dma_handle(&self) -> u64 {
        self.desc.dma_handle()
    }

    /// Gives back what was sent, and wakes the queue if that makes room.
    pub(crate) fn poll(&mut self, cx: &mut napi::TxContext<'_>) {
        let desc = &self.desc;
        // Of the ring there is no more than once around.
        let reaped = self.packets.reap(cx, DESCS, |last| {
            tx_desc::is_done(desc.read_word(last as usize, 1))
        });
        let _ = cx
            .queue()
            .completed(reaped.skbs, reaped.bytes, ROOM.wake(), true, || {
                self.packets.free()
            });
    }
}
