// SPDX-License-Identifier: GPL-2.0

//! A register file, and which frame reaches which pool according to it.
//!
//! Written from the description of the hardware, in numbers, on purpose: it shares no definition with
//! the crate it checks.

use super::map;

/// A station or group address.
pub type Mac = [u8; 6];

/// Which of two devices evaluates the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// 82576 as documented: MPME, ROPE and ROMPE act on one pool each.
    Hardware,
    /// QEMU's model: MPME and ROPE do nothing, ROMPE gates both hash tables.
    Qemu,
}

/// Where a frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Wire,
    Pool(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub dst: Mac,
    /// VID of the tag, if there is one.
    pub vid: Option<u16>,
    pub source: Source,
}

/// Where a frame goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub pools: u8,
    pub wire: bool,
}

/// Bytes of register space that are modelled.
const SPACE: usize = 0x1_1000;

/// 82576 registers after a reset: every word is `garbage` until it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    words: Vec<u32>,
    rates: [u32; 16],
    selected_queue: usize,
}

impl Registers {
    pub fn new(garbage: u32) -> Self {
        Self {
            words: vec![garbage; SPACE / 4],
            rates: [0; 16],
            selected_queue: usize::MAX,
        }
    }

    pub fn write(&mut self, offset: u32, value: u32) {
        assert!(map::can_be_written(offset), "{offset:#x} is no register");
        match offset {
            0x3604 => self.selected_queue = value as usize,
            0x3690 => assert_eq!(value, 0x14),
            0x36b0 => self.rates[self.selected_queue] = value,
            _ => self.words[offset as usize / 4] = value,
        }
    }

    pub fn read(&self, offset: u32) -> u32 {
        self.words[offset as usize / 4]
    }

    pub fn rate(&self, queue: u32) -> u32 {
        self.rates[queue as usize]
    }

    /// All words that differ from what a reset leaves, with their offsets.
    pub fn written(&self, garbage: u32) -> Vec<(u32, u32)> {
        (0u32..)
            .step_by(4)
            .zip(self.words.iter().copied())
            .filter(|(_, value)| *value != garbage)
            .collect()
    }

    /// Contents, without the selector of a write-only window.
    pub fn contents(&self) -> (&[u32], &[u32; 16]) {
        (&self.words, &self.rates)
    }

    fn bit_of_table(&self, base: u32, n: u32) -> bool {
        self.read(base + 4 * (n >> 5)) >> (n & 31) & 1 != 0
    }

    fn hash(mac: Mac) -> u32 {
        (u32::from(mac[5]) << 4) | (u32::from(mac[4]) >> 4)
    }

