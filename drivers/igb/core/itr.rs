// SPDX-License-Identifier: GPL-2.0

//! Interrupt moderation: how long a vector stays quiet after it has fired.
//!
//! The interval follows the *pattern* of the traffic, not the size of its packets. A request and its
//! answer are one packet each way per interrupt, whatever their size, and want the short interval.
//! Several packets per interrupt, time after time, are a stream, and so are full frames in one
//! direction alone: there is no one waiting for the single packet, and a longer interval shares one
//! interrupt among more of them. Pieces that the controller segments are a bulk transfer, which can
//! wait longer still.

/// Interval of a stream, as a multiple of the one for single packets. By default that is 48 µs: four
/// full frames at 1 Gb/s, or 70 of the shortest ones.
const STREAM_FACTOR: u32 = 3;
/// A poll with at least this many packets in one direction is part of a stream...
const STREAM_PACKETS: u32 = 2;
/// ...if it also has this many bytes...
const STREAM_BYTES: u32 = 1500;
/// ...and with this many packets, or bytes (of frames the controller segments), in any case.
const MANY_PACKETS: u32 = 4;
const MANY_BYTES: u32 = 8000;
/// Polls in a row that make a stream, and that end it.
const STREAM_POLLS: u32 = 4;
const SINGLE_POLLS: u32 = 2;
/// The same for polls with this many bytes, all in one direction: at 1 Gb/s, full frames come one by
/// one at the short interval.
const ONE_WAY_POLLS: u32 = 8;
const ONE_WAY_BYTES: u32 = 1000;

/// Frames sent of this many bytes on average are longer than any on the wire: the controller segments
/// them, and they are pieces of a bulk transfer.
const BULK_BYTES: u32 = 10_000;
/// Its interval, as a multiple: 192 µs by default, some 5000 interrupts per second, where other drivers
/// take 4000. At 1 Gb/s that is one piece of 24 KB, and a ring holds dozens. With a shorter one TCP is
/// told of each acknowledgement at once, and answers with smaller pieces, which cost as much each.
const BULK_FACTOR: u32 = 12;
/// Polls in a row that make it, and that end it: some find nothing but acknowledgements.
const BULK_POLLS: u32 = 2;
const BULK_END_POLLS: u32 = 4;

/// Interval unless the user sets another: 62 500 interrupts per second at most.
pub const DEFAULT_USECS: u32 = 16;

/// What one poll found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Packets received.
    pub rx_packets: u32,
    /// Packets reported as sent.
    pub tx_packets: u32,
    /// Bytes of both.
    pub bytes: u32,
    /// Bytes of those sent, of a frame the controller segmented all.
    pub tx_bytes: u32,
}

/// What the traffic of late looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    /// Someone waits for each packet.
    Single,
    /// Many packets.
    Stream,
    /// Pieces of a byte stream, which the controller segments.
    Bulk,
}

/// Moderation of one vector.
#[derive(Clone, Debug)]
pub struct Itr {
    usecs: u32,
    adaptive: bool,
    pattern: Pattern,
    /// Polls in a row that contradict `pattern`.
    against: u32,
    /// Polls in a row with packets in one direction, and which: received.
    one_way: u32,
    rx: bool,
}

impl Itr {
    /// An interval of `usecs` microseconds; if `adaptive`, three times that for streams, and twelve
    /// times for bulk transfers.
    #[must_use]
    pub const fn new(usecs: u32, adaptive: bool) -> Self {
        Self {
            usecs,
            adaptive,
            pattern: Pattern::Single,
            against: 0,
            one_way: 0,
            rx: false,
        }
    }

    /// The interval in force, in microseconds.
    #[must_use]
    pub const fn interval(&self) -> u32 {
        self.usecs.saturating_mul(match self.pattern {
            Pattern::Single => 1,
            Pattern::Stream => STREAM_FACTOR,
            Pattern::Bulk => BULK_FACTOR,
        })
    }

