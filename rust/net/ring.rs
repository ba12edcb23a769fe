// SPDX-License-Identifier: GPL-2.0

//! Positions in rings of descriptors: who owns which slot.
//!
//! Positions count freely and wrap at 2^32; the number of slots is a power of two, so a position's
//! low bits are its slot and its descriptor.
//!
//! A transmit ring ([`Ring`]) has two ends that run concurrently: a [`Filler`] puts packets in, a
//! [`Reaper`] takes them out. A receive ring ([`Window`]) has one user.
//!
//! No kernel type is used here, so that host tests can go through everything that may happen to small
//! rings. The atomics are those of the language, for the same reason, and because each operation of the
//! kernel crate's is a function call: an acquiring load and a releasing store are one instruction on x86.

use core::{
    cell::UnsafeCell,
    ops::Deref,
    sync::atomic::{
        AtomicU32,
        Ordering, //
    },
};

/// A position that one side writes and the other reads, on a cache line of its own.
#[repr(align(64))]
struct Position(AtomicU32);

/// Packets that are reported by one descriptor, their last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Position of that descriptor.
    last: u32,
    packets: u32,
    /// Bytes on the wire.
    bytes: u32,
    /// One of the slots has memory to be given back.
    pub(crate) holds: bool,
    /// The last packet is a frame without an skb, kept in the last slot; or there are frames of sockets.
    pub(crate) frame: bool,
    /// Frames of sockets, in a slot each, behind packets that hold nothing.
    pub(crate) sockets: u16,
}

impl Group {
    pub(crate) const EMPTY: Self = Self {
        last: 0,
        packets: 0,
        bytes: 0,
        holds: false,
        frame: false,
        sockets: 0,
    };
}

/// A slot belongs to one descriptor.
pub(crate) struct Slot<T> {
    /// What the user of the ring keeps for it.
    pub(crate) held: T,
    /// The group that starts here.
    group: Group,
}

impl<T> Slot<T> {
    /// A free one.
    pub(crate) const fn new(held: T) -> Self {
        Self {
            held,
            group: Group::EMPTY,
        }
    }
}

/// Where the slots of a ring are, each of which keeps a `Held`.
pub(crate) trait Slots: Deref<Target = [UnsafeCell<Slot<Self::Held>>]> {
    type Held;
}

impl<T, S: Deref<Target = [UnsafeCell<Slot<T>>]>> Slots for S {
    type Held = T;
}

/// The slots of a transmit ring.
///
/// # Invariants
///
/// - `slots.len()` is a power of two and at most 2^31; `mask` is one less.
/// - Slots at positions in `tail..head` belong to the [`Reaper`], all others to the [`Filler`], of
///   which there is one each; `head - tail` never exceeds the number of slots.
pub(crate) struct Ring<S> {
    slots: S,
    mask: u32,
    head: Position,
    tail: Position,
}

impl<S: Slots> Ring<S> {
    /// The ring of these slots, which are all free, and its ends. `None` unless their number is a
    /// power of two up to 2^31.
    ///
    /// A group has at most `report_every` descriptors in front of its last packet.
    pub(crate) fn new(slots: S, report_every: u32) -> Option<(Self, Filler, Reaper)> {
        Self::from(slots, report_every, 0)
    }

    /// The same, at another position than 0.
    pub(crate) fn from(slots: S, report_every: u32, start: u32) -> Option<(Self, Filler, Reaper)> {
        let count = u32::try_from(slots.len()).ok()?;
        if !count.is_power_of_two() {
            return None;
        }
        let filler = Filler {
            head: start,
            first: start,
            group: Group::EMPTY,
            report_every,
        };
        // INVARIANT: by the check above; all slots are free.
        let ring = Self {
            slots,
            mask: count.wrapping_sub(1),
            head: Position(AtomicU32::new(start)),
            tail: Position(AtomicU32::new(start)),
        };
        Some((ring, filler, Reaper { tail: start }))
    }

    /// How many slots there are.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.mask.wrapping_add(1)
    }

    /// The descriptor at `position`.
    #[inline]
    pub(crate) fn index(&self, position: u32) -> u32 {
        position & self.mask
    }

    /// The slot at `position`, whose owner alone may touch it.
    #[inline]
    pub(crate) fn slot(&self, position: u32) -> *mut Slot<S::Held> {
        // SAFETY: A masked position is below the number of slots, by the type invariants.
        unsafe {
            self.slots
                .get_unchecked(self.index(position) as usize)
                .get()
        }
    }

    /// The slots that were handed over to the reaper and not taken back. They have all the memory the
    /// ring holds: a group that the filler has not handed over holds none.
    pub(crate) fn used(&self) -> Positions {
        Positions {
            next: self.tail.0.load(Ordering::Acquire),
            end: self.head.0.load(Ordering::Acquire),
        }
    }

    /// Slots that are free if those from `tail` up to (not including) `head` are not.
    #[inline]
    fn free_between(&self, tail: u32, head: u32) -> u32 {
        self.len().wrapping_sub(head.wrapping_sub(tail))
    }
}

