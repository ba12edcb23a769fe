// SPDX-License-Identifier: GPL-2.0

//! The device's non-volatile memory: `ethtool -e` and `-E`.

use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    prelude::*, //
};

use super::{
    device,
    op,
    Device,
    RawDevice,
    Table, //
};

/// Non-volatile memory. The kernel has checked all ranges against the size.
#[vtable]
pub trait Nvm<D>: 'static {
    /// Returns the size in bytes.
    fn nvm_len(port: &D, dev: &Device<D>) -> usize;

    /// Returns what a writer must give, to show that it knows what it writes to.
    fn nvm_magic(port: &D, dev: &Device<D>) -> u32;

    /// Reads the bytes from `offset` on.
    fn read_nvm(port: &D, dev: &Device<D>, offset: usize, bytes: &mut [u8]) -> Result;

    /// Writes the bytes from `offset` on.
    fn write_nvm(_port: &D, _dev: &Device<D>, _offset: usize, _bytes: &[u8]) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Nvm`].
    pub const fn nvm<E: Nvm<D>>(mut self) -> Self {
        self.ops.get_eeprom_len = Some(len::<D, E>);
        self.ops.get_eeprom = Some(get::<D, E>);
        self.ops.set_eeprom = op!(E::HAS_WRITE_NVM, set::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_eeprom_len` of a net device of `D`.
unsafe extern "C" fn len<D, E: Nvm<D>>(dev: *mut RawDevice) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    from_result(|| Ok(c_int::try_from(E::nvm_len(dev.data(), dev))?))
}

/// # Safety
///
/// Called by the kernel as `get_eeprom` of a net device of `D`, with room for `raw.len` bytes at
/// `data`.
unsafe extern "C" fn get<D, E: Nvm<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_eeprom,
    data: *mut u8,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    from_result(|| {
        let (offset, len) = (usize::try_from(raw.offset)?, usize::try_from(raw.len)?);
        // SAFETY: By the safety requirements of this function, `data` has room for `raw.len` bytes,
        // which the kernel has initialised.
        let bytes = unsafe { core::slice::from_raw_parts_mut(data, len) };
        raw.magic = E::nvm_magic(dev.data(), dev);
        E::read_nvm(dev.data(), dev, offset, bytes).map(|()| 0)
    })
}

/// # Safety
///
/// Called by the kernel as `set_eeprom` of a net device of `D`, with `raw.len` bytes at `data`.
unsafe extern "C" fn set<D, E: Nvm<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_eeprom,
    data: *mut u8,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    from_result(|| {
        if raw.magic != E::nvm_magic(dev.data(), dev) {
            // What other drivers return.
            return Err(EFAULT);
        }
        let (offset, len) = (usize::try_from(raw.offset)?, usize::try_from(raw.len)?);
        // SAFETY: By the safety requirements of this function, `data` has `raw.len` bytes.
        let bytes = unsafe { core::slice::from_raw_parts(data, len) };
        E::write_nvm(dev.data(), dev, offset, bytes).map(|()| 0)
    })
}
