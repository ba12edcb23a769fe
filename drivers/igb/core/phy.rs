// SPDX-License-Identifier: GPL-2.0

//! The PHY: how its registers are reached, and what it is told (datasheet 3.5.6, 8.2.4, 8.17.9; IEEE
//! 802.3 clause 22).
//!
//! That of a copper port is inside the controller, behind MDIC at address 1. Another may be behind
//! SGMII: on MDIO, with an address the NVM has set, or in an SFP module, whose registers are reached over
//! I2C.

use core::cell::Cell;

use crate::{
    device::{
        wait,
        Device,
        Fault, //
    },
    link::Advertise,
    link_config::{
        Crossover,
        Forced, //
    },
    management::Firmware,
    regs::{
        self,
        anar::Anar,
        bmcr,
        ctrl,
        eemngctl,
        gbcr,
        i2ccmd,
        mdic,
        port_config,
        power_mgmt,
        status,
        PhyReg,
        Readable,
        Word,
        Writable, //
    },
    semaphore::{
        self,
        Held,
        Resource, //
    }, //
};

/// How the registers of a PHY are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The one inside the controller.
    Internal,
    /// An external one, on the MDIO bus, at this address (0..=31).
    Mdio(u8),
    /// One in an SFP module, at this address of its I2C bus (1..=7).
    I2c(u8),
}

impl Path {
    /// The address of the PHY on its bus.
    #[must_use]
    pub const fn address(self) -> u8 {
        match self {
            Self::Internal => mdic::PHY_ADDR,
            Self::Mdio(address) | Self::I2c(address) => address,
        }
    }
}

/// Microseconds between two looks at a command.
const STEP: u32 = 50;
/// Looks at MDIC: 96 ms. 64 bits at 2.5 MHz are 26 us, but C drivers have seen accesses fail that were
/// given less.
const MDIC_LOOKS: u32 = 1920;
/// Looks at I2CCMD: 10 ms.
const I2C_LOOKS: u32 = 200;
/// Registers above this are those of a page.
const LAST_UNPAGED: u8 = 15;
/// Registers above this are not reached over I2C.
const LAST_ON_I2C: u8 = 30;
/// How long the PHY's reset is asserted, in microseconds.
const RESET_PULSE: u32 = 100;
/// How long it is left alone after that.
const RESET_PAUSE: u32 = 150;
/// Looks, 1 ms apart, at whether the PHY was set up from the NVM. C drivers go on after 100, too.
const CONFIG_LOOKS: u32 = 100;
/// How long it is left alone after that: the controller sets it up, and accesses can time out.
const CONFIG_PAUSE: u32 = 100_000;
/// How long an external PHY needs after it was given power, in microseconds. That of an SFP module has the
/// power of its cage, which [`pcs::start`](crate::pcs::start) turns on.
pub(crate) const POWER_UP_PAUSE: u32 = 300_000;
/// Vendor in PHYID1 of the PHYs whose crossover is in register 16.
const MARVELL: u16 = 0x0141;

/// Port control of Marvell's PHYs, at the place of [`regs::PORT_CONFIG`].
mod marvell {
    /// Both bits: crossover is found out. None: straight.
    pub(super) const CROSSOVER: u16 = 0x0060;
    /// Crossed.
    pub(super) const CROSSED: u16 = 0x0020;
}

/// The PHY, ours until this is dropped.
pub struct Phy<'a, D: Device> {
    device: &'a D,
    path: Path,
    _held: Held<'a, D>,
}

/// The LAN id of the port.
fn port(device: &impl Device) -> u32 {
    status::lan_id(device.read(regs::STATUS))
}

impl<'a, D: Device> Phy<'a, D> {
    /// Takes the PHY. Sleeps, for up to a second.
    ///
    /// # Errors
    ///
    /// As [`semaphore::take`].
    pub fn take(device: &'a D, path: Path) -> Result<Self, Fault> {
        let resource = Resource::Phy(port(device));
        let held = semaphore::take(device, resource)?;
        Ok(Self {
            device,
            path,
            _held: held,
        })
    }

    /// Takes the PHY if nobody has it. Sleeps, for milliseconds.
    ///
    /// # Errors
    ///
    /// As [`semaphore::take`].
    pub fn try_take(device: &'a D, path: Path) -> Result<Self, Fault> {
        let resource = Resource::Phy(port(device));
        let held = semaphore::try_take(device, resource)?;
        Ok(Self {
            device,
            path,
            _held: held,
        })
    }

    /// Reads a PHY register.
    ///
    /// # Errors
    ///
    /// [`Fault::TimedOut`], [`Fault::Refused`] if the PHY has no such register, [`Fault::Gone`].
    pub fn read<V: Word<u16>>(&self, register: PhyReg<V, impl Readable>) -> Result<V, Fault> {
        self.read_number(register.number()).map(V::from_bits)
    }

