// SPDX-License-Identifier: GPL-2.0

//! Unit tests of packets.

use super::*;

#[kunit_tests(net_skb)]
mod tests {
    use super::*;
    use crate::kunit::{
        freed_by,
        packet,
        register,
        Counter,
        Parent, //
    };
    use kernel::page::Page;

    #[test]
    fn is_freed_once_whichever_way_it_ends() -> Result {
        let dropped = freed_by(|| packet(60).map(drop))?;
        assert_eq!(dropped, 1);
        let consumed =
            freed_by(|| packet(60).map(|skb| skb.consume(&napi::TxContext::for_test())))?;
        assert_eq!(consumed, 1);
        Ok(())
    }

    #[test]
    fn given_up_and_taken_back_it_is_still_there() -> Result {
        let skb = packet(60)?;
        // SAFETY: The reference is the one `into_raw` gave up.
        let skb = unsafe { SkBuff::from_raw(skb.into_raw()) };
        assert_eq!(skb.len(), 60);
        assert_eq!(skb.buffers(), 1);
        let freed = freed_by(|| {
            drop(skb);
            Ok(())
        })?;
        assert_eq!(freed, 1);
        Ok(())
    }

    #[test]
    fn only_the_length_is_taken_out_of_the_checksum_of_what_is_segmented() -> Result {
        const HEADERS: u32 = 14 + 20 + 8;
        const PAYLOAD: u32 = 200;
        let mut skb = packet(HEADERS + PAYLOAD)?;
        // Of a destination that is in no header.
        let seed = 0x1234_u16;
        let udp_len = 8 + PAYLOAD as u16;
        // SAFETY: The packet is ours, and has room for the headers.
        unsafe { netbind::kunit_udp_gso(skb.as_ptr(), 100, (seed + udp_len).to_be()) };
        let offload = skb.prepare_offload()?.ok_or(EINVAL)?;
        assert_eq!((offload.mac_len, offload.ip_len), (14, 20));
        assert_eq!(
            offload.gso.map(|gso| (gso.size, gso.l4_len)),
            Some((100, 8))
        );
        // SAFETY: The packet has a transport header.
        let check = unsafe { netbind::kunit_udp_check(skb.as_ptr()) };
        assert_eq!(u16::from_be(check), seed);
        Ok(())
    }

    #[test]
    fn a_checksum_is_left_to_the_device_that_knows_its_protocol() -> Result {
        let parent = Parent::new()?;
        let dev = register(&parent, &Counter::new()?, 1)?;
        for (offset, is_sctp, l4) in [
            (16, false, Some(L4Proto::Tcp)),
            (6, false, Some(L4Proto::Udp)),
            (8, true, Some(L4Proto::Sctp)),
            // Of another protocol: computed.
            (8, false, None),
            (2, false, None),
        ] {
            let mut skb = packet(14 + 20 + 40)?;
            // SAFETY: The packet is ours, and has room for the headers. The net device outlives it.
            let known = unsafe {
                netbind::kunit_set_dev(skb.as_ptr(), dev.as_ptr());
                netbind::kunit_leave_checksum(skb.as_ptr(), offset, is_sctp)
            };
            // A kernel without SCTP leaves none to devices.
            let l4 = l4.filter(|l4| known || *l4 != L4Proto::Sctp);
            if l4.is_none() {
                let other = another(&skb);
                assert_eq!(skb.prepare_offload(), Err(EBUSY));
                drop(other);
            }
            let offload = l4.map(|l4| TxOffload {
                mac_len: 14,
                ip_len: 20,
                ipv4: true,
                l4,
                gso: None,
            });
            assert_eq!(skb.prepare_offload(), Ok(offload));
            assert_eq!(skb.tx_meta().wants_offload(), l4.is_some());
        }
        Ok(())
    }

    #[test]
    fn a_device_that_steps_over_a_tunnel_gets_the_outer_header_right() -> Result {
        // The Ethernet header; the outer IP header, GRE and the inner IP header; TCP.
        const HEADERS: u32 = 14 + (20 + 4 + 20) + 20;
        let mut skb = packet(HEADERS + 200)?;
        // SAFETY: The packet is ours, and has room for the headers.
        unsafe { netbind::kunit_gre_gso(skb.as_ptr(), 100) };
        let offload = skb.prepare_offload()?.ok_or(EINVAL)?;
        assert_eq!((offload.mac_len, offload.ip_len), (14, 44));
        assert_eq!((offload.l4, offload.ipv4), (L4Proto::Tcp, true));
        assert_eq!(
            offload.gso.map(|gso| (gso.size, gso.l4_len)),
            Some((100, 20))
        );
        for len in [164, 165] {
            // SAFETY: The packet has these headers, and was prepared.
            let before = unsafe {
                (*skb.as_ptr())
                    .data
                    .add(14 + 10)
                    .cast::<u16>()
                    .read_unaligned()
            };
            // SAFETY: The packet has these headers, and was prepared.
            assert!(unsafe { netbind::kunit_outer_ip_is_right(skb.as_ptr(), len) });
            // Each segment begins with what was prepared.
            // SAFETY: The packet has these headers, and was prepared.
            unsafe {
                (*skb.as_ptr())
                    .data
                    .add(14 + 10)
                    .cast::<u16>()
                    .write_unaligned(before);
            }
        }
        Ok(())
    }

