// SPDX-License-Identifier: GPL-2.0

//! What the unit tests of this crate have in common: a device to belong to, a net device on top
//! of it, and a way to see what ran and what was let go of.

use crate::{
    binding::Binding,
    device::{
        Config,
        Driver,
        Features,
        Locked,
        Registration,
        Transmit,
        Unregistered, //
    },
    napi,
    page_pool::{
        self,
        PagePool, //
    },
    queue::TxQueue,
    rtnl,
    skb::SkBuff,
    xdp::Frame, //
};
use core::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::NonNull,
    sync::atomic::{
        AtomicUsize,
        Ordering, //
    },
};
use kernel::{
    device::Bound,
    faux,
    page::Page,
    prelude::*,
    str::CString,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Queues of [`Dummy`] devices.
pub(crate) const QUEUES: u32 = 2;

/// A count several owners share; the number of owners tells who still refers to it.
#[derive(Clone)]
pub(crate) struct Counter(Arc<(AtomicUsize, AtomicUsize)>);

/// Owns a [`Counter`] and counts itself as one of its owners.
pub(crate) struct Owner(Counter);

impl Counter {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Arc::new(
            (AtomicUsize::new(0), AtomicUsize::new(0)),
            GFP_KERNEL,
        )?))
    }

    /// Counts one event.
    pub(crate) fn count(&self) {
        self.0 .0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0 .0.load(Ordering::SeqCst)
    }

    /// Waits up to some seconds for the count.
    pub(crate) fn reaches(&self, count: usize) -> bool {
        for _ in 0..2000 {
            if self.get() >= count {
                return true;
            }
            fsleep(Delta::from_millis(2));
        }
        false
    }

    /// Returns something whose life is counted by [`Counter::owners`].
    pub(crate) fn owner(&self) -> Owner {
        self.0 .1.fetch_add(1, Ordering::SeqCst);
        Owner(self.clone())
    }

    pub(crate) fn owners(&self) -> usize {
        self.0 .1.load(Ordering::SeqCst)
    }
}

