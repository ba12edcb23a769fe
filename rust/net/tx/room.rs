// SPDX-License-Identifier: GPL-2.0

//! How many descriptors packets take, and when a queue has to be stopped for that.

use crate::skb::MAX_BUFFERS;

/// What a device's packets need of a transmit ring. To be made once, as a constant.
///
/// A ring has to have more descriptors than [`Room::wake`].
///
/// ```
/// use net::tx::Room;
///
/// /// A context in front of a packet, 4 KiB for a descriptor, no segmentation.
/// const ROOM: Room = Room::new(1, 4096, 1518);
///
/// const _: () = assert!(256 > ROOM.wake());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Room {
    lead: u32,
    max_len: u32,
    most: u32,
}

impl Room {
    /// Of a device whose packets have up to `max_bytes` bytes, with at most `lead` descriptors in front
    /// of the first buffer, and up to `max_len` bytes for a descriptor (see
    /// [`Layout`](super::Layout)).
    pub const fn new(lead: u32, max_len: u32, max_bytes: u32) -> Self {
        // A constant does not compile if this does not hold.
        assert!(max_len != 0 && lead < 1 << 16);
        let room = Self {
            lead,
            max_len,
            most: 0,
        };
        Self {
            most: room.needed(max_bytes, MAX_BUFFERS),
            ..room
        }
    }

    /// Upper bound of the descriptors that `len` bytes in `buffers` buffers take: each buffer begins
    /// one, and so may each `max_len` bytes.
    #[inline(always)]
    pub const fn needed(self, len: u32, buffers: u32) -> u32 {
        self.lead
            .wrapping_add(buffers)
            .wrapping_add(len / self.max_len)
    }

    /// A queue is stopped when fewer descriptors than this are free: any packet fits until then. One
    /// descriptor stays unused, as a device takes a ring whose head is its tail for empty.
    #[inline(always)]
    pub const fn stop(self) -> u32 {
        self.most.wrapping_add(1)
    }

    /// A stopped queue is woken when at least this many are free. The gap keeps a full ring from
    /// flapping.
    #[inline(always)]
    pub const fn wake(self) -> u32 {
        self.stop().wrapping_add(self.stop() / 2)
    }
}
