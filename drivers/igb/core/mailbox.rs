// SPDX-License-Identifier: GPL-2.0

//! The PF's side of the PF-VF mailbox protocol.
//!
//! [`msg`] turns the sixteen words of a mailbox into a [`Request`] or [`Malformed`] and a [`Reply`]
//! into words; nothing else in the driver looks at raw words. [`session`] is the state machine per VF
//! that decides whether a request is served at all, [`direct`] says what may be served in the
//! interrupt. What a served request does is decided in [`crate::switch`]; [`crate::server`] takes the
//! words out of the mailboxes and puts the answers in.

pub mod direct;
pub mod msg;
pub mod session;

pub use self::{
    direct::Direct,
    msg::{
        Malformed,
        Reply,
        Request,
        Words, //
    },
    session::{
        Admit,
        Policy,
        Session, //
    }, //
};
