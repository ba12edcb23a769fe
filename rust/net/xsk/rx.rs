// SPDX-License-Identifier: GPL-2.0

//! The end of a pool that receives.

use super::{
    claim,
    Pool,
    Shared, //
};
use crate::{
    dma::Coherent,
    memory::{
        Instance,
        Waking, //
    },
    napi,
    ring::Window,
    skb::RxSkb,
    xdp::{
        self,
        Frame,
        Hints,
        Info,
        Program, //
    }, //
};
use core::{
    cell::UnsafeCell,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu,
        Arc, //
    }, //
};

/// What becomes of a frame a device received, as a program has decided.
pub enum Verdict {
    /// The stack is to have it: this copy.
    Pass(RxSkb),
    /// The same, but there is no memory.
    NoMemory,
    /// It is to be sent by the device that received it: this copy.
    Transmit(Frame),
    /// A socket, or another device or CPU has it.
    Redirected,
    /// The socket has no room for it.
    Full,
    /// The program did not want it.
    Dropped,
    /// The program failed, or asked for what cannot be done. Whoever traces `xdp:xdp_exception`
    /// has been told.
    Failed,
}

/// The receiving end of a [`Pool`]: the buffers offered to the device, oldest first, with one place for
/// each descriptor.
///
/// May be dropped wherever [`Poll::Rearm`](napi::Poll::Rearm) of its instance may be, as the last
/// reference to the instance may go with it; before the instance has ended or after, which is what
/// gives the buffers back.
///
/// # Invariants
///
/// There is one for `ring`. `napi` is that of `instance`, whose end gives the buffers of the ring back.
pub struct Rx {
    ring: Arc<Ring>,
    napi: *mut netbind::napi_struct,
    /// So that there is no other at the same address.
    _instance: Arc<dyn Instance>,
}

// SAFETY: An end of a pool may be used by any thread that polls its instance.
unsafe impl Send for Rx {}

/// # Invariants
///
/// `buffers` and `info` are only used in polls of the instance that was made with this, while it is made,
/// and when it has ended.
struct Ring {
    pool: Pool,
    info: Info,
    buffers: UnsafeCell<Buffers>,
}

// SAFETY: By the type invariants there is one user at a time.
unsafe impl Send for Ring {}
// SAFETY: The same.
unsafe impl Sync for Ring {}

/// # Invariants
///
/// There are as many places as `window` is of. Those it says have a buffer own one of the pool each.
pub(super) struct Buffers {
    pub(super) places: KVVec<*mut netbind::xdp_buff>,
    pub(super) window: Window,
}

/// A [`Ring`] as its instance keeps it. Its drop gives the buffers back.
struct Offered {
    ring: Arc<Ring>,
    _waking: Waking,
}

impl Drop for Offered {
    fn drop(&mut self) {
        let pool = &self.ring.pool.0;
        // SAFETY: The instance has ended: nobody else uses it, and its buffers.
        let buffers = unsafe { &mut *self.ring.buffers.get() };
        {
            let _rcu = rcu::read_lock();
            while let Some(buff) = buffers.take(pool) {
                drop(buff);
            }
            if pool.need_wakeup && !pool.is_over() {
                // What is put into the fill ring has to be told to the next instance.
                // SAFETY: The pool is not over, in an RCU read side. The instance has ended: nobody
                // else says so.
                unsafe { netbind::xsk_ask_rx(pool.as_ptr()) };
            }
        }
        // SAFETY: Registered, and not used any more.
        unsafe { netbind::xdp_rxq_info_unreg(self.ring.info.as_ptr()) };
        pool.receives.store(false, Relaxed);
    }
}

/// Where the device finds a buffer.
///
/// # Safety
///
/// It is one of a pool.
#[inline(always)]
unsafe fn dma_addr(buff: *mut netbind::xdp_buff) -> u64 {
    // SAFETY: By the requirements of this function, so that it is the first part of what the pool knows of it.
    unsafe { (*buff.cast::<netbind::xdp_buff_xsk>()).dma }
}

impl Buffers {
    fn new(descs: u32) -> Result<Self> {
        let mut places = KVVec::with_capacity(descs as usize, GFP_KERNEL)?;
        for _ in 0..descs {
            places.push(core::ptr::null_mut(), GFP_KERNEL)?;
        }
        // INVARIANT: there are no buffers.
        Ok(Self {
            places,
            window: Window::new(descs).ok_or(EINVAL)?,
        })
    }

    /// Takes the oldest buffer out of its place. `None` if there is none; or if the pool is over, whose
    /// memory is gone, so that who owns a buffer owns nothing. Where the end of the pool waits, and not
    /// for longer.
    #[inline]
    fn take(&mut self, pool: &Shared) -> Option<Buff> {
        let over = pool.is_over();
        match self.take_valid() {
            Some(buff) if over => {
                core::mem::forget(buff);
                None
            }
            taken => taken,
        }
    }

