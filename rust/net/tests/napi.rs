// SPDX-License-Identifier: GPL-2.0

//! Unit tests of polling.

use super::*;

#[kunit_tests(net_napi)]
mod tests {
    use super::*;
    use crate::kunit::{
        in_irq,
        register,
        Counter,
        Owner,
        Parent,
        QUEUES, //
    };
    use crate::rtnl;
    use core::mem::ManuallyDrop;
    use kernel::time::{
        delay::fsleep,
        Delta, //
    };

    /// Counts polls; receives nothing.
    struct Idle(Owner);

    impl Poll for Idle {
        type Rearm = Owner;

        fn poll(&mut self, _cx: &mut Context<'_>, _budget: u32) -> u32 {
            self.0.count();
            0
        }

        /// Reports more as sent than ever was.
        fn poll_tx(&mut self, cx: &mut TxContext<'_>) {
            cx.queue().completed(1, u32::MAX, 1, true, || 1);
        }

        fn rearm(rearm: &Owner) {
            rearm.count();
        }
    }

    struct Setting {
        parent: Parent,
        dev: crate::device::Registration<crate::kunit::Dummy>,
        polls: Counter,
        rearms: Counter,
    }

    fn setting() -> Result<Setting> {
        let parent = Parent::new()?;
        Ok(Setting {
            dev: register(&parent, &Counter::new()?, QUEUES)?,
            parent,
            polls: Counter::new()?,
            rearms: Counter::new()?,
        })
    }

    impl Setting {
        fn napi(&self) -> Result<Napi<Idle>> {
            self.make(0, || Ok(Idle(self.polls.owner())))
        }

        fn make(&self, index: u32, make: impl FnOnce() -> Result<Idle>) -> Result<Napi<Idle>> {
            let rtnl = rtnl::lock();
            let dev = self.dev.under(&rtnl).ok_or(ENODEV)?;
            Napi::new(dev, index, self.rearms.owner(), |_| make())
        }

        fn drop_napi(&self, napi: Napi<Idle>) {
            let _rtnl = rtnl::lock();
            drop(napi);
        }
    }

