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
        frame_of,
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

    /// A table of 16 slots that copies what is not short, too.
    fn staged(parent: &Parent) -> Result<(Producer, Consumer)> {
        let stage = Stage::new(parent.device(), SLOTS);
        assert!(stage.is_some());
        table_of(parent.device(), SLOTS, stage)
    }

    /// Pushes a packet of `head` bytes and fragments of `frags`, all of which are `byte`; the buffers it
    /// went to.
    fn push_filled(
        producer: &mut Producer,
        byte: u8,
        head: u32,
        frags: &[u32],
    ) -> Result<(u32, [Option<Buffer>; SLOTS as usize])> {
        let skb = packet(head)?;
        // SAFETY: The packet is ours, and has `head` bytes.
        unsafe { (*skb.as_ptr()).data.write_bytes(byte, head as usize) };
        for &len in frags {
            append_filled(&skb, byte, len)?;
        }
        let layout = Layout {
            lead: 0,
            max_len: 8192,
            bytes: skb.len(),
        };
        let (mut count, mut buffers) = (0, [None; SLOTS as usize]);
        producer
            .push(TxQueue::for_test(), skb, layout, |buffer| {
                if let Some(place) = buffers.get_mut(count as usize) {
                    *place = Some(buffer);
                }
                count += 1;
            })
            .map_err(|_| ENOSPC)?;
        Ok((count, buffers))
    }

    fn append_filled(skb: &SkBuff, byte: u8, len: u32) -> Result {
        append(skb, len)?;
        // SAFETY: The packet is ours. Its last fragment has a page of its own, which is in the kernel's
        // map of all memory.
        unsafe {
            let index = u32::from(skb.nr_frags()) - 1;
            netbind::kunit_fill_frag(skb.as_ptr(), index, byte);
        }
        Ok(())
    }

    #[test]
    fn what_an_iommu_makes_dear_is_copied_and_kept() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = staged(&parent)?;
        // Behind the end of the areas it goes on at their beginning.
        for round in 0..SLOTS {
            let (len, byte) = (1514u32 + 4096 + 1000, round as u8 + 1);
            let (pieces, buffers) = push_filled(&mut producer, byte, 1514, &[4096, 1000])?;
            assert_eq!(pieces, len.div_ceil(stage::AREA));
            let mut sum = 0u32;
            for (at, buffer) in buffers.iter().take(pieces as usize).enumerate() {
                let buffer = buffer.ok_or(EINVAL)?;
                sum += buffer.len;
                let last = at as u32 + 1 == pieces;
                assert!(buffer.last == last && buffer.report == last);
                let table = producer.table();
                // SAFETY: Nobody else uses the table.
                assert!(unsafe { (*table.held(buffer.index)).mapping == Mapping::None });
                let stage = table.stage.as_ref().ok_or(EINVAL)?;
                assert!(stage.addr(buffer.index) == buffer.addr);
                // SAFETY: Nobody else uses the table, whose area this is.
                let held = unsafe {
                    core::slice::from_raw_parts(stage.area(buffer.index), buffer.len as usize)
                };
                assert!(held.iter().all(|&held| held == byte));
            }
            assert_eq!(sum, len);
            // The packet is the table's until it is reported.
            let freed = freed_by(|| {
                assert_eq!(consumer.reap(&netpoll(), SLOTS, |_| true), count(1, len));
                Ok(())
            })?;
            assert_eq!(freed, 1);
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_into_the_areas_is_mapped() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = staged(&parent)?;
        // Two slots are left, of which one stays unused by a copy: two areas would be needed.
        for _ in 2..SLOTS {
            assert!(push(&mut producer, stage::AREA, 0)?);
        }
        let (count, buffers) = push_filled(&mut producer, 1, stage::AREA + 1, &[])?;
        assert_eq!(count, 1);
        let index = buffers[0].ok_or(EINVAL)?.index;
        // SAFETY: Nobody else uses the table.
        assert!(unsafe { (*producer.table().held(index)).mapping == Mapping::Streaming });
        assert_eq!(consumer.reap(&netpoll(), SLOTS, |_| true).skbs, SLOTS - 1);
        assert_eq!(producer.free(), SLOTS);
        Ok(())
    }

    #[test]
    fn fewer_areas_than_slots_are_used_in_turn() -> Result {
        const AREAS: u32 = SLOTS / 4;
        let parent = Parent::new()?;
        let stage = Stage::new(parent.device(), AREAS);
        let (mut producer, mut consumer) = table_of(parent.device(), SLOTS, stage)?;
        for _ in 0..2 * SLOTS {
            for at in 0..AREAS + 1 {
                let (_, buffers) = push_filled(&mut producer, 1, 1000, &[])?;
                let index = buffers[0].ok_or(EINVAL)?.index;
                // SAFETY: Nobody else uses the table.
                let mapping = unsafe { (*producer.table().held(index)).mapping };
                // All areas are in use when there are as many packets.
                assert!((mapping == Mapping::Streaming) == (at == AREAS));
            }
            assert_eq!(consumer.reap(&netpoll(), SLOTS, |_| true).skbs, AREAS + 1);
        }
        Ok(())
    }

    #[test]
    fn frames_of_another_device_are_copied_as_well() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = staged(&parent)?;
        let mut addr = 0;
        assert!(producer
            .push_frame(TxQueue::for_test(), frame(1000)?, LEN, |buffer| {
                addr = buffer.addr;
            })
            .is_ok());
        let stage = producer.table().stage.as_ref().ok_or(EINVAL)?;
        assert!(stage.addr(0) == addr);
        // SAFETY: Nobody else uses the table.
        assert!(unsafe { (*producer.table().held(0)).mapping == Mapping::None });
        assert_eq!(consumer.reap(&in_poll(), SLOTS, |_| true), count(1, 1000));
        Ok(())
    }

    #[test]
    fn each_buffer_of_a_frame_takes_a_slot_and_one_report_frees_all() -> Result {
        const LENS: [u32; 3] = [1000, 2000, 30];
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        for round in 0..2 {
            let mut seen = KVec::new();
            let sent = producer.push_frame(
                TxQueue::for_test(),
                frame_of(LENS[0], 1, &LENS[1..])?,
                LEN,
                |buffer| {
                    seen.push(
                        (buffer.index, buffer.len, buffer.last, buffer.report),
                        GFP_KERNEL,
                    )
                    .unwrap_or_default()
                },
            );
            assert!(sent.is_ok());
            let first = round * 3;
            let wanted = [
                (first, 1000, false, false),
                (first + 1, 2000, false, false),
                (first + 2, 30, true, true),
            ];
            assert_eq!(seen.as_slice(), wanted);
            assert_eq!(producer.free(), SLOTS - 3);
            // Nothing is freed before the last is done.
            assert_eq!(
                consumer.reap(&in_poll(), SLOTS, |last| last < first + 2),
                Reaped::default()
            );
            assert_eq!(consumer.reap(&in_poll(), SLOTS, |_| true), count(1, 3030));
            assert_eq!(producer.free(), SLOTS);
        }
        Ok(())
    }

    #[test]
    fn buffers_of_a_frame_without_bytes_take_no_slot() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        for (head, lens, wanted) in [
            // As a device leaves it that writes packets to fragments alone.
            (0, &[1000][..], &[(1000, true)][..]),
            (1000, &[0], &[(1000, true)]),
            (0, &[0, 1000, 0, 500, 0], &[(1000, false), (500, true)]),
        ] {
            let mut seen = KVec::new();
            let sent = producer.push_frame(
                TxQueue::for_test(),
                frame_of(head, 1, lens)?,
                LEN,
                |buffer| {
                    seen.push((buffer.len, buffer.last), GFP_KERNEL)
                        .unwrap_or_default()
                },
            );
            assert!(sent.is_ok());
            assert_eq!(seen.as_slice(), wanted);
            // CAST: a few.
            assert_eq!(producer.free(), SLOTS - wanted.len() as u32);
            let bytes = wanted.iter().map(|(len, _)| len).sum();
            assert_eq!(consumer.reap(&in_poll(), SLOTS, |_| true), count(1, bytes));
            assert_eq!(producer.free(), SLOTS);
        }
        Ok(())
    }

    #[test]
    fn too_few_slots_for_a_frame_leave_the_consumers_alone() -> Result {
        const MAPPED: u32 = COPY_LIMIT + 1;
        let parent = Parent::new()?;
        let (mut producer, _consumer) = table(parent.device(), SLOTS)?;
        for _ in 2..SLOTS {
            assert!(push(&mut producer, MAPPED, 0)?);
        }
        // Two slots are free, for three buffers.
        let frame = frame_of(1000, 1, &[1000, 1000])?;
        let given = frame.as_ptr();
        let pushed = producer.push_frame(TxQueue::for_test(), frame, LEN, |_| ());
        assert_eq!(pushed.err().map(|frame| frame.as_ptr()), Some(given));
        for position in 0..SLOTS {
            // SAFETY: Nobody else uses the table.
            let mapping = unsafe { (*producer.table().held(position)).mapping };
            assert!((mapping == Mapping::Streaming) == (position < SLOTS - 2));
        }
        Ok(())
    }

    #[test]
    fn a_short_frame_of_several_buffers_is_copied_and_padded() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        let mut seen = None;
        assert!(producer
            .push_frame(
                TxQueue::for_test(),
                frame_of(14, 1, &[3, 5])?,
                LEN,
                |buffer| { seen = Some((buffer.len, buffer.last)) }
            )
            .is_ok());
        assert_eq!(seen, Some((LEN, true)));
        let mut wanted = [0; COPY_LIMIT as usize];
        wanted[..14].fill(1);
        wanted[14..17].fill(2);
        wanted[17..22].fill(3);
        let copied = producer.table().copies.read(0);
        assert_eq!(copied[..LEN as usize], wanted[..LEN as usize]);
        assert_eq!(consumer.reap(&in_poll(), SLOTS, |_| true), count(1, LEN));
        Ok(())
    }

    #[test]
    fn a_short_frame_with_less_than_it_says_is_not_sent() -> Result {
        let parent = Parent::new()?;
        let (mut producer, _consumer) = table(parent.device(), SLOTS)?;
        let frame = frame_of(14, 1, &[3])?;
        // SAFETY: The frame is ours; no page is given.
        unsafe { netbind::kunit_xdp_add_frag(frame.as_ptr(), core::ptr::null_mut(), 5) };
        assert_eq!(frame.len(), 22);
        let given = frame.as_ptr();
        let pushed = producer.push_frame(TxQueue::for_test(), frame, LEN, |_| ());
        assert_eq!(pushed.err().map(|frame| frame.as_ptr()), Some(given));
        assert_eq!(producer.free(), SLOTS);
        Ok(())
    }

    #[test]
    fn frames_of_several_buffers_are_copied_where_an_iommu_makes_mappings_dear() -> Result {
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = staged(&parent)?;
        let mut seen = KVec::new();
        assert!(producer
            .push_frame(
                TxQueue::for_test(),
                frame_of(2000, 1, &[3000])?,
                LEN,
                |buffer| {
                    seen.push((buffer.len, buffer.last), GFP_KERNEL)
                        .unwrap_or_default()
                }
            )
            .is_ok());
        assert_eq!(seen.as_slice(), [(2048, false), (2048, false), (904, true)]);
        let stage = producer.table().stage.as_ref().ok_or(EINVAL)?;
        // SAFETY: The areas are there, and follow each other; nobody writes to them.
        let copied = unsafe { core::slice::from_raw_parts(stage.area(0), 5000) };
        assert!(copied[..2000].iter().all(|byte| *byte == 1));
        assert!(copied[2000..].iter().all(|byte| *byte == 2));
        assert_eq!(consumer.reap(&in_poll(), SLOTS, |_| true), count(1, 5000));
        Ok(())
    }

    #[test]
    fn short_frames_are_copied_and_reported_together() -> Result {
        const SHORT: u32 = 40;
        let parent = Parent::new()?;
        let (mut producer, mut consumer) = table(parent.device(), SLOTS)?;
        let due = SLOTS / 4;
        for n in 0..=due {
            let frame = frame_of(SHORT, 7, &[])?;
            let mut seen = None;
            let pushed = producer.push_short_frame(TxQueue::for_test(), &frame, LEN, |buffer| {
                seen = Some(buffer);
            });
            assert_eq!(pushed, Some(LEN));
            let buffer = seen.ok_or(EINVAL)?;
            assert!(buffer.index == n && buffer.len == LEN && buffer.last);
            assert_eq!(buffer.report, n == due);
            drop(frame);
            let area = producer.table().copies.as_ptr().as_ptr().cast::<u8>();
            // SAFETY: The slot has as many bytes, and no device reads them.
            let bytes = unsafe {
                core::slice::from_raw_parts(area.add((n * COPY_LIMIT) as usize), LEN as usize)
            };
            let (copied, padding) = bytes.split_at(SHORT as usize);
            assert!(copied.iter().all(|byte| *byte == 7) && padding.iter().all(|byte| *byte == 0));
        }
        // They hold nothing, so that netpoll may have their slots.
        assert_eq!(
            consumer.reap(&netpoll(), SLOTS, |_| true),
            count(due + 1, (due + 1) * LEN)
        );
        for frame in [frame_of(LEN, 1, &[10])?, frame(COPY_LIMIT + 1)?] {
            let pushed = producer.push_short_frame(TxQueue::for_test(), &frame, LEN, |_| ());
            assert!(pushed.is_none());
        }
        // One slot stays free.
        let frame = frame(LEN)?;
        let mut push = || producer.push_short_frame(TxQueue::for_test(), &frame, LEN, |_| ());
        for _ in 0..SLOTS - 1 {
            assert!(push().is_some());
        }
        assert!(push().is_none());
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
