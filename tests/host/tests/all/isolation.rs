// SPDX-License-Identifier: GPL-2.0

//! What one VF can do to the others, over random sequences: nothing.

use crate::model::config::config;
use crate::model::device::{
    Device,
    Mac,
    Registers, //
};
use crate::model::ops::{
    any_message,
    any_op,
    Op, //
};
use crate::model::world::{
    vf_index,
    World, //
};
use igb_core::{
    addr::MacAddr,
    mailbox::Policy,
    switch::RxMode, //
};
use proptest::{
    collection::vec,
    prelude::*, //
};

/// Everything in the registers that is about one pool.
#[derive(Debug, PartialEq, Eq)]
struct View {
    addresses: Vec<Mac>,
    vlans: Vec<u16>,
    vmolr: u32,
    vmvir: u32,
    spoof: u32,
    receive: u32,
    transmit: u32,
    rates: (u32, u32),
}

fn view(regs: &Registers, pool: u32) -> View {
    let addresses = regs.addresses().into_iter();
    let entries = (0..32).map(|n| regs.read(0x5d00 + 4 * n));
    View {
        addresses: addresses
            .filter(|(_, pools)| pools >> pool & 1 != 0)
            .map(|(mac, _)| mac)
            .collect(),
        vlans: entries
            .filter(|e| e >> 31 != 0 && e >> (12 + pool) & 1 != 0)
            .map(|e| (e & 0xfff) as u16)
            .collect(),
        vmolr: regs.read(0x5ad0 + 4 * pool),
        vmvir: regs.read(0x3700 + 4 * pool),
        spoof: regs.read(0x3500) & (0x101 << pool),
        receive: regs.read(0x0c8c) >> pool & 1,
        transmit: regs.read(0x0c90) >> pool & 1,
        rates: (regs.rate(pool), regs.rate(pool + 8)),
    }
}

/// Registers that belong to no pool and that no VF may change.
fn global(regs: &Registers) -> Vec<u32> {
    let single = [
        0x0100, 0x2408, 0x3590, 0x5004, 0x581c, 0x5af0, 0x5400, 0x5404,
    ];
    let uta = (0..128).map(|n| 0xa000 + 4 * n);
    let mut list: Vec<u32> = single
        .into_iter()
        .chain(uta)
        .map(|o| regs.read(o))
        .collect();
    list.push(regs.read(0x3500) >> 16);
    list
}

fn message(id: u32, mac: Mac) -> [u32; 16] {
    let mut words = [0; 16];
    words[0] = id;
    words[1] = u32::from_le_bytes([mac[0], mac[1], mac[2], mac[3]]);
    words[2] = u32::from_le_bytes([mac[4], mac[5], 0, 0]);
    words
}

/// Whatever the others hold, every function can still fill its share.
fn check_guarantees(world: &World) {
    let ack = |words: &[u32]| words[0] & 0x8000_0000 != 0;
    for (v, vf) in (0u8..).zip(&world.intent.vfs) {
        let status = world.switch.status(vf_index(v));
        let quota = vf.quota();
        assert!(status.macs <= quota.0);
        assert!(vf.port_vlan.is_some() || status.vlans <= quota.1);
        assert!(vf.port_vlan.is_none() || status.vlans == 1);

        let mut switch = world.switch.clone();
        let mut grant = |words: [u32; 16]| {
            let outcome = switch.on_message(vf_index(v), &words, world.now);
            outcome.reply.is_some_and(|reply| ack(reply.words()))
        };
        let extra = [0x0a, 0, 0, 0, 0, v];
        let locked = !vf.trusted && (vf.admin_mac.is_some() || !world.intent.permits(extra));
        if vf.open && !locked && status.macs < quota.0.min(1) && !world.intent.pf.overflow {
            assert!(grant(message(0x2_0002, extra)));
        }
        if vf.open && vf.port_vlan.is_none() && vf.allowed.is_none() {
            for n in status.vlans..quota.1.min(2) {
                let mut words = [0; 16];
                words[0] = 0x1_0004;
                words[1] = 3000 + n as u32;
                assert!(grant(words));
            }
        }
    }
    check_pf_guarantees(world);
}

