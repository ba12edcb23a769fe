// SPDX-License-Identifier: GPL-2.0

//! Registers against intent, over random sequences of everything that can happen.

use crate::model::client::{
    with_mac,
    words, //
};
use crate::model::config::config;
use crate::model::device::{
    Device,
    Registers, //
};
use crate::model::ops::{
    any_op,
    probes, //
    Op,     //
};
use crate::model::world::{
    World,
    GARBAGE, //
};
use igb_core::switch::Shadow;
use proptest::{
    collection::vec,
    prelude::*, //
};

/// Every frame reaches whom it must and no one it may not.
fn check_delivery(world: &World, device: Device) {
    let pools = world.intent.vfs.len() as u8 + 1;
    for frame in probes(pools) {
        let got = world.regs.deliver(device, frame);
        let (must, may) = world.intent.expect(frame);
        assert_eq!(
            must.pools & !got.pools,
            0,
            "{frame:x?} lost: got {got:x?}, must {must:x?}; {:x?}",
            world.intent
        );
        assert_eq!(
            got.pools & !may.pools,
            0,
            "{frame:x?} leaked: got {got:x?}, may {may:x?}; {:x?}",
            world.intent
        );
        let unsure = world.intent.pf.overflow && world.intent.pf.unicast.contains(&frame.dst);
        assert!(unsure || got.wire == must.wire, "{frame:x?} on the wire");
    }
}

/// Registers that are not about delivery.
fn check_settings(world: &World) {
    let regs = &world.regs;
    let mut spoof = 0;
    for (v, vf) in (0..).zip(&world.intent.vfs) {
        let vmolr = regs.read(0x5ad0 + 4 * v);
        assert_eq!(vmolr & 0x3fff, vf.max_frame);
        assert_ne!(vmolr & 0x8001_0000, 0);
        let tag = vf.port_vlan.map_or(0, |(vid, qos)| {
            0x4000_0000 | u32::from(qos) << 13 | u32::from(vid)
        });
        assert_eq!(regs.read(0x3700 + 4 * v), tag);
        let strip = vf.port_vlan.is_some() || !vf.vlans.is_empty();
        assert_eq!(vmolr & 0x4000_0000 != 0, strip);
        assert_eq!(vmolr & 0x0400_0000, 0, "unicast promiscuous");
        assert!(vmolr & 0x1000_0000 == 0 || vf.trusted);
        spoof |= u32::from(vf.mac_check) << v;
        let stays = vf.vlan_check || vf.port_vlan.is_some() || vf.allowed.is_some();
        spoof |= u32::from(stays) << (8 + v);
        let limited = regs.rate(v) != 0;
        assert_eq!(limited, regs.rate(v + 8) != 0);
        assert!(!limited || vf.rate != 0);
    }
    if !world.intent.vfs.is_empty() {
        assert_eq!(regs.read(0x3500) & 0x7fff_ffff, spoof);
    }
}

/// Registers are a function of the desired state: writing all of them makes no difference.
fn check_replay(world: &World) {
    let mut fresh = Registers::new(GARBAGE);
    Shadow::new().update(&world.switch.image(), |offset, value| {
        fresh.write(offset, value);
    });
    assert!(world.regs.contents() == fresh.contents());
}

fn run(device: Device, nr_vfs: u8, ops: &[Op], check_transitions: bool) {
    let mut world = World::new(device, nr_vfs);
    world.check_transitions = check_transitions;
    for op in ops {
        world.apply(op);
        check_settings(&world);
        check_replay(&world);
        check_delivery(&world, device);
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn registers_follow_intent_on_hardware(nr_vfs in 0u8..8, ops in vec(any_op(), 1..80)) {
        run(Device::Hardware, nr_vfs, &ops, false);
    }

    #[test]
    fn registers_follow_intent_on_qemu(nr_vfs in 0u8..8, ops in vec(any_op(), 1..80)) {
        run(Device::Qemu, nr_vfs, &ops, false);
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn no_frame_slips_through_during_an_update(nr_vfs in 1u8..8, ops in vec(any_op(), 1..40)) {
        run(Device::Hardware, nr_vfs, &ops, true);
        run(Device::Qemu, nr_vfs, &ops, true);
    }
}

/// A VF's further address becomes its own, by the VF's word and by the administrator's: it moves to
/// another entry of the table, and no frame for it is lost meanwhile.
#[test]
fn an_address_that_moves_is_never_nowhere() {
    const CTS_RESET: u32 = 0x01;
    const SET_MAC: u32 = 0x02;
    const ADD_FILTER: u32 = 0x2_0002;
    let mac = [2, 0, 0, 0, 0x60, 6];
    let by_word = Op::Message(0, with_mac(SET_MAC, mac));
    for last in [by_word, Op::VfMac(0, mac)] {
        let ops = [
            Op::Message(0, words(&[CTS_RESET])),
            Op::Message(0, with_mac(ADD_FILTER, mac)),
            last,
        ];
        for device in [Device::Hardware, Device::Qemu] {
            run(device, 1, &ops, true);
        }
    }
}
