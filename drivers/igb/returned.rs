// SPDX-License-Identifier: GPL-2.0

//! Frames to a group that an emulated controller gives back to the PF that sent them: found here,
//! and dropped by the receive ring before anybody sees them.
//!
//! Only where the controller does that is there a [`Returned`], and rings refer to it only while
//! there are VFs, without which nothing is looped back. Whether a frame is a copy:
//! `core/returned.rs`.

use crate::clock::nanos_since;
use igb_core::returned::{
    Contents,
    Frame,
    Key,
    Sent,
    Slot, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    },
    time::{
        Instant,
        Monotonic, //
    },
};
use net::{
    lock::{
        new_raw_spinlock,
        RawSpinLock, //
    },
    page_pool::RxPage,
    skb::{
        RxSkb,
        SkBuff, //
    },
    xdp,
    xsk, //
};

/// Copies that can be waited for at a time: more than a receive ring of the usual size has room
/// for, in which they wait for the poll.
const ROOM: usize = 512;

/// The copies a port waits for.
#[pin_data]
pub(crate) struct Returned {
    key: Key,
    epoch: Instant<Monotonic>,
    /// The controller switches between functions.
    on: Atomic<bool>,
    /// `sent` is not empty, or was not a moment ago.
    awaited: Atomic<bool>,
    /// Taken for frames to groups alone.
    #[pin]
    sent: RawSpinLock<Sent<KVVec<Slot>>>,
}

impl Returned {
    /// Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let mut slots = KVVec::with_capacity(ROOM, GFP_KERNEL)?;
        for _ in 0..ROOM {
            slots.push(Slot::default(), GFP_KERNEL)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                key: [net::device::random(), net::device::random()],
                epoch: Instant::now(),
                on: Atomic::new(false),
                awaited: Atomic::new(false),
                sent <- new_raw_spinlock!(Sent::new(slots), c"igb_rs_returned"),
            }),
            GFP_KERNEL,
        )
    }

    /// Frames between functions are switched in the controller from now on, or are not. Any
    /// context.
    pub(crate) fn set(&self, on: bool) {
        self.on.store(on, Relaxed);
        if !on {
            self.sent.lock().clear();
            self.awaited.store(false, Release);
        }
    }

    /// Notes that `skb`, which is prepared for the controller and has `tag` beside it, is about to
    /// be sent. To be called before the doorbell is rung. Should the frame be dropped after all,
    /// its copy is waited for in vain.
    #[inline]
    pub(crate) fn sending(&self, skb: &SkBuff, tag: Option<u16>) {
        if skb.first_byte().is_some_and(|byte| byte & 1 != 0) && self.on.load(Relaxed) {
            self.note_skb(skb, tag);
        }
    }

    #[cold]
    fn note_skb(&self, skb: &SkBuff, tag: Option<u16>) {
        // What is segmented comes back as something else. Nobody segments what is for a group.
        if let Some(filled) = skb.filled_in() {
            let bytes = Bytes {
                size: skb.len(),
                copy: |at, out: &mut [u8]| skb.copy_to(at, out),
            };
            self.note(&bytes, tag, filled);
        }
    }

    /// The same for a frame without an skb.
    pub(crate) fn sending_frame(&self, frame: &xdp::Frame) {
        if self.on.load(Relaxed) {
            let bytes = Bytes {
                size: frame.len(),
                copy: |at, out: &mut [u8]| frame.copy_to(at, out),
            };
            self.note(&bytes, None, (0, 0));
        }
    }

    /// The same for a frame that a program sends back, and is short.
    pub(crate) fn sending_short(&self, frame: &xdp::Short) {
        if self.on.load(Relaxed) {
            let bytes = Bytes {
                size: frame.size(),
                copy: |at, out: &mut [u8]| frame.copy_to(at, out),
            };
            self.note(&bytes, None, (0, 0));
        }
    }

    /// The same for a frame of a socket.
    pub(crate) fn sending_unmapped(&self, frame: &xsk::Unmapped<'_>) {
        if self.on.load(Relaxed) {
            let bytes = Bytes {
                size: frame.size(),
                copy: |at, out: &mut [u8]| frame.copy_to(at, out),
            };
            self.note(&bytes, None, (0, 0));
        }
    }

    fn note(&self, contents: &impl Contents, tag: Option<u16>, (at, len): (u16, u16)) {
        let note =
            Frame::new(contents, tag).and_then(|frame| frame.note(self.key, frame.filled(at, len)));
        if let Some(note) = note {
            let mut sent = self.sent.lock();
            sent.push(note, self.now());
            // Before the doorbell, so before the controller has written a copy.
            self.awaited.store(true, Release);
        }
    }

    /// Copies are waited for.
    #[inline]
    pub(crate) fn are_awaited(&self) -> bool {
        self.awaited.load(Acquire)
    }

    /// Whether the first `size` bytes of `page` are a copy, with `tag` beside it. Asked once for
    /// each frame. Softirq context.
    pub(crate) fn has_page(&self, page: &RxPage, size: u32, tag: Option<u16>) -> bool {
        let bytes = Bytes {
            size,
            copy: |at, out: &mut [u8]| page.copy_to(at, out),
        };
        self.has(&bytes, tag)
    }

    /// The same for `size` bytes that `copy` copies some of.
    pub(crate) fn has_bytes(
        &self,
        size: u32,
        tag: Option<u16>,
        copy: impl Fn(u32, &mut [u8]) -> bool,
    ) -> bool {
        self.has(&Bytes { size, copy }, tag)
    }

    /// The same for a frame of several pages.
    pub(crate) fn has_skb(&self, skb: &RxSkb, tag: Option<u16>) -> bool {
        let bytes = Bytes {
            size: skb.len(),
            copy: |at, out: &mut [u8]| skb.copy_to(at, out),
        };
        self.has(&bytes, tag)
    }

    /// When a poll begins, if copies are waited for.
    #[inline]
    pub(crate) fn begin_poll(&self) -> Option<u64> {
        self.are_awaited().then(|| self.now())
    }

    /// Notes that the poll that began at `began` has got to the end of the ring.
    pub(crate) fn end_poll(&self, began: u64) {
        let mut sent = self.sent.lock();
        sent.drained(began);
        if sent.is_empty() {
            self.awaited.store(false, Release);
        }
    }

    fn has(&self, contents: &impl Contents, tag: Option<u16>) -> bool {
        let frame = Frame::new(contents, tag);
        let now = self.now();
        let mut last = None;
        loop {
            let candidate = {
                let mut sent = self.sent.lock();
                let candidate = frame.as_ref().and_then(|f| sent.candidate(f, last, now));
                if sent.is_empty() {
                    self.awaited.store(false, Release);
                }
                candidate
            };
            // The hash is not made under the lock.
            let Some((frame, filled)) = frame.as_ref().zip(candidate) else {
                return false;
            };
            let note = frame.note(self.key, filled);
            if note.is_some_and(|note| self.sent.lock().take(&note, now)) {
                return true;
            }
            last = Some(filled);
        }
    }

    fn now(&self) -> u64 {
        nanos_since(self.epoch)
    }
}

/// The bytes of a frame, by a function that copies some of them.
struct Bytes<F> {
    size: u32,
    copy: F,
}

impl<F: Fn(u32, &mut [u8]) -> bool> Contents for Bytes<F> {
    fn size(&self) -> u32 {
        self.size
    }

    fn copy(&self, at: u32, out: &mut [u8]) -> bool {
        (self.copy)(at, out)
    }
}
