// SPDX-License-Identifier: GPL-2.0

//! A receive ring whose frames are shown to a program first.

use super::{
    receive::LARGE_BUFFER,
    Partial,
    RxRing,
    Tally, //
};
use crate::tx::TxRing;
use igb_core::desc::rx::RxStatus;
use kernel::prelude::*;
use net::{
    device::{
        Transmit,
        TxHandle, //
    },
    napi,
    page_pool::{
        PagePool,
        RxPage, //
    },
    skb::RxSkb,
    xdp::{
        Frame,
        Program,
        RxQueue,
        Verdict, //
    },
};

/// Largest frame that is shown to programs, in bytes with FCS, without tag: it has to fit into one
/// buffer, and a tag that is not taken out as well.
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
        })
    }
}

impl RxRing {
    /// Shows the frame in `page` to the program. Returns the frame if the stack is to have it; it
    /// counts as received in any case.
    #[inline(never)]
    pub(super) fn filter(
        &mut self,
        cx: &mut napi::Context<'_>,
        page: RxPage,
        status: RxStatus,
        tally: &mut Tally,
    ) -> Option<RxSkb> {
        if !self.is_whole(status) {
            return None;
        }
        let program = self.program.as_ref()?;
        let stats = &self.stats;
        match self.xdp.queue.run(cx, program, page, status.len()) {
            Verdict::Pass(buff) => {
                let skb = buff.into_skb(cx);
                if skb.is_none() {
                    stats.rx_alloc_failed.add(1);
                }
                return skb;
            }
            Verdict::Transmit(frame) => {
                if self.xdp.back.send(frame) {
                    stats.rx_xdp_tx.add(1);
                } else {
                    stats.rx_xdp_failed.add(1);
                    self.xdp.queue.transmit_failed(cx, program);
                }
            }
            Verdict::Redirected => stats.rx_xdp_redirect.add(1),
            Verdict::Dropped => stats.rx_xdp_drop.add(1),
            Verdict::Failed => stats.rx_xdp_failed.add(1),
        }
        tally.frames = tally.frames.wrapping_add(1);
        tally.bytes = tally.bytes.wrapping_add(status.len());
        None
    }

    /// The buffer holds a good frame. One of several buffers does not get past a program: it is
    /// longer than it may be.
    fn is_whole(&mut self, status: RxStatus) -> bool {
        let begins = matches!(self.partial, Partial::None);
        let ends = status.is_end_of_packet();
        self.partial = if ends { Partial::None } else { Partial::Skip };
        let good = begins && ends && !status.has_frame_error() && !status.is_empty();
        if begins && !good {
            self.stats.rx_errors.add(1);
        }
        good
    }

    /// Lets the frames the program has sent leave. To be called at the end of each poll.
    #[inline]
    pub(super) fn finish_xdp(&mut self) {
        self.xdp.back.finish();
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
        let _ = self.tx.with(|ring, _queue| ring.flush_frames());
    }
}
