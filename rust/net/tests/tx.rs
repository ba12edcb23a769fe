// SPDX-License-Identifier: GPL-2.0

//! Unit tests of the transmit table.

use super::*;
use crate::{
    napi,
    queue::TxQueue,
    skb::MAX_BUFFERS, //
};

#[kunit_tests(net_tx)]
mod tests {
    use super::*;
    use crate::kunit::{
        frame,
        freed_by,
        packet,
        Parent, //
    };
    use core::ptr::NonNull;
    use kernel::{
        error::to_result,
        page::Page, //
    };

    const SLOTS: u32 = 16;
    const LEN: u32 = 60;

    fn netpoll() -> napi::TxContext<'static> {
        napi::TxContext::for_test()
    }

    /// For frames alone: a test is not in softirq context.
    fn in_poll() -> napi::TxContext<'static> {
        napi::TxContext::with_budget_for_test(64)
    }

    fn count(skbs: u32, bytes: u32) -> Reaped {
        Reaped {
            skbs,
            bytes,
            sockets: 0,
        }
    }

    #[test]
    fn without_a_budget_frames_stay() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        assert!(producer
            .push_frame(TxQueue::for_test(), frame(LEN)?, LEN, |_| ())
            .is_ok());
        assert_eq!(
            consumer.reap(&netpoll(), SLOTS, |_| true),
            Reaped::default()
        );
        assert_eq!(producer.free(), SLOTS - 1);
        assert_eq!(consumer.reap(&in_poll(), SLOTS, |_| true), count(1, LEN));
        assert_eq!(producer.free(), SLOTS);
        Ok(())
    }

    /// `push` of a packet of `len` bytes behind `lead` contexts; whether it was taken.
    fn push(producer: &mut Producer, len: u32, lead: u32) -> Result<bool> {
        let layout = Layout {
            lead,
            max_len: 4096,
            bytes: len,
        };
        Ok(producer
            .push(TxQueue::for_test(), packet(len)?, layout, |_| ())
            .is_ok())
    }

    #[test]
    fn a_packet_whose_contexts_do_not_fit_leaves_the_consumers_slots_alone() -> Result {
        const MAPPED: u32 = COPY_LIMIT + 1;
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        for _ in 1..SLOTS {
            assert!(push(&mut producer, MAPPED, 0)?);
        }
        // One slot is free: the packet is given back, whatever its length.
        for lead in 1..=SLOTS {
            assert!(!push(&mut producer, MAPPED, lead)?);
            assert!(!push(&mut producer, LEN, lead)?);
        }
        for position in 0..SLOTS - 1 {
            // SAFETY: Nobody else uses the table.
            let slot = unsafe { &*producer.table().held(position) };
            assert!(slot.mapping == Mapping::Streaming && slot.skb.is_some());
        }
        assert!(push(&mut producer, MAPPED, 0)?);
        let reaped = freed_by(|| {
            assert_eq!(
                consumer.reap(&netpoll(), SLOTS, |_| true),
                count(SLOTS, SLOTS * MAPPED)
            );
            Ok(())
        })?;
        assert_eq!(reaped, SLOTS as usize);
        Ok(())
    }

    /// Adds a fragment of `len` bytes.
    fn append(skb: &SkBuff, len: u32) -> Result {
        let page = Page::alloc_page(GFP_KERNEL)?;
        let (raw, page) = (skb.as_ptr(), page.as_ptr().cast());
        // SAFETY: The packet is ours, and takes a reference to the page.
        to_result(unsafe { netbind::skb_append_pagefrags(raw, page, 0, len as usize, 2) })?;
        // SAFETY: The packet is ours, and has so many bytes more.
        unsafe {
            (*raw).len += len;
            (*raw).data_len += len;
        }
        Ok(())
    }

    #[test]
    fn an_empty_fragment_without_a_slot_leaves_the_consumers_slots_alone() -> Result {
        const MAPPED: u32 = COPY_LIMIT + 1;
        let parent = Parent::new()?;
        let (mut producer, _consumer) = table(parent.device(), SLOTS)?;
        for _ in 2..SLOTS {
            assert!(push(&mut producer, MAPPED, 0)?);
        }
        let skb = packet(MAPPED)?;
        append(&skb, LEN)?;
        append(&skb, 0)?;
        let layout = Layout {
            lead: 0,
            max_len: 4096,
            bytes: skb.len(),
        };
        // Two slots are free, for three buffers.
        let pushed = producer.push(TxQueue::for_test(), skb, layout, |_| ());
        assert!(pushed.is_err());
        // SAFETY: Nobody else uses the table.
        let oldest = unsafe { &*producer.table().held(0) };
        assert!(oldest.mapping == Mapping::Streaming && oldest.len == MAPPED);
        Ok(())
    }

    #[test]
    fn what_is_mapped_when_the_binding_ends_stays_mapped() -> Result {
        const MAPPED: u32 = COPY_LIMIT + 1;
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        assert!(push(&mut producer, MAPPED, 0)?);
        assert!(producer
            .push_frame(TxQueue::for_test(), frame(MAPPED)?, LEN, |_| ())
            .is_ok());
        // SAFETY: Nobody else uses the table.
        let (skb, sent) = unsafe {
            (
                (*producer.table().held(0)).skb.as_ref().map(SkBuff::as_ptr),
                (*producer.table().frame(1)).as_ref().map(Frame::as_ptr),
            )
        };
        drop(parent);
        assert!(!push(&mut producer, MAPPED, 0)?);
        assert!(producer
            .push_frame(TxQueue::for_test(), frame(MAPPED)?, LEN, |_| ())
            .is_err());
        assert_eq!(
            consumer.reap(&netpoll(), SLOTS, |_| true),
            Reaped::default()
        );
        let freed = freed_by(|| {
            drop(producer);
            drop(consumer);
            Ok(())
        })?;
        assert_eq!(freed, 0);
        // So that the test leaks no more than what stays mapped.
        // SAFETY: The table has given them up, and nobody else has them.
        unsafe {
            drop(skb.and_then(NonNull::new).map(|skb| SkBuff::from_raw(skb)));
            drop(
                sent.and_then(NonNull::new)
                    .map(|sent| Frame::from_raw(sent)),
            );
        }
        Ok(())
    }

    #[test]
    fn what_is_not_done_stays() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        for _ in 0..3 {
            assert!(producer
                .push_frame(TxQueue::for_test(), frame(LEN)?, LEN, |_| ())
                .is_ok());
        }
        assert_eq!(
            consumer.reap(&in_poll(), SLOTS, |last| last < 2),
            count(2, 2 * LEN)
        );
        assert_eq!(producer.free(), SLOTS - 1);
        // The last one goes with the table.
        Ok(())
    }

    #[test]
    fn a_list_of_packets_has_no_buffer_and_is_given_back() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        let skb = packet(0)?;
        // SAFETY: The packet is ours. Nothing of it is in itself, and what it is said to have elsewhere is
        // not looked for.
        unsafe {
            (*skb.as_ptr()).len = 2 * LEN;
            (*skb.as_ptr()).data_len = 2 * LEN;
        }
        let layout = Layout {
            lead: 1,
            max_len: 4096,
            bytes: 2 * LEN,
        };
        let mut written = 0;
        let given_back = producer.push(TxQueue::for_test(), skb, layout, |_| written += 1);
        let skb = given_back.err().ok_or(EINVAL)?;
        assert_eq!((written, producer.free()), (0, SLOTS));
        assert_eq!(producer.report(), None);
        assert_eq!(
            consumer.reap(&netpoll(), SLOTS, |_| true),
            Reaped::default()
        );
        // SAFETY: The packet is ours. It goes as what it is.
        unsafe {
            (*skb.as_ptr()).len = 0;
            (*skb.as_ptr()).data_len = 0;
        }
        // The slots are as good as before.
        assert!(push(&mut producer, COPY_LIMIT + 1, 1)?);
        assert_eq!(consumer.reap(&netpoll(), 1, |_| true).skbs, 1);
        Ok(())
    }

    #[test]
    fn room_is_left_for_the_packet_that_takes_most() -> Result {
        const MAX_LEN: u32 = 400;
        const LEN: u32 = 2000;
        let room = Room::new(1, MAX_LEN, LEN);
        assert_eq!(room.needed(LEN, 1), 1 + 1 + LEN / MAX_LEN);
        assert_eq!(room.stop(), 1 + MAX_BUFFERS + LEN / MAX_LEN + 1);
        assert!(room.wake() > room.stop());
        let parent = Parent::new()?;
        let (mut producer, _consumer) = table(parent.device(), 64)?;
        for len in [LEN, LEN - 1, MAX_LEN + 1, MAX_LEN] {
            let before = producer.free();
            let layout = Layout {
                lead: 1,
                max_len: MAX_LEN,
                bytes: len,
            };
            assert!(producer
                .push(TxQueue::for_test(), packet(len)?, layout, |_| ())
                .is_ok());
            assert!(before - producer.free() <= room.needed(len, 1));
        }
        Ok(())
    }
}
