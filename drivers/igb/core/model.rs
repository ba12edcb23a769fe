// SPDX-License-Identifier: GPL-2.0

//! What an emulated controller does otherwise than the 82576, and how it is told.
//!
//! None of the [`Differences`] shows in a register: each is about frames, or about interrupts of
//! VFs that do not exist yet. So they cannot be looked for one by one without sending something.
//! What can be looked for, without sending or disturbing anything, are [`Signs`] of an emulation.
//! Each comes from another part of the controller, so that a board that is damaged, or an emulation
//! that has learned something, changes one of them. Two are believed.

use crate::switch::Promiscuity;
use core::fmt;

/// The differences of a controller from the 82576 that the driver does something about, each by
/// itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// How a function can receive what no filter matches.
    pub promiscuity: Promiscuity,
    /// A frame that is to be segmented into datagrams goes out as IP fragments of one.
    pub fragments_datagrams: bool,
    /// Checksums, and lengths of segments, are written to the first transport header of a frame, whatever
    /// the context says: in a tunnel to the outer one, or nowhere.
    pub sums_outermost_headers: bool,
    /// Frames have no FCS: one that is to be received is zeros, and one that is sent is data.
    pub has_no_fcs: bool,
    /// There are no filters that give frames to a queue.
    pub lacks_queue_filters: bool,
    /// Segments of a frame with FIN or PSH have neither, if the back end takes no offload header.
    pub loses_fin: bool,
    /// A function receives what itself sends to a group or to everybody, without a mark.
    pub returns_own_multicast: bool,
    /// A message of the PF's raises the wrong interrupt of a VF: its driver never looks at it.
    pub hides_link_from_vfs: bool,
    /// The PHY is ready as soon as it is there, and it is never said that it was set up.
    pub phy_is_ready: bool,
    /// The PF has the queues of VFs as soon as these are disabled.
    pub returns_queues_at_once: bool,
    /// Rate limits of queues are stored at most, and limit nothing.
    pub ignores_rate_limits: bool,
    /// Of the event messages of PTP one kind is stamped, over Ethernet without a tag.
    pub stamps_one_kind: bool,
    /// It wakes nobody: no event has it signal PME.
    pub never_wakes: bool,
}

impl Differences {
    /// A controller that does what the datasheet says.
    pub const NONE: Self = Self {
        promiscuity: Promiscuity::PerPool,
        fragments_datagrams: false,
        sums_outermost_headers: false,
        has_no_fcs: false,
        lacks_queue_filters: false,
        loses_fin: false,
        returns_own_multicast: false,
        hides_link_from_vfs: false,
        phy_is_ready: false,
        returns_queues_at_once: false,
        ignores_rate_limits: false,
        stamps_one_kind: false,
        never_wakes: false,
    };

    /// QEMU's model `igb`.
    pub const QEMU: Self = Self {
        promiscuity: Promiscuity::HashOnly,
        fragments_datagrams: true,
        sums_outermost_headers: true,
        has_no_fcs: true,
        lacks_queue_filters: true,
        loses_fin: true,
        returns_own_multicast: true,
        hides_link_from_vfs: true,
        phy_is_ready: true,
        returns_queues_at_once: true,
        ignores_rate_limits: true,
        stamps_one_kind: true,
        never_wakes: true,
    };
}

/// PCI subsystem vendor and device that QEMU gives to each device that has none of its own. On a
/// board they come from the NVM, and the vendor is never this one.
pub const DEFAULT_SUBSYSTEM: (u16, u16) = (0x1af4, 0x1100);

/// Signs of an emulation, looked for once, after the first reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// PCI configuration: the subsystem is [`DEFAULT_SUBSYSTEM`].
    pub default_subsystem: bool,
    /// NVM: `EECD.AUTO_RD` is not set. So it may be with a damaged NVM.
    pub no_auto_read: bool,
    /// MAC: the free-running timer `FRTIMER`, which counts microseconds, stands still.
    pub stopped_timer: bool,
    /// Transmit scheduler: `RTTDQSEL` does not keep what is written to it.
    pub no_rate_scheduler: bool,
}

/// That many signs are believed.
const BELIEVED: usize = 2;

