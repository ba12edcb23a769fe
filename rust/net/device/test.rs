// SPDX-License-Identifier: GPL-2.0

//! Unit tests of registration: what was begun is taken back, by whichever way it ends.

use super::*;
use crate::kunit::{
    register,
    Counter,
    Dummy,
    Parent,
    Sink,
    QUEUES, //
};

#[kunit_tests(net_device)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_never_registered_is_freed() -> Result {
        let parent = Parent::new()?;
        drop(Unregistered::<Dummy>::new(parent.device(), QUEUES)?);
        Ok(())
    }

    #[test]
    fn registered_it_has_a_name_and_its_queues() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let dev = register(&parent, &counter, QUEUES)?;
        assert!(dev.name().to_bytes().starts_with(b"eth"));
        assert_eq!(dev.num_tx_queues(), QUEUES);
        assert_eq!(dev.real_num_queues(), QUEUES);
        assert!(!dev.carrier_ok() && !dev.is_running());
        assert_eq!(counter.owners(), 1);
        drop(dev);
        assert_eq!(counter.owners(), 0);
        Ok(())
    }

    #[test]
    fn a_registration_that_fails_is_rolled_back_and_can_be_repeated() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        // More queues in use than there are.
        assert!(register(&parent, &counter, QUEUES + 1).is_err());
        assert_eq!(counter.owners(), 0);
        drop(register(&parent, &counter, QUEUES)?);
        assert_eq!(counter.owners(), 0);
        Ok(())
    }

    #[test]
    fn its_work_ends_before_it_does() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let mut dev = register(&parent, &counter, QUEUES)?;
        let work = work::Work::new(parent.device(), c"test", work::Queue::System)?;
        let handle = work.handle();
        dev.bind_work(work, |dev, work| {
            dev.carrier_off();
            work.schedule_after(Delta::from_millis(1));
        })?;
        handle.schedule();
        drop(dev);
        assert_eq!(counter.owners(), 0);
        handle.schedule();
        Ok(())
    }

    #[test]
    fn a_queue_state_is_returned_when_replaced_and_dropped_with_the_device() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        assert!(dev
            .install_tx(0, Some(KBox::new(Sink, GFP_KERNEL)?))
            .is_none());
        assert!(dev.install_tx(0, None).is_some());
        // There is no such queue: it comes back.
        assert!(dev
            .install_tx(QUEUES, Some(KBox::new(Sink, GFP_KERNEL)?))
            .is_some());
        assert!(dev
            .install_tx(1, Some(KBox::new(Sink, GFP_KERNEL)?))
            .is_none());
        Ok(())
    }
}
