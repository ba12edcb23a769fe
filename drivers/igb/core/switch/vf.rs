// SPDX-License-Identifier: GPL-2.0

//! What is known of each VF.

use super::{
    Event,
    Switch, //
};
use crate::{
    addr::UnicastAddr,
    counters::{
        bump,
        VfCounters, //
    },
    frame::STANDARD_FRAME,
    function::{
        Function,
        VfIndex, //
    },
    mailbox::{
        msg,
        msg::Hashes,
        Session, //
    },
    tracked::Tracked,
    vlan::{
        PortVlan,
        VlanList, //
    }, //
};

/// Link as the VF sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VfLink {
    /// The link of the port.
    #[default]
    Auto,
    /// Up, whatever the port says.
    Enable,
    /// Down: the VF neither sends nor receives.
    Disable,
}

/// What the administrator has set for a VF. Survives everything but disabling VFs.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Admin {
    pub(super) mac: Option<UnicastAddr>,
    pub(super) vlan: Option<PortVlan>,
    /// Which VLANs the VF may join.
    pub(super) vlans: VlanList,
    /// The source addresses of what the VF sends are checked.
    pub(super) mac_check: bool,
    /// Its VLANs are.
    pub(super) vlan_check: bool,
    pub(super) trusted: bool,
    pub(super) link_state: VfLink,
    /// Mb/s, 0 for no limit.
    pub(super) max_tx_rate: u32,
}

/// What the VF has asked for and got, besides its entries in the address and VLAN tables. Gone with
/// each reset of the VF.
#[derive(Clone, Debug, Hash)]
pub(super) struct Tenant {
    pub(super) mac: Tracked<Option<UnicastAddr>>,
    pub(super) multicast: Tracked<Multicast>,
    /// Bytes including tag and FCS.
    pub(super) max_frame: Tracked<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Multicast {
    pub(super) hashes: Hashes,
    /// Asked for all multicast.
    pub(super) all: bool,
    /// Has more multicast addresses than fit into `hashes`.
    pub(super) overflow: bool,
}

impl Tenant {
    const fn new() -> Self {
        Self {
            mac: Tracked::new(None),
            multicast: Tracked::new(Multicast::NONE),
            max_frame: Tracked::new(STANDARD_FRAME),
        }
    }

    /// Forgets all there was. What is as in a new one counts as unchanged.
    fn clear(&mut self) {
        self.mac.set(None);
        self.multicast.set(Multicast::NONE);
        self.max_frame.set(STANDARD_FRAME);
    }
}

impl Multicast {
    const NONE: Self = Self {
        hashes: Hashes::EMPTY,
        all: false,
        overflow: false,
    };
}

#[derive(Clone, Debug, Hash)]
pub(super) struct Vf {
    pub(super) admin: Tracked<Admin>,
    pub(super) tenant: Tenant,
    pub(super) session: Session,
    /// A queue of the VF has not come to rest: what its tenant left could not be cleared yet.
    pub(super) stuck: bool,
    pub(super) counters: VfCounters,
}

impl Vf {
    pub(super) const fn new() -> Self {
        Self {
            admin: Tracked::new(Admin {
                mac: None,
                vlan: None,
                vlans: VlanList::Any,
                mac_check: true,
                vlan_check: true,
                trusted: false,
                link_state: VfLink::Auto,
                max_tx_rate: 0,
            }),
            tenant: Tenant::new(),
            session: Session::new(),
            stuck: false,
            counters: VfCounters::ZERO,
        }
    }

    /// Whether the VF sends in its VLANs only. One that was put into a VLAN, or may join some only, does
    /// in any case.
    pub(super) fn stays_in_its_vlans(&self) -> bool {
        self.admin.vlan_check || self.admin.vlan.is_some() || self.admin.vlans.is_limit()
    }

    /// The primary address in effect.
    pub(super) fn mac(&self) -> Option<UnicastAddr> {
        self.tenant.mac.or(self.admin.mac)
    }

    /// Whether the VF's traffic flows.
    pub(super) fn is_live(&self) -> bool {
        self.session.is_open() && self.admin.link_state == VfLink::Auto
    }

    /// Whether messages to the VF carry CTS: without it the VF takes the link for down.
    pub(super) fn cts(&self) -> bool {
        self.is_live()
    }

    /// Whether the VF has multicast addresses or is allowed all of them.
    pub(super) fn wants_multicast(&self) -> bool {
        self.all_multicast() || !self.tenant.multicast.hashes.is_empty()
    }

