// SPDX-License-Identifier: GPL-2.0

//! What the PF's network device wants to receive.

use super::{
    Holder,
    Switch, //
};
use crate::{
    addr::{
        MacAddr,
        UnicastAddr, //
    },
    bitmap::Bitmap4096,
    error::AdminError,
    frame::{
        MAX_FRAME,
        MIN_FRAME,
        VLAN_TAG, //
    },
    function::{
        Function,
        VfSet, //
    },
    regs::RAR_COUNT, //
};

/// Receive mode flags of the PF's network device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RxMode {
    /// Receive all frames (`IFF_PROMISC`).
    pub promisc: bool,
    /// Receive all multicast (`IFF_ALLMULTI`).
    pub allmulti: bool,
}

/// What became of a new receive mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RxModeOutcome {
    /// The unicast addresses did not fit, so the PF receives all unicast no VF owns.
    pub overflow: bool,
    /// VFs that lost an address they had chosen to the PF.
    pub displaced: VfSet,
    /// Number of addresses left out because the administrator gave them to a VF.
    pub conflicts: u32,
}

/// An address behind a bridge on the PF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The address.
    pub addr: MacAddr,
    /// It is the bridge's own, or the administrator has told the bridge of it: it was not learned from
    /// a frame.
    pub is_given: bool,
}

/// Desired state of the PF itself.
#[derive(Clone, Debug, Hash)]
pub(super) struct Pf {
    pub(super) mac: UnicastAddr,
    pub(super) mode: RxMode,
    /// Hashes of unicast addresses that have no receive address register.
    unicast_overflow: Bitmap4096,
    overflowed: bool,
    /// Addresses behind bridges on the PF, each in the place it was given first.
    pub(super) bridged: [Option<UnicastAddr>; RAR_COUNT],
    /// Of these the ones that found no place.
    bridged_beyond: usize,
    pub(super) multicast: Bitmap4096,
    pub(super) vlan_filter: bool,
    /// The PF is in more VLANs than it has memberships of its own in the pool filter.
    pub(super) vlan_overflow: bool,
    pub(super) vlan_strip: bool,
    /// Longest frame in bytes, FCS included, without tag.
    pub(super) max_frame: u16,
    pub(super) rss: bool,
    pub(super) receive: bool,
    /// What the PF receives besides good frames without their FCS.
    pub(super) raw: RawFrames,
}

/// Frames as they are on the wire, for who looks at a wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawFrames {
    /// Frames that are too long, too short, or damaged, and MAC control frames.
    pub bad: bool,
    /// The FCS is part of a frame.
    pub fcs: bool,
}

impl Pf {
    pub(super) const fn new(mac: UnicastAddr) -> Self {
        Self {
            mac,
            mode: RxMode {
                promisc: false,
                allmulti: false,
            },
            unicast_overflow: Bitmap4096::EMPTY,
            overflowed: false,
            bridged: [None; RAR_COUNT],
            bridged_beyond: 0,
            multicast: Bitmap4096::EMPTY,
            vlan_filter: true,
            vlan_overflow: false,
            vlan_strip: true,
            max_frame: 1518,
            rss: false,
            receive: false,
            raw: RawFrames {
                bad: false,
                fcs: false,
            },
        }
    }

    /// Notes that `addr` has no register: from now on the PF takes all unicast no VF owns.
    pub(super) fn overflow(&mut self, addr: UnicastAddr) {
        self.unicast_overflow.insert(addr.get().hash().get());
        self.overflowed = true;
    }

    /// Whether `addr` may be one of those [`Pf::overflow`] was told about. A hash may say yes for a
    /// stranger; a VF then does not get the address, which is the safe side.
    pub(super) fn may_hold(&self, addr: UnicastAddr) -> bool {
        self.unicast_overflow.contains(addr.get().hash().get())
    }

    /// Whether the PF receives unicast no filter matches.
    pub(super) fn all_unicast(&self) -> bool {
        self.mode.promisc || self.overflowed
    }

