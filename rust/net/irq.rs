// SPDX-License-Identifier: GPL-2.0

//! Interrupt vectors of a PCI device.
//!
//! C headers: [`include/linux/pci.h`](srctree/include/linux/pci.h),
//! [`include/linux/interrupt.h`](srctree/include/linux/interrupt.h).

use core::{
    ffi::c_void,
    marker::PhantomData, //
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    devres::Devres,
    error::to_result,
    fmt,
    new_mutex,
    pci::Device,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    types::ScopeGuard, //
};

use crate::{
    compat,
    pci::as_raw, //
};

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/irq.rs"]
mod test;

pub use kernel::irq::IrqReturn;

/// What serves an interrupt.
pub trait Handler: Send + Sync + 'static {
    /// The interrupt has fired. Hard interrupt context, local interrupts off: must not sleep. With
    /// `threadirqs`, and on PREEMPT_RT, a thread of the interrupt with softirqs off.
    ///
    /// On a shared line it may be another device's: [`IrqReturn::None`] then.
    fn handle(&self, cx: &Context) -> IrqReturn;
}

/// What serves an interrupt that is never left to a thread: somebody waits for it with the CPU to
/// himself.
pub trait HardHandler: Send + Sync + 'static {
    /// The interrupt has fired. Hard interrupt context, local interrupts off, with every
    /// configuration of the kernel. Must not sleep nor take a lock that sleeps on PREEMPT_RT: that
    /// leaves atomics, [`RawSpinLock::try_lock`](crate::lock::RawSpinLock::try_lock), which `cx`
    /// is for, and scheduling work. Has to be short.
    fn handle(&self, cx: &HardIrq) -> IrqReturn;
}

/// Proof of running in the handler of an interrupt: local interrupts are off, or, on PREEMPT_RT, this
/// is the interrupt's thread.
pub struct Context(PhantomData<*mut ()>);

impl Context {
    /// For tests of what asks for one, in a hard interrupt of theirs.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn for_test() -> Self {
        Self(PhantomData)
    }
}

/// Proof of running in a hard interrupt.
pub struct HardIrq(PhantomData<*mut ()>);

impl HardIrq {
    /// For tests of what asks for one; they run in process context.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn for_test() -> Self {
        Self(PhantomData)
    }
}

/// A kind of interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MSI-X: one message per vector.
    Msix,
    /// MSI.
    Msi,
    /// The interrupt line, shared with other devices.
    Intx,
}

/// A set of [`Kind`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    /// MSI-X.
    pub const MSIX: Self = Self(netbind::PCI_IRQ_MSIX);
    /// MSI.
    pub const MSI: Self = Self(netbind::PCI_IRQ_MSI);
    /// The interrupt line.
    pub const INTX: Self = Self(netbind::PCI_IRQ_INTX);
    /// Whatever there is, MSI-X first.
    pub const ALL: Self = Self::MSIX.or(Self::MSI).or(Self::INTX);

    /// Returns the kinds of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An interrupt handler as the C side knows it.
///
/// # Invariants
///
/// `cookie` is an [`Arc`] turned into a pointer, which `release` turns back; an interrupt is
/// requested with it, and with `name`.
struct Action {
    cookie: *mut c_void,
    release: unsafe fn(*mut c_void),
    _name: CString,
}

/// What is requested on a vector.
type Slot = Option<Action>;

/// # Invariants
///
/// As long as `open`, the vectors of `dev` are allocated, and `slots` tells what is requested.
/// Afterwards nothing is allocated or requested.
struct Table {
    open: bool,
    slots: KVec<Slot>,
}

// SAFETY: The pointers in it are `Arc`s of types that are `Send` and `Sync`.
unsafe impl Send for Table {}

/// The vectors of a device, and who serves them.
#[pin_data]
struct VectorSet {
    dev: ARef<Device>,
    kind: Kind,
    irqs: KVec<u32>,
    #[pin]
    table: Mutex<Table>,
}

