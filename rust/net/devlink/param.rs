// SPDX-License-Identifier: GPL-2.0

//! Settings: `devlink dev param show`, `devlink dev param set … name … value … cmode runtime`.

use core::{
    fmt,
    ptr::{
        addr_of,
        addr_of_mut, //
    },
};
use kernel::{
    error::from_result,
    prelude::*, //
};

use super::{
    data_of,
    Driver, //
};
use crate::{
    compat::EOPNOTSUPP,
    ethtool::ExtAck, //
};

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

/// Something that is on or off, and can be set while the device works.
pub struct Flag<T: Driver> {
    /// Its name, none of the kernel's generic ones.
    pub name: &'static CStr,
    /// What a user is told who sets it while it is hidden: without a full stop. Who asks for it first, as
    /// iproute2 does, is told the error alone: with a text, the list of all parameters would end with it.
    pub absent: &'static CStr,
    /// Returns the value. `EOPNOTSUPP` hides the parameter for now.
    pub get: fn(&T) -> Result<bool>,
    /// Sets the value. Errors leave the old one; `EOPNOTSUPP` while it is hidden.
    pub set: fn(&T, bool) -> Result,
}

/// A text that can be set while the device works.
pub struct Text<T: Driver> {
    /// Its name, none of the kernel's generic ones.
    pub name: &'static CStr,
    /// What a user is told whose value `set` finds invalid: without a full stop.
    pub hint: &'static CStr,
    /// As [`Flag::absent`].
    pub absent: &'static CStr,
    /// Writes the value, of at most [`LONGEST_TEXT`] bytes. `EOPNOTSUPP` hides the parameter for now.
    pub get: fn(&T, &mut dyn fmt::Write) -> Result,
    /// Sets the value, which has at most [`LONGEST_TEXT`] bytes. Errors leave the old one; `EINVAL` is for
    /// a text that is none of a value, and `EOPNOTSUPP` while it is hidden.
    pub set: fn(&T, &str) -> Result,
}

/// Bytes in the longest text a parameter can have.
// CAST: A small constant.
pub const LONGEST_TEXT: usize = netbind::__DEVLINK_PARAM_MAX_STRING_VALUE as usize - 1;

/// A parameter by its type. The values of each type have identifiers of their own, in this order.
enum Kind<T: Driver> {
    Number(&'static Param<T>),
    Flag(&'static Flag<T>),
    Text(&'static Text<T>),
}

/// All parameters, in the order of their identifiers.
fn all<T: Driver>() -> impl Iterator<Item = Kind<T>> {
    let numbers = T::PARAMS.iter().map(Kind::Number);
    let flags = T::FLAGS.iter().map(Kind::Flag);
    let texts = T::TEXTS.iter().map(Kind::Text);
    // By its name: what a constructor of pinned values has is called the same.
    Iterator::chain(Iterator::chain(numbers, flags), texts)
}

/// The parameters as the kernel is told.
pub(super) fn table<T: Driver>() -> Result<KVec<netbind::devlink_param>> {
    let mut table = KVec::new();
    for (id, param) in (FIRST_ID..).zip(all::<T>()) {
        let (name, type_) = match param {
            Kind::Number(number) => (
                number.name,
                netbind::devlink_param_type_DEVLINK_PARAM_TYPE_U32,
            ),
            Kind::Flag(flag) => (
                flag.name,
                netbind::devlink_param_type_DEVLINK_PARAM_TYPE_BOOL,
            ),
            Kind::Text(text) => (
                text.name,
                netbind::devlink_param_type_DEVLINK_PARAM_TYPE_STRING,
            ),
        };
        let entry = netbind::devlink_param {
            id,
            name: name.as_char_ptr(),
            generic: false,
            type_,
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

fn find<T: Driver>(id: u32) -> Result<Kind<T>> {
    let index = id.checked_sub(FIRST_ID).ok_or(EINVAL)?;
    all::<T>().nth(usize::try_from(index)?).ok_or(EINVAL)
}

/// A text as the kernel has it: ended by a zero byte.
struct Buffer([u8; LONGEST_TEXT + 1], usize);

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.1.checked_add(text.len()).ok_or(fmt::Error)?;
        if end > LONGEST_TEXT {
            return Err(fmt::Error);
        }
        let room = self.0.get_mut(self.1..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.1 = end;
        Ok(())
    }
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
        // SAFETY: The kernel passes a context to fill.
        let value = unsafe { addr_of_mut!((*ctx).val) };
        match find::<T>(id)? {
            Kind::Number(number) => {
                let number = (number.get)(data);
                // SAFETY: `value` is valid for writes. The members of a union are at its start.
                unsafe { value.cast::<u32>().write(number) };
            }
            Kind::Flag(flag) => {
                let flag = (flag.get)(data)?;
                // SAFETY: `value` is valid for writes, and the parameter is of this type.
                unsafe { value.cast::<bool>().write(flag) };
            }
            Kind::Text(text) => {
                let mut buffer = Buffer([0; LONGEST_TEXT + 1], 0);
                (text.get)(data, &mut buffer)?;
                // SAFETY: `value` is valid for writes; the buffer is as long as that of the union.
                unsafe { value.cast::<[u8; LONGEST_TEXT + 1]>().write(buffer.0) };
            }
        }
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
    extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    // SAFETY: The kernel passes a valid pointer or null, for the duration of this call.
    let mut extack = unsafe { ExtAck::from_raw(extack) };
    from_result(|| {
        // SAFETY: The instance is one of `T`, by the safety requirements of this function.
        let data = unsafe { data_of::<T>(devlink) };
        // SAFETY: The kernel passes a context with a value.
        let value = unsafe { addr_of!((*ctx).val) };
        match find::<T>(id)? {
            Kind::Number(number) => {
                // SAFETY: The value is of the type of the parameter, at the start of the union.
                (number.set)(data, unsafe { value.cast::<u32>().read() })?;
            }
            Kind::Flag(flag) => {
                // SAFETY: The value is of the type of the parameter, a `bool`, at the start of the union.
                let value = unsafe { value.cast::<bool>().read() };
                (flag.set)(data, value).map_err(|error| told(&mut extack, error, flag.absent))?;
            }
            Kind::Text(text) => {
                // SAFETY: The value is a text at the start of the union. The kernel has made sure of the zero
                // byte, and leaves the value alone during this call.
                let value = unsafe { CStr::from_char_ptr(value.cast()) };
                let done = value
                    .to_str()
                    .map_err(|_| EINVAL)
                    .and_then(|value| (text.set)(data, value));
                if done == Err(EINVAL) {
                    return Err(extack.err(EINVAL, text.hint));
                }
                done.map_err(|error| told(&mut extack, error, text.absent))?;
            }
        }
        Ok(0)
    })
}

/// `error`, with the text for a parameter that is hidden if it is that.
fn told(extack: &mut ExtAck<'_>, error: Error, absent: &'static CStr) -> Error {
    if error == EOPNOTSUPP {
        extack.err(error, absent)
    } else {
        error
    }
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
        let Kind::Number(number) = find::<T>(id)? else {
            return Ok(0);
        };
        // SAFETY: The kernel passes a value of the type of the parameter, at the start of the
        // union.
        let value = unsafe { value.cast::<u32>().read() };
        let (least, most) = number.range;
        if !(least..=most).contains(&value) {
            return Err(extack.err(ERANGE, number.range_text));
        }
        Ok(0)
    })
}
