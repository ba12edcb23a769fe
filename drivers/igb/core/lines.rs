// SPDX-License-Identifier: GPL-2.0

//! How many log lines somebody may cause.

/// Lines in any stretch of [`WINDOW_NS`].
pub const LINES: usize = 5;
/// One minute, in nanoseconds.
pub const WINDOW_NS: u64 = 60_000_000_000;

/// Allows [`LINES`] lines a minute, whenever the minute begins; counters tell the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// When the last lines were allowed, of any clock that does not go backwards.
    allowed: [Option<u64>; LINES],
    /// The oldest of them.
    oldest: usize,
}

impl Budget {
    /// Nothing used up.
    pub const FULL: Self = Self {
        allowed: [None; LINES],
        oldest: 0,
    };

    /// Whether one more line may be printed at time `now`, in nanoseconds; if so, it counts.
    pub fn allow(&mut self, now: u64) -> bool {
        // PANIC: an index is below LINES, here and below.
        let oldest = &mut self.allowed[self.oldest];
        if oldest.is_some_and(|then| now.saturating_sub(then) < WINDOW_NS) {
            return false;
        }
        *oldest = Some(now);
        self.oldest = self.oldest.wrapping_add(1) % LINES;
        true
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_lines))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_few_at_once_and_then_none_for_a_minute() {
        let mut budget = Budget::FULL;
        assert!((0..5).all(|_| budget.allow(0)));
        assert!((0..60).all(|second| !budget.allow(second * SECOND)));
        assert!((0..5).all(|_| budget.allow(60 * SECOND)));
        assert!(!budget.allow(60 * SECOND));
    }

    #[test]
    fn no_minute_has_more() {
        // One line, a pause, and then as many as there may be: the minute does not begin anew with
        // those.
        let mut budget = Budget::FULL;
        assert!(budget.allow(0));
        assert_eq!((0..10).filter(|_| budget.allow(55 * SECOND)).count(), 4);
        assert_eq!((0..10).filter(|_| budget.allow(61 * SECOND)).count(), 1);
        assert_eq!((0..10).filter(|_| budget.allow(114 * SECOND)).count(), 0);
        assert_eq!((0..10).filter(|_| budget.allow(115 * SECOND)).count(), 4);
    }
}
