// SPDX-License-Identifier: GPL-2.0

//! Messages, resets and settings of seven VFs, straight from a fuzzer's bytes.
//!
//! Besides not panicking, what must hold after every step: no pool but the sender's changes, quotas
//! hold, and the registers are those a fresh device would be given.

use std::collections::BTreeMap;

use igb_core::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    function::VfIndex,
    mailbox::{
        Admit,
        Policy,
        Words, //
    },
    switch::{
        Promiscuity,
        Quota,
        Quotas,
        Shadow,
        Switch, //
        VfLink,
    }, //
};

const PF_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xf0]);

/// Bytes of one message: a head and as many words as the longest message has.
const STEP: usize = 4 + 16 * 4;

struct World {
    switch: Switch,
    shadow: Shadow,
    regs: BTreeMap<u32, u32>,
    now: u64,
}

impl World {
    fn new(nr_vfs: u8) -> Self {
        let mac = UnicastAddr::new(PF_MAC).unwrap();
        let mut switch = Switch::new(mac, Promiscuity::PerPool);
        switch.set_nr_vfs(nr_vfs).unwrap();
        switch.set_policy(Policy {
            offence_limit: 50,
            ..Policy::DEFAULT
        });
        let mut world = Self {
            switch,
            shadow: Shadow::new(),
            regs: BTreeMap::new(),
            now: 1 << 40,
        };
        world.sync();
        world
    }

    fn sync(&mut self) {
        let regs = &mut self.regs;
        self.shadow.follow(&mut self.switch, |offset, value| {
            regs.insert(offset, value);
        });
    }

    /// What is in the registers about the pool of another function.
    fn pool(&self, pool: u32) -> Vec<u32> {
        let read = |offset| self.regs.get(&offset).copied().unwrap_or(0);
        let addresses = (0..24).map(|n| {
            if n < 16 {
                0x5400 + 8 * n
            } else {
                0x5460 + 8 * n
            }
        });
        let mut view: Vec<u32> = addresses
            .filter(|base| read(base + 4) >> (18 + pool) & 1 != 0)
            .flat_map(|base| [read(base), read(base + 4)])
            .collect();
        view.extend(
            (0..32)
                .map(|n| read(0x5d00 + 4 * n))
                .filter_map(|entry| (entry >> (12 + pool) & 1 != 0).then_some(entry & 0x8000_0fff)),
        );
        view.extend([
            read(0x5ad0 + 4 * pool),
            read(0x3700 + 4 * pool),
            read(0x0c8c) >> pool & 1,
            read(0x0c90) >> pool & 1,
            read(0x3500) & (0x101 << pool),
        ]);
        view
    }

    fn step(&mut self, head: [u8; 4], words: &Words) {
        let [what, vf, dt, arg] = head;
        let nr_vfs = self.switch.nr_vfs();
        let Some(vf) = VfIndex::new(vf % nr_vfs) else {
            return;
        };
        self.now += 1 << (dt % 40);
        let [_, low, high, ..] = *words;
        let on = arg & 1 != 0;
        match what {
            0 => {
                // The hardware closes the VF by itself.
                for offset in [0x0c8c, 0x0c90] {
                    self.regs
                        .entry(offset)
                        .and_modify(|w| *w &= !u32::from(vf.bit()));
                }
                self.shadow.vf_was_reset(vf);
                self.switch.on_flr(vf);
            }
            1 => {
                self.switch.on_pf_reset();
                self.shadow.forget();
            }
            2 => self.switch.set_vf_trust(vf, on),
            3 => {
                let _ = self.switch.set_vf_mac(vf, MacAddr::from_words(low, high));
            }
            4 => {
                let _ = self
                    .switch
                    .set_vf_vlan(vf, (low & 0xffff) as u16, arg, 0x8100);
            }
            5 => {
                self.switch.release(vf);
            }
            6 => {
                let state = if on { VfLink::Auto } else { VfLink::Disable };
                let _ = self.switch.set_vf_link_state(vf, state);
            }
            7 => {
                self.switch.on_mailbox_held(vf, self.now);
            }
            8 => {
                let quota = |word: u32| Quota {
                    macs: (word & 0xff) as u8,
                    vlans: (word >> 8 & 0xff) as u8,
                };
                self.switch.set_quotas(Quotas {
                    untrusted: quota(low),
                    trusted: quota(high),
                });
            }
            9 => self.switch.set_policy(Policy {
                requests_per_sec: low,
                burst: high,
                offence_limit: arg.into(),
                offence_decay: dt.into(),
            }),
            _ => return self.message(vf, words),
        }
        self.sync();
    }

    fn message(&mut self, vf: VfIndex, words: &Words) {
        if self.switch.admit(vf, self.now).0 != Admit::Serve {
            return;
        }
        let others = (0..=u32::from(self.switch.nr_vfs())).filter(|p| *p != u32::from(vf.get()));
        let before: Vec<_> = others.clone().map(|p| self.pool(p)).collect();
        let outcome = self.switch.on_message(vf, words, self.now);
        self.sync();
        let after: Vec<_> = others.map(|p| self.pool(p)).collect();
        assert_eq!(before, after);

        let reply = outcome.reply.map(|reply| reply.words().to_vec());
        assert!(reply.is_none_or(|reply| matches!(reply.len(), 1 | 3)));
        let status = self.switch.status(vf);
        let config = self.switch.config(vf);
        assert!(status.macs <= config.quota.macs.into());
        assert!(status.vlans <= usize::from(config.quota.vlans).max(1));
    }
}

/// Runs one input: a number of VFs, then steps.
pub fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let mut world = World::new(1 + first % 7);
    for step in rest.chunks(STEP) {
        let mut bytes = [0; STEP];
        bytes[..step.len()].copy_from_slice(step);
        let (head, body) = bytes.split_at(4);
        let mut words: Words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(body.chunks_exact(4)) {
            *word = u32::from_le_bytes(bytes.try_into().unwrap());
        }
        world.step(head.try_into().unwrap(), &words);
    }
    // Writing all registers anew must make no difference.
    let mut fresh = BTreeMap::new();
    Shadow::new().update(&world.switch.image(), |offset, value| {
        fresh.insert(offset, value);
    });
    for (offset, value) in fresh {
        assert_eq!(world.regs.get(&offset), Some(&value), "{offset:x}");
    }
}
