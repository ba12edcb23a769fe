// SPDX-License-Identifier: GPL-2.0

//! Coherent DMA memory, for rings of descriptors, and the barriers to use it with.
//!
//! C header: [`include/linux/dma-mapping.h`](srctree/include/linux/dma-mapping.h)

use crate::binding::{
    raw,
    Use, //
};
use core::{
    marker::PhantomData,
    mem::size_of,
    ptr::NonNull, //
};
use kernel::{
    device::{
        Bound,
        Core,
        Device, //
    },
    error::to_result,
    pci,
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
};

/// Tells the kernel that the device can reach memory below 2^`bits`. In probe, before any
/// memory is allocated or mapped for the device.
///
/// # Errors
///
/// `-EIO` if the platform cannot restrict itself to that, `-EINVAL` if `bits` is 0 or above 64.
pub fn set_mask_and_coherent(dev: &pci::Device<Core<'_>>, bits: u32) -> Result {
    let Some(spare) = u64::BITS.checked_sub(bits).filter(|_| bits > 0) else {
        return Err(EINVAL);
    };
    let dev: &Device<Core<'_>> = dev.as_ref();

    // A driver that calls this beside mappings of its own gets mappings the device may not be
    // able to reach, but no access to memory it does not own.
    // SAFETY: `dev` is a valid device, whose lock is held.
    to_result(unsafe { netbind::dma_set_mask_and_coherent(raw(dev), u64::MAX >> spare) })
}

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/dma.rs"]
mod test;

/// An array of `T` that the CPU and a device share.
///
/// Elements are copied in and out with volatile accesses, since the device may change them at
/// any time. What order the device sees, or changes, elements in is a matter of [`wmb`] and
/// [`rmb`].
///
/// The device must have stopped using the memory before this is dropped. Dropping needs a context
/// that may sleep.
///
/// The memory stays for as long as this does. What is still there when the device is unbound is
/// lost: it can be read and written as before, and is not given back when this is dropped, as the
/// DMA API is for devices that are bound. The kernel log says so.
///
/// # Invariants
///
/// `cpu` and `handle` are those of `len` elements allocated by `dma_alloc_attrs()` for the device
/// of `device`, and not freed.
///
/// # Examples
///
/// ```
/// use net::{dma::{self, Coherent}, mmio::Doorbell, page_pool::RxPage};
///
/// fn offer(ring: &Coherent<[u64; 2]>, page: &RxPage, tail: &Doorbell) {
///     ring.write(0, [page.dma_addr(), 0]);
///     // The device must see the descriptor before it sees the tail.
///     dma::wmb();
///     tail.ring(1);
/// }
/// ```
pub struct Coherent<T> {
    device: Use,
    cpu: NonNull<T>,
    handle: netbind::dma_addr_t,
    len: usize,
    _element: PhantomData<T>,
}

// SAFETY: The memory can be used and freed by any thread.
unsafe impl<T: Send> Send for Coherent<T> {}
// SAFETY: Elements are read and written as a whole by volatile accesses of plain data, whose
// users must expect the device to write at the same time anyhow.
unsafe impl<T: Sync> Sync for Coherent<T> {}

impl<T: Copy + AsBytes + FromBytes> Coherent<T> {
    /// Allocates `len` elements, all bytes 0. Process context.
    ///
    /// # Errors
    ///
    /// `-ENOMEM`; `-EINVAL` if there is nothing to allocate; `-ENODEV` if the driver of the device
    /// is no [`pci::Driver`](crate::pci::Driver), or if what is device-managed is ending.
    pub fn zeroed(dev: &Device<Bound>, len: usize) -> Result<Self> {
        let size = len.checked_mul(size_of::<T>()).ok_or(ENOMEM)?;
        if size == 0 {
            return Err(EINVAL);
        }
        let device = Use::begin(dev)?;
        let mut handle = 0;
        // Coherent memory comes in whole pages that are zeroed by `dma_alloc_attrs()`, so it is
        // aligned for any `T`.
        // SAFETY: `dev` is a valid device that is bound to a driver.
        let cpu = unsafe {
            netbind::dma_alloc_attrs(raw(dev), size, &mut handle, netbind::GFP_KERNEL, 0)
        };
        // INVARIANT: Allocated above.
        Ok(Self {
            device,
            cpu: NonNull::new(cpu.cast()).ok_or(ENOMEM)?,
            handle,
            len,
            _element: PhantomData,
        })
    }

