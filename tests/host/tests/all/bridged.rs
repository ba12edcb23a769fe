// SPDX-License-Identifier: GPL-2.0

//! Addresses behind bridges on the PF: who has a receive address register, and who has the address.

use crate::model::client::{
    ready,
    send,
    with_mac,
    words,
    ACK,
    CTS,
    NACK, //
};
use crate::model::device::{
    Device,
    Mac, //
};
use crate::model::ops::{
    station,
    Op,
    PF_MAC, //
};
use crate::model::world::{
    vf_index,
    World, //
};
use igb_core::{
    addr::MacAddr,
    switch::{
        Behind,
        OwnAddresses,
        RxMode,
        VfLink, //
    }, //
};
use proptest::{
    collection::vec,
    prelude::*, //
};

fn guest(n: u8) -> Mac {
    [6, 0, 0, 0, n << 4, n]
}

/// Has bridges learn these, and the registers follow. Returns how many are left out.
fn learn(w: &mut World, addrs: impl IntoIterator<Item = Mac>) -> usize {
    let learned = |mac| Behind {
        addr: MacAddr(mac),
        is_given: false,
    };
    let left_out = w.switch.set_bridged(addrs.into_iter().map(learned));
    assert_eq!(left_out, w.switch.bridged_left_out());
    w.sync();
    left_out
}

/// Pools that have a register with this address, one for each register.
fn pools_of(w: &World, mac: Mac) -> Vec<u8> {
    let held = w.regs.addresses().into_iter().filter(|(m, _)| *m == mac);
    held.map(|(_, pools)| pools).collect()
}

fn with_register(w: &World) -> Vec<Mac> {
    (0..60)
        .map(guest)
        .filter(|mac| !pools_of(w, *mac).is_empty())
        .collect()
}

#[test]
fn they_are_received_by_the_pf_while_they_are_known() {
    let mut w = ready(2);
    assert_eq!(learn(&mut w, [guest(1), guest(2), guest(1)]), 0);
    assert_eq!(pools_of(&w, guest(1)), [4]);
    assert_eq!(pools_of(&w, guest(2)), [4]);
    assert_eq!(learn(&mut w, [guest(2)]), 0);
    assert_eq!(with_register(&w), [guest(2)]);
}

#[test]
fn what_was_learned_is_no_more_than_a_vf_may_choose() {
    let gateway = [0, 0x1b, 0x21, 0, 0, 1];
    for own in [OwnAddresses::None, OwnAddresses::Local, OwnAddresses::Any] {
        let mut w = ready(2);
        w.switch.set_own_addresses(own);
        learn(&mut w, [gateway, guest(1)]);
        let has = |w: &World, mac| !pools_of(w, mac).is_empty();
        assert_eq!(has(&w, gateway), own == OwnAddresses::Any);
        assert_eq!(has(&w, guest(1)), own != OwnAddresses::None);
        // Nor less than the address of a VF that is not at work: somebody may stand in for it.
        let standby = [0, 0x1b, 0x21, 0, 0, 2];
        w.switch.set_vf_mac(vf_index(1), MacAddr(standby)).unwrap();
        w.switch.on_flr(vf_index(1));
        learn(&mut w, [gateway, standby]);
        assert_eq!(pools_of(&w, standby), [4]);
        w.switch.set_vf_mac(vf_index(1), MacAddr([0; 6])).unwrap();
        // The administrator may give a bridge any.
        w.switch.set_bridged([gateway, guest(1)].map(|mac| Behind {
            addr: MacAddr(mac),
            is_given: true,
        }));
        w.sync();
        assert!(has(&w, gateway) && has(&w, guest(1)));
    }
}

#[test]
fn without_vfs_nobody_needs_them() {
    let mut w = World::new(Device::Hardware, 0);
    assert_eq!(learn(&mut w, (0..60).map(guest)), 0);
    assert!(with_register(&w).is_empty());
    // They are remembered for when there are some.
    w.switch.set_nr_vfs(1).unwrap();
    w.shadow.forget();
    w.sync();
    // 22 registers, of which one is promised to the VF.
    assert_eq!(with_register(&w).len(), 21);
    assert_eq!(w.switch.bridged_left_out(), 39);
}

#[test]
fn a_group_is_no_station() {
    let mut w = ready(1);
    assert_eq!(learn(&mut w, [[1, 0, 0x5e, 0, 0, 1], [0xff; 6], [0; 6]]), 0);
    assert_eq!(w.regs.addresses().len(), 1);
}

#[test]
fn they_stay_within_the_share_of_the_pf_and_give_way() {
    let mut w = ready(7);
    // 16 registers, of which one is promised to each VF.
    assert_eq!(learn(&mut w, (0..12).map(guest)), 3);
    assert_eq!(with_register(&w).len(), 9);
    for v in 0..7 {
        let answer = send(&mut w, v, &with_mac(0x2_0002, station(v)));
        assert_eq!(answer, 0x2_0002 | ACK | CTS);
    }
    assert_eq!(with_register(&w).len(), 9);
    // More than their share, of what is nobody's.
    for n in 0..2 {
        send(&mut w, 0, &with_mac(0x2_0002, station(8 + n)));
    }
    assert_eq!(with_register(&w).len(), 7);
    assert_eq!(w.switch.bridged_left_out(), 5);
    // What the PF was told to receive comes first.
    let told = (20..25).map(guest).map(MacAddr);
    let outcome = w.switch.set_rx_mode(RxMode::default(), told, []);
    w.sync();
    assert!(!outcome.overflow);
    let have = with_register(&w);
    assert!((20..25).all(|n| have.contains(&guest(n))));
    assert_eq!(have.len(), 7);
    assert_eq!(w.switch.bridged_left_out(), 10);
}