    /// The same where the pool is known not to be over.
    #[inline]
    fn take_valid(&mut self) -> Option<Buff> {
        let index = self.window.oldest()?;
        let buff = *self.places.get(index as usize)?;
        // SAFETY: There is one.
        unsafe { self.window.taken() };
        // INVARIANT: the place had it, and is vacant now.
        Some(Buff(buff))
    }

    /// As of [`Rx::fill`]; `offer` is called for consecutive places that have a buffer now, with the number of the
    /// first.
    ///
    /// # Safety
    ///
    /// The pool is not over, in a poll or under RTNL.
    #[inline]
    unsafe fn fill(
        &mut self,
        pool: &Shared,
        mut offer: impl FnMut(u32, &[*mut netbind::xdp_buff]),
    ) -> bool {
        while self.window.vacant() != 0 {
            let first = self.window.next();
            let count = self.window.run();
            // SAFETY: `first` is below the number of places.
            let places = unsafe { self.places.as_mut_ptr().add(first as usize) };
            // SAFETY: The pool is not over, by the requirements of this function, and we are the only one
            // to use its buffers. There are `count` places from `first` on, all of them vacant.
            let filled = unsafe { netbind::xsk_fill(pool.as_ptr(), places, count) };
            // SAFETY: The callee has put so many buffers there.
            offer(first, unsafe {
                core::slice::from_raw_parts(places, filled as usize)
            });
            // INVARIANT: these places have buffers now.
            // SAFETY: The callee fills no more than `count`, and so many are vacant.
            unsafe { self.window.filled(filled) };
            if filled < count {
                return false;
            }
        }
        true
    }
}

impl Rx {
    /// Makes room for the buffers of a ring with `descs` descriptors, and registers the queue for
    /// programs. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the pool is that of another queue than the instance's, or unless `descs` is a power of
    /// two up to 2^16; `ENODEV` if the pool is over, `EBUSY` if it has a receiving end; `ENOMEM`.
    pub fn new(setup: &napi::Setup, pool: &Pool, descs: u32) -> Result<Self> {
        if !descs.is_power_of_two() || descs > 1 << 16 {
            return Err(EINVAL);
        }
        let ring = Arc::new(
            Ring {
                pool: pool.clone(),
                info: Info::new(),
                buffers: UnsafeCell::new(Buffers::new(descs)?),
            },
            GFP_KERNEL,
        )?;
        claim(setup, &pool.0, &pool.0.receives)?;
        let offered =
            Self::register(setup, &ring).inspect_err(|_| pool.0.receives.store(false, Relaxed))?;
        setup.keep(offered)?;
        let instance = setup.instance();
        // INVARIANT: the ring was just made.
        Ok(Self {
            ring,
            napi: instance.as_ptr(),
            _instance: instance,
        })
    }

    fn register(setup: &napi::Setup, ring: &Arc<Ring>) -> Result<KBox<Offered>> {
        let shared = &ring.pool.0;
        let room = KBox::new_uninit(GFP_KERNEL)?;
        // SAFETY: The device is valid, and outlives the instance, with which the registration ends.
        to_result(unsafe {
            netbind::xdp_rxq_info_reg(ring.info.as_ptr(), setup.device(), shared.queue, 0)
        })?;
        // From here on, dropping this cleans up.
        let offered = KBox::write(
            room,
            Offered {
                ring: ring.clone(),
                _waking: setup.waking(),
            },
        );
        // SAFETY: The queue was just registered. The pool is not over, and stays so, as RTNL is held while
        // an instance is made. Only we use its buffers, which stay, and so does the registration while
        // they are shown to programs: that is in `run`.
        unsafe {
            to_result(netbind::xdp_rxq_info_reg_mem_model(
                ring.info.as_ptr(),
                netbind::xdp_mem_type_MEM_TYPE_XSK_BUFF_POOL,
                core::ptr::null_mut(),
            ))?;
            netbind::xp_set_rxq_info(shared.as_ptr(), ring.info.as_ptr());
        }
        Ok(offered)
    }

    /// The pool and the buffers, for who polls the instance or makes it.
    #[inline]
    fn parts(&mut self, cx: &impl napi::Exclusive) -> Option<(&Shared, &mut Buffers)> {
        if napi::polled(cx) != self.napi {
            return None;
        }
        let ring = &*self.ring;
        // SAFETY: This is the only `Rx` of the ring, and borrowed for as long; the instance has not ended,
        // as `cx` is about it.
        Some((&ring.pool.0, unsafe { &mut *ring.buffers.get() }))
    }

