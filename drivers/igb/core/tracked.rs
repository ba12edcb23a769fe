// SPDX-License-Identifier: GPL-2.0

//! Values of which it is known whether they may have changed.

use core::{
    hash::{
        Hash,
        Hasher, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
};

/// A value, and a mark: whether it may have changed since somebody last asked.
///
/// The mark is set by whatever could change the value, and nobody has to think of it: by mutable access
/// ([`DerefMut`]), and by putting another value in its place, as a new one, a copy included, is born with
/// it. It says *may*: who takes mutable access and changes nothing sets it all the same.
#[derive(Debug)]
pub(crate) struct Tracked<T> {
    value: T,
    changed: bool,
}

impl<T> Tracked<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            value,
            changed: true,
        }
    }

    /// The value, where [`Deref`] cannot be used: in constant functions.
    pub(crate) const fn get(&self) -> &T {
        &self.value
    }

    /// Puts `value` in place of one that differs.
    pub(crate) fn set(&mut self, value: T)
    where
        T: PartialEq,
    {
        if self.value != value {
            *self = Self::new(value);
        }
    }

    /// Takes the mark: whether the value may have changed since this was last called.
    pub(crate) fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

/// The mark says what somebody else has seen, and is no part of the value.
impl<T: Hash> Hash for Tracked<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<T: Clone> Clone for Tracked<T> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_tracked))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    fn seen(value: u32) -> Tracked<u32> {
        let mut tracked = Tracked::new(value);
        assert!(tracked.take_changed());
        assert!(!tracked.take_changed());
        tracked
    }

    #[test]
    fn reading_changes_nothing() {
        let mut tracked = seen(1);
        assert_eq!((*tracked, *tracked.get()), (1, 1));
        assert!(!tracked.take_changed());
    }

    #[test]
    fn whatever_may_change_it_marks_it() {
        let mut tracked = seen(1);
        *tracked += 1;
        assert!(tracked.take_changed());
        tracked = Tracked::new(2);
        assert!(tracked.take_changed());
        tracked.set(3);
        assert!(tracked.take_changed());
        tracked.set(3);
        assert!(!tracked.take_changed());
    }

    #[test]
    fn a_copy_has_not_been_seen() {
        let mut tracked = seen(1);
        let mut copy = tracked.clone();
        assert!(copy.take_changed());
        assert!(!tracked.take_changed());
        tracked.clone_from(&seen(1));
        assert!(tracked.take_changed());
    }
}
