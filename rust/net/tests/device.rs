// SPDX-License-Identifier: GPL-2.0

//! Unit tests of registration: what was begun is taken back, by whichever way it ends.

use super::*;
use crate::{
    kunit::{
        frame,
        freed_by,
        packet,
        register,
        register_of,
        Counter,
        Dummy,
        Parent,
        Sink,
        QUEUES, //
    },
    rtnl, //
};
use kernel::time::Delta;

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
        assert!(dev.name().as_bytes().starts_with(b"eth"));
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
        assert!(install(&dev, 0, Some(KBox::new(Sink::default(), GFP_KERNEL)?))?.is_none());
        assert!(install(&dev, 0, None)?.is_some());
        // There is no such queue: it comes back.
        assert!(install(&dev, QUEUES, Some(KBox::new(Sink::default(), GFP_KERNEL)?))?.is_some());
        assert!(install(&dev, 1, Some(KBox::new(Sink::default(), GFP_KERNEL)?))?.is_none());
        Ok(())
    }

    /// Puts a state in place, under RTNL.
    fn install(
        dev: &Device<Dummy>,
        index: u32,
        tx: Option<KBox<Sink>>,
    ) -> Result<Option<KBox<Sink>>> {
        let rtnl = rtnl::lock();
        let dev = dev.under(&rtnl).ok_or(ENODEV)?;
        Ok(dev.install_tx(index, tx))
    }

    /// Calls `f` under the lock of transmit queue 0, as the stack would.
    fn on_queue_0<R>(dev: &Device<Dummy>, f: impl FnOnce() -> R) -> Result<R> {
        let queue = dev.raw_tx_queue(0).ok_or(EINVAL)?;
        // SAFETY: The queue is valid.
        unsafe { netbind::tx_lock_bh(queue.as_ptr()) };
        let result = f();
        // SAFETY: We hold the lock.
        unsafe { netbind::tx_unlock_bh(queue.as_ptr()) };
        Ok(result)
    }

    #[test]
    fn a_packet_the_stack_does_not_know_is_not_given_to_it() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let sink = Sink {
            skb: Some(packet(60)?),
            ..Sink::default()
        };
        install(&dev, 0, Some(KBox::new(sink, GFP_KERNEL)?))?;
        let freed = freed_by(|| {
            let skb = packet(60)?.into_raw().as_ptr();
            // SAFETY: The net device has the operation, which may be called with a packet that is
            // given up, under the lock of its queue.
            let verdict = on_queue_0(&dev, || unsafe {
                (*(*dev.as_ptr()).netdev_ops)
                    .ndo_start_xmit
                    .map(|xmit| xmit(skb, dev.as_ptr()))
            })?;
            // Neither is the stack's any more.
            assert_eq!(verdict, Some(netbind::netdev_tx_NETDEV_TX_OK));
            Ok(())
        })?;
        assert_eq!(freed, 2);
        Ok(())
    }

    #[test]
    fn a_frame_the_caller_does_not_know_is_not_given_to_it() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        for index in 0..QUEUES {
            let sink = Sink {
                frame: Some(frame(60)?),
                ..Sink::default()
            };
            install(&dev, index, Some(KBox::new(sink, GFP_KERNEL)?))?;
        }
        let given = frame(60)?.into_raw().as_ptr();
        // SAFETY: The frame is given up.
        assert_eq!(unsafe { dev.tx_queues().xmit_frames(&[given], QUEUES) }?, 1);
        Ok(())
    }

    #[test]
    fn a_frame_that_was_copied_goes_back() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        for index in 0..QUEUES {
            let sink = Sink {
                copies: true,
                ..Sink::default()
            };
            install(&dev, index, Some(KBox::new(sink, GFP_KERNEL)?))?;
        }
        let (first, second) = (frame(60)?, frame(60)?);
        // SAFETY: The frames are valid. A reference keeps the page of one.
        let page = unsafe { netbind::kunit_xdp_hold(second.as_ptr()) };
        let given = [first, second].map(|frame| frame.into_raw().as_ptr());
        // SAFETY: The frames are given up.
        assert_eq!(unsafe { dev.tx_queues().xmit_frames(&given, QUEUES) }?, 2);
        // SAFETY: The page is kept by the reference, which is given up.
        assert_eq!(unsafe { netbind::kunit_page_release(page) }, 1);
        Ok(())
    }

    #[test]
    fn ends_when_the_parent_is_unbound() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let mut dev = register(&parent, &counter, QUEUES)?;
        let work = work::Work::new(parent.device(), c"test", work::Queue::System)?;
        let late = work::Work::new(parent.device(), c"late", work::Queue::System)?;
        dev.bind_work(work, |dev, work| {
            dev.carrier_on();
            work.schedule_after(Delta::from_millis(1));
        })?;
        assert!(dev.under(&rtnl::lock()).is_some());
        drop(parent);
        // What is left is memory, and a queue cannot be opened, as that needs the other.
        assert!(dev.under(&rtnl::lock()).is_none());
        assert!(dev.bind_work(late, |_, _| ()).is_err());
        dev.carrier_on();
        dev.carrier_off();
        assert_eq!(counter.owners(), 1);
        drop(dev);
        assert_eq!(counter.owners(), 0);
        Ok(())
    }

    #[test]
    fn another_parent_is_refused() -> Result {
        let (parent, other) = (Parent::new()?, Parent::new()?);
        let counter = Counter::new()?;
        let dev = Unregistered::new(parent.device(), QUEUES)?;
        assert!(register_of(dev, &other, &counter, QUEUES).is_err());
        assert_eq!(counter.owners(), 0);
        Ok(())
    }

    #[test]
    fn a_way_to_a_queue_that_is_forgotten_does_not_keep_the_device() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let handle = || -> Result<_> {
            let rtnl = rtnl::lock();
            Ok(dev.under(&rtnl).ok_or(ENODEV)?.tx_handle(0))
        };
        let (kept, forgotten) = (handle()?, handle()?);
        let forgotten = core::mem::ManuallyDrop::new(forgotten);
        install(&dev, 0, Some(KBox::new(Sink::default(), GFP_KERNEL)?))?;
        assert!(kept.with(|_, _| ()).is_some());
        drop(dev);
        assert!(kept.with(|_, _| ()).is_none());
        // So that the test leaks nothing.
        drop(core::mem::ManuallyDrop::into_inner(forgotten));
        Ok(())
    }

    #[test]
    fn a_name_that_is_read_during_a_rename_has_the_bytes_of_names_and_ends() -> Result {
        // A mixture of the two begins with neither's end.
        const NAMES: [&[u8; 16]; 2] = [b"aaaaaaaaaaaaaaa\0", b"b\0bbbbbbbbbbbbb\0"];
        static READ: Atomic<i32> = Atomic::new(0);
        static WRONG: Atomic<i32> = Atomic::new(0);

        let parent = Parent::new()?;
        let mut dev = register(&parent, &Counter::new()?, QUEUES)?;
        let original = dev.name();
        let work = work::Work::new(parent.device(), c"test", work::Queue::Unbound)?;
        let handle = work.handle();
        dev.bind_work(work, |dev, work| {
            for _ in 0..1000 {
                let name = dev.name();
                let bytes = name.as_bytes();
                let known = bytes.iter().all(|byte| b"ab".contains(byte));
                if !known || bytes.is_empty() || bytes.len() > 15 {
                    WRONG.fetch_add(1, Relaxed);
                }
            }
            if READ.fetch_add(1, Relaxed) < 4 {
                work.schedule();
            }
        })?;
        // What a rename does to the name: nobody else renames this device, and nobody looks it up.
        let raw = dev.as_ptr();
        let write = |name: &[u8]| {
            for (index, byte) in name.iter().enumerate() {
                // SAFETY: The net device is valid, and its name has 16 bytes.
                unsafe {
                    (&raw mut (*raw).name)
                        .cast::<u8>()
                        .add(index)
                        .write_volatile(*byte)
                };
            }
        };
        write(NAMES[0]);
        let kept = dev.name();
        write(NAMES[1]);
        let is_kept = Some(kept.as_bytes()) == NAMES[0].get(..15);
        write(NAMES[0]);
        handle.schedule();
        let mut renames = 0;
        while READ.load(Relaxed) < 5 && renames < 10_000 {
            write(NAMES[renames % 2]);
            renames += 1;
            kernel::time::delay::fsleep(Delta::from_micros(10));
        }
        write(&[0; 16]);
        write(original.as_bytes());
        assert!(is_kept);
        assert!(READ.load(Relaxed) >= 5);
        drop(dev);
        assert_eq!(WRONG.load(Relaxed), 0);
        Ok(())
    }
}
