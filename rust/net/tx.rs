// SPDX-License-Identifier: GPL-2.0

//! Packets in the hands of the transmit hardware.
//!
//! A [`Producer`] (used by `xmit`, under the queue's lock) and a [`Consumer`] (used by the NAPI
//! poll) share a table with one slot for each descriptor of a hardware ring. A packet pushed in
//! at one end stays owned by the table, mapped for the device, until it is reaped at the other.
//!
//! Which slot is whose is settled by positions: see `ring`.
//!
//! Not every packet needs to be *reported* by the device. Short ones are copied and given back to
//! the stack at once; what is left of them is a descriptor, and no one waits for that. So they form
//! a group with what follows, up to a packet that holds memory, or until there are
//! [`REPORT_EVERY`] descriptors: the last packet of a group is reported, and for all of it. A
//! report is a write of the device to memory, and mostly an interrupt.
//!
//! What is longer is mapped, or, where an IOMMU makes mappings dear, copied as well (`stage.rs`). It
//! stays with its socket until the device has sent it in both cases, which is what bounds a sender.

use crate::{
    compat,
    dma::Coherent,
    ring::{
        self,
        Ring, //
    },
    skb::SkBuff,
    xdp::Frame, //
};
use core::cell::UnsafeCell;
use kernel::{
    device::{
        self,
        Bound, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

mod consumer;
mod place;
mod producer;
mod room;
mod stage;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/tx.rs"]
mod test;
mod xmit;

use self::stage::Stage;
pub use self::{
    consumer::Consumer,
    producer::Producer,
    room::Room,
    xmit::{
        xmit,
        Descriptors,
        Sender,
        Wire, //
    }, //
};
pub use crate::ring::Reaped;

/// Linear packets up to this length are copied to memory that is mapped once and for all:
/// copying four cache lines is cheaper than mapping and unmapping a buffer.
pub const COPY_LIMIT: u32 = 256;

// Who says that a frame a program sends back is short knows no other limit.
const _: () = assert!(COPY_LIMIT == netbind::NBH_XDP_SHORT_MAX);

/// Most descriptors in front of one that is reported.
pub const REPORT_EVERY: u32 = 32;

// A group counts frames of sockets in 16 bits.
const _: () = assert!(REPORT_EVERY < 1 << 16);

/// What a failed mapping returns: all ones, by the DMA API's definition.
const DMA_MAPPING_ERROR: netbind::dma_addr_t = !0;

/// How a slot's memory is known to the DMA API.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mapping {
    /// Nothing to undo: a context descriptor, the rest of a split buffer, or a copy.
    None,
    /// A streaming mapping of one buffer.
    Streaming,
}

/// What is kept for a descriptor. Which of the fields mean something depends on what that is: `addr` to
/// `mapping` are those of its buffer, `skb` that of the packet that starts here.
struct Held {
    addr: u64,
    len: u32,
    mapping: Mapping,
    skb: Option<SkBuff>,
}

impl Held {
    const NOTHING: Self = Self {
        addr: 0,
        len: 0,
        mapping: Mapping::None,
        skb: None,
    };

    /// Undoes the mapping, if there is one.
    ///
    /// # Safety
    ///
    /// `dev` is the device of the table, and stays bound meanwhile.
    #[inline]
    unsafe fn unmap(&mut self, dev: &device::Device) {
        if self.mapping == Mapping::Streaming {
            self.mapping = Mapping::None;
            // SAFETY: The device is bound, by the requirements of this function. The slot's buffer
            // was mapped for it, with this address and length, and is unmapped once, as the slot
            // says so.
            unsafe {
                netbind::dma_unmap_page_attrs(
                    raw_device(dev),
                    self.addr,
                    self.len as usize,
                    compat::DMA_TO_DEVICE,
                    0,
                )
            };
        }
    }
}

#[inline]
fn raw_device(dev: &device::Device) -> *mut netbind::device {
    core::ptr::from_ref(dev).cast_mut().cast()
}

/// Memory for copied packets: one element for each slot.
type CopyArea = Coherent<[u8; COPY_LIMIT as usize]>;

/// # Invariants
///
/// `frames` and `copies` have as many elements as the ring has slots. Free slots have no mapping and
/// no skb, nor have those of a short packet that was copied.
struct Table {
    ring: Ring<KVVec<UnsafeCell<ring::Slot<Held>>>>,
    /// Frames without an skb, by their slot; apart, as most packets have an skb.
    frames: KVVec<UnsafeCell<Option<Frame>>>,
    copies: CopyArea,
    stage: Option<Stage>,
    dev: ARef<device::Device>,
}

// SAFETY: A slot is touched by one end at a time: those from `tail` up to `head` by the consumer,
// all others by the producer. Whoever moves a position publishes it with release, and the other end
// reads it with acquire.
unsafe impl Sync for Table {}
// SAFETY: Nothing in a table is bound to a CPU or task.
unsafe impl Send for Table {}

impl Table {
    /// What is kept for the descriptor at `position`, whose owner alone may touch it.
    #[inline]
    fn held(&self, position: u32) -> *mut Held {
        // SAFETY: The slot is valid; this is the address of a part of it.
        unsafe { &raw mut (*self.ring.slot(position)).held }
    }

    /// Nothing can be mapped or unmapped any more. False is true until softirqs or interrupts,
    /// which the caller has turned off, are back.
    #[inline]
    fn is_over(&self) -> bool {
        self.copies.device().is_over()
    }

    /// The memory for copies of slot `index`, which has [`COPY_LIMIT`] bytes and belongs to who has the slot;
    /// and where the device finds it. `index` is below the number of slots, or the memory is no slot's.
    #[inline(always)]
    fn copy_area(&self, index: u32) -> (*mut u8, u64) {
        let offset = index as usize * COPY_LIMIT as usize;
        let start = self.copies.as_ptr().as_ptr().cast::<u8>();
        (
            start.wrapping_add(offset),
            self.copies.dma_handle().wrapping_add(offset as u64),
        )
    }

    /// The place for a frame in the slot at `position`, whose owner alone may touch it.
    #[inline]
    fn frame(&self, position: u32) -> *mut Option<Frame> {
        // SAFETY: There are as many places as slots, and an index is below their number.
        unsafe {
            self.frames
                .get_unchecked(self.ring.index(position) as usize)
                .get()
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let unmapped = self.copies.device().while_bound(|_| {
            for position in self.ring.used() {
                // SAFETY: Both ends are gone, so all slots are ours, and nobody else refers to one.
                unsafe { (*self.held(position)).unmap(&self.dev) };
            }
        });
        for position in self.ring.used() {
            // SAFETY: Both ends are gone, so all slots are ours, and nobody else refers to one.
            let (skb, frame) = unsafe {
                (
                    (*self.held(position)).skb.take(),
                    (*self.frame(position)).take(),
                )
            };
            if unmapped.is_none() {
                // The device may still find them, as nothing can be unmapped any more.
                core::mem::forget((skb, frame));
            }
        }
    }
}

/// Creates a table with `slots` slots for a device's transmit ring. Process context, may sleep.
///
/// The hardware must have stopped reading the ring before both ends are dropped, the second of them in
/// process context, as that gives coherent memory back.
///
/// The ends may be kept longer than the device is bound: from then on nothing is mapped or
/// unmapped, so that the producer takes copied packets alone, and the consumer gives back none that
/// are mapped. Those that are left are lost, as [`Coherent`] memory is.
///
/// # Errors
///
/// `EINVAL` unless `slots` is a power of two up to 2^16, `ENOMEM`; `ENODEV` as of
/// [`Coherent::zeroed`].
pub fn table(dev: &device::Device<Bound>, slots: u32) -> Result<(Producer, Consumer)> {
    if !slots.is_power_of_two() || slots > 1 << 16 {
        return Err(EINVAL);
    }
    table_of(dev, slots, Stage::for_device(dev, slots))
}

/// The same with or without memory for packets that are not short.
fn table_of(
    dev: &device::Device<Bound>,
    slots: u32,
    stage: Option<Stage>,
) -> Result<(Producer, Consumer)> {
    let copies = CopyArea::zeroed(dev, slots as usize)?;
    let mut vec = KVVec::with_capacity(slots as usize, GFP_KERNEL)?;
    let mut frames = KVVec::with_capacity(slots as usize, GFP_KERNEL)?;
    for _ in 0..slots {
        vec.push(UnsafeCell::new(ring::Slot::new(Held::NOTHING)), GFP_KERNEL)?;
        frames.push(UnsafeCell::new(None), GFP_KERNEL)?;
    }
    let (ring, filler, reaper) = Ring::new(vec, REPORT_EVERY.min(slots / 4)).ok_or(EINVAL)?;
    // INVARIANT: there are `slots` of each.
    let table = Table {
        ring,
        frames,
        copies,
        stage,
        dev: dev.into(),
    };
    let table = Arc::new(table, GFP_KERNEL)?;
    Ok((
        Producer::new(table.clone(), filler),
        Consumer::new(table, reaper)?,
    ))
}

/// One buffer of a packet, for one descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Descriptor of the ring, 0-based.
    pub index: u32,
    /// Where the device finds the data.
    pub addr: u64,
    /// Bytes of data.
    pub len: u32,
    /// This is the packet's last buffer.
    pub last: bool,
    /// The device is to report when it is done with it.
    pub report: bool,
}

/// Writes the descriptor of a buffer.
///
/// Any closure does it. A type of its own can say `#[inline(always)]`, which a closure that several
/// paths call cannot: that is ten percent of what a short packet costs.
pub trait Describe {
    /// Writes it, in ring order.
    fn describe(&mut self, buffer: Buffer);
}

impl<F: FnMut(Buffer)> Describe for F {
    #[inline(always)]
    fn describe(&mut self, buffer: Buffer) {
        self(buffer);
    }
}

/// How a packet is laid out in the ring.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Descriptors in front of the first buffer (contexts).
    pub lead: u32,
    /// Longest piece of data one descriptor takes; longer buffers are split.
    pub max_len: u32,
    /// Bytes the packet has on the wire, headers of all segments included.
    pub bytes: u32,
}
