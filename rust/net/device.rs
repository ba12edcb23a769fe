// SPDX-License-Identifier: GPL-2.0

//! Net devices: allocation, registration, and the operations a driver implements.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    ethtool,
    napi,
    queue::{
        RxQueueStats,
        TxQueue,
        TxQueueStats, //
    },
    rtnl,
    skb::SkBuff,
    vf,
    work,
    xdp, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{
        BitAnd,
        BitOr,
        Deref,
        Not, //
    },
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        AtomicPtr,
        Ordering, //
    },
};
use kernel::{
    device::Bound,
    devres::Devres,
    error::{
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    fmt, new_mutex,
    prelude::*,
    str::BStr,
    sync::{
        Arc,
        Mutex, //
    },
    time::Delta,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

mod ops;
#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/device.rs"]
mod test;

/// A transmit queue's state: what `xmit` fills.
pub trait Transmit: Send + 'static {
    /// Gives a packet to the hardware. Softirq context, under the queue's lock: hence
    /// `&mut self`. Must not sleep.
    ///
    /// # Errors
    ///
    /// The packet, if there is no room; the driver has stopped the queue then, and wakes it when
    /// there is. A packet that cannot be sent at all is dropped, which is `Ok`. Another packet than
    /// the one that was given is dropped: the stack has no use for it.
    fn xmit(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Result<(), SkBuff>;

    /// Gives a frame without an skb to the hardware, whose doorbell need not be rung before
    /// [`Transmit::flush_frames`]. Process or softirq context, under the queue's lock, also while
    /// the stack's use of the queue is stopped. Must not sleep.
    ///
    /// # Errors
    ///
    /// The frame, if it cannot be sent now. Another than the one that was given is dropped.
    fn xmit_frame(&mut self, frame: xdp::Frame, queue: TxQueue<'_>) -> Result<(), xdp::Frame> {
        let _ = queue;
        Err(frame)
    }

    /// Tells the hardware of the frames it does not know of yet. Same context.
    fn flush_frames(&mut self) {}
}

/// The operations of a net device. `Self` is the driver's state of one device, shared by all of
/// them.
///
/// Unless stated otherwise, operations run in process context with RTNL held and may sleep. Those that
/// may need it for something are given the device [`Locked`].
#[vtable]
pub trait Driver: Send + Sync + Sized + 'static {
    /// The state of one transmit queue.
    type Tx: Transmit;
    /// The ethtool operations; `()` for none.
    type Ethtool: ethtool::Ops<Self>;
    /// The operations on virtual functions; `()` for none.
    type Vf: vf::Ops<Self>;

    /// Brings the device up: allocates and starts its queues.
    ///
    /// # Errors
    ///
    /// The device stays down, with nothing allocated.
    fn open(&self, dev: &Locked<Self>) -> Result;

    /// Brings the device down. NAPI instances and transmit queues of [`Driver::open`] are gone
    /// when this returns.
    fn stop(&self, dev: &Locked<Self>);

    /// A transmit queue has been stopped for longer than the watchdog's time. Softirq context: takes
    /// no `SpinLock` that process context takes too, as that leaves softirqs enabled.
    fn tx_timeout(&self, dev: &Device<Self>, queue: u32) {
        let _ = (dev, queue);
    }

    /// The address lists or flags have changed. Called with a snapshot of the lists.
    ///
    /// # Errors
    ///
    /// The stack tries again after a while.
    fn set_rx_mode(
        &self,
        dev: &Device<Self>,
        unicast: AddrList<'_>,
        multicast: AddrList<'_>,
    ) -> Result {
        let _ = (dev, unicast, multicast);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A new MAC address, already checked to be a valid unicast one. The net device takes it on
    /// when this returns `Ok`.
    fn set_mac_address(&self, dev: &Device<Self>, mac: [u8; 6]) -> Result {
        let _ = (dev, mac);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A new MTU, within the device's limits. The net device takes it on when this returns `Ok`.
    fn change_mtu(&self, dev: &Locked<Self>, mtu: u32) -> Result {
        let _ = (dev, mtu);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns those of `features` that can be on together.
    fn fix_features(&self, dev: &Device<Self>, features: Features) -> Features {
        let _ = dev;
        features
    }

    /// Turns features on and off. Called with what [`Driver::fix_features`] returned.
    fn set_features(&self, dev: &Locked<Self>, features: Features) -> Result {
        let _ = (dev, features);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns those of `features` the hardware can apply to this packet. Softirq context.
    fn features_check(&self, dev: &Device<Self>, skb: PacketShape, features: Features) -> Features {
        let _ = (dev, skb);
        features
    }

    /// The device's counters. RCU read side: must not sleep.
    fn get_stats64(&self, dev: &Device<Self>, stats: &mut LinkStats) {
        let _ = (dev, stats);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Counters of a receive queue.
    fn rx_queue_stats(&self, dev: &Device<Self>, queue: u32) -> RxQueueStats {
        let _ = (dev, queue);
        RxQueueStats::default()
    }

    /// Counters of a transmit queue.
    fn tx_queue_stats(&self, dev: &Device<Self>, queue: u32) -> TxQueueStats {
        let _ = (dev, queue);
        TxQueueStats::default()
    }

    /// Counters of queues that are gone, so that device totals are complete.
    fn base_stats(&self, dev: &Device<Self>) -> (RxQueueStats, TxQueueStats) {
        let _ = dev;
        Default::default()
    }

    /// Lets packets of a VLAN (802.1Q) through the device's filter.
    fn vlan_rx_add_vid(&self, dev: &Device<Self>, vid: u16) -> Result {
        let _ = (dev, vid);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Takes [`Driver::vlan_rx_add_vid`] back.
    fn vlan_rx_kill_vid(&self, dev: &Device<Self>, vid: u16) -> Result {
        let _ = (dev, vid);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Replaces the device's XDP program. A driver that has this runs the program on what it
    /// receives, and implements [`Transmit::xmit_frame`].
    ///
    /// # Errors
    ///
    /// The old program stays.
    fn xdp_setup(
        &self,
        dev: &Locked<Self>,
        program: Option<xdp::Program>,
        extack: &mut ethtool::ExtAck<'_>,
    ) -> Result {
        let _ = (dev, program, extack);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A host's bridge wants packets to `mac` to reach this device (`bridge fdb add … self`).
    /// The address then also appears in the unicast list. Errors refuse it.
    fn check_fdb_add(&self, dev: &Device<Self>, mac: [u8; 6]) -> Result {
        let _ = (dev, mac);
        Ok(())
    }
}

/// What [`Driver::features_check`] needs to know of a packet's headers, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct PacketShape {
    /// From the start to the network header.
    pub mac_len: u32,
    /// From the network header to where the checksum starts; 0 if no checksum is asked for.
    pub network_len: u32,
}

/// What belongs to one pair of queues.
///
/// # Invariants
///
/// - `tx`, the state of the transmit queue, is only touched under the lock of that queue.
/// - `napi`, the instance the queues are linked to, is only touched under RTNL.
struct Slot<T> {
    tx: UnsafeCell<Option<KBox<T>>>,
    napi: UnsafeCell<Option<Arc<dyn napi::Instance>>>,
}

/// The private part of a net device, behind `netdev_priv()`.
struct Private<D: Driver> {
    data: *const D,
    slots: *const Slot<D::Tx>,
    nr_slots: usize,
    ethtool: ethtool::State,
}

/// A `struct net_device` whose driver is `D`.
///
/// # Invariants
///
/// The net device was allocated by [`Unregistered::new`] for the same `D`, and its
/// private part points to a driver state and transmit slots that outlive every reference
/// to this.
#[repr(transparent)]
pub struct Device<D: Driver>(Opaque<netbind::net_device>, PhantomData<D>);

// SAFETY: all methods are safe to call from any context they document.
unsafe impl<D: Driver> Sync for Device<D> {}

impl<D: Driver> Device<D> {
    /// # Safety
    ///
    /// `ptr` was allocated by [`Unregistered::new`] for the same `D`, its private part is set
    /// up, and both stay so for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut netbind::net_device) -> &'a Self {
        // SAFETY: by the requirements of this function; the wrapper is transparent.
        unsafe { &*ptr.cast() }
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::net_device {
        self.0.get()
    }

    #[inline]
    fn private(&self) -> &Private<D> {
        // SAFETY: by the type invariants; the private part follows the net device.
        unsafe { &*(*self.as_ptr()).priv_.as_ptr().cast() }
    }

    /// The driver's state.
    #[inline]
    pub fn data(&self) -> &D {
        // SAFETY: by the type invariants.
        unsafe { &*self.private().data }
    }

    pub(crate) fn ethtool_state(&self) -> &ethtool::State {
        &self.private().ethtool
    }

    #[inline]
    fn slots(&self) -> &[Slot<D::Tx>] {
        let private = self.private();
        // SAFETY: by the type invariants.
        unsafe { core::slice::from_raw_parts(private.slots, private.nr_slots) }
    }

    /// The same device, if it is registered: RTNL keeps it so.
    pub fn under<'a>(&'a self, _rtnl: &'a rtnl::Held) -> Option<&'a Locked<D>> {
        // SAFETY: the net device is valid; under RTNL the state does not change from or to this one.
        let state = unsafe { (&raw const (*self.as_ptr()).reg_state).read_volatile() };
        if u32::from(state) != netbind::netdev_reg_state_NETREG_REGISTERED {
            return None;
        }
        // SAFETY: RTNL is held for `'a`, by the current task, and the device is registered.
        Some(unsafe { Locked::from_raw(self.as_ptr()) })
    }

    /// A copy of the interface's name, such as `eth0`. Any context. While the interface is being
    /// renamed, which takes RTNL, it may be a mixture of the two.
    pub fn name(&self) -> Name {
        // SAFETY: the net device is valid; the bytes may change any time, hence volatile.
        Name(unsafe {
            (&raw const (*self.as_ptr()).name)
                .cast::<[u8; NAME_LEN]>()
                .read_volatile()
        })
    }

    /// Number of transmit queues the device was allocated with.
    pub fn num_tx_queues(&self) -> u32 {
        // SAFETY: the net device is valid; the field never changes.
        unsafe { (*self.as_ptr()).num_tx_queues }
    }

    /// Number of receive queues the device was allocated with.
    pub fn num_rx_queues(&self) -> u32 {
        // SAFETY: the net device is valid; the field never changes.
        unsafe { (*self.as_ptr()).num_rx_queues }
    }

    /// Number of queues in use.
    pub fn real_num_queues(&self) -> u32 {
        // SAFETY: the net device is valid; the field may change any time, hence volatile.
        unsafe { (&raw const (*self.as_ptr()).real_num_rx_queues).read_volatile() }
    }

    /// The interface is administratively up.
    pub fn is_running(&self) -> bool {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_running(self.as_ptr()) }
    }

    /// The MTU in bytes.
    pub fn mtu(&self) -> u32 {
        // SAFETY: the net device is valid; the field may change any time, hence volatile.
        unsafe { (&raw const (*self.as_ptr()).mtu).read_volatile() }
    }

    /// The features that are on.
    pub fn features(&self) -> Features {
        // SAFETY: the net device is valid; the field may change any time, hence volatile.
        Features(unsafe { (&raw const (*self.as_ptr()).features).read_volatile() })
    }

    /// All packets are wanted (`IFF_PROMISC`).
    pub fn is_promiscuous(&self) -> bool {
        self.flags() & netbind::net_device_flags_IFF_PROMISC != 0
    }

    /// All multicast packets are wanted (`IFF_ALLMULTI`).
    pub fn is_allmulti(&self) -> bool {
        self.flags() & netbind::net_device_flags_IFF_ALLMULTI != 0
    }

    fn flags(&self) -> u32 {
        // SAFETY: the net device is valid; the field may change any time, hence volatile.
        unsafe { (&raw const (*self.as_ptr()).flags).read_volatile() }
    }

    /// The MAC address. While it is being changed, which takes RTNL, it may be a mixture of the two.
    pub fn mac_address(&self) -> [u8; 6] {
        // SAFETY: `dev_addr` points to at least 6 bytes (MAX_ADDR_LEN) of the net device, which may
        // change any time, hence volatile.
        unsafe { (*self.as_ptr()).dev_addr.cast::<[u8; 6]>().read_volatile() }
    }

    /// Reports the link as up, if the device is registered. Any context.
    pub fn carrier_on(&self) {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_set_carrier(self.as_ptr(), true) };
    }

    /// Reports the link as down, if the device is registered. Any context.
    pub fn carrier_off(&self) {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_set_carrier(self.as_ptr(), false) };
    }

    /// The link is reported as up.
    pub fn carrier_ok(&self) -> bool {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_carrier_ok(self.as_ptr()) }
    }

    /// The device is not marked as absent.
    pub fn is_present(&self) -> bool {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_device_present(self.as_ptr()) }
    }

    /// Lets the stack send on all queues in use, and send what it holds back.
    pub fn wake_queues(&self) {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_tx_wake_all_queues(self.as_ptr()) };
    }

    /// Restarts the clock of the transmit watchdog: a reset is under way.
    pub fn trans_update(&self) {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_trans_update(self.as_ptr()) };
    }

    /// Puts the state of transmit queue `index` in place (or takes it away), and returns what was
    /// there. Waits for a running transmission on that queue. Process context.
    pub fn install_tx(&self, index: u32, tx: Option<KBox<D::Tx>>) -> Option<KBox<D::Tx>> {
        let (Some(queue), Some(slot)) =
            (self.raw_tx_queue(index), self.slots().get(index as usize))
        else {
            return tx;
        };
        // SAFETY: the queue is valid.
        unsafe { netbind::tx_lock_bh(queue.as_ptr()) };
        // SAFETY: we hold the lock of the queue that the slot belongs to.
        let old = core::mem::replace(unsafe { &mut *slot.tx.get() }, tx);
        // SAFETY: we hold the lock.
        unsafe { netbind::tx_unlock_bh(queue.as_ptr()) };
        old
    }

    /// Calls `f` with the state of transmit queue `index`, under the queue's lock. `None` if there
    /// is no state. Process or softirq context.
    #[inline]
    fn with_tx<R>(&self, index: u32, f: impl FnOnce(&mut D::Tx, TxQueue<'_>) -> R) -> Option<R> {
        let (queue, slot) = (self.raw_tx_queue(index)?, self.slots().get(index as usize)?);
        // SAFETY: the queue is valid.
        unsafe { netbind::tx_lock_bh(queue.as_ptr()) };
        // SAFETY: we hold the lock of the queue that the slot belongs to.
        let state = unsafe { &mut *slot.tx.get() };
        let result = state.as_mut().map(|tx| {
            // SAFETY: the queue lives as long as its device, and we hold its lock meanwhile.
            f(tx, unsafe { TxQueue::from_raw(queue) })
        });
        // SAFETY: we hold the lock.
        unsafe { netbind::tx_unlock_bh(queue.as_ptr()) };
        result
    }

    /// Sends frames on the queue that suits this CPU; returns how many, from the first on, are not
    /// the caller's any more. Softirq context.
    ///
    /// # Safety
    ///
    /// The pointers are to frames the caller owns.
    unsafe fn xmit_frames(&self, frames: &[*mut netbind::xdp_frame]) -> Result<usize> {
        // SAFETY: no preconditions.
        let index = unsafe { netbind::this_cpu() }
            .checked_rem(self.real_num_queues())
            .ok_or(ENETDOWN)?;
        self.with_tx(index, |tx, queue| {
            let sent = frames
                .iter()
                // SAFETY: by the requirements of this function.
                .take_while(|frame| unsafe { xmit_raw_frame(tx, **frame, queue) })
                .count();
            // Even if more may follow: they need not.
            tx.flush_frames();
            sent
        })
        .ok_or(ENETDOWN)
    }

    pub(crate) fn raw_tx_queue(&self, index: u32) -> Option<NonNull<netbind::netdev_queue>> {
        // SAFETY: the net device is valid.
        unsafe { raw_tx_queue_of(self.as_ptr(), index) }
    }

    /// Passes a packet to the state of its transmit queue. Under that queue's lock.
    ///
    /// # Safety
    ///
    /// The caller is `ndo_start_xmit` of this device, so it holds the lock of the packet's queue.
    #[inline]
    unsafe fn xmit(&self, skb: SkBuff) -> Result<(), SkBuff> {
        let index = skb.queue_mapping();
        let Some(slot) = self.slots().get(usize::from(index)) else {
            drop_unsent(skb);
            return Ok(());
        };
        // SAFETY: the caller holds the lock of the queue that the slot belongs to.
        let Some(tx) = (unsafe { &mut *slot.tx.get() }) else {
            drop_unsent(skb);
            return Ok(());
        };
        // SAFETY: there is a slot for each transmit queue, so the queue exists. The caller holds its
        // lock.
        let queue = unsafe {
            TxQueue::from_raw(NonNull::new_unchecked(
                (*self.as_ptr())._tx.add(usize::from(index)),
            ))
        };
        tx.xmit(skb, queue)
    }
}

/// A registered net device whose configuration does not change, as this task holds RTNL.
///
/// The operations that run under RTNL are given one; elsewhere [`Device::under`] makes one. What needs
/// RTNL can only be done with it:
///
/// ```
/// use kernel::prelude::*;
/// use net::device::{Device, Driver};
///
/// fn hide<D: Driver>(dev: &Device<D>) -> Result {
///     let rtnl = net::rtnl::lock();
///     let dev = dev.under(&rtnl).ok_or(ENODEV)?;
///     dev.detach();
///     Ok(())
/// }
/// ```
///
/// Without RTNL, there is neither that nor the like of it:
///
/// ```compile_fail,E0599
/// use net::device::{Device, Driver};
///
/// fn hide<D: Driver>(dev: &Device<D>) {
///     dev.detach();
/// }
/// ```
///
/// Nor is there in [`Driver::tx_timeout`], which is called under a lock that stopping all queues takes:
///
/// ```compile_fail,E0599
/// use net::device::{Device, Driver};
///
/// fn tx_timeout<D: Driver>(dev: &Device<D>, queue: u32) {
///     dev.disable_tx();
/// }
/// ```
///
/// A parent that may have lost its driver is not to be had as one that is bound:
///
/// ```compile_fail,E0599
/// use kernel::{device::{self, Bound}, prelude::*};
/// use net::device::{Driver, Registration};
///
/// fn parent<D: Driver>(dev: &Registration<D>) -> &device::Device<Bound> {
///     dev.parent()
/// }
/// ```
///
/// The device is locked no longer than RTNL is held, and for the task that holds it:
///
/// ```compile_fail,E0277
/// use net::device::{Driver, Locked};
///
/// fn share<T: Send>(value: T) {}
///
/// fn pass_on<D: Driver>(dev: &'static Locked<D>) {
///     share(dev);
/// }
/// ```
///
/// ```compile_fail,E0505
/// use kernel::prelude::*;
/// use net::device::{Device, Driver};
///
/// fn hide<D: Driver>(dev: &Device<D>) -> Result {
///     let rtnl = net::rtnl::lock();
///     let dev = dev.under(&rtnl).ok_or(ENODEV)?;
///     drop(rtnl);
///     dev.detach();
///     Ok(())
/// }
/// ```
///
/// # Invariants
///
/// As of [`Device`]. For as long as there is a reference to it, the current task holds RTNL, and the
/// unregistration of the net device, if it has begun, has not ended: it waits for RTNL, and after that
/// for references to the device.
#[repr(transparent)]
pub struct Locked<D: Driver>(Device<D>, NotThreadSafe);

impl<D: Driver> Deref for Locked<D> {
    type Target = Device<D>;

    #[inline]
    fn deref(&self) -> &Device<D> {
        &self.0
    }
}

impl<D: Driver> Locked<D> {
    /// # Safety
    ///
    /// As of [`Device::from_raw`]; for `'a`, the current task holds RTNL and the net device is
    /// registered.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut netbind::net_device) -> &'a Self {
        // SAFETY: by the requirements of this function; the wrapper is transparent.
        // INVARIANT: by the requirements of this function.
        unsafe { &*ptr.cast() }
    }

    /// The device this net device belongs to: bound to its driver, as a driver's net devices are
    /// unregistered, which takes RTNL, before that is over.
    pub fn parent(&self) -> &kernel::device::Device<Bound> {
        // SAFETY: the parent was set when the net device was allocated, and is referenced by it while
        // it is registered. It is bound: `Unregistered::new` was given proof of that, and the net
        // device cannot be unregistered while RTNL is held.
        unsafe { &*(*self.as_ptr()).dev.parent.cast() }
    }

    /// A way to transmit queue `index` that may be kept: by what sends from outside of `xmit`.
    pub fn tx_handle(&self, index: u32) -> TxHandle<D> {
        TxHandle {
            dev: self.hold(),
            index,
            _driver: PhantomData,
        }
    }

    /// Only of a registered device, which waits for references when it is unregistered.
    pub(crate) fn hold(&self) -> Hold {
        // SAFETY: the net device is valid.
        unsafe { Hold::new(self.as_ptr()) }
    }

    /// Sets the number of queues in use.
    ///
    /// # Errors
    ///
    /// `EINVAL` for more queues than there are, or none; `ENOMEM`.
    pub fn set_real_num_queues(&self, queues: u32) -> Result {
        // SAFETY: the net device is valid, and RTNL is held.
        to_result(unsafe { netbind::netif_set_real_num_queues(self.as_ptr(), queues, queues) })
    }

    /// Sets the largest MTU the user may choose.
    pub fn set_max_mtu(&self, mtu: u32) {
        // SAFETY: the net device is valid; readers expect whole words.
        unsafe { (&raw mut (*self.as_ptr()).max_mtu).write_volatile(mtu) };
    }

    /// Brings the device down, as `ip link set DEV down` does.
    ///
    /// Who watches the device is told while it still can do what that leads to: 8021q takes VLAN 0
    /// away, and complains if it cannot.
    pub fn close(&self) {
        // SAFETY: a valid registered net device, and RTNL is held. One that is down already is
        // left alone.
        unsafe { netbind::dev_close(self.as_ptr()) };
    }

    /// Marks the device as absent: the stack leaves it alone until [`Locked::attach`].
    pub fn detach(&self) {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_device_detach(self.as_ptr()) };
    }

    /// Marks the device as present again.
    ///
    /// What it shall receive may have changed meanwhile, which the stack tells no absent device:
    /// [`Driver::set_rx_mode`] is called soon afterwards, if the device is up.
    pub fn attach(&self) {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_device_attach(self.as_ptr()) };
        if self.is_running() {
            self.ask_for_rx_mode();
        }
    }

    /// Has the stack call `set_rx_mode`, which it only does for a change: an address comes and goes.
    fn ask_for_rx_mode(&self) {
        let dev = self.as_ptr();
        // SAFETY: the net device is valid, and its address is as long as it says. RTNL is
        // held, and the device is up, so that its closing ends a retry.
        unsafe {
            let address = (*dev).dev_addr;
            if netbind::dev_uc_add(dev, address) == 0 {
                netbind::dev_uc_del(dev, address);
            } else {
                // No memory: in a second.
                netbind::netif_rx_mode_schedule_retry(dev);
            }
        }
    }

    /// Stops all queues and waits for running transmissions to return. Not to be had by
    /// [`Driver::tx_timeout`], which is called under the lock this takes.
    pub fn disable_tx(&self) {
        // SAFETY: the net device is valid.
        unsafe { netbind::netif_tx_disable(self.as_ptr()) };
    }

    /// Links queues `index` to an instance of this device, or to none. The instance is kept until it
    /// is replaced, or the device is unregistered.
    pub(crate) fn link_napi(&self, index: u32, napi: Option<Arc<dyn napi::Instance>>) {
        let Some(slot) = self.slots().get(index as usize) else {
            return;
        };
        let raw = napi
            .as_ref()
            .map_or(core::ptr::null_mut(), |napi| napi.as_ptr());
        for kind in [
            netbind::netdev_queue_type_NETDEV_QUEUE_TYPE_RX,
            netbind::netdev_queue_type_NETDEV_QUEUE_TYPE_TX,
        ] {
            // SAFETY: the net device is valid, has such a queue for each slot, and RTNL is held. The
            // instance stays in memory while it is linked, as the slot keeps it.
            unsafe { netbind::netif_queue_set_napi(self.as_ptr(), index, kind, raw) };
        }
        // SAFETY: RTNL is held.
        let old = core::mem::replace(unsafe { &mut *slot.napi.get() }, napi);
        // Nothing refers to the cell any more: this may end in any code.
        drop(old);
    }
}

