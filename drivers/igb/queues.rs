// SPDX-License-Identifier: GPL-2.0

//! Opening and closing the net device's queues.
//!
//! That is all that `ip link set up` and `down`, and a change of MTU, ring size, channels or
//! features, amount to: the controller is not reset, and VFs notice nothing. `mac.rs` sees to the link.

use crate::{
    hw::reset,
    interrupts::PairHandler,
    io::Io,
    pairs::{
        OpenPair,
        Queues, //
    },
    poll::{
        Pair,
        Rearm, //
    },
    port::{
        Net,
        Port, //
    },
    returned::Returned,
    rx::{
        self,
        xsk::Sockets,
        Receive,
        RxRing, //
    },
    settings::Settings,
    tx, //
};
use core::sync::atomic::AtomicBool;
use igb_core::{
    itr::Itr,
    layout::PoolLayout,
    link,
    regs::{
        self,
        ivar,
        srrctl,
        xdctl,
        Reg, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::Delta, //
};
use net::{
    compat::ENETDOWN,
    device::{
        Device,
        Locked, //
    },
    irq,
    napi::{
        self,
        Napi, //
    },
    xsk::Pool, //
};

/// Descriptors the controller prefetches while at least `HOST` wait; and descriptors it collects
/// before it writes them back (0: those with RS, and each at once, datasheet 7.2.3.3). C igb has
/// received frames written back one by one on this controller with MSI-X, and only there.
const PREFETCH: u32 = 8;
const HOST: u32 = 8;
const TX_WRITE_BACK: u32 = 0;
const RX_WRITE_BACK: u32 = 1;

/// How long a queue may take to stop: the largest frame at 10 Mb/s.
const STOP_TIMEOUT: Delta = Delta::from_millis(10);

impl Net {
    /// Opens queues as they are wanted. There are none. Under RTNL.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what registering an interrupt returns. There are still no queues then.
    pub(crate) fn open(&mut self, port: &Port, dev: &Locked<Port>) -> Result {
        self.queues = Some(open(port, dev, self)?);
        Ok(())
    }

    /// Open queues drop what they have no buffer for, or wait, and by the pause that is in force now they
    /// should not: they have to be opened anew. Not because a link is lost: nothing is received then.
    pub(crate) fn drops_otherwise(&self, port: &Port) -> bool {
        let Some(queues) = &self.queues else {
            return false;
        };
        let mac = port.mac.lock();
        let Some(pause) = mac.link.pause_in_force() else {
            return false;
        };
        let nr_vfs = port.hw.lock().switch.nr_vfs();
        mac.live(&port.hw).is_some()
            && queues.drops != link::drops_when_full(nr_vfs, queues.len(), pause)
    }
}

/// Allocates queues as `net` wants them, and starts them. Under RTNL.
///
/// # Errors
///
/// Whatever was opened is closed again.
fn open(port: &Port, dev: &Locked<Port>, net: &Net) -> Result<Queues> {
    let nr_vfs = port.hw.lock().switch.nr_vfs();
    let layout = PoolLayout::new(nr_vfs).ok_or(EINVAL)?;
    // CAST: both are at most MAX_PAIRS.
    let count =
        (net.settings.pairs.min(port.plan.pairs()) as usize).min(layout.max_queue_pairs()) as u32;
    dev.set_real_num_queues(count)?;
    let (io, pause) = {
        let mac = port.mac.lock();
        let io = mac.live(&port.hw).ok_or(ENETDOWN)?.clone();
        (io, mac.link.pause_to_expect())
    };
    let drops = link::drops_when_full(nr_vfs, count, pause);
    let mut queues = Queues {
        io,
        plan: port.plan,
        drops,
        pairs: KVec::with_capacity(count as usize, GFP_KERNEL)?,
    };
    for index in 0..count {
        let queue = layout.pf_queue(index as usize);
        match open_pair(port, &queues.io, dev, net, index, queue, drops) {
            Ok(pair) => queues.pairs.push(pair, GFP_KERNEL)?,
            Err(error) => {
                if !close(port, dev, queues) {
                    port.works.reset.schedule();
                }
                return Err(error);
            }
        }
    }
    // CAST: at most MAX_PAIRS.
    port.mac.lock().spread_over(&port.hw, count as u8);
    start(port, dev, &mut queues);
    Ok(queues)
}

fn open_pair(
    port: &Port,
    io: &Io,
    dev: &Locked<Port>,
    net: &Net,
    index: u32,
    queue: usize,
    drops: bool,
) -> Result<OpenPair> {
    let settings = &net.settings;
    let stats = port.stats.get(index as usize).ok_or(EINVAL)?;
    // Without VFs the controller loops nothing back.
    let returned = port
        .returned
        .clone()
        .filter(|_| port.hw.lock().switch.uses_pools());
    let config = rx::Config {
        // CAST: at most MAX_PAIRS.
        index: index as u16,
        queue,
        descs: settings.rx_descs,
        max_frame: u32::from(settings.max_frame).wrapping_add(4),
        hash: settings.rx_hash,
        bad_frames: settings.bad_frames,
    };
    let pool = net.pools.get(index as usize).and_then(Option::as_ref);
    let parts = rx::Parts {
        stats: stats.clone(),
        programs: rx::xdp::Setup {
            program: net.program.clone(),
            tx: dev.tx_handle(index),
        },
        returned: returned.clone(),
        ptp: port.ptp.clone(),
    };
    let place = Place {
        port,
        io,
        dev,
        index,
        queue,
        settings,
        drops,
        // Sockets that give no buffers must not hold up what is for others.
        pooled: pool.is_some(),
        returned,
    };
    match pool {
        None => open_ring(place, config, parts),
        Some(pool) => open_sockets(place, config, parts, pool),
    }
}

// Each of these two has its own ring on the stack until it is in its place. Inlined, both would be there.

#[inline(never)]
fn open_ring(place: Place<'_>, config: rx::Config, parts: rx::Parts) -> Result<OpenPair> {
    let (dev, io) = (place.dev, place.io);
    place.open(|napi| RxRing::new(dev.parent(), io, napi, config, parts))
}

#[inline(never)]
fn open_sockets(
    place: Place<'_>,
    config: rx::Config,
    parts: rx::Parts,
    pool: &Pool,
) -> Result<OpenPair> {
    let (dev, io, tx) = (place.dev, place.io, place.dev.tx_handle(place.index));
    place.open(|napi| Sockets::new((dev.parent(), io), napi, config, parts, pool, tx))
}

/// Where a pair is opened.
struct Place<'a> {
    port: &'a Port,
    io: &'a Io,
    dev: &'a Locked<Port>,
    /// Queues of the net device.
    index: u32,
    /// Queues of the controller.
    queue: usize,
    settings: &'a Settings,
    /// A frame is dropped when its queue has no descriptor left for it.
    drops: bool,
    /// It is in any case.
    pooled: bool,
    returned: Option<Arc<Returned>>,
}