    /// Whether the PF receives all multicast.
    pub(super) fn all_multicast(&self) -> bool {
        self.mode.promisc || self.mode.allmulti
    }

    /// Whether the PF receives all VLANs.
    pub(super) fn all_vlans(&self) -> bool {
        self.mode.promisc || !self.vlan_filter
    }

    /// Whether a frame without pools is not looked at for its VLAN.
    pub(super) fn all_vlans_without_pools(&self) -> bool {
        self.all_vlans() || self.raw.bad
    }

    /// Whether the PF needs unicast of the wire that no filter matches: to get addresses without a
    /// receive address register, or VLANs without a filter.
    pub(super) fn takes_unmatched(&self) -> bool {
        self.all_unicast() || self.all_vlans() || self.vlan_overflow
    }
}

impl Switch {
    /// The PF's address.
    #[must_use]
    pub const fn pf_mac(&self) -> UnicastAddr {
        self.pf.get().mac
    }

    /// Changes the PF's address. A VF that had chosen the same address loses it and is returned.
    ///
    /// # Errors
    ///
    /// [`AdminError::AddressInUse`] if the administrator gave the address to a VF.
    pub fn set_pf_mac(&mut self, mac: UnicastAddr) -> Result<VfSet, AdminError> {
        if let Some(Holder::Admin(Function::Vf(_))) = self.owner(mac) {
            return Err(AdminError::AddressInUse);
        }
        let mut displaced = VfSet::EMPTY;
        if let Some(vf) = self.displace(mac) {
            displaced.insert(vf);
        }
        // It may have been an extra address so far.
        self.rar.remove_if(Function::Pf, |held| held == mac);
        self.pf.mac = mac;
        Ok(displaced)
    }

    /// Replaces the PF's receive mode: flags, extra unicast addresses and multicast addresses.
    ///
    /// Unicast addresses that do not fit into the receive address registers make the PF receive all
    /// unicast no VF owns. An address a VF had chosen goes to the PF; one the administrator gave to a
    /// VF stays there.
    pub fn set_rx_mode(
        &mut self,
        mode: RxMode,
        unicast: impl IntoIterator<Item = MacAddr>,
        multicast: impl IntoIterator<Item = MacAddr>,
    ) -> RxModeOutcome {
        self.pf.mode = mode;
        self.pf.multicast = Bitmap4096::EMPTY;
        for addr in multicast {
            self.pf.multicast.insert(addr.hash().get());
        }
        self.set_unicast(unicast)
    }

    /// How many more unicast addresses the PF can have before [`RxModeOutcome::overflow`].
    #[must_use]
    pub fn pf_unicast_room(&self) -> usize {
        self.rar.room(Function::Pf)
    }

    /// Whether the PF has `addr`, its own or an extra one, so that it needs no further register.
    #[must_use]
    pub fn pf_has(&self, addr: MacAddr) -> bool {
        UnicastAddr::new(addr)
            .and_then(|addr| self.owner(addr))
            .is_some_and(|holder| holder.function() == Function::Pf)
    }

    /// Whether unicast addresses did not fit, so that the PF receives all unicast no VF owns.
    #[must_use]
    pub const fn pf_overflowed(&self) -> bool {
        self.pf.get().overflowed
    }

    fn set_unicast(&mut self, unicast: impl IntoIterator<Item = MacAddr>) -> RxModeOutcome {
        let mut outcome = RxModeOutcome::default();
        let mut list = [None; RAR_COUNT];
        let mut free = list.iter_mut();
        self.pf.overflowed = false;
        self.pf.unicast_overflow = Bitmap4096::EMPTY;

        for addr in unicast.into_iter().filter_map(UnicastAddr::new) {
            if !self.claim(addr, &mut outcome) {
                continue;
            }
            match free.next() {
                Some(slot) => *slot = Some(addr),
                None => self.pf.overflow(addr),
            }
        }
        // Addresses that stay keep their register, so that nothing is lost meanwhile.
        self.rar
            .remove_if(Function::Pf, |held| !list.contains(&Some(held)));
        for addr in list.into_iter().flatten() {
            if self.rar.add(Function::Pf, addr).is_err() {
                self.pf.overflow(addr);
            }
        }
        outcome.overflow = self.pf.overflowed;
        outcome
    }