/// Consecutive positions.
#[derive(Clone, Copy)]
pub(crate) struct Positions {
    next: u32,
    end: u32,
}

impl Positions {
    /// From `next` up to (not including) `end`.
    #[inline]
    pub(crate) fn new(next: u32, end: u32) -> Self {
        Self { next, end }
    }

    /// The last one; of no positions, the one in front of them.
    #[inline]
    pub(crate) fn last(self) -> u32 {
        self.end.wrapping_sub(1)
    }
}

impl Iterator for Positions {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.next == self.end {
            return None;
        }
        let position = self.next;
        self.next = position.wrapping_add(1);
        Some(position)
    }
}

/// The end of a [`Ring`] that puts packets in. What it puts in is the reaper's when the group is
/// complete.
pub(crate) struct Filler {
    /// Where the next packet starts. The ring's `head` is `first`: the reaper sees whole groups.
    pub(crate) head: u32,
    /// Where the group starts that is not complete yet.
    first: u32,
    pub(crate) group: Group,
    report_every: u32,
}

impl Filler {
    /// Slots that are free: those from [`Filler::head`] on.
    #[inline]
    pub(crate) fn free<S: Slots>(&self, ring: &Ring<S>) -> u32 {
        // Acquire: what the reaper did to the slots it gave back happened before.
        ring.free_between(ring.tail.0.load(Ordering::Acquire), self.head)
    }

    /// Whether a packet of one descriptor, at `position`, is to be reported: its group then has as many
    /// descriptors in front of it as it may have.
    #[inline]
    pub(crate) fn is_due(&self, position: u32) -> bool {
        position.wrapping_sub(self.first) >= self.report_every
    }

    /// Packets of one descriptor each that a group takes from `position` on, of `most`: the last of them is
    /// to be reported.
    #[inline]
    pub(crate) fn until_due(&self, position: u32, most: u32) -> u32 {
        self.report_every
            .saturating_sub(position.wrapping_sub(self.first))
            .saturating_add(1)
            .min(most)
    }

    /// Adds a packet to the group, of which `next` is the position behind it; `report` ends the group
    /// with it. Returns the descriptor behind the packet.
    ///
    /// # Safety
    ///
    /// The slots from `head` up to (not including) `next` are free, and at least one. They are ready
    /// for the reaper.
    #[inline]
    pub(crate) unsafe fn advance<S: Slots>(
        &mut self,
        ring: &Ring<S>,
        next: u32,
        bytes: u32,
        report: bool,
    ) -> u32 {
        // SAFETY: The slots are free and ready, by the requirements of this function.
        unsafe { self.advance_by(ring, next, (1, bytes), report) }
    }

    /// The same for so many packets, and their bytes.
    ///
    /// # Safety
    ///
    /// As of [`Filler::advance`].
    #[inline]
    pub(crate) unsafe fn advance_by<S: Slots>(
        &mut self,
        ring: &Ring<S>,
        next: u32,
        (packets, bytes): (u32, u32),
        report: bool,
    ) -> u32 {
        self.group.packets = self.group.packets.wrapping_add(packets);
        self.group.bytes = self.group.bytes.wrapping_add(bytes);
        self.head = next;
        if report {
            self.close(ring);
        }
        ring.index(next)
    }

    /// Ends the group with the last packet.
    ///
    /// Returns the descriptor that has to be reported after all; `None` if the last one is.
    #[inline]
    pub(crate) fn report<S: Slots>(&mut self, ring: &Ring<S>) -> Option<u32> {
        if self.head == self.first {
            return None;
        }
        self.close(ring);
        Some(ring.index(self.head.wrapping_sub(1)))
    }

    /// Hands the group to the reaper.
    #[inline]
    fn close<S: Slots>(&mut self, ring: &Ring<S>) {
        self.group.last = self.head.wrapping_sub(1);
        // SAFETY: The slot is ours until the ring's `head` moves beyond it; there is one, as a packet
        // has at least one.
        unsafe { (*ring.slot(self.first)).group = self.group };
        self.group = Group::EMPTY;
        self.first = self.head;
        // Release: the slots are complete before the reaper sees them.
        ring.head.0.store(self.head, Ordering::Release);
    }
}

/// What a round of reaping found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Packets and frames handed over, for the byte queue limits.
    pub skbs: u32,
    /// Bytes on the wire.
    pub bytes: u32,
    /// Those of the packets that are frames of sockets.
    pub sockets: u32,
}

/// The end of a [`Ring`] that takes packets out, in whole groups.
pub(crate) struct Reaper {
    /// The ring's `tail`, which only this end writes.
    tail: u32,
}

impl Reaper {
    /// Slots that are free for the filler.
    #[inline]
    pub(crate) fn free<S: Slots>(&self, ring: &Ring<S>) -> u32 {
        ring.free_between(self.tail, ring.head.0.load(Ordering::Acquire))
    }

