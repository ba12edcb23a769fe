// SPDX-License-Identifier: GPL-2.0

//! What VFs did of late, as it is shown.

use igb_core::{
    addr::{MacAddr, UnicastAddr},
    function::VfIndex,
    recent::{Recent, Seconds},
    switch::{Promiscuity, Switch},
};

/// What is shown of a VF that sends `word0`, with all other words 0, as its first message.
fn shown(word0: u32) -> String {
    let mac = UnicastAddr::new(MacAddr([2, 0, 0, 0, 0, 1])).unwrap();
    let mut switch = Switch::new(mac, Promiscuity::PerPool);
    switch.set_nr_vfs(1).unwrap();
    let vf = VfIndex::new(0).unwrap();
    let mut words = [0; 16];
    words[0] = word0;
    let outcome = switch.on_message(vf, &words, 0);
    let mut recent = Recent::NEW;
    recent.message(1_500_000, vf, &words, &outcome);
    let entry = recent.messages.get(0).unwrap();
    assert_eq!((entry.at, entry.vf), (1_500_000, Some(vf)));
    format!("{} {}", Seconds(entry.at), entry.what)
}

#[test]
fn a_message_is_shown_with_its_answer_and_why_it_was_refused() {
    assert_eq!(
        shown(1),
        "     0.001500 0x00000001 0x00000000 0x00000000 -> 0x40000001"
    );
    assert_eq!(
        shown(5),
        "     0.001500 0x00000005 0x00000000 0x00000000 -> 0x40000005 (before the handshake)"
    );
}

#[test]
fn a_reset_and_writes_are_kept() {
    let mut recent = Recent::NEW;
    recent.reset(7, VfIndex::new(3).unwrap());
    recent.write(8, 0x100, 1);
    recent.replay(9);
    assert_eq!(recent.messages.get(0).unwrap().what.to_string(), "reset");
    let writes: Vec<_> = recent.writes.iter().map(|w| (w.at, w.register)).collect();
    assert_eq!(writes, [(8, Some((0x100, 1))), (9, None)]);
}