    /// The descriptor behind the latest buffer, which is what the device is told; 0 in the poll of another
    /// instance.
    pub fn next(&mut self, cx: &impl napi::Exclusive) -> u32 {
        self.parts(cx)
            .map_or(0, |(_, buffers)| buffers.window.next())
    }

    /// Adds buffers until no place is vacant; `offer` is called for each with its descriptor and where
    /// the device finds it. Does not sleep. Returns whether there were enough. There are none if the pool
    /// is over, or in the poll of another instance.
    pub fn fill(&mut self, cx: &impl napi::Exclusive, mut offer: impl FnMut(u32, u64)) -> bool {
        match self.parts(cx) {
            Some((pool, buffers)) if !pool.is_over() => {
                // SAFETY: The pool is not over, in a poll or under RTNL.
                unsafe {
                    buffers.fill(pool, |first, buffs| {
                        for (index, buff) in (first..).zip(buffs) {
                            // SAFETY: It is a buffer of the pool.
                            offer(index, dma_addr(*buff));
                        }
                    })
                }
            }
            _ => false,
        }
    }

    /// What can be done with the buffers in this poll, if it is that of the instance, and the pool is not
    /// over.
    #[inline]
    pub fn polled<'a, 'b>(&'a mut self, cx: &'a mut napi::Context<'b>) -> Option<Polled<'a, 'b>> {
        let (pool, buffers) = self.parts(cx)?;
        // INVARIANT: whoever ends it waits for this poll.
        (!pool.is_over()).then_some(Polled { pool, buffers, cx })
    }
}

/// The receiving end of a pool, in a poll.
///
/// # Invariants
///
/// The pool is not over for as long as this is there: it is in the poll of its instance, which is that of
/// `cx`.
pub struct Polled<'a, 'b> {
    pub(super) pool: &'a Shared,
    pub(super) buffers: &'a mut Buffers,
    pub(super) cx: &'a mut napi::Context<'b>,
}

impl<'b> Polled<'_, 'b> {
    /// The poll.
    #[inline]
    pub fn cx(&mut self) -> &mut napi::Context<'b> {
        self.cx
    }

    /// The descriptor of the oldest buffer; `None` if there is none.
    #[inline]
    pub fn oldest(&self) -> Option<u32> {
        self.buffers.window.oldest()
    }

    /// The descriptor behind the latest buffer, which is what the device is told.
    #[inline]
    pub fn next(&self) -> u32 {
        self.buffers.window.next()
    }

    /// How many buffers can be added. One descriptor stays unused.
    #[inline]
    pub fn vacant(&self) -> u32 {
        self.buffers.window.vacant()
    }

    /// As of [`Rx::fill`]. `descs` are the descriptors of the places: each becomes what `offer` makes of where
    /// the device finds the buffer.
    #[inline]
    pub fn fill(&mut self, descs: &Coherent<[u64; 2]>, offer: impl Fn(u64) -> [u64; 2]) -> bool {
        // SAFETY: The pool is not over, in a poll.
        unsafe {
            self.buffers.fill(self.pool, |first, buffs| {
                // SAFETY: These are buffers of the pool.
                descs.write_run(first as usize, buffs, |buff| offer(dma_addr(*buff)));
            })
        }
    }

    /// Copies bytes the device wrote into the oldest buffer, from `offset` on, to `out`. Returns
    /// whether there is a buffer with room for as many.
    pub fn copy_oldest(&self, offset: u32, out: &mut [u8]) -> bool {
        let (Some(&buff), Ok(len)) = (
            self.oldest()
                .and_then(|index| self.buffers.places.get(index as usize)),
            u32::try_from(out.len()),
        ) else {
            return false;
        };
        let fits = offset
            .checked_add(len)
            .is_some_and(|end| end <= self.pool.frame_size);
        if fits {
            // SAFETY: The buffer is ours, of a pool that is not over, and has as many bytes for the device; so
            // has `out`.
            unsafe { netbind::xsk_copy(buff, offset, len, out.as_mut_ptr().cast()) };
        }
        fits
    }

    /// Gives the oldest buffer back to the pool.
    pub fn drop_oldest(&mut self) {
        drop(self.buffers.take_valid());
    }

    /// Shows `program` the oldest buffer, into which the device has written `len` bytes (cut to
    /// [`Pool::frame_size`]), and takes it out of its place. The program may ask for `hints`. What the program
    /// sends elsewhere leaves when the poll ends.
    ///
    /// [`Verdict::Dropped`] if there is no buffer.
    #[inline]
    pub fn run(&mut self, program: &Program, len: u32, hints: Hints) -> Verdict {
        let Some(buff) = self.buffers.take_valid() else {
            return Verdict::Dropped;
        };
        let len = len.min(self.pool.frame_size);
        // SAFETY: Program and buffer are valid by their type invariants, and the buffer has so many
        // bytes for the device, and room for what is a driver's. We are in a poll, as `cx` proves:
        // softirqs are off, and the kernel has set up what programs need. The net device is valid, as its
        // instance is polled.
        let act = unsafe {
            let shown = buff.0.cast::<netbind::nbh_xdp_buff>();
            (&raw mut (*shown).hints).write(hints.into_raw());
            netbind::xsk_run(program.as_ptr(), self.pool.dev, shown, len)
        };
        if act == netbind::NBH_XDP_REDIRECTED {
            self.cx.must_flush();
            // The target owns it, or has made a copy and given it back.
            core::mem::forget(buff);
            return Verdict::Redirected;
        }
        self.pool.follow(self.cx, program, buff, act)
    }

    /// Reports that a frame of [`Verdict::Transmit`] could not be sent after all, in the same poll.
    pub fn transmit_failed(&self, program: &Program) {
        self.pool.failed(program, netbind::xdp_action_XDP_TX);
    }

    /// Says whether the sockets have to wake the driver when they have put new buffers into the fill
    /// ring. Returns whether they know: if not, nobody but the driver looks for buffers.
    #[inline]
    pub fn set_need_wakeup(&mut self, needed: bool) -> bool {
        if !self.pool.need_wakeup {
            return false;
        }
        // SAFETY: The pool is not over, in a poll, and nobody else says so.
        unsafe {
            if needed {
                netbind::xsk_ask_rx(self.pool.as_ptr());
            } else {
                netbind::xsk_clear_rx_need_wakeup(self.pool.as_ptr());
            }
        }
        true
    }
}

