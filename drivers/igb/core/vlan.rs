// SPDX-License-Identifier: GPL-2.0

//! VLAN identifiers, tags and lists.

use core::fmt;

/// A VLAN a frame can belong to.
///
/// # Invariants
///
/// 1..=4094: VID 0 is "no VLAN" (a priority tag), 4095 is reserved by IEEE 802.1Q.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// Largest usable VID.
    pub const MAX: u16 = 4094;

    /// Accepts `vid` in 1..=4094.
    #[must_use]
    pub const fn new(vid: u16) -> Option<Self> {
        if vid == 0 || vid > Self::MAX {
            return None;
        }
        // INVARIANT: just checked.
        Some(Self(vid))
    }

    /// The VID, 1..=4094.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// The VLAN and priority the administrator put a VF into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortVlan {
    vid: VlanId,
    pcp: u8,
}

impl PortVlan {
    /// Puts a VF into `vid` with priority `pcp`; `None` if `pcp` is above 7.
    #[must_use]
    pub const fn new(vid: VlanId, pcp: u8) -> Option<Self> {
        if pcp > 7 {
            return None;
        }
        Some(Self { vid, pcp })
    }

    /// The VLAN.
    #[must_use]
    pub const fn vid(self) -> VlanId {
        self.vid
    }

    /// The priority code point, 0..=7.
    #[must_use]
    pub const fn pcp(self) -> u8 {
        self.pcp
    }
}

/// As many ranges as fit into [`VlanList::LONGEST`] bytes.
const RANGES: usize = 16;

/// VLANs from the first to the last.
type Range = (VlanId, VlanId);

/// Which VLANs a VF may ask for.
///
/// As text: `any`, `none`, or numbers and ranges of numbers, as `5,100-199`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VlanList {
    /// Every VLAN.
    Any,
    /// Those in the ranges, of which there are none after the first `None`.
    Only([Option<Range>; RANGES]),
}

impl VlanList {
    /// Length of the longest text, in bytes.
    pub const LONGEST: usize = 31;

    /// Parses a text. `None` if it is none of a list, or too long for [`VlanList::LONGEST`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut ranges = [None; RANGES];
        match text {
            "any" => return Some(Self::Any),
            "none" => return Some(Self::Only(ranges)),
            _ if text.len() > Self::LONGEST => return None,
            _ => {}
        }
        let mut places = ranges.iter_mut();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = (vlan_number(first)?, vlan_number(last)?);
            if range.0.get() > range.1.get() {
                return None;
            }
            *places.next()? = Some(range);
        }
        Some(Self::Only(ranges))
    }

    /// Whether `vid` is in the list.
    #[must_use]
    pub fn permits(&self, vid: VlanId) -> bool {
        match self {
            Self::Any => true,
            Self::Only(ranges) => ranges
                .iter()
                .flatten()
                .any(|(first, last)| (first.get()..=last.get()).contains(&vid.get())),
        }
    }

    /// Whether there are VLANs that are not in the list.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(self, Self::Only(_))
    }
}

/// A VLAN by its number in digits alone: `parse` of integers takes a sign as well.
fn vlan_number(text: &str) -> Option<VlanId> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    VlanId::new(text.parse().ok()?)
}

/// The text that [`VlanList::parse`] takes, not longer than the one it was made from.
impl fmt::Display for VlanList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = match self {
            Self::Any => return f.write_str("any"),
            Self::Only(ranges) if ranges.iter().flatten().next().is_none() => {
                return f.write_str("none");
            }
            Self::Only(ranges) => ranges,
        };
        for (n, (first, last)) in ranges.iter().flatten().enumerate() {
            if n != 0 {
                f.write_str(",")?;
            }
            write!(f, "{}", first.get())?;
            if first != last {
                write!(f, "-{}", last.get())?;
            }
        }
        Ok(())
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_vlan))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn vid_range() {
        assert!(VlanId::new(0).is_none());
        assert!(VlanId::new(1).is_some());
        assert!(VlanId::new(4094).is_some());
        assert!(VlanId::new(4095).is_none());
        assert!(VlanId::new(u16::MAX).is_none());
    }

    #[test]
    fn priority_range() {
        let vid = VlanId::new(100).unwrap();
        assert!(PortVlan::new(vid, 7).is_some());
        assert!(PortVlan::new(vid, 8).is_none());
    }

    /// What a list prints as, without memory to allocate.
    struct Text([u8; 32], usize);

    impl fmt::Write for Text {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            let end = self.1 + s.len();
            self.0
                .get_mut(self.1..end)
                .ok_or(fmt::Error)?
                .copy_from_slice(s.as_bytes());
            self.1 = end;
            Ok(())
        }
    }

    fn is_printed_as(list: &str, expected: &str) -> bool {
        let mut text = Text([0; 32], 0);
        fmt::Write::write_fmt(
            &mut text,
            format_args!("{}", VlanList::parse(list).unwrap()),
        )
        .unwrap();
        &text.0[..text.1] == expected.as_bytes()
    }

    #[test]
    fn lists_are_parsed_and_printed() {
        for list in [
            "any",
            "none",
            "1",
            "4094",
            "1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7",
            "5,100-199",
        ] {
            assert!(is_printed_as(list, list));
        }
        assert!(is_printed_as("0005,7-7", "5,7"));
        for list in [
            "",
            ",",
            "1,",
            ",1",
            "0",
            "4095",
            "65537",
            "2-1",
            "1-4095",
            "1-",
            "-1",
            "+1",
            "1-2-3",
            " 1",
            "x",
            "anything",
            "None",
            "1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8",
        ] {
            assert_eq!(VlanList::parse(list), None);
        }
    }

    #[test]
    fn lists_hold_what_they_say() {
        let vid = |n| VlanId::new(n).unwrap();
        let list = VlanList::parse("5,100-199").unwrap();
        for (n, permitted) in [
            (4, false),
            (5, true),
            (6, false),
            (99, false),
            (100, true),
            (199, true),
            (200, false),
        ] {
            assert_eq!(list.permits(vid(n)), permitted);
        }
        assert!(VlanList::Any.permits(vid(4094)) && !VlanList::Any.is_limit());
        let none = VlanList::parse("none").unwrap();
        assert!(!none.permits(vid(1)) && none.is_limit() && list.is_limit());
    }
}
