// SPDX-License-Identifier: GPL-2.0

//! Health: `devlink health show`, `devlink health diagnose`, `devlink monitor`.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_err_ptr,
        from_result, //
    },
    new_mutex,
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc,
        Mutex, //
    },
};

use super::{
    region,
    slot::Slot,
    Driver, //
};

/// A reporter.
///
/// # Invariants
///
/// It was made by `devl_health_reporter_create()` and is valid until its registration hides it.
pub(super) struct Raw(NonNull<netbind::devlink_health_reporter>);

// SAFETY: Reporters may be used and destroyed by any thread.
unsafe impl Send for Raw {}

impl Raw {
    /// Takes what `devl_health_reporter_create()` returned.
    pub(super) fn new(raw: *mut netbind::devlink_health_reporter) -> Result<Self> {
        // INVARIANT: By the contract of this function.
        Ok(Self(NonNull::new(from_err_ptr(raw)?).ok_or(ENOMEM)?))
    }

    pub(super) fn as_ptr(&self) -> *mut netbind::devlink_health_reporter {
        self.0.as_ptr()
    }
}

/// What a registration has made that a driver can tell something.
#[derive(Default)]
pub(super) struct Made {
    pub(super) reporters: KVec<Raw>,
    pub(super) regions: KVec<region::Raw>,
}

impl Made {
    /// None yet, with room for so many reporters.
    pub(super) fn with_capacity(reporters: usize) -> Result<Self> {
        Ok(Self {
            reporters: KVec::with_capacity(reporters, GFP_KERNEL)?,
            regions: KVec::new(),
        })
    }
}

#[pin_data]
struct Shared {
    /// Those of the one registration they belong to; `None` if there is none.
    #[pin]
    list: Mutex<Option<Made>>,
}

/// The reporters of a device, to be told what happens, and its regions, to be given snapshots.
///
/// Can be passed around before there is a [`Registration`](super::Registration), and after it is
/// gone; telling it anything does nothing then. Clones are the same reporters: of one registration at
/// a time.
#[derive(Clone)]
pub struct Reporters(Arc<Shared>);

impl Reporters {
    /// Reporters without a registration. Process context.
    pub fn new() -> Result<Self> {
        let shared = Arc::pin_init(
            pin_init!(Shared {
                list <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )?;
        Ok(Self(shared))
    }

    /// Lets the caller tell them something; one caller at a time, in process context. Not from
    /// within an operation of [`Driver`].
    pub fn lock(&self) -> Telling<'_> {
        Telling(self.0.list.lock())
    }

    /// Makes them the reporters of a registration. If they are another's, `list` comes back.
    pub(super) fn bind(&self, list: Made) -> Result<(), Made> {
        let mut shared = self.0.list.lock();
        if shared.is_some() {
            return Err(list);
        }
        *shared = Some(list);
        Ok(())
    }

    /// Undoes a successful [`Reporters::bind`].
    pub(super) fn unbind(&self) -> Made {
        self.0.list.lock().take().unwrap_or_default()
    }
}

/// The right to tell [`Reporters`] something.
pub struct Telling<'a>(Guard<'a, Option<Made>, MutexBackend>);

