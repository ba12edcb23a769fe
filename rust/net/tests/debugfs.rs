// SPDX-License-Identifier: GPL-2.0

//! Unit tests of debugfs directories.

use super::*;

#[kunit_tests(net_debugfs)]
mod tests {
    use super::*;
    use crate::kunit::{
        Counter,
        Owner,
        Parent, //
    };

    fn show(owner: &Owner, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        owner.count();
        writeln!(f, "shown")
    }

    #[test]
    fn what_a_directory_shows_goes_with_it() -> Result {
        let (parent, counter) = (Parent::new()?, Counter::new()?);
        // The second time shows that the first one left nothing.
        for _ in 0..2 {
            let owner = Arc::new(counter.owner(), GFP_KERNEL)?;
            let dir = Directory::new(
                parent.device(),
                c"net_debugfs_test",
                &owner,
                &[(c"one", show), (c"two", show)],
            )?;
            drop(owner);
            assert_eq!(counter.owners(), 1);
            drop(dir);
            assert_eq!(counter.owners(), 0);
        }
        Ok(())
    }

    #[test]
    fn two_files_of_one_name_are_refused_and_leave_nothing() -> Result {
        let (parent, counter) = (Parent::new()?, Counter::new()?);
        let owner = Arc::new(counter.owner(), GFP_KERNEL)?;
        let refused = Directory::new(
            parent.device(),
            c"net_debugfs_test",
            &owner,
            &[(c"one", show), (c"one", show)],
        );
        assert!(refused.is_err());
        drop(owner);
        assert_eq!(counter.owners(), 0);
        Ok(())
    }
}
