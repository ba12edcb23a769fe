// SPDX-License-Identifier: GPL-2.0

//! Unit tests of what has to do with the buffers of sockets.

use super::*;

#[kunit_tests(net_xsk)]
mod tests {
    use super::*;
    use crate::{
        device::Registration,
        kunit::{
            register,
            Counter,
            Dummy,
            Owner,
            Parent,
            QUEUES, //
        },
        rtnl, //
    };

    /// Buffers of a [`Bound`].
    const BUFFERS: u32 = 2;

    /// What a socket would have bound to queue 0. Its memory outlives what is attached.
    struct Bound(NonNull<netbind::xsk_buff_pool>);

    impl Bound {
        fn new(dev: &Registration<Dummy>, queue: u16) -> Result<Self> {
            // SAFETY: The device is valid.
            let pool = unsafe { netbind::kunit_xsk_pool(dev.as_ptr(), queue) };
            Ok(Self(NonNull::new(pool).ok_or(ENOMEM)?))
        }

        /// Buffers that are nobody's.
        fn free(&self) -> u32 {
            // SAFETY: The pool is valid, and not used meanwhile.
            unsafe { (*self.0.as_ptr()).free_list_cnt }
        }

        /// Frames that were reported as sent.
        fn completed(&self) -> u32 {
            // SAFETY: The pool is valid.
            unsafe { netbind::kunit_xsk_completed(self.0.as_ptr()) }
        }
    }

    impl Drop for Bound {
        fn drop(&mut self) {
            // SAFETY: Made by `kunit_xsk_pool`, and not attached any more.
            unsafe { netbind::kunit_xsk_free(self.0.as_ptr()) };
        }
    }

