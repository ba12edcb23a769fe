// SPDX-License-Identifier: GPL-2.0

//! Unit tests of what waits for interrupts to be on.

use super::*;
use crate::{
    device::Registration,
    kunit::{
        frame,
        in_irq,
        register,
        Counter,
        Dummy,
        NoModule,
        Parent,
        QUEUES, //
    },
    napi,
    page_pool::{
        self,
        PagePool, //
    },
    pci,
    rtnl,
    xdp::{
        Bulk,
        Frame, //
    }, //
};
use core::mem::ManuallyDrop;

#[kunit_tests(net_later)]
mod tests {
    use super::*;

    /// What is polled by nobody.
    struct Never;

    impl napi::Poll for Never {
        type Rearm = ();

        fn poll(&mut self, _cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
            0
        }

        fn poll_tx(&mut self, _cx: &mut napi::TxContext<'_>) {}

        fn rearm(_rearm: &()) {}
    }

    /// A page that is dropped in a hard interrupt, as is a frame, and pages that were to go back together.
    fn leave_in_irq(parent: &Parent, dev: &Registration<Dummy>) -> Result {
        let rtnl = rtnl::lock();
        let mut made = None;
        // The instance is not to be had in the end, and its pool goes with it.
        let none = napi::Napi::<Never>::new(dev.under(&rtnl).ok_or(ENODEV)?, 0, (), |setup| {
            let mut pool = PagePool::new(
                parent.device(),
                setup,
                page_pool::Config {
                    pages: 64,
                    buffer_len: 2048,
                    queue: 0,
                },
            )?;
            let pages = (pool.alloc(setup), pool.alloc(setup));
            made = pages.0.zip(pages.1);
            Err(ENOMEM)
        });
        assert!(none.is_err());
        let (page, other) = made.ok_or(EINVAL)?;
        let raw = ManuallyDrop::new(other).as_ptr();
        // SAFETY: The page was ours and becomes the frame's, which is new and ours.
        let of_pool = unsafe {
            let raw = NonNull::new(netbind::xdp_frame_of_page(raw, 60, true)).ok_or(EINVAL)?;
            Frame::from_raw(raw)
        };
        let (sent, frame) = (frame(60)?, frame(60)?);
        let cx = napi::TxContext::with_budget_for_test(64);
        let mut bulk = Bulk::new()?;
        bulk.add(of_pool, &cx);
        assert!(!bulk.is_empty());
        let (mut deferred, mut kept) = (false, false);
        in_irq(|| {
            bulk.add(sent, &cx);
            deferred = !FRAMES.is_empty();
            bulk.flush();
            kept = !bulk.is_empty();
            drop(bulk);
            drop(page);
            drop(frame);
        });
        assert!(deferred && kept);
        assert!(!PAGES.is_empty() && !FRAMES.is_empty() && !BULKS.is_empty());
        Ok(())
    }

    #[test]
    fn what_waits_goes_back_when_a_net_device_ends() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        leave_in_irq(&parent, &dev)?;
        drop(dev);
        assert!(PAGES.is_empty() && FRAMES.is_empty() && BULKS.is_empty());
        Ok(())
    }

    /// The driver of no device.
    struct Nobody;

    static NO_IDS: pci::RawIds<0> = pci::RawIds::new([]);
    static NO_DEVICES: pci::IdArray<(), 0> = pci::IdArray::new(&NO_IDS, []);

    #[vtable]
    impl pci::Driver for Nobody {
        type OwnerModule = NoModule;
        type IdInfo = ();
        type Data = ();
        const ID_TABLE: pci::IdTable<()> = NO_DEVICES.table();

        fn probe(
            _dev: &kernel::pci::Device<kernel::device::Core<'_>>,
            _info: Option<&()>,
        ) -> impl PinInit<(), Error> {
            Err::<(), _>(ENODEV)
        }
    }

    #[test]
    fn what_waits_goes_back_when_a_driver_ends() -> Result {
        use kernel::driver::RegistrationOps;

        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        let driver = kernel::types::Opaque::new(netbind::pci_driver::default());
        // SAFETY: The driver stays where it is until it is unregistered.
        unsafe {
            pci::Adapter::<Nobody>::register(
                &driver,
                c"net-kunit",
                &<NoModule as kernel::ModuleMetadata>::THIS_MODULE,
            )
        }?;
        let left = leave_in_irq(&parent, &dev);
        // SAFETY: The driver is registered.
        unsafe { pci::Adapter::<Nobody>::unregister(&driver) };
        left?;
        assert!(PAGES.is_empty() && FRAMES.is_empty() && BULKS.is_empty());
        Ok(())
    }
}
