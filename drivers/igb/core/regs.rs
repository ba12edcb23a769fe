// SPDX-License-Identifier: GPL-2.0

//! Register map of the 82576.
//!
//! The registers of a block are in one table at the start of its file: name, offset, way of access, type
//! of the value, value after a reset. Each is a constant [`Reg`] under its datasheet name, or a
//! `const fn` that returns one when there are several. The fields of `FOO` are constants and functions
//! in the module `foo` in the same file, of a type of their own: no caller writes a bare mask, and a
//! field of one register cannot be written to another. A register that is a number, an address or a
//! bitmap is a `u32`.
//!
//! The dump ([`crate::dump`]), [`RegisterName`] and the tables in `Documentation/registers.rst` are made of the
//! same tables.
//!
//! Offsets are in bytes. All registers are 32 bits wide and little-endian; those of the PHY have 16.
//!
//! Glossary: RAR = receive address register (RAL/RAH pair), MTA/UTA = multicast/unicast hash table,
//! VFTA = VLAN filter table, VLVF = VLAN pool filter, VMOLR = pool offload, VMVIR = pool VLAN insert,
//! DTXSWC = Tx switch control, RPLOLR = replicated packet offload, VFRE/VFTE = VF Rx/Tx enable,
//! VFLRE = VF level reset event, MBVFICR = mailbox interrupt cause, VMBMEM = mailbox memory.

#[macro_use]
mod register;
#[macro_use]
mod table;

mod filter;
mod interrupt;
mod iov;
mod mac;
mod mailbox;
mod media;
mod name;
mod phy;
mod ptp;
mod queue;
mod stats;
mod steering;

pub use self::{
    filter::*,
    interrupt::*,
    iov::*,
    mac::*,
    mailbox::*,
    media::*,
    name::RegisterName,
    phy::*,
    ptp::*,
    queue::*,
    register::*,
    stats::*,
    steering::*,
    table::{
        Info,
        Range,
        Reset, //
    }, //
};

/// Value a register read returns once the device has left the bus.
pub const GONE: u32 = u32::MAX;

/// Number of queues.
pub const QUEUE_COUNT: usize = 16;

/// The registers in BAR 0, by block.
pub const TABLES: [&[Info]; 11] = [
    mac::TABLE,
    media::TABLE,
    interrupt::TABLE,
    queue::TABLE,
    filter::TABLE,
    steering::TABLE,
    iov::TABLE,
    mailbox::TABLE,
    mailbox::memory::TABLE,
    ptp::TABLE,
    stats::TABLE,
];

/// The registers in BAR 0.
pub fn all() -> impl Iterator<Item = &'static Info> {
    TABLES.into_iter().flatten()
}

/// A block of registers, as the documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// What it is, as a title.
    pub title: &'static str,
    /// Its registers are numbered, and not in BAR 0.
    pub is_numbered: bool,
    /// Its registers.
    pub table: &'static [Info],
    /// What each of them is for: a sentence or more.
    pub about: &'static [&'static str],
}

/// The blocks of [`TABLES`], and that of the PHY.
pub const BLOCKS: [Block; 12] = [
    block(
        "Device control, NVM, flow control, LEDs, wake-up, semaphores",
        (mac::TABLE, mac::ABOUT),
    ),
    block(
        "SerDes, physical coding sublayer, SFP modules",
        (media::TABLE, media::ABOUT),
    ),
    block(
        "Interrupt causes, masks, vectors and moderation",
        (interrupt::TABLE, interrupt::ABOUT),
    ),
    block(
        "Receive and transmit units, queues, packet buffers",
        (queue::TABLE, queue::ABOUT),
    ),
    block("Receive filters and RSS", (filter::TABLE, filter::ABOUT)),
    block(
        "Filters that give frames to queues",
        (steering::TABLE, steering::ABOUT),
    ),
    block("Pools and virtual functions", (iov::TABLE, iov::ABOUT)),
    block("Mailbox", (mailbox::TABLE, mailbox::ABOUT)),
    block(
        "Mailbox memory",
        (mailbox::memory::TABLE, mailbox::memory::ABOUT),
    ),
    block("Clock and time stamps", (ptp::TABLE, ptp::ABOUT)),
    block("Counters", (stats::TABLE, stats::ABOUT)),
    Block {
        is_numbered: true,
        ..block("PHY", (phy::TABLE, phy::ABOUT))
    },
];

