// SPDX-License-Identifier: GPL-2.0

//! Positions of transmit and receive rings: all ways to fill rings of up to eight slots, and all ways
//! to take from them, held against lists.

#[path = "../../../../rust/net/ring.rs"]
mod ring;

use ring::{
    Filler,
    Positions,
    Reaped,
    Reaper,
    Ring,
    Slot,
    Window, //
};
use std::{
    cell::UnsafeCell,
    collections::VecDeque, //
};

/// Sizes to go through. There are no others up to eight: see `only_powers_of_two_are_rings`.
const SIZES: [u32; 4] = [1, 2, 4, 8];

/// Positions to begin at: so that they wrap at 2^32 in front of, behind, and at each slot.
fn starts(size: u32) -> impl Iterator<Item = u32> {
    (0..=size).map(|before| 0u32.wrapping_sub(before))
}

#[test]
fn only_powers_of_two_are_rings() {
    for size in 0..=9usize {
        let slots: Vec<_> = (0..size)
            .map(|_| UnsafeCell::new(Slot::new(0u32)))
            .collect();
        assert_eq!(Ring::new(slots, 1).is_some(), size.is_power_of_two());
        assert_eq!(Window::new(size as u32).is_some(), size.is_power_of_two());
    }
}

/// The rules of aliasing are about references. There is none to what a cell of `ring.rs` has: it is read
/// and written in place, through the pointer that `UnsafeCell::get` returns.
#[test]
fn no_reference_to_a_slot_is_made() {
    let code: Vec<_> = include_str!("../../../../rust/net/ring.rs")
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .collect();
    let places: Vec<_> = code.iter().filter(|line| line.contains("(*")).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(places.iter().all(|line| line.contains("(*ring.slot(")));
    for reference in [
        "&mut *",
        "&mut (*",
        "&*",
        "&(*",
        "as_ref(",
        "as_mut(",
        "transmute",
    ] {
        let made: Vec<_> = code
            .iter()
            .filter(|line| line.contains(reference))
            .collect();
        assert!(made.is_empty(), "{made:?}");
    }
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Packet {
    /// Descriptors, contexts in front included.
    descs: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// It holds nothing, so that nobody waits for its report.
    Copied,
    Mapped,
    /// Without an skb, in one descriptor.
    Frame,
}

/// Packets that fit into `room` slots.
fn packets(room: u32) -> impl Iterator<Item = Packet> {
    (1..=room).flat_map(|descs| {
        // A copied packet is one buffer behind at most two contexts.
        let copied = (descs <= 3).then_some(Kind::Copied);
        let frame = (descs == 1).then_some(Kind::Frame);
        [copied, Some(Kind::Mapped), frame]
            .into_iter()
            .flatten()
            .map(move |kind| Packet { descs, kind })
    })
}

/// A group that was handed over, as the test knows it.
#[derive(Clone, Debug)]
struct Expected {
    first: u32,
    packets: Vec<Packet>,
}

impl Expected {
    fn descs(&self) -> u32 {
        self.packets.iter().map(|packet| packet.descs).sum()
    }
}

/// What a slot keeps: who may touch it, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    Free,
    Filled(u32),
}

type Slots = Vec<UnsafeCell<Slot<Mark>>>;

/// What the slot at `position` keeps.
#[allow(clippy::mut_from_ref)]
fn mark(ring: &Ring<Slots>, position: u32) -> &mut Mark {
    // SAFETY: the ring is used by one thread, and no reference is kept.
    unsafe { &mut (*ring.slot(position)).held }
}

/// A ring, its ends, and what the test knows of them.
struct Both {
    ring: Ring<Slots>,
    filler: Filler,
    reaper: Reaper,
    size: u32,
    report_every: u32,
    /// Position of the next packet, by the test's count.
    next: u32,
    /// Groups the reaper may take, and the one that is not complete.
    groups: VecDeque<Expected>,
    open: Expected,
}

