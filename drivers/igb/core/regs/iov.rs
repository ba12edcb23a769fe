// SPDX-License-Identifier: GPL-2.0

//! Pools and virtual functions.

use super::Registers;

registers! {
    /// VF level reset events, one bit per VF.
    VFLRE @ 0x0c88: W1c<u32> = 0, dumped;
    /// VF receive enable, one bit per pool.
    VFRE @ 0x0c8c: Rw<u32> = 0xff, dumped;
    /// VF transmit enable, one bit per pool.
    VFTE @ 0x0c90: Rw<u32> = 0xff, dumped;
    /// DMA Tx switch control.
    DTXSWC @ 0x3500: Rw<dtxswc::Dtxswc> = 0, dumped;
    /// Last VM misbehavior cause: why a queue was stopped; cleared by reading.
    LVMMC @ 0x3548: Rc<u32> = 0;
    /// Wrong VM behavior: queues that sent a spoofed frame, 31:16 those stopped; cleared by reading.
    WVBR @ 0x3554: Rc<u32> = 0;
    /// Virtualization control.
    VT_CTL @ 0x581c: Rw<vt_ctl::VtCtl> = 0, dumped;
    /// Offloads of replicated packets.
    RPLOLR @ 0x5af0: Rw<rplolr::Rplolr> = 0x8000_0000, dumped;
    /// IOV control.
    IOVCTL @ 0x5bbc: Rw<iovctl::Iovctl> = 0;
    /// VLAN insertion of pool 0..=7.
    vmvir[0..8 @ 0x3700, 4]: Rw<vmvir::Vmvir> = 0, dumped;
    /// Offloads and filter modes of pool 0..=7.
    vmolr[0..8 @ 0x5ad0, 4]: Rw<vmolr::Vmolr> = 0x8000_2600, dumped;
    /// VLAN pool filter, entry 0..=31.
    vlvf[0..32 @ 0x5d00, 4]: Rw<vlvf::Vlvf> = kept (qemu 0), dumped;
}

/// Number of pools.
pub const POOL_COUNT: usize = 8;

/// Pools whose queues misbehaved: pool `n` has queues `n` and `n + 8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misbehaved {
    /// Sent a frame from a false address or VLAN, which was dropped.
    pub spoofed: u8,
    /// Gave the controller descriptors that it must not; it has stopped a queue of theirs.
    pub stopped: u8,
    /// One of these has, and the controller does not say which. Not in `stopped`.
    pub suspected: u8,
}

impl Misbehaved {
    /// Causes in [`LVMMC`] for which a queue is stopped.
    const STOPS: u32 = 0x1c;

    /// What [`LVMMC`] and [`WVBR`] say, which were read one after the other.
    ///
    /// With several events at once the 82576 may report queues that were stopped in the lower half
    /// of `WVBR` alone, next to others that were not. Without any, there is only the last queue
    /// that `LVMMC` names. They are all suspected: one that is overlooked would stay stopped for
    /// ever. Seen with FreeBSD's driver on the controller; the datasheet does not say so.
    #[must_use]
    pub const fn new(lvmmc: u32, wvbr: u32) -> Self {
        let mut found = Self {
            spoofed: 0,
            stopped: 0,
            suspected: 0,
        };
        // The controller has left.
        if lvmmc == super::GONE || wvbr == super::GONE {
            return found;
        }
        let [a, b, c, d] = wvbr.to_le_bytes();
        found.stopped = c | d;
        if found.stopped == 0 && lvmmc & Self::STOPS != 0 {
            found.suspected = if a | b != 0 {
                a | b
            } else {
                1 << (lvmmc >> 16 & 7)
            };
        }
        found.spoofed = (a | b) & !found.stopped & !found.suspected;
        found
    }

    /// Reads both registers, which clears them. To be done in the interrupt for them
    /// ([`icr::DOUTSYNC`](super::icr::DOUTSYNC)): they keep only the last of several events.
    #[must_use]
    pub fn take(io: &impl Registers) -> Self {
        let lvmmc = io.read(LVMMC);
        Self::new(lvmmc, io.read(WVBR))
    }

    /// Reads [`WVBR`] alone, which clears it. Frames from false addresses raise no interrupt; queues
    /// that were stopped meanwhile are found as well, unless their interrupt has come first.
    #[must_use]
    pub fn take_spoofed(io: &impl Registers) -> Self {
        Self::new(0, io.read(WVBR))
    }

    /// The queues that may have been stopped, as a word; words of several events may be joined by
    /// "or". Zero if there are none.
    #[must_use]
    pub const fn events(self) -> u32 {
        u32::from_le_bytes([self.stopped, self.suspected, 0, 0])
    }

    /// What [`Misbehaved::events`] has made a word of. `None` if there is nothing.
    #[must_use]
    pub const fn from_events(word: u32) -> Option<Self> {
        let [stopped, suspected, ..] = word.to_le_bytes();
        if stopped | suspected == 0 {
            return None;
        }
        Some(Self {
            spoofed: 0,
            stopped,
            suspected,
        })
    }

    /// Of the VFs' pools `vfs`, those whose VFs have to start over: who is only suspected as well,
    /// since that costs the VF no more than its own driver can.
    #[must_use]
    pub const fn restarts(self, vfs: u8) -> u8 {
        (self.stopped | self.suspected) & vfs
    }

