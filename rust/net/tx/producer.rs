// SPDX-License-Identifier: GPL-2.0

//! The end of a transmit table that takes packets in.

use super::{
    place::Cursor,
    raw_device,
    stage::AREA,
    Buffer,
    Describe,
    Layout,
    Mapping,
    Table,
    COPY_LIMIT,
    DMA_MAPPING_ERROR, //
};
use crate::{
    napi,
    queue::TxQueue,
    ring::{
        Filler,
        Positions, //
    },
    skb::SkBuff,
    xdp::{
        Frame,
        Short, //
    },
    xsk, //
};
use kernel::sync::Arc;

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
    filler: Filler,
}

impl Producer {
    pub(super) fn new(table: Arc<Table>, filler: Filler) -> Self {
        Self { table, filler }
    }

    /// For tests, which look into it.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Slots that are free.
    #[inline]
    pub fn free(&self) -> u32 {
        self.filler.free(&self.table.ring)
    }

    /// The descriptor the next packet starts at.
    #[inline]
    pub fn index(&self) -> u32 {
        self.table.ring.index(self.filler.head)
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
    /// that can be sent (a list of packets), or if a buffer cannot be mapped, as is the case when
    /// the device is not bound any more. Descriptors may have been written, but the next packet
    /// uses them again.
    #[inline]
    pub fn push(
        &mut self,
        queue: TxQueue<'_>,
        skb: SkBuff,
        layout: Layout,
        write: impl FnMut(Buffer),
    ) -> Result<u32, SkBuff> {
        self.push_by(queue, skb, layout, write)
    }

    /// The same with a [`Describe`] in the place of the closure.
    #[inline]
    pub fn push_by(
        &mut self,
        queue: TxQueue<'_>,
        skb: SkBuff,
        layout: Layout,
        mut write: impl Describe,
    ) -> Result<u32, SkBuff> {
        let free = self.free();
        if free <= layout.lead {
            // Not even the contexts are ours to write, or nothing behind them is.
            return Err(skb);
        }
        let room = free.wrapping_sub(layout.lead);
        let start = self.filler.head.wrapping_add(layout.lead);
        if skb.data_len() == 0 && skb.len() <= COPY_LIMIT {
            let report = self.filler.is_due(start);
            write.describe(self.copy(&skb, start, report));
            skb.consume_in_xmit(queue);
            let next = start.wrapping_add(1);
            // SAFETY: There is more free than the contexts. The slots hold nothing.
            return Ok(unsafe { self.advance(next, layout.bytes, report) });
        }
        if self.table.is_over() {
            return Err(skb);
        }
        let is_one = skb.data_len() == 0 && skb.len() <= layout.max_len;
        if is_one && self.table.stage.is_none() {
            return self.push_linear(skb, start, layout.bytes, write);
        }
        // A copy of its own: the address of this one is not taken, so that it stays in registers.
        let mut apart = write;
        self.push_apart(skb, start, room, layout, &mut apart)
    }

    /// Takes in a packet that is neither short nor one buffer to be mapped. Out of line, and not
    /// compiled into each driver's `xmit`: there it would cost the short ones.
    #[inline(never)]
    fn push_apart(
        &mut self,
        skb: SkBuff,
        start: u32,
        room: u32,
        layout: Layout,
        write: &mut dyn Describe,
    ) -> Result<u32, SkBuff> {
        let ring = &self.table.ring;
        let used = ring.len().wrapping_sub(room);
        let index = |position| ring.index(position);
        let stage = self.table.stage.as_ref().filter(|_| layout.max_len >= AREA);
        match stage.and_then(|to| to.place(&skb, start, used, room, index, write)) {
            // SAFETY: At least one buffer was placed, in slots that were free and hold nothing else.
            Some(next) => Ok(unsafe { self.keep(skb, next, layout.bytes) }),
            None => self.push_mapped(skb, start, room, layout, write),
        }
    }

    /// Maps the buffers of a packet. `start`, `room`: the first free slot behind the contexts, and how
    /// many are free from there on.
    fn push_mapped(
        &mut self,
        skb: SkBuff,
        start: u32,
        room: u32,
        layout: Layout,
        write: &mut dyn Describe,
    ) -> Result<u32, SkBuff> {
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
        // SAFETY: The cursor has placed at least one buffer, in slots that were free, and records what
        // they hold.
        Ok(unsafe { self.keep(skb, next, layout.bytes) })
    }

    /// The packet up to (not including) `next` is complete, and the table keeps its skb. Returns the
    /// descriptor behind it.
    ///
    /// # Safety
    ///
    /// As of [`Filler::advance`].
    #[inline]
    unsafe fn keep(&mut self, skb: SkBuff, next: u32, bytes: u32) -> u32 {
        // SAFETY: The slot is ours until the group is complete, which moves the ring's `head` beyond it.
        unsafe { (*self.table.held(self.filler.head)).skb = Some(skb) };
        self.filler.group.holds = true;
        // SAFETY: The slots up to `next` are free, at least one, and ready for the reaper, by the
        // requirements of this function.
        unsafe { self.advance(next, bytes, true) }
    }

    /// Maps a packet that is one buffer for one descriptor, that of the free slot at `start`.
    #[inline(always)]
    fn push_linear(
        &mut self,
        skb: SkBuff,
        start: u32,
        bytes: u32,
        mut write: impl Describe,
    ) -> Result<u32, SkBuff> {
        let len = skb.len();
        // SAFETY: The skb and the device are valid; the skb is kept until it is unmapped.
        let addr = unsafe { netbind::skb_map_head(raw_device(&self.table.dev), skb.as_ptr()) };
        if addr == DMA_MAPPING_ERROR {
            return Err(skb);
        }
        // SAFETY: The slot is ours until the group is complete, which moves the ring's `head` beyond it.
        let slot = unsafe { &mut *self.table.held(start) };
        slot.addr = addr;
        slot.len = len;
        slot.mapping = Mapping::Streaming;
        slot.skb = Some(skb);
        write.describe(Buffer {
            index: self.table.ring.index(start),
            addr,
            len,
            last: true,
            report: true,
        });
        self.filler.group.holds = true;
        // SAFETY: `push` has made sure that there is more free than the contexts. The slot has what it
        // holds.
        Ok(unsafe { self.advance(start.wrapping_add(1), bytes, true) })
    }

    /// Copies a linear packet of at most [`COPY_LIMIT`] bytes into the memory that belongs to the
    /// slot at `position`, which is free.
    #[inline]
    fn copy(&self, skb: &SkBuff, position: u32, report: bool) -> Buffer {
        let index = self.table.ring.index(position);
        let (area, addr) = self.table.copy_area(index);
        let len = skb.len();
        // SAFETY: The slot's copy area has COPY_LIMIT bytes; the linear part has `len` <= COPY_LIMIT.
        // The device reads the area only while the slot is in use.
        unsafe { core::ptr::copy_nonoverlapping((*skb.as_ptr()).data, area, len as usize) };
        Buffer {
            index,
            addr,
            len,
            last: true,
            report,
        }
    }

    /// The packet up to (not including) `next` is complete. Returns the descriptor behind it.
    ///
    /// # Safety
    ///
    /// As of [`Filler::advance`].
    #[inline]
    unsafe fn advance(&mut self, next: u32, bytes: u32, report: bool) -> u32 {
        // SAFETY: The slots from the ring's `head` up to `next` are free, at least one, and ready
        // for the reaper, by the requirements of this function.
        unsafe { self.filler.advance(&self.table.ring, next, bytes, report) }
    }

    /// Ends the group with the last packet: to be called when nothing may follow for a while, such
    /// as when the queue is stopped, and before the doorbell is rung for that packet.
    ///
    /// Returns the descriptor that has to be reported after all; `None` if the last one is.
    #[inline]
    pub fn report(&mut self) -> Option<u32> {
        self.filler.report(&self.table.ring)
    }

    /// Takes a frame without an skb into the table, padded with zeroes to `min_len` bytes (at most
    /// [`COPY_LIMIT`]). Each of its buffers takes a descriptor, whatever its length, unless it has no
    /// bytes. As [`Producer::push`] otherwise.
    pub fn push_frame(
        &mut self,
        _queue: TxQueue<'_>,
        frame: Frame,
        min_len: u32,
        mut write: impl FnMut(Buffer),
    ) -> Result<u32, Frame> {
        let mut cursor = Cursor {
            table: &self.table,
            next: self.filler.head,
            room: self.free(),
            // A descriptor takes any of its buffers whole.
            max_len: u32::MAX,
            write: &mut write,
        };
        let placed = cursor.place_frame(&frame, min_len);
        let next = cursor.next;
        let Ok(bytes) = placed else {
            self.unwind(next);
            return Err(frame);
        };
        // SAFETY: The place is ours until the group is complete, which moves the ring's `head` beyond its
        // slot: that of the last buffer, of which there is one.
        unsafe { *self.table.frame(next.wrapping_sub(1)) = Some(frame) };
        self.filler.group.holds = true;
        self.filler.group.frame = true;
        // SAFETY: The cursor has placed at least one buffer, in slots that were free, and records what
        // they hold.
        Ok(unsafe { self.advance(next, bytes, true) })
    }

    /// Copies a frame that a program sends back into the table, padded with zeroes to `min_len` bytes (at
    /// most [`COPY_LIMIT`]). `write` is called for it. Nothing is needed of the frame any more: as short
    /// packets of the stack, it is not reported alone ([`Producer::report`]).
    ///
    /// Returns its bytes with padding. `None` if there is no room, of which one slot stays free.
    #[inline]
    pub fn push_short(
        &mut self,
        _queue: TxQueue<'_>,
        frame: &Short,
        min_len: u32,
        write: impl FnMut(Buffer),
    ) -> Option<u32> {
        // SAFETY: The frame has so many bytes, which are not more than the limit.
        unsafe { self.push_copy((frame.as_ptr(), frame.size()), min_len, write) }
    }

    /// The same for any frame. `None` as well if it is in several buffers, or longer than [`COPY_LIMIT`].
    #[inline]
    pub fn push_short_frame(
        &mut self,
        _queue: TxQueue<'_>,
        frame: &Frame,
        min_len: u32,
        write: impl FnMut(Buffer),
    ) -> Option<u32> {
        let bytes = frame.linear().filter(|(_, len)| *len <= COPY_LIMIT)?;
        // SAFETY: The frame has so many bytes, which are not more than the limit.
        unsafe { self.push_copy(bytes, min_len, write) }
    }

    /// # Safety
    ///
    /// There are `len` bytes at `data`, at most [`COPY_LIMIT`].
    #[inline]
    unsafe fn push_copy(
        &mut self,
        (data, len): (*const u8, u32),
        min_len: u32,
        mut write: impl FnMut(Buffer),
    ) -> Option<u32> {
        if self.free() <= 1 {
            return None;
        }
        let position = self.filler.head;
        let index = self.table.ring.index(position);
        let (area, addr) = self.table.copy_area(index);
        let padded = len.max(min_len).min(COPY_LIMIT);
        // SAFETY: The slot is free, so that its copy area is ours, and has COPY_LIMIT bytes; `len` <= `padded`
        // <= COPY_LIMIT, by the requirements of this function.
        unsafe {
            core::ptr::copy_nonoverlapping(data, area, len as usize);
            if padded > len {
                area.add(len as usize)
                    .write_bytes(0, padded.wrapping_sub(len) as usize);
            }
        }
        let report = self.filler.is_due(position);
        write(Buffer {
            index,
            addr,
            len: padded,
            last: true,
            report,
        });
        // SAFETY: The slot was free, and holds nothing.
        unsafe { self.advance(position.wrapping_add(1), padded, report) };
        Some(padded)
    }

    /// Takes frames from the sockets of `sockets` into the table, `most` and as many as there is room
    /// for at most, of which one slot stays free: `head` that has come round to `tail` is an empty
    /// ring to devices. Each is padded with zeroes to `min_len` bytes (at most [`COPY_LIMIT`]).
    /// `look` is called for each first, if there is one, and then `write`. The caller is in a poll of the
    /// instance that has `sockets`.
    ///
    /// Returns how many there were, and their bytes.
    pub fn push_sockets(
        &mut self,
        _queue: TxQueue<'_>,
        cx: &napi::Context<'_>,
        sockets: &mut xsk::Tx,
        (most, min_len): (u32, u32),
        look: Option<impl FnMut(xsk::Unmapped<'_>)>,
        mut write: impl FnMut(Buffer),
    ) -> (u32, u32) {
        let Some(batch) = sockets.take(cx, most.min(self.free().saturating_sub(1))) else {
            return (0, 0);
        };
        let count = batch.len();
        if let Some(look) = look {
            (0..count).filter_map(|n| batch.frame(n)).for_each(look);
        }
        let min_len = min_len.min(COPY_LIMIT);
        let (mut bytes, mut done) = (0u32, 0u32);
        while done < count {
            let position = self.filler.head;
            let group = self.filler.until_due(position, count.wrapping_sub(done));
            let next = position.wrapping_add(group);
            let last = group.wrapping_sub(1);
            batch.each(done, group, |n, addr, size| {
                let index = self.table.ring.index(position.wrapping_add(n));
                let (addr, len) = if size < min_len {
                    self.copy_unmapped(batch.frame(done.wrapping_add(n)), index, min_len)
                } else {
                    (addr, size)
                };
                bytes = bytes.wrapping_add(len);
                write(Buffer {
                    index,
                    addr,
                    len,
                    last: true,
                    report: n == last,
                });
            });
            let held = &mut self.filler.group;
            held.holds = true;
            held.frame = true;
            // CAST: not more than `REPORT_EVERY` and one.
            held.sockets = held.sockets.wrapping_add(group as u16);
            // SAFETY: No more were taken than slots are free. They hold nothing.
            unsafe {
                self.filler
                    .advance_by(&self.table.ring, next, (group, 0), true)
            };
            done = done.wrapping_add(group);
        }
        (count, bytes)
    }

    #[cold]
    #[inline(never)]
    fn copy_unmapped(
        &self,
        frame: Option<xsk::Unmapped<'_>>,
        index: u32,
        min_len: u32,
    ) -> (u64, u32) {
        let mut padded = [0; COPY_LIMIT as usize];
        if let Some(frame) = frame {
            let size = frame.size().min(min_len) as usize;
            if let Some(out) = padded.get_mut(..size) {
                frame.copy_to(0, out);
            }
        }
        let (area, addr) = self.table.copy_area(index);
        // SAFETY: The slot is free, so that its copy area is ours, and has COPY_LIMIT bytes, as `padded` does.
        unsafe { core::ptr::copy_nonoverlapping(padded.as_ptr(), area, min_len as usize) };
        (addr, min_len)
    }

    /// Undoes the mappings made from `head` up to (not including) `end`.
    #[cold]
    fn unwind(&mut self, end: u32) {
        for position in Positions::new(self.filler.head, end) {
            // SAFETY: These slots were never published, so they are ours: `push` has made sure that
            // the contexts in front of the first buffer are in free slots as well. Who has mapped one
            // has found the device to be bound, with softirqs off, which they still are.
            unsafe { (*self.table.held(position)).unmap(&self.table.dev) };
        }
    }
}
