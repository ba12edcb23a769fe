// SPDX-License-Identifier: GPL-2.0

//! Receive filters and RSS.

registers! {
    /// Multiple receive queues command: RSS and pools.
    MRQC @ 0x5818: Rw<mrqc::Mrqc> = 0, dumped;
    /// Receive address low of entry 0..=23.
    ral[0..16 @ 0x5400, 8; 16..24 @ 0x54e0, 8]: Rw<u32> = kept (qemu 0), dumped;
    /// Receive address high of entry 0..=23.
    rah[0..16 @ 0x5404, 8; 16..24 @ 0x54e4, 8]: Rw<rah::Rah> = kept (qemu 0), dumped;
    /// Packet split receive type of queue or pool 0..=7.
    psrtype[0..8 @ 0x5480, 4]: Rw<u32> = 0;
    /// Multicast table array, word 0..=127.
    mta[0..128 @ 0x5200, 4]: Rw<u32> = kept (qemu 0);
    /// Unicast table array, word 0..=127.
    uta[0..128 @ 0xa000, 4]: Wo<u32> = kept (qemu 0);
    /// VLAN filter table array, word 0..=127.
    vfta[0..128 @ 0x5600, 4]: Rw<u32> = kept (qemu 0);
    /// RSS redirection table, word 0..=31.
    reta[0..32 @ 0x5c00, 4]: Rw<u32> = kept (qemu 0), dumped;
    /// RSS random key, word 0..=9.
    rssrk[0..10 @ 0x5c80, 4]: Rw<u32> = kept (qemu 0);
}

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

/// Fields of [`rah()`].
pub mod rah {
    use super::super::bit;

    word!(Rah);

    /// The entry is valid.
    pub const AV: Rah = Rah(bit(31));

    /// The last two bytes of the address, in the lower half of `bytes`.
    #[must_use]
    pub const fn address(bytes: u32) -> Rah {
        Rah(bytes & 0xffff)
    }

    /// The bits that deliver to the pools in the bitmap `pools`.
    #[must_use]
    pub const fn pools(pools: u8) -> Rah {
        Rah((pools as u32) << 18)
    }
}

/// Fields of [`MRQC`].
pub mod mrqc {
    use super::super::bit;

    word!(Mrqc);

    /// RSS over all queues, pools not in use.
    pub const ENABLE_RSS_MQ: Mrqc = Mrqc(2);
    /// Pools, one queue each.
    pub const ENABLE_VMDQ: Mrqc = Mrqc(3);
    /// Pools, RSS over two queues in pools with `VMOLR.RSSE`.
    pub const ENABLE_VMDQ_RSS_MQ: Mrqc = Mrqc(5);
    /// Hash IPv4 addresses and TCP ports.
    pub const RSS_FIELD_IPV4_TCP: Mrqc = Mrqc(bit(16));
    /// Hash IPv4 addresses.
    pub const RSS_FIELD_IPV4: Mrqc = Mrqc(bit(17));
    /// Hash IPv6 addresses and TCP ports, with extension headers.
    pub const RSS_FIELD_IPV6_TCP_EX: Mrqc = Mrqc(bit(18));
    /// Hash IPv6 addresses.
    pub const RSS_FIELD_IPV6: Mrqc = Mrqc(bit(20));
    /// Hash IPv6 addresses and TCP ports.
    pub const RSS_FIELD_IPV6_TCP: Mrqc = Mrqc(bit(21));
    /// Hash IPv4 addresses and UDP ports.
    pub const RSS_FIELD_IPV4_UDP: Mrqc = Mrqc(bit(22));
    /// Hash IPv6 addresses and UDP ports.
    pub const RSS_FIELD_IPV6_UDP: Mrqc = Mrqc(bit(23));
}
