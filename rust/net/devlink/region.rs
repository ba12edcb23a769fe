// SPDX-License-Identifier: GPL-2.0

//! What is inside a device, to be looked at later: `devlink region new`, `devlink region dump`.
//!
//! A region is something in the device that has bytes, such as its registers. A snapshot is a copy of it,
//! which user space asks for, or the driver makes when something is wrong. The kernel keeps it until user
//! space deletes it (`devlink region del`), or the registration ends.

use core::ptr::NonNull;
use kernel::{
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    prelude::*,
    sync::Arc, //
};

use super::{
    slot::Slot,
    Driver, //
};

/// Something of which snapshots are made.
pub struct Region<T: Driver> {
    /// Its name.
    pub name: &'static CStr,
    /// Bytes in a snapshot, at least one.
    pub size: usize,
    /// How many snapshots are kept. Another one is refused with `ENOSPC`, and no older one goes for it.
    pub max_snapshots: u32,
    /// Fills in a snapshot; the buffer is of `size` bytes, all zero. An error is that of whoever wants a
    /// snapshot.
    pub read: fn(&T, &mut [u8]) -> Result,
}

impl<T: Driver> Region<T> {
    /// What a snapshot made now has in it, for [`Telling::snapshot`](super::Telling::snapshot). Process
    /// context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and those of [`Region::read`].
    pub fn copy(&self, data: &T) -> Result<KVec<u8>> {
        let mut bytes = KVec::from_elem(0, self.size, GFP_KERNEL)?;
        (self.read)(data, &mut bytes)?;
        Ok(bytes)
    }
}

/// A region that is shown.
///
/// # Invariants
///
/// `region` was made by `devl_region_create()` for `devlink` and with operations of [`table`], to have
/// snapshots of `size` bytes, and is valid until its registration hides it. Until then so is `devlink`.
pub(super) struct Raw {
    region: NonNull<netbind::devlink_region>,
    devlink: NonNull<netbind::devlink>,
    size: usize,
}

// SAFETY: Regions may be used and destroyed by any thread.
unsafe impl Send for Raw {}

impl Raw {
    pub(super) fn as_ptr(&self) -> *mut netbind::devlink_region {
        self.region.as_ptr()
    }

    /// Has the kernel keep `bytes`. Returns the snapshot's number.
    pub(super) fn keep(&self, bytes: KVec<u8>) -> Result<u32> {
        if bytes.is_empty() || bytes.len() != self.size {
            return Err(EINVAL);
        }
        let devlink = self.devlink.as_ptr();
        let mut id = 0;
        // SAFETY: The instance is valid by the type invariants.
        to_result(unsafe { netbind::devlink_region_snapshot_id_get(devlink, &mut id) })?;
        let (region, bytes) = (self.as_ptr(), into_raw(bytes));
        // SAFETY: The region is valid by the type invariants; the bytes are as many as its snapshots have.
        // If it succeeds they are the region's, which frees them by `free`.
        let kept = unsafe { netbind::devlink_region_snapshot_create(region, bytes, id) };
        // SAFETY: The number was got above; a snapshot has one reference of its own.
        unsafe { netbind::devlink_region_snapshot_id_put(devlink, id) };
        to_result(kept).map(|()| id).inspect_err(|_| {
            // SAFETY: They come from `into_raw`, and nobody has taken them.
            unsafe { free(bytes.cast()) };
        })
    }
}

/// Gives up the bytes of a vector that is not empty, for [`free`].
fn into_raw(bytes: KVec<u8>) -> *mut u8 {
    let (bytes, _, _) = bytes.into_raw_parts();
    bytes
}

/// Frees what [`into_raw`] returned.
///
/// # Safety
///
/// Called once for it. The kernel calls it with the data of a snapshot, all of which come from there.
unsafe extern "C" fn free(bytes: *const c_void) {
    // SAFETY: The vector was not empty, so its bytes were allocated by `kmalloc()`.
    unsafe { netbind::kfree(bytes) };
}

/// A slot for each region of `data`, which outlives them.
pub(super) fn slots<T: Driver>(data: &Arc<T>) -> Result<KVec<Slot<T>>> {
    Slot::table(data, T::REGIONS.len())
}

/// The operations of each region, as the kernel is told, with `slots` for their data.
pub(super) fn table<T: Driver>(slots: &[Slot<T>]) -> Result<KVec<netbind::devlink_region_ops>> {
    let mut table = KVec::with_capacity(T::REGIONS.len(), GFP_KERNEL)?;
    for (region, slot) in T::REGIONS.iter().zip(slots) {
        let ops = netbind::devlink_region_ops {
            name: region.name.as_char_ptr(),
            destructor: Some(free),
            snapshot: Some(snapshot::<T>),
            priv_: core::ptr::from_ref(slot).cast_mut().cast(),
            ..pin_init::zeroed()
        };
        table.push(ops, GFP_KERNEL)?;
    }
    Ok(table)
}

/// Shows the regions of an instance. A failure leaves some in `made`, for [`hide`].
///
/// # Safety
///
/// `devlink` is a valid instance of `T` whose lock is held. `table` is the [`table`] of slots of its data.
/// It and they, and the instance, stay until [`hide`].
pub(super) unsafe fn show<T: Driver>(
    devlink: NonNull<netbind::devlink>,
    table: &[netbind::devlink_region_ops],
    made: &mut KVec<Raw>,
) -> Result {
    for (region, ops) in T::REGIONS.iter().zip(table) {
        let size = u64::try_from(region.size)?;
        made.reserve(1, GFP_KERNEL)?;
        // SAFETY: The instance is valid and its lock is held, by the safety requirements of this function; the
        // operations stay until the region is hidden.
        let raw = unsafe {
            netbind::devl_region_create(devlink.as_ptr(), ops, region.max_snapshots, size)
        };
        // INVARIANT: It was just made; who hides it is up to the caller of this function.
        let raw = Raw {
            region: NonNull::new(from_err_ptr(raw)?).ok_or(ENOMEM)?,
            devlink,
            size: region.size,
        };
        made.push(raw, GFP_KERNEL)?;
    }
    Ok(())
}

/// Hides regions, with all of their snapshots.
///
/// # Safety
///
/// They are those of an instance whose lock is held, all that [`show`] has made, and nobody has them but
/// the caller.
pub(super) unsafe fn hide(made: &[Raw]) {
    for region in made {
        // SAFETY: The region is valid by its type invariants, and the lock of its instance is held, by the
        // safety requirements of this function.
        unsafe { netbind::devl_region_destroy(region.as_ptr()) };
    }
}

/// # Safety
///
/// Called by the kernel for a region whose operations are in the [`table`] of `T`.
unsafe extern "C" fn snapshot<T: Driver>(
    _devlink: *mut netbind::devlink,
    ops: *const netbind::devlink_region_ops,
    _extack: *mut netbind::netlink_ext_ack,
    out: *mut *mut u8,
) -> c_int {
    from_result(|| {
        // SAFETY: The operations are those of the region, whose private pointer is to a `Slot` of `T`, by
        // the safety requirements of this function.
        let slot = unsafe { &*(*ops).priv_.cast::<Slot<T>>() };
        let region = T::REGIONS.get(slot.index()).ok_or(EINVAL)?;
        // SAFETY: The registration, which hides the regions first, keeps the data.
        let bytes = region.copy(unsafe { slot.data() })?;
        if bytes.is_empty() {
            return Err(EINVAL);
        }
        // SAFETY: The kernel passes where to put the data, of which it makes a snapshot, or calls `free`.
        unsafe { out.write(into_raw(bytes)) };
        Ok(0)
    })
}
