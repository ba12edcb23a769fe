// SPDX-License-Identifier: GPL-2.0

//! Unit tests of clocks and stamps.

use super::*;

#[kunit_tests(net_ptp)]
mod tests {
    use super::*;
    use crate::{
        kunit::{
            freed_by,
            packet,
            register,
            Counter,
            Dummy,
            Owner,
            Parent,
            Sink, //
        },
        queue::TxQueue,
        rtnl,
        skb::{
            RxSkb,
            SkBuff, //
        },
    };
    use kernel::{
        sync::atomic::{
            Atomic,
            Relaxed, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
    };

    /// A clock that shows what it was set to, and a device whose stamp is that as well: none at 0.
    struct Fake {
        time: Atomic<i64>,
        rate: Atomic<i64>,
        refuses: bool,
        _owner: Owner,
    }

    impl Fake {
        fn new(counter: &Counter, refuses: bool) -> Result<Arc<Self>> {
            Ok(Arc::new(
                Self {
                    time: Atomic::new(0),
                    rate: Atomic::new(0),
                    refuses,
                    _owner: counter.owner(),
                },
                GFP_KERNEL,
            )?)
        }
    }

    impl Clock for Fake {
        const MAX_ADJUSTMENT: i32 = 100;

        fn time(&self, system: &mut SystemSample<'_>) -> Result<i64> {
            system.before();
            system.after();
            Ok(self.time.load(Relaxed))
        }

        fn set_time(&self, time: i64) -> Result {
            self.time.store(time, Relaxed);
            Ok(())
        }

        fn shift(&self, delta: i64) -> Result {
            self.time.fetch_add(delta, Relaxed);
            Ok(())
        }

        fn set_rate(&self, scaled_ppm: i64) -> Result {
            self.rate.store(scaled_ppm, Relaxed);
            Ok(())
        }
    }

    impl TxStamper for Fake {
        fn begin(&self) -> bool {
            !self.refuses
        }

        fn stamp(&self) -> Option<i64> {
            Some(self.time.load(Relaxed)).filter(|time| *time != 0)
        }
    }

    fn registered(parent: &Parent, fake: &Arc<Fake>) -> Result<Registration<Fake>> {
        Registration::new(parent.device(), fake.clone(), fmt!("clock of a test"))
    }

    fn timespec(tv_sec: i64, tv_nsec: c_long) -> netbind::timespec64 {
        netbind::timespec64 { tv_sec, tv_nsec }
    }

    /// What the operations of the clock say.
    #[test]
    fn operations_reach_the_clock() -> Result {
        let counter = Counter::new()?;
        let fake = Fake::new(&counter, false)?;
        let info = KBox::new(
            Info {
                raw: Opaque::new(pin_init::zeroed()),
                data: fake.clone(),
            },
            GFP_KERNEL,
        )?;
        let raw = info.raw.get();
        let (mut now, mut sample) = (timespec(0, 0), pin_init::zeroed());
        // SAFETY: The information is that of a `Fake`, and the time is valid.
        let set = |time| unsafe { settime64::<Fake>(raw, &time) };
        // SAFETY: The information is that of a `Fake`.
        let adjust = |by| unsafe { adjtime::<Fake>(raw, by) };
        assert_eq!(set(timespec(-1, 5)), 0);
        assert_eq!(fake.time.load(Relaxed), -999_999_995);
        // SAFETY: The information is that of a `Fake`, and the time is valid.
        let got = unsafe { gettimex64::<Fake>(raw, &mut now, core::ptr::null_mut()) };
        assert_eq!((got, now.tv_sec, now.tv_nsec), (0, -1, 5));
        assert_eq!(adjust(2_999_999_999), 0);
        // SAFETY: The information is that of a `Fake`, and time and sample are valid.
        let got = unsafe { gettimex64::<Fake>(raw, &mut now, &mut sample) };
        assert_eq!((got, now.tv_sec, now.tv_nsec), (0, 2, 4));
        // SAFETY: The information is that of a `Fake`.
        assert_eq!(unsafe { adjfine::<Fake>(raw, -77) }, 0);
        assert_eq!(fake.rate.load(Relaxed), -77);
        // A time that does not fit is refused, and changes nothing.
        assert_eq!(set(timespec(i64::MAX, 0)), ERANGE.to_errno());
        assert_eq!(fake.time.load(Relaxed), 2_000_000_004);
        Ok(())
    }

    #[test]
    fn dropping_it_lets_go_of_the_clock() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let fake = Fake::new(&counter, false)?;
        let clock = registered(&parent, &fake)?;
        let other = registered(&parent, &fake)?;
        assert!(clock.index() != other.index());
        drop((clock, other, fake));
        assert_eq!(counter.owners(), 0);
        Ok(())
    }