    /// Makes sure that no VF has `addr`. Returns whether the PF needs a register for it.
    fn claim(&mut self, addr: UnicastAddr, outcome: &mut RxModeOutcome) -> bool {
        match self.owner(addr) {
            Some(Holder::Admin(Function::Vf(_))) => {
                outcome.conflicts = outcome.conflicts.saturating_add(1);
                false
            }
            Some(Holder::Tenant(_)) => {
                if let Some(vf) = self.displace(addr) {
                    outcome.displaced.insert(vf);
                }
                true
            }
            _ => addr != self.pf.mac,
        }
    }

    /// Replaces the addresses that bridges on the PF have on their other ports. With VFs, frames to
    /// them from VFs reach the PF, as far as there are registers.
    ///
    /// That an address was learned is no claim to it: whoever is behind the bridge can send from
    /// any. So one that was learned counts only if a VF without trust might choose it as well
    /// ([`Switch::own_addresses`]), or the frames of all VFs to the gateway would be drawn to the PF by
    /// one frame in its name; or if it is the administrator's for a VF, which somebody may stand in
    /// for. It has a register while nobody has the address by another right: not the
    /// PF or a live VF. It takes what is left of the PF's share and of what is nobody's, and gives way
    /// to all others. To be called again when the setting has changed.
    ///
    /// Returns how many of them have no register because none is left.
    pub fn set_bridged(&mut self, addrs: impl IntoIterator<Item = Behind>) -> usize {
        let before = self.pf.get().bridged;
        let mut now = [None; RAR_COUNT];
        let mut new = [None; RAR_COUNT];
        let (mut news, mut beyond) = (0usize, 0usize);
        let own = self.own_addresses;
        let of_vfs = self.vfs.each_ref().map(|vf| vf.admin.mac);
        let counts = |behind: Behind| {
            UnicastAddr::new(behind.addr).filter(|addr| {
                behind.is_given || own.permits(*addr) || of_vfs.contains(&Some(*addr))
            })
        };
        for addr in addrs.into_iter().filter_map(counts) {
            if now.contains(&Some(addr)) || new.contains(&Some(addr)) {
                continue;
            }
            // It keeps its place, so that nothing is lost meanwhile.
            let known = before.iter().position(|held| *held == Some(addr));
            if let Some(place) = known.and_then(|n| now.get_mut(n)) {
                *place = Some(addr);
            } else if let Some(place) = new.get_mut(news) {
                *place = Some(addr);
                news = news.saturating_add(1);
            } else {
                beyond = beyond.saturating_add(1);
            }
        }
        let mut new = new.into_iter().flatten();
        for place in now.iter_mut().filter(|place| place.is_none()) {
            *place = new.next();
        }
        beyond = beyond.saturating_add(new.count());
        if (now, beyond) != (before, self.pf.get().bridged_beyond) {
            self.pf.bridged = now;
            self.pf.bridged_beyond = beyond;
        }
        self.bridged_left_out()
    }

    /// How many addresses behind bridges have no register because none is left; 0 without VFs.
    #[must_use]
    pub fn bridged_left_out(&self) -> usize {
        if !self.uses_pools() {
            return 0;
        }
        let wanted = self.bridged_wanted().count();
        wanted
            .saturating_sub(self.bridged_entries().count())
            .saturating_add(self.pf.get().bridged_beyond)
    }

    /// Whether addresses behind bridges are known.
    pub(super) fn has_bridged(&self) -> bool {
        self.pf.get().bridged.iter().any(Option::is_some)
    }