/// Drops a packet there is no queue for, and counts it. In `ndo_start_xmit`.
#[cold]
fn drop_unsent(skb: SkBuff) {
    // SAFETY: a packet that is to be sent has a net device, which is valid.
    unsafe { netbind::count_dropped(skb.as_ptr()) };
}

/// Sends one frame. If that fails, returns false, and the frame stays the caller's.
///
/// # Safety
///
/// `frame` is a frame the caller owns.
unsafe fn xmit_raw_frame<T: Transmit>(
    tx: &mut T,
    frame: *mut netbind::xdp_frame,
    queue: TxQueue<'_>,
) -> bool {
    // SAFETY: by the requirements of this function.
    let Some(owned) = NonNull::new(frame).and_then(|ptr| unsafe { xdp::Frame::from_raw(ptr) })
    else {
        return false;
    };
    match tx.xmit_frame(owned, queue) {
        Ok(()) => true,
        Err(given_back) if given_back.as_ptr() == frame => {
            let _ = given_back.into_raw();
            false
        }
        // Another one, which is the driver's to drop; it has kept or dropped the caller's.
        Err(_) => true,
    }
}

/// A way to one transmit queue of a net device, for what sends without being asked by the stack.
pub struct TxHandle<D: Driver> {
    // Keeps the device registered, and with it the queue and its state.
    dev: Hold,
    index: u32,
    _driver: PhantomData<fn() -> D>,
}

