// SPDX-License-Identifier: GPL-2.0

//! What is around the controller: PHY, SFP module, semaphores; and what of it can fail, fault by fault.

use std::cell::Cell;

use crate::model::board::{
    Board,
    State,
    NEVER, //
};
use igb_core::{
    device::{
        Device,
        Fault, //
    },
    link::{
        Advertise,
        Pause, //
    },
    link_config::Crossover,
    media::{
        self,
        Media,
        Memory, //
    },
    pcs,
    phy::{
        Path,
        Phy, //
    },
    regs::{
        self,
        Registers, //
    },
    semaphore::{
        self,
        Resource, //
    },
};

const CTRL_EXT: u32 = 0x0018;
const MDIC: u32 = 0x0020;
const CONNSW: u32 = 0x0034;
const PCS_CFG0: u32 = 0x4200;
const PCS_LCTL: u32 = 0x4208;
const PCS_LSTAT: u32 = 0x420c;
const PCS_ANADV: u32 = 0x4218;
const PCS_LPAB: u32 = 0x421c;
const MANC: u32 = 0x5820;
const FWSM: u32 = 0x5b54;

const SGMII: u32 = 2 << 22;
const SERDES: u32 = 3 << 22;
const KX: u32 = 1 << 22;

fn set(board: &Board, offset: u32, value: u32) {
    board.state_mut().registers.insert(offset, value);
}

fn take(board: &Board) -> Phy<'_, Board> {
    Phy::take(board, Path::Internal).unwrap()
}

fn bring_up(board: &Board) -> Result<(), Fault> {
    take(board).bring_up().map(drop)
}

/// Bytes of an SFP module that complies with the standards of `compliance`.
fn module(compliance: u8) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
    (bytes[0], bytes[6], bytes[92], bytes[94]) = (3, compliance, 0x68, 5);
    Some(bytes)
}

#[test]
fn the_phy_is_brought_up() {
    let board = Board::new();
    bring_up(&board).unwrap();
    assert!(board.is_left_tidy());
    let state = board.state();
    assert_eq!(state.resets.len(), 1);
    assert!(state.resets[0] >= 100);
    // No low power link-up in D0. What it does in D3 stays.
    assert_eq!(state.phy[25], 0x008d);
    assert!(state.now < 200_000, "{} us", state.now);
}

#[test]
fn a_phy_whose_setup_nobody_reports_is_used_after_a_while() {
    let board = Board::with(|state| state.config_takes = NEVER - 1_000_000_000);
    bring_up(&board).unwrap();
    assert!(board.is_left_tidy());
    assert!((200_000..300_000).contains(&board.state().now));
}

#[test]
fn the_reset_lasts_however_late_writes_arrive() {
    let board = Board::with(|state| state.posts_writes = true);
    bring_up(&board).unwrap();
    // The last write, which gives SWSM back.
    let _ = board.read(regs::STATUS);
    assert!(board.is_left_tidy());
    let state = board.state();
    assert_eq!(state.resets.len(), 1);
    assert!(state.resets[0] >= 100, "{} us", state.resets[0]);
}

#[test]
fn firmware_has_the_phy_while_it_sets_it_up() {
    // As long as the driver has it, it is not set up; and who sets it up may need it longer.
    let board = Board::with(|state| state.config_takes = 60_000);
    bring_up(&board).unwrap();
    assert!((160_000..190_000).contains(&board.state().now));
    let board = Board::with(|state| state.firmware_phy_after_reset = 400_000);
    bring_up(&board).unwrap();
    assert!((400_000..420_000).contains(&board.state().now));
    assert!(board.is_left_tidy());
    // It is not touched if it does not come back.
    let board = Board::with(|state| state.firmware_phy_after_reset = NEVER);
    assert_eq!(bring_up(&board), Err(Fault::Busy));
    assert_eq!(board.state().phy[25], 0x008f);
    assert!(board.is_left_tidy());
}

#[test]
fn firmware_can_forbid_the_reset() {
    let board = Board::new();
    set(&board, MANC, 1 << 18);
    bring_up(&board).unwrap();
    assert!(board.state().resets.is_empty());
    assert_eq!(board.state().phy[25], 0x008d);
}

#[test]
fn a_slow_access_is_waited_for_and_a_lost_one_is_not() {
    // C drivers have seen more than 10 ms.
    let board = Board::with(|state| state.mdic_takes = 90_000);
    assert_eq!(take(&board).read(regs::PHYID1), Ok(0x02a8));
    let board = Board::with(|state| state.mdic_takes = NEVER);
    assert_eq!(take(&board).read(regs::PHYID1), Err(Fault::TimedOut));
    assert!(board.state().now < 120_000);
    assert!(board.is_left_tidy());
}

