// SPDX-License-Identifier: GPL-2.0

//! Which frame that comes in is a copy of one that was sent.
//!
//! The model is a list of what was sent, whole frames with their time; the controller may put a tag
//! beside the frame, or fill in a checksum, on the way.

use igb_core::returned::{
    Contents,
    Filled,
    Frame,
    Note,
    Sent,
    Slot,
    LIFETIME,
    PATIENCE, //
};
use proptest::{
    collection::vec,
    prelude::*, //
};

const KEY: [u64; 2] = [0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321];
const ROOM: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl Contents for Bytes {
    fn size(&self) -> u32 {
        self.0.len() as u32
    }

    fn copy(&self, at: u32, out: &mut [u8]) -> bool {
        let from = at as usize;
        match self.0.get(from..from + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return false,
        }
        true
    }
}

fn table() -> Sent<Vec<Slot>> {
    Sent::new(vec![Slot::default(); ROOM])
}

fn note(bytes: &Bytes, tag: Option<u16>, filled: Option<(u16, u16)>) -> Option<Note> {
    let frame = Frame::new(bytes, tag)?;
    let filled = filled.map_or(Filled::default(), |(at, len)| frame.filled(at, len));
    frame.note(KEY, filled)
}

/// What the driver does with a frame that comes in.
fn is_copy(sent: &mut Sent<Vec<Slot>>, bytes: &Bytes, tag: Option<u16>, now: u64) -> bool {
    let Some(frame) = Frame::new(bytes, tag) else {
        return false;
    };
    let mut last = None;
    while let Some(filled) = sent.candidate(&frame, last, now) {
        if frame
            .note(KEY, filled)
            .is_some_and(|note| sent.take(&note, now))
        {
            return true;
        }
        last = Some(filled);
    }
    false
}

fn group(len: usize, fill: u8) -> Bytes {
    let mut bytes = vec![fill; len];
    bytes[..14].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 0]);
    Bytes(bytes)
}

/// The frame with a tag in it.
fn tagged(bytes: &Bytes, tci: u16) -> Bytes {
    let [high, low] = tci.to_be_bytes();
    let mut out = bytes.0.clone();
    out.splice(12..12, [0x81, 0, high, low]);
    Bytes(out)
}

#[test]
fn unicast_is_never_looked_at() {
    let mut bytes = group(60, 1);
    bytes.0[0] = 2;
    assert!(note(&bytes, None, None).is_none());
    assert!(note(&Bytes(vec![0xff; 15]), None, None).is_none());
}

#[test]
fn a_note_is_used_up_by_one_copy() {
    let (mut sent, bytes) = (table(), group(1514, 7));
    sent.push(note(&bytes, None, None).unwrap(), 0);
    assert!(is_copy(&mut sent, &bytes, None, 1));
    assert!(sent.is_empty());
    assert!(!is_copy(&mut sent, &bytes, None, 1));
}

#[test]
fn a_frame_sent_twice_comes_back_twice() {
    let (mut sent, bytes) = (table(), group(60, 7));
    for _ in 0..2 {
        sent.push(note(&bytes, None, None).unwrap(), 0);
    }
    let copies = (0..3).filter(|_| is_copy(&mut sent, &bytes, None, 1));
    assert_eq!(copies.count(), 2);
}

/// Whether the copy of a frame sent at 1000 is known at `now`, if polls that began at `polls` have got to
/// the end of the ring.
fn is_known(polls: &[u64], now: u64) -> bool {
    let (mut sent, bytes) = (table(), group(60, 7));
    sent.push(note(&bytes, None, None).unwrap(), 1000);
    for poll in polls {
        sent.drained(*poll);
    }
    let known = is_copy(&mut sent, &bytes, None, now);
    assert!(sent.is_empty());
    known
}

#[test]
fn waits_no_longer_than_the_lifetime() {
    for polls in [&[1001][..], &[1001, 1000 + LIFETIME]] {
        assert!(is_known(polls, 1001));
        assert!(is_known(polls, 1000 + LIFETIME));
        assert!(!is_known(polls, 1001 + LIFETIME));
    }
    assert!(!is_known(&[1001 + LIFETIME], 1001 + LIFETIME));
}

#[test]
fn waits_longer_while_nobody_has_looked() {
    for polls in [&[][..], &[1000]] {
        assert!(is_known(polls, 1001 + LIFETIME));
        assert!(is_known(polls, 1000 + PATIENCE));
        assert!(!is_known(polls, 1001 + PATIENCE));
    }
}

#[test]
fn the_oldest_is_forgotten_when_there_is_no_room() {
    let mut sent = table();
    let frame = |n: usize| group(60, n as u8);
    for n in 0..ROOM + 2 {
        sent.push(note(&frame(n), None, None).unwrap(), 0);
    }
    for n in 0..ROOM + 2 {
        assert_eq!(is_copy(&mut sent, &frame(n), None, 0), n >= 2, "{n}");
    }
    assert!(sent.is_empty());
}

#[test]
fn no_room_at_all() {
    let mut sent = Sent::new(Vec::new());
    sent.push(note(&group(60, 1), None, None).unwrap(), 0);
    assert!(sent.is_empty());
}

#[test]
fn a_tag_may_be_in_the_frame_or_beside_it() {
    let plain = group(60, 3);
    let inside = tagged(&plain, 0x6123);
    let ways = [(&plain, Some(0x6123)), (&inside, None)];
    for (out, out_tag) in ways {
        for (back, back_tag) in ways {
            let mut sent = table();
            sent.push(note(out, out_tag, Some((40, 2))).unwrap(), 0);
            assert!(!is_copy(&mut sent, back, Some(0x6124), 0));
            assert!(!is_copy(&mut sent, &plain, None, 0));
            assert!(is_copy(&mut sent, back, back_tag, 0));
        }
    }
}

proptest! {
    /// A copy is one whatever the controller has filled in, where it was left to it; and no frame with
    /// any other byte changed is.
    #[test]
    fn every_byte_counts_but_those_filled_in(
        body in vec(any::<u8>(), 46..1500),
        at in 14u16..60,
        len in prop_oneof![Just(2u16), Just(4)],
        place in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let mut bytes = group(14, 0);
        bytes.0.extend(body);
        let mut other = bytes.clone();
        let place = place.index(other.0.len());
        other.0[place] ^= flip;
        let mut sent = table();
        sent.push(note(&bytes, None, Some((at, len))).unwrap(), 0);
        let filled = usize::from(at)..usize::from(at + len);
        prop_assert_eq!(is_copy(&mut sent, &other, None, 0), filled.contains(&place));
    }

    /// Against a list of whole frames: what is a copy there is one here, and nothing else.
    #[test]
    fn agrees_with_a_list(steps in vec((any::<bool>(), 0u8..3, 0u64..LIFETIME / 3), 0..200)) {
        let mut sent = Sent::new(vec![Slot::default(); 200]);
        let mut list: Vec<(Bytes, u64)> = Vec::new();
        let mut now = 0;
        for (sends, fill, time) in steps {
            now += time;
            sent.drained(now);
            list.retain(|(_, at)| at + LIFETIME >= now);
            let bytes = group(60 + usize::from(fill), fill);
            if sends {
                sent.push(note(&bytes, None, None).unwrap(), now);
                list.push((bytes, now));
            } else {
                let known = list.iter().position(|(frame, _)| *frame == bytes);
                prop_assert_eq!(is_copy(&mut sent, &bytes, None, now), known.is_some());
                if let Some(index) = known {
                    list.remove(index);
                }
            }
        }
    }
}
