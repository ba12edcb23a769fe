// SPDX-License-Identifier: GPL-2.0

//! The VLANs of the PF's network device, of which there may be more than the pool filter has
//! entries.
//!
//! Without VFs there is no pool filter, and the VLAN table has all VLANs. With VFs a VLAN without
//! an entry is still in that table, and its unicast frames of the wire reach the PF as frames that
//! match no pool: by way of the default pool. Broadcast and multicast of that VLAN reach nobody. So
//! entries are worth most for the VLANs that are used. A bridge adds all VLANs of a range, and then
//! frames are sent in a few of them: the driver tells in which ([`Switch::serve_vlans`]), and they
//! get an entry in place of those that the PF has not used for long.
//!
//! VFs do not suffer: their share is theirs, and of the pot they may take what the PF does not use
//! ([`Switch::join_vlan`]). The reverse is not true, so a VF never loses an entry to the PF.

use super::{
    vlvf::Full,
    Switch, //
};
use crate::{
    bitmap::Bitmap4096,
    error::AdminError,
    function::{
        Function,
        VfIndex, //
    },
    vlan::VlanId, //
};

/// A VLAN in which the PF has sent within that many looks keeps its entry.
pub const IDLE_LOOKS: u32 = 15;

/// How the VLANs of the PF fare in the pool filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VlanRoom {
    /// VLANs of the PF.
    pub vlans: usize,
    /// Those that have an entry: all their frames are received.
    pub served: usize,
    /// Those that are used and have none.
    pub wanting: usize,
}

impl Switch {
    /// Makes the PF a member of VLAN `vid`. VID 0 is always received. If VFs are enabled and no
    /// entry of the pool filter is left, only unicast of the wire is received in it until it is
    /// used.
    ///
    /// # Errors
    ///
    /// [`AdminError::InvalidVlan`] above 4094.
    pub fn vlan_add(&mut self, vid: u16) -> Result<(), AdminError> {
        let Some(id) = VlanId::new(vid) else {
            return if vid == 0 {
                Ok(())
            } else {
                Err(AdminError::InvalidVlan)
            };
        };
        if !self.pf_vlans.contains(vid) {
            self.pf_vlans.insert(vid);
        }
        if !self.uses_pools() || (self.vlans_overflow() && self.vlvf.has_entry(id)) {
            return Ok(());
        }
        if self.vlvf.join(Function::Pf, id).is_err() && !self.vlans_overflow() {
            self.set_vlan_overflow(true);
            self.fill_vlans();
        }
        Ok(())
    }

    /// Takes the PF out of VLAN `vid`. Nothing happens for VID 0 or a VLAN the PF is not in.
    pub fn vlan_del(&mut self, vid: u16) {
        let Some(id) = VlanId::new(vid).filter(|_| self.pf_vlans.contains(vid)) else {
            return;
        };
        self.pf_vlans.remove(vid);
        self.vlvf.leave_if(Function::Pf, |held| held == id);
        self.fill_vlans();
    }

    /// Whether the PF is in more VLANs than the pool filter has room for, so that it is of interest
    /// in which it sends.
    #[must_use]
    pub const fn vlans_overflow(&self) -> bool {
        self.pf.get().vlan_overflow
    }

    /// A new look at which VLANs are used begins. To be called at regular intervals.
    pub fn next_vlan_look(&mut self) {
        self.vlan_look = self.vlan_look.saturating_add(1);
    }

    /// Gives the VLANs of the PF that are in `used`, those it has sent in since the look has begun,
    /// entries of the pool filter. Says how many have one now.
    pub fn serve_vlans(&mut self, used: &Bitmap4096) -> VlanRoom {
        if !self.vlans_overflow() {
            return self.vlan_room(&Bitmap4096::EMPTY);
        }
        let used = used.and(&self.pf_vlans);
        self.vlvf.note_use(&used, self.vlan_look);
        for vid in self.without_entry(&used).vlans() {
            if self.join_or_displace(Function::Pf, vid, false).is_err() {
                break;
            }
            // Or the next would take its place.
            self.vlvf.note_use(&used, self.vlan_look);
        }
        self.fill_vlans();
        self.vlan_room(&used)
    }

    /// Makes `vf` a member of `vid`, if need be in place of a VLAN the PF does not use.
    pub(super) fn join_vlan(&mut self, vf: VfIndex, vid: VlanId) -> Result<(), Full> {
        self.join_or_displace(Function::Vf(vf), vid, true)
    }

    fn join_or_displace(&mut self, f: Function, vid: VlanId, from_pot: bool) -> Result<(), Full> {
        let idle = self.vlan_look.saturating_sub(IDLE_LOOKS);
        self.vlvf.join(f, vid).or_else(|full| {
            // A PF whose VLANs all have an entry keeps them.
            if !self.vlans_overflow() {
                return Err(full);
            }
            self.vlvf.displace(from_pot, idle).ok_or(full)?;
            self.vlvf.join(f, vid)
        })
    }

    /// Gives VLANs of the PF the entries that are free, the lowest first.
    pub(super) fn fill_vlans(&mut self) {
        if !self.uses_pools() {
            self.set_vlan_overflow(false);
            return;
        }
        if self.vlans_overflow() {
            // Where a VF has an entry, the PF needs no membership.
            self.vlvf.leave_to_others(Function::Pf);
            let without = self.without_entry(&self.pf_vlans);
            if self.join_all(&without) {
                self.join_all(&self.ridden());
            }
        }
        let members = self.vlvf.count(Function::Pf);
        self.set_vlan_overflow(self.pf_vlans.count() > members);
    }

    /// Makes the PF a member of `vlans`, the lowest first, as long as there is room. Returns
    /// whether there was.
    fn join_all(&mut self, vlans: &Bitmap4096) -> bool {
        vlans
            .vlans()
            .all(|vid| self.vlvf.join(Function::Pf, vid).is_ok())
    }

    /// Those of `vlans` no function has an entry for.
    fn without_entry(&self, vlans: &Bitmap4096) -> Bitmap4096 {
        let mut without = *vlans;
        for (_, vid, _) in self.vlvf.iter() {
            without.remove(vid.get());
        }
        without
    }

    /// VLANs of the PF whose entry is a VF's alone.
    fn ridden(&self) -> Bitmap4096 {
        let mut ridden = Bitmap4096::EMPTY;
        for (_, vid, members) in self.vlvf.iter() {
            if members & Function::Pf.bit() == 0 && self.pf_vlans.contains(vid.get()) {
                ridden.insert(vid.get());
            }
        }
        ridden
    }

    fn vlan_room(&self, used: &Bitmap4096) -> VlanRoom {
        let vlans = self.pf_vlans.count();
        let left = if self.uses_pools() {
            self.without_entry(&self.pf_vlans).count()
        } else {
            0
        };
        VlanRoom {
            vlans,
            served: vlans.saturating_sub(left),
            wanting: self.without_entry(used).count(),
        }
    }

    fn set_vlan_overflow(&mut self, overflow: bool) {
        if self.pf.vlan_overflow != overflow {
            self.pf.vlan_overflow = overflow;
        }
    }
}
