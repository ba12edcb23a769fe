// SPDX-License-Identifier: GPL-2.0

//! The administrator's word, the life of a VF, and errors user space relies on.

use crate::model::client::{
    echo,
    ready,
    send,
    with_mac,
    words,
    ACK,
    CTS,
    DTXSWC,
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
    error::AdminError,
    mailbox::{
        Admit,
        Policy, //
    },
    switch::{
        Event,
        Loopback,
        Outcome,
        OwnAddresses,
        Promiscuity, //
        VfLink,
    },
    vlan::VlanList, //
};

#[test]
fn an_update_does_not_enable_a_vf_whose_reset_is_pending() {
    let mut w = ready(2);
    // The hardware closes VF 0; the driver is busy and comes back later.
    w.regs.write(0x0c8c, 6);
    w.regs.write(0x0c90, 6);
    w.shadow.vf_was_reset(vf_index(0));
    assert!(w.switch.on_flr_pending(vf_index(0)));
    // One that goes on resetting itself gives the PF nothing more to do.
    assert!(!w.switch.on_flr_pending(vf_index(0)));
    send(&mut w, 1, &words(&[1]));
    assert_eq!(w.regs.read(0x0c8c), 6);
    assert_eq!(w.regs.read(0x0c90), 6);
    w.apply(&Op::Flr(0));
    w.apply(&Op::Message(0, words(&[1])));
    assert_eq!(w.regs.read(0x0c8c), 7);
}

#[test]
fn vfs_are_closed_until_their_handshake() {
    let mut w = World::new(Device::Hardware, 7);
    assert_eq!(w.regs.read(0x0c8c), 0x80);
    assert_eq!(w.regs.read(0x0c90), 0x80);
    assert_eq!(send(&mut w, 3, &words(&[5, 1522])), 5 | NACK);
    // At most one such answer in two seconds.
    w.now += 1_000_000_000;
    let again = w.switch.on_message(vf_index(3), &words(&[5, 1522]), w.now);
    let silence = Outcome {
        scrub: true,
        ..Outcome::default()
    };
    assert_eq!(again, silence);
    w.apply(&Op::Message(3, words(&[1])));
    assert_eq!(w.regs.read(0x0c8c), 0x88);
    w.apply(&Op::PfReset);
    assert_eq!(w.regs.read(0x0c8c), 0x80);
}

#[test]
fn admin_mac_stands_against_an_untrusted_vf() {
    let mut w = ready(2);
    let vf = vf_index(0);
    send(&mut w, 0, &with_mac(0x0002, station(1)));
    send(&mut w, 0, &with_mac(0x2_0002, station(2)));
    w.switch.set_vf_mac(vf, MacAddr(station(5))).unwrap();
    w.sync();
    // Addresses the VF had chosen are gone, and it cannot choose others.
    let own: Vec<Mac> = w
        .regs
        .addresses()
        .into_iter()
        .filter(|a| a.1 == 1)
        .map(|a| a.0)
        .collect();
    assert_eq!(own, [station(5)]);
    assert_eq!(
        send(&mut w, 0, &with_mac(0x0002, station(6))),
        0x0002 | NACK | CTS
    );
    assert_eq!(
        send(&mut w, 0, &with_mac(0x2_0002, station(6))),
        0x2_0002 | NACK | CTS
    );
    // Clients repeat the address they were given.
    assert_eq!(
        send(&mut w, 0, &with_mac(0x0002, station(5))),
        0x0002 | ACK | CTS
    );

    w.switch.set_vf_trust(vf, true);
    assert_eq!(
        send(&mut w, 0, &with_mac(0x0002, station(6))),
        0x0002 | ACK | CTS
    );
    assert_eq!(w.switch.config(vf).mac, MacAddr(station(6)));
    w.switch.set_vf_trust(vf, false);
    assert_eq!(w.switch.config(vf).mac, MacAddr(station(5)));
    w.switch.set_vf_mac(vf, MacAddr::ZERO).unwrap();
    assert_eq!(w.switch.config(vf).mac, MacAddr::ZERO);
}

