// SPDX-License-Identifier: GPL-2.0

//! Which addresses are behind the bridges a net device is a port of.
//!
//! A device that switches frames between functions by itself sends one to an address it does not
//! know out on the wire. It has to be told which addresses are behind a bridge on the net device:
//! those the bridge has learned, or was told of, on its other ports, and the bridge's own.
//! [`Stations`] has them.
//!
//! A kernel without switchdev (`CONFIG_NET_SWITCHDEV`) tells of none but the bridges' own.
//!
//! The net device itself, or a bond or VLAN device above it, is the port. The bridge forwards as
//! before: nothing is offloaded.
//!
//! C header: [`include/net/switchdev.h`](srctree/include/net/switchdev.h)

use crate::{
    driver::Driver,
    lock::{
        new_raw_spinlock,
        RawSpinLock, //
    },
    netdev::Device,
    rtnl, //
};
use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

#[cfg(CONFIG_KUNIT = "y")]
#[path = "tests/bridge.rs"]
mod test;

/// Addresses that are kept; an address that is known in several VLANs counts as often. More are not
/// known until the bridge learns them again.
pub const MAX_STATIONS: usize = 256;

/// An address behind a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address: of one station.
    pub addr: [u8; 6],
    /// It is the bridge's own, or the administrator has told the bridge of it. Else the bridge has
    /// learned it from a frame, which anybody behind it can send from any address.
    pub is_given: bool,
}

/// An address, and the bridge that has it: behind which of its ports changes without notice.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Station {
    addr: [u8; 6],
    /// Or [`OWN`].
    vid: u16,
    /// Address of its net device, which is only compared. Numbers of interfaces are not unique: anyone may
    /// choose them in a network namespace of his own, and the kernel tells of all namespaces.
    bridge: usize,
}

/// In the place of a VLAN, for the address of the bridge itself.
const OWN: u16 = u16::MAX;

/// What is known of a [`Station`].
#[derive(Clone, Copy)]
struct Entry {
    station: Station,
    /// As in [`Address`].
    is_given: bool,
    /// The reading of the bridges' tables in which it was seen last.
    seen: u32,
}

/// # Invariants
///
/// There are [`MAX_STATIONS`] entries.
struct Table {
    entries: KVVec<Option<Entry>>,
    reading: u32,
}

impl Table {
    /// Whether it was not known before, or not in this way.
    fn add(&mut self, station: Station, is_given: bool) -> bool {
        let seen = self.reading;
        let mut vacant = None;
        for place in self.entries.iter_mut() {
            match place {
                Some(entry) if entry.station == station => {
                    entry.seen = seen;
                    return core::mem::replace(&mut entry.is_given, is_given) != is_given;
                }
                Some(_) => {}
                None => vacant = vacant.or(Some(place)),
            }
        }
        match vacant {
            Some(place) => {
                *place = Some(Entry {
                    station,
                    is_given,
                    seen,
                });
            }
            None => return false,
        }
        true
    }

    /// Whether it was known.
    fn remove(&mut self, station: Station) -> bool {
        self.retain(|entry| entry.station != station)
    }

    /// From now on, what is added counts as seen.
    fn begin_reading(&mut self) {
        self.reading = self.reading.wrapping_add(1);
    }

    /// Forgets what was not seen since.
    fn end_reading(&mut self) -> bool {
        let reading = self.reading;
        self.retain(|entry| entry.seen == reading)
    }

    /// Forgets all others. Returns whether there were any.
    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) -> bool {
        let mut any = false;
        for place in self.entries.iter_mut() {
            if place.as_ref().is_some_and(|entry| !keep(entry)) {
                *place = None;
                any = true;
            }
        }
        any
    }
}

/// The addresses behind the bridges above a net device; none until
/// [`Registration::watch_bridges`](crate::device::Registration::watch_bridges).
#[pin_data]
pub struct Stations {
    #[pin]
    table: RawSpinLock<Table>,
}

