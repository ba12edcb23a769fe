// SPDX-License-Identifier: GPL-2.0

//! What the log says of what has woken the system.

use igb_core::wake::WakeEvents;

#[test]
fn reasons_have_names() {
    assert_eq!(WakeEvents::NONE.to_string(), "");
    assert_eq!(WakeEvents::MAGIC.to_string(), "a magic packet");
    assert_eq!(
        WakeEvents::since(0, 0x11).to_string(),
        "a change of the link, a broadcast packet"
    );
    // Each has one.
    assert_eq!(WakeEvents::ALL.to_string().split(", ").count(), 5);
}