#[test]
fn an_error_of_the_phy_is_told() {
    let board = Board::with(|state| state.refused = Some(25));
    assert_eq!(bring_up(&board), Err(Fault::Refused));
    assert!(board.is_left_tidy());
    let board = Board::with(|state| state.phy_address = 7);
    assert_eq!(take(&board).read(regs::PHYID1), Err(Fault::Refused));
}

#[test]
fn a_page_that_somebody_left_selected_is_no_matter() {
    let board = Board::with(|state| state.page = 0x11a0);
    {
        let phy = take(&board);
        phy.set_crossover(Crossover::Auto, false).unwrap();
        assert_eq!(phy.read_number(16), Ok(0x01a0));
        // Below, there are no pages.
        assert_eq!(phy.read_number(4), Ok(0x0de1));
    }
    assert!(board.is_left_tidy());
    assert_eq!(board.state().phy[18], 0x1000);
}

const ONLY_GIGABIT: Advertise = Advertise {
    t10_half: false,
    t10_full: false,
    tx100_half: false,
    tx100_full: false,
    ..Advertise::ALL
};

#[test]
fn smart_speed_is_off_while_there_is_only_one_speed() {
    let board = Board::new();
    let taken = Cell::new(false);
    let offer = |advertise: &Advertise| {
        let phy = take(&board);
        phy.set_smart_speed(advertise, &taken).unwrap();
        drop(phy);
        board.state().phy[16]
    };
    assert_eq!(offer(&Advertise::ALL), 0x01a0);
    for _ in 0..2 {
        assert_eq!(offer(&ONLY_GIGABIT), 0x0120);
    }
    // A reset of the PHY brings it back.
    board.state_mut().phy[16] = 0x01a0;
    assert_eq!(offer(&ONLY_GIGABIT), 0x0120);
    assert_eq!(offer(&Advertise::ALL), 0x01a0);
    // Where the NVM has it off, it stays off.
    board.state_mut().phy[16] = 0x0120;
    assert_eq!(offer(&ONLY_GIGABIT), 0x0120);
    assert_eq!(offer(&Advertise::ALL), 0x0120);
    // Another PHY has no such thing at that place.
    let external = Phy::take(&board, Path::Mdio(1)).unwrap();
    board.state_mut().phy[16] = 0x01a0;
    external.set_smart_speed(&ONLY_GIGABIT, &taken).unwrap();
    drop(external);
    assert_eq!(board.state().phy[16], 0x01a0);
    assert!(board.is_left_tidy());
}

#[test]
fn which_end_gives_the_clock_is_negotiated() {
    let board = Board::new();
    board.state_mut().phy[9] = 0x1f00;
    take(&board).negotiate(&Advertise::ALL).unwrap();
    assert_eq!(board.state().phy[9], 0x1e00);
    take(&board).negotiate(&ONLY_GIGABIT).unwrap();
    assert_eq!(board.state().phy[9], 0x0e00);
    assert!(board.is_left_tidy());
}

#[test]
fn a_controller_that_leaves_ends_each_wait() {
    let board = Board::with(|state| state.mdic_takes = NEVER);
    {
        let phy = take(&board);
        board.state_mut().gone = true;
        assert_eq!(phy.read(regs::PHYID1), Err(Fault::Gone));
        assert_eq!(
            media::read_module(&board, Media::SerDes, 0, &mut [0]),
            Err(Fault::Gone)
        );
    }
    assert!(board.state().now < 1000);
}

#[test]
fn the_phy_keeps_its_power_for_management() {
    for (manc, fwsm, goes_down) in [
        (0, 0, true),
        (0x2_0000, 4, false),
        (0x2_0000, 6, true),
        (0x2_0001, 0, false),
        (0x4_0000, 0, false),
    ] {
        let board = Board::new();
        set(&board, MANC, manc);
        set(&board, FWSM, fwsm);
        take(&board).power_down().unwrap();
        let is_down = board.state().phy[0] & 0x0800 != 0;
        assert_eq!(is_down, goes_down, "MANC {manc:#x}, FWSM {fwsm:#x}");
    }
}

#[test]
fn what_firmware_has_is_waited_for() {
    let board = Board::with(|state| {
        state.firmware_swsm_until = 30_000;
        state.firmware_phy_until = 600_000;
    });
    drop(take(&board));
    assert!(board.state().now >= 600_000);
    assert!(board.is_left_tidy());
    // Whoever cannot wait does not.
    board.state_mut().firmware_phy_until = NEVER;
    let before = board.state().now;
    assert!(matches!(
        Phy::try_take(&board, Path::Internal),
        Err(Fault::Busy)
    ));
    assert!(board.state().now < before + 10_000);
}

