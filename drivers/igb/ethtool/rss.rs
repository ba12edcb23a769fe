// SPDX-License-Identifier: GPL-2.0

//! Receive side scaling: `ethtool -x`, `-X`, and `rx-flow-hash` of `-n` and `-N`.

use super::Ops;
use crate::port::Port;
use igb_core::rss::{
    KEY_SIZE,
    TABLE_SIZE, //
};
use kernel::prelude::*;
use net::{
    device::Device,
    ethtool::{
        ExtAck,
        FlowType,
        HashFields,
        Rss,
        RssChange, //
    },
};

const ADDRESSES_AND_PORTS: HashFields = HashFields::ADDRESSES.or(HashFields::PORTS);

#[vtable]
impl Rss<Port> for Ops {
    const INDIRECTION_SIZE: usize = TABLE_SIZE;
    const KEY_SIZE: usize = KEY_SIZE;

    fn indirection(port: &Port, _dev: &Device<Port>, table: &mut [u32]) {
        let mac = port.mac.lock();
        for (to, queue) in table.iter_mut().zip(mac.rss.table()) {
            *to = (*queue).into();
        }
    }

    fn key(port: &Port, _dev: &Device<Port>, key: &mut [u8]) {
        let mac = port.mac.lock();
        for (to, byte) in key.iter_mut().zip(mac.rss.key) {
            *to = byte;
        }
    }

    fn rx_ring_count(port: &Port, _dev: &Device<Port>) -> u32 {
        port.mac.lock().rss.queues().into()
    }

    fn set_rss(
        port: &Port,
        _dev: &Device<Port>,
        change: &RssChange<'_>,
        extack: &mut ExtAck<'_>,
    ) -> Result {
        let mut mac = port.mac.lock();
        if let Some(table) = change.indirection.map(parse_table) {
            // With VFs a pool has two queues, whatever was set without them.
            table
                .and_then(|table| mac.rss.set_table(&table).ok())
                .ok_or_else(|| extack.err(EINVAL, c"The table names a queue that is not in use"))?;
        }
        if let Some(key) = change.key {
            mac.rss.key = key.try_into().map_err(|_| EINVAL)?;
        }
        mac.apply_rss(&port.hw);
        Ok(())
    }

    fn hash_fields(port: &Port, _dev: &Device<Port>, flow: FlowType) -> Result<HashFields> {
        let mac = port.mac.lock();
        let ports = match flow {
            FlowType::Tcp4 => mac.rss.tcp_v4,
            FlowType::Tcp6 => mac.rss.tcp_v6,
            FlowType::Udp4 => mac.rss.udp_v4,
            FlowType::Udp6 => mac.rss.udp_v6,
            _ => false,
        };
        Ok(if ports {
            ADDRESSES_AND_PORTS
        } else {
            HashFields::ADDRESSES
        })
    }

    fn set_hash_fields(
        port: &Port,
        dev: &Device<Port>,
        flow: FlowType,
        fields: HashFields,
        extack: &mut ExtAck<'_>,
    ) -> Result {
        if fields == Self::hash_fields(port, dev, flow)? {
            return Ok(());
        }
        let Some(ports) = includes_ports(fields) else {
            return Err(extack.err(EINVAL, c"Use sd (addresses) or sdfn (addresses and ports)"));
        };
        let mut mac = port.mac.lock();
        match flow {
            FlowType::Tcp4 => mac.rss.tcp_v4 = ports,
            FlowType::Tcp6 => mac.rss.tcp_v6 = ports,
            FlowType::Udp4 => mac.rss.udp_v4 = ports,
            FlowType::Udp6 => mac.rss.udp_v6 = ports,
            _ => return Err(extack.err(EINVAL, c"Only the fields of TCP and UDP can change")),
        }
        // TCP avoids fragments.
        if ports && matches!(flow, FlowType::Udp4 | FlowType::Udp6) {
            extack.set_msg(c"Fragments of a datagram may arrive out of order");
        }
        mac.apply_rss(&port.hw);
        Ok(())
    }
}

/// Whether the hash is to have the ports in it; `None` if the device has no such hash.
fn includes_ports(fields: HashFields) -> Option<bool> {
    match fields {
        HashFields::ADDRESSES => Some(false),
        ADDRESSES_AND_PORTS => Some(true),
        _ => None,
    }
}

/// `None` if an entry cannot be the number of a queue, or there are not as many as there should be.
fn parse_table(entries: &[u32]) -> Option<[u8; TABLE_SIZE]> {
    let mut table = [0; TABLE_SIZE];
    if entries.len() != table.len() {
        return None;
    }
    for (to, queue) in table.iter_mut().zip(entries) {
        *to = (*queue).try_into().ok()?;
    }
    Some(table)
}