    #[test]
    fn polls_and_rearms_while_enabled_only() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        let scheduler = napi.scheduler();
        scheduler.schedule();
        assert_eq!(setting.polls.get(), 0);
        napi.enable();
        assert!(napi.get_mut().is_none());
        scheduler.schedule();
        assert!(setting.rearms.reaches(1));
        napi.disable();
        assert!(napi.get_mut().is_some());
        let polls = setting.polls.get();
        scheduler.schedule();
        assert_eq!(setting.polls.get(), polls);
        setting.drop_napi(napi);
        Ok(())
    }

    /// Finds something in its first poll, and nothing after it.
    struct Once {
        found: bool,
        polls: Owner,
    }

    /// What `Once` counts: when it may interrupt again, and when it is kept from that.
    struct Line {
        rearms: Owner,
        holds: Owner,
    }

    impl Poll for Once {
        type Rearm = Line;

        fn poll(&mut self, _cx: &mut Context<'_>, _budget: u32) -> u32 {
            self.polls.count();
            u32::from(!core::mem::replace(&mut self.found, true))
        }

        fn poll_tx(&mut self, _cx: &mut TxContext<'_>) {}

        fn rearm(line: &Line) {
            line.rearms.count();
        }

        fn hold(line: &Line) {
            line.holds.count();
        }
    }

    /// Interrupts an instance whose polls follow each other by a timer of `flush_timeout` ns, if one
    /// has found nothing up to `deferrals` times. Returns how often it was held, and polled before it
    /// was rearmed.
    fn interrupted(deferrals: u32, flush_timeout: usize) -> Result<(usize, usize)> {
        let setting = setting()?;
        let holds = Counter::new()?;
        let line = Line {
            rearms: setting.rearms.owner(),
            holds: holds.owner(),
        };
        let once = Once {
            found: false,
            polls: setting.polls.owner(),
        };
        let mut napi = {
            let rtnl = rtnl::lock();
            Napi::new(setting.dev.under(&rtnl).ok_or(ENODEV)?, 0, line, |_| {
                Ok(once)
            })?
        };
        napi.enable();
        let raw = napi.inner.napi.get();
        // SAFETY: The instance is registered, and no user knows its device.
        unsafe {
            (*raw).defer_hard_irqs = deferrals;
            (*raw).gro_flush_timeout = flush_timeout;
        }
        let scheduler = napi.scheduler();
        in_irq(|| scheduler.schedule_irqoff(&irq::Context::for_test()));
        assert!(setting.rearms.reaches(1));
        let seen = (holds.get(), setting.polls.get());
        let _rtnl = rtnl::lock();
        drop(napi);
        Ok(seen)
    }

    #[test]
    fn an_interrupt_is_held_while_polls_are_asked_for_by_a_timer() -> Result {
        assert_eq!(interrupted(0, 0)?, (0, 1));
        // Either setting by itself changes nothing.
        assert_eq!(interrupted(2, 0)?, (0, 1));
        assert_eq!(interrupted(0, 100_000)?, (0, 1));
        assert_eq!(interrupted(2, 100_000)?, (1, 3));
        Ok(())
    }

    #[test]
    fn enabling_and_disabling_twice_is_once() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        napi.enable();
        napi.enable();
        napi.disable();
        napi.disable();
        napi.enable();
        setting.drop_napi(napi);
        Ok(())
    }

    #[test]
    fn what_is_polled_goes_with_the_napi_and_the_rest_with_the_last_handle() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        napi.enable();
        let scheduler = napi.scheduler();
        setting.drop_napi(napi);
        assert_eq!(setting.polls.owners(), 0);
        assert_eq!(setting.rearms.owners(), 1);
        scheduler.schedule();
        assert_eq!(setting.polls.get(), 0);
        drop(scheduler);
        assert_eq!(setting.rearms.owners(), 0);
        Ok(())
    }

    #[test]
    fn what_cannot_be_made_leaves_nothing_behind() -> Result {
        let setting = setting()?;
        assert!(setting.make(0, || Err(ENOMEM)).is_err());
        assert_eq!(setting.rearms.owners(), 0);
        let beyond = setting.make(QUEUES, || Ok(Idle(setting.polls.owner())));
        assert!(beyond.is_err());
        assert_eq!(setting.polls.owners(), 0);
        // The place is free for another.
        setting.drop_napi(setting.napi()?);
        let _ = &setting.parent;
        Ok(())
    }

    #[test]
    fn an_index_is_that_of_one_instance() -> Result {
        let setting = setting()?;
        let first = setting.napi()?;
        let second = setting.make(0, || Ok(Idle(setting.polls.owner())));
        assert_eq!(second.err(), Some(EBUSY));
        setting.drop_napi(setting.make(1, || Ok(Idle(setting.polls.owner())))?);
        setting.drop_napi(first);
        setting.drop_napi(setting.napi()?);
        Ok(())
    }

    #[test]
    fn linked_to_its_queues_it_stays_in_memory() -> Result {
        let setting = setting()?;
        let link = |napi: &Napi<Idle>| -> Result {
            let rtnl = rtnl::lock();
            napi.link_queues(setting.dev.under(&rtnl).ok_or(ENODEV)?);
            Ok(())
        };
        let napi = setting.napi()?;
        link(&napi)?;
        setting.drop_napi(napi);
        // What is linked is still there.
        assert_eq!((setting.polls.owners(), setting.rearms.owners()), (0, 1));
        let napi = setting.napi()?;
        link(&napi)?;
        // It has taken the place of the first.
        assert_eq!(setting.rearms.owners(), 1);
        {
            let rtnl = rtnl::lock();
            napi.unlink_queues(setting.dev.under(&rtnl).ok_or(ENODEV)?);
        }
        setting.drop_napi(napi);
        assert_eq!(setting.rearms.owners(), 0);
        let napi = setting.napi()?;
        link(&napi)?;
        setting.drop_napi(napi);
        let Setting { dev, rearms, .. } = setting;
        drop(dev);
        assert_eq!(rearms.owners(), 0);
        Ok(())
    }

    #[test]
    fn netpoll_does_not_receive_and_reports_no_more_than_was_sent() -> Result {
        let setting = setting()?;
        let napi = setting.napi()?;
        let raw = napi.inner.napi.get();
        // SAFETY: The instance is registered and disabled, so that nobody else polls it.
        let work = unsafe { (*raw).poll.map(|poll| poll(raw, 0)) };
        assert_eq!(work, Some(0));
        assert_eq!((setting.polls.get(), setting.rearms.get()), (0, 0));
        setting.drop_napi(napi);
        Ok(())
    }

    #[test]
    fn one_that_is_forgotten_ends_with_its_device() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        napi.enable();
        let scheduler = napi.scheduler();
        let forgotten = ManuallyDrop::new(napi);
        let Setting {
            dev, polls, rearms, ..
        } = setting;
        // Would wait for a reference for ever.
        drop(dev);
        let before = polls.get();
        scheduler.schedule();
        fsleep(Delta::from_millis(20));
        assert_eq!((polls.get(), rearms.owners()), (before, 1));
        // So that the test leaks nothing.
        drop(ManuallyDrop::into_inner(forgotten));
        assert_eq!(polls.owners(), 0);
        Ok(())
    }

    #[test]
    fn a_grace_period_has_passed_when_it_is_gone() -> Result {
        let setting = setting()?;
        // One may pass by chance, but hardly each time.
        for _ in 0..8 {
            let napi = setting.napi()?;
            let mut before = Default::default();
            // SAFETY: The state is valid for writes.
            unsafe { netbind::get_state_synchronize_rcu_full(&mut before) };
            drop(napi);
            // SAFETY: The state is one that was taken.
            assert!(unsafe { netbind::poll_state_synchronize_rcu_full(&mut before) });
        }
        Ok(())
    }

    #[test]
    fn after_the_end_of_its_device_it_does_nothing() -> Result {
        let setting = setting()?;
        let mut napi = setting.napi()?;
        napi.enable();
        let Setting { dev, polls, .. } = setting;
        drop(dev);
        let before = polls.get();
        napi.disable();
        assert!(napi.get_mut().is_some());
        napi.enable();
        napi.set_irq(1);
        napi.scheduler().schedule();
        fsleep(Delta::from_millis(20));
        assert_eq!(polls.get(), before);
        napi.disable();
        napi.reset_tx_queue();
        drop(napi);
        assert_eq!(polls.owners(), 0);
        Ok(())
    }
}