impl<D: Driver> TxHandle<D> {
    /// Calls `f` with the queue and its state, under the queue's lock. `None` if there is no state:
    /// the queue is closed. Process or softirq context; not from within the queue's own `xmit`.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut D::Tx, TxQueue<'_>) -> R) -> Option<R> {
        // SAFETY: the handle was made from a `Device<D>`. That is not unregistered while it is
        // held, and its private part and slots stay until it is.
        unsafe { Device::<D>::from_raw(self.dev.as_ptr()) }.with_tx(self.index, f)
    }
}

/// # Safety
///
/// `dev` is a valid net device.
#[inline]
unsafe fn raw_tx_queue_of(
    dev: *mut netbind::net_device,
    index: u32,
) -> Option<NonNull<netbind::netdev_queue>> {
    // SAFETY: the device is valid, and has `num_tx_queues` queues at `_tx`.
    unsafe {
        if index >= (*dev).num_tx_queues {
            return None;
        }
        NonNull::new((*dev)._tx.add(index as usize))
    }
}

/// A reference that keeps a net device from being unregistered.
///
/// # Invariants
///
/// This owns one reference (`dev_hold()`) to the net device.
pub(crate) struct Hold(NonNull<netbind::net_device>);

// SAFETY: references may be given back anywhere.
unsafe impl Send for Hold {}
// SAFETY: no method changes anything.
unsafe impl Sync for Hold {}

