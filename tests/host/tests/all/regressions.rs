// SPDX-License-Identifier: GPL-2.0

//! Ways in which PF drivers have failed their administrators, one test each.

use crate::model::client::{
    ready,
    send,
    vmolr,
    with_mac,
    words,
    ACK,
    CTS,
    DTXSWC,
    NACK, //
};
use crate::model::device::Registers;
use crate::model::ops::{
    station,
    Op,
    PF_MAC, //
};
use crate::model::world::{
    vf_index,
    GARBAGE, //
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
        Quota,
        Quotas, //
        VfLink,
    }, //
};

/// The same quota for all VFs.
fn all_quotas(macs: u8, vlans: u8) -> Quotas {
    let quota = Quota { macs, vlans };
    Quotas {
        untrusted: quota,
        trusted: quota,
    }
}

#[test]
fn f01_clearing_filters_with_a_zero_address_works() {
    let mut w = ready(2);
    assert_eq!(
        send(&mut w, 0, &with_mac(0x1_0002, [0; 6])),
        0x1_0002 | ACK | CTS
    );
    assert_eq!(
        send(&mut w, 0, &with_mac(0x2_0002, station(1))),
        0x2_0002 | ACK | CTS
    );
    assert_eq!(w.switch.status(vf_index(0)).macs, 1);
    assert_eq!(
        send(&mut w, 0, &with_mac(0x1_0002, [0; 6])),
        0x1_0002 | ACK | CTS
    );
    assert_eq!(w.switch.status(vf_index(0)).macs, 0);
    // Giving up filters is always allowed.
    w.switch
        .set_vf_mac(vf_index(0), MacAddr(station(2)))
        .unwrap();
    assert_eq!(
        send(&mut w, 0, &with_mac(0x1_0002, [0; 6])),
        0x1_0002 | ACK | CTS
    );
}

#[test]
fn f02_set_lpe_reaches_only_the_frame_size() {
    let mut w = ready(2);
    let before = vmolr(&w, 0);
    for size in [0, 1, 63, 0x1_0000, 0x9f00_0600, 0x8100_0600, u32::MAX] {
        assert_eq!(send(&mut w, 0, &words(&[5, size])), 5 | NACK | CTS);
        assert_eq!(vmolr(&w, 0), before);
    }
    for size in [64, 1522, 0x2600, 0x2601, 0x3fff, 0x4000, 0xffff] {
        assert_eq!(send(&mut w, 0, &words(&[5, size])), 5 | ACK | CTS);
        assert_eq!(vmolr(&w, 0), before & !0x3fff | size.min(0x2600));
    }
}

#[test]
fn f02_set_lpe_does_not_defeat_the_port_vlan() {
    let mut w = ready(2);
    w.switch.set_vf_vlan(vf_index(0), 100, 0, 0x8100).unwrap();
    w.sync();
    send(&mut w, 0, &words(&[5, 0x8100_0600]));
    send(&mut w, 0, &words(&[5, 0x600]));
    assert_eq!(vmolr(&w, 0) & 0x0100_0000, 0, "untagged frames let in");
    assert_eq!(w.regs.read(0x3700), 0x4000_0064);
}

#[test]
fn f03_pf_mac_hijack() {
    let mut w = ready(2);
    let addresses = w.regs.addresses();
    for id in [0x2_0002, 0x0002] {
        assert_eq!(send(&mut w, 0, &with_mac(id, PF_MAC)), id | NACK | CTS);
        assert_eq!(w.regs.addresses(), addresses);
    }
}