    /// Writes a PHY register.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn write<V: Word<u16>>(
        &self,
        register: PhyReg<V, impl Writable>,
        value: V,
    ) -> Result<(), Fault> {
        self.write_number(register.number(), value.bits())
    }

    /// Reads a register by its number, 0..=31: for who knows the PHY.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn read_number(&self, number: u8) -> Result<u16, Fault> {
        match self.path {
            Path::Internal => {
                self.select_page(number)?;
                self.mdio(mdic::read(mdic::PHY_ADDR, number))
            }
            Path::Mdio(address) => self.mdio(mdic::EXTERNAL | mdic::read(address, number)),
            Path::I2c(address) => self.i2c(number, i2ccmd::read(address, number)),
        }
    }

    /// Writes a register by its number, 0..=31: for who knows the PHY.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn write_number(&self, number: u8, value: u16) -> Result<(), Fault> {
        match self.path {
            Path::Internal => {
                self.select_page(number)?;
                self.mdio(mdic::write(mdic::PHY_ADDR, number, value))
            }
            Path::Mdio(address) => self.mdio(mdic::EXTERNAL | mdic::write(address, number, value)),
            Path::I2c(address) => self.i2c(number, i2ccmd::write(address, number, value)),
        }
        .map(|_| ())
    }

    /// What is above register 15 depends on a page, which something else may have selected: firmware,
    /// or a driver before us.
    fn select_page(&self, number: u8) -> Result<(), Fault> {
        if number <= LAST_UNPAGED || number == regs::PAGE_SELECT.number() {
            return Ok(());
        }
        let select = regs::PAGE_SELECT.number();
        self.mdio(mdic::write(mdic::PHY_ADDR, select, number.into()))?;
        Ok(())
    }

    fn mdio(&self, command: mdic::Mdic) -> Result<u16, Fault> {
        self.device.write(regs::MDIC, command);
        let answer = wait(self.device, regs::MDIC, MDIC_LOOKS, STEP, |value| {
            value & mdic::READY != 0
        })?;
        if answer & mdic::ERROR != 0 {
            return Err(Fault::Refused);
        }
        Ok(mdic::data(answer))
    }

    fn i2c(&self, number: u8, command: i2ccmd::I2ccmd) -> Result<u16, Fault> {
        if number > LAST_ON_I2C {
            return Err(Fault::Refused);
        }
        i2c_command(self.device, command).map(i2ccmd::data)
    }

    /// Brings the PHY to a known state: to be called before the first negotiation, and after a sleep.
    /// Sleeps, for up to 200 ms with the internal PHY, and for 300 ms before the first access to an
    /// external one, which may just have been given power. Others may have the PHY meanwhile: if someone
    /// takes it, for up to a second more.
    ///
    /// What it holds survives a reset of the port by its driver (`CTRL.RST`), and not one of the slot or
    /// the bus.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`] and [`Phy::take`].
    pub fn bring_up(self) -> Result<Self, Fault> {
        match self.path {
            Path::Internal => self.bring_up_internal(),
            Path::Mdio(_) | Path::I2c(_) => self.bring_up_external(),
        }
    }

    fn bring_up_external(self) -> Result<Self, Fault> {
        let phy = self.lend(|device| device.pause(POWER_UP_PAUSE))?;
        if matches!(phy.path, Path::I2c(_)) {
            // SGMII, as modules with a PHY inside are known to need it.
            const MODE: (u8, u16) = (0x1b, 0x8084);
            phy.write_number(MODE.0, MODE.1)?;
        }
        phy.reset_by_register()?;
        Ok(phy)
    }

    fn bring_up_internal(self) -> Result<Self, Fault> {
        let is_reset = !Firmware::read(self.device).forbids_phy_reset();
        if is_reset {
            self.reset();
        }
        let phy = self.lend(|device| {
            if is_reset {
                wait_for_setup(device);
            }
            device.pause(CONFIG_PAUSE);
        })?;
        let power = phy.read(regs::POWER_MGMT)?;
        phy.write(regs::POWER_MGMT, power & !power_mgmt::LPLU_D0)?;
        Ok(phy)
    }

    /// Lets others have the PHY during `pause`, and takes it again.
    fn lend(self, pause: impl FnOnce(&D)) -> Result<Self, Fault> {
        let Self { device, path, .. } = self;
        drop(self);
        pause(device);
        Self::take(device, path)
    }

    fn reset(&self) {
        let device = self.device;
        device.update(regs::CTRL, |value| value | ctrl::PHY_RST);
        self.flush();
        device.pause(RESET_PULSE);
        device.update(regs::CTRL, |value| value & !ctrl::PHY_RST);
        self.flush();
        device.pause(RESET_PAUSE);
    }

    /// Has what was written reach the controller, so that a pause begins then and not sooner.
    fn flush(&self) {
        let _ = self.device.read(regs::STATUS);
    }

    fn reset_by_register(&self) -> Result<(), Fault> {
        let bmcr = self.read(regs::BMCR)?;
        self.write(regs::BMCR, bmcr | bmcr::RESET)?;
        self.device.pause(RESET_PAUSE);
        Ok(())
    }

    /// Sets what is offered to the link partner and starts negotiating.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn negotiate(&self, advertise: &Advertise) -> Result<(), Fault> {
        self.write(regs::ANAR, advertise.anar())?;
        let gbcr = advertise.gbcr(self.read(regs::GBCR)?);
        let gbcr = if advertise.is_only_gigabit() {
            gbcr & !gbcr::MASTER_SET
        } else {
            gbcr
        };
        self.write(regs::GBCR, gbcr)?;
        self.write(
            regs::BMCR,
            bmcr::AN_ENABLE | bmcr::RESTART_AN | bmcr::FULL_DUPLEX | bmcr::SPEED_1000,
        )
    }

    /// Has the internal PHY use SmartSpeed if `advertise` has a lower speed that it could try: to be called
    /// before [`Phy::negotiate`]. Whether it does at all is the NVM's choice: `taken` notes that SmartSpeed
    /// was on and is off for this reason. It is false at first, and belongs to the PHY.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn set_smart_speed(&self, advertise: &Advertise, taken: &Cell<bool>) -> Result<(), Fault> {
        let is_only_gigabit = advertise.is_only_gigabit();
        if self.path != Path::Internal || !(is_only_gigabit || taken.get()) {
            return Ok(());
        }
        let config = self.read(regs::PORT_CONFIG)?;
        if !is_only_gigabit {
            self.write(regs::PORT_CONFIG, config | port_config::SMART_SPEED)?;
            taken.set(false);
        } else if config.contains(port_config::SMART_SPEED) {
            // Also if it was taken already: a reset of the PHY has brought it back.
            self.write(regs::PORT_CONFIG, config & !port_config::SMART_SPEED)?;
            taken.set(true);
        }
        Ok(())
    }

    /// Sets speed and duplex without negotiating.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn force(&self, forced: Forced) -> Result<(), Fault> {
        self.write(regs::BMCR, forced.bmcr())
    }

    /// Sets the crossover of a link that is `forced` or negotiated. Of an external PHY that is known only
    /// for Marvell's, of which it takes effect with the negotiation that follows.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn set_crossover(&self, crossover: Crossover, forced: bool) -> Result<(), Fault> {
        if self.path == Path::Internal {
            let port_ctrl = self.read(regs::PORT_CTRL)?;
            return self.write(regs::PORT_CTRL, crossover.port_ctrl(port_ctrl, forced));
        }
        if self.read(regs::PHYID1)? != MARVELL {
            return Ok(());
        }
        let number = regs::PORT_CONFIG.number();
        let rest = self.read_number(number)? & !marvell::CROSSOVER;
        let bits = match crossover {
            Crossover::Auto => marvell::CROSSOVER,
            Crossover::Straight => 0,
            Crossover::Crossed => marvell::CROSSED,
        };
        self.write_number(number, rest | bits)?;
        self.reset_by_register()
    }

    /// Sends what is transmitted back to the MAC, at 1 Gb/s, until the link is negotiated.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn loop_back(&self) -> Result<(), Fault> {
        self.write(
            regs::BMCR,
            bmcr::LOOPBACK | bmcr::FULL_DUPLEX | bmcr::SPEED_1000,
        )
    }

    /// What we and the link partner have offered each other (ANAR, ANLPAR).
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn advertisements(&self) -> Result<(Anar, Anar), Fault> {
        Ok((self.read(regs::ANAR)?, self.read(regs::ANLPAR)?))
    }

    /// Takes the link down, and the PHY to its lowest power, unless firmware uses it.
    ///
    /// # Errors
    ///
    /// As [`Phy::read`].
    pub fn power_down(&self) -> Result<(), Fault> {
        if !Firmware::read(self.device).allows_power_down() {
            return Ok(());
        }
        let bmcr = self.read(regs::BMCR)?;
        self.write(regs::BMCR, bmcr | bmcr::POWER_DOWN)
    }
}

/// Waits until the PHY that was reset is set up from the NVM. Whoever does that needs the PHY, which nobody
/// may have meanwhile.
fn wait_for_setup(device: &impl Device) {
    let done = eemngctl::config_done(port(device));
    // A board without firmware may never say so.
    let _ = wait(device, regs::EEMNGCTL, CONFIG_LOOKS, 1000, |value| {
        value & done != 0
    });
}

/// Carries out a command on the I2C bus, of which the caller has the right ([`Resource::Phy`]). Sleeps.
pub(crate) fn i2c_command(
    device: &impl Device,
    command: i2ccmd::I2ccmd,
) -> Result<i2ccmd::I2ccmd, Fault> {
    device.write(regs::I2CCMD, command);
    let answer = wait(device, regs::I2CCMD, I2C_LOOKS, STEP, |value| {
        value & i2ccmd::READY != 0
    })?;
    if answer & i2ccmd::ERROR != 0 {
        return Err(Fault::Refused);
    }
    Ok(answer)
}
