// SPDX-License-Identifier: GPL-2.0

//! Sizes of frames, in bytes.

/// Shortest frame limit a function can set: the shortest Ethernet frame, FCS included.
pub const MIN_FRAME: u16 = 64;
/// Longest frame the device receives, in bytes including tag and FCS.
pub const MAX_FRAME: u16 = 0x2600;
/// Longest standard frame, in bytes including tag and FCS: what a VF gets before it asks for more.
pub const STANDARD_FRAME: u16 = 1522;
/// Length of a VLAN tag in bytes.
pub const VLAN_TAG: u16 = 4;
