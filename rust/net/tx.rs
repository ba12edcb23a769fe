// SPDX-License-Identifier: GPL-2.0

//! Packets in the hands of the transmit hardware.
//!
//! A [`Producer`] (used by `xmit`, under the queue's lock) and a [`Consumer`] (used by the NAPI
//! poll) share a table with one slot for each descriptor of a hardware ring. A packet pushed in
//! at one end stays owned by the table, mapped for the device, until it is reaped at the other.
//!
//! Ring positions count freely and wrap at 2^32; the table's size is a power of two, so a
//! position's low bits are its slot and its descriptor.
//!
//! Not every packet needs to be *reported* by the device. Short ones are copied and given back to
//! the stack at once; what is left of them is a descriptor, and no one waits for that. So they form
//! a group with what follows, up to a packet that holds memory, or until there are
//! [`REPORT_EVERY`] descriptors: the last packet of a group is reported, and for all of it. A
//! report is a write of the device to memory, and mostly an interrupt.

use crate::{
    dma::Coherent,
    napi,
    queue::TxQueue,
    skb::SkBuff,
    xdp::Frame, //
};
use core::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicU32,
        Ordering, //
    },
};
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

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/tx.rs"]
mod test;

/// Linear packets up to this length are copied to memory that is mapped once and for all:
/// copying four cache lines is cheaper than mapping and unmapping a buffer.
pub const COPY_LIMIT: u32 = 256;

/// Most descriptors in front of one that is reported.
pub const REPORT_EVERY: u32 = 32;

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

/// A slot belongs to one descriptor. Which of the fields mean something depends on what that is:
/// `addr` to `mapping` are those of its buffer, `skb` that of the packet that starts here, and
/// `group` that of the group that starts here.
struct Slot {
    addr: u64,
    len: u32,
    mapping: Mapping,
    skb: Option<SkBuff>,
    group: Group,
}

/// Packets that are reported by one descriptor, their last.
#[derive(Clone, Copy)]
struct Group {
    /// Position of that descriptor.
    last: u32,
    skbs: u32,
    /// Bytes on the wire.
    bytes: u32,
    /// One of the slots has memory to be given back.
    holds: bool,
    /// The last packet is a frame without an skb, in one slot.
    frame: bool,
}

impl Group {
    const EMPTY: Self = Self {
        last: 0,
        skbs: 0,
        bytes: 0,
        holds: false,
        frame: false,
    };
}

impl Slot {
    const EMPTY: Self = Self {
        addr: 0,
        len: 0,
        mapping: Mapping::None,
        skb: None,
        group: Group::EMPTY,
    };

