// SPDX-License-Identifier: GPL-2.0

//! Mailbox words to requests, replies to words.
//!
//! Word 0 of a request has the message in bits 15:0 and an information byte in bits 23:16; all other
//! bits must be zero. What follows depends on the message:
//!
//! | id   | message          | information byte         | words 1..                              |
//! |------|------------------|--------------------------|----------------------------------------|
//! | 0x01 | VF_RESET         | 0                        | not looked at                          |
//! | 0x02 | SET_MAC_ADDR     | 0                        | 1, 2: address, upper half of 2 zero    |
//! | 0x02 | MAC_FILTER_CLR   | 1                        | not looked at                          |
//! | 0x02 | MAC_FILTER_ADD   | 2                        | 1, 2: address, upper half of 2 zero    |
//! | 0x03 | SET_MULTICAST    | 4:0 count, 0..=30;       | 1..=15: count half words, low half     |
//! |      |                  | 7: the list is longer    | first, each 0..=0xfff                  |
//! | 0x04 | SET_VLAN         | 0: leave, 1: join        | 1: VID, 0..=4095                       |
//! | 0x05 | SET_LPE          | 0                        | 1: frame size in bytes, any value      |
//! | 0x06 | SET_PROMISC      | 0: unicast, 1: multicast | not looked at                          |
//!
//! Words a message does not use still hold what an earlier message left there, so they say nothing.
//!
//! The first word of a reply repeats bits 23:0 of the request (15:0 of SET_VLAN) and adds ACK or
//! NACK, and CTS ("clear to send") once the VF has made its handshake. Only the answer to VF_RESET
//! has more words.

use crate::{
    addr::{
        MacAddr,
        TableHash, //
    },
    regs::{
        bit,
        VMBMEM_WORDS, //
    }, //
};

/// One copy of a VF's mailbox memory. It is taken once: the VF can change the memory at any time.
pub type Words = [u32; VMBMEM_WORDS];

/// Most multicast hashes a message can carry.
pub const MAX_HASHES: usize = 30;

const ACK: u32 = bit(31);
const NACK: u32 = bit(30);
const CTS: u32 = bit(29);
const ID_MASK: u32 = 0xffff;
const ECHO_MASK: u32 = 0x00ff_ffff;

const VF_RESET: u32 = 0x01;
const SET_MAC_ADDR: u32 = 0x02;
const SET_MULTICAST: u32 = 0x03;
const SET_VLAN: u32 = 0x04;
const SET_LPE: u32 = 0x05;
const SET_PROMISC: u32 = 0x06;
const PF_CONTROL_MSG: u32 = 0x0100;

const MULTICAST_COUNT: u32 = 0x1f;
const MULTICAST_OVERFLOW: u32 = 0x80;
const PROMISC_UNICAST: u32 = 0x01;
const PROMISC_MULTICAST: u32 = 0x02;

/// The words are not a message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No such message, or no such variant of it.
    Unknown,
    /// A bit outside the message's masks is set.
    StrayBits,
    /// A count or an identifier is out of range.
    Range,
}

/// Multicast hashes of one VF.
///
/// # Invariants
///
/// `len` is at most [`MAX_HASHES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hashes {
    list: [TableHash; MAX_HASHES],
    len: usize,
}

impl Hashes {
    /// No hash.
    pub const EMPTY: Self = Self {
        list: [TableHash::ZERO; MAX_HASHES],
        len: 0,
    };