impl Both {
    fn new(size: u32, report_every: u32, start: u32) -> Self {
        let slots = (0..size).map(|_| UnsafeCell::new(Slot::new(Mark::Free)));
        let (ring, filler, reaper) =
            Ring::from(slots.collect::<Slots>(), report_every, start).expect("a power of two");
        Self {
            ring,
            filler,
            reaper,
            size,
            report_every,
            next: start,
            groups: VecDeque::new(),
            open: Expected {
                first: start,
                packets: Vec::new(),
            },
        }
    }

    fn used(&self) -> u32 {
        self.groups.iter().map(Expected::descs).sum::<u32>() + self.open.descs()
    }

    fn check(&self) {
        assert_eq!(self.filler.free(&self.ring), self.size - self.used());
        assert_eq!(self.filler.head, self.next);
        // Of what is not complete, the reaper does not know.
        let open = self.open.descs();
        assert_eq!(self.reaper.free(&self.ring), self.size - self.used() + open);
        let handed_over: Vec<_> = self
            .groups
            .iter()
            .flat_map(|group| (0..group.descs()).map(|offset| group.first.wrapping_add(offset)))
            .collect();
        assert_eq!(self.ring.used().collect::<Vec<_>>(), handed_over);
    }

    /// Puts a packet in, as the producer of a table does.
    fn push(&mut self, packet: Packet) {
        assert!(self.filler.free(&self.ring) >= packet.descs);
        let start = self.filler.head;
        let end = start.wrapping_add(packet.descs);
        for position in Positions::new(start, end) {
            // Nobody else has what is free.
            assert_eq!(*mark(&self.ring, position), Mark::Free);
            *mark(&self.ring, position) = Mark::Filled(position);
        }
        self.open.packets.push(packet);
        let last = end.wrapping_sub(1);
        let report = match packet.kind {
            Kind::Copied => {
                let due = self.filler.is_due(last);
                assert_eq!(due, last.wrapping_sub(self.open.first) >= self.report_every);
                self.check_until_due(last, due);
                due
            }
            Kind::Mapped => true,
            Kind::Frame => {
                self.filler.group.frame = true;
                true
            }
        };
        if packet.kind != Kind::Copied {
            self.filler.group.holds = true;
        }
        // SAFETY: the slots were free, and have their marks.
        let behind = unsafe { self.filler.advance(&self.ring, end, bytes(packet), report) };
        assert_eq!(behind, end % self.size);
        self.next = end;
        if report {
            self.hand_over();
        }
        self.check();
    }

    /// Of packets from `position` on, all up to the last are not due.
    fn check_until_due(&self, position: u32, due: bool) {
        let most = self.report_every + 2;
        let count = self.filler.until_due(position, most);
        assert_eq!(count == 1, due);
        for n in 0..count {
            let at = position.wrapping_add(n);
            assert_eq!(self.filler.is_due(at), n + 1 == count);
        }
        assert_eq!(self.filler.until_due(position, 1), 1);
    }

    fn hand_over(&mut self) {
        let next = Expected {
            first: self.next,
            packets: Vec::new(),
        };
        self.groups
            .push_back(std::mem::replace(&mut self.open, next));
    }

    fn report(&mut self) {
        let expected =
            (!self.open.packets.is_empty()).then(|| self.next.wrapping_sub(1) % self.size);
        assert_eq!(self.filler.report(&self.ring), expected);
        if expected.is_some() {
            self.hand_over();
        }
        self.check();
    }

