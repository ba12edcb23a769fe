// SPDX-License-Identifier: GPL-2.0

//! Which frame reaches which function.
//!
//! [`Switch`] holds the desired state of every filter of the device: what the PF's network device
//! wants, what the administrator has set for each VF, and what each VF has asked for and got. The
//! registers are always a function of it: [`Switch::render`] computes the complete [`Image`], and
//! [`Shadow::follow`] writes the words in which the hardware differs. Nothing is ever read back, so a
//! reset of any kind is repaired by forgetting what the hardware held and writing the image again.
//!
//! A VF waits for the update its message leads to, and of several hundred words a message changes a few.
//! Whatever the image depends on is therefore tracked (`Tracked`): it is known what may have changed since
//! the shadow followed last, and that alone is rendered and compared.
//!
//! # Sharing and isolation
//!
//! Receive addresses and VLAN filters have one owner or a known set of members ([`rar`], [`vlvf`]).
//! Every function has a share of both that no other can take.
//!
//! The multicast hash table cannot be split: the hardware has one for all pools. A pool looks at it
//! only while `VMOLR.ROMPE` is set, which is the case only for functions that have multicast
//! addresses of their own and may receive at all. What remains is a property of the hardware: a pool
//! that receives some hashed multicast also receives what other functions' hashes let in, within its
//! own VLANs. No message makes a pool without multicast addresses receive any.
//!
//! Promiscuity is per pool on the 82576 (`ROPE` with a full `UTA`, `MPME`). Device models know only
//! the hash tables and `ROMPE`; [`Promiscuity`] says what follows from that.

mod admin;
mod image;
mod mailbox;
mod pf;
pub mod rar;
mod shadow;
mod trunk;
mod vf;
pub mod vlvf;

use crate::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    bitmap::Bitmap4096,
    error::AdminError,
    function::{
        Function,
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    mailbox::Policy,
    tracked::Tracked,
    vlan::VlanId, //
};
use core::hash::{
    Hash,
    Hasher, //
};

pub use self::{
    admin::{
        OwnAddresses,
        Quota,
        Quotas,
        VfConfig, //
    },
    image::Image,
    mailbox::{
        Event,
        Outcome, //
    },
    pf::{
        Behind,
        RawFrames,
        RxMode,
        RxModeOutcome, //
    },
    shadow::Shadow,
    trunk::{
        VlanRoom,
        IDLE_LOOKS, //
    },
    vf::{
        VfLink,
        VfStatus, //
    }, //
};

use self::{
    pf::Pf,
    rar::RarTable,
    vf::Vf,
    vlvf::VlvfTable, //
};

/// How a function can receive what no filter matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Promiscuity {
    /// As the datasheet says: `MPME` and `ROPE` act on one pool. The hash tables need not be filled
    /// for multicast, and filling `UTA` reaches only pools with `ROPE`.
    #[default]
    PerPool,
    /// `MPME` and `ROPE` do nothing, and both hash tables are gated by `ROMPE`: what QEMU's model
    /// implements. All multicast for one pool then takes a full `MTA`, which opens all multicast
    /// (never another VLAN) for every other pool with multicast addresses as well. That is taken into
    /// account, because the alternative is that the pool that is allowed to does not receive it.
    /// A full `UTA` would copy foreign unicast to those pools too, so it is not used: the default
    /// pool gives a promiscuous PF the unknown unicast of the wire.
    HashOnly,
}

/// Where frames between functions are switched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Loopback {
    /// In the device (virtual Ethernet bridge).
    #[default]
    Veb,
    /// By the neighbour on the wire (virtual Ethernet port aggregator).
    Vepa,
}

