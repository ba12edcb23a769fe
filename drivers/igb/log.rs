// SPDX-License-Identifier: GPL-2.0

//! What log lines need: a limit on those that a VF can cause, and addresses as text.

use igb_core::addr::MacAddr;
use kernel::fmt;

/// Lines per VF and window.
const LINES: u32 = 5;
/// Length of a window, in nanoseconds.
const WINDOW: u64 = 60_000_000_000;

/// Allows a few lines a minute; counters tell the rest.
#[derive(Clone, Copy, Default)]
pub(crate) struct Budget {
    since: u64,
    lines: u32,
}

impl Budget {
    pub(crate) const NEW: Self = Self { since: 0, lines: 0 };

    /// Whether one more line may be printed at time `now`, in nanoseconds.
    pub(crate) fn allow(&mut self, now: u64) -> bool {
        if now.wrapping_sub(self.since) >= WINDOW {
            *self = Self {
                since: now,
                lines: 0,
            };
        }
        self.lines = self.lines.saturating_add(1);
        self.lines <= LINES
    }
}

/// An address, to be printed.
pub(crate) struct Mac(pub(crate) MacAddr);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(&self.0, f)
    }
}
