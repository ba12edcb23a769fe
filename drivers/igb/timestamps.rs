// SPDX-License-Identifier: GPL-2.0

//! The clock and the stamps of frames, as user space sees them.

use crate::{
    log,
    port::Port,
    ptp::Ptp,
    settings::msg, //
};
use igb_core::{
    addr::UnicastAddr,
    ptp::stamping::{
        Received,
        Stamping, //
    },
};
use kernel::{
    device::Bound,
    pci,
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::{
    device::Locked,
    ethtool::TimestampInfo,
    ptp::{
        Registration,
        RxFilter,
        StampConfig,
        TxStamping, //
    },
};

/// A clock that user space can see.
pub(crate) type Shown = Registration<Ptp>;

/// Shows the clock, with the address as its name, as C igb does. Without it the port works all the same.
pub(crate) fn show(pdev: &pci::Device<Bound>, port: &Port, mac: UnicastAddr) -> Option<Shown> {
    let name = log::Text(mac.get());
    match Shown::new(pdev.as_ref(), port.ptp.clone(), fmt!("{name}")) {
        Ok(clock) => {
            port.phc.store(clock.index(), Relaxed);
            Some(clock)
        }
        Err(error) => {
            dev_warn!(pdev, "no PTP hardware clock: {error:?}\n");
            None
        }
    }
}

/// What the controller can do of what user space asks for, and what that amounts to.
fn stamping(config: StampConfig) -> Option<(Stamping, StampConfig)> {
    let sent = match config.tx {
        TxStamping::Off => false,
        TxStamping::On => true,
        _ => return None,
    };
    let (received, rx) = match config.rx {
        RxFilter::None => (Received::None, RxFilter::None),
        RxFilter::V1L4Sync => (Received::V1Sync, RxFilter::V1L4Sync),
        RxFilter::V1L4DelayReq => (Received::V1DelayReq, RxFilter::V1L4DelayReq),
        RxFilter::V2Event
        | RxFilter::V2Sync
        | RxFilter::V2DelayReq
        | RxFilter::V2L2Event
        | RxFilter::V2L2Sync
        | RxFilter::V2L2DelayReq
        | RxFilter::V2L4Event
        | RxFilter::V2L4Sync
        | RxFilter::V2L4DelayReq => (Received::V2Events, RxFilter::V2Event),
        _ => return None,
    };
    Some((Stamping { sent, received }, StampConfig { rx, ..config }))
}

/// The configuration that [`stamping`] makes of itself.
fn config(stamping: Stamping) -> StampConfig {
    StampConfig {
        tx: if stamping.sent {
            TxStamping::On
        } else {
            TxStamping::Off
        },
        rx: match stamping.received {
            Received::None => RxFilter::None,
            Received::V1Sync => RxFilter::V1L4Sync,
            Received::V1DelayReq => RxFilter::V1L4DelayReq,
            Received::V2Events => RxFilter::V2Event,
        },
    }
}

impl Port {
    /// Which frames are stamped.
    pub(crate) fn stamp_config(&self) -> StampConfig {
        config(self.ptp.stamping())
    }

    /// Changes that. `None` if the controller cannot do it. Under RTNL.
    pub(crate) fn set_stamp_config(
        &self,
        _dev: &Locked<Port>,
        config: StampConfig,
    ) -> Option<StampConfig> {
        let (stamping, in_force) = stamping(config)?;
        {
            let mac = self.mac.lock();
            self.ptp.set_stamping(mac.live(&self.hw), stamping);
        }
        if !stamping.sent {
            self.stamps.give_up();
        }
        if let Some(queues) = &mut self.net.lock().queues {
            queues.set_inspects(self.ptp.looks_at_frames());
        }
        Some(in_force)
    }

    /// What can be stamped. PTP version 2 over either is one choice, and a filter that names less of it
    /// gets all of it.
    pub(crate) fn timestamp_info(&self) -> TimestampInfo {
        const FILTERS: [RxFilter; 10] = [
            RxFilter::None,
            RxFilter::V1L4Sync,
            RxFilter::V1L4DelayReq,
            RxFilter::V2L4Event,
            RxFilter::V2L4Sync,
            RxFilter::V2L4DelayReq,
            RxFilter::V2L2Event,
            RxFilter::V2L2Sync,
            RxFilter::V2L2DelayReq,
            RxFilter::V2Event,
        ];
        let index = self.phc.load(Relaxed);
        let by_hardware = index >= 0;
        TimestampInfo {
            so_timestamping: TimestampInfo::SOFTWARE
                | if by_hardware {
                    TimestampInfo::HARDWARE
                } else {
                    0
                },
            phc_index: by_hardware.then_some(index),
            tx_types: TxStamping::Off.bit() | if by_hardware { TxStamping::On.bit() } else { 0 },
            rx_filters: if by_hardware {
                FILTERS.iter().fold(0, |bits, filter| bits | filter.bit())
            } else {
                RxFilter::None.bit()
            },
        }
    }

    /// What has to be done from time to time. The controller is in service, under [`Port::mac`].
    pub(crate) fn look_after_clock(&self) {
        if self.ptp.look_after() && self.ethtool.logs(msg::RX_ERR) {
            dev_warn!(
                &*self.pdev,
                "a receive time stamp was not for a frame of the PF: stamping again\n"
            );
        }
    }
}
