// SPDX-License-Identifier: GPL-2.0

//! Unit tests of page pools.

use super::*;

#[kunit_tests(net_page_pool)]
mod tests {
    use super::*;
    use crate::kunit::{
        config,
        holds_in_a_poll,
        in_irq,
        polled,
        register,
        Counter,
        Dummy,
        Once,
        Owner,
        Parent,
        QUEUES, //
    };
    use crate::{
        device::Registration,
        rtnl,
        xdp::{
            Frame,
            Hints,
            Program,
            Received,
            RxQueue,
            Verdict, //
        },
    };
    use core::cell::Cell;

    /// What `make` made in the setup of an instance that then is not to be had.
    fn escaped<T>(
        dev: &Registration<Dummy>,
        done: &Counter,
        make: impl FnOnce(&napi::Setup) -> Result<T>,
    ) -> Result<T> {
        let rtnl = rtnl::lock();
        let dev = dev.under(&rtnl).ok_or(ENODEV)?;
        let mut made = None;
        let failed = napi::Napi::<Once>::new(dev, 0, done.owner(), |setup| {
            made = Some(make(setup)?);
            Err(ENOMEM)
        });
        if failed.is_ok() {
            return Err(EINVAL);
        }
        made.ok_or(EINVAL)
    }

    /// A page whose pool, and the instance that had it, are gone.
    fn page_without_pool(parent: &Parent, dev: &Registration<Dummy>) -> Result<RxPage> {
        escaped(dev, &Counter::new()?, |setup| {
            let mut pool = PagePool::new(parent.device(), setup, config(2048))?;
            pool.alloc(setup).ok_or(ENOMEM)
        })
    }

    #[test]
    fn a_page_given_back_is_used_again() -> Result {
        assert!(holds_in_a_poll(|pool, cx| {
            let Some(first) = pool.alloc(cx) else {
                return false;
            };
            let address = first.dma_addr();
            drop(first);
            pool.alloc(cx)
                .is_some_and(|again| again.dma_addr() == address)
        })?);
        Ok(())
    }

    #[test]
    fn a_packet_owns_its_pages_and_gives_them_back() -> Result {
        assert!(holds_in_a_poll(|pool, cx| {
            let (Some(first), Some(second)) = (pool.alloc(cx), pool.alloc(cx)) else {
                return false;
            };
            let addresses = [first.dma_addr(), second.dma_addr()];
            let Some(mut skb) = first.into_skb(cx, 100) else {
                return false;
            };
            if second.append_to(&mut skb, 28).is_err() || skb.len() != 128 {
                return false;
            }
            let held = pool
                .alloc(cx)
                .is_some_and(|other| !addresses.contains(&other.dma_addr()));
            drop(skb);
            held && pool
                .alloc(cx)
                .is_some_and(|again| addresses.contains(&again.dma_addr()))
        })?);
        Ok(())
    }

    #[test]
    fn a_full_packet_takes_no_more() -> Result {
        assert!(holds_in_a_poll(|pool, cx| {
            let Some(mut skb) = pool.alloc(cx).and_then(|page| page.into_skb(cx, 100)) else {
                return false;
            };
            while skb.has_room() {
                let Some(page) = pool.alloc(cx) else {
                    return false;
                };
                if page.append_to(&mut skb, 100).is_err() {
                    return false;
                }
            }
            pool.alloc(cx)
                .is_some_and(|page| page.append_to(&mut skb, 100).is_err())
        })?);
        Ok(())
    }