impl VectorSet {
    /// The `count` vectors that have been allocated for `dev`.
    fn new(dev: &Device<Bound>, count: c_int) -> Result<Arc<Self>> {
        let count = u32::try_from(count)?;
        let mut irqs = KVec::new();
        let mut slots = KVec::new();
        for index in 0..count {
            // SAFETY: `dev` is a valid device.
            let irq = unsafe { netbind::pci_irq_vector(as_raw(dev), index) };
            irqs.push(u32::try_from(irq)?, GFP_KERNEL)?;
            slots.push(None, GFP_KERNEL)?;
        }
        // SAFETY: `dev` is a valid device.
        let kind = match unsafe { netbind::irq_type(as_raw(dev)) } {
            netbind::PCI_IRQ_MSIX => Kind::Msix,
            netbind::PCI_IRQ_MSI => Kind::Msi,
            _ => Kind::Intx,
        };
        Arc::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                kind,
                irqs,
                table <- new_mutex!(Table { open: true, slots }),
            }),
            GFP_KERNEL,
        )
    }

    /// Requests the interrupt of vector `index` with `entry`, which is called with `cookie`.
    ///
    /// # Safety
    ///
    /// `cookie` is an `Arc` of a `Send` and `Sync` type turned into a pointer, which this takes over;
    /// it is what `entry` expects, and `release` turns it back.
    unsafe fn request(
        &self,
        index: usize,
        name: CString,
        flags: c_ulong,
        entry: Entry,
        cookie: *mut c_void,
        release: unsafe fn(*mut c_void),
    ) -> Result {
        // SAFETY: `release` turns the cookie back, by the safety requirements of this function, and
        // nobody else has it unless this is dismissed.
        let unused = ScopeGuard::new(|| unsafe { release(cookie) });
        let irq = self.irq(index).ok_or(EINVAL)?;
        let flags = match self.kind {
            // CAST: A flag; widening.
            Kind::Intx => flags | netbind::IRQF_SHARED as c_ulong,
            Kind::Msi | Kind::Msix => flags,
        };

        let mut table = self.table.lock();
        if !table.open {
            return Err(ENODEV);
        }
        let slot = table.slots.get_mut(index).ok_or(EINVAL)?;
        if slot.is_some() {
            return Err(EBUSY);
        }
        // SAFETY: `irq` is allocated, as the table is open. The cookie is what `entry` expects, and
        // stays so, as does the name, until `release` after `free_irq()`.
        to_result(unsafe {
            netbind::request_threaded_irq(irq, Some(entry), None, flags, name.as_char_ptr(), cookie)
        })?;
        unused.dismiss();
        // INVARIANT: Requested above.
        *slot = Some(Action {
            cookie,
            release,
            _name: name,
        });
        Ok(())
    }

    fn irq(&self, index: usize) -> Option<u32> {
        self.irqs.get(index).copied()
    }

    /// Frees what is requested on a vector, if anything.
    fn free(&self, index: usize) {
        let action = {
            let mut table = self.table.lock();
            let action = table.slots.get_mut(index).and_then(Option::take);
            if let Some(action) = &action {
                self.free_irq(index, action);
            }
            action
        };
        // Not under the lock: dropping a handler may end in any code.
        if let Some(action) = action {
            action.release();
        }
    }

    /// Frees all that is requested, and the vectors.
    fn close(&self) {
        let slots = {
            let mut table = self.table.lock();
            let slots = core::mem::replace(&mut table.slots, KVec::new());
            for (index, action) in slots.iter().enumerate() {
                if let Some(action) = action {
                    self.free_irq(index, action);
                }
            }
            if core::mem::replace(&mut table.open, false) {
                // SAFETY: The vectors are allocated and none is requested any more.
                unsafe { netbind::pci_free_irq_vectors(as_raw(&*self.dev)) };
            }
            slots
        };
        slots.into_iter().flatten().for_each(Action::release);
    }

    /// Frees the interrupt of vector `index`, requested with `action`; waits for the handler.
    fn free_irq(&self, index: usize, action: &Action) {
        let Some(irq) = self.irq(index) else { return };

        // SAFETY: By the type invariants of `Action`, `irq` is requested with this cookie.
        unsafe { netbind::free_irq(irq, action.cookie) };
    }
}

impl Action {
    /// Gives up the handler of an interrupt that has been freed.
    fn release(self) {
        // SAFETY: `release` turns the cookie back, by the type invariants, and this consumes it. As
        // the interrupt has been freed, the handler does not run any more.
        unsafe { (self.release)(self.cookie) };
    }
}