impl Stations {
    /// Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Arc<Self>> {
        let mut entries = KVVec::with_capacity(MAX_STATIONS, GFP_KERNEL)?;
        for _ in 0..MAX_STATIONS {
            entries.push(None, GFP_KERNEL)?;
        }
        // INVARIANT: so many were pushed.
        let table = Table {
            entries,
            reading: 0,
        };
        Arc::pin_init(
            pin_init!(Self { table <- new_raw_spinlock!(table, c"net_stations") }),
            GFP_KERNEL,
        )
    }

    /// Shows them to `look`, in an order in which those that stay keep their turn. An address may
    /// come several times. Process context or softirq; `look` runs with a raw spinlock held and
    /// interrupts off.
    pub fn with<R>(&self, look: impl FnOnce(&mut dyn Iterator<Item = Address>) -> R) -> R {
        let table = self.table.lock();
        let mut addresses = table.entries.iter().flatten().map(|entry| Address {
            addr: entry.station.addr,
            is_given: entry.is_given,
        });
        look(&mut addresses)
    }
}

/// What the kernel tells of bridges, until this is dropped: in process context, without RTNL.
///
/// # Invariants
///
/// Both blocks are registered, with the functions of this type; `dev` is a net device of `D` that
/// is set up for longer than this lives.
pub(crate) struct Watch<D: Driver>(Pin<KBox<Blocks<D>>>);

#[pin_data]
struct Blocks<D: Driver> {
    #[pin]
    fdb: Opaque<netbind::notifier_block>,
    #[pin]
    links: Opaque<netbind::notifier_block>,
    dev: NonNull<netbind::net_device>,
    stations: Arc<Stations>,
    changed: fn(&Device<D>),
}

// SAFETY: The kernel may use the blocks on any CPU, and locks its lists of them; the net device may
// be used by any thread, as may `stations`.
unsafe impl<D: Driver> Send for Blocks<D> {}
// SAFETY: What is done through a shared reference is what the functions of the blocks do, on any CPU.
unsafe impl<D: Driver> Sync for Blocks<D> {}