    /// Takes packets: the device is done with the first `done` groups; `frames` may be given back.
    fn reap(&mut self, limit: u32, done: usize, frames: bool) {
        let mut expected = Reaped::default();
        let mut taken = Vec::new();
        for group in self.groups.iter().take(done) {
            let stays = !frames
                && group
                    .packets
                    .iter()
                    .any(|packet| packet.kind == Kind::Frame);
            if expected.skbs >= limit || stays {
                break;
            }
            expected.skbs += group.packets.len() as u32;
            expected.bytes += group.packets.iter().copied().map(bytes).sum::<u32>();
            taken.push(group.clone());
        }
        let last_descs: Vec<_> = self
            .groups
            .iter()
            .map(|group| group.first.wrapping_add(group.descs()).wrapping_sub(1) % self.size)
            .collect();
        let asked = std::cell::Cell::new(0);
        let mut seen = 0;
        let Self { ring, reaper, .. } = self;
        let reaped = reaper.reap(
            ring,
            limit,
            |last| {
                let nth = asked.get();
                asked.set(nth + 1);
                // The device is asked about whole groups, one after the other.
                assert_eq!(last, last_descs[nth]);
                nth < done
            },
            |group, positions| {
                if group.frame && !frames {
                    return false;
                }
                let expected: &Expected = &taken[seen];
                seen += 1;
                let holds = expected
                    .packets
                    .iter()
                    .any(|packet| packet.kind != Kind::Copied);
                assert_eq!(group.holds, holds);
                assert_eq!(
                    positions.collect::<Vec<_>>(),
                    (0..expected.descs())
                        .map(|n| expected.first.wrapping_add(n))
                        .collect::<Vec<_>>()
                );
                assert_eq!(
                    positions.last(),
                    expected.first.wrapping_add(expected.descs() - 1)
                );
                for position in positions {
                    // It was filled for this position, and nobody has taken it.
                    assert_eq!(*mark(ring, position), Mark::Filled(position));
                    *mark(ring, position) = Mark::Free;
                }
                true
            },
        );
        assert_eq!((reaped, seen), (expected, taken.len()));
        self.groups.drain(..taken.len());
        self.check();
    }

    /// Fills what is free and takes it all: every slot is used once more.
    fn turn_over(&mut self) {
        while self.filler.free(&self.ring) != 0 {
            self.push(Packet {
                descs: 1,
                kind: Kind::Mapped,
            });
        }
        self.report();
        self.reap(u32::MAX, usize::MAX, true);
        assert_eq!(self.filler.free(&self.ring), self.size);
    }
}

/// Bytes of a packet: no two sizes the same.
fn bytes(packet: Packet) -> u32 {
    1 << packet.descs
}

/// The ring that was begun at `start` and given `packets`.
fn filled(size: u32, report_every: u32, start: u32, packets: &[Packet]) -> Both {
    let mut both = Both::new(size, report_every, start);
    packets.iter().for_each(|packet| both.push(*packet));
    both
}

/// Calls `visit` with all lists of packets that fit into `size` slots.
fn for_each_filling(size: u32, visit: &mut impl FnMut(&[Packet])) {
    fn extend(room: u32, list: &mut Vec<Packet>, visit: &mut impl FnMut(&[Packet])) {
        visit(list);
        for packet in packets(room) {
            list.push(packet);
            extend(room - packet.descs, list, visit);
            list.pop();
        }
    }
    extend(size, &mut Vec::new(), visit);
}

/// Each filling, with each limit and each number of finished groups, with and without frames.
fn all_ways(size: u32, report_every: u32, start: u32) -> usize {
    let mut count = 0;
    for_each_filling(size, &mut |packets| {
        count += 1;
        let mut both = filled(size, report_every, start, packets);
        both.report();
        let groups = both.groups.len();
        both.turn_over();
        for done in 0..=groups {
            for limit in 1..=(packets.len() as u32).max(1) {
                let mut both = filled(size, report_every, start, packets);
                both.reap(limit, done, limit % 2 == 0);
                both.turn_over();
            }
        }
    });
    count
}

#[test]
fn transmit_rings_of_up_to_four_slots_in_all_ways_from_all_positions() {
    for size in [1, 2, 4] {
        for start in starts(size) {
            for report_every in 0..=size {
                assert!(all_ways(size, report_every, start) > size as usize);
            }
        }
    }
}

#[test]
fn transmit_rings_of_eight_slots_in_all_ways() {
    // What a table of that size has: see `tx::table`. Positions wrap in the middle.
    assert!(all_ways(8, 2, u32::MAX - 3) > 10_000);
}