/// # Safety
///
/// `cookie` is an `Arc<H>` turned into a pointer; it must not be used afterwards.
unsafe fn release<H>(cookie: *mut c_void) {
    // SAFETY: `cookie` is an `Arc<H>` turned into a pointer, whose reference is given up here, by
    // the safety requirements of this function.
    drop(unsafe { Arc::<H>::from_raw(cookie.cast_const().cast()) });
}

/// What the kernel calls when an interrupt has fired.
type Entry = unsafe extern "C" fn(c_int, *mut c_void) -> netbind::irqreturn_t;

/// # Safety
///
/// `cookie` is an `Arc<H>` turned into a pointer, which stays valid during the call.
unsafe extern "C" fn serve<H: Handler>(_irq: c_int, cookie: *mut c_void) -> netbind::irqreturn_t {
    // SAFETY: `cookie` is an `Arc<H>` turned into a pointer, and valid during the call, by the
    // safety requirements of this function.
    let handler = unsafe { &*cookie.cast_const().cast::<H>() };

    raw_return(handler.handle(&Context(PhantomData)))
}

/// # Safety
///
/// As for [`serve`]; called in a hard interrupt.
unsafe extern "C" fn serve_hard<H: HardHandler>(
    _irq: c_int,
    cookie: *mut c_void,
) -> netbind::irqreturn_t {
    // SAFETY: `cookie` is an `Arc<H>` turned into a pointer, and valid during the call, by the
    // safety requirements of this function.
    let handler = unsafe { &*cookie.cast_const().cast::<H>() };

    raw_return(handler.handle(&HardIrq(PhantomData)))
}

fn raw_return(value: IrqReturn) -> netbind::irqreturn_t {
    match value {
        IrqReturn::None => compat::IRQ_NONE,
        IrqReturn::Handled => compat::IRQ_HANDLED,
    }
}

