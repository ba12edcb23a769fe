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

    #[test]
    fn ports_are_not_mapped() -> Result {
        let raw = KBox::<netbind::pci_dev>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
        // SAFETY: Any bit pattern is a `struct pci_dev`, for who only looks at its resources.
        let mut raw = unsafe { raw.assume_init() };
        let bar = raw.resource.first_mut().ok_or(EINVAL)?;
        bar.start = 0xc000;
        bar.end = 0xc0ff;
        bar.flags = netbind::IORESOURCE_IO as usize;
        // SAFETY: `Device` is a transparent wrapper; `map` looks at the resource before all else.
        let dev = unsafe { &*core::ptr::from_ref(&*raw).cast::<Device<Bound>>() };
        assert_eq!(Mmio::<16>::map(dev, 0, c"test").err(), Some(ENODEV));
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
