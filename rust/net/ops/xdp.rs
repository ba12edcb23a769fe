// SPDX-License-Identifier: GPL-2.0

//! Operations about XDP and AF_XDP.

#[cfg(CONFIG_KUNIT = "y")]
#[path = "../tests/xdp_ops.rs"]
mod test;

use super::Tables;
use crate::{
    compat::{
        ENETDOWN,
        ENODATA, //
    },
    driver::Driver,
    ethtool,
    memory::Private,
    netdev::{
        Device,
        Locked, //
    },
    xdp,
    xsk, //
};
use core::{
    ffi::c_int,
    mem::ManuallyDrop,
    ptr::{
        addr_of,
        NonNull, //
    },
};
use kernel::{
    error::from_result,
    prelude::*, //
};

impl<D: Driver> Tables<D> {
    pub(super) const XDP_METADATA: netbind::xdp_metadata_ops = netbind::xdp_metadata_ops {
        xmo_rx_timestamp: Some(Self::rx_timestamp),
        xmo_rx_hash: Some(Self::rx_hash),
        xmo_rx_vlan_tag: Some(Self::rx_vlan_tag),
    };

    /// The device that has received a frame, and what it has said of it. `None` if it is the device of
    /// another driver: a program is bound to one device, but who has it may show it the frames of any.
    ///
    /// # Safety
    ///
    /// `frame` is the argument of an operation in the table above, for the time of that.
    unsafe fn shown<'a>(frame: *const netbind::xdp_md) -> Option<(&'a Device<D>, xdp::Hints)> {
        // The kernel's program has a context of this type, where the machine's has a frame.
        let frame = frame.cast::<netbind::nbh_xdp_buff>();
        // SAFETY: Programs with these operations are bound to a device with these tables: the kernel puts
        // them neither into maps nor on skbs, nor on devices that are not of this crate. So the frame is
        // one that `RxQueue::run()` or `xsk::Rx::run()` shows, which is in such a structure, has hints, and
        // a queue with the net device that is polled.
        let (dev, hints) = unsafe { ((*(*frame).xdp.rxq).dev, (&raw const (*frame).hints).read()) };
        // SAFETY: The net device is one of this crate, and is being polled.
        if !unsafe { Private::of(dev) }.is_of::<D>() {
            return None;
        }
        // SAFETY: As above; it is that of a `D`.
        let dev = unsafe { Device::from_raw(dev) };
        Some((dev, xdp::Hints::from_raw(hints)))
    }

    extern "C" fn rx_timestamp(frame: *const netbind::xdp_md, out: *mut u64) -> c_int {
        // SAFETY: Called as an operation.
        let stamp = unsafe { Self::shown(frame) }.and_then(|(_, hints)| hints.stamp());
        let Some(stamp) = stamp else {
            return ENODATA.to_errno();
        };
        // SAFETY: The operation has a place for the result.
        unsafe { out.write(stamp) };
        0
    }

    extern "C" fn rx_hash(
        frame: *const netbind::xdp_md,
        out: *mut u32,
        kind: *mut netbind::xdp_rss_hash_type,
    ) -> c_int {
        // SAFETY: Called as an operation.
        let shown = unsafe { Self::shown(frame) };
        let hash = shown.and_then(|(dev, hints)| dev.data().xdp_metadata(dev, &hints).hash);
        let Some((hash, hashed)) = hash else {
            return ENODATA.to_errno();
        };
        // SAFETY: The operation has places for the results.
        unsafe {
            out.write(hash);
            kind.write(hashed.into_raw());
        }
        0
    }

    extern "C" fn rx_vlan_tag(
        frame: *const netbind::xdp_md,
        protocol: *mut netbind::__be16,
        out: *mut u16,
    ) -> c_int {
        // SAFETY: Called as an operation.
        let shown = unsafe { Self::shown(frame) };
        let tci = shown.and_then(|(dev, hints)| dev.data().xdp_metadata(dev, &hints).vlan_tci);
        let Some(tci) = tci else {
            return ENODATA.to_errno();
        };
        // CAST: an EtherType has 16 bits.
        let tagged = (netbind::ETH_P_8021Q as u16).to_be();
        // SAFETY: The operation has places for the results.
        unsafe {
            protocol.write(tagged);
            out.write(tci);
        }
        0
    }

    pub(super) extern "C" fn bpf(
        dev: *mut netbind::net_device,
        command: *mut netbind::netdev_bpf,
    ) -> c_int {
        // SAFETY: Called as an operation, with a command to carry out.
        let command = unsafe { &mut *command };
        // SAFETY: The arguments are those of this operation, and of these commands. It is called
        // under RTNL. The net device is registered when a program is set: its unregistration takes
        // the program away before it ends.
        unsafe {
            match command.command {
                netbind::bpf_netdev_command_XDP_SETUP_PROG if D::HAS_XDP_SETUP => {
                    Self::xdp_setup(Self::locked(dev), command)
                }
                netbind::bpf_netdev_command_XDP_SETUP_XSK_POOL if D::HAS_XSK_ATTACH => {
                    Self::xsk_setup(Self::device(dev), command)
                }
                _ => EINVAL.to_errno(),
            }
        }
    }

    /// # Safety
    ///
    /// As of `ndo_bpf` with `XDP_SETUP_PROG`.
    unsafe fn xdp_setup(dev: &Locked<D>, command: &mut netbind::netdev_bpf) -> c_int {
        // SAFETY: That command has these parameters: a program or NULL, and an extack or NULL.
        let (given, mut extack) = unsafe {
            // The members of a union are at its start.
            let setup = &*addr_of!(command.__bindgen_anon_1)
                .cast::<netbind::netdev_bpf__bindgen_ty_1__bindgen_ty_1>();
            (
                NonNull::new(setup.prog).map(|ptr| xdp::Program::from_raw(ptr)),
                ethtool::ExtAck::from_raw(setup.extack),
            )
        };
        // The reference is ours if this succeeds, and stays the caller's if not.
        let given = ManuallyDrop::new(given);
        from_result(|| {
            dev.data().xdp_setup(dev, (*given).clone(), &mut extack)?;
            drop(ManuallyDrop::into_inner(given));
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// As of `ndo_bpf` with `XDP_SETUP_XSK_POOL`.
    unsafe fn xsk_setup(dev: &Device<D>, command: &netbind::netdev_bpf) -> c_int {
        // SAFETY: That command has these parameters: a pool or NULL, and a queue. The members of a union
        // are at its start.
        let (pool, queue) = unsafe {
            let setup = &*addr_of!(command.__bindgen_anon_1)
                .cast::<netbind::netdev_bpf__bindgen_ty_1__bindgen_ty_3>();
            (NonNull::new(setup.pool), u32::from(setup.queue_id))
        };
        let memory = dev.private().memory();
        if memory.is_over() {
            // The last references may go after the device has been unregistered, as far as the driver is
            // concerned: `unregister_netdev()` waits for them.
            if pool.is_some() {
                return EINVAL.to_errno();
            }
            // SAFETY: RTNL is held. The parent is still bound, as `unregister_netdev()` has not
            // returned: what is dropped ends the pool.
            return from_result(|| unsafe { memory.attach(queue, None) }.map(|_| 0));
        }
        // SAFETY: RTNL is held, and the net device is registered for as long: the last operation of
        // its unregistration, under RTNL, is what says that the memory is over.
        let dev: &Locked<D> = unsafe { Locked::from_raw(dev.as_ptr()) };
        let Some(raw) = pool else {
            dev.data().xsk_detach(dev, queue);
            // SAFETY: RTNL is held, and the parent is bound: what is dropped ends the pool.
            return from_result(|| unsafe { memory.attach(queue, None) }.map(|_| 0));
        };
        from_result(|| {
            if queue >= dev.real_num_queues() {
                return Err(EINVAL);
            }
            // SAFETY: RTNL is held, and the parent is bound. The kernel takes the pool away, by this
            // operation, before it frees it, and before it binds another to the queue. Should this fail,
            // it is dropped here.
            let (pool, attached) = unsafe { xsk::Pool::attach(raw, dev.as_ptr(), queue) }?;
            let attached = KBox::new(attached, GFP_KERNEL)?;
            dev.data().xsk_attach(dev, queue, pool)?;
            // SAFETY: RTNL is held.
            unsafe { memory.attach(queue, Some(attached)) }?;
            Ok(0)
        })
    }

    pub(super) extern "C" fn xsk_wakeup(
        dev: *mut netbind::net_device,
        queue: u32,
        _flags: u32,
    ) -> c_int {
        // SAFETY: Called as an operation.
        let dev = unsafe { Self::device(dev) };
        // Both directions have the same instance.
        if dev.wake(queue) {
            0
        } else {
            ENETDOWN.to_errno()
        }
    }

    pub(super) extern "C" fn xdp_xmit(
        dev: *mut netbind::net_device,
        count: c_int,
        frames: *mut *mut netbind::xdp_frame,
        flags: u32,
    ) -> c_int {
        // A flag that is not known may ask for anything.
        if flags & !netbind::XDP_XMIT_FLUSH != 0 {
            return EINVAL.to_errno();
        }
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: Called as an operation, with `count` frames.
        let (dev, frames) = unsafe {
            (
                Self::device(dev),
                core::slice::from_raw_parts(frames, count),
            )
        };
        from_result(|| {
            // SAFETY: Those that are sent become ours, the others stay the caller's.
            let sent = unsafe { dev.tx_queues().xmit_frames(frames, dev.real_num_queues()) }?;
            Ok(c_int::try_from(sent)?)
        })
    }
}