#[test]
fn what_is_never_given_back_is_an_error() {
    for break_it in [
        (|state| state.firmware_swsm_until = NEVER) as fn(&mut State),
        |state| state.smbi_until = NEVER,
        |state| state.firmware_phy_until = NEVER,
        |state| state.other_phy_until = NEVER,
    ] {
        let board = Board::with(break_it);
        let taken = semaphore::take(&board, Resource::Phy(0));
        assert!(matches!(taken, Err(Fault::Busy)));
        assert!(board.state().now < 3_000_000);
        assert_eq!(board.state().broken_rules, Vec::<String>::new());
    }
}

#[test]
fn the_other_ports_driver_is_not_robbed() {
    // It has SWSM for a moment while this port's driver is bound.
    let board = Board::with(|state| state.smbi_until = 400);
    semaphore::reclaim(&board);
    assert!(board.state().now >= 400);
    assert!(board.is_left_tidy());
}

#[test]
fn what_a_crashed_driver_left_is_taken_back() {
    let board = Board::new();
    // Nobody gives back what was read once.
    let _ = board.read(regs::SWSM);
    semaphore::reclaim(&board);
    assert!((100_000..200_000).contains(&board.state().now));
    assert!(board.is_left_tidy());
    drop(take(&board));
}

#[test]
fn boards_are_told_by_their_link() {
    let detect = |ctrl_ext: u32, change: fn(&mut State)| {
        let board = Board::with(change);
        set(&board, CTRL_EXT, ctrl_ext);
        let media = Media::detect(&board);
        assert!(board.is_left_tidy());
        media
    };
    let nothing: fn(&mut State) = |_| ();
    assert_eq!(detect(0, nothing), Ok(Media::Copper));
    assert_eq!(detect(KX, nothing), Ok(Media::Kx));
    // A backplane: there is no module.
    assert_eq!(detect(SERDES, nothing), Ok(Media::SerDes));
    assert_eq!(
        detect(SERDES, |s| s.module = module(0x01)),
        Ok(Media::SerDes)
    );
    assert_eq!(
        detect(SGMII, |s| s.module = module(0x02)),
        Ok(Media::SerDes)
    );
    assert_eq!(
        detect(SERDES, |s| s.module = module(0x20)),
        Ok(Media::Fibre100)
    );
    // A kind of module that is not known: what the NVM says.
    assert_eq!(
        detect(SERDES, |s| s.module = module(0x40)),
        Ok(Media::SerDes)
    );
    let with_phy: fn(&mut State) = |s| {
        s.module = module(0x08);
        let mut phy = [0; 32];
        phy[2] = 0x0141;
        s.module_phy = Some((6, phy));
    };
    assert_eq!(detect(SERDES, with_phy), Ok(Media::Sgmii(Path::I2c(6))));
    // One that is only there after a while.
    let late: fn(&mut State) = |s| {
        s.module = module(0x01);
        s.module_from = 150_000;
    };
    assert_eq!(detect(SGMII, late), Ok(Media::SerDes));
    let slow: fn(&mut State) = |s| {
        s.module = module(0x01);
        s.i2c_takes = NEVER;
    };
    assert_eq!(detect(SERDES, slow), Ok(Media::SerDes));
}

#[test]
fn an_external_phy_has_the_address_the_nvm_says() {
    let board = Board::with(|state| state.phy_address = 5);
    set(&board, CTRL_EXT, SGMII);
    // As the NVM has set it, before any command.
    struct Preset<'a>(&'a Board);
    impl Registers for Preset<'_> {
        fn read_at(&self, offset: u32) -> u32 {
            if offset == MDIC {
                return 1 << 31 | 5 << 21;
            }
            self.0.read_at(offset)
        }
        fn write_at(&self, offset: u32, value: u32) {
            self.0.write_at(offset, value);
        }
    }
    impl Device for Preset<'_> {
        fn pause(&self, us: u32) {
            self.0.pause(us);
        }
        fn is_gone(&self) -> bool {
            false
        }
    }
    let media = Media::detect(&Preset(&board)).unwrap();
    assert_eq!(media, Media::Sgmii(Path::Mdio(5)));
    let phy = Phy::take(&board, Path::Mdio(5)).unwrap();
    assert_eq!(phy.read(regs::PHYID1), Ok(0x02a8));
    // It is no Marvell: nothing is known of its crossover, and no page is selected.
    phy.set_crossover(Crossover::Crossed, false).unwrap();
    assert_eq!((board.state().phy[18], board.state().page), (0, 0));
}

