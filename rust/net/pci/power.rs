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

/// A device power state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// Fully on.
    D0,
    /// Off but for auxiliary power; configuration space is kept or lost.
    D3Hot,
}

impl PowerState {
    fn into_raw(self) -> netbind::pci_power_t {
        match self {
            Self::D0 => 0,
            Self::D3Hot => 3,
        }
    }
}

/// State of the PCI Express link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Current link speed as encoded in the Link Status register: 1 is 2.5 GT/s, 2 is 5 GT/s.
    pub speed: u8,
    /// Number of lanes in use.
    pub width: u8,
}

/// What can be asked of any device.
pub trait DeviceExt: private::Sealed {
    /// Returns whether the device still answers configuration reads. Any context.
    fn is_present(&self) -> bool;

    /// Returns whether an error handler has blocked I/O to the device. Any context.
    fn is_offline(&self) -> bool;

    /// Returns the state of the PCI Express link. Any context.
    ///
    /// # Errors
    ///
    /// `-EINVAL` when the device is not a PCI Express one or is gone.
    fn link_status(&self) -> Result<LinkStatus>;

    /// Logs the bandwidth of the link if it is less than the device could use.
    fn print_link_status(&self);

    /// Returns whether the administrator wants the device to wake the system.
    fn may_wakeup(&self) -> bool;
}

impl DeviceExt for Device {
    fn is_present(&self) -> bool {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pci_device_is_present(as_raw(self)) }
    }

    fn is_offline(&self) -> bool {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pci_channel_offline(as_raw(self)) }
    }

    fn link_status(&self) -> Result<LinkStatus> {
        let mut word = 0;
        // PCI_EXP_LNKSTA as the C API takes it: a small positive constant.
        let register = c_int::try_from(netbind::PCI_EXP_LNKSTA)?;

        // SAFETY: The pointer is valid by the type invariant of `Device`, and so is `word`.
        to_result(unsafe {
            netbind::pcie_capability_read_word(as_raw(self), register, &mut word)
        })?;
        let [low, high] = word.to_le_bytes();

        // Bits 3:0 are the speed, 9:4 the width (PCI Express base specification, 7.5.3.8).
        let status = LinkStatus {
            speed: low & 0xf,
            width: (low >> 4) | ((high & 0x3) << 4),
        };
        if word == u16::MAX || status.width == 0 {
            return Err(EINVAL);
        }
        Ok(status)
    }

    fn print_link_status(&self) {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        unsafe { netbind::pcie_print_link_status(as_raw(self)) }
    }

    fn may_wakeup(&self) -> bool {
        // SAFETY: The pointer is valid by the type invariant of `pci::Device`.
        unsafe { netbind::device_may_wakeup(core::ptr::addr_of_mut!((*as_raw(self)).dev)) }
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

    /// Changes the power state of the device.
    fn set_power_state(&self, state: PowerState) -> Result;

    /// Arms or disarms PME from D3, hot and cold.
    fn wake_from_d3(&self, enable: bool) -> Result;

    /// Puts the device into the state the platform deems best for sleep, armed for wake-up if
    /// the administrator wants that.
    fn prepare_to_sleep(&self) -> Result;

    /// Declares whether the device is to wake the system (as `ethtool -s wol` does).
    fn set_wakeup(&self, enable: bool) -> Result;

    /// Clears the non-fatal error status of the device.
    fn clear_nonfatal_errors(&self) -> Result;
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
        // SAFETY: As above.
        unsafe { netbind::pci_save_state(as_raw(self)) };
    }

    fn set_power_state(&self, state: PowerState) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        to_result(unsafe { netbind::pci_set_power_state(as_raw(self), state.into_raw()) })
    }

    fn wake_from_d3(&self, enable: bool) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        to_result(unsafe { netbind::pci_wake_from_d3(as_raw(self), enable) })
    }

    fn prepare_to_sleep(&self) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        to_result(unsafe { netbind::pci_prepare_to_sleep(as_raw(self)) })
    }

    fn set_wakeup(&self, enable: bool) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `pci::Device`.
        to_result(unsafe {
            netbind::device_set_wakeup_enable(core::ptr::addr_of_mut!((*as_raw(self)).dev), enable)
        })
    }

    fn clear_nonfatal_errors(&self) -> Result {
        // SAFETY: The pointer is valid by the type invariant of `Device`.
        to_result(unsafe { netbind::pci_aer_clear_nonfatal_status(as_raw(self)) })
    }
}
