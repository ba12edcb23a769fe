// SPDX-License-Identifier: GPL-2.0

//! What the administrator can set for a VF.
//!
//! Trust grants five things and no more: the VF may replace the address the administrator gave it,
//! may have extra addresses next to that one, may have any address that is nobody's here
//! ([`OwnAddresses`]), may receive all multicast, and has larger quotas.

use super::{
    plain,
    vf::VfLink,
    Holder,
    Switch, //
};
use crate::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    counters::{
        bump,
        Refusal, //
    },
    error::AdminError,
    function::{
        Function,
        VfIndex,
        VfSet, //
    },
    link::Speed,
    vlan::{
        PortVlan,
        VlanId,
        VlanList, //
    }, //
};

/// EtherType of 802.1Q, the only tag the device can insert.
const ETH_P_8021Q: u16 = 0x8100;

/// Filters a VF may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Extra unicast addresses.
    pub macs: u8,
    /// VLANs.
    pub vlans: u8,
}

impl Quota {
    /// For a VF without trust: as many addresses as an in-tree client uses.
    pub const UNTRUSTED: Self = Self { macs: 3, vlans: 8 };
    /// For a trusted VF.
    pub const TRUSTED: Self = Self { macs: 8, vlans: 16 };
}

/// Filters VFs may have, by their trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quotas {
    /// Each VF without trust.
    pub untrusted: Quota,
    /// Each trusted VF.
    pub trusted: Quota,
}

impl Quotas {
    /// What the device starts with.
    pub const DEFAULT: Self = Self {
        untrusted: Quota::UNTRUSTED,
        trusted: Quota::TRUSTED,
    };
}

/// Which addresses a VF without trust may choose, if the administrator has given it none.
///
/// In a switch in the device an address is where its frames go: who has that of a station outside
/// gets what all other functions send there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnAddresses {
    /// None.
    None,
    /// Those that are administered locally.
    Local,
    /// Any station's.
    Any,
}

impl OwnAddresses {
    /// What the device starts with. Clients that are given no address choose a random one, which is
    /// local; stations outside mostly have their vendor's.
    pub const DEFAULT: Self = Self::Local;

    /// Whether a VF may choose `addr`.
    #[must_use]
    pub const fn permits(self, addr: UnicastAddr) -> bool {
        match self {
            Self::None => false,
            Self::Local => addr.is_local(),
            Self::Any => true,
        }
    }

    /// As a number, as the administrator sets it: the more, the more is permitted.
    #[must_use]
    pub const fn level(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Local => 1,
            Self::Any => 2,
        }
    }

    /// The inverse of [`OwnAddresses::level`], 0..=2.
    #[must_use]
    pub const fn from_level(level: u32) -> Option<Self> {
        match level {
            0 => Some(Self::None),
            1 => Some(Self::Local),
            2 => Some(Self::Any),
            _ => None,
        }
    }
}

/// The settings of a VF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfConfig {
    /// Address in effect, zero for none.
    pub mac: MacAddr,
    /// VLAN the VF is in, 0 for none.
    pub vlan: u16,
    /// Priority of that VLAN's tag, 0..=7.
    pub qos: u8,
    /// Which VLANs the VF may join, if it is in none by the administrator's word.
    pub vlans: VlanList,
    /// The source addresses of frames the VF sends are checked.
    pub mac_check: bool,
    /// Their VLANs are, as was set: it is so in more cases.
    pub vlan_check: bool,
    /// Trust.
    pub trusted: bool,
    /// Link state.
    pub link_state: VfLink,
    /// Transmit limit in Mb/s, 0 for none.
    pub max_tx_rate: u32,
    /// Filters the VF may have.
    pub quota: Quota,
}

impl Switch {
    /// The settings of `vf`.
    #[must_use]
    pub fn config(&self, vf: VfIndex) -> VfConfig {
        let v = self.vf(vf);
        VfConfig {
            mac: plain(v.mac()),
            vlan: v.admin.vlan.map_or(0, |vlan| vlan.vid().get()),
            qos: v.admin.vlan.map_or(0, PortVlan::pcp),
            vlans: v.admin.vlans,
            mac_check: v.admin.mac_check,
            vlan_check: v.admin.vlan_check,
            trusted: v.admin.trusted,
            link_state: v.admin.link_state,
            max_tx_rate: v.admin.max_tx_rate,
            quota: self.quota(vf),
        }
    }

    /// Sets the address of `vf`; zero takes it back.
    ///
    /// A VF that had chosen the address for itself loses it ([`Switch::take_deprived`]). An untrusted VF
    /// also loses all other addresses it chose.
    ///
    /// # Errors
    ///
    /// [`AdminError::InvalidAddress`] if multicast, [`AdminError::AddressInUse`] if the PF has it or
    /// the administrator gave it to another VF.
    pub fn set_vf_mac(&mut self, vf: VfIndex, mac: MacAddr) -> Result<(), AdminError> {
        if mac.is_zero() {
            self.vf_mut(vf).admin.mac = None;
            return Ok(());
        }
        let addr = UnicastAddr::new(mac).ok_or(AdminError::InvalidAddress)?;
        match self.owner(addr) {
            Some(Holder::Admin(f)) if f != Function::Vf(vf) => {
                return Err(AdminError::AddressInUse);
            }
            Some(Holder::Tenant(f)) if f != Function::Vf(vf) => {
                if let Some(loser) = self.displace(addr) {
                    self.deprived.insert(loser);
                }
            }
            _ => self.rar.remove_if(Function::Vf(vf), |held| held == addr),
        }
        let v = self.vf_mut(vf);
        v.admin.mac = Some(addr);
        v.tenant.mac.set(None);
        self.enforce_quota(vf);
        Ok(())
    }

