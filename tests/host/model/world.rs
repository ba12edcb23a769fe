// SPDX-License-Identifier: GPL-2.0

//! The real switch with the device it drives, and the intent: every operation is done to both.

use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    bitmap::Bitmap4096,
    function::VfIndex,
    mailbox::{
        Admit,
        Policy, //
    },
    switch::{
        Loopback,
        OwnAddresses,
        Promiscuity,
        Quota,
        Quotas,
        RxMode,
        Shadow,
        Switch, //
        VfLink,
    },
    vlan::VlanList, //
};

use super::{
    client::echo,
    device::{
        Device,
        Mac,
        Registers,
        Source, //
    },
    intent::{
        hash,
        Intent,
        Verdict,
        Vf, //
    },
    ops::{
        probes,
        Op,
        LISTS,
        PF_MAC,
        TRUNK, //
    }, //
};

/// What registers hold after a reset, for all the driver knows.
pub const GARBAGE: u32 = 0x5a5a_5a5a;

/// The real switch with the device it drives, and the intent.
pub struct World {
    pub switch: Switch,
    pub shadow: Shadow,
    pub regs: Registers,
    pub intent: Intent,
    pub now: u64,
    /// The last reset of a VF was before its enables were last written.
    opened_since: bool,
    /// Check every step of every update.
    pub check_transitions: bool,
    /// The device was reset since the last update.
    after_reset: bool,
    /// What `is_greedy` said before the operation.
    was_greedy: u8,
    device: Device,
}

pub fn vf_index(v: u8) -> VfIndex {
    VfIndex::new(v).unwrap()
}

impl World {
    pub fn new(device: Device, nr_vfs: u8) -> Self {
        let promiscuity = match device {
            Device::Hardware => Promiscuity::PerPool,
            Device::Qemu => Promiscuity::HashOnly,
        };
        let mac = UnicastAddr::new(MacAddr(PF_MAC)).unwrap();
        let mut world = Self {
            switch: Switch::new(mac, promiscuity),
            shadow: Shadow::new(),
            regs: Registers::new(GARBAGE),
            intent: Intent::new(PF_MAC, device == Device::Qemu),
            now: 1_000_000_000_000,
            opened_since: false,
            check_transitions: false,
            after_reset: true,
            was_greedy: 0,
            device,
        };
        // Quarantine has its own tests; here it comes only by command.
        world.switch.set_policy(Policy {
            offence_limit: 0,
            ..Policy::DEFAULT
        });
        world.switch.set_receive(true);
        world.apply(&Op::SetNrVfs(nr_vfs));
        world
    }

    fn reset_device(&mut self) {
        self.regs = Registers::new(GARBAGE);
        self.shadow.forget();
        self.after_reset = true;
    }

    /// Brings the registers up to date, as the driver does after each operation.
    pub fn sync(&mut self) {
        let old = self.regs.clone();
        let mut steps = Vec::new();
        let regs = &mut self.regs;
        let check = self.check_transitions && !self.after_reset;
        self.after_reset = false;
        self.shadow.follow(&mut self.switch, |offset, value| {
            regs.write(offset, value);
            if check {
                steps.push(regs.clone());
            }
        });
        for step in &steps {
            self.check_step(&old, step);
        }
    }

    /// No step on the way may let through what neither end does, or keep from somebody whose pool stays open
    /// what both ends let through and somebody sends whose pool stays open, too.
    fn check_step(&self, old: &Registers, step: &Registers) {
        // An address on its way from one VF to another is no one's for a moment, and then, like any
        // unknown address, the PF's if it is promiscuous.
        let greedy = (self.was_greedy | self.is_greedy()) << self.intent.vfs.len();
        for frame in probes(8).into_iter().step_by(3) {
            let got = step.deliver(self.device, frame).pools & !greedy;
            let before = old.deliver(self.device, frame).pools;
            let after = self.regs.deliver(self.device, frame).pools;
            assert_eq!(got & !(before | after), 0, "{frame:x?} during an update");
            let open = self.stays_open(old, step);
            let pf = 1u8 << self.intent.vfs.len();
            let is_sent = match frame.source {
                Source::Wire => true,
                Source::Pool(pool) => (open | pf) >> pool & 1 != 0,
            };
            if is_sent {
                assert_eq!(
                    before & after & open & !got,
                    0,
                    "{frame:x?} lost on the way"
                );
            }
        }
    }

