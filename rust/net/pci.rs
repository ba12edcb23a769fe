// SPDX-License-Identifier: GPL-2.0

//! PCI drivers.
//!
//! [`kernel::pci::Driver`] knows probe and unbind. [`Driver`] adds what a network device may need:
//! shutdown, error recovery, function level reset, sleep of the system or of the device alone, and
//! `sriov_configure` for one that is a physical function.
//! Devices and BARs stay those of [`kernel::pci`].
//!
//! C headers: [`include/linux/pci.h`](srctree/include/linux/pci.h),
//! [`include/linux/aer.h`](srctree/include/linux/aer.h).

use crate::{
    binding::Binding,
    later, //
};
use core::{
    mem::offset_of,
    pin::Pin, //
};
use kernel::{
    device::{
        self,
        Bound,
        Core, //
    },
    driver,
    error::{
        from_result,
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    pci::Device,
    prelude::*,
    time::Delta,
    types::Opaque,
    ThisModule, //
};

mod ids;
mod power;
mod runtime;
mod sriov;

pub use self::{
    ids::{
        IdArray,
        IdTable,
        RawIds, //
    },
    power::{
        powers_off,
        CoreExt,
        DeviceExt, //
    },
    runtime::Awake,
    sriov::{
        DriverName,
        Occupant,
        Sriov,
        SriovCore, //
    },
};

/// Returns the C representation of `dev`.
#[inline]
pub(crate) fn as_raw<C: device::DeviceContext>(dev: &Device<C>) -> *mut netbind::pci_dev {
    // `Device` is a transparent wrapper of `Opaque<pci_dev>`, hence writing through the
    // pointer is fine.
    core::ptr::from_ref(dev).cast_mut().cast()
}

/// State of the channel to the device, as an error handler is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// I/O still works: the error was not fatal.
    Normal,
    /// I/O is blocked until the slot has been reset.
    Frozen,
    /// The device is gone for good.
    PermanentFailure,
}

/// A driver's vote in error recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErsResult {
    /// The driver needs no reset.
    CanRecover,
    /// The slot shall be reset.
    NeedReset,
    /// The device cannot be used any more.
    Disconnect,
    /// The device works again.
    Recovered,
}

impl ErsResult {
    fn into_raw(self) -> netbind::pci_ers_result_t {
        match self {
            Self::CanRecover => netbind::pci_ers_result_PCI_ERS_RESULT_CAN_RECOVER,
            Self::NeedReset => netbind::pci_ers_result_PCI_ERS_RESULT_NEED_RESET,
            Self::Disconnect => netbind::pci_ers_result_PCI_ERS_RESULT_DISCONNECT,
            Self::Recovered => netbind::pci_ers_result_PCI_ERS_RESULT_RECOVERED,
        }
    }
}

/// Why the system takes the device down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Suspend to memory or to idle; wake-up sources are to be armed.
    Suspend,
    /// A hibernation image is about to be made; the device is to be quiet, not off.
    Freeze,
    /// The hibernation image is written; the machine powers off.
    PowerOff,
}

