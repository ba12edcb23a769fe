// SPDX-License-Identifier: GPL-2.0

//! What administrator, PF and VFs were told they got, and which frames that entitles them to.
//!
//! A second, naive implementation of the policy: lists instead of slots, raw words instead of parsed
//! messages. Where the outcome depends on what is left of a shared table it says so and takes over
//! what the real one answered.

use std::collections::BTreeSet;

use super::device::{
    Delivery,
    Frame,
    Mac,
    Source, //
};

/// What the answer to a request must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Yes,
    No,
    /// Depends on shared tables.
    Either,
}

#[derive(Clone, Debug)]
pub struct Vf {
    pub admin_mac: Option<Mac>,
    /// VID and priority.
    pub port_vlan: Option<(u16, u8)>,
    pub mac_check: bool,
    pub vlan_check: bool,
    /// The VLANs it may ask for, if not all.
    pub allowed: Option<Vec<u16>>,
    pub trusted: bool,
    pub enabled: bool,
    pub rate: u32,
    /// Quotas without and with trust: addresses, VLANs.
    pub quotas: [(usize, usize); 2],
    pub open: bool,
    pub quarantined: bool,
    pub mac: Option<Mac>,
    pub filters: Vec<Mac>,
    pub vlans: BTreeSet<u16>,
    pub hashes: Vec<u16>,
    pub all_multicast: bool,
    pub overflow: bool,
    pub max_frame: u32,
}

impl Vf {
    pub fn new() -> Self {
        Self {
            admin_mac: None,
            port_vlan: None,
            mac_check: true,
            vlan_check: true,
            allowed: None,
            trusted: false,
            enabled: true,
            rate: 0,
            quotas: [(3, 8), (8, 16)],
            open: false,
            quarantined: false,
            mac: None,
            filters: Vec::new(),
            vlans: BTreeSet::new(),
            hashes: Vec::new(),
            all_multicast: false,
            overflow: false,
            max_frame: 1522,
        }
    }

    pub fn primary(&self) -> Option<Mac> {
        self.mac.or(self.admin_mac)
    }

    pub fn live(&self) -> bool {
        self.open && self.enabled && !self.quarantined
    }

    pub fn quota(&self) -> (usize, usize) {
        self.quotas[usize::from(self.trusted)]
    }

    pub fn gets_all_multicast(&self) -> bool {
        self.trusted && (self.all_multicast || self.overflow)
    }

    pub fn evict(&mut self) {
        let fresh = Self::new();
        self.mac = None;
        self.filters.clear();
        self.vlans.clear();
        self.hashes.clear();
        self.all_multicast = false;
        self.overflow = false;
        self.max_frame = fresh.max_frame;
    }

    fn owns(&self, mac: Mac) -> bool {
        self.admin_mac == Some(mac) || self.mac == Some(mac) || self.filters.contains(&mac)
    }

    fn receives(&self, mac: Mac) -> bool {
        self.primary() == Some(mac) || self.filters.contains(&mac)
    }

    pub fn may_join(&self, vid: u16) -> bool {
        self.allowed.as_ref().is_none_or(|list| list.contains(&vid))
    }