/// What becomes of a buffer a program has seen, in a poll of the one who receives.
impl Shared {
    /// The program wanted it elsewhere, which has failed; `full`: for lack of room. A socket without room has
    /// given it back to the pool; others have not. That can be done twice, as nobody has taken a buffer from
    /// there since.
    #[cold]
    fn not_redirected(&self, program: &Program, buff: Buff, full: bool) -> Verdict {
        drop(buff);
        self.failed(program, netbind::xdp_action_XDP_REDIRECT);
        if full {
            Verdict::Full
        } else {
            Verdict::Failed
        }
    }

    #[inline(never)]
    pub(super) fn follow(
        &self,
        cx: &mut napi::Context<'_>,
        program: &Program,
        buff: Buff,
        act: u32,
    ) -> Verdict {
        match act {
            netbind::xdp_action_XDP_DROP => Verdict::Dropped,
            netbind::xdp_action_XDP_REDIRECT => self.not_redirected(program, buff, false),
            netbind::NBH_XDP_FULL => self.not_redirected(program, buff, true),
            netbind::xdp_action_XDP_PASS => {
                // SAFETY: We are in a poll of this instance, with a buffer that is ours.
                let skb = NonNull::new(unsafe { netbind::xsk_copy_skb(cx.as_ptr(), buff.0) });
                match skb {
                    // SAFETY: The skb is new and ours.
                    Some(skb) => Verdict::Pass(unsafe { RxSkb::from_raw(skb) }),
                    None => Verdict::NoMemory,
                }
            }
            netbind::xdp_action_XDP_TX => {
                // SAFETY: The buffer is ours; what is made of it is a copy, which is new and ours.
                let frame = unsafe {
                    NonNull::new(netbind::xdp_convert_zc_to_xdp_frame(buff.0))
                        .map(|raw| Frame::from_raw(raw))
                };
                match frame {
                    Some(frame) => {
                        // It was given back to the pool.
                        core::mem::forget(buff);
                        Verdict::Transmit(frame)
                    }
                    None => self.failed(program, act),
                }
            }
            netbind::xdp_action_XDP_ABORTED => self.failed(program, act),
            unknown => {
                // SAFETY: The program is valid, and the device, as its instance is polled. The kernel says
                // so once.
                unsafe {
                    netbind::bpf_warn_invalid_xdp_action(self.dev, program.as_ptr(), unknown)
                };
                self.failed(program, unknown)
            }
        }
    }

    #[cold]
    fn failed(&self, program: &Program, act: u32) -> Verdict {
        // SAFETY: The device is valid, as its instance is polled.
        unsafe { xdp::exception(self.dev, program, act) };
        Verdict::Failed
    }
}

/// A buffer that was taken out of its place. Its drop gives it back to the pool.
///
/// # Invariants
///
/// It is a buffer that this owns, of a pool whose end waits for who has found it not to be over. Nobody
/// else uses the buffers of that pool meanwhile.
pub(super) struct Buff(pub(super) *mut netbind::xdp_buff);

impl Drop for Buff {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The buffer is ours, and nobody else uses the buffers of its pool, by the type invariants.
        unsafe { netbind::xsk_free(self.0) };
    }
}
