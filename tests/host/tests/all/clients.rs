// SPDX-License-Identifier: GPL-2.0

//! The drivers of VFs there are, against the server: what each says when it starts, is set and stops, and
//! what it concludes. None of them is taken for an offender, and none starts over again and again.
//! The table in Documentation/mailbox.rst is this.

use crate::model::{
    device::Mac,
    guest::{
        Driver,
        Guest,
        Link,
        ACK,
        ALL,
        CTS,
        DPDK,
        FREEBSD,
        FREEBSD_OLD,
        IPXE,
        LINUX,
        NACK, //
    },
    ops::station,
    scene::Scene,
    world::vf_index, //
};
use igb_core::{
    addr::MacAddr,
    server::{
        Driver as _,
        Server, //
    },
    switch::{
        OwnAddresses,
        VfLink, //
    },
};

const VF: usize = 0;

fn given() -> Mac {
    station(1)
}

/// A PF, and the first VF with this driver: with an address of the administrator's, or without.
fn scene(driver: Driver, address: Option<Mac>) -> (Scene, Guest) {
    let mut pf = Scene::start();
    if let Some(mac) = address {
        pf.switch.set_vf_mac(vf_index(0), MacAddr(mac)).unwrap();
    }
    (pf, Guest::new(driver, VF))
}

/// The address that the registers have for the VF, `None` for none.
fn in_force(pf: &mut Scene) -> Option<Mac> {
    let mac = pf.switch().config(vf_index(0)).mac.0;
    (mac != [0; 6]).then_some(mac)
}

/// Starts over as often as the driver wants to, and says how often that was.
fn restarts(pf: &mut Scene, guest: &mut Guest) -> usize {
    (0..10)
        .take_while(|_| {
            pf.now += 15_000_000_000;
            Server::tell_silent(pf);
            let again = guest.look(pf) == Link::StartsOver;
            if again {
                guest.start(pf, 2);
            }
            again
        })
        .count()
}

#[test]
fn each_starts_with_the_address_it_was_given() {
    for driver in ALL {
        let (mut pf, mut guest) = scene(driver, Some(given()));
        assert!(guest.bind(&mut pf), "{}", driver.name);
        for _ in 0..3 {
            guest.start(&mut pf, 2);
            assert_eq!(guest.address, given());
            assert_eq!(guest.look(&mut pf), Link::Up, "{}", driver.name);
        }
        assert_eq!(restarts(&mut pf, &mut guest), 0);
        guest.stop(&mut pf);
        assert_eq!(in_force(&mut pf), Some(given()));
        assert_eq!(guest.offences(&mut pf), 0, "{}", driver.name);
        // An address other than the administrator's, and what FreeBSD's driver asks for at every start.
        let refused = guest.log.iter().filter(|(_, answer)| answer & NACK != 0);
        assert!(
            refused
                .into_iter()
                .all(|(word, _)| matches!(word, 2 | 0x2_0006 | 0x3_0006)),
            "{}: {:x?}",
            driver.name,
            guest.log
        );
    }
}

/// Which have a network if the administrator gives no address, by what he permits.
#[test]
fn each_without_an_address_of_the_administrators() {
    let expected = [
        (OwnAddresses::None, [false; 5]),
        (OwnAddresses::Local, [true, true, false, false, false]),
        (OwnAddresses::Any, [true, true, true, false, false]),
    ];
    for (own, works) in expected {
        for (driver, works) in ALL.into_iter().zip(works) {
            let (mut pf, mut guest) = scene(driver, None);
            pf.switch.set_own_addresses(own);
            guest.bind(&mut pf);
            guest.start(&mut pf, 2);
            let what = format!("{} with {own:?}", driver.name);
            let address = works.then_some(driver.chosen);
            assert_eq!(in_force(&mut pf), address, "{what}");
            // The others work as far as they can: no loop, and no offence.
            assert_eq!(guest.look(&mut pf), Link::Up, "{what}");
            assert_eq!(restarts(&mut pf, &mut guest), 0, "{what}");
            guest.stop(&mut pf);
            assert_eq!(guest.offences(&mut pf), 0, "{what}");
            // Trust gives it what it asks for, if that is an address at all.
            pf.switch.set_vf_trust(vf_index(0), true);
            guest.bind(&mut pf);
            guest.start(&mut pf, 2);
            let station = driver.chosen[0] & 1 == 0 && driver.chosen != [0; 6];
            assert_eq!(in_force(&mut pf).is_some(), station, "{what}, trusted");
        }
    }
}

#[test]
fn none_starts_over_again_and_again_with_its_link_disabled() {
    for driver in ALL {
        for address in [None, Some(given())] {
            let (mut pf, mut guest) = scene(driver, address);
            guest.bind(&mut pf);
            guest.start(&mut pf, 2);
            let vf = vf_index(0);
            pf.switch.set_vf_link_state(vf, VfLink::Disable).unwrap();
            pf.apply();
            let vfs = pf.switch.vfs();
            Server::show_link(&mut pf, vfs);
            assert_eq!(guest.look(&mut pf), Link::Down, "{}", driver.name);
            // What its administrator does while the link is down, of which much is refused.
            guest.start(&mut pf, 31);
            guest.ask(&mut pf, &[0x3_0006]);
            assert_eq!(guest.look(&mut pf), Link::Down, "{}", driver.name);
            assert_eq!(restarts(&mut pf, &mut guest), 0, "{}", driver.name);
            let refusals = guest.log.iter().filter(|(_, answer)| answer & CTS != 0);
            assert!(refusals.count() >= 2, "control: there was a link before");
            pf.switch.set_vf_link_state(vf, VfLink::Auto).unwrap();
            pf.apply();
            Server::show_link(&mut pf, vfs);
            assert_eq!(guest.look(&mut pf), Link::Up, "{}", driver.name);
            assert_eq!(guest.offences(&mut pf), 0, "{}", driver.name);
        }
    }
}

