// SPDX-License-Identifier: GPL-2.0

//! Socket buffers: packets on their way through the stack.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    napi,
    queue::TxQueue, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

mod offload;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/skb.rs"]
mod test;

pub use self::offload::{
    Gso,
    L4Proto,
    TxOffload, //
};

/// An owned `struct sk_buff`.
///
/// Dropping it frees the packet as *lost*. A packet that was sent is given back with
/// [`SkBuff::consume`], so that tools that look for packet loss can tell the two apart.
///
/// May be dropped in any context. To give it back as sent takes a poll, which says whether the cache
/// of the CPU is at hand:
///
/// ```
/// use net::{napi::TxContext, skb::SkBuff};
///
/// fn sent(cx: &TxContext<'_>, skb: SkBuff) {
///     skb.consume(cx);
/// }
/// ```
///
/// ```compile_fail,E0061
/// use net::skb::SkBuff;
///
/// fn sent(skb: SkBuff) {
///     skb.consume();
/// }
/// ```
///
/// # Invariants
///
/// The pointer is to a valid `struct sk_buff`, and this value owns one reference to it. No one
/// else changes the packet's metadata meanwhile; others that have a reference, such as
/// `AwaitsStamp` or the sender of a packet that is sent several times, only read it. What changes
/// a packet's memory ([`SkBuff::pad_to`], [`SkBuff::prepare_offload`]) looks whether there are
/// others.
///
/// # Examples
///
/// ```
/// use net::{device::Transmit, queue::TxQueue, skb::SkBuff, tx::{Layout, Producer}};
///
/// struct Ring { packets: Producer, max_len: u32 }
///
/// impl Transmit for Ring {
///     fn xmit(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Result<(), SkBuff> {
///         if skb.len() > self.max_len {
///             return Ok(()); // Dropped here.
///         }
///         let layout = Layout { lead: 0, max_len: 4096, bytes: skb.len() };
///         self.packets.push(queue, skb, layout, |_| { /* Writes a descriptor. */ })?;
///         Ok(())
///     }
/// }
/// ```
#[repr(transparent)]
pub struct SkBuff(NonNull<netbind::sk_buff>);

// SAFETY: An skb is not bound to the CPU or task that allocated it, and `SkBuff` owns it.
unsafe impl Send for SkBuff {}