#[test]
fn one_that_stays_keeps_its_register() {
    let mut w = ready(2);
    learn(&mut w, (0..4).map(guest));
    let entry = |w: &World, mac: Mac| {
        let found = w
            .switch
            .addresses()
            .find(|(_, _, addr)| addr.get().0 == mac);
        found.map(|(entry, _, _)| entry)
    };
    let before: Vec<_> = (0..4).map(|n| entry(&w, guest(n))).collect();
    learn(&mut w, [guest(3), guest(1), guest(9)]);
    for n in [1, 3] {
        assert_eq!(entry(&w, guest(n)), before[usize::from(n)]);
    }
    assert_eq!(pools_of(&w, guest(9)), [4]);
}

#[test]
fn who_is_behind_a_bridge_takes_no_address_of_a_vf_or_the_pf() {
    let mut w = ready(2);
    send(&mut w, 0, &with_mac(0x0002, station(1)));
    send(&mut w, 0, &with_mac(0x2_0002, station(2)));
    w.switch
        .set_vf_mac(vf_index(1), MacAddr(station(3)))
        .unwrap();
    w.sync();
    let theirs = [station(1), station(2), station(3), PF_MAC];
    let before = w.regs.addresses();
    assert_eq!(learn(&mut w, theirs), 0);
    assert_eq!(w.regs.addresses(), before);
    // When the VF lets go of it, the bridge's word counts; until it wants it back.
    w.apply(&Op::Flr(0));
    w.sync();
    assert_eq!(pools_of(&w, station(1)), [4]);
    assert_eq!(pools_of(&w, station(2)), [4]);
    send(&mut w, 0, &words(&[1]));
    let answer = send(&mut w, 0, &with_mac(0x0002, station(1)));
    assert_eq!(answer, 0x0002 | ACK | CTS);
    assert_eq!(pools_of(&w, station(1)), [1]);
    assert_eq!(pools_of(&w, station(2)), [4]);
}

#[test]
fn an_address_of_a_closed_vf_is_for_whoever_stands_in_for_it() {
    let mut w = ready(2);
    let vf = vf_index(1);
    w.switch.set_vf_mac(vf, MacAddr(station(3))).unwrap();
    send(&mut w, 1, &words(&[1]));
    learn(&mut w, [station(3)]);
    assert_eq!(pools_of(&w, station(3)), [2]);
    // Unplugged: it is out of the registers at once, and the bridge's word counts.
    w.apply(&Op::Flr(1));
    assert_eq!(pools_of(&w, station(3)), [4]);
    learn(&mut w, []);
    assert!(pools_of(&w, station(3)).is_empty());
    // It is still the VF's, whom nobody else may take it from.
    let answer = send(&mut w, 0, &with_mac(0x0002, station(3)));
    assert_eq!(answer, 0x0002 | NACK | CTS);
    learn(&mut w, [station(3)]);
    send(&mut w, 1, &words(&[1]));
    assert_eq!(pools_of(&w, station(3)), [2]);
    // Its link is taken away, and given back.
    for (state, pools) in [(VfLink::Disable, 4), (VfLink::Auto, 2)] {
        w.switch.set_vf_link_state(vf, state).unwrap();
        w.sync();
        assert_eq!(pools_of(&w, station(3)), [pools]);
    }
    // The PF is reset: until the handshake it is closed, and so are its other addresses.
    w.switch.set_vf_trust(vf, true);
    send(&mut w, 1, &with_mac(0x2_0002, station(4)));
    assert_eq!(pools_of(&w, station(4)), [2]);
    w.apply(&Op::PfReset);
    assert_eq!(pools_of(&w, station(3)), [4]);
    assert!(pools_of(&w, station(4)).is_empty());
    send(&mut w, 1, &words(&[1]));
    assert_eq!(pools_of(&w, station(3)), [2]);
}

proptest! {
    /// No address is in two registers, none is lost that has a claim, and what is learned has a register
    /// if there is one left for it.
    #[test]
    fn no_address_is_in_two_registers(
        nr_vfs in 1u8..8,
        rounds in vec((0u8..7, vec(0u8..24, 0..30), 0u8..24, any::<bool>()), 1..20),
    ) {
        let mut w = ready(nr_vfs);
        for (v, learned, mac, primary) in rounds {
            let left_out = learn(&mut w, learned.iter().map(|n| station(*n)));
            if v < nr_vfs {
                send(&mut w, v, &with_mac(if primary { 2 } else { 0x2_0002 }, station(mac)));
            }
            let mut held = w.regs.addresses();
            held.sort_unstable();
            let count = held.len();
            held.dedup_by_key(|(mac, _)| *mac);
            prop_assert_eq!(held.len(), count);
            if left_out == 0 && w.switch.bridged_left_out() == 0 {
                for n in learned {
                    prop_assert_eq!(pools_of(&w, station(n)).len(), 1);
                }
            }
        }
    }
}
