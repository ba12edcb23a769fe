// SPDX-License-Identifier: GPL-2.0

//! The registers a [`Switch`] stands for.

use super::{
    rar::primary_entry,
    vf::Vf,
    Loopback,
    Promiscuity,
    Switch, //
};
use crate::{
    addr::UnicastAddr,
    bitmap::Bitmap4096,
    frame::{
        MAX_FRAME,
        VLAN_TAG, //
    },
    function::{
        Function,
        VfIndex,
        VfSet, //
    },
    rate,
    regs::{
        dtxctl,
        dtxctl::Dtxctl,
        dtxswc,
        dtxswc::Dtxswc,
        qde,
        qde::Qde,
        rah,
        rah::Rah,
        rctl,
        rctl::Rctl,
        rplolr,
        rplolr::Rplolr,
        rttbcnrc::Rttbcnrc,
        vlvf,
        vlvf::Vlvf,
        vmolr,
        vmolr::Vmolr,
        vmvir,
        vmvir::Vmvir,
        vt_ctl,
        vt_ctl::VtCtl,
        Word,
        POOL_COUNT,
        QUEUE_COUNT,
        RAR_COUNT,
        TABLE_WORDS,
        VLVF_COUNT, //
    },
    vlan::PortVlan, //
};

/// Complete contents of the registers that decide which frame reaches which function.
///
/// About 2 KiB: keep one next to the [`Switch`] and render into it rather than passing it by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub(super) ral: [u32; RAR_COUNT],
    pub(super) rah: [Rah; RAR_COUNT],
    pub(super) mta: [u32; TABLE_WORDS],
    pub(super) uta: [u32; TABLE_WORDS],
    pub(super) vfta: [u32; TABLE_WORDS],
    pub(super) vlvf: [Vlvf; VLVF_COUNT],
    pub(super) vmolr: [Vmolr; POOL_COUNT],
    pub(super) vmvir: [Vmvir; POOL_COUNT],
    pub(super) rttbcnrc: [Rttbcnrc; QUEUE_COUNT],
    pub(super) rctl: Rctl,
    pub(super) rlpml: u32,
    pub(super) qde: Qde,
    pub(super) vt_ctl: VtCtl,
    pub(super) dtxctl: Dtxctl,
    pub(super) dtxswc: Dtxswc,
    pub(super) rplolr: Rplolr,
    pub(super) vfre: u32,
    pub(super) vfte: u32,
}

impl Image {
    /// All registers zero.
    pub const ZERO: Self = Self {
        ral: [0; RAR_COUNT],
        rah: [Rah::ZERO; RAR_COUNT],
        mta: [0; TABLE_WORDS],
        uta: [0; TABLE_WORDS],
        vfta: [0; TABLE_WORDS],
        vlvf: [Vlvf::ZERO; VLVF_COUNT],
        vmolr: [Vmolr::ZERO; POOL_COUNT],
        vmvir: [Vmvir::ZERO; POOL_COUNT],
        rttbcnrc: [Rttbcnrc::ZERO; QUEUE_COUNT],
        rctl: Rctl::ZERO,
        rlpml: 0,
        qde: Qde::ZERO,
        vt_ctl: VtCtl::ZERO,
        dtxctl: Dtxctl::ZERO,
        dtxswc: Dtxswc::ZERO,
        rplolr: Rplolr::ZERO,
        vfre: 0,
        vfte: 0,
    };

    fn clear_rar(&mut self, entry: usize) {
        if let (Some(ral), Some(rah)) = (self.ral.get_mut(entry), self.rah.get_mut(entry)) {
            (*ral, *rah) = (0, Rah::ZERO);
        }
    }

    fn set_rar(&mut self, entry: usize, addr: UnicastAddr, pools: u8) {
        let [low, high] = addr.get().to_words();
        if let (Some(ral), Some(rah)) = (self.ral.get_mut(entry), self.rah.get_mut(entry)) {
            *ral = low;
            *rah = rah::address(high) | rah::AV | rah::pools(pools);
        }
    }
}