    /// VFs' pools that are not closed for the time their VLAN or their tenant changes.
    fn stays_open(&self, old: &Registers, step: &Registers) -> u8 {
        let vfs = (1u8 << self.intent.vfs.len()) - 1;
        let open = [old, step, &self.regs].map(|regs| regs.read(0x0c8c) & regs.read(0x0c90));
        let [before, now, after] = open.map(|pools| pools as u8 & vfs);
        before & now & after
    }

    /// Whether the PF takes unknown unicast.
    fn is_greedy(&self) -> u8 {
        let pf = &self.intent.pf;
        u8::from(pf.promisc || pf.overflow || !pf.vlan_filter || pf.vlan_overflow)
    }

    pub fn apply(&mut self, op: &Op) {
        let nr_vfs = self.intent.vfs.len() as u8;
        let missing = match op {
            Op::VfMac(v, _)
            | Op::VfVlan(v, ..)
            | Op::Checks(v, ..)
            | Op::AllowVlans(v, _)
            | Op::Trust(v, _)
            | Op::Link(v, _)
            | Op::Rate(v, ..)
            | Op::Quarantine(v)
            | Op::Release(v)
            | Op::Flr(v)
            | Op::Message(v, _) => *v >= nr_vfs,
            _ => false,
        };
        self.was_greedy = self.is_greedy();
        if !missing {
            self.apply_pf(op);
            self.apply_vf(op);
        }
        self.note_vlans();
        self.sync();
    }

    fn apply_pf(&mut self, op: &Op) {
        let Self { switch, intent, .. } = self;
        match op {
            Op::SetNrVfs(n) => self.set_nr_vfs(*n),
            Op::PfMac(mac) => {
                let Some(addr) = UnicastAddr::new(MacAddr(*mac)) else {
                    return;
                };
                let done = switch.set_pf_mac(addr).is_ok();
                assert_eq!(done, !intent.admin_has(*mac));
                if done {
                    intent.displace(*mac);
                    intent.pf.mac = *mac;
                    intent.pf.unicast.remove(mac);
                }
            }
            Op::RxMode {
                promisc,
                allmulti,
                unicast,
                multicast,
            } => {
                let outcome = switch.set_rx_mode(
                    RxMode {
                        promisc: *promisc,
                        allmulti: *allmulti,
                    },
                    unicast.iter().map(|m| MacAddr(*m)),
                    multicast.iter().map(|m| MacAddr(*m)),
                );
                intent.pf.promisc = *promisc;
                intent.pf.allmulti = *allmulti;
                intent.pf.overflow = outcome.overflow;
                intent.pf.multicast = multicast.iter().map(|m| hash(*m)).collect();
                intent.pf.unicast.clear();
                for mac in unicast {
                    let valid = mac[0] & 1 == 0 && *mac != [0; 6] && *mac != intent.pf.mac;
                    if valid && !intent.admin_has(*mac) {
                        intent.displace(*mac);
                        intent.pf.unicast.insert(*mac);
                    }
                }
            }
            Op::VlanAdd(vid) => {
                let done = switch.vlan_add(*vid).is_ok();
                assert_eq!(done, *vid < 4095);
                if done && *vid != 0 {
                    intent.pf.vlans.insert(*vid);
                }
            }
            Op::VlanDel(vid) => {
                switch.vlan_del(*vid);
                intent.pf.vlans.remove(vid);
            }
            Op::Trunk(on) => {
                for vid in TRUNK {
                    if *on {
                        assert_eq!(switch.vlan_add(vid), Ok(()));
                        intent.pf.vlans.insert(vid);
                    } else {
                        switch.vlan_del(vid);
                        intent.pf.vlans.remove(&vid);
                    }
                }
            }
            Op::VlansUsed(vids, idle) => {
                let mut used = Bitmap4096::EMPTY;
                for vid in vids {
                    used.insert(*vid);
                }
                switch.serve_vlans(&used);
                for _ in 0..20 * u8::from(*idle) {
                    switch.next_vlan_look();
                }
            }
            Op::VlanFilter(on) => {
                switch.set_vlan_filter(*on);
                intent.pf.vlan_filter = *on;
            }
            Op::VlanStrip(on) => switch.set_rx_vlan_strip(*on),
            Op::MaxFrame(n) => {
                let done = switch.set_max_frame(*n).is_ok();
                assert_eq!(done, (64..=9724).contains(n));
            }
            Op::Veb(on) => {
                switch.set_loopback(if *on { Loopback::Veb } else { Loopback::Vepa });
                intent.veb = *on;
            }
            Op::LinkSpeed(mbps) => switch.set_link_speed(*mbps),
            Op::Quotas(trusted, macs, vlans) => self.set_quota(*trusted, *macs, *vlans),
            Op::OwnAddresses(level) => {
                switch.set_own_addresses(OwnAddresses::from_level(*level).unwrap());
                intent.own_addresses = *level;
                for v in 0..self.switch.nr_vfs() {
                    self.trim(v);
                }
            }
            Op::PfReset => {
                switch.on_pf_reset();
                for vf in &mut intent.vfs {
                    vf.open = false;
                }
                self.reset_device();
            }
            _ => {}
        }
    }

