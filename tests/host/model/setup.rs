// SPDX-License-Identifier: GPL-2.0

//! What is explored.

use igb_core::mailbox::Policy;

use super::{
    fault::Fault,
    mailbox::{
        Kind,
        VFS, //
    }, //
};

/// Who has a VF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Nobody,
    /// A driver that follows the protocol.
    Client,
    /// Somebody who does anything.
    Hostile,
}

/// No limit.
pub const ENDLESS: u8 = u8::MAX;

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub kind: Kind,
    /// Messages of the PF's raise the wrong interrupt of VFs.
    pub hides_link: bool,
    pub roles: [Role; VFS],
    /// Accesses that each VF makes at most, or [`ENDLESS`].
    pub actions: [u8; VFS],
    /// How often each client resets its function.
    pub restarts: [u8; VFS],
    /// Clients have made their handshake before.
    pub ready: bool,
    /// Seconds that may pass.
    pub looks: u8,
    /// Changes of the link.
    pub tells: u8,
    /// Resets of the PF.
    pub resets: u8,
    /// How often the administrator lets VF 0 back.
    pub releases: u8,
    /// What VFs may ask and offend.
    pub policy: Policy,
    /// Rations in the interrupt and the limit of interrupts apply.
    pub rationed: bool,
    /// Messages VF 0 has been served in the interrupt before.
    pub used: u32,
    /// Queues of clients may run on when they are disabled.
    pub slow_queues: bool,
    /// Clients may take as long as they like from taking a mailbox to ringing.
    pub slow_clients: bool,
    /// What somebody hostile does with its queues and with the size of frames.
    pub rich: bool,
    pub fault: Fault,
    /// Without the saving described at the top.
    pub all_orders: bool,
    /// States at most, against a search that takes too long.
    pub states: usize,
}

/// Nobody asks too often.
pub const GENEROUS: Policy = Policy {
    requests_per_sec: u32::MAX,
    ..Policy::DEFAULT
};

impl Setup {
    pub const PLAIN: Self = Self {
        kind: Kind::Hardware,
        hides_link: false,
        roles: [Role::Client, Role::Nobody],
        actions: [ENDLESS; VFS],
        restarts: [0; VFS],
        ready: false,
        looks: 0,
        tells: 0,
        resets: 0,
        releases: 0,
        policy: GENEROUS,
        rationed: false,
        used: 0,
        slow_queues: false,
        slow_clients: false,
        rich: false,
        fault: Fault::None,
        all_orders: false,
        states: 30_000_000,
    };
}

impl Setup {
    /// A VF that follows the protocol may have to wait.
    pub fn has_limits(&self) -> bool {
        self.rationed || self.policy.requests_per_sec != GENEROUS.requests_per_sec
    }
}
