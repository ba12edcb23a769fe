// SPDX-License-Identifier: GPL-2.0

//! The SFP module of a port that has a cage for one: `ethtool -m`.

use super::Ops;
use crate::port::Port;
use igb_core::media::Memory;
use kernel::prelude::*;
use net::{
    device::Device,
    ethtool::{
        Module,
        ModuleMemory, //
    },
};

impl Module<Port> for Ops {
    fn module_memory(port: &Port, _dev: &Device<Port>) -> Result<ModuleMemory> {
        Ok(match port.mac.lock().link.module_memory()? {
            Memory::Identification => ModuleMemory::Sff8079,
            Memory::WithDiagnosis => ModuleMemory::Sff8472,
        })
    }

    /// All 512 bytes take some 100 ms.
    fn read_module(port: &Port, _dev: &Device<Port>, offset: usize, bytes: &mut [u8]) -> Result {
        let offset = u16::try_from(offset)?;
        port.mac.lock().link.read_module(offset, bytes)
    }
}
