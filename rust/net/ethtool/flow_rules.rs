// SPDX-License-Identifier: GPL-2.0

//! Rules that give received packets to a queue: `ethtool -n` and `-N`.

use kernel::{
    error::from_result,
    prelude::*, //
};

use crate::compat::EOPNOTSUPP;

#[cfg(CONFIG_KUNIT = "y")]
#[path = "../tests/flow_rules.rs"]
mod test;

use super::{
    device,
    Device,
    Locked,
    RawDevice,
    Table, //
};

/// What is compared of a packet of IPv4; `None` is not. Ports are those of TCP, UDP or SCTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ip4Fields {
    /// IP protocol.
    pub protocol: Option<u8>,
    /// Source address.
    pub source: Option<[u8; 4]>,
    /// Destination address.
    pub destination: Option<[u8; 4]>,
    /// Source port.
    pub source_port: Option<u16>,
    /// Destination port.
    pub destination_port: Option<u16>,
}

/// The packets a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Packets of IPv4.
    Ip4(Ip4Fields),
    /// Frames of an EtherType.
    EtherType(u16),
}

/// A rule: packets, and the receive queue they go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRule {
    /// The packets.
    pub flow: Flow,
    /// The queue.
    pub queue: u32,
}

/// The place a user means, if there is such a one. There is none for who leaves the choice to the
/// driver.
fn place<D, E: FlowRules<D>>(spec: &netbind::ethtool_rx_flow_spec) -> Option<u32> {
    (spec.location < E::PLACES).then_some(spec.location)
}

/// Rules that give received packets to a queue, each in a place of its own.
///
/// The places that a driver is asked about are below [`FlowRules::PLACES`]. A user who names
/// another is told `EINVAL`, or `ENOENT` if a rule is to be taken out of it.
pub trait FlowRules<D>: 'static {
    /// Number of places.
    const PLACES: u32;

    /// Returns whether the device can. If not, the user is told that it is not supported.
    fn has_rules(port: &D, dev: &Device<D>) -> bool;

    /// Returns the rule in a place.
    fn rule(port: &D, dev: &Device<D>, place: u32) -> Option<FlowRule>;

    /// Puts a rule into a place, instead of what is there.
    ///
    /// # Errors
    ///
    /// What was there stays.
    fn set_rule(port: &D, dev: &Locked<D>, place: u32, rule: FlowRule) -> Result;

    /// Takes the rule out of a place.
    ///
    /// # Errors
    ///
    /// There is none.
    fn remove_rule(port: &D, dev: &Locked<D>, place: u32) -> Result;
}

