// SPDX-License-Identifier: GPL-2.0

//! What the link is made of: the internal copper PHY, SerDes with or without a module, a backplane, or
//! another PHY behind SGMII.
//!
//! The identifier of a board says little about it: what counts is how the NVM has set the link up
//! (`CTRL_EXT`), and, in an SFP cage, which module is in it.

use crate::{
    device::{
        Device,
        Fault, //
    },
    link::Speed,
    phy::{
        i2c_command,
        Path,
        POWER_UP_PAUSE, //
    },
    regs::{
        self,
        ctrl_ext::{
            self,
            CtrlExt, //
        },
        i2ccmd,
        mdic,
        status,
        Registers, //
    },
    semaphore::{
        self,
        Resource, //
    }, //
};

/// A controller on a board that the driver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// PCI device identifier.
    pub id: u16,
    /// What it is called.
    pub name: &'static str,
    /// What of its ports can wake the system.
    pub wakes: Wakes,
}

/// Which ports of a board can wake the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakes {
    /// Port 0; port 1 if the NVM says so.
    ByNvm,
    /// Port 0 alone, whatever the NVM says.
    Port0,
    /// Of the four ports on two controllers, the first alone.
    FirstOfFour,
}

/// All of them.
pub static VARIANTS: [Variant; 8] = [
    variant(0x10c9, "82576", Wakes::ByNvm),
    variant(0x10e6, "82576", Wakes::Port0),
    variant(0x10e7, "82576", Wakes::Port0),
    variant(0x10e8, "82576", Wakes::FirstOfFour),
    variant(0x1526, "82576 ET2", Wakes::FirstOfFour),
    variant(0x150a, "82576NS", Wakes::ByNvm),
    variant(0x1518, "82576NS", Wakes::ByNvm),
    variant(0x150d, "82576", Wakes::ByNvm),
];

const fn variant(id: u16, name: &'static str, wakes: Wakes) -> Variant {
    Variant { id, name, wakes }
}

impl Variant {
    /// The one with a PCI device identifier.
    #[must_use]
    pub fn new(id: u16) -> Option<Self> {
        VARIANTS.iter().find(|variant| variant.id == id).copied()
    }
}

/// What the link is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// The internal PHY: 10 to 1000BASE-T.
    Copper,
    /// Another PHY, behind SGMII: 10 to 1000BASE-T.
    Sgmii(Path),
    /// SerDes: 1000BASE-X, in a module or on a backplane.
    SerDes,
    /// SGMII to a module without a PHY that can be reached: 100BASE-FX or LX.
    Fibre100,
    /// 1000BASE-KX, a backplane. It does not negotiate.
    Kx,
}

impl Media {
    /// The path to the PHY, if there is one that can be told something.
    #[must_use]
    pub const fn phy(self) -> Option<Path> {
        match self {
            Self::Copper => Some(Path::Internal),
            Self::Sgmii(path) => Some(path),
            Self::SerDes | Self::Fibre100 | Self::Kx => None,
        }
    }

    /// The physical coding sublayer is used, and knows of the link.
    #[must_use]
    pub const fn has_pcs(self) -> bool {
        !matches!(self, Self::Copper)
    }

    /// It is 10 to 1000BASE-T on twisted pairs.
    #[must_use]
    pub const fn is_twisted_pair(self) -> bool {
        matches!(self, Self::Copper | Self::Sgmii(_))
    }

    /// The only speed of a link that is not on twisted pairs; such a link is always full duplex.
    #[must_use]
    pub const fn only_speed(self) -> Option<Speed> {
        match self {
            Self::Copper | Self::Sgmii(_) => None,
            Self::Fibre100 => Some(Speed::Mbps100),
            Self::SerDes | Self::Kx => Some(Speed::Mbps1000),
        }
    }

    /// Whether something is agreed on with the partner, as users see it. The board may have 1000BASE-X
    /// negotiate (`allowed`); what is on twisted pairs does unless it is `forced`.
    #[must_use]
    pub const fn autoneg(self, allowed: bool, forced: bool) -> bool {
        match self {
            Self::Copper | Self::Sgmii(_) => !forced,
            Self::SerDes => allowed,
            Self::Fibre100 | Self::Kx => false,
        }
    }

