// SPDX-License-Identifier: GPL-2.0

//! What a device has a limited number of: `devlink resource show`.

use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc, //
};

use super::{
    slot::Slot,
    Driver, //
};

/// Entries of a table of the device, or something else of which there is a number.
pub struct Resource<T: Driver> {
    /// Its name.
    pub name: &'static CStr,
    /// How many there are. Cannot be set.
    pub size: u64,
    /// Returns how many are taken.
    pub taken: fn(&T) -> u64,
}

/// A slot for each resource of `data`, which outlives them.
pub(super) fn slots<T: Driver>(data: &Arc<T>) -> Result<KVec<Slot<T>>> {
    Slot::table(data, T::RESOURCES.len())
}

/// Shows the resources of an instance. A failure leaves some, for [`hide`].
///
/// # Safety
///
/// `devlink` is a valid instance of `T` whose lock is held. `slots` are those of [`slots`] for its
/// data, and stay until [`hide`].
pub(super) unsafe fn show<T: Driver>(devlink: *mut netbind::devlink, slots: &[Slot<T>]) -> Result {
    for ((id, resource), slot) in (1..).zip(T::RESOURCES).zip(slots) {
        let size = netbind::devlink_resource_size_params {
            size_min: resource.size,
            size_max: resource.size,
            size_granularity: 1,
            unit: netbind::devlink_resource_unit_DEVLINK_RESOURCE_UNIT_ENTRY,
        };
        // SAFETY: By the safety requirements of this function; the name is for ever, the sizes are
        // copied.
        to_result(unsafe {
            netbind::devl_resource_register(
                devlink,
                resource.name.as_char_ptr(),
                resource.size,
                id,
                TOP,
                &size,
            )
        })?;
        let slot = core::ptr::from_ref(slot).cast_mut().cast();
        // SAFETY: By the safety requirements of this function; the resource was just registered.
        unsafe { netbind::devl_resource_occ_get_register(devlink, id, Some(taken::<T>), slot) };
    }
    Ok(())
}

/// `DEVLINK_RESOURCE_ID_PARENT_TOP`: part of no other.
const TOP: u64 = 0;

/// Undoes [`show`], as far as it got.
///
/// # Safety
///
/// `devlink` is a valid instance whose lock is held.
pub(super) unsafe fn hide(devlink: *mut netbind::devlink) {
    // SAFETY: By the safety requirements of this function. Without resources nothing happens.
    unsafe { netbind::devl_resources_unregister(devlink) };
}

/// # Safety
///
/// Called by the kernel for a resource that [`show`] has registered for `T`, with its slot.
unsafe extern "C" fn taken<T: Driver>(slot: *mut c_void) -> u64 {
    // SAFETY: `slot` is the one the resource was registered with, of `T`, by the safety requirements of this
    // function.
    let slot = unsafe { &*slot.cast::<Slot<T>>() };
    // SAFETY: The registration, which hides the resources first, keeps the data.
    let data = unsafe { slot.data() };
    T::RESOURCES
        .get(slot.index())
        .map_or(0, |resource| (resource.taken)(data))
}