#[test]
fn each_check_by_itself_and_who_is_limited_to_vlans_is_checked_for_them() {
    let mut w = ready(2);
    let vf = vf_index(0);
    let allow = |w: &mut World, list| {
        w.switch.set_vf_vlans(vf, VlanList::parse(list).unwrap());
        w.sync();
        w.regs.read(DTXSWC) & 0xffff
    };
    let check = |w: &mut World, mac, vlan| {
        w.switch.set_vf_checks(vf, mac, vlan);
        w.sync();
        w.regs.read(DTXSWC) & 0xffff
    };
    assert_eq!(check(&mut w, None, Some(false)), 0x0203);
    assert_eq!(check(&mut w, Some(false), Some(true)), 0x0302);
    assert_eq!(check(&mut w, None, Some(false)), 0x0202);
    assert_eq!(allow(&mut w, "100,200-210"), 0x0302);
    assert_eq!(allow(&mut w, "any"), 0x0202);
    w.switch.set_vf_vlan(vf, 5, 0, 0x8100).unwrap();
    w.sync();
    assert_eq!(w.regs.read(DTXSWC) & 0xffff, 0x0302);
}

#[test]
fn a_vf_joins_no_vlan_but_those_it_may_and_leaves_what_it_may_not_have_any_more() {
    let mut w = ready(2);
    let vf = vf_index(0);
    let join = |w: &mut World, vid: u32| send(w, 0, &words(&[0x1_0004, vid])) & (ACK | NACK) == ACK;
    assert!(join(&mut w, 100) && join(&mut w, 200) && join(&mut w, 300));
    w.apply(&Op::AllowVlans(0, 2));
    assert_eq!(w.switch.status(vf).vlans, 1);
    assert_eq!(w.regs.vlan_members(100) & 1, 1);
    assert_eq!(w.regs.vlan_members(200) & 1, 0);
    assert!(join(&mut w, 100) && join(&mut w, 0) && !join(&mut w, 200));
    let counters = *w.switch.counters(vf);
    assert_eq!(
        (
            counters.refused_vlan_not_allowed,
            counters.refused_vlan_quota
        ),
        (1, 0)
    );
    assert_eq!(w.switch.status(vf).offences, 0);
    // What it has it may give up. Neither trust nor a reset lifts the limit.
    w.switch.set_vf_trust(vf, true);
    assert!(!join(&mut w, 200));
    w.apply(&Op::Flr(0));
    w.apply(&Op::Message(0, words(&[1])));
    assert!(!join(&mut w, 200) && join(&mut w, 100));
    // The administrator may put it into another.
    w.apply(&Op::VfVlan(0, 7, 0, 0x8100));
    w.apply(&Op::AllowVlans(0, 1));
    assert_eq!(w.switch.status(vf).vlans, 1);
    w.apply(&Op::VfVlan(0, 0, 0, 0x8100));
    assert!(!join(&mut w, 100));
    w.apply(&Op::AllowVlans(0, 0));
    assert!(join(&mut w, 100));
}

#[test]
fn duplicate_addresses_are_refused_and_squatters_displaced() {
    let mut w = ready(3);
    w.switch
        .set_vf_mac(vf_index(0), MacAddr(station(1)))
        .unwrap();
    let taken = Err(AdminError::AddressInUse);
    assert_eq!(w.switch.set_vf_mac(vf_index(1), MacAddr(station(1))), taken);
    assert_eq!(w.switch.set_vf_mac(vf_index(1), MacAddr(PF_MAC)), taken);
    assert_eq!(
        w.switch
            .set_vf_mac(vf_index(1), MacAddr([1, 0, 0, 0, 0, 1])),
        Err(AdminError::InvalidAddress)
    );
    send(&mut w, 2, &with_mac(0x0002, station(7)));
    assert_eq!(
        w.switch.set_vf_mac(vf_index(1), MacAddr(station(7))),
        Ok(())
    );
    assert_eq!(w.switch.config(vf_index(2)).mac, MacAddr::ZERO);
    assert_eq!(w.switch.counters(vf_index(2)).address_taken, 1);
}

