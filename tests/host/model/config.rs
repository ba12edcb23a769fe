// SPDX-License-Identifier: GPL-2.0

//! How properties are tried.

use proptest::prelude::ProptestConfig;

/// With so many inputs. A failure prints its input, which belongs into a named test, and is kept nowhere
/// else.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
