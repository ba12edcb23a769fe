// SPDX-License-Identifier: GPL-2.0

//! Everything that can happen to a switch, at random, and frames to ask about.

use std::ops::Range;

use igb_core::switch::VfLink;
use proptest::{
    collection::vec,
    prelude::*, //
};

use super::{
    device::{
        Frame,
        Mac,
        Source, //
    },
    intent::hash, //
};

pub const PF_MAC: Mac = [2, 0, 0, 0, 0, 0xf0];

/// A few station addresses that functions compete for.
pub fn station(n: u8) -> Mac {
    // Bytes 4 and 5 differ, so that hashes do.
    [2, 0, 0, 0, n << 4, n]
}

/// Stations' addresses that are not administered locally.
pub fn vendors(n: u8) -> Mac {
    [0, 0, 0x5e, 0, n << 4, n]
}

/// Multicast addresses.
pub fn group(n: u8) -> Mac {
    [1, 0, 0x5e, 0, n << 4, n]
}

pub const VIDS: [u16; 5] = [0, 1, 100, 200, 4094];
/// More VLANs than the pool filter has entries.
pub const TRUNK: Range<u16> = 80..120;

/// Lists of VLANs as the administrator writes them, and what they mean.
pub const LISTS: [(&str, Option<&[u16]>); 5] = [
    ("any", None),
    ("none", Some(&[])),
    ("100", Some(&[100])),
    ("1,4094", Some(&[1, 4094])),
    ("100,2-5", Some(&[2, 3, 4, 5, 100])),
];

#[derive(Clone, Debug)]
pub enum Op {
    SetNrVfs(u8),
    PfMac(Mac),
    RxMode {
        promisc: bool,
        allmulti: bool,
        unicast: Vec<Mac>,
        multicast: Vec<Mac>,
    },
    VlanAdd(u16),
    VlanDel(u16),
    /// Adds all of [`TRUNK`], or takes them away.
    Trunk(bool),
    /// The PF has sent in these VLANs; then, if set, so much time passes that they count as idle.
    VlansUsed(Vec<u16>, bool),
    VlanFilter(bool),
    VlanStrip(bool),
    MaxFrame(u16),
    Veb(bool),
    LinkSpeed(u32),
    VfMac(u8, Mac),
    VfVlan(u8, u16, u8, u16),
    /// The check of addresses, and that of VLANs.
    Checks(u8, Option<bool>, Option<bool>),
    /// The VLANs a VF may join: one of [`LISTS`].
    AllowVlans(u8, usize),
    Trust(u8, bool),
    Link(u8, VfLink),
    Rate(u8, u32, u32),
    Quotas(bool, u8, u8),
    /// 0: none, 1: locally administered, 2: any.
    OwnAddresses(u32),
    Quarantine(u8),
    Release(u8),
    Flr(u8),
    PfReset,
    Message(u8, [u32; 16]),
}

fn any_mac() -> impl Strategy<Value = Mac> {
    prop_oneof![
        8 => (0u8..12).prop_map(station),
        1 => (0u8..4).prop_map(vendors),
        1 => (0u8..4).prop_map(group),
        1 => Just([0; 6]),
        1 => Just([0xff; 6]),
        1 => Just(PF_MAC),
    ]
}

fn any_vid() -> impl Strategy<Value = u16> {
    prop_oneof![
        6 => proptest::sample::select(&VIDS[..]),
        3 => 2u16..40,
        1 => Just(4095),
        1 => Just(4096),
        1 => any::<u16>(),
    ]
}

fn with_mac(id: u32, mac: Mac) -> [u32; 16] {
    let mut words = [0xdead_beef; 16];
    words[0] = id;
    words[1] = u32::from_le_bytes([mac[0], mac[1], mac[2], mac[3]]);
    words[2] = u32::from_le_bytes([mac[4], mac[5], 0, 0]);
    words
}

fn with_word(id: u32, word: u32) -> [u32; 16] {
    let mut words = [0xdead_beef; 16];
    words[0] = id;
    words[1] = word;
    words
}

fn with_groups(info: u32, groups: &[u8]) -> [u32; 16] {
    let mut words = [0; 16];
    words[0] = 3 | info << 16 | (groups.len() as u32) << 16;
    for (n, g) in groups.iter().enumerate() {
        words[1 + n / 2] |= u32::from(hash(group(*g))) << (16 * (n % 2));
    }
    words
}

