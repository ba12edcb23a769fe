// SPDX-License-Identifier: GPL-2.0

//! Advanced descriptors: the 16 bytes that driver and controller exchange for
//! each buffer (datasheet 7.1.5 and 7.2.2).
//!
//! A descriptor is a pair of 64-bit little-endian words in DMA memory. The types
//! here are values in CPU order; [`DescWords`] is what stands in memory.

pub mod rx;
pub mod tx;

/// A descriptor as it stands in memory: two little-endian 64-bit words.
pub type DescWords = [u64; 2];

/// Size of one descriptor, in bytes.
pub const DESC_SIZE: usize = 16;
