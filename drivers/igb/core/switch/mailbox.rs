// SPDX-License-Identifier: GPL-2.0

//! What a VF's messages do.

use super::{
    vf::{
        Multicast,
        Vf, //
    },
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
    frame::{
        MAX_FRAME,
        MIN_FRAME, //
    },
    function::{
        Function,
        VfIndex, //
    },
    mailbox::{
        msg::{
            Hashes,
            Malformed,
            Reply,
            Request,
            Words, //
        },
        Admit, //
    },
    vlan::VlanId, //
};

/// Something worth a log line, if the rate limit lets it through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The VF made its handshake.
    Ready,
    /// A message that is not part of the protocol.
    Malformed {
        /// Its first word.
        word0: u32,
        /// What is wrong with it.
        what: Malformed,
    },
    /// A request was refused.
    Refused(Refusal),
    /// A request other than the handshake came before the handshake.
    NotReady,
    /// The VF rings too often and is made to wait.
    Throttled,
    /// Frames from a false address or VLAN were dropped.
    Spoofed,
    /// The VF was cut off. Reported once.
    Quarantined,
    /// The controller has stopped a queue of the VF for descriptors that must not be; the VF is
    /// closed until its next handshake.
    Malicious,
    /// A queue of the VF does not come to rest; the VF is closed until it does.
    QueueStuck,
}

/// What to do after a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Write this into the mailbox. Without a reply the PF only gives the mailbox back.
    pub reply: Option<Reply>,
    /// After the reply, [`ping`](Switch::ping) the VF: its link is administratively down and the
    /// reply must not be the last it reads.
    pub ping: bool,
    /// Leave the request as it is, and bring it again: it cannot be answered yet.
    pub hold: bool,
    /// The VF had not made its handshake: the words of the mailbox that the reply does not use are
    /// to be cleared, as they may be another tenant's.
    pub scrub: bool,
    /// The image may have changed.
    pub changed: bool,
    /// Something to log.
    pub event: Option<Event>,
}

impl Switch {
    /// Whether to serve `vf`, which rings, at time `now` in nanoseconds.
    ///
    /// To be asked before each message is read, and before each VF level reset is handled. A reset
    /// that has to wait is announced by [`Switch::on_flr_pending`].
    pub fn admit(&mut self, vf: VfIndex, now: u64) -> (Admit, Option<Event>) {
        if !self.vfs().contains(vf) {
            return (Admit::Ignore, None);
        }
        let policy = self.policy;
        let v = self.vf_mut(vf);
        let (admit, first) = v.session.admit(&policy, now);
        if !first {
            return (admit, None);
        }
        bump(&mut v.counters.throttled);
        (admit, self.offend(vf, now).or(Some(Event::Throttled)))
    }

    /// Notes that `vf` holds the mailbox while the PF has to write to it.
    pub fn on_mailbox_held(&mut self, vf: VfIndex, now: u64) -> Option<Event> {
        bump(&mut self.vf_mut(vf).counters.mailbox_held);
        self.offend(vf, now)
    }

    /// Notes that the device has dropped frames of `vf` that failed the spoof check. They cost the host
    /// nothing, so it is no offence.
    pub fn on_spoof(&mut self, vf: VfIndex) -> Event {
        bump(&mut self.vf_mut(vf).counters.spoofed);
        Event::Spoofed
    }

    /// Notes that the controller has stopped a queue of `vf`, whose driver has given it descriptors
    /// that must not be. The VF is closed, loses what it had asked for, and is called back.
    pub fn on_malicious(&mut self, vf: VfIndex, now: u64) -> Event {
        let v = self.vf_mut(vf);
        bump(&mut v.counters.malicious);
        v.session.lose();
        self.stopped.insert(vf);
        self.evict(vf);
        self.offend(vf, now).unwrap_or(Event::Malicious)
    }

    /// Serves the message in `words`, one copy of the mailbox of `vf`, at time `now` in nanoseconds.
    ///
    /// The caller has made sure of [`Admit::Serve`], and that no reset of the VF is pending that is
    /// older than the message.
    pub fn on_message(&mut self, vf: VfIndex, words: &Words, now: u64) -> Outcome {
        if !self.vfs().contains(vf) || self.vf(vf).session.is_quarantined() {
            return Outcome::default();
        }
        let [word0, ..] = *words;
        match Request::parse(words) {
            Ok(Request::Reset) => self.handshake(vf),
            _ if !self.vf(vf).session.is_open() => self.not_ready(vf, word0, now),
            Ok(request) => self.serve(vf, word0, request, now),
            Err(what) => self.malformed(vf, word0, what, now),
        }
    }