    /// Takes over which VLANs of the PF have an entry, and checks that it is those of its share at least.
    fn note_vlans(&mut self) {
        let pf = &mut self.intent.pf;
        let entries = self.switch.vlans().map(|(_, vid, _)| vid.get());
        pf.served = entries.filter(|vid| pf.vlans.contains(vid)).collect();
        pf.vlan_overflow = self.switch.vlans_overflow();
        let with_pools = !self.intent.vfs.is_empty();
        assert!(!with_pools || pf.served.len() >= pf.vlans.len().min(4));
        assert!(with_pools || !pf.vlan_overflow);
        assert!(!with_pools || pf.vlan_overflow || pf.served == pf.vlans);
    }

    fn set_nr_vfs(&mut self, n: u8) {
        let now = self.intent.vfs.len() as u8;
        let done = self.switch.set_nr_vfs(n).is_ok();
        let legal = n <= 7 && (n == now || n == 0 || now == 0);
        assert_eq!(done, legal);
        if done && n != now {
            let quotas = self.intent.quotas;
            self.intent.vfs = vec![
                Vf {
                    quotas,
                    ..Vf::new()
                };
                n.into()
            ];
            self.intent.veb = true;
            self.intent.pf.overflow = self.switch.pf_overflowed();
            self.reset_device();
        }
    }

    fn set_quota(&mut self, trusted: bool, macs: u8, vlans: u8) {
        let quota = Quota { macs, vlans };
        let old = *self.switch.quotas();
        self.switch.set_quotas(if trusted {
            Quotas {
                trusted: quota,
                ..old
            }
        } else {
            Quotas {
                untrusted: quota,
                ..old
            }
        });
        self.intent.quotas[usize::from(trusted)] = (macs.into(), vlans.into());
        for v in 0..self.switch.nr_vfs() {
            self.intent.vfs[usize::from(v)].quotas = self.intent.quotas;
            self.trim(v);
        }
    }

