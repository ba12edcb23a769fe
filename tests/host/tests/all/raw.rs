// SPDX-License-Identifier: GPL-2.0

//! Frames as they are on the wire: what the PF asks for is in registers, and never beside VFs.

use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    switch::{
        Promiscuity,
        RawFrames,
        Shadow,
        Switch, //
    },
};
use std::collections::HashMap;

const RCTL: u32 = 0x100;
const VMOLR: u32 = 0x5ad0;
/// Store bad packets, pass MAC control frames, filter by VLAN, strip the FCS.
const SBP: u32 = 1 << 2;
const PMCF: u32 = 1 << 23;
const VFE: u32 = 1 << 18;
const SECRC: u32 = 1 << 26;
const ALL: u32 = SBP | PMCF | VFE | SECRC;
/// Of a pool: strip the FCS.
const STRCRC: u32 = 1 << 31;

fn switch(nr_vfs: u8) -> Switch {
    let mac = UnicastAddr::new(MacAddr([2, 0, 0, 0, 0, 1])).unwrap();
    let mut switch = Switch::new(mac, Promiscuity::PerPool);
    switch.set_nr_vfs(nr_vfs).unwrap();
    switch
}

/// Bits of RCTL, and whether all pools and none strip the FCS.
fn registers(switch: &Switch) -> (u32, bool, bool) {
    let mut written = HashMap::new();
    Shadow::new().update(&switch.image(), |offset, value| {
        written.insert(offset, value);
    });
    let strips: Vec<bool> = (0..8)
        .map(|pool| written[&(VMOLR + 4 * pool)] & STRCRC != 0)
        .collect();
    (
        written[&RCTL] & ALL,
        strips.iter().all(|strips| *strips),
        !strips.contains(&true),
    )
}

#[test]
fn each_setting_by_itself() {
    let mut switch = switch(0);
    assert_eq!(registers(&switch), (VFE | SECRC, true, false));
    switch.set_raw_frames(RawFrames {
        bad: true,
        fcs: false,
    });
    assert_eq!(registers(&switch), (SBP | PMCF | SECRC, true, false));
    switch.set_raw_frames(RawFrames {
        bad: false,
        fcs: true,
    });
    assert_eq!(registers(&switch), (VFE, false, true));
    switch.set_raw_frames(RawFrames::default());
    assert_eq!(registers(&switch), (VFE | SECRC, true, false));
}

#[test]
fn with_vfs_neither_is_in_force_whatever_is_set() {
    let raw = RawFrames {
        bad: true,
        fcs: true,
    };
    for nr_vfs in 1..=7 {
        let mut switch = switch(nr_vfs);
        let before = registers(&switch);
        switch.set_raw_frames(raw);
        assert_eq!(registers(&switch), before);
        assert_eq!(before, (VFE | SECRC, true, false));
    }
}