    /// The hashes.
    pub fn iter(&self) -> impl Iterator<Item = TableHash> + '_ {
        self.list.iter().copied().take(self.len)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn parse(words: &Words, count: usize) -> Result<Self, Malformed> {
        let mut hashes = Self::EMPTY;
        let halves = words.iter().skip(1).flat_map(|word| {
            let [a, b, c, d] = word.to_le_bytes();
            [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
        });
        for (slot, half) in hashes.list.iter_mut().zip(halves).take(count) {
            *slot = TableHash::new(half).ok_or(Malformed::Range)?;
        }
        // INVARIANT: clamped.
        hashes.len = count.min(MAX_HASHES);
        Ok(hashes)
    }
}

/// What a VF asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Forget everything, then let me work: the handshake.
    Reset,
    /// Make this my address.
    SetMac(MacAddr),
    /// Give up all extra addresses.
    ClearFilters,
    /// Receive this address as well.
    AddFilter(MacAddr),
    /// Receive these multicast hashes and no others.
    SetMulticast {
        /// The hashes.
        hashes: Hashes,
        /// The VF has more of them than fit.
        overflow: bool,
    },
    /// Join or leave a VLAN.
    SetVlan {
        /// 0..=4095.
        vid: u16,
        /// Join, not leave.
        join: bool,
    },
    /// Receive frames up to this size: bytes including tag and FCS.
    SetMaxFrame(u32),
    /// Receive frames no filter matches.
    SetPromisc {
        /// All unicast.
        unicast: bool,
        /// All multicast.
        multicast: bool,
    },
}

/// Words of a message whose first word is `word0`: what [`Request::parse`] looks at. The others need
/// not be read.
#[must_use]
pub const fn words_of(word0: u32) -> usize {
    if word0 & ID_MASK == SET_MULTICAST {
        VMBMEM_WORDS
    } else {
        3
    }
}

/// Whether these words ask for the handshake.
#[must_use]
pub const fn is_reset(words: &Words) -> bool {
    let [word0, ..] = *words;
    word0 == VF_RESET
}

impl Request {
    /// Parses the sixteen words of a mailbox.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for anything the table at the top of this module does not list.
    pub fn parse(words: &Words) -> Result<Self, Malformed> {
        let [word0, word1, word2, ..] = *words;
        if word0 & !ECHO_MASK != 0 {
            return Err(Malformed::StrayBits);
        }
        let info = word0 >> 16;
        match (word0 & ID_MASK, info) {
            (VF_RESET, 0) => Ok(Self::Reset),
            (SET_MAC_ADDR, 0) => Ok(Self::SetMac(address(word1, word2)?)),
            (SET_MAC_ADDR, 1) => Ok(Self::ClearFilters),
            (SET_MAC_ADDR, 2) => Ok(Self::AddFilter(address(word1, word2)?)),
            (SET_MULTICAST, _) => multicast(words, info),
            (SET_VLAN, 0 | 1) => Ok(Self::SetVlan {
                vid: vid(word1)?,
                join: info == 1,
            }),
            (SET_LPE, 0) => Ok(Self::SetMaxFrame(word1)),
            (SET_PROMISC, _) if info & !(PROMISC_UNICAST | PROMISC_MULTICAST) == 0 => {
                Ok(Self::SetPromisc {
                    unicast: info & PROMISC_UNICAST != 0,
                    multicast: info & PROMISC_MULTICAST != 0,
                })
            }
            (VF_RESET | SET_LPE | SET_PROMISC, _) => Err(Malformed::StrayBits),
            _ => Err(Malformed::Unknown),
        }
    }
}

fn address(low: u32, high: u32) -> Result<MacAddr, Malformed> {
    if high >> 16 != 0 {
        return Err(Malformed::StrayBits);
    }
    Ok(MacAddr::from_words(low, high))
}

fn vid(word: u32) -> Result<u16, Malformed> {
    u16::try_from(word)
        .ok()
        .filter(|vid| *vid <= 0xfff)
        .ok_or(Malformed::Range)
}

fn multicast(words: &Words, info: u32) -> Result<Request, Malformed> {
    if info & !(MULTICAST_COUNT | MULTICAST_OVERFLOW) != 0 {
        return Err(Malformed::StrayBits);
    }
    let count = usize::try_from(info & MULTICAST_COUNT).map_err(|_| Malformed::Range)?;
    if count > MAX_HASHES {
        return Err(Malformed::Range);
    }
    Ok(Request::SetMulticast {
        hashes: Hashes::parse(words, count)?,
        overflow: info & MULTICAST_OVERFLOW != 0,
    })
}