    fn apply_vf(&mut self, op: &Op) {
        let Self { switch, intent, .. } = self;
        match *op {
            Op::VfMac(v, mac) => self.set_vf_mac(v, mac),
            Op::VfVlan(v, vid, qos, proto) => {
                let done = switch.set_vf_vlan(vf_index(v), vid, qos, proto);
                let legal = proto == 0x8100 && vid < 4095 && qos < 8 && (vid != 0 || qos == 0);
                // A VF's own share always has room for the one VLAN it then is in.
                assert_eq!(done.is_ok(), legal);
                let vf = &mut intent.vfs[usize::from(v)];
                if legal && vid != 0 {
                    vf.port_vlan = Some((vid, qos));
                    vf.vlans.clear();
                } else if legal {
                    vf.port_vlan = None;
                }
            }
            Op::Checks(v, mac, vlan) => {
                switch.set_vf_checks(vf_index(v), mac, vlan);
                let vf = &mut intent.vfs[usize::from(v)];
                vf.mac_check = mac.unwrap_or(vf.mac_check);
                vf.vlan_check = vlan.unwrap_or(vf.vlan_check);
            }
            Op::AllowVlans(v, list) => {
                let (text, allowed) = LISTS[list];
                switch.set_vf_vlans(vf_index(v), VlanList::parse(text).unwrap());
                let vf = &mut intent.vfs[usize::from(v)];
                vf.allowed = allowed.map(<[u16]>::to_vec);
                let copy = vf.clone();
                vf.vlans.retain(|vid| copy.may_join(*vid));
            }
            Op::Trust(v, on) => {
                switch.set_vf_trust(vf_index(v), on);
                let vf = &mut intent.vfs[usize::from(v)];
                vf.trusted = on;
                if !on {
                    vf.all_multicast = false;
                    vf.overflow = false;
                    if vf.admin_mac.is_some() {
                        vf.mac = None;
                    }
                }
                self.trim(v);
            }
            Op::Link(v, state) => {
                let done = switch.set_vf_link_state(vf_index(v), state).is_ok();
                assert_eq!(done, state != VfLink::Enable);
                if done {
                    intent.vfs[usize::from(v)].enabled = state == VfLink::Auto;
                }
            }
            Op::Rate(v, min, max) => {
                if switch.set_vf_rate(vf_index(v), min, max).is_ok() {
                    assert_eq!(min, 0);
                    intent.vfs[usize::from(v)].rate = max;
                }
            }
            Op::Quarantine(v) => {
                switch.quarantine(vf_index(v));
                let vf = &mut intent.vfs[usize::from(v)];
                vf.quarantined = true;
                vf.open = false;
                vf.evict();
            }
            Op::Release(v) => {
                switch.release(vf_index(v));
                intent.vfs[usize::from(v)].quarantined = false;
            }
            Op::Flr(v) => {
                // The hardware closes the VF by itself; but the PF may have opened it again before
                // it heard of the reset.
                self.opened_since = !self.opened_since;
                for offset in [0x0c8c, 0x0c90] {
                    let enables = self.regs.read(offset);
                    let bit = 1u32 << v;
                    self.regs.write(
                        offset,
                        if self.opened_since {
                            enables | bit
                        } else {
                            enables & !bit
                        },
                    );
                }
                self.shadow.vf_was_reset(vf_index(v));
                switch.on_flr(vf_index(v));
                intent.vfs[usize::from(v)].evict();
                intent.vfs[usize::from(v)].open = false;
            }
            Op::Message(v, words) => {
                self.message(v, &words);
            }
            _ => {}
        }
    }

    fn set_vf_mac(&mut self, v: u8, mac: Mac) {
        let done = self.switch.set_vf_mac(vf_index(v), MacAddr(mac)).is_ok();
        let n = usize::from(v);
        if mac == [0; 6] {
            assert!(done);
            self.intent.vfs[n].admin_mac = None;
            return;
        }
        let pf = &self.intent.pf;
        let taken = pf.mac == mac || pf.unicast.contains(&mac);
        let others = self.intent.vfs.iter().enumerate();
        let taken = taken
            || others
                .into_iter()
                .any(|(m, vf)| m != n && vf.admin_mac == Some(mac));
        if mac[0] & 1 != 0 || taken {
            assert!(!done);
        }
        // Otherwise only a hash of an address of the PF without register can be in the way.
        assert!(done || mac[0] & 1 != 0 || taken || pf.overflow);
        if done {
            self.intent.displace(mac);
            let vf = &mut self.intent.vfs[n];
            vf.admin_mac = Some(mac);
            vf.mac = None;
            self.trim(v);
        }
    }