impl SkBuff {
    /// Takes ownership of one reference to an skb.
    ///
    /// # Safety
    ///
    /// `ptr` is a valid skb, and the caller gives up one reference to it.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: NonNull<netbind::sk_buff>) -> Self {
        // INVARIANT: by the requirements of this function.
        Self(ptr)
    }

    /// Gives up ownership without freeing the packet.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<netbind::sk_buff> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::sk_buff {
        self.0.as_ptr()
    }

    /// Bytes of the packet, headers included.
    #[inline]
    pub fn len(&self) -> u32 {
        // SAFETY: The skb is valid by the type invariants.
        unsafe { (*self.as_ptr()).len }
    }

    /// The packet has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the packet that are not in the linear part.
    #[inline]
    pub fn data_len(&self) -> u32 {
        // SAFETY: The skb is valid by the type invariants.
        unsafe { (*self.as_ptr()).data_len }
    }

    /// Bytes of the linear part.
    #[inline]
    pub fn head_len(&self) -> u32 {
        self.len().wrapping_sub(self.data_len())
    }

    /// The transmit queue the stack chose.
    #[inline]
    pub fn queue_mapping(&self) -> u16 {
        // SAFETY: The skb is valid by the type invariants.
        unsafe { (*self.as_ptr()).queue_mapping }
    }

    /// Memory buffers the packet consists of: the linear part and each fragment.
    #[inline]
    pub fn buffers(&self) -> u32 {
        if self.data_len() == 0 {
            return 1;
        }
        u32::from(self.nr_frags()).wrapping_add(1)
    }

    /// Fragments behind the linear part; at most `MAX_SKB_FRAGS`.
    #[inline]
    pub(crate) fn nr_frags(&self) -> u8 {
        // SAFETY: The skb is valid by the type invariants.
        unsafe { (*self.shinfo()).nr_frags }
    }

    /// What a packet shares with its clones.
    #[inline]
    fn shinfo(&self) -> *const netbind::skb_shared_info {
        // SAFETY: The skb is valid by the type invariants, and the shared info always stands at
        // `end`, which is an offset from `head` (NET_SKBUFF_DATA_USES_OFFSET) on 64-bit kernels.
        unsafe {
            let skb = self.as_ptr();
            (*skb).head.add((*skb).end as usize).cast_const().cast()
        }
    }

    /// Begins to send the packet: takes the software timestamp, if a socket asked for one, and
    /// says what the stack asks of the device. In `xmit`, as `queue` proves. A packet of another
    /// device than the queue's is not stamped.
    #[inline]
    pub fn begin_tx(&self, queue: TxQueue<'_>) -> TxMeta {
        // SAFETY: Skb and queue are valid by their type invariants.
        TxMeta(unsafe { netbind::tx_begin(self.as_ptr(), queue.as_ptr()) })
    }

    /// The same for a device that takes timestamps itself. If a socket has asked for one of the device,
    /// that is all this says ([`TxMeta::asks_for_stamp`]). The caller then asks
    /// [`SkBuff::tx_meta`] for the rest, decides whether the device takes one
    /// ([`TxStamps::claim`](crate::ptp::TxStamps::claim)), and calls [`SkBuff::stamp_in_software`].
    #[inline]
    pub fn begin_tx_stamping(&self, queue: TxQueue<'_>) -> TxMeta {
        // SAFETY: Skb and queue are valid by their type invariants.
        TxMeta(unsafe { netbind::tx_begin_stamping(self.as_ptr(), queue.as_ptr()) })
    }

    /// What the stack asks of the device besides a timestamp. Any context.
    pub fn tx_meta(&self) -> TxMeta {
        // SAFETY: The skb is valid by the type invariants.
        TxMeta(unsafe { netbind::tx_meta(self.as_ptr()) })
    }

    /// Takes the software timestamp, if a socket asked for one and is content with it. As
    /// [`SkBuff::begin_tx`] otherwise.
    pub fn stamp_in_software(&self, queue: TxQueue<'_>) {
        // SAFETY: Skb and queue are valid by their type invariants.
        unsafe { netbind::tx_begin_late(self.as_ptr(), queue.as_ptr()) };
    }

    /// Keeps the net device of a packet that is sent through `queue`. `None` if it is not the one that
    /// `queue` is of: of any other it cannot be said whether it is still there, as a packet that a
    /// driver keeps does not keep it.
    pub(crate) fn hold_device(&self, queue: TxQueue<'_>) -> Option<HeldDevice> {
        // SAFETY: Skb and queue are valid by their type invariants.
        if !unsafe { netbind::tx_is_of(self.as_ptr(), queue.as_ptr()) } {
            return None;
        }
        let mut tracker = pin_init::zeroed();
        // SAFETY: The queue is valid, and so is its device.
        let dev = unsafe { netbind::netdev_hold_of(queue.as_ptr(), &mut tracker) };
        // INVARIANT: the reference was just taken.
        Some(HeldDevice { dev, tracker })
    }

    /// Tells the stack that a stamp of the device follows, and keeps the packet for it.
    ///
    /// # Safety
    ///
    /// `dev` is what [`SkBuff::hold_device`] has returned for this packet.
    pub(crate) unsafe fn begin_stamp(&self, dev: HeldDevice) -> AwaitsStamp {
        // SAFETY: The skb is valid by the type invariants, and the caller is its only user: it has not
        // been given to the device yet.
        unsafe { netbind::tx_stamp_begin(self.as_ptr()) };
        // INVARIANT: a reference was just taken; `dev` is that of the packet.
        AwaitsStamp {
            // SAFETY: This is the reference that was just taken.
            skb: unsafe { Self::from_raw(self.0) },
            dev,
        }
    }

    /// There is an `AwaitsStamp` of the packet.
    pub(crate) fn awaits_stamp(&self) -> bool {
        // SAFETY: The skb is valid by the type invariants.
        unsafe { netbind::tx_awaits_stamp(self.as_ptr()) }
    }

    /// Pads a short packet with zeroes to `len` bytes. A checksum that was left to the device is
    /// computed here then, because a device sums to the end of the frame, padding included.
    ///
    /// A packet that is to be segmented stays as it is: the device pads the segments. So does one with a
    /// check sequence of the sender's.
    ///
    /// To be called before [`SkBuff::begin_tx`], which says what is left to the device. Any context.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `len` is more than [`MAX_PADDED`], `EBUSY` if the packet has other owners and
    /// cannot be padded where it is, `ENOMEM`; the packet is gone.
    #[inline]
    pub fn pad_to(self, len: u32) -> Result<Self> {
        if self.len() >= len {
            return Ok(self);
        }
        self.pad_slow(len)
    }

    #[cold]
    fn pad_slow(self, len: u32) -> Result<Self> {
        if len > MAX_PADDED {
            return Err(EINVAL);
        }
        let meta = self.tx_meta();
        // Datagrams that may all together be this short, or what would not end in its check sequence.
        if self.is_segmented() || meta.has_fcs() {
            return Ok(self);
        }
        let pad = len.wrapping_sub(self.len());
        // Memory of other owners is not replaced: that is a BUG() of pskb_expand_head().
        if self.is_shared() && (self.is_cloned() || self.tailroom() < pad) {
            return Err(EBUSY);
        }
        if meta.wants_offload() {
            // Devices sum to the end of the frame, and not every checksum ignores zeroes (SCTP's CRC does not).
            // SAFETY: We own the skb, so its checksum may be changed, and it has one to be filled in.
            to_result(unsafe { netbind::skb_csum_hwoffload_help(self.as_ptr(), 0) })?;
        }
        let ptr = self.into_raw().as_ptr();
        // SAFETY: We own the skb, so its bytes may be changed. `pad` is positive as an `int`, as it is not more
        // than MAX_PADDED. The skb is freed if that fails.
        // CAST: not more than MAX_PADDED.
        to_result(unsafe { netbind::__skb_pad(ptr, pad as c_int, true) })?;
        // SAFETY: The reference `into_raw` gave us was not consumed. There are `pad` bytes behind the packet's,
        // all of which are in its linear part now, as __skb_put() asks for.
        unsafe {
            (*ptr).tail = (*ptr).tail.wrapping_add(pad);
            (*ptr).len = (*ptr).len.wrapping_add(pad);
            Ok(Self::from_raw(NonNull::new_unchecked(ptr)))
        }
    }

    /// The packet is to be segmented.
    fn is_segmented(&self) -> bool {
        // SAFETY: The skb is valid by the type invariants.
        unsafe { (*self.shinfo()).gso_size != 0 }
    }

    /// Others have a reference to this very packet.
    fn is_shared(&self) -> bool {
        // SAFETY: The skb is valid by the type invariants. Others may take and drop references meanwhile, hence
        // volatile.
        unsafe { (&raw const (*self.as_ptr()).users.refs.counter).read_volatile() != 1 }
    }

    /// Other packets may have the same memory.
    fn is_cloned(&self) -> bool {
        // SAFETY: The skb is valid by the type invariants.
        unsafe { netbind::skb_cloned(self.as_ptr()) }
    }

    /// Bytes that can be added where the packet is: none if it has fragments.
    fn tailroom(&self) -> u32 {
        if self.data_len() != 0 {
            return 0;
        }
        // SAFETY: The skb is valid by the type invariants. `tail` and `end` are offsets on 64-bit kernels.
        unsafe { (*self.as_ptr()).end.wrapping_sub((*self.as_ptr()).tail) }
    }

    /// The first byte, if the linear part has it. Any context.
    #[inline]
    pub fn first_byte(&self) -> Option<u8> {
        // SAFETY: The skb is valid by the type invariants, and so are the bytes of its linear part.
        // Others may read and write them, hence volatile.
        (self.head_len() != 0).then(|| unsafe { (*self.as_ptr()).data.read_volatile() })
    }

    /// Copies the bytes from `offset` on to `out`, wherever they are. Returns whether the packet
    /// has as many. Any context.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        let (Ok(offset), Ok(len)) = (i32::try_from(offset), i32::try_from(out.len())) else {
            return false;
        };
        // SAFETY: The skb is valid by the type invariants; `out` has room for `len` bytes. What the
        // packet does not have is refused.
        unsafe { netbind::skb_copy_bits(self.as_ptr(), offset, out.as_mut_ptr().cast(), len) == 0 }
    }

    /// The bytes that the device fills in of a packet it was prepared for: offset and number of
    /// bytes of the checksum that is left to it, both 0 if none is. `None` if it makes several
    /// packets of it. After [`SkBuff::prepare_offload`], if that is called at all. Any context.
    pub fn filled_in(&self) -> Option<(u16, u16)> {
        // SAFETY: The skb is valid by the type invariants.
        let filled = unsafe { netbind::tx_filled(self.as_ptr()) };
        // CAST: both halves.
        (filled != u32::MAX).then_some((filled as u16, (filled >> 16) as u16))
    }

    /// Frees a packet that reached its destination, in a poll.
    #[inline]
    pub fn consume(self, cx: &napi::TxContext<'_>) {
        // SAFETY: We own the skb and give it up. By the invariants of `TxContext` a budget other
        // than 0 means that this is softirq context, whose cache of skbs is at hand.
        unsafe { netbind::napi_consume_skb(self.into_raw().as_ptr(), cx.budget()) };
    }
}

