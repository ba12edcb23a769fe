// SPDX-License-Identifier: GPL-2.0

//! The non-volatile memory: `ethtool -e`.
//!
//! It cannot be written from here: a wrong image leaves an adapter that does not start, and the
//! vendor's tool, which knows the images, does not need the driver.

use super::Ops;
use crate::{
    hw,
    port::Port, //
};
use igb_core::regs::{
    self,
    eecd, //
};
use kernel::{
    pci::Vendor,
    prelude::*, //
};
use net::{
    device::Device,
    ethtool::Nvm, //
};

/// Bytes read at once: others get a chance to use the memory in between.
const CHUNK: usize = 64;

#[vtable]
impl Nvm<Port> for Ops {
    fn nvm_len(port: &Port, _dev: &Device<Port>) -> usize {
        let words = eecd::words(port.io.read(regs::EECD)).unwrap_or(0);
        // CAST: Widening.
        words as usize * 2
    }

    fn nvm_magic(port: &Port, _dev: &Device<Port>) -> u32 {
        let vendor = u32::from(Vendor::INTEL.as_raw());
        vendor | u32::from(port.pdev.device_id()) << 16
    }

    fn read_nvm(port: &Port, _dev: &Device<Port>, offset: usize, bytes: &mut [u8]) -> Result {
        for (n, chunk) in bytes.chunks_mut(CHUNK).enumerate() {
            let at = offset.wrapping_add(n.wrapping_mul(CHUNK));
            read_bytes(&port.nvm, at, chunk)?;
        }
        Ok(())
    }
}

/// Reads up to [`CHUNK`] bytes.
fn read_bytes(nvm: &hw::nvm::Nvm, offset: usize, bytes: &mut [u8]) -> Result {
    let skip = offset % 2;
    let count = skip.wrapping_add(bytes.len()).div_ceil(2);
    let mut words = [0; CHUNK / 2 + 1];
    let words = words.get_mut(..count).ok_or(EINVAL)?;
    nvm.read(u16::try_from(offset / 2)?, words)?;
    let read = words.iter().flat_map(|word| word.to_le_bytes()).skip(skip);
    for (to, byte) in bytes.iter_mut().zip(read) {
        *to = byte;
    }
    Ok(())
}
