// SPDX-License-Identifier: GPL-2.0

//! Register map of the 82576.
//!
//! Every register has its offset in BAR 0 as a constant, or as a `const fn` when there are several,
//! under its datasheet name; the bits of `FOO` live in the module `foo` next to it, so that no
//! caller ever writes a bare mask. A field wider than one bit has an encoder or decoder function.
//!
//! Offsets are in bytes. All registers are 32 bits wide and little-endian.
//!
//! Glossary: RAR = receive address register (RAL/RAH pair), MTA/UTA = multicast/unicast hash table,
//! VFTA = VLAN filter table, VLVF = VLAN pool filter, VMOLR = pool offload, VMVIR = pool VLAN insert,
//! DTXSWC = Tx switch control, RPLOLR = replicated packet offload, VFRE/VFTE = VF Rx/Tx enable,
//! VFLRE = VF level reset event, MBVFICR = mailbox interrupt cause, VMBMEM = mailbox memory,
//! R/C = cleared by reading, W1C = cleared by writing one.

mod filter;
mod interrupt;
mod iov;
mod mac;
mod mailbox;
mod name;
mod phy;
mod ptp;
mod queue;
mod stats;

pub use self::{
    filter::*,
    interrupt::*,
    iov::*,
    mac::*,
    mailbox::*,
    name::FilterName,
    phy::*,
    ptp::*,
    queue::*,
    stats::*, //
};

/// Value a register read returns once the device has left the bus.
pub const GONE: u32 = u32::MAX;

/// Returns a word with only bit `n` set.
///
/// `n` is taken modulo 32, so the shift cannot overflow.
#[must_use]
pub const fn bit(n: u32) -> u32 {
    1u32.wrapping_shl(n)
}

/// Offset of element `n` of a register array that starts at `base`, `stride` bytes apart.
///
/// Callers keep `n` within the array; the arithmetic itself wraps rather than overflows.
const fn array(base: u32, stride: u32, n: usize) -> u32 {
    // Truncation is harmless: no register array has more than 256 elements.
    #[allow(clippy::cast_possible_truncation)]
    let n = n as u32;
    base.wrapping_add(stride.wrapping_mul(n))
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_regs))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn receive_addresses_continue_in_a_second_block() {
        assert_eq!((ral(0), rah(0)), (0x5400, 0x5404));
        assert_eq!((ral(15), rah(15)), (0x5478, 0x547c));
        assert_eq!((ral(16), rah(16)), (0x54e0, 0x54e4));
        assert_eq!((ral(23), rah(23)), (0x5518, 0x551c));
    }

    #[test]
    fn queue_registers_are_64_bytes_apart() {
        assert_eq!(rdbal(0), 0xc000);
        assert_eq!(rdt(15), 0xc3d8);
        assert_eq!(tdt(15), 0xe3d8);
        assert_eq!(txdctl(7), 0xe1e8);
    }

    #[test]
    fn pool_and_mailbox_arrays() {
        assert_eq!(vmolr(7), 0x5aec);
        assert_eq!(vmvir(6), 0x3718);
        assert_eq!(vlvf(31), 0x5d7c);
        assert_eq!(vmbmem(6, 15), 0x9bc);
        assert_eq!(p2vmailbox(6), 0xc18);
        assert_eq!(pvfgprc(7), 0x10710);
    }

    #[test]
    fn filter_registers_have_names() {
        assert!(holds_name(rah(17), "RAH[17]"));
        assert!(holds_name(vmolr(7), "VMOLR[7]"));
        assert!(holds_name(VFTE, "VFTE"));
        assert!(holds_name(0x8, "0x00008"));
    }

    /// Whether the register at `offset` is called `name`.
    fn holds_name(offset: u32, name: &str) -> bool {
        struct Rest<'a>(&'a str);

        impl core::fmt::Write for Rest<'_> {
            fn write_str(&mut self, s: &str) -> core::fmt::Result {
                self.0 = self.0.strip_prefix(s).ok_or(core::fmt::Error)?;
                Ok(())
            }
        }

        let mut rest = Rest(name);
        let written = core::fmt::write(&mut rest, format_args!("{}", FilterName(offset)));
        written.is_ok() && rest.0.is_empty()
    }

    #[test]
    fn fields_do_not_overlap() {
        assert_eq!(rah::pools(0xff) & rah::AV, 0);
        assert_eq!(rah::pools(0xff), rah::POOL_MASK);
        assert_eq!(vlvf::entry(0xfff, 0xff), 0x800f_ffff);
        assert_eq!(vmolr::rlpml(0xffff), 0x3fff);
        assert_eq!(vmvir::insert(100, 7), 0x4000_e064);
        assert_eq!(vt_ctl::default_pool(7), 0x380);
        assert_eq!(mdic::read(1, 2) & mdic::READY, 0);
    }
}