/// Ends what a [`VectorSet`] stands for, when [`Vectors`] are dropped or the device is unbound,
/// whichever is first.
struct Closer(Arc<VectorSet>, #[allow(dead_code)] Claim);

/// The right to the vectors of a device, of which there is one at a time: `pci_free_irq_vectors()`
/// frees whatever there is, also what another allocated.
struct Claim(ARef<device::Device>);

impl Claim {
    /// # Errors
    ///
    /// `EBUSY` if there is one, `ENOMEM`.
    fn new(dev: &device::Device<Bound>) -> Result<Self> {
        // SAFETY: The device is valid, and bound.
        to_result(unsafe { netbind::irq_claim_vectors(raw_device(dev)) })?;
        Ok(Self(dev.into()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // SAFETY: The device is valid. The claim is ours, or has gone when the device was unbound, and
        // then this ends before another driver is bound to it, as it is in a `Devres`.
        unsafe { netbind::irq_release_vectors(raw_device(&self.0)) };
    }
}

fn raw_device<C: device::DeviceContext>(dev: &device::Device<C>) -> *mut netbind::device {
    core::ptr::from_ref(dev).cast_mut().cast()
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The interrupt vectors of a device.
///
/// Dropping them frees all interrupts requested on them, and the vectors; process context. That
/// is also done when the device is unbound, so that one forgotten cannot outlive the driver.
///
/// # Examples
///
/// ```
/// use kernel::{device::Bound, irq::IrqReturn, pci, prelude::*, sync::Arc};
/// use net::{irq, work};
///
/// struct Link { changed: work::Handle }
///
/// impl irq::Handler for Link {
///     fn handle(&self, _cx: &irq::Context) -> IrqReturn {
///         self.changed.schedule();
///         IrqReturn::Handled
///     }
/// }
///
/// fn serve(dev: &pci::Device<Bound>, link: Link) -> Result<(irq::Vectors, irq::Registration)> {
///     let vectors = irq::Vectors::alloc(dev, 1, 4, irq::Kinds::ALL)?;
///     let served = vectors.request(0, fmt!("driver-link"), Arc::new(link, GFP_KERNEL)?)?;
///     Ok((vectors, served))
/// }
/// ```
pub struct Vectors {
    set: Arc<VectorSet>,
    _closer: Devres<Closer>,
}

impl Vectors {
    /// Allocates between `min` and `max` vectors of one of `kinds`. Process context.
    ///
    /// # Errors
    ///
    /// `-ENOSPC` if the device or the platform has fewer than `min`, `-EBUSY` if the device has
    /// vectors already: those are to be dropped first.
    pub fn alloc(dev: &Device<Bound>, min: u32, max: u32, kinds: Kinds) -> Result<Self> {
        let claim = Claim::new(dev.as_ref())?;
        let pdev = as_raw(dev);
        // SAFETY: `pdev` is a valid device, bound to a driver.
        let count = unsafe { netbind::pci_alloc_irq_vectors(pdev, min, max, kinds.0) };
        // Negative: an errno.
        to_result(count)?;
        // From here on the vectors are freed when this is dropped.
        let set = VectorSet::new(dev, count).inspect_err(|_| {
            // SAFETY: The vectors of the device are allocated, and no interrupt of them is
            // requested.
            unsafe { netbind::pci_free_irq_vectors(pdev) }
        })?;
        let closer = Closer(set, claim);

        Ok(Self {
            set: closer.0.clone(),
            _closer: Devres::new(dev.as_ref(), Ok::<_, Error>(closer))?,
        })
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.set.irqs.len()
    }

    /// Returns whether there are none, which is never the case.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns of which kind they are.
    pub fn kind(&self) -> Kind {
        self.set.kind
    }

    /// Returns the interrupt number of vector `index`.
    pub fn irq(&self, index: usize) -> Option<u32> {
        self.set.irq(index)
    }

    /// Has `handler` serve vector `index`. Process context.
    ///
    /// `name` is what `/proc/interrupts` shows. The handler may be called before this returns.
    ///
    /// # Errors
    ///
    /// `-EINVAL` if there is no such vector, `-EBUSY` if it is served, `-ENODEV` if the device
    /// is no longer bound.
    pub fn request<H: Handler>(
        &self,
        index: usize,
        name: fmt::Arguments<'_>,
        handler: Arc<H>,
    ) -> Result<Registration> {
        // SAFETY: `serve::<H>` expects an `Arc<H>`.
        unsafe { self.request_with(index, name, 0, serve::<H>, handler) }
    }

    /// As [`Vectors::request`], for a handler that is never left to a thread (`IRQF_NO_THREAD`). Not
    /// for a shared line, whose other users would have to agree.
    ///
    /// # Errors
    ///
    /// As for [`Vectors::request`]; `-EINVAL` for an interrupt line.
    pub fn request_hard<H: HardHandler>(
        &self,
        index: usize,
        name: fmt::Arguments<'_>,
        handler: Arc<H>,
    ) -> Result<Registration> {
        if self.kind() == Kind::Intx {
            return Err(EINVAL);
        }
        // CAST: A flag; widening.
        let flags = netbind::IRQF_NO_THREAD as c_ulong;
        // SAFETY: `serve_hard::<H>` expects an `Arc<H>`, and a hard interrupt, which the flag and the
        // absence of a thread function of its own make sure of.
        unsafe { self.request_with(index, name, flags, serve_hard::<H>, handler) }
    }

    /// # Safety
    ///
    /// With these flags `entry` may be called, and with an `Arc<H>` turned into a pointer.
    unsafe fn request_with<H: Send + Sync + 'static>(
        &self,
        index: usize,
        name: fmt::Arguments<'_>,
        flags: c_ulong,
        entry: Entry,
        handler: Arc<H>,
    ) -> Result<Registration> {
        let name = CString::try_from_fmt(name)?;
        let cookie = Arc::into_raw(handler).cast_mut().cast();
        // SAFETY: `entry` may be called with these flags and such a cookie, by the safety
        // requirements of this function; `release::<H>` turns it back.
        unsafe {
            self.set
                .request(index, name, flags, entry, cookie, release::<H>)?;
        }
        Ok(Registration {
            set: self.set.clone(),
            irq: self.irq(index).ok_or(EINVAL)?,
            index,
        })
    }
}

/// A vector that is being served.
///
/// Dropping it frees the interrupt: the handler has returned for the last time then. Process
/// context. Forgetting it leaves the vector served until the [`Vectors`] end.
pub struct Registration {
    set: Arc<VectorSet>,
    irq: u32,
    index: usize,
}

impl Registration {
    /// Returns the interrupt number.
    pub fn irq(&self) -> u32 {
        self.irq
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.set.free(self.index);
    }
}
