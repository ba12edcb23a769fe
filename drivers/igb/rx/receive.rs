// SPDX-License-Identifier: GPL-2.0

//! What a poll and those who open queues know of a ring that receives.

use crate::tx::{
    Done,
    TxDone, //
};
use igb_core::itr::Load;
use net::{
    napi::{
        Context,
        TxContext, //
    },
    page_pool,
    xdp::Program, //
};

/// What a receive ring is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// Queue of the net device.
    pub(crate) index: u16,
    /// Queue of the controller.
    pub(crate) queue: usize,
    /// Descriptors; a power of two.
    pub(crate) descs: u32,
    /// Longest frame, in bytes with tag and FCS.
    pub(crate) max_frame: u32,
    /// The user wants flow hashes.
    pub(crate) hash: bool,
    /// The user wants frames the controller found damaged, and the controller stores them, of any
    /// length.
    pub(crate) bad_frames: bool,
}

impl Config {
    /// Bytes the controller may write into one page: SRRCTL counts in KiB. Two hold a standard
    /// frame; with larger ones, three use the page better.
    pub(crate) fn buffer_len(&self) -> u32 {
        if self.max_frame <= 2048 {
            2048
        } else {
            LARGE_BUFFER
        }
    }
}

/// Bytes the controller may write into a page at most.
pub(super) const LARGE_BUFFER: u32 = 3072;

// The controller must not write beyond what a page has room for.
const _: () = assert!(page_pool::ROOM >= LARGE_BUFFER);

/// What receives in a pair, and sends besides the stack: a type of its own for pairs that sockets
/// have attached buffers to, so that others know nothing of these.
pub(crate) trait Receive: Send + 'static {
    /// Takes at most `budget` frames; returns how many. Softirq context.
    fn poll(&mut self, cx: &mut Context<'_>, budget: u32, load: &mut Load) -> u32;

    /// Gives back what the controller has sent. In the same poll, before it.
    fn reap(tx: &mut TxDone, cx: &mut TxContext<'_>, load: &mut Load) -> Done;

    /// The controller has sent `frames` of sockets. In the same poll, before it.
    fn sent(&mut self, cx: &mut Context<'_>, frames: u32);

    /// Frames received from now on are shown to `program`.
    fn set_program(&mut self, program: Option<Program>);

    /// Whether each frame is looked at for messages that the poll has to stamp.
    fn set_inspects(&mut self, looks_for_messages: bool);

    /// Ring parameters.
    fn config(&self) -> &Config;

    /// Where the controller finds the ring.
    fn dma_handle(&self) -> u64;

    /// Tells the controller about all buffers in the ring. To be called when the queue has been
    /// enabled.
    fn publish(&mut self);
}
