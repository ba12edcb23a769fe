// SPDX-License-Identifier: GPL-2.0

//! SR-IOV of a physical function.

use core::ptr::NonNull;
use kernel::{
    device::Core,
    error::to_result,
    fmt,
    pci::Device,
    prelude::*,
    sync::aref::ARef, //
};

use super::as_raw;

/// Walks the VFs of a device.
trait EachVf {
    fn for_each_vf(&self, f: impl FnMut(&Device));
}

impl EachVf for Device {
    fn for_each_vf(&self, mut f: impl FnMut(&Device)) {
        for n in 0..self.num_vf() {
            if let Some(vf) = self.vf(n) {
                f(&vf);
            }
        }
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for kernel::pci::Device {}
    impl Sealed for kernel::pci::Device<kernel::device::Core<'_>> {}
}

/// What can be asked of a physical function in any context that has a reference to it.
pub trait Sriov: private::Sealed {
    /// Returns how many VFs are on. Any context.
    fn num_vf(&self) -> u16;

    /// Returns the `n`-th VF, counted from 0, or `None` if there is none. Process context.
    ///
    /// The device may be removed at any time unless the caller holds the lock of the physical
    /// function; the reference only keeps its memory.
    fn vf(&self, n: u16) -> Option<ARef<Device>>;
}

impl Sriov for Device {
    fn num_vf(&self) -> u16 {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        let n = unsafe { netbind::pci_num_vf(as_raw(self)) };
        // Fits: NumVFs is a 16-bit register.
        u16::try_from(n).unwrap_or(0)
    }

    fn vf(&self, n: u16) -> Option<ARef<Device>> {
        if n >= self.num_vf() {
            return None;
        }
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        let vf = NonNull::new(unsafe { netbind::pci_get_vf(as_raw(self), c_int::from(n)) })?;
        // SAFETY: The helper took a reference on a valid device, which is handed over here.
        Some(unsafe { ARef::from_raw(vf.cast()) })
    }
}

/// What may be done to a physical function under its device lock. Process context; sleeps.
pub trait SriovCore: private::Sealed {
    /// Remembers the configuration space of every VF: a reset of this device is about to wipe
    /// it, and the drivers of the VFs would not know. What was remembered before stays when the
    /// device does not answer any more.
    fn save_vf_states(&self);

    /// Gives every VF back what [`SriovCore::save_vf_states`] remembered, once the VFs are
    /// enabled again.
    fn restore_vf_states(&self);

    /// Limits the number of VFs the administrator can ask for.
    ///
    /// # Errors
    ///
    /// `-ENOSYS` without SR-IOV, `-EINVAL` above TotalVFs, `-EBUSY` while VFs are on.
    fn set_totalvfs(&self, n: u16) -> Result;

    /// Turns on `n` VFs. Drivers that match them probe before this returns.
    ///
    /// # Errors
    ///
    /// `-ENOSYS` without SR-IOV, `-ERANGE` above TotalVFs, `-EBUSY` while VFs are on, `-ENOMEM`
    /// when the bus has no room. No VF is on then.
    fn enable_sriov(&self, n: u16) -> Result;

    /// Turns all VFs off. Their drivers are unbound first; one that refuses to let go (an open
    /// vfio device) makes this wait: see [`Occupant`].
    fn disable_sriov(&self);

    /// Has every VF suspended before this device and resumed after it, and one VF after the other.
    /// The kernel knows of no order between them. Holds until the VF goes.
    ///
    /// # Errors
    ///
    /// `-ENOMEM`: some VFs are suspended and resumed at any time.
    fn order_sleep_of_vfs(&self) -> Result;

    /// Says who uses this device. To be asked of a VF.
    fn occupant_of(&self, vf: &Device) -> Occupant;
}

impl SriovCore for Device<Core<'_>> {
    fn save_vf_states(&self) {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        if !unsafe { netbind::pci_device_is_present(as_raw(self)) } {
            return;
        }
        self.for_each_vf(|vf| {
            // SAFETY: `vf` is a valid VF of this device.
            let _ = unsafe { netbind::pci_save_state(as_raw(vf)) };
        });
    }

    fn restore_vf_states(&self) {
        self.for_each_vf(|vf| {
            // SAFETY: `vf` is a valid VF of this device. Without a saved state this does nothing.
            unsafe { netbind::pci_restore_state(as_raw(vf)) };
        });
    }