/// Whose loss the log is to tell: each by its setting, once, and nobody else's.
#[test]
fn who_loses_an_address_by_a_setting_is_told() {
    let mut w = ready(3);
    let none = |w: &mut World| assert_eq!(w.switch.take_deprived().bits(), 0);
    for (vf, mac) in [(0, station(1)), (1, station(2)), (2, station(3))] {
        send(&mut w, vf, &with_mac(0x0002, mac));
    }
    none(&mut w);
    // Given to another VF.
    let (own, other) = (MacAddr(station(4)), MacAddr(station(1)));
    w.switch.set_vf_mac(vf_index(1), own).unwrap();
    none(&mut w);
    w.switch.set_vf_mac(vf_index(1), other).unwrap();
    assert_eq!(w.switch.take_deprived().bits(), 0b001);
    none(&mut w);
    // No longer permitted; a VF that is trusted keeps its address.
    w.switch.set_vf_trust(vf_index(0), true);
    send(&mut w, 0, &with_mac(0x0002, station(5)));
    w.switch.set_own_addresses(OwnAddresses::None);
    assert_eq!(w.switch.take_deprived().bits(), 0b100);
    assert_eq!(w.switch.config(vf_index(0)).mac, MacAddr(station(5)));
    // Without trust.
    w.switch.set_vf_trust(vf_index(0), false);
    assert_eq!(w.switch.take_deprived().bits(), 0b001);
    w.switch.set_vf_trust(vf_index(1), true);
    send(&mut w, 1, &with_mac(0x0002, station(6)));
    w.switch.set_vf_trust(vf_index(1), false);
    assert_eq!(w.switch.take_deprived().bits(), 0b010);
    w.switch.set_own_addresses(OwnAddresses::Any);
    none(&mut w);
}

#[test]
fn the_pf_takes_its_address_back_from_a_squatter() {
    let mut w = ready(2);
    send(&mut w, 0, &with_mac(0x0002, station(1)));
    send(&mut w, 1, &with_mac(0x2_0002, station(2)));
    w.switch
        .set_vf_mac(vf_index(1), MacAddr(station(3)))
        .unwrap();
    let list = [station(1), station(2), station(3)].map(MacAddr);
    let outcome = w.switch.set_rx_mode(Default::default(), list, []);
    w.sync();
    assert_eq!(outcome.displaced.bits(), 1);
    assert_eq!(outcome.conflicts, 1);
    let pf: Vec<Mac> = w
        .regs
        .addresses()
        .into_iter()
        .filter(|a| a.1 == 4)
        .map(|a| a.0)
        .collect();
    assert_eq!(pf, [PF_MAC, station(1), station(2)]);
}

#[test]
fn an_address_of_the_pf_without_a_register_is_still_its_own() {
    let mut w = ready(2);
    let list: Vec<MacAddr> = (0..60).map(|n| MacAddr([6, 0, 0, 0, n << 4, n])).collect();
    assert!(
        w.switch
            .set_rx_mode(Default::default(), list.clone(), [])
            .overflow
    );
    w.sync();
    for mac in list {
        assert_eq!(
            send(&mut w, 0, &with_mac(0x2_0002, mac.0)),
            0x2_0002 | NACK | CTS
        );
    }
}

#[test]
fn addresses_of_the_pf_that_lose_their_register_to_vfs_are_still_received() {
    // Seven VFs leave 16 registers, and one is promised to each.
    for (count, overflowed) in [(9, false), (10, true)] {
        let mut w = World::new(Device::Hardware, 0);
        let list = (0..count).map(|n| MacAddr([6, 0, 0, 0, n << 4, n]));
        assert!(!w.switch.set_rx_mode(Default::default(), list, []).overflow);
        w.switch.set_nr_vfs(7).unwrap();
        w.shadow.forget();
        w.sync();
        assert_eq!(w.switch.pf_overflowed(), overflowed);
        // VT_CTL: what no filter matches is not dropped, but the PF's.
        assert_eq!(w.regs.read(0x581c) & 1 << 29 == 0, overflowed);
    }
}

