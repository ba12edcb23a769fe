// SPDX-License-Identifier: GPL-2.0

//! Unit tests of interrupt vectors.

use super::*;

#[kunit_tests(net_irq)]
mod tests {
    use super::*;
    use crate::kunit::Parent;

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
}