    /// Puts `vf` into VLAN `vid` with priority `qos`; VLAN 0 takes it out again.
    ///
    /// The VF sends and receives in that VLAN only and does not see the tag. VLANs it joined itself
    /// are dropped.
    ///
    /// # Errors
    ///
    /// [`AdminError::InvalidVlan`] above 4094, [`AdminError::InvalidPriority`] above 7 or without a
    /// VLAN, [`AdminError::VlanProtocol`] unless `proto` is 0x8100, [`AdminError::VlanTableFull`].
    pub fn set_vf_vlan(
        &mut self,
        vf: VfIndex,
        vid: u16,
        qos: u8,
        proto: u16,
    ) -> Result<(), AdminError> {
        let vlan = port_vlan(vid, qos, proto)?;
        let f = Function::Vf(vf);
        if let Some(vlan) = vlan {
            // The VLANs that are dropped make room, so try on a copy what is done in one step.
            let mut vlvf = self.vlvf.clone();
            vlvf.leave_if(f, |held| held != vlan.vid());
            vlvf.join(f, vlan.vid())
                .map_err(|_| AdminError::VlanTableFull)?;
            self.vlvf = vlvf;
        } else if self.vf(vf).admin.vlan.is_some() {
            self.vlvf.leave_if(f, |_| true);
        }
        self.vf_mut(vf).admin.vlan = vlan;
        Ok(())
    }

    /// Turns the checks of source addresses and VLANs of frames `vf` sends on or off, each that is given.
    ///
    /// A VF that was put into a VLAN, or may join some only, is checked for its VLANs in any case.
    pub fn set_vf_checks(&mut self, vf: VfIndex, mac: Option<bool>, vlan: Option<bool>) {
        let admin = &mut self.vf_mut(vf).admin;
        admin.mac_check = mac.unwrap_or(admin.mac_check);
        admin.vlan_check = vlan.unwrap_or(admin.vlan_check);
    }

    /// Lets `vf` join the VLANs in `vlans` only. It leaves others it has joined.
    ///
    /// The VLAN that the administrator put it into need not be among them.
    pub fn set_vf_vlans(&mut self, vf: VfIndex, vlans: VlanList) {
        self.vf_mut(vf).admin.vlans = vlans;
        if self.vf(vf).admin.vlan.is_none() {
            self.vlvf
                .leave_if(Function::Vf(vf), |vid| !vlans.permits(vid));
        }
    }

    /// Trusts `vf` or not. What only trust had granted is taken back with it ([`Switch::take_deprived`]).
    pub fn set_vf_trust(&mut self, vf: VfIndex, trusted: bool) {
        let v = self.vf_mut(vf);
        v.admin.trusted = trusted;
        if !trusted {
            v.tenant.multicast.all = false;
            v.tenant.multicast.overflow = false;
            if v.admin.mac.is_some() && v.tenant.mac.is_some() {
                v.tenant.mac.set(None);
                bump(&mut v.counters.address_taken);
                self.deprived.insert(vf);
            }
        }
        self.enforce_quota(vf);
    }

    /// Sets the link as `vf` sees it. The caller pings the VF afterwards.
    ///
    /// # Errors
    ///
    /// [`AdminError::NotSupported`] for [`VfLink::Enable`]: a VF reads the port's link in its own
    /// status register, so no one can show it a link that is not there.
    pub fn set_vf_link_state(&mut self, vf: VfIndex, state: VfLink) -> Result<(), AdminError> {
        if state == VfLink::Enable {
            return Err(AdminError::NotSupported);
        }
        self.vf_mut(vf).admin.link_state = state;
        Ok(())
    }

    /// Limits what `vf` sends to `max` Mb/s; 0 lifts the limit. It is kept when the link changes.
    ///
    /// Without a link, any speed the port can have is accepted: programs that enable VFs and set
    /// them up at once meet the link that is just coming back.
    ///
    /// The limit is for the VF's first queue, the only one in-tree clients use. The second gets next
    /// to nothing while there is a limit, so that using both does not double it.
    ///
    /// # Errors
    ///
    /// [`AdminError::InvalidRate`] if `min` is not 0, or if `max` is above the link speed, or without
    /// a link above the fastest.
    pub fn set_vf_rate(&mut self, vf: VfIndex, min: u32, max: u32) -> Result<(), AdminError> {
        let unchanged = max == self.vf(vf).admin.max_tx_rate;
        let fastest = match *self.link_mbps {
            0 => Speed::Mbps1000.mbps(),
            mbps => mbps,
        };
        if min != 0 || (max > fastest && !unchanged) {
            return Err(AdminError::InvalidRate);
        }
        self.vf_mut(vf).admin.max_tx_rate = max;
        Ok(())
    }