#[test]
fn trust_grants_nothing_that_was_refused_before() {
    let mut w = ready(1);
    let vf = vf_index(0);
    assert_eq!(send(&mut w, 0, &words(&[0x2_0006])), 0x2_0006 | NACK | CTS);
    assert_eq!(
        send(&mut w, 0, &words(&[0x80_0003])),
        0x80_0003 | NACK | CTS
    );
    w.switch.set_vf_trust(vf, true);
    assert!(!w.switch.status(vf).all_multicast);
    assert_eq!(send(&mut w, 0, &words(&[0x2_0006])), 0x2_0006 | ACK | CTS);
    assert!(w.switch.status(vf).all_multicast);
}

#[test]
fn disabled_link_stops_traffic_and_shows_no_cts() {
    let mut w = ready(2);
    let vf = vf_index(0);
    assert_eq!(w.switch.ping(vf), Some(0x0100 | CTS));
    w.switch.set_vf_link_state(vf, VfLink::Disable).unwrap();
    w.sync();
    assert_eq!(w.switch.ping(vf), Some(0));
    assert_eq!(w.regs.read(0x0c8c), 0x6);
    assert_eq!(send(&mut w, 0, &words(&[5, 1522])), 5 | ACK);
    // A NACK without CTS would make the client start over: a ping follows.
    let outcome = w.switch.on_message(vf, &words(&[5, 0]), w.now);
    assert_eq!(outcome.reply.unwrap().words(), [5 | NACK]);
    assert!(outcome.ping);
    assert_eq!(
        w.switch
            .set_vf_link_state(vf, VfLink::Enable)
            .unwrap_err()
            .errno(),
        -95
    );
    w.switch.set_vf_link_state(vf, VfLink::Auto).unwrap();
    w.sync();
    assert_eq!(w.regs.read(0x0c8c), 0x7);
}

#[test]
fn rate_is_kept_and_rescaled() {
    let mut w = ready(2);
    let vf = vf_index(0);
    // Enabling VFs takes the link away for a while, which must not keep a program from setting them
    // up.
    assert_eq!(w.switch.set_vf_rate(vf, 0, 1001).unwrap_err().errno(), -22);
    w.switch.set_vf_rate(vf, 0, 100).unwrap();
    w.sync();
    assert_eq!(w.regs.rate(0), 0);
    w.switch.set_link_speed(1000);
    w.sync();
    assert_eq!(w.regs.rate(0), 0x8000_0000 | 10 << 14);
    assert_eq!(w.switch.set_vf_rate(vf, 1, 100).unwrap_err().errno(), -22);
    assert_eq!(w.switch.set_vf_rate(vf, 0, 1001).unwrap_err().errno(), -22);
    w.switch.set_vf_rate(vf, 0, 50).unwrap();
    w.sync();
    assert_eq!(w.regs.rate(0), 0x8000_0000 | 20 << 14);
    assert_eq!(w.regs.rate(8), 0x8fff_ffff);
    w.switch.set_link_speed(100);
    w.sync();
    assert_eq!(w.regs.rate(0), 0x8000_0000 | 2 << 14);
    // Down and up again.
    w.switch.set_link_speed(0);
    assert_eq!(w.switch.set_vf_rate(vf, 0, 50), Ok(()));
    w.switch.set_link_speed(1000);
    w.apply(&Op::PfReset);
    assert_eq!(w.regs.rate(0), 0x8000_0000 | 20 << 14);
    w.switch.set_vf_rate(vf, 0, 0).unwrap();
    w.sync();
    assert_eq!((w.regs.rate(0), w.regs.rate(8)), (0, 0));
}