#[test]
fn the_phy_of_a_module_is_reached_over_i2c() {
    let board = Board::with(|state| {
        let mut phy = [0; 32];
        (phy[0], phy[2], phy[16]) = (0x1140, 0x0141, 0x0c08);
        state.module_phy = Some((6, phy));
    });
    {
        let phy = Phy::take(&board, Path::I2c(6)).unwrap();
        let phy = phy.bring_up().unwrap();
        phy.set_crossover(Crossover::Auto, false).unwrap();
        phy.negotiate(&Advertise::ALL).unwrap();
        assert_eq!(phy.read_number(31), Err(Fault::Refused));
    }
    assert!(board.is_left_tidy());
    let (_, phy) = board.state().module_phy.unwrap();
    assert_eq!((phy[0x1b], phy[16], phy[4]), (0x8084, 0x0c68, 0x05e1));
    // The internal PHY was left alone.
    assert_eq!(board.state().phy[4], 0x0de1);
}

#[test]
fn an_external_phy_is_given_time_after_power() {
    for path in [Path::I2c(6), Path::Mdio(5)] {
        let board = Board::with(|state| {
            let mut phy = [0; 32];
            phy[0] = 0x1140;
            state.module_phy = Some((6, phy));
            state.phy_address = 5;
        });
        let media = Media::Sgmii(path);
        // Down, without power, and up again.
        pcs::stop(&board, media);
        assert_eq!(
            Phy::take(&board, path).unwrap().read(regs::BMCR),
            Err(Fault::Refused)
        );
        pcs::start(&board, media, true, Pause::default());
        let phy = Phy::take(&board, path).unwrap().bring_up().unwrap();
        phy.negotiate(&Advertise::ALL).unwrap();
        drop(phy);
        assert!(board.is_left_tidy());
        // Not longer than is needed.
        assert!(board.state().now < 320_000, "{path:?}");
    }
}

#[test]
fn a_module_shows_its_memory() {
    let board = Board::with(|state| state.module = module(0x01));
    assert_eq!(
        media::module_memory(&board, Media::SerDes),
        Ok(Memory::WithDiagnosis)
    );
    let mut bytes = [0; 4];
    media::read_module(&board, Media::SerDes, 0xfe, &mut bytes).unwrap();
    assert_eq!(bytes, [0xfe, 0xff, 0x00, 0x01]);
    assert!(board.is_left_tidy());
    for media in [Media::Copper, Media::Kx] {
        assert_eq!(media::module_memory(&board, media), Err(Fault::Absent));
    }
    // An empty cage.
    let board = Board::new();
    assert_eq!(
        media::module_memory(&board, Media::SerDes),
        Err(Fault::Refused)
    );
    let board = Board::with(|state| state.i2c_takes = NEVER);
    assert_eq!(
        media::module_memory(&board, Media::SerDes),
        Err(Fault::TimedOut)
    );
    assert!(board.is_left_tidy());
}

#[test]
fn serdes_negotiates_pause() {
    let board = Board::new();
    let pause = Pause { rx: true, tx: true };
    pcs::start(&board, Media::SerDes, true, pause);
    assert_eq!(board.register(CTRL_EXT) & (SERDES | 1 << 7), SERDES);
    assert_eq!(board.register(PCS_CFG0), 8);
    assert_eq!(board.register(CONNSW), 4);
    // Negotiates, anew; 1000 Mb/s, full duplex; not forced.
    assert_eq!(board.register(PCS_LCTL), 0x3_000c);
    assert_eq!(board.register(PCS_ANADV), 0x00a0);
    // SLU, both pins, and a MAC that is set to 1000 Mb/s.
    assert_eq!(board.register(0), 0x000c_1a41);
    assert_eq!(pcs::advertisements(&board), None);
    set(&board, PCS_LSTAT, 0x1_001d);
    set(&board, PCS_LPAB, 0x01a0);
    let (own, partner) = pcs::advertisements(&board).unwrap();
    assert_eq!(Pause::resolve(own, partner), pause);
}

