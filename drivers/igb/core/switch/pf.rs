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

/// Desired state of the PF itself.
#[derive(Clone, Debug, Hash)]
pub(super) struct Pf {
    pub(super) mac: UnicastAddr,
    pub(super) mode: RxMode,
    /// Hashes of unicast addresses that have no receive address register.
    unicast_overflow: Bitmap4096,
    overflowed: bool,
    pub(super) multicast: Bitmap4096,
    pub(super) vlan_filter: bool,
    /// The PF is in more VLANs than it has memberships of its own in the pool filter.
    pub(super) vlan_overflow: bool,
    pub(super) vlan_strip: bool,
    /// Longest frame in bytes, FCS included, without tag.
    pub(super) max_frame: u16,
    pub(super) rss: bool,
    pub(super) receive: bool,
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
            multicast: Bitmap4096::EMPTY,
            vlan_filter: true,
            vlan_overflow: false,
            vlan_strip: true,
            max_frame: 1518,
            rss: false,
            receive: false,
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

    /// Turns the PF's VLAN filter on or off; without it the PF receives all VLANs.
    ///
    /// While VFs are enabled the device itself must filter, so a VLAN no one has joined reaches the PF
    /// only in so far as it is unicast from the wire, by way of the default pool.
    pub fn set_vlan_filter(&mut self, on: bool) {
        self.pf.vlan_filter = on;
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