    #[test]
    fn ends_when_the_device_is_unbound() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let clock = registered(&parent, &Fake::new(&counter, false)?)?;
        assert_eq!(counter.owners(), 1);
        drop(parent);
        assert_eq!(counter.owners(), 0);
        drop(clock);
        Ok(())
    }

    #[test]
    fn numbers_of_configurations_are_those_of_c() -> Result {
        let config = StampConfig {
            tx: TxStamping::On,
            rx: RxFilter::V2Event,
        };
        let mut raw: netbind::kernel_hwtstamp_config = pin_init::zeroed();
        assert_eq!(StampConfig::load(&raw)?, StampConfig::OFF);
        config.store(&mut raw);
        assert_eq!((raw.tx_type, raw.rx_filter), (1, 12));
        assert_eq!(StampConfig::load(&raw)?, config);
        assert_eq!((config.tx.bit(), config.rx.bit()), (2, 1 << 12));
        for (tx, rx) in [(4, 0), (-1, 0), (0, 16), (0, -1), (c_int::MAX, c_int::MIN)] {
            raw.tx_type = tx;
            raw.rx_filter = rx;
            assert!(StampConfig::load(&raw).is_err());
        }
        Ok(())
    }

    fn asking() -> Result<SkBuff> {
        let skb = packet(60)?;
        // SAFETY: The packet is ours.
        unsafe { netbind::kunit_want_stamp(skb.as_ptr()) };
        Ok(skb)
    }

    fn awaits(skb: &SkBuff) -> bool {
        // SAFETY: The packet is valid.
        unsafe { netbind::kunit_awaits_stamp(skb.as_ptr()) }
    }

    /// Waits up to some seconds.
    fn wait_until(done: impl Fn() -> bool) -> bool {
        for _ in 0..2000 {
            if done() {
                return true;
            }
            fsleep(Delta::from_millis(2));
        }
        false
    }

    #[test]
    fn a_packet_says_that_it_asks_for_a_stamp() -> Result {
        let skb = asking()?;
        let meta = skb.begin_tx_stamping(TxQueue::for_test());
        assert!(meta.asks_for_stamp());
        assert!(!meta.wants_offload());
        assert!(meta.vlan_tci().is_none());
        assert_eq!(skb.tx_meta(), crate::skb::TxMeta::PLAIN);
        let plain = packet(60)?.begin_tx_stamping(TxQueue::for_test());
        assert_eq!(plain, crate::skb::TxMeta::PLAIN);
        Ok(())
    }

    #[test]
    fn a_packet_is_kept_until_its_stamp_is_there() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let fake = Fake::new(&counter, false)?;
        let stamps = TxStamps::new(parent.device(), fake.clone())?;
        let freed = freed_by(|| {
            let skb = asking()?;
            assert!(stamps.claim(&skb, TxQueue::for_test()));
            assert!(awaits(&skb));
            // The device is done with it.
            drop(skb);
            Ok(())
        })?;
        assert_eq!(freed, 0);
        let freed = freed_by(|| {
            fake.time.store(5, Relaxed);
            assert!(wait_until(|| stamps.delivered() == 1));
            Ok(())
        })?;
        assert_eq!(freed, 1);
        assert_eq!(
            (stamps.lost(), stamps.timeouts(), stamps.skipped()),
            (0, 0, 0)
        );
        Ok(())
    }

    /// A packet that asks for a stamp of `dev`.
    fn asking_of(dev: &crate::device::Device<Dummy>) -> Result<SkBuff> {
        let skb = asking()?;
        // SAFETY: The packet is ours.
        unsafe { netbind::kunit_set_dev(skb.as_ptr(), dev.as_ptr()) };
        Ok(skb)
    }

    fn queue_of(dev: &crate::device::Device<Dummy>) -> Result<TxQueue<'_>> {
        let queue = dev.raw_tx_queue(0).ok_or(EINVAL)?;
        // SAFETY: The queue lives as long as the device, and nobody else sends.
        Ok(unsafe { TxQueue::from_raw(queue) })
    }

    #[test]
    fn a_packet_whose_device_may_be_gone_is_not_stamped() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let dev = register(&parent, &counter, 1)?;
        // SAFETY: The net device is valid.
        let refs = || unsafe { netbind::kunit_dev_refs(dev.as_ptr()) };
        let before = refs();
        let stamps = TxStamps::new(parent.device(), Fake::new(&counter, false)?)?;
        let skb = asking_of(&dev)?;
        assert!(!stamps.claim(&skb, TxQueue::for_test()));
        assert!(!awaits(&skb));
        assert_eq!(refs(), before);
        assert!(stamps.claim(&skb, queue_of(&dev)?));
        Ok(())
    }

    #[test]
    fn a_packet_that_waits_for_its_stamp_is_not_given_back_to_the_stack() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let dev = register(&parent, &counter, 1)?;
        let stamps = TxStamps::new(parent.device(), Fake::new(&counter, false)?)?;
        let freed = freed_by(|| {
            let skb = asking()?;
            assert!(stamps.claim(&skb, TxQueue::for_test()));
            // What the driver gives back is what it was given.
            // SAFETY: The packet is valid; the reference that is taken is that of the sink.
            let same = unsafe {
                netbind::kunit_skb_get(skb.as_ptr());
                SkBuff::from_raw(NonNull::new_unchecked(skb.as_ptr()))
            };
            let sink = Sink {
                skb: Some(same),
                ..Sink::default()
            };
            let rtnl = rtnl::lock();
            let sink = KBox::new(sink, GFP_KERNEL)?;
            drop(dev.under(&rtnl).ok_or(ENODEV)?.install_tx(0, Some(sink)));
            drop(rtnl);
            let queue = queue_of(&dev)?.as_ptr();
            // SAFETY: The queue is valid. The net device has the operation, which may be called with
            // a packet that is given up, under the lock of its queue.
            let verdict = unsafe {
                netbind::tx_lock_bh(queue);
                let verdict = (*(*dev.as_ptr()).netdev_ops)
                    .ndo_start_xmit
                    .map(|xmit| xmit(skb.into_raw().as_ptr(), dev.as_ptr()));
                netbind::tx_unlock_bh(queue);
                verdict
            };
            assert_eq!(verdict, Some(netbind::netdev_tx_NETDEV_TX_OK));
            stamps.give_up();
            Ok(())
        })?;
        assert_eq!(freed, 1);
        Ok(())
    }

    #[test]
    fn the_net_device_is_held_until_the_stamp_is_there_or_given_up() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let fake = Fake::new(&counter, false)?;
        let dev = register(&parent, &counter, 1)?;
        // SAFETY: The net device is valid.
        let refs = || unsafe { netbind::kunit_dev_refs(dev.as_ptr()) };
        let before = refs();
        let stamps = TxStamps::new(parent.device(), fake.clone())?;
        assert!(stamps.claim(&asking_of(&dev)?, queue_of(&dev)?));
        assert_eq!(refs(), before + 1);
        stamps.give_up();
        assert_eq!(refs(), before);
        assert!(stamps.claim(&asking_of(&dev)?, queue_of(&dev)?));
        fake.time.store(5, Relaxed);
        assert!(wait_until(|| stamps.delivered() == 1));
        assert_eq!(refs(), before);
        fake.time.store(0, Relaxed);
        assert!(stamps.claim(&asking_of(&dev)?, queue_of(&dev)?));
        assert_eq!(refs(), before + 1);
        drop(stamps);
        assert_eq!(refs(), before);
        Ok(())
    }

    #[test]
    fn a_net_device_ends_after_the_packet_that_waits() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let stamps = TxStamps::new(parent.device(), Fake::new(&counter, false)?)?;
        let dev = register(&parent, &counter, 1)?;
        assert!(stamps.claim(&asking_of(&dev)?, queue_of(&dev)?));
        drop(dev);
        assert_eq!(stamps.timeouts(), 1);
        Ok(())
    }

    #[test]
    fn one_is_stamped_at_a_time() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let fake = Fake::new(&counter, false)?;
        let stamps = TxStamps::new(parent.device(), fake.clone())?;
        let (first, second) = (asking()?, asking()?);
        assert!(stamps.claim(&first, TxQueue::for_test()));
        assert!(!stamps.claim(&second, TxQueue::for_test()));
        assert!(!awaits(&second));
        assert_eq!(stamps.skipped(), 1);
        fake.time.store(5, Relaxed);
        assert!(wait_until(|| stamps.delivered() == 1));
        assert!(stamps.claim(&second, TxQueue::for_test()));
        Ok(())
    }

    #[test]
    fn a_stamp_that_does_not_come_is_given_up() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let stamps = TxStamps::new(parent.device(), Fake::new(&counter, false)?)?;
        let skb = asking()?;
        assert!(stamps.claim(&skb, TxQueue::for_test()));
        assert!(wait_until(|| stamps.timeouts() == 1));
        assert!(stamps.claim(&skb, TxQueue::for_test()));
        stamps.give_up();
        stamps.give_up();
        assert_eq!((stamps.lost(), stamps.delivered()), (1, 0));
        Ok(())
    }

    #[test]
    fn a_device_that_does_not_stamp_gets_no_packet() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let stamps = TxStamps::new(parent.device(), Fake::new(&counter, true)?)?;
        let skb = asking()?;
        assert!(!stamps.claim(&skb, TxQueue::for_test()));
        assert!(!awaits(&skb));
        assert_eq!(stamps.skipped(), 0);
        Ok(())
    }

    #[test]
    fn what_waits_when_the_device_is_unbound_is_freed() -> Result {
        let parent = Parent::new()?;
        let counter = Counter::new()?;
        let stamps = TxStamps::new(parent.device(), Fake::new(&counter, false)?)?;
        let freed = freed_by(|| {
            let skb = asking()?;
            assert!(stamps.claim(&skb, TxQueue::for_test()));
            drop(skb);
            drop(parent);
            Ok(())
        })?;
        assert_eq!(freed, 1);
        // And from here on nothing is kept.
        assert!(!stamps.claim(&asking()?, TxQueue::for_test()));
        Ok(())
    }

    #[test]
    fn a_received_packet_has_its_stamp() -> Result {
        let skb = packet(60)?;
        // SAFETY: The reference is the one `into_raw` gives up, and the only one.
        let mut skb = unsafe { RxSkb::from_raw(skb.into_raw()) };
        skb.set_stamp(1_234_567_890_123);
        // SAFETY: The packet is ours.
        let stamp = unsafe { netbind::kunit_stamp(skb.as_ptr()) };
        assert_eq!(stamp, 1_234_567_890_123);
        Ok(())
    }
}