/// The desired state of every filter.
///
/// All methods are for one caller at a time, in any context; none of them blocks, allocates or does
/// work that grows with what a VF sends.
#[derive(Clone, Debug)]
pub struct Switch {
    nr_vfs: Tracked<u8>,
    promiscuity: Tracked<Promiscuity>,
    loopback: Tracked<Loopback>,
    /// Speed of the link in Mb/s, 0 while it is down.
    link_mbps: Tracked<u32>,
    policy: Policy,
    quotas: Quotas,
    own_addresses: OwnAddresses,
    pf: Tracked<Pf>,
    /// VLANs of the PF's network device.
    pf_vlans: Tracked<Bitmap4096>,
    /// Looks at which of them are used, as [`Switch::next_vlan_look`] counts them.
    vlan_look: u32,
    vfs: [Vf; MAX_VFS],
    rar: RarTable,
    vlvf: VlvfTable,
    /// VFs that have lost an address of their own choice, which is to be told.
    deprived: VfSet,
    /// VFs of which the controller has stopped a queue, which is to be told.
    stopped: VfSet,
    /// How often changes were taken, so that a shadow knows whether it was the last to do so.
    followed: u64,
}

impl Switch {
    /// A device without VFs whose PF receives nothing yet, to be told by [`Switch::identify`] what
    /// device it is.
    ///
    /// A constant, because a switch of several KiB has no place on a stack: a constant is copied to
    /// where it shall stay.
    pub const BLANK: Self = Self {
        nr_vfs: Tracked::new(0),
        promiscuity: Tracked::new(Promiscuity::PerPool),
        loopback: Tracked::new(Loopback::Veb),
        link_mbps: Tracked::new(0),
        policy: Policy::DEFAULT,
        quotas: Quotas::DEFAULT,
        own_addresses: OwnAddresses::DEFAULT,
        pf: Tracked::new(Pf::new(UnicastAddr::PLACEHOLDER)),
        pf_vlans: Tracked::new(Bitmap4096::EMPTY),
        // What was never used, at 0, has been idle for long enough.
        vlan_look: IDLE_LOOKS + 1,
        vfs: [const { Vf::new() }; MAX_VFS],
        rar: RarTable::new(0),
        vlvf: VlvfTable::new(0),
        deprived: VfSet::EMPTY,
        stopped: VfSet::EMPTY,
        followed: 0,
    };

    /// Receive address registers that nobody can have any more: addresses are in them, or they are kept for
    /// the own address of a function.
    #[must_use]
    pub fn address_entries_taken(&self) -> usize {
        // Widening.
        crate::regs::RAR_COUNT - self.rar.free().count_ones() as usize
    }

    /// Entries of the VLAN pool filter in use.
    #[must_use]
    pub fn vlan_entries_taken(&self) -> usize {
        self.vlvf.iter().count()
    }

    /// Sets what never changes: the device's `promiscuity`, and the PF's first address.
    pub fn identify(&mut self, pf_mac: UnicastAddr, promiscuity: Promiscuity) {
        self.pf.mac = pf_mac;
        self.promiscuity.set(promiscuity);
    }

    /// A device without VFs whose PF has address `pf_mac` and receives nothing yet.
    #[must_use]
    pub fn new(pf_mac: UnicastAddr, promiscuity: Promiscuity) -> Self {
        let mut switch = Self::BLANK;
        switch.identify(pf_mac, promiscuity);
        switch
    }

    /// Number of enabled VFs, 0..=7.
    #[must_use]
    pub const fn nr_vfs(&self) -> u8 {
        *self.nr_vfs.get()
    }

    /// The enabled VFs.
    #[must_use]
    pub const fn vfs(&self) -> VfSet {
        VfSet::first(self.nr_vfs())
    }

    /// The VF with this number, if it is enabled.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoVfs`] if none is enabled, [`AdminError::NoSuchVf`] if this one is not.
    pub fn vf_index(&self, vf: i64) -> Result<VfIndex, AdminError> {
        if self.nr_vfs() == 0 {
            return Err(AdminError::NoVfs);
        }
        u8::try_from(vf)
            .ok()
            .filter(|vf| *vf < self.nr_vfs())
            .and_then(VfIndex::new)
            .ok_or(AdminError::NoSuchVf)
    }

    /// The PF's pool: the one after the VFs'.
    #[must_use]
    pub const fn pf_pool(&self) -> u8 {
        self.nr_vfs()
    }

    /// Whether frames are sorted into pools: as soon as there are VFs.
    #[must_use]
    pub const fn uses_pools(&self) -> bool {
        self.nr_vfs() != 0
    }

