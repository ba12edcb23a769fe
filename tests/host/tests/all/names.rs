// SPDX-License-Identifier: GPL-2.0

//! How a controller, its board and its NVM image are named: text, which needs a heap.

use igb_core::{
    model::{
        Choice,
        Signs,
        Verdict, //
    },
    nvm::{
        Board,
        Image,
        BOARD_BLOCK_WORDS, //
    },
};

#[test]
fn says_what_and_why() {
    let all = Signs {
        default_subsystem: true,
        no_auto_read: true,
        stopped_timer: true,
        no_rate_scheduler: true,
    };
    assert_eq!(
        format!("{}", Verdict::new(all, Choice::Auto)),
        "QEMU igb; signs of an emulation: default subsystem ID, no NVM auto-read, timer stands \
         still, no rate scheduler"
    );
    assert_eq!(
        format!("{}", Verdict::new(Signs::default(), Choice::Auto)),
        "82576; signs of an emulation: none"
    );
    let one = Signs {
        no_auto_read: true,
        ..Signs::default()
    };
    assert_eq!(
        format!("{}", Verdict::new(one, Choice::Auto)),
        "82576; signs of an emulation: no NVM auto-read"
    );
    assert_eq!(
        format!("{}", Verdict::new(all, Choice::Silicon)),
        "82576 by module parameter; signs of an emulation: default subsystem ID, no NVM \
         auto-read, timer stands still, no rate scheduler"
    );
    assert_eq!(
        format!("{}", Verdict::new(Signs::default(), Choice::Emulation)),
        "QEMU igb by module parameter; signs of an emulation: none"
    );
}

fn block(words: [u16; BOARD_BLOCK_WORDS]) -> Option<String> {
    Board::from_block(words).map(|board| board.to_string())
}

#[test]
fn images_are_named() {
    assert_eq!(format!("{}", Image::new(0x1234, [0xffff; 2])), "1.23.4");
    let tracked = Image::new(0x1234, [0x5678, 0x8000]);
    assert_eq!(format!("{tracked}"), "1.23, 0x80005678");
}

#[test]
fn boards_are_named() {
    let digits = Board::from_words([0xe123, 0x4507]).unwrap();
    assert_eq!(format!("{digits}"), "E12345-007");
    for blank in [[0, 0], [0xffff, 0xffff], [0xfafa, 0x60]] {
        assert_eq!(Board::from_words(blank), None);
    }
    assert_eq!(Board::block([0xfafa, 0x60]), Some(0x60));
    assert_eq!(Board::block([0xe123, 0x4507]), None);
    let number = [0x0006, 0x4731, 0x3837, 0x3538, 0x2d30, 0x3032];
    assert_eq!(block(number).as_deref(), Some("G18758-002"));
    assert_eq!(block([2, 0x4731, 0x3837, 0, 0, 0]).as_deref(), Some("G1"));
}

#[test]
fn nothing_is_made_of_what_is_no_board_number() {
    for wrong in [
        [0, 0x4731, 0, 0, 0, 0],
        [1, 0x4731, 0, 0, 0, 0],
        [7, 0x4731, 0, 0, 0, 0],
        [0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff],
        [2, 0x470a, 0, 0, 0, 0],
        [2, 0xff31, 0, 0, 0, 0],
        [3, 0x4700, 0x3837, 0, 0, 0],
    ] {
        assert_eq!(Board::from_block(wrong), None, "{wrong:x?}");
    }
}
