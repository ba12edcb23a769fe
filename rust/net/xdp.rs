// SPDX-License-Identifier: GPL-2.0

//! XDP: BPF programs that decide on received frames before the stack knows of them.
//!
//! The device owns a [`Program`]. A receive ring has an [`RxQueue`] and runs the program with
//! [`RxQueue::run`] on a page the hardware has written; the [`Verdict`] says what becomes of it.
//! Frames that are to be sent ([`Frame`]) come from a program of the device itself, or from
//! another device: a transmit queue takes both in
//! [`Transmit::xmit_frame`](crate::device::Transmit::xmit_frame).
//!
//! Frames have one buffer. Programs see packets of several buffers on no account: a driver does
//! not accept a program while a packet may need more than one.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h)

use crate::{
    later,
    memory::Instance,
    napi,
    page_pool::{
        PagePool,
        RxPage,
        HEADROOM,
        ROOM, //
    },
    skb::RxSkb, //
};
use core::{
    cell::UnsafeCell,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc, //
};

// What programs are promised (`XDP_PACKET_HEADROOM`).
const _: () = assert!(HEADROOM >= netbind::XDP_PACKET_HEADROOM);

/// A BPF program of type XDP. Clones refer to the same program.
///
/// # Invariants
///
/// The pointer is to a program this value owns a reference to.
pub struct Program(NonNull<netbind::bpf_prog>);

// SAFETY: Programs are immutable while they can be run, and references may be given back anywhere.
unsafe impl Send for Program {}
// SAFETY: Programs are immutable while they can be run, and references are counted atomically.
unsafe impl Sync for Program {}

impl Program {
    /// # Safety
    ///
    /// `ptr` is an XDP program, and the caller gives up one reference to it.
    pub(crate) unsafe fn from_raw(ptr: NonNull<netbind::bpf_prog>) -> Self {
        // INVARIANT: by the requirements of this function.
        Self(ptr)
    }
}

impl Program {
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::bpf_prog {
        self.0.as_ptr()
    }
}

/// Tells who traces it that `program`, or what it asked for, failed.
///
/// # Safety
///
/// `dev` is a valid net device.
pub(crate) unsafe fn exception(dev: *mut netbind::net_device, program: &Program, act: u32) {
    // SAFETY: The program is valid, and the device, by the requirements of this function.
    unsafe { netbind::trace_xdp_exception(dev, program.as_ptr(), act) };
}

impl Clone for Program {
    fn clone(&self) -> Self {
        // SAFETY: The program is valid by the type invariants.
        unsafe { netbind::bpf_prog_inc(self.0.as_ptr()) };
        // INVARIANT: we just took the reference.
        Self(self.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: We own the reference. The memory is freed after an RCU grace period, so runs
        // that are under way end first.
        unsafe { netbind::bpf_prog_put(self.0.as_ptr()) };
    }
}

/// What a program has decided. The frame is owned by what is in the variant, or gone.
pub enum Verdict {
    /// The stack is to have it.
    Pass(Buff),
    /// It is to be sent by the device that received it.
    Transmit(Frame),
    /// Another device, CPU or socket has it.
    Redirected,
    /// The program did not want it.
    Dropped,
    /// The program failed, or asked for what cannot be done. Whoever traces `xdp:xdp_exception`
    /// has been told.
    Failed,
}

/// A receive queue as programs know it (`struct xdp_rxq_info`), with pages of a [`PagePool`].
///
/// The kernel's part belongs to the NAPI instance, as the pool does. So this may be dropped anywhere, and
/// be kept by anything.
///
/// # Invariants
///
/// `info` is registered for the net device `dev`, with `pool`, which belongs to `instance`, for as long
/// as that has not ended. It is only used in the polls of that.
///
/// # Examples
///
/// ```
/// use net::{
///     napi::Context,
///     page_pool::RxPage,
///     skb::RxSkb,
///     xdp::{Frame, Program, RxQueue, Verdict},
/// };
///
/// fn show(
///     queue: &mut RxQueue,
///     cx: &mut Context<'_>,
///     program: &Program,
///     (page, len): (RxPage, u32),
///     send: impl FnOnce(Frame),
/// ) -> Option<RxSkb> {
///     match queue.run(cx, program, page, len) {
///         Verdict::Pass(buff) => return buff.into_skb(cx),
///         Verdict::Transmit(frame) => send(frame),
///         Verdict::Redirected | Verdict::Dropped | Verdict::Failed => (),
///     }
///     None
/// }
/// ```
pub struct RxQueue {
    info: Arc<Info>,
    pool: *mut netbind::page_pool,
    dev: NonNull<netbind::net_device>,
    instance: Arc<dyn Instance>,
}

// SAFETY: The registration is not bound to a CPU or task.
unsafe impl Send for RxQueue {}

/// A `struct xdp_rxq_info`.
pub(crate) struct Info(UnsafeCell<netbind::xdp_rxq_info>);

// SAFETY: It is only used by who polls its instance, and by who makes or has ended that.
unsafe impl Send for Info {}
// SAFETY: What is shared is not accessed through it, but by one user at a time.
unsafe impl Sync for Info {}

impl Info {
    /// One that is not registered.
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(netbind::xdp_rxq_info::default()))
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::xdp_rxq_info {
        self.0.get()
    }
}