    /// Takes note of a poll. Returns the new interval if it has to change.
    #[inline]
    pub fn after_poll(&mut self, load: Load) -> Option<u32> {
        if !self.adaptive {
            return None;
        }
        let packets = if load.rx_packets > load.tx_packets {
            load.rx_packets
        } else {
            load.tx_packets
        };
        if packets == 0 {
            // It looked too early, or for something else.
            return None;
        }
        let found = self.pattern_of(load, packets);
        if found == self.pattern {
            self.against = 0;
            return None;
        }
        self.against = self.against.wrapping_add(1);
        let limit = match (self.pattern, found) {
            (Pattern::Bulk, _) => BULK_END_POLLS,
            (_, Pattern::Bulk) => BULK_POLLS,
            (Pattern::Stream, _) => SINGLE_POLLS,
            (Pattern::Single, _) => STREAM_POLLS,
        };
        if self.against < limit {
            return None;
        }
        self.pattern = found;
        self.against = 0;
        self.one_way = 0;
        Some(self.interval())
    }

    /// What one poll looks like; `packets` in the direction with more of them.
    #[inline]
    fn pattern_of(&mut self, load: Load, packets: u32) -> Pattern {
        let one_way = self.is_one_way(load);
        if load.tx_bytes >= BULK_BYTES && load.tx_bytes / BULK_BYTES >= load.tx_packets {
            return Pattern::Bulk;
        }
        let streaming = packets >= MANY_PACKETS
            || load.bytes >= MANY_BYTES
            || packets >= STREAM_PACKETS && load.bytes >= STREAM_BYTES
            || one_way && self.pattern == Pattern::Single;
        if streaming {
            Pattern::Stream
        } else {
            Pattern::Single
        }
    }

