// SPDX-License-Identifier: GPL-2.0

//! Frames without an skb: those a program sends back, and those other devices hand over.
//!
//! They share the rings with the stack, under the queue's lock. Whatever stops the stack stops them
//! as well, so neither starves the other; but nobody keeps them until the queue is woken.

use super::{
    TxRing,
    MIN_FRAME,
    ROOM, //
};
use igb_core::{
    desc::tx::{
        self,
        DataDesc,
        End, //
    },
    frame::MAX_FRAME, //
};
use net::{
    queue::TxQueue,
    xdp, //
};

/// Longest frame, in bytes without the FCS: what a program has let grow may be longer.
const LONGEST: u32 = MAX_FRAME as u32 - 4;

// Each of its buffers is one descriptor.
const _: () = assert!(LONGEST <= tx::MAX_DATA_PER_DESC);

impl TxRing {
    /// Writes the descriptors of a frame. The doorbell is left to
    /// [`Sender::ring_if_due`](net::tx::Sender::ring_if_due).
    ///
    /// # Errors
    ///
    /// The frame: the queue is stopped or closing, the frame is longer than any that is sent, or it
    /// cannot be mapped.
    pub(super) fn send_frame(
        &mut self,
        frame: xdp::Frame,
        queue: TxQueue<'_>,
    ) -> Result<(), xdp::Frame> {
        if queue.is_stopped() || frame.len() > LONGEST {
            self.stats.tx_xdp_dropped.add(1);
            return Err(frame);
        }
        let bytes = frame.len().max(MIN_FRAME);
        let words = DataDesc::new(bytes, None, false);
        if let Some(returned) = &self.returned {
            returned.sending_frame(&frame);
        }
        let desc = &self.desc;
        let pushed = self
            .sender
            .packets()
            .push_frame(queue, frame, MIN_FRAME, |buffer| {
                desc.write(
                    buffer.index as usize,
                    words.data(buffer.addr, buffer.len, End::of(buffer.last, buffer.report)),
                );
            });
        if let Err(frame) = pushed {
            self.stats.tx_xdp_dropped.add(1);
            return Err(frame);
        }
        self.stats.tx_xdp.add(1);
        self.stats.tx_packets.add(1);
        self.stats.tx_bytes.add(bytes.into());
        if queue.stop_if_below(ROOM.stop(), ROOM.wake(), || self.sender.free()) {
            self.stats.tx_stop.add(1);
        }
        queue.sent_frame(bytes);
        self.sender.wrote();
        Ok(())
    }
}