fn check_pf_guarantees(world: &World) {
    if world.intent.vfs.is_empty() {
        return;
    }
    let mut switch = world.switch.clone();
    for n in world.intent.pf.vlans.len()..4 {
        assert_eq!(switch.vlan_add(3500 + n as u16), Ok(()));
    }
    let three = (0..3).map(|n| MacAddr([0x0e, 0, 0, 0, 0, n]));
    let outcome = switch.set_rx_mode(RxMode::default(), three, []);
    assert!(!outcome.overflow);
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn messages_and_resets_of_a_vf_leave_the_others_alone(
        nr_vfs in 1u8..8,
        ops in vec(any_op(), 0..60),
        attack in vec((0u8..7, prop_oneof![9 => any_message().prop_map(Some), 1 => Just(None)]), 1..40),
    ) {
        let mut world = World::new(Device::Hardware, nr_vfs);
        for op in &ops {
            world.apply(op);
        }
        let n = world.intent.vfs.len() as u32;
        for (v, words) in attack {
            let before: Vec<View> = (0..=n).map(|p| view(&world.regs, p)).collect();
            let registers = global(&world.regs);
            world.apply(&words.map_or(Op::Flr(v), |words| Op::Message(v, words)));
            prop_assert_eq!(&registers, &global(&world.regs));
            let pf = &world.intent.pf;
            for (p, mut before) in (0..=n).zip(before) {
                let mut after = view(&world.regs, p);
                if p == n && (pf.promisc || !pf.vlan_filter || pf.vlan_overflow) {
                    // A PF that wants all VLANs gets those a VF joins, and one that wants more than
                    // there are entries gives up those it does not use.
                    before.vlans.clear();
                    after.vlans.clear();
                }
                if p != u32::from(v) {
                    prop_assert_eq!(before, after);
                }
            }
        }
    }

    #[test]
    fn shares_and_quotas_hold(nr_vfs in 1u8..8, ops in vec(any_op(), 1..120)) {
        let mut world = World::new(Device::Hardware, nr_vfs);
        for op in &ops {
            world.apply(op);
            check_guarantees(&world);
        }
    }

    #[test]
    fn no_address_has_two_owners(nr_vfs in 1u8..8, ops in vec(any_op(), 1..80)) {
        let mut world = World::new(Device::Hardware, nr_vfs);
        for op in &ops {
            world.apply(op);
            let mut seen = std::collections::BTreeMap::new();
            for (mac, pools) in world.regs.addresses() {
                prop_assert_eq!(mac[0] & 1, 0);
                prop_assert_eq!(pools.count_ones(), 1);
                prop_assert_eq!(*seen.entry(mac).or_insert(pools), pools);
            }
        }
    }

    /// What a tenant leaves behind is what a VF has that was never used.
    #[test]
    fn nothing_is_left_of_a_tenant(
        nr_vfs in 1u8..8,
        setup in vec(any_op(), 0..40),
        tenant in vec(any_message(), 0..60),
        victim in 0u8..7,
    ) {
        let v = victim % nr_vfs;
        let mut world = World::new(Device::Hardware, nr_vfs);
        for op in &setup {
            world.apply(op);
        }
        if u8::try_from(world.intent.vfs.len()).unwrap() > v {
            world.apply(&Op::Flr(v));
            let clean = view(&world.regs, v.into());
            let mta: Vec<u32> = (0..128).map(|n| world.regs.read(0x5200 + 4 * n)).collect();
            for words in tenant {
                world.apply(&Op::Message(v, words));
            }
            world.apply(&Op::Flr(v));
            prop_assert_eq!(clean, view(&world.regs, v.into()));
            let after: Vec<u32> = (0..128).map(|n| world.regs.read(0x5200 + 4 * n)).collect();
            prop_assert_eq!(mta, after);
        }
    }

    /// Under any load a VF gets no more service than its bucket has, and every other VF all of its.
    #[test]
    fn service_is_bounded_per_vf(
        gaps in vec(0u64..2_000_000, 100..800),
        rate in 1u32..1000,
        burst in 1u32..200,
    ) {
        use igb_core::mailbox::Admit;
        let mut world = World::new(Device::Hardware, 2);
        let policy = Policy { requests_per_sec: rate, burst, offence_limit: 0, offence_decay: 0 };
        world.switch.set_policy(policy);
        let start = world.now;
        let mut now = start;
        let mut served = 0u64;
        for gap in gaps {
            now += gap;
            if world.switch.admit(vf_index(0), now).0 == Admit::Serve {
                served += 1;
            }
        }
        let earned = (now - start) / (1_000_000_000 / u64::from(rate));
        prop_assert!(served <= u64::from(burst) + earned + 1);
        prop_assert_eq!(world.switch.admit(vf_index(1), now).0, Admit::Serve);
    }
}