    /// Whether the PF, which has pool `pool`, has to be reset. Not on suspicion: what VFs do would
    /// reset it. A queue of its own that has stopped all the same is noticed as any that hangs.
    #[must_use]
    pub const fn resets_pf(self, pool: u8) -> bool {
        self.stopped >> (pool & 7) & 1 != 0
    }
}

/// Fields of [`vmolr()`].
pub mod vmolr {
    use super::super::bit;

    word!(Vmolr);

    /// Longest frame field: bytes including tag and FCS.
    const RLPML_MASK: u32 = 0x3fff;
    /// Apply the longest frame field instead of the standard limit.
    pub const LPE: Vmolr = Vmolr(bit(16));
    /// Spread over the pool's two queues by RSS.
    pub const RSSE: Vmolr = Vmolr(bit(17));
    /// Accept untagged packets.
    pub const AUPE: Vmolr = Vmolr(bit(24));
    /// Accept multicast that hits the `MTA`.
    pub const ROMPE: Vmolr = Vmolr(bit(25));
    /// Accept unicast that hits the `UTA`.
    pub const ROPE: Vmolr = Vmolr(bit(26));
    /// Accept broadcast.
    pub const BAM: Vmolr = Vmolr(bit(27));
    /// Accept all multicast.
    pub const MPME: Vmolr = Vmolr(bit(28));
    /// Strip the VLAN tag.
    pub const STRVLAN: Vmolr = Vmolr(bit(30));
    /// Strip the FCS.
    pub const STRCRC: Vmolr = Vmolr(bit(31));

    /// The longest frame the pool accepts, in bytes including tag and FCS.
    ///
    /// Masked to the field: no value can reach another bit of the register.
    #[must_use]
    pub const fn rlpml(bytes: u16) -> Vmolr {
        Vmolr(bytes as u32 & RLPML_MASK)
    }
}

/// Fields of [`vmvir()`].
pub mod vmvir {
    use super::super::bit;

    word!(Vmvir);

    /// Take the tag from the transmit descriptor.
    pub const FROM_DESCRIPTOR: Vmvir = Vmvir(0);
    /// Always insert the tag in this register.
    pub const VLANA_DEFAULT: Vmvir = Vmvir(bit(30));

    /// Inserts the tag made of `vid` (0..=4095) and priority `pcp` (0..=7) into every frame sent.
    #[must_use]
    pub const fn insert(vid: u16, pcp: u8) -> Vmvir {
        VLANA_DEFAULT.or(Vmvir((((pcp & 7) as u32) << 13) | (vid & 0xfff) as u32))
    }
}

/// Fields of [`vlvf()`].
pub mod vlvf {
    use super::super::bit;

    word!(Vlvf);

    /// The entry is valid.
    pub const VLANID_ENABLE: Vlvf = Vlvf(bit(31));

    /// An entry that delivers VLAN `vid` (0..=4095) to the pools in the bitmap `pools`.
    #[must_use]
    pub const fn entry(vid: u16, pools: u8) -> Vlvf {
        VLANID_ENABLE.or(Vlvf(((pools as u32) << 12) | (vid & 0xfff) as u32))
    }
}

/// Fields of [`DTXSWC`].
pub mod dtxswc {
    use super::super::bit;

    word!(Dtxswc);

    /// Switch frames between pools (VEB); without it they all go to the wire (VEPA).
    pub const VMDQ_LOOPBACK_EN: Dtxswc = Dtxswc(bit(31));

    /// Drop frames of the pools in `pools` whose source address is not the pool's.
    #[must_use]
    pub const fn mac_spoof(pools: u8) -> Dtxswc {
        Dtxswc(pools as u32)
    }

    /// Drop frames of the pools in `pools` with a VLAN the pool is not a member of.
    #[must_use]
    pub const fn vlan_spoof(pools: u8) -> Dtxswc {
        Dtxswc((pools as u32) << 8)
    }
}

/// Fields of [`VT_CTL`].
pub mod vt_ctl {
    use super::super::bit;

    word!(VtCtl);

    /// Drop frames no pool matches instead of giving them to the default pool.
    pub const DISABLE_DEF_POOL: VtCtl = VtCtl(bit(29));
    /// Replicate multicast and broadcast to all matching pools.
    pub const VM_REPL_EN: VtCtl = VtCtl(bit(30));

    /// The pool that gets unicast no filter matches, 0..=7.
    #[must_use]
    pub const fn default_pool(pool: u32) -> VtCtl {
        VtCtl((pool & 7) << 7)
    }
}

/// Bits of [`RPLOLR`].
pub mod rplolr {
    use super::super::bit;

    word!(Rplolr);

    /// Strip the VLAN tag of replicated packets.
    pub const STRVLAN: Rplolr = Rplolr(bit(30));
    /// Strip the FCS of replicated packets.
    pub const STRCRC: Rplolr = Rplolr(bit(31));
}

/// Bits of [`IOVCTL`].
pub mod iovctl {
    use super::super::bit;

    word!(Iovctl);

    /// Give the VFs' queues back to the PF after VFs were disabled.
    pub const REUSE_VFQ: Iovctl = Iovctl(bit(0));
}
