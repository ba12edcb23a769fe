// SPDX-License-Identifier: GPL-2.0

//! Rings, channels and interrupt moderation: `ethtool -g`, `-G`, `-l`, `-L`, `-c` and `-C`.

use super::Ops;
use crate::{
    lifecycle,
    port::Port,
    settings, //
};
use igb_core::{
    layout::PoolLayout,
    ring, //
};
use kernel::prelude::*;
use net::{
    device::{
        Device,
        Locked, //
    },
    ethtool::{
        ChannelCounts,
        Channels,
        Coalesce,
        CoalesceParams,
        Coalescing,
        ExtAck,
        RingParam,
        Rings, //
    },
};

#[vtable]
impl Rings<Port> for Ops {
    fn ringparam(port: &Port, _dev: &Device<Port>) -> RingParam {
        let settings = port.net.lock().settings;
        RingParam {
            rx_max: ring::MAX_DESCS,
            tx_max: ring::MAX_DESCS,
            rx: settings.rx_descs,
            tx: settings.tx_descs,
        }
    }

    /// Sizes are rounded up to a power of two.
    fn set_ringparam(
        _port: &Port,
        dev: &Locked<Port>,
        rings: &RingParam,
        extack: &mut ExtAck<'_>,
    ) -> Result {
        let (Ok(rx), Ok(tx)) = (ring::size(rings.rx), ring::size(rings.tx)) else {
            return Err(extack.err(EINVAL, c"Ask for 64 to 4096 descriptors in each ring"));
        };
        lifecycle::reopen_with(dev, |settings| {
            settings.rx_descs = rx;
            settings.tx_descs = tx;
        })
        .inspect_err(|_| extack.set_msg(c"Not enough memory: the old rings are in use again"))
    }
}

impl Port {
    /// Queue pairs the net device has, or will have when it is up.
    pub(super) fn used_pairs(&self) -> u32 {
        let (open, wanted) = {
            let net = self.net.lock();
            let open = net.queues.as_ref().map(|queues| queues.len());
            (open, net.settings.pairs)
        };
        open.unwrap_or_else(|| wanted.min(max_pairs(self)))
    }
}

/// Queue pairs there can be with the VFs that are enabled now.
fn max_pairs(port: &Port) -> u32 {
    let nr_vfs = port.hw.lock().switch.nr_vfs();
    let pairs = PoolLayout::new(nr_vfs).map_or(1, |layout| layout.max_queue_pairs());
    // CAST: at most eight.
    port.plan.pairs().min(pairs as u32)
}

#[vtable]
impl Channels<Port> for Ops {
    fn channels(port: &Port, _dev: &Device<Port>) -> ChannelCounts {
        ChannelCounts {
            combined: port.used_pairs(),
            other: other_channels(port),
            ..Default::default()
        }
    }

    fn max_channels(port: &Port, _dev: &Device<Port>) -> ChannelCounts {
        ChannelCounts {
            combined: max_pairs(port),
            other: other_channels(port),
            ..Default::default()
        }
    }

    fn set_channels(port: &Port, dev: &Locked<Port>, counts: &ChannelCounts) -> Result {
        if counts.combined == 0 || counts.other != other_channels(port) {
            return Err(EINVAL);
        }
        lifecycle::reopen_with(dev, |settings| settings.pairs = counts.combined)
    }
}

/// The vector of link and mailboxes is a channel of its own, unless there is only one vector.
fn other_channels(port: &Port) -> u32 {
    u32::from(port.plan.is_msix())
}

/// A queue pair has one vector: what is set for receiving holds for transmitting too.
#[vtable]
impl Coalescing<Port> for Ops {
    const PARAMS: CoalesceParams = CoalesceParams::RX_USECS.or(CoalesceParams::ADAPTIVE_RX);

    fn coalesce(port: &Port, _dev: &Device<Port>) -> Result<Coalesce> {
        let coalesce = port.net.lock().settings.coalesce;
        Ok(Coalesce {
            rx_usecs: coalesce.usecs,
            adaptive_rx: coalesce.adaptive,
            ..Default::default()
        })
    }

    fn set_coalesce(
        port: &Port,
        _dev: &Device<Port>,
        coalesce: &Coalesce,
        extack: &mut ExtAck<'_>,
    ) -> Result {
        let wanted = settings::Coalesce::new(coalesce.rx_usecs, coalesce.adaptive_rx);
        let coalesce = wanted.ok_or_else(|| {
            let text = c"rx-usecs is 0 (no moderation), 4 to 8191, or a mode: 1 or 3";
            extack.err(EINVAL, text)
        })?;
        let mut net = port.net.lock();
        net.settings.coalesce = coalesce;
        if let Some(queues) = &mut net.queues {
            queues.set_coalesce(coalesce);
        }
        Ok(())
    }
}