    fn handshake(&mut self, vf: VfIndex) -> Outcome {
        self.evict(vf);
        if self.vf(vf).stuck {
            return Outcome {
                hold: true,
                changed: true,
                ..Outcome::default()
            };
        }
        let v = self.vf_mut(vf);
        v.counters.count(&Request::Reset);
        v.session.open();
        Outcome {
            reply: Some(Reply::reset(v.mac().map(UnicastAddr::get))),
            scrub: true,
            changed: true,
            event: Some(Event::Ready),
            ..Outcome::default()
        }
    }

    fn not_ready(&mut self, vf: VfIndex, word0: u32, now: u64) -> Outcome {
        let v = self.vf_mut(vf);
        bump(&mut v.counters.not_ready);
        let due = v.session.nack_due(now);
        let quarantined = self.offend(vf, now);
        Outcome {
            reply: (due && quarantined.is_none()).then(|| Reply::verdict(word0, false, false)),
            scrub: true,
            changed: quarantined.is_some(),
            event: quarantined.or(due.then_some(Event::NotReady)),
            ..Outcome::default()
        }
    }

    fn malformed(&mut self, vf: VfIndex, word0: u32, what: Malformed, now: u64) -> Outcome {
        bump(&mut self.vf_mut(vf).counters.malformed);
        let event = Event::Malformed { word0, what };
        self.refuse(vf, word0, event, true, now)
    }

    fn serve(&mut self, vf: VfIndex, word0: u32, request: Request, now: u64) -> Outcome {
        self.vf_mut(vf).counters.count(&request);
        match self.apply(vf, request) {
            Ok(()) => Outcome {
                reply: Some(Reply::verdict(word0, true, self.vf(vf).cts())),
                changed: true,
                ..Outcome::default()
            },
            Err(refusal) => {
                self.vf_mut(vf).counters.count_refusal(refusal);
                let event = Event::Refused(refusal);
                self.refuse(vf, word0, event, refusal.is_offence(), now)
            }
        }
    }

    fn refuse(
        &mut self,
        vf: VfIndex,
        word0: u32,
        event: Event,
        offence: bool,
        now: u64,
    ) -> Outcome {
        let quarantined = if offence { self.offend(vf, now) } else { None };
        let cts = self.vf(vf).cts();
        Outcome {
            reply: quarantined
                .is_none()
                .then(|| Reply::verdict(word0, false, cts)),
            // NACK without CTS would make the VF start over; the ping takes its place.
            ping: quarantined.is_none() && !cts,
            changed: quarantined.is_some() || shortens_a_list(event),
            event: Some(quarantined.unwrap_or(event)),
            ..Outcome::default()
        }
    }

    /// Counts an offence. If it was the one too many, cuts the VF off and says so.
    fn offend(&mut self, vf: VfIndex, now: u64) -> Option<Event> {
        let policy = self.policy;
        let v = self.vf_mut(vf);
        if !v.session.offend(&policy, now) {
            return None;
        }
        bump(&mut v.counters.quarantined);
        self.evict(vf);
        Some(Event::Quarantined)
    }

    fn apply(&mut self, vf: VfIndex, request: Request) -> Result<(), Refusal> {
        match request {
            // Handled by `handshake`.
            Request::Reset => Ok(()),
            Request::SetMac(mac) => self.vf_set_mac(vf, mac),
            Request::ClearFilters => {
                self.rar.remove_if(Function::Vf(vf), |_| true);
                Ok(())
            }
            Request::AddFilter(mac) => self.vf_add_filter(vf, mac),
            Request::SetMulticast { hashes, overflow } => {
                self.vf_mut(vf).set_multicast(hashes, overflow)
            }
            Request::SetVlan { vid, join } => self.vf_set_vlan(vf, vid, join),
            Request::SetMaxFrame(bytes) => self.vf_mut(vf).set_max_frame(bytes),
            Request::SetPromisc { unicast, multicast } => {
                self.vf_mut(vf).set_promisc(unicast, multicast)
            }
        }
    }