#[test]
fn a_reset_of_the_pf_has_each_start_over_once() {
    for driver in ALL {
        let (mut pf, mut guest) = scene(driver, Some(given()));
        guest.bind(&mut pf);
        guest.start(&mut pf, 2);
        pf.switch.on_pf_reset();
        pf.apply();
        // The two words of the recall in turn.
        let told: Vec<_> = [true, false]
            .map(|refuse| {
                Server::recall(&mut pf, refuse);
                guest.look(&mut pf)
            })
            .to_vec();
        assert!(told.contains(&Link::StartsOver), "{}", driver.name);
        guest.start(&mut pf, 2);
        assert_eq!(guest.look(&mut pf), Link::Up, "{}", driver.name);
        assert_eq!(restarts(&mut pf, &mut guest), 0, "{}", driver.name);
    }
}

#[test]
fn each_that_looks_knows_that_it_may_not_join_a_vlan() {
    for driver in [LINUX, FREEBSD] {
        let (mut pf, mut guest) = scene(driver, Some(given()));
        guest.bind(&mut pf);
        guest.start(&mut pf, 2);
        for vid in 1..=8 {
            assert!(guest.join(&mut pf, vid), "{}", driver.name);
        }
        assert!(!guest.join(&mut pf, 9), "{}: beyond its quota", driver.name);
        pf.switch.set_vf_vlan(vf_index(0), 7, 0, 0x8100).unwrap();
        pf.apply();
        assert!(!guest.join(&mut pf, 1), "{}: port VLAN", driver.name);
        assert_eq!(guest.offences(&mut pf), 0, "{}", driver.name);
    }
}

#[test]
fn the_largest_frames_each_may_ask_for() {
    for driver in ALL {
        let (mut pf, mut guest) = scene(driver, Some(given()));
        guest.bind(&mut pf);
        guest.start(&mut pf, 2);
        let [answer, ..] = guest.ask(&mut pf, &[5, driver.largest]);
        assert_eq!(answer, 5 | ACK | CTS, "{}", driver.name);
        let frame = u32::from(pf.switch().status(vf_index(0)).max_frame);
        assert_eq!(frame, driver.largest.min(9728), "{}", driver.name);
        assert_eq!(guest.offences(&mut pf), 0, "{}", driver.name);
    }
}

#[test]
fn more_groups_than_a_message_holds() {
    for driver in [LINUX, DPDK, FREEBSD, FREEBSD_OLD] {
        for trusted in [false, true] {
            let (mut pf, mut guest) = scene(driver, Some(given()));
            pf.switch.set_vf_trust(vf_index(0), trusted);
            guest.bind(&mut pf);
            guest.start(&mut pf, 31);
            let asked = |(word, _): &&(u32, u32)| word & 0xffff == 3;
            let (word, answer) = *guest.log.iter().rfind(asked).unwrap();
            let says = driver.says_overflow;
            assert_eq!(word, if says { 0x9e_0003 } else { 0x1e_0003 });
            let verdict = if says && !trusted { NACK } else { ACK };
            assert_eq!(answer, word | verdict | CTS, "{}", driver.name);
            // Those of whom the PF hears nothing get 30 groups, with trust as without.
            let all = pf.switch().status(vf_index(0)).all_multicast;
            assert_eq!(all, says && trusted, "{}", driver.name);
            assert_eq!(guest.look(&mut pf), Link::Up);
            assert_eq!(guest.offences(&mut pf), 0, "{}", driver.name);
        }
    }
}

#[test]
fn promiscuity_is_refused_and_nobody_minds() {
    for driver in [DPDK, FREEBSD, FREEBSD_OLD] {
        let (mut pf, mut guest) = scene(driver, Some(given()));
        guest.bind(&mut pf);
        guest.start(&mut pf, 2);
        for word in [0x2_0006, 0x3_0006] {
            assert_eq!(guest.ask(&mut pf, &[word])[0], word | NACK | CTS);
        }
        assert_eq!(guest.ask(&mut pf, &[6])[0], 6 | ACK | CTS);
        assert_eq!(restarts(&mut pf, &mut guest), 0, "{}", driver.name);
        assert_eq!(guest.offences(&mut pf), 0, "{}", driver.name);
    }
}

#[test]
fn an_invalid_address_is_only_forgiven_where_a_client_sends_it() {
    let (mut pf, mut guest) = scene(IPXE, None);
    assert!(!guest.bind(&mut pf));
    guest.start(&mut pf, 2);
    // An address of zeros.
    assert!(guest.log.contains(&(2, 2 | NACK | CTS)), "{:x?}", guest.log);
    assert_eq!(guest.offences(&mut pf), 0);
    // No client has such an extra address.
    guest.ask(&mut pf, &[0x2_0002, 0, 0]);
    assert_eq!(guest.offences(&mut pf), 1);
}
