// SPDX-License-Identifier: GPL-2.0

//! A world as a VF's driver sees it, without the model's predictions.

use super::{
    device::{
        Device,
        Mac, //
    },
    ops::Op,
    world::{
        vf_index,
        World, //
    }, //
};

pub const VMOLR: u32 = 0x5ad0;
pub const DTXSWC: u32 = 0x3500;
pub const ACK: u32 = 0x8000_0000;
pub const NACK: u32 = 0x4000_0000;
pub const CTS: u32 = 0x2000_0000;

/// `nr_vfs` VFs that have made their handshake.
pub fn ready(nr_vfs: u8) -> World {
    let mut world = World::new(Device::Hardware, nr_vfs);
    for v in 0..nr_vfs {
        world.apply(&Op::Message(v, words(&[1])));
    }
    world
}

/// A message that begins with `head`.
pub fn words(head: &[u32]) -> [u32; 16] {
    let mut words = [0; 16];
    words[..head.len()].copy_from_slice(head);
    words
}

/// A message with an address.
pub fn with_mac(id: u32, m: Mac) -> [u32; 16] {
    let low = u32::from_le_bytes([m[0], m[1], m[2], m[3]]);
    words(&[id, low, u32::from_le_bytes([m[4], m[5], 0, 0])])
}

/// What an answer repeats of the first word of a request.
pub fn echo(word0: u32) -> u32 {
    // igbvf takes a refused join for granted if the information byte is there.
    let vlan = word0 & 0xffff == 4;
    word0 & if vlan { 0xffff } else { 0x00ff_ffff }
}

/// Sends a message and returns the first word of the answer.
pub fn send(world: &mut World, v: u8, words: &[u32; 16]) -> u32 {
    world.now += 3_000_000_000;
    let outcome = world.switch.on_message(vf_index(v), words, world.now);
    world.sync();
    outcome.reply.expect("an answer").words()[0]
}

pub fn vmolr(world: &World, v: u32) -> u32 {
    world.regs.read(VMOLR + 4 * v)
}
