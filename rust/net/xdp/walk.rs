// SPDX-License-Identifier: GPL-2.0

//! Programs that are shown what is in a ring, frame after frame, by one call.

use super::{
    Program,
    RxQueue,
    Shorts,
    Undecided, //
};
use crate::{
    dma::Coherent,
    napi,
    page_pool::{
        RxBatch,
        RxPages,
        ROOM, //
    },
    skb::RxMeta, //
};
use core::mem::MaybeUninit;

/// How a device says in a descriptor of two little-endian words that it has written a whole frame into the
/// buffer.
///
/// ```
/// use net::xdp::Whole;
///
/// /// Bit 0: it is written; bit 1: the frame ends here; bit 31: it is damaged.
/// /// Bits 47:32: its length.
/// const WHOLE: Whole = Whole::new(1 << 0 | 1 << 1 | 1 << 31, 1 << 0 | 1 << 1, 32);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    bits: u64,
    whole: u64,
    len_at: u32,
}

impl Whole {
    /// Of the second word, those of `bits` are as in `whole` then, and the length of the frame is the 16 bits
    /// from bit `len_at` on: 0, 16, 32 or 48. One whose length is 0 is no frame.
    pub const fn new(bits: u64, whole: u64, len_at: u32) -> Self {
        // A constant does not compile if this does not hold.
        assert!(len_at < 64 && len_at % 16 == 0 && whole & !bits == 0);
        Self {
            bits,
            whole,
            // In bytes, behind the first word.
            len_at: 8u32.wrapping_add(len_at / 8),
        }
    }

    /// The `count` buffers from `first` on of the ring with these descriptors, each of `room` bytes. `None`
    /// unless there are so many.
    #[inline]
    pub(crate) fn ring(
        self,
        descs: &Coherent<[u64; 2]>,
        (first, count): (u32, u32),
        room: u32,
    ) -> Option<netbind::nbh_rx_ring> {
        let end = (first as usize).checked_add(count as usize)?;
        if end > descs.len() {
            return None;
        }
        let start = descs.as_ptr().as_ptr();
        Some(netbind::nbh_rx_ring {
            // SAFETY: There are as many descriptors, by the check.
            desc: unsafe { start.add(first as usize) },
            // SAFETY: The same.
            end: unsafe { start.add(end) },
            bits: self.bits,
            whole: self.whole,
            len_at: self.len_at,
            room,
            bytes: 0,
            len: 0,
        })
    }
}

/// Descriptors of `ring` from `first` on that were gone through.
#[inline]
pub(crate) fn gone_through(ring: &netbind::nbh_rx_ring, first: *const [u64; 2]) -> u32 {
    let bytes = ring.desc.addr().wrapping_sub(first.addr());
    // CAST: a ring has less than 2^32.
    (bytes / size_of::<[u64; 2]>()) as u32
}

/// What has become of the frames of [`RxQueue::walk`].
pub struct Walk {
    /// Those that are in the batch.
    pub passed: u32,
    /// Those that are to be sent back.
    pub short: u32,
    /// Another device, CPU or socket has them.
    pub redirected: u32,
    /// The program did not want them. Their pages are offered again with the next
    /// [`RxPages::fill`].
    pub dropped: u32,
    /// The bytes of all these.
    pub bytes: u32,
    /// There may be more: all that could be taken at once were.
    pub more: bool,
    /// The frame behind them, if it was taken as well.
    pub last: Option<Last>,
}

impl Walk {
    const NOTHING: Self = Self {
        passed: 0,
        short: 0,
        redirected: 0,
        dropped: 0,
        bytes: 0,
        more: false,
        last: None,
    };

    /// Frames that were taken.
    #[inline]
    pub fn frames(&self) -> u32 {
        self.passed
            .wrapping_add(self.short)
            .wrapping_add(self.redirected)
            .wrapping_add(self.dropped)
            .wrapping_add(self.last.is_some().into())
    }
}

/// A frame with which a walk has ended.
pub struct Last {
    /// Its bytes, as the device wrote them.
    pub len: u32,
    /// The words of its descriptor.
    pub words: [u64; 2],
    /// What is wanted with it: [`RxQueue::decide`] knows.
    pub frame: Undecided,
}