    /// Takes groups for which `is_done(descriptor of the last)` holds, oldest first, until there are
    /// `limit` packets. `give_back` is given each group and its positions, whose slots are free
    /// afterwards; it ends the round, and the group stays, by returning false.
    #[inline(always)]
    pub(crate) fn reap<S: Slots>(
        &mut self,
        ring: &Ring<S>,
        limit: u32,
        is_done: impl Fn(u32) -> bool,
        mut give_back: impl FnMut(Group, Positions) -> bool,
    ) -> Reaped {
        let mut reaped = Reaped::default();
        // Acquire: the slots up to `head` are complete.
        let head = ring.head.0.load(Ordering::Acquire);
        while self.tail != head && reaped.skbs < limit {
            // SAFETY: Positions in `tail..head` belong to this end, and groups start at `tail`.
            let group = unsafe { (*ring.slot(self.tail)).group };
            if !is_done(ring.index(group.last)) {
                break;
            }
            let end = group.last.wrapping_add(1);
            if !give_back(group, Positions::new(self.tail, end)) {
                break;
            }
            reaped.skbs = reaped.skbs.wrapping_add(group.packets);
            reaped.bytes = reaped.bytes.wrapping_add(group.bytes);
            reaped.sockets = reaped.sockets.wrapping_add(group.sockets.into());
            self.tail = end;
        }
        if reaped.skbs != 0 {
            // Release: we are done with the slots before the filler sees them free.
            ring.tail.0.store(self.tail, Ordering::Release);
        }
        reaped
    }
}

/// Which places of a receive ring have a page: those at positions in `oldest..next`.
///
/// # Invariants
///
/// The number of places is a power of two and at most 2^31; `mask` is one less. `next - oldest` is at
/// most `mask`: one descriptor stays unused, as a ring that is full looks like one that is empty.
pub(crate) struct Window {
    mask: u32,
    oldest: u32,
    next: u32,
}

impl Window {
    /// Of a ring with `places` places, all vacant. `None` unless that is a power of two up to 2^31.
    pub(crate) fn new(places: u32) -> Option<Self> {
        Self::from(places, 0)
    }

    /// The same, at another position than 0.
    pub(crate) fn from(places: u32, start: u32) -> Option<Self> {
        // INVARIANT: by the check; there are no pages.
        places.is_power_of_two().then(|| Self {
            mask: places.wrapping_sub(1),
            oldest: start,
            next: start,
        })
    }

    /// The place of the oldest page; `None` if there is no page.
    #[inline]
    pub(crate) fn oldest(&self) -> Option<u32> {
        (!self.is_empty()).then_some(self.oldest & self.mask)
    }

    /// The place behind the latest page.
    #[inline]
    pub(crate) fn next(&self) -> u32 {
        self.next & self.mask
    }

    /// The place `count` behind that.
    #[inline]
    pub(crate) fn behind(&self, count: u32) -> u32 {
        self.next.wrapping_add(count) & self.mask
    }

    /// Pages that can be added.
    #[inline]
    pub(crate) fn vacant(&self) -> u32 {
        self.mask.wrapping_sub(self.next.wrapping_sub(self.oldest))
    }

    /// There is no page.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.oldest
    }

    /// The vacant places from [`Window::next`] up to where places wrap around: their number.
    #[inline]
    pub(crate) fn run(&self) -> u32 {
        self.vacant()
            .min(self.mask.wrapping_add(1).wrapping_sub(self.next()))
    }

    /// The next `count` places have a page now.
    ///
    /// # Safety
    ///
    /// `count` is at most [`Window::vacant`].
    #[inline]
    pub(crate) unsafe fn filled(&mut self, count: u32) {
        // INVARIANT: by the requirements of this function.
        self.next = self.next.wrapping_add(count);
    }

    /// The oldest page has been taken.
    ///
    /// # Safety
    ///
    /// There was one.
    #[inline]
    pub(crate) unsafe fn taken(&mut self) {
        // INVARIANT: by the requirements of this function.
        self.oldest = self.oldest.wrapping_add(1);
    }

    /// What makes a place of a position.
    #[inline]
    pub(crate) fn mask(&self) -> u32 {
        self.mask
    }

    /// The place of the oldest page, and how many pages there are from it up to where places wrap around,
    /// `most` at most.
    #[inline]
    pub(crate) fn oldest_run(&self, most: u32) -> (u32, u32) {
        let first = self.oldest & self.mask;
        let count = self.next.wrapping_sub(self.oldest);
        let up_to_end = self.mask.wrapping_add(1).wrapping_sub(first);
        (first, count.min(up_to_end).min(most))
    }

    /// The position of the place `count` behind the latest page.
    #[inline]
    pub(crate) fn position_behind(&self, count: u32) -> u32 {
        self.next.wrapping_add(count)
    }

    /// The oldest `count` pages have been taken.
    ///
    /// # Safety
    ///
    /// There were as many.
    #[inline]
    pub(crate) unsafe fn taken_many(&mut self, count: u32) {
        // INVARIANT: by the requirements of this function.
        self.oldest = self.oldest.wrapping_add(count);
    }
}
