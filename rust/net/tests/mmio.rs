// SPDX-License-Identifier: GPL-2.0

//! Unit tests of mapped registers.

use super::{
    registers::Presence,
    *, //
};

#[kunit_tests(net_mmio)]
mod tests {
    use super::*;
    use kernel::alloc::flags::__GFP_ZERO;

    /// A PCI device that is none, with one BAR that nothing answers to.
    struct Nowhere(KBox<netbind::pci_dev>);

    impl Nowhere {
        fn new(flags: u32, start: u64, len: u64) -> Result<Self> {
            let raw = KBox::<netbind::pci_dev>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
            // SAFETY: Any bit pattern is a `struct pci_dev`, for who only looks at its resources.
            let mut raw = unsafe { raw.assume_init() };
            let bar = raw.resource.first_mut().ok_or(EINVAL)?;
            bar.start = start;
            bar.end = start + len - 1;
            bar.flags = flags as usize;
            raw.dev.init_name = c"nowhere".as_char_ptr();
            // SAFETY: The device is zeroed. Its own reference is never given up, so that nothing
            // frees it but the box.
            unsafe { netbind::device_initialize(&mut raw.dev) };
            Ok(Self(raw))
        }

        fn device(&self) -> &Device<Bound> {
            // SAFETY: `Device` is a transparent wrapper; `map` looks at resources, and counts
            // references, of which none is left when `self` is dropped.
            unsafe { &*core::ptr::from_ref(&*self.0).cast() }
        }

        fn map(&self) -> Result<Mmio<16>> {
            Mmio::map(self.device(), 0, c"test")
        }
    }

    #[test]
    fn ports_are_not_mapped() -> Result {
        let nowhere = Nowhere::new(netbind::IORESOURCE_IO, 0xc000, 0x100)?;
        assert_eq!(nowhere.map().err(), Some(ENODEV));
        Ok(())
    }

    #[test]
    fn regions_are_claimed_until_the_last_handle_is_dropped() -> Result {
        // Beyond the memory and the windows of any machine these tests run on.
        let nowhere = Nowhere::new(netbind::IORESOURCE_MEM, 1 << 38, 0x1000)?;
        let bar = nowhere.map()?;
        let other = bar.clone();
        let doorbell = bar.doorbell(4)?;
        // Whoever is bound to the device next does not get what is still in use.
        assert_eq!(nowhere.map().err(), Some(EBUSY));
        drop(bar);
        assert_eq!(nowhere.map().err(), Some(EBUSY));
        drop(other);
        assert_eq!(nowhere.map().err(), Some(EBUSY));
        drop(doorbell);
        assert!(nowhere.map().is_ok());
        Ok(())
    }

    #[test]
    fn ones_are_a_value_while_the_witness_says_so() {
        let presence = Presence::new();
        assert_eq!(presence.judge(7, || ALL_ONES), 7);
        assert_eq!(presence.judge(ALL_ONES, || 1), ALL_ONES);
        assert!(!presence.is_gone());
    }

    #[test]
    fn a_device_that_left_reads_as_zero_until_it_is_found_again() {
        let presence = Presence::new();
        assert_eq!(presence.judge(ALL_ONES, || ALL_ONES), 0);
        assert!(presence.is_gone());
        // Not by a witness that answers again: what it was told in between is lost.
        assert_eq!(presence.judge(ALL_ONES, || 1), 0);
        assert!(presence.probe(ALL_ONES).is_err() && presence.probe(0).is_err());
        assert!(presence.is_gone());
        assert!(presence.probe(1).is_ok());
        assert!(!presence.is_gone());
        assert_eq!(presence.judge(ALL_ONES, || 1), ALL_ONES);
    }
}