#[test]
fn quarantine_cuts_off_until_it_is_lifted() {
    let mut w = ready(2);
    let vf = vf_index(0);
    w.switch.set_policy(Policy {
        offence_limit: 3,
        offence_decay: 0,
        ..Policy::DEFAULT
    });
    assert_eq!(send(&mut w, 0, &words(&[0x77])), 0x77 | NACK | CTS);
    assert_eq!(send(&mut w, 0, &words(&[0x77])), 0x77 | NACK | CTS);
    let last = w.switch.on_message(vf, &words(&[0x77]), w.now);
    assert_eq!((last.reply, last.event), (None, Some(Event::Quarantined)));
    w.sync();
    assert_eq!(w.regs.read(0x0c8c), 0x6);
    for _ in 0..10 {
        assert_eq!(
            w.switch.on_message(vf, &words(&[1]), w.now),
            Outcome::default()
        );
        assert_eq!(w.switch.admit(vf, w.now), (Admit::Ignore, None));
        assert_eq!(w.switch.ping(vf), None);
        w.switch.on_flr(vf);
        w.switch.on_pf_reset();
    }
    assert!(w.switch.status(vf).quarantined);
    assert_eq!(w.switch.counters(vf).quarantined, 1);
    assert!(w.switch.release(vf));
    // It is asked to start over: nobody else would tell its driver.
    assert_eq!(w.switch.missing().bits() & 1, 1);
    assert_eq!(w.switch.ping(vf), Some(0x0100 | NACK));
    w.switch.on_message(vf, &words(&[1]), w.now);
    w.sync();
    assert_eq!(w.regs.read(0x0c8c) & 1, 1);
}

#[test]
fn only_what_no_honest_client_asks_for_is_an_offence() {
    let mut w = ready(2);
    w.switch.set_policy(Policy {
        offence_decay: 0,
        ..Policy::DEFAULT
    });
    for (message, offences) in [
        (with_mac(0x0002, [1, 0, 0, 0, 0, 1]), 0),
        (with_mac(0x0002, [0; 6]), 0),
        (with_mac(0x2_0002, [1, 0, 0, 0, 0, 1]), 1),
        (with_mac(0x2_0002, [0; 6]), 1),
        (with_mac(0x2_0002, PF_MAC), 1),
        (words(&[0x1_0004, 4095]), 1),
        (words(&[5, 0]), 1),
        (words(&[0x77]), 1),
        (words(&[0x2_0006]), 0),
        (words(&[0x80_0003]), 0),
    ] {
        let before = w.switch.status(vf_index(0)).offences;
        assert_eq!(send(&mut w, 0, &message), echo(message[0]) | NACK | CTS);
        assert_eq!(w.switch.status(vf_index(0)).offences, before + offences);
    }
}

#[test]
fn enabling_vfs_has_the_errnos_user_space_knows() {
    let mut w = World::new(Device::Hardware, 0);
    assert_eq!(w.switch.vf_index(0).unwrap_err().errno(), -95);
    assert_eq!(w.switch.set_nr_vfs(8).unwrap_err().errno(), -1);
    w.switch.set_nr_vfs(2).unwrap();
    assert_eq!(w.switch.set_nr_vfs(2), Ok(()));
    assert_eq!(w.switch.set_nr_vfs(3).unwrap_err().errno(), -16);
    assert_eq!(w.switch.vf_index(2).unwrap_err().errno(), -22);
    assert_eq!(w.switch.vf_index(-1).unwrap_err().errno(), -22);
    assert!(w.switch.vf_index(1).is_ok());
}

#[test]
fn the_mode_of_the_switch_goes_with_the_vfs() {
    let mut w = World::new(Device::Hardware, 2);
    w.switch.set_loopback(Loopback::Vepa);
    assert_eq!(w.switch.set_nr_vfs(2), Ok(()));
    assert_eq!(w.switch.loopback(), Loopback::Vepa);
    w.switch.set_nr_vfs(0).unwrap();
    w.switch.set_nr_vfs(2).unwrap();
    assert_eq!(w.switch.loopback(), Loopback::Veb);
}

