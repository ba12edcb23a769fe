// SPDX-License-Identifier: GPL-2.0

//! Which frames go to a queue by a rule: `ethtool -n` and `-N`.

use super::Ops;
use crate::port::Port;
use igb_core::steering::{
    Match,
    Refused,
    Rule,
    Tuple,
    MAX_RULES, //
};
use kernel::prelude::*;
use net::{
    compat::EOPNOTSUPP,
    device::{
        Device,
        Features,
        Locked, //
    },
    ethtool::{
        Flow,
        FlowRule,
        FlowRules,
        Ip4Fields, //
    },
};

impl FlowRules<Port> for Ops {
    // CAST: a small constant.
    const PLACES: u32 = MAX_RULES as u32;

    fn has_rules(_port: &Port, dev: &Device<Port>) -> bool {
        dev.features().contains(Features::NTUPLE)
    }

    fn rule(port: &Port, _dev: &Device<Port>, place: u32) -> Option<FlowRule> {
        let rule = port.mac.lock().steering.get(place as usize)?;
        let flow = match rule.matches {
            Match::EtherType(value) => Flow::EtherType(value),
            Match::Ip4(tuple) => Flow::Ip4(Ip4Fields {
                protocol: tuple.protocol,
                source: tuple.source,
                destination: tuple.destination,
                source_port: tuple.source_port,
                destination_port: tuple.destination_port,
            }),
        };
        Some(FlowRule {
            flow,
            queue: rule.ring.into(),
        })
    }

    fn set_rule(port: &Port, _dev: &Locked<Port>, place: u32, rule: FlowRule) -> Result {
        // A filter would take frames away from VFs.
        if port.hw.lock().switch.uses_pools() {
            return Err(EBUSY);
        }
        let matches = match rule.flow {
            Flow::EtherType(value) => Match::EtherType(value),
            Flow::Ip4(fields) => Match::Ip4(Tuple {
                protocol: fields.protocol,
                source: fields.source,
                destination: fields.destination,
                source_port: fields.source_port,
                destination_port: fields.destination_port,
            }),
        };
        let ring = u8::try_from(rule.queue)?;
        let mut mac = port.mac.lock();
        let rings = mac.rss.queues();
        mac.steering
            .set(place as usize, Rule { matches, ring }, rings)
            .map_err(errno)?;
        mac.apply_steering(&port.hw);
        Ok(())
    }

    fn remove_rule(port: &Port, _dev: &Locked<Port>, place: u32) -> Result {
        let mut mac = port.mac.lock();
        mac.steering.remove(place as usize).map_err(errno)?;
        mac.apply_steering(&port.hw);
        Ok(())
    }
}

fn errno(refused: Refused) -> Error {
    match refused {
        Refused::Place | Refused::Ring => EINVAL,
        Refused::NoRule => ENOENT,
        Refused::Nothing => EOPNOTSUPP,
        Refused::Twice => EEXIST,
        Refused::Full => ENOSPC,
    }
}
