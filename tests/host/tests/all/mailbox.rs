// SPDX-License-Identifier: GPL-2.0

//! The server of the mailboxes and the drivers of VFs, in every order of their register accesses.
//!
//! Each test explores all that can follow from one state, to the end: until there is no state that was
//! not seen. What must never happen is in `model/explore.rs`. The last tests put errors into the server,
//! and the explorer has to find each.

use std::time::Instant;

use crate::model::{
    explore::{
        Explorer,
        Found, //
    },
    fault::Fault,
    guest::{
        Guest,
        Link,
        LINUX, //
    },
    mailbox::{
        v2p,
        Kind, //
    },
    scene::Scene,
    setup::{
        Role,
        Setup,
        ENDLESS,
        GENEROUS, //
    },
    world::vf_index, //
};
use igb_core::{
    function::VfSet,
    mailbox::Policy,
    regs::Misbehaved,
    server::{
        Driver as _,
        Next,
        Server,
        LOOK_NS,
        WRITING_NS, //
    }, //
};

/// One VF that follows the protocol and has made its handshake.
const ONE: Setup = Setup {
    ready: true,
    actions: [12, 0],
    ..Setup::PLAIN
};

/// Two of them.
const TWO: Setup = Setup {
    roles: [Role::Client, Role::Client],
    actions: [6, 6],
    ..ONE
};

/// One that does anything, until it is cut off.
const HOSTILE: Setup = Setup {
    roles: [Role::Hostile, Role::Nobody],
    actions: [ENDLESS, 0],
    policy: STRICT,
    ..ONE
};

const STRICT: Policy = Policy {
    offence_limit: 2,
    ..GENEROUS
};

fn explore(name: &str, setup: Setup) -> Found {
    let start = Instant::now();
    let found = Explorer::run(setup);
    let mut most: Vec<_> = found.accesses.iter().collect();
    most.sort_by_key(|(what, _)| format!("{what:?}"));
    println!(
        "{name}: {} states, {} of the PF at rest, {} runs of the server; accesses {most:?}; {:.1?}",
        found.states,
        found.rests,
        found.runs,
        start.elapsed()
    );
    found
}

/// Explores `setup`, in which nothing may be wrong.
fn holds(name: &str, setup: Setup) -> Found {
    let found = explore(name, setup);
    if let Some((why, trace)) = &found.violation {
        panic!("{why}:\n{trace}");
    }
    found
}

#[test]
fn one_vf_without_end() {
    // From its first reset on, whatever it asks, as often as it likes.
    let start = Setup {
        ready: false,
        restarts: [1, 0],
        tells: 1,
        ..ONE
    };
    holds(
        "one VF without end",
        Setup {
            actions: [ENDLESS, 0],
            ..start
        },
    );
    holds(
        "one VF, QEMU",
        Setup {
            kind: Kind::Qemu,
            ..start
        },
    );
}

#[test]
fn one_vf_that_resets_itself() {
    // Enough to ask, to be reset, and to ask anew, all within a round.
    let resets = Setup {
        actions: [14, 0],
        restarts: [2, 0],
        ..ONE
    };
    let found = holds("one VF, resets", resets);
    // What it has given up may be answered, before it asks anew.
    assert!(found.late);
    let told = Setup {
        restarts: [1, 0],
        tells: 1,
        ..ONE
    };
    holds("one VF, a reset, link", told);
}

#[test]
fn one_vf_while_time_passes() {
    let found = holds(
        "one VF, time",
        Setup {
            looks: 6,
            tells: 1,
            ..ONE
        },
    );
    // Not before two seconds, which is an error; but then it is.
    assert!(found.expired);
}

#[test]
fn one_vf_and_resets_of_the_pf() {
    holds(
        "one VF, PF resets",
        Setup {
            actions: [10, 0],
            restarts: [1, 0],
            looks: 1,
            resets: 1,
            ..ONE
        },
    );
}

