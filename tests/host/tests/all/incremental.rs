// SPDX-License-Identifier: GPL-2.0

//! What is rendered of changes alone is what is rendered of everything.
//!
//! One shadow follows the switch, and renders and compares what may have changed; the other is shown the
//! whole image every time. Whatever happens in between, both write the same registers in the same order.

use crate::model::config::config;
use crate::model::ops::{
    any_op,
    station,
    Op,
    LISTS,
    PF_MAC,
    TRUNK, //
};
use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    bitmap::Bitmap4096,
    function::VfIndex,
    switch::{
        Behind,
        Loopback,
        OwnAddresses,
        Promiscuity,
        Quota,
        Quotas,
        RxMode,
        Shadow,
        Switch, //
    },
    vlan::VlanList, //
};
use proptest::{
    collection::vec,
    prelude::*, //
};

struct Pair {
    switch: Switch,
    follower: Shadow,
    whole: Shadow,
    now: u64,
}

fn new_switch(promiscuity: Promiscuity, nr_vfs: u8) -> Switch {
    let mut switch = Switch::new(UnicastAddr::new(MacAddr(PF_MAC)).unwrap(), promiscuity);
    switch.set_nr_vfs(nr_vfs).unwrap();
    switch
}

fn writes_of(update: impl FnOnce(&mut dyn FnMut(u32, u32))) -> Vec<(u32, u32)> {
    let mut writes = Vec::new();
    update(&mut |offset, value| writes.push((offset, value)));
    writes
}

impl Pair {
    fn new(promiscuity: Promiscuity, nr_vfs: u8) -> Self {
        Self {
            switch: new_switch(promiscuity, nr_vfs),
            follower: Shadow::new(),
            whole: Shadow::new(),
            now: 1 << 40,
        }
    }

    /// Brings both up to date. Returns how much was written.
    fn follow(&mut self) -> usize {
        let image = self.switch.image();
        let expected = writes_of(|write| self.whole.update(&image, write));
        let found = writes_of(|write| self.follower.follow(&mut self.switch, write));
        assert_eq!(found, expected);
        found.len()
    }

    fn forget(&mut self) {
        self.follower.forget();
        self.whole.forget();
    }

    fn vf_was_reset(&mut self, vf: VfIndex) {
        self.follower.vf_was_reset(vf);
        self.whole.vf_was_reset(vf);
    }

    fn act(&mut self, op: &Op) {
        let vf = |v: u8| VfIndex::new(v).unwrap();
        self.now += 5_000_000;
        let switch = &mut self.switch;
        // Whether it is refused, and what is done to VFs that are not enabled, makes no difference here.
        match *op {
            Op::SetNrVfs(n) => {
                if switch.set_nr_vfs(n).is_ok() {
                    self.forget();
                }
            }
            Op::PfMac(mac) => {
                if let Some(mac) = UnicastAddr::new(MacAddr(mac)) {
                    let _ = switch.set_pf_mac(mac);
                }
            }
            Op::RxMode {
                promisc,
                allmulti,
                ref unicast,
                ref multicast,
            } => {
                let addresses = |list: &[[u8; 6]]| list.iter().copied().map(MacAddr).collect();
                let (unicast, multicast): (Vec<_>, Vec<_>) =
                    (addresses(unicast), addresses(multicast));
                switch.set_rx_mode(RxMode { promisc, allmulti }, unicast, multicast);
            }
            Op::VlanAdd(vid) => drop(switch.vlan_add(vid)),
            Op::VlanDel(vid) => switch.vlan_del(vid),
            Op::Trunk(true) => TRUNK.for_each(|vid| switch.vlan_add(vid).unwrap()),
            Op::Trunk(false) => TRUNK.for_each(|vid| switch.vlan_del(vid)),
            Op::VlansUsed(ref vids, idle) => {
                let mut used = Bitmap4096::EMPTY;
                vids.iter().for_each(|vid| used.insert(*vid));
                switch.serve_vlans(&used);
                (0..20 * u8::from(idle)).for_each(|_| switch.next_vlan_look());
            }
            Op::VlanFilter(on) => switch.set_vlan_filter(on),
            Op::VlanStrip(on) => switch.set_rx_vlan_strip(on),
            Op::MaxFrame(bytes) => drop(switch.set_max_frame(bytes)),
            Op::Veb(on) => switch.set_loopback(if on { Loopback::Veb } else { Loopback::Vepa }),
            Op::LinkSpeed(mbps) => switch.set_link_speed(mbps),
            Op::VfMac(v, mac) => drop(switch.set_vf_mac(vf(v), MacAddr(mac))),
            Op::VfVlan(v, vid, qos, proto) => drop(switch.set_vf_vlan(vf(v), vid, qos, proto)),
            Op::Checks(v, mac, vlan) => switch.set_vf_checks(vf(v), mac, vlan),
            Op::AllowVlans(v, list) => {
                switch.set_vf_vlans(vf(v), VlanList::parse(LISTS[list].0).unwrap());
            }
            Op::Trust(v, on) => switch.set_vf_trust(vf(v), on),
            Op::Link(v, state) => drop(switch.set_vf_link_state(vf(v), state)),
            Op::Rate(v, min, max) => drop(switch.set_vf_rate(vf(v), min, max)),
            Op::Quotas(_, macs, vlans) => {
                let quota = Quota { macs, vlans };
                switch.set_quotas(Quotas {
                    untrusted: quota,
                    trusted: quota,
                });
            }
            Op::OwnAddresses(level) => {
                switch.set_own_addresses(OwnAddresses::from_level(level).unwrap());
            }
            Op::Quarantine(v) => drop(switch.quarantine(vf(v))),
            Op::Release(v) => drop(switch.release(vf(v))),
            Op::Flr(v) => {
                switch.on_flr(vf(v));
                self.vf_was_reset(vf(v));
            }
            Op::PfReset => {
                switch.on_pf_reset();
                self.forget();
            }
            Op::Message(v, ref words) => drop(switch.on_message(vf(v), words, self.now)),
        }
    }
}