impl RxQueue {
    /// Shows the oldest frames of a ring to `program`, at most `most`, as long as each is in one buffer and
    /// good (`whole` knows), and the program drops them, wants them elsewhere, or leaves them as they are, or
    /// wants short ones sent back. Those that it leaves are put into `batch`, with what `describe` makes of the
    /// two words of their descriptors, and those that it wants sent into `shorts`, until one of them is full.
    /// Programs may ask for the same words as hints.
    ///
    /// `pages` are those that are offered in `descs`. In the poll of another instance than the queue's, and if
    /// there are fewer descriptors than places, nothing is done. Pages of another pool than the queue's are
    /// not shown: they are [`Verdict::Failed`](super::Verdict::Failed).
    pub fn walk(
        &mut self,
        cx: &mut napi::Context<'_>,
        program: &Program,
        (pages, descs, whole): (&mut RxPages, &Coherent<[u64; 2]>, Whole),
        most: u32,
        (batch, shorts): (&mut RxBatch, &mut Shorts),
        mut describe: impl FnMut([u64; 2]) -> RxMeta,
    ) -> Walk {
        let (places, mask, run, free) = pages.walk(most);
        let ring = whole.ring(descs, run, ROOM);
        let (Some(ring), true) = (ring, self.is_polled_by(cx)) else {
            return Walk::NOTHING;
        };
        let (oldest, start) = (run.0, ring.desc);
        let batch_is_full = batch.is_full();
        let (frames, before) = batch.room();
        let (short_frames, shorts_before) = shorts.room();
        if batch_is_full || shorts.is_full() {
            return Walk::NOTHING;
        }
        let mut words = MaybeUninit::<[[u64; 2]; netbind::NBH_RX_BATCH as usize]>::uninit();
        let mut raw = netbind::nbh_rx_walk {
            ring,
            places,
            mask,
            oldest,
            free,
            passed: before,
            frames,
            words: words.as_mut_ptr().cast(),
            nr_short: shorts_before,
            shorts: short_frames,
        };
        // SAFETY: Program and registration are valid by their type invariants. The pool is there, as its
        // instance is polled, and its buffers begin behind the headroom. The ring has places with a page, and
        // descriptors, from `oldest` up to `end`; what is put back takes the place of one that was taken. The
        // batch has room for a frame, and so have `words` and `shorts`; the callee ends when one is full. We
        // are in a poll, as `cx` proves: softirqs are off, and the kernel has set up what programs need.
        let act =
            unsafe { netbind::xdp_walk(program.as_ptr(), self.pool, &mut self.shown, &mut raw) };
        let taken = gone_through(&raw.ring, start);
        // SAFETY: The callee has taken so many, and put back some of them. All others are in the batch, or
        // among those to be sent, in the hands of who they were redirected to, or in ours, which is the last.
        unsafe { pages.walked(taken, raw.free) };
        // SAFETY: The callee has filled in so many frames, each of which owns its page now, with at most
        // `ROOM` bytes, and has written their words.
        unsafe {
            batch.filled(raw.passed, self.index, |i| {
                describe(words.as_ptr().cast::<[u64; 2]>().add(i as usize).read())
            })
        };
        // SAFETY: The callee has filled in so many that are to be sent, from pages that may be written again.
        unsafe { shorts.filled(raw.nr_short) };
        let walked = act == netbind::NBH_XDP_WALKED;
        let passed = raw.passed.wrapping_sub(before);
        let short = raw.nr_short.wrapping_sub(shorts_before);
        let dropped = raw.free.wrapping_sub(free);
        let redirected = taken
            .wrapping_sub(passed)
            .wrapping_sub(short)
            .wrapping_sub(dropped)
            .wrapping_sub(u32::from(!walked));
        if redirected != 0 {
            cx.must_flush();
        }
        Walk {
            passed,
            short,
            redirected,
            dropped,
            bytes: raw.ring.bytes,
            more: taken != 0 && raw.ring.desc == raw.ring.end,
            last: (!walked).then(|| {
                // SAFETY: It was taken, of none that were put back, and is the last that was.
                let page = unsafe { pages.taken_from(oldest.wrapping_add(taken).wrapping_sub(1)) };
                Last {
                    len: raw.ring.len,
                    words: self.shown.hints.words,
                    frame: Undecided { page, act },
                }
            }),
        }
    }
}