/// An [`Info`] that is registered, as the instance keeps it whose queue it is.
struct Registered(Arc<Info>);

impl Drop for Registered {
    fn drop(&mut self) {
        later::FRAMES.flush();
        // SAFETY: Registered, and not used any more. Frames that are out do not refer to it.
        unsafe { netbind::xdp_rxq_info_unreg(self.0.as_ptr()) };
    }
}

impl RxQueue {
    /// Registers receive queue `index` of the net device that `setup` is for; its pages come from
    /// `pool`. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the pool is that of another instance, `ENOMEM`, and others if the device has no such
    /// queue.
    pub fn new(setup: &napi::Setup, pool: &PagePool, index: u32) -> Result<Self> {
        if !pool.is_polled_by(setup) {
            return Err(EINVAL);
        }
        let dev = NonNull::new(setup.device()).ok_or(ENODEV)?;
        let info = Arc::new(Info::new(), GFP_KERNEL)?;
        // SAFETY: The device is valid, and outlives the instance, with which the registration ends.
        to_result(unsafe { netbind::xdp_rxq_info_reg(info.as_ptr(), dev.as_ptr(), index) })?;
        // From here on, dropping this cleans up.
        let registered = KBox::new(Registered(info.clone()), GFP_KERNEL)?;
        // SAFETY: The queue was just registered. The model takes a reference to the pool, which is there,
        // as its instance is being made.
        to_result(unsafe {
            netbind::xdp_rxq_info_reg_mem_model(
                info.as_ptr(),
                netbind::xdp_mem_type_MEM_TYPE_PAGE_POOL,
                pool.as_ptr().cast(),
            )
        })?;
        setup.keep(registered)?;
        // INVARIANT: both registrations succeeded.
        Ok(Self {
            info,
            pool: pool.as_ptr(),
            dev,
            instance: setup.instance(),
        })
    }

    /// `cx` is the poll of this queue's instance.
    #[inline]
    fn is_polled_by(&self, cx: &napi::Context<'_>) -> bool {
        cx.as_ptr() == self.instance.as_ptr()
    }

    /// Runs `program` on the `len` bytes the device wrote into `page`. `len` is cut to what a
    /// page has room for. What the program sends elsewhere leaves when the poll ends. In the poll of
    /// another instance, or if the page is of another pool than the queue's, the frame is dropped, which
    /// is [`Verdict::Failed`].
    #[inline]
    pub fn run(
        &mut self,
        cx: &mut napi::Context<'_>,
        program: &Program,
        page: RxPage,
        len: u32,
    ) -> Verdict {
        if !self.is_polled_by(cx) {
            return Verdict::Failed;
        }
        let mut raw = netbind::xdp_buff::default();
        // SAFETY: Program, registration and page are valid by their type invariants; the data fits
        // by the `min`. We are in a poll, as `cx` proves: softirqs are off, and the kernel has set
        // up what programs need.
        let act = unsafe {
            netbind::xdp_run(
                program.0.as_ptr(),
                self.info.as_ptr(),
                self.pool,
                page.as_ptr(),
                HEADROOM,
                len.min(ROOM),
                &mut raw,
            )
        };
        // INVARIANT: the helper has set it up, and programs keep it within the page. Of a page of another
        // pool, of which it says that the program failed, it is not used.
        let buff = Buff { raw, page };
        match act {
            netbind::xdp_action_XDP_PASS => Verdict::Pass(buff),
            netbind::xdp_action_XDP_DROP => Verdict::Dropped,
            netbind::xdp_action_XDP_TX => match buff.into_frame() {
                Some(frame) => Verdict::Transmit(frame),
                None => self.failed(program, act),
            },
            netbind::xdp_action_XDP_REDIRECT => {
                if self.redirect(cx, program, buff) {
                    Verdict::Redirected
                } else {
                    self.failed(program, act)
                }
            }
            netbind::xdp_action_XDP_ABORTED => self.failed(program, act),
            unknown => {
                // SAFETY: The program is valid, and the device, as its instance is polled. The kernel says
                // so once.
                unsafe {
                    netbind::bpf_warn_invalid_xdp_action(
                        self.dev.as_ptr(),
                        program.0.as_ptr(),
                        unknown,
                    )
                };
                self.failed(program, unknown)
            }
        }
    }

    /// Reports that a frame of [`Verdict::Transmit`] could not be sent after all, in the same poll.
    pub fn transmit_failed(&self, cx: &napi::Context<'_>, program: &Program) {
        if self.is_polled_by(cx) {
            self.failed(program, netbind::xdp_action_XDP_TX);
        }
    }