impl Signs {
    const fn named(self) -> [(bool, &'static str); 4] {
        [
            (self.default_subsystem, "default subsystem ID"),
            (self.no_auto_read, "no NVM auto-read"),
            (self.stopped_timer, "timer stands still"),
            (self.no_rate_scheduler, "no rate scheduler"),
        ]
    }

    fn count(self) -> usize {
        self.named().iter().filter(|(seen, _)| *seen).count()
    }
}

impl fmt::Display for Signs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in self.named().iter().filter(|(seen, _)| *seen) {
            write!(f, "{separator}{name}")?;
            separator = ", ";
        }
        if separator.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

/// What the administrator says about the controllers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The signs decide.
    #[default]
    Auto,
    /// They are 82576, whatever the signs say.
    Silicon,
    /// They are QEMU's model `igb`, whatever the signs say.
    Emulation,
}

impl Choice {
    /// The choice that the module parameter `controller` stands for: 0, 1 or 2.
    #[must_use]
    pub const fn new(parameter: u32) -> Option<Self> {
        match parameter {
            0 => Some(Self::Auto),
            1 => Some(Self::Silicon),
            2 => Some(Self::Emulation),
            _ => None,
        }
    }
}

/// What a controller is taken for, and why.
///
/// Its text is for the log and for `devlink dev info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    signs: Signs,
    choice: Choice,
}

impl Verdict {
    /// Decides.
    #[must_use]
    pub const fn new(signs: Signs, choice: Choice) -> Self {
        Self { signs, choice }
    }

    /// Whether it is taken for QEMU's model.
    #[must_use]
    pub fn is_emulation(self) -> bool {
        match self.choice {
            Choice::Auto => self.signs.count() >= BELIEVED,
            Choice::Silicon => false,
            Choice::Emulation => true,
        }
    }

    /// What it does otherwise than the 82576.
    #[must_use]
    pub fn differences(self) -> Differences {
        if self.is_emulation() {
            Differences::QEMU
        } else {
            Differences::NONE
        }
    }

    /// What it is taken for, in a word or two.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.is_emulation() {
            "QEMU igb"
        } else {
            "82576"
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.choice {
            Choice::Auto => "",
            Choice::Silicon | Choice::Emulation => " by module parameter",
        };
        write!(
            f,
            "{}{by}; signs of an emulation: {}",
            self.name(),
            self.signs
        )
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_model))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    /// The signs of bits 0 to 3 of `bits`.
    fn signs(bits: u32) -> Signs {
        let bit = |n: u32| bits >> n & 1 != 0;
        Signs {
            default_subsystem: bit(0),
            no_auto_read: bit(1),
            stopped_timer: bit(2),
            no_rate_scheduler: bit(3),
        }
    }

    fn taken_for(signs: Signs) -> Differences {
        Verdict::new(signs, Choice::Auto).differences()
    }

    #[test]
    fn two_signs_of_any_kind_are_believed() {
        for bits in 0..16_u32 {
            let verdict = Verdict::new(signs(bits), Choice::Auto);
            assert_eq!(verdict.is_emulation(), bits.count_ones() >= 2);
            let expected = if bits.count_ones() >= 2 {
                Differences::QEMU
            } else {
                Differences::NONE
            };
            assert_eq!(verdict.differences(), expected);
        }
    }

    #[test]
    fn the_parameter_overrides_all_signs() {
        for bits in 0..16 {
            let silicon = Verdict::new(signs(bits), Choice::Silicon);
            assert_eq!(silicon.differences(), Differences::NONE);
            let emulation = Verdict::new(signs(bits), Choice::Emulation);
            assert_eq!(emulation.differences(), Differences::QEMU);
        }
        assert_eq!(Choice::new(0), Some(Choice::Auto));
        assert_eq!(Choice::new(1), Some(Choice::Silicon));
        assert_eq!(Choice::new(2), Some(Choice::Emulation));
        assert_eq!(Choice::new(3), None);
        assert_eq!(Choice::new(u32::MAX), None);
    }

    #[test]
    fn a_board_with_a_damaged_nvm_is_no_emulation() {
        let board = Signs {
            no_auto_read: true,
            ..Signs::default()
        };
        assert_eq!(taken_for(board), Differences::NONE);
    }

    #[test]
    fn a_model_that_learned_one_thing_is_still_known() {
        for learned in 0..4 {
            assert_eq!(taken_for(signs(0xf & !(1 << learned))), Differences::QEMU);
        }
    }
}
