// SPDX-License-Identifier: GPL-2.0

//! More VLANs of the PF than the pool filter has entries: who is served, and that nothing is left of it.

use crate::model::client::{
    ready,
    words, //
};
use crate::model::device::Device;
use crate::model::ops::Op;
use crate::model::world::World;
use igb_core::{
    bitmap::Bitmap4096,
    switch::IDLE_LOOKS, //
};

/// The registers that say which VLAN reaches whom: the filter table, and the pool filter.
fn vlan_registers(w: &World) -> Vec<u32> {
    (0..128)
        .map(|n| 0x5600 + 4 * n)
        .chain((0..32).map(|n| 0x5d00 + 4 * n))
        .chain([0x581c])
        .map(|offset| w.regs.read(offset))
        .collect()
}

/// Seven VFs in two VLANs each, as many as they are guaranteed, and the PF in two.
fn beside_seven_vfs() -> World {
    let mut w = ready(7);
    for v in 0..7 {
        for vid in [1000, 1001] {
            w.apply(&Op::Message(v, vlan_message(vid + 10 * u32::from(v))));
        }
    }
    w.apply(&Op::VlanAdd(10));
    w.apply(&Op::VlanAdd(20));
    w
}

fn vlan_message(vid: u32) -> [u32; 16] {
    words(&[0x1_0004, vid])
}

/// Which VLANs of the PF reach it by the pool filter.
fn served(w: &World) -> Vec<u16> {
    (1..4095)
        .filter(|vid| w.regs.vlan_members(*vid) & 0x80 != 0)
        .collect()
}

#[test]
fn enabling_vfs_serves_as_many_vlans_of_the_pf_as_there_is_room_for() {
    let mut w = World::new(Device::Hardware, 0);
    for vid in 1..=18 {
        w.apply(&Op::VlanAdd(vid));
    }
    w.apply(&Op::SetNrVfs(7));
    assert_eq!(served(&w), (1..=17).collect::<Vec<_>>());
    assert!(w.switch.vlans_overflow());
    w.apply(&Op::VlanDel(5));
    assert!(!w.switch.vlans_overflow());
    assert_eq!(served(&w).len(), 17);
    w.apply(&Op::SetNrVfs(0));
    assert!(!w.switch.vlans_overflow());
}

#[test]
fn a_trunk_leaves_no_trace_whatever_the_order_of_its_end() {
    type Order = fn(u32) -> u32;
    let orders: [Order; 3] = [|n| n, |n| 4092 - n, |n| n * 1009 % 4093];
    for order in orders {
        let mut w = beside_seven_vfs();
        let before = vlan_registers(&w);
        for n in 0..4093 {
            assert_eq!(w.switch.vlan_add(2 + order(n) as u16), Ok(()));
            w.sync();
        }
        assert_eq!(w.switch.vlans().count(), 31);
        for v in 0..7u8 {
            for vid in [1000, 1001] {
                let members = w.regs.vlan_members(vid + 10 * u16::from(v));
                // The PF is in it too by now.
                assert_eq!(members, 0x80 | 1 << v);
            }
        }
        for n in 0..4093 {
            let vid = 2 + order(n) as u16;
            if vid != 10 && vid != 20 {
                w.switch.vlan_del(vid);
                w.sync();
            }
        }
        assert_eq!(vlan_registers(&w), before);
    }
}

#[test]
fn vlans_that_are_used_are_served() {
    let mut w = beside_seven_vfs();
    (2..4095).for_each(|vid| w.apply(&Op::VlanAdd(vid)));
    // Those it was in first, the lowest of the others, and the fourteen of the VFs.
    let mut first: Vec<u16> = (2..=17).chain([20]).collect();
    first.extend((0..7).flat_map(|v| [1000 + 10 * v, 1001 + 10 * v]));
    assert_eq!(served(&w), first);
    let used: Vec<u16> = (3000..3017).collect();
    w.apply(&Op::VlansUsed(used.clone(), false));
    let now = served(&w);
    assert!(used.iter().all(|vid| now.contains(vid)), "{now:?}");
    assert_eq!(now.len(), 31);
    // One more than there is room for: none that was used of late goes for it.
    let mut bits = Bitmap4096::EMPTY;
    bits.insert(4000);
    assert_eq!(w.switch.serve_vlans(&bits).wanting, 1);
    w.sync();
    assert!(used.iter().all(|vid| served(&w).contains(vid)));
    // Until they have been idle for long enough.
    for _ in 0..=IDLE_LOOKS {
        w.switch.next_vlan_look();
    }
    let room = w.switch.serve_vlans(&bits);
    assert_eq!((room.vlans, room.served, room.wanting), (4093, 31, 0));
    w.sync();
    assert!(served(&w).contains(&4000));
}

#[test]
fn a_vf_takes_what_the_pf_does_not_use() {
    let mut w = beside_seven_vfs();
    (2..4095).for_each(|vid| w.apply(&Op::VlanAdd(vid)));
    let used: Vec<u16> = (3000..3016).collect();
    w.apply(&Op::VlansUsed(used.clone(), false));
    // Seventeen are the PF's by now, and it uses all but one.
    w.apply(&Op::Message(0, vlan_message(2500)));
    assert_eq!(w.regs.vlan_members(2500), 0x81);
    w.apply(&Op::Message(0, vlan_message(2501)));
    assert_eq!(w.regs.vlan_members(2501), 0);
    assert!(used.iter().all(|vid| served(&w).contains(vid)));
    // What the VF leaves goes back to the PF, but for what the VF is always to find.
    w.apply(&Op::Flr(0));
    w.apply(&Op::VlansUsed(vec![], false));
    assert_eq!(served(&w).len(), 17 + 6 * 2);
}

#[test]
fn a_pf_whose_vlans_fit_keeps_them_all() {
    let mut w = beside_seven_vfs();
    for vid in 2..=16 {
        w.apply(&Op::VlanAdd(vid));
    }
    assert_eq!(served(&w).len(), 16);
    w.apply(&Op::VlanAdd(17));
    assert!(!w.switch.vlans_overflow());
    w.apply(&Op::Message(0, vlan_message(2500)));
    assert_eq!(w.regs.vlan_members(2500), 0);
    assert_eq!(served(&w).len(), 17);
}