#[test]
fn one_vf_whose_queues_stop_late() {
    // With fewer actions it does not get from its queues to a handshake that has to wait for them.
    let setup = Setup {
        actions: [8, 0],
        restarts: [1, 0],
        tells: 1,
        slow_queues: true,
        ..ONE
    };
    holds("one VF, slow queues", setup);
}

#[test]
fn one_vf_that_is_slow() {
    let setup = Setup {
        actions: [8, 0],
        restarts: [2, 0],
        looks: 1,
        tells: 1,
        slow_clients: true,
        ..ONE
    };
    holds("one slow VF", setup);
}

#[test]
fn one_vf_that_asks_too_often() {
    let policy = Policy {
        requests_per_sec: 1000,
        burst: 2,
        ..Policy::DEFAULT
    };
    holds(
        "one VF, throttled",
        Setup {
            actions: [24, 0],
            policy,
            ..ONE
        },
    );
    holds(
        "one VF, rationed",
        Setup {
            rationed: true,
            used: 399,
            actions: [24, 0],
            ..ONE
        },
    );
}

#[test]
fn two_vfs() {
    holds(
        "two VFs",
        Setup {
            restarts: [1, 0],
            ..TWO
        },
    );
    holds("two VFs, link", Setup { tells: 1, ..TWO });
    holds(
        "two VFs, handshake",
        Setup {
            ready: false,
            restarts: [1, 1],
            actions: [9, 9],
            ..TWO
        },
    );
}

#[test]
fn vfs_that_have_to_be_made_to_look() {
    // Their drivers look once for each change, at any time after it.
    let one = Setup {
        tells: 1,
        hides_link: true,
        kind: Kind::Qemu,
        ..ONE
    };
    holds(
        "one VF without end, made to look",
        Setup {
            actions: [ENDLESS, 0],
            ..one
        },
    );
    holds("one VF, made to look twice", Setup { tells: 2, ..one });
    holds(
        "one VF, a reset, made to look",
        Setup {
            restarts: [1, 0],
            ..one
        },
    );
    holds(
        "one VF, a reset of the PF, made to look",
        Setup {
            resets: 1,
            actions: [10, 0],
            ..one
        },
    );
    holds(
        "two VFs, made to look",
        Setup {
            tells: 1,
            hides_link: true,
            kind: Kind::Qemu,
            ..TWO
        },
    );
    // One that holds its mailbox for ever keeps nothing from the other.
    holds(
        "anything beside one VF, made to look",
        Setup {
            roles: [Role::Hostile, Role::Client],
            actions: [2, 2],
            tells: 1,
            releases: 1,
            hides_link: true,
            kind: Kind::Qemu,
            ..HOSTILE
        },
    );
}

#[test]
fn anything() {
    holds(
        "anything",
        Setup {
            restarts: [1, 0],
            ..HOSTILE
        },
    );
    let queues = Setup {
        restarts: [1, 0],
        actions: [2, 0],
        rich: true,
        kind: Kind::Qemu,
        ..HOSTILE
    };
    holds("anything, with queues, QEMU", queues);
}

#[test]
fn anything_beside_a_vf_that_follows_the_protocol() {
    let beside = Setup {
        roles: [Role::Hostile, Role::Client],
        actions: [ENDLESS, 6],
        ..HOSTILE
    };
    holds("anything beside one VF", beside);
    let released = Setup {
        actions: [3, 3],
        restarts: [1, 0],
        releases: 1,
        kind: Kind::Qemu,
        ..beside
    };
    holds("anything beside one VF, released", released);
}

