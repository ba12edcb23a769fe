// SPDX-License-Identifier: GPL-2.0

//! Net devices as the code that uses them sees them: without the operations of their driver.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    features::Features,
    memory::{
        raw_tx_queue_of,
        Memory,
        Private, //
    },
    rtnl, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    device::Bound,
    error::to_result,
    fmt,
    prelude::*,
    str::BStr,
    sync::Arc,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A `struct net_device` whose driver is `D`.
///
/// # Invariants
///
/// The net device was allocated by [`Unregistered::new`](crate::registration::Unregistered::new) for
/// the same `D`, and its private part points to a driver state and transmit slots that outlive every
/// reference to this.
#[repr(transparent)]
pub struct Device<D>(Opaque<netbind::net_device>, PhantomData<D>);

// SAFETY: All methods are safe to call from any context they document, and give no more of `D` than a
// reference.
unsafe impl<D: Send + Sync> Sync for Device<D> {}

impl<D> Device<D> {
    /// # Safety
    ///
    /// `ptr` was allocated by [`Unregistered::new`](crate::registration::Unregistered::new) for the
    /// same `D`, its private part is set up, and both stay so for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut netbind::net_device) -> &'a Self {
        // SAFETY: The net device is valid for `'a`, by the requirements of this function; the
        // wrapper is transparent.
        // INVARIANT: it was allocated for `D`, and has its private part, by these requirements.
        unsafe { &*ptr.cast() }
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut netbind::net_device {
        self.0.get()
    }

    /// Its private part.
    #[inline]
    pub(crate) fn private(&self) -> &Private {
        // SAFETY: By the type invariants the net device has a private part, and both stay as long
        // as `self`.
        unsafe { Private::of(self.as_ptr()) }
    }

    /// The driver's state.
    #[inline]
    pub fn data(&self) -> &D {
        // SAFETY: By the type invariants the private part points to a `D`, which outlives `self`.
        unsafe { self.private().data().cast().as_ref() }
    }

    /// The same device, if it is registered: RTNL keeps it so.
    pub fn under<'a>(&'a self, _rtnl: &'a rtnl::Held) -> Option<&'a Locked<D>> {
        // SAFETY: The net device is valid; under RTNL the state does not change from or to this one.
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
        // SAFETY: The net device is valid; the bytes may change any time, hence volatile.
        Name(unsafe {
            (&raw const (*self.as_ptr()).name)
                .cast::<[u8; NAME_LEN]>()
                .read_volatile()
        })
    }

    /// Number of transmit queues the device was allocated with.
    pub fn num_tx_queues(&self) -> u32 {
        // SAFETY: The net device is valid; the field never changes.
        unsafe { (*self.as_ptr()).num_tx_queues }
    }

    /// Number of receive queues the device was allocated with.
    pub fn num_rx_queues(&self) -> u32 {
        // SAFETY: The net device is valid; the field never changes.
        unsafe { (*self.as_ptr()).num_rx_queues }
    }

    /// Number of queues in use.
    pub fn real_num_queues(&self) -> u32 {
        // SAFETY: The net device is valid; the field may change any time, hence volatile.
        unsafe { (&raw const (*self.as_ptr()).real_num_rx_queues).read_volatile() }
    }

