// SPDX-License-Identifier: GPL-2.0

//! Settings: `devlink dev param show`, `devlink dev param set … name … value … cmode runtime`.

use core::ptr::{
    addr_of,
    addr_of_mut, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

use super::{
    data_of,
    Driver, //
};
use crate::ethtool::ExtAck;

/// Identifiers below belong to the kernel.
const FIRST_ID: u32 = netbind::devlink_param_generic_id_DEVLINK_PARAM_GENERIC_ID_MAX + 1;

/// A number that can be set while the device works.
pub struct Param<T: Driver> {
    /// Its name, none of the kernel's generic ones.
    pub name: &'static CStr,
    /// Smallest and largest value. Others are refused with `-ERANGE` and never get to `set`.
    pub range: (u32, u32),
    /// What a user is told whose value is out of range: without a full stop.
    pub range_text: &'static CStr,
    /// Returns the value.
    pub get: fn(&T) -> u32,
    /// Sets the value. Errors leave the old one.
    pub set: fn(&T, u32) -> Result,
}

/// The parameters as the kernel is told.
pub(super) fn table<T: Driver>() -> Result<KVec<netbind::devlink_param>> {
    let mut table = KVec::with_capacity(T::PARAMS.len(), GFP_KERNEL)?;
    for (id, param) in (FIRST_ID..).zip(T::PARAMS) {
        let entry = netbind::devlink_param {
            id,
            name: param.name.as_char_ptr(),
            generic: false,
            type_: netbind::devlink_param_type_DEVLINK_PARAM_TYPE_U32,
            supported_cmodes: 1 << netbind::devlink_param_cmode_DEVLINK_PARAM_CMODE_RUNTIME,
            get: Some(get::<T>),
            set: Some(set::<T>),
            validate: Some(validate::<T>),
            ..pin_init::zeroed()
        };
        table.push(entry, GFP_KERNEL)?;
    }
    Ok(table)
}

fn find<T: Driver>(id: u32) -> Result<&'static Param<T>> {
    let index = id.checked_sub(FIRST_ID).ok_or(EINVAL)?;
    T::PARAMS.get(usize::try_from(index)?).ok_or(EINVAL)
}

/// # Safety
///
/// Called by the kernel for a parameter in the [`table`] of `T`, of an instance of `T`.
unsafe extern "C" fn get<T: Driver>(
    devlink: *mut netbind::devlink,
    id: u32,
    ctx: *mut netbind::devlink_param_gset_ctx,
    _extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    from_result(|| {
        // SAFETY: The instance is one of `T`, by the safety requirements of this function.
        let data = unsafe { data_of::<T>(devlink) };
        let value = (find::<T>(id)?.get)(data);
        // SAFETY: The kernel passes a context to fill. The members of a union are at its start.
        unsafe { addr_of_mut!((*ctx).val).cast::<u32>().write(value) };
        Ok(0)
    })
}

/// # Safety
///
/// As for [`get`].
unsafe extern "C" fn set<T: Driver>(
    devlink: *mut netbind::devlink,
    id: u32,
    ctx: *mut netbind::devlink_param_gset_ctx,
    _extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    from_result(|| {
        // SAFETY: The instance is one of `T`, by the safety requirements of this function.
        let data = unsafe { data_of::<T>(devlink) };
        // SAFETY: The kernel passes a value of the type of the parameter, at the start of the
        // union.
        let value = unsafe { addr_of!((*ctx).val).cast::<u32>().read() };
        (find::<T>(id)?.set)(data, value)?;
        Ok(0)
    })
}

/// # Safety
///
/// As for [`get`].
unsafe extern "C" fn validate<T: Driver>(
    _devlink: *mut netbind::devlink,
    id: u32,
    value: *mut netbind::devlink_param_value,
    extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: The kernel passes a valid pointer or null, for the duration of this call.
    let mut extack = unsafe { ExtAck::from_raw(extack) };
    from_result(|| {
        let param = find::<T>(id)?;
        // SAFETY: The kernel passes a value of the type of the parameter, at the start of the
        // union.
        let value = unsafe { value.cast::<u32>().read() };
        let (least, most) = param.range;
        if !(least..=most).contains(&value) {
            return Err(extack.err(ERANGE, param.range_text));
        }
        Ok(0)
    })
}