    /// Hands a frame to where the program wants it. If that fails, the page is back in its pool.
    fn redirect(&mut self, cx: &mut napi::Context<'_>, program: &Program, buff: Buff) -> bool {
        let Buff { mut raw, page } = buff;
        // SAFETY: Called right after the program, in the same poll; the buffer is in a page that
        // is ours.
        let result =
            unsafe { netbind::xdp_do_redirect(self.dev.as_ptr(), &mut raw, program.0.as_ptr()) };
        if result != 0 {
            return false;
        }
        cx.must_flush();
        // The target owns the page now.
        let _ = ManuallyDrop::new(page);
        true
    }

    /// In a poll of the queue's instance.
    #[cold]
    fn failed(&self, program: &Program, act: u32) -> Verdict {
        // SAFETY: The device is valid, as its instance is polled.
        unsafe { exception(self.dev.as_ptr(), program, act) };
        Verdict::Failed
    }
}

/// A frame a program has seen, and perhaps changed, in the page it was received into.
///
/// # Invariants
///
/// `raw` describes one buffer within `page`: metadata, headroom and data in this order, and room
/// for the shared info of an skb behind them.
pub struct Buff {
    raw: netbind::xdp_buff,
    page: RxPage,
}

impl Buff {
    /// Makes a packet of it, with the metadata the program may have left.
    ///
    /// `None`: no memory; the page is back in its pool.
    #[inline]
    pub fn into_skb(self, _cx: &napi::Context<'_>) -> Option<RxSkb> {
        // SAFETY: By the type invariants the buffer is within a page that is ours, with room for
        // the shared info. We are in a poll, as `_cx` proves, whose cache of skbs may be used.
        let skb = NonNull::new(unsafe { netbind::xdp_build_skb(&self.raw) })?;
        // The skb owns the page now.
        let _ = ManuallyDrop::new(self.page);
        // SAFETY: The skb is new and ours.
        Some(unsafe { RxSkb::from_raw(skb) })
    }

    /// `None` if the program has left no room for the frame's description; the page is back in
    /// its pool.
    #[inline]
    fn into_frame(mut self) -> Option<Frame> {
        // SAFETY: By the type invariants the buffer is within a page that is ours; the description
        // is written into its headroom, if there is room.
        let frame = NonNull::new(unsafe { netbind::xdp_convert_buff_to_frame(&mut self.raw) })?;
        // The frame owns the page now.
        let _ = ManuallyDrop::new(self.page);
        // INVARIANT: just made, of one buffer, and ours.
        Some(Frame(frame))
    }
}

/// A frame without an skb (`struct xdp_frame`), owned. Dropping it gives its memory back to
/// where it came from, which may be another device. Any context: where interrupts are off, it waits
/// for that.
///
/// # Invariants
///
/// The pointer is to a valid `struct xdp_frame` of one buffer, which this value owns.
#[repr(transparent)]
pub struct Frame(NonNull<netbind::xdp_frame>);

// SAFETY: Frames may be given back on any CPU.
unsafe impl Send for Frame {}

impl Frame {
    /// Takes ownership of a frame. `None`, and the frame stays the caller's, if it has more than
    /// one buffer.
    ///
    /// # Safety
    ///
    /// `ptr` is a valid frame. If `Some` is returned, it is given up.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: NonNull<netbind::xdp_frame>) -> Option<Self> {
        // SAFETY: The frame is valid, by the requirements of this function.
        if unsafe { netbind::xdp_frame_has_frags(ptr.as_ptr()) } {
            return None;
        }
        // INVARIANT: by the requirements of this function, and the check above.
        Some(Self(ptr))
    }

    /// Gives up ownership without freeing the frame.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<netbind::xdp_frame> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::xdp_frame {
        self.0.as_ptr()
    }

    /// Bytes of the frame.
    #[inline]
    pub fn len(&self) -> u32 {
        // SAFETY: The frame is valid, by the type invariants.
        unsafe { (*self.as_ptr()).len }
    }

    /// The frame has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the bytes from `offset` on to `out`. Returns whether the frame has as many. Any
    /// context.
    pub fn copy_to(&self, offset: u32, out: &mut [u8]) -> bool {
        let end = (offset as usize).saturating_add(out.len());
        if end > self.len() as usize {
            return false;
        }
        // SAFETY: The frame is valid, by the type invariants: `len` bytes in one buffer from `data`
        // on, of which these are some, as was checked. `out` is ours alone.
        unsafe {
            let data = (*self.as_ptr()).data.cast::<u8>().add(offset as usize);
            core::ptr::copy_nonoverlapping(data, out.as_mut_ptr(), out.len());
        }
        true
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: We own the frame.
        unsafe { later::FRAMES.give_back(self.0) };
    }
}
