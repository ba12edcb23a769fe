// SPDX-License-Identifier: GPL-2.0

//! Unit tests of work items.

use super::*;

#[kunit_tests(net_work)]
mod tests {
    use super::*;
    use crate::kunit::{
        Counter,
        Owner,
        Parent, //
    };

    const LATER: Delta = Delta::from_secs(3600);

    fn bound(parent: &Parent, counter: &Counter) -> Result<Bound<Owner>> {
        let data = Arc::new(counter.owner(), GFP_KERNEL)?;
        Work::new(parent.device(), c"test", Queue::System)?.bind(data, |owner, _| owner.count())
    }

    #[test]
    fn runs_once_however_often_it_was_scheduled() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let work = bound(&parent, &counter)?;
        work.handle().schedule_after(LATER);
        work.handle().schedule_after(Delta::ZERO);
        work.flush();
        assert_eq!(counter.get(), 1);
        work.flush();
        assert_eq!(counter.get(), 1);
        Ok(())
    }

    #[test]
    fn does_nothing_before_it_is_bound() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let work = Work::new(parent.device(), c"test", Queue::Unbound)?;
        work.handle().schedule();
        let work = work.bind(Arc::new(counter.owner(), GFP_KERNEL)?, |owner, _| {
            owner.count()
        })?;
        work.flush();
        assert_eq!(counter.get(), 0);
        Ok(())
    }

    #[test]
    fn dropping_it_lets_go_of_what_it_runs_on() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let work = bound(&parent, &counter)?;
        let handle = work.handle();
        handle.schedule_after(LATER);
        assert_eq!(counter.owners(), 1);
        drop(work);
        assert_eq!(counter.owners(), 0);
        // Nobody would end this one.
        handle.schedule();
        assert_eq!(counter.get(), 0);
        Ok(())
    }

    #[test]
    fn ends_when_the_device_is_unbound() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let work = bound(&parent, &counter)?;
        work.handle().schedule_after(LATER);
        drop(parent);
        assert_eq!(counter.owners(), 0);
        work.handle().schedule();
        work.flush();
        assert_eq!(counter.get(), 0);
        Ok(())
    }

    #[test]
    fn a_queue_of_its_own_ends_after_its_work() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let queue = WorkQueue::unbound(c"test", Flags::HIGHPRI, 1)?;
        let work = Work::new(parent.device(), c"test", Queue::Own(queue))?
            .bind(Arc::new(counter.owner(), GFP_KERNEL)?, |owner, _| {
                owner.count()
            })?;
        work.handle().schedule();
        work.flush();
        assert_eq!(counter.get(), 1);
        Ok(())
    }
}
