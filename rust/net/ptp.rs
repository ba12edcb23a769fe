// SPDX-License-Identifier: GPL-2.0

//! Clocks of devices, which user space reads and adjusts, and packets stamped with their time.
//!
//! - [`Clock`], [`Registration`]: the clock itself, `/dev/ptpN`.
//! - [`StampConfig`]: which packets are stamped, as user space asks for it.
//! - [`TxStamps`]: packets that are sent; [`RxSkb::set_stamp`](crate::skb::RxSkb::set_stamp) is for those
//!   that are received.
//!
//! C header: [`include/linux/ptp_clock_kernel.h`](srctree/include/linux/ptp_clock_kernel.h)

use crate::{
    compat::EOPNOTSUPP,
    text::Text, //
};
use core::{
    fmt::Write,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    error::{
        from_err_ptr,
        from_result, //
    },
    fmt,
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

mod config;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/ptp.rs"]
mod test;
mod transmit;

pub use self::{
    config::{
        RxFilter,
        StampConfig,
        TxStamping, //
    },
    transmit::{
        TxStamper,
        TxStamps, //
    },
};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// The operations of a clock. `Self` is the driver's state of it.
///
/// Times are nanoseconds since the epoch, which is that of whoever sets the clock. Everything is called
/// in process context and may sleep; several calls may be under way at once.
///
/// # Examples
///
/// A clock whose registers count nanoseconds:
///
/// ```
/// use kernel::{device::{Bound, Device}, fmt, prelude::*, sync::Arc};
/// use net::ptp::{self, SystemSample};
///
/// struct Counter { /* Registers. */ }
///
/// impl Counter {
///     fn read(&self) -> i64 { 0 }
/// }
///
/// impl ptp::Clock for Counter {
///     const MAX_ADJUSTMENT: i32 = 0;
///
///     fn time(&self, system: &mut SystemSample<'_>) -> Result<i64> {
///         system.before();
///         let now = self.read();
///         system.after();
///         Ok(now)
///     }
///
///     fn set_time(&self, _time: i64) -> Result { Err(EINVAL) }
///     fn shift(&self, _delta: i64) -> Result { Err(EINVAL) }
///     fn set_rate(&self, _scaled_ppm: i64) -> Result { Err(EINVAL) }
/// }
///
/// fn show(dev: &Device<Bound>, counter: Arc<Counter>) -> Result<ptp::Registration<Counter>> {
///     ptp::Registration::new(dev, counter, fmt!("counter"))
/// }
/// ```
pub trait Clock: Send + Sync + Sized + 'static {
    /// Largest adjustment of the rate in either direction, in parts per billion. Requests for more are
    /// refused before they get here.
    const MAX_ADJUSTMENT: i32;

    /// What the time is. Says in `system` between which two moments that was.
    ///
    /// # Errors
    ///
    /// The caller's.
    fn time(&self, system: &mut SystemSample<'_>) -> Result<i64>;

    /// Sets the time.
    fn set_time(&self, time: i64) -> Result;

    /// Moves the time by `delta` nanoseconds.
    fn shift(&self, delta: i64) -> Result;

    /// From now on the clock goes faster than it would by itself, by `scaled_ppm` units of 2^-16 ppm.
    fn set_rate(&self, scaled_ppm: i64) -> Result;
}

/// Where the time of the system goes, for who wants to compare it with the clock's.
///
/// # Invariants
///
/// The pointer is NULL, or valid and nobody else's for `'a`.
pub struct SystemSample<'a>(*mut netbind::ptp_system_timestamp, PhantomData<&'a mut ()>);

impl SystemSample<'_> {
    /// To be called right before the access to the device that takes the clock's time.
    #[inline]
    pub fn before(&mut self) {
        // SAFETY: The pointer is NULL or valid by the type invariants.
        unsafe { netbind::ptp_read_system_prets(self.0) };
    }

    /// To be called right after it.
    #[inline]
    pub fn after(&mut self) {
        // SAFETY: The pointer is NULL or valid by the type invariants.
        unsafe { netbind::ptp_read_system_postts(self.0) };
    }

    /// One that nobody looks at.
    pub fn nobodys() -> Self {
        // INVARIANT: NULL.
        Self(core::ptr::null_mut(), PhantomData)
    }
}

/// What the system's clock shows: nanoseconds since 1970 (`CLOCK_REALTIME`). Any context but NMI.
pub fn system_time() -> i64 {
    // SAFETY: No preconditions but those of this function.
    unsafe { netbind::ktime_get_real() }
}

/// A clock that user space can see.
///
/// Dropping it takes it away; no operation is running or will run then. Process context. It is also taken
/// away when the device is unbound, so that one that is forgotten cannot outlive the driver.
pub struct Registration<T: Clock> {
    index: i32,
    _shown: Devres<Shown<T>>,
}

impl<T: Clock> Registration<T> {
    /// Shows a clock of `dev` called `name`, of which 31 bytes are used. Process context.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if the kernel has no such clocks, `ENOMEM`, and what registering it returns.
    pub fn new(dev: &Device<Bound>, data: Arc<T>, name: fmt::Arguments<'_>) -> Result<Self> {
        let shown = Shown::new(dev, data, name)?;
        // SAFETY: The clock is registered.
        let index = unsafe { netbind::phc_index(shown.clock.as_ptr()) };
        Ok(Self {
            index,
            _shown: Devres::new(dev, Ok::<_, Error>(shown))?,
        })
    }

