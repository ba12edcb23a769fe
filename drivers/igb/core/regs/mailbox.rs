// SPDX-License-Identifier: GPL-2.0

//! PF side of the PF-VF mailbox.

use super::Reg;

registers! {
    /// Mailbox causes of all VFs.
    MBVFICR @ 0x0c80: W1c<mbvficr::Mbvficr> = 0, dumped;
    /// Mailbox interrupt mask.
    MBVFIMR @ 0x0c84: Rw<mbvfimr::Mbvfimr> = 0xff, dumped;
    /// Mailbox control of VF 0..=7.
    p2vmailbox[0..8 @ 0x0c00, 4]: Rw<p2vmailbox::P2vmailbox> = 0;
}

/// Number of 32-bit words in one VF's mailbox memory.
pub const VMBMEM_WORDS: usize = 16;

/// Mailbox memory of VF 0..=7, word 0..=15. The VF can write it at any time.
#[must_use]
pub const fn vmbmem(vf: usize, word: usize) -> Reg<u32> {
    memory::vmbmem(vf.wrapping_mul(VMBMEM_WORDS).wrapping_add(word))
}

/// The mailbox memory of all VFs, one after the other.
pub mod memory {
    registers! {
        /// Mailbox memory: word n of VF v, 0..=15 and 0..=7, is 16 v + n.
        vmbmem[0..128 @ 0x0800, 4]: Rw<u32> = kept (qemu 0);
    }
}

/// Bits of [`p2vmailbox()`].
pub mod p2vmailbox {
    use super::super::bit;

    word!(P2vmailbox);

    /// The PF does not hold the memory, and has nothing to tell.
    pub const RELEASE: P2vmailbox = P2vmailbox(0);
    /// The PF has written a message: interrupts the VF.
    pub const STS: P2vmailbox = P2vmailbox(bit(0));
    /// The PF has read the VF's message: interrupts the VF.
    pub const ACK: P2vmailbox = P2vmailbox(bit(1));
    /// The VF holds the memory.
    pub const VFU: P2vmailbox = P2vmailbox(bit(2));
    /// The PF holds the memory. Every write without it gives the memory up.
    pub const PFU: P2vmailbox = P2vmailbox(bit(3));
    /// Take the memory away from the VF.
    pub const RVFU: P2vmailbox = P2vmailbox(bit(4));
}

/// Fields of [`MBVFICR`].
pub mod mbvficr {
    word!(Mbvficr);

    /// VFs that wrote a request, one bit per VF.
    #[must_use]
    pub const fn requests(mbvficr: Mbvficr) -> u8 {
        (mbvficr.0 & 0xff) as u8
    }

    /// VFs that acknowledged a message, one bit per VF.
    #[must_use]
    pub const fn acks(mbvficr: Mbvficr) -> u8 {
        ((mbvficr.0 >> 16) & 0xff) as u8
    }

    /// The word that clears the requests of the VFs in `vfs`.
    #[must_use]
    pub const fn clear_requests(vfs: u8) -> Mbvficr {
        Mbvficr(vfs as u32)
    }

    /// The word that clears the acknowledgements of the VFs in `vfs`.
    #[must_use]
    pub const fn clear_acks(vfs: u8) -> Mbvficr {
        Mbvficr((vfs as u32) << 16)
    }
}

/// Values of [`MBVFIMR`].
pub mod mbvfimr {
    word!(Mbvfimr);

    /// All VFs may interrupt.
    pub const ALL: Mbvfimr = Mbvfimr(0xff);
}
