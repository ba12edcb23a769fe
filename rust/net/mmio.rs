// SPDX-License-Identifier: GPL-2.0

//! Memory-mapped registers of a PCI device.
//!
//! Each access is the C macro's (`readl()`, `writel()`): it happens exactly once, in program
//! order with the other accesses to the device, and a write is seen by the device after all
//! earlier writes to memory. On x86 it is one inlined `mov`.
//!
//! C header: [`include/linux/io.h`](srctree/include/linux/io.h)

use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::{
    device::Bound,
    error::to_result,
    pci::Device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use crate::pci::as_raw;

mod registers;

pub use self::registers::{
    Reader,
    Registers, //
};

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/mmio.rs"]
mod test;

/// What a read of a register that is not there returns.
pub const ALL_ONES: u32 = u32::MAX;

/// A mapped BAR, and the claim on the device's memory regions that goes with it.
///
/// # Invariants
///
/// `base` is a mapping of BAR `bar` of `dev`, and the memory regions of `dev` are requested by
/// this.
struct Mapping {
    dev: ARef<Device>,
    base: NonNull<c_void>,
}

// SAFETY: A mapping can be used and released by any thread.
unsafe impl Send for Mapping {}
// SAFETY: There is nothing to change through a reference.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(dev: &Device<Bound>, bar: u32, size: usize, name: &'static CStr) -> Result<Self> {
        if dev.resource_len(bar)? < u64::try_from(size)? {
            return Err(ENODEV);
        }
        let pdev = as_raw(dev);
        let bar = c_int::try_from(bar)?;
        // What `pci_iomap()` returns for I/O ports is no address.
        // SAFETY: `pdev` is a valid device, and `bar` was checked by `resource_len()`.
        if !unsafe { netbind::pci_bar_is_memory(pdev, bar) } {
            return Err(ENODEV);
        }

        // SAFETY: `pdev` is a valid device; the name is static.
        to_result(unsafe { netbind::pci_request_mem_regions(pdev, name.as_char_ptr()) })?;
        // SAFETY: `pdev` is a valid device, and the BAR is memory. 0 means all of it.
        let base = unsafe { netbind::pci_iomap(pdev, bar, 0) };
        let Some(base) = NonNull::new(base) else {
            // SAFETY: The memory regions of the device are requested, by this function.
            unsafe { netbind::pci_release_mem_regions(pdev) };
            return Err(ENOMEM);
        };
        // INVARIANT: Requested and mapped above.
        Ok(Self {
            dev: dev.into(),
            base: base.cast(),
        })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let pdev = as_raw(&*self.dev);
        // SAFETY: By the type invariants, mapped and requested by `new`; nobody uses the mapping
        // any more, as whoever does holds a reference to `self`.
        unsafe {
            netbind::pci_iounmap(pdev, self.base.as_ptr().cast());
            netbind::pci_release_mem_regions(pdev);
        }
    }
}

/// The registers of a device: a mapping of a whole BAR of at least `SIZE` bytes.
///
/// A clone is another handle of the same mapping, which ends with the last handle ([`Doorbell`]s are
/// handles as well). Handles are to be dropped in process context, as the end of a mapping may sleep,
/// and by the time the device is unbound, as no other driver can claim its regions before.
///
/// Handles that are left later than that, or never, break no memory, and a register access, which a
/// packet may need, does not ask whether the device is still bound: a handle owns its share of the
/// mapping, which stays, and of the claim on the regions, which keeps other drivers from them and
/// other devices from being put there. What is read or written is the device's, or, if it is off or
/// gone, nobody's.
///
/// # Invariants
///
/// `base` is the start of `mapping`, which is at least `SIZE` bytes long; `SIZE` is at least 4.
///
/// # Examples
///
/// ```
/// use kernel::{device::Bound, pci, prelude::*};
/// use net::mmio::{self, Mmio};
///
/// const STATUS: u32 = 0x0008;
///
/// type Regs = Mmio<0x2_0000>;
///
/// fn map(dev: &pci::Device<Bound>) -> Result<Regs> {
///     let regs = Regs::map(dev, 0, c"driver")?;
///     if regs.read32(STATUS) == mmio::ALL_ONES {
///         return Err(ENODEV);
///     }
///     Ok(regs)
/// }
/// ```
pub struct Mmio<const SIZE: usize> {
    base: NonNull<u8>,
    mapping: Arc<Mapping>,
}

// SAFETY: Register accesses are single instructions; which of them may race is a matter of the
// device, not of memory safety.
unsafe impl<const SIZE: usize> Send for Mmio<SIZE> {}
// SAFETY: Register accesses are single instructions, which any number of threads may execute.
unsafe impl<const SIZE: usize> Sync for Mmio<SIZE> {}

impl<const SIZE: usize> Clone for Mmio<SIZE> {
    fn clone(&self) -> Self {
        // INVARIANT: Those of `self`.
        Self {
            base: self.base,
            mapping: self.mapping.clone(),
        }
    }
}

impl<const SIZE: usize> Mmio<SIZE> {
    /// Claims the memory regions of `dev` in the name of `name`, and maps BAR `bar`. Process
    /// context.
    ///
    /// # Errors
    ///
    /// `-EINVAL` for a BAR there cannot be, `-ENODEV` for one smaller than `SIZE` or one of I/O ports,
    /// `-EBUSY` if the regions are claimed already, by another driver or another mapping: one is cloned instead.
    pub fn map(dev: &Device<Bound>, bar: u32, name: &'static CStr) -> Result<Self> {
        const { assert!(SIZE >= 4) };

        let mapping = Arc::new(Mapping::new(dev, bar, SIZE, name)?, GFP_KERNEL)?;
        // INVARIANT: `Mapping::new` has checked the size.
        Ok(Self {
            base: mapping.base.cast(),
            mapping,
        })
    }