    /// Enables `nr_vfs` VFs, or disables all with 0.
    ///
    /// Every VF starts with default settings and closed; all that was set for VFs before is gone, and so
    /// is where frames between functions were switched: without VFs nobody could see that. The PF keeps
    /// its filters. The pool layout changes: the caller has all queues at rest and receives nothing
    /// until the [`Shadow`] has followed, which it tells by [`vfs_were_changed`](Shadow::vfs_were_changed);
    /// or it resets the device and forgets the shadow.
    ///
    /// # Errors
    ///
    /// [`AdminError::TooManyVfs`] above seven, [`AdminError::VfsEnabled`] from one nonzero number to
    /// another.
    pub fn set_nr_vfs(&mut self, nr_vfs: u8) -> Result<(), AdminError> {
        if usize::from(nr_vfs) > MAX_VFS {
            return Err(AdminError::TooManyVfs);
        }
        if nr_vfs == self.nr_vfs() {
            return Ok(());
        }
        if nr_vfs != 0 && self.nr_vfs() != 0 {
            return Err(AdminError::VfsEnabled);
        }
        let mut rar = RarTable::new(nr_vfs);
        for (_, owner, addr) in self.rar.iter() {
            if owner == Function::Pf && rar.add(owner, addr).is_err() {
                self.pf.overflow(addr);
            }
        }
        self.nr_vfs.set(nr_vfs);
        self.vlvf = VlvfTable::new(nr_vfs);
        // None of the PF's VLANs has an entry yet.
        self.pf.vlan_overflow = true;
        self.fill_vlans();
        self.rar = rar;
        self.vfs = [const { Vf::new() }; MAX_VFS];
        self.loopback.set(Loopback::Veb);
        Ok(())
    }

    /// Takes over `nr_vfs` VFs that another driver of the PF has enabled. They may have drivers, which
    /// are called back as after a reset of the PF.
    ///
    /// # Errors
    ///
    /// As [`Switch::set_nr_vfs`].
    pub fn adopt(&mut self, nr_vfs: u8) -> Result<(), AdminError> {
        self.set_nr_vfs(nr_vfs)?;
        for vf in self.vfs.iter_mut().take(nr_vfs.into()) {
            vf.session.adopt();
        }
        Ok(())
    }

    /// Switches between functions in the device or on the wire.
    pub fn set_loopback(&mut self, loopback: Loopback) {
        self.loopback.set(loopback);
    }

    /// Where frames between functions are switched.
    #[must_use]
    pub const fn loopback(&self) -> Loopback {
        *self.loopback.get()
    }

    /// The link came up with `mbps` Mb/s, or went down (0). Rate limits follow the speed.
    pub fn set_link_speed(&mut self, mbps: u32) {
        self.link_mbps.set(mbps);
    }

    /// Sets how much a VF may ask and offend.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// How much a VF may ask and offend.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Notes that the PF was or will be reset: no VF works until it has made its handshake again.
    ///
    /// What the VFs held stays theirs until then, so that no other VF can snatch it meanwhile. The
    /// caller forgets the [`Shadow`] and writes the image after the reset.
    pub fn on_pf_reset(&mut self) {
        for vf in &mut self.vfs {
            vf.session.lose();
            vf.stuck = false;
        }
    }