impl Hold {
    /// # Safety
    ///
    /// `dev` is a valid net device.
    pub(crate) unsafe fn new(dev: *mut netbind::net_device) -> Self {
        // SAFETY: by the requirements of this function; `Hold` gives the reference back.
        unsafe { netbind::dev_hold(dev) };
        // INVARIANT: we just took the reference.
        // SAFETY: a valid pointer is not null.
        Self(unsafe { NonNull::new_unchecked(dev) })
    }

    pub(crate) fn as_ptr(&self) -> *mut netbind::net_device {
        self.0.as_ptr()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: we own the reference.
        unsafe { netbind::dev_put(self.as_ptr()) };
    }
}

/// Bytes of an interface's name with its NUL (`IFNAMSIZ`).
const NAME_LEN: usize = 16;

/// The name an interface had.
#[derive(Clone, Copy)]
pub struct Name([u8; NAME_LEN]);

impl Name {
    /// Its bytes, without a NUL.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(BStr::from_bytes(self.as_bytes()), f)
    }
}

/// What a net device starts with.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Features that are on.
    pub features: Features,
    /// Features the user may turn on and off.
    pub hw_features: Features,
    /// Features VLAN devices on top inherit.
    pub vlan_features: Features,
    /// Smallest MTU, in bytes.
    pub min_mtu: u32,
    /// Largest MTU, in bytes.
    pub max_mtu: u32,
    /// How long it is normal for a transmit queue to be stopped.
    pub watchdog: Delta,
    /// Queues in use at first.
    pub queues: u32,
    /// MAC address.
    pub mac: [u8; 6],
}

