// SPDX-License-Identifier: GPL-2.0

//! What an emulated controller does otherwise than the 82576.

use crate::switch::Promiscuity;

/// The differences of a controller from the 82576 that the driver does something about, each by
/// itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// How a function can receive what no filter matches.
    pub promiscuity: Promiscuity,
    /// A frame that is to be segmented into datagrams goes out as IP fragments of one.
    pub fragments_datagrams: bool,
    /// Segments of a frame with FIN or PSH have neither, if the back end takes no offload header.
    pub loses_fin: bool,
    /// A function receives what itself sends to a group or to everybody, without a mark.
    pub returns_own_multicast: bool,
    /// A change of the link raises the wrong interrupt of the VFs: their drivers never look.
    pub hides_link_from_vfs: bool,
}

impl Differences {
    /// A controller that does what the datasheet says.
    pub const NONE: Self = Self {
        promiscuity: Promiscuity::PerPool,
        fragments_datagrams: false,
        loses_fin: false,
        returns_own_multicast: false,
        hides_link_from_vfs: false,
    };

    /// QEMU's model `igb`.
    pub const QEMU: Self = Self {
        promiscuity: Promiscuity::HashOnly,
        fragments_datagrams: true,
        loses_fin: true,
        returns_own_multicast: true,
        hides_link_from_vfs: true,
    };
}