#[test]
fn what_is_saved_is_not_missed() {
    for setup in [
        Setup {
            actions: [5, 0],
            restarts: [1, 0],
            tells: 1,
            ..ONE
        },
        Setup {
            actions: [4, 4],
            restarts: [1, 1],
            ready: false,
            ..TWO
        },
        Setup {
            actions: [3, 0],
            ..HOSTILE
        },
        Setup {
            actions: [3, 0],
            restarts: [1, 0],
            ..HOSTILE
        },
        Setup {
            actions: [2, 0],
            rich: true,
            ..HOSTILE
        },
    ] {
        let saving = holds("saving", setup);
        let all = holds(
            "all orders",
            Setup {
                all_orders: true,
                ..setup
            },
        );
        assert!(saving.at_rest.len() > 2 && saving.states <= all.states);
        assert!(saving.at_rest == all.at_rest);
    }
}

#[test]
fn no_vf_puts_off_the_clearing_of_anothers_mailbox() {
    let mut scene = Scene::start();
    scene.hw().vf_write_word(0, 15, 0x1234_5678);
    scene.reset_held(0);
    assert_eq!(scene.work(), Next::After(WRITING_NS));
    // The other asks, so that its own mailbox is no longer due, and is reset anew.
    for _ in 0..3 {
        scene.now += WRITING_NS / 2;
        scene.reset_held(1);
        scene.work();
        scene.hw().vf_write_control(1, v2p::REQ);
        scene.work();
    }
    assert_eq!(scene.hw().last_word(0), 0);
}

#[test]
fn each_mailbox_is_cleared_at_its_time() {
    let mut scene = Scene::start();
    for vf in [0, 1] {
        scene.hw().vf_write_word(vf, 15, 0x1234_5678);
        scene.reset_held(vf);
        scene.work();
        scene.now += WRITING_NS / 2;
    }
    assert_eq!(scene.work(), Next::After(WRITING_NS / 2));
    assert_eq!(scene.hw().last_word(0), 0);
    assert_ne!(scene.hw().last_word(1), 0);
    scene.now += WRITING_NS / 2;
    assert_eq!(scene.work(), Next::Interrupt);
    assert_eq!(scene.hw().last_word(1), 0);
}

#[test]
fn nothing_is_left_when_vfs_come_or_go() {
    let mut scene = Scene::start();
    scene.hw().vf_write_word(0, 15, 0x1234_5678);
    scene.hw().vf_write_word(0, 0, 1);
    scene.hw().vf_write_control(0, v2p::REQ | v2p::VFU);
    scene.hw().vf_reset(1);
    scene.begin();
    let hw = scene.hw();
    assert!(!hw.has_request(0) && !hw.reset_pending(1));
    assert!(!hw.held_by_vf(0) && !hw.held_by_pf(0));
    assert_eq!((hw.vf_word(0, 0), hw.last_word(0)), (0, 0));
    assert_eq!(scene.work(), Next::Interrupt);
    assert_eq!(scene.hw().vf_word(0, 0), 0, "nobody is answered");
}

#[test]
fn a_vf_that_keeps_its_mailbox_keeps_nothing_from_others() {
    let mut scene = Scene::of(true);
    let looks = |scene: &mut Scene, vf| scene.hw().vf_read_control(vf) & v2p::RSTD != 0;
    assert!(looks(&mut scene, 0) && looks(&mut scene, 1), "of the start");
    scene.hw().vf_write_control(0, v2p::VFU);
    assert!(scene.show_link());
    assert_eq!(scene.work(), Next::After(WRITING_NS));
    assert!(!looks(&mut scene, 1));
    scene.now += LOOK_NS;
    assert_eq!(scene.work(), Next::Interrupt);
    assert_eq!(scene.hw().vf_word(1, 0), 0x100);
    assert!(looks(&mut scene, 0) && looks(&mut scene, 1));
    assert_ne!(scene.hw().vf_word(0, 0), 0x100);
    assert_eq!(scene.work(), Next::Interrupt);
    assert!(!looks(&mut scene, 0));
    scene.hw().vf_write_control(0, 0);
    assert_eq!(scene.work(), Next::Interrupt);
    assert_eq!(scene.hw().vf_word(0, 0), 0x100);
    assert!(looks(&mut scene, 0));
    assert!(!scene.show_link());
}