impl Owner {
    pub(crate) fn count(&self) {
        self.0.count();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0 .0 .1.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A device that is bound to a driver, without hardware. Dropping it unbinds it.
pub(crate) struct Parent(faux::Registration);

impl Parent {
    /// One whose name no other has, not even that of a test which failed: those are left behind.
    pub(crate) fn new() -> Result<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let name = CString::try_from_fmt(fmt!("net-kunit-{}", number))?;
        let this = Self(faux::Registration::new(&name, None)?);
        let dev: *mut netbind::device = core::ptr::from_ref(this.device()).cast_mut().cast();
        // SAFETY: The device is ours. It reaches all of memory, so that DMA to it maps one to one.
        unsafe {
            (*dev).coherent_dma_mask = u64::MAX;
            (*dev).dma_mask = &raw mut (*dev).coherent_dma_mask;
        }
        Binding::begin(this.device())?;
        Ok(this)
    }

    pub(crate) fn device(&self) -> &kernel::device::Device<Bound> {
        AsRef::<kernel::faux::Device<Bound>>::as_ref(&self.0).as_ref()
    }
}

/// Packets made by [`packet`] that were freed.
static FREED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn freed(_skb: *mut netbind::sk_buff) {
    FREED.fetch_add(1, Ordering::SeqCst);
}

/// A linear packet of `len` bytes 0xff.
pub(crate) fn packet(len: u32) -> Result<SkBuff> {
    // SAFETY: No preconditions.
    let skb = unsafe { netbind::__alloc_skb(len + 64, netbind::GFP_KERNEL, 0, -1) };
    let skb = NonNull::new(skb).ok_or(ENOMEM)?;
    // SAFETY: The skb is new and ours, and has room for `len` bytes; memory of those is
    // written before anyone reads it.
    unsafe {
        netbind::skb_put(skb.as_ptr(), len)
            .cast::<u8>()
            .write_bytes(0xff, len as usize);
        (*skb.as_ptr()).__bindgen_anon_3.__bindgen_anon_1.destructor = Some(freed);
        Ok(SkBuff::from_raw(skb))
    }
}

/// How many packets of [`packet`] were freed while `run` ran. Unit tests run one after the other.
pub(crate) fn freed_by(run: impl FnOnce() -> Result) -> Result<usize> {
    let before = FREED.load(Ordering::SeqCst);
    run()?;
    Ok(FREED.load(Ordering::SeqCst) - before)
}

/// Calls `f` in a hard interrupt of this CPU. Process or softirq context.
pub(crate) fn in_irq(f: impl FnOnce()) {
    /// # Safety
    ///
    /// `arg` points to an `Option<F>` that nobody else refers to.
    unsafe extern "C" fn run<F: FnOnce()>(arg: *mut c_void) {
        // SAFETY: `arg` points to an `Option<F>` that nobody else refers to, by the safety
        // requirement of this function.
        if let Some(f) = unsafe { (*arg.cast::<Option<F>>()).take() } {
            f();
        }
    }
    fn call<F: FnOnce()>(f: F) {
        let mut f = Some(f);
        // SAFETY: `run` is called with a pointer to an option of this type, before this returns.
        unsafe { netbind::kunit_in_irq(Some(run::<F>), (&raw mut f).cast()) };
    }
    call(f);
}

/// A frame of `len` bytes.
pub(crate) fn frame(len: u32) -> Result<Frame> {
    let page = ManuallyDrop::new(Page::alloc_page(GFP_KERNEL)?);
    // SAFETY: The page is ours, and becomes the frame's, which is new and ours.
    unsafe {
        NonNull::new(netbind::xdp_frame_of_page(page.as_ptr().cast(), len, false))
            .map(|frame| Frame::from_raw(frame))
            .ok_or(EINVAL)
    }
}

/// A frame whose first buffer has `len` bytes `byte`, and that has one of `lens` bytes each behind it, of
/// the bytes that follow.
pub(crate) fn frame_of(len: u32, byte: u8, lens: &[u32]) -> Result<Frame> {
    let frame = frame(len)?;
    // SAFETY: The frame is ours, and has so many bytes.
    unsafe {
        (*frame.as_ptr())
            .data
            .cast::<u8>()
            .write_bytes(byte, len as usize)
    };
    for (len, byte) in lens.iter().zip(byte + 1..) {
        let page = ManuallyDrop::new(Page::alloc_page(GFP_KERNEL)?);
        let raw = page.as_ptr().cast();
        // SAFETY: The page is ours, and becomes the frame's.
        unsafe {
            netbind::page_memory(raw)
                .cast::<u8>()
                .write_bytes(byte, *len as usize);
            netbind::kunit_xdp_add_frag(frame.as_ptr(), raw, *len);
        }
    }
    Ok(frame)
}

/// The least a driver can be.
pub(crate) struct Dummy {
    _owner: Owner,
}

/// The owner of [`Dummy`]: as for code that is no module, since this crate does not know which
/// module it is part of.
pub(crate) struct NoModule;

impl kernel::ModuleMetadata for NoModule {
    const NAME: &'static CStr = c"net-kunit";
    const THIS_MODULE: ThisModule = {
        // SAFETY: Outside of modules it is NULL.
        unsafe { ThisModule::from_ptr(core::ptr::null_mut()) }
    };
}

/// Drops what it is given to send. Returns what it was made with as what cannot be sent.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) skb: Option<SkBuff>,
    pub(crate) frame: Option<Frame>,
    /// It says of frames that it has copied them.
    pub(crate) copies: bool,
}

impl Transmit for Sink {
    fn xmit(&mut self, _skb: SkBuff, _queue: TxQueue<'_>) -> Result<(), SkBuff> {
        self.skb.take().map_or(Ok(()), Err)
    }

    fn xmit_frame(&mut self, frame: Frame, _queue: TxQueue<'_>) -> Result<Option<Frame>, Frame> {
        if self.copies {
            return Ok(Some(frame));
        }
        self.frame.take().map_or(Ok(None), Err)
    }
}