    fn address_entries(&self) -> impl Iterator<Item = (Mac, u8)> + '_ {
        let bases = (0..24).map(|n| {
            if n < 16 {
                0x5400 + 8 * n
            } else {
                0x5460 + 8 * n
            }
        });
        bases.filter_map(|base| {
            let (low, high) = (self.read(base), self.read(base + 4));
            let l = low.to_le_bytes();
            let h = high.to_le_bytes();
            let mac = [l[0], l[1], l[2], l[3], h[0], h[1]];
            (high & 0x8000_0000 != 0).then_some((mac, (high >> 18 & 0xff) as u8))
        })
    }

    /// Valid receive addresses and their pools.
    pub fn addresses(&self) -> Vec<(Mac, u8)> {
        self.address_entries().collect()
    }

    fn exact(&self, mac: Mac) -> Option<u8> {
        let hits = self.address_entries().filter(|(m, _)| *m == mac);
        hits.map(|(_, pools)| pools).reduce(|a, b| a | b)
    }

    fn pools_with(&self, vmolr_bit: u32) -> u8 {
        (0..8)
            .filter(|p| self.read(0x5ad0 + 4 * p) & vmolr_bit != 0)
            .fold(0, |set, p| set | 1 << p)
    }

    pub fn uses_pools(&self) -> bool {
        self.read(0x581c) & 1 << 30 != 0
    }

    /// Pools a frame reaches.
    pub fn deliver(&self, device: Device, frame: Frame) -> Delivery {
        if !self.uses_pools() {
            return self.deliver_without_pools(frame);
        }
        let loopback = self.read(0x3500) & 1 << 31 != 0;
        let mut vid = frame.vid;
        if let Source::Pool(p) = frame.source {
            if self.read(0x0c90) >> p & 1 == 0 {
                return Delivery::default();
            }
            let vmvir = self.read(0x3700 + 4 * u32::from(p));
            if vmvir & 0x4000_0000 != 0 {
                vid = Some((vmvir & 0xfff) as u16);
            }
            if !loopback {
                return Delivery {
                    pools: 0,
                    wire: true,
                };
            }
        }
        let from_wire = frame.source == Source::Wire;
        let wire = !from_wire && (frame.dst[0] & 1 != 0 || self.exact(frame.dst).is_none());
        Delivery {
            pools: self.pools_for(device, frame.dst, vid, from_wire),
            wire,
        }
    }

    fn pools_for(&self, device: Device, dst: Mac, vid: Option<u16>, from_wire: bool) -> u8 {
        let filter_vlans = self.read(0x0100) & 1 << 18 != 0;
        if let Some(vid) = vid {
            if filter_vlans && !self.bit_of_table(0x5600, vid.into()) {
                return 0;
            }
        }
        let mut pools = self.address_match(device, dst);
        if filter_vlans {
            pools &= match vid {
                None => self.pools_with(1 << 24),
                Some(vid) => self.vlan_members(vid),
            };
        }
        let vt_ctl = self.read(0x581c);
        if pools == 0 && dst[0] & 1 == 0 && from_wire && vt_ctl & 1 << 29 == 0 {
            pools = 1 << (vt_ctl >> 7 & 7);
        }
        pools & self.read(0x0c8c) as u8
    }

    fn address_match(&self, device: Device, dst: Mac) -> u8 {
        if dst == [0xff; 6] {
            return self.pools_with(1 << 27);
        }
        if let Some(pools) = self.exact(dst) {
            return pools;
        }
        let multicast = dst[0] & 1 != 0;
        let table = if multicast { 0x5200 } else { 0xa000 };
        let hit = self.bit_of_table(table, Self::hash(dst));
        let rompe = if hit { self.pools_with(1 << 25) } else { 0 };
        match (device, multicast) {
            (Device::Qemu, _) => rompe,
            (Device::Hardware, true) => rompe | self.pools_with(1 << 28),
            (Device::Hardware, false) if hit => self.pools_with(1 << 26),
            (Device::Hardware, false) => 0,
        }
    }

    pub fn vlan_members(&self, vid: u16) -> u8 {
        (0..32)
            .map(|n| self.read(0x5d00 + 4 * n))
            .filter(|e| e & 0x8000_0000 != 0 && e & 0xfff == u32::from(vid))
            .fold(0, |set, e| set | (e >> 12 & 0xff) as u8)
    }

    fn deliver_without_pools(&self, frame: Frame) -> Delivery {
        if let Source::Pool(_) = frame.source {
            return Delivery {
                pools: 0,
                wire: true,
            };
        }
        let rctl = self.read(0x0100);
        let tagged_in = frame
            .vid
            .is_none_or(|vid| rctl & 1 << 18 == 0 || self.bit_of_table(0x5600, vid.into()));
        let dst = frame.dst;
        let accepted = if dst == [0xff; 6] {
            rctl & 1 << 15 != 0
        } else if dst[0] & 1 != 0 {
            rctl & 1 << 4 != 0 || self.bit_of_table(0x5200, Self::hash(dst))
        } else {
            rctl & 1 << 3 != 0 || self.exact(dst).is_some()
        };
        Delivery {
            pools: u8::from(accepted && tagged_in),
            wire: false,
        }
    }
}
