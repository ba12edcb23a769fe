// SPDX-License-Identifier: GPL-2.0

//! How often the work item serves, and when it comes back. Times are in nanoseconds.

use super::WRITING_NS;
use crate::function::VfSet;

/// Rounds in one go before others get the CPU.
const ROUNDS: u32 = 4;

/// How often to look at the mailboxes while a VF that asks too often has to wait.
const POLL_NS: u64 = 1_000_000;

/// How often to ask whether a storm of interrupts is over.
const CALM_NS: u64 = 100_000_000;

/// How often, and after which time, a queue that was disabled is looked at in one go. Mostly it is at
/// rest within microseconds; its VF is closed until it is.
const STOP_LOOKS: u32 = 20;
const STOP_STEP_NS: u64 = 50_000;

/// How soon a queue that did not come to rest is looked at again.
const STOP_AGAIN_NS: u64 = 100_000_000;

/// What a round has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// VFs with a queue that has not come to rest yet.
    pub(super) stuck: VfSet,
    /// After which time to come back, if a VF has to wait.
    wake_after: Option<u64>,
    /// A VF has used up its ration in the interrupt.
    pub(super) rationed: bool,
}

impl Rest {
    pub(super) fn is_left(&self) -> bool {
        self.rationed || self.wake_after.is_some() || !self.stuck.is_empty()
    }

    /// A VF has to wait until `at`.
    pub(super) fn wait(&mut self, now: u64, at: u64) {
        self.come_back(at.saturating_sub(now).min(POLL_NS));
    }

    /// Somebody has to notice when a storm is over.
    pub(super) fn until_calm(&mut self) {
        self.come_back(CALM_NS);
    }

    /// A mailbox is to be cleared at `at`.
    pub(super) fn until_scrubbed(&mut self, now: u64, at: u64) {
        self.come_back(at.saturating_sub(now).max(POLL_NS));
    }

    /// A mailbox that is not free is waited for until `until`, and looked at now and then.
    pub(super) fn until_looked(&mut self, now: u64, until: u64) {
        self.come_back(until.saturating_sub(now).clamp(POLL_NS, WRITING_NS));
    }

    fn come_back(&mut self, after: u64) {
        self.wake_after = Some(
            self.wake_after
                .map_or(after, |earliest| earliest.min(after)),
        );
    }
}

/// When to serve again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When the interrupt says so.
    Interrupt,
    /// As soon as others had the CPU.
    Now,
    /// After so many nanoseconds: a VF that had to wait may be served then, or a queue may have come
    /// to rest.
    After(u64),
}

/// What the work item does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Serve another round.
    Round,
    /// Serve another round after so many nanoseconds, in which the work item sleeps.
    RoundAfter(u64),
    /// Note that the queues of these VFs are [stuck](super::Server::note_stuck), and come back.
    Stuck(VfSet, Next),
    /// Come back.
    Done(Next),
}

/// One run of the work item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Turn {
    rounds: u32,
    looks: u32,
}

impl Turn {
    /// A run that begins with a round.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rounds: 0,
            looks: 0,
        }
    }

    /// What to do after a round that has left `rest`; `None` if there was nothing to do.
    pub fn after(&mut self, rest: Option<Rest>) -> Step {
        let stuck = rest.map_or(VfSet::EMPTY, |rest| rest.stuck);
        match (stuck.is_empty(), self.looks) {
            (true, 0) => self.after_round(rest),
            (true, _) => Step::Done(Next::Now),
            (false, STOP_LOOKS) => Step::Stuck(stuck, Next::After(STOP_AGAIN_NS)),
            (false, _) => {
                self.looks = self.looks.wrapping_add(1);
                Step::RoundAfter(STOP_STEP_NS)
            }
        }
    }

    fn after_round(&mut self, rest: Option<Rest>) -> Step {
        let Some(rest) = rest else {
            return Step::Done(Next::Interrupt);
        };
        if let Some(after) = rest.wake_after {
            return Step::Done(Next::After(after));
        }
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds < ROUNDS {
            Step::Round
        } else {
            Step::Done(Next::Now)
        }
    }
}

#[cfg_attr(
    CONFIG_KUNIT = "y",
    kernel::prelude::kunit_tests(igb_core_mailbox_server_turn)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    fn stuck() -> Rest {
        Rest {
            stuck: VfSet::first(2),
            ..Rest::default()
        }
    }

    #[test]
    fn others_get_the_cpu_after_four_rounds() {
        let mut turn = Turn::new();
        let rest = Some(Rest::default());
        assert!((0..3).all(|_| turn.after(rest) == Step::Round));
        assert_eq!(turn.after(rest), Step::Done(Next::Now));
    }

    #[test]
    fn nothing_left_ends_it() {
        let mut turn = Turn::new();
        assert_eq!(turn.after(Some(Rest::default())), Step::Round);
        assert_eq!(turn.after(None), Step::Done(Next::Interrupt));
    }

    #[test]
    fn the_shortest_wait_counts() {
        let mut rest = Rest::default();
        rest.until_calm();
        assert_eq!(
            Turn::new().after(Some(rest)),
            Step::Done(Next::After(CALM_NS))
        );
        rest.until_scrubbed(5, 10_000_005);
        assert_eq!(
            Turn::new().after(Some(rest)),
            Step::Done(Next::After(10_000_000))
        );
        rest.until_looked(5, 30_000_005);
        assert_eq!(
            Turn::new().after(Some(rest)),
            Step::Done(Next::After(WRITING_NS))
        );
        rest.until_looked(5, 5);
        assert_eq!(
            Turn::new().after(Some(rest)),
            Step::Done(Next::After(POLL_NS))
        );
        rest.wait(5, 300_005);
        rest.wait(5, u64::MAX);
        assert_eq!(
            Turn::new().after(Some(rest)),
            Step::Done(Next::After(300_000))
        );
        let mut long = Rest::default();
        long.wait(0, u64::MAX);
        assert_eq!(
            Turn::new().after(Some(long)),
            Step::Done(Next::After(POLL_NS))
        );
    }

    #[test]
    fn a_queue_gets_a_millisecond() {
        let mut turn = Turn::new();
        assert!((0..20).all(|_| turn.after(Some(stuck())) == Step::RoundAfter(50_000)));
        assert_eq!(
            turn.after(Some(stuck())),
            Step::Stuck(VfSet::first(2), Next::After(100_000_000))
        );
    }

    #[test]
    fn a_queue_that_has_come_to_rest_is_served_with_the_others() {
        for rest in [None, Some(Rest::default())] {
            let mut turn = Turn::new();
            let _ = turn.after(Some(stuck()));
            assert_eq!(turn.after(rest), Step::Done(Next::Now));
        }
    }
}
