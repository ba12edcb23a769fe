// SPDX-License-Identifier: GPL-2.0

//! Unit tests of locks.

use super::*;

#[kunit_tests(net_lock)]
mod tests {
    use super::*;
    use kernel::sync::Arc;

    #[test]
    fn holders_see_what_the_one_before_left() -> Result {
        let lock = Arc::pin_init(new_raw_spinlock!(1_u32, c"test"), GFP_KERNEL)?;
        *lock.lock() += 1;
        assert_eq!(*lock.lock(), 2);
        Ok(())
    }

    #[test]
    fn guards_may_end_in_any_order() -> Result {
        let first = Arc::pin_init(new_raw_spinlock!(1_u32, c"first"), GFP_KERNEL)?;
        let second = Arc::pin_init(new_raw_spinlock!(2_u32, c"second"), GFP_KERNEL)?;
        let (a, b) = (first.lock(), second.lock());
        drop(a);
        // SAFETY: No preconditions.
        assert!(unsafe { netbind::irqs_disabled() });
        drop(b);
        // SAFETY: No preconditions.
        assert!(!unsafe { netbind::irqs_disabled() });
        Ok(())
    }

    #[test]
    fn an_interrupt_gives_way() -> Result {
        let lock = Arc::pin_init(new_raw_spinlock!((), c"test"), GFP_KERNEL)?;
        let cx = HardIrq::for_test();
        let held = lock.lock();
        assert!(lock.try_lock(&cx).is_none());
        drop(held);
        assert!(lock.try_lock(&cx).is_some());
        Ok(())
    }
}