    fn set_totalvfs(&self, n: u16) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        to_result(unsafe { netbind::pci_sriov_set_totalvfs(as_raw(self), n) })
    }

    fn enable_sriov(&self, n: u16) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `Device`; `Core` means that its
        // lock is held.
        to_result(unsafe { netbind::pci_enable_sriov(as_raw(self), c_int::from(n)) })
    }

    fn disable_sriov(&self) {
        // SAFETY: The pointer is valid by the type invariant of `Device`; `Core` means that its
        // lock is held.
        unsafe { netbind::pci_disable_sriov(as_raw(self)) }
    }

    fn order_sleep_of_vfs(&self) -> Result {
        let mut previous: Option<ARef<Device>> = None;
        for vf in (0..self.num_vf()).filter_map(|n| self.vf(n)) {
            let firsts = [Some(as_raw(self)), previous.as_ref().map(|vf| as_raw(vf))];
            for first in firsts.into_iter().flatten() {
                // SAFETY: Both are valid devices that are not deleted: the lock of this device
                // is held.
                if !unsafe { netbind::pci_order_sleep(first, as_raw(&*vf)) } {
                    return Err(ENOMEM);
                }
            }
            previous = Some(vf);
        }
        Ok(())
    }

    fn occupant_of(&self, vf: &Device) -> Occupant {
        Occupant::of(vf)
    }
}

/// The name of a driver, copied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DriverName {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl DriverName {
    /// Longer names are cut.
    const MAX: usize = 32;

    fn copy_of(name: &CStr) -> Self {
        let mut bytes = [0; Self::MAX];
        let mut len = 0;
        for (to, from) in bytes.iter_mut().zip(name.to_bytes()) {
            *to = *from;
            len += 1;
        }
        Self { bytes, len }
    }

    /// Returns the bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

impl fmt::Display for DriverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names of drivers are ASCII; anything else is not shown.
        f.write_str(core::str::from_utf8(self.as_bytes()).unwrap_or("?"))
    }
}

/// Who uses a PCI device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// No driver is bound.
    Nobody,
    /// A kernel driver that lets go when it is unbound.
    Kernel(DriverName),
    /// A driver that hands DMA to user space (vfio-pci and its variants); nobody has the device
    /// open.
    UserIdle(DriverName),
    /// As [`Occupant::UserIdle`], but the device is open: unbinding waits for the user.
    UserOpen(DriverName),
    /// A driver is being bound or unbound right now.
    Changing,
}

impl Occupant {
    fn of(dev: &Device) -> Self {
        // SAFETY: The pointer is valid by the type invariant of `pci::Device`.
        let generic = unsafe { core::ptr::addr_of_mut!((*as_raw(dev)).dev) };

        // An unbind that waits for a vfio user holds the lock for as long as that takes: never
        // wait for it.
        // SAFETY: `generic` is a valid device.
        if !unsafe { netbind::device_trylock(generic) } {
            return Self::Changing;
        }
        // SAFETY: The device lock is held.
        let occupant = unsafe { Self::of_locked(dev) };
        // SAFETY: This task holds the device lock: `device_trylock()` has taken it.
        unsafe { netbind::device_unlock(generic) };

        occupant
    }

    /// # Safety
    ///
    /// The caller holds the lock of `dev`.
    unsafe fn of_locked(dev: &Device) -> Self {
        let pdev = as_raw(dev);
        // SAFETY: `pdev` is valid; `driver` changes only under the device lock.
        let Some(driver) = (unsafe { (*pdev).driver.as_ref() }) else {
            return Self::Nobody;
        };
        // SAFETY: The name of a registered driver is a string that outlives its registration,
        // and a driver stays registered while it is bound.
        let name = DriverName::copy_of(unsafe { CStr::from_char_ptr(driver.name) });

        if !driver.driver_managed_dma {
            return Self::Kernel(name);
        }
        // vfio-pci enables the device when it is opened and disables it when it is closed.
        // SAFETY: `pdev` is valid.
        if unsafe { netbind::pci_is_enabled(pdev) } {
            Self::UserOpen(name)
        } else {
            Self::UserIdle(name)
        }
    }
}