    /// Addresses behind bridges that nobody has by another right, with their places.
    fn bridged_wanted(&self) -> impl Iterator<Item = (usize, UnicastAddr)> + '_ {
        let bridged = self.pf.get().bridged.iter().enumerate();
        bridged
            .filter_map(|(place, addr)| Some((place, (*addr)?)))
            .filter(|(_, addr)| {
                self.uses_pools() && !self.in_force().any(|(_, _, held)| held == *addr)
            })
    }

    /// The registers of addresses behind bridges: entry of the receive address table and address.
    pub(super) fn bridged_entries(&self) -> impl Iterator<Item = (usize, UnicastAddr)> + '_ {
        let entries = self.bridged_places();
        self.pf
            .get()
            .bridged
            .iter()
            .zip(entries)
            .filter_map(|(addr, entry)| Some((entry?, (*addr)?)))
    }

    /// Which entry each of them has: one of the last that can be handed out, as functions take the
    /// first. Each place has an entry of its own, which it leaves only while somebody else has
    /// that.
    fn bridged_places(&self) -> [Option<usize>; RAR_COUNT] {
        let mut entries = [None; RAR_COUNT];
        // Nearly always, and a VF waits for this.
        if !self.has_bridged() {
            return entries;
        }
        let last = self.rar.capacity();
        let mut free = self.rar.free();
        let mut room = self.rar.room(Function::Pf);
        let mut take = |entry: usize| {
            let found = room != 0 && free >> entry & 1 != 0;
            if found {
                free &= !(1 << entry);
                room = room.saturating_sub(1);
            }
            found
        };
        for (place, _) in self.bridged_wanted() {
            if let Some(slot) = entries.get_mut(place) {
                *slot = last.checked_sub(place).filter(|entry| take(*entry));
            }
        }
        for (place, _) in self.bridged_wanted() {
            if let Some(slot) = entries.get_mut(place).filter(|slot| slot.is_none()) {
                *slot = (1..=last).rev().find(|entry| take(*entry));
            }
        }
        entries
    }

    /// Turns the PF's VLAN filter on or off; without it the PF receives all VLANs.
    ///
    /// While VFs are enabled the device itself must filter, so a VLAN no one has joined reaches the PF
    /// only in so far as it is unicast from the wire, by way of the default pool.
    pub fn set_vlan_filter(&mut self, on: bool) {
        self.pf.vlan_filter = on;
    }

    /// Has the PF receive frames as they are on the wire. Not while VFs are enabled: they would get
    /// frames that are longer than their buffers, or damaged, as well.
    pub fn set_raw_frames(&mut self, raw: RawFrames) {
        self.pf.raw = raw;
    }

    /// Turns the stripping of VLAN tags of frames for the PF on or off.
    pub fn set_rx_vlan_strip(&mut self, on: bool) {
        self.pf.vlan_strip = on;
    }

    /// Whether `CTRL.VME` has to be set. The register belongs to link control, so the bit is not part
    /// of the image.
    #[must_use]
    pub const fn ctrl_vme(&self) -> bool {
        self.pf.get().vlan_strip
    }

    /// Sets the longest frame the PF receives: bytes including FCS, without tag.
    ///
    /// # Errors
    ///
    /// [`AdminError::OutOfRange`] outside 64..=9724.
    pub fn set_max_frame(&mut self, bytes: u16) -> Result<(), AdminError> {
        if !(MIN_FRAME..=MAX_FRAME - VLAN_TAG).contains(&bytes) {
            return Err(AdminError::OutOfRange);
        }
        self.pf.max_frame = bytes;
        Ok(())
    }

    /// Spreads the PF's frames over its two queues while VFs are enabled (`VMOLR.RSSE`).
    pub fn set_pf_rss(&mut self, on: bool) {
        if self.pf.rss != on {
            self.pf.rss = on;
        }
    }

    /// Turns the receiver on or off for all functions (`RCTL.EN`).
    pub fn set_receive(&mut self, on: bool) {
        // Set with each update, and mostly what it is.
        if self.pf.receive != on {
            self.pf.receive = on;
        }
    }
}