    /// Whether the sublayer negotiates; `allowed` as of [`Media::autoneg`].
    #[must_use]
    pub const fn negotiates(self, allowed: bool) -> bool {
        match self {
            // What the PHY has found out is told to the sublayer that way.
            Self::Sgmii(_) | Self::Fibre100 => true,
            Self::SerDes => allowed,
            Self::Copper | Self::Kx => false,
        }
    }

    /// Whether settings that are asked for are those that a link with one speed has. `None`: any.
    /// `negotiates`: as [`Media::autoneg`] says.
    #[must_use]
    pub fn is_set_to(
        self,
        negotiates: bool,
        mbps: Option<u32>,
        full_duplex: Option<bool>,
        autoneg: bool,
    ) -> bool {
        let Some(speed) = self.only_speed() else {
            return false;
        };
        mbps.is_none_or(|mbps| mbps == speed.mbps())
            && full_duplex.unwrap_or(true)
            && autoneg == negotiates
    }

    /// The mode of the link that `CTRL_EXT` is to have for it.
    #[must_use]
    pub const fn link_mode(self) -> CtrlExt {
        match self {
            Self::Copper => ctrl_ext::COPPER,
            Self::Sgmii(_) | Self::Fibre100 => ctrl_ext::SGMII,
            Self::SerDes => ctrl_ext::SERDES,
            Self::Kx => ctrl_ext::KX,
        }
    }

    /// What it is, for the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copper => "copper",
            Self::Sgmii(_) => "SGMII",
            Self::SerDes => "SerDes",
            Self::Fibre100 => "100BASE-FX",
            Self::Kx => "1000BASE-KX",
        }
    }

    /// Finds out what the link is made of. Once, when the driver is bound, after the first reset. Looks at
    /// the module, if there may be one, which takes up to 300 ms; and for a PHY in it, which takes up to
    /// 400 ms. Sleeps.
    ///
    /// A module that is exchanged for one of another kind is found when the driver is bound anew.
    ///
    /// # Errors
    ///
    /// [`Fault::Gone`]; that of a semaphore nobody gives back.
    pub fn detect(device: &impl Device) -> Result<Self, Fault> {
        let ctrl_ext = device.read(regs::CTRL_EXT);
        let mode = ctrl_ext & ctrl_ext::LINK_MODE;
        if mode == ctrl_ext::COPPER {
            return Ok(Self::Copper);
        }
        if mode == ctrl_ext::KX {
            return Ok(Self::Kx);
        }
        let sgmii = mode == ctrl_ext::SGMII;
        let bus = device.read(regs::MDIC);
        if sgmii && bus.contains(mdic::EXTERNAL) {
            return Ok(Self::Sgmii(Path::Mdio(mdic::phy(bus))));
        }
        let lan_id = status::lan_id(device.read(regs::STATUS));
        let _held = semaphore::take(device, Resource::Phy(lan_id))?;
        power_cage(device);
        let kind = match Module::look(device) {
            Ok(module) => module.kind(),
            Err(Fault::Gone) => return Err(Fault::Gone),
            Err(_) => None,
        };
        match (kind, sgmii) {
            (Some(Kind::BaseX), _) | (None, false) => Ok(Self::SerDes),
            (Some(Kind::Base100), _) => Ok(Self::Fibre100),
            (Some(Kind::BaseT), _) | (None, true) => phy_of_module(device).map(Self::Sgmii),
        }
    }

    /// Has the link be behind what it is made of: after each reset, which loads the NVM's mode.
    pub fn select(self, device: &impl Registers) {
        if !self.has_pcs() {
            return;
        }
        device.update(regs::CTRL_EXT, |value| {
            let value = value & !(ctrl_ext::LINK_MODE | ctrl_ext::SDP3);
            value | self.link_mode() | ctrl_ext::I2C_ENA
        });
    }
}

/// Powers the SFP cage, and lets its I2C bus be used.
fn power_cage(device: &impl Device) {
    device.update(regs::CTRL_EXT, |value| {
        (value & !ctrl_ext::SDP3) | ctrl_ext::I2C_ENA
    });
}

