// SPDX-License-Identifier: GPL-2.0

//! Interrupt moderation: how long a vector stays quiet after it has fired.
//!
//! The interval follows the *pattern* of the traffic, not the size of its packets. A request and its
//! answer are one packet each way per interrupt, whatever their size, and want the short interval.
//! Several packets per interrupt, time after time, are a stream: it has no one waiting for the single
//! packet, and twice the interval halves its cost.

/// Interval of a stream, as a multiple of the one for single packets.
const STREAM_FACTOR: u32 = 2;
/// A poll with at least this many packets in one direction is part of a stream...
const STREAM_PACKETS: u32 = 2;
/// ...if it also has this many bytes: half of what arrives at 1 Gb/s in [`DEFAULT_USECS`].
const STREAM_BYTES: u32 = 1500;
/// Polls in a row that make a stream, and that end it.
const STREAM_POLLS: u32 = 8;
const SINGLE_POLLS: u32 = 2;

/// Interval unless the user sets another: 43 000 interrupts per second at most. Long enough for the
/// completion of an answer to share the interrupt of the next request on a fast network.
pub const DEFAULT_USECS: u32 = 23;

/// What one poll found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Packets received.
    pub rx_packets: u32,
    /// Packets reported as sent.
    pub tx_packets: u32,
    /// Bytes of both.
    pub bytes: u32,
}

/// Moderation of one vector.
#[derive(Clone, Debug)]
pub struct Itr {
    usecs: u32,
    adaptive: bool,
    stream: bool,
    /// Polls in a row that contradict `stream`.
    against: u32,
}

impl Itr {
    /// An interval of `usecs` microseconds; if `adaptive`, up to twice that for streams.
    #[must_use]
    pub const fn new(usecs: u32, adaptive: bool) -> Self {
        Self {
            usecs,
            adaptive,
            stream: false,
            against: 0,
        }
    }

    /// The interval in force, in microseconds.
    #[must_use]
    pub const fn interval(&self) -> u32 {
        if self.stream {
            self.usecs.saturating_mul(STREAM_FACTOR)
        } else {
            self.usecs
        }
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
        let streaming = packets >= STREAM_PACKETS && load.bytes >= STREAM_BYTES;
        if streaming == self.stream {
            self.against = 0;
            return None;
        }
        self.against = self.against.wrapping_add(1);
        let limit = if self.stream {
            SINGLE_POLLS
        } else {
            STREAM_POLLS
        };
        if self.against < limit {
            return None;
        }
        self.stream = streaming;
        self.against = 0;
        Some(self.interval())
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
    };
    const SINGLE: Load = Load {
        rx_packets: 1,
        tx_packets: 1,
        bytes: 2800,
    };

    #[test]
    fn large_requests_stay_at_the_short_interval() {
        let mut itr = Itr::new(23, true);
        for _ in 0..100 {
            assert_eq!(itr.after_poll(SINGLE), None);
        }
        assert_eq!(itr.interval(), 23);
    }

    #[test]
    fn a_stream_is_recognised_and_its_end_too() {
        let mut itr = Itr::new(23, true);
        for _ in 1..STREAM_POLLS {
            assert_eq!(itr.after_poll(STREAM), None);
        }
        assert_eq!(itr.after_poll(STREAM), Some(46));
        assert_eq!(itr.after_poll(SINGLE), None);
        assert_eq!(itr.after_poll(SINGLE), Some(23));
    }

    #[test]
    fn one_poll_against_it_starts_the_count_anew() {
        let mut itr = Itr::new(23, true);
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

    #[test]
    fn few_bytes_are_no_stream() {
        let mut itr = Itr::new(23, true);
        let acks = Load {
            bytes: STREAM_BYTES - 1,
            ..STREAM
        };
        for _ in 0..100 {
            assert_eq!(itr.after_poll(acks), None);
        }
    }
}
