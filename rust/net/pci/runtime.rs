// SPDX-License-Identifier: GPL-2.0

//! Sleep of a device that nobody uses, while the system works: runtime power management.
//!
//! It happens if the administrator wants it (`auto` in `power/control` of sysfs), no [`Awake`] is left, and
//! nothing else in the kernel keeps the device awake, as ethtool does during each of its commands.
//! `power/autosuspend_delay_ms` is how long it has to be so.
//!
//! C header: [`include/linux/pm_runtime.h`](srctree/include/linux/pm_runtime.h)

use kernel::{
    device,
    error::{
        from_result,
        to_result, //
    },
    pci::Device,
    prelude::*,
    sync::aref::ARef,
    time::Delta, //
};

use super::{
    as_raw,
    Adapter,
    Driver, //
};

/// A device that is kept awake until this is dropped.
///
/// # Invariants
///
/// One reference of the device's usage count is ours.
pub struct Awake(ARef<Device>);

impl Awake {
    /// Wakes `dev` if it sleeps. Process context, without a lock that [`Driver::runtime_suspend`] or
    /// [`Driver::runtime_resume`] waits for, and not from within either; RTNL may be held if neither waits for it.
    ///
    /// # Errors
    ///
    /// Those of [`Driver::runtime_resume`], and what the kernel says if it could not be woken.
    pub fn new(dev: &Device) -> Result<Self> {
        // SAFETY: The pointer is valid by the type invariant of `Device`. A failure takes no reference.
        to_result(unsafe { netbind::pm_resume_and_get(as_raw(dev)) })?;
        // INVARIANT: The reference was just taken.
        Ok(Self(dev.into()))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        // SAFETY: The pointer is valid by the type invariant of `Device`; by ours the reference is ours.
        // Nobody is called back in here.
        unsafe { netbind::pm_put_later(as_raw(&self.0)) };
    }
}

/// The PM core calls these of the driver of a device. A probe and an unbinding hold a reference of the usage
/// count all the time, with which no suspending begins. The reference of the probe goes in
/// [`Adapter::allow_sleep`], when the driver's data is there, and is back in [`Adapter::forbid_sleep`], before
/// it goes.
///
/// That does not keep the PM core from resuming a device that could not be woken when its probe or its
/// unbinding began, which the PCI core does not look at. So there is a gate, which is no part of the data
/// and which the callbacks look at: `allow_sleep` opens it, and `forbid_sleep` waits for callbacks that run
/// and closes it.
impl<T: Driver> Adapter<T> {
    /// The first step of a probe.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn begin_awake(dev: &Device<device::Bound>) -> Result {
        if !T::HAS_RUNTIME_SUSPEND {
            return Ok(());
        }
        // SAFETY: The pointer is valid by the type invariant of `Device`, which is bound.
        to_result(unsafe { netbind::pm_make_gate(as_raw(dev)) })
    }

    /// The last step of a probe: from here on the device may sleep.
    ///
    /// # Safety
    ///
    /// Called once by the probe of a device that is bound to this driver, after [`Adapter::begin_awake`] and
    /// after its data was stored.
    pub(super) unsafe fn allow_sleep(dev: &Device<device::Bound>) {
        if !T::HAS_RUNTIME_SUSPEND {
            return;
        }
        let delay = i32::try_from(T::IDLE.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: The pointer is valid by the type invariant of `Device`. The PCI core has taken a reference
        // of the usage count for the probe, which is for the driver to give up. The gate is there, and
        // is opened after the data was stored.
        unsafe { netbind::pm_allow_sleep(as_raw(dev), delay) };
    }

    /// The first step of an unbinding: from here on the device stays awake, as far as the PCI core could wake
    /// it, and no callback runs.
    ///
    /// # Safety
    ///
    /// Called once by the unbinding of a device for which [`Adapter::allow_sleep`] was called.
    pub(super) unsafe fn forbid_sleep(pdev: *mut netbind::pci_dev) {
        if T::HAS_RUNTIME_SUSPEND {
            // SAFETY: The device is valid, and its gate is there until what is device-managed ends. The
            // reference is the one the PCI core gives up afterwards.
            unsafe { netbind::pm_forbid_sleep(pdev) };
        }
    }

    /// # Safety
    ///
    /// `dev` is the `device` of a `pci_dev` that is bound to this driver, or being bound or unbound. This is
    /// called by one of its callbacks of runtime PM, on behalf of the PM core.
    unsafe fn bound(
        dev: *mut netbind::device,
        f: impl FnOnce(&Device<device::Bound>, Pin<&T::Data>) -> Result,
    ) -> Result {
        // SAFETY: The device is valid, by the safety requirements of this function.
        if !unsafe { netbind::pm_gate_is_open(dev) } {
            return Err(EBUSY);
        }
        // SAFETY: `dev` is the `device` of a `pci_dev`, by the safety requirements of this function.
        let pdev = unsafe { kernel::container_of!(dev, netbind::pci_dev, dev) };
        // SAFETY: `pdev` is a valid device; the wrapper is transparent. That its lock is not held matters to
        // none of the two uses below: the first is of data that stays as long as the binding, the second
        // has the device as one that is bound.
        let pdev = unsafe { &*pdev.cast::<Device<device::CoreInternal<'_>>>() };
        // SAFETY: The gate was open: `allow_sleep` has opened it after the data was stored, under the lock
        // under which we have found it so. The data is dropped after the unbinding, which begins with
        // `forbid_sleep`: that has not closed the gate yet, and waits, before it does, for the PM core to
        // have no callback running and to begin none, of which this is one.
        let data = unsafe { pdev.as_ref().drvdata_borrow::<T::Data>() };

        f(pdev, data)
    }

    pub(super) extern "C" fn runtime_suspend_callback(dev: *mut netbind::device) -> c_int {
        from_result(|| {
            // SAFETY: The PM core calls the operations of the driver that a device has or is about to have
            // or to lose.
            unsafe { Self::bound(dev, T::runtime_suspend) }.map(|()| 0)
        })
    }

    pub(super) extern "C" fn runtime_resume_callback(dev: *mut netbind::device) -> c_int {
        from_result(|| {
            // SAFETY: The PM core calls the operations of the driver that a device has or is about to have
            // or to lose.
            unsafe { Self::bound(dev, T::runtime_resume) }.map(|()| 0)
        })
    }
}

/// How long a device is not used before it sleeps, for a driver that does not say it.
pub(super) const IDLE: Delta = Delta::from_secs(5);