    /// Whether the VF receives all multicast.
    pub(super) fn all_multicast(&self) -> bool {
        self.admin.trusted && (self.tenant.multicast.all || self.tenant.multicast.overflow)
    }
}

/// A VF as the administrator sees it, besides its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfStatus {
    /// The VF has made its handshake.
    pub open: bool,
    /// The VF is cut off.
    pub quarantined: bool,
    /// Offences counted and not forgiven yet.
    pub offences: u32,
    /// Extra addresses held.
    pub macs: usize,
    /// VLANs joined, the administrator's included.
    pub vlans: usize,
    /// Longest frame received, in bytes including tag and FCS.
    pub max_frame: u16,
    /// Receives all multicast.
    pub all_multicast: bool,
}

impl Switch {
    /// Notes a function level reset of `vf`, or the reset a VF does to itself, which the hardware
    /// reports in the same way (`VFLRE`).
    ///
    /// Whatever the VF had asked for is dropped and it is closed until its next handshake. What the
    /// administrator set stays. The hardware has cleared the VF's enable bits by itself: the caller
    /// tells the [`Shadow`](super::Shadow) with [`vf_was_reset`](super::Shadow::vf_was_reset), and
    /// handles the event before any message of the same VF.
    pub fn on_flr(&mut self, vf: VfIndex) {
        bump(&mut self.vf_mut(vf).counters.flr);
        self.vf_mut(vf).session.close();
        self.evict(vf);
    }

    /// Notes that a reset of `vf` is pending but will only be handled later, because the VF has used up
    /// its requests. It is closed at once, so that no update enables it again in between.
    ///
    /// Costs nothing that has to be rationed. Returns whether it was open until now; only then, as for
    /// [`Switch::on_flr`], the caller tells the [`Shadow`](super::Shadow) and applies what follows. A
    /// VF that goes on resetting itself is closed once.
    #[must_use]
    pub fn on_flr_pending(&mut self, vf: VfIndex) -> bool {
        let session = &mut self.vf_mut(vf).session;
        let was_open = session.is_open();
        session.close();
        was_open
    }

    /// Notes whether the queues of `vf` have come to rest, so that what its tenant left in registers
    /// could be [cleared](crate::tenant). As long as they have not, the VF is closed, and its handshake
    /// is put off.
    pub fn on_stopped(&mut self, vf: VfIndex, stopped: bool) {
        let v = self.vf_mut(vf);
        v.stuck = !stopped;
        if v.stuck {
            v.session.close();
        }
    }

    /// Notes that the queues of `vf` have had all the time they should need, and are not at rest.
    pub fn on_stuck(&mut self, vf: VfIndex) -> Event {
        bump(&mut self.vf_mut(vf).counters.queue_stuck);
        Event::QueueStuck
    }

    /// The word to write into the mailbox of `vf` so that it looks at the link again, or `None` if
    /// the VF is in quarantine or not enabled. A VF that is [`missing`](Switch::missing) is asked
    /// to start over instead. One whose link is disabled is told that, and must not start over: the
    /// same would be refused again.
    #[must_use]
    pub fn ping(&self, vf: VfIndex) -> Option<u32> {
        let v = self.vf(vf);
        let answered = self.vfs().contains(vf) && !v.session.is_quarantined();
        let word = if v.session.is_missing() {
            msg::recall()
        } else if v.session.is_open() && !v.cts() {
            msg::link_down()
        } else {
            msg::control(v.cts())
        };
        answered.then_some(word)
    }

    /// Event counters of `vf`.
    #[must_use]
    pub fn counters(&self, vf: VfIndex) -> &VfCounters {
        &self.vf(vf).counters
    }

    /// What `vf` holds and how it stands with the PF.
    #[must_use]
    pub fn status(&self, vf: VfIndex) -> VfStatus {
        let v = self.vf(vf);
        VfStatus {
            open: v.session.is_open(),
            quarantined: v.session.is_quarantined(),
            offences: v.session.offences(),
            macs: self.rar.count(Function::Vf(vf)),
            vlans: self.vlvf.count(Function::Vf(vf)),
            max_frame: *v.tenant.max_frame,
            all_multicast: v.all_multicast(),
        }
    }

    /// Drops whatever the VF has asked for.
    pub(super) fn evict(&mut self, vf: VfIndex) {
        let f = Function::Vf(vf);
        self.vf_mut(vf).tenant.clear();
        self.rar.remove_if(f, |_| true);
        self.leave_own_vlans(vf);
    }

    /// Takes the VF out of all VLANs but the one the administrator put it into.
    pub(super) fn leave_own_vlans(&mut self, vf: VfIndex) {
        let port = self.vf(vf).admin.vlan.map(PortVlan::vid);
        self.vlvf
            .leave_if(Function::Vf(vf), |vid| Some(vid) != port);
    }
}
