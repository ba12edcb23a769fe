// SPDX-License-Identifier: GPL-2.0

//! PF side of the PF-VF mailbox.

use super::array;

/// Mailbox causes of all VFs, W1C.
pub const MBVFICR: u32 = 0x0c80;
/// Mailbox interrupt mask.
pub const MBVFIMR: u32 = 0x0c84;
/// Number of 32-bit words in one VF's mailbox memory.
pub const VMBMEM_WORDS: usize = 16;

/// Mailbox control of VF 0..=7.
#[must_use]
pub const fn p2vmailbox(vf: usize) -> u32 {
    array(0x0c00, 4, vf)
}

/// Mailbox memory of VF 0..=7, word 0..=15. The VF can write it at any time.
#[must_use]
pub const fn vmbmem(vf: usize, word: usize) -> u32 {
    array(array(0x0800, 64, vf), 4, word)
}

/// Bits of [`p2vmailbox()`].
pub mod p2vmailbox {
    use super::super::bit;

    /// The PF has written a message: interrupts the VF.
    pub const STS: u32 = bit(0);
    /// The PF has read the VF's message: interrupts the VF.
    pub const ACK: u32 = bit(1);
    /// The VF holds the memory (read-only).
    pub const VFU: u32 = bit(2);
    /// The PF holds the memory. Every write without it gives the memory up.
    pub const PFU: u32 = bit(3);
    /// Take the memory away from the VF.
    pub const RVFU: u32 = bit(4);
}

/// Fields of [`MBVFICR`].
pub mod mbvficr {
    /// VFs that wrote a request, one bit per VF.
    #[must_use]
    pub const fn requests(mbvficr: u32) -> u8 {
        (mbvficr & 0xff) as u8
    }

    /// VFs that acknowledged a message, one bit per VF.
    #[must_use]
    pub const fn acks(mbvficr: u32) -> u8 {
        ((mbvficr >> 16) & 0xff) as u8
    }

    /// The word that clears the requests of the VFs in `vfs`.
    #[must_use]
    pub const fn clear_requests(vfs: u8) -> u32 {
        vfs as u32
    }

    /// The word that clears the acknowledgements of the VFs in `vfs`.
    #[must_use]
    pub const fn clear_acks(vfs: u8) -> u32 {
        (vfs as u32) << 16
    }
}

/// Values of [`MBVFIMR`].
pub mod mbvfimr {
    /// All VFs may interrupt.
    pub const ALL: u32 = 0xff;
}