/// A net device that user space cannot see yet.
///
/// # Invariants
///
/// The pointer is to a net device allocated for `D` that is not registered when this is dropped; this
/// owns it, its slots and, when its private part refers to that, the driver's state.
pub struct Unregistered<D: Driver> {
    dev: NonNull<netbind::net_device>,
    slots: KVec<Slot<D::Tx>>,
    _data: Option<Arc<D>>,
}

// SAFETY: a net device may be set up and freed by any thread. `D` is `Send` and `Sync`, and slots are
// only touched under their locks.
unsafe impl<D: Driver> Send for Unregistered<D> {}
// SAFETY: as above; no method takes a shared reference.
unsafe impl<D: Driver> Sync for Unregistered<D> {}

impl<D: Driver> Unregistered<D> {
    /// Allocates an Ethernet device with `queues` transmit and receive queues. Process context.
    pub fn new(parent: &kernel::device::Device<Bound>, queues: u32) -> Result<Self> {
        let mut slots = KVec::with_capacity(queues as usize, GFP_KERNEL)?;
        for _ in 0..queues {
            let slot = Slot {
                tx: UnsafeCell::new(None),
                napi: UnsafeCell::new(None),
            };
            slots.push(slot, GFP_KERNEL)?;
        }
        let size = i32::try_from(size_of::<Private<D>>())?;
        // SAFETY: no preconditions.
        let dev = unsafe { netbind::alloc_etherdev_mqs(size, queues, queues) };
        let dev = NonNull::new(dev).ok_or(ENOMEM)?;
        // SAFETY: both are valid; the net device takes a reference when it is registered.
        unsafe {
            netbind::set_netdev_dev(dev.as_ptr(), core::ptr::from_ref(parent).cast_mut().cast())
        };
        Ok(Self {
            dev,
            slots,
            _data: None,
        })
    }