impl<D> Table<D> {
    /// Adds the operations of [`FlowRules`].
    pub const fn flow_rules<E: FlowRules<D>>(mut self) -> Self {
        self.ops.get_rxnfc = Some(get::<D, E>);
        self.ops.set_rxnfc = Some(set::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_rxnfc` of a net device of `D`: with `ETHTOOL_GRXCLSRLALL`, `places` has room
/// for `raw.rule_cnt` numbers.
unsafe extern "C" fn get<D, E: FlowRules<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_rxnfc,
    places: *mut u32,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    from_result(|| {
        let port = dev.data();
        if !E::has_rules(port, dev) {
            return Err(EOPNOTSUPP);
        }
        let used = (0..E::PLACES).filter(|place| E::rule(port, dev, *place).is_some());
        match raw.cmd {
            netbind::ETHTOOL_GRXCLSRLCNT => {
                raw.data = E::PLACES.into();
                raw.__bindgen_anon_1.rule_cnt = u32::try_from(used.count())?;
            }
            netbind::ETHTOOL_GRXCLSRULE => {
                let place = place::<D, E>(&raw.fs).ok_or(EINVAL)?;
                let rule = E::rule(port, dev, place).ok_or(EINVAL)?;
                raw.data = E::PLACES.into();
                write(&mut raw.fs, rule, place);
            }
            netbind::ETHTOOL_GRXCLSRLALL => {
                // SAFETY: This member is the one in use, a plain number.
                let room = unsafe { raw.__bindgen_anon_1.rule_cnt };
                let mut count = 0;
                for place in used {
                    if count == room {
                        return Err(EMSGSIZE);
                    }
                    // SAFETY: By the safety requirements of this function there is room for more than
                    // `count` numbers.
                    unsafe { places.add(count as usize).write(place) };
                    count = count.wrapping_add(1);
                }
                raw.data = E::PLACES.into();
                raw.__bindgen_anon_1.rule_cnt = count;
            }
            _ => return Err(EOPNOTSUPP),
        }
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `set_rxnfc` of a net device of `D`.
unsafe extern "C" fn set<D, E: FlowRules<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_rxnfc,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    from_result(|| {
        let port = dev.data();
        if !E::has_rules(port, dev) {
            return Err(EOPNOTSUPP);
        }
        match raw.cmd {
            netbind::ETHTOOL_SRXCLSRLINS => {
                let place = place::<D, E>(&raw.fs).ok_or(EINVAL)?;
                E::set_rule(port, dev, place, read(&raw.fs)?)?;
            }
            netbind::ETHTOOL_SRXCLSRLDEL => {
                let place = place::<D, E>(&raw.fs).ok_or(ENOENT)?;
                E::remove_rule(port, dev, place)?;
            }
            _ => return Err(EOPNOTSUPP),
        }
        Ok(0)
    })
}

/// A field that is compared as a whole, or not at all.
fn field<T: PartialEq + Copy>(value: T, mask: T, none: T, all: T) -> Result<Option<T>> {
    if mask == none {
        Ok(None)
    } else if mask == all {
        Ok(Some(value))
    } else {
        Err(EINVAL)
    }
}

fn port(value: u16, mask: u16) -> Result<Option<u16>> {
    Ok(field(value, mask, 0, u16::MAX)?.map(u16::from_be))
}

fn address(value: u32, mask: u32) -> Result<Option<[u8; 4]>> {
    Ok(field(value, mask, 0, u32::MAX)?.map(u32::to_ne_bytes))
}

/// The rule the user wants. What cannot be expressed here is refused.
fn read(spec: &netbind::ethtool_rx_flow_spec) -> Result<FlowRule> {
    // A ring of a VF, or none: the packets are to be dropped, or to wake the system.
    let queue = u32::try_from(spec.ring_cookie).map_err(|_| EOPNOTSUPP)?;
    let tuple = |protocol| -> Result<Flow> {
        // SAFETY: This is the member in use for this type of flow; all its bits are valid.
        let (value, mask) = unsafe { (spec.h_u.tcp_ip4_spec, spec.m_u.tcp_ip4_spec) };
        if mask.tos != 0 {
            return Err(EOPNOTSUPP);
        }
        Ok(Flow::Ip4(Ip4Fields {
            protocol: Some(protocol),
            source: address(value.ip4src, mask.ip4src)?,
            destination: address(value.ip4dst, mask.ip4dst)?,
            source_port: port(value.psrc, mask.psrc)?,
            destination_port: port(value.pdst, mask.pdst)?,
        }))
    };
    let flow = match spec.flow_type {
        netbind::TCP_V4_FLOW => tuple(TCP)?,
        netbind::UDP_V4_FLOW => tuple(UDP)?,
        netbind::SCTP_V4_FLOW => tuple(SCTP)?,
        netbind::IPV4_USER_FLOW => {
            // SAFETY: This is the member in use for this type of flow; all its bits are valid.
            let (value, mask) = unsafe { (spec.h_u.usr_ip4_spec, spec.m_u.usr_ip4_spec) };
            if mask.tos != 0 || mask.l4_4_bytes != 0 || mask.ip_ver != 0 {
                return Err(EOPNOTSUPP);
            }
            Flow::Ip4(Ip4Fields {
                protocol: field(value.proto, mask.proto, 0, u8::MAX)?,
                source: address(value.ip4src, mask.ip4src)?,
                destination: address(value.ip4dst, mask.ip4dst)?,
                ..Ip4Fields::default()
            })
        }
        netbind::ETHER_FLOW => {
            // SAFETY: This is the member in use for this type of flow; all its bits are valid.
            let (value, mask) = unsafe { (spec.h_u.ether_spec, spec.m_u.ether_spec) };
            if mask.h_source != [0; 6] || mask.h_dest != [0; 6] {
                return Err(EOPNOTSUPP);
            }
            Flow::EtherType(port(value.h_proto, mask.h_proto)?.ok_or(EINVAL)?)
        }
        // Other types, and what is compared besides (`FLOW_EXT` and the like).
        _ => return Err(EOPNOTSUPP),
    };
    Ok(FlowRule { flow, queue })
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// Writes the rule as the user is shown it. All bytes of `spec` are written, those between its
/// members as well, since the kernel copies all of them to users: so they are cleared first, and
/// then only members that are numbers are assigned, as assigning a structure leaves what is between
/// its members undefined.
fn write(spec: &mut netbind::ethtool_rx_flow_spec, rule: FlowRule, location: u32) {
    // SAFETY: `spec` is ours, and all its bytes may be 0.
    unsafe { core::ptr::from_mut(spec).write_bytes(0, 1) };
    spec.location = location;
    spec.ring_cookie = rule.queue.into();
    match rule.flow {
        Flow::EtherType(value) => {
            spec.flow_type = netbind::ETHER_FLOW;
            spec.h_u.ether_spec.h_proto = value.to_be();
            spec.m_u.ether_spec.h_proto = u16::MAX;
        }
        Flow::Ip4(fields) => write_ip4(spec, fields),
    }
}

/// The part of [`write()`] for packets of IPv4.
fn write_ip4(spec: &mut netbind::ethtool_rx_flow_spec, fields: Ip4Fields) {
    let mask = |is: bool| if is { u32::MAX } else { 0 };
    let number = |bytes: Option<[u8; 4]>| bytes.map_or(0, u32::from_ne_bytes);
    spec.flow_type = match fields.protocol {
        Some(TCP) => netbind::TCP_V4_FLOW,
        Some(UDP) => netbind::UDP_V4_FLOW,
        Some(SCTP) => netbind::SCTP_V4_FLOW,
        _ => netbind::IPV4_USER_FLOW,
    };
    if spec.flow_type == netbind::IPV4_USER_FLOW {
        spec.h_u.usr_ip4_spec.ip4src = number(fields.source);
        spec.h_u.usr_ip4_spec.ip4dst = number(fields.destination);
        spec.h_u.usr_ip4_spec.proto = fields.protocol.unwrap_or(0);
        spec.h_u.usr_ip4_spec.ip_ver = IP_VERSION_4;
        spec.m_u.usr_ip4_spec.ip4src = mask(fields.source.is_some());
        spec.m_u.usr_ip4_spec.ip4dst = mask(fields.destination.is_some());
        spec.m_u.usr_ip4_spec.proto = fields.protocol.map_or(0, |_| u8::MAX);
    } else {
        let port = |port: Option<u16>| port.map_or(0, u16::to_be);
        let all = |port: Option<u16>| port.map_or(0, |_| u16::MAX);
        spec.h_u.tcp_ip4_spec.ip4src = number(fields.source);
        spec.h_u.tcp_ip4_spec.ip4dst = number(fields.destination);
        spec.h_u.tcp_ip4_spec.psrc = port(fields.source_port);
        spec.h_u.tcp_ip4_spec.pdst = port(fields.destination_port);
        spec.m_u.tcp_ip4_spec.ip4src = mask(fields.source.is_some());
        spec.m_u.tcp_ip4_spec.ip4dst = mask(fields.destination.is_some());
        spec.m_u.tcp_ip4_spec.psrc = all(fields.source_port);
        spec.m_u.tcp_ip4_spec.pdst = all(fields.destination_port);
    }
}

/// `ETH_RX_NFC_IP4`.
const IP_VERSION_4: u8 = 1;
