// SPDX-License-Identifier: GPL-2.0

//! `ethtool -i`, `-d` and the message level.

use super::Ops;
use crate::port::Port;
use core::fmt::Write;
use igb_core::dump;
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::{
    device::Device,
    ethtool::{
        Info,
        Registers,
        TimestampInfo, //
    },
};

#[vtable]
impl Info<Port> for Ops {
    const REGISTERS: usize = dump::WORDS;

    fn firmware_version(port: &Port, _dev: &Device<Port>, out: &mut dyn Write) {
        if let Some(image) = port.identity.image {
            // What does not fit is cut off.
            let _ = write!(out, "{image}");
        }
    }

    /// Pairs of offset and value: see [`dump`].
    fn registers(port: &Port, _dev: &Device<Port>, out: &mut Registers<'_>) {
        let [low, high] = port.pdev.device_id().to_le_bytes();
        out.version = u32::from_le_bytes([low, high, port.pdev.revision_id(), dump::VERSION]);
        let mut pairs = out.values.chunks_exact_mut(2);
        port.dump(|offset, value| {
            if let Some(pair) = pairs.next() {
                pair.copy_from_slice(&[offset, value]);
            }
        });
    }

    fn timestamp_info(port: &Port, _dev: &Device<Port>) -> TimestampInfo {
        port.timestamp_info()
    }

    fn msglevel(port: &Port, _dev: &Device<Port>) -> u32 {
        port.ethtool.msglevel.load(Relaxed)
    }

    fn set_msglevel(port: &Port, _dev: &Device<Port>, level: u32) {
        port.ethtool.msglevel.store(level, Relaxed);
    }
}
