// SPDX-License-Identifier: GPL-2.0

//! Memory that is mapped once and for all, for packets that would be dear to map.
//!
//! Where an IOMMU translates what the device reads, each mapping takes an address, page table
//! entries, and, in strict mode, a flush of the IOMMU's caches when it is undone: thousands of
//! instructions for a full frame, against fifty to copy it.

use super::{
    raw_device,
    Buffer,
    Describe, //
};
use crate::{
    dma::Coherent,
    skb::SkBuff,
    xdp::Frame, //
};
use kernel::device::{
    self,
    Bound, //
};

/// Bytes of an area: what one descriptor has of a packet. A frame of the usual size fits.
pub(super) const AREA: u32 = 2048;

/// Most areas of a ring, 2 MiB. When more descriptors are in use, packets are mapped.
const MOST: u32 = 1024;

type Area = [u8; AREA as usize];

/// The areas of a ring. The one at a position is that position modulo their number, and is in use for
/// as long as the slot at that position.
pub(super) struct Stage {
    areas: Coherent<Area>,
    count: u32,
}

impl Stage {
    /// For a ring of `slots` slots, which are a power of two, of a device behind an IOMMU that translates.
    /// `None` for any other, and if there is no memory: packets are mapped then. Process context.
    pub(super) fn for_device(dev: &device::Device<Bound>, slots: u32) -> Option<Self> {
        // SAFETY: The device is valid.
        unsafe { netbind::dma_is_translated(raw_device(dev)) }
            .then(|| Self::new(dev, slots))
            .flatten()
    }

    /// For any device.
    pub(super) fn new(dev: &device::Device<Bound>, slots: u32) -> Option<Self> {
        let count = slots.min(MOST);
        let areas = Coherent::zeroed(dev, count as usize).ok()?;
        Some(Self { areas, count })
    }

    /// How many areas from position `start` on are unused, if `used` slots in front of it are in use or
    /// about to be.
    fn unused(&self, used: u32) -> u32 {
        self.count.saturating_sub(used)
    }

    /// Copies a packet into the areas from position `start` on, and has `write` called for each. Returns
    /// the position behind, or `None` if it does not fit, into the areas or into `room` slots, of
    /// which one stays free, or cannot be copied. `used`: slots in front of `start` that are in use.
    pub(super) fn place(
        &self,
        packet: &impl Contents,
        start: u32,
        used: u32,
        room: u32,
        index: impl Fn(u32) -> u32,
        write: &mut dyn Describe,
    ) -> Option<u32> {
        let len = packet.size();
        let pieces = len.div_ceil(AREA);
        if pieces == 0 || pieces >= room || pieces > self.unused(used) {
            return None;
        }
        // Areas follow each other up to the last one.
        let first = start & self.count.wrapping_sub(1);
        let until_end = self.count.wrapping_sub(first).wrapping_mul(AREA).min(len);
        self.copy(packet, 0, first, until_end)?;
        self.copy(packet, until_end, 0, len.wrapping_sub(until_end))?;
        let (mut next, mut left) = (start, len);
        while left != 0 {
            let piece = left.min(AREA);
            left = left.wrapping_sub(piece);
            write.describe(Buffer {
                index: index(next),
                addr: self.addr(next),
                len: piece,
                last: left == 0,
                report: left == 0,
            });
            next = next.wrapping_add(1);
        }
        Some(next)
    }

    /// Copies `len` bytes of a packet from `offset` on into the areas from `area` on, which have as many.
    fn copy(&self, packet: &impl Contents, offset: u32, area: u32, len: u32) -> Option<()> {
        if len == 0 {
            return Some(());
        }
        // SAFETY: The areas have `len` bytes, and are unused, as the slots at their positions are, so that
        // nobody else writes there, and the device does not read.
        unsafe { packet.copy(offset, self.area(area), len) }.then_some(())
    }

    /// Area `area`, which is below `count`.
    pub(super) fn area(&self, area: u32) -> *mut u8 {
        let first = self.areas.as_ptr().as_ptr().cast::<u8>();
        first.wrapping_add(area as usize * AREA as usize)
    }

    /// Where the device finds the area at `position`.
    pub(super) fn addr(&self, position: u32) -> u64 {
        let area = position & self.count.wrapping_sub(1);
        self.areas
            .dma_handle()
            .wrapping_add(u64::from(area) * u64::from(AREA))
    }
}

/// What has the bytes of a packet.
pub(super) trait Contents {
    /// How many there are.
    fn size(&self) -> u32;

    /// Copies `len` bytes from `offset` on. Returns whether there are as many, and can be copied.
    ///
    /// # Safety
    ///
    /// `to` is valid for writes of `len` bytes.
    unsafe fn copy(&self, offset: u32, to: *mut u8, len: u32) -> bool;
}

impl Contents for SkBuff {
    #[inline]
    fn size(&self) -> u32 {
        self.len()
    }

    #[inline]
    unsafe fn copy(&self, offset: u32, to: *mut u8, len: u32) -> bool {
        // SAFETY: The skb is valid, and `to` by the requirements of this function.
        unsafe { netbind::tx_copy(self.as_ptr(), offset, to.cast(), len) }
    }
}

impl Contents for Frame {
    fn size(&self) -> u32 {
        self.len()
    }

    unsafe fn copy(&self, offset: u32, to: *mut u8, len: u32) -> bool {
        // SAFETY: The frame is valid, and `to` by the requirements of this function.
        unsafe { netbind::xdp_frame_copy(self.as_ptr(), offset, to.cast(), len) }
    }
}