    /// Makes the device visible. `parent` is the device it was allocated for. Process context, without
    /// RTNL.
    ///
    /// Operations on `data` may begin before this returns.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `parent` is another, or for a number of queues there cannot be; `ENOMEM`, and what
    /// the kernel says to the registration.
    pub fn register(
        self,
        parent: &kernel::device::Device<Bound>,
        data: Arc<D>,
        config: &Config,
    ) -> Result<Registration<D>> {
        let dev = self.dev.as_ptr();
        // SAFETY: the net device is ours. The parent it was made for may be gone: it is only compared.
        if unsafe { (*dev).dev.parent } != core::ptr::from_ref(parent).cast_mut().cast() {
            return Err(EINVAL);
        }
        let mut this = self;
        let private = Private {
            data: Arc::as_ptr(&data),
            slots: this.slots.as_ptr(),
            nr_slots: this.slots.len(),
            ethtool: ethtool::State::new(),
        };
        // SAFETY: the private part of the net device is large enough and aligned for it
        // (NETDEV_ALIGN); nobody uses it yet.
        unsafe {
            (*dev)
                .priv_
                .as_mut_ptr()
                .cast::<Private<D>>()
                .write(private)
        };
        ops::apply::<D>(dev, config);
        // SAFETY: the net device is ours, and nobody else knows it.
        to_result(unsafe {
            netbind::netif_set_real_num_queues(dev, config.queues, config.queues)
        })?;
        // SAFETY: as above.
        unsafe { netbind::netif_carrier_off(dev) };
        this._data = Some(data);
        let net = Arc::new(
            Net {
                owned: this,
                registered: AtomicBool::new(false),
                works: no_works()?,
            },
            GFP_KERNEL,
        )?;
        // From here on, dropping this cleans up.
        let end = Devres::new(parent, Ok::<_, Error>(End(net.clone())))?;
        // SAFETY: the net device is set up.
        to_result(unsafe { netbind::register_netdev(dev) })?;
        net.registered.store(true, Ordering::Release);
        Ok(Registration { net, _end: end })
    }
}

