// SPDX-License-Identifier: GPL-2.0

//! Interrupt causes, masks, vectors and moderation.

use super::Reg;

registers! {
    /// Interrupt Cause Read (with `GPIE.NSICR`).
    ICR @ 0x00c0: Rc<icr::Icr> = 0;
    /// Interrupt Cause Set.
    ICS @ 0x00c8: Wo<icr::Icr> = 0;
    /// Interrupt Mask Set.
    IMS @ 0x00d0: W1s<icr::Icr> = 0, dumped;
    /// Interrupt Mask Clear.
    IMC @ 0x00d8: Wo<icr::Icr> = 0;
    /// Interrupt Acknowledge Auto Mask.
    IAM @ 0x00e0: Rw<icr::Icr> = 0, dumped;
    /// General Purpose Interrupt Enable.
    GPIE @ 0x1514: Rw<gpie::Gpie> = 0, dumped;
    /// Extended Interrupt Cause Set.
    EICS @ 0x1520: Wo<eicr::Eicr> = 0;
    /// Extended Interrupt Mask Set.
    EIMS @ 0x1524: W1s<eicr::Eicr> = 0, dumped;
    /// Extended Interrupt Mask Clear.
    EIMC @ 0x1528: Wo<eicr::Eicr> = 0;
    /// Extended Interrupt Auto Clear.
    EIAC @ 0x152c: Rw<eicr::Eicr> = 0, dumped;
    /// Extended Interrupt Auto Mask.
    EIAM @ 0x1530: Rw<eicr::Eicr> = 0, dumped;
    /// Extended Interrupt Cause Read.
    EICR @ 0x1580: Rc<eicr::Eicr> = 0;
    /// Interrupt vector allocation for causes that belong to no queue.
    IVAR_MISC @ 0x1740: Rw<ivar::IvarMisc> = 0, dumped;
    /// Interrupt throttle of MSI-X vector 0..=24.
    eitr[0..25 @ 0x1680, 4]: Rw<eitr::Eitr> = 0, dumped;
    /// Vector allocation of queues n and n + 8, for n in 0..=7.
    ivar[0..8 @ 0x1700, 4]: Rw<ivar::Ivar> = 0, dumped;
    /// Interrupt masks of VF 0..=7, as the PF sees them: set.
    pvteims[0..8 @ 0x1_0024, 0x100]: W1s<vteicr::Vteicr> = 0;
    /// Interrupt masks of VF 0..=7: clear.
    pvteimc[0..8 @ 0x1_0028, 0x100]: Wo<vteicr::Vteicr> = 0;
    /// Interrupt auto clear of VF 0..=7.
    pvteiac[0..8 @ 0x1_002c, 0x100]: Rw<vteicr::Vteicr> = 0;
    /// Interrupt auto mask of VF 0..=7.
    pvteiam[0..8 @ 0x1_0030, 0x100]: Rw<vteicr::Vteicr> = 0;
    /// Interrupt causes of VF 0..=7.
    pvteicr[0..8 @ 0x1_0080, 0x100]: Rc<vteicr::Vteicr> = 0;
    /// Vector allocation of the queues of VF 0..=7.
    vtivar[0..8 @ 0x1_1700, 4]: Rw<u32> = 0;
    /// Vector allocation of the mailbox of VF 0..=7.
    vtivar_misc[0..8 @ 0x1_1720, 4]: Rw<u32> = 0;
}

/// Vectors of a VF.
pub const VF_VECTORS: usize = 3;

/// Vector allocation word that holds queue `queue`, 0..=15.
#[must_use]
pub const fn ivar0(queue: usize) -> Reg<ivar::Ivar> {
    ivar(queue & 7)
}

/// Interrupt throttle of vector `vector`, 0..=2, of VF 0..=7: the VFs have theirs from the end.
#[must_use]
pub const fn vf_eitr(vf: usize, vector: usize) -> Reg<eitr::Eitr> {
    eitr(
        22_usize
            .wrapping_sub(vf.wrapping_mul(VF_VECTORS))
            .wrapping_add(vector),
    )
}

/// Bits of [`pvteicr()`] and its masks.
pub mod vteicr {
    word!(Vteicr);

    /// All vectors of a VF.
    pub const ALL: Vteicr = Vteicr(7);
}

/// Bits of [`ICR`], [`ICS`], [`IMS`] and [`IMC`].
pub mod icr {
    use super::super::bit;

