// SPDX-License-Identifier: GPL-2.0

//! Programs that are shown what is in a ring of buffers of sockets, frame after frame, by one call.

use super::rx::{
    Buff,
    Polled,
    Verdict, //
};
use crate::{
    dma::Coherent,
    xdp::{
        gone_through,
        Program,
        Whole, //
    },
};

/// What has become of the frames of [`Polled::walk`].
#[derive(Default)]
pub struct Walk {
    /// A socket, or another device or CPU has them.
    pub redirected: u32,
    /// The program did not want them.
    pub dropped: u32,
    /// The bytes of all these.
    pub bytes: u32,
    /// There may be more: all that could be taken at once were.
    pub more: bool,
    /// The frame behind them, if it was taken as well.
    pub last: Option<Last>,
}

/// A frame with which a walk has ended.
pub struct Last {
    /// The words of its descriptor.
    pub words: [u64; 2],
    /// What becomes of it.
    pub verdict: Verdict,
}

impl Polled<'_, '_> {
    /// Shows `program` the oldest buffers of a ring, at most `most`, as long as each has a whole frame that is
    /// good (`whole` knows), and the program wants it elsewhere, or drops it. `descs` are the descriptors with
    /// which the buffers are offered. If there are fewer of them than places, nothing is done.
    pub fn walk(
        &mut self,
        program: &Program,
        (descs, whole): (&Coherent<[u64; 2]>, Whole),
        most: u32,
    ) -> Walk {
        let run = self.buffers.window.oldest_run(most);
        let Some(mut ring) = whole.ring(descs, run, self.pool.frame_size) else {
            return Walk::default();
        };
        let (oldest, start) = (run.0, ring.desc);
        let mut dropped = 0;
        // SAFETY: The program is valid by its type invariants. The ring has places with a buffer, and
        // descriptors, from `oldest` up to `end`; a buffer has `room` bytes for the device, and room for what
        // is a driver's. The pool is not over. We are in a poll, as `cx` proves: softirqs are off, and the
        // kernel has set up what programs need. The net device is valid, as its instance is polled.
        let act = unsafe {
            netbind::xsk_walk(
                program.as_ptr(),
                self.pool.dev,
                self.pool.as_ptr(),
                self.buffers.places.as_ptr().add(oldest as usize),
                &mut ring,
                &mut dropped,
            )
        };
        let taken = gone_through(&ring, start);
        // INVARIANT: the target owns them, or has made a copy and given them back; those that were dropped are
        // back in the pool. The last one is taken out here.
        // SAFETY: The callee has taken so many.
        unsafe { self.buffers.window.taken_many(taken) };
        let walked = act == netbind::NBH_XDP_WALKED;
        let redirected = taken.wrapping_sub(dropped).wrapping_sub(u32::from(!walked));
        if redirected != 0 {
            self.cx.must_flush();
        }
        Walk {
            redirected,
            dropped,
            bytes: ring.bytes,
            more: taken != 0 && ring.desc == ring.end,
            last: (!walked).then(|| {
                // SAFETY: There is such a place, whose buffer was taken, and is ours.
                unsafe { self.last(program, oldest.wrapping_add(taken).wrapping_sub(1), act) }
            }),
        }
    }

    /// What becomes of the buffer that was taken from place `index`, of which the helper has said `act`.
    ///
    /// # Safety
    ///
    /// There is such a place, and its buffer is nobody else's. The helper has shown it.
    #[cold]
    unsafe fn last(&mut self, program: &Program, index: u32, act: u32) -> Last {
        // INVARIANT: the place had it, and is vacant now.
        // SAFETY: There is such a place, by the requirements of this function.
        let buff = Buff(unsafe { *self.buffers.places.get_unchecked(index as usize) });
        // SAFETY: The buffer is ours, and has hints, which the helper has written.
        let words = unsafe { (*buff.0.cast::<netbind::nbh_xdp_buff>()).hints.words };
        Last {
            words,
            verdict: self.pool.follow(self.cx, program, buff, act),
        }
    }
}
