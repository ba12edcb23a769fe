// SPDX-License-Identifier: GPL-2.0

//! Unit tests of mapped registers.

use super::*;

#[kunit_tests(net_mmio)]
mod tests {
    use super::*;
    use kernel::alloc::flags::__GFP_ZERO;

    #[test]
    fn ports_are_not_mapped() -> Result {
        let raw = KBox::<netbind::pci_dev>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
        // SAFETY: any bit pattern is a `struct pci_dev`, for who only looks at its resources.
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
}