#[test]
fn nobody_is_made_to_look_who_gets_the_right_interrupt() {
    let mut scene = Scene::of(false);
    for vf in [0, 1] {
        let _ = scene.hw().vf_read_control(vf);
    }
    assert!(!scene.show_link());
    for vf in [0, 1] {
        assert_eq!(scene.hw().vf_word(vf, 0), 0x100);
        assert_eq!(scene.hw().vf_read_control(vf), v2p::PFSTS);
    }
}

/// The explorer finds `fault` in a server that has it, and says what is wrong.
fn finds(fault: Fault, setup: Setup, why: &str) {
    let found = explore(&format!("{fault:?}"), Setup { fault, ..setup });
    assert_eq!(found.violation.map(|(why, _)| why), Some(why), "{fault:?}");
}

#[test]
fn errors_are_found() {
    for (fault, setup, why) in [
        (Fault::RequestNotCleared, ONE, "a request is overwritten"),
        (
            Fault::AllRequestsCleared,
            Setup {
                actions: [9, 9],
                ..TWO
            },
            "a request is lost",
        ),
        (
            Fault::RequestNotLookedFor,
            Setup { tells: 1, ..ONE },
            "a request is overwritten",
        ),
        (
            Fault::AnswerBeforeRegisters,
            ONE,
            "a request is granted before it is in force",
        ),
        (
            Fault::ServesTwice,
            Setup {
                actions: [ENDLESS, 0],
                ..ONE
            },
            "a VF is served twice in a round",
        ),
        (Fault::WaitsForMailbox, HOSTILE, "a run takes too long"),
        (
            Fault::UnreadForgotten,
            Setup {
                tells: 1,
                actions: [7, 7],
                ..TWO
            },
            "an answer is overwritten that was not read",
        ),
        (
            Fault::ExpiresEarly,
            Setup {
                tells: 1,
                looks: 3,
                ..ONE
            },
            "an answer is overwritten that was not read",
        ),
        (
            Fault::ResetsReadFirst,
            Setup {
                restarts: [2, 0],
                actions: [14, 0],
                ..ONE
            },
            "a request is granted before it is in force",
        ),
        (
            Fault::WrongPool,
            Setup {
                actions: [7, 1],
                ..TWO
            },
            "what was granted is not in force any more",
        ),
        (
            Fault::AllResetsCleared,
            Setup {
                restarts: [1, 1],
                ..TWO
            },
            "a reset is lost",
        ),
        (
            Fault::QueuesTakenForStopped,
            Setup {
                slow_queues: true,
                restarts: [1, 0],
                ..ONE
            },
            "something of the tenant before is left",
        ),
        (
            Fault::AddressesLeft,
            Setup {
                restarts: [1, 0],
                ..ONE
            },
            "registers do not follow",
        ),
        (
            Fault::NobodyLooks,
            Setup {
                tells: 1,
                hides_link: true,
                ..ONE
            },
            "a VF is not made to look",
        ),
        (
            Fault::ToldWithoutCts,
            Setup {
                tells: 1,
                hides_link: true,
                ..ONE
            },
            "a VF is made to look before it was told",
        ),
        (
            Fault::LooksWithMailboxTaken,
            Setup {
                tells: 1,
                hides_link: true,
                ..ONE
            },
            "a VF is made to look while the PF has its mailbox",
        ),
        (
            Fault::WaitsForEver,
            Setup {
                roles: [Role::Hostile, Role::Client],
                actions: [1, 1],
                tells: 1,
                hides_link: true,
                states: 100_000,
                ..HOSTILE
            },
            "too many states",
        ),
    ] {
        finds(fault, setup, why);
    }
}

