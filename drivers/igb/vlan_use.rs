// SPDX-License-Identifier: GPL-2.0

//! Which VLANs the net device sends in, noted on the way of each packet with a tag.

use igb_core::{
    bitmap::Bitmap4096,
    regs::TABLE_WORDS, //
};
use kernel::sync::atomic::{
    Atomic,
    AtomicFlag,
    Relaxed, //
};

/// The VLANs a frame was sent in since the service work item last looked.
pub(crate) struct VlanUse {
    /// It is of interest.
    watched: AtomicFlag,
    seen: [Atomic<u32>; TABLE_WORDS],
    /// The log has said that not all VLANs have an entry.
    pub(crate) told_overflow: AtomicFlag,
    /// The log has said that not all VLANs that are used have one.
    pub(crate) told_wanting: AtomicFlag,
}

impl VlanUse {
    pub(crate) const fn new() -> Self {
        Self {
            watched: AtomicFlag::new(false),
            seen: [const { Atomic::new(0) }; TABLE_WORDS],
            told_overflow: AtomicFlag::new(false),
            told_wanting: AtomicFlag::new(false),
        }
    }

    /// Begins or ends to be interested. At the end all is forgotten. Under [`Port::hw`], or two of
    /// these could be in the wrong order.
    ///
    /// [`Port::hw`]: crate::port::Port::hw
    pub(crate) fn watch(&self, watched: bool) {
        if watched == self.watched.load(Relaxed) {
            return;
        }
        self.watched.store(watched, Relaxed);
        if !watched {
            let _ = self.used(true);
            self.told_overflow.store(false, Relaxed);
            self.told_wanting.store(false, Relaxed);
        }
    }

    /// Whether frames are noted.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Relaxed)
    }

    /// Notes a frame in VLAN `vid`, modulo 4096. Returns whether that is news. Any context, without
    /// a lock; all but the first frame of a VLAN cost two loads.
    #[inline]
    pub(crate) fn note(&self, vid: u16) -> bool {
        if !self.watched.load(Relaxed) {
            return false;
        }
        let bit = 1u32 << (vid & 31);
        let Some(word) = self.seen.get(usize::from((vid & 0xfff) >> 5)) else {
            return false;
        };
        let seen = word.load(Relaxed);
        // Where two are noted at once, one of them may wait for its next frame.
        seen & bit == 0 && word.cmpxchg(seen, seen | bit, Relaxed).is_ok()
    }

    /// The VLANs that were noted. With `forget`, each is news again from now on.
    pub(crate) fn used(&self, forget: bool) -> Bitmap4096 {
        let mut used = Bitmap4096::EMPTY;
        for (n, word) in self.seen.iter().enumerate() {
            // A write of what is 0 anyway would only take the word from other CPUs.
            let seen = match word.load(Relaxed) {
                0 => 0,
                _ if forget => word.xchg(0, Relaxed),
                seen => seen,
            };
            used.set_word(n, seen);
        }
        used
    }
}
