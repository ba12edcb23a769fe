// SPDX-License-Identifier: GPL-2.0

//! Presence, configuration space and power of a PCI device.

use kernel::{
    device::Core,
    error::to_result,
    pci::Device,
    prelude::*, //
};

use super::as_raw;

mod private {
    pub trait Sealed {}
    impl Sealed for kernel::pci::Device {}
    impl Sealed for kernel::pci::Device<kernel::device::Core<'_>> {}
}

/// What can be asked of any device.
pub trait DeviceExt: private::Sealed {
    /// Returns whether the device still answers configuration reads. Any context.
    fn is_present(&self) -> bool;

    /// Returns whether the device is behind the first port of its switch that has a device, or behind no
    /// switch: of a board with several, it is the first then. Process context.
    fn is_behind_first_port(&self) -> bool;
}

impl DeviceExt for Device {
    fn is_present(&self) -> bool {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pci_device_is_present(as_raw(self)) }
    }

    fn is_behind_first_port(&self) -> bool {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pci_is_behind_first_port(as_raw(self)) }
    }
}

/// What a driver does to its device under the device lock. Process context; may sleep.
pub trait CoreExt: private::Sealed {
    /// Returns whether the device is enabled: more calls of [`Device::enable_device_mem`] have
    /// succeeded than [`CoreExt::disable_device`] has undone.
    fn is_enabled(&self) -> bool;

    /// Undoes one [`Device::enable_device_mem`]; the last one turns bus mastering off.
    fn disable_device(&self);

    /// Saves the configuration space, for [`CoreExt::restore_state`].
    fn save_state(&self) -> Result;

    /// Restores what [`CoreExt::save_state`] saved; the saved state stays valid.
    fn restore_state(&self);

    /// Has the device wait longer for the completion of its requests, unless somebody has said how long:
    /// `range` is the value in Device Control 2 (PCI Express 7.5.3.16), of which bits 3:0 count.
    fn default_completion_timeout(&self, range: u16);

    /// Declares whether the device is to wake the system (as `ethtool -s wol` does).
    fn set_wakeup(&self, enable: bool) -> Result;

    /// Notes that the device has woken the system: `wakeup*` in `power/` of sysfs.
    fn note_wakeup(&self);

    /// Puts the device into D3hot, where it raises PME if it `wakes` the system; for a machine that is
    /// about to lose its power. Nothing but configuration space answers afterwards.
    fn enter_d3(&self, wakes: bool);
}

/// Whether the machine is being switched off, rather than restarted or halted. In
/// [`Driver::shutdown`](super::Driver::shutdown).
#[must_use]
pub fn powers_off() -> bool {
    // SAFETY: No preconditions.
    unsafe { netbind::system_powers_off() }
}

impl CoreExt for Device<Core<'_>> {
    fn is_enabled(&self) -> bool {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pci_is_enabled(as_raw(self)) }
    }

    fn disable_device(&self) {
        // SAFETY: The pointer is valid by the type invariant of `Device`. One call too many is
        // a warning in the log.
        unsafe { netbind::pci_disable_device(as_raw(self)) }
    }

    fn save_state(&self) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        to_result(unsafe { netbind::pci_save_state(as_raw(self)) })
    }

    fn restore_state(&self) {
        // SAFETY: The pointer is valid by the type invariant of `Device`. Without a saved state
        // this does nothing.
        unsafe { netbind::pci_restore_state(as_raw(self)) };
        // Restoring consumes the saved state; it is still what the device is to look like after
        // the next reset.
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pci_save_state(as_raw(self)) };
    }

    fn default_completion_timeout(&self, range: u16) {
        // SAFETY: The pointer is valid by the type invariant of `Device`. A device without the register
        // is left alone.
        unsafe { netbind::pcie_default_completion_timeout(as_raw(self), range) }
    }

    fn set_wakeup(&self, enable: bool) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `pci::Device`.
        to_result(unsafe {
            netbind::device_set_wakeup(core::ptr::addr_of_mut!((*as_raw(self)).dev), enable)
        })
    }

    fn note_wakeup(&self) {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pm_wakeup_event(core::ptr::addr_of_mut!((*as_raw(self)).dev)) };
    }

    fn enter_d3(&self, wakes: bool) {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pci_enter_d3(as_raw(self), wakes) };
    }
}