impl<D: Driver> Drop for Unregistered<D> {
    fn drop(&mut self) {
        // SAFETY: the net device is ours and not registered, never or no more.
        unsafe { netbind::free_netdev(self.dev.as_ptr()) };
    }
}

/// A net device that is or was registered, and what it refers to.
struct Net<D: Driver> {
    owned: Unregistered<D>,
    registered: AtomicBool,
    works: Pin<KBox<Works>>,
}

/// Work that is bound to a net device; `None` when that has ended.
type Works = Mutex<Option<KVec<KBox<dyn Owned>>>>;

/// What is only kept and dropped.
trait Owned: Send + Sync {}

impl<T: Send + Sync> Owned for T {}

/// Not generic, as a lock class wants one name, and a name in generic code has several addresses.
#[inline(never)]
fn no_works() -> Result<Pin<KBox<Works>>> {
    KBox::pin_init(new_mutex!(Some(KVec::new())), GFP_KERNEL)
}

/// Ends what a [`Registration`] stands for: when that is dropped or the device is unbound, whichever
/// is first.
struct End<D: Driver>(Arc<Net<D>>);

impl<D: Driver> Drop for End<D> {
    fn drop(&mut self) {
        let works = self.0.works.lock().take();
        // Not under the lock: waits for work that runs, and drops what it runs on.
        drop(works);
        if self.0.registered.swap(false, Ordering::AcqRel) {
            // SAFETY: the net device is registered, and RTNL is not held.
            unsafe { netbind::unregister_netdev(self.0.owned.dev.as_ptr()) };
        }
        // Operations are over: nothing refers to the driver's state and the slots through the device.
    }
}

/// A registered net device.
///
/// Dropping it ends the work bound to it, unregisters the device (which brings it down), and
/// frees it. Process context, without RTNL.
///
/// When the parent is unbound, the work ends and the device is unregistered even if this is still
/// there, so that one that is forgotten cannot outlive the driver. It stays in memory, but is no
/// device of the system any more: [`Device::under`] says so.
pub struct Registration<D: Driver> {
    net: Arc<Net<D>>,
    _end: Devres<End<D>>,
}

/// What a work item bound to a registration runs on.
struct DeviceWork<D: Driver> {
    dev: AtomicPtr<netbind::net_device>,
    run: fn(&Device<D>, &work::Handle),
}