/// A packet of whose stamp by the device the stack has been told that it follows.
///
/// The packet has another owner meanwhile, who sends it. Neither changes its metadata.
///
/// # Invariants
///
/// `dev` is the net device of `skb`.
pub(crate) struct AwaitsStamp {
    skb: SkBuff,
    // Behind the packet, which is freed first.
    dev: HeldDevice,
}

impl AwaitsStamp {
    /// Tells the sockets that asked for it when the device has sent the packet: `ns` on the
    /// device's clock. Process context or softirq.
    pub(crate) fn deliver(self, ns: i64) {
        let Self { skb, dev } = self;
        // SAFETY: The skb is valid by its type invariants, and the reference is given up. Its net
        // device is valid by the type invariants, as `dev` is still there.
        unsafe { netbind::tx_stamp_deliver(skb.into_raw().as_ptr(), ns) };
        drop(dev);
    }
}

/// A reference to a net device. Its unregistration waits until this is dropped.
///
/// # Invariants
///
/// The pointer is NULL, or to a net device to which this owns a reference, that of `tracker`.
pub(crate) struct HeldDevice {
    dev: *mut netbind::net_device,
    tracker: netbind::netdevice_tracker,
}

// SAFETY: References to net devices may be given up by any thread.
unsafe impl Send for HeldDevice {}

