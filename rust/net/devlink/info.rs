// SPDX-License-Identifier: GPL-2.0

//! What the device is: `devlink dev info`.

use core::{
    fmt::{
        Display,
        Write, //
    },
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

use super::{
    data_of,
    Driver, //
};
use crate::text::Text;

/// Longest value, in bytes: the rest is cut off.
const LONGEST: usize = 255;

/// Where [`Driver::info`] puts what it knows.
///
/// # Invariants
///
/// The pointer is valid for `'a`.
pub struct Info<'a> {
    req: NonNull<netbind::devlink_info_req>,
    _lifetime: PhantomData<&'a mut netbind::devlink_info_req>,
}

/// What the kernel has to add a name and a value.
type Put =
    unsafe extern "C" fn(*mut netbind::devlink_info_req, *const c_char, *const c_char) -> c_int;

impl Info<'_> {
    /// Adds what never changes. Names that have a meaning everywhere (`asic.id`, `board.id`, ...)
    /// are listed in the kernel's `devlink-info.rst`; others are the driver's. An empty value is
    /// not shown, and one of more than 255 bytes is cut off.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room left: some 3 KiB in all.
    pub fn fixed(&mut self, name: &'static CStr, value: &dyn Display) -> Result {
        self.put(netbind::devlink_info_version_fixed_put, name, value)
    }

    /// Adds the version of what runs in the device. As for [`Info::fixed`].
    ///
    /// # Errors
    ///
    /// As for [`Info::fixed`].
    pub fn running(&mut self, name: &'static CStr, value: &dyn Display) -> Result {
        self.put(netbind::devlink_info_version_running_put, name, value)
    }

    fn put(&mut self, put: Put, name: &'static CStr, value: &dyn Display) -> Result {
        let mut buf = [0; LONGEST + 1];
        write!(Text::new(&mut buf), "{value}")?;
        // SAFETY: The request is valid by the type invariants; name and value end with a NUL and
        // are copied.
        to_result(unsafe { put(self.req.as_ptr(), name.as_char_ptr(), buf.as_ptr().cast()) })
    }
}

/// The operations of an instance of `T`.
pub(super) fn ops<T: Driver>() -> &'static netbind::devlink_ops {
    &Ops::<T>::OPS
}

struct Ops<T>(PhantomData<T>);

impl<T: Driver> Ops<T> {
    const OPS: netbind::devlink_ops = netbind::devlink_ops {
        info_get: Some(info_get::<T>),
        ..pin_init::zeroed()
    };
}

/// # Safety
///
/// Called by the kernel for an instance of `T`.
unsafe extern "C" fn info_get<T: Driver>(
    devlink: *mut netbind::devlink,
    req: *mut netbind::devlink_info_req,
    _extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    from_result(|| {
        // SAFETY: The instance is one of `T`, by the safety requirements of this function.
        let data = unsafe { data_of::<T>(devlink) };
        // INVARIANT: The kernel passes a request that is valid during this call.
        let mut out = Info {
            req: NonNull::new(req).ok_or(EINVAL)?,
            _lifetime: PhantomData,
        };
        data.info(&mut out)?;
        Ok(0)
    })
}
