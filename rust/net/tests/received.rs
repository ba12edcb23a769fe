// SPDX-License-Identifier: GPL-2.0

//! Unit tests of received frames.

use super::*;

#[kunit_tests(net_xdp_received)]
mod tests {
    use super::*;
    use crate::{
        kunit::holds_in_a_poll,
        page_pool::PagePool, //
    };

    /// The addresses of the pool's next pages.
    fn next<const N: usize>(pool: &mut PagePool, cx: &napi::Context<'_>) -> [Option<u64>; N] {
        let pages = [(); N].map(|()| pool.alloc(cx));
        pages
            .each_ref()
            .map(|page| page.as_ref().map(RxPage::dma_addr))
    }

    #[test]
    fn a_received_frame_gives_all_of_its_pages_back() -> Result {
        assert!(holds_in_a_poll(|pool, cx| {
            let pages = [(); 3].map(|()| pool.alloc(cx));
            let addresses = pages
                .each_ref()
                .map(|page| page.as_ref().map(RxPage::dma_addr));
            let [Some(first), Some(second), Some(third)] = pages else {
                return false;
            };
            let mut frame = Received::new(first, 100);
            if frame.append(second, 20).is_err() || frame.append(third, 3).is_err() {
                return false;
            }
            if frame.len() != 123 || !frame.is_fragmented() {
                return false;
            }
            drop(frame);
            let again: [_; 3] = next(pool, cx);
            addresses.iter().all(|address| again.contains(address))
        })?);
        Ok(())
    }

    #[test]
    fn a_packet_of_a_received_frame_has_all_of_its_bytes() -> Result {
        assert!(holds_in_a_poll(|pool, cx| {
            let (Some(first), Some(second)) = (pool.alloc(cx), pool.alloc(cx)) else {
                return false;
            };
            for (page, byte) in [(&first, 1), (&second, 2)] {
                // SAFETY: The page is ours, and nobody else writes to it.
                unsafe {
                    netbind::page_memory(page.as_ptr())
                        .cast::<u8>()
                        .add(HEADROOM as usize)
                        .write_bytes(byte, 100)
                };
            }
            let mut frame = Received::new(first, 100);
            if frame.append(second, 50).is_err() {
                return false;
            }
            let mut bytes = [0; 150];
            let copied = frame.copy_to(0, &mut bytes) && !frame.copy_to(1, &mut [0; 150]);
            let Some(skb) = frame.into_skb(cx) else {
                return false;
            };
            let mut of_skb = [0; 150];
            copied
                && bytes[..100].iter().all(|byte| *byte == 1)
                && bytes[100..].iter().all(|byte| *byte == 2)
                && skb.len() == 150
                && skb.copy_to(0, &mut of_skb)
                && of_skb == bytes
        })?);
        Ok(())
    }

    #[test]
    fn a_received_frame_takes_no_page_too_many_and_none_without_bytes() -> Result {
        assert!(holds_in_a_poll(|pool, cx| {
            let Some(mut frame) = pool.alloc(cx).map(|page| Received::new(page, 100)) else {
                return false;
            };
            let empty = pool
                .alloc(cx)
                .is_some_and(|page| frame.append(page, 0).is_ok());
            if !empty || frame.is_fragmented() {
                return false;
            }
            for _ in 0..netbind::MAX_SKB_FRAGS {
                let page = pool.alloc(cx);
                if page.is_none_or(|page| frame.append(page, 1).is_err()) {
                    return false;
                }
            }
            pool.alloc(cx)
                .is_some_and(|page| frame.append(page, 1).is_err())
                && frame.len() == 100 + netbind::MAX_SKB_FRAGS
        })?);
        Ok(())
    }
}
