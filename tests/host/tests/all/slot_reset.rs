// SPDX-License-Identifier: GPL-2.0

//! A reset of the slot (PCI error recovery) takes the PHY along, whatever is being done to it.

use crate::model::board::{
    Board,
    NEVER, //
};
use igb_core::{
    device::Fault,
    link::Advertise,
    phy::{
        Path,
        Phy, //
    }, //
};

/// Power management of the PHY: no low power link-up in D0.
const POWER: usize = 25;
const BROUGHT_UP: u16 = 0x008d;
const AFTER_POWER_ON: u16 = 0x008f;

fn bring_up(board: &Board) -> Result<(), Fault> {
    let phy = Phy::take(board, Path::Internal)?.bring_up()?;
    phy.negotiate(&Advertise::ALL)
}

#[test]
fn a_phy_that_was_brought_up_has_to_be_again() {
    let board = Board::new();
    bring_up(&board).unwrap();
    assert_eq!(board.state().phy[POWER], BROUGHT_UP);
    board.state_mut().slot_reset_after = Some(0);
    // The first access is lost with the reset: nobody does one before the slot is reset.
    let _ = igb_core::regs::Registers::read_at(&board, 8);
    assert_eq!(board.state().phy[POWER], AFTER_POWER_ON);
    bring_up(&board).unwrap();
    assert_eq!(board.state().phy[POWER], BROUGHT_UP);
    assert_eq!(board.state().resets.len(), 2);
    assert!(board.is_left_tidy());
}

/// At each access in turn. Who does them does not know, and ends in a limited time; then the driver is told, and
/// brings the PHY up from what it finds.
#[test]
fn whatever_is_being_done_ends_and_the_next_time_works() {
    let mut interrupted = 0;
    for access in 0.. {
        let board = Board::with(|state| state.slot_reset_after = Some(access));
        let first = bring_up(&board);
        if board.state().slot_reset_after.is_some() {
            // As many as bringing it up takes.
            assert_eq!(first, Ok(()));
            break;
        }
        interrupted += 1;
        {
            let mut state = board.state_mut();
            assert!(state.now < 10_000_000, "access {access}: {} us", state.now);
            assert!(state.now < NEVER);
            state.broken_rules.clear();
        }
        bring_up(&board).unwrap_or_else(|fault| panic!("access {access}: {fault:?}"));
        assert!(board.is_left_tidy(), "access {access}");
        assert_eq!(board.state().phy[POWER], BROUGHT_UP, "access {access}");
    }
    assert!(interrupted > 30, "{interrupted}");
}