impl<D: Driver> Watch<D> {
    /// Has `stations` follow the bridges above `dev`; `changed` is called after each change.
    ///
    /// # Safety
    ///
    /// `dev` is a net device of `D` that is set up, and stays so until this is dropped.
    pub(crate) unsafe fn new(
        dev: NonNull<netbind::net_device>,
        stations: Arc<Stations>,
        changed: fn(&Device<D>),
    ) -> Result<Self> {
        let blocks = KBox::pin_init(
            pin_init!(Blocks {
                fdb <- Blocks::<D>::block(Blocks::<D>::on_fdb),
                links <- Blocks::<D>::block(Blocks::<D>::on_link),
                dev,
                stations,
                changed,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The block is set up and pinned, and is taken out of the list before it is freed,
        // also by the error below.
        to_result(unsafe { netbind::fdb_register_notifier(blocks.fdb.get()) })?;
        // SAFETY: The block is set up and pinned, and is taken out of the list before it is freed.
        let linked = unsafe { netbind::register_netdevice_notifier(blocks.links.get()) };
        if let Err(error) = to_result(linked) {
            // SAFETY: The block is in the list this takes it from: `fdb_register_notifier()` has
            // put it there.
            unsafe { netbind::fdb_unregister_notifier(blocks.fdb.get()) };
            return Err(error);
        }
        // INVARIANT: just registered.
        let this = Self(blocks);
        // Whoever was quick has made the net device a port before.
        let _rtnl = rtnl::lock();
        // SAFETY: RTNL is held, by `_rtnl`.
        unsafe { this.0.read_all() };
        Ok(this)
    }
}

impl<D: Driver> Drop for Watch<D> {
    fn drop(&mut self) {
        // SAFETY: Both blocks are in the lists this takes them from, by the type invariants. Their
        // functions have returned for the last time after this.
        unsafe {
            netbind::unregister_netdevice_notifier(self.0.links.get());
            netbind::fdb_unregister_notifier(self.0.fdb.get());
        }
    }
}

type Callback = unsafe extern "C" fn(*mut netbind::notifier_block, c_ulong, *mut c_void) -> c_int;

/// `NOTIFY_DONE`: others are told as well.
const DONE: c_int = 0;

impl<D: Driver> Blocks<D> {
    fn block(callback: Callback) -> impl PinInit<Opaque<netbind::notifier_block>> {
        Opaque::ffi_init(move |block: *mut netbind::notifier_block| {
            let value = netbind::notifier_block {
                notifier_call: Some(callback),
                ..pin_init::zeroed()
            };
            // SAFETY: The place is valid for writes of a block.
            unsafe { block.write(value) };
        })
    }

    /// A bridge has learned an address, or forgotten one. Under RCU; softirq or process context.
    ///
    /// # Safety
    ///
    /// `block` is the `fdb` of a [`Blocks`]. For the events it looks at, `info` is what the kernel
    /// says.
    unsafe extern "C" fn on_fdb(
        block: *mut netbind::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        const ADD: c_ulong =
            netbind::switchdev_notifier_type_SWITCHDEV_FDB_ADD_TO_DEVICE as c_ulong;
        const DEL: c_ulong =
            netbind::switchdev_notifier_type_SWITCHDEV_FDB_DEL_TO_DEVICE as c_ulong;

        if event != ADD && event != DEL {
            return DONE;
        }
        // SAFETY: `block` is the `fdb` of a `Blocks`, and `info` what the kernel says, by the
        // requirements of this function. These events have this structure, whose address has 6
        // bytes.
        let (blocks, port, addr, vid, is_local, is_given) = unsafe {
            let blocks = kernel::container_of!(Opaque::cast_from(block), Self, fdb);
            let fdb = &*info.cast::<netbind::switchdev_notifier_fdb_info>();
            (
                &*blocks,
                fdb.info.dev,
                fdb.addr.cast::<[u8; 6]>().read(),
                fdb.vid,
                fdb.is_local() != 0,
                fdb.added_by_user() != 0,
            )
        };
        // What was learned may be made local, and is removed as such.
        if (event == ADD && is_local) || addr[0] & 1 != 0 {
            return DONE;
        }
        // Most bridges are none of ours, or of another network namespace: they do not cost a lock.
        // SAFETY: The port is valid, as it is in the message, and this runs under RCU.
        if unsafe { blocks.bridge_above(port) }.is_none() {
            return DONE;
        }
        let changed = {
            // Asked again under the lock: a bridge that stops being above us meanwhile is seen here to have
            // done so, or what is added is forgotten by the reading that follows.
            let mut table = blocks.stations.table.lock();
            // SAFETY: The port is valid, and this runs under RCU.
            let Some(bridge) = (unsafe { blocks.bridge_above(port) }) else {
                return DONE;
            };
            let station = Station {
                addr,
                vid,
                bridge: bridge.addr(),
            };
            // SAFETY: The port is valid, and this runs under RCU.
            if event == ADD && unsafe { blocks.is_other(port) } {
                table.add(station, is_given)
            } else {
                // Also when it is behind our net device now.
                table.remove(station)
            }
        };
        if changed {
            blocks.tell();
        }
        DONE
    }

    /// Who is above whom has changed, or the address of a net device. Under RTNL.
    ///
    /// # Safety
    ///
    /// `block` is the `links` of a [`Blocks`]; `info` is what the kernel says.
    unsafe extern "C" fn on_link(
        block: *mut netbind::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        const LINKED: c_ulong = netbind::netdev_cmd_NETDEV_CHANGEUPPER as c_ulong;
        const ADDRESS: c_ulong = netbind::netdev_cmd_NETDEV_CHANGEADDR as c_ulong;

        if event != LINKED && event != ADDRESS {
            return DONE;
        }
        // SAFETY: `block` is the `links` of a `Blocks`, and `info` what the kernel says, by the
        // requirements of this function. All events of net devices begin with this structure.
        let (blocks, changed) = unsafe {
            let blocks = kernel::container_of!(Opaque::cast_from(block), Self, links);
            (
                &*blocks,
                (*info.cast::<netbind::netdev_notifier_info>()).dev,
            )
        };
        // SAFETY: Both are valid, and RTNL is held.
        let is_ours = changed == blocks.dev.as_ptr() || unsafe { blocks.has_upper(changed) };
        if is_ours {
            // SAFETY: RTNL is held.
            unsafe { blocks.read_all() };
        }
        DONE
    }

    fn tell(&self) {
        // SAFETY: By the type invariants of `Watch`, `dev` is a net device of `D` that is set up
        // for longer than the blocks are registered.
        (self.changed)(unsafe { Device::from_raw(self.dev.as_ptr()) });
    }

    /// Whether `upper` is anywhere above our net device.
    ///
    /// # Safety
    ///
    /// `upper` is valid; under RCU or RTNL.
    unsafe fn has_upper(&self, upper: *mut netbind::net_device) -> bool {
        // SAFETY: `upper` is valid, and this runs under RCU or RTNL, by the requirements of this
        // function. Our net device is valid by the type invariants of `Watch`.
        unsafe { netbind::netdev_has_upper_dev_all_rcu(self.dev.as_ptr(), upper) }
    }

    /// The bridge that says something of `port`, which is a port of it or the bridge itself. `None` if it
    /// is not above our net device.
    ///
    /// # Safety
    ///
    /// `port` is valid; under RCU.
    unsafe fn bridge_above(
        &self,
        port: *mut netbind::net_device,
    ) -> Option<*mut netbind::net_device> {
        // SAFETY: `port` is valid, and this runs under RCU, by the requirements of this function;
        // what is above `port` is valid as long.
        unsafe {
            let bridge = if netbind::netif_is_bridge_master(port) {
                port
            } else {
                netbind::netdev_master_upper_dev_get_rcu(port)
            };
            let is_above = !bridge.is_null()
                && netbind::netif_is_bridge_master(bridge)
                && self.has_upper(bridge);
            is_above.then_some(bridge)
        }
    }

    /// Whether `port` is neither our net device nor above it.
    ///
    /// # Safety
    ///
    /// `port` is valid; under RCU.
    unsafe fn is_other(&self, port: *mut netbind::net_device) -> bool {
        // SAFETY: `port` is valid, and this runs under RCU, by the requirements of this function.
        port != self.dev.as_ptr() && !unsafe { self.has_upper(port) }
    }

    /// Reads the tables of all bridges above our net device.
    ///
    /// # Safety
    ///
    /// RTNL is held.
    unsafe fn read_all(&self) {
        self.stations.table.lock().begin_reading();
        let mut cx = netbind::netdev_nested_priv {
            flags: 0,
            data: core::ptr::from_ref(self).cast_mut().cast(),
        };
        // SAFETY: Our net device is valid; under RTNL nothing above it comes or goes, and the
        // callback may sleep. The context is what the callback wants.
        unsafe {
            Self::read_above(self.dev.as_ptr(), &mut cx);
            netbind::netdev_walk_all_upper_dev_rcu(
                self.dev.as_ptr(),
                Some(Self::read_above),
                &mut cx,
            );
        }
        self.stations.table.lock().end_reading();
        self.tell();
    }

    /// Has a bridge tell again what it knows, if `port` is a port of one. If it is a bridge, notes
    /// the bridge's own address.
    ///
    /// # Safety
    ///
    /// `port` is our net device or above it; RTNL is held. `cx` has a [`Blocks`] in it.
    unsafe extern "C" fn read_above(
        port: *mut netbind::net_device,
        cx: *mut netbind::netdev_nested_priv,
    ) -> c_int {
        // SAFETY: `port` is valid, RTNL is held, and `cx` has a `Blocks` in it, by the requirements
        // of this function. The block is one whose function is `on_fdb`, which the bridge calls
        // under RCU, as the switchdev chain would.
        unsafe {
            let blocks = &*(*cx).data.cast::<Self>();
            if netbind::netif_is_bridge_port(port) {
                // What it says is that it told all there was, or that it is out of memory: then
                // what it did not tell is unknown until it is learned again.
                let _ = netbind::fdb_replay(port, blocks.dev.as_ptr(), blocks.fdb.get());
            }
            if netbind::netif_is_bridge_master(port) {
                let addr = (*port).dev_addr.cast::<[u8; 6]>().read();
                let station = Station {
                    addr,
                    vid: OWN,
                    bridge: port.addr(),
                };
                blocks.stations.table.lock().add(station, true);
            }
        }
        0
    }
}