impl Telling<'_> {
    fn get(&self, reporter: usize) -> Option<&Raw> {
        self.0.as_ref()?.reporters.get(reporter)
    }

    /// Part number `reporter` (its place in [`Driver::REPORTERS`]) is ill. Counted, and sent to
    /// whoever monitors; `what` is for the trace.
    pub fn error(&self, reporter: usize, what: &CStr) {
        if let Some(reporter) = self.get(reporter) {
            // SAFETY: The reporter is valid, as it is in the list, whose lock we hold. It neither
            // recovers nor dumps, so the lock of the instance is not taken.
            unsafe {
                netbind::devlink_health_report(
                    reporter.as_ptr(),
                    what.as_char_ptr(),
                    core::ptr::null_mut(),
                )
            };
        }
    }

    /// Part number `reporter` is well. Sent to whoever monitors, if it was not.
    pub fn healthy(&self, reporter: usize) {
        if let Some(reporter) = self.get(reporter) {
            // SAFETY: The reporter is valid, as it is in the list, whose lock we hold.
            unsafe {
                netbind::devlink_health_reporter_state_update(
                    reporter.as_ptr(),
                    netbind::devlink_health_reporter_state_DEVLINK_HEALTH_REPORTER_STATE_HEALTHY,
                )
            };
        }
    }

    /// Has the kernel keep a snapshot of region number `region` (its place in [`Driver::REGIONS`]), which
    /// [`Region::copy`](super::Region::copy) has made. Returns its number, by which user space knows it.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there are as many as the region may have, `ENODEV` if there is no registration,
    /// `EINVAL` if it is not of the region's size, and `ENOMEM`.
    pub fn snapshot(&self, region: usize, bytes: KVec<u8>) -> Result<u32> {
        let made = self.0.as_ref().ok_or(ENODEV)?;
        // Valid, as it is in the list, whose lock we hold.
        made.regions.get(region).ok_or(EINVAL)?.keep(bytes)
    }
}

/// A slot for each reporter of `data`, which outlives them.
pub(super) fn slots<T: Driver>(data: &Arc<T>) -> Result<KVec<Slot<T>>> {
    Slot::table(data, T::REPORTERS.len())
}

/// The operations of each reporter, as the kernel is told.
pub(super) fn table<T: Driver>() -> Result<KVec<netbind::devlink_health_reporter_ops>> {
    let mut table = KVec::with_capacity(T::REPORTERS.len(), GFP_KERNEL)?;
    for name in T::REPORTERS {
        let ops = netbind::devlink_health_reporter_ops {
            name: name.as_char_ptr().cast_mut(),
            diagnose: Some(diagnose::<T>),
            ..pin_init::zeroed()
        };
        table.push(ops, GFP_KERNEL)?;
    }
    Ok(table)
}

/// # Safety
///
/// Called by the kernel for a reporter whose operations are in the [`table`] of `T` and whose
/// private pointer is to a [`Slot`] of `T`.
unsafe extern "C" fn diagnose<T: Driver>(
    reporter: *mut netbind::devlink_health_reporter,
    fmsg: *mut netbind::devlink_fmsg,
    _extack: *mut netbind::netlink_ext_ack,
) -> c_int {
    from_result(|| {
        // SAFETY: The private pointer of the reporter is to a `Slot` of `T`, by the safety
        // requirements of this function.
        let slot = unsafe { &*netbind::devlink_health_reporter_priv(reporter).cast::<Slot<T>>() };
        // SAFETY: The registration, which has the reporter destroyed first, keeps `data`.
        let data = unsafe { slot.data() };
        let mut out = Diagnosis {
            fmsg: NonNull::new(fmsg).ok_or(EINVAL)?,
            _lifetime: PhantomData,
        };
        data.diagnose(slot.index(), &mut out)?;
        Ok(0)
    })
}

/// Where [`Driver::diagnose`] puts what it knows. Should there be no memory, the user is told.
///
/// # Invariants
///
/// The pointer is valid for `'a`.
pub struct Diagnosis<'a> {
    fmsg: NonNull<netbind::devlink_fmsg>,
    _lifetime: PhantomData<&'a mut netbind::devlink_fmsg>,
}

impl Diagnosis<'_> {
    /// Adds a name and a truth value.
    pub fn put_bool(&mut self, name: &'static CStr, value: bool) {
        // SAFETY: By the type invariants the message is valid; the name is copied.
        unsafe {
            netbind::devlink_fmsg_bool_pair_put(self.fmsg.as_ptr(), name.as_char_ptr(), value)
        };
    }

    /// Adds a name and a number.
    pub fn put_u64(&mut self, name: &'static CStr, value: u64) {
        // SAFETY: By the type invariants the message is valid; the name is copied.
        unsafe {
            netbind::devlink_fmsg_u64_pair_put(self.fmsg.as_ptr(), name.as_char_ptr(), value)
        };
    }
}