    /// Lets `vf` query the RSS configuration, or not.
    ///
    /// # Errors
    ///
    /// [`AdminError::NotSupported`] to allow it: the mailbox has no message for it.
    pub fn set_vf_query_rss(&mut self, _vf: VfIndex, on: bool) -> Result<(), AdminError> {
        if on {
            return Err(AdminError::NotSupported);
        }
        Ok(())
    }

    /// Sets how many filters VFs may have. Filters beyond a smaller quota are dropped. A quota is an
    /// upper limit: it does not take from other functions' shares. It outlives the VFs.
    pub fn set_quotas(&mut self, quotas: Quotas) {
        self.quotas = quotas;
        for vf in self.vfs().iter() {
            self.enforce_quota(vf);
        }
    }

    /// How many filters VFs may have.
    #[must_use]
    pub const fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// How many filters `vf` may have.
    pub(super) fn quota(&self, vf: VfIndex) -> Quota {
        if self.vf(vf).admin.trusted {
            self.quotas.trusted
        } else {
            self.quotas.untrusted
        }
    }

    /// Cuts `vf` off. Returns whether it was not cut off already.
    pub fn quarantine(&mut self, vf: VfIndex) -> bool {
        let v = self.vf_mut(vf);
        let new = v.session.quarantine();
        if new {
            bump(&mut v.counters.quarantined);
            self.evict(vf);
        }
        new
    }

    /// Lifts the quarantine of `vf`, which then has to make its handshake. Returns whether it was in
    /// quarantine.
    pub fn release(&mut self, vf: VfIndex) -> bool {
        self.vf_mut(vf).session.release()
    }

    /// Sets which addresses VFs without trust may choose. What one has chosen and may not have any
    /// more is taken from it ([`Switch::take_deprived`]). It outlives the VFs.
    pub fn set_own_addresses(&mut self, own: OwnAddresses) {
        self.own_addresses = own;
        for vf in self.vfs().iter() {
            self.enforce_quota(vf);
        }
    }

    /// The VFs that have lost an address of their own choice by a setting since this was last called: to
    /// another VF that was given it, or because they may not have it any more.
    pub fn take_deprived(&mut self) -> VfSet {
        core::mem::replace(&mut self.deprived, VfSet::EMPTY)
    }

    /// Which addresses VFs without trust may choose.
    #[must_use]
    pub const fn own_addresses(&self) -> OwnAddresses {
        self.own_addresses
    }

    /// Whether `vf` may have `addr`, which is nobody's and not what the administrator gave it.
    pub(super) fn may_choose(&self, vf: VfIndex, addr: UnicastAddr) -> Result<(), Refusal> {
        let admin = &self.vf(vf).admin;
        if admin.trusted {
            Ok(())
        } else if admin.mac.is_some() {
            Err(Refusal::AdminMac)
        } else if self.own_addresses.permits(addr) {
            Ok(())
        } else {
            Err(Refusal::OwnAddress)
        }
    }

    /// Drops addresses the VF has chosen and may not have (any more).
    fn enforce_own_addresses(&mut self, vf: VfIndex) {
        if self.vf(vf).admin.trusted {
            return;
        }
        let own = self.own_addresses;
        let mut taken = 0u64;
        self.rar.remove_if(Function::Vf(vf), |held| {
            let drop = !own.permits(held);
            taken = taken.wrapping_add(drop.into());
            drop
        });
        let v = self.vf_mut(vf);
        if v.tenant.mac.is_some_and(|held| !own.permits(held)) {
            v.tenant.mac.set(None);
            taken = taken.wrapping_add(1);
        }
        let counter = &mut v.counters.address_taken;
        *counter = counter.wrapping_add(taken);
        if taken != 0 {
            self.deprived.insert(vf);
        }
    }

    /// Drops addresses and VLANs the VF may not have (any more).
    fn enforce_quota(&mut self, vf: VfIndex) {
        self.enforce_own_addresses(vf);
        let v = self.vf(vf);
        let quota = self.quota(vf);
        let macs = if v.admin.mac.is_some() && !v.admin.trusted {
            0
        } else {
            quota.macs
        };
        let f = Function::Vf(vf);
        let port_vlan = v.admin.vlan.is_some();
        self.rar.truncate(f, macs.into());
        if !port_vlan {
            self.vlvf.truncate(f, quota.vlans.into());
        }
    }
}

fn port_vlan(vid: u16, qos: u8, proto: u16) -> Result<Option<PortVlan>, AdminError> {
    if proto != ETH_P_8021Q {
        return Err(AdminError::VlanProtocol);
    }
    match (vid, qos) {
        (0, 0) => Ok(None),
        (0, _) => Err(AdminError::InvalidPriority),
        _ => {
            let vid = VlanId::new(vid).ok_or(AdminError::InvalidVlan)?;
            PortVlan::new(vid, qos)
                .map(Some)
                .ok_or(AdminError::InvalidPriority)
        }
    }
}
