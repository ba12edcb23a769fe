// SPDX-License-Identifier: GPL-2.0

//! Frames to a group that a controller gives back to the function that sent them.
//!
//! The 82576 marks what its switch loops back, and gives no function its own frames. An emulated
//! one may do neither ([`Differences::returns_own_multicast`](crate::model::Differences)): the PF
//! then receives a copy of each broadcast and multicast that it sends. A bridge on the PF learns
//! from the copy that the sender is on the wire, and IPv6 takes it for another host with the same
//! address.
//!
//! [`Sent`] notes what was sent, for [`LIFETIME`], and for [`PATIENCE`] at most. A frame that comes
//! in is such a copy if both addresses, the VLAN tag, the length and a keyed hash of 64 bits of all
//! other bytes are the same. The bytes the controller fills in, a checksum it was left, are left
//! out on both sides. Each note is used up by one copy: if the same frame comes from the wire as
//! well, one of the two is received.

use core::ops::DerefMut;

/// How long a copy is waited for, in nanoseconds. It is in memory before the write to the doorbell
/// is over, and waits for the next poll.
pub const LIFETIME: u64 = 10_000_000;
/// How long it is waited for while no poll has got to the end of the ring since, in nanoseconds:
/// the processor had something else to do, or its host had.
pub const PATIENCE: u64 = 1_000_000_000;

/// Bytes of both addresses.
const ADDRESSES: u32 = 12;
/// Bytes of a VLAN tag.
const TAG: u32 = 4;
/// EtherType of a VLAN tag (802.1Q), as its bytes are on the wire.
const TAGGED: [u8; 2] = [0x81, 0x00];
/// Bytes that are hashed at a time; a multiple of 8.
const CHUNK: usize = 64;

/// The bytes of a frame, wherever they are.
pub trait Contents {
    /// Number of bytes, without FCS.
    fn size(&self) -> u32;

    /// Copies the bytes from `at` on to `out`. Returns whether the frame has as many.
    fn copy(&self, at: u32, out: &mut [u8]) -> bool;
}

/// The bytes of a frame that the controller fills in, counted from the frame's beginning, the tag
/// left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filled {
    at: u16,
    len: u16,
}

/// What is compared of a frame before its bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outline {
    addresses: [u8; ADDRESSES as usize],
    /// The outermost tag, whether it is in the frame or beside it.
    tag: Option<u16>,
    /// Bytes, the tag left out.
    size: u32,
}

/// A frame to a group.
pub struct Frame<'a, C> {
    contents: &'a C,
    outline: Outline,
    /// Bytes of the tag that is in the frame.
    inline: u32,
}

impl<'a, C: Contents> Frame<'a, C> {
    /// Looks at a frame that has the VLAN tag `tag` beside it. `None` if it is not to a group, or
    /// too short.
    pub fn new(contents: &'a C, tag: Option<u16>) -> Option<Self> {
        let mut addresses = [0; ADDRESSES as usize];
        if !contents.copy(0, &mut addresses) || addresses.first().is_none_or(|byte| byte & 1 == 0) {
            return None;
        }
        let mut head = [0; TAG as usize];
        let [a, b, high, low] = match contents.copy(ADDRESSES, &mut head) {
            true => head,
            false => return None,
        };
        let (tag, inline) = match tag {
            None if [a, b] == TAGGED => (Some(u16::from_be_bytes([high, low])), TAG),
            tag => (tag, 0),
        };
        let size = contents.size().checked_sub(inline)?;
        Some(Self {
            contents,
            outline: Outline {
                addresses,
                tag,
                size,
            },
            inline,
        })
    }

    /// `len` bytes at `at` of the frame as it was handed over.
    pub fn filled(&self, at: u16, len: u16) -> Filled {
        // CAST: 0 or 4.
        let at = at.saturating_sub(self.inline as u16);
        Filled { at, len }
    }

    /// What to note when the frame is sent, and the controller fills in `filled`. `None` if its
    /// bytes cannot be read.
    pub fn note(&self, key: Key, filled: Filled) -> Option<Note> {
        Some(Note {
            outline: self.outline,
            filled,
            digest: self.digest(key, filled)?,
        })
    }

    fn digest(&self, key: Key, filled: Filled) -> Option<u64> {
        let mut hash = Hash::new(key);
        let end = self.contents.size();
        let mut at = ADDRESSES.saturating_add(self.inline);
        let hidden = u32::from(filled.at).saturating_add(self.inline);
        let hidden = hidden..hidden.saturating_add(filled.len.into());
        while at < end {
            let mut chunk = [0; CHUNK];
            // CAST: at most CHUNK.
            let len = end.saturating_sub(at).min(CHUNK as u32);
            let (bytes, _) = chunk.split_at_mut(len as usize);
            if !self.contents.copy(at, bytes) {
                return None;
            }
            for (position, byte) in (at..).zip(bytes) {
                if hidden.contains(&position) {
                    *byte = 0;
                }
            }
            for word in chunk.chunks_exact(8) {
                hash.word(
                    word.iter()
                        .rfold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                );
            }
            at = at.saturating_add(len);
        }
        Some(hash.finish())
    }
}

/// A key that nobody outside knows: two frames that differ have the same hash only by chance.
pub type Key = [u64; 2];

/// What is noted of a frame that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
    outline: Outline,
    filled: Filled,
    digest: u64,
}