#[test]
fn an_interrupt_that_was_lost_is_noticed_at_the_second_look() {
    let mut pf = Scene::start();
    assert!(!Server::has_overlooked(&mut pf));
    for reset in [false, true] {
        if reset {
            pf.hw().vf_reset(0);
        } else {
            pf.hw().vf_write_word(0, 0, 1);
            pf.hw().vf_write_control(0, v2p::REQ);
        }
        // It may have come just now.
        assert!(!Server::has_overlooked(&mut pf));
        assert!(Server::has_overlooked(&mut pf));
        pf.work();
        assert!(!Server::has_overlooked(&mut pf));
        assert!(!Server::has_overlooked(&mut pf));
    }
    // Nobody waits for one that is cut off.
    pf.switch.quarantine(vf_index(0));
    pf.hw().vf_reset(0);
    assert!(!Server::has_overlooked(&mut pf));
    assert!(!Server::has_overlooked(&mut pf));
}

#[test]
fn whose_queue_was_stopped() {
    let seen = |lvmmc, wvbr| {
        let found = Misbehaved::new(lvmmc, wvbr);
        (found.spoofed, found.stopped, found.suspected)
    };
    // Queues 1 and 9 are VF 1's.
    for (lvmmc, wvbr, spoofed, stopped, suspected) in [
        (0, 0, 0, 0, 0),
        (0, 0x0000_0200, 0b10, 0, 0),
        (4, 0x0002_0000, 0, 0b10, 0),
        (4, 0x0200_0000, 0, 0b10, 0),
        // Of a queue that did both, the worse.
        (8, 0x0201_0202, 0, 0b11, 0),
        (8, 0x0001_0002, 0b10, 1, 0),
        // Several at once are reported as if they had sent from false addresses.
        (0x10, 0x0000_0103, 0, 0, 0b11),
        // Or not at all.
        (0x0009_0004, 0, 0, 0, 0b10),
        // Another cause stops nothing.
        (0x0009_0003, 1, 1, 0, 0),
        // The controller has left.
        (u32::MAX, 1, 0, 0, 0),
        (4, u32::MAX, 0, 0, 0),
    ] {
        assert_eq!(
            seen(lvmmc, wvbr),
            (spoofed, stopped, suspected),
            "{lvmmc:#x} {wvbr:#x}"
        );
    }
}

/// What VFs do can have the controller name the PF's pool; it is reset only for a queue that was stopped.
#[test]
fn the_pf_is_not_reset_on_suspicion() {
    const PF_POOL: u8 = 7;
    for (lvmmc, wvbr, vfs, pf) in [
        (4, 0x0080_0000, 0, true),
        (4, 0x0082_0000, 0b10, true),
        (0x0007_0004, 0, 0, false),
        (0x000f_0010, 0, 0, false),
        (0x10, 0x0000_8002, 0b10, false),
        (0x0009_0004, 0, 0b10, false),
        (4, 0x0002_0000, 0b10, false),
    ] {
        let found = Misbehaved::new(lvmmc, wvbr);
        let seen = (found.restarts(0x7f), found.resets_pf(PF_POOL));
        assert_eq!(seen, (vfs, pf), "{lvmmc:#x} {wvbr:#x}");
    }
}

#[test]
fn a_vf_whose_queue_was_stopped_starts_over() {
    let mut pf = Scene::start();
    let mut guests = [0, 1].map(|vf| Guest::new(LINUX, vf));
    for guest in &mut guests {
        guest.bind(&mut pf);
        guest.start(&mut pf, 2);
    }
    let [mut culprit, other] = guests;
    pf.hw().vf_use_queues(0);
    assert_eq!(pf.hw().is_enabled(0), (true, true));
    let mut one = VfSet::EMPTY;
    one.insert(vf_index(0));
    Server::on_malicious(&mut pf, one);
    assert_eq!(pf.hw().is_enabled(0), (false, false));
    assert_eq!(pf.hw().is_enabled(1), (true, true));
    // What its driver left in registers is cleared, and it is told.
    pf.work();
    assert!(!pf.hw().uses_queues(0) && !pf.hw().queues_run(0));
    assert_eq!(pf.hw().vfs[0].write_back, 0);
    assert_eq!(culprit.look(&mut pf), Link::StartsOver);
    assert_eq!(other.look(&mut pf), Link::Up);
    let status = pf.switch.status(vf_index(0));
    assert!(!status.open && !status.quarantined);
    assert_eq!(status.offences, 1);
    assert_eq!(pf.switch.counters(vf_index(0)).malicious, 1);
    culprit.start(&mut pf, 2);
    assert_eq!(culprit.look(&mut pf), Link::Up);
    assert_eq!(pf.hw().is_enabled(0), (true, true));
    // Again and again, and it is cut off.
    pf.switch.set_policy(STRICT);
    Server::on_malicious(&mut pf, one);
    assert!(pf.switch.status(vf_index(0)).quarantined);
    assert_eq!(pf.switch.counters(vf_index(0)).malicious, 2);
    Server::on_malicious(&mut pf, one);
    assert_eq!(pf.switch.counters(vf_index(0)).malicious, 2);
}

