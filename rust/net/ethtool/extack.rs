// SPDX-License-Identifier: GPL-2.0

//! Error texts for the users of netlink.

use core::marker::PhantomData;
use kernel::prelude::*;

/// Where the text that explains an error to the user goes (`struct netlink_ext_ack`).
///
/// # Invariants
///
/// The pointer is null or valid for `'a`, and nobody else uses it meanwhile.
pub struct ExtAck<'a> {
    raw: *mut netbind::netlink_ext_ack,
    _lifetime: PhantomData<&'a mut netbind::netlink_ext_ack>,
}

impl ExtAck<'_> {
    /// # Safety
    ///
    /// `raw` is null or valid for as long as this is used, and nobody else uses it meanwhile.
    pub(crate) unsafe fn from_raw(raw: *mut netbind::netlink_ext_ack) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self {
            raw,
            _lifetime: PhantomData,
        }
    }

    /// Sets the text, without a full stop or a newline. Without a netlink user nothing happens.
    pub fn set_msg(&mut self, msg: &'static CStr) {
        // SAFETY: By the type invariants the pointer is NULL, or valid and ours for the call.
        if let Some(extack) = unsafe { self.raw.as_mut() } {
            extack._msg = msg.as_char_ptr();
        }
    }

    /// Sets the text, and returns `error`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::prelude::*;
    /// use net::ethtool::{ExtAck, RingParam};
    ///
    /// fn check(rings: &RingParam, extack: &mut ExtAck<'_>) -> Result {
    ///     if rings.rx != rings.tx {
    ///         return Err(extack.err(EINVAL, c"ring sizes must be equal"));
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn err(&mut self, error: Error, msg: &'static CStr) -> Error {
        self.set_msg(msg);
        error
    }
}