#[test]
fn what_is_not_complete_is_the_fillers_and_can_be_completed() {
    for size in SIZES {
        let mut both = Both::new(size, size, 0);
        both.report();
        for _ in 0..size {
            both.push(Packet {
                descs: 1,
                kind: Kind::Copied,
            });
        }
        both.reap(u32::MAX, usize::MAX, true);
        assert_eq!(both.filler.free(&both.ring), 0);
        both.report();
        both.turn_over();
    }
}

/// Each number of pages in a receive ring, at each position: what is added and taken next.
#[test]
fn receive_rings_of_up_to_eight_places_at_all_fill_levels() {
    for size in SIZES {
        for start in starts(size) {
            for (level, turn) in
                (0..size).flat_map(|level| (0..2 * size).map(move |turn| (level, turn)))
            {
                let mut window = Window::from(size, start).expect("a power of two");
                let mut pages = VecDeque::new();
                let mut next = start;
                // There are `level` pages, the oldest of which is `turn` places behind the start.
                for _ in 0..turn + level {
                    add(&mut window, &mut pages, &mut next, size, 1);
                    if pages.len() as u32 > level {
                        take(&mut window, &mut pages);
                    }
                }
                compare(&window, &pages, next, size);
                for count in 0..=window.vacant() {
                    let mut window =
                        Window::from(size, start.wrapping_add(turn)).expect("as above");
                    let (mut pages, mut next) = (VecDeque::new(), start.wrapping_add(turn));
                    add(&mut window, &mut pages, &mut next, size, level);
                    add(&mut window, &mut pages, &mut next, size, count);
                    let run = window.oldest_run(count).1;
                    // SAFETY: there are so many.
                    unsafe { window.taken_many(run) };
                    pages.drain(..run as usize);
                    compare(&window, &pages, next, size);
                    while !pages.is_empty() {
                        take(&mut window, &mut pages);
                        compare(&window, &pages, next, size);
                    }
                }
            }
        }
    }
}

/// Adds `count` pages, run by run.
fn add(window: &mut Window, pages: &mut VecDeque<u32>, next: &mut u32, size: u32, count: u32) {
    let mut left = count.min(window.vacant());
    while left != 0 {
        let run = window.run().min(left);
        assert!(run != 0);
        // A run does not pass the end of the ring, nor overwrite a page.
        assert!(window.next() + run <= size);
        for offset in 0..run {
            let place = window.next() + offset;
            assert!(!pages.contains(&place));
            pages.push_back(place);
        }
        // SAFETY: a run is vacant.
        unsafe { window.filled(run) };
        *next = next.wrapping_add(run);
        left -= run;
        compare(window, pages, *next, size);
    }
}

fn take(window: &mut Window, pages: &mut VecDeque<u32>) {
    assert_eq!(window.oldest(), pages.pop_front());
    // SAFETY: there was a page.
    unsafe { window.taken() };
}

fn compare(window: &Window, pages: &VecDeque<u32>, next: u32, size: u32) {
    assert_eq!(window.next(), next % size);
    assert_eq!(window.oldest(), pages.front().copied());
    assert_eq!(window.is_empty(), pages.is_empty());
    assert_eq!(window.vacant(), size - 1 - pages.len() as u32);
    for count in 0..size {
        assert_eq!(window.behind(count), (next.wrapping_add(count)) % size);
        // Pages in places one behind the other, which the end of the ring interrupts.
        let (first, run) = window.oldest_run(count);
        assert_eq!(first, next.wrapping_sub(pages.len() as u32) % size);
        assert!(pages
            .iter()
            .copied()
            .take(run as usize)
            .eq(first..first + run));
        assert!(run == count || run == pages.len() as u32 || first + run == size);
    }
    assert_eq!(
        window.position_behind(1) & window.mask(),
        next.wrapping_add(1) % size
    );
}