impl Drop for HeldDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own this reference, if there is a net device. It is not
        // used after this.
        unsafe { netbind::netdev_put(self.dev, &mut self.tracker) };
    }
}

impl SkBuff {
    /// Frees a packet whose bytes have been copied for the device. Bottom halves are off, as `_queue`
    /// proves, so that the CPU's cache of skbs is at hand.
    #[inline]
    pub(crate) fn consume_in_xmit(self, _queue: TxQueue<'_>) {
        // SAFETY: We own the skb and give it up; bottom halves are off.
        unsafe { netbind::tx_consume(self.into_raw().as_ptr()) };
    }
}

impl Drop for SkBuff {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: We own the reference, and it is not used after this.
        unsafe { netbind::kfree_skb_any(self.as_ptr()) };
    }
}

/// Most bytes [`SkBuff::pad_to`] pads to; far more than the shortest frame of any network.
pub const MAX_PADDED: u32 = 4096;

/// Most buffers of a packet: its linear part and its fragments.
pub const MAX_BUFFERS: u32 = 1 + netbind::MAX_SKB_FRAGS;

/// The requests in the metadata of a packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxMeta(u32);

impl TxMeta {
    /// Nothing but sending it.
    pub const PLAIN: Self = Self(0);

    /// A checksum or segmentation is left to the device: see [`SkBuff::prepare_offload`].
    #[inline]
    pub fn wants_offload(self) -> bool {
        self.0 & 1 != 0
    }

