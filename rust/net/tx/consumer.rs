// SPDX-License-Identifier: GPL-2.0

//! The end of a transmit table that gives packets back.

use super::{
    raw_device,
    Mapping,
    Table, //
};
use crate::{
    napi,
    ring::{
        Group,
        Positions,
        Reaped,
        Reaper, //
    },
    xdp::Bulk, //
};
use kernel::{
    error::Result,
    sync::Arc, //
};

/// The end of the table that gives packets back.
pub struct Consumer {
    table: Arc<Table>,
    reaper: Reaper,
    /// Frames without an skb, of this round.
    bulk: Bulk,
}

impl Consumer {
    pub(super) fn new(table: Arc<Table>, reaper: Reaper) -> Result<Self> {
        let bulk = Bulk::new()?;
        Ok(Self {
            table,
            reaper,
            bulk,
        })
    }

    /// Slots that are free for the producer.
    #[inline]
    pub fn free(&self) -> u32 {
        self.reaper.free(&self.table.ring)
    }

    /// Gives back groups for which `is_done(index of the last descriptor)` holds, oldest first,
    /// until there are `limit` packets.
    ///
    /// In a poll of netpoll ([`Poll::poll_tx`](napi::Poll::poll_tx)), a group with a frame without an
    /// skb or with those of sockets stays, and what is behind it: it may be in hard interrupt
    /// context, where XDP may not be used.
    ///
    /// When the device is not bound any more, what is mapped stays.
    ///
    /// Inlined wherever it is called from: the polls of a driver and of netpoll would share it.
    #[inline(always)]
    pub fn reap(
        &mut self,
        cx: &napi::TxContext<'_>,
        limit: u32,
        is_done: impl Fn(u32) -> bool,
    ) -> Reaped {
        let (table, bulk) = (&*self.table, &mut self.bulk);
        let mut mapped = None;
        let give_back = |group: Group, positions: Positions| {
            if !group.holds {
                return true;
            }
            if table.is_over() {
                // What cannot be unmapped stays.
                return false;
            }
            // The mappings in question have all been made.
            let mapped = *mapped.get_or_insert_with(|| {
                // SAFETY: The device is valid.
                unsafe { netbind::dma_need_unmap(raw_device(&table.dev)) }
            });
            if !group.frame {
                table.release(positions, mapped, cx);
                return true;
            }
            table.release_with_frame(group.sockets, positions, mapped, (cx, &mut *bulk))
        };
        let reaped = self.reaper.reap(&table.ring, limit, is_done, give_back);
        if !self.bulk.is_empty() {
            self.bulk.flush();
        }
        reaped
    }
}

impl Table {
    /// The same as [`Table::release`] for a group that ends in a frame without an skb, or in frames of
    /// sockets, so many, which hold nothing. Returns false, and does nothing, in a poll of netpoll.
    #[cold]
    fn release_with_frame(
        &self,
        sockets: u16,
        positions: Positions,
        mapped: bool,
        (cx, bulk): (&napi::TxContext<'_>, &mut Bulk),
    ) -> bool {
        if cx.budget() == 0 {
            return false;
        }
        if sockets == 0 {
            self.release(positions, mapped, cx);
            // SAFETY: The slots belong to the consumer, whose group this is.
            if let Some(frame) = unsafe { (*self.frame(positions.last())).take() } {
                bulk.add(frame, cx);
            }
        }
        true
    }

    /// Gives back what the slots at `positions` hold, which are the consumer's; `mapped` if mappings
    /// have to be undone.
    #[inline(always)]
    fn release(&self, positions: Positions, mapped: bool, cx: &napi::TxContext<'_>) {
        for position in positions {
            // SAFETY: The slot belongs to the consumer, whose group this is.
            let slot = unsafe { &mut *self.held(position) };
            if mapped {
                // SAFETY: `reap` has found the device to be bound, in a poll: softirqs or
                // interrupts are off, and still are.
                unsafe { slot.unmap(&self.dev) };
            }
            slot.mapping = Mapping::None;
            if let Some(skb) = slot.skb.take() {
                skb.consume(cx);
            }
        }
    }
}
