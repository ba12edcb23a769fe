// SPDX-License-Identifier: GPL-2.0

//! `ethtool -i`, `-d` and the message level.

use super::Ops;
use crate::{
    hw::nvm::Nvm,
    port::Port, //
};
use core::fmt::Write;
use igb_core::{
    dump,
    nvm as contents, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::{
    device::Device,
    ethtool::{
        Info,
        Registers, //
    },
};

#[vtable]
impl Info<Port> for Ops {
    const REGISTERS: usize = dump::WORDS;

    fn firmware_version(port: &Port, _dev: &Device<Port>, out: &mut dyn Write) {
        // An NVM that cannot be read has no version to show.
        let _ = write_version(&port.nvm, out);
    }

    /// Pairs of offset and value: see [`dump`].
    fn registers(port: &Port, _dev: &Device<Port>, out: &mut Registers<'_>) {
        let [low, high] = port.pdev.device_id().to_le_bytes();
        out.version = u32::from_le_bytes([low, high, port.pdev.revision_id(), dump::VERSION]);
        let _mac = port.mac.lock();
        for (pair, offset) in out.values.chunks_exact_mut(2).zip(dump::offsets()) {
            pair.copy_from_slice(&[offset, port.io.read_at(offset)]);
        }
    }

    fn msglevel(port: &Port, _dev: &Device<Port>) -> u32 {
        port.ethtool.msglevel.load(Relaxed)
    }

    fn set_msglevel(port: &Port, _dev: &Device<Port>, level: u32) {
        port.ethtool.msglevel.store(level, Relaxed);
    }
}

/// Version of the NVM image, then its tracking number if it has one.
fn write_version(nvm: &Nvm, out: &mut dyn Write) -> Result {
    let mut word = [0];
    nvm.read(contents::VERSION_WORD, &mut word)?;
    let (major, minor, image) = contents::version(word[0]);
    let mut etrack = [0; 2];
    nvm.read(contents::ETRACK_WORD, &mut etrack)?;
    // The minor number is BCD.
    match contents::etrack(etrack) {
        Some(id) => write!(out, "{major}.{minor:02x}, {id:#010x}")?,
        None => write!(out, "{major}.{minor:02x}.{image}")?,
    }
    Ok(())
}
