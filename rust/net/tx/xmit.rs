// SPDX-License-Identifier: GPL-2.0

//! What `xmit` does around the descriptors of a packet: the same for any device.

use super::{
    Producer,
    Room, //
};
use crate::{
    dma,
    mmio::Doorbell,
    queue::TxQueue,
    skb::SkBuff, //
};

/// The producer half of a transmit ring, with the doorbell that tells the device of it.
pub struct Sender {
    packets: Producer,
    tail: Doorbell,
    /// Descriptors were written since the doorbell was rung last.
    unrung: bool,
}

impl Sender {
    /// That of an empty ring. `tail` is the register that takes the index behind the last
    /// descriptor.
    pub fn new(packets: Producer, tail: Doorbell) -> Self {
        Self {
            packets,
            tail,
            unrung: false,
        }
    }

    /// What packets are pushed into.
    #[inline(always)]
    pub fn packets(&mut self) -> &mut Producer {
        &mut self.packets
    }

    /// Slots that are free.
    #[inline(always)]
    pub fn free(&self) -> u32 {
        self.packets.free()
    }

    /// Descriptors were written that the device is not told of yet.
    #[inline(always)]
    pub fn wrote(&mut self) {
        self.unrung = true;
    }

    #[inline(always)]
    fn ring(&mut self, tail: u32) {
        self.unrung = false;
        // The descriptors are in memory before the device looks for them.
        dma::wmb();
        self.tail.ring(tail);
    }

    /// Tells the device of what it was not told of yet, such as packets whose successor announced
    /// itself and then did not come.
    #[cold]
    pub fn ring_if_due(&mut self) {
        if self.unrung {
            self.ring(self.packets.index());
        }
    }
}

/// A packet as it is on the wire, whose descriptors are written.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// What [`Producer::push`] returned.
    pub tail: u32,
    /// Packets the device makes of it.
    pub packets: u32,
    /// Bytes of these, headers included.
    pub bytes: u32,
}

/// A transmit ring of a device: what differs between devices. [`xmit`] does the rest.
///
/// ```
/// use net::device::Transmit;
/// use net::{queue::TxQueue, skb::SkBuff, tx::{self, Layout, Room, Sender, Wire}};
///
/// struct TxRing {
///     sender: Sender,
///     dropped: u64,
/// }
///
/// impl tx::Descriptors for TxRing {
///     const ROOM: Room = Room::new(0, 4096, 1518);
///
///     fn sender(&mut self) -> &mut Sender {
///         &mut self.sender
///     }
///
///     fn send(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Option<Wire> {
///         let bytes = skb.len();
///         let layout = Layout { lead: 0, max_len: 4096, bytes };
///         let pushed = self.sender.packets().push(queue, skb, layout, |buffer| {
///             /* Writes its descriptor. */
///         });
///         Some(Wire { tail: pushed.ok()?, packets: 1, bytes })
///     }
///
///     fn report(&mut self, index: u32) { /* Changes that descriptor. */ }
///
///     fn sent(&mut self, wire: Wire, stopped: bool) {}
///
///     fn dropped(&mut self) {
///         self.dropped += 1;
///     }
/// }
///
/// impl Transmit for TxRing {
///     fn xmit(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Result<(), SkBuff> {
///         tx::xmit(self, skb, queue)
///     }
/// }
/// ```
pub trait Descriptors {
    /// What packets need of the ring.
    const ROOM: Room;

    /// The ring's producer half.
    fn sender(&mut self) -> &mut Sender;

    /// Writes the descriptors of a packet, for which there is room. `None` if it had to be dropped.
    fn send(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Option<Wire>;

    /// Changes descriptor `index`, which the device is not told of yet, such that it is reported.
    fn report(&mut self, index: u32);

    /// Counts a packet. `stopped`: the queue was stopped behind it, for lack of descriptors.
    fn sent(&mut self, wire: Wire, stopped: bool);

    /// Counts a packet that was dropped.
    fn dropped(&mut self);
}

/// Sends a packet: [`Transmit::xmit`](crate::device::Transmit::xmit) of a ring.
///
/// # Errors
///
/// The packet, if there is no room for it; the queue is stopped then.
#[inline(always)]
pub fn xmit<D: Descriptors>(ring: &mut D, skb: SkBuff, queue: TxQueue<'_>) -> Result<(), SkBuff> {
    let room = D::ROOM;
    // One descriptor stays unused, and the queue is stopped before it gets this far.
    if ring.sender().free() <= room.needed(skb.len(), skb.buffers()) {
        let sender = ring.sender();
        let _ = queue.stop_if_below(room.stop(), room.wake(), || sender.free());
        sender.ring_if_due();
        return Err(skb);
    }
    let Some(wire) = ring.send(skb, queue) else {
        ring.dropped();
        if !queue.more() {
            ring.sender().ring_if_due();
        }
        return Ok(());
    };
    let sender = ring.sender();
    let stopped = queue.stop_if_below(room.stop(), room.wake(), || sender.free());
    ring.sent(wire, stopped);
    let sent = queue.sent(wire.bytes);
    if sent.stopped() {
        // Nobody but the report of this packet wakes the queue.
        if let Some(index) = ring.sender().packets.report() {
            ring.report(index);
        }
    }
    if sent.ring() {
        ring.sender().ring(wire.tail);
    } else {
        ring.sender().unrung = true;
    }
    Ok(())
}