    /// Takes note of the direction. Returns whether there was only this one for a while.
    #[inline]
    fn is_one_way(&mut self, load: Load) -> bool {
        let rx = load.rx_packets != 0;
        let same = rx == self.rx && (load.tx_packets == 0) == rx && load.bytes >= ONE_WAY_BYTES;
        self.rx = rx;
        self.one_way = if same {
            self.one_way.saturating_add(1)
        } else {
            0
        };
        self.one_way > ONE_WAY_POLLS
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_itr))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    const STREAM: Load = Load {
        rx_packets: 2,
        tx_packets: 0,
        bytes: STREAM_BYTES,
        tx_bytes: 0,
    };
    const SINGLE: Load = Load {
        rx_packets: 1,
        tx_packets: 1,
        bytes: 2800,
        tx_bytes: 1400,
    };

    #[test]
    fn large_requests_stay_at_the_short_interval() {
        let mut itr = Itr::new(16, true);
        for _ in 0..100 {
            assert_eq!(itr.after_poll(SINGLE), None);
        }
        assert_eq!(itr.interval(), 16);
    }

    #[test]
    fn a_stream_is_recognised_and_its_end_too() {
        let mut itr = Itr::new(16, true);
        for _ in 1..STREAM_POLLS {
            assert_eq!(itr.after_poll(STREAM), None);
        }
        assert_eq!(itr.after_poll(STREAM), Some(48));
        assert_eq!(itr.after_poll(SINGLE), None);
        assert_eq!(itr.after_poll(SINGLE), Some(16));
    }

    #[test]
    fn one_poll_against_it_starts_the_count_anew() {
        let mut itr = Itr::new(16, true);
        for _ in 1..STREAM_POLLS {
            assert_eq!(itr.after_poll(STREAM), None);
        }
        assert_eq!(itr.after_poll(SINGLE), None);
        for _ in 1..STREAM_POLLS {
            assert_eq!(itr.after_poll(STREAM), None);
        }
    }

    #[test]
    fn fixed_stays_fixed() {
        let mut itr = Itr::new(10, false);
        for _ in 0..100 {
            assert_eq!(itr.after_poll(STREAM), None);
        }
        assert_eq!(itr.interval(), 10);
    }

    /// What a poll finds of a bulk transfer: one piece of 12 KB that was sent, and acknowledgements.
    const BULK: Load = Load {
        rx_packets: 3,
        tx_packets: 1,
        bytes: 12_200,
        tx_bytes: 12_000,
    };
    const ACKS: Load = Load {
        rx_packets: 2,
        tx_packets: 0,
        bytes: 132,
        tx_bytes: 0,
    };

    #[test]
    fn segmented_pieces_are_a_bulk_transfer_until_they_end() {
        let mut itr = Itr::new(16, true);
        let polls = (1..100).find(|_| itr.after_poll(BULK).is_some());
        assert_eq!(polls, Some(BULK_POLLS));
        assert_eq!(itr.interval(), 192);
        for _ in 0..100 {
            for load in [BULK, ACKS, ACKS, ACKS] {
                assert_eq!(itr.after_poll(load), None);
            }
        }
        let polls = (1..100).find(|_| itr.after_poll(SINGLE).is_some());
        assert_eq!(polls, Some(BULK_END_POLLS - 3));
        assert_eq!(itr.interval(), 16);
    }

    #[test]
    fn many_full_frames_are_a_stream_whatever_their_sum() {
        let mut itr = Itr::new(16, true);
        let frames = Load {
            rx_packets: 0,
            tx_packets: 32,
            bytes: 32 * 1514,
            tx_bytes: 32 * 1514,
        };
        for _ in 0..100 {
            itr.after_poll(frames);
        }
        assert_eq!(itr.interval(), 48);
    }

    #[test]
    fn few_bytes_are_no_stream() {
        let mut itr = Itr::new(16, true);
        let acks = Load {
            bytes: ONE_WAY_BYTES - 1,
            ..STREAM
        };
        for _ in 0..100 {
            assert_eq!(itr.after_poll(acks), None);
        }
    }

    #[test]
    fn a_poll_that_finds_nothing_says_nothing() {
        let mut itr = Itr::new(16, true);
        for _ in 1..STREAM_POLLS {
            assert_eq!(itr.after_poll(STREAM), None);
            assert_eq!(itr.after_poll(Load::default()), None);
        }
        assert!(itr.after_poll(STREAM).is_some());
        for _ in 0..100 {
            assert_eq!(itr.after_poll(Load::default()), None);
        }
    }

    #[test]
    fn full_frames_one_way_are_a_stream_until_they_turn_out_to_be_few() {
        let mut itr = Itr::new(16, true);
        let frame = Load {
            rx_packets: 1,
            tx_packets: 0,
            bytes: 1500,
            tx_bytes: 0,
        };
        let polls = (0..100).find(|_| itr.after_poll(frame).is_some());
        assert_eq!(polls, Some(ONE_WAY_POLLS + STREAM_POLLS));
        assert_eq!(itr.interval(), 48);
        assert_eq!(itr.after_poll(frame), None);
        assert_eq!(itr.after_poll(frame), Some(16));
    }

    #[test]
    fn frames_to_and_fro_are_not() {
        let mut itr = Itr::new(16, true);
        for _ in 0..100 {
            for (rx_packets, tx_packets) in [(1, 0), (0, 1)] {
                let load = Load {
                    rx_packets,
                    tx_packets,
                    bytes: 1400,
                    tx_bytes: 0,
                };
                assert_eq!(itr.after_poll(load), None);
            }
        }
    }

    #[test]
    fn many_short_packets_are_one() {
        let mut itr = Itr::new(16, true);
        let flood = Load {
            rx_packets: MANY_PACKETS,
            tx_packets: 0,
            bytes: 60 * MANY_PACKETS,
            tx_bytes: 0,
        };
        for _ in 1..STREAM_POLLS {
            assert_eq!(itr.after_poll(flood), None);
        }
        assert_eq!(itr.after_poll(flood), Some(48));
    }
}