/// The address of the PHY in the module: the first that answers as one of those that are used in modules;
/// else the first. The caller has the bus.
fn phy_of_module(device: &impl Device) -> Result<Path, Fault> {
    const VENDOR: u16 = 0x0141;
    device.pause(POWER_UP_PAUSE);
    for address in 1..=7 {
        let command = i2ccmd::read(address, regs::PHYID1.number());
        match i2c_command(device, command) {
            Ok(answer) if i2ccmd::data(answer) == VENDOR => return Ok(Path::I2c(address)),
            Err(Fault::Gone) => return Err(Fault::Gone),
            _ => {}
        }
    }
    Ok(Path::I2c(1))
}

/// What an SFP module is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1000BASE-SX or LX.
    BaseX,
    /// 100BASE-FX or LX.
    Base100,
    /// 1000BASE-T: there is a PHY in it.
    BaseT,
}

/// What an SFP module says that it is (SFF-8472).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module {
    identifier: u8,
    compliance: u8,
}

/// Byte of a module's memory that says what it is.
const IDENTIFIER: u16 = 0x00;
/// Byte with the Ethernet standards it complies with.
const COMPLIANCE: u16 = 0x06;

impl Module {
    /// What the two bytes say.
    #[must_use]
    pub const fn new(identifier: u8, compliance: u8) -> Self {
        Self {
            identifier,
            compliance,
        }
    }

    /// Looks at the module, up to three times: one that was just given power needs some time. The caller
    /// has the bus.
    fn look(device: &impl Device) -> Result<Self, Fault> {
        let mut tries = 3;
        let identifier = loop {
            match module_byte(device, IDENTIFIER) {
                Ok(byte) => break byte,
                Err(Fault::Gone) => return Err(Fault::Gone),
                Err(fault) => {
                    tries -= 1;
                    if tries == 0 {
                        return Err(fault);
                    }
                    device.pause(100_000);
                }
            }
        };
        Ok(Self::new(identifier, module_byte(device, COMPLIANCE)?))
    }

    /// What it is for; `None` if it is no pluggable transceiver, or of a kind that is not known.
    #[must_use]
    pub const fn kind(self) -> Option<Kind> {
        // A transceiver that is soldered, and an SFP.
        if self.identifier != 0x02 && self.identifier != 0x03 {
            return None;
        }
        // SX and LX; T; 100 LX and FX.
        if self.compliance & 0x03 != 0 {
            return Some(Kind::BaseX);
        }
        if self.compliance & 0x30 != 0 {
            return Some(Kind::Base100);
        }
        if self.compliance & 0x08 != 0 {
            return Some(Kind::BaseT);
        }
        None
    }
}

fn module_byte(device: &impl Device, address: u16) -> Result<u8, Fault> {
    i2c_command(device, i2ccmd::read_module(address)).map(i2ccmd::byte)
}

/// Bytes of a module's memory that identify it (SFF-8079); as many more are its diagnosis (SFF-8472).
pub const MODULE_PAGE: usize = 256;

/// What the memory of a module has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Its identification alone: [`MODULE_PAGE`] bytes.
    Identification,
    /// Its diagnosis as well: twice as many.
    WithDiagnosis,
}

impl Memory {
    /// By byte 94, the revision of SFF-8472 it complies with, and byte 92, the kind of its diagnosis.
    const fn new(revision: u8, monitoring: u8) -> Self {
        const NEEDS_ADDRESS_CHANGE: u8 = 0x04;
        if revision == 0 || monitoring & NEEDS_ADDRESS_CHANGE != 0 {
            Self::Identification
        } else {
            Self::WithDiagnosis
        }
    }

    /// Bytes there are.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Identification => MODULE_PAGE,
            Self::WithDiagnosis => 2 * MODULE_PAGE,
        }
    }

    /// Never: a module has an identification.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// Asks the module of a port of `media` what its memory has. Sleeps, for up to a second.
///
/// # Errors
///
/// [`Fault::Absent`] if there is no cage, [`Fault::Refused`] or [`Fault::TimedOut`] if it is empty.
pub fn module_memory(device: &impl Device, media: Media) -> Result<Memory, Fault> {
    let mut bytes = [0; 3];
    read_module(device, media, 92, &mut bytes)?;
    let [monitoring, _, revision] = bytes;
    Ok(Memory::new(revision, monitoring))
}