    /// Returns the address of the register at `offset`, or `None` if it is not a register: past
    /// the end or not a multiple of 4. Decided at compile time for a constant offset.
    #[inline(always)]
    fn register(&self, offset: u32) -> Option<NonNull<u32>> {
        // CAST: No platform with PCI has a `usize` below 32 bits.
        let offset = offset as usize;
        if offset > SIZE - 4 || offset % 4 != 0 {
            return None;
        }
        // SAFETY: By the type invariants the mapping is at least `SIZE` bytes long.
        Some(unsafe { self.base.add(offset) }.cast())
    }

    /// Reads the register at byte `offset`. Any context.
    ///
    /// Returns [`ALL_ONES`] if the device is gone, or if there is no such register: `offset` is
    /// not below `SIZE` or not a multiple of 4.
    #[inline(always)]
    pub fn read32(&self, offset: u32) -> u32 {
        match self.register(offset) {
            // SAFETY: The pointer is to a mapped register.
            Some(register) => unsafe { arch::readl(register) },
            None => ALL_ONES,
        }
    }

    /// Writes `value` to the register at byte `offset`, after all earlier writes to memory. Any
    /// context.
    ///
    /// Does nothing if the device is gone, or if there is no such register.
    #[inline(always)]
    pub fn write32(&self, offset: u32, value: u32) {
        if let Some(register) = self.register(offset) {
            // SAFETY: The pointer is to a mapped register.
            unsafe { arch::writel(register, value) };
        }
    }

    /// Returns a handle of the one register at byte `offset`.
    ///
    /// # Errors
    ///
    /// `-EINVAL` if there is no such register.
    pub fn doorbell(&self, offset: u32) -> Result<Doorbell> {
        // INVARIANT: `register` returns a register of this mapping.
        Ok(Doorbell {
            register: self.register(offset).ok_or(EINVAL)?,
            _mapping: self.mapping.clone(),
        })
    }
}

/// One register that is written over and over, such as the tail of a ring. A handle of the mapping, to
/// be dropped where an [`Mmio`] may be.
///
/// # Invariants
///
/// `register` is a register within `_mapping`.
pub struct Doorbell {
    register: NonNull<u32>,
    _mapping: Arc<Mapping>,
}

// SAFETY: A register can be written by any thread.
unsafe impl Send for Doorbell {}
// SAFETY: A write is a single instruction, which any number of threads may execute.
unsafe impl Sync for Doorbell {}

impl Clone for Doorbell {
    fn clone(&self) -> Self {
        // INVARIANT: Those of `self`.
        Self {
            register: self.register,
            _mapping: self._mapping.clone(),
        }
    }
}

impl Doorbell {
    /// Writes `value`, after all earlier writes to memory. Any context.
    #[inline(always)]
    pub fn ring(&self, value: u32) {
        // SAFETY: By the type invariants `register` is a register of a mapping, which this keeps.
        unsafe { arch::writel(self.register, value) }
    }
}

/// As `arch/x86/include/asm/io.h`: one `mov` that the compiler moves no memory access across.
#[cfg(CONFIG_X86)]
mod arch {
    use core::{
        arch::asm,
        ptr::NonNull, //
    };

    /// # Safety
    ///
    /// `register` is a mapped register.
    #[inline(always)]
    pub(super) unsafe fn readl(register: NonNull<u32>) -> u32 {
        let value;
        // SAFETY: `register` is a mapped register, by the safety requirements of this function.
        // Without the option `nomem` the block is a barrier to the compiler.
        unsafe {
            asm!(
                "mov {value:e}, dword ptr [{register}]",
                value = out(reg) value,
                register = in(reg) register.as_ptr(),
                options(nostack, preserves_flags),
            )
        };
        value
    }

    /// # Safety
    ///
    /// `register` is a mapped register.
    #[inline(always)]
    pub(super) unsafe fn writel(register: NonNull<u32>, value: u32) {
        // SAFETY: `register` is a mapped register, by the safety requirements of this function.
        // Without the option `nomem` the block is a barrier to the compiler; the processor keeps
        // stores in order.
        unsafe {
            asm!(
                "mov dword ptr [{register}], {value:e}",
                value = in(reg) value,
                register = in(reg) register.as_ptr(),
                options(nostack, preserves_flags),
            )
        };
    }
}

#[cfg(not(CONFIG_X86))]
mod arch {
    use core::ptr::NonNull;

    /// # Safety
    ///
    /// `register` is a mapped register.
    #[inline]
    pub(super) unsafe fn readl(register: NonNull<u32>) -> u32 {
        // SAFETY: `register` is a mapped register, by the safety requirements of this function.
        unsafe { netbind::readl(register.as_ptr().cast()) }
    }

    /// # Safety
    ///
    /// `register` is a mapped register.
    #[inline]
    pub(super) unsafe fn writel(register: NonNull<u32>, value: u32) {
        // SAFETY: `register` is a mapped register, by the safety requirements of this function.
        unsafe { netbind::writel(value, register.as_ptr().cast()) }
    }
}
