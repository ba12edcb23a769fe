// SPDX-License-Identifier: GPL-2.0

//! How often somebody may cause something: a token bucket.

/// Tokens that come in at a steady rate and are saved up to a depth. Starts full.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Bucket {
    /// When it is full again if nothing is taken until then: a token moves it on by one interval.
    full_at: u64,
}

impl Bucket {
    /// Nothing was taken.
    pub const FULL: Self = Self { full_at: 0 };

    /// Whether as many tokens are there as come in within `time`. All times in nanoseconds, of a
    /// clock that does not go backwards.
    #[must_use]
    pub fn has(&self, time: u64, depth: u64, now: u64) -> bool {
        self.full_at.saturating_add(time) <= now.saturating_add(depth)
    }

    /// Takes a token, or says when there is one. All times in nanoseconds.
    ///
    /// # Errors
    ///
    /// When there is a token again.
    pub fn take(&mut self, interval: u64, depth: u64, now: u64) -> Result<(), u64> {
        // Not later than the depth allows: it may have been deeper, or slower to fill.
        self.full_at = self.full_at.clamp(now, now.saturating_add(depth));
        let full_at = self.full_at.saturating_add(interval);
        // A token is there if one less than the depth is missing.
        let at = full_at.saturating_sub(depth);
        if at > now {
            return Err(at);
        }
        self.full_at = full_at;
        Ok(())
    }
}