#[test]
fn the_longest_frame_of_the_pf_leaves_room_for_a_tag() {
    let mut w = World::new(Device::Hardware, 0);
    for (bytes, ok) in [(63, false), (64, true), (9724, true), (9725, false)] {
        assert_eq!(w.switch.set_max_frame(bytes).is_ok(), ok, "{bytes}");
    }
}

#[test]
fn no_queue_holds_up_another_functions() {
    let mut w = World::new(Device::Hardware, 2);
    // QDE: a queue without descriptors drops.
    assert_eq!(w.regs.read(0x2408), 0xffff);
    w.apply(&Op::SetNrVfs(0));
    assert_eq!(w.regs.read(0x2408), 0);
}

#[test]
fn vf_vlans_zero_and_port() {
    let mut w = ready(2);
    let before = w.regs.clone();
    for join in [0x1_0004, 0x0_0004] {
        assert_eq!(send(&mut w, 0, &words(&[join, 0])), 4 | ACK | CTS);
        assert_eq!(w.regs, before);
    }
    w.switch.set_vf_vlan(vf_index(0), 100, 0, 0x8100).unwrap();
    for vid in [0, 100, 200] {
        assert_eq!(send(&mut w, 0, &words(&[0x1_0004, vid])), 4 | NACK | CTS);
    }
}

#[test]
fn promiscuous_pf_on_a_device_with_only_hash_tables() {
    for (promiscuity, uta, mta) in [
        (Promiscuity::PerPool, u32::MAX, 0),
        (Promiscuity::HashOnly, 0, u32::MAX),
    ] {
        let device = match promiscuity {
            Promiscuity::PerPool => Device::Hardware,
            Promiscuity::HashOnly => Device::Qemu,
        };
        let mut w = World::new(device, 2);
        w.apply(&Op::RxMode {
            promisc: true,
            allmulti: false,
            unicast: vec![],
            multicast: vec![],
        });
        assert_eq!(w.regs.read(0xa000), uta);
        assert_eq!(w.regs.read(0x5200), mta);
        assert_eq!(w.regs.read(0x581c) & 1 << 29, 0);
    }
}

#[test]
fn what_is_open_to_the_pf_alone() {
    let w = ready(2);
    assert_eq!(w.regs.read(0x0c8c), 0b111);
    assert_eq!(w.switch.own_enables(), 0b100);
    assert_eq!(World::new(Device::Hardware, 0).switch.own_enables(), 0xff);
}

#[test]
fn an_address_that_the_pf_has_needs_no_register() {
    let mut w = ready(2);
    let list: Vec<MacAddr> = (0..19).map(|n| MacAddr([6, 0, 0, 0, n << 4, n])).collect();
    w.switch.set_rx_mode(Default::default(), list.clone(), []);
    assert_eq!(w.switch.pf_unicast_room(), 0);
    for addr in list.into_iter().chain([MacAddr(PF_MAC)]) {
        assert!(w.switch.pf_has(addr), "{addr}");
    }
    send(&mut w, 0, &with_mac(0x0002, station(1)));
    for mac in [station(1), station(2), [0; 6]] {
        assert!(!w.switch.pf_has(MacAddr(mac)));
    }
}

#[test]
fn queues_with_bad_descriptors_are_stopped_while_there_are_vfs() {
    let mut w = World::new(Device::Hardware, 2);
    // DTXCTL: MDP_EN, and no interrupt for a spoofed frame.
    assert_eq!(w.regs.read(0x3590), 0x2c);
    w.apply(&Op::PfReset);
    assert_eq!(w.regs.read(0x3590), 0x2c);
    w.apply(&Op::SetNrVfs(0));
    assert_eq!(w.regs.read(0x3590), 0x44);
}
