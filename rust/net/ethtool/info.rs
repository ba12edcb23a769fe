// SPDX-License-Identifier: GPL-2.0

//! What the device is: `ethtool -i`, `-d`, `-T` and the message level.

use core::{
    ffi::c_void,
    fmt::Write,
    mem::size_of, //
};
use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*, //
};

use crate::text::Text;

use super::{
    device,
    op,
    Device,
    RawDevice,
    Table, //
};

/// Which timestamps there are (`struct kernel_ethtool_ts_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampInfo {
    /// `SOF_TIMESTAMPING_*`.
    pub so_timestamping: u32,
    /// Index of the PTP hardware clock, if there is one.
    pub phc_index: Option<i32>,
    /// Bits `1 << HWTSTAMP_TX_*`.
    pub tx_types: u32,
    /// Bits `1 << HWTSTAMP_FILTER_*`.
    pub rx_filters: u32,
}

impl TimestampInfo {
    /// What any device has: the stack stamps what it is given, and what it sends.
    pub const SOFTWARE: u32 = netbind::SOF_TIMESTAMPING_TX_SOFTWARE
        | netbind::SOF_TIMESTAMPING_RX_SOFTWARE
        | netbind::SOF_TIMESTAMPING_SOFTWARE;
    /// What a device with a clock of its own has besides.
    pub const HARDWARE: u32 = netbind::SOF_TIMESTAMPING_TX_HARDWARE
        | netbind::SOF_TIMESTAMPING_RX_HARDWARE
        | netbind::SOF_TIMESTAMPING_RAW_HARDWARE;
}

/// The contents of the device's registers, for `ethtool -d`.
pub struct Registers<'a> {
    /// Where the register values go, as many as the user wants; all 0.
    pub values: &'a mut [u32],
    /// What tells the user's decoder how to read them.
    pub version: u32,
}

/// What the device is.
#[vtable]
pub trait Info<D>: 'static {
    /// How many register values [`Info::registers`] has.
    const REGISTERS: usize = 0;

    /// Writes the version of the firmware. The kernel knows the rest of `ethtool -i`.
    fn firmware_version(_port: &D, _dev: &Device<D>, _out: &mut dyn Write) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads the registers.
    fn registers(_port: &D, _dev: &Device<D>, _out: &mut Registers<'_>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns which timestamps there are. Without this it is software ones.
    fn timestamp_info(_port: &D, _dev: &Device<D>) -> TimestampInfo {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns which messages are logged: bits `NETIF_MSG_*`.
    fn msglevel(_port: &D, _dev: &Device<D>) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets which messages are logged.
    fn set_msglevel(_port: &D, _dev: &Device<D>, _level: u32) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Info`].
    pub const fn info<E: Info<D>>(mut self) -> Self {
        self.ops.get_drvinfo = op!(E::HAS_FIRMWARE_VERSION, drvinfo::<D, E>);
        self.ops.get_regs_len = op!(E::HAS_REGISTERS, regs_len::<D, E>);
        self.ops.get_regs = op!(E::HAS_REGISTERS, regs::<D, E>);
        self.ops.get_ts_info = if E::HAS_TIMESTAMP_INFO {
            Some(ts_info::<D, E>)
        } else {
            Some(kernel::bindings::ethtool_op_get_ts_info)
        };
        self.ops.get_msglevel = op!(E::HAS_MSGLEVEL, msglevel::<D, E>);
        self.ops.set_msglevel = op!(E::HAS_SET_MSGLEVEL, set_msglevel::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_drvinfo` of a net device of `D`.
unsafe extern "C" fn drvinfo<D, E: Info<D>>(
    dev: *mut RawDevice,
    info: *mut netbind::ethtool_drvinfo,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `info` is valid and ours during the call.
    let (dev, info) = unsafe { (device::<D>(dev), &mut *info) };

    let mut text = Text::new(&mut info.fw_version);
    E::firmware_version(dev.data(), dev, &mut text);
}

/// # Safety
///
/// Called by the kernel as `get_regs_len` of a net device of `D`.
unsafe extern "C" fn regs_len<D, E: Info<D>>(_dev: *mut RawDevice) -> c_int {
    // Evaluated at compile time.
    const { assert!(E::REGISTERS < 0x10_0000) };
    // CAST: Fits, by the assertion above.
    (E::REGISTERS * size_of::<u32>()) as c_int
}

/// # Safety
///
/// Called by the kernel as `get_regs` of a net device of `D`, with `regs.len` at most what
/// `regs_len` has returned, and room for that much at `data`.
unsafe extern "C" fn regs<D, E: Info<D>>(
    dev: *mut RawDevice,
    regs: *mut netbind::ethtool_regs,
    data: *mut c_void,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `regs` is valid and ours during the call.
    let (dev, regs) = unsafe { (device::<D>(dev), &mut *regs) };
    // CAST: Widening.
    let count = (regs.len as usize / size_of::<u32>()).min(E::REGISTERS);

    let mut registers = Registers {
        // SAFETY: There is room for `count` values at `data`, which is zeroed whole pages.
        values: unsafe { core::slice::from_raw_parts_mut(data.cast(), count) },
        version: 0,
    };
    E::registers(dev.data(), dev, &mut registers);
    regs.version = registers.version;
}

/// # Safety
///
/// Called by the kernel as `get_ts_info` of a net device of `D`.
unsafe extern "C" fn ts_info<D, E: Info<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::kernel_ethtool_ts_info,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    let info = E::timestamp_info(dev.data(), dev);
    raw.so_timestamping = info.so_timestamping;
    raw.phc_index = info.phc_index.unwrap_or(-1);
    raw.tx_types = info.tx_types;
    raw.rx_filters = info.rx_filters;
    0
}

/// # Safety
///
/// Called by the kernel as `get_msglevel` of a net device of `D`.
unsafe extern "C" fn msglevel<D, E: Info<D>>(dev: *mut RawDevice) -> u32 {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    E::msglevel(dev.data(), dev)
}

/// # Safety
///
/// Called by the kernel as `set_msglevel` of a net device of `D`.
unsafe extern "C" fn set_msglevel<D, E: Info<D>>(dev: *mut RawDevice, level: u32) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    E::set_msglevel(dev.data(), dev, level);
}
