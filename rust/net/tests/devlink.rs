// SPDX-License-Identifier: GPL-2.0

//! Unit tests of devlink instances.

use super::*;

#[kunit_tests(net_devlink)]
mod tests {
    use super::*;
    use crate::kunit::Parent;

    /// A device with one part that can be ill.
    struct Part;

    impl Driver for Part {
        const PARAMS: &'static [Param<Self>] = &[];
        const REPORTERS: &'static [&'static CStr] = &[c"part"];

        fn diagnose(&self, _reporter: usize, _out: &mut Diagnosis<'_>) -> Result {
            Ok(())
        }
    }

    fn show(parent: &Parent, reporters: &Reporters) -> Result<Registration<Part>> {
        let data = Arc::new(Part, GFP_KERNEL)?;
        Registration::new(parent.device(), data, reporters.clone())
    }

    #[test]
    fn reporters_are_those_of_one_registration() -> Result {
        let parent = Parent::new()?;
        let reporters = Reporters::new()?;
        let shown = show(&parent, &reporters)?;
        // Neither a failed registration nor its end takes them away.
        let other = Parent::new()?;
        assert_eq!(show(&other, &reporters).err(), Some(EBUSY));
        reporters.lock().error(0, c"test");
        reporters.lock().healthy(0);
        drop(shown);
        reporters.lock().error(0, c"nobody");
        drop(show(&other, &reporters)?);
        Ok(())
    }

    #[test]
    fn ends_when_the_device_is_unbound() -> Result {
        let (parent, other) = (Parent::new()?, Parent::new()?);
        let reporters = Reporters::new()?;
        let shown = show(&parent, &reporters)?;
        drop(parent);
        // As they are nobody's, though `shown` is still there.
        drop(show(&other, &reporters)?);
        drop(shown);
        Ok(())
    }
}