#[test]
fn pause_is_what_the_driver_says() {
    const RX_ONLY: Pause = Pause {
        rx: true,
        tx: false,
    };
    const FORCE_FC: u32 = 1 << 7;
    for (media, is_forced) in [
        (Media::SerDes, true),
        (Media::Fibre100, true),
        (Media::Kx, true),
        // The sublayer is told by the PHY, or is not used.
        (Media::Sgmii(Path::I2c(1)), false),
        (Media::Copper, false),
    ] {
        let board = Board::new();
        set(&board, 0, 1 << 28);
        let negotiates = media.negotiates(true);
        pcs::start(&board, media, negotiates, RX_ONLY);
        // Until the link is there, the sublayer negotiates.
        if negotiates {
            assert_eq!(board.register(PCS_LCTL) & FORCE_FC, 0);
        }
        pcs::apply_pause(&board, media, RX_ONLY);
        assert_eq!(board.register(0) >> 27 & 3, 1, "{media:?}");
        assert_eq!(
            board.register(PCS_LCTL) & FORCE_FC != 0,
            is_forced,
            "{media:?}"
        );
        // It does not negotiate again for that.
        assert!(!is_forced || board.register(PCS_LCTL) & 1 << 17 == 0);
        // Until it negotiates anew.
        pcs::start(&board, media, negotiates, RX_ONLY);
        assert_eq!(
            board.register(PCS_LCTL) & FORCE_FC != 0,
            is_forced && !negotiates
        );
    }
}

#[test]
fn links_that_do_not_negotiate_are_set() {
    for (media, mode) in [(Media::Kx, KX), (Media::SerDes, SERDES)] {
        let board = Board::new();
        pcs::start(&board, media, false, Pause::default());
        assert_eq!(board.register(CTRL_EXT) & SERDES, mode);
        // Speed, duplex and pause are forced.
        assert_eq!(board.register(PCS_LCTL), 0x009c);
    }
    let board = Board::new();
    set(&board, PCS_LCTL, 1 << 18);
    pcs::start(&board, Media::Sgmii(Path::I2c(1)), true, Pause::default());
    // The PHY says what the link is, however long that takes.
    assert_eq!(board.register(PCS_LCTL), 0x3_0000);
    assert_eq!(board.register(0), 0x000c_0040);
}

#[test]
fn a_laser_goes_out_unless_management_needs_it() {
    for (manc, fwsm, goes_out) in [(0, 0, true), (0x2_0000, 4, false)] {
        let board = Board::new();
        set(&board, MANC, manc);
        set(&board, FWSM, fwsm);
        pcs::start(&board, Media::SerDes, true, Pause::default());
        pcs::stop(&board, Media::SerDes);
        assert_eq!(board.register(PCS_CFG0) == 0, goes_out);
        assert_eq!(board.register(CTRL_EXT) & 1 << 7 != 0, goes_out);
    }
    // Copper has no such thing.
    let board = Board::new();
    pcs::stop(&board, Media::Copper);
    assert!(!board.state().registers.contains_key(&PCS_CFG0));
}

#[test]
fn a_link_goes_down_whatever_its_phy_says() {
    let media = Media::Sgmii(Path::I2c(6));
    let is_off = |board: &Board| board.register(PCS_CFG0) == 0;
    let has_power = |board: &Board| board.register(CTRL_EXT) & 1 << 7 == 0;
    let up = |change: fn(&mut State)| {
        let board = Board::with(|state| state.module_phy = Some((6, [0; 32])));
        pcs::start(&board, media, true, Pause::default());
        change(&mut board.state_mut());
        board
    };
    let board = up(|_| ());
    assert_eq!(pcs::power_down(&board, media), Ok(()));
    assert!(is_off(&board) && !has_power(&board) && board.is_left_tidy());
    assert_eq!(board.state().module_phy.unwrap().1[0] & 0x0800, 0x0800);
    // Again, without power: it does not answer.
    assert_eq!(pcs::power_down(&board, media), Ok(()));
    // It was pulled out, or keeps the bus.
    let changes: [fn(&mut State); 2] = [|s| s.module_phy = None, |s| s.i2c_takes = NEVER];
    for change in changes {
        let board = up(change);
        assert_eq!(pcs::power_down(&board, media), Ok(()));
        assert!(is_off(&board) && !has_power(&board) && board.is_left_tidy());
    }
    // Somebody keeps the PHY: that is told, and the rest is done.
    let board = up(|state| state.other_phy_until = NEVER);
    assert_eq!(pcs::power_down(&board, media), Err(Fault::Busy));
    assert!(is_off(&board) && !has_power(&board));
    // A PHY of the board does not lose its power that way.
    let external = Media::Sgmii(Path::Mdio(5));
    let board = up(|_| ());
    assert_eq!(pcs::power_down(&board, external), Err(Fault::Refused));
    assert!(is_off(&board));
    // Copper has the PHY alone.
    let board = Board::new();
    assert_eq!(pcs::power_down(&board, Media::Copper), Ok(()));
    assert_eq!(board.state().phy[0] & 0x0800, 0x0800);
}
