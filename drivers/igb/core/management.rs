// SPDX-License-Identifier: GPL-2.0

//! What firmware does with the port: a baseboard management controller may share its link.
//!
//! Such a controller loses its only way to the network with the PHY: whatever happens to the net
//! device, a PHY that firmware uses keeps its power.

use crate::regs::{
    self,
    factps::{
        self,
        Factps, //
    },
    fwsm::{
        self,
        Fwsm, //
    },
    manc::{
        self,
        Manc, //
    },
    Registers, //
};

/// Firmware, as registers show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware {
    manc: Manc,
    fwsm: Fwsm,
    factps: Factps,
}

impl Firmware {
    /// Reads three registers. Any context.
    #[must_use]
    pub fn read(device: &impl Registers) -> Self {
        Self {
            manc: device.read(regs::MANC),
            fwsm: device.read(regs::FWSM),
            factps: device.read(regs::FACTPS),
        }
    }

    /// Frames go to a management controller and come from it, over this port's link.
    #[must_use]
    pub fn passes_frames(self) -> bool {
        if !self.manc.contains(manc::RCV_TCO_EN) {
            return false;
        }
        match self.fwsm & fwsm::MODE {
            // The unit that has a mode is not there: it is behind SMBus.
            fwsm::MODE_NONE => {
                self.manc.contains(manc::SMBUS_EN) && !self.manc.contains(manc::ASF_EN)
            }
            mode => mode == fwsm::MODE_PASS_THROUGH && !self.factps.contains(factps::MNGCG),
        }
    }

    /// The PHY must not be reset.
    #[must_use]
    pub const fn forbids_phy_reset(self) -> bool {
        self.manc.contains(manc::BLOCK_PHY_RESET)
    }

    /// The link may be taken down, and the PHY to its lowest power.
    #[must_use]
    pub fn allows_power_down(self) -> bool {
        !self.passes_frames() && !self.forbids_phy_reset()
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_management))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::regs::Word;

    fn firmware(manc: u32, fwsm: u32, factps: u32) -> Firmware {
        Firmware {
            manc: Manc::from_bits(manc),
            fwsm: Fwsm::from_bits(fwsm),
            factps: Factps::from_bits(factps),
        }
    }

    #[test]
    fn without_firmware_the_phy_may_be_powered_down() {
        assert!(firmware(0, 0, 0).allows_power_down());
        // Modes count only if management receives.
        assert!(firmware(0, 4, 0).allows_power_down());
        assert!(firmware(0x1, 0, 0).allows_power_down());
    }

    #[test]
    fn pass_through_keeps_the_link() {
        assert!(firmware(0x2_0000, 4, 0).passes_frames());
        assert!(!firmware(0x2_0000, 4, 0).allows_power_down());
        // Its clock is off; or it has another mode: ASF, IPMI, host interface.
        assert!(!firmware(0x2_0000, 4, 0x2000_0000).passes_frames());
        for mode in [1, 3, 4, 5, 6, 7] {
            assert!(!firmware(0x2_0000, mode << 1, 0).passes_frames());
        }
    }

    #[test]
    fn smbus_keeps_the_link_unless_it_is_for_alerts() {
        assert!(firmware(0x2_0001, 0, 0).passes_frames());
        assert!(!firmware(0x2_0003, 0, 0).passes_frames());
        assert!(!firmware(0x2_0000, 0, 0).passes_frames());
    }

    #[test]
    fn a_phy_that_must_not_be_reset_keeps_its_power() {
        assert!(firmware(0x4_0000, 0, 0).forbids_phy_reset());
        assert!(!firmware(0x4_0000, 0, 0).allows_power_down());
        assert!(!firmware(0x2_0000, 4, 0).forbids_phy_reset());
    }
}