#[test]
fn f03_filter_of_another_vf_hijack() {
    let mut w = ready(2);
    send(&mut w, 0, &with_mac(0x0002, station(1)));
    send(&mut w, 0, &with_mac(0x2_0002, station(2)));
    let addresses = w.regs.addresses();
    for id in [0x2_0002, 0x0002] {
        for mac in [
            station(1),
            station(2),
            [0; 6],
            [0xff; 6],
            [1, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(send(&mut w, 1, &with_mac(id, mac)), id | NACK | CTS);
            assert_eq!(w.regs.addresses(), addresses);
        }
    }
}

#[test]
fn f04_a_ringing_vf_is_served_at_a_bounded_rate() {
    let mut w = ready(2);
    w.switch.set_policy(Policy::DEFAULT);
    let mut served = 0;
    let mut logged = 0;
    // A request every 10 us for a second.
    for _ in 0..100_000 {
        w.now += 10_000;
        let (admit, event) = w.switch.admit(vf_index(0), w.now);
        served += u32::from(admit == Admit::Serve);
        logged += u32::from(event.is_some());
    }
    assert!((200..=330).contains(&served), "{served}");
    assert!(logged <= served);
    assert_eq!(w.switch.admit(vf_index(1), w.now), (Admit::Serve, None));
}

#[test]
fn f04_holding_the_mailbox_is_an_offence() {
    let mut w = ready(2);
    w.switch.set_policy(Policy {
        offence_limit: 3,
        ..Policy::DEFAULT
    });
    assert_eq!(w.switch.on_mailbox_held(vf_index(0), w.now), None);
    assert_eq!(w.switch.on_mailbox_held(vf_index(0), w.now), None);
    assert_eq!(
        w.switch.on_mailbox_held(vf_index(0), w.now),
        Some(Event::Quarantined)
    );
    assert_eq!(w.switch.on_mailbox_held(vf_index(0), w.now), None);
    assert_eq!(w.switch.counters(vf_index(0)).mailbox_held, 4);
}

#[test]
fn f05_quota_of_addresses() {
    let mut w = ready(7);
    // Even with the largest quota a VF leaves every other its share.
    w.switch.set_quotas(all_quotas(255, 255));
    let granted = (0..40)
        .filter(|n| send(&mut w, 0, &with_mac(0x2_0002, [6, 0, 0, 0, 0, *n])) & ACK != 0)
        .count();
    assert_eq!(granted, 7);
    for v in 1..7 {
        assert_ne!(send(&mut w, v, &with_mac(0x2_0002, station(v))) & ACK, 0);
    }
    // With the default quota it gets three.
    let mut w = ready(2);
    for n in 0..3 {
        assert_ne!(send(&mut w, 0, &with_mac(0x2_0002, station(n))) & ACK, 0);
    }
    assert_eq!(
        send(&mut w, 0, &with_mac(0x2_0002, station(3))),
        0x2_0002 | NACK | CTS
    );
}

#[test]
fn f05_quota_of_vlans() {
    let mut w = ready(7);
    w.switch.set_quotas(all_quotas(255, 255));
    let granted = (1..64)
        .filter(|vid| send(&mut w, 0, &words(&[0x1_0004, *vid])) & ACK != 0)
        .count();
    assert_eq!(granted, 15);
    for v in 1..7 {
        for n in 0..2 {
            let vid = 1000 + 2 * u32::from(v) + n;
            assert_ne!(send(&mut w, v, &words(&[0x1_0004, vid])) & ACK, 0);
        }
    }
    for vid in 2000..2004 {
        assert_eq!(w.switch.vlan_add(vid), Ok(()));
    }
    assert!(!w.switch.vlans_overflow());
    assert_eq!(w.switch.vlan_add(2004), Ok(()));
    assert!(w.switch.vlans_overflow());
    assert_eq!(w.switch.vlans().count(), 31);
    assert_eq!(AdminError::VlanTableFull.errno(), -28);
}

#[test]
fn f06_multicast_promiscuous_needs_trust() {
    const PROMISC: u32 = 0x1e00_0000 & !0x0800_0000;
    let mut w = ready(2);
    let mut list = [0; 16];
    list[0] = 0x9e_0003;
    for message in [
        words(&[0x2_0006]),
        words(&[0x3_0006]),
        words(&[0xff_0003]),
        list,
    ] {
        assert_ne!(send(&mut w, 0, &message) & NACK, 0);
        assert_eq!(vmolr(&w, 0) & PROMISC & !0x0200_0000, 0);
    }
    // The list itself is taken as far as it goes.
    assert_ne!(vmolr(&w, 0) & 0x0200_0000, 0);

    w.switch.set_vf_trust(vf_index(0), true);
    assert_eq!(send(&mut w, 0, &words(&[0x2_0006])), 0x2_0006 | ACK | CTS);
    assert_eq!(vmolr(&w, 0) & 0x1000_0000, 0x1000_0000);
    // All unicast is for no VF; the multicast part is granted all the same.
    assert_eq!(send(&mut w, 0, &words(&[0x3_0006])), 0x3_0006 | NACK | CTS);
    assert_eq!(vmolr(&w, 0) & 0x1400_0000, 0x1000_0000);
    // Trust taken back takes it along, for good.
    w.switch.set_vf_trust(vf_index(0), false);
    w.switch.set_vf_trust(vf_index(0), true);
    w.sync();
    assert_eq!(vmolr(&w, 0) & 0x1000_0000, 0);
}

#[test]
fn f07_spoofchk_survives_resets() {
    let mut w = ready(2);
    assert_eq!(w.regs.read(DTXSWC), 0x8000_0303);
    w.switch
        .set_vf_checks(vf_index(0), Some(false), Some(false));
    w.sync();
    assert_eq!(w.regs.read(DTXSWC), 0x8000_0202);
    w.apply(&Op::PfReset);
    assert_eq!(w.regs.read(DTXSWC), 0x8000_0202);
    w.apply(&Op::Flr(0));
    assert_eq!(w.regs.read(DTXSWC), 0x8000_0202);
    let config = w.switch.config(vf_index(0));
    assert!(!config.mac_check && !config.vlan_check);
}

#[test]
fn f07_every_setting_survives_every_reset() {
    let mut w = ready(2);
    let vf = vf_index(0);
    w.switch.set_link_speed(1000);
    w.switch.set_vf_mac(vf, MacAddr(station(1))).unwrap();
    w.switch.set_vf_vlan(vf, 100, 3, 0x8100).unwrap();
    w.switch.set_vf_trust(vf, true);
    w.switch.set_vf_rate(vf, 0, 100).unwrap();
    w.switch.set_quotas(all_quotas(5, 6));
    w.switch.set_vf_link_state(vf, VfLink::Disable).unwrap();
    w.sync();
    let config = w.switch.config(vf);
    let before = w.regs.clone();
    w.switch.on_pf_reset();
    w.regs = Registers::new(GARBAGE);
    w.shadow.forget();
    w.sync();
    assert_eq!(w.switch.config(vf), config);
    // The VFs have to make their handshake again; all else is as it was.
    for (offset, value) in before.written(GARBAGE) {
        if !matches!(offset, 0x0c8c | 0x0c90) {
            assert_eq!(w.regs.read(offset), value, "{offset:x}");
        }
    }
    assert_eq!(w.regs.read(0x0c8c), 4);
    w.switch.on_flr(vf);
    assert_eq!(w.switch.config(vf), config);
}

#[test]
fn f08_vlan_4095_and_priority_without_vlan() {
    let mut w = ready(2);
    let vf = vf_index(0);
    w.switch.set_vf_vlan(vf, 100, 3, 0x8100).unwrap();
    for (vid, qos, proto, error, errno) in [
        (4095, 0, 0x8100, AdminError::InvalidVlan, -22),
        (4096, 0, 0x8100, AdminError::InvalidVlan, -22),
        (u16::MAX, 0, 0x8100, AdminError::InvalidVlan, -22),
        (0, 3, 0x8100, AdminError::InvalidPriority, -22),
        (100, 8, 0x8100, AdminError::InvalidPriority, -22),
        (100, 0, 0x88a8, AdminError::VlanProtocol, -93),
    ] {
        assert_eq!(w.switch.set_vf_vlan(vf, vid, qos, proto), Err(error));
        assert_eq!(error.errno(), errno);
        let config = w.switch.config(vf);
        assert_eq!((config.vlan, config.qos), (100, 3));
    }
    assert_eq!(
        send(&mut w, 1, &words(&[0x1_0004, 4095])),
        0x0004 | NACK | CTS
    );
}

#[test]
fn f08_a_port_vlan_always_finds_a_filter() {
    let mut w = ready(7);
    w.switch.set_quotas(all_quotas(0, 255));
    for v in 0..7 {
        for n in 0..31 {
            send(&mut w, v, &words(&[0x1_0004, 100 * u32::from(v) + n + 1]));
        }
    }
    for v in 0..7 {
        assert_eq!(
            w.switch
                .set_vf_vlan(vf_index(v), 4000 + u16::from(v), 0, 0x8100),
            Ok(())
        );
    }
}

#[test]
fn f10_an_answer_has_only_what_was_asked() {
    let mut w = ready(2);
    let secret = [0xdead_beef; 16];
    w.now += 3_000_000_000;
    let outcome = w.switch.on_message(vf_index(0), &secret, w.now);
    let reply = outcome.reply.unwrap();
    assert_eq!(reply.words(), [0x00ad_beef | NACK | CTS]);
    let outcome = w.switch.on_message(vf_index(0), &words(&[1]), w.now);
    assert_eq!(outcome.reply.unwrap().words(), [1 | NACK, 0, 0]);
}

#[test]
fn f11_filters_are_freed_by_every_reset() {
    let mut w = ready(2);
    for reset in [Op::Flr(0), Op::PfReset, Op::Message(0, words(&[1]))] {
        for n in 0..3 {
            assert_ne!(send(&mut w, 0, &with_mac(0x2_0002, station(n))) & ACK, 0);
        }
        w.intent.vfs[0].filters = (0..3).map(station).collect();
        w.apply(&reset);
        w.apply(&Op::Message(0, words(&[1])));
        assert_eq!(w.switch.status(vf_index(0)).macs, 0);
        let held = w.regs.addresses();
        assert!(held.iter().all(|(_, pools)| *pools != 1));
    }
}

#[test]
fn an_extra_address_that_becomes_the_own_one_frees_its_entry() {
    let mut w = ready(2);
    w.switch.set_vf_trust(vf_index(0), true);
    w.switch
        .set_vf_mac(vf_index(0), MacAddr(station(1)))
        .unwrap();
    for message in [
        with_mac(0x2, station(2)),
        with_mac(0x2_0002, station(1)),
        with_mac(0x2, station(1)),
    ] {
        assert_ne!(send(&mut w, 0, &message) & ACK, 0);
    }
    assert_eq!(w.switch.status(vf_index(0)).macs, 0);
}