    #[inline]
    fn unmap(&mut self, dev: &device::Device) {
        if self.mapping == Mapping::Streaming {
            self.mapping = Mapping::None;
            // SAFETY: the slot's buffer was mapped for this device, with this length.
            unsafe {
                netbind::dma_unmap_page_attrs(
                    raw_device(dev),
                    self.addr,
                    self.len as usize,
                    netbind::dma_data_direction::DMA_TO_DEVICE,
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

/// A position that one side writes and the other reads, on a cache line of its own.
#[repr(align(64))]
struct Position(AtomicU32);

/// # Invariants
///
/// - `slots.len()` is a power of two and at most 2^31; `mask` is one less. `frames` is as long.
/// - Slots at positions in `tail..head` belong to the consumer, all others to the producer;
///   `head - tail` never exceeds the number of slots.
/// - Free slots have no mapping and no skb, nor have those of a packet that was copied.
struct Table {
    slots: KVVec<UnsafeCell<Slot>>,
    /// Frames without an skb, by their slot; apart, as most packets have an skb.
    frames: KVVec<UnsafeCell<Option<Frame>>>,
    mask: u32,
    copies: CopyArea,
    dev: ARef<device::Device>,
    head: Position,
    tail: Position,
}

// SAFETY: who may touch a slot is settled by the positions, see the type invariants.
unsafe impl Sync for Table {}
// SAFETY: nothing in a table is bound to a CPU or task.
unsafe impl Send for Table {}

impl Table {
    #[inline]
    fn slot(&self, position: u32) -> *mut Slot {
        // SAFETY: a masked position is below the number of slots, by the type invariants.
        unsafe {
            self.slots
                .get_unchecked((position & self.mask) as usize)
                .get()
        }
    }

    /// The place for a frame in the slot at `position`, whose owner alone may touch it.
    #[inline]
    fn frame(&self, position: u32) -> *mut Option<Frame> {
        // SAFETY: there are as many places as slots; see `slot`.
        unsafe {
            self.frames
                .get_unchecked((position & self.mask) as usize)
                .get()
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let mut position = self.tail.0.load(Ordering::Acquire);
        let head = self.head.0.load(Ordering::Acquire);
        while position != head {
            // SAFETY: both ends are gone, so all slots are ours.
            let slot = unsafe { &mut *self.slot(position) };
            slot.unmap(&self.dev);
            slot.skb = None;
            position = position.wrapping_add(1);
        }
    }
}

/// Creates a table with `slots` slots for a device's transmit ring. Process context, may sleep.
///
/// The hardware must have stopped reading the ring before both ends are dropped.
///
/// # Errors
///
/// `EINVAL` unless `slots` is a power of two up to 2^16, `ENOMEM`.
pub fn table(dev: &device::Device<Bound>, slots: u32) -> Result<(Producer, Consumer)> {
    if !slots.is_power_of_two() || slots > 1 << 16 {
        return Err(EINVAL);
    }
    let copies = CopyArea::zeroed(dev, slots as usize)?;
    let dev: ARef<device::Device> = dev.into();
    let mut vec = KVVec::with_capacity(slots as usize, GFP_KERNEL)?;
    for _ in 0..slots {
        vec.push(UnsafeCell::new(Slot::EMPTY), GFP_KERNEL)?;
    }
    let mut frames = KVVec::with_capacity(slots as usize, GFP_KERNEL)?;
    for _ in 0..slots {
        frames.push(UnsafeCell::new(None), GFP_KERNEL)?;
    }
    // INVARIANT: by the check above; both positions start at 0, and all slots are free.
    let table = Arc::new(
        Table {
            slots: vec,
            frames,
            mask: slots.wrapping_sub(1),
            copies,
            dev,
            head: Position(AtomicU32::new(0)),
            tail: Position(AtomicU32::new(0)),
        },
        GFP_KERNEL,
    )?;
    let producer = Producer {
        table: table.clone(),
        head: 0,
        first: 0,
        group: Group::EMPTY,
        report_every: REPORT_EVERY.min(slots / 4),
    };
    Ok((producer, Consumer { table, tail: 0 }))
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

/// The end of the table that takes packets in.
///
/// It takes them in `xmit`, under the lock of a queue: copied ones are freed there, into a cache that
/// bottom halves use as well. The proof is the queue, which is lent for the time of the lock alone:
///
/// ```
/// use net::{queue::TxQueue, skb::SkBuff, tx::{Layout, Producer}};
///
/// fn send(ring: &mut Producer, queue: TxQueue<'_>, skb: SkBuff) -> Result<u32, SkBuff> {
///     let layout = Layout { lead: 0, max_len: 4096, bytes: skb.len() };
///     ring.push(queue, skb, layout, |buffer| { /* Writes its descriptor. */ })
/// }
/// ```
///
/// ```compile_fail
/// use net::{device::{Transmit, TxHandle}, queue::TxQueue};
///
/// fn keep<'a, T: Transmit>(handle: &'a TxHandle<T>) -> Option<TxQueue<'a>> {
///     handle.with(|_, queue| queue)
/// }
/// ```
pub struct Producer {
    table: Arc<Table>,
    /// Where the next packet starts. The table's `head` is `first`: the consumer sees whole groups.
    head: u32,
    /// Where the group starts that is not complete yet.
    first: u32,
    group: Group,
    report_every: u32,
}

impl Producer {
    /// Slots that are free.
    #[inline]
    pub fn free(&self) -> u32 {
        // Acquire: what the consumer did to the slots it gave back happened before.
        let used = self
            .head
            .wrapping_sub(self.table.tail.0.load(Ordering::Acquire));
        self.table.mask.wrapping_add(1).wrapping_sub(used)
    }

    /// The descriptor the next packet starts at.
    #[inline]
    pub fn index(&self) -> u32 {
        self.head & self.table.mask
    }

    /// Makes the device see a packet and takes it into the table. `write` is called once for each
    /// buffer, in ring order, to fill in its descriptor; the device must not look at any of them
    /// before its doorbell is rung.
    ///
    /// Returns the index behind the packet: the value for the doorbell. In `xmit`, as `queue` proves.
    ///
    /// # Errors
    ///
    /// The packet, if it has more buffers than slots are free behind the contexts, if it has none
    /// that can be sent (a list of packets), or if a buffer cannot be mapped. Descriptors may have
    /// been written, but the next packet uses them again.
    #[inline]
    pub fn push(
        &mut self,
        queue: TxQueue<'_>,
        skb: SkBuff,
        layout: Layout,
        write: impl FnMut(Buffer),
    ) -> Result<u32, SkBuff> {
        let free = self.free();
        if free <= layout.lead {
            // Not even the contexts are ours to write, or nothing behind them is.
            return Err(skb);
        }
        let room = free.wrapping_sub(layout.lead);
        let start = self.head.wrapping_add(layout.lead);
        if skb.data_len() == 0 && skb.len() <= COPY_LIMIT {
            let report = start.wrapping_sub(self.first) >= self.report_every;
            let mut write = write;
            write(self.copy(&skb, start, report));
            skb.consume_in_xmit(queue);
            return Ok(self.advance(start.wrapping_add(1), layout.bytes, report));
        }
        if skb.data_len() == 0 && skb.len() <= layout.max_len {
            return self.push_linear(skb, start, layout.bytes, write);
        }
        let mut cursor = Cursor {
            table: &self.table,
            next: start,
            room,
            max_len: layout.max_len.max(1),
            write,
        };
        let placed = cursor.map(&skb);
        let next = cursor.next;
        if placed.is_err() || next == start {
            self.unwind(next);
            return Err(skb);
        }
        // SAFETY: the slot is ours until the table's `head` moves beyond it.
        unsafe { (*self.table.slot(self.head)).skb = Some(skb) };
        self.group.holds = true;
        Ok(self.advance(next, layout.bytes, true))
    }

    /// Maps a packet that is one buffer for one descriptor, that of the free slot at `start`.
    #[inline]
    fn push_linear(
        &mut self,
        skb: SkBuff,
        start: u32,
        bytes: u32,
        mut write: impl FnMut(Buffer),
    ) -> Result<u32, SkBuff> {
        let len = skb.len();
        // SAFETY: the skb and the device are valid; the skb is kept until it is unmapped.
        let addr = unsafe { netbind::skb_map_head(raw_device(&self.table.dev), skb.as_ptr()) };
        if addr == DMA_MAPPING_ERROR {
            return Err(skb);
        }
        // SAFETY: the slot is ours until the table's `head` moves beyond it.
        let slot = unsafe { &mut *self.table.slot(start) };
        slot.addr = addr;
        slot.len = len;
        slot.mapping = Mapping::Streaming;
        slot.skb = Some(skb);
        write(Buffer {
            index: start & self.table.mask,
            addr,
            len,
            last: true,
            report: true,
        });
        self.group.holds = true;
        Ok(self.advance(start.wrapping_add(1), bytes, true))
    }

    /// Copies a linear packet of at most [`COPY_LIMIT`] bytes into the memory that belongs to the
    /// slot at `position`, which is free.
    #[inline]
    fn copy(&self, skb: &SkBuff, position: u32, report: bool) -> Buffer {
        let index = position & self.table.mask;
        let offset = index as usize * COPY_LIMIT as usize;
        let len = skb.len();
        // SAFETY: the slot's copy area starts at `offset` and has COPY_LIMIT bytes; the linear
        // part has `len` <= COPY_LIMIT. The device reads the area only while the slot is in use.
        unsafe {
            core::ptr::copy_nonoverlapping(
                (*skb.as_ptr()).data,
                self.table.copies.as_ptr().as_ptr().cast::<u8>().add(offset),
                len as usize,
            )
        };
        Buffer {
            index,
            addr: self.table.copies.dma_handle().wrapping_add(offset as u64),
            len,
            last: true,
            report,
        }
    }

    /// Adds a packet to the group, of which `next` is the position behind it.
    #[inline]
    fn advance(&mut self, next: u32, bytes: u32, report: bool) -> u32 {
        self.group.skbs = self.group.skbs.wrapping_add(1);
        self.group.bytes = self.group.bytes.wrapping_add(bytes);
        self.head = next;
        if report {
            self.close();
        }
        next & self.table.mask
    }

    /// Ends the group with the last packet: to be called when nothing may follow for a while, such
    /// as when the queue is stopped, and before the doorbell is rung for that packet.
    ///
    /// Returns the descriptor that has to be reported after all; `None` if the last one is.
    #[inline]
    pub fn report(&mut self) -> Option<u32> {
        if self.head == self.first {
            return None;
        }
        self.close();
        Some(self.head.wrapping_sub(1) & self.table.mask)
    }

    /// Hands the group to the consumer.
    #[inline]
    fn close(&mut self) {
        self.group.last = self.head.wrapping_sub(1);
        // SAFETY: the slot is ours until the table's `head` moves beyond it; there is one, as a
        // packet has at least one buffer.
        unsafe { (*self.table.slot(self.first)).group = self.group };
        self.group = Group::EMPTY;
        self.first = self.head;
        // Release: the slots are complete before the consumer sees them.
        self.table.head.0.store(self.head, Ordering::Release);
    }

    /// Takes a frame without an skb into the table, padded with zeroes to `min_len` bytes (at most
    /// [`COPY_LIMIT`]). As [`Producer::push`] otherwise.
    pub fn push_frame(
        &mut self,
        frame: Frame,
        min_len: u32,
        write: impl FnMut(Buffer),
    ) -> Result<u32, Frame> {
        let mut cursor = Cursor {
            table: &self.table,
            next: self.head,
            room: self.free(),
            // There is one buffer, and a descriptor takes it whole.
            max_len: u32::MAX,
            write,
        };
        let Ok(bytes) = cursor.place_frame(&frame, min_len) else {
            return Err(frame);
        };
        let next = cursor.next;
        // SAFETY: the place is ours until the table's `head` moves beyond its slot.
        unsafe { *self.table.frame(self.head) = Some(frame) };
        self.group.holds = true;
        self.group.frame = true;
        Ok(self.advance(next, bytes, true))
    }

    /// Undoes the mappings made from `head` up to (not including) `end`.
    #[cold]
    fn unwind(&mut self, end: u32) {
        let mut position = self.head;
        while position != end {
            // SAFETY: these slots were never published, so they are ours: `push` has made sure that
            // the contexts in front of the first buffer are in free slots as well.
            unsafe { (*self.table.slot(position)).unmap(&self.table.dev) };
            position = position.wrapping_add(1);
        }
    }
}

/// Places the buffers of a packet that is mapped.
struct Cursor<'a, W> {
    table: &'a Table,
    next: u32,
    room: u32,
    max_len: u32,
    write: W,
}

impl<W: FnMut(Buffer)> Cursor<'_, W> {
    /// Copies or maps a frame. Returns its length with padding.
    fn place_frame(&mut self, frame: &Frame, min_len: u32) -> Result<u32, ()> {
        if self.room == 0 {
            return Err(());
        }
        let len = frame.len();
        if len > COPY_LIMIT {
            // SAFETY: frame and device are valid; the frame is kept until it is unmapped.
            let addr =
                unsafe { netbind::xdp_frame_map(raw_device(&self.table.dev), frame.as_ptr()) };
            self.mapped(addr, len, true)?;
            return Ok(len);
        }
        let padded = len.max(min_len).min(COPY_LIMIT);
        let index = self.next & self.table.mask;
        let offset = index as usize * COPY_LIMIT as usize;
        // SAFETY: as in `copy`: the area has COPY_LIMIT bytes, and `len` <= `padded` <= COPY_LIMIT.
        unsafe {
            let area = self.table.copies.as_ptr().as_ptr().cast::<u8>().add(offset);
            core::ptr::copy_nonoverlapping((*frame.as_ptr()).data.cast::<u8>(), area, len as usize);
            area.add(len as usize)
                .write_bytes(0, padded.wrapping_sub(len) as usize);
        }
        let addr = self.table.copies.dma_handle().wrapping_add(offset as u64);
        self.place(addr, padded, true);
        Ok(padded)
    }

    /// Maps the linear part and each fragment.
    #[inline]
    fn map(&mut self, skb: &SkBuff) -> Result<(), ()> {
        let dev = raw_device(&self.table.dev);
        let frags = if skb.data_len() == 0 {
            0
        } else {
            skb.nr_frags()
        };
        let head = skb.head_len();
        if head != 0 {
            // SAFETY: the skb and the device are valid; the skb is kept until it is unmapped.
            let addr = unsafe { netbind::skb_map_head(dev, skb.as_ptr()) };
            self.mapped(addr, head, frags == 0)?;
        }
        for i in 0..frags {
            let mut len = 0;
            // SAFETY: as above, and the skb has that fragment.
            let addr = unsafe { netbind::skb_map_frag(dev, skb.as_ptr(), u32::from(i), &mut len) };
            self.mapped(addr, len, i.wrapping_add(1) == frags)?;
        }
        Ok(())
    }

    /// Records a mapping and hands it out.
    #[inline]
    fn mapped(&mut self, addr: u64, len: u32, last: bool) -> Result<(), ()> {
        if addr == DMA_MAPPING_ERROR {
            return Err(());
        }
        if len > self.max_len || self.room == 0 {
            return self.split(addr, len, last);
        }
        self.record(self.next, addr, len);
        self.place(addr, len, last);
        Ok(())
    }

    /// The same for a buffer that has to be handed out in pieces of at most `max_len`.
    #[cold]
    fn split(&mut self, mut addr: u64, mut len: u32, last: bool) -> Result<(), ()> {
        let pieces = len.div_ceil(self.max_len);
        if pieces > self.room {
            // Not placed, so the unwinding does not know of it.
            // SAFETY: just mapped for this device, with this length.
            unsafe {
                netbind::dma_unmap_page_attrs(
                    raw_device(&self.table.dev),
                    addr,
                    len as usize,
                    netbind::dma_data_direction::DMA_TO_DEVICE,
                    0,
                )
            };
            return Err(());
        }
        self.record(self.next, addr, len);
        while len > self.max_len {
            self.place(addr, self.max_len, false);
            addr = addr.wrapping_add(u64::from(self.max_len));
            len = len.wrapping_sub(self.max_len);
        }
        self.place(addr, len, last);
        Ok(())
    }

    #[inline]
    fn record(&mut self, position: u32, addr: u64, len: u32) {
        // SAFETY: the slot was free and has not been published yet: it is ours.
        let slot = unsafe { &mut *self.table.slot(position) };
        slot.addr = addr;
        slot.len = len;
        slot.mapping = Mapping::Streaming;
    }

    #[inline]
    fn place(&mut self, addr: u64, len: u32, last: bool) {
        (self.write)(Buffer {
            index: self.next & self.table.mask,
            addr,
            len,
            last,
            report: last,
        });
        self.next = self.next.wrapping_add(1);
        self.room = self.room.wrapping_sub(1);
    }
}

/// What a round of reaping found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Packets and frames handed over, for the byte queue limits.
    pub skbs: u32,
    /// Bytes on the wire.
    pub bytes: u32,
}

/// The end of the table that gives packets back.
pub struct Consumer {
    table: Arc<Table>,
    /// The table's `tail`, which only this end writes.
    tail: u32,
}

impl Consumer {
    /// Slots that are free for the producer.
    #[inline]
    pub fn free(&self) -> u32 {
        let used = self
            .table
            .head
            .0
            .load(Ordering::Acquire)
            .wrapping_sub(self.tail);
        self.table.mask.wrapping_add(1).wrapping_sub(used)
    }

    /// Gives back groups for which `is_done(index of the last descriptor)` holds, oldest first,
    /// until there are `limit` packets.
    ///
    /// In a poll of netpoll ([`Poll::poll_tx`](napi::Poll::poll_tx)), a group with a frame without an
    /// skb stays, and what is behind it: it may be in hard interrupt context, where XDP may not be
    /// used.
    ///
    /// Inlined wherever it is called from: the polls of a driver and of netpoll would share it.
    #[inline(always)]
    pub fn reap(
        &mut self,
        cx: &napi::TxContext<'_>,
        limit: u32,
        is_done: impl Fn(u32) -> bool,
    ) -> Reaped {
        let mut reaped = Reaped::default();
        let mut mapped = None;
        // Acquire: the slots up to `head` are complete.
        let head = self.table.head.0.load(Ordering::Acquire);
        while self.tail != head && reaped.skbs < limit {
            // SAFETY: positions in `tail..head` belong to the consumer, and groups start at `tail`.
            let group = unsafe { (*self.table.slot(self.tail)).group };
            if !is_done(group.last & self.table.mask) {
                break;
            }
            let end = group.last.wrapping_add(1);
            if group.holds {
                // The mappings in question have all been made.
                // SAFETY: the device is valid.
                let mapped = *mapped.get_or_insert_with(|| unsafe {
                    netbind::dma_need_unmap(raw_device(&self.table.dev))
                });
                if !group.frame {
                    self.release(end, mapped, cx);
                } else if cx.budget() == 0 {
                    break;
                } else {
                    self.release_with_frame(end, mapped, cx);
                }
            }
            reaped.skbs = reaped.skbs.wrapping_add(group.skbs);
            reaped.bytes = reaped.bytes.wrapping_add(group.bytes);
            self.tail = end;
        }
        if reaped.skbs != 0 {
            // Release: we are done with the slots before the producer sees them free.
            self.table.tail.0.store(self.tail, Ordering::Release);
        }
        reaped
    }

    /// The same as [`Consumer::release`] for a group that ends in a frame without an skb.
    #[cold]
    fn release_with_frame(&self, end: u32, mapped: bool, cx: &napi::TxContext<'_>) {
        self.release(end, mapped, cx);
        // SAFETY: positions in `tail..head` belong to the consumer.
        unsafe { *self.table.frame(end.wrapping_sub(1)) = None };
    }

    /// Gives back what the slots up to (not including) `end` hold; `mapped` if mappings have to be
    /// undone.
    #[inline(always)]
    fn release(&self, end: u32, mapped: bool, cx: &napi::TxContext<'_>) {
        let mut position = self.tail;
        while position != end {
            // SAFETY: positions in `tail..head` belong to the consumer.
            let slot = unsafe { &mut *self.table.slot(position) };
            if mapped {
                slot.unmap(&self.table.dev);
            }
            slot.mapping = Mapping::None;
            if let Some(skb) = slot.skb.take() {
                skb.consume(cx);
            }
            position = position.wrapping_add(1);
        }
    }
}