/// The driver of a PCI device. But for `probe`, a driver has those methods it has a use for.
///
/// All methods are called in process context and may sleep. All but the drop of [`Data`], `runtime_suspend`
/// and `runtime_resume` hold the device lock, so that no two of them ever run at the same time for one device.
/// Those two may run beside others, and never both at once.
///
/// No other is called before `probe` has succeeded; none is called after `unbind`.
/// `Data` is dropped after `unbind`, and device-managed resources are released after that.
///
/// [`Data`]: Driver::Data
///
/// # Examples
///
/// ```
/// use kernel::{device::Core, pci, prelude::*};
/// use net::pci::{Driver, IdTable, SriovCore};
///
/// struct Pf;
///
/// struct Adapter;
///
/// net::pci_device_table!(
///     TABLE, <Pf as Driver>::IdInfo, [(pci::DeviceId::from_id(pci::Vendor::REDHAT, 0x0010), ())]
/// );
///
/// #[vtable]
/// impl Driver for Pf {
///     type IdInfo = ();
///     type Data = Adapter;
///     const ID_TABLE: IdTable<()> = TABLE.table();
///
///     fn probe(_dev: &pci::Device<Core<'_>>, _: Option<&()>) -> impl PinInit<Adapter, Error> {
///         Ok(Adapter)
///     }
///
///     fn sriov_configure(
///         dev: &pci::Device<Core<'_>>, _data: Pin<&Adapter>, nr_vfs: u16,
///     ) -> Result<u16> {
///         match nr_vfs {
///             0 => dev.disable_sriov(),
///             n => dev.enable_sriov(n)?,
///         }
///         Ok(nr_vfs)
///     }
/// }
///
/// net::module_net_pci_driver! {
///     type: Pf,
///     name: "pf",
///     authors: ["A. Uthor"],
///     description: "A physical function",
///     license: "GPL v2",
/// }
/// # fn main() {}
/// ```
#[vtable]
pub trait Driver {
    /// Information kept per entry of the id table.
    type IdInfo: 'static;

    /// What the driver keeps per bound device.
    type Data: Send + Sync + 'static;

    /// The devices the driver is for.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// Takes charge of a device. `info` is that of its entry in the table, or the one that whoever
    /// added the device by `new_id` has named; `None` if the driver is forced upon it by
    /// `driver_override`.
    ///
    /// # Errors
    ///
    /// Any error leaves the device unbound; `-ENODEV` does so quietly.
    fn probe(
        dev: &Device<Core<'_>>,
        info: Option<&Self::IdInfo>,
    ) -> impl PinInit<Self::Data, Error>;

    /// The driver is about to lose the device: by rmmod, sysfs, or because it was removed.
    fn unbind(dev: &Device<Core<'_>>, data: Pin<&Self::Data>) {
        let _ = (dev, data);
    }

