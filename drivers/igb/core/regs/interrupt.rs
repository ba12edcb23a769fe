// SPDX-License-Identifier: GPL-2.0

//! Interrupt causes, masks, vectors and moderation.

use super::array;

/// Interrupt Cause Read, R/C (with `GPIE.NSICR`).
pub const ICR: u32 = 0x00c0;
/// Interrupt Cause Set (write-only).
pub const ICS: u32 = 0x00c8;
/// Interrupt Mask Set.
pub const IMS: u32 = 0x00d0;
/// Interrupt Mask Clear (write-only).
pub const IMC: u32 = 0x00d8;
/// Interrupt Acknowledge Auto Mask.
pub const IAM: u32 = 0x00e0;
/// General Purpose Interrupt Enable.
pub const GPIE: u32 = 0x1514;
/// Extended Interrupt Cause Set (write-only).
pub const EICS: u32 = 0x1520;
/// Extended Interrupt Mask Set.
pub const EIMS: u32 = 0x1524;
/// Extended Interrupt Mask Clear (write-only).
pub const EIMC: u32 = 0x1528;
/// Extended Interrupt Auto Clear.
pub const EIAC: u32 = 0x152c;
/// Extended Interrupt Auto Mask.
pub const EIAM: u32 = 0x1530;
/// Extended Interrupt Cause Read, R/C.
pub const EICR: u32 = 0x1580;
/// Interrupt vector allocation for causes that belong to no queue.
pub const IVAR_MISC: u32 = 0x1740;

/// Interrupt throttle of MSI-X vector `vector`, 0..=24.
#[must_use]
pub const fn eitr(vector: usize) -> u32 {
    array(0x1680, 4, vector)
}

/// Vector allocation word that holds queue `queue`, 0..=15: see [`ivar`].
#[must_use]
pub const fn ivar0(queue: usize) -> u32 {
    array(0x1700, 4, queue & 7)
}

/// Vectors of a VF.
pub const VF_VECTORS: usize = 3;

/// Interrupt throttle of vector `vector`, 0..=2, of VF 0..=7: the VFs have theirs from the end.
#[must_use]
pub const fn vf_eitr(vf: usize, vector: usize) -> u32 {
    eitr(
        22_usize
            .wrapping_sub(vf.wrapping_mul(VF_VECTORS))
            .wrapping_add(vector),
    )
}

/// Interrupt masks of VF 0..=7, as the PF sees them: set.
#[must_use]
pub const fn pvteims(vf: usize) -> u32 {
    array(0x1_0024, 0x100, vf)
}

/// Interrupt masks of VF 0..=7: clear (write-only).
#[must_use]
pub const fn pvteimc(vf: usize) -> u32 {
    array(0x1_0028, 0x100, vf)
}

/// Interrupt auto clear of VF 0..=7.
#[must_use]
pub const fn pvteiac(vf: usize) -> u32 {
    array(0x1_002c, 0x100, vf)
}

/// Interrupt auto mask of VF 0..=7.
#[must_use]
pub const fn pvteiam(vf: usize) -> u32 {
    array(0x1_0030, 0x100, vf)
}

/// Interrupt causes of VF 0..=7, R/C.
#[must_use]
pub const fn pvteicr(vf: usize) -> u32 {
    array(0x1_0080, 0x100, vf)
}

/// Vector allocation of the queues of VF 0..=7.
#[must_use]
pub const fn vtivar(vf: usize) -> u32 {
    array(0x1_1700, 4, vf)
}

/// Vector allocation of the mailbox of VF 0..=7.
#[must_use]
pub const fn vtivar_misc(vf: usize) -> u32 {
    array(0x1_1720, 4, vf)
}

/// Bits of [`pvteicr()`] and its masks.
pub mod vteicr {
    /// All vectors of a VF.
    pub const ALL: u32 = 7;
}

/// Bits of [`ICR`], [`ICS`], [`IMS`] and [`IMC`].
pub mod icr {
    use super::super::bit;

    /// Transmit descriptor written back.
    pub const TXDW: u32 = bit(0);
    /// Link status change.
    pub const LSC: u32 = bit(2);
    /// Receive sequence error.
    pub const RXSEQ: u32 = bit(3);
    /// Receive descriptors below the threshold.
    pub const RXDMT0: u32 = bit(4);
    /// Receiver overrun.
    pub const RXO: u32 = bit(6);
    /// Receive descriptor written back.
    pub const RXDW: u32 = bit(7);
    /// A VF wrote its mailbox, acknowledged a message or was reset.
    pub const VMMB: u32 = bit(8);
    /// MDIO access complete.
    pub const MDAC: u32 = bit(9);
    /// Time synchronization event.
    pub const TS: u32 = bit(19);
    /// DMA out of sync: on the 82576 also raised for a spoofed frame.
    pub const DOUTSYNC: u32 = bit(28);
    /// Another function reset the device.
    pub const DRSTA: u32 = bit(30);
    /// An interrupt of this function is asserted (not in MSI-X mode).
    pub const INT_ASSERTED: u32 = bit(31);
}

/// Bits of [`EICR`] and its masks.
pub mod eicr {
    use super::super::bit;

    /// "Other" causes, outside MSI-X mode.
    pub const OTHER: u32 = bit(31);

    /// The bit of MSI-X vector `vector`, 0..=24.
    #[must_use]
    pub const fn vector(vector: u32) -> u32 {
        bit(vector)
    }
}

/// Bits of [`GPIE`].
pub mod gpie {
    use super::super::bit;

    /// Non-selective ICR read: a read clears all causes.
    pub const NSICR: u32 = bit(0);
    /// One vector per cause group.
    pub const MSIX_MODE: u32 = bit(4);
    /// Auto mask of extended causes.
    pub const EIAME: u32 = bit(30);
    /// MSI-X pending bits clear with the cause.
    pub const PBA: u32 = bit(31);
}

/// Fields of the vector allocation words.
pub mod ivar {
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
    pub const fn with_queue(word: u32, queue: usize, vector: u8) -> u32 {
        without_queue(word, queue) | ((entry(vector) | (entry(vector) << 8)) << shift(queue))
    }

    /// Returns `word` with the causes of queue `queue` (0..=15) routed nowhere.
    #[must_use]
    pub const fn without_queue(word: u32, queue: usize) -> u32 {
        word & !(0xffff << shift(queue))
    }

    /// Value of [`IVAR_MISC`](super::IVAR_MISC) that routes the "other" causes to `vector`.
    #[must_use]
    pub const fn misc_other(vector: u8) -> u32 {
        entry(vector) << 8
    }
}

/// Fields of [`eitr()`].
pub mod eitr {
    use super::super::bit;

    /// Keep the running counter on this write.
    pub const CNT_IGNR: u32 = bit(31);
    /// Largest interval, in microseconds.
    pub const MAX_USECS: u32 = 0x1fff;

    /// Minimum time between interrupts in microseconds, 0..=[`MAX_USECS`]; more is clamped.
    #[must_use]
    pub const fn interval(usecs: u32) -> u32 {
        let usecs = if usecs > MAX_USECS { MAX_USECS } else { usecs };
        usecs << 2
    }
}