impl Place<'_> {
    /// Opens a pair that receives with what `receive` makes.
    fn open<R: Receive>(self, receive: impl FnOnce(&napi::Setup) -> Result<R>) -> Result<OpenPair> {
        let (port, io, dev, index) = (self.port, self.io, self.dev, self.index);
        let vector = port.plan.pair_vector(index);
        let (tx_ring, tx_done) = tx::new(
            dev.parent(),
            io,
            tx::Config {
                queue: self.queue,
                descs: self.settings.tx_descs,
            },
            port.stats.get(index as usize).ok_or(EINVAL)?.clone(),
            self.returned,
            port.stamps.clone(),
        )?;
        let rearm = if port.plan.is_msix() {
            Rearm::Msix {
                masks: port.masks.clone(),
                vector,
                masked: AtomicBool::new(false),
            }
        } else {
            Rearm::Legacy(port.masks.clone())
        };
        let coalesce = self.settings.coalesce;
        let napi = Napi::new(dev, index, rearm, |setup| {
            Ok(Pair {
                rx: receive(setup)?,
                tx: tx_done,
                itr: Itr::new(coalesce.usecs, coalesce.adaptive),
                eitr: io.doorbell(regs::eitr(vector.into()))?,
            })
        })?;
        let tx_ring = KBox::new(tx_ring, GFP_KERNEL)?;
        let mut napi = KBox::new(napi, GFP_KERNEL)?;
        let irq = request_irq(port, dev, index, &napi)?;
        if let Some(number) = port.vectors.irq(vector.into()) {
            napi.set_irq(number);
        }
        napi.link_queues(dev);
        let drops = self.drops || self.pooled;
        program(port, io, &mut napi, (self.queue, vector), drops);
        let _ = dev.install_tx(index, Some(tx_ring));
        Ok(OpenPair {
            _irq: irq,
            napi,
            index,
            queue: self.queue,
            vector,
        })
    }
}

