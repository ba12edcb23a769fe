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
    dma::Coherent,
    napi,
    queue::TxQueue,
    skb::SkBuff,
    tx::{
        self,
        Consumer,
        Layout,
        Room,
        Sender,
        Wire, //
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
    sender: Sender,
    /// The context the controller has.
    context: Option<Words>,
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
    let (producer, consumer) = tx::table(dev, DESCS)?;
    let ring = TxRing {
        desc: desc.clone(),
        sender: Sender::new(producer, io.doorbell_at(regs::TX.tail)?),
        context: None,
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
        tx::xmit(self, skb, queue)
    }
}

impl tx::Descriptors for TxRing {
    const ROOM: Room = ROOM;

    fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    fn send(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Option<Wire> {
        let mut skb = skb.pad_to(MIN_FRAME).ok()?;
        let mut layout = Layout {
            lead: 0,
            max_len: tx_desc::MAX_DATA,
            bytes: skb.len(),
        };
        let mut checksum = false;
        if skb.begin_tx(queue).wants_offload() {
            if let Some(offload) = skb.prepare_offload().ok()? {
                let context = tx_desc::context(&offload)?;
                checksum = true;
                if self.context != Some(context) {
                    self.context = Some(context);
                    self.desc
                        .write(self.sender.packets().index() as usize, context);
                    layout.lead = 1;
                }
            }
        }
        let desc = &self.desc;
        let pushed = self.sender.packets().push(queue, skb, layout, |buffer| {
            let words = tx_desc::data(
                buffer.addr,
                buffer.len,
                checksum,
                buffer.last,
                buffer.report,
            );
            desc.write(buffer.index as usize, words);
        });
        let Ok(tail) = pushed else {
            // The context was not announced, and is overwritten.
            self.context = None;
            return None;
        };
        Some(Wire {
            tail,
            packets: 1,
            bytes: layout.bytes,
        })
    }

    fn report(&mut self, index: u32) {
        let words = self.desc.read(index as usize);
        self.desc.write(index as usize, tx_desc::reported(words));
    }

    fn sent(&mut self, wire: Wire, _stopped: bool) {
        self.stats.tx_packets.add(wire.packets.into());
        self.stats.tx_bytes.add(wire.bytes.into());
    }

    fn dropped(&mut self) {
        self.stats.tx_dropped.add(1);
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