impl<D: Driver> Registration<D> {
    /// Binds a work item to the device: `run` gets the device, and runs in process context
    /// without RTNL. The item ends when this registration is dropped, before the device is
    /// unregistered.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the parent is no longer bound, `ENOMEM`.
    pub fn bind_work(&mut self, work: work::Work, run: fn(&Device<D>, &work::Handle)) -> Result {
        let target = Arc::new(
            DeviceWork {
                dev: AtomicPtr::new(self.as_ptr()),
                run,
            },
            GFP_KERNEL,
        )?;
        let mut guard = self.net.works.lock();
        let works = (*guard).as_mut().ok_or(ENODEV)?;
        works.reserve(1, GFP_KERNEL)?;
        let bound = work.bind(target, |target: &Arc<DeviceWork<D>>, handle| {
            // SAFETY: `End` drops bound work before it lets go of the net device and all it points to.
            let dev = unsafe { Device::from_raw(target.dev.load(Ordering::Relaxed)) };
            (target.run)(dev, handle);
        })?;
        works.push(KBox::new(bound, GFP_KERNEL)?, GFP_KERNEL)?;
        Ok(())
    }
}

impl<D: Driver> Deref for Registration<D> {
    type Target = Device<D>;

    fn deref(&self) -> &Device<D> {
        // SAFETY: the net device was made for `D` and is set up; `net` keeps it.
        unsafe { Device::from_raw(self.net.owned.dev.as_ptr()) }
    }
}

/// A set of net device features (`NETIF_F_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features(u64);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// Scatter-gather.
    pub const SG: Self = Self(netbind::NETIF_F_SG);
    /// Checksum of any protocol at any offset.
    pub const HW_CSUM: Self = Self(netbind::NETIF_F_HW_CSUM);
    /// SCTP checksum (CRC32c).
    pub const SCTP_CRC: Self = Self(netbind::NETIF_F_SCTP_CRC);
    /// Receive checksum verification.
    pub const RXCSUM: Self = Self(netbind::NETIF_F_RXCSUM);
    /// Receive flow hash.
    pub const RXHASH: Self = Self(netbind::NETIF_F_RXHASH);
    /// TCP segmentation over IPv4.
    pub const TSO: Self = Self(netbind::NETIF_F_TSO);
    /// TCP segmentation over IPv6.
    pub const TSO6: Self = Self(netbind::NETIF_F_TSO6);
    /// UDP segmentation.
    pub const GSO_UDP_L4: Self = Self(netbind::NETIF_F_GSO_UDP_L4);
    /// Buffers above 4 GiB.
    pub const HIGHDMA: Self = Self(netbind::NETIF_F_HIGHDMA);
    /// Insertion of 802.1Q tags.
    pub const VLAN_TX: Self = Self(netbind::NETIF_F_HW_VLAN_CTAG_TX);
    /// Removal of 802.1Q tags.
    pub const VLAN_RX: Self = Self(netbind::NETIF_F_HW_VLAN_CTAG_RX);
    /// Filtering by 802.1Q tag.
    pub const VLAN_FILTER: Self = Self(netbind::NETIF_F_HW_VLAN_CTAG_FILTER);

    /// All features of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Features of both sets.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the features of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Features {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitAnd for Features {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Features {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// Link statistics (`ip -s link`). Field names as in `struct rtnl_link_stats64`.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkStats {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub multicast: u64,
    pub collisions: u64,
    pub rx_length_errors: u64,
    pub rx_crc_errors: u64,
    pub rx_frame_errors: u64,
    pub rx_fifo_errors: u64,
    pub rx_missed_errors: u64,
    pub tx_aborted_errors: u64,
    pub tx_carrier_errors: u64,
    pub tx_window_errors: u64,
}

/// Number of queues that suits this system (`netif_get_num_default_rss_queues()`).
pub fn default_queues() -> u32 {
    // SAFETY: no preconditions.
    let queues = unsafe { netbind::netif_get_num_default_rss_queues() };
    u32::try_from(queues).unwrap_or(1)
}

/// The key of the receive hash all devices of this system share. Process context.
pub fn rss_key<const N: usize>() -> [u8; N] {
    let mut key = [0; N];
    // SAFETY: `key` is valid for writes of `N` bytes.
    unsafe { netbind::netdev_rss_key_fill(key.as_mut_ptr().cast(), N) };
    key
}

/// A list of addresses, as the stack wants them received.
#[derive(Clone, Copy)]
pub struct AddrList<'a>(&'a netbind::netdev_hw_addr_list);

impl<'a> AddrList<'a> {
    /// Number of addresses.
    pub fn len(self) -> usize {
        usize::try_from(self.0.count).unwrap_or(0)
    }

    /// There are no addresses.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The addresses.
    pub fn iter(self) -> impl Iterator<Item = [u8; 6]> + Clone + 'a {
        let head = &raw const self.0.list;
        let mut next = self.0.list.next.cast_const();
        core::iter::from_fn(move || {
            if next == head {
                return None;
            }
            // SAFETY: the list is not changed for `'a`; its entries are the `list` fields of
            // `struct netdev_hw_addr`.
            unsafe {
                let entry = kernel::container_of!(next, netbind::netdev_hw_addr, list);
                next = (*next).next;
                Some((&raw const (*entry).addr).cast::<[u8; 6]>().read())
            }
        })
    }
}