const fn block(
    title: &'static str,
    (table, about): (&'static [Info], &'static [&'static str]), //
) -> Block {
    Block {
        title,
        is_numbered: false,
        table,
        about,
    }
}

/// Returns a word with only bit `n` set.
///
/// `n` is taken modulo 32, so the shift cannot overflow.
#[must_use]
pub const fn bit(n: u32) -> u32 {
    1u32.wrapping_shl(n)
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_regs))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn receive_addresses_continue_in_a_second_block() {
        assert_eq!((ral(0).offset(), rah(0).offset()), (0x5400, 0x5404));
        assert_eq!((ral(15).offset(), rah(15).offset()), (0x5478, 0x547c));
        assert_eq!((ral(16).offset(), rah(16).offset()), (0x54e0, 0x54e4));
        assert_eq!((ral(23).offset(), rah(23).offset()), (0x5518, 0x551c));
    }

    #[test]
    fn queue_registers_are_64_bytes_apart() {
        assert_eq!(rdbal(0).offset(), 0xc000);
        assert_eq!(rdt(15).offset(), 0xc3d8);
        assert_eq!(tdt(15).offset(), 0xe3d8);
        assert_eq!(txdctl(7).offset(), 0xe1e8);
    }

    #[test]
    fn pool_and_mailbox_arrays() {
        assert_eq!(vmolr(7).offset(), 0x5aec);
        assert_eq!(vmvir(6).offset(), 0x3718);
        assert_eq!(vlvf(31).offset(), 0x5d7c);
        assert_eq!(vmbmem(6, 15).offset(), 0x9bc);
        assert_eq!(p2vmailbox(6).offset(), 0xc18);
        assert_eq!(pvfgprc(7).offset(), 0x10710);
    }

    #[test]
    fn registers_have_names() {
        assert!(holds_name(rah(17).offset(), "RAH[17]"));
        assert!(holds_name(vmolr(7).offset(), "VMOLR[7]"));
        assert!(holds_name(VFTE.offset(), "VFTE"));
        assert!(holds_name(vmbmem(1, 2).offset(), "VMBMEM[18]"));
        assert!(holds_name(0xc, "0x0000c"));
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
        let written = core::fmt::write(&mut rest, format_args!("{}", RegisterName(offset)));
        written.is_ok() && rest.0.is_empty()
    }

    #[test]
    fn fields_do_not_overlap() {
        assert_eq!(rah::pools(0xff), 0x03fc_0000);
        assert_eq!(rah::pools(0xff) & (rah::AV | rah::address(u32::MAX)), 0);
        assert_eq!(vlvf::entry(0xfff, 0xff), 0x800f_ffff);
        assert_eq!(vmolr::rlpml(0xffff), 0x3fff);
        assert_eq!(vmvir::insert(100, 7), 0x4000_e064);
        assert_eq!(vt_ctl::default_pool(7), 0x380);
        assert_eq!(mdic::read(1, 2) & mdic::READY, 0);
    }

    #[test]
    fn no_two_registers_are_in_one_place() {
        for (n, info) in all().enumerate() {
            for (_, offset) in info.registers() {
                assert_eq!(offset & 3, 0);
                let others = all().skip(n).flat_map(Info::registers);
                assert_eq!(others.filter(|(_, other)| *other == offset).count(), 1);
            }
        }
    }

    #[test]
    fn elements_are_where_the_table_says() {
        type OffsetOf = fn(usize) -> u32;

        let arrays: [(&str, OffsetOf); 4] = [
            ("ral", |n| ral(n).offset()),
            ("rah", |n| rah(n).offset()),
            ("rdbal", |n| rdbal(n).offset()),
            ("pvteicr", |n| pvteicr(n).offset()),
        ];
        for (name, offset) in arrays {
            let info = all().find(|info| info.name == name).unwrap();
            assert!(info.registers().all(|(n, at)| at == offset(n)));
        }
    }
}
