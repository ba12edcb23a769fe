// SPDX-License-Identifier: GPL-2.0

//! Whether a VF is served.
//!
//! ```text
//!              VF_RESET                        offence limit
//!   Closed ---------------> Open   Closed/Open ---------------> Quarantined
//!     ^                      |          ^                            |
//!     +----------------------+          +----------------------------+
//!       FLR, PF reset                     administrator
//! ```
//!
//! A VF's traffic flows only in *Open*. In *Closed* the only message that is served is VF_RESET;
//! others are answered with NACK, without CTS, and that at most every two seconds. In *Quarantined*
//! nothing is answered, and neither FLR nor PF reset leads out of it.
//!
//! A token bucket limits how often a VF is served. A VF that has used it up is not refused but served
//! later. Time is in nanoseconds of any clock that does not go backwards.

use crate::{
    bucket::Bucket,
    tracked::Tracked, //
};

pub(super) const NSEC_PER_SEC: u64 = 1_000_000_000;

/// Shortest time between two answers to a VF that has not made its handshake.
const NACK_INTERVAL: u64 = 2 * NSEC_PER_SEC;

/// How much a VF may ask and how much it may offend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Requests served per second in the long run, at least 1.
    pub requests_per_sec: u32,
    /// Requests served in a row.
    pub burst: u32,
    /// Offences that lead into quarantine; 0 for never.
    pub offence_limit: u32,
    /// Offences forgiven per second.
    pub offence_decay: u32,
}

impl Policy {
    /// What a client needs while it starts fits into the burst several times over. The offence limit
    /// is reached after half a minute of nothing but offences.
    pub const DEFAULT: Self = Self {
        requests_per_sec: 200,
        burst: 128,
        offence_limit: 10_000,
        offence_decay: 10,
    };

    fn interval(&self) -> u64 {
        NSEC_PER_SEC / u64::from(self.requests_per_sec.max(1))
    }

    fn depth(&self) -> u64 {
        self.interval().saturating_mul(u64::from(self.burst.max(1)))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What to do about a VF that rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Read its mailbox and serve it.
    Serve,
    /// Leave the request pending and come back at this time.
    Later {
        /// Nanoseconds, same clock as the `now` that was passed in.
        at: u64,
    },
    /// Forget the request: the VF is in quarantine.
    Ignore,
}

/// Whether the VF has made its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Closed,
    Open,
    Quarantined,
}

/// One VF's standing with the PF.
#[derive(Clone, Debug, Hash)]
pub struct Session {
    state: Tracked<State>,
    bucket: Bucket,
    throttled: bool,
    /// The VF has made a handshake at some time.
    known: bool,
    /// The PF was reset under a known VF, the controller stopped its queues, or it was let back, and
    /// it has not made its handshake since.
    missing: bool,
    offences: u32,
    offences_since: u64,
    nacked_at: Option<u64>,
}

