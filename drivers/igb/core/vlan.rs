// SPDX-License-Identifier: GPL-2.0

//! VLAN identifiers and tags.

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
}