    fn in_vlan(&self, vid: Option<u16>) -> bool {
        match (self.port_vlan, vid) {
            (Some((port, _)), vid) => vid == Some(port),
            (None, None | Some(0)) => true,
            (None, Some(vid)) => self.vlans.contains(&vid),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Pf {
    pub mac: Mac,
    pub unicast: BTreeSet<Mac>,
    pub overflow: bool,
    pub multicast: BTreeSet<u16>,
    pub promisc: bool,
    pub allmulti: bool,
    pub vlans: BTreeSet<u16>,
    pub vlan_filter: bool,
    /// Not all of `vlans` have an entry of the pool filter.
    pub vlan_overflow: bool,
    /// Those of `vlans` that have one, as the real one says.
    pub served: BTreeSet<u16>,
}

impl Pf {
    fn in_vlan(&self, vid: Option<u16>) -> bool {
        vid.is_none_or(|vid| vid == 0 || self.vlans.contains(&vid))
    }

    fn all_vlans(&self) -> bool {
        self.promisc || !self.vlan_filter
    }

    fn owns(&self, mac: Mac) -> bool {
        self.mac == mac || self.unicast.contains(&mac)
    }
}

#[derive(Clone, Debug)]
pub struct Intent {
    pub pf: Pf,
    pub vfs: Vec<Vf>,
    /// Quotas without and with trust: addresses, VLANs.
    pub quotas: [(usize, usize); 2],
    /// Addresses VFs may choose without trust. 0: none, 1: locally administered, 2: any.
    pub own_addresses: u32,
    pub veb: bool,
    /// Filling the multicast table is the only way to all multicast.
    pub hash_only: bool,
}

pub fn hash(mac: Mac) -> u16 {
    u16::from(mac[5]) << 4 | u16::from(mac[4]) >> 4
}

fn station(mac: Mac) -> bool {
    mac[0] & 1 == 0 && mac != [0; 6]
}

impl Intent {
    pub fn new(mac: Mac, hash_only: bool) -> Self {
        Self {
            pf: Pf {
                mac,
                unicast: BTreeSet::new(),
                overflow: false,
                multicast: BTreeSet::new(),
                promisc: false,
                allmulti: false,
                vlans: BTreeSet::new(),
                vlan_filter: true,
                vlan_overflow: false,
                served: BTreeSet::new(),
            },
            vfs: Vec::new(),
            quotas: Vf::new().quotas,
            own_addresses: 1,
            veb: true,
            hash_only,
        }
    }

    /// Whether a VF may choose `mac` without trust.
    pub fn permits(&self, mac: Mac) -> bool {
        match self.own_addresses {
            0 => false,
            1 => mac[0] & 2 != 0,
            _ => true,
        }
    }

    /// Whether someone but VF `v` has `mac` and VF `v` may therefore not have it.
    fn foreign(&self, v: usize, mac: Mac) -> bool {
        let others = self.vfs.iter().enumerate().filter(|(n, _)| *n != v);
        self.pf.owns(mac) || others.into_iter().any(|(_, vf)| vf.owns(mac))
    }

    /// Takes `mac` from VFs that chose it.
    pub fn displace(&mut self, mac: Mac) {
        for vf in &mut self.vfs {
            vf.filters.retain(|m| *m != mac);
            if vf.mac == Some(mac) {
                vf.mac = None;
            }
        }
    }

    pub fn admin_has(&self, mac: Mac) -> bool {
        self.vfs.iter().any(|vf| vf.admin_mac == Some(mac))
    }

    /// Predicts the answer to `words` from VF `v`, which is open.
    pub fn predict(&self, v: usize, words: &[u32; 16]) -> Verdict {
        let vf = &self.vfs[v];
        let no_if = |refuse| if refuse { Verdict::No } else { Verdict::Yes };
        if words[0] >> 24 != 0 {
            return Verdict::No;
        }
        let info = words[0] >> 16;
        let mac = mac_of(words);
        let bad_mac = words[2] >> 16 != 0 || !station(mac) || self.foreign(v, mac);
        let locked = !vf.trusted && (vf.admin_mac.is_some() || !self.permits(mac));
        // An address of the PF that has no register is known by its hash only.
        let guess = if self.pf.overflow {
            Verdict::Either
        } else {
            Verdict::Yes
        };
        match (words[0] & 0xffff, info) {
            (2, 0) if bad_mac => Verdict::No,
            (2, 0) if vf.owns(mac) && vf.primary() == Some(mac) => Verdict::Yes,
            (2, 0) if vf.admin_mac == Some(mac) => Verdict::Yes,
            (2, 0) if locked => Verdict::No,
            (2, 0) => guess,
            (2, 1) => Verdict::Yes,
            (2, 2) if bad_mac || locked => Verdict::No,
            (2, 2) if vf.receives(mac) => Verdict::Yes,
            (2, 2) if vf.filters.len() >= vf.quota().0 => Verdict::No,
            (2, 2) if vf.filters.is_empty() => guess,
            (2, 2) => Verdict::Either,
            (3, _) => {
                let n = (info & 0x1f) as usize;
                let malformed =
                    info & 0x60 != 0 || n > 30 || hashes_of(words, n).iter().any(|h| *h > 4095);
                no_if(malformed || (info & 0x80 != 0 && !vf.trusted))
            }
            (4, 0 | 1) if words[1] > 4095 || vf.port_vlan.is_some() => Verdict::No,
            (4, 0 | 1) => {
                let vid = words[1] as u16;
                if vid == 4095 {
                    Verdict::No
                } else if info == 0 || vid == 0 || vf.vlans.contains(&vid) {
                    Verdict::Yes
                } else if !vf.may_join(vid) || vf.vlans.len() >= vf.quota().1 {
                    Verdict::No
                } else if vf.vlans.len() < 2 {
                    Verdict::Yes
                } else {
                    Verdict::Either
                }
            }
            (5, 0) => no_if(!(64..=0xffff).contains(&words[1])),
            (6, 0) => Verdict::Yes,
            (6, 2) => no_if(!vf.trusted),
            _ => Verdict::No,
        }
    }

    /// Applies `words` from VF `v`, which is open, given the answer.
    pub fn apply(&mut self, v: usize, words: &[u32; 16], ack: bool) {
        let info = words[0] >> 16;
        let vf = &mut self.vfs[v];
        match (words[0] & 0xffff, info, ack) {
            (2, 0, true) if vf.primary() == Some(mac_of(words)) => {}
            (2, 0, true) => {
                let mac = mac_of(words);
                vf.mac = if vf.admin_mac == Some(mac) {
                    None
                } else {
                    Some(mac)
                };
                if vf.mac.is_some() {
                    vf.filters.retain(|m| *m != mac);
                }
            }
            (2, 1, true) => vf.filters.clear(),
            (2, 2, true) if !vf.receives(mac_of(words)) => vf.filters.push(mac_of(words)),
            (3, _, _) => {
                // A list cut off is taken as far as it goes, whether or not the rest is granted.
                let n = (info & 0x1f) as usize;
                let hashes = hashes_of(words, n.min(30));
                let well_formed = info & !0x9f == 0 && n <= 30 && hashes.iter().all(|h| *h <= 4095);
                if well_formed {
                    vf.hashes = hashes;
                    vf.overflow = info & 0x80 != 0 && vf.trusted;
                }
            }
            (4, 1, true) if words[1] != 0 => {
                vf.vlans.insert(words[1] as u16);
            }
            (4, 0, true) => {
                vf.vlans.remove(&(words[1] as u16));
            }
            (5, 0, true) => vf.max_frame = words[1].min(0x2600),
            (6, 0..=3, _) => vf.all_multicast = info & 2 != 0 && vf.trusted,
            _ => {}
        }
    }

    fn pf_pool(&self) -> u8 {
        1 << self.vfs.len()
    }

    /// Pools that must get a frame, and pools that may.
    pub fn expect(&self, frame: Frame) -> (Delivery, Delivery) {
        let mut vid = frame.vid;
        if let Source::Pool(p) = frame.source {
            if let Some(vf) = self.vfs.get(usize::from(p)) {
                if !vf.live() {
                    return Default::default();
                }
                vid = vf.port_vlan.map(|(vid, _)| vid).or(vid);
            }
            if self.vfs.is_empty() || !self.veb {
                let out = Delivery {
                    pools: 0,
                    wire: true,
                };
                return (out, out);
            }
        }
        let (must, may) = self.pools_for(frame.dst, vid, frame.source);
        let local = frame.source != Source::Wire;
        let wire = local && (frame.dst[0] & 1 != 0 || !self.known(frame.dst));
        (
            Delivery { pools: must, wire },
            Delivery { pools: may, wire },
        )
    }

    /// Whether a receive address register has `mac`. Without knowledge of registers, overflowing
    /// addresses of the PF are none.
    fn known(&self, mac: Mac) -> bool {
        self.pf.owns(mac) || self.vfs.iter().any(|vf| vf.live() && vf.receives(mac))
    }

    fn pools_for(&self, dst: Mac, vid: Option<u16>, source: Source) -> (u8, u8) {
        let mut must = 0;
        let mut may = 0;
        for (n, vf) in self.vfs.iter().enumerate() {
            if !vf.live() || !vf.in_vlan(vid) {
                continue;
            }
            let bit = 1 << n;
            let (m, y) = self.wants(
                dst,
                vf.receives(dst),
                vf.gets_all_multicast(),
                vf.hashes.contains(&hash(dst)),
                !vf.hashes.is_empty(),
            );
            must |= bit * u8::from(m);
            may |= bit * u8::from(y);
        }
        let pf = &self.pf;
        let by_register = pf.owns(dst) && (!pf.overflow || pf.mac == dst);
        let (m, y) = self.wants(
            dst,
            by_register,
            pf.promisc || pf.allmulti,
            pf.multicast.contains(&hash(dst)),
            !pf.multicast.is_empty(),
        );
        let y = y || pf.owns(dst);
        if self.pf_sees_vlan(vid) {
            must |= self.pf_pool() * u8::from(m);
            may |= self.pf_pool() * u8::from(y);
        }
        self.add_default_pool(dst, vid, source, &mut must, &mut may);
        (must, may)
    }

    /// Whether the filters give the PF frames of this VLAN. Even a PF that wants all VLANs gets, by
    /// filter, only those someone has joined.
    fn pf_sees_vlan(&self, vid: Option<u16>) -> bool {
        let joined = |vf: &Vf| {
            let port = vf.port_vlan.map(|(vid, _)| vid);
            vid == port || vid.is_some_and(|vid| port.is_none() && vf.vlans.contains(&vid))
        };
        let unserved = |vid| self.pf.vlan_overflow && !self.pf.served.contains(&vid);
        let pf_joined = self.pf.in_vlan(vid) && !vid.is_some_and(|vid| vid != 0 && unserved(vid));
        pf_joined
            || (self.pf.all_vlans() && self.vfs.iter().any(joined))
            || (self.vfs.is_empty() && self.pf.all_vlans())
    }

    /// Unicast of the wire that no filter matches, for a PF that wants more than filters can give.
    fn add_default_pool(
        &self,
        dst: Mac,
        vid: Option<u16>,
        source: Source,
        must: &mut u8,
        may: &mut u8,
    ) {
        let pf = &self.pf;
        if dst[0] & 1 != 0 {
            return;
        }
        if source == Source::Wire {
            // Frames for a VF in a VLAN that VF is not in end up there as well, and frames in VLANs
            // the device lets in for others.
            if pf.promisc || pf.overflow || pf.all_vlans() || pf.vlan_overflow {
                *may |= self.pf_pool();
            }
            let own = pf.owns(dst)
                && (pf.all_vlans() || ((pf.overflow || pf.vlan_overflow) && pf.in_vlan(vid)));
            if own || (pf.promisc && !self.known(dst)) {
                *must |= self.pf_pool();
            }
        } else if !self.known(dst) || pf.overflow {
            let by_table = (pf.promisc || pf.overflow) && !self.hash_only;
            if by_table && self.pf_sees_vlan(vid) {
                *may |= self.pf_pool();
                *must |= self.pf_pool() * u8::from(pf.promisc && !self.known(dst));
            }
        }
    }

    /// Whether a function must and may get a frame in one of its VLANs.
    fn wants(
        &self,
        dst: Mac,
        own: bool,
        all_multicast: bool,
        hashed: bool,
        any_hash: bool,
    ) -> (bool, bool) {
        if dst == [0xff; 6] {
            return (true, true);
        }
        if dst[0] & 1 == 0 {
            return (own, own);
        }
        let must = all_multicast || hashed;
        // The table is shared, so what it lets in for one reaches everyone who looks at it.
        let looks = any_hash || all_multicast;
        (must, must || (looks && self.in_table(hash(dst))))
    }

    fn in_table(&self, hash: u16) -> bool {
        let live = || self.vfs.iter().filter(|vf| vf.live());
        let filled = self.hash_only
            && !self.vfs.is_empty()
            && (self.pf.promisc || self.pf.allmulti || live().any(Vf::gets_all_multicast));
        filled || self.pf.multicast.contains(&hash) || live().any(|vf| vf.hashes.contains(&hash))
    }
}

pub fn mac_of(words: &[u32; 16]) -> Mac {
    let l = words[1].to_le_bytes();
    let h = words[2].to_le_bytes();
    [l[0], l[1], l[2], l[3], h[0], h[1]]
}

fn hashes_of(words: &[u32; 16], n: usize) -> Vec<u16> {
    words[1..]
        .iter()
        .flat_map(|w| [*w as u16, (*w >> 16) as u16])
        .take(n)
        .collect()
}