    #[test]
    fn a_pool_may_outlive_the_napi_it_was_made_for() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let done = Counter::new()?;
        let (page, pool) = escaped(&dev, &done, |setup| {
            let mut pool = PagePool::new(parent.device(), setup, config(2048))?;
            let page = pool.alloc(setup).ok_or(ENOMEM)?;
            Ok((page, pool))
        })?;
        assert_eq!(done.owners(), 1);
        drop(page);
        drop(pool);
        assert_eq!(done.owners(), 0);
        Ok(())
    }

    #[test]
    fn programs_see_a_queue_that_keeps_the_napi_of_its_pool() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let done = Counter::new()?;
        let queue = escaped(&dev, &done, |setup| {
            let pool = PagePool::new(parent.device(), setup, config(2048))?;
            // The pool is destroyed when the queue lets go of it, and looks at its NAPI then.
            RxQueue::new(setup, &pool, 0)
        })?;
        assert_eq!(done.owners(), 1);
        drop(queue);
        assert_eq!(done.owners(), 0);
        Ok(())
    }

    #[test]
    fn a_page_put_back_is_offered_before_others_and_behind_those_that_are() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        escaped(&dev, &Counter::new()?, |setup| {
            let mut pool = PagePool::new(parent.device(), setup, config(2048))?;
            let mut pages = RxPages::new(4)?;
            let places = [const { Cell::new(0) }; 4];
            let offer = |index: u32, addr: u64| {
                if let Some(place) = places.get(index as usize) {
                    place.set(addr);
                }
            };
            assert!(pages.fill(&mut pool, setup, offer));
            // Two come back, around the end of the ring, and one is replaced.
            let taken = [pages.take(), pages.take(), pages.take()];
            let [Some(first), Some(second), Some(third)] = taken else {
                return Err(EINVAL);
            };
            let wanted = [second.dma_addr(), third.dma_addr()];
            let given = first.dma_addr();
            pages.put_back(Reusable::new(second));
            pages.put_back(Reusable::new(third));
            assert_eq!(pages.vacant(), 3);
            assert!(pages.is_empty());
            assert!(pages.fill(&mut pool, setup, offer));
            assert_eq!([places[3].get(), places[0].get()], wanted);
            assert!(places[1].get() != given && !wanted.contains(&places[1].get()));
            assert_eq!(pages.vacant(), 0);
            // There is no place: it goes back to its pool.
            pages.put_back(Reusable::new(first));
            let taken = pages.take();
            assert!(taken.is_some_and(|page| page.dma_addr() == wanted[0]));
            assert!(pages.fill(&mut pool, setup, offer));
            assert!(places[2].get() != given);
            // What waits goes with the ring.
            let last = pages.take().ok_or(EINVAL)?;
            pages.put_back(Reusable::new(last));
            Ok(())
        })
    }

    #[test]
    fn a_pool_is_not_used_in_the_poll_of_another_instance() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let (good, done) = (Counter::new()?, Counter::new()?);
        let mut pool = escaped(&dev, &done, |setup| {
            PagePool::new(parent.device(), setup, config(2048))
        })?;
        let mut second = {
            let rtnl = rtnl::lock();
            let dev = dev.under(&rtnl).ok_or(ENODEV)?;
            napi::Napi::new(dev, 1, done.owner(), |setup| {
                assert!(pool.alloc(setup).is_none());
                assert!(!RxPages::new(16)?.fill(&mut pool, setup, |_, _| ()));
                Ok(Once {
                    pool,
                    step: |pool, cx| pool.alloc(cx).is_none(),
                    good: good.owner(),
                })
            })?
        };
        second.enable();
        second.scheduler().schedule();
        assert!(done.reaches(1));
        let _rtnl = rtnl::lock();
        drop(second);
        assert_eq!(good.get(), 1);
        Ok(())
    }

    #[test]
    fn a_packet_without_a_mac_header_in_its_first_buffer_is_dropped() -> Result {
        assert!(holds_in_a_poll(|pool, cx| {
            let (Some(first), Some(second)) = (pool.alloc(cx), pool.alloc(cx)) else {
                return false;
            };
            let addresses = [first.dma_addr(), second.dma_addr()];
            let Some(mut skb) = first.into_skb(cx, netbind::ETH_HLEN - 1) else {
                return false;
            };
            if second.append_to(&mut skb, 100).is_err() {
                return false;
            }
            cx.receive(skb, 0, RxMeta::default());
            pool.alloc(cx)
                .is_some_and(|again| addresses.contains(&again.dma_addr()))
        })?);
        Ok(())
    }

    #[test]
    fn a_buffer_longer_than_a_page_is_refused() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let counters = (Counter::new()?, Counter::new()?);
        let refused = polled(
            &parent,
            &dev,
            (&counters.0, &counters.1),
            |_, _| true,
            config(ROOM + 1),
        );
        assert!(refused.is_err());
        assert_eq!(counters.1.owners(), 0);
        Ok(())
    }

    /// Polls a pool that is not its own, which it does not have.
    struct Idle(Owner);

    impl napi::Poll for Idle {
        type Rearm = ();

        fn poll(&mut self, _cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
            self.0.count();
            0
        }

        fn poll_tx(&mut self, _cx: &mut napi::TxContext<'_>) {}

        fn rearm(_rearm: &()) {}
    }

    #[test]
    fn a_pool_that_is_dropped_while_its_instance_polls_stays_until_the_end() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let polls = Counter::new()?;
        let mut made = None;
        let mut napi = {
            let rtnl = rtnl::lock();
            let dev = dev.under(&rtnl).ok_or(ENODEV)?;
            napi::Napi::new(dev, 0, (), |setup| {
                let mut pool = PagePool::new(parent.device(), setup, config(2048))?;
                let queue = RxQueue::new(setup, &pool, 0)?;
                let page = pool.alloc(setup).ok_or(ENOMEM)?;
                made = Some((pool, queue, page));
                Ok(Idle(polls.owner()))
            })?
        };
        napi.enable();
        napi.scheduler().schedule();
        assert!(polls.reaches(1));
        let (pool, queue, page) = made.ok_or(EINVAL)?;
        let raw = pool.as_ptr();
        drop(queue);
        drop(pool);
        // SAFETY: The page keeps the pool in memory. It still has its instance: nobody has begun to
        // destroy it, which would race with polls that give pages back.
        assert!(!unsafe { (&raw const (*raw).p.napi).read_volatile() }.is_null());
        napi.disable();
        drop(napi);
        // SAFETY: The page keeps the pool in memory. Now it has been destroyed.
        assert!(unsafe { (&raw const (*raw).p.napi).read_volatile() }.is_null());
        drop(page);
        Ok(())
    }

    /// Unregisters its device when it is dropped, and looks whether the pool is destroyed then.
    struct Last {
        dev: Option<Registration<Dummy>>,
        pool: *const netbind::page_pool,
        // Keeps the pool in memory.
        _page: RxPage,
        destroyed: Owner,
    }

    // SAFETY: The pool is only looked at, and stays with the page.
    unsafe impl Send for Last {}

    impl napi::Poll for Last {
        type Rearm = ();

        fn poll(&mut self, _cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
            0
        }

        fn poll_tx(&mut self, _cx: &mut napi::TxContext<'_>) {}

        fn rearm(_rearm: &()) {}
    }

    impl Drop for Last {
        fn drop(&mut self) {
            drop(self.dev.take());
            // SAFETY: The page keeps the pool in memory.
            if unsafe { (&raw const (*self.pool).p.napi).read_volatile() }.is_null() {
                self.destroyed.count();
            }
        }
    }

    #[test]
    fn a_pool_is_destroyed_before_its_device_is_unregistered() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let destroyed = Counter::new()?;
        let mut napi = {
            let rtnl = rtnl::lock();
            let dev = dev.under(&rtnl).ok_or(ENODEV)?;
            napi::Napi::new(dev, 0, (), |setup| {
                let mut pool = PagePool::new(parent.device(), setup, config(2048))?;
                Ok(Last {
                    dev: None,
                    pool: pool.as_ptr(),
                    _page: pool.alloc(setup).ok_or(ENOMEM)?,
                    destroyed: destroyed.owner(),
                })
            })?
        };
        napi.get_mut().ok_or(EINVAL)?.dev = Some(dev);
        // The instance ends, and in the midst of that the device, which must not leave it to who
        // began.
        drop(napi);
        assert_eq!(destroyed.get(), 1);
        Ok(())
    }

    #[test]
    fn a_pool_of_another_device_than_the_net_devices_is_refused() -> Result {
        let (parent, other) = (Parent::new()?, Parent::new()?);
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let refused = escaped(&dev, &Counter::new()?, |setup| {
            Ok(PagePool::new(other.device(), setup, config(2048)).err())
        })?;
        assert_eq!(refused, Some(EINVAL));
        Ok(())
    }

    /// Makes a packet of a page that is not of its pool.
    struct Late {
        page: Option<RxPage>,
        made: Owner,
    }

    impl napi::Poll for Late {
        type Rearm = Owner;

        fn poll(&mut self, cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
            if self
                .page
                .take()
                .and_then(|page| page.into_skb(cx, 60))
                .is_some()
            {
                self.made.count();
            }
            0
        }

        fn poll_tx(&mut self, _cx: &mut napi::TxContext<'_>) {}

        fn rearm(rearm: &Owner) {
            rearm.count();
        }
    }

    #[test]
    fn a_page_whose_pool_was_destroyed_is_not_synced() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let (made, done) = (Counter::new()?, Counter::new()?);
        let page = page_without_pool(&parent, &dev)?;
        let mut napi = {
            let rtnl = rtnl::lock();
            let dev = dev.under(&rtnl).ok_or(ENODEV)?;
            napi::Napi::new(dev, 0, done.owner(), |_| {
                Ok(Late {
                    page: Some(page),
                    made: made.owner(),
                })
            })?
        };
        napi.enable();
        napi.scheduler().schedule();
        // A kernel that checks the use of the DMA API complains if this syncs what is not mapped.
        assert!(done.reaches(1));
        drop(napi);
        assert_eq!(made.get(), 1);
        Ok(())
    }

    #[test]
    fn a_queue_of_another_instances_pool_is_refused() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let done = Counter::new()?;
        let pool = escaped(&dev, &done, |setup| {
            PagePool::new(parent.device(), setup, config(2048))
        })?;
        let queue = escaped(&dev, &done, |setup| Ok(RxQueue::new(setup, &pool, 0).err()))?;
        assert_eq!(queue, Some(EINVAL));
        Ok(())
    }

    /// Shows a program a page that is not of the pool of its queue.
    struct Foreign {
        queue: RxQueue,
        page: Option<RxPage>,
        refused: Owner,
    }

    impl napi::Poll for Foreign {
        type Rearm = Owner;

        fn poll(&mut self, cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
            // SAFETY: A program that is not run is not looked at, and this one is not dropped.
            let program = ManuallyDrop::new(unsafe { Program::from_raw(NonNull::dangling()) });
            let page = self.page.take();
            let frame = page.map(|page| Received::new(page, 60));
            let verdict = frame.map(|frame| {
                self.queue
                    .run(cx, &program, frame, Hints::new([0; 2], None))
            });
            if matches!(verdict, Some(Verdict::Failed)) {
                self.refused.count();
            }
            0
        }

        fn poll_tx(&mut self, _cx: &mut napi::TxContext<'_>) {}

        fn rearm(rearm: &Owner) {
            rearm.count();
        }
    }

    #[test]
    fn a_program_does_not_see_a_page_of_another_pool() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let (refused, done) = (Counter::new()?, Counter::new()?);
        let page = page_without_pool(&parent, &dev)?;
        let mut napi = {
            let rtnl = rtnl::lock();
            let dev = dev.under(&rtnl).ok_or(ENODEV)?;
            napi::Napi::new(dev, 0, done.owner(), |setup| {
                let pool = PagePool::new(parent.device(), setup, config(2048))?;
                Ok(Foreign {
                    queue: RxQueue::new(setup, &pool, 0)?,
                    page: Some(page),
                    refused: refused.owner(),
                })
            })?
        };
        napi.enable();
        napi.scheduler().schedule();
        assert!(done.reaches(1));
        drop(napi);
        assert_eq!(refused.get(), 1);
        Ok(())
    }

    #[test]
    fn a_received_frame_takes_no_page_of_another_pool() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let first = page_without_pool(&parent, &dev)?;
        let second = page_without_pool(&parent, &dev)?;
        let mut frame = Received::new(first, 100);
        assert!(frame.append(second, 100).is_err());
        assert!(!frame.is_fragmented());
        Ok(())
    }

    #[test]
    fn what_is_dropped_in_a_hard_interrupt_goes_back_to_its_pool_later() -> Result {
        /// A frame in a page of a pool.
        fn frame_in(page: RxPage) -> Option<Frame> {
            let page = core::mem::ManuallyDrop::new(page).as_ptr();
            // SAFETY: The page was ours and becomes the frame's, which is new and ours.
            unsafe {
                NonNull::new(netbind::xdp_frame_of_page(page, 60, true))
                    .map(|frame| Frame::from_raw(frame))
            }
        }
        assert!(holds_in_a_poll(|pool, cx| {
            let (Some(first), Some(second)) = (pool.alloc(cx), pool.alloc(cx)) else {
                return false;
            };
            let (Some(third), Some(fourth)) = (pool.alloc(cx), pool.alloc(cx)) else {
                return false;
            };
            let dropped = [first.dma_addr(), second.dma_addr()];
            let (frame, other) = (frame_in(second), frame_in(fourth));
            let mut waits = false;
            in_irq(|| {
                drop(first);
                drop(frame);
                waits = !later::PAGES.is_empty() && !later::FRAMES.is_empty();
            });
            // Those that are dropped here take them along.
            drop(third);
            drop(other);
            let again = [(); 4].map(|()| pool.alloc(cx));
            let is_back = |address: &u64| {
                let mut pages = again.iter().flatten();
                pages.any(|page| page.dma_addr() == *address)
            };
            waits && dropped.iter().all(is_back)
        })?);
        Ok(())
    }
}
