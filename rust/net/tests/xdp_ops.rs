// SPDX-License-Identifier: GPL-2.0

//! Unit tests of the operations of XDP.

use super::*;

#[kunit_tests(net_xdp_ops)]
mod tests {
    use super::*;
    use crate::{
        kunit::{
            frame,
            register,
            Counter,
            Dummy,
            Parent,
            Sink,
            QUEUES, //
        },
        rtnl, //
    };
    use kernel::error::to_result;

    #[test]
    fn frames_with_a_flag_that_is_not_known_stay_the_callers() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, QUEUES)?;
        for index in 0..QUEUES {
            let sink = KBox::new(Sink::default(), GFP_KERNEL)?;
            let rtnl = rtnl::lock();
            let dev = dev.under(&rtnl).ok_or(ENODEV)?;
            assert!(dev.install_tx(index, Some(sink)).is_none());
        }
        let given = frame(60)?.into_raw();
        let xmit = |flags| {
            let mut frames = [given.as_ptr()];
            // Whoever is given the frame drops it.
            Tables::<Dummy>::xdp_xmit(dev.as_ptr(), 1, frames.as_mut_ptr(), flags)
        };
        let known = netbind::XDP_XMIT_FLUSH;
        for unknown in [known << 1, known | 1 << 31, !known] {
            assert_eq!(to_result(xmit(unknown)), Err(EINVAL));
        }
        assert_eq!(xmit(known), 1);
        Ok(())
    }
}
