// SPDX-License-Identifier: GPL-2.0

//! Unit tests of interrupt vectors.

use super::*;

#[kunit_tests(net_irq)]
mod tests {
    use super::*;
    use crate::kunit::{
        Counter,
        Owner,
        Parent, //
    };
    use core::ptr::NonNull;

    #[test]
    fn the_vectors_of_a_device_are_claimed_once() -> Result {
        let parent = Parent::new()?;
        let claim = Claim::new(parent.device())?;
        assert_eq!(Claim::new(parent.device()).err(), Some(EBUSY));
        drop(claim);
        let claim = Claim::new(parent.device())?;
        drop(parent);
        drop(claim);
        // A binding starts anew.
        drop(Claim::new(Parent::new()?.device())?);
        Ok(())
    }

    /// Counts its calls.
    struct Counting(Owner);

    impl Handler for Counting {
        fn handle(&self, _cx: &Context) -> IrqReturn {
            self.0.count();
            IrqReturn::Handled
        }
    }

    /// Vectors of `parent`: one, which is `irq`.
    fn vectors(parent: &Parent, irq: u32) -> Result<Vectors> {
        const ANY: u32 = netbind::PCI_ANY_ID as u32;
        // Whichever there is: it has none, so that none are freed.
        // SAFETY: No preconditions.
        let any = unsafe { netbind::pci_get_device(ANY, ANY, core::ptr::null_mut()) };
        let any = NonNull::new(any).ok_or(ENODEV)?;
        let mut irqs = KVec::new();
        irqs.push(irq, GFP_KERNEL)?;
        let mut slots = KVec::new();
        slots.push(None, GFP_KERNEL)?;
        let set = Arc::pin_init(
            pin_init!(VectorSet {
                // SAFETY: The reference to the device is ours.
                dev: unsafe { ARef::from_raw(any.cast()) },
                kind: Kind::Msix,
                irqs,
                table <- new_mutex!(Table { open: true, slots }),
            }),
            GFP_KERNEL,
        )?;
        let closer = Closer(set.clone(), Claim::new(parent.device())?);
        Ok(Vectors {
            set,
            _closer: Devres::new(parent.device(), Ok::<_, Error>(closer))?,
        })
    }

    #[test]
    fn a_registration_that_is_forgotten_ends_when_the_device_is_unbound() -> Result {
        // SAFETY: No preconditions.
        let irq = u32::try_from(unsafe { netbind::kunit_irq_alloc() })?;
        // SAFETY: The interrupt is ours.
        let fire = || unsafe { netbind::kunit_irq_fire(irq) };
        let (parent, calls) = (Parent::new()?, Counter::new()?);
        let vectors = vectors(&parent, irq)?;
        let handler = Arc::new(Counting(calls.owner()), GFP_KERNEL)?;
        let served = vectors.request(0, fmt!("net-kunit"), handler)?;
        fire();
        assert_eq!(calls.get(), 1);
        let forgotten = core::mem::ManuallyDrop::new((served, vectors));
        fire();
        assert_eq!((calls.get(), calls.owners()), (2, 1));
        drop(parent);
        assert_eq!(calls.owners(), 0);
        fire();
        assert_eq!(calls.get(), 2);
        // SAFETY: The interrupt is ours, and not requested any more.
        unsafe { netbind::kunit_irq_free(irq) };
        // So that the test leaks nothing.
        drop(core::mem::ManuallyDrop::into_inner(forgotten));
        Ok(())
    }
}
