// SPDX-License-Identifier: GPL-2.0

//! Driver for Intel's 82574L Gigabit Ethernet controller, as QEMU's `-device e1000e` has it.
//!
//! This is the second user of the crate `net`, and the one to begin a driver with: one pair of
//! queues, a vector for it and one for everything else, the link, and statistics. Read in this
//! order:
//!
//! | file        | what |
//! |-------------|------|
//! | [`pci`]     | how a device comes and goes |
//! | [`netdev`]  | the state of a port, and what the stack asks of it |
//! | [`queues`]  | opening and closing the pair; interrupts; the poll |
//! | [`tx`]      | a packet that is sent |
//! | [`rx`]      | a packet that is received |
//! | [`hw`]      | resets, filters, link, counters |
//! | [`ethtool`] | what `ethtool` shows |
//! | [`regs`]    | registers and descriptors |
//!
//! What it leaves out, and the other driver has: segmentation, VLAN tags, jumbo frames, XDP, more
//! queues, moderation, sleep, recovery from errors of the bus. It was never run on hardware, whose
//! errata are not dealt with, nor is what its PHY or its firmware need.
//!
//! "Datasheet" is Intel's 82574 GbE Controller Family Datasheet.

mod ethtool;
mod hw;
mod netdev;
mod pci;
mod queues;
mod regs;
mod rx;
mod tx;

net::module_net_pci_driver! {
    type: pci::E1000e,
    name: "e1000e_rs",
    authors: ["The igb_rs authors"],
    description: "Intel 82574L Gigabit Ethernet, an example",
    license: "GPL v2",
}