    /// Returns the pointer to element `index`.
    #[inline(always)]
    fn element(&self, index: usize) -> Option<NonNull<T>> {
        if index >= self.len {
            return None;
        }
        // SAFETY: By the type invariants there are `len` elements, and `index` is less.
        Some(unsafe { self.cpu.add(index) })
    }

    /// Copies element `index` out. An element there is not reads as all zero. Any context.
    ///
    /// A device that is writing the element at the same time may leave any mixture of old and
    /// new words in the copy.
    #[inline]
    pub fn read(&self, index: usize) -> T {
        match self.element(index) {
            // SAFETY: The pointer is to an element; all bit patterns are valid ones.
            Some(element) => unsafe { element.read_volatile() },
            // SAFETY: As all bit patterns are valid, all zero is.
            None => unsafe { core::mem::zeroed() },
        }
    }

    /// Copies `value` into element `index`; does nothing if there is no such element. Any
    /// context.
    #[inline]
    pub fn write(&self, index: usize, value: T) {
        if let Some(element) = self.element(index) {
            // SAFETY: The pointer is to an element.
            unsafe { element.write_volatile(value) };
        }
    }
}

impl<T> Coherent<T> {
    /// The use of the device that this is.
    #[inline]
    pub(crate) fn device(&self) -> &Use {
        &self.device
    }

    /// The first element, as the CPU sees it.
    #[inline]
    pub(crate) fn as_ptr(&self) -> NonNull<T> {
        self.cpu
    }

    /// Returns the number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no elements, which is never the case.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the address of the memory as the device sees it.
    #[inline]
    pub fn dma_handle(&self) -> u64 {
        self.handle
    }
}

/// Elements that are arrays of words can also be accessed word by word.
impl<W, const N: usize> Coherent<[W; N]>
where
    W: Copy + AsBytes + FromBytes,
    [W; N]: Copy + AsBytes + FromBytes,
{
    /// Element `index`, if there is one. Whether it exists is asked here once, not with each access
    /// to one of its words.
    #[inline(always)]
    pub fn words(&self, index: usize) -> Option<WordsOf<'_, W, N>> {
        // INVARIANT: by what `element` returns, which lives as long as `self`.
        Some(WordsOf {
            words: self.element(index)?.cast(),
            _memory: PhantomData,
        })
    }

    /// Writes what `make` makes of `from` into elements from `first` on, word by word, as far as there are some.
    /// Whether there are is asked here once, not with each. Any context.
    #[inline]
    pub fn write_run<S>(&self, first: usize, from: &[S], make: impl Fn(&S) -> [W; N]) {
        let count = self.len.saturating_sub(first).min(from.len());
        for (i, source) in from.get(..count).unwrap_or_default().iter().enumerate() {
            // SAFETY: There are `count` elements from `first` on, and `i` is less.
            let words = unsafe { self.cpu.add(first.wrapping_add(i)) }.cast();
            // INVARIANT: by the above, for as long as `self` is borrowed.
            let words = WordsOf::<W, N> {
                words,
                _memory: PhantomData,
            };
            words.write(make(source));
        }
    }

    /// Copies word `word` of element `index` out; 0 if there is none. Any context.
    #[inline]
    pub fn read_word(&self, index: usize, word: usize) -> W {
        match self.words(index).and_then(|words| words.word(word)) {
            // SAFETY: The pointer is to a word; all bit patterns are valid ones.
            Some(word) => unsafe { word.read_volatile() },
            // SAFETY: As all bit patterns are valid, all zero is.
            None => unsafe { core::mem::zeroed() },
        }
    }

    /// Copies `value` into word `word` of element `index`; does nothing if there is none. Any
    /// context.
    #[inline]
    pub fn write_word(&self, index: usize, word: usize, value: W) {
        if let Some(word) = self.words(index).and_then(|words| words.word(word)) {
            // SAFETY: The pointer is to a word.
            unsafe { word.write_volatile(value) };
        }
    }
}