    /// The N in `/dev/ptpN`.
    pub fn index(&self) -> i32 {
        self.index
    }
}

/// What the kernel knows of a clock, and what its operations are for.
#[repr(C)]
struct Info<T> {
    // First: operations are given a pointer to it.
    raw: Opaque<netbind::ptp_clock_info>,
    data: Arc<T>,
}

/// What a [`Registration`] stands for.
///
/// # Invariants
///
/// `clock` is registered, with the information in `_info`.
struct Shown<T: Clock> {
    clock: NonNull<netbind::ptp_clock>,
    // Referred to by the clock.
    _info: KBox<Info<T>>,
}

// SAFETY: Clocks may be unregistered by any thread; `T` is `Send` and `Sync`.
unsafe impl<T: Clock> Send for Shown<T> {}
// SAFETY: No method takes a shared reference.
unsafe impl<T: Clock> Sync for Shown<T> {}

impl<T: Clock> Shown<T> {
    fn new(dev: &Device<Bound>, data: Arc<T>, name: fmt::Arguments<'_>) -> Result<Self> {
        let mut raw = netbind::ptp_clock_info {
            max_adj: T::MAX_ADJUSTMENT,
            adjfine: Some(adjfine::<T>),
            adjtime: Some(adjtime::<T>),
            gettimex64: Some(gettimex64::<T>),
            settime64: Some(settime64::<T>),
            ..pin_init::zeroed()
        };
        // What does not fit is cut off.
        let _ = Text::new(&mut raw.name).write_fmt(name);
        let info = KBox::new(
            Info {
                raw: Opaque::new(raw),
                data,
            },
            GFP_KERNEL,
        )?;
        let parent = core::ptr::from_ref(dev).cast_mut().cast();
        // SAFETY: The device is valid. The information stays where it is, and is kept until the clock is
        // unregistered; only the kernel changes it. Its operations are for an `Info<T>`.
        let clock = from_err_ptr(unsafe { netbind::phc_register(info.raw.get(), parent) })?;
        // INVARIANT: just registered.
        Ok(Self {
            clock: NonNull::new(clock).ok_or(EOPNOTSUPP)?,
            _info: info,
        })
    }
}

impl<T: Clock> Drop for Shown<T> {
    fn drop(&mut self) {
        // SAFETY: The clock is registered by the type invariants, and nobody refers to it afterwards.
        // This waits for operations.
        unsafe { netbind::phc_unregister(self.clock.as_ptr()) };
    }
}

/// # Safety
///
/// `info` is that of a [`Shown<T>`], which lasts for `'a`.
unsafe fn data_of<'a, T: Clock>(info: *mut netbind::ptp_clock_info) -> &'a T {
    // SAFETY: By the requirements of this function. What is registered is the first field of an `Info`.
    unsafe { &(*info.cast::<Info<T>>()).data }
}

/// # Safety
///
/// Called by the kernel as an operation of a [`Shown<T>`].
unsafe extern "C" fn adjfine<T: Clock>(
    info: *mut netbind::ptp_clock_info,
    scaled_ppm: c_long,
) -> c_int {
    // SAFETY: By the requirements of this function; unregistering the clock waits for this.
    let clock = unsafe { data_of::<T>(info) };
    // CAST: `long` has 64 bits.
    from_result(|| clock.set_rate(scaled_ppm as i64).map(|()| 0))
}

/// # Safety
///
/// As of [`adjfine`].
unsafe extern "C" fn adjtime<T: Clock>(info: *mut netbind::ptp_clock_info, delta: i64) -> c_int {
    // SAFETY: By the requirements of this function; unregistering the clock waits for this.
    let clock = unsafe { data_of::<T>(info) };
    from_result(|| clock.shift(delta).map(|()| 0))
}

/// # Safety
///
/// As of [`adjfine`]; `ts` is to be filled in, and `sts` as well unless it is NULL.
unsafe extern "C" fn gettimex64<T: Clock>(
    info: *mut netbind::ptp_clock_info,
    ts: *mut netbind::timespec64,
    sts: *mut netbind::ptp_system_timestamp,
) -> c_int {
    // SAFETY: By the requirements of this function; unregistering the clock waits for this.
    let clock = unsafe { data_of::<T>(info) };
    // INVARIANT: by the requirements of this function.
    let mut sample = SystemSample(sts, PhantomData);
    from_result(|| {
        let time = clock.time(&mut sample)?;
        // SAFETY: `ts` is valid for writes, by the requirements of this function.
        unsafe {
            ts.write(netbind::timespec64 {
                tv_sec: time.div_euclid(SECOND),
                // CAST: less than a billion.
                tv_nsec: time.rem_euclid(SECOND) as c_long,
            });
        }
        Ok(0)
    })
}

/// # Safety
///
/// As of [`adjfine`]; `ts` is valid.
unsafe extern "C" fn settime64<T: Clock>(
    info: *mut netbind::ptp_clock_info,
    ts: *const netbind::timespec64,
) -> c_int {
    // SAFETY: By the requirements of this function; unregistering the clock waits for this.
    let (clock, ts) = unsafe { (data_of::<T>(info), &*ts) };
    from_result(|| clock.set_time(nanoseconds(ts).ok_or(ERANGE)?).map(|()| 0))
}

/// `None` for a time that 64 bits do not hold.
fn nanoseconds(ts: &netbind::timespec64) -> Option<i64> {
    // CAST: `long` has 64 bits.
    ts.tv_sec
        .checked_mul(SECOND)?
        .checked_add(ts.tv_nsec as i64)
}