impl Session {
    /// A VF that has not been heard of.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: Tracked::new(State::Closed),
            bucket: Bucket::FULL,
            throttled: false,
            known: false,
            missing: false,
            offences: 0,
            offences_since: 0,
            nacked_at: None,
        }
    }

    /// Whether the VF had made a handshake before the PF was reset, the controller stopped queues of
    /// the VF, or the VF was cut off and let back, and none since.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        self.missing
    }

    /// Whether the VF has made its handshake and may work.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.state == State::Open
    }

    /// Whether the VF is in quarantine.
    #[must_use]
    pub fn is_quarantined(&self) -> bool {
        *self.state == State::Quarantined
    }

    /// Whether the VF may have been let in or shut out since this was last called.
    pub(crate) fn take_changed(&mut self) -> bool {
        self.state.take_changed()
    }

    /// Offences counted and not forgiven yet.
    #[must_use]
    pub const fn offences(&self) -> u32 {
        self.offences
    }

    /// The VF made its handshake.
    pub(crate) fn open(&mut self) {
        if !self.is_quarantined() {
            self.state.set(State::Open);
            self.known = true;
            self.missing = false;
            self.nacked_at = None;
        }
    }

    /// The VF was there before the PF's driver: whether it has one itself is not known.
    pub(crate) fn adopt(&mut self) {
        self.known = true;
    }

    /// The VF was reset. One that is missing stays so until its handshake: a driver that resets its
    /// VF and then asks in vain, because the PF is asleep, gives up.
    pub(crate) fn close(&mut self) {
        if !self.is_quarantined() {
            self.state.set(State::Closed);
        }
    }

    /// The PF was reset under the VF, or the controller has stopped queues of the VF.
    pub(crate) fn lose(&mut self) {
        self.missing = self.known && !self.is_quarantined();
        self.close();
    }

    /// Cuts the VF off. Returns whether it was not cut off already.
    pub(crate) fn quarantine(&mut self) -> bool {
        let new = !self.is_quarantined();
        self.missing = false;
        self.state.set(State::Quarantined);
        new
    }

    /// The administrator forgives the VF. Returns whether there was something to forgive. What it
    /// had asked for is gone, and nobody else would tell its driver to start over.
    pub(crate) fn release(&mut self) -> bool {
        let was = self.is_quarantined();
        if was {
            self.state.set(State::Closed);
            self.missing = self.known;
            self.offences = 0;
            self.nacked_at = None;
        }
        was
    }

    /// Takes a token. The second value is whether this is the first request that has to wait since
    /// one was served, that is, whether to count a throttling.
    pub(crate) fn admit(&mut self, policy: &Policy, now: u64) -> (Admit, bool) {
        if self.is_quarantined() {
            return (Admit::Ignore, false);
        }
        match self.bucket.take(policy.interval(), policy.depth(), now) {
            Ok(()) => {
                self.throttled = false;
                (Admit::Serve, false)
            }
            Err(at) => {
                let first = !self.throttled;
                self.throttled = true;
                (Admit::Later { at }, first)
            }
        }
    }

    /// Counts an offence. Returns whether it was the one that led into quarantine.
    pub(crate) fn offend(&mut self, policy: &Policy, now: u64) -> bool {
        self.forgive(policy, now);
        self.offences = self.offences.saturating_add(1);
        policy.offence_limit != 0 && self.offences >= policy.offence_limit && self.quarantine()
    }

    /// Whether a NACK to a VF without handshake is due. If so, the next one is two seconds away.
    pub(crate) fn nack_due(&mut self, now: u64) -> bool {
        let due = self
            .nacked_at
            .is_none_or(|at| now.saturating_sub(at) >= NACK_INTERVAL);
        if due {
            self.nacked_at = Some(now);
        }
        due
    }

    fn forgive(&mut self, policy: &Policy, now: u64) {
        let rate = u64::from(policy.offence_decay);
        let elapsed = now.saturating_sub(self.offences_since);
        let forgiven = elapsed.saturating_mul(rate) / NSEC_PER_SEC;
        if forgiven == 0 && rate != 0 {
            return;
        }
        // Fractions of an offence are kept by moving the clock on only as far as was forgiven.
        self.offences_since = if rate == 0 || forgiven >= u64::from(self.offences) {
            now
        } else {
            let used = forgiven.saturating_mul(NSEC_PER_SEC) / rate;
            self.offences_since.saturating_add(used)
        };
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
        self.offences = self.offences.saturating_sub(forgiven);
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg_attr(
    CONFIG_KUNIT = "y",
    kernel::prelude::kunit_tests(igb_core_mailbox_session)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        requests_per_sec: 10,
        burst: 3,
        offence_limit: 4,
        offence_decay: 1,
    };
    const MS: u64 = 1_000_000;

    #[test]
    fn missing_is_who_was_open_and_has_not_come_back() {
        let mut s = Session::new();
        s.lose();
        assert!(!s.is_missing());
        s.open();
        s.lose();
        assert!(s.is_missing() && !s.is_open());
        s.lose();
        assert!(s.is_missing());
        s.open();
        assert!(!s.is_missing());
        s.lose();
        s.close();
        // Its driver may have asked while the PF slept.
        assert!(s.is_missing());
        s.open();
        s.close();
        s.lose();
        // It was about to make its handshake.
        assert!(s.is_missing());
        s.open();
        assert!(!s.is_missing());
        s.lose();
        s.quarantine();
        assert!(!s.is_missing());
        s.release();
        assert!(s.is_missing());
        let mut never_seen = Session::new();
        never_seen.quarantine();
        never_seen.release();
        assert!(!never_seen.is_missing());
    }

    #[test]
    fn burst_then_rate() {
        let mut s = Session::new();
        let now = 5 * NSEC_PER_SEC;
        for _ in 0..3 {
            assert_eq!(s.admit(&POLICY, now), (Admit::Serve, false));
        }
        let at = now + 100 * MS;
        assert_eq!(s.admit(&POLICY, now), (Admit::Later { at }, true));
        assert_eq!(s.admit(&POLICY, now), (Admit::Later { at }, false));
        assert_eq!(s.admit(&POLICY, at), (Admit::Serve, false));
        assert!(matches!(s.admit(&POLICY, at), (Admit::Later { .. }, true)));
    }

    #[test]
    fn idle_time_saves_no_more_than_a_burst() {
        let mut s = Session::new();
        let now = 3600 * NSEC_PER_SEC;
        let served = (0..100)
            .filter(|_| s.admit(&POLICY, now).0 == Admit::Serve)
            .count();
        assert_eq!(served, 3);
    }

    #[test]
    fn handshake_and_resets() {
        let mut s = Session::new();
        assert!(!s.is_open());
        s.open();
        assert!(s.is_open());
        s.close();
        assert!(!s.is_open());
    }

    #[test]
    fn quarantine_ends_only_by_release() {
        let mut s = Session::new();
        s.open();
        for _ in 0..3 {
            assert!(!s.offend(&POLICY, 0));
        }
        assert!(s.offend(&POLICY, 0));
        assert!(!s.offend(&POLICY, 0));
        s.open();
        s.close();
        assert!(s.is_quarantined() && !s.is_open());
        assert_eq!(s.admit(&POLICY, NSEC_PER_SEC).0, Admit::Ignore);
        assert!(s.release());
        assert!(!s.release());
        assert_eq!(s.offences(), 0);
        s.open();
        assert!(s.is_open());
    }

    #[test]
    fn bucket_is_full_from_the_first_moment_on() {
        let mut s = Session::new();
        for _ in 0..POLICY.burst {
            assert_eq!(s.admit(&POLICY, 0).0, Admit::Serve);
        }
        assert_eq!(s.admit(&POLICY, 0).0, Admit::Later { at: 100 * MS });
    }

    #[test]
    fn bucket_obeys_a_new_policy_at_once() {
        let slow = Policy {
            requests_per_sec: 1,
            burst: 1000,
            ..POLICY
        };
        let mut s = Session::new();
        for _ in 0..slow.burst {
            assert_eq!(s.admit(&slow, 0).0, Admit::Serve);
        }
        assert_eq!(s.admit(&POLICY, 0).0, Admit::Later { at: 100 * MS });
        assert_eq!(s.admit(&POLICY, 100 * MS).0, Admit::Serve);
    }

    #[test]
    fn offences_are_forgiven() {
        let mut s = Session::new();
        for n in 0..100 {
            assert!(!s.offend(&POLICY, n * NSEC_PER_SEC));
        }
        assert!(s.offences() <= 2);
    }

    #[test]
    fn frequent_offences_do_not_stop_the_forgiving() {
        let mut s = Session::new();
        // Twice a second at a decay of one per second: half of them add up.
        let mut last = 0;
        for n in 0..1000 {
            last = n;
            if s.offend(&POLICY, n * 500 * MS) {
                break;
            }
        }
        assert!((5..=9).contains(&last));
    }

    #[test]
    fn fractions_of_an_offence_are_forgiven_as_well() {
        let mut s = Session::new();
        // Four of the first eight are by then; without fractions it is one for each second offence, and
        // the sixth is the last.
        let last = (0..1000).find(|n| s.offend(&POLICY, n * 700 * MS));
        assert_eq!(last, Some(7));
    }

    #[test]
    fn never_quarantined_with_limit_zero() {
        let mut s = Session::new();
        let policy = Policy {
            offence_limit: 0,
            ..POLICY
        };
        assert!((0..10_000).all(|_| !s.offend(&policy, 0)));
    }

    #[test]
    fn nack_every_two_seconds() {
        let mut s = Session::new();
        assert!(s.nack_due(0));
        assert!(!s.nack_due(1999 * MS));
        assert!(s.nack_due(2000 * MS));
        assert!(!s.nack_due(2001 * MS));
        // Who was let in since begins anew.
        s.open();
        s.close();
        assert!(s.nack_due(2002 * MS));
    }
}