    /// A timestamp of the device is asked for, and [`SkBuff::tx_meta`] has the rest.
    #[inline]
    pub fn asks_for_stamp(self) -> bool {
        self.0 & 4 != 0
    }

    /// The packet ends in a check sequence of the sender's: the device is to add none.
    #[inline]
    pub fn has_fcs(self) -> bool {
        self.0 & 8 != 0
    }

    /// The VLAN tag (TCI) the device is to insert.
    #[inline]
    pub fn vlan_tci(self) -> Option<u16> {
        // CAST: bits 31:16.
        (self.0 & 2 != 0).then_some((self.0 >> 16) as u16)
    }
}

/// A packet that is being received: built from one buffer, extended by more, then delivered.
///
/// Owned like [`SkBuff`]; dropping it drops the packet and recycles its pages.
pub struct RxSkb(SkBuff);

impl RxSkb {
    /// # Safety
    ///
    /// As [`SkBuff::from_raw`]; no one else holds a reference.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: NonNull<netbind::sk_buff>) -> Self {
        // SAFETY: The skb is valid, and the caller gives up its reference, by the requirements of
        // this function.
        Self(unsafe { SkBuff::from_raw(ptr) })
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::sk_buff {
        self.0.as_ptr()
    }

    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<netbind::sk_buff> {
        self.0.into_raw()
    }

    /// Bytes received so far.
    #[inline]
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Bytes in the first buffer.
    #[inline]
    pub(crate) fn head_len(&self) -> u32 {
        self.0.head_len()
    }

    /// Nothing was received.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`SkBuff::copy_to`].
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        self.0.copy_to(offset, out)
    }

    /// Says when the device has received the packet: `ns` on the device's clock.
    pub fn set_stamp(&mut self, ns: i64) {
        // SAFETY: The skb is valid and not shared.
        unsafe { netbind::rx_stamp(self.as_ptr(), ns) };
    }

    /// One more page can be added.
    #[inline]
    pub fn has_room(&self) -> bool {
        u32::from(self.0.nr_frags()) < netbind::MAX_SKB_FRAGS
    }
}

/// Metadata of a received packet, as the device reported it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RxMeta {
    flags: u32,
    hash: u32,
    vlan_tci: u16,
}

impl RxMeta {
    /// The device verified the transport checksum.
    #[inline]
    pub fn checksum_good(mut self) -> Self {
        self.flags |= 1 << 0;
        self
    }

    /// Flow hash over the addresses.
    #[inline]
    pub fn hash_l3(mut self, hash: u32) -> Self {
        self.flags |= 1 << 1;
        self.hash = hash;
        self
    }

    /// Flow hash over addresses and ports.
    #[inline]
    pub fn hash_l4(mut self, hash: u32) -> Self {
        self.flags |= 1 << 2;
        self.hash = hash;
        self
    }

    /// The 802.1Q tag the device took out of the packet.
    #[inline]
    pub fn vlan(mut self, tci: u16) -> Self {
        self.flags |= 1 << 3;
        self.vlan_tci = tci;
        self
    }

    #[inline]
    pub(crate) fn on_queue(self, queue: u16) -> netbind::nbh_rx_meta {
        netbind::nbh_rx_meta {
            flags: self.flags,
            hash: self.hash,
            vlan_tci: self.vlan_tci,
            queue,
        }
    }
}
