// SPDX-License-Identifier: GPL-2.0

//! Stopping and resetting the controller (datasheet 4.3 and 5.2.3).

use crate::io::Io;
use igb_core::{
    pcie,
    regs::{
        self,
        ctrl,
        eecd,
        eicr,
        icr,
        status,
        tctl, //
    },
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// Masks every interrupt cause and forgets the pending ones.
pub(crate) fn mask_interrupts(io: &Io) {
    io.write(regs::IMC, icr::ALL);
    io.write(regs::EIMC, eicr::ALL);
    io.flush();
}

/// Stops both units: no frame is received, transmitted or switched from here on.
pub(crate) fn stop_units(io: &Io) {
    io.clear(regs::RCTL);
    io.write(regs::TCTL, tctl::PSP);
    io.flush();
}

/// Resets the controller. Afterwards interrupts are masked, both units are off, and all VFs see
/// a reset in progress (RSTI) until CTRL_EXT.PFRSTD is set.
///
/// Sleeps for some 20 ms. A controller that was away and is back is taken for present again:
/// whatever was lost meanwhile is written anew after the reset.
///
/// # Errors
///
/// `ENODEV` if the controller is gone.
pub(crate) fn reset(io: &Io) -> Result {
    // If it is gone indeed, that is found out again.
    let _ = io.probe_presence();
    mask_interrupts(io);
    stop_units(io);
    io.write(regs::VFRE, 0);
    io.write(regs::VFTE, 0);
    // Frames in flight need 10 ms at most (a jumbo frame at 10 Mb/s).
    fsleep(Delta::from_millis(10));
    drain_dma(io);
    io.update(regs::CTRL, |value| value | ctrl::RST);
    // No access for 1 ms while the reset is under way; a read could hang the bus.
    fsleep(Delta::from_millis(1));
    // The NVM is read into the registers. Emulations do not report the end of it, and C drivers
    // go on as well: the registers that matter are checked one by one later.
    let _ = io.wait(
        regs::EECD,
        Delta::from_millis(1),
        Delta::from_millis(10),
        |value| value & eecd::AUTO_RD != 0,
    );
    mask_interrupts(io);
    let _ = io.read(regs::ICR);
    io.probe_presence()
}

/// Has the controller wait long enough for completions, as far as its own registers say how long. Returns
/// what its configuration space is to say, if it is that.
pub(crate) fn set_completion_timeout(io: &Io) -> Option<u16> {
    let (gcr, range) = pcie::completion_timeout(io.read(regs::GCR));
    io.write(regs::GCR, gcr);
    range
}

/// Stops the controller from starting new PCIe transactions, and waits for those under way: a
/// reset or a change of the power state in the middle of one can hang the link partner (datasheet
/// 5.2.3). A reset of the controller ends it. Sleeps for up to 80 ms.
pub(crate) fn drain_dma(io: &Io) {
    io.update(regs::CTRL, |value| value | ctrl::GIO_MASTER_DISABLE);
    // A device that does not get there in time is reset all the same.
    let _ = io.wait(
        regs::STATUS,
        Delta::from_micros(100),
        Delta::from_millis(80),
        |value| value & status::GIO_MASTER_ENABLE == 0,
    );
}
