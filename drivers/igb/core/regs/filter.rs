// SPDX-License-Identifier: GPL-2.0

//! Receive filters and RSS.

use super::array;

/// Multiple receive queues command: RSS and pools.
pub const MRQC: u32 = 0x5818;
/// Number of receive address registers.
pub const RAR_COUNT: usize = 24;
/// Number of 32-bit words in each of `MTA`, `UTA` and `VFTA`.
pub const TABLE_WORDS: usize = 128;
/// Number of `VLVF` entries.
pub const VLVF_COUNT: usize = 32;
/// Number of 32-bit words in the redirection table: four entries each.
pub const RETA_WORDS: usize = 32;
/// Number of 32-bit words in the RSS key.
pub const RSSRK_WORDS: usize = 10;

/// Receive address low of entry 0..=23.
#[must_use]
pub const fn ral(n: usize) -> u32 {
    if n < 16 {
        array(0x5400, 8, n)
    } else {
        array(0x54e0, 8, n.wrapping_sub(16))
    }
}

/// Receive address high of entry 0..=23.
#[must_use]
pub const fn rah(n: usize) -> u32 {
    ral(n).wrapping_add(4)
}

/// Packet split receive type of queue or pool 0..=7.
#[must_use]
pub const fn psrtype(n: usize) -> u32 {
    array(0x5480, 4, n)
}

/// Multicast table array, word 0..=127.
#[must_use]
pub const fn mta(n: usize) -> u32 {
    array(0x5200, 4, n)
}

/// Unicast table array, word 0..=127 (write-only).
#[must_use]
pub const fn uta(n: usize) -> u32 {
    array(0xa000, 4, n)
}

/// VLAN filter table array, word 0..=127.
#[must_use]
pub const fn vfta(n: usize) -> u32 {
    array(0x5600, 4, n)
}

/// EtherType queue filter 0..=7.
#[must_use]
pub const fn etqf(n: usize) -> u32 {
    array(0x5cb0, 4, n)
}

/// RSS redirection table, word 0..=31.
#[must_use]
pub const fn reta(n: usize) -> u32 {
    array(0x5c00, 4, n)
}

/// RSS random key, word 0..=9.
#[must_use]
pub const fn rssrk(n: usize) -> u32 {
    array(0x5c80, 4, n)
}

/// Fields of [`rah()`].
pub mod rah {
    use super::super::bit;

    /// The entry is valid.
    pub const AV: u32 = bit(31);
    /// Pool bits, 25:18.
    pub const POOL_MASK: u32 = 0x03fc_0000;

    /// The bits that deliver to the pools in the bitmap `pools`.
    #[must_use]
    pub const fn pools(pools: u8) -> u32 {
        (pools as u32) << 18
    }
}

/// Fields of [`MRQC`].
pub mod mrqc {
    use super::super::bit;

    /// RSS over all queues, pools not in use.
    pub const ENABLE_RSS_MQ: u32 = 2;
    /// Pools, one queue each.
    pub const ENABLE_VMDQ: u32 = 3;
    /// Pools, RSS over two queues in pools with `VMOLR.RSSE`.
    pub const ENABLE_VMDQ_RSS_MQ: u32 = 5;
    /// Hash IPv4 addresses and TCP ports.
    pub const RSS_FIELD_IPV4_TCP: u32 = bit(16);
    /// Hash IPv4 addresses.
    pub const RSS_FIELD_IPV4: u32 = bit(17);
    /// Hash IPv6 addresses and TCP ports, with extension headers.
    pub const RSS_FIELD_IPV6_TCP_EX: u32 = bit(18);
    /// Hash IPv6 addresses.
    pub const RSS_FIELD_IPV6: u32 = bit(20);
    /// Hash IPv6 addresses and TCP ports.
    pub const RSS_FIELD_IPV6_TCP: u32 = bit(21);
    /// Hash IPv4 addresses and UDP ports.
    pub const RSS_FIELD_IPV4_UDP: u32 = bit(22);
    /// Hash IPv6 addresses and UDP ports.
    pub const RSS_FIELD_IPV6_UDP: u32 = bit(23);
}

/// Fields of [`etqf()`].
pub mod etqf {
    use super::super::bit;

    /// Filter enable.
    pub const FILTER_ENABLE: u32 = bit(26);
    /// Immediate interrupt.
    pub const IMM_INT: u32 = bit(29);
    /// Time stamp matching frames.
    pub const TIMESTAMP_1588: u32 = bit(30);
    /// Deliver to the queue in the queue field.
    pub const QUEUE_ENABLE: u32 = bit(31);

    /// The EtherType to match.
    #[must_use]
    pub const fn ethertype(ethertype: u16) -> u32 {
        ethertype as u32
    }
}