    #[test]
    fn padding_adds_zeroes_and_keeps_the_packet() -> Result {
        let kept = freed_by(|| {
            let skb = packet(14)?.pad_to(60)?;
            assert_eq!((skb.len(), skb.head_len()), (60, 60));
            // SAFETY: The packet has 60 linear bytes.
            let bytes = unsafe { core::slice::from_raw_parts((*skb.as_ptr()).data, 60) };
            assert!(bytes[..14].iter().all(|&byte| byte == 0xff));
            assert!(bytes[14..].iter().all(|&byte| byte == 0));
            Ok(())
        })?;
        assert_eq!(kept, 1);
        Ok(())
    }

    /// A packet of `len` linear bytes and a fragment of `more`.
    fn fragmented(len: u32, more: u32) -> Result<SkBuff> {
        let skb = packet(len)?;
        let page = Page::alloc_page(GFP_KERNEL)?;
        let (raw, size) = (skb.as_ptr(), more as usize);
        // SAFETY: The packet is ours, and takes a reference to the page.
        to_result(unsafe { netbind::skb_append_pagefrags(raw, page.as_ptr().cast(), 0, size, 1) })?;
        // SAFETY: The packet is ours, and has so many bytes more.
        unsafe {
            (*raw).len += more;
            (*raw).data_len += more;
        }
        Ok(skb)
    }

    /// Another reference to a packet, as one has who sends it several times.
    fn another(skb: &SkBuff) -> SkBuff {
        // SAFETY: The packet is valid; the reference that is taken is that of the result.
        unsafe {
            netbind::kunit_skb_get(skb.as_ptr());
            SkBuff::from_raw(skb.0)
        }
    }

    #[test]
    fn a_packet_with_other_owners_is_padded_where_it_is_or_not_at_all() -> Result {
        let freed = freed_by(|| {
            let first = fragmented(20, 10)?;
            assert_eq!(another(&first).pad_to(60).err(), Some(EBUSY));
            assert_eq!((first.len(), first.data_len()), (30, 10));
            // The reference that was refused is gone.
            assert_eq!(first.pad_to(60)?.len(), 60);
            Ok(())
        })?;
        assert_eq!(freed, 1);
        let first = packet(14)?;
        assert_eq!(another(&first).pad_to(60)?.len(), 60);
        Ok(())
    }

    #[test]
    fn what_was_not_asked_for_is_not_done() -> Result {
        let mut skb = packet(14 + 20 + 40)?;
        // SAFETY: The packet is ours, and has room for the headers.
        unsafe {
            netbind::kunit_leave_checksum(skb.as_ptr(), 6, false);
            netbind::kunit_checksum_complete(skb.as_ptr());
        }
        assert_eq!(skb.prepare_offload(), Ok(None));
        let mut skb = packet(14 + 20 + 8 + 200)?;
        // SAFETY: The packet is ours, and has room for the headers.
        unsafe {
            netbind::kunit_udp_gso(skb.as_ptr(), 100, 5);
            netbind::kunit_checksum_complete(skb.as_ptr());
        }
        assert_eq!(skb.prepare_offload(), Err(EINVAL));
        Ok(())
    }

    #[test]
    fn headers_that_are_not_in_the_linear_part_are_left_alone() -> Result {
        const LEN: u16 = 14 + 20 + 8 + 200;
        for (start, is_there) in [
            (14 + 20 - 1, false),
            (14 + 20, true),
            (LEN - 8, true),
            (LEN - 7, false),
            (LEN, false),
            (u16::MAX, false),
        ] {
            let mut skb = packet(LEN.into())?;
            // SAFETY: The packet is ours, and has room for the headers.
            unsafe {
                netbind::kunit_udp_gso(skb.as_ptr(), 100, 5);
                netbind::kunit_checksum_start(skb.as_ptr(), start);
            }
            let prepared = skb.prepare_offload().map(|offload| offload.is_some());
            assert_eq!(prepared, if is_there { Ok(true) } else { Err(EINVAL) });
        }
        Ok(())
    }

    #[test]
    fn headers_of_a_packet_with_other_owners_are_left_alone() -> Result {
        let mut skb = packet(14 + 20 + 8 + 200)?;
        // SAFETY: The packet is ours, and has room for the headers.
        unsafe { netbind::kunit_udp_gso(skb.as_ptr(), 100, 5) };
        let other = another(&skb);
        assert_eq!(skb.prepare_offload(), Err(EBUSY));
        // SAFETY: The packet has a transport header.
        assert_eq!(unsafe { netbind::kunit_udp_check(skb.as_ptr()) }, 5);
        drop(other);
        assert!(skb.prepare_offload()?.is_some());
        Ok(())
    }

    #[test]
    fn padding_beyond_any_frame_is_refused() -> Result {
        for len in [MAX_PADDED + 1, 1 << 31, u32::MAX] {
            let freed = freed_by(|| {
                assert_eq!(packet(14)?.pad_to(len).err(), Some(EINVAL));
                Ok(())
            })?;
            assert_eq!(freed, 1);
        }
        assert_eq!(packet(14)?.pad_to(MAX_PADDED)?.len(), MAX_PADDED);
        Ok(())
    }
}