    /// After a setting took something away: which filters beyond a quota are dropped is the real
    /// one's choice, how many remain is not.
    fn trim(&mut self, v: u8) {
        let own = self.intent.clone();
        let vf = &mut self.intent.vfs[usize::from(v)];
        if !vf.trusted {
            vf.mac = vf.mac.filter(|mac| own.permits(*mac));
            vf.filters.retain(|mac| own.permits(*mac));
        }
        let vf = &mut self.intent.vfs[usize::from(v)];
        let (mut macs, vlans) = vf.quota();
        if vf.admin_mac.is_some() && !vf.trusted {
            macs = 0;
        }
        let status = self.switch.status(vf_index(v));
        assert_eq!(status.macs, vf.filters.len().min(macs));
        self.sync();
        let regs = &self.regs;
        let held: Vec<_> = self.switch.owned().collect();
        let vf = &mut self.intent.vfs[usize::from(v)];
        vf.filters.retain(|mac| {
            held.iter()
                .any(|(_, f, m)| m.get().0 == *mac && f.bit() == 1 << v)
        });
        assert_eq!(vf.filters.len(), status.macs);
        if vf.port_vlan.is_none() {
            assert_eq!(status.vlans, vf.vlans.len().min(vlans));
            vf.vlans.retain(|vid| regs.vlan_members(*vid) >> v & 1 != 0);
            assert_eq!(vf.vlans.len(), status.vlans);
        }
    }

    /// Sends a message and checks the answer. Returns whether it was granted.
    pub fn message(&mut self, v: u8, words: &[u32; 16]) -> Option<bool> {
        self.now += 3_000_000_000;
        let (admit, _) = self.switch.admit(vf_index(v), self.now);
        let n = usize::from(v);
        if self.intent.vfs[n].quarantined {
            assert_eq!(admit, Admit::Ignore);
            let outcome = self.switch.on_message(vf_index(v), words, self.now);
            assert_eq!(outcome.reply, None);
            return None;
        }
        assert_eq!(admit, Admit::Serve);
        let open = self.intent.vfs[n].open;
        let verdict = self.intent.predict(n, words);
        let before = self.switch.image();
        let outcome = self.switch.on_message(vf_index(v), words, self.now);
        assert!(outcome.changed || self.switch.image() == before);
        let reply = outcome.reply.expect("three seconds since the last");
        let reply = reply.words();
        if words[0] == 1 {
            self.check_handshake(n, reply);
            return Some(true);
        }
        assert_eq!(reply.len(), 1);
        assert_eq!(reply[0] & 0x1fff_ffff, echo(words[0]));
        let cts = reply[0] & 0x2000_0000 != 0;
        let ack = reply[0] & 0x8000_0000 != 0;
        assert_eq!(ack, reply[0] & 0x4000_0000 == 0);
        assert_eq!(cts, self.intent.vfs[n].live());
        if !open {
            assert!(!ack);
            return Some(false);
        }
        assert!(
            verdict == Verdict::Either || ack == (verdict == Verdict::Yes),
            "{words:x?}: expected {verdict:?}, got ack {ack}; {:x?}",
            self.intent
        );
        self.intent.apply(n, words, ack);
        Some(ack)
    }

    fn check_handshake(&mut self, n: usize, reply: &[u32]) {
        let vf = &mut self.intent.vfs[n];
        vf.evict();
        vf.open = true;
        match vf.admin_mac {
            Some(m) => {
                let low = u32::from_le_bytes([m[0], m[1], m[2], m[3]]);
                let high = u32::from_le_bytes([m[4], m[5], 0, 0]);
                assert_eq!(reply, [0x8000_0001, low, high]);
            }
            None => assert_eq!(reply, [0x4000_0001, 0, 0]),
        }
    }
}
