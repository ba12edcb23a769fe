// SPDX-License-Identifier: GPL-2.0

//! Time as `igb_core` takes it.

use kernel::time::{
    Instant,
    Monotonic, //
};

/// Nanoseconds since `epoch`. Any context.
pub(crate) fn nanos_since(epoch: Instant<Monotonic>) -> u64 {
    u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(0)
}