/// What the PF writes into a mailbox to answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    words: [u32; 3],
    len: usize,
}

impl Reply {
    /// Answers VF_RESET: ACK and the address the VF shall use, or NACK and zeros if it has none.
    /// Either way the handshake is made. Clients compare the first word exactly, so it has no CTS.
    #[must_use]
    pub fn reset(mac: Option<MacAddr>) -> Self {
        let verdict = if mac.is_some() { ACK } else { NACK };
        let [low, high] = mac.unwrap_or_default().to_words();
        Self {
            words: [VF_RESET | verdict, low, high],
            len: 3,
        }
    }

    /// Grants (`ack`) or refuses the request with this first word.
    ///
    /// NACK without `cts` makes a client start over with VF_RESET. igbvf takes a refused SET_VLAN
    /// for a success unless the information byte of the answer is 0; no client needs it there.
    #[must_use]
    pub const fn verdict(word0: u32, ack: bool, cts: bool) -> Self {
        let verdict = if ack { ACK } else { NACK };
        let cts = if cts { CTS } else { 0 };
        let echo = if word0 & ID_MASK == SET_VLAN {
            ID_MASK
        } else {
            ECHO_MASK
        };
        Self {
            words: [word0 & echo | verdict | cts, 0, 0],
            len: 1,
        }
    }

    /// The words to write, one or three.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        self.words.get(..self.len).unwrap_or(&self.words)
    }
}

/// The word that has an in-tree client start over with VF_RESET: a refusal of the right to send.
/// The client obeys at most once in ten seconds.
#[must_use]
pub const fn recall() -> u32 {
    PF_CONTROL_MSG | NACK
}

/// The word that tells a VF to look at the link and at the state of the PF.
///
/// Without `cts` the PF is about to be reset: an in-tree client takes the link for down and waits,
/// the clients of DPDK and FreeBSD start over.
#[must_use]
pub const fn control(cts: bool) -> u32 {
    PF_CONTROL_MSG | if cts { CTS } else { 0 }
}

