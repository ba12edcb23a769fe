// SPDX-License-Identifier: GPL-2.0

//! What the kernels this crate is built for spell differently, or lack.
//!
//! The compiler chooses, not a version: a name is looked for in the kernel first, in the innermost
//! scope, and else found here. So each of these is the kernel's own wherever the kernel has it, and
//! what no kernel lacks any more can be deleted. The C side of this is `helpers/compat.h`.

use core::{
    borrow::Borrow,
    mem::{
        size_of,
        transmute, //
    },
    num::NonZeroI32,
};
use kernel::{
    error::Error,
    prelude::kunit_tests,
    time::Delta, //
};

// An `Error` is its number and nothing else, which makes `own_error` possible.
const _: () = {
    assert!(size_of::<Error>() == size_of::<NonZeroI32>());
    // SAFETY: Both are of one size, without padding, and any bits are an `i32`.
    assert!(unsafe { transmute::<Error, i32>(kernel::error::code::EPERM) } == -1);
};

/// The error of a number for which the kernel crate has no constant.
#[allow(dead_code)]
const fn own_error(errno: u32) -> Error {
    assert!(errno > 0 && errno <= netbind::MAX_ERRNO);
    // SAFETY: An error is a number from -MAX_ERRNO to -1, as this is, in the representation that was
    // checked above.
    unsafe { transmute::<i32, Error>(-(errno as i32)) }
}

/// Errors for which not every kernel crate has a constant.
mod own {
    use super::own_error;
    use kernel::error::Error;

    macro_rules! errors {
        ($($name:ident)*) => {
            $(#[allow(dead_code)] pub(super) const $name: Error = own_error(netbind::$name);)*
        };
    }
    errors! { EADDRNOTAVAIL EBADMSG ENETDOWN ENOBUFS ENODATA ENOLINK EOPNOTSUPP EPROTONOSUPPORT }
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* pub const $name: Error = {
            // The outer scope is only asked for what the inner one has not.
            #[allow(unused_imports)]
            use own::*;
            {
                #[allow(unused_imports)]
                use kernel::error::code::*;
                $name
            }
        };)*
    };
}

errors! {
    /// Cannot assign requested address.
    EADDRNOTAVAIL
    /// Not a data message.
    EBADMSG
    /// Network is down.
    ENETDOWN
    /// No buffer space available.
    ENOBUFS
    /// No data available.
    ENODATA
    /// Link has been severed.
    ENOLINK
    /// Operation not supported.
    EOPNOTSUPP
    /// Protocol not supported.
    EPROTONOSUPPORT
}

// An `enum` of C is a number, or a type around one: as the kernel has bindgen write it. Both are as
// big as the number, which `transmute` checks, and any number is valid.

/// `IRQ_NONE`: the interrupt was not this device's.
#[allow(clippy::useless_transmute)]
// SAFETY: `irqreturn_t` is as big as the number it is made of, and any number is valid.
pub(crate) const IRQ_NONE: netbind::irqreturn_t = unsafe { transmute(netbind::IRQ_NONE) };

/// `IRQ_HANDLED`: the interrupt was served.
#[allow(clippy::useless_transmute)]
// SAFETY: `irqreturn_t` is as big as the number it is made of, and any number is valid.
pub(crate) const IRQ_HANDLED: netbind::irqreturn_t = unsafe { transmute(netbind::IRQ_HANDLED) };

/// `HRTIMER_NORESTART`: the timer has ended, unless it was started again.
#[allow(clippy::useless_transmute)]
pub(crate) const HRTIMER_NORESTART: netbind::hrtimer_restart =
    // SAFETY: `hrtimer_restart` is as big as the number it is made of, and any number is valid.
    unsafe { transmute(netbind::HRTIMER_NORESTART) };

/// `DMA_TO_DEVICE`: the device reads.
#[allow(clippy::useless_transmute)]
#[cfg_attr(CONFIG_RUSTC_HAS_UNNECESSARY_TRANSMUTES, allow(unnecessary_transmutes))]
pub(crate) const DMA_TO_DEVICE: netbind::dma_data_direction =
    // SAFETY: `dma_data_direction` is as big as the number it is made of, and any number is valid.
    unsafe { transmute(netbind::DMA_TO_DEVICE) };

/// The smallest number of milliseconds that is not less than `delta`.
pub(crate) fn millis_ceil(delta: Delta) -> i64 {
    const NANOS: i64 = 1_000_000;

    let nanos = delta.as_nanos();
    // Division rounds towards 0, which is up for what is negative.
    nanos / NANOS + i64::from(nanos % NANOS > 0)
}

/// The value of a module parameter, which kernels return by value or by reference.
pub fn parameter<T: Copy>(value: impl Borrow<T>) -> T {
    *value.borrow()
}

#[kunit_tests(net_compat)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_numbers_of_c() {
        assert_eq!(EOPNOTSUPP.to_errno(), -95);
        assert_eq!(own::EOPNOTSUPP.to_errno(), -95);
        assert_eq!(own::EPROTONOSUPPORT.to_errno(), -93);
        assert_eq!(own::ENETDOWN.to_errno(), -100);
        assert_eq!(own::EADDRNOTAVAIL.to_errno(), -99);
    }

    #[test]
    fn parameters_are_values_or_references() {
        assert_eq!(parameter::<u32>(7), 7);
        assert_eq!(parameter::<i32>(&-7), -7);
    }

    #[test]
    fn milliseconds_round_up() {
        assert_eq!(millis_ceil(Delta::from_nanos(0)), 0);
        assert_eq!(millis_ceil(Delta::from_nanos(1)), 1);
        assert_eq!(millis_ceil(Delta::from_nanos(1_000_000)), 1);
        assert_eq!(millis_ceil(Delta::from_nanos(1_000_001)), 2);
        assert_eq!(millis_ceil(Delta::from_nanos(-1_999_999)), -1);
        assert_eq!(
            millis_ceil(Delta::from_nanos(i64::MAX)),
            i64::MAX / 1_000_000 + 1
        );
    }
}
