// SPDX-License-Identifier: GPL-2.0

//! The buffers of a packet: mapped or copied, one descriptor after the other.

use super::{
    raw_device,
    Buffer,
    Describe,
    Mapping,
    Table,
    COPY_LIMIT,
    DMA_MAPPING_ERROR, //
};
use crate::{
    compat,
    skb::SkBuff,
    xdp::Frame, //
};

/// Places the buffers of a packet that is mapped.
pub(super) struct Cursor<'a> {
    pub(super) table: &'a Table,
    /// Position of the next buffer.
    pub(super) next: u32,
    /// Slots that are free from there on.
    pub(super) room: u32,
    /// Bytes a descriptor takes.
    pub(super) max_len: u32,
    /// Writes a descriptor. Not a parameter of the type: were all of this compiled into each driver's
    /// `xmit`, its short paths would not be.
    pub(super) write: &'a mut dyn Describe,
}

impl Cursor<'_> {
    /// Copies or maps a frame. Returns its length with padding. If that fails, what was placed has to be
    /// unmapped.
    pub(super) fn place_frame(&mut self, frame: &Frame, min_len: u32) -> Result<u32, ()> {
        if self.room == 0 {
            return Err(());
        }
        let len = frame.len();
        if len <= COPY_LIMIT {
            return self.copy_frame(frame, len, min_len);
        }
        if self.table.is_over() {
            return Err(());
        }
        if let Some(stage) = &self.table.stage {
            let ring = &self.table.ring;
            let used = ring.len().wrapping_sub(self.room);
            let index = |position| ring.index(position);
            if let Some(next) = stage.place(frame, self.next, used, self.room, index, self.write) {
                self.next = next;
                return Ok(len);
            }
        }
        let frags = if frame.is_fragmented() {
            frame.frags()
        } else {
            0
        };
        let dev = raw_device(&self.table.dev);
        let head = frame.head_len();
        if head != 0 {
            // SAFETY: Frame and device are valid; the frame is kept until it is unmapped.
            let addr = unsafe { netbind::xdp_frame_map(dev, frame.as_ptr()) };
            self.mapped(addr, head, frags == 0)?;
        } else if frags == 0 {
            return Err(());
        }
        for i in 0..frags {
            let mut len = 0;
            // SAFETY: Frame and device are valid, and the frame has that buffer. It is kept until it is
            // unmapped.
            let addr = unsafe { netbind::xdp_frame_map_frag(dev, frame.as_ptr(), i, &mut len) };
            // One without bytes is not mapped, and is not the last.
            if len != 0 {
                self.mapped(addr, len, i.wrapping_add(1) == frags)?;
            }
        }
        Ok(len)
    }

    /// Copies a frame of `len` bytes, which are at most [`COPY_LIMIT`], into the memory of one slot. Returns
    /// its length with padding. Nothing is placed if its buffers have less: what the slot's last packet
    /// has left in the memory is not to be sent.
    fn copy_frame(&mut self, frame: &Frame, len: u32, min_len: u32) -> Result<u32, ()> {
        let padded = len.max(min_len).min(COPY_LIMIT);
        let (area, addr) = self.table.copy_area(self.table.ring.index(self.next));
        // SAFETY: The slot is free, so that its copy area is ours, and has COPY_LIMIT bytes; `len` <= `padded`
        // <= COPY_LIMIT. The frame has `len` bytes, at `data` unless it has several buffers.
        unsafe {
            if frame.is_fragmented() {
                if !netbind::xdp_frame_copy(frame.as_ptr(), 0, area.cast(), len) {
                    return Err(());
                }
            } else {
                let data = (*frame.as_ptr()).data.cast::<u8>();
                core::ptr::copy_nonoverlapping(data, area, len as usize);
            }
            area.add(len as usize)
                .write_bytes(0, padded.wrapping_sub(len) as usize);
        }
        self.place(addr, padded, true);
        Ok(padded)
    }

    /// Maps the linear part and each fragment.
    #[inline]
    pub(super) fn map(&mut self, skb: &SkBuff) -> Result<(), ()> {
        let dev = raw_device(&self.table.dev);
        let frags = if skb.data_len() == 0 {
            0
        } else {
            skb.nr_frags()
        };
        let head = skb.head_len();
        if head != 0 {
            // SAFETY: The skb and the device are valid; the skb is kept until it is unmapped.
            let addr = unsafe { netbind::skb_map_head(dev, skb.as_ptr()) };
            self.mapped(addr, head, frags == 0)?;
        }
        for i in 0..frags {
            let mut len = 0;
            // SAFETY: The skb and the device are valid, and the skb has that fragment. It is kept
            // until it is unmapped.
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
        // An empty buffer takes a descriptor as well.
        let pieces = len.div_ceil(self.max_len.max(1)).max(1);
        if pieces > self.room {
            // Not placed, so the unwinding does not know of it.
            // SAFETY: The buffer was just mapped for this device, with this address and length.
            unsafe {
                netbind::dma_unmap_page_attrs(
                    raw_device(&self.table.dev),
                    addr,
                    len as usize,
                    compat::DMA_TO_DEVICE,
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
        // SAFETY: The slot was free and has not been published yet: it is ours.
        let slot = unsafe { &mut *self.table.held(position) };
        slot.addr = addr;
        slot.len = len;
        slot.mapping = Mapping::Streaming;
    }

    #[inline]
    fn place(&mut self, addr: u64, len: u32, last: bool) {
        self.write.describe(Buffer {
            index: self.table.ring.index(self.next),
            addr,
            len,
            last,
            report: last,
        });
        self.next = self.next.wrapping_add(1);
        self.room = self.room.wrapping_sub(1);
    }
}