/// The word that tells a VF that its link is down, and nothing else: with it no client starts over.
///
/// All take the link for down that read a word without CTS. They start over with NACK, or if it is
/// [`control`]. So this is neither; it is also what a mailbox holds that was cleared.
#[must_use]
pub const fn link_down() -> u32 {
    0
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_mailbox_msg))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    fn parse(head: &[u32]) -> Result<Request, Malformed> {
        // What earlier messages left behind must not matter.
        let mut words = [0xffff_ffff; VMBMEM_WORDS];
        words[..head.len()].copy_from_slice(head);
        Request::parse(&words)
    }

    #[test]
    fn only_the_words_of_a_message_matter() {
        for id in 0..=ID_MASK {
            // The last is the longest multicast list.
            for info in [0, 1, 2, 3, 0x1e] {
                let word0 = info << 16 | id;
                let mut words = [0x0001_0002; VMBMEM_WORDS];
                words[0] = word0;
                let whole = Request::parse(&words);
                assert_eq!(is_reset(&words), whole == Ok(Request::Reset));
                words[words_of(word0)..].fill(0);
                assert_eq!(Request::parse(&words), whole);
            }
        }
    }

    #[test]
    fn every_message() {
        let mac = MacAddr([2, 3, 4, 5, 6, 7]);
        assert_eq!(parse(&[0x01]), Ok(Request::Reset));
        assert_eq!(
            parse(&[0x02, 0x0504_0302, 0x0706]),
            Ok(Request::SetMac(mac))
        );
        assert_eq!(parse(&[0x1_0002]), Ok(Request::ClearFilters));
        assert_eq!(
            parse(&[0x2_0002, 0x0504_0302, 0x0706]),
            Ok(Request::AddFilter(mac))
        );
        assert_eq!(
            parse(&[0x1_0004, 4095]),
            Ok(Request::SetVlan {
                vid: 4095,
                join: true
            })
        );
        assert_eq!(
            parse(&[0x05, 0x9f00_0600]),
            Ok(Request::SetMaxFrame(0x9f00_0600))
        );
        assert_eq!(
            parse(&[0x3_0006]),
            Ok(Request::SetPromisc {
                unicast: true,
                multicast: true
            })
        );
    }

    #[test]
    fn stray_bits_are_refused() {
        assert_eq!(parse(&[0x1_0001]), Err(Malformed::StrayBits));
        assert_eq!(parse(&[0x2000_0001]), Err(Malformed::StrayBits));
        assert_eq!(parse(&[0x0100_0001]), Err(Malformed::StrayBits));
        assert_eq!(parse(&[0x02, 0, 0x1_0000]), Err(Malformed::StrayBits));
        assert_eq!(parse(&[0x1_0005, 1500]), Err(Malformed::StrayBits));
        assert_eq!(parse(&[0x4_0006]), Err(Malformed::StrayBits));
        assert_eq!(parse(&[0x40_0003]), Err(Malformed::StrayBits));
    }

    #[test]
    fn unknown_messages_are_refused() {
        for word0 in [0, 7, 0x77, 0x100, 0x101, 0xffff, 0x3_0002, 0x2_0004] {
            assert_eq!(parse(&[word0, 0, 0]), Err(Malformed::Unknown));
        }
    }

    #[test]
    fn vlan_out_of_range() {
        assert_eq!(parse(&[0x1_0004, 4096]), Err(Malformed::Range));
        assert_eq!(parse(&[0x1_0004, 0x1_0001]), Err(Malformed::Range));
    }

    #[test]
    fn multicast_counts() {
        let mut words = [0x0002_0001; VMBMEM_WORDS];
        words[0] = 0x1e_0003;
        let Ok(Request::SetMulticast { hashes, overflow }) = Request::parse(&words) else {
            panic!("30 hashes");
        };
        assert_eq!(hashes.iter().count(), 30);
        assert_eq!(hashes.iter().next().unwrap().get(), 1);
        assert_eq!(hashes.iter().nth(29).unwrap().get(), 2);
        assert!(!overflow);

        words[0] = 0x1f_0003;
        assert_eq!(Request::parse(&words), Err(Malformed::Range));
        words[0] = 0x9e_0003;
        assert!(matches!(
            Request::parse(&words),
            Ok(Request::SetMulticast { overflow: true, .. })
        ));
        words[0] = 0x03;
        assert!(matches!(
            Request::parse(&words),
            Ok(Request::SetMulticast { hashes, .. }) if hashes.is_empty()
        ));
    }

    #[test]
    fn hashes_beyond_the_table_are_refused() {
        let mut words = [0; VMBMEM_WORDS];
        words[0] = 0x2_0003;
        words[1] = 0x1000_0fff;
        assert_eq!(Request::parse(&words), Err(Malformed::Range));
        // Beyond the count it does not matter.
        words[0] = 0x1_0003;
        assert!(Request::parse(&words).is_ok());
    }

    #[test]
    fn replies() {
        let mac = MacAddr([2, 3, 4, 5, 6, 7]);
        assert_eq!(
            Reply::reset(Some(mac)).words(),
            [0x8000_0001, 0x0504_0302, 0x0706]
        );
        assert_eq!(Reply::reset(None).words(), [0x4000_0001, 0, 0]);
        assert_eq!(Reply::verdict(0x05, true, true).words(), [0xa000_0005]);
        assert_eq!(Reply::verdict(0x1_0002, false, true).words(), [0x6001_0002]);
        assert_eq!(Reply::verdict(0x1_0004, false, true).words(), [0x6000_0004]);
        assert_eq!(Reply::verdict(0x1_0004, true, true).words(), [0xa000_0004]);
        assert_eq!(Reply::verdict(0x02, false, false).words(), [0x4000_0002]);
        // A request cannot forge the verdict.
        assert_eq!(
            Reply::verdict(0xff11_0001, false, true).words(),
            [0x6011_0001]
        );
        assert_eq!(control(true), 0x2000_0100);
        assert_eq!(control(false), 0x0000_0100);
        assert_eq!(recall(), 0x4000_0100);
    }
}