    word!(Icr);

    /// All causes.
    pub const ALL: Icr = Icr(u32::MAX);
    /// Transmit descriptor written back.
    pub const TXDW: Icr = Icr(bit(0));
    /// Link status change.
    pub const LSC: Icr = Icr(bit(2));
    /// Receive descriptors below the threshold.
    pub const RXDMT0: Icr = Icr(bit(4));
    /// Receiver overrun.
    pub const RXO: Icr = Icr(bit(6));
    /// Receive descriptor written back.
    pub const RXDW: Icr = Icr(bit(7));
    /// A VF wrote its mailbox, acknowledged a message or was reset.
    pub const VMMB: Icr = Icr(bit(8));
    /// Those of the only queue pair, outside of MSI-X mode.
    pub const PAIR: Icr = TXDW.or(RXDW).or(RXO).or(RXDMT0);
    /// A queue of a VF was stopped, or frames failed the anti-spoof check: whichever `DTXCTL` says.
    pub const DOUTSYNC: Icr = Icr(bit(28));
    /// Another function reset the device.
    pub const DRSTA: Icr = Icr(bit(30));
    /// An interrupt of this function is asserted (not in MSI-X mode).
    pub const INT_ASSERTED: Icr = Icr(bit(31));
}

/// Bits of [`EICR`] and its masks.
pub mod eicr {
    use super::super::bit;

    word!(Eicr);

    /// All vectors.
    pub const ALL: Eicr = Eicr(u32::MAX);

    /// The bit of MSI-X vector `vector`, 0..=24.
    #[must_use]
    pub const fn vector(vector: u32) -> Eicr {
        Eicr(bit(vector))
    }
}

/// Bits of [`GPIE`].
pub mod gpie {
    use super::super::bit;

    word!(Gpie);

    /// Non-selective ICR read: a read clears all causes.
    pub const NSICR: Gpie = Gpie(bit(0));
    /// One vector per cause group.
    pub const MSIX_MODE: Gpie = Gpie(bit(4));
    /// Auto mask of extended causes.
    pub const EIAME: Gpie = Gpie(bit(30));
    /// MSI-X pending bits clear with the cause.
    pub const PBA: Gpie = Gpie(bit(31));
}

/// Fields of the vector allocation words.
pub mod ivar {
    word!(Ivar);
    word!(IvarMisc);

    const VALID: u32 = 0x80;

    const fn entry(vector: u8) -> u32 {
        VALID | (vector & 0x1f) as u32
    }

    const fn shift(queue: usize) -> u32 {
        if queue & 8 == 0 {
            0
        } else {
            16
        }
    }

    /// Returns `word` with the Rx and Tx causes of queue `queue` (0..=15) routed to `vector`.
    ///
    /// Queues n and n + 8 share the word at [`ivar0`](super::ivar0): Rx and Tx of the lower queue in
    /// bytes 0 and 1, of the upper in bytes 2 and 3.
    #[must_use]
    pub const fn with_queue(word: Ivar, queue: usize, vector: u8) -> Ivar {
        let entries = (entry(vector) | (entry(vector) << 8)) << shift(queue);
        without_queue(word, queue).or(Ivar(entries))
    }

    /// Returns `word` with the causes of queue `queue` (0..=15) routed nowhere.
    #[must_use]
    pub const fn without_queue(word: Ivar, queue: usize) -> Ivar {
        word.without(Ivar(0xffff << shift(queue)))
    }

    /// Value of [`IVAR_MISC`](super::IVAR_MISC) that routes the "other" causes to `vector`.
    #[must_use]
    pub const fn misc_other(vector: u8) -> IvarMisc {
        IvarMisc(entry(vector) << 8)
    }
}

/// Fields of [`eitr()`].
pub mod eitr {
    use super::super::bit;

    word!(Eitr);

    /// Keep the running counter on this write.
    pub const CNT_IGNR: Eitr = Eitr(bit(31));
    /// Largest interval, in microseconds.
    pub const MAX_USECS: u32 = 0x1fff;

    /// Minimum time between interrupts in microseconds, 0..=[`MAX_USECS`]; more is clamped.
    #[must_use]
    pub const fn interval(usecs: u32) -> Eitr {
        let usecs = if usecs > MAX_USECS { MAX_USECS } else { usecs };
        Eitr(usecs << 2)
    }
}
