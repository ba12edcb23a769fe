// SPDX-License-Identifier: GPL-2.0

//! Pools and virtual functions.

use super::array;

/// VF level reset events, one bit per VF, W1C.
pub const VFLRE: u32 = 0x0c88;
/// VF receive enable, one bit per pool.
pub const VFRE: u32 = 0x0c8c;
/// VF transmit enable, one bit per pool.
pub const VFTE: u32 = 0x0c90;
/// DMA Tx switch control.
pub const DTXSWC: u32 = 0x3500;
/// Last VM misbehavior cause.
pub const LVMMC: u32 = 0x3548;
/// Wrong VM behavior: one bit per queue that sent a spoofed frame; cleared by reading.
pub const WVBR: u32 = 0x3554;

/// Pools that sent a spoofed frame: pool `n` has queues `n` and `n + 8`.
#[must_use]
pub const fn wvbr_pools(value: u32) -> u8 {
    let [low, high, ..] = value.to_le_bytes();
    low | high
}
/// Virtualization control.
pub const VT_CTL: u32 = 0x581c;
/// Offloads of replicated packets.
pub const RPLOLR: u32 = 0x5af0;
/// IOV control.
pub const IOVCTL: u32 = 0x5bbc;
/// Number of pools.
pub const POOL_COUNT: usize = 8;

/// VLAN insertion of pool 0..=7.
#[must_use]
pub const fn vmvir(pool: usize) -> u32 {
    array(0x3700, 4, pool)
}

/// Offloads and filter modes of pool 0..=7.
#[must_use]
pub const fn vmolr(pool: usize) -> u32 {
    array(0x5ad0, 4, pool)
}

/// VLAN pool filter, entry 0..=31.
#[must_use]
pub const fn vlvf(n: usize) -> u32 {
    array(0x5d00, 4, n)
}

/// Fields of [`vmolr()`].
pub mod vmolr {
    use super::super::bit;

    /// Longest frame field: bytes including tag and FCS.
    pub const RLPML_MASK: u32 = 0x3fff;
    /// Apply the longest frame field instead of the standard limit.
    pub const LPE: u32 = bit(16);
    /// Spread over the pool's two queues by RSS.
    pub const RSSE: u32 = bit(17);
    /// Accept untagged packets.
    pub const AUPE: u32 = bit(24);
    /// Accept multicast that hits the `MTA`.
    pub const ROMPE: u32 = bit(25);
    /// Accept unicast that hits the `UTA`.
    pub const ROPE: u32 = bit(26);
    /// Accept broadcast.
    pub const BAM: u32 = bit(27);
    /// Accept all multicast.
    pub const MPME: u32 = bit(28);
    /// Strip the VLAN tag.
    pub const STRVLAN: u32 = bit(30);
    /// Strip the FCS.
    pub const STRCRC: u32 = bit(31);

    /// The longest frame the pool accepts, in bytes including tag and FCS.
    ///
    /// Masked to the field: no value can reach another bit of the register.
    #[must_use]
    pub const fn rlpml(bytes: u16) -> u32 {
        bytes as u32 & RLPML_MASK
    }
}

/// Fields of [`vmvir()`].
pub mod vmvir {
    use super::super::bit;

    /// Take the tag from the transmit descriptor.
    pub const FROM_DESCRIPTOR: u32 = 0;
    /// Always insert the tag in this register.
    pub const VLANA_DEFAULT: u32 = bit(30);
    /// Never insert a tag.
    pub const VLANA_NEVER: u32 = bit(31);

    /// Inserts the tag made of `vid` (0..=4095) and priority `pcp` (0..=7) into every frame sent.
    #[must_use]
    pub const fn insert(vid: u16, pcp: u8) -> u32 {
        VLANA_DEFAULT | (((pcp & 7) as u32) << 13) | (vid & 0xfff) as u32
    }
}

/// Fields of [`vlvf()`].
pub mod vlvf {
    use super::super::bit;

    /// The entry is valid.
    pub const VLANID_ENABLE: u32 = bit(31);

    /// An entry that delivers VLAN `vid` (0..=4095) to the pools in the bitmap `pools`.
    #[must_use]
    pub const fn entry(vid: u16, pools: u8) -> u32 {
        VLANID_ENABLE | ((pools as u32) << 12) | (vid & 0xfff) as u32
    }
}

/// Fields of [`DTXSWC`].
pub mod dtxswc {
    use super::super::bit;

    /// Switch frames between pools (VEB); without it they all go to the wire (VEPA).
    pub const VMDQ_LOOPBACK_EN: u32 = bit(31);

    /// Drop frames of the pools in `pools` whose source address is not the pool's.
    #[must_use]
    pub const fn mac_spoof(pools: u8) -> u32 {
        pools as u32
    }

    /// Drop frames of the pools in `pools` with a VLAN the pool is not a member of.
    #[must_use]
    pub const fn vlan_spoof(pools: u8) -> u32 {
        (pools as u32) << 8
    }
}

/// Fields of [`VT_CTL`].
pub mod vt_ctl {
    use super::super::bit;

    /// Drop frames no pool matches instead of giving them to the default pool.
    pub const DISABLE_DEF_POOL: u32 = bit(29);
    /// Replicate multicast and broadcast to all matching pools.
    pub const VM_REPL_EN: u32 = bit(30);

    /// The pool that gets unicast no filter matches, 0..=7.
    #[must_use]
    pub const fn default_pool(pool: u32) -> u32 {
        (pool & 7) << 7
    }
}

/// Bits of [`RPLOLR`].
pub mod rplolr {
    use super::super::bit;

    /// Strip the VLAN tag of replicated packets.
    pub const STRVLAN: u32 = bit(30);
    /// Strip the FCS of replicated packets.
    pub const STRCRC: u32 = bit(31);
}

/// Bits of [`IOVCTL`].
pub mod iovctl {
    use super::super::bit;

    /// Give the VFs' queues back to the PF after VFs were disabled.
    pub const REUSE_VFQ: u32 = bit(0);
}