fn request_irq<R: Receive>(
    port: &Port,
    dev: &Device<Port>,
    index: u32,
    napi: &Napi<Pair<R>>,
) -> Result<Option<irq::Registration>> {
    if !port.plan.is_msix() {
        port.serve_legacy(Some(napi.scheduler()))?;
        return Ok(None);
    }
    let handler = Arc::new(PairHandler(napi.scheduler()), GFP_KERNEL)?;
    let name = dev.name();
    port.vectors
        .request(
            port.plan.pair_vector(index).into(),
            fmt!("{}-TxRx-{}", name, index),
            handler,
        )
        .map(Some)
}

/// Writes a pair's queue registers and enables both queues (datasheet 4.5.9, 4.5.10).
fn program<R: Receive>(
    port: &Port,
    io: &Io,
    napi: &mut Napi<Pair<R>>,
    (queue, vector): (usize, u8),
    drops: bool,
) {
    let Some(pair) = napi.get_mut() else {
        return;
    };
    write_ring_base(
        io,
        regs::rdbal(queue),
        regs::rdbah(queue),
        pair.rx.dma_handle(),
    );
    io.write(regs::rdlen(queue), ring_bytes(pair.rx.config().descs));
    io.write(
        regs::srrctl(queue),
        srrctl::packet_buffer(pair.rx.config().buffer_len())
            | srrctl::DESCTYPE_ADV_ONEBUF
            | srrctl::DROP_EN.when(drops),
    );
    io.write(regs::rdh(queue), 0);
    io.write(regs::rdt(queue), 0);
    io.write(
        regs::rxdctl(queue),
        xdctl::thresholds(PREFETCH, HOST, RX_WRITE_BACK) | xdctl::ENABLE,
    );

    write_ring_base(
        io,
        regs::tdbal(queue),
        regs::tdbah(queue),
        pair.tx.dma_handle(),
    );
    io.write(regs::tdlen(queue), ring_bytes(pair.tx.config().descs));
    io.write(regs::tdh(queue), 0);
    io.write(regs::tdt(queue), 0);
    io.write(
        regs::txdctl(queue),
        xdctl::thresholds(PREFETCH, 1, TX_WRITE_BACK) | xdctl::ENABLE,
    );
    // Buffers may only be announced to a queue that has taken note of being enabled.
    let _ = io.wait(
        regs::rxdctl(queue),
        Delta::from_micros(100),
        STOP_TIMEOUT,
        |value| value & xdctl::ENABLE != 0,
    );
    pair.rx.publish();
    if port.plan.is_msix() {
        pair.write_interval();
    }
    let _hw = port.hw.lock();
    io.update(regs::ivar0(queue), |word| {
        ivar::with_queue(word, queue, vector)
    });
}

fn write_ring_base(io: &Io, low: Reg<u32>, high: Reg<u32>, address: u64) {
    // CAST: the two halves of the address.
    io.write(low, address as u32);
    io.write(high, (address >> 32) as u32);
}

fn ring_bytes(descs: u32) -> u32 {
    // CAST: 16.
    descs.wrapping_mul(igb_core::desc::DESC_SIZE as u32)
}

/// Lets polls, interrupts and transmissions begin.
fn start(port: &Port, dev: &Device<Port>, queues: &mut Queues) {
    for pair in queues.pairs.iter_mut() {
        pair.napi.enable();
    }
    if port.plan.is_msix() {
        let bits = queues.vectors();
        let _hw = port.hw.lock();
        queues.io.update(regs::EIAC, |value| value | bits);
    }
    // Also what the stack has kept back since the queues were closed.
    dev.wake_queues();
    queues.unmask();
}

