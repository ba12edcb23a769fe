// SPDX-License-Identifier: GPL-2.0

//! Frames that AF_XDP sockets want sent, from where they are.
//!
//! They share the ring with the stack, under the queue's lock, and leave it the room it needs for any
//! packet: so the stack is not stopped by them. Nor does its byte limit count them, or it would be held
//! back for as long as sockets send.

use super::{
    xdp::describe,
    TxRing,
    MIN_FRAME,
    ROOM, //
};
use net::{
    napi,
    queue::TxQueue,
    xsk, //
};

impl TxRing {
    /// Sends what sockets have, as far as there is room, and rings the doorbell. In the poll of the
    /// pair.
    pub(crate) fn send_sockets(
        &mut self,
        cx: &napi::Context<'_>,
        sockets: &mut xsk::Tx,
        queue: TxQueue<'_>,
    ) {
        let room = self.sender.free().saturating_sub(ROOM.stop());
        let (desc, returned) = (&self.desc, &self.returned);
        let look = returned
            .as_ref()
            .map(|returned| |frame: xsk::Unmapped<'_>| returned.sending_unmapped(&frame));
        let (frames, bytes) = self.sender.packets().push_sockets(
            queue,
            cx,
            sockets,
            (room, MIN_FRAME),
            look,
            |buffer| describe(desc, buffer.len, buffer),
        );
        if frames != 0 {
            self.stats.tx_xsk.add(frames.into());
            self.stats.tx_packets.add(frames.into());
            self.stats.tx_bytes.add(bytes.into());
            self.sender.wrote();
            self.sender.ring_if_due();
        }
    }
}
