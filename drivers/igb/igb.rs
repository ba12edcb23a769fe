// SPDX-License-Identifier: GPL-2.0

//! Driver for Intel's 82576 Gigabit Ethernet controller: net device and SR-IOV physical function.
//!
//! Start reading at [`pci`] (how a device comes and goes), [`port`] (its state and locks),
//! [`tx`] and [`rx`] (a packet's path), [`mailbox`] (a VF's message's path). What the messages and
//! settings mean is decided in the crate `igb_core`, which knows no kernel; what the kernel looks
//! like from here is up to the crate `net`, which knows no Intel.

mod bridge;
mod clock;
mod controller;
mod debugfs;
mod devlink;
mod ethtool;
mod hw;
mod interrupts;
mod io;
mod lifecycle;
mod link;
mod log;
mod mac;
mod mailbox;
mod masks;
mod mtu;
mod netdev;
mod pairs;
mod pci;
mod poll;
mod port;
mod ptp;
mod queues;
mod returned;
mod rx;
mod service;
mod settings;
mod sockets;
mod sriov;
mod stats;
mod timestamps;
mod totals;
mod trunk;
mod tx;
mod vectors;
mod vf;
mod vlan_use;

net::module_net_pci_driver! {
    type: pci::Igb,
    name: "igb_rs",
    authors: ["The igb_rs authors"],
    description: "Intel 82576 Gigabit Ethernet, physical function",
    license: "GPL v2",
    params: {
        controller: u32 {
            default: 0,
            description: "What the controllers are: 0 told by their signs, 1 82576, 2 QEMU's model",
        },
        debug: i32 {
            default: -1,
            description: "Kinds of messages logged, from the first of NETIF_MSG_* on: 0 to 31",
        },
        max_vfs: u32 {
            default: 0,
            description: "VFs when a device is bound, 0 to 7. Deprecated: write sriov_numvfs",
        },
    },
}