/// Stops queues and gives everything back. Under RTNL.
///
/// Returns whether the controller has let go of them. If not, it was reset, as it might have written
/// to pages that are given back: the caller has to restart the port.
pub(crate) fn close(port: &Port, dev: &Locked<Port>, mut queues: Queues) -> bool {
    queues.mask();
    for pair in queues.pairs.iter_mut() {
        pair.napi.disable();
    }
    // Not before: a poll would wake the stack's queues again.
    dev.disable_tx();
    let stopped = stop(port, &queues.io, &queues.pairs);
    if !port.plan.is_msix() {
        // The link is still to be watched. If this fails, it is when the device is up again.
        let _ = port.serve_legacy::<RxRing>(None);
    }
    for pair in queues.pairs.iter_mut() {
        give_back(dev, pair);
    }
    stopped
}

/// Stops the controller's queues of pairs that are not polled any more. As [`close`] otherwise.
fn stop(port: &Port, io: &Io, pairs: &[OpenPair]) -> bool {
    let stopped = pairs.iter().fold(true, |stopped, pair| {
        stop_hw_queue(io, pair.queue) && stopped
    });
    if !stopped {
        dev_err!(
            &*port.pdev,
            "a queue does not stop: resetting the controller\n"
        );
        let mut mac = port.mac.lock();
        port.take_out(&mut mac);
        let _ = reset::reset(mac.out_of_service());
    }
    let _hw = port.hw.lock();
    for pair in pairs {
        io.update(regs::ivar0(pair.queue), |word| {
            ivar::without_queue(word, pair.queue)
        });
    }
    stopped
}

/// Takes what the stack has of a pair away from it.
fn give_back(dev: &Locked<Port>, pair: &mut OpenPair) {
    drop(dev.install_tx(pair.index, None));
    pair.napi.unlink(dev.any());
}

/// What became of [`exchange`].
pub(crate) enum Exchange {
    /// The pair is open as it is wanted now, or no queues are.
    Done,
    /// It could not be opened: no queues are open any more.
    Closed(Error),
    /// The controller has not let go of the old ones, and was reset: no queues are open any more, and the
    /// caller has to restart the port.
    Reset,
}

/// Closes one pair and opens it as `net` wants it now. The others go on meanwhile, and so do VFs. Under
/// RTNL.
pub(crate) fn exchange(port: &Port, dev: &Locked<Port>, net: &mut Net, index: u32) -> Exchange {
    let Some(mut queues) = net.queues.take() else {
        return Exchange::Done;
    };
    let Ok(mut old) = queues.pairs.remove(index as usize) else {
        // There are fewer at present, because of VFs.
        net.queues = Some(queues);
        return Exchange::Done;
    };
    queues.mask_only(regs::eicr::vector(old.vector.into()));
    old.napi.disable();
    // Not before: a poll would wake it again.
    dev.hold_queue(index);
    let queue = old.queue;
    let stopped = stop(port, &queues.io, core::slice::from_ref(&old));
    give_back(dev, &mut old);
    drop(old);
    if !stopped {
        let _ = close(port, dev, queues);
        return Exchange::Reset;
    }
    let opened =
        open_pair(port, &queues.io, dev, net, index, queue, queues.drops).and_then(|pair| {
            queues
                .pairs
                .insert_within_capacity(index as usize, pair)
                .map_err(|_| ENOMEM)
        });
    if let Err(error) = opened {
        return if close(port, dev, queues) {
            Exchange::Closed(error)
        } else {
            Exchange::Reset
        };
    }
    if let Some(pair) = queues.pairs.get_mut(index as usize) {
        pair.napi.enable();
    }
    dev.wake_queue(index);
    queues.unmask_only(regs::eicr::vector(port.plan.pair_vector(index).into()));
    net.queues = Some(queues);
    Exchange::Done
}

/// Disables one pair of the controller's queues and waits until it has let go of them.
fn stop_hw_queue(io: &Io, queue: usize) -> bool {
    io.clear(regs::rxdctl(queue));
    io.clear(regs::txdctl(queue));
    [regs::rxdctl(queue), regs::txdctl(queue)]
        .into_iter()
        .all(|register| {
            io.wait(register, Delta::from_micros(100), STOP_TIMEOUT, |value| {
                value & xdctl::ENABLE == 0
            })
            .is_ok()
                || io.is_gone()
        })
}