    /// The machine goes down or a new kernel is booted: stop DMA and interrupts.
    fn shutdown(_dev: &Device<Core<'_>>, _data: Pin<&Self::Data>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Changes the number of VFs, `nr_vfs` = 0 meaning none.
    ///
    /// The core calls it with 0 only while VFs are on, and with more only while they are off,
    /// and has checked `nr_vfs` against TotalVFs. VF drivers may probe while it runs.
    ///
    /// Returns the number of VFs that are now on.
    fn sriov_configure(
        _dev: &Device<Core<'_>>,
        _data: Pin<&Self::Data>,
        _nr_vfs: u16,
    ) -> Result<u16> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// An error was detected on the bus; the driver stops using the device.
    fn error_detected(
        _dev: &Device<Core<'_>>,
        _data: Pin<&Self::Data>,
        _state: ChannelState,
    ) -> ErsResult {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The slot was reset: configuration space is to be restored and the device initialised.
    fn slot_reset(_dev: &Device<Core<'_>>, _data: Pin<&Self::Data>) -> ErsResult {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Recovery is complete, traffic may flow.
    fn resume_io(_dev: &Device<Core<'_>>, _data: Pin<&Self::Data>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A reset of the function was asked for (sysfs `reset`, VFIO); stop using the device.
    fn reset_prepare(_dev: &Device<Core<'_>>, _data: Pin<&Self::Data>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The function was reset and its configuration space restored.
    fn reset_done(_dev: &Device<Core<'_>>, _data: Pin<&Self::Data>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The system goes to sleep.
    ///
    /// # Errors
    ///
    /// An error aborts the transition; the device must then work as before.
    fn suspend(_dev: &Device<Core<'_>>, _data: Pin<&Self::Data>, _why: Sleep) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The system woke up, or a hibernation image has been made.
    fn resume(_dev: &Device<Core<'_>>, _data: Pin<&Self::Data>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// How long the device is not used before [`Driver::runtime_suspend`] is called, unless the
    /// administrator wants it otherwise.
    const IDLE: Delta = runtime::IDLE;

    /// Nobody has used the device for a while: stop DMA and interrupts. The PCI core then saves its
    /// configuration space, and puts it into D3hot, where no register answers.
    ///
    /// Whoever wants the device meanwhile waits, perhaps with RTNL held: neither this nor
    /// [`Driver::runtime_resume`] waits for a lock that is held when [`Awake::new`] or ethtool is called. (This may
    /// try, as with [`rtnl::try_lock`](crate::rtnl::try_lock).) A driver that has this has the other as well.
    ///
    /// # Errors
    ///
    /// `EBUSY` or `EAGAIN`: the device works as before, and the kernel tries again later. With any other
    /// error it gives up.
    fn runtime_suspend(_dev: &Device<Bound>, _data: Pin<&Self::Data>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Somebody wants the device, which is in D0 again with its configuration space restored.
    ///
    /// # Errors
    ///
    /// Whoever wants it gets the error.
    fn runtime_resume(_dev: &Device<Bound>, _data: Pin<&Self::Data>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// Connects a [`Driver`] to the PCI core.
pub struct Adapter<T: Driver>(T);

// SAFETY:
// - `pci_driver` is `repr(C)` and embeds its `device_driver` at the offset of `driver`.
// - `T::Data` is what `probe_callback` stores as the device's private data.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = netbind::pci_driver;
    type DriverData<'bound> = T::Data;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(netbind::pci_driver, driver);
}

// SAFETY: `unregister` undoes what a successful `register` of the same `pci_driver` did.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        pdrv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        // SAFETY: `pdrv` is valid, initialised by the caller, and not yet known to the core.
        let drv = unsafe { &mut *pdrv.get() };

        drv.name = name.as_char_ptr();
        drv.id_table = T::ID_TABLE.as_ptr();
        drv.probe = Some(Self::probe_callback);
        drv.remove = Some(Self::remove_callback);
        if T::HAS_SHUTDOWN {
            drv.shutdown = Some(Self::shutdown_callback);
        }
        if T::HAS_SRIOV_CONFIGURE {
            drv.sriov_configure = Some(Self::sriov_configure_callback);
        }
        drv.err_handler = &Self::ERROR_HANDLERS;
        drv.driver.pm = &Self::PM_OPS;

        // SAFETY: By the safety requirements of this function `pdrv` stays pinned and valid
        // until it is unregistered; the tables it points to are static.
        to_result(unsafe {
            netbind::__pci_register_driver(pdrv.get(), module.as_ptr(), name.as_char_ptr())
        })
    }

    unsafe fn unregister(pdrv: &Opaque<Self::DriverType>) {
        // SAFETY: By the safety requirements of this function `pdrv` is registered.
        unsafe { netbind::pci_unregister_driver(pdrv.get()) };
        // The driver has no device any more: nothing else would give back what waits.
        later::flush();
    }
}

/// Returns `f` if `wanted`: an operation table leaves out what the driver does not implement.
macro_rules! op {
    ($wanted:expr, $f:expr) => {
        if $wanted {
            Some($f)
        } else {
            None
        }
    };
}

impl<T: Driver> Adapter<T> {
    const ERROR_HANDLERS: netbind::pci_error_handlers = netbind::pci_error_handlers {
        error_detected: op!(T::HAS_ERROR_DETECTED, Self::error_detected_callback),
        slot_reset: op!(T::HAS_SLOT_RESET, Self::slot_reset_callback),
        resume: op!(T::HAS_RESUME_IO, Self::resume_io_callback),
        reset_prepare: op!(T::HAS_RESET_PREPARE, Self::reset_prepare_callback),
        reset_done: op!(T::HAS_RESET_DONE, Self::reset_done_callback),
        ..pin_init::zeroed()
    };

    const PM_OPS: netbind::dev_pm_ops = netbind::dev_pm_ops {
        suspend: op!(T::HAS_SUSPEND, Self::suspend_callback),
        freeze: op!(T::HAS_SUSPEND, Self::freeze_callback),
        poweroff: op!(T::HAS_SUSPEND, Self::poweroff_callback),
        resume: op!(T::HAS_RESUME, Self::resume_callback),
        thaw: op!(T::HAS_RESUME, Self::resume_callback),
        restore: op!(T::HAS_RESUME, Self::resume_callback),
        runtime_suspend: op!(T::HAS_RUNTIME_SUSPEND, Self::runtime_suspend_callback),
        runtime_resume: op!(T::HAS_RUNTIME_SUSPEND, Self::runtime_resume_callback),
        ..pin_init::zeroed()
    };

    extern "C" fn probe_callback(
        pdev: *mut netbind::pci_dev,
        id: *const netbind::pci_device_id,
    ) -> c_int {
        // SAFETY: The PCI core passes a valid device and holds its lock during the call.
        let pdev = unsafe { &*pdev.cast::<Device<device::CoreInternal<'_>>>() };
        // SAFETY: The PCI core passes an entry of the table, one that was added to it, or the one
        // that stands for any device, never NULL. It stays during the call.
        let info = T::ID_TABLE.info(unsafe { &*id });

        from_result(|| {
            // First: it ends after all that the driver has made device-managed.
            Binding::begin(pdev.as_ref())?;
            Self::begin_awake(pdev)?;
            pdev.as_ref().set_drvdata(T::probe(pdev, info))?;
            // SAFETY: The probe has succeeded, and the data was stored.
            unsafe { Self::allow_sleep(pdev) };
            Ok(0)
        })
    }

    /// Runs `f` with the device and the driver's data of it.
    ///
    /// # Safety
    ///
    /// `pdev` is a device bound to this driver, for which `probe_callback` has succeeded and the
    /// data has not been dropped; its device lock is held.
    unsafe fn with<R>(
        pdev: *mut netbind::pci_dev,
        f: impl FnOnce(&Device<Core<'_>>, Pin<&T::Data>) -> R,
    ) -> R {
        // SAFETY: `pdev` is a valid device whose lock is held, by the safety requirements of this
        // function; the wrapper is transparent.
        let pdev = unsafe { &*pdev.cast::<Device<device::CoreInternal<'_>>>() };
        // SAFETY: `probe_callback` has stored a `T::Data`, and it is still there.
        let data = unsafe { pdev.as_ref().drvdata_borrow::<T::Data>() };

        f(pdev, data)
    }

    extern "C" fn remove_callback(pdev: *mut netbind::pci_dev) {
        // SAFETY: `remove` is called once, after a successful probe.
        unsafe { Self::forbid_sleep(pdev) };
        // SAFETY: `remove` is called under the device lock, once, after a successful probe.
        unsafe { Self::with(pdev, |dev, data| T::unbind(dev, data)) }
    }

    extern "C" fn shutdown_callback(pdev: *mut netbind::pci_dev) {
        // SAFETY: `pci_device_shutdown()` calls the driver of a bound device under its lock.
        unsafe { Self::with(pdev, |dev, data| T::shutdown(dev, data)) }
    }

    extern "C" fn sriov_configure_callback(pdev: *mut netbind::pci_dev, nr_vfs: c_int) -> c_int {
        from_result(|| {
            let nr_vfs = u16::try_from(nr_vfs)?;
            // SAFETY: `sriov_numvfs_store()` calls the driver of a bound device under its lock.
            unsafe { Self::with(pdev, |dev, data| T::sriov_configure(dev, data, nr_vfs)) }
                .map(c_int::from)
        })
    }
}

/// Error recovery: the PCI core calls these for the driver of a bound device, under its lock
/// (`pcie/err.c`, and `pci_dev_lock()` for the reset pair).
impl<T: Driver> Adapter<T> {
    extern "C" fn error_detected_callback(
        pdev: *mut netbind::pci_dev,
        state: netbind::pci_channel_state_t,
    ) -> netbind::pci_ers_result_t {
        let state = match state {
            netbind::pci_channel_io_normal => ChannelState::Normal,
            netbind::pci_channel_io_frozen => ChannelState::Frozen,
            _ => ChannelState::PermanentFailure,
        };
        // SAFETY: Error recovery calls the driver of a bound device under its lock.
        unsafe { Self::with(pdev, |dev, data| T::error_detected(dev, data, state)) }.into_raw()
    }

    extern "C" fn slot_reset_callback(pdev: *mut netbind::pci_dev) -> netbind::pci_ers_result_t {
        // SAFETY: Error recovery calls the driver of a bound device under its lock.
        unsafe { Self::with(pdev, |dev, data| T::slot_reset(dev, data)) }.into_raw()
    }

    extern "C" fn resume_io_callback(pdev: *mut netbind::pci_dev) {
        // SAFETY: Error recovery calls the driver of a bound device under its lock.
        unsafe { Self::with(pdev, |dev, data| T::resume_io(dev, data)) }
    }

    extern "C" fn reset_prepare_callback(pdev: *mut netbind::pci_dev) {
        // SAFETY: `pci_dev_lock()` is held, and the device is bound to this driver.
        unsafe { Self::with(pdev, |dev, data| T::reset_prepare(dev, data)) }
    }

    extern "C" fn reset_done_callback(pdev: *mut netbind::pci_dev) {
        // SAFETY: `pci_dev_lock()` is held, and the device is bound to this driver.
        unsafe { Self::with(pdev, |dev, data| T::reset_done(dev, data)) }
    }
}

/// System sleep: the PM core calls these under the device lock, for the `dev_pm_ops` of the
/// driver the device is bound to.
impl<T: Driver> Adapter<T> {
    /// # Safety
    ///
    /// `dev` is the `device` of a `pci_dev` as [`Adapter::with`] asks for.
    unsafe fn sleep(dev: *mut netbind::device, why: Sleep) -> c_int {
        // SAFETY: `dev` is the `device` of a `pci_dev`, by the safety requirements of this
        // function.
        let pdev = unsafe { kernel::container_of!(dev, netbind::pci_dev, dev) };

        from_result(|| {
            // SAFETY: `pdev` is a device as `with` asks for, by the safety requirements of this
            // function.
            unsafe { Self::with(pdev, |dev, data| T::suspend(dev, data, why)) }.map(|()| 0)
        })
    }

    extern "C" fn suspend_callback(dev: *mut netbind::device) -> c_int {
        // SAFETY: The PM core calls the operations of the driver of a bound device under its lock.
        unsafe { Self::sleep(dev, Sleep::Suspend) }
    }

    extern "C" fn freeze_callback(dev: *mut netbind::device) -> c_int {
        // SAFETY: The PM core calls the operations of the driver of a bound device under its lock.
        unsafe { Self::sleep(dev, Sleep::Freeze) }
    }

    extern "C" fn poweroff_callback(dev: *mut netbind::device) -> c_int {
        // SAFETY: The PM core calls the operations of the driver of a bound device under its lock.
        unsafe { Self::sleep(dev, Sleep::PowerOff) }
    }

    extern "C" fn resume_callback(dev: *mut netbind::device) -> c_int {
        // SAFETY: `dev` is the `device` embedded in a `pci_dev`.
        let pdev = unsafe { kernel::container_of!(dev, netbind::pci_dev, dev) };

        from_result(|| {
            // SAFETY: The PM core calls the operations of the driver of a bound device under its
            // lock.
            unsafe { Self::with(pdev, |dev, data| T::resume(dev, data)) }.map(|()| 0)
        })
    }
}

/// Declares a kernel module that is one [`Driver`].
///
/// Takes what `kernel::module_pci_driver!` takes.
#[macro_export]
macro_rules! module_net_pci_driver {
    ($($f:tt)*) => {
        ::kernel::module_driver!(<T>, $crate::pci::Adapter<T>, { $($f)* });
    };
}
