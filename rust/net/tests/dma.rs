// SPDX-License-Identifier: GPL-2.0

//! Unit tests of coherent memory.

use super::*;

#[kunit_tests(net_dma)]
mod tests {
    use super::*;
    use crate::kunit::Parent;
    use kernel::faux;

    #[test]
    fn memory_that_outlives_the_binding_stays_and_is_not_given_back() -> Result {
        let parent = Parent::new()?;
        let memory = Coherent::<[u64; 2]>::zeroed(parent.device(), 8)?;
        let at = memory.as_ptr().as_ptr().cast();
        memory.write(7, [1, 2]);
        drop(parent);
        assert!(memory.read(7) == [1, 2]);
        memory.write(0, [3, 4]);
        assert!(memory.read_word(0, 1) == 4);
        drop(memory);
        // SAFETY: The address is one of memory, whosever it is.
        assert_eq!(unsafe { netbind::kunit_page_count(at) }, 1);
        Ok(())
    }

    #[test]
    fn a_device_of_another_kind_of_driver_has_none() -> Result {
        let other = faux::Registration::new(c"net-kunit-other", None)?;
        let dev: &Device<Bound> = AsRef::<faux::Device<Bound>>::as_ref(&other).as_ref();
        let memory = Coherent::<u32>::zeroed(dev, 1);
        assert_eq!(memory.err(), Some(ENODEV));
        Ok(())
    }
}
