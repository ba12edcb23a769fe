// SPDX-License-Identifier: GPL-2.0

//! What a controller is: silicon or an emulation, on which board, with which NVM image.

use crate::{
    hw::nvm::Nvm,
    io::Io, //
};
use igb_core::{
    media::Variant,
    model::{
        Choice,
        Signs,
        Verdict,
        DEFAULT_SUBSYSTEM, //
    },
    nvm::{
        Board,
        Image,
        BOARD_BLOCK_WORDS,
        BOARD_WORD,
        ETRACK_WORD,
        VERSION_WORD, //
    },
    regs::{
        self,
        eecd, //
    },
};
use kernel::{
    pci,
    prelude::*,
    time::Delta, //
};
use net::pci::DeviceExt;

/// What was read when the driver was bound.
pub(crate) struct Identity {
    /// What it is, by its identifier.
    pub(crate) variant: Variant,
    /// It is the first controller on its board.
    pub(crate) is_first: bool,
    /// What it is taken for, and why.
    pub(crate) verdict: Verdict,
    /// The NVM image it runs with, if that can be read.
    pub(crate) image: Option<Image>,
    /// The number of the board, if it has one.
    pub(crate) board: Option<Board>,
}

impl Identity {
    /// Reads it, from a controller that was reset and is not in service. Sleeps.
    pub(crate) fn read(pdev: &pci::Device, variant: Variant, io: &Io, nvm: &Nvm) -> Self {
        Self {
            variant,
            is_first: pdev.is_behind_first_port(),
            verdict: Verdict::new(signs(pdev, io), choice(pdev)),
            // What cannot be read is not shown.
            image: image(nvm).ok(),
            board: board(nvm).ok().flatten(),
        }
    }
}

/// What the module parameter says.
fn choice(pdev: &pci::Device) -> Choice {
    let parameter = net::compat::parameter(crate::module_parameters::controller.value());
    Choice::new(parameter).unwrap_or_else(|| {
        dev_warn!(
            pdev,
            "controller={parameter} is none of 0 (by its signs), 1 (82576) and 2 (QEMU's model): \
             taken as 0\n"
        );
        Choice::Auto
    })
}

fn signs(pdev: &pci::Device, io: &Io) -> Signs {
    let subsystem = (pdev.subsystem_vendor_id(), pdev.subsystem_device_id());
    Signs {
        default_subsystem: subsystem == DEFAULT_SUBSYSTEM,
        no_auto_read: io.read(regs::EECD) & eecd::AUTO_RD == 0,
        stopped_timer: timer_stands_still(io),
        no_rate_scheduler: !keeps_selected_queue(io),
    }
}

fn timer_stands_still(io: &Io) -> bool {
    let begin = io.read(regs::FRTIMER);
    let step = Delta::from_millis(1);
    io.wait(regs::FRTIMER, step, Delta::from_millis(3), |now| {
        now != begin
    })
    .is_err()
}

/// Selects a queue as for a rate limit, without setting one.
fn keeps_selected_queue(io: &Io) -> bool {
    const QUEUE: u32 = 9;
    io.write(regs::RTTDQSEL, QUEUE);
    let kept = io.read(regs::RTTDQSEL) == QUEUE;
    io.write(regs::RTTDQSEL, 0);
    kept
}

fn image(nvm: &Nvm) -> Result<Image> {
    let mut version = [0];
    nvm.read(VERSION_WORD, &mut version)?;
    let mut tracking = [0; 2];
    nvm.read(ETRACK_WORD, &mut tracking)?;
    let [version] = version;
    Ok(Image::new(version, tracking))
}

fn board(nvm: &Nvm) -> Result<Option<Board>> {
    let mut words = [0; 2];
    nvm.read(BOARD_WORD, &mut words)?;
    let Some(address) = Board::block(words) else {
        return Ok(Board::from_words(words));
    };
    let mut block = [0; BOARD_BLOCK_WORDS];
    nvm.read(address, &mut block)?;
    Ok(Board::from_block(block))
}