#[vtable]
impl Driver for Dummy {
    type OwnerModule = NoModule;
    type Tx = Sink;
    type Ethtool = ();
    type Vf = ();

    fn open(&self, _dev: &Locked<Self>) -> Result {
        Ok(())
    }

    fn stop(&self, _dev: &Locked<Self>) {}
}

/// Registers a net device of [`QUEUES`] queues, of which `in_use` are used. Its driver is one
/// owner of `counter`.
pub(crate) fn register(
    parent: &Parent,
    counter: &Counter,
    in_use: u32,
) -> Result<Registration<Dummy>> {
    register_of(
        Unregistered::new(parent.device(), QUEUES)?,
        parent,
        counter,
        in_use,
    )
}

/// The same with a net device that is made already.
pub(crate) fn register_of(
    dev: Unregistered<Dummy>,
    parent: &Parent,
    counter: &Counter,
    in_use: u32,
) -> Result<Registration<Dummy>> {
    let driver = Arc::new(
        Dummy {
            _owner: counter.owner(),
        },
        GFP_KERNEL,
    )?;
    dev.register(
        parent.device(),
        driver,
        &Config {
            features: Features::NONE,
            hw_features: Features::NONE,
            vlan_features: Features::NONE,
            enc_features: Features::NONE,
            mpls_features: Features::NONE,
            partial_features: Features::NONE,
            no_fcs: false,
            xdp_frags: false,
            min_mtu: 68,
            max_mtu: 1500,
            watchdog: Delta::from_secs(5),
            queues: in_use,
            mac: [2, 0, 0, 0, 0, 1],
        },
    )
}

/// What a test does with its pool, in the context it is made for: a poll. The result is
/// whether all of it was as expected.
pub(crate) type Step = fn(&mut PagePool, &mut napi::Context<'_>) -> bool;

/// Does one step in each poll, and counts those that were as expected.
pub(crate) struct Once {
    pub(crate) pool: PagePool,
    pub(crate) step: Step,
    pub(crate) good: Owner,
}

impl napi::Poll for Once {
    type Rearm = Owner;

    fn poll(&mut self, cx: &mut napi::Context<'_>, _budget: u32) -> u32 {
        if (self.step)(&mut self.pool, cx) {
            self.good.count();
        }
        0
    }

    fn poll_tx(&mut self, _cx: &mut napi::TxContext<'_>) {}

    fn rearm(rearm: &Owner) {
        rearm.count();
    }
}

/// Of the pools tests make.
pub(crate) fn config(buffer_len: u32) -> page_pool::Config {
    page_pool::Config {
        pages: 64,
        buffer_len,
        queue: 0,
    }
}

/// An instance with a pool and a step. `counters`: of the steps that were as expected, and of the polls.
pub(crate) fn polled(
    parent: &Parent,
    dev: &Registration<Dummy>,
    counters: (&Counter, &Counter),
    step: Step,
    config: page_pool::Config,
) -> Result<napi::Napi<Once>> {
    let rtnl = rtnl::lock();
    let dev = dev.under(&rtnl).ok_or(ENODEV)?;
    napi::Napi::new(dev, 0, counters.1.owner(), |setup| {
        Ok(Once {
            pool: PagePool::new(parent.device(), setup, config)?,
            step,
            good: counters.0.owner(),
        })
    })
}

/// Whether `step` is content with what it finds in a poll.
pub(crate) fn holds_in_a_poll(step: Step) -> Result<bool> {
    let parent = Parent::new()?;
    let dev = register(&parent, &Counter::new()?, QUEUES)?;
    let (good, done) = (Counter::new()?, Counter::new()?);
    let mut napi = polled(&parent, &dev, (&good, &done), step, config(2048))?;
    napi.enable();
    napi.scheduler().schedule();
    let ended = done.reaches(1);
    let _rtnl = rtnl::lock();
    drop(napi);
    Ok(ended && good.get() == 1)
}