/// What a client sends, and what only an attacker would.
pub fn any_message() -> impl Strategy<Value = [u32; 16]> {
    prop_oneof![
        4 => Just(with_word(1, 0)),
        4 => any_mac().prop_map(|m| with_mac(2, m)),
        1 => Just(with_mac(0x1_0002, [0; 6])),
        6 => any_mac().prop_map(|m| with_mac(0x2_0002, m)),
        4 => vec(0u8..4, 0..4).prop_map(|g| with_groups(0, &g)),
        1 => vec(0u8..4, 0..4).prop_map(|g| with_groups(0x80, &g)),
        8 => (any_vid(), any::<bool>())
            .prop_map(|(v, join)| with_word(4 | u32::from(join) << 16, v.into())),
        2 => prop_oneof![Just(1522u32), 0u32..0x3000, any::<u32>()].prop_map(|n| with_word(5, n)),
        2 => (0u32..5).prop_map(|info| with_word(6 | info << 16, 0)),
        1 => (any::<u32>(), any::<u32>()).prop_map(|(a, b)| with_word(a, b)),
        1 => (0u32..9, 0u32..256).prop_map(|(id, info)| with_word(id | info << 16, 0)),
        1 => any::<[u32; 16]>(),
    ]
}

pub fn any_op() -> impl Strategy<Value = Op> {
    let vf = || 0u8..7;
    prop_oneof![
        1 => (0u8..9).prop_map(Op::SetNrVfs),
        1 => any_mac().prop_map(Op::PfMac),
        3 => (
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.2),
            prop_oneof![4 => vec(any_mac(), 0..4), 1 => vec((0u8..60).prop_map(|n| [6, 0, 0, 0, n << 4, n]), 0..50)],
            vec((0u8..4).prop_map(group), 0..3),
        )
            .prop_map(|(promisc, allmulti, unicast, multicast)| Op::RxMode {
                promisc,
                allmulti,
                unicast,
                multicast
            }),
        2 => any_vid().prop_map(Op::VlanAdd),
        1 => any_vid().prop_map(Op::VlanDel),
        1 => any::<bool>().prop_map(Op::Trunk),
        2 => (vec(prop_oneof![any_vid(), TRUNK], 0..6), any::<bool>())
            .prop_map(|(vids, idle)| Op::VlansUsed(vids, idle)),
        1 => prop::bool::weighted(0.8).prop_map(Op::VlanFilter),
        1 => any::<bool>().prop_map(Op::VlanStrip),
        1 => any::<u16>().prop_map(Op::MaxFrame),
        1 => prop::bool::weighted(0.7).prop_map(Op::Veb),
        1 => proptest::sample::select(&[0u32, 10, 100, 1000][..]).prop_map(Op::LinkSpeed),
        3 => (vf(), any_mac()).prop_map(|(v, m)| Op::VfMac(v, m)),
        3 => (vf(), any_vid(), 0u8..9, prop_oneof![9 => Just(0x8100), 1 => Just(0x88a8)])
            .prop_map(|(v, vid, qos, proto)| Op::VfVlan(v, vid, qos, proto)),
        1 => (vf(), any::<Option<bool>>(), any::<Option<bool>>())
            .prop_map(|(v, mac, vlan)| Op::Checks(v, mac, vlan)),
        1 => (vf(), 0..LISTS.len()).prop_map(|(v, list)| Op::AllowVlans(v, list)),
        2 => (vf(), any::<bool>()).prop_map(|(v, on)| Op::Trust(v, on)),
        1 => (vf(), proptest::sample::select(&[VfLink::Auto, VfLink::Enable, VfLink::Disable][..]))
            .prop_map(|(v, s)| Op::Link(v, s)),
        1 => (vf(), prop_oneof![9 => Just(0), 1 => 0u32..3], 0u32..1100).prop_map(|(v, a, b)| Op::Rate(v, a, b)),
        1 => (any::<bool>(), 0u8..6, 0u8..6).prop_map(|(t, a, b)| Op::Quotas(t, a, b)),
        1 => (0u32..3).prop_map(Op::OwnAddresses),
        1 => vf().prop_map(Op::Quarantine),
        1 => vf().prop_map(Op::Release),
        2 => vf().prop_map(Op::Flr),
        1 => Just(Op::PfReset),
        40 => (vf(), any_message()).prop_map(|(v, m)| Op::Message(v, m)),
    ]
}

/// Frames worth asking about with this many pools.
pub fn probes(pools: u8) -> Vec<Frame> {
    let mut macs: Vec<Mac> = (0..12).map(station).chain((0..4).map(group)).collect();
    macs.extend((0..2).map(vendors));
    macs.extend([PF_MAC, [0xff; 6], [2, 9, 9, 9, 9, 9], [6, 0, 0, 0, 0x10, 1]]);
    let vids = [None].into_iter().chain(VIDS.map(Some)).chain([Some(7)]);
    let sources = [Source::Wire]
        .into_iter()
        .chain((0..pools).map(Source::Pool));
    let mut frames = Vec::new();
    for source in sources {
        for vid in vids.clone() {
            for dst in &macs {
                frames.push(Frame {
                    dst: *dst,
                    vid,
                    source,
                });
            }
        }
    }
    frames
}