    /// What a poll does with its ends. The result is whether all of it was as expected.
    type Step = fn(&mut Rx, &mut Tx, &mut napi::Context<'_>) -> bool;

    struct Ends {
        rx: Rx,
        tx: Tx,
        step: Step,
        good: Owner,
    }

    impl napi::Poll for Ends {
        type Rearm = Owner;

        fn poll(&mut self, cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
            if (self.step)(&mut self.rx, &mut self.tx, cx) {
                self.good.count();
            }
            0
        }

        fn poll_tx(&mut self, _cx: &mut napi::TxContext<'_>) {}

        fn rearm(rearm: &Owner) {
            rearm.count();
        }
    }

    /// Offers all buffers to the device, as many as `rx` says there are.
    fn offer(rx: &mut Rx, cx: &impl napi::Exclusive) -> u32 {
        let mut offered = 0;
        rx.fill(cx, |_, _| offered += 1);
        offered
    }

    /// Has `use_it` use what was attached to queue 0 of a device.
    fn with_pool(
        use_it: impl FnOnce(&Registration<Dummy>, &Bound, &Pool, Attached) -> Result,
    ) -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let bound = Bound::new(&dev, 0)?;
        let (pool, attached) = {
            let _rtnl = rtnl::lock();
            // SAFETY: RTNL is held, the parent is bound, and the pool stays until the end.
            unsafe { Pool::attach(bound.0, dev.as_ptr(), 0) }?
        };
        use_it(&dev, &bound, &pool, attached)
    }

    fn detach(attached: Attached) {
        let _rtnl = rtnl::lock();
        drop(attached);
    }

    /// An instance of queue `index` with both ends of the pool, whose polls do `step`.
    fn napi(
        dev: &Registration<Dummy>,
        index: u32,
        pool: &Pool,
        (good, done): (&Counter, &Counter),
        step: Step,
    ) -> Result<napi::Napi<Ends>> {
        let rtnl = rtnl::lock();
        let dev = dev.under(&rtnl).ok_or(ENODEV)?;
        napi::Napi::new(dev, index, done.owner(), |setup| {
            let mut rx = Rx::new(setup, pool, 8)?;
            offer(&mut rx, setup);
            Ok(Ends {
                rx,
                tx: Tx::new(setup, pool)?,
                step,
                good: good.owner(),
            })
        })
    }

    fn end(napi: napi::Napi<Ends>) {
        let _rtnl = rtnl::lock();
        drop(napi);
    }

    #[test]
    fn buffers_go_back_when_the_instance_ends() -> Result {
        with_pool(|dev, bound, pool, attached| {
            let counters = (Counter::new()?, Counter::new()?);
            assert!(bound.free() == BUFFERS);
            let napi = napi(dev, 0, pool, (&counters.0, &counters.1), |_, _, _| true)?;
            assert!(bound.free() == 0);
            end(napi);
            assert!(bound.free() == BUFFERS);
            detach(attached);
            Ok(())
        })
    }

    #[test]
    fn sockets_are_asked_to_wake_the_next_instance() -> Result {
        /// `XDP_WAKEUP_RX` and `XDP_WAKEUP_TX`.
        const BOTH: u32 = 1 | 2;
        with_pool(|dev, bound, pool, attached| {
            let counters = (Counter::new()?, Counter::new()?);
            let napi = napi(dev, 0, pool, (&counters.0, &counters.1), |_, _, _| true)?;
            // SAFETY: The pool is valid.
            let asked = || u32::from(unsafe { (*bound.0.as_ptr()).cached_need_wakeup });
            assert!(asked() == 0);
            end(napi);
            assert!(asked() == BOTH);
            detach(attached);
            Ok(())
        })
    }

    #[test]
    fn an_instance_that_is_not_made_gives_them_back_too() -> Result {
        with_pool(|dev, bound, pool, attached| {
            let rtnl = rtnl::lock();
            let locked = dev.under(&rtnl).ok_or(ENODEV)?;
            let failed = napi::Napi::<Ends>::new(locked, 0, Counter::new()?.owner(), |setup| {
                let mut rx = Rx::new(setup, pool, 8)?;
                assert!(offer(&mut rx, setup) == BUFFERS);
                Err(ENOMEM)
            });
            assert!(failed.is_err());
            drop(rtnl);
            assert!(bound.free() == BUFFERS);
            detach(attached);
            Ok(())
        })
    }

    #[test]
    fn a_pool_has_one_end_of_a_kind() -> Result {
        with_pool(|dev, _bound, pool, attached| {
            let rtnl = rtnl::lock();
            let locked = dev.under(&rtnl).ok_or(ENODEV)?;
            let mut second = (Ok(()), Ok(()));
            let napi = napi::Napi::<Ends>::new(locked, 0, Counter::new()?.owner(), |setup| {
                let ends = (Rx::new(setup, pool, 8)?, Tx::new(setup, pool)?);
                second = (
                    Rx::new(setup, pool, 8).map(drop),
                    Tx::new(setup, pool).map(drop),
                );
                drop(ends);
                Err(ENOMEM)
            });
            assert!(napi.is_err());
            assert!(second == (Err(EBUSY), Err(EBUSY)));
            drop(rtnl);
            // When the instance has ended, another may have them.
            let counters = (Counter::new()?, Counter::new()?);
            end(super::tests::napi(
                dev,
                0,
                pool,
                (&counters.0, &counters.1),
                |_, _, _| true,
            )?);
            detach(attached);
            Ok(())
        })
    }

    #[test]
    fn the_pool_of_another_queue_is_refused() -> Result {
        with_pool(|dev, _bound, pool, attached| {
            let counters = (Counter::new()?, Counter::new()?);
            let other = napi(dev, 1, pool, (&counters.0, &counters.1), |_, _, _| true);
            assert!(other.err() == Some(EINVAL));
            detach(attached);
            Ok(())
        })
    }

    #[test]
    fn of_a_pool_that_is_over_there_is_nothing() -> Result {
        with_pool(|dev, bound, pool, attached| {
            let counters = (Counter::new()?, Counter::new()?);
            let mut napi = napi(dev, 0, pool, (&counters.0, &counters.1), |rx, tx, cx| {
                tx.completed(cx, 1);
                rx.polled(cx).is_none() && offer(rx, cx) == 0 && tx.take(cx, 1).is_none()
            })?;
            detach(attached);
            napi.enable();
            napi.scheduler().schedule();
            let ended = counters.1.reaches(1);
            end(napi);
            assert!(ended && counters.0.get() == 1);
            assert!(bound.free() == 0 && bound.completed() == 0);
            let again =
                super::tests::napi(dev, 0, pool, (&counters.0, &counters.1), |_, _, _| true);
            assert!(again.err() == Some(ENODEV));
            Ok(())
        })
    }

    #[test]
    fn no_more_is_reported_than_was_taken() -> Result {
        with_pool(|dev, bound, pool, attached| {
            let counters = (Counter::new()?, Counter::new()?);
            let mut napi = napi(dev, 0, pool, (&counters.0, &counters.1), |_, tx, cx| {
                // No socket wants anything sent.
                let none = tx.take(cx, 8).is_some_and(|batch| batch.len() == 0);
                tx.completed(cx, 5);
                none
            })?;
            napi.enable();
            napi.scheduler().schedule();
            let ended = counters.1.reaches(1);
            // The end of the instance reports what is outstanding: both may add up to none.
            let reported = bound.completed();
            end(napi);
            assert!(ended && counters.0.get() == 1);
            assert!((reported, bound.completed()) == (0, 0));
            detach(attached);
            Ok(())
        })
    }

    #[test]
    fn a_buffer_is_given_back_and_offered_again() -> Result {
        with_pool(|dev, bound, pool, attached| {
            let counters = (Counter::new()?, Counter::new()?);
            let mut napi = napi(dev, 0, pool, (&counters.0, &counters.1), |rx, _, cx| {
                let next = rx.next(cx);
                let mut oldest = None;
                if let Some(mut polled) = rx.polled(cx) {
                    polled.drop_oldest();
                    oldest = polled.oldest();
                }
                let mut where_it_is = None;
                rx.fill(cx, |index, _| where_it_is = Some(index));
                oldest == Some(1) && where_it_is == Some(next) && next == BUFFERS
            })?;
            napi.enable();
            napi.scheduler().schedule();
            let ended = counters.1.reaches(1);
            end(napi);
            assert!(ended && counters.0.get() == 1);
            assert!(bound.free() == BUFFERS);
            detach(attached);
            Ok(())
        })
    }

    #[test]
    fn sockets_wake_the_instance_that_has_their_pool() -> Result {
        with_pool(|dev, _bound, pool, attached| {
            assert!(!dev.wake(0));
            let counters = (Counter::new()?, Counter::new()?);
            let mut napi = napi(dev, 0, pool, (&counters.0, &counters.1), |_, _, _| true)?;
            napi.enable();
            assert!(dev.wake(0) && !dev.wake(1) && !dev.wake(QUEUES));
            let polled = counters.1.reaches(1);
            end(napi);
            assert!(polled);
            assert!(!dev.wake(0));
            detach(attached);
            Ok(())
        })
    }
}
