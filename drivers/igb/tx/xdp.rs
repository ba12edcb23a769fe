// SPDX-License-Identifier: GPL-2.0

//! Frames without an skb: those a program sends back, and those other devices hand over.
//!
//! They share the rings with the stack, under the queue's lock. Whatever stops the stack stops them
//! as well, so neither starves the other; but nobody keeps them until the queue is woken.

use super::{
    write,
    TxRing,
    MIN_FRAME,
    ROOM, //
};
use igb_core::{
    desc::{
        tx::{
            DataDesc,
            MAX_DATA_PER_DESC, //
        },
        DescWords, //
    },
    frame::MAX_FRAME, //
};
use net::{
    dma::Coherent,
    queue::TxQueue,
    tx::{
        self,
        Buffer, //
    },
    xdp, //
};

/// Longest frame, in bytes without the FCS: what a program has let grow may be longer.
const LONGEST: u32 = MAX_FRAME as u32 - 4;

// Each of its buffers is one descriptor.
const _: () = assert!(LONGEST <= MAX_DATA_PER_DESC);

impl TxRing {
    /// Writes the descriptors of a frame, of which the controller and the byte limit are told by
    /// [`TxRing::finish_frames`]. Returns the frame if it was copied.
    ///
    /// # Errors
    ///
    /// The frame: the queue is stopped or closing, the frame is longer than any that is sent, or it
    /// cannot be mapped.
    #[inline]
    pub(super) fn send_frame(
        &mut self,
        frame: xdp::Frame,
        queue: TxQueue<'_>,
    ) -> Result<Option<xdp::Frame>, xdp::Frame> {
        if queue.is_stopped() {
            self.stats.tx_xdp_dropped.add(1);
            return Err(frame);
        }
        if let Some(returned) = &self.returned {
            returned.sending_frame(&frame);
        }
        let desc = &self.desc;
        let packets = self.sender.packets();
        let copied = packets.push_short_frame(queue, &frame, MIN_FRAME, |buffer| {
            describe(desc, buffer.len, buffer);
        });
        match copied {
            Some(bytes) => {
                self.wrote_frame(bytes, queue);
                Ok(Some(frame))
            }
            None => self.send_long_frame(frame, queue).map(|()| None),
        }
    }

    /// The same for one that is not just copied.
    #[inline(never)]
    fn send_long_frame(&mut self, frame: xdp::Frame, queue: TxQueue<'_>) -> Result<(), xdp::Frame> {
        let bytes = frame.len().max(MIN_FRAME);
        if bytes > LONGEST {
            self.stats.tx_xdp_dropped.add(1);
            return Err(frame);
        }
        let desc = &self.desc;
        let packets = self.sender.packets();
        let pushed = packets.push_frame(queue, frame, MIN_FRAME, |buffer| {
            describe(desc, bytes, buffer);
        });
        if let Err(frame) = pushed {
            self.stats.tx_xdp_dropped.add(1);
            return Err(frame);
        }
        self.wrote_frame(bytes, queue);
        Ok(())
    }

    /// Sends frames of a program, by copying them, and tells the controller; returns how many, from the
    /// first on.
    pub(crate) fn send_short<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a xdp::Short>,
        queue: TxQueue<'_>,
    ) -> u32 {
        let mut sent = 0u32;
        for frame in frames {
            if queue.is_stopped() {
                break;
            }
            if let Some(returned) = &self.returned {
                returned.sending_short(frame);
            }
            let desc = &self.desc;
            let packets = self.sender.packets();
            let pushed = packets.push_short(queue, frame, MIN_FRAME, |buffer| {
                describe(desc, buffer.len, buffer);
            });
            let Some(bytes) = pushed else {
                break;
            };
            self.wrote_frame(bytes, queue);
            sent = sent.wrapping_add(1);
        }
        self.finish_frames(queue);
        sent
    }

    /// A frame is in the ring. Leaves the stack the room it needs.
    #[inline]
    fn wrote_frame(&mut self, bytes: u32, queue: TxQueue<'_>) {
        self.stats.tx_xdp.add(1);
        self.stats.tx_packets.add(1);
        self.stats.tx_bytes.add(bytes.into());
        self.unaccounted = self.unaccounted.wrapping_add(bytes);
        self.sender.wrote();
        if queue.stop_if_below(ROOM.stop(), ROOM.wake(), || self.sender.free()) {
            self.stats.tx_stop.add(1);
        }
    }

    /// Tells the controller and the byte limit of frames that were sent. If the stack waits from then on, it
    /// waits for the report of the last of them.
    pub(super) fn finish_frames(&mut self, queue: TxQueue<'_>) {
        let bytes = core::mem::take(&mut self.unaccounted);
        if bytes != 0 && queue.sent_frames(bytes) {
            if let Some(index) = self.sender.packets().report() {
                tx::Descriptors::report(self, index);
            }
        }
        self.sender.ring_if_due();
    }
}

/// Writes the descriptor of a buffer of a frame of `bytes` that has nothing to be offloaded.
#[inline(always)]
pub(super) fn describe(desc: &Coherent<DescWords>, bytes: u32, buffer: Buffer) {
    write(desc, DataDesc::new(bytes, None, false), buffer);
}