/// One element of a [`Coherent`] array, as the words it consists of.
///
/// # Invariants
///
/// `words` points to the `N` words of an element, which exists for `'a`.
#[derive(Clone, Copy)]
pub struct WordsOf<'a, W, const N: usize> {
    words: NonNull<W>,
    _memory: PhantomData<&'a [W; N]>,
}

impl<W: Copy + AsBytes + FromBytes, const N: usize> WordsOf<'_, W, N> {
    /// Returns the pointer to word `word`.
    #[inline(always)]
    fn word(&self, word: usize) -> Option<NonNull<W>> {
        if word >= N {
            return None;
        }
        // SAFETY: `word` is within the element, by the type invariants.
        Some(unsafe { self.words.add(word) })
    }

    /// Copies word `WORD` out, which is less than `N`. Any context.
    #[inline(always)]
    pub fn read<const WORD: usize>(&self) -> W {
        const { assert!(WORD < N) };
        // SAFETY: The word is within the element, by the type invariants; all bit patterns are
        // valid ones.
        unsafe { self.words.add(WORD).read_volatile() }
    }

    /// Copies `value` in, word by word from the first on. Any context.
    #[inline(always)]
    pub fn write(&self, value: [W; N]) {
        for (i, word) in value.into_iter().enumerate() {
            // SAFETY: `i` is less than `N`; by the type invariants.
            unsafe { self.words.add(i).write_volatile(word) };
        }
    }
}

impl<T> Drop for Coherent<T> {
    fn drop(&mut self) {
        // Cannot overflow: the same product was allocated.
        let size = self.len.wrapping_mul(size_of::<T>());
        // If the device is not bound any more, the memory is lost.
        self.device.while_bound(|dev| {
            // SAFETY: The device is bound, meanwhile as well. By the type invariants the memory was
            // allocated for it, with this size and these addresses, and nobody else frees it.
            unsafe { netbind::dma_free_attrs(dev, size, self.cpu.as_ptr().cast(), self.handle, 0) };
        });
    }
}

/// Orders reads of coherent memory: what is read after this is read after what was read before
/// it (`dma_rmb()`). Needed between the read that tells that the device has written something,
/// and the reads of what it has written.
#[inline(always)]
pub fn rmb() {
    barrier::rmb();
}

/// Orders writes to coherent memory: the device sees what is written before this before what is
/// written after it (`dma_wmb()`). Needed between the writes of a descriptor and the one that
/// makes the device its owner. Register writes need no barrier.
#[inline(always)]
pub fn wmb() {
    barrier::wmb();
}

/// On x86 the processor keeps loads in order with loads and stores in order with stores.
#[cfg(CONFIG_X86)]
mod barrier {
    #[inline(always)]
    fn compiler_barrier() {
        // SAFETY: An empty block, which without the option `nomem` is a barrier to the compiler.
        unsafe { core::arch::asm!("", options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    pub(super) fn rmb() {
        compiler_barrier();
    }

    #[inline(always)]
    pub(super) fn wmb() {
        compiler_barrier();
    }
}

#[cfg(not(CONFIG_X86))]
mod barrier {
    use kernel::sync::barrier::{
        dma_mb,
        Read,
        Write, //
    };

    #[inline]
    pub(super) fn rmb() {
        dma_mb(Read);
    }

    #[inline]
    pub(super) fn wmb() {
        dma_mb(Write);
    }
}