/// Registers that may differ from what they were when changes were last taken.
///
/// What the PF or the administrator changes is not told apart: nobody waits for it. What VFs ask for is,
/// as it is written in the interrupt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changes {
    /// Any.
    pub(super) all: bool,
    /// Receive addresses.
    pub(super) addresses: bool,
    /// The primary addresses of these VFs.
    pub(super) primary: VfSet,
    /// The hash tables.
    pub(super) multicast: bool,
    /// The VLAN tables.
    pub(super) vlans: bool,
    /// What the pools of these VFs accept.
    pub(super) pools: VfSet,
    /// Who may send and receive.
    pub(super) enables: bool,
}

impl Changes {
    pub(super) const ALL: Self = Self {
        all: true,
        addresses: true,
        primary: VfSet::from_bits(u8::MAX),
        multicast: true,
        vlans: true,
        pools: VfSet::from_bits(u8::MAX),
        enables: true,
    };
}

impl Switch {
    /// What may have changed since this was last called.
    pub(super) fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        // Not `||`: each mark is to be taken.
        let mut all = self.nr_vfs.take_changed()
            | self.promiscuity.take_changed()
            | self.loopback.take_changed()
            | self.link_mbps.take_changed()
            | self.pf.take_changed();
        for (index, vf) in VfIndex::all().zip(&mut self.vfs) {
            all |= vf.admin.take_changed();
            if vf.session.take_changed() {
                // Only who is let in has multicast, and addresses.
                changes.multicast = true;
                changes.enables = true;
                changes.primary.insert(index);
                changes.addresses |= self.rar.count(Function::Vf(index)) != 0;
            }
            if vf.tenant.mac.take_changed() {
                changes.primary.insert(index);
            }
            if vf.tenant.multicast.take_changed() {
                changes.multicast = true;
                changes.pools.insert(index);
            }
            if vf.tenant.max_frame.take_changed() {
                changes.pools.insert(index);
            }
        }
        changes.addresses |= self.rar.take_changed();
        changes.vlans = self.pf_vlans.take_changed();
        // An address behind a bridge has a register as long as no VF has the address.
        if self.has_bridged() {
            changes.addresses |= !changes.primary.is_empty();
        }
        if self.vlvf.take_changed() {
            changes.vlans = true;
            // Whether tags are stripped depends on whether there are VLANs.
            changes.pools = self.vfs();
        }
        if all {
            Changes::ALL
        } else {
            changes
        }
    }

    /// The registers that make the device do what this value says.
    #[must_use]
    pub fn image(&self) -> Image {
        let mut image = Image::ZERO;
        self.render(&mut image);
        image
    }

    /// Replaces the contents of `image` by the registers that make the device do what this value says.
    pub fn render(&self, image: &mut Image) {
        *image = Image::ZERO;
        self.render_addresses(image);
        self.render_multicast(image);
        self.render_vlans(image);
        self.render_pools(image);
        self.render_rates(image);
        self.render_global(image);
        self.render_enables(image);
    }

    /// The same, for an `image` that was right before the `changes`.
    pub(super) fn render_changes(&self, image: &mut Image, changes: &Changes) {
        if changes.all {
            self.render(image);
            return;
        }
        if changes.addresses {
            image.ral = [0; RAR_COUNT];
            image.rah = [Rah::ZERO; RAR_COUNT];
            self.render_addresses(image);
        } else {
            for vf in changes.primary.iter() {
                self.render_primary(image, vf);
            }
        }
        if changes.multicast {
            self.render_multicast(image);
        }
        if changes.vlans {
            image.vlvf = [Vlvf::ZERO; VLVF_COUNT];
            self.render_vlans(image);
        }
        for vf in changes.pools.intersection(self.vfs()).iter() {
            self.render_pool(image, vf);
        }
        if changes.enables {
            self.render_enables(image);
        }
    }

    fn render_primary(&self, image: &mut Image, vf: VfIndex) {
        // The entries of VFs that are not enabled are handed out to others.
        if !self.vfs().contains(vf) {
            return;
        }
        let held = self.vf(vf).mac().filter(|_| self.vf(vf).is_live());
        match held {
            Some(addr) => image.set_rar(primary_entry(vf), addr, vf.bit()),
            None => image.clear_rar(primary_entry(vf)),
        }
    }

    fn pf_pool_bit(&self) -> u8 {
        Function::Pf.pool_bit(self.nr_vfs())
    }

    /// [`Function::bit`]s to pool bits.
    fn pools(&self, members: u8) -> u8 {
        let vfs = members & self.vfs().bits();
        if members & Function::Pf.bit() == 0 {
            vfs
        } else {
            vfs | self.pf_pool_bit()
        }
    }

    fn render_addresses(&self, image: &mut Image) {
        for (entry, owner, addr) in self.addresses() {
            image.set_rar(entry, addr, owner.pool_bit(self.nr_vfs()));
        }
    }

    /// The addresses in force: entry of the receive address table, owner and address.
    ///
    /// A VF's are in force while its traffic flows. What a closed VF owns is kept for it, as
    /// [`Switch::owned`] says, but is in no register: nothing needs it there, as the VF neither
    /// receives nor sends, and frames to it may have another way meanwhile, such as a network
    /// device that stands in for it behind a bridge on the PF.
    pub fn addresses(&self) -> impl Iterator<Item = (usize, Function, UnicastAddr)> + '_ {
        let bridged = self.bridged_entries();
        self.in_force()
            .chain(bridged.map(|(entry, addr)| (entry, Function::Pf, addr)))
    }

    /// The same without those behind bridges on the PF.
    pub(super) fn in_force(&self) -> impl Iterator<Item = (usize, Function, UnicastAddr)> + '_ {
        self.owned().filter(|(_, owner, _)| match owner {
            Function::Pf => true,
            Function::Vf(vf) => self.vf(*vf).is_live(),
        })
    }

    /// The addresses that nobody else can have, in force or not: entry of the receive address table
    /// that is kept for it, owner and address.
    pub fn owned(&self) -> impl Iterator<Item = (usize, Function, UnicastAddr)> + '_ {
        let primary = self
            .enabled()
            .filter_map(|(index, vf)| Some((primary_entry(index), Function::Vf(index), vf.mac()?)));
        [(0, Function::Pf, self.pf.mac)]
            .into_iter()
            .chain(self.rar.iter())
            .chain(primary)
    }

    /// The `MTA` is the union over all functions that receive; whom a hit reaches is up to `ROMPE`.
    fn render_multicast(&self, image: &mut Image) {
        let mut table = self.pf.multicast;
        for (_, vf) in self.enabled().filter(|(_, vf)| vf.is_live()) {
            for hash in vf.tenant.multicast.hashes.iter() {
                table.insert(hash.get());
            }
        }
        if self.fills_mta() {
            table = Bitmap4096::FULL;
        }
        image.mta = *table.words();
        let all =
            self.uses_pools() && self.pf.all_unicast() && *self.promiscuity == Promiscuity::PerPool;
        image.uta = [if all { u32::MAX } else { 0 }; TABLE_WORDS];
    }

    /// Whether all multicast for some function needs the whole hash table.
    fn fills_mta(&self) -> bool {
        let all = |(_, vf): (VfIndex, &Vf)| vf.is_live() && vf.all_multicast();
        self.uses_pools()
            && *self.promiscuity == Promiscuity::HashOnly
            && (self.pf.all_multicast() || self.enabled().any(all))
    }

    fn render_vlans(&self, image: &mut Image) {
        if !self.uses_pools() {
            let mut table = *self.pf_vlans;
            table.insert(0);
            image.vfta = *table.words();
            return;
        }
        let pf = if self.pf.all_vlans() {
            self.pf_pool_bit()
        } else {
            0
        };
        // Also those without an entry: their frames match no pool.
        let mut table = *self.pf_vlans;
        table.insert(0);
        let [priority_tagged, ..] = &mut image.vlvf;
        *priority_tagged = vlvf::entry(0, self.untagged_pools());
        for (n, vid, members) in self.vlvf.iter() {
            if let Some(entry) = image.vlvf.get_mut(n) {
                // The PF needs no membership of its own while a VF has an entry.
                let rides = if self.pf_vlans.contains(vid.get()) {
                    self.pf_pool_bit()
                } else {
                    0
                };
                *entry = vlvf::entry(vid.get(), self.pools(members) | rides | pf);
            }
            table.insert(vid.get());
        }
        if pf != 0 {
            table = Bitmap4096::FULL;
        }
        image.vfta = *table.words();
    }

    /// Pools that receive frames without a VLAN.
    fn untagged_pools(&self) -> u8 {
        let mut pools = self.pf_pool_bit();
        for (index, vf) in self.enabled() {
            if vf.admin.vlan.is_none() {
                pools |= index.bit();
            }
        }
        pools
    }

    fn render_pools(&self, image: &mut Image) {
        // Without pools the offload register of every queue's would-be pool must let frames through.
        let idle = when(!self.uses_pools(), vmolr::AUPE);
        image.vmolr = [self.fcs_is_stripped() | idle; POOL_COUNT];
        for vf in self.vfs().iter() {
            self.render_pool(image, vf);
        }
        if let Some(olr) = image.vmolr.get_mut(usize::from(self.pf_pool())) {
            *olr = self.pf_vmolr();
        }
    }

    fn render_pool(&self, image: &mut Image, index: VfIndex) {
        let vf = self.vf(index);
        let own_vlans = self.vlvf.count(Function::Vf(index)) != 0;
        if let (Some(olr), Some(vir)) = (
            image.vmolr.get_mut(index.index()),
            image.vmvir.get_mut(index.index()),
        ) {
            *olr = vf_vmolr(vf, own_vlans);
            *vir = vf.admin.vlan.map_or(vmvir::FROM_DESCRIPTOR, port_vlan_tag);
        }
    }

    fn pf_vmolr(&self) -> Vmolr {
        let pf = &self.pf;
        let per_pool = *self.promiscuity == Promiscuity::PerPool;
        let multicast = pf.all_multicast() || !pf.multicast.is_empty();
        self.fcs_is_stripped()
            | vmolr::AUPE
            | vmolr::BAM
            | vmolr::LPE
            | vmolr::rlpml(self.pf_rlpml())
            | when(pf.vlan_strip, vmolr::STRVLAN)
            | when(pf.rss, vmolr::RSSE)
            | when(multicast, vmolr::ROMPE)
            | when(pf.all_multicast(), vmolr::MPME)
            | when(pf.all_unicast() && per_pool, vmolr::ROPE)
    }

    /// What a function sends to another has no FCS: with pools none is to be seen.
    fn fcs_is_stripped(&self) -> Vmolr {
        when(self.uses_pools() || !self.pf.raw.fcs, vmolr::STRCRC)
    }

    fn pf_rlpml(&self) -> u16 {
        self.pf.max_frame.saturating_add(VLAN_TAG)
    }

    fn render_rates(&self, image: &mut Image) {
        let (first, second) = image.rttbcnrc.split_at_mut(POOL_COUNT);
        for ((_, vf), (a, b)) in self.enabled().zip(first.iter_mut().zip(second)) {
            *a = rate::rttbcnrc(vf.admin.max_tx_rate, *self.link_mbps);
            *b = if *a == rate::UNLIMITED {
                rate::UNLIMITED
            } else {
                rate::TRICKLE
            };
        }
    }

    fn render_global(&self, image: &mut Image) {
        let pf = &self.pf;
        image.rctl = rctl::BAM | rctl::LPE | when(pf.receive, rctl::EN);
        // The reset values, spelled out.
        image.dtxctl = dtxctl::ENABLE_8023LL | dtxctl::SPOOF_INT;
        if !self.uses_pools() {
            image.rlpml = u32::from(self.pf_rlpml());
            image.rctl |= when(pf.all_unicast(), rctl::UPE)
                | when(pf.all_multicast(), rctl::MPE)
                | when(!pf.all_vlans_without_pools(), rctl::VFE)
                | when(pf.raw.bad, rctl::SBP | rctl::PMCF)
                | when(!pf.raw.fcs, rctl::SECRC);
            return;
        }
        // Each pool has its own limit. VLANs of VFs are kept apart by the filter: it is always on.
        image.rlpml = u32::from(MAX_FRAME);
        image.rctl |= rctl::VFE | rctl::SECRC;
        // A ring without buffers must not hold up the other functions.
        image.qde = qde::ALL_QUEUES;
        // A queue of a VF with descriptors that must not be is stopped, and the PF hears of it. Not
        // of spoofed frames, which a VF could send without pause: they are looked for now and then.
        image.dtxctl = dtxctl::ENABLE_8023LL | dtxctl::VLAN_ADDED | dtxctl::MDP_EN;
        image.rplolr = rplolr::STRVLAN | rplolr::STRCRC;
        // What no filter matches is dropped unless the PF wants it. Otherwise the PF would receive, for
        // example, unicast for a VF on a VLAN that VF is not in.
        image.vt_ctl = vt_ctl::VM_REPL_EN
            | vt_ctl::default_pool(self.pf_pool().into())
            | when(!pf.takes_unmatched(), vt_ctl::DISABLE_DEF_POOL);
        image.dtxswc = dtxswc::mac_spoof(self.pools_of(|vf| vf.admin.mac_check))
            | dtxswc::vlan_spoof(self.pools_of(Vf::stays_in_its_vlans))
            | when(*self.loopback == Loopback::Veb, dtxswc::VMDQ_LOOPBACK_EN);
    }

    fn pools_of(&self, which: impl Fn(&Vf) -> bool) -> u8 {
        self.enabled()
            .filter(|(_, vf)| which(vf))
            .fold(0, |bits, (index, _)| bits | index.bit())
    }

    fn render_enables(&self, image: &mut Image) {
        let enables = self.own_enables() | u32::from(self.live().bits());
        image.vfre = enables;
        image.vfte = enables;
    }

    /// `VFRE` and `VFTE` with the PF's pool alone open.
    #[must_use]
    pub fn own_enables(&self) -> u32 {
        let enables = if self.uses_pools() {
            self.pf_pool_bit()
        } else {
            // The reset value: the enables do not stand for pools then.
            u8::MAX
        };
        enables.into()
    }
}

fn vf_vmolr(vf: &Vf, own_vlans: bool) -> Vmolr {
    let port_vlan = vf.admin.vlan.is_some();
    vmolr::STRCRC
        | vmolr::BAM
        | vmolr::LPE
        | vmolr::rlpml(*vf.tenant.max_frame)
        | when(!port_vlan, vmolr::AUPE)
        | when(port_vlan || own_vlans, vmolr::STRVLAN)
        | when(vf.wants_multicast(), vmolr::ROMPE)
        | when(vf.all_multicast(), vmolr::MPME)
}

fn port_vlan_tag(vlan: PortVlan) -> Vmvir {
    vmvir::insert(vlan.vid().get(), vlan.pcp())
}

fn when<V: Word>(condition: bool, bits: V) -> V {
    if condition {
        bits
    } else {
        V::from_bits(0)
    }
}