/// Room for a [`Note`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    note: Note,
    /// When the frame was sent, in nanoseconds.
    at: u64,
    /// Its copy has come.
    used: bool,
}

/// The frames whose copies may still come, oldest first.
///
/// There are as many as there are `slots`; beyond that the oldest is forgotten, and its copy
/// received.
pub struct Sent<S> {
    slots: S,
    oldest: usize,
    count: usize,
    /// When the latest poll began that has got to the end of the ring, in nanoseconds.
    drained: u64,
}

impl<S: DerefMut<Target = [Slot]>> Sent<S> {
    /// Nothing was sent.
    pub const fn new(slots: S) -> Self {
        Self {
            slots,
            oldest: 0,
            count: 0,
            drained: 0,
        }
    }

    /// No copy is waited for.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Notes that a poll that began at `began` has got to the end of the ring the copies come in.
    pub fn drained(&mut self, began: u64) {
        self.drained = began;
        self.expire(began);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Notes that a frame is sent at `now`, in nanoseconds of a clock that does not go backwards.
    pub fn push(&mut self, note: Note, now: u64) {
        self.expire(now);
        if self.count == self.slots.len() {
            self.drop_oldest();
        }
        let next = self.index(self.count);
        if let Some(slot) = self.slots.get_mut(next) {
            *slot = Slot {
                note,
                at: now,
                used: false,
            };
            self.count = self.count.saturating_add(1);
        }
    }

    /// The bytes to be left out of the hash of `frame`, which has come in at `now`, to see whether
    /// it is a copy: the first in their order behind `last`. `None` if it is none, or if all were
    /// tried.
    pub fn candidate<C: Contents>(
        &mut self,
        frame: &Frame<'_, C>,
        last: Option<Filled>,
        now: u64,
    ) -> Option<Filled> {
        self.expire(now);
        (0..self.count)
            .filter_map(|n| self.slots.get(self.index(n)))
            .filter(|slot| !slot.used && slot.note.outline == frame.outline)
            .map(|slot| slot.note.filled)
            .filter(|filled| last.is_none_or(|last| *filled > last))
            .min()
    }

    /// Whether a frame that has come in at `now` and would be noted as `note` is a copy. If so,
    /// that copy is not waited for any more.
    pub fn take(&mut self, note: &Note, now: u64) -> bool {
        self.expire(now);
        for n in 0..self.count {
            let index = self.index(n);
            if let Some(slot) = self.slots.get_mut(index) {
                if !slot.used && slot.note == *note {
                    slot.used = true;
                    self.expire(now);
                    return true;
                }
            }
        }
        false
    }

    /// Forgets the oldest that were used up, or waited for long enough.
    fn expire(&mut self, now: u64) {
        let drained = self.drained;
        let is_over = |slot: &Slot| {
            let age = now.saturating_sub(slot.at);
            slot.used || age > PATIENCE || (age > LIFETIME && slot.at < drained)
        };
        while self.count != 0 && self.slots.get(self.oldest).is_none_or(is_over) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        self.oldest = self.index(1);
        self.count = self.count.saturating_sub(1);
    }

    /// Where the `n`th is.
    fn index(&self, n: usize) -> usize {
        self.oldest
            .wrapping_add(n)
            .checked_rem(self.slots.len())
            .unwrap_or(0)
    }
}

/// SipHash-2-4 of a number of whole words.
struct Hash {
    v: [u64; 4],
    words: u64,
}

impl Hash {
    fn new([k0, k1]: Key) -> Self {
        Self {
            v: [
                k0 ^ 0x736f_6d65_7073_6575,
                k1 ^ 0x646f_7261_6e64_6f6d,
                k0 ^ 0x6c79_6765_6e65_7261,
                k1 ^ 0x7465_6462_7974_6573,
            ],
            words: 0,
        }
    }

    fn word(&mut self, word: u64) {
        let [_, _, _, d] = &mut self.v;
        *d ^= word;
        self.rounds(2);
        let [a, ..] = &mut self.v;
        *a ^= word;
        self.words = self.words.wrapping_add(1);
    }

    fn finish(mut self) -> u64 {
        // The number of bytes, modulo 256.
        self.word(self.words.wrapping_mul(8) << 56);
        let [_, _, c, _] = &mut self.v;
        *c ^= 0xff;
        self.rounds(4);
        self.v.iter().fold(0, |sum, word| sum ^ word)
    }

    fn rounds(&mut self, count: u32) {
        let [mut a, mut b, mut c, mut d] = self.v;
        for _ in 0..count {
            a = a.wrapping_add(b);
            c = c.wrapping_add(d);
            b = b.rotate_left(13) ^ a;
            d = d.rotate_left(16) ^ c;
            a = a.rotate_left(32);
            c = c.wrapping_add(b);
            a = a.wrapping_add(d);
            b = b.rotate_left(17) ^ c;
            d = d.rotate_left(21) ^ a;
            c = c.rotate_left(32);
        }
        self.v = [a, b, c, d];
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_returned))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    /// Of the paper on SipHash: the bytes 0 to 7 under the key of bytes 0 to 15.
    #[test]
    fn hash_is_siphash() {
        let mut hash = Hash::new([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        hash.word(0x0706_0504_0302_0100);
        assert_eq!(hash.finish(), 0x93f5_f579_9a93_2462);
    }
}
