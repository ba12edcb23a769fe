// SPDX-License-Identifier: GPL-2.0

//! What the administrator is told of the health of VFs.

use crate::{
    function::VfSet,
    switch::Switch, //
};

/// What was told of VFs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// VFs that are cut off.
    cut_off: VfSet,
    /// VFs of which the controller has stopped a queue, and that have not started over since.
    stopped: VfSet,
}

/// What is to be told of VFs, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// The controller has stopped a queue of these.
    pub stopped: VfSet,
    /// These were cut off.
    pub cut_off: VfSet,
    /// These were ill, and are not any more.
    pub well: VfSet,
}

impl Told {
    /// That all are well.
    pub const WELL: Self = Self {
        cut_off: VfSet::EMPTY,
        stopped: VfSet::EMPTY,
    };

    /// Whether there is something to be told.
    #[must_use]
    pub fn is_out_of_date(&self, switch: &Switch) -> bool {
        !switch.stopped().is_empty() || *self != self.once_told(switch)
    }

    /// What was told when it was told how VFs are now.
    fn once_told(&self, switch: &Switch) -> Self {
        let cut_off = switch.quarantined();
        let stopped = self
            .stopped
            .union(switch.stopped())
            .intersection(switch.vfs())
            .without(switch.open())
            .without(cut_off);
        Self { cut_off, stopped }
    }

    /// Says what is to be told, as if it were told now.
    pub fn update(&mut self, switch: &mut Switch) -> News {
        let now = self.once_told(switch);
        let before = core::mem::replace(self, now);
        let stopped = switch.take_stopped();
        let ill = before.cut_off.union(before.stopped).union(stopped);
        News {
            // A VF that is cut off for it is told of once.
            stopped: stopped.without(now.cut_off),
            cut_off: now.cut_off.without(before.cut_off),
            well: ill.without(now.cut_off).without(now.stopped),
        }
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_health))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::function::VfIndex;

    const NOTHING: News = News {
        stopped: VfSet::EMPTY,
        cut_off: VfSet::EMPTY,
        well: VfSet::EMPTY,
    };
    const FIRST: VfSet = VfSet::first(1);

    fn vf() -> VfIndex {
        VfIndex::new(0).unwrap()
    }

    fn handshake(switch: &mut Switch) {
        let mut words = [0; 16];
        words[0] = 1;
        let _ = switch.on_message(vf(), &words, 0);
    }

    /// Two VFs, the first of which works.
    fn scene(test: impl FnOnce(&mut Switch, &mut dyn FnMut(&mut Switch) -> News)) {
        let mut switch = Switch::BLANK;
        switch.set_nr_vfs(2).unwrap();
        handshake(&mut switch);
        let mut told = Told::WELL;
        test(&mut switch, &mut |switch| {
            let due = told.is_out_of_date(switch);
            let news = told.update(switch);
            // Nothing is told twice, and nothing is left untold.
            assert_eq!(due, news != NOTHING);
            assert!(!told.is_out_of_date(switch));
            assert_eq!(told.update(switch), NOTHING);
            news
        });
    }

    #[test]
    fn stopped_until_the_handshake() {
        scene(|switch, news| {
            assert_eq!(news(switch), NOTHING);
            switch.on_malicious(vf(), 0);
            let stopped = News {
                stopped: FIRST,
                ..NOTHING
            };
            assert_eq!(news(switch), stopped);
            switch.on_pf_reset();
            assert_eq!(news(switch), NOTHING);
            handshake(switch);
            let well = News {
                well: FIRST,
                ..NOTHING
            };
            assert_eq!(news(switch), well);
            // It is back before anybody was told.
            switch.on_malicious(vf(), 0);
            handshake(switch);
            let both = News {
                stopped: FIRST,
                ..well
            };
            assert_eq!(news(switch), both);
        });
    }

    #[test]
    fn cut_off_until_it_is_let_back() {
        scene(|switch, news| {
            switch.on_malicious(vf(), 0);
            switch.quarantine(vf());
            let cut_off = News {
                cut_off: FIRST,
                ..NOTHING
            };
            assert_eq!(news(switch), cut_off);
            assert!(switch.release(vf()));
            let well = News {
                well: FIRST,
                ..NOTHING
            };
            assert_eq!(news(switch), well);
        });
    }

    #[test]
    fn gone_with_the_vfs() {
        scene(|switch, news| {
            switch.on_malicious(vf(), 0);
            assert_eq!(news(switch).stopped, FIRST);
            switch.set_nr_vfs(0).unwrap();
            assert_eq!(news(switch).well, FIRST);
        });
    }
}