/// What is done to a switch as a whole.
#[derive(Clone, Copy, Debug)]
enum Whole {
    Nothing,
    /// A copy takes its place that was made in an earlier round.
    Copy,
    /// A new one does.
    New(u8),
    /// Another shadow has followed it.
    Foreign,
    /// The shadow has been shown something else.
    Shown,
    /// Bridges on the PF have learned these stations, a bit each.
    Bridged(u16),
}

fn any_whole() -> impl Strategy<Value = Whole> {
    prop_oneof![
        20 => Just(Whole::Nothing),
        1 => Just(Whole::Copy),
        1 => (0u8..8).prop_map(Whole::New),
        1 => Just(Whole::Foreign),
        1 => Just(Whole::Shown),
        8 => any::<u16>().prop_map(Whole::Bridged),
    ]
}

proptest! {
    #![proptest_config(config(2048))]

    #[test]
    fn changes_alone_are_enough(
        per_pool in any::<bool>(),
        nr_vfs in 0u8..8,
        rounds in vec((any_whole(), vec(any_op(), 0..6)), 1..40),
    ) {
        let promiscuity = if per_pool { Promiscuity::PerPool } else { Promiscuity::HashOnly };
        let mut pair = Pair::new(promiscuity, nr_vfs);
        let mut earlier = pair.switch.clone();
        // All VFs are let in, or few of the messages would do anything.
        for v in 0..nr_vfs {
            let mut words = [0; 16];
            words[0] = 1;
            pair.act(&Op::Message(v, words));
        }
        for (whole, ops) in &rounds {
            for op in ops {
                pair.act(op);
            }
            match *whole {
                Whole::Nothing => {}
                Whole::Copy => {
                    let copy = pair.switch.clone();
                    pair.switch = std::mem::replace(&mut earlier, copy);
                }
                Whole::New(n) => pair.switch = new_switch(promiscuity, n),
                Whole::Bridged(set) => {
                    let stations = (0u8..16).filter(|n| set >> n & 1 != 0);
                    pair.switch.set_bridged(stations.map(|n| Behind {
                        addr: MacAddr(station(n)),
                        is_given: true,
                    }));
                }
                Whole::Foreign => Shadow::new().follow(&mut pair.switch, |_, _| {}),
                Whole::Shown => {
                    let other = new_switch(promiscuity, 3).image();
                    pair.follower.update(&other, |_, _| {});
                    pair.whole.update(&other, |_, _| {});
                }
            }
            pair.follow();
            prop_assert_eq!(pair.follow(), 0);
        }
    }
}