    /// VLANs: entry of the pool filter, VLAN, and [`Function::bit`]s of the members.
    pub fn vlans(&self) -> impl Iterator<Item = (usize, VlanId, u8)> + '_ {
        self.vlvf.iter()
    }

    /// VFs that are cut off.
    #[must_use]
    pub fn quarantined(&self) -> VfSet {
        self.those(|vf| vf.session.is_quarantined())
    }

    /// VFs that have made their handshake, and work.
    #[must_use]
    pub fn open(&self) -> VfSet {
        self.those(|vf| vf.session.is_open())
    }

    /// VFs of which the controller has stopped a queue since [`Switch::take_stopped`] was last called.
    #[must_use]
    pub const fn stopped(&self) -> VfSet {
        self.stopped
    }

    /// Takes [`Switch::stopped`], to be told.
    pub fn take_stopped(&mut self) -> VfSet {
        core::mem::replace(&mut self.stopped, VfSet::EMPTY)
    }

    /// VFs that had a driver before the PF was reset, before the controller stopped their queues,
    /// or before they were cut off and let back, and have not made their handshake since.
    #[must_use]
    pub fn missing(&self) -> VfSet {
        self.those(|vf| vf.session.is_missing())
    }

    /// The enabled VFs for which that is true.
    fn those(&self, is: impl Fn(&Vf) -> bool) -> VfSet {
        let mut found = VfSet::EMPTY;
        for (index, vf) in self.enabled() {
            if is(vf) {
                found.insert(index);
            }
        }
        found
    }

    fn vf(&self, vf: VfIndex) -> &Vf {
        // PANIC: an index is below MAX_VFS by its type.
        &self.vfs[vf.index()]
    }

    fn vf_mut(&mut self, vf: VfIndex) -> &mut Vf {
        // PANIC: an index is below MAX_VFS by its type.
        &mut self.vfs[vf.index()]
    }

    /// Enabled VFs, with their number.
    fn enabled(&self) -> impl Iterator<Item = (VfIndex, &Vf)> {
        VfIndex::all()
            .zip(&self.vfs)
            .take(usize::from(self.nr_vfs()))
    }

    /// The VFs whose traffic flows now.
    #[must_use]
    pub fn live(&self) -> VfSet {
        let mut live = VfSet::EMPTY;
        for (index, vf) in self.enabled() {
            if vf.is_live() {
                live.insert(index);
            }
        }
        live
    }

    /// Who has `addr`, by whatever right.
    fn owner(&self, addr: UnicastAddr) -> Option<Holder> {
        if self.pf.mac == addr {
            return Some(Holder::Admin(Function::Pf));
        }
        for (index, vf) in self.enabled() {
            let f = Function::Vf(index);
            if vf.admin.mac == Some(addr) {
                return Some(Holder::Admin(f));
            }
            if *vf.tenant.mac == Some(addr) {
                return Some(Holder::Tenant(f));
            }
        }
        match self.rar.owner(addr) {
            Some(Function::Pf) => Some(Holder::Admin(Function::Pf)),
            Some(f) => Some(Holder::Tenant(f)),
            None if self.pf.may_hold(addr) => Some(Holder::Admin(Function::Pf)),
            None => None,
        }
    }

    /// Takes `addr` from the VF that chose it. Returns that VF.
    fn displace(&mut self, addr: UnicastAddr) -> Option<VfIndex> {
        let Some(Holder::Tenant(Function::Vf(index))) = self.owner(addr) else {
            return None;
        };
        self.rar.remove_if(Function::Vf(index), |held| held == addr);
        let vf = self.vf_mut(index);
        if *vf.tenant.mac == Some(addr) {
            vf.tenant.mac.set(None);
        }
        crate::counters::bump(&mut vf.counters.address_taken);
        Some(index)
    }
}

/// How often changes were taken, and what is to be told, decides nothing.
impl Hash for Switch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            nr_vfs,
            promiscuity,
            loopback,
            link_mbps,
            policy,
            quotas,
            own_addresses,
            pf,
            pf_vlans,
            vlan_look,
            vfs,
            rar,
            vlvf,
            deprived: _,
            stopped: _,
            followed: _,
        } = self;
        (nr_vfs, promiscuity, loopback, link_mbps, policy, quotas).hash(state);
        (own_addresses, pf, pf_vlans, vlan_look, vfs, rar, vlvf).hash(state);
    }
}

/// By what right a function has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// The host's administrator or the PF: beats a VF's choice.
    Admin(Function),
    /// A VF's own choice.
    Tenant(Function),
}

impl Holder {
    const fn function(self) -> Function {
        match self {
            Self::Admin(f) | Self::Tenant(f) => f,
        }
    }
}

/// An address for user space: zero for none.
fn plain(addr: Option<UnicastAddr>) -> MacAddr {
    addr.map_or(MacAddr::ZERO, UnicastAddr::get)
}