#[test]
fn what_the_interrupt_reads_has_the_right_ones_start_over() {
    let mut pf = Scene::start();
    let mut guests = [0, 1].map(|vf| Guest::new(LINUX, vf));
    for guest in &mut guests {
        guest.bind(&mut pf);
        guest.start(&mut pf, 2);
    }
    let take = |pf: &mut Scene, lvmmc, wvbr| {
        pf.hw().behavior = [lvmmc, wvbr];
        let found = Misbehaved::take(pf);
        assert_eq!(pf.hw().behavior, [0; 2]);
        found
    };
    // Nothing of what follows is about a queue that has stopped.
    assert_eq!(take(&mut pf, 0, 0).events(), 0);
    assert_eq!(take(&mut pf, 0, 0x0000_0101).events(), 0);
    assert_eq!(Misbehaved::from_events(0), None);
    // Two interrupts before the work item: a queue of VF 0, then one of VF 1 that is suspected.
    let first = take(&mut pf, 4, 0x0001_0000).events();
    let second = take(&mut pf, 0x0009_0004, 0).events();
    let found = Misbehaved::from_events(first | second).unwrap();
    assert_eq!((found.stopped, found.suspected), (0b01, 0b10));
    assert!(!Server::see_to_stopped(&mut pf, found));
    for (vf, guest) in guests.iter_mut().enumerate() {
        assert_eq!(pf.hw().is_enabled(vf), (false, false));
        assert_eq!(pf.switch.counters(vf_index(vf as u8)).malicious, 1);
        pf.work();
        assert_eq!(guest.look(&mut pf), Link::StartsOver);
        guest.start(&mut pf, 2);
    }
    // A queue of the PF. No VF is touched.
    let wvbr = 0x0001_0000 << pf.switch.pf_pool();
    let own = take(&mut pf, 4, wvbr);
    assert!(Server::see_to_stopped(&mut pf, own));
    for (vf, guest) in guests.iter_mut().enumerate() {
        assert_eq!(pf.hw().is_enabled(vf), (true, true));
        assert_eq!(guest.look(&mut pf), Link::Up);
    }
    // The look for frames from false addresses finds a stopped queue as well, if it comes first.
    pf.hw().behavior = [4, 0x0001_0002];
    let found = Misbehaved::take_spoofed(&pf);
    assert_eq!((found.spoofed, found.stopped), (0b10, 0b01));
}

#[test]
fn a_vf_that_is_let_back_is_called_back_when_it_is_cleared() {
    let mut pf = Scene::start();
    let mut guest = Guest::new(LINUX, 0);
    guest.bind(&mut pf);
    guest.start(&mut pf, 2);
    let vf = vf_index(0);
    pf.switch.quarantine(vf);
    pf.work();
    assert!(pf.switch.release(vf));
    pf.server().on_new_tenant(vf);
    pf.work();
    assert_eq!(guest.look(&mut pf), Link::StartsOver);
    guest.start(&mut pf, 2);
    assert_eq!(guest.look(&mut pf), Link::Up);
}
