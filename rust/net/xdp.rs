// SPDX-License-Identifier: GPL-2.0

//! XDP: BPF programs that decide on received frames before the stack knows of them.
//!
//! The device owns a [`Program`]. A receive ring has an [`RxQueue`] and runs the program with
//! [`RxQueue::run`] on pages the hardware has written ([`Received`]); the [`Verdict`] says what becomes
//! of them. Frames that are to be sent ([`Frame`]) come from a program of the device itself, or from
//! another device: a transmit queue takes both in
//! [`Transmit::xmit_frame`](crate::device::Transmit::xmit_frame).
//!
//! Frames have one buffer or several. Not every program can be shown the latter
//! ([`Program::takes_frags`]): a driver does not accept one that cannot while a packet may need more
//! than one.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h)

use crate::{
    later,
    memory::Instance,
    napi,
    page_pool::{
        PagePool,
        Reusable,
        RxPage,
        HEADROOM,
        ROOM, //
    },
};
use core::{
    cell::UnsafeCell,
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

mod frame;
mod hints;
mod received;
mod short;
mod walk;

pub use self::{
    frame::Frame,
    hints::{
        Hashed,
        Hints,
        Metadata, //
    },
    received::{
        Buff,
        Received, //
    },
    short::{
        Short,
        Shorts, //
    },
    walk::{
        Last,
        Walk,
        Whole, //
    },
};
pub(crate) use self::{
    frame::{
        Bulk,
        Done, //
    },
    walk::gone_through, //
};

// What programs are promised (`XDP_PACKET_HEADROOM`).
const _: () = assert!(HEADROOM == netbind::XDP_PACKET_HEADROOM);

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

    /// It can be shown frames of several buffers (`BPF_F_XDP_HAS_FRAGS`). Others take what is in the first
    /// for all there is.
    #[inline]
    pub fn takes_frags(&self) -> bool {
        // SAFETY: The program is valid by the type invariants.
        unsafe { netbind::xdp_takes_frags(self.as_ptr()) }
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
    /// The stack is to have it as it was received, in this page.
    Unchanged(RxPage),
    /// The stack is to have it, in several pages, or changed.
    Pass(Buff),
    /// It is to be sent by the device that received it.
    Transmit(Frame),
    /// The same; it is short.
    Short(Short),
    /// Another device, CPU or socket has it.
    Redirected,
    /// The program did not want it. With its page, if the device may write that again as it is.
    Dropped(Option<Reusable>),
    /// The program failed, or asked for what cannot be done. Whoever traces `xdp:xdp_exception`
    /// has been told, but for what [`RxQueue::run`] names.
    Failed,
}

/// A frame of one page that was shown to a program, which wants something with it.
pub struct Undecided {
    page: RxPage,
    act: u32,
}

/// A receive queue as programs know it (`struct xdp_rxq_info`), with pages of a [`PagePool`].
///
/// The kernel's part belongs to the NAPI instance, as the pool does. So this may be dropped anywhere, and
/// be kept by anything.
///
/// # Invariants
///
/// `info` is registered for the net device `dev`, with `pool`, which belongs to `instance`, for as long
/// as that has not ended. It is only used in the polls of that, whose NAPI is `napi`. `shown` says that
/// the queue is `info`, and that frames have a page.
///
/// # Examples
///
/// ```
/// use net::{
///     napi::Context,
///     skb::RxSkb,
///     xdp::{Frame, Hints, Program, Received, RxQueue, Verdict},
/// };
///
/// fn show(
///     queue: &mut RxQueue,
///     cx: &mut Context<'_>,
///     program: &Program,
///     (frame, hints): (Received, Hints),
///     send: impl FnOnce(Frame),
/// ) -> Option<RxSkb> {
///     let len = frame.len();
///     match queue.run(cx, program, frame, hints) {
///         Verdict::Unchanged(page) => return page.into_skb(cx, len),
///         Verdict::Pass(buff) => return buff.into_skb(cx),
///         Verdict::Transmit(frame) => send(frame),
///         Verdict::Short(_) => { /* Copies it to where the device finds it. */ }
///         Verdict::Redirected | Verdict::Dropped(_) | Verdict::Failed => (),
///     }
///     None
/// }
/// ```
pub struct RxQueue {
    info: Arc<Info>,
    index: u16,
    pool: *mut netbind::page_pool,
    dev: NonNull<netbind::net_device>,
    napi: *mut netbind::napi_struct,
    /// What programs are shown: the next frame of one page.
    shown: netbind::nbh_xdp_buff,
    /// So that there is no other at the same address.
    _instance: Arc<dyn Instance>,
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
        later::BULKS.flush();
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
        let number = u16::try_from(index).map_err(|_| EINVAL)?;
        let dev = NonNull::new(setup.device()).ok_or(ENODEV)?;
        let info = Arc::new(Info::new(), GFP_KERNEL)?;
        // CAST: a page is far smaller than 4 GiB.
        let frag_size = PAGE_SIZE as u32;
        // SAFETY: The device is valid, and outlives the instance, with which the registration ends. Each
        // further buffer of a frame has a page of its own, in which it may grow.
        to_result(unsafe {
            netbind::xdp_rxq_info_reg(info.as_ptr(), dev.as_ptr(), index, frag_size)
        })?;
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
        let instance = setup.instance();
        let mut shown = netbind::nbh_xdp_buff::default();
        // SAFETY: The frame is ours, and the registration stays for as long as it is used.
        unsafe { netbind::xdp_init(&mut shown.xdp, info.as_ptr()) };
        // INVARIANT: both registrations succeeded.
        Ok(Self {
            info,
            index: number,
            pool: pool.as_ptr(),
            dev,
            napi: instance.as_ptr(),
            shown,
            _instance: instance,
        })
    }

    /// `cx` is the poll of this queue's instance.
    #[inline]
    fn is_polled_by(&self, cx: &napi::Context<'_>) -> bool {
        cx.as_ptr() == self.napi
    }

    /// Shows `frame` to `program`, which may ask for `hints`. What the program sends elsewhere leaves when
    /// the poll ends. If the pages are of another pool than the queue's, the frame is dropped, which is
    /// [`Verdict::Failed`]. So it is if it has several and the program takes one
    /// ([`Program::takes_frags`]), and in the poll of another instance, of which nobody is told: the
    /// device need not be there.
    pub fn run(
        &mut self,
        cx: &mut napi::Context<'_>,
        program: &Program,
        frame: Received,
        hints: Hints,
    ) -> Verdict {
        if frame.is_fragmented() {
            return self.run_frags(cx, program, frame, hints);
        }
        let (page, len, _) = frame.into_parts();
        self.show(cx, program, (page, len), hints)
    }

    /// Shows a frame of one page: what a device has written into it, and how many bytes (cut to [`ROOM`]).
    #[inline]
    fn show(
        &mut self,
        cx: &mut napi::Context<'_>,
        program: &Program,
        (page, len): (RxPage, u32),
        hints: Hints,
    ) -> Verdict {
        if !self.is_polled_by(cx) {
            return Verdict::Failed;
        }
        self.shown.hints = hints.into_raw();
        // SAFETY: Program and registration are valid by their type invariants, and the page is ours, with
        // as many bytes. The pool is there, as its instance is polled, and its buffers begin behind the
        // headroom. We are in a poll, as `cx` proves: softirqs are off, and the kernel has set up what
        // programs need.
        let act = unsafe {
            netbind::xdp_show(
                program.0.as_ptr(),
                self.pool,
                page.as_ptr(),
                len.min(ROOM),
                &mut self.shown,
            )
        };
        if act == netbind::NBH_XDP_REDIRECTED {
            cx.must_flush();
            // The target owns the page now.
            let _ = ManuallyDrop::new(page);
            return Verdict::Redirected;
        }
        self.decide(cx, program, Undecided { page, act })
    }

    /// # Safety
    ///
    /// `page` was shown last, and the helper says that the frame is short.
    #[inline]
    unsafe fn short(&self, page: RxPage) -> Short {
        let xdp = &self.shown.xdp;
        let (data, end) = (xdp.data.cast::<u8>(), xdp.data_end.cast::<u8>());
        // CAST: a page is far smaller than 4 GiB.
        let len = end.addr().wrapping_sub(data.addr()) as u32;
        // SAFETY: The helper has set it up for this page, by the requirements of this function. Programs keep
        // the frame within it, and its data in front of its end.
        unsafe { Short::new(Reusable::new(page), NonNull::new_unchecked(data), len) }
    }

    /// What becomes of the frame that was shown to `program` last, in the same poll. Of another, that is
    /// [`Verdict::Failed`].
    #[inline(never)]
    pub fn decide(&self, cx: &napi::Context<'_>, program: &Program, frame: Undecided) -> Verdict {
        let Undecided { page, act } = frame;
        let xdp = &self.shown.xdp;
        if !self.is_polled_by(cx) || xdp.data_hard_start != page.memory() {
            return Verdict::Failed;
        }
        match act {
            netbind::NBH_XDP_UNWANTED => return Verdict::Dropped(Some(Reusable::new(page))),
            netbind::NBH_XDP_UNCHANGED => return Verdict::Unchanged(page),
            // SAFETY: That is what was shown last.
            netbind::NBH_XDP_SHORT => return Verdict::Short(unsafe { self.short(page) }),
            _ => {}
        }
        // SAFETY: The helper has set it up for this page, and programs keep the buffer within it. There are
        // no others.
        let buff = unsafe { Buff::new((&raw const *xdp).read(), page) };
        if act == netbind::xdp_action_XDP_REDIRECT {
            // It was tried.
            return self.failed(program, act);
        }
        self.follow(program, buff, act)
    }

    #[cold]
    fn run_frags(
        &mut self,
        cx: &mut napi::Context<'_>,
        program: &Program,
        frame: Received,
        hints: Hints,
    ) -> Verdict {
        if !self.is_polled_by(cx) {
            return Verdict::Failed;
        }
        if !program.takes_frags() {
            return self.failed(program, netbind::xdp_action_XDP_ABORTED);
        }
        let mut shown = MaybeUninit::<netbind::nbh_xdp_buff>::uninit();
        let raw = shown.as_mut_ptr();
        let (page, len, flags) = frame.into_parts();
        // SAFETY: As of `show`, and the pages as those of `Received` say.
        let act = unsafe {
            (&raw mut (*raw).hints).write(hints.into_raw());
            netbind::xdp_run(
                program.0.as_ptr(),
                self.info.as_ptr(),
                self.pool,
                page.as_ptr(),
                len,
                flags,
                raw,
            )
        };
        // SAFETY: The helper has set it up, whatever it has returned. Programs keep the first buffer
        // within its page, and give back pages behind it that they take away. All others were those of the
        // frame.
        let buff = unsafe { Buff::new((&raw const (*raw).xdp).read(), page) };
        if act == netbind::xdp_action_XDP_REDIRECT {
            if self.redirect(cx, program, buff) {
                return Verdict::Redirected;
            }
            return self.failed(program, act);
        }
        self.follow(program, buff, act)
    }

    /// What becomes of a frame that a program has seen, and that it does not want elsewhere.
    fn follow(&self, program: &Program, buff: Buff, act: u32) -> Verdict {
        match act {
            netbind::xdp_action_XDP_PASS => Verdict::Pass(buff),
            netbind::xdp_action_XDP_DROP => Verdict::Dropped(None),
            // SAFETY: The queue is registered, by the type invariants.
            netbind::xdp_action_XDP_TX => match unsafe { buff.into_frame() } {
                Some(frame) => Verdict::Transmit(frame),
                None => self.failed(program, act),
            },
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

    /// Reports that a frame of [`Verdict::Transmit`] or [`Verdict::Short`] could not be sent after all, in the
    /// same poll.
    pub fn transmit_failed(&self, cx: &napi::Context<'_>, program: &Program) {
        if self.is_polled_by(cx) {
            self.failed(program, netbind::xdp_action_XDP_TX);
        }
    }

    /// Hands a frame to where the program wants it. If that fails, its pages are back in their pool.
    fn redirect(&mut self, cx: &mut napi::Context<'_>, program: &Program, mut buff: Buff) -> bool {
        // SAFETY: Called right after the program, in the same poll; the buffers are in pages that
        // are ours, and the queue is registered.
        let result =
            unsafe { netbind::xdp_do_redirect(self.dev.as_ptr(), buff.raw(), program.0.as_ptr()) };
        if result != 0 {
            return false;
        }
        cx.must_flush();
        // The target owns the pages now.
        core::mem::forget(buff);
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