    /// The interface is administratively up.
    pub fn is_running(&self) -> bool {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_running(self.as_ptr()) }
    }

    /// The MTU in bytes.
    pub fn mtu(&self) -> u32 {
        // SAFETY: The net device is valid; the field may change any time, hence volatile.
        unsafe { (&raw const (*self.as_ptr()).mtu).read_volatile() }
    }

    /// The features that are on.
    pub fn features(&self) -> Features {
        // SAFETY: The net device is valid; the field may change any time, hence volatile.
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
        // SAFETY: The net device is valid; the field may change any time, hence volatile.
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
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_set_carrier(self.as_ptr(), true) };
    }

    /// Reports the link as down, if the device is registered. Any context.
    pub fn carrier_off(&self) {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_set_carrier(self.as_ptr(), false) };
    }

    /// The link is reported as up.
    pub fn carrier_ok(&self) -> bool {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_carrier_ok(self.as_ptr()) }
    }

    /// The device is not marked as absent.
    pub fn is_present(&self) -> bool {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_device_present(self.as_ptr()) }
    }

    /// Lets the stack send on all queues, and send what it holds back. Any context.
    pub fn wake_queues(&self) {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_tx_wake_all_queues(self.as_ptr()) };
    }

    /// Restarts the clock of the transmit watchdog: a reset is under way. Any context.
    pub fn trans_update(&self) {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_trans_update(self.as_ptr()) };
    }

    /// Lets the stack send on one queue again, and send what it holds back. Any context.
    pub fn wake_queue(&self, index: u32) {
        if let Some(queue) = self.raw_tx_queue(index) {
            // SAFETY: The queue is valid.
            unsafe { netbind::netif_tx_wake_queue(queue.as_ptr()) };
        }
    }

    /// Has the instance of queues `index` polled that sockets are to wake. Process context.
    pub(crate) fn wake(&self, index: u32) -> bool {
        self.private().wake(index)
    }

    pub(crate) fn raw_tx_queue(&self, index: u32) -> Option<NonNull<netbind::netdev_queue>> {
        // SAFETY: The net device is valid.
        unsafe { raw_tx_queue_of(self.as_ptr(), index) }
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
/// Without RTNL there is no such method:
///
/// ```compile_fail,E0599
/// use net::device::{Device, Driver};
///
/// fn hide<D: Driver>(dev: &Device<D>) {
///     dev.detach();
/// }
/// ```
///
/// [`Driver::tx_timeout`](crate::driver::Driver::tx_timeout) cannot stop all queues either, as the stack
/// calls it under a lock that stopping them takes:
///
/// ```compile_fail,E0599
/// use net::device::{Device, Driver};
///
/// fn tx_timeout<D: Driver>(dev: &Device<D>, queue: u32) {
///     dev.disable_tx();
/// }
/// ```
///
/// Without RTNL the parent may have lost its driver, so it cannot be had as a bound one:
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
/// A `Locked` cannot be passed to another task, and does not outlive the guard of RTNL:
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
/// unregistration of the net device, if it has begun, has not ended, as it needs RTNL.
#[repr(transparent)]
pub struct Locked<D>(Device<D>, NotThreadSafe);

impl<D> Deref for Locked<D> {
    type Target = Device<D>;

    #[inline]
    fn deref(&self) -> &Device<D> {
        &self.0
    }
}

impl<D> Locked<D> {
    /// # Safety
    ///
    /// As of [`Device::from_raw`]; for `'a`, the current task holds RTNL and the net device is
    /// registered.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut netbind::net_device) -> &'a Self {
        // SAFETY: The net device is valid for `'a`, by the requirements of this function; the
        // wrapper is transparent.
        // INVARIANT: RTNL is held by this task and the device is registered, by these requirements.
        unsafe { &*ptr.cast() }
    }

    /// The device this net device belongs to. It is bound to its driver: before unbinding is over, the
    /// net device is unregistered, which takes RTNL.
    pub fn parent(&self) -> &kernel::device::Device<Bound> {
        // SAFETY: The parent was set when the net device was allocated, and is referenced by it while
        // it is registered. It is bound: `Unregistered::new` was given proof of that, and the net
        // device cannot be unregistered while RTNL is held.
        unsafe { &*(*self.as_ptr()).dev.parent.cast() }
    }

    /// The device, whatever its driver.
    pub fn any(&self) -> &Locked<()> {
        // SAFETY: The device stays registered, and RTNL held, for as long as `self` is borrowed. What
        // needs a driver type is not to be had of `()`, which is none.
        unsafe { Locked::from_raw(self.as_ptr()) }
    }

    /// Keeps the device in memory, though not registered.
    pub(crate) fn memory(&self) -> Arc<Memory> {
        self.private().memory()
    }

    /// Sets the number of queues in use.
    ///
    /// # Errors
    ///
    /// `EINVAL` for more queues than there are, or none; `ENOMEM`.
    pub fn set_real_num_queues(&self, queues: u32) -> Result {
        // SAFETY: The net device is valid, and RTNL is held.
        to_result(unsafe { netbind::netif_set_real_num_queues(self.as_ptr(), queues, queues) })
    }

    /// Has the stack ask again which features can be on together
    /// ([`Driver::fix_features`](crate::device::Driver::fix_features)), and turn those on that the user
    /// wants. To be called when that answer has changed, with no lock held that the operations take.
    pub fn update_features(&self) {
        // SAFETY: A valid registered net device, and RTNL is held.
        unsafe { netbind::netdev_update_features(self.as_ptr()) };
    }

    /// Sets the largest MTU the user may choose.
    pub fn set_max_mtu(&self, mtu: u32) {
        // SAFETY: The net device is valid; readers expect whole words.
        unsafe { (&raw mut (*self.as_ptr()).max_mtu).write_volatile(mtu) };
    }

    /// Brings the device down, as `ip link set DEV down` does.
    ///
    /// The stack tells those that watch the device while the device still works: 8021q then takes VLAN 0
    /// away, and complains if it cannot.
    pub fn close(&self) {
        // SAFETY: A valid registered net device, and RTNL is held. One that is down already is
        // left alone.
        unsafe { netbind::dev_close(self.as_ptr()) };
    }

    /// Marks the device as absent: the stack leaves it alone until [`Locked::attach`].
    pub fn detach(&self) {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_device_detach(self.as_ptr()) };
    }

    /// Marks the device as present again.
    ///
    /// The stack does not tell an absent device that its address lists have changed. So
    /// [`Driver::set_rx_mode`](crate::driver::Driver::set_rx_mode) is called soon afterwards, if the
    /// device is up.
    pub fn attach(&self) {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_device_attach(self.as_ptr()) };
        if self.is_running() {
            self.ask_for_rx_mode();
        }
    }

    /// Has the stack call `set_rx_mode`, which it only does for a change: an address comes and goes.
    fn ask_for_rx_mode(&self) {
        let dev = self.as_ptr();
        // SAFETY: The net device is valid, and its address is as long as it says. RTNL is
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

    /// Has the stack leave one queue alone until it is woken, and waits for a running transmission to
    /// return. It is not to last: the transmit watchdog's time begins anew. Process context.
    ///
    /// The NAPI instance of the queue has to be disabled
    /// ([`Napi::disable`](crate::napi::Napi::disable)): a poll that finds packets sent would wake
    /// the queue.
    pub fn hold_queue(&self, index: u32) {
        if let Some(queue) = self.raw_tx_queue(index) {
            // SAFETY: The queue is valid.
            unsafe { netbind::tx_hold_queue(queue.as_ptr()) };
        }
    }

    /// Stops all queues and waits for running transmissions to return.
    /// [`Driver::tx_timeout`](crate::driver::Driver::tx_timeout) cannot call this: the stack calls it
    /// under the lock this takes.
    pub fn disable_tx(&self) {
        // SAFETY: The net device is valid.
        unsafe { netbind::netif_tx_disable(self.as_ptr()) };
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
