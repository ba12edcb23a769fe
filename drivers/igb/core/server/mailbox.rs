// SPDX-License-Identifier: GPL-2.0

//! One mailbox: who holds it, and the words in it.

use super::Driver;
use crate::{
    function::{
        VfIndex,
        VfSet, //
    },
    mailbox::msg::{
        self,
        Words, //
    },
    regs::{
        self,
        mbvficr,
        p2vmailbox,
        VMBMEM_WORDS, //
    },
};

/// Takes the mailbox unless the VF holds it.
pub(super) fn try_lock(d: &impl Driver, vf: VfIndex) -> bool {
    let register = regs::p2vmailbox(vf.index());
    d.write(register, p2vmailbox::PFU);
    d.read(register) & p2vmailbox::PFU != 0
}

/// Takes the mailbox away from a VF that does not let go of it, which is no reason to wait. If the VF
/// still holds it, its words are read all the same. The worst it gets is its own garbage.
pub(super) fn take_away(d: &impl Driver, vf: VfIndex) {
    let register = regs::p2vmailbox(vf.index());
    d.write(register, p2vmailbox::RVFU);
    d.write(register, p2vmailbox::PFU);
}

/// Gives the mailbox back.
pub(super) fn release(d: &impl Driver, vf: VfIndex) {
    d.write(regs::p2vmailbox(vf.index()), p2vmailbox::RELEASE);
}

/// Tells the VF that its message was read. The mailbox stays the PF's.
pub(super) fn acknowledge(d: &impl Driver, vf: VfIndex) {
    d.write(
        regs::p2vmailbox(vf.index()),
        p2vmailbox::ACK | p2vmailbox::PFU,
    );
}

/// Whether there is a request of `vf`.
pub(super) fn has_request(d: &impl Driver, vf: VfIndex) -> bool {
    mbvficr::requests(d.read(regs::MBVFICR)) & vf.bit() != 0
}

/// Clears the cause of a request that is about to be read.
pub(super) fn clear_request(d: &impl Driver, vf: VfIndex) {
    d.write(regs::MBVFICR, mbvficr::clear_requests(vf.bit()));
}

/// Copies a message. Reading stalls for each word: those the message does not have stay 0.
pub(super) fn read_words(d: &impl Driver, vf: VfIndex) -> Words {
    let mut words = Words::default();
    let word0 = d.read(regs::vmbmem(vf.index(), 0));
    for (n, word) in words.iter_mut().enumerate().take(msg::words_of(word0)) {
        *word = if n == 0 {
            word0
        } else {
            d.read(regs::vmbmem(vf.index(), n))
        };
    }
    words
}

/// Clears the mailbox memory of a VF from word `from` on.
pub(super) fn scrub(d: &impl Driver, vf: VfIndex, from: usize) {
    for n in from..VMBMEM_WORDS {
        d.write(regs::vmbmem(vf.index(), n), 0);
    }
}

/// Writes a message for the VF and lets it have the mailbox.
pub(super) fn send(d: &impl Driver, vf: VfIndex, words: &[u32]) {
    for (n, word) in words.iter().enumerate() {
        d.write(regs::vmbmem(vf.index(), n), *word);
    }
    d.write(regs::p2vmailbox(vf.index()), p2vmailbox::STS);
}

/// Drops whatever these VFs want.
pub(super) fn forget(d: &impl Driver, vfs: VfSet) {
    if !vfs.is_empty() {
        d.write(regs::VFLRE, vfs.bits().into());
        d.write(regs::MBVFICR, mbvficr::clear_requests(vfs.bits()));
    }
}

/// Writes a message of the PF's own, unless the VF holds the mailbox or a request is in it.
pub(super) fn try_ping(d: &impl Driver, vf: VfIndex, word: u32) -> bool {
    if !try_lock(d, vf) {
        return false;
    }
    // With the mailbox ours no new request can come; one that is there must not be overwritten.
    if has_request(d, vf) {
        release(d, vf);
        return false;
    }
    send(d, vf, &[word]);
    true
}
