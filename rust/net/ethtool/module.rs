// SPDX-License-Identifier: GPL-2.0

//! The memory of a pluggable transceiver: `ethtool -m`.

use kernel::{
    error::from_result,
    prelude::*, //
};

use super::{
    device,
    Device,
    RawDevice,
    Table, //
};

/// What the memory of a transceiver has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleMemory {
    /// Its identification: 256 bytes (SFF-8079).
    Sff8079,
    /// Its diagnosis as well: 512 bytes (SFF-8472).
    Sff8472,
}

/// A pluggable transceiver.
pub trait Module<D>: 'static {
    /// Asks the transceiver what its memory has.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if the device has no cage for one; another error if the cage is empty.
    fn module_memory(port: &D, dev: &Device<D>) -> Result<ModuleMemory>;

    /// Reads the bytes from `offset` on.
    ///
    /// The kernel has checked that there are as many, by what [`Module::module_memory`] told it
    /// before. That may have been about another transceiver, as they can be exchanged meanwhile:
    /// the range is to be held against what there is, or its end be left to the transceiver, and
    /// not be relied on.
    ///
    /// # Errors
    ///
    /// There is no transceiver any more, or it does not answer, or it has no such bytes.
    fn read_module(port: &D, dev: &Device<D>, offset: usize, bytes: &mut [u8]) -> Result;
}

impl<D> Table<D> {
    /// Adds the operations of [`Module`].
    pub const fn module<E: Module<D>>(mut self) -> Self {
        self.ops.get_module_info = Some(info::<D, E>);
        self.ops.get_module_eeprom = Some(read::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_module_info` of a net device of `D`.
unsafe extern "C" fn info<D, E: Module<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_modinfo,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    from_result(|| {
        (raw.type_, raw.eeprom_len) = match E::module_memory(dev.data(), dev)? {
            ModuleMemory::Sff8079 => (netbind::ETH_MODULE_SFF_8079, 256),
            ModuleMemory::Sff8472 => (netbind::ETH_MODULE_SFF_8472, 512),
        };
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `get_module_eeprom` of a net device of `D`, with room for `raw.len` bytes at
/// `data`.
unsafe extern "C" fn read<D, E: Module<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_eeprom,
    data: *mut u8,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    from_result(|| {
        let (offset, len) = (usize::try_from(raw.offset)?, usize::try_from(raw.len)?);
        // SAFETY: By the safety requirements of this function, `data` has room for `raw.len` bytes,
        // which the kernel has initialised.
        let bytes = unsafe { core::slice::from_raw_parts_mut(data, len) };
        E::read_module(dev.data(), dev, offset, bytes).map(|()| 0)
    })
}
