// SPDX-License-Identifier: GPL-2.0

//! What VFs asked of late, and what became of it: files in debugfs, in a directory
//! `igb_rs-<PCI address>`.
//!
//! `mailbox` has the latest messages and resets of VFs, `filters` the addresses and VLANs in force
//! with their owners, and the latest changes of the registers they are in. Times are seconds since
//! the driver took the device.

use crate::port::Port;
use igb_core::{
    function::Function,
    recent::Seconds,
    regs::{
        RegisterName,
        RAR_COUNT,
        VLVF_COUNT, //
    }, //
};
use kernel::{
    device::Bound,
    fmt,
    prelude::*,
    str::CString,
    sync::Arc, //
};
use net::debugfs::Directory;

/// Makes the files. Process context.
///
/// # Errors
///
/// `ENOMEM`, `ENODEV` in kernels without debugfs. The driver works without them.
pub(crate) fn publish(
    pdev: &kernel::pci::Device<Bound>,
    port: &Arc<Port>,
) -> Result<Directory<Port>> {
    let name = CString::try_from_fmt(fmt!("igb_rs-{}", pdev.as_ref().name()))?;
    Directory::new(
        pdev.as_ref(),
        &name,
        port,
        &[(c"mailbox", show_mailbox), (c"filters", show_filters)],
    )
}

fn show_mailbox(port: &Port, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // Interrupts are off while it is copied, not while it is printed: one entry at a time, by numbers
    // that do not move when others are added.
    let (total, first) = {
        let messages = &port.hw.lock().recent.messages;
        (messages.total(), messages.first())
    };
    writeln!(f, "{total} messages and resets, the latest:")?;
    for n in first..total {
        let entry = port.hw.lock().recent.messages.get(n);
        if let Some((entry, vf)) = entry.and_then(|entry| Some((entry, entry.vf?))) {
            writeln!(f, "{} VF {}: {}", Seconds(entry.at), vf.get(), entry.what)?;
        }
    }
    Ok(())
}

fn show_filters(port: &Port, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "addresses:")?;
    for n in 0..RAR_COUNT {
        let held = port.hw.lock().switch.addresses().find(|held| held.0 == n);
        if let Some((n, owner, addr)) = held {
            writeln!(f, "RAR {n}: {} {}", addr, Name(owner))?;
        }
    }
    writeln!(f, "VLANs:")?;
    for n in 0..VLVF_COUNT {
        let joined = port.hw.lock().switch.vlans().find(|joined| joined.0 == n);
        let Some((n, vid, members)) = joined else {
            continue;
        };
        write!(f, "VLVF {n}: {}", vid.get())?;
        for member in Function::all().filter(|member| members & member.bit() != 0) {
            write!(f, " {}", Name(member))?;
        }
        writeln!(f)?;
    }
    let (total, first) = {
        let writes = &port.hw.lock().recent.writes;
        (writes.total(), writes.first())
    };
    writeln!(f, "{total} changes of registers, the latest:")?;
    for n in first..total {
        let Some(write) = port.hw.lock().recent.writes.get(n) else {
            continue;
        };
        match write.register {
            Some((offset, value)) => {
                writeln!(
                    f,
                    "{} {} = {value:#010x}",
                    Seconds(write.at),
                    RegisterName(offset)
                )?;
            }
            None => writeln!(f, "{} all, after a reset", Seconds(write.at))?,
        }
    }
    Ok(())
}

/// A function, to be printed.
struct Name(Function);

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Function::Pf => f.write_str("PF"),
            Function::Vf(vf) => write!(f, "VF {}", vf.get()),
        }
    }
}
