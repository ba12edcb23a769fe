// SPDX-License-Identifier: GPL-2.0

//! The latest of something that happens without end.

/// The latest `N` entries. Never grows; the oldest one makes room.
#[derive(Clone, Debug)]
pub struct History<T, const N: usize> {
    entries: [T; N],
    /// How many there were in all; wraps at 2^64.
    total: u64,
    /// Where the next one goes; less than `N`.
    next: usize,
}

impl<T: Copy, const N: usize> History<T, N> {
    /// Nothing has happened. `blank` fills the room for entries, and is never seen.
    #[must_use]
    pub const fn new(blank: T) -> Self {
        Self {
            entries: [blank; N],
            total: 0,
            next: 0,
        }
    }

    /// Notes `entry`.
    pub fn push(&mut self, entry: T) {
        if let Some(place) = self.entries.get_mut(self.next) {
            *place = entry;
        }
        self.next = self.next.wrapping_add(1);
        if self.next >= N {
            self.next = 0;
        }
        self.total = self.total.wrapping_add(1);
    }

    /// How many there were in all.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The number of the oldest entry that is kept, counted from the first there ever was; the latest
    /// is the one before [`History::total`].
    #[must_use]
    pub fn first(&self) -> u64 {
        self.total
            .saturating_sub(u64::try_from(N).unwrap_or(u64::MAX))
    }

    /// The entry with this number, if it is (still) kept.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<T> {
        let age = self.total.checked_sub(number)?;
        let from_end = usize::try_from(age)
            .ok()
            .filter(|age| (1..=N).contains(age))?;
        let kept = self.iter().count();
        self.iter().nth(kept.checked_sub(from_end)?).copied()
    }

    /// The latest entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        let (late, early) = self.entries.split_at(self.next.min(N));
        let kept = usize::try_from(self.total).map_or(N, |total| total.min(N));
        early.iter().chain(late).skip(N.wrapping_sub(kept))
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_history))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    /// Whether the history of `count` numbers has the latest ones, in order.
    fn holds(count: u32) -> bool {
        let mut history = History::<u32, 4>::new(u32::MAX);
        for n in 0..count {
            history.push(n);
        }
        history.total() == u64::from(count)
            && history.iter().copied().eq(count.saturating_sub(4)..count)
    }

    #[test]
    fn the_latest_entries_are_kept_in_order() {
        for count in [0, 1, 3, 4, 5, 7, 8, 9, 100] {
            assert!(holds(count));
        }
    }

    #[test]
    fn entries_are_known_by_their_number_while_they_are_kept() {
        let mut history = History::<u64, 4>::new(u64::MAX);
        for n in 0..10 {
            history.push(n);
            let kept = history.first()..history.total();
            assert_eq!(kept, n.saturating_sub(3)..n + 1);
            assert!((0..20).all(|n| history.get(n) == kept.contains(&n).then_some(n)));
        }
    }

    #[test]
    fn without_room_they_are_counted() {
        let mut history = History::<u32, 0>::new(0);
        history.push(1);
        assert_eq!(history.total(), 1);
        assert_eq!(history.iter().count(), 0);
    }
}
