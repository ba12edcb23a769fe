// SPDX-License-Identifier: GPL-2.0

//! The self-tests: `ethtool -t`.
//!
//! Online, what can be looked at without disturbing anybody: NVM and link. Offline, the controller is
//! quiesced, tested and restarted, in the same way as for any other reset. As that would cut off the
//! VFs, the offline tests are refused while there are any.

mod interrupt;
mod loopback;

use crate::{
    hw::nvm::Nvm,
    io::Io,
    lifecycle,
    link::PortLink,
    mac::Mac,
    port::Port, //
};
use igb_core::{
    media::Media,
    nvm as contents,
    pcs,
    register_test,
    regs::{
        self,
        ctrl,
        status, //
    }, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};
use net::{
    compat::{
        EBADMSG,
        ENOLINK, //
    },
    device::Locked, //
};

/// Names of the tests, in the order of [`Report::results`].
pub(super) const NAMES: [&str; 5] = [
    "Register test  (offline)",
    "Interrupt test (offline)",
    "Loopback test  (offline)",
    "NVM test       (on/offline)",
    "Link test      (on/offline)",
];

/// How long a link takes to negotiate.
const LINK_TIMEOUT: Delta = Delta::from_secs(5);

/// Results of the tests.
pub(super) struct Report {
    registers: Result,
    interrupt: Result,
    loopback: Result,
    nvm: Result,
    link: Result,
}

impl Report {
    /// 0 for a test that passed, or was not to be run; else an error number.
    pub(super) fn results(&self) -> [u64; NAMES.len()] {
        [
            &self.registers,
            &self.interrupt,
            &self.loopback,
            &self.nvm,
            &self.link,
        ]
        .map(|result| match result {
            Ok(()) => 0,
            Err(error) => error.to_errno().unsigned_abs().into(),
        })
    }
}

/// Tests that disturb nobody.
pub(super) fn online(port: &Port) -> Report {
    let link = match port.mac.lock().link.state() {
        Some(_) => Ok(()),
        None => Err(ENOLINK),
    };
    Report {
        registers: Ok(()),
        interrupt: Ok(()),
        loopback: Ok(()),
        nvm: test_nvm(&port.nvm),
        link,
    }
}

/// All tests. Under RTNL; takes a second or two, and up to ten without a link.
pub(super) fn offline(port: &Port, dev: &Locked<Port>) -> Report {
    let mut report = online(port);
    let nr_vfs = port.hw.lock().switch.nr_vfs();
    if nr_vfs != 0 {
        dev_warn!(
            &*port.pdev,
            "offline tests would cut off {nr_vfs} VFs: disable them first, or test online\n"
        );
        report.registers = Err(EBUSY);
        report.interrupt = Err(EBUSY);
        report.loopback = Err(EBUSY);
        return report;
    }
    let restarted = lifecycle::restart_with(dev, |mac| {
        test_quiesced(port, dev, mac, &mut report);
        Ok(())
    });
    if let Err(error) = restarted {
        dev_err!(&*port.pdev, "no restart after the self-test: {error:?}\n");
        report.registers = Err(error);
    }
    report
}

/// The tests of a quiesced controller. Registers come last: they leave it in a state that only a
/// reset ends.
fn test_quiesced(port: &Port, dev: &Locked<Port>, mac: &Mac, report: &mut Report) {
    let io = mac.out_of_service();
    report.interrupt = interrupt::test(port, io, dev);
    // It is the internal PHY that sends frames back.
    if mac.link.media() == Media::Copper {
        report.loopback = loopback::test(io, dev);
    } else {
        let media = mac.link.media().name();
        dev_info!(
            &*port.pdev,
            "the loopback test was not run: it is for copper, and the link is {media}\n"
        );
    }
    if report.link.is_err() {
        report.link = test_link(io, &mac.link);
    }
    report.registers = test_registers(port, io);
}

fn test_nvm(nvm: &Nvm) -> Result {
    let mut words = [0; contents::CHECKSUM_WORDS as usize];
    nvm.read(0, &mut words)?;
    if contents::checksum_ok(words) {
        Ok(())
    } else {
        Err(EBADMSG)
    }
}

/// Negotiates a link that was not in use.
fn test_link(io: &Io, link: &PortLink) -> Result {
    io.update(regs::CTRL, |value| value | ctrl::SLU);
    link.negotiate()?;
    let step = Delta::from_millis(10);
    if link.media().phy().is_some() {
        io.wait(regs::STATUS, step, LINK_TIMEOUT, |value| {
            value & status::LU != 0
        })?;
    } else {
        io.wait(regs::PCS_LSTAT, step, LINK_TIMEOUT, |value| {
            pcs::link(value).is_some()
        })?;
    }
    Ok(())
}

fn test_registers(port: &Port, io: &Io) -> Result {
    register_test::run(
        |offset| io.read_at(offset),
        |offset, value| io.write_at(offset, value),
    )
    .map_err(|stuck| {
        dev_err!(
            &*port.pdev,
            "register {:#07x}: wrote {:#010x}, read {:#010x}\n",
            stuck.offset,
            stuck.wrote,
            stuck.read
        );
        EIO
    })
}