/// Reads the memory of the module of a port of `media`, from `offset` on (below 512). Takes some 100 us a
/// byte. Sleeps, for up to a second until nobody else has the bus.
///
/// # Errors
///
/// As [`module_memory`].
pub fn read_module(
    device: &impl Device,
    media: Media,
    offset: u16,
    bytes: &mut [u8],
) -> Result<(), Fault> {
    if matches!(
        media,
        Media::Copper | Media::Kx | Media::Sgmii(Path::Mdio(_) | Path::Internal)
    ) {
        return Err(Fault::Absent);
    }
    let lan_id = status::lan_id(device.read(regs::STATUS));
    let _held = semaphore::take(device, Resource::Phy(lan_id))?;
    for (address, byte) in (offset..).zip(bytes) {
        *byte = module_byte(device, address)?;
    }
    Ok(())
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_media))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn modules_are_told_by_two_bytes() {
        let kind = |identifier, compliance| Module::new(identifier, compliance).kind();
        assert_eq!(kind(0x03, 0x01), Some(Kind::BaseX));
        assert_eq!(kind(0x03, 0x02), Some(Kind::BaseX));
        assert_eq!(kind(0x02, 0x08), Some(Kind::BaseT));
        assert_eq!(kind(0x03, 0x10), Some(Kind::Base100));
        assert_eq!(kind(0x03, 0x20), Some(Kind::Base100));
        // Nothing known, and no module of this form.
        assert_eq!(kind(0x03, 0x00), None);
        assert_eq!(kind(0x03, 0x04), None);
        assert_eq!(kind(0x0d, 0x01), None);
        assert_eq!(kind(0xff, 0xff), None);
    }

    #[test]
    fn a_link_with_one_speed_is_set_to_it() {
        let check = |media: Media, allowed, mbps, full_duplex, autoneg| {
            media.is_set_to(media.autoneg(allowed, false), mbps, full_duplex, autoneg)
        };
        let full = Some(true);
        assert!(check(Media::Fibre100, true, Some(100), full, false));
        assert!(!check(Media::Fibre100, true, Some(1000), full, false));
        assert!(!check(Media::Fibre100, true, Some(100), full, true));
        assert!(check(Media::SerDes, true, Some(1000), full, true));
        // Before it is known what the link is.
        assert!(check(Media::SerDes, true, None, None, true));
        assert!(!check(Media::SerDes, true, Some(1000), full, false));
        assert!(!check(Media::SerDes, true, Some(1000), Some(false), true));
        assert!(!check(Media::SerDes, true, Some(100), full, true));
        // The board has it not negotiate.
        assert!(check(Media::SerDes, false, Some(1000), full, false));
        assert!(check(Media::Kx, true, Some(1000), full, false));
        assert!(!check(Media::Kx, true, Some(1000), full, true));
        // What has several speeds is not set that way.
        assert!(!check(Media::Copper, true, Some(1000), full, true));
        assert!(!Media::Copper.autoneg(true, true));
    }

    #[test]
    fn who_negotiates() {
        for allowed in [false, true] {
            assert_eq!(Media::SerDes.negotiates(allowed), allowed);
            assert!(Media::Fibre100.negotiates(allowed));
            assert!(!Media::Kx.negotiates(allowed));
        }
    }

    #[test]
    fn memory_of_modules() {
        assert_eq!(Memory::new(0, 0x68), Memory::Identification);
        assert_eq!(Memory::new(2, 0x68), Memory::WithDiagnosis);
        // Its diagnosis is behind a change of the address, which the controller cannot do.
        assert_eq!(Memory::new(2, 0x6c), Memory::Identification);
        assert_eq!(Memory::WithDiagnosis.len(), 512);
    }

    #[test]
    fn variants_are_known_once() {
        for variant in VARIANTS.iter() {
            assert_eq!(Variant::new(variant.id), Some(*variant));
        }
        assert_eq!(Variant::new(0x1521), None);
    }
}