    fn vf_set_mac(&mut self, vf: VfIndex, mac: MacAddr) -> Result<(), Refusal> {
        // Clients without an address ask for none, or for what they have in its place.
        let addr = UnicastAddr::new(mac).ok_or(Refusal::NoAddress)?;
        self.check_free(vf, addr)?;
        let v = self.vf_mut(vf);
        // A client sets the address it was given anew after each reset.
        if v.mac() == Some(addr) {
            return Ok(());
        }
        if v.admin.mac == Some(addr) {
            v.tenant.mac.set(None);
        } else {
            self.may_choose(vf, addr)?;
            self.vf_mut(vf).tenant.mac.set(Some(addr));
        }
        // It may have been an extra one.
        self.rar.remove_if(Function::Vf(vf), |held| held == addr);
        Ok(())
    }

    fn vf_add_filter(&mut self, vf: VfIndex, mac: MacAddr) -> Result<(), Refusal> {
        let addr = UnicastAddr::new(mac).ok_or(Refusal::InvalidAddress)?;
        self.check_free(vf, addr)?;
        let f = Function::Vf(vf);
        self.may_choose(vf, addr)?;
        if self.vf(vf).mac() == Some(addr) || self.rar.owner(addr) == Some(f) {
            return Ok(());
        }
        if self.rar.count(f) >= usize::from(self.quota(vf).macs) {
            return Err(Refusal::MacQuota);
        }
        self.rar.add(f, addr).map_err(|_| Refusal::MacQuota)
    }

    /// Checks that no one but `vf` has `addr`.
    fn check_free(&self, vf: VfIndex, addr: UnicastAddr) -> Result<(), Refusal> {
        match self.owner(addr).map(Holder::function) {
            Some(f) if f != Function::Vf(vf) => Err(Refusal::AddressInUse),
            _ => Ok(()),
        }
    }

    fn vf_set_vlan(&mut self, vf: VfIndex, vid: u16, join: bool) -> Result<(), Refusal> {
        let f = Function::Vf(vf);
        let v = self.vf(vf);
        if v.admin.vlan.is_some() {
            return Err(Refusal::PortVlan);
        }
        if vid == 0 {
            // Frames with a priority tag are received like untagged ones, always.
            return Ok(());
        }
        let vid = VlanId::new(vid).ok_or(Refusal::InvalidVlan)?;
        if !join {
            self.vlvf.leave_if(f, |held| held == vid);
            return Ok(());
        }
        if !v.admin.vlans.permits(vid) {
            return Err(Refusal::VlanNotAllowed);
        }
        let limit = usize::from(self.quota(vf).vlans);
        if !self.vlvf.contains(f, vid) && self.vlvf.count(f) >= limit {
            return Err(Refusal::VlanQuota);
        }
        self.join_vlan(vf, vid).map_err(|_| Refusal::VlanQuota)
    }
}

/// Whether a refusal changes something all the same.
fn shortens_a_list(event: Event) -> bool {
    matches!(
        event,
        Event::Refused(Refusal::MulticastOverflow | Refusal::Promisc)
    )
}

impl Vf {
    /// A list that was cut off is taken as far as it goes. The rest is all multicast for a trusted
    /// VF; for another it is refused, so that the client knows.
    fn set_multicast(&mut self, hashes: Hashes, overflow: bool) -> Result<(), Refusal> {
        self.tenant.multicast.set(Multicast {
            hashes,
            all: self.tenant.multicast.all,
            overflow: overflow && self.admin.trusted,
        });
        if overflow && !self.admin.trusted {
            return Err(Refusal::MulticastOverflow);
        }
        Ok(())
    }

    /// Sizes beyond what the device receives are taken for that: DPDK lets an application ask for
    /// more. No client has a size of more than 16 bits.
    fn set_max_frame(&mut self, bytes: u32) -> Result<(), Refusal> {
        let bytes = u16::try_from(bytes).map_err(|_| Refusal::FrameSize)?;
        if bytes < MIN_FRAME {
            return Err(Refusal::FrameSize);
        }
        self.tenant.max_frame.set(bytes.min(MAX_FRAME));
        Ok(())
    }

    /// All multicast needs trust; all unicast is granted to no VF. A client that asks for both gets
    /// the first, if it may, and is told that it did not get all.
    fn set_promisc(&mut self, unicast: bool, multicast: bool) -> Result<(), Refusal> {
        let all = multicast && self.admin.trusted;
        if self.tenant.multicast.all != all {
            self.tenant.multicast.all = all;
        }
        if unicast || (multicast && !self.admin.trusted) {
            return Err(Refusal::Promisc);
        }
        Ok(())
    }
}
